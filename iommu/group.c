/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/group.h"

#include "lib/log.h"
#include "lib/pci_group.h"
#include "lib/sysfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RWY_STEM "group"

#define DEVICE "/sys/bus/pci/devices/%s"

int rwy_group_find(const char *root, const char *bdf, unsigned *group)
{
	int err;

	if (!rwy_sysfs_exists(root, DEVICE, bdf)) {
		rwy_error("there is no PCI function %s here: lspci -D lists what there is", bdf);
		return -ENODEV;
	}
	err = rwy_pci_group_find(root, bdf, group);
	if (err)
		rwy_error("%s is behind no IOMMU: switch it on in the firmware (VT-d, AMD-Vi) and "
			  "boot with intel_iommu=on",
			  bdf);
	return err;
}

static int check_self(const char *root, const char *bdf)
{
	char driver[RWY_PCI_GROUP_DRIVER] = "", unbind[96] = "";

	if (rwy_sysfs_read_link(root, driver, sizeof(driver), DEVICE "/driver", bdf) == 0)
		snprintf(unbind, sizeof(unbind), "echo %s >" DEVICE "/driver/unbind; ", bdf, bdf);
	if (strstr(driver, "vfio"))
		return 0;
	rwy_error("%s has %s%s, it needs vfio-pci: echo vfio-pci >" DEVICE
		  "/driver_override; %secho %s >/sys/bus/pci/drivers_probe",
		  bdf, driver[0] ? "the driver " : "no driver", driver, bdf, unbind, bdf);
	return -ENODEV;
}

int rwy_group_check(const char *root, const char *bdf, unsigned group)
{
	struct rwy_pci_group_user user;
	int rc = check_self(root, bdf);

	if (rc == 0)
		rc = rwy_pci_group_search(root, group, bdf, &user);
	if (rc <= 0)
		return rc;
	rwy_error("%s shares IOMMU group %u with %s, which the host uses with driver %s: bind all "
		  "members of the group to vfio-pci, or move the card to a slot behind ACS",
		  bdf, group, user.bdf, user.driver);
	return -EBUSY;
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
