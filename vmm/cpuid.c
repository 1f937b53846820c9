/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/cpuid.h"

#include "lib/log.h"

#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define RWY_STEM "cpuid"

#define LEAF_FEATURES	     0x1
#define LEAF_CACHES	     0x4
#define LEAF_EXTENDED	     0x7
#define LEAF_TOPOLOGY	     0xb
#define LEAF_TOPOLOGY_V2     0x1f
#define LEAF_AMD_FEATURES    0x80000001
#define OLD_ADDRESS_BITS     36
#define LEAF_AMD_SIZES	     0x80000008
#define LEAF_AMD_CACHES	     0x8000001d
#define LEAF_AMD_CORE	     0x8000001e
#define LEAF_AMD_TOPOLOGY_V2 0x80000026

#define ECX_VMX		 (1u << 5)
#define ECX_X2APIC	 (1u << 21)
#define ECX_TSC_DEADLINE (1u << 24)
#define ECX_HYPERVISOR	 (1u << 31)
#define EDX_HTT		 (1u << 28)
#define AMD_ECX_LEGACY	 (1u << 1)
#define AMD_ECX_SVM	 (1u << 2)
#define EXT_ECX_LA57	 (1u << 16)

#define LEVEL_SMT  1
#define LEVEL_CORE 2

_Static_assert(offsetof(struct rwy_cpuid, entries) == sizeof(struct kvm_cpuid2), "KVM's layout");

int rwy_cpuid_get(struct rwy_cpuid *cpuid, int kvm_fd)
{
	memset(cpuid, 0, sizeof(*cpuid));
	cpuid->nent = RWY_CPUID_MAX;
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
		int err = -errno;

		rwy_error("KVM does not say what CPU it offers: %s", strerror(-err));
		return err;
	}
	return 0;
}

unsigned rwy_cpuid_address_bits(void)
{
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid(LEAF_AMD_SIZES, &eax, &ebx, &ecx, &edx) ? eax & 0xff : OLD_ADDRESS_BITS;
}

struct kvm_cpuid_entry2 *rwy_cpuid_find(struct rwy_cpuid *cpuid, uint32_t leaf, uint32_t index)
{
	for (unsigned i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == leaf && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	return NULL;
}

static void drop(struct rwy_cpuid *cpuid, uint32_t leaf)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function != leaf)
			cpuid->entries[kept++] = cpuid->entries[i];
	cpuid->nent = kept;
}

static void add(struct rwy_cpuid *cpuid, const struct kvm_cpuid_entry2 *entry)
{
	if (cpuid->nent < RWY_CPUID_MAX)
		cpuid->entries[cpuid->nent++] = *entry;
}

/* Bits that number n things. */
static unsigned bits_for(unsigned n)
{
	unsigned bits = 0;

	while (1u << bits < n)
		bits++;
	return bits;
}

static void fit_features(struct rwy_cpuid *cpuid, unsigned id, unsigned nr, bool tsc_deadline)
{
	struct kvm_cpuid_entry2 *e = rwy_cpuid_find(cpuid, LEAF_FEATURES, 0);

	if (e) {
		e->ebx = (e->ebx & 0x0000ffff) | id << 24 | RWY_MIN(1u << bits_for(nr), 255u) << 16;
		e->ecx |= ECX_HYPERVISOR | ECX_X2APIC;
		e->ecx &= ~ECX_TSC_DEADLINE;
		if (tsc_deadline)
			e->ecx |= ECX_TSC_DEADLINE;
		e->edx = nr > 1 ? e->edx | EDX_HTT : e->edx & ~EDX_HTT;
		/* Guests of guests are not our business. */
		e->ecx &= ~ECX_VMX;
	}
	e = rwy_cpuid_find(cpuid, LEAF_AMD_FEATURES, 0);
	if (e) {
		e->ecx &= ~(AMD_ECX_SVM | AMD_ECX_LEGACY);
		if (nr > 1)
			e->ecx |= AMD_ECX_LEGACY;
	}
	/* Below 64 TiB a fifth level of page tables only makes each TLB miss dearer. */
	e = rwy_cpuid_find(cpuid, LEAF_EXTENDED, 0);
	if (e)
		e->ecx &= ~EXT_ECX_LA57;
}

/* Who shares which cache: the third level everybody, the others nobody. */
static void fit_caches(struct rwy_cpuid *cpuid, unsigned nr)
{
	const uint32_t ids = (1u << bits_for(nr)) - 1;

	for (unsigned i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];
		bool intel = e->function == LEAF_CACHES;

		if ((!intel && e->function != LEAF_AMD_CACHES) || (e->eax & 0x1f) == 0)
			continue;
		uint32_t sharing = (e->eax >> 5 & 7) >= 3 ? ids : 0;
		e->eax = (e->eax & 0x3fff) | (sharing & 0xfff) << 14;
		if (intel)
			e->eax |= RWY_MIN(ids, 63u) << 26;
	}
}

static void fit_topology(struct rwy_cpuid *cpuid, unsigned id, unsigned nr)
{
	struct kvm_cpuid_entry2 *e = rwy_cpuid_find(cpuid, 0, 0);
	const struct kvm_cpuid_entry2 smt = {
		.function = LEAF_TOPOLOGY,
		.index = 0,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = 0,
		.ebx = 1,
		.ecx = LEVEL_SMT << 8,
		.edx = id,
	};
	const struct kvm_cpuid_entry2 core = {
		.function = LEAF_TOPOLOGY,
		.index = 1,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = bits_for(nr),
		.ebx = nr,
		.ecx = 1 | LEVEL_CORE << 8,
		.edx = id,
	};
	const struct kvm_cpuid_entry2 end = {
		.function = LEAF_TOPOLOGY,
		.index = 2,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.ecx = 2,
		.edx = id,
	};

	if (e)
		e->eax = RWY_MAX(e->eax, LEAF_TOPOLOGY);
	/* The newer leaves say the same with more levels; without them the guest takes this one. */
	drop(cpuid, LEAF_TOPOLOGY_V2);
	drop(cpuid, LEAF_AMD_TOPOLOGY_V2);
	drop(cpuid, LEAF_TOPOLOGY);
	add(cpuid, &smt);
	add(cpuid, &core);
	add(cpuid, &end);

	e = rwy_cpuid_find(cpuid, LEAF_AMD_SIZES, 0);
	if (e)
		e->ecx = (e->ecx & 0xffff0000) | bits_for(nr) << 12 | (nr - 1);
	e = rwy_cpuid_find(cpuid, LEAF_AMD_CORE, 0);
	if (e) {
		e->eax = id;
		e->ebx = id; /* one thread a core */
		e->ecx = 0;
		e->edx = 0;
	}
}

void rwy_cpuid_fit(struct rwy_cpuid *cpuid, unsigned id, unsigned nr_vcpus, bool tsc_deadline)
{
	fit_features(cpuid, id, nr_vcpus, tsc_deadline);
	fit_caches(cpuid, nr_vcpus);
	fit_topology(cpuid, id, nr_vcpus);
}
