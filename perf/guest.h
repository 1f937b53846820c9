/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One guest with one device, under ringway-vmm or QEMU, and its agent (tests/lab/guest.d/perf),
 * which does what it is told over the serial console.
 *
 * Each vCPU is on the CPU that it is given; the VMM's other threads are on another one. Guest
 * memory is a shared memfd under every VMM, so that it is told apart from the VMM's own.
 */
#ifndef RWY_PERF_GUEST_H
#define RWY_PERF_GUEST_H

#include "perf/answer.h"
#include "perf/args.h"
#include "perf/run.h"

#define RWY_GUEST_VCPUS	 32
#define RWY_GUEST_QUEUES 16
#define RWY_GUEST_MAC	 "52:54:00:52:57:02" /* of its virtio network card */

enum rwy_guest_attach {
	RWY_GUEST_NET_VU,  /* network card over vhost-user, target: a socket */
	RWY_GUEST_DISK_VU, /* disk over vhost-user, target: a socket */
	RWY_GUEST_NET_TAP, /* network card of the VMM's own, target: a tap interface */
	RWY_GUEST_DISK,	   /* disk of the VMM's own, target: a file */
	RWY_GUEST_VFIO,	   /* target: a function of the host */
	RWY_GUEST_ATTACHES,
};

struct rwy_guest_config;

struct rwy_guest_vmm {
	const char *name;
	const char *program;
	const char *missing; /* what to say where it is not found */
	/* Appends all that follows the program. False: this VMM has no such device. */
	bool (*describe)(const struct rwy_guest_config *config, struct rwy_args *args);
	bool starts_on_guest_cpu; /* its other threads are moved away when the guest is up */
};

extern const struct rwy_guest_vmm rwy_guest_ringway;
extern const struct rwy_guest_vmm rwy_guest_qemu;

struct rwy_guest_config {
	const struct rwy_guest_vmm *vmm;
	const char *kernel;
	const char *initrd;
	const char *append; /* to the kernel's command line; may be "" */
	unsigned memory_mib;
	int memory_node; /* -1: any */
	unsigned nr_vcpus;
	const unsigned *vcpus; /* the CPU of each */
	unsigned nr_queues;    /* of a virtio device */
	unsigned cpu_vmm;      /* of all else */
	enum rwy_guest_attach attach;
	const char *target;
	bool packed; /* virtio's rings */
	bool vhost;  /* a tap's packets are moved by the kernel */
};

struct rwy_guest {
	const struct rwy_guest_config *config; /* the caller's, until it is stopped */
	struct rwy_run_proc proc;
	struct rwy_args args;
	unsigned asked; /* number of the last command */
};

/* Path of a program of a VMM. -ENOENT: it is not there. */
RWY_MUST_CHECK int rwy_guest_find(const struct rwy_guest_vmm *vmm, char *path, size_t path_len);
/* Its command line in guest->args. -ENOENT: no such program; -ENOTSUP: no such device. */
RWY_MUST_CHECK int rwy_guest_start(struct rwy_run *run, struct rwy_guest *guest,
				   const struct rwy_guest_config *config);
/* Until the agent listens. Errors as rwy_run_expect. */
RWY_MUST_CHECK int rwy_guest_hello(struct rwy_run *run, struct rwy_guest *guest,
				   unsigned timeout_ms);
/*
 * Has a command done. Until the answer is asked for, the guest does nothing that would be seen in
 * counters. Errors as rwy_run_expect.
 */
RWY_MUST_CHECK int rwy_guest_do(struct rwy_run *run, struct rwy_guest *guest, const char *command,
				unsigned timeout_ms);
/* What came of it. Errors as rwy_run_expect and rwy_answer_parse. */
RWY_MUST_CHECK int rwy_guest_answer(struct rwy_run *run, struct rwy_guest *guest,
				    unsigned timeout_ms, struct rwy_answer *answer);

#endif
