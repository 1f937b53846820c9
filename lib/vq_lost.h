/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a packed ring stands, found in the ring itself: for when the process that served it died
 * and nobody else knows. The ring has no index in memory (virtio 1.2 section 2.8), but the flags of
 * its descriptors tell, if each chain takes one slot, as with indirect descriptors it does, and the
 * device used chains in order of their slots. A ring that has never been used is found to stand at
 * its start. Both functions only read, and the driver may add to the ring meanwhile.
 */
#ifndef RWY_LIB_VQ_LOST_H
#define RWY_LIB_VQ_LOST_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

/* As VRING_BASE says it: the slot after the last one that the device has shown as used, and the
 * wrap counter of its lap, for both halves. false: no single place explains the whole ring, and
 * *base stays. */
bool rwy_vq_lost_find(const struct vring_packed_desc *ring, uint16_t size, uint32_t *base);

/*
 * The slots from there on that the device had written as used when it died, but for the flags of
 * the first, which would have shown them all to the driver. 0 is the rule.
 */
uint16_t rwy_vq_lost_pushed(const struct vring_packed_desc *ring, uint16_t size, uint16_t idx,
			    bool wrap);

#endif
