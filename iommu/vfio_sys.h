/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All that this folder asks of the kernel goes through one table, so that tests can put a device
 * model, an IOMMU and a tree of files behind it. Memory is mapped by mmap itself.
 */
#ifndef RWY_IOMMU_VFIO_SYS_H
#define RWY_IOMMU_VFIO_SYS_H

#include "lib/base.h"

struct rwy_vfio_sys {
	/* A descriptor, close-on-exec, that close(2) ends; or negative errno. */
	int (*open)(void *ctx, const char *path);
	/* The call's result, or negative errno. */
	int (*ioctl)(void *ctx, int fd, unsigned long request, void *arg);
	/* All of it, or negative errno. */
	int (*read)(void *ctx, int fd, void *buf, size_t len, uint64_t off);
	int (*write)(void *ctx, int fd, const void *buf, size_t len, uint64_t off);
	void *ctx;
	const char *root; /* of sysfs: lib/sysfs.h */
};

/* This machine. */
extern const struct rwy_vfio_sys rwy_vfio_sys_host;

#endif
