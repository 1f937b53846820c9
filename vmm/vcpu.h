/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One virtual CPU: a thread that runs the guest in KVM and hands its exits to the buses.
 *
 * The threads run only while the gate is open. Closing it stops each at a point where no
 * instruction is half done, so that its state may be read and replaced. A vCPU that cannot go on
 * (triple fault, KVM gave up) says so by `event` and waits at the gate for a reset.
 */
#ifndef RWY_VMM_VCPU_H
#define RWY_VMM_VCPU_H

#include "vmm/boot.h"
#include "vmm/bus.h"
#include "vmm/cpuid.h"

#include <pthread.h>

#define RWY_VCPU_MAX	 64
#define RWY_VCPU_REASONS 64

enum rwy_vcpu_event {
	RWY_VCPU_SHUTDOWN, /* the guest fell over: a reset is due */
	RWY_VCPU_FAILED,   /* KVM cannot run it; logged */
};

/* Shared by the vCPUs of a machine. */
struct rwy_vcpu_gate {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* open, quit */
	pthread_cond_t parked;	/* nr_parked, nr_failed */
	bool open;
	bool quit;
	unsigned nr_parked;
	unsigned nr_failed; /* threads that ended before they ever parked */
};

struct rwy_vcpu_config {
	int kvm_fd;
	int vm_fd;
	const struct rwy_cpuid *cpuid; /* as KVM gave it; fitted to each vCPU */
	bool tsc_deadline;
	unsigned nr_vcpus;
	struct rwy_bus *mmio, *pio;
	/* On the vCPU's thread; must not block. */
	void (*event)(void *ctx, enum rwy_vcpu_event event);
	void *ctx;
};

struct rwy_vcpu {
	const struct rwy_vcpu_config *config;
	struct rwy_vcpu_gate *gate;
	unsigned id;
	int pin; /* host CPU, -1: any */
	int fd;	 /* owned; -1 until its thread has created it */
	/* KVM's binary statistics; -1: this kernel has none. Owned, open until rwy_vcpu_close.
	 * Opened at creation, because a vCPU answers no ioctl while it runs. */
	int stats_fd;
	int err; /* why its thread ended early */
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool has_thread;
	pid_t tid;			  /* of the thread, once created */
	bool stuck;			  /* waits for a reset */
	struct rwy_vcpu_state *fresh;	  /* vcpu_state.c: the state after creation */
	uint64_t exits[RWY_VCPU_REASONS]; /* to user space, by KVM_EXIT_* */
};

void rwy_vcpu_gate_init(struct rwy_vcpu_gate *gate);
void rwy_vcpu_gate_fini(struct rwy_vcpu_gate *gate);

/*
 * Starts the thread, which pins itself and then creates the vCPU, so that its memory is near. It
 * waits at the gate. -errno: no thread. Whether creation worked: rwy_vcpu_wait_created.
 */
RWY_MUST_CHECK int rwy_vcpu_start(struct rwy_vcpu *vcpu, const struct rwy_vcpu_config *config,
				  struct rwy_vcpu_gate *gate, unsigned id, int pin);
/* All of them wait at the gate. -errno, logged, if one could not be created. */
RWY_MUST_CHECK int rwy_vcpu_wait_created(struct rwy_vcpu *vcpus, unsigned nr);
/* Opens and closes the gate. Main thread, bus lock not held. */
void rwy_vcpu_run_all(struct rwy_vcpu *vcpus, unsigned nr);
/* Before they go on after a pause: a guest with kvm-clock shall not take the time that passed for a
 * lock-up of its own. */
void rwy_vcpu_excuse_all(struct rwy_vcpu *vcpus, unsigned nr);
void rwy_vcpu_pause_all(struct rwy_vcpu *vcpus, unsigned nr);
/* Ends the threads. The vCPUs stay, for a last look at their statistics, until rwy_vcpu_close. */
void rwy_vcpu_stop_all(struct rwy_vcpu *vcpus, unsigned nr);
void rwy_vcpu_close(struct rwy_vcpu *vcpu);

/* vcpu_state.c, called while the vCPU does not run. */

struct rwy_vcpu_state;
/* What every reset goes back to. */
RWY_MUST_CHECK int rwy_vcpu_save_fresh(struct rwy_vcpu *vcpu);
/* Power-on state; the first vCPU enters the kernel, the others wait for its wake-up call. */
RWY_MUST_CHECK int rwy_vcpu_reset(struct rwy_vcpu *vcpu, const struct rwy_boot_entry *entry);
void rwy_vcpu_log_registers(const struct rwy_vcpu *vcpu);

#endif
