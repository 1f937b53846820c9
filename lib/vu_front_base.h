/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a ring stands, read from guest memory when its back-end has died without a word. */
#ifndef RWY_LIB_VU_FRONT_BASE_H
#define RWY_LIB_VU_FRONT_BASE_H

#include "lib/vu_front.h"

/*
 * The VRING_BASE to go on from. Split: the used index. A packed ring has no index in memory; there
 * it is found as lib/vq_lost.h says. A back-end with in-flight tracking knows better and ignores
 * this. ring->base when it cannot be told.
 */
uint32_t rwy_vu_front_base_find(const struct rwy_mem *mem, const struct rwy_vu_ring *ring,
				bool packed);

#endif
