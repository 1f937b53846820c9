/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A PCI function in our hands: its regions (BARs, ROM, configuration space), what of them can be
 * mapped, its interrupts, its reset. How it came into an address space is space.h's business.
 *
 * What the kernel says of it is checked once, when it is opened: a region that does not fit, or
 * areas outside of it, are errors. Thread: one, the owner's.
 */
#ifndef RWY_IOMMU_VFIO_H
#define RWY_IOMMU_VFIO_H

#include "iommu/vfio_sys.h"
#include "lib/bdf.h"

#define RWY_VFIO_AREAS 16

/* The kernel's fixed order (linux/vfio.h). */
enum rwy_vfio_region_index {
	RWY_VFIO_BAR0,
	RWY_VFIO_ROM = 6,
	RWY_VFIO_CONFIG = 7,
	RWY_VFIO_REGIONS = 8,
};

enum rwy_vfio_irq_index {
	RWY_VFIO_INTX,
	RWY_VFIO_MSI,
	RWY_VFIO_MSIX,
	RWY_VFIO_ERR, /* the function or its link failed */
	RWY_VFIO_REQ, /* the host wants it back */
	RWY_VFIO_IRQS,
};

/* May be mapped: whole pages, inside the region or the one page that it is a part of, in order. */
struct rwy_vfio_area {
	uint64_t off, len;
};

struct rwy_vfio_region {
	uint64_t size; /* 0: there is none */
	uint64_t off;  /* in the device's file */
	bool readable, writable;
	bool msix_mappable; /* with the page of the MSI-X table, which the host protects otherwise
			     */
	unsigned nr_areas;
	struct rwy_vfio_area areas[RWY_VFIO_AREAS];
};

struct rwy_vfio_irqs {
	unsigned nr; /* 0: there are none */
	bool eventfd;
	bool fixed; /* none can be added while some are on */
};

struct rwy_vfio {
	const struct rwy_vfio_sys *sys;
	char name[RWY_BDF_LEN];
	int fd; /* owned */
	bool can_reset;
	struct rwy_vfio_region regions[RWY_VFIO_REGIONS];
	struct rwy_vfio_irqs irqs[RWY_VFIO_IRQS];
};

/* fd: of the device, in an address space already; taken unless it fails. -ENODEV: no PCI function;
 * -EPROTO: what it says of itself cannot be; -errno. Logged. */
RWY_MUST_CHECK int rwy_vfio_open(struct rwy_vfio *vfio, const struct rwy_vfio_sys *sys,
				 const char *name, int *fd);
void rwy_vfio_close(struct rwy_vfio *vfio);

/* Inside the region, or -ERANGE; a failed read leaves all ones in buf, as a dead device's. */
int rwy_vfio_read(const struct rwy_vfio *vfio, unsigned region, uint64_t off, void *buf,
		  size_t len);
int rwy_vfio_write(const struct rwy_vfio *vfio, unsigned region, uint64_t off, const void *buf,
		   size_t len);

/* Maps a part of a mappable area, whole pages, aligned as huge pages want it where it is large;
 * munmap ends it. -errno. */
RWY_MUST_CHECK int rwy_vfio_map(const struct rwy_vfio *vfio, unsigned region, uint64_t off,
				uint64_t len, void **at);

/* Function-level reset, or what the kernel has instead. -EOPNOTSUPP: it has nothing. */
RWY_MUST_CHECK int rwy_vfio_reset(const struct rwy_vfio *vfio);

#endif
