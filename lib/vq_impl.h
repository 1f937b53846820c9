/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the two ring formats share, for vq*.c only: laying one buffer after the other into a chain.
 */
#ifndef RWY_LIB_VQ_IMPL_H
#define RWY_LIB_VQ_IMPL_H

#include "lib/vq.h"

#include <assert.h>
#include <errno.h>

extern const struct rwy_vq_ops rwy_vq_split_ops;
extern const struct rwy_vq_ops rwy_vq_split_in_order_ops;
extern const struct rwy_vq_ops rwy_vq_packed_ops;
extern const struct rwy_vq_ops rwy_vq_packed_in_order_ops;

/* Both formats: takes config->base and asks for kicks; areas are resolved. -EINVAL: bad base. */
RWY_MUST_CHECK int rwy_vq_split_begin(struct rwy_vq *vq, uint32_t base);
RWY_MUST_CHECK int rwy_vq_packed_begin(struct rwy_vq *vq, uint32_t base);

#define RWY_VQ_NOINLINE __attribute__((noinline))

/* Besides enum rwy_vq_reason: the caller's iovec array is full. */
#define RWY_VQ_NO_ROOM (-1)

/* A descriptor of either format, copied out of guest memory by one load. */
union rwy_vq_desc {
	struct vring_desc split;
	struct vring_packed_desc packed;
	uint64_t word[2];
};

static_assert(sizeof(union rwy_vq_desc) == 16, "descriptor");
/* Flags that mean more to the walk than "one buffer". */
#define RWY_VQ_F_MORE (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT)

/* The only reads of a descriptor: volatile, so that no compiler ever looks twice. */
RWY_INLINE union rwy_vq_desc rwy_vq_desc_load(const void *at)
{
	typedef uint64_t word __attribute__((may_alias, aligned(1)));
	const volatile word *from = at;

	return (union rwy_vq_desc){.word = {from[0], from[1]}};
}

/* The region of the last buffer as the loops hold it: in registers. */
struct rwy_vq_window {
	uint64_t gpa;
	uint64_t size; /* 0: none yet */
	uint8_t *hva;
};

RWY_INLINE struct rwy_vq_window rwy_vq_window(const struct rwy_vq *vq)
{
	const struct rwy_mem_region *r = vq->hint;

	return r ? (struct rwy_vq_window){r->gpa.v, r->size, r->hva} : (struct rwy_vq_window){0};
}

/* All of [gpa, gpa + len) is in the window; len 0 needs a byte there too. */
RWY_INLINE bool rwy_vq_window_has(const struct rwy_vq_window *w, uint64_t gpa, uint32_t len)
{
	const uint64_t off = gpa - w->gpa;

	return off < w->size && len <= w->size - off;
}

/* The window moves to the region of gpa, if there is one. */
void rwy_vq_window_move(struct rwy_vq *vq, uint64_t gpa);

RWY_INLINE uint8_t *rwy_vq_window_at(struct rwy_vq *vq, struct rwy_vq_window *w, uint64_t gpa,
				     uint32_t len)
{
	if (RWY_UNLIKELY(!rwy_vq_window_has(w, gpa, len))) {
		rwy_vq_window_move(vq, gpa);
		*w = rwy_vq_window(vq);
		if (!rwy_vq_window_has(w, gpa, len))
			return NULL;
	}
	return w->hva + (gpa - w->gpa);
}

/*
 * A chain while it is being laid out. Its address never leaves inline functions, so that it lives
 * in registers.
 */
struct rwy_vq_walk {
	struct rwy_vq *vq;
	struct rwy_vq_window window;
	struct iovec *iov; /* room for `room` pieces, `nr` taken */
	unsigned room;
	unsigned nr;
	unsigned nr_out;
	uint64_t out_len;
	uint64_t in_len;
};

/* Goes to the next chain, for which there is room at iov. */
RWY_INLINE void rwy_vq_walk_begin(struct rwy_vq_walk *w, struct iovec *iov, unsigned room)
{
	w->iov = iov;
	w->room = RWY_MIN(room, RWY_VQ_IOV_MAX);
	w->nr = 0;
	w->nr_out = 0;
	w->out_len = 0;
	w->in_len = 0;
}

