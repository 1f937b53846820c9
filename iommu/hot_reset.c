/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/hot_reset.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AFFECTED_MAX 256 /* all functions a bus can have */

static int call(const struct rwy_vfio *vfio, unsigned long request, void *arg)
{
	return vfio->sys->ioctl(vfio->sys->ctx, vfio->fd, request, arg);
}

/* Who would be reset. On the heap; the kernel says first how many they are. */
static int list_affected(const struct rwy_vfio *vfio, struct vfio_pci_hot_reset_info **out)
{
	size_t size = sizeof(**out) + AFFECTED_MAX * sizeof((*out)->devices[0]);
	struct vfio_pci_hot_reset_info *info = calloc(1, size);
	int err;

	if (!info)
		return -ENOMEM;
	info->argsz = (uint32_t)size;
	err = call(vfio, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info);
	if (!err && info->count > AFFECTED_MAX)
		err = -EPROTO;
	if (err) {
		free(info);
		return err == -ENODEV || err == -ENOTTY ? -EOPNOTSUPP : err;
	}
	*out = info;
	return 0;
}

static void add_group(struct vfio_pci_hot_reset *reset, int fd)
{
	for (unsigned i = 0; i < reset->count; i++)
		if (reset->group_fds[i] == fd)
			return;
	if (fd >= 0)
		reset->group_fds[reset->count++] = fd;
}

/* The first answer that is no, with all that gave it; else the groups are complete. */
static int ask_all(const struct vfio_pci_hot_reset_info *info, const struct rwy_hot_reset_ops *ops,
		   struct vfio_pci_hot_reset *reset, char *why)
{
	size_t said = 0;
	int err = 0;

	for (unsigned i = 0; i < info->count; i++) {
		const struct vfio_pci_dependent_device *d = &info->devices[i];
		char bdf[RWY_BDF_LEN];
		int fd = -1, rc;

		rwy_bdf_format(bdf, d->segment, d->bus, d->devfn);
		rc = ops->allow(ops->ctx, bdf, &fd);
		if (rc == 0)
			add_group(reset, fd);
		else if (!err || rc == err)
			said += (size_t)snprintf(why + said, RWY_HOT_RESET_WHY - said, "%s%s",
						 said ? ", " : "", bdf);
		err = err ? err : rc;
		said = RWY_MIN(said, (size_t)RWY_HOT_RESET_WHY / 2);
	}
	if (err)
		snprintf(why + said, RWY_HOT_RESET_WHY - said, "%s",
			 err == -EXDEV ? " would be reset with it: pass all of them to this guest"
				       : " would be reset with it, and is in use");
	return err;
}

int rwy_hot_reset(const struct rwy_vfio *vfio, const struct rwy_hot_reset_ops *ops, char *why)
{
	struct vfio_pci_hot_reset_info *info = NULL;
	struct vfio_pci_hot_reset *reset =
		calloc(1, sizeof(*reset) + AFFECTED_MAX * sizeof(reset->group_fds[0]));
	int err = reset ? list_affected(vfio, &info) : -ENOMEM;

	if (err)
		goto free_reset;
	err = ask_all(info, ops, reset, why);
	free(info);
	if (err)
		goto say_nothing;
	reset->argsz = (uint32_t)(sizeof(*reset) + reset->count * sizeof(reset->group_fds[0]));
	err = call(vfio, VFIO_DEVICE_PCI_HOT_RESET, reset);

free_reset:
	if (err)
		snprintf(why, RWY_HOT_RESET_WHY, "%s", strerror(-err));
say_nothing:
	free(reset);
	return err;
}
