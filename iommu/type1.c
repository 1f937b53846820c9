/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/type1.h"

#include "iommu/vfio_info.h"
#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "type1"

_Static_assert(sizeof(struct rwy_dma_range) == sizeof(struct vfio_iova_range), "copied whole");

#define CONTAINER	 "/dev/vfio/vfio"
#define MAPPINGS_DEFAULT 65535 /* of the module, where the kernel does not say */

static int call(const struct rwy_type1 *t, int fd, unsigned long request, void *arg)
{
	return t->sys->ioctl(t->sys->ctx, fd, request, arg);
}

static int type1_map(void *ctx, rwy_iova iova, void *hva, uint64_t len)
{
	const struct rwy_type1 *t = ctx;
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)hva,
		.iova = iova.v,
		.size = len,
	};

	return call(t, t->fd, VFIO_IOMMU_MAP_DMA, &arg);
}

static int type1_unmap(void *ctx, rwy_iova iova, uint64_t len)
{
	const struct rwy_type1 *t = ctx;
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg),
		.iova = iova.v,
		.size = len,
	};
	int rc = call(t, t->fd, VFIO_IOMMU_UNMAP_DMA, &arg);

	return rc < 0 ? rc : arg.size == len ? 0 : -EIO;
}

const struct rwy_dma_ops rwy_type1_ops = {.map = type1_map, .unmap = type1_unmap};

int rwy_type1_open(struct rwy_type1 *t, const struct rwy_vfio_sys *sys, int *container_fd)
{
	int rc;

	*t = (struct rwy_type1){.sys = sys, .fd = rwy_fd_take(container_fd)};
	if (t->fd < 0)
		t->fd = sys->open(sys->ctx, CONTAINER);
	if (t->fd < 0) {
		rc = t->fd;
		t->fd = -1;
		rwy_error(CONTAINER ": %s: %s", strerror(-rc),
			  rc == -EACCES || rc == -EPERM ? "give this user the file"
							: "modprobe vfio-pci vfio_iommu_type1");
		return rc;
	}
	rc = call(t, t->fd, VFIO_GET_API_VERSION, NULL);
	if (rc == VFIO_API_VERSION &&
	    call(t, t->fd, VFIO_CHECK_EXTENSION, (void *)VFIO_TYPE1v2_IOMMU) > 0)
		return 0;
	if (rc == VFIO_API_VERSION)
		rwy_error(CONTAINER ": no type1v2 IOMMU: modprobe vfio_iommu_type1");
	else
		rwy_error(CONTAINER " speaks version %d of its interface, %d is needed", rc,
			  VFIO_API_VERSION);
	rwy_type1_close(t);
	return -EOPNOTSUPP;
}

void rwy_type1_close(struct rwy_type1 *t)
{
	rwy_fd_close(&t->fd);
}

int rwy_type1_join(struct rwy_type1 *t, int group_fd)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	int rc = call(t, group_fd, VFIO_GROUP_GET_STATUS, &status);

	if (rc < 0) {
		rwy_error("the descriptor is of no VFIO group: %s", strerror(-rc));
		return rc;
	}
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		rwy_error("the group is not viable: bind all its members to vfio-pci");
		return -EPERM;
	}
	rc = call(t, group_fd, VFIO_GROUP_SET_CONTAINER, &t->fd);
	if (rc < 0) {
		rwy_error(
			"the group cannot join the others' address space: %s: pass devices behind "
			"different IOMMUs to different guests",
			strerror(-rc));
		return rc;
	}
	if (t->nr_groups == 0)
		rc = call(t, t->fd, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU);
	if (rc < 0) {
		rwy_error("no IOMMU for the group: %s%s", strerror(-rc),
			  rc == -EPERM ? ": boot with interrupt remapping, or set "
					 "allow_unsafe_interrupts of vfio_iommu_type1"
				       : "");
		call(t, group_fd, VFIO_GROUP_UNSET_CONTAINER, NULL);
		return rc;
	}
	t->nr_groups++;
	return 0;
}

void rwy_type1_part(struct rwy_type1 *t, int group_fd)
{
	call(t, group_fd, VFIO_GROUP_UNSET_CONTAINER, NULL);
	t->nr_groups--;
}

static int get_info(struct rwy_type1 *t, struct vfio_iommu_type1_info **info, size_t *len)
{
	void *got = calloc(1, sizeof(**info));
	int err;

	if (!got)
		return -ENOMEM;
	err = rwy_vfio_info_get(t->sys, t->fd, VFIO_IOMMU_GET_INFO, &got, sizeof(**info), len);
	if (err) {
		rwy_error("the IOMMU does not describe itself: %s", strerror(-err));
		free(got);
		return err;
	}
	*info = got;
	/* Older kernels have no chain, and left the field as it was: zero. */
	if (!((*info)->flags & VFIO_IOMMU_INFO_CAPS))
		(*info)->cap_offset = 0;
	return 0;
}

int rwy_type1_limits(struct rwy_type1 *t, struct rwy_dma_limits *limits)
{
	const struct vfio_iommu_type1_info_dma_avail *avail;
	struct vfio_iommu_type1_info *info;
	size_t len, left;
	int err = get_info(t, &info, &len);

	if (err)
		return err;
	*limits = (struct rwy_dma_limits){
		.page_size = 4096,
		.memlock = rwy_dma_memlock(),
		.mappings = MAPPINGS_DEFAULT,
	};
	if (info->flags & VFIO_IOMMU_INFO_PGSIZES && info->iova_pgsizes)
		limits->page_size =
			RWY_MAX(info->iova_pgsizes & -info->iova_pgsizes, UINT64_C(4096));
	avail = rwy_vfio_info_cap(info, len, info->cap_offset, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL,
				  sizeof(*avail), &left);
	if (avail)
		limits->mappings = avail->avail;
	free(info);
	return 0;
}

int rwy_type1_reserve(struct rwy_type1 *t, struct rwy_dma *dma)
{
	const struct vfio_iommu_type1_info_cap_iova_range *cap;
	struct vfio_iommu_type1_info *info;
	struct rwy_dma_range ranges[RWY_DMA_WINDOWS];
	size_t len, left;
	int err = get_info(t, &info, &len);

	if (err)
		return err;
	cap = rwy_vfio_info_cap(info, len, info->cap_offset, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
				sizeof(*cap), &left);
	if (cap && cap->nr_iovas) {
		err = -EPROTO;
		if (cap->nr_iovas <= (left - sizeof(*cap)) / sizeof(cap->iova_ranges[0]) &&
		    cap->nr_iovas <= RWY_ARRAY_SIZE(ranges)) {
			memcpy(ranges, cap->iova_ranges, cap->nr_iovas * sizeof(ranges[0]));
			err = rwy_dma_reserve_between(dma, ranges, cap->nr_iovas);
		}
		if (err == -EPROTO)
			rwy_error("the IOMMU describes its ranges wrongly");
	}
	free(info);
	return err;
}
