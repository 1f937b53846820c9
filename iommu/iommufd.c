/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/iommufd.h"

#include "iommu/iommufd_abi.h"
#include "iommu/token.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/sysfs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "iommufd"

#define IOMMU	   "/dev/iommu"
#define RANGES_MAX 4096

static int call(const struct rwy_iommufd *io, int fd, unsigned long request, void *arg)
{
	return io->sys->ioctl(io->sys->ctx, fd, request, arg);
}

static int iommufd_map(void *ctx, rwy_iova iova, void *hva, uint64_t len)
{
	const struct rwy_iommufd *io = ctx;
	struct rwy_iommufd_ioas_map arg = {
		.size = sizeof(arg),
		.flags = RWY_IOMMUFD_MAP_FIXED | RWY_IOMMUFD_MAP_WRITE | RWY_IOMMUFD_MAP_READ,
		.ioas = io->ioas,
		.user_va = (uintptr_t)hva,
		.length = len,
		.iova = iova.v,
	};

	return call(io, io->fd, RWY_IOMMUFD_IOAS_MAP, &arg);
}

static int iommufd_unmap(void *ctx, rwy_iova iova, uint64_t len)
{
	const struct rwy_iommufd *io = ctx;
	struct rwy_iommufd_ioas_unmap arg = {
		.size = sizeof(arg),
		.ioas = io->ioas,
		.iova = iova.v,
		.length = len,
	};

	return call(io, io->fd, RWY_IOMMUFD_IOAS_UNMAP, &arg);
}

const struct rwy_dma_ops rwy_iommufd_ops = {.map = iommufd_map, .unmap = iommufd_unmap};

int rwy_iommufd_open(struct rwy_iommufd *io, const struct rwy_vfio_sys *sys, int *iommu_fd)
{
	struct rwy_iommufd_ioas_alloc alloc = {.size = sizeof(alloc)};
	int err;

	*io = (struct rwy_iommufd){.sys = sys, .fd = rwy_fd_take(iommu_fd)};
	if (io->fd < 0)
		io->fd = sys->open(sys->ctx, IOMMU);
	if (io->fd < 0) {
		err = io->fd;
		io->fd = -1;
		if (err != -ENOENT)
			rwy_error(IOMMU ": %s: give this user the file", strerror(-err));
		return err;
	}
	err = call(io, io->fd, RWY_IOMMUFD_IOAS_ALLOC, &alloc);
	if (err) {
		rwy_error(IOMMU ": no address space: %s", strerror(-err));
		rwy_fd_close(&io->fd);
		return err;
	}
	io->ioas = alloc.id;
	return 0;
}

void rwy_iommufd_close(struct rwy_iommufd *io)
{
	struct rwy_iommufd_destroy destroy = {.size = sizeof(destroy), .id = io->ioas};

	if (io->fd < 0)
		return;
	/* Others may have the file, too. */
	call(io, io->fd, RWY_IOMMUFD_DESTROY, &destroy);
	rwy_fd_close(&io->fd);
}

static int note_name(void *ctx, const char *name)
{
	snprintf(ctx, NAME_MAX + 1, "%s", name);
	return 1;
}

int rwy_iommufd_device(const struct rwy_vfio_sys *sys, const char *bdf)
{
	char name[NAME_MAX + 1], path[sizeof("/dev/vfio/devices/") + NAME_MAX];
	int fd;

	if (rwy_sysfs_list(sys->root, note_name, name, "/sys/bus/pci/devices/%s/vfio-dev", bdf) !=
	    1)
		return -ENOENT;
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", name);
	fd = sys->open(sys->ctx, path);
	if (fd < 0 && fd != -ENOENT)
		rwy_error("%s: %s: %s", path, strerror(-fd),
			  fd == -EBUSY ? "another program has it; end it first"
				       : "give this user the file, and memory to lock");
	return fd;
}

static int bind(struct rwy_iommufd *io, int device_fd, const char *text)
{
	struct rwy_iommufd_device_bind arg = {.argsz = RWY_IOMMUFD_BIND_LEN, .iommufd = io->fd};
	uint8_t token[16];
	int err = text ? rwy_token_parse(text, token) : 0;

	if (err)
		return err;
	if (text) {
		arg.argsz = sizeof(arg);
		arg.flags = RWY_IOMMUFD_BIND_TOKEN;
		arg.token = (uintptr_t)token;
		err = call(io, device_fd, RWY_IOMMUFD_DEVICE_BIND, &arg);
		/* Kernels that know no token here want none either. */
		if (err != -EINVAL)
			return err;
		arg.argsz = RWY_IOMMUFD_BIND_LEN;
		arg.flags = 0;
	}
	return call(io, device_fd, RWY_IOMMUFD_DEVICE_BIND, &arg);
}

int rwy_iommufd_attach(struct rwy_iommufd *io, int device_fd, const char *token)
{
	struct rwy_iommufd_device_attach attach = {.argsz = sizeof(attach), .ioas = io->ioas};
	int err = bind(io, device_fd, token);

	if (err) {
		rwy_error("the function cannot be had: %s%s", strerror(-err),
			  err == -EPERM	   ? ": boot with interrupt remapping"
			  : err == -EACCES ? RWY_TOKEN_MISSING
					   : "");
		return err;
	}
	err = call(io, device_fd, RWY_IOMMUFD_DEVICE_ATTACH, &attach);
	if (err)
		rwy_error("the function cannot reach the guest's memory: %s: pass it to another "
			  "guest",
			  strerror(-err));
	return err;
}

void rwy_iommufd_detach(struct rwy_iommufd *io, int device_fd)
{
	struct rwy_iommufd_device_detach arg = {.argsz = sizeof(arg)};

	call(io, device_fd, RWY_IOMMUFD_DEVICE_DETACH, &arg);
}

void rwy_iommufd_limits(const struct rwy_iommufd *io, struct rwy_dma_limits *limits)
{
	*limits = (struct rwy_dma_limits){
		.page_size = 4096,
		.memlock = rwy_dma_memlock(),
		.mappings = UINT_MAX, /* it has no limit */
	};
}

int rwy_iommufd_reserve(struct rwy_iommufd *io, struct rwy_dma *dma)
{
	struct rwy_iommufd_iova_ranges arg = {.size = sizeof(arg), .ioas = io->ioas, .nr = 16};
	struct rwy_dma_range *ranges = NULL;
	int err = -EMSGSIZE;

	for (unsigned tries = 0; err == -EMSGSIZE && tries < 4; tries++) {
		free(ranges);
		ranges = arg.nr <= RANGES_MAX ? calloc(arg.nr, sizeof(*ranges)) : NULL;
		if (!ranges)
			return -ENOMEM;
		arg.ranges = (uintptr_t)ranges;
		err = call(io, io->fd, RWY_IOMMUFD_IOVA_RANGES, &arg);
	}
	if (!err)
		err = rwy_dma_reserve_between(dma, ranges, arg.nr);
	if (err)
		rwy_error("what this IOMMU translates is not what the guest needs: %s",
			  strerror(-err));
	free(ranges);
	return err;
}
