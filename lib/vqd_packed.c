/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packed virtqueue (virtio 1.2 section 2.8), driver side. In order, a chain's id is its first
 * slot, so that the next chain to be used is known without asking.
 */
#include "lib/vqd_impl.h"

#include <errno.h>

#define F_AVAIL	 (1u << VRING_PACKED_DESC_F_AVAIL)
#define F_USED	 (1u << VRING_PACKED_DESC_F_USED)
#define F_OWNER	 (F_AVAIL | F_USED)
#define WRAP_BIT (1u << VRING_PACKED_EVENT_F_WRAP_CTR)

union event {
	struct vring_packed_desc_event parts;
	uint32_t word;
};

void rwy_vqd_packed_open(struct rwy_vqd *q)
{
	q->avail_wrap = true;
	q->avail_pub_wrap = true;
	q->used_wrap = true;
}

static void step(const struct rwy_vqd *q, uint16_t *idx, bool *wrap, unsigned slots)
{
	unsigned next = *idx + slots;
	const bool over = next >= q->size;

	*idx = (uint16_t)(over ? next - q->size : next);
	*wrap ^= over;
}

static uint16_t take_id(struct rwy_vqd *q)
{
	uint16_t id = q->free_head;

	if (q->in_order)
		return q->avail_idx;
	q->free_head = q->slots[id].next;
	return id;
}

void rwy_vqd_packed_add(struct rwy_vqd *q, const struct rwy_vqd_chain *c)
{
	const uint16_t id = take_id(q);
	struct rwy_vqd_slot *slot = &q->slots[id];

	slot->cookie = c->cookie;
	slot->in_len = c->in_len;
	slot->nr_desc = (uint16_t)c->nr;
	for (unsigned i = 0; i < c->nr; i++) {
		struct vring_packed_desc *desc = &q->pdesc[q->avail_idx];
		const uint16_t flags =
			(uint16_t)(rwy_vqd_flags(c, i) | (q->avail_wrap ? F_AVAIL : F_USED));

		desc->addr = c->bufs[i].gpa.v;
		desc->len = c->bufs[i].len;
		desc->id = id;
		/* The first one since the last publish hides all that follow. */
		if (q->avail_idx == q->avail_pub && q->avail_wrap == q->avail_pub_wrap)
			q->head_flags = flags;
		else
			desc->flags = flags;
		step(q, &q->avail_idx, &q->avail_wrap, 1);
	}
}

/* 2.8.10: does the device want to hear of the `slots` slots from avail_pub on? */
static bool wants_kick(const struct rwy_vqd *q, unsigned slots)
{
	const union event event = {.word = RWY_READ_ONCE((uint32_t *)q->device_event)};

	if (event.parts.flags != VRING_PACKED_EVENT_FLAG_DESC || !q->event_idx)
		return event.parts.flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	const unsigned at = event.parts.off_wrap & (WRAP_BIT - 1);
	const bool wrap = event.parts.off_wrap & WRAP_BIT;
	return at + (wrap != q->avail_pub_wrap ? q->size : 0u) - q->avail_pub < slots;
}

bool rwy_vqd_packed_publish(struct rwy_vqd *q)
{
	const unsigned slots = (unsigned)q->avail_idx +
			       (q->avail_wrap != q->avail_pub_wrap ? q->size : 0u) - q->avail_pub;

	if (slots == 0)
		return false;
	/* Pairs with the device's acquire of the flags: the whole burst is there before them. */
	RWY_STORE_RELEASE(&q->pdesc[q->avail_pub].flags, q->head_flags);
	/* Pairs with the device's barrier between asking for kicks and looking again. */
	RWY_MB();
	const bool wanted = wants_kick(q, slots);
	q->avail_pub = q->avail_idx;
	q->avail_pub_wrap = q->avail_wrap;
	return wanted;
}

static bool used_now(const struct rwy_vqd *q, uint16_t flags)
{
	return (flags & F_OWNER) == (q->used_wrap ? F_OWNER : 0);
}

/* In order, one used descriptor may tell of many chains (2.8.8): those before its own are used up.
 */
static uint32_t next_of_run(struct rwy_vqd *q, uint16_t *id, uint32_t len)
{
	if (!q->run) {
		q->run = true;
		q->run_id = *id;
		q->run_len = len;
	}
	*id = q->used_idx;
	if (*id != q->run_id)
		return q->slots[*id].in_len;
	q->run = false;
	return q->run_len;
}

int rwy_vqd_packed_get(struct rwy_vqd *q, void **cookie, uint32_t *len)
{
	const struct vring_packed_desc *desc = &q->pdesc[q->used_idx];
	uint16_t id = q->run_id;
	uint32_t used_len = 0;

	if (!q->run) {
		/* Pairs with the device's release of the flags. */
		const uint16_t flags = RWY_LOAD_ACQUIRE(&desc->flags);

		if (!used_now(q, flags))
			return 0;
		id = RWY_READ_ONCE(&desc->id);
		/* 2.8.4: without WRITE the length means nothing */
		if (flags & VRING_DESC_F_WRITE)
			used_len = RWY_READ_ONCE(&desc->len);
		if (!rwy_vqd_slot(q, id))
			return -EPROTO;
	}
	if (q->in_order)
		used_len = next_of_run(q, &id, used_len);
	struct rwy_vqd_slot *slot = rwy_vqd_slot(q, id);
	if (!slot || used_len > slot->in_len)
		return -EPROTO;
	*cookie = slot->cookie;
	*len = used_len;
	slot->cookie = NULL;
	if (!q->in_order) {
		slot->next = q->free_head;
		q->free_head = id;
	}
	q->nr_free = (uint16_t)(q->nr_free + slot->nr_desc);
	q->nr_chains--;
	step(q, &q->used_idx, &q->used_wrap, slot->nr_desc);
	return 1;
}

bool rwy_vqd_packed_arm(struct rwy_vqd *q)
{
	union event event = {.parts.flags = VRING_PACKED_EVENT_FLAG_ENABLE};

	if (q->event_idx) {
		event.parts.off_wrap = (uint16_t)(q->used_idx | (q->used_wrap ? WRAP_BIT : 0));
		event.parts.flags = VRING_PACKED_EVENT_FLAG_DESC;
	}
	RWY_WRITE_ONCE((uint32_t *)q->driver_event, event.word);
	/* Pairs with the device's barrier between storing flags and reading our wish. */
	RWY_MB();
	return used_now(q, RWY_READ_ONCE(&q->pdesc[q->used_idx].flags)) || q->run;
}

void rwy_vqd_packed_disarm(struct rwy_vqd *q)
{
	const union event event = {.parts.flags = VRING_PACKED_EVENT_FLAG_DISABLE};

	RWY_WRITE_ONCE((uint32_t *)q->driver_event, event.word);
}
