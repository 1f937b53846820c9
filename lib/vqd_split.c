/* SPDX-License-Identifier: BSD-3-Clause */
/* The split virtqueue (virtio 1.2 section 2.7), driver side. */
#include "lib/vqd_impl.h"

#include <errno.h>

/* 2.7.9: in-order drivers use descriptors in ring order. */
RWY_INLINE uint16_t next_of(const struct rwy_vqd *q, uint16_t at)
{
	return q->in_order ? (uint16_t)((at + 1) & (q->size - 1)) : q->slots[at].next;
}

void rwy_vqd_split_add(struct rwy_vqd *q, const struct rwy_vqd_chain *c)
{
	const uint16_t head = q->free_head;
	struct rwy_vqd_slot *slot = &q->slots[head];
	uint16_t at = head;

	for (unsigned i = 0; i < c->nr; i++) {
		struct vring_desc *desc = &q->desc[at];

		at = next_of(q, at);
		desc->addr = c->bufs[i].gpa.v;
		desc->len = c->bufs[i].len;
		desc->flags = rwy_vqd_flags(c, i);
		desc->next = at;
	}
	q->free_head = at;
	slot->cookie = c->cookie;
	slot->in_len = c->in_len;
	slot->nr_desc = (uint16_t)c->nr;
	RWY_WRITE_ONCE(&q->avail->ring[q->avail_idx & (q->size - 1)], head);
	q->avail_idx++;
}

bool rwy_vqd_split_publish(struct rwy_vqd *q)
{
	const uint16_t from = q->avail_pub, to = q->avail_idx;

	if (from == to)
		return false;
	/* Pairs with the device's acquire of avail idx: ring and descriptors are there before. */
	RWY_STORE_RELEASE(&q->avail->idx, to);
	q->avail_pub = to;
	/* Pairs with the device's barrier between asking for kicks and looking again. */
	RWY_MB();
	if (q->event_idx)
		return vring_need_event(RWY_READ_ONCE((uint16_t *)&q->used->ring[q->size]), to,
					from);
	return !(RWY_READ_ONCE(&q->used->flags) & VRING_USED_F_NO_NOTIFY);
}

static void release(struct rwy_vqd *q, uint16_t head, struct rwy_vqd_slot *slot)
{
	if (!q->in_order) {
		uint16_t last = head;

		for (unsigned i = 1; i < slot->nr_desc; i++)
			last = q->slots[last].next;
		q->slots[last].next = q->free_head;
		q->free_head = head;
	}
	q->nr_free = (uint16_t)(q->nr_free + slot->nr_desc);
	q->nr_chains--;
	q->used_idx++;
	slot->cookie = NULL;
}

/* In order, one element may tell of many chains (2.7.9): those before its own are used up. */
static void next_of_run(struct rwy_vqd *q, uint32_t *id, uint32_t *len)
{
	if (!q->run) {
		q->run = true;
		q->run_id = (uint16_t)*id;
		q->run_len = *len;
	}
	*id = q->oldest;
	*len = q->run_len;
	if (q->oldest == q->run_id)
		q->run = false;
	else
		*len = q->slots[q->oldest].in_len;
	q->oldest = (uint16_t)((q->oldest + q->slots[q->oldest].nr_desc) & (q->size - 1));
}

int rwy_vqd_split_get(struct rwy_vqd *q, void **cookie, uint32_t *len)
{
	/* Pairs with the device's release of used idx. */
	const uint16_t ready = (uint16_t)(RWY_LOAD_ACQUIRE(&q->used->idx) - q->used_idx);
	const struct vring_used_elem *elem = &q->used->ring[q->used_idx & (q->size - 1)];
	uint32_t id, used_len;

	if (ready == 0)
		return q->run ? -EPROTO : 0;
	if (ready > q->nr_chains)
		return -EPROTO;
	id = q->run ? q->run_id : RWY_READ_ONCE(&elem->id);
	used_len = q->run ? q->run_len : RWY_READ_ONCE(&elem->len);
	if (!rwy_vqd_slot(q, id))
		return -EPROTO;
	if (q->in_order)
		next_of_run(q, &id, &used_len);
	struct rwy_vqd_slot *slot = rwy_vqd_slot(q, id);
	if (!slot || used_len > slot->in_len)
		return -EPROTO;
	*cookie = slot->cookie;
	*len = used_len;
	release(q, (uint16_t)id, slot);
	return 1;
}

bool rwy_vqd_split_arm(struct rwy_vqd *q)
{
	if (q->event_idx)
		RWY_WRITE_ONCE(&q->avail->ring[q->size], q->used_idx);
	else
		RWY_WRITE_ONCE(&q->avail->flags, 0);
	/* Pairs with the device's barrier between storing used idx and reading our wish. */
	RWY_MB();
	return RWY_READ_ONCE(&q->used->idx) != q->used_idx;
}

void rwy_vqd_split_disarm(struct rwy_vqd *q)
{
	/* An index just passed will not come again for 65535 chains. */
	if (q->event_idx)
		RWY_WRITE_ONCE(&q->avail->ring[q->size], (uint16_t)(q->used_idx - 1));
	else
		RWY_WRITE_ONCE(&q->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}
