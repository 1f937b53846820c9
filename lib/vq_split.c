/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The split virtqueue (virtio 1.2 section 2.7), device side.
 *
 * The driver's index is loaded once per burst and cached; used elements go straight into the used
 * ring, where the driver does not look before publish stores the index.
 */
#include "lib/vq_impl.h"

#include <assert.h>

int rwy_vq_split_begin(struct rwy_vq *vq, uint32_t base)
{
	if (base > UINT16_MAX)
		return -EINVAL;
	vq->avail_idx = (uint16_t)base;
	vq->avail_seen = vq->avail_idx;
	vq->used_idx = RWY_READ_ONCE(&vq->used->idx);
	vq->used_pub = vq->used_idx;
	return 0;
}

static uint32_t split_base(const struct rwy_vq *vq)
{
	return vq->avail_idx;
}

/* "2.7.13.3": pairs with the driver's barrier between filling the avail ring and its idx. */
RWY_INLINE unsigned split_look(struct rwy_vq *vq)
{
	vq->avail_seen = RWY_LOAD_ACQUIRE(&vq->avail->idx);
	uint16_t ready = (uint16_t)(vq->avail_seen - vq->avail_idx);

	if (RWY_UNLIKELY(ready > vq->size)) {
		rwy_vq_break(vq, RWY_VQ_AVAIL_JUMP);
		return 0;
	}
	return ready;
}

static bool split_has(const struct rwy_vq *vq, unsigned n)
{
	return (uint16_t)(RWY_READ_ONCE(&vq->avail->idx) - vq->avail_idx) >= n;
}

/* Follows a chain from its first descriptor, which the caller has loaded. 0 or why not. */
RWY_INLINE int split_walk(struct rwy_vq_walk *w, union rwy_vq_desc desc)
{
	struct rwy_vq_table table = {.base = (uint8_t *)w->vq->desc, .nr = w->vq->size};
	bool indirect = false;
	unsigned at;
	int why;

	for (;;) {
		if (desc.split.flags & VRING_DESC_F_INDIRECT) {
			/* 2.7.5.3.2: may end a direct chain, but not stand inside a table */
			if (RWY_UNLIKELY(indirect))
				return RWY_VQ_INDIRECT_FLAGS;
			why = rwy_vq_table_open(w, &table, desc.split.addr, desc.split.len,
						desc.split.flags);
			if (RWY_UNLIKELY(why))
				return why;
			indirect = true;
			at = 0;
		} else {
			why = rwy_vq_walk_add(w, desc.split.addr, desc.split.len, desc.split.flags);
			if (why || !(desc.split.flags & VRING_DESC_F_NEXT))
				return why;
			at = desc.split.next;
			if (RWY_UNLIKELY(at >= table.nr))
				return RWY_VQ_NEXT_RANGE;
		}
		why = rwy_vq_table_fetch(w, &table, at, &desc);
		if (RWY_UNLIKELY(why))
			return why;
	}
}

/*
 * Takes chains of one buffer in the region of the last one, for as long as they come. What is
 * different ends the run: nothing of it has been used, so split_pop_walks may fetch it anew.
 */
static RWY_VQ_NOINLINE unsigned split_pop_run(struct rwy_vq *vq, struct rwy_chain *chains,
					      unsigned n, struct iovec *iov)
{
	const struct rwy_vq_window window = rwy_vq_window(vq);
	const uint16_t *const ring = vq->avail->ring;
	const struct vring_desc *const table = vq->desc;
	uint8_t *const inflight = vq->inflight;
	const unsigned mask = vq->size - 1u, idx = vq->avail_idx;
	unsigned i;

	for (i = 0; i < n; i++) {
		const unsigned head = RWY_READ_ONCE(&ring[(idx + i) & mask]);

		if (RWY_UNLIKELY(head > mask))
			break;
		const union rwy_vq_desc desc = rwy_vq_desc_load(&table[head]);
		const uint64_t gpa = desc.split.addr;
		const uint32_t len = desc.split.len;
		if (RWY_UNLIKELY(desc.split.flags & RWY_VQ_F_MORE || inflight[head] ||
				 !rwy_vq_window_has(&window, gpa, len)))
			break;
		uint8_t *at = window.hva + (gpa - window.gpa);
		rwy_vq_prefetch(at);
		rwy_vq_chain_one(&chains[i], &iov[i], at, len, desc.split.flags, (uint16_t)head);
		inflight[head] = 1;
	}
	vq->avail_idx = (uint16_t)(idx + i);
	return i;
}

