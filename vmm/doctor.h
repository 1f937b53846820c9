/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `ringway-vmm doctor`: what decides whether machines, passthrough and speed will work on this
 * host, a line for each fact, and where one is bad the command that mends it. It only reads.
 *
 * doctor.c is the program, doctor_host.c looks at the CPU, KVM and memory, doctor_pci.c at the
 * IOMMU and the functions behind it. All is read below a root, so that tests can lay out hosts.
 */
#ifndef RWY_VMM_DOCTOR_H
#define RWY_VMM_DOCTOR_H

#include "lib/base.h"

#include <stdio.h>

#define RWY_DOCTOR_LINES 128

enum rwy_doctor_grade {
	RWY_DOCTOR_OK,
	RWY_DOCTOR_WARN, /* works, but slower or with less safety than it could */
	RWY_DOCTOR_FAIL, /* something named here will not work */
};

struct rwy_doctor_line {
	enum rwy_doctor_grade grade;
	const char *fact; /* "kvm", "iommu": stable, for scripts */
	char what[320];
	char mend[320]; /* shell commands, or what a person has to do; empty: nothing to mend */
};

struct rwy_doctor {
	const char *root; /* "" for this machine */
	uint64_t memlock; /* RLIMIT_MEMLOCK, UINT64_MAX: none */
	bool may_lock;	  /* CAP_IPC_LOCK: the limit does not count */
	unsigned nr_lines;
	unsigned nr_dropped; /* for want of room */
	struct rwy_doctor_line lines[RWY_DOCTOR_LINES];
};

/* All facts, in order. */
void rwy_doctor_examine(struct rwy_doctor *doctor);
/* `doctor [--json] [--root DIR]`: exit status 0, 1 where something fails, 2 for bad arguments. */
int rwy_doctor_main(int argc, char **argv, FILE *out, FILE *err);

/* For the two halves. */
void rwy_doctor_say(struct rwy_doctor *doctor, enum rwy_doctor_grade grade, const char *fact,
		    const char *fmt, ...) RWY_PRINTF(4, 5);
/* How to mend what the last line says. */
void rwy_doctor_mend(struct rwy_doctor *doctor, const char *fmt, ...) RWY_PRINTF(2, 3);
void rwy_doctor_host_examine(struct rwy_doctor *doctor);
void rwy_doctor_pci_examine(struct rwy_doctor *doctor);
/* The CPU's maker, "Intel" or "AMD", or "". */
const char *rwy_doctor_host_maker(const struct rwy_doctor *doctor);
/* The word is on the kernel's command line: "iommu=pt". */
bool rwy_doctor_host_booted_with(const struct rwy_doctor *doctor, const char *word);

#endif