/* One buffer more. 0, a reason, or RWY_VQ_NO_ROOM: where a chain that is a loop ends. */
RWY_INLINE int rwy_vq_walk_add(struct rwy_vq_walk *w, uint64_t addr, uint32_t len, uint16_t flags)
{
	struct iovec *iov = w->iov + w->nr;
	int pieces = 1;

	if (RWY_UNLIKELY(w->nr == w->room))
		return RWY_VQ_NO_ROOM;
	iov->iov_base = rwy_vq_window_at(w->vq, &w->window, addr, len);
	iov->iov_len = len;
	if (RWY_UNLIKELY(!iov->iov_base)) {
		pieces = rwy_mem_iov(w->vq->mem, (rwy_gpa){addr}, len, iov, w->room - w->nr);
		if (pieces < 0)
			return pieces == -E2BIG ? RWY_VQ_NO_ROOM : RWY_VQ_ADDRESS;
	}
	if (flags & VRING_DESC_F_WRITE && !w->vq->read_only) {
		w->in_len += len;
	} else {
		if (RWY_UNLIKELY(w->nr_out != w->nr))
			return RWY_VQ_ORDER;
		w->nr_out += (unsigned)pieces;
		w->out_len += len;
	}
	w->nr += (unsigned)pieces;
	return RWY_VQ_OK;
}

/* The chain is complete. RWY_VQ_IOV_MAX lengths of 32 bits cannot have wrapped 64. */
RWY_INLINE int rwy_vq_walk_end(const struct rwy_vq_walk *w, struct rwy_chain *chain, uint16_t id,
			       unsigned nr_desc)
{
	if (RWY_UNLIKELY((w->in_len | w->out_len) >> 32))
		return RWY_VQ_CHAIN_HUGE;
	*chain = (struct rwy_chain){
		.iov = w->iov,
		.out_len = (uint32_t)w->out_len,
		.in_len = (uint32_t)w->in_len,
		.id = id,
		.nr_desc = (uint16_t)nr_desc,
		.nr_out = (uint16_t)w->nr_out,
		.nr_in = (uint16_t)(w->nr - w->nr_out),
	};
	return RWY_VQ_OK;
}

/*
 * The descriptors of an indirect table. A table inside one region is read in place; one that
 * crosses a border is fetched entry by entry.
 */
struct rwy_vq_table {
	const uint8_t *base; /* NULL: crosses a border */
	uint64_t gpa;
	uint32_t nr;
};

/* 0 or a reason. Looks at nothing of the table but its place. */
RWY_INLINE int rwy_vq_table_open(struct rwy_vq_walk *w, struct rwy_vq_table *table, uint64_t gpa,
				 uint32_t len, uint16_t flags)
{
	uint64_t end;

	if (RWY_UNLIKELY(!w->vq->indirect))
		return RWY_VQ_INDIRECT_OFF;
	if (RWY_UNLIKELY(flags & VRING_DESC_F_NEXT))
		return RWY_VQ_INDIRECT_FLAGS;
	if (RWY_UNLIKELY(len == 0 || len % sizeof(struct vring_desc) ||
			 len / sizeof(struct vring_desc) > RWY_VQ_IOV_MAX))
		return RWY_VQ_INDIRECT_LEN;
	if (RWY_UNLIKELY(RWY_ADD_OVERFLOW(gpa, len, &end)))
		return RWY_VQ_ADDRESS;
	table->base = rwy_vq_window_at(w->vq, &w->window, gpa, len);
	table->gpa = gpa;
	table->nr = len / sizeof(struct vring_desc);
	return RWY_VQ_OK;
}

/* One entry copied from a table that crosses a border. False: it is not all in memory. */
bool rwy_vq_table_copy(const struct rwy_mem *mem, uint64_t gpa, void *entry);

