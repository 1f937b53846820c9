/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What sysfs says about a function before VFIO is asked: its IOMMU group, who else is in it, and
 * which addresses its bus keeps for itself. Everything that is wrong is logged with the command
 * that mends it. root: of sysfs, lib/sysfs.h.
 */
#ifndef RWY_IOMMU_GROUP_H
#define RWY_IOMMU_GROUP_H

#include "iommu/dma.h"

/* The group's number. -ENODEV: no such function, -ENOENT: it has no group. Logged. */
RWY_MUST_CHECK int rwy_group_find(const char *root, const char *bdf, unsigned *group);
/* Is each member with a VFIO driver, or with none? -EBUSY: another one has it; -ENODEV: bdf itself
 * is not with VFIO. Logged. */
RWY_MUST_CHECK int rwy_group_check(const char *root, const char *bdf, unsigned group);
/* What no device of the group can reach becomes reserved. Errors as rwy_dma_reserve. */
RWY_MUST_CHECK int rwy_group_reserve(const char *root, unsigned group, struct rwy_dma *dma);

#endif
