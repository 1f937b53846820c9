/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/vfio.h"

#include "iommu/vfio_info.h"
#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RWY_STEM "vfio"

#define PAGE	  4096
#define HUGE_PAGE (UINT64_C(2) << 20)

#define SAME(ours, kernel) _Static_assert((int)(ours) == (int)(kernel), "the kernel's order")

SAME(RWY_VFIO_ROM, VFIO_PCI_ROM_REGION_INDEX);
SAME(RWY_VFIO_CONFIG, VFIO_PCI_CONFIG_REGION_INDEX);
SAME(RWY_VFIO_INTX, VFIO_PCI_INTX_IRQ_INDEX);
SAME(RWY_VFIO_MSI, VFIO_PCI_MSI_IRQ_INDEX);
SAME(RWY_VFIO_MSIX, VFIO_PCI_MSIX_IRQ_INDEX);
SAME(RWY_VFIO_ERR, VFIO_PCI_ERR_IRQ_INDEX);
SAME(RWY_VFIO_REQ, VFIO_PCI_REQ_IRQ_INDEX);

static int call(const struct rwy_vfio *vfio, unsigned long request, void *arg)
{
	return vfio->sys->ioctl(vfio->sys->ctx, vfio->fd, request, arg);
}

/* The whole pages of a region. What is smaller than one may be mapped where it has it to itself,
 * and that the kernel has seen to (vfio_pci_probe_mmaps). */
static uint64_t mappable(const struct rwy_vfio_region *region)
{
	return RWY_MAX(RWY_ALIGN_DOWN(region->size, (uint64_t)PAGE),
		       region->size ? (uint64_t)PAGE : 0);
}

static int add_area(struct rwy_vfio_region *region, uint64_t off, uint64_t len)
{
	const struct rwy_vfio_area *last =
		region->nr_areas ? &region->areas[region->nr_areas - 1] : NULL;

	if (len == 0)
		return 0;
	if ((off | len) % PAGE || !rwy_base_inside(off, len, mappable(region)) ||
	    region->nr_areas == RWY_VFIO_AREAS || (last && off < last->off + last->len))
		return -EPROTO;
	region->areas[region->nr_areas++] = (struct rwy_vfio_area){off, len};
	return 0;
}

static int read_areas(struct rwy_vfio_region *region, const struct vfio_region_info *info,
		      size_t len)
{
	const struct vfio_region_info_cap_sparse_mmap *cap = NULL;
	size_t left;
	int err = 0;

	if (!(info->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return 0;
	if (info->flags & VFIO_REGION_INFO_FLAG_CAPS) {
		region->msix_mappable =
			rwy_vfio_info_cap(info, len, info->cap_offset,
					  VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
					  sizeof(struct vfio_info_cap_header), &left);
		cap = rwy_vfio_info_cap(info, len, info->cap_offset,
					VFIO_REGION_INFO_CAP_SPARSE_MMAP, sizeof(*cap), &left);
	}
	if (!cap)
		return add_area(region, 0, mappable(region));
	if (cap->nr_areas > (left - sizeof(*cap)) / sizeof(cap->areas[0]))
		return -EPROTO;
	for (unsigned i = 0; !err && i < cap->nr_areas; i++) {
		struct vfio_region_sparse_mmap_area area;

		memcpy(&area, &cap->areas[i], sizeof(area));
		err = add_area(region, area.offset, area.size);
	}
	return err;
}

static int read_region(struct rwy_vfio *vfio, unsigned index)
{
	struct rwy_vfio_region *region = &vfio->regions[index];
	struct vfio_region_info *info = calloc(1, sizeof(*info));
	void *got = info;
	uint64_t end;
	size_t len;
	int err;

	if (!info)
		return -ENOMEM;
	info->index = index;
	err = rwy_vfio_info_get(vfio->sys, vfio->fd, VFIO_DEVICE_GET_REGION_INFO, &got,
				sizeof(*info), &len);
	info = got;
	/* Regions a function has not got are refused by some drivers. */
	if (err == -EINVAL && index != RWY_VFIO_CONFIG)
		err = 0;
	else if (!err && RWY_ADD_OVERFLOW(info->offset, info->size, &end))
		err = -EPROTO;
	else if (!err) {
		region->size = info->size;
		region->off = info->offset;
		region->readable = info->flags & VFIO_REGION_INFO_FLAG_READ;
		region->writable = info->flags & VFIO_REGION_INFO_FLAG_WRITE;
		err = read_areas(region, info, len);
	}
	free(got);
	if (err)
		rwy_error("%s: region %u cannot be used: %s", vfio->name, index, strerror(-err));
	return err;
}

static void read_irqs(struct rwy_vfio *vfio, unsigned index)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};

	/* Refused for what a function has not got, as ERR and REQ of older kernels. */
	if (call(vfio, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0)
		return;
	vfio->irqs[index] = (struct rwy_vfio_irqs){
		.nr = info.count,
		.eventfd = info.flags & VFIO_IRQ_INFO_EVENTFD,
		.fixed = info.flags & VFIO_IRQ_INFO_NORESIZE,
	};
}

static int describe(struct rwy_vfio *vfio)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};
	int err = call(vfio, VFIO_DEVICE_GET_INFO, &info);

	if (err < 0) {
		rwy_error("%s: it does not describe itself: %s", vfio->name, strerror(-err));
		return err;
	}
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI) || info.num_regions < RWY_VFIO_REGIONS) {
		rwy_error("%s is no PCI function", vfio->name);
		return -ENODEV;
	}
	vfio->can_reset = info.flags & VFIO_DEVICE_FLAGS_RESET;
	err = 0;
	for (unsigned i = 0; !err && i < RWY_VFIO_REGIONS; i++)
		err = read_region(vfio, i);
	for (unsigned i = 0; i < RWY_MIN(info.num_irqs, (unsigned)RWY_VFIO_IRQS); i++)
		read_irqs(vfio, i);
	return err;
}

