/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IOMMU groups of PCI functions, as sysfs tells of them. A group is viable, its functions can be
 * given away by VFIO, when the host itself uses none of them. root: lib/sysfs.h. Any thread.
 */
#ifndef RWY_LIB_PCI_GROUP_H
#define RWY_LIB_PCI_GROUP_H

#include "lib/base.h"
#include "lib/bdf.h"

#define RWY_PCI_GROUP_DRIVER 64 /* longest name of a driver, with its end */

/* A member that the host uses. */
struct rwy_pci_group_user {
	char bdf[RWY_BDF_LEN];
	char driver[RWY_PCI_GROUP_DRIVER];
};

/* The number of the function's group. -ENOENT: it has none. */
RWY_MUST_CHECK int rwy_pci_group_find(const char *root, const char *bdf, unsigned *group);
/*
 * Looks for a member other than `except` (NULL: any) with a driver of the host. 1 and *user: there
 * is one; 0: the group is viable, as far as the others go; or -errno.
 */
RWY_MUST_CHECK int rwy_pci_group_search(const char *root, unsigned group, const char *except,
					struct rwy_pci_group_user *user);

#endif
