/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/pf.h"

#include "lib/pci_group.h"
#include "lib/sysfs.h"
#include "sriov/representor.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES "/sys/bus/pci/devices"
#define DEVICE	DEVICES "/%s"

/* A number below the limit, or what it is when there is none. */
static int read_number(const char *root, const char *bdf, const char *name, int otherwise)
{
	uint64_t value;

	if (rwy_sysfs_read_uint(root, &value, DEVICE "/%s", bdf, name) || value > INT_MAX)
		return otherwise;
	return (int)value;
}

int rwy_pf_find_link(const char *root, const char *bdf, char netdev[16], unsigned *ifindex)
{
	uint64_t value;

	if (rwy_sysfs_first(root, netdev, 16, DEVICE "/net", bdf) ||
	    rwy_sysfs_read_uint(root, &value, DEVICE "/net/%s/ifindex", bdf, netdev) ||
	    value > INT_MAX)
		return -ENODEV;
	*ifindex = (unsigned)value;
	return 0;
}

static void read_link(struct rwy_pf *pf, const char *root)
{
	char path[64], up[16];

	if (rwy_pf_find_link(root, pf->bdf, pf->netdev, &pf->ifindex))
		return;
	snprintf(path, sizeof(path), "net/%s/carrier", pf->netdev);
	pf->carrier = read_number(root, pf->bdf, path, 0) == 1;
	if (rwy_sysfs_read(root, pf->mac, sizeof(pf->mac), DEVICE "/net/%s/address", pf->bdf,
			   pf->netdev) != sizeof("00:00:00:00:00:00") - 1)
		pf->mac[0] = '\0';
	if (rwy_sysfs_read(root, up, sizeof(up), DEVICE "/net/%s/flags", pf->bdf, pf->netdev) > 0)
		strcpy(pf->value[RWY_ATTR_UP], strtoul(up, NULL, 16) & 1 ? "on" : "off");
}

static void read_function(struct rwy_pf *pf, const char *root)
{
	unsigned group;

	pf->vendor = (unsigned)read_number(root, pf->bdf, "vendor", 0);
	pf->device = (unsigned)read_number(root, pf->bdf, "device", 0);
	pf->node = read_number(root, pf->bdf, "numa_node", -1);
	pf->msix_total = read_number(root, pf->bdf, "sriov_vf_total_msix", -1);
	pf->group = rwy_pci_group_find(root, pf->bdf, &group) ? -1 : (int)group;
	if (rwy_sysfs_read(root, pf->cpus, sizeof(pf->cpus), DEVICE "/local_cpulist", pf->bdf) < 0)
		pf->cpus[0] = '\0';
	if (rwy_sysfs_read_link(root, pf->driver, sizeof(pf->driver), DEVICE "/driver", pf->bdf))
		strcpy(pf->driver, RWY_ATTR_NONE);
}

int rwy_pf_reserve(struct rwy_pf *pf, unsigned nr)
{
	pf->vfs = calloc(nr ? nr : 1, sizeof(*pf->vfs));
	if (!pf->vfs)
		return -ENOMEM;
	pf->nr_vfs = nr;
	return 0;
}

/* As many as there are now: one may go while we look. */
static int read_vfs(struct rwy_pf *pf, const char *root)
{
	int nr = read_number(root, pf->bdf, "sriov_numvfs", 0);
	int probe = read_number(root, pf->bdf, "sriov_drivers_autoprobe", -1);
	int err = rwy_pf_reserve(pf, (unsigned)RWY_MIN(nr, RWY_VF_MAX));

	if (err)
		return err;
	for (unsigned i = 0; i < pf->nr_vfs; i++) {
		err = rwy_vf_read(root, pf->bdf, i, &pf->vfs[i]);
		if (err == -ENOENT)
			pf->nr_vfs = i;
		else if (err)
			return err;
	}
	snprintf(pf->value[RWY_ATTR_NUMVFS], RWY_ATTR_TEXT, "%d", nr);
	if (probe >= 0)
		strcpy(pf->value[RWY_ATTR_AUTOPROBE], probe ? "on" : "off");
	return 0;
}

int rwy_pf_init(struct rwy_pf *pf, const char *root, const char *bdf)
{
	int total, err;

	memset(pf, 0, sizeof(*pf));
	snprintf(pf->bdf, sizeof(pf->bdf), "%s", bdf);
	if (!rwy_sysfs_exists(root, DEVICE, bdf))
		return -ENODEV;
	total = read_number(root, bdf, "sriov_totalvfs", -1);
	if (total < 0)
		return -ENOTSUP;
	pf->total = (unsigned)RWY_MIN(total, RWY_VF_MAX);
	read_function(pf, root);
	read_link(pf, root);
	err = read_vfs(pf, root);
	if (err)
		rwy_pf_fini(pf);
	else
		rwy_representor_read(root, pf);
	return err;
}

void rwy_pf_fini(struct rwy_pf *pf)
{
	free(pf->vfs);
	pf->vfs = NULL;
	pf->nr_vfs = 0;
}

int rwy_pf_of_vf(const char *root, const char *bdf, char pf[RWY_BDF_LEN], unsigned *idx)
{
	char name[RWY_SYSFS_PATH], self[RWY_BDF_LEN];

	if (rwy_sysfs_read_link(root, name, sizeof(name), DEVICE "/physfn", bdf) ||
	    rwy_bdf_parse(name, pf))
		return -ENOENT;
	for (*idx = 0; *idx < RWY_VF_MAX && rwy_vf_find(root, pf, *idx, self) == 0; ++*idx)
		if (strcmp(self, bdf) == 0)
			return 0;
	return -ENOENT;
}

/* ---- all of them ---- */

struct growing {
	const char *root;
	struct rwy_pf_list *list;
};

int rwy_pf_list_add(struct rwy_pf_list *list, struct rwy_pf *pf)
{
	struct rwy_pf *grown = reallocarray(list->pfs, list->nr + 1, sizeof(*grown));

	if (!grown) {
		rwy_pf_fini(pf);
		return -ENOMEM;
	}
	list->pfs = grown;
	list->pfs[list->nr++] = *pf;
	return 0;
}

struct rwy_pf *rwy_pf_list_find(const struct rwy_pf_list *list, const char *bdf)
{
	for (unsigned i = 0; i < list->nr; i++)
		if (strcmp(list->pfs[i].bdf, bdf) == 0)
			return &list->pfs[i];
	return NULL;
}

static int add(void *ctx, const char *bdf)
{
	struct growing *growing = ctx;
	struct rwy_pf pf;
	int err = rwy_pf_init(&pf, growing->root, bdf);

	if (err)
		return err == -ENOMEM ? err : 0;
	return rwy_pf_list_add(growing->list, &pf);
}

int rwy_pf_list_init(struct rwy_pf_list *list, const char *root)
{
	struct growing growing = {root, list};
	int err;

	*list = (struct rwy_pf_list){0};
	err = rwy_sysfs_list(root, add, &growing, DEVICES);
	if (err)
		rwy_pf_list_fini(list);
	return err;
}

void rwy_pf_list_fini(struct rwy_pf_list *list)
{
	for (unsigned i = 0; i < list->nr; i++)
		rwy_pf_fini(&list->pfs[i]);
	free(list->pfs);
	*list = (struct rwy_pf_list){0};
}
