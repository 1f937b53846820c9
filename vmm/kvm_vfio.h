/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * KVM's own knowledge of which VFIO files a guest has: it must have it before a device is opened,
 * so that it can tell whether their DMA is coherent, and hand interrupts over without software.
 */
#ifndef RWY_VMM_KVM_VFIO_H
#define RWY_VMM_KVM_VFIO_H

#include "lib/base.h"

struct rwy_kvm_vfio {
	int vm_fd; /* not owned */
	int fd;	   /* KVM's device; made when first needed, -1 until then */
};

void rwy_kvm_vfio_init(struct rwy_kvm_vfio *kv, int vm_fd);
void rwy_kvm_vfio_fini(struct rwy_kvm_vfio *kv);
/* For struct rwy_space_config: ctx is the struct, fd a group or a device. */
RWY_MUST_CHECK int rwy_kvm_vfio_tell(void *ctx, int fd, bool there);

#endif
