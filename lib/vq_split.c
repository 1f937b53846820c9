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

/* Follows a chain from its first descriptor, which the caller has loaded. 0 or why not. */
static int split_walk(struct rwy_vq_walk *w, union rwy_vq_desc desc)
{
	struct rwy_vq_table table = {.base = (uint8_t *)w->vq->desc, .nr = w->vq->size};
	bool indirect = false;
	unsigned left = table.nr;
	unsigned at;
	int why;

	for (;;) {
		if (desc.split.flags & VRING_DESC_F_INDIRECT) {
			/* 2.7.5.3.2: may end a direct chain, but not stand inside a table */
			if (indirect)
				return RWY_VQ_INDIRECT_FLAGS;
			why = rwy_vq_table_open(w->vq, &table, desc.split.addr, desc.split.len,
						desc.split.flags);
			if (why)
				return why;
			indirect = true;
			left = table.nr;
			at = 0;
		} else {
			if (left-- == 0)
				return RWY_VQ_CHAIN_LONG;
			why = rwy_vq_walk_add(w, desc.split.addr, desc.split.len, desc.split.flags);
			if (why || !(desc.split.flags & VRING_DESC_F_NEXT))
				return why;
			at = desc.split.next;
			if (at >= table.nr)
				return RWY_VQ_NEXT_RANGE;
		}
		why = rwy_vq_table_fetch(w->vq, &table, at, &desc);
		if (why)
			return why;
	}
}

/* Any chain that is not one buffer in one region. Pieces taken, or 0: the burst ends here. */
static __attribute__((noinline)) unsigned split_pop_walk(struct rwy_vq *vq, uint16_t head,
							 union rwy_vq_desc desc,
							 struct rwy_chain *chain, struct iovec *iov,
							 unsigned room, unsigned taken)
{
	struct rwy_vq_walk w = {.vq = vq, .iov = iov, .room = RWY_MIN(room, RWY_VQ_IOV_MAX)};
	int why = split_walk(&w, desc);

	if (RWY_UNLIKELY(why)) {
		rwy_vq_refuse(vq, why, taken);
		return 0;
	}
	rwy_vq_chain_walked(chain, &w, head, 1);
	return w.nr;
}

static unsigned split_pop(struct rwy_vq *vq, struct rwy_chain *chains, unsigned n,
			  struct iovec *iov, unsigned nr_iov)
{
	const uint16_t idx = vq->avail_idx, mask = (uint16_t)(vq->size - 1);
	unsigned ready = (uint16_t)(vq->avail_seen - idx);
	unsigned pieces = 0, i;

	if (ready < n)
		ready = split_look(vq);
	n = RWY_MIN(n, ready);
	for (i = 0; i < n; i++) {
		uint16_t head = RWY_READ_ONCE(&vq->avail->ring[(idx + i) & mask]);

		if (RWY_UNLIKELY(head > mask || vq->inflight[head])) {
			rwy_vq_break(vq, head > mask ? RWY_VQ_HEAD_RANGE : RWY_VQ_DUPLICATE);
			break;
		}
		union rwy_vq_desc desc = rwy_vq_desc_load(&vq->desc[head]);
		unsigned took =
			rwy_vq_pop_one(vq, &chains[i], iov + pieces, nr_iov - pieces,
				       desc.split.addr, desc.split.len, desc.split.flags, head);
		if (!took) {
			took = split_pop_walk(vq, head, desc, &chains[i], iov + pieces,
					      nr_iov - pieces, i);
			if (RWY_UNLIKELY(!took))
				break;
		}
		vq->inflight[head] = 1;
		rwy_vq_prefetch(&chains[i]);
		pieces += took;
	}
	vq->avail_idx = (uint16_t)(idx + i);
	rwy_vq_count_pop(vq, i);
	return i;
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

const struct rwy_vq_ops rwy_vq_split_ops = {
	.pop = split_pop,
	.unpop = split_unpop,
	.push = split_push,
	.publish = split_publish,
	.arm = split_arm,
	.disarm = split_disarm,
	.base = split_base,
};

const struct rwy_vq_ops rwy_vq_split_in_order_ops = {
	.pop = split_pop,
	.unpop = split_unpop,
	.push = split_push_in_order,
	.publish = split_publish_in_order,
	.arm = split_arm,
	.disarm = split_disarm,
	.base = split_base,
};
