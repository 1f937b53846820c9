/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/group.h"

#include "lib/log.h"
#include "lib/sysfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "group"

#define DEVICE	   "/sys/bus/pci/devices/%s"
#define CLASS_HOST 0x0600 /* bridges take no part in DMA of their own */
#define CLASS_PCI  0x0604

struct member_check {
	const char *root;
	const char *wanted;
	unsigned group;
};

int rwy_group_find(const char *root, const char *bdf, unsigned *group)
{
	char name[16], *end;
	int err;

	if (!rwy_sysfs_exists(root, DEVICE, bdf)) {
		rwy_error("there is no PCI function %s here: lspci -D lists what there is", bdf);
		return -ENODEV;
	}
	err = rwy_sysfs_read_link(root, name, sizeof(name), DEVICE "/iommu_group", bdf);
	if (err) {
		rwy_error("%s is behind no IOMMU: switch it on in the firmware (VT-d, AMD-Vi) and "
			  "boot with intel_iommu=on",
			  bdf);
		return -ENOENT;
	}
	*group = (unsigned)strtoul(name, &end, 10);
	return *end ? -ENOENT : 0;
}

/* Drivers that keep a member out of the kernel's own hands; ports may keep theirs. */
static bool harmless(const char *driver, unsigned class)
{
	return strstr(driver, "vfio") || strcmp(driver, "pci-stub") == 0 ||
	       (class == CLASS_PCI && strcmp(driver, "pcieport") == 0);
}

static int check_member(void *ctx, const char *name)
{
	const struct member_check *c = ctx;
	bool self = strcmp(name, c->wanted) == 0;
	char driver[64];
	uint64_t class = 0;

	if (rwy_sysfs_read_link(c->root, driver, sizeof(driver), DEVICE "/driver", name) < 0)
		driver[0] = '\0';
	if (rwy_sysfs_read_uint(c->root, &class, DEVICE "/class", name) < 0)
		class = 0;
	class >>= 8;
	if (self && strstr(driver, "vfio"))
		return 0;
	if (self) {
		char unbind[96] = "";

		if (driver[0])
			snprintf(unbind, sizeof(unbind), "echo %s >" DEVICE "/driver/unbind; ",
				 name, name);
		rwy_error("%s has %s%s, it needs vfio-pci: echo vfio-pci >" DEVICE
			  "/driver_override; %secho %s >/sys/bus/pci/drivers_probe",
			  name, driver[0] ? "the driver " : "no driver", driver, name, unbind,
			  name);
		return -ENODEV;
	}
	if (!driver[0] || harmless(driver, (unsigned)class) || class == CLASS_HOST)
		return 0;
	rwy_error("%s shares IOMMU group %u with %s, which the host uses with driver %s: bind all "
		  "members of the group to vfio-pci, or move the card to a slot behind ACS",
		  c->wanted, c->group, name, driver);
	return -EBUSY;
}

int rwy_group_check(const char *root, const char *bdf, unsigned group)
{
	struct member_check check = {root, bdf, group};

	return rwy_sysfs_list(root, check_member, &check, "/sys/kernel/iommu_groups/%u/devices",
			      group);
}

/* Lines of first, last, kind. */
int rwy_group_reserve(const char *root, unsigned group, struct rwy_dma *dma)
{
	char text[4096], *line, *rest = text;
	int err = rwy_sysfs_read(root, text, sizeof(text),
				 "/sys/kernel/iommu_groups/%u/reserved_regions", group);

	if (err == -ENOENT) /* kernels before 4.11 */
		return 0;
	if (err < 0)
		return err;
	err = 0;
	while (!err && (line = strsep(&rest, "\n"))) {
		unsigned long long first, last;
		char kind[32];

		if (sscanf(line, "%llx %llx %31s", &first, &last, kind) != 3)
			continue;
		/* Used by firmware before an operating system ran, and not since. */
		if (strcmp(kind, "direct-relaxable") == 0)
			continue;
		err = rwy_dma_reserve(dma, first, last,
				      strcmp(kind, "msi") == 0 ? "the interrupt window"
							       : "the host's firmware");
	}
	return err;
}
