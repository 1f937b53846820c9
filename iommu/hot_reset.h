/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reset of last resort: of the bus or slot that a function is on, for functions that have none
 * of their own. It resets all that is there, so all of it must be ours, and none in use.
 */
#ifndef RWY_IOMMU_HOT_RESET_H
#define RWY_IOMMU_HOT_RESET_H

#include "iommu/vfio.h"

#define RWY_HOT_RESET_WHY 256

struct rwy_hot_reset_ops {
	/* May this function be reset, too? *group_fd: the file of its group, -1 where it came by a
	 * file of its own. -EXDEV: it is not ours; -EBUSY: it is in use. */
	int (*allow)(void *ctx, const char *bdf, int *group_fd);
	void *ctx;
};

/* -EXDEV, -EBUSY: as above; -EOPNOTSUPP: not even this; -errno. Then why, of RWY_HOT_RESET_WHY
 * bytes, says it in words. */
RWY_MUST_CHECK int rwy_hot_reset(const struct rwy_vfio *vfio, const struct rwy_hot_reset_ops *ops,
				 char *why);

#endif
