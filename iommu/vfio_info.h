/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Information that VFIO returns as a struct with a chain of capabilities behind it, of a length it
 * says itself. Read whole, bounded, and walked without trust: a link leads forward or the chain is
 * at its end.
 */
#ifndef RWY_IOMMU_VFIO_INFO_H
#define RWY_IOMMU_VFIO_INFO_H

#include "iommu/vfio_sys.h"

#define RWY_VFIO_INFO_MAX 65536

/*
 * request on fd with a struct of `size` bytes, which begins with argsz and flags; *info holds the
 * caller's arguments and is grown, on the heap, as far as the kernel says. *len: its length.
 * -E2BIG: the kernel wants more than RWY_VFIO_INFO_MAX; -errno.
 */
RWY_MUST_CHECK int rwy_vfio_info_get(const struct rwy_vfio_sys *sys, int fd, unsigned long request,
				     void **info, size_t size, size_t *len);
/* The capability of this id with at least `size` bytes, header included, or NULL; *left gets how
 * many there are up to the end of info. first: cap_offset, 0: no chain. */
const void *rwy_vfio_info_cap(const void *info, size_t len, uint32_t first, uint16_t id,
			      size_t size, size_t *left);

#endif
