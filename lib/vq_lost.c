/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/vq_lost.h"

#include "lib/base.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1u << VRING_PACKED_DESC_F_USED)
#define OWNER (AVAIL | USED)

/* The driver adds chains while we look; each look that fails has seen it do so. */
#define LOOKS 16u
/* In a ring of chains of one slot, neighbours differ in fewer places than this. */
#define PLACES 8u

static unsigned owner(const struct vring_packed_desc *slot)
{
	return RWY_READ_ONCE(&slot->flags) & OWNER;
}

static unsigned avail_in(bool wrap)
{
	return wrap ? AVAIL : USED;
}

static unsigned used_in(bool wrap)
{
	return wrap ? OWNER : 0;
}

/* A device's view of the ring: slot 0 is where it stands, in a lap of `wrap`. */
struct view {
	const struct vring_packed_desc *ring;
	uint16_t size;
	uint16_t idx;
	bool wrap;
};

static bool is_avail(const struct view *v, unsigned slot)
{
	const unsigned at = v->idx + slot;

	return at < v->size ? owner(&v->ring[at]) == avail_in(v->wrap)
			    : owner(&v->ring[at - v->size]) == avail_in(!v->wrap);
}

static bool is_used(const struct view *v, unsigned slot, bool this_lap)
{
	const unsigned at = v->idx + slot;

	return at < v->size ? owner(&v->ring[at]) == used_in(v->wrap == this_lap)
			    : owner(&v->ring[at - v->size]) == used_in(v->wrap != this_lap);
}

static unsigned pushed(const struct view *v)
{
	unsigned slot = 1;

	if (!is_avail(v, 0))
		return 0;
	while (slot < v->size && is_used(v, slot, true))
		slot++;
	return slot > 1 ? slot : 0;
}

/* Ahead of the device lie what it pushed but did not show, what waits for it, and the last lap. */
static bool explains(const struct view *v)
{
	unsigned slot = pushed(v);

	while (slot < v->size && is_avail(v, slot))
		slot++;
	while (slot < v->size && is_used(v, slot, false))
		slot++;
	return slot == v->size;
}

/* It stands where one slot differs from the one before it, or at the ring's start. */
static bool look(struct view *v)
{
	unsigned before = owner(&v->ring[v->size - 1]), places = 0;

	for (unsigned i = 0; i < v->size && places < PLACES; i++) {
		const unsigned now = owner(&v->ring[i]);

		if (i == 0 || now != before) {
			v->idx = (uint16_t)i;
			/* A waiting slot is of its lap, a used one of the lap before. */
			v->wrap = now == avail_in(true) || now == used_in(false);
			if (explains(v))
				return true;
			places++;
		}
		before = now;
	}
	return false;
}

bool rwy_vq_lost_find(const struct vring_packed_desc *ring, uint16_t size, uint32_t *base)
{
	struct view v = {.ring = ring, .size = size};

	for (unsigned i = 0; i < LOOKS; i++) {
		if (look(&v)) {
			const uint32_t at = v.idx | (uint32_t)v.wrap
							    << VRING_PACKED_EVENT_F_WRAP_CTR;

			*base = at | at << 16;
			return true;
		}
	}
	return false;
}

uint16_t rwy_vq_lost_pushed(const struct vring_packed_desc *ring, uint16_t size, uint16_t idx,
			    bool wrap)
{
	return (uint16_t)pushed(&(struct view){ring, size, idx, wrap});
}
