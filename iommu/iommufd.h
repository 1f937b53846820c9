/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The newer of the kernel's two interfaces: an I/O address space made in /dev/iommu, to which
 * devices, each opened by a file of its own, are attached.
 */
#ifndef RWY_IOMMU_IOMMUFD_H
#define RWY_IOMMU_IOMMUFD_H

#include "iommu/dma.h"
#include "iommu/vfio_sys.h"

struct rwy_iommufd {
	const struct rwy_vfio_sys *sys;
	int fd; /* /dev/iommu; owned */
	uint32_t ioas;
};

/* For rwy_dma_init, with the struct rwy_iommufd as ctx. */
extern const struct rwy_dma_ops rwy_iommufd_ops;

/* iommu_fd: one that was handed in, or -1. -ENOENT: this kernel has none, not logged; -errno. */
RWY_MUST_CHECK int rwy_iommufd_open(struct rwy_iommufd *io, const struct rwy_vfio_sys *sys,
				    int *iommu_fd);
void rwy_iommufd_close(struct rwy_iommufd *io);

/* The file of a device (/dev/vfio/devices/...) that matches a function. -ENOENT: none, not logged.
 */
RWY_MUST_CHECK int rwy_iommufd_device(const struct rwy_vfio_sys *sys, const char *bdf);

/* token: as rwy_token_parse takes it, or NULL. -errno, logged. */
RWY_MUST_CHECK int rwy_iommufd_attach(struct rwy_iommufd *io, int device_fd, const char *token);
void rwy_iommufd_detach(struct rwy_iommufd *io, int device_fd);

void rwy_iommufd_limits(const struct rwy_iommufd *io, struct rwy_dma_limits *limits);
/* What the devices attached so far cannot reach becomes reserved. */
RWY_MUST_CHECK int rwy_iommufd_reserve(struct rwy_iommufd *io, struct rwy_dma *dma);

#endif
