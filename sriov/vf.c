/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/vf.h"

#include "lib/pci_group.h"
#include "lib/sysfs.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>

#define DEVICE "/sys/bus/pci/devices/%s"

#define CONFIG_LEN 256

int rwy_vf_find(const char *root, const char *pf, unsigned idx, char bdf[RWY_BDF_LEN])
{
	char name[RWY_SYSFS_PATH];
	int err = rwy_sysfs_read_link(root, name, sizeof(name), DEVICE "/virtfn%u", pf, idx);

	return err ? err : rwy_bdf_parse(name, bdf);
}

/*
 * The length of the MSI-X table (PCI 3.0, 6.8.2): sriov_vf_msix_count can be written only. Config
 * space begins with 64 bytes of header, for whoever may not read more.
 */
static void read_msix(const char *root, struct rwy_vf *vf)
{
	uint8_t config[CONFIG_LEN + 1] = {0};
	int len = rwy_sysfs_read(root, (char *)config, sizeof(config), DEVICE "/config", vf->bdf);
	unsigned at;

	if (len < 0 && len != -EFBIG)
		return;
	at = config[PCI_CAPABILITY_LIST] & ~3u;
	/* A list of this many cannot but go in circles. */
	for (unsigned n = 0; at >= PCI_STD_HEADER_SIZEOF && n < CONFIG_LEN / 4; n++) {
		if (config[at] == PCI_CAP_ID_MSIX) {
			unsigned flags = config[at + 2] | config[at + 3] << 8;

			snprintf(vf->value[RWY_ATTR_MSIX], RWY_ATTR_TEXT, "%u",
				 (flags & PCI_MSIX_FLAGS_QSIZE) + 1);
			return;
		}
		at = config[at + 1] & ~3u;
	}
}

static void read_driver(const char *root, struct rwy_vf *vf)
{
	char *driver = vf->value[RWY_ATTR_DRIVER], *override = vf->value[RWY_ATTR_OVERRIDE];

	if (rwy_sysfs_read_link(root, driver, RWY_ATTR_TEXT, DEVICE "/driver", vf->bdf))
		strcpy(driver, RWY_ATTR_NONE);
	if (rwy_sysfs_read(root, override, RWY_ATTR_TEXT, DEVICE "/driver_override", vf->bdf) < 0 ||
	    !override[0] || strcmp(override, "(null)") == 0)
		strcpy(override, RWY_ATTR_NONE);
}

int rwy_vf_read(const char *root, const char *pf, unsigned idx, struct rwy_vf *vf)
{
	char bdf[RWY_BDF_LEN];
	int err = rwy_vf_find(root, pf, idx, bdf);

	if (!err)
		rwy_vf_look(root, bdf, vf);
	return err;
}

void rwy_vf_look(const char *root, const char *bdf, struct rwy_vf *vf)
{
	unsigned group;

	memset(vf, 0, sizeof(*vf));
	snprintf(vf->bdf, sizeof(vf->bdf), "%s", bdf);
	vf->group = rwy_pci_group_find(root, vf->bdf, &group) ? -1 : (int)group;
	/* The directory stays when the interface goes to another network namespace. */
	vf->away = rwy_sysfs_first(root, vf->netdev, sizeof(vf->netdev), DEVICE "/net", vf->bdf) &&
		   rwy_sysfs_exists(root, DEVICE "/net", vf->bdf);
	(void)rwy_sysfs_first(root, vf->vfio, sizeof(vf->vfio), DEVICE "/vfio-dev", vf->bdf);
	read_driver(root, vf);
	read_msix(root, vf);
}
