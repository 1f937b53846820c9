/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The older of the kernel's two interfaces: a container (/dev/vfio/vfio) that groups join, with a
 * type1v2 IOMMU. A container has an IOMMU while it has groups.
 */
#ifndef RWY_IOMMU_TYPE1_H
#define RWY_IOMMU_TYPE1_H

#include "iommu/dma.h"
#include "iommu/vfio_sys.h"

struct rwy_type1 {
	const struct rwy_vfio_sys *sys;
	int fd; /* the container; owned */
	unsigned nr_groups;
};

/* For rwy_dma_init, with the struct rwy_type1 as ctx. */
extern const struct rwy_dma_ops rwy_type1_ops;

/* container_fd: one that was handed in, or -1. -errno, logged. */
RWY_MUST_CHECK int rwy_type1_open(struct rwy_type1 *t, const struct rwy_vfio_sys *sys,
				  int *container_fd);
void rwy_type1_close(struct rwy_type1 *t);

/* A group by its file. -EPERM: not viable; -errno, logged. */
RWY_MUST_CHECK int rwy_type1_join(struct rwy_type1 *t, int group_fd);
/* When the last one has parted the kernel has forgotten all mappings. */
void rwy_type1_part(struct rwy_type1 *t, int group_fd);

/* What the IOMMU can do, once there is a group. */
RWY_MUST_CHECK int rwy_type1_limits(struct rwy_type1 *t, struct rwy_dma_limits *limits);
/* Addresses it cannot translate become reserved. */
RWY_MUST_CHECK int rwy_type1_reserve(struct rwy_type1 *t, struct rwy_dma *dma);

#endif
