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

/* A chain while it is being laid out. */
struct rwy_vq_walk {
	struct rwy_vq *vq;
	struct iovec *iov; /* room for `room` pieces, `nr` taken */
	unsigned room;
	unsigned nr;
	unsigned nr_out;
	uint64_t out_len;
	uint64_t in_len;
};

/* One buffer more. 0, a reason, or RWY_VQ_NO_ROOM. */
RWY_INLINE int rwy_vq_walk_add(struct rwy_vq_walk *w, uint64_t addr, uint32_t len, uint16_t flags)
{
	struct iovec *iov = w->iov + w->nr;
	int pieces = 1;

	if (RWY_UNLIKELY(w->nr == w->room))
		return RWY_VQ_NO_ROOM;
	iov->iov_base = rwy_mem_at_hint(w->vq->mem, &w->vq->hint, (rwy_gpa){addr}, len);
	iov->iov_len = len;
	if (RWY_UNLIKELY(!iov->iov_base)) {
		pieces = rwy_mem_iov(w->vq->mem, (rwy_gpa){addr}, len, iov, w->room - w->nr);
		if (pieces < 0)
			return pieces == -E2BIG ? RWY_VQ_NO_ROOM : RWY_VQ_ADDRESS;
	}
	w->nr += (unsigned)pieces;
	if (flags & VRING_DESC_F_WRITE && !w->vq->read_only) {
		w->in_len += len;
	} else {
		if (RWY_UNLIKELY(w->nr_out + (unsigned)pieces != w->nr))
			return RWY_VQ_ORDER;
		w->nr_out = w->nr;
		w->out_len += len;
	}
	return RWY_UNLIKELY((w->in_len | w->out_len) >> 32) ? RWY_VQ_CHAIN_HUGE : RWY_VQ_OK;
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
int rwy_vq_table_open(struct rwy_vq *vq, struct rwy_vq_table *table, uint64_t gpa, uint32_t len,
		      uint16_t flags);
int rwy_vq_table_fetch_slow(const struct rwy_vq *vq, const struct rwy_vq_table *table, unsigned i,
			    union rwy_vq_desc *desc);

RWY_INLINE int rwy_vq_table_fetch(const struct rwy_vq *vq, const struct rwy_vq_table *table,
				  unsigned i, union rwy_vq_desc *desc)
{
	if (RWY_UNLIKELY(!table->base))
		return rwy_vq_table_fetch_slow(vq, table, i, desc);
	*desc = rwy_vq_desc_load(table->base + i * sizeof(*desc));
	return RWY_VQ_OK;
}

/* The device touches the first piece soon: its line is on the way while the burst goes on. */
RWY_INLINE void rwy_vq_prefetch(const struct rwy_chain *chain)
{
	__builtin_prefetch(chain->iov->iov_base);
}

/* The common chain: one buffer in one region. Pieces taken: 1, or 0 if it is not one of those. */
RWY_INLINE unsigned rwy_vq_pop_one(struct rwy_vq *vq, struct rwy_chain *chain, struct iovec *iov,
				   unsigned room, uint64_t addr, uint32_t len, uint16_t flags,
				   uint16_t id)
{
	const bool in = flags & VRING_DESC_F_WRITE;

	if (RWY_UNLIKELY(flags & RWY_VQ_F_MORE || room == 0))
		return 0;
	iov->iov_base = rwy_mem_at_hint(vq->mem, &vq->hint, (rwy_gpa){addr}, len);
	iov->iov_len = len;
	if (RWY_UNLIKELY(!iov->iov_base))
		return 0;
	*chain = (struct rwy_chain){
		.iov = iov,
		.out_len = in ? 0 : len,
		.in_len = in ? len : 0,
		.id = id,
		.nr_desc = 1,
		.nr_out = !in,
		.nr_in = in,
	};
	return 1;
}

RWY_INLINE void rwy_vq_chain_walked(struct rwy_chain *chain, const struct rwy_vq_walk *w,
				    uint16_t id, unsigned nr_desc)
{
	*chain = (struct rwy_chain){
		.iov = w->iov,
		.out_len = (uint32_t)w->out_len,
		.in_len = (uint32_t)w->in_len,
		.id = id,
		.nr_desc = (uint16_t)nr_desc,
		.nr_out = (uint16_t)w->nr_out,
		.nr_in = (uint16_t)(w->nr - w->nr_out),
	};
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

#endif
