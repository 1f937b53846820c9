/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/vu_front_base.h"

#include <linux/virtio_ring.h>

#define AVAIL	 RWY_BIT64(VRING_PACKED_DESC_F_AVAIL)
#define USED	 RWY_BIT64(VRING_PACKED_DESC_F_USED)
#define WRAP_BIT 0x8000u

static bool is_avail(uint16_t flags)
{
	return !(flags & AVAIL) != !(flags & USED);
}

/* The wrap counter of whoever wrote the slot last: the driver sets AVAIL to its own, the device
 * makes both equal to its own (2.8.1). */
static bool wrap_of(uint16_t flags)
{
	return flags & AVAIL;
}

/*
 * Going round the ring from where the device stands, there are first the slots that wait for it,
 * then those it has used. So it stands at a waiting slot behind a used one. With none of them
 * waiting, or all, it stands where the wrap counter changes; and where that never changes, at the
 * ring's start.
 */
static uint32_t find_packed(const struct vring_packed_desc *ring, uint16_t size)
{
	uint16_t first = RWY_READ_ONCE(&ring[0].flags);
	uint16_t before = RWY_READ_ONCE(&ring[size - 1].flags);
	unsigned change = 0;
	bool wrap;

	for (unsigned i = 0; i < size; i++) {
		uint16_t flags = RWY_READ_ONCE(&ring[i].flags);

		if (is_avail(flags) && !is_avail(before))
			return i | (wrap_of(flags) ? WRAP_BIT : 0);
		if (!change && wrap_of(flags) != wrap_of(first))
			change = i;
		before = flags;
	}
	/* A waiting slot is of the device's own lap. A used one before the change is of its lap,
	 * and if nothing changes, of the lap that has just ended. */
	wrap = wrap_of(first);
	if (is_avail(first) == (change != 0))
		wrap = !wrap;
	return change | (wrap ? WRAP_BIT : 0);
}

uint32_t rwy_vu_front_base_find(const struct rwy_mem *mem, const struct rwy_vu_ring *ring,
				bool packed)
{
	uint32_t at;

	if (!packed) {
		const struct vring_used *used =
			rwy_mem_at(mem, ring->device, sizeof(struct vring_used));

		return used ? RWY_LOAD_ACQUIRE(&used->idx) : ring->base;
	}
	const struct vring_packed_desc *desc =
		rwy_mem_at(mem, ring->desc,
			   ring->size * (uint64_t)sizeof(struct vring_packed_desc));

	if (!desc)
		return ring->base;
	at = find_packed(desc, ring->size);
	return at | at << 16;
}
