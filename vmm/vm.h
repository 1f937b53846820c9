/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bare virtual machine: guest RAM and its map, KVM's VM with its in-kernel interrupt chips, the
 * two buses, the vCPUs. What is on the buses is machine.c's business.
 *
 * Two steps, because everything that can be wrong with files and sizes should be found, and loaded,
 * before KVM is asked for anything: RAM first, KVM second.
 */
#ifndef RWY_VMM_VM_H
#define RWY_VMM_VM_H

#include "lib/mem.h"
#include "lib/shm.h"
#include "vmm/boot.h"
#include "vmm/bus.h"
#include "vmm/irq.h"
#include "vmm/memslot.h"
#include "vmm/vcpu.h"

struct rwy_vm_config {
	uint64_t memory;    /* bytes, a multiple of page_size */
	uint64_t page_size; /* 4096, 2 MiB, 1 GiB */
	int node;	    /* NUMA node of the RAM, -1: any */
	unsigned nr_vcpus;
	const uint16_t *pins; /* host CPUs; vCPU i runs on pins[i % nr_pins] */
	unsigned nr_pins;     /* 0: not pinned */
	/* On a vCPU's thread; must not block. */
	void (*event)(void *ctx, enum rwy_vcpu_event event);
	void *ctx;
};

struct rwy_vm {
	struct rwy_vm_config config;
	struct rwy_shm ram;
	struct rwy_mem mem;
	pthread_mutex_t lock; /* the bus lock */
	struct rwy_bus mmio, pio;
	int kvm_fd, fd; /* owned */
	struct rwy_irq *irq;
	struct kvm_irqchip *chips; /* their state after creation: both PICs, the IOAPIC */
	struct rwy_memslot slots;
	struct rwy_cpuid cpuid;
	struct rwy_vcpu_gate gate;
	struct rwy_vcpu_config vcpu_config;
	struct rwy_vcpu vcpus[RWY_VCPU_MAX];
	unsigned nr_vcpus; /* started */
};

/* RAM, map and buses. -errno, logged. On failure nothing is left open. */
RWY_MUST_CHECK int rwy_vm_open(struct rwy_vm *vm, const struct rwy_vm_config *config);
/* KVM, interrupt chips, vCPUs waiting at their gate. -errno, logged. */
RWY_MUST_CHECK int rwy_vm_open_kvm(struct rwy_vm *vm);
/* Any time after rwy_vm_open; vCPUs have been stopped. */
void rwy_vm_close(struct rwy_vm *vm);

/* Power-on state of chips and vCPUs, while no vCPU runs. Also needed before the first run. */
RWY_MUST_CHECK int rwy_vm_reset(struct rwy_vm *vm, const struct rwy_boot_entry *entry);
void rwy_vm_run(struct rwy_vm *vm);
void rwy_vm_pause(struct rwy_vm *vm);
void rwy_vm_stop(struct rwy_vm *vm);

#endif
