/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/vu_front_base.h"

#include "lib/vq_lost.h"

uint32_t rwy_vu_front_base_find(const struct rwy_mem *mem, const struct rwy_vu_ring *ring,
				bool packed)
{
	uint32_t base = ring->base;

	if (!packed) {
		const struct vring_used *used =
			rwy_mem_at(mem, ring->device, sizeof(struct vring_used));

		return used ? RWY_LOAD_ACQUIRE(&used->idx) : ring->base;
	}
	const struct vring_packed_desc *desc =
		rwy_mem_at(mem, ring->desc,
			   ring->size * (uint64_t)sizeof(struct vring_packed_desc));

	if (desc)
		(void)rwy_vq_lost_find(desc, ring->size, &base);
	return base;
}
