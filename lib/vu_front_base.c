/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/vu_front_base.h"

#include "lib/vq_lost.h"

#define WRAP_BIT 0x8000u

uint32_t rwy_vu_front_base_find(const struct rwy_mem *mem, const struct rwy_vu_ring *ring,
				bool packed)
{
	uint16_t idx;
	bool wrap;

	if (!packed) {
		const struct vring_used *used =
			rwy_mem_at(mem, ring->device, sizeof(struct vring_used));

		return used ? RWY_LOAD_ACQUIRE(&used->idx) : ring->base;
	}
	const struct vring_packed_desc *desc =
		rwy_mem_at(mem, ring->desc,
			   ring->size * (uint64_t)sizeof(struct vring_packed_desc));

	if (!desc || !rwy_vq_lost_find(desc, ring->size, &idx, &wrap))
		return ring->base;
	uint32_t at = idx | (wrap ? WRAP_BIT : 0);
	return at | at << 16;
}
