/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/pci_group.h"

#include "lib/sysfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE	   "/sys/bus/pci/devices/%s"
#define CLASS_HOST 0x0600 /* bridges take no part in DMA of their own */
#define CLASS_PCI  0x0604

struct search {
	const char *root;
	const char *except;
	struct rwy_pci_group_user *user;
};

int rwy_pci_group_find(const char *root, const char *bdf, unsigned *group)
{
	char name[16], *end;

	if (rwy_sysfs_read_link(root, name, sizeof(name), DEVICE "/iommu_group", bdf))
		return -ENOENT;
	*group = (unsigned)strtoul(name, &end, 10);
	return *end ? -ENOENT : 0;
}

/* Drivers that keep a member out of the kernel's own hands; ports may keep theirs. */
static bool harmless(const char *driver, uint64_t class)
{
	return strstr(driver, "vfio") || strcmp(driver, "pci-stub") == 0 || class == CLASS_HOST ||
	       (class == CLASS_PCI && strcmp(driver, "pcieport") == 0);
}

static int look_at_member(void *ctx, const char *name)
{
	struct search *search = ctx;
	struct rwy_pci_group_user *user = search->user;
	uint64_t class = 0;

	if (search->except && strcmp(name, search->except) == 0)
		return 0;
	if (rwy_sysfs_read_link(search->root, user->driver, sizeof(user->driver), DEVICE "/driver",
				name))
		return 0;
	if (rwy_sysfs_read_uint(search->root, &class, DEVICE "/class", name))
		class = 0;
	if (harmless(user->driver, class >> 8))
		return 0;
	snprintf(user->bdf, sizeof(user->bdf), "%s", name);
	return 1;
}

int rwy_pci_group_search(const char *root, unsigned group, const char *except,
			 struct rwy_pci_group_user *user)
{
	struct search search = {root, except, user};

	return rwy_sysfs_list(root, look_at_member, &search, "/sys/kernel/iommu_groups/%u/devices",
			      group);
}