RWY_INLINE int rwy_vq_table_fetch(const struct rwy_vq_walk *w, const struct rwy_vq_table *table,
				  unsigned i, union rwy_vq_desc *desc)
{
	if (RWY_LIKELY(table->base)) {
		*desc = rwy_vq_desc_load(table->base + i * sizeof(*desc));
		return RWY_VQ_OK;
	}
	uint64_t copy[2];
	if (!rwy_vq_table_copy(w->vq->mem, table->gpa + i * sizeof(*desc), copy))
		return RWY_VQ_ADDRESS;
	*desc = (union rwy_vq_desc){.word = {copy[0], copy[1]}};
	return RWY_VQ_OK;
}

/* The device touches the first piece soon: its line is on the way while the burst goes on. */
RWY_INLINE void rwy_vq_prefetch(const void *first)
{
	__builtin_prefetch(first);
}

/*
 * The common chain: one buffer in one piece. This is done for every packet, and its cost is its
 * stores: six of 8 bytes where field by field would be eleven.
 */
RWY_INLINE void rwy_vq_chain_one(struct rwy_chain *chain, struct iovec *iov, void *at, uint32_t len,
				 uint16_t flags, uint16_t id)
{
	uint64_t *const word = (uint64_t *)chain;

	static_assert(offsetof(struct rwy_chain, out_len) == 8 &&
			      offsetof(struct rwy_chain, in_len) == 12 &&
			      offsetof(struct rwy_chain, written) == 16 &&
			      offsetof(struct rwy_chain, id) == 20 &&
			      offsetof(struct rwy_chain, nr_desc) == 22 &&
			      offsetof(struct rwy_chain, nr_out) == 24 &&
			      offsetof(struct rwy_chain, nr_in) == 26 &&
			      sizeof(struct rwy_chain) == 32,
		      "written as words");
	iov->iov_base = at;
	iov->iov_len = len;
	chain->iov = iov;
	word[2] = (uint64_t)id << 32 | UINT64_C(1) << 48; /* nothing written, one slot */
	/* All chains of a queue tend to go the same way, so this is predicted. */
	if (flags & VRING_DESC_F_WRITE) {
		word[1] = (uint64_t)len << 32;
		word[3] = 1u << 16;
	} else {
		word[1] = len;
		word[3] = 1;
	}
}

/* Where the pieces of the next chain go. */
RWY_INLINE struct iovec *rwy_vq_chain_end(const struct rwy_chain *chain)
{
	return chain->iov + chain->nr_out + chain->nr_in;
}

RWY_INLINE void rwy_vq_count_pop(struct rwy_vq *vq, unsigned n)
{
	if (n == 0)
		return;
	rwy_stats_add(&vq->stats->chains, n);
	rwy_stats_add(&vq->stats->bursts, 1);
}

/* What was given back was never popped, as far as anybody who counts is concerned. */
RWY_INLINE void rwy_vq_count_unpop(struct rwy_vq *vq, unsigned n)
{
	rwy_stats_add(&vq->stats->chains, -(uint64_t)n);
}

/* A chain could not be taken: `taken` before it could. Breaks the queue unless room may do. */
void rwy_vq_refuse(struct rwy_vq *vq, int why, unsigned taken);
/* Writes the call eventfd, or counts that it was not wanted. */
void rwy_vq_call(struct rwy_vq *vq, bool wanted);

/* A chain left over by another process must be one that can be in flight here. 0 or why not. */
RWY_INLINE int rwy_vq_left_check(const struct rwy_vq *vq, const struct rwy_vq_left *left)
{
	if (left->id >= vq->size)
		return RWY_VQ_HEAD_RANGE;
	return vq->inflight[left->id] ? RWY_VQ_DUPLICATE : RWY_VQ_OK;
}

/* It was walked, or not. Pieces taken. */
RWY_INLINE unsigned rwy_vq_left_end(const struct rwy_vq_walk *w, int why,
				    const struct rwy_vq_left *left, struct rwy_chain *chain,
				    unsigned taken)
{
	if (!why)
		why = rwy_vq_walk_end(w, chain, left->id, left->nr_desc);
	if (why) {
		rwy_vq_refuse(w->vq, why, taken);
		return 0;
	}
	w->vq->inflight[left->id] = 1;
	rwy_vq_count_pop(w->vq, 1);
	return w->nr;
}

#endif
