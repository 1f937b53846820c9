/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * KVM's memory slots: what the guest reaches without an exit. RAM, and the registers of devices
 * that it has been given. Called with the bus lock held or before vCPUs run.
 */
#ifndef RWY_VMM_MEMSLOT_H
#define RWY_VMM_MEMSLOT_H

#include "lib/base.h"

#define RWY_MEMSLOT_MAX 512

struct rwy_memslot {
	int vm_fd;			 /* not owned */
	unsigned nr;			 /* that KVM has */
	uint32_t pages[RWY_MEMSLOT_MAX]; /* slot -> guest page number + 1; 0: free */
};

/* nr: KVM_CAP_NR_MEMSLOTS, 0 or less where KVM does not say. */
void rwy_memslot_init(struct rwy_memslot *slots, int vm_fd, int nr);
/* All three are multiples of 4096. -ENOSPC: no free slot, or what KVM says. Logged. */
RWY_MUST_CHECK int rwy_memslot_add(struct rwy_memslot *slots, uint64_t gpa, void *hva,
				   uint64_t size);
/* The slot that begins at gpa, if there is one. */
void rwy_memslot_del(struct rwy_memslot *slots, uint64_t gpa);

#endif
