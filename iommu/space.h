/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one I/O address space of a guest, and the functions in it: all of them see the guest's memory
 * at its guest-physical addresses, and nothing else.
 *
 * A function comes in by its name, or by descriptors that somebody else opened for us. The first
 * one in makes all guest memory mapped and pinned, the last one out lets it go.
 */
#ifndef RWY_IOMMU_SPACE_H
#define RWY_IOMMU_SPACE_H

#include "iommu/hot_reset.h"
#include "lib/mem.h"

struct rwy_space; /* opaque: iommu/space.c */

struct rwy_space_config {
	const struct rwy_vfio_sys *sys;
	struct rwy_mem *mem;
	/* KVM hears of a group's or a device's file before the device is opened, and when it goes.
	 * May be NULL. */
	int (*tell_kvm)(void *ctx, int fd, bool there);
	void *ctx;
};

/* What a user names. Descriptors are -1 where the space shall open files itself; they are taken. */
struct rwy_space_device {
	const char *bdf;   /* as rwy_bdf_parse gives it */
	int fd;		   /* of the group (/dev/vfio/N) or the device (/dev/vfio/devices/vfioN) */
	int iommu_fd;	   /* of the container (/dev/vfio/vfio) or of /dev/iommu */
	const char *token; /* as rwy_token_parse takes it; NULL: none */
};

RWY_MUST_CHECK int rwy_space_open(struct rwy_space **space, const struct rwy_space_config *config);
/* All functions have been detached. */
void rwy_space_close(struct rwy_space *space);

/* vfio is then open, and in the space. -errno, logged; nothing is left behind. */
RWY_MUST_CHECK int rwy_space_attach(struct rwy_space *space, struct rwy_space_device *device,
				    struct rwy_vfio *vfio);
/* Closes vfio. Nothing of it may be mapped any more. */
void rwy_space_detach(struct rwy_space *space, struct rwy_vfio *vfio);

/* To the state after power-on, by its own means or, where it has none, with all else on its bus if
 * that is in the space, too, and not in use. Errors and why as rwy_hot_reset. */
RWY_MUST_CHECK int rwy_space_reset(struct rwy_space *space, const struct rwy_vfio *vfio, char *why);

/* Registers of one function for the others to reach. Failure is no error, only slower for them. */
void rwy_space_share(struct rwy_space *space, uint64_t gpa, void *hva, uint64_t len);
void rwy_space_unshare(struct rwy_space *space, uint64_t gpa, uint64_t len);

#endif