int rwy_vfio_open(struct rwy_vfio *vfio, const struct rwy_vfio_sys *sys, const char *name, int *fd)
{
	int err;

	memset(vfio, 0, sizeof(*vfio));
	vfio->sys = sys;
	vfio->fd = *fd;
	snprintf(vfio->name, sizeof(vfio->name), "%s", name);
	err = describe(vfio);
	if (err)
		vfio->fd = -1;
	else
		*fd = -1;
	return err;
}

void rwy_vfio_close(struct rwy_vfio *vfio)
{
	rwy_fd_close(&vfio->fd);
}

int rwy_vfio_read(const struct rwy_vfio *vfio, unsigned region, uint64_t off, void *buf, size_t len)
{
	const struct rwy_vfio_region *r = &vfio->regions[region];
	int err = -ERANGE;

	if (vfio->fd >= 0 && r->readable && rwy_base_inside(off, len, r->size))
		err = vfio->sys->read(vfio->sys->ctx, vfio->fd, buf, len, r->off + off);
	if (err)
		memset(buf, 0xff, len);
	return err;
}

int rwy_vfio_write(const struct rwy_vfio *vfio, unsigned region, uint64_t off, const void *buf,
		   size_t len)
{
	const struct rwy_vfio_region *r = &vfio->regions[region];

	if (vfio->fd < 0 || !r->writable || !rwy_base_inside(off, len, r->size))
		return -ERANGE;
	return vfio->sys->write(vfio->sys->ctx, vfio->fd, buf, len, r->off + off);
}

/* An address that is as far into a huge page as the region's offset, so that the kernel may use
 * huge mappings: a reservation one huge page too long, whose ends go. */
static void *reserve(uint64_t off, uint64_t len)
{
	uint64_t whole = len + HUGE_PAGE, skip;
	uint8_t *at = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	skip = (off - (uintptr_t)at) % HUGE_PAGE;
	if (skip)
		munmap(at, skip);
	munmap(at + skip + len, whole - skip - len);
	return at + skip;
}

int rwy_vfio_map(const struct rwy_vfio *vfio, unsigned region, uint64_t off, uint64_t len,
		 void **at)
{
	const struct rwy_vfio_region *r = &vfio->regions[region];
	int prot = (r->readable ? PROT_READ : 0) | (r->writable ? PROT_WRITE : 0);
	void *hint = len >= HUGE_PAGE ? reserve(off, len) : NULL;
	void *got = mmap(hint, len, prot, MAP_SHARED | (hint ? MAP_FIXED : 0), vfio->fd,
			 (off_t)(r->off + off));

	if (got == MAP_FAILED) {
		int err = -errno;

		if (hint)
			munmap(hint, len);
		return err;
	}
	*at = got;
	return 0;
}

int rwy_vfio_reset(const struct rwy_vfio *vfio)
{
	return vfio->can_reset ? call(vfio, VFIO_DEVICE_RESET, NULL) : -EOPNOTSUPP;
}
