/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a stretch of time cost the host: CPU time by process and by CPU, VM exits as KVM counts them
 * (/sys/kernel/debug/kvm, the same for every VMM), the ways that interrupts took. Two looks and
 * their difference. What the host does not tell is absent from the result.
 */
#ifndef RWY_PERF_COST_H
#define RWY_PERF_COST_H

#include "perf/irq_probe.h"
#include "perf/result.h"

#include <sys/types.h>

#define RWY_COST_EXITS	 "/sys/kernel/debug/kvm" /* where KVM counts */
#define RWY_COST_PROCS	 4
#define RWY_COST_CPUS	 40
#define RWY_COST_REASONS 8

struct rwy_cost_proc {
	const char *name; /* the caller's */
	pid_t pid;	  /* 0: it does not run */
	bool far;	  /* not part of the path: what it is talked to by */
};

/* What is looked at. */
struct rwy_cost_scope {
	unsigned nr_procs;
	struct rwy_cost_proc procs[RWY_COST_PROCS];
	unsigned nr_cpus;
	unsigned cpus[RWY_COST_CPUS];
	pid_t vmm;
	const struct rwy_irq_probe *irqs; /* may be closed */
};

struct rwy_cost {
	uint64_t at_ns;
	uint64_t at_tsc;
	uint64_t proc_ns[RWY_COST_PROCS];
	double busy[RWY_COST_CPUS]; /* ticks of any length */
	double all[RWY_COST_CPUS];
	bool has_exits;
	uint64_t exits[RWY_COST_REASONS]; /* the last: other */
	uint64_t exits_all;
	bool has_injected;
	uint64_t injected; /* interrupts, when the guest was entered */
	bool has_irqs;
	uint64_t irqs[RWY_IRQ_PROBE_WHATS];
};

/* "io", "halt": the i-th of RWY_COST_REASONS. */
const char *rwy_cost_reason(unsigned i);
/* Whether KVM's counters can be read at all. 0, or -errno. */
RWY_MUST_CHECK int rwy_cost_exits_ready(void);
void rwy_cost_look(const struct rwy_cost_scope *scope, struct rwy_cost *cost);
/* What it cost from a to b, for each of nr_ops operations. */
RWY_MUST_CHECK int rwy_cost_put(const struct rwy_cost_scope *scope, const struct rwy_cost *a,
				const struct rwy_cost *b, double nr_ops,
				struct rwy_result_round *round);
/* CPU cycles that a process took, by the clock of the time stamp counter. */
double rwy_cost_cycles(const struct rwy_cost *a, const struct rwy_cost *b, unsigned proc);
/*
 * Memory of a process in bytes: all but what it shares, where guests live. Huge pages are of DPDK,
 * as no guest here is in them. -errno.
 */
RWY_MUST_CHECK int rwy_cost_memory(pid_t pid, double *bytes);

#endif
