/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts of a passed-through function, as eventfds that the kernel writes.
 *
 * Vectors of MSI-X are taken from the host as they are needed: a guest rarely uses all that a
 * function has, and the host has few. Where the kernel can add vectors to those that are on, it is
 * asked for one after the other; where it cannot, everything must be switched off and on again, so
 * their number is doubled each time.
 */
#ifndef RWY_IOMMU_VFIO_IRQ_H
#define RWY_IOMMU_VFIO_IRQ_H

#include "iommu/vfio.h"

/* MSI or MSI-X. */
struct rwy_vfio_irq {
	const struct rwy_vfio *vfio;
	unsigned index;
	unsigned nr;   /* vectors the function has */
	unsigned live; /* vectors the host has given; 0: switched off */
	int *fds;      /* of each vector, -1: none; not owned */
	bool *news;    /* fds the kernel has not heard of */
};

RWY_MUST_CHECK int rwy_vfio_irq_init(struct rwy_vfio_irq *irq, const struct rwy_vfio *vfio,
				     unsigned index);
void rwy_vfio_irq_fini(struct rwy_vfio_irq *irq);
/* Vector v writes fd from the next update on; -1: nothing. */
void rwy_vfio_irq_use(struct rwy_vfio_irq *irq, unsigned v, int fd);
/* Switches on, with at least `least` vectors, and tells the kernel what is new. -ENOSPC: the host
 * has not so many left; -errno. Logged. */
RWY_MUST_CHECK int rwy_vfio_irq_update(struct rwy_vfio_irq *irq, unsigned least);
/* Switches off; all fds are forgotten. */
void rwy_vfio_irq_stop(struct rwy_vfio_irq *irq);

/* The eventfd of an index with a single interrupt: INTx, ERR, REQ. -1: switches it off. */
int rwy_vfio_irq_single(const struct rwy_vfio *vfio, unsigned index, int fd);
/* INTx stays masked after it came until resample_fd is written, or this is called. */
RWY_MUST_CHECK int rwy_vfio_irq_resample(const struct rwy_vfio *vfio, int resample_fd);
void rwy_vfio_irq_mask(const struct rwy_vfio *vfio, bool mask);

#endif