/* Takes one chain of any kind, and then those that are not simple. 0: the burst ends here. */
static RWY_VQ_NOINLINE unsigned split_pop_walks(struct rwy_vq *vq, struct rwy_chain *chains,
						unsigned n, struct iovec *iov, unsigned room,
						unsigned taken)
{
	struct rwy_vq_walk w = {.vq = vq, .window = rwy_vq_window(vq)};
	const unsigned mask = vq->size - 1u, idx = vq->avail_idx;
	unsigned i;

	for (i = 0; i < n; i++) {
		const unsigned head = RWY_READ_ONCE(&vq->avail->ring[(idx + i) & mask]);
		const union rwy_vq_desc desc = rwy_vq_desc_load(&vq->desc[head & mask]);
		int why = head > mask ? RWY_VQ_HEAD_RANGE : RWY_VQ_DUPLICATE;

		if (i > 0 && !(desc.split.flags & RWY_VQ_F_MORE))
			break;
		rwy_vq_walk_begin(&w, iov, room);
		if (RWY_LIKELY(head <= mask && !vq->inflight[head]))
			why = split_walk(&w, desc);
		if (RWY_LIKELY(!why))
			why = rwy_vq_walk_end(&w, &chains[i], (uint16_t)head, 1);
		if (RWY_UNLIKELY(why)) {
			rwy_vq_refuse(vq, why, taken + i);
			break;
		}
		rwy_vq_prefetch(iov->iov_base);
		vq->inflight[head] = 1;
		iov += w.nr;
		room -= w.nr;
	}
	vq->avail_idx = (uint16_t)(idx + i);
	return i;
}

static unsigned split_pop(struct rwy_vq *vq, struct rwy_chain *chains, unsigned n,
			  struct iovec *iov, unsigned nr_iov)
{
	const struct iovec *const end = iov + nr_iov;
	unsigned ready = (uint16_t)(vq->avail_seen - vq->avail_idx);
	unsigned done = 0, more;

	if (ready < n)
		ready = split_look(vq);
	n = RWY_MIN(n, ready);
	while (done < n) {
		more = split_pop_run(vq, chains + done, RWY_MIN(n - done, (unsigned)(end - iov)),
				     iov);
		done += more;
		iov += more;
		if (done == n)
			break;
		more = split_pop_walks(vq, chains + done, n - done, iov, (unsigned)(end - iov),
				       done);
		if (more == 0)
			break;
		done += more;
		iov = rwy_vq_chain_end(&chains[done - 1]);
	}
	rwy_vq_count_pop(vq, done);
	return done;
}

static unsigned split_repop(struct rwy_vq *vq, const struct rwy_vq_left *left,
			    struct rwy_chain *chain, struct iovec *iov, unsigned nr_iov,
			    unsigned taken)
{
	struct rwy_vq_walk w = {.vq = vq, .window = rwy_vq_window(vq)};
	int why = rwy_vq_left_check(vq, left);

	rwy_vq_walk_begin(&w, iov, nr_iov);
	if (!why)
		why = split_walk(&w, rwy_vq_desc_load(&vq->desc[left->id]));
	return rwy_vq_left_end(&w, why, left, chain, taken);
}

static void split_unpop(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		vq->inflight[chains[i].id] = 0;
	vq->avail_idx = (uint16_t)(vq->avail_idx - n);
	rwy_vq_count_unpop(vq, n);
}

RWY_INLINE void split_put(struct rwy_vq *vq, uint16_t idx, uint16_t id, uint32_t len)
{
	struct vring_used_elem *elem = &vq->used->ring[idx & (vq->size - 1)];

	elem->id = id;
	elem->len = len;
}

