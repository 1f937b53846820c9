/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What CPU the guest sees: the host's, as far as KVM supports it, with the topology of this machine
 * (one socket, one thread a core), x2APIC, TSC deadline timer, and KVM's paravirtual leaves.
 */
#ifndef RWY_VMM_CPUID_H
#define RWY_VMM_CPUID_H

#include "lib/base.h"

#include <linux/kvm.h>

#define RWY_CPUID_MAX 256

/* A struct kvm_cpuid2 with room. */
struct rwy_cpuid {
	uint32_t nent;
	uint32_t padding;
	struct kvm_cpuid_entry2 entries[RWY_CPUID_MAX];
};

/* What KVM supports. -errno, logged. */
RWY_MUST_CHECK int rwy_cpuid_get(struct rwy_cpuid *cpuid, int kvm_fd);
/* Makes it that of vCPU `id` among nr_vcpus. tsc_deadline: KVM can do that timer. */
void rwy_cpuid_fit(struct rwy_cpuid *cpuid, unsigned id, unsigned nr_vcpus, bool tsc_deadline);
/* Of a physical address, on this host and so in its guests. */
unsigned rwy_cpuid_address_bits(void);
/* For tests; NULL when there is no such leaf. */
struct kvm_cpuid_entry2 *rwy_cpuid_find(struct rwy_cpuid *cpuid, uint32_t leaf, uint32_t index);

#endif
