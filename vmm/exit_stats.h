/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the guest left guest mode, as JSON: what KVM counted (its binary statistics, Linux 5.14 and
 * later) and what came to this process, by reason and by device. Numbers count from the creation of
 * the machine; to see a phase, take the difference of two files.
 *
 *	seconds		since the vCPUs were created
 *	resets		of the guest
 *	exits		of all vCPUs: `total` and by reason as KVM counts them, `other` the rest
 *			(doorbells are there, and page faults on AMD); `user` those that came here
 *	interrupts	injected into the guest by KVM
 *	user		exits to this process by KVM_EXIT_* reason
 *	devices		register accesses by device; `unanswered`: at addresses of none
 *	backends	by device: how often it came back after it was lost
 *	vcpus		for each vCPU KVM's own names and numbers, and `user`
 *	vm		KVM's own names and numbers
 */
#ifndef RWY_VMM_EXIT_STATS_H
#define RWY_VMM_EXIT_STATS_H

#include "vmm/vdev.h"
#include "vmm/vm.h"

struct rwy_exit_stats {
	const char *path;
	uint64_t since_ns; /* CLOCK_MONOTONIC */
	unsigned resets;
	struct rwy_vdev *const *vdevs; /* over vhost-user */
	unsigned nr_vdevs;
};

/* Replaces the file in one step, so that a reader never sees half of it. Main thread, bus lock not
 * held; vCPUs may run. -errno, logged. */
int rwy_exit_stats_write(const struct rwy_exit_stats *stats, struct rwy_vm *vm);

#endif