static void split_push(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n)
{
	uint16_t idx = vq->used_idx;

	for (unsigned i = 0; i < n; i++) {
		assert(chains[i].written <= chains[i].in_len);
		split_put(vq, idx++, chains[i].id, chains[i].written);
		vq->inflight[chains[i].id] = 0;
	}
	vq->used_idx = idx;
	rwy_stats_add(&vq->stats->pushes, n);
}

/* 2.7.9: one element, at the first place of the run, tells of all chains up to run_id. */
RWY_INLINE void split_close_run(struct rwy_vq *vq)
{
	split_put(vq, vq->run_idx, vq->run_id, vq->run_len);
	vq->run = false;
}

/* Only chains the device could not write to are left out: the length of each other one matters. */
static void split_push_in_order(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert(chains[i].written <= chains[i].in_len);
		if (!vq->run) {
			vq->run = true;
			vq->run_idx = vq->used_idx;
		}
		vq->run_id = chains[i].id;
		vq->run_len = chains[i].written;
		vq->used_idx++;
		vq->inflight[chains[i].id] = 0;
		if (chains[i].in_len)
			split_close_run(vq);
	}
	rwy_stats_add(&vq->stats->pushes, n);
}

/* 2.7.7.2: would the driver like to hear that used idx went from `from` to `to`? */
static bool split_wants_call(struct rwy_vq *vq, uint16_t from, uint16_t to)
{
	const bool valid = vq->signalled_valid;

	if (!vq->event_idx)
		return !(RWY_READ_ONCE(&vq->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	vq->signalled_valid = true;
	return !valid || vring_need_event(RWY_READ_ONCE(&vq->avail->ring[vq->size]), to, from);
}

static void split_publish(struct rwy_vq *vq)
{
	const uint16_t from = vq->used_pub, to = vq->used_idx;

	if (from == to)
		return;
	/* Pairs with the driver's acquire of used idx: the elements are there before it. */
	RWY_STORE_RELEASE(&vq->used->idx, to);
	vq->used_pub = to;
	if (vq->call_fd < 0) {
		vq->signalled_valid = false;
		return;
	}
	/* Pairs with the driver's barrier between asking for calls and looking again. */
	RWY_MB();
	rwy_vq_call(vq, split_wants_call(vq, from, to));
}

static void split_publish_in_order(struct rwy_vq *vq)
{
	if (vq->run)
		split_close_run(vq);
	split_publish(vq);
}

static bool split_arm(struct rwy_vq *vq)
{
	if (vq->event_idx)
		RWY_WRITE_ONCE((uint16_t *)&vq->used->ring[vq->size], vq->avail_idx);
	else
		RWY_WRITE_ONCE(&vq->used->flags, 0);
	/* Pairs with the driver's barrier between storing avail idx and reading our wish. */
	RWY_MB();
	return RWY_READ_ONCE(&vq->avail->idx) != vq->avail_idx && !vq->broken;
}

static void split_disarm(struct rwy_vq *vq)
{
	/* An event index left behind asks for one kick in 65536 chains: not worth a store. */
	if (!vq->event_idx)
		RWY_WRITE_ONCE(&vq->used->flags, VRING_USED_F_NO_NOTIFY);
}

static void split_parts(const struct rwy_vq *vq, struct iovec parts[2])
{
	uint64_t len[3];

	rwy_vq_layout(vq->size, false, len);
	parts[0] = (struct iovec){vq->used, len[2]};
	parts[1] = (struct iovec){.iov_len = 0};
}

const struct rwy_vq_ops rwy_vq_split_ops = {
	.pop = split_pop,
	.repop = split_repop,
	.has = split_has,
	.unpop = split_unpop,
	.push = split_push,
	.publish = split_publish,
	.arm = split_arm,
	.disarm = split_disarm,
	.base = split_base,
	.parts = split_parts,
};

const struct rwy_vq_ops rwy_vq_split_in_order_ops = {
	.pop = split_pop,
	.repop = split_repop,
	.has = split_has,
	.unpop = split_unpop,
	.push = split_push_in_order,
	.publish = split_publish_in_order,
	.arm = split_arm,
	.disarm = split_disarm,
	.base = split_base,
	.parts = split_parts,
};
