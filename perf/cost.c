/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/cost.h"

#include "lib/poll.h"
#include "lib/sysfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

#define BYTES_KIB 1024.0
#define NS_IN_S	  UINT64_C(1000000000)

/* KVM's counters that do not overlap, under the names that --exit-stats of ringway-vmm has. */
static const struct {
	const char *name;
	const char *kvm; /* NULL: all that the others are not */
} reasons[] = {
	{"io", "io_exits"},
	{"mmio", "mmio_exits"},
	{"halt", "halt_exits"},
	{"interrupt", "irq_exits"},
	{"interrupt_window", "irq_window_exits"},
	{"nmi_window", "nmi_window_exits"},
	{"hypercall", "hypercalls"},
	{"other", NULL},
};
_Static_assert(RWY_ARRAY_SIZE(reasons) == RWY_COST_REASONS, "one counter for each reason");

const char *rwy_cost_reason(unsigned i)
{
	return reasons[i].name;
}

int rwy_cost_exits_ready(void)
{
	return access(RWY_COST_EXITS, R_OK | X_OK) < 0 ? -errno : 0;
}

/* ---- one look ---- */

/* Of all its threads, those that have ended, too: utime and stime (proc(5)), in ticks. */
static uint64_t proc_ns(pid_t pid)
{
	unsigned long user = 0, kernel = 0;
	char text[1024];

	if (pid <= 0 || rwy_sysfs_read("", text, sizeof(text), "/proc/%d/stat", pid) < 0)
		return 0;
	/* the name may hold anything, also spaces and brackets */
	const char *rest = strrchr(text, ')');

	if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			    &kernel) != 2)
		return 0;
	return (user + kernel) * (NS_IN_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void read_cpus(const struct rwy_cost_scope *scope, struct rwy_cost *cost)
{
	FILE *file = fopen("/proc/stat", "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		double t[8];
		unsigned cpu;

		/* user nice system idle iowait irq softirq steal */
		if (sscanf(line, "cpu%u %lf %lf %lf %lf %lf %lf %lf %lf", &cpu, &t[0], &t[1], &t[2],
			   &t[3], &t[4], &t[5], &t[6], &t[7]) != 9)
			continue;
		for (unsigned i = 0; i < scope->nr_cpus; i++) {
			if (scope->cpus[i] != cpu)
				continue;
			cost->busy[i] = t[0] + t[1] + t[2] + t[5] + t[6];
			cost->all[i] = cost->busy[i] + t[3] + t[4] + t[7];
		}
	}
	if (file)
		fclose(file);
}

/* The directory of a machine is called after its process and a descriptor there. */
static int read_machine(void *ctx, const char *name)
{
	struct rwy_cost *cost = ctx;
	uint64_t named = 0;

	if (rwy_sysfs_read_uint("", &cost->exits_all, RWY_COST_EXITS "/%s/exits", name) < 0)
		return 0;
	for (unsigned i = 0; i < RWY_COST_REASONS; i++) {
		cost->exits[i] = 0;
		if (!reasons[i].kvm)
			cost->exits[i] = cost->exits_all > named ? cost->exits_all - named : 0;
		else if (rwy_sysfs_read_uint("", &cost->exits[i], RWY_COST_EXITS "/%s/%s", name,
					     reasons[i].kvm) < 0)
			cost->exits[i] = 0;
		named += cost->exits[i];
	}
	cost->has_exits = true;
	cost->has_injected = rwy_sysfs_read_uint("", &cost->injected,
						 RWY_COST_EXITS "/%s/irq_injections", name) == 0;
	return 1;
}

struct machine {
	char prefix[24];
	struct rwy_cost *cost;
};

static int find_machine(void *ctx, const char *name)
{
	struct machine *machine = ctx;

	return strncmp(name, machine->prefix, strlen(machine->prefix))
		       ? 0
		       : read_machine(machine->cost, name);
}

void rwy_cost_look(const struct rwy_cost_scope *scope, struct rwy_cost *cost)
{
	struct machine machine = {.cost = cost};

	memset(cost, 0, sizeof(*cost));
	cost->at_ns = rwy_poll_now_ns();
	cost->at_tsc = __rdtsc();
	for (unsigned i = 0; i < scope->nr_procs; i++)
		cost->proc_ns[i] = proc_ns(scope->procs[i].pid);
	read_cpus(scope, cost);
	snprintf(machine.prefix, sizeof(machine.prefix), "%d-", scope->vmm);
	if (scope->vmm > 0)
		rwy_sysfs_list("", find_machine, &machine, RWY_COST_EXITS);
	cost->has_irqs = scope->irqs && rwy_irq_probe_read(scope->irqs, cost->irqs) == 0;
}

/* ---- the difference of two ---- */

static int put_exits(const struct rwy_cost *a, const struct rwy_cost *b, double nr_ops,
		     struct rwy_result_round *round)
{
	int err = rwy_result_set(round, RWY_RESULT_EXITS, NULL,
				 (double)(b->exits_all - a->exits_all) / nr_ops);

	for (unsigned i = 0; err == 0 && i < RWY_COST_REASONS; i++)
		if (b->exits[i] > a->exits[i])
			err = rwy_result_set(round, RWY_RESULT_EXITS_BY, reasons[i].name,
					     (double)(b->exits[i] - a->exits[i]) / nr_ops);
	return err;
}

/* Who raised them, and how they got in. */
static int put_irqs(const struct rwy_cost *a, const struct rwy_cost *b, double nr_ops,
		    struct rwy_result_round *round)
{
	double n[RWY_IRQ_PROBE_WHATS];
	int err = 0;

	for (unsigned i = 0; i < RWY_IRQ_PROBE_WHATS; i++)
		n[i] = (double)(b->irqs[i] - a->irqs[i]) / nr_ops;
	const struct {
		const char *name;
		bool has;
		double value;
	} ways[] = {
		{"by irqfd", true, RWY_MAX(n[RWY_IRQ_PROBE_MSI] - n[RWY_IRQ_PROBE_CALL], 0.0)},
		{"by the VMM", true, n[RWY_IRQ_PROBE_CALL]},
		{"posted", true, n[RWY_IRQ_PROBE_POSTED]},
		{"at entry", a->has_injected && b->has_injected,
		 (double)(b->injected - a->injected) / nr_ops},
	};

	for (unsigned i = 0; err == 0 && i < RWY_ARRAY_SIZE(ways); i++)
		if (ways[i].has)
			err = rwy_result_set(round, RWY_RESULT_IRQS_BY, ways[i].name,
					     ways[i].value);
	return err;
}

static int put_procs(const struct rwy_cost_scope *scope, const struct rwy_cost *a,
		     const struct rwy_cost *b, struct rwy_result_round *round)
{
	double ns = (double)(b->at_ns - a->at_ns), sum = 0;
	int err = 0;

	for (unsigned i = 0; err == 0 && i < scope->nr_procs; i++) {
		double cpus = (double)(b->proc_ns[i] - a->proc_ns[i]) / ns;

		if (b->proc_ns[i] < a->proc_ns[i])
			continue; /* it has ended */
		sum += scope->procs[i].far ? 0 : cpus;
		err = rwy_result_set(round, RWY_RESULT_CPU_PROC, scope->procs[i].name, cpus);
	}
	return err < 0 ? err : rwy_result_set(round, RWY_RESULT_CPU_HOST, NULL, sum);
}

int rwy_cost_put(const struct rwy_cost_scope *scope, const struct rwy_cost *a,
		 const struct rwy_cost *b, double nr_ops, struct rwy_result_round *round)
{
	int err = put_procs(scope, a, b, round);

	if (err == 0 && a->has_exits && b->has_exits && nr_ops > 0)
		err = put_exits(a, b, nr_ops, round);
	if (err == 0 && a->has_irqs && b->has_irqs && nr_ops > 0)
		err = put_irqs(a, b, nr_ops, round);
	for (unsigned i = 0; err == 0 && i < scope->nr_cpus; i++) {
		char of[16];

		snprintf(of, sizeof(of), "%u", scope->cpus[i]);
		if (b->all[i] > a->all[i])
			err = rwy_result_set(round, RWY_RESULT_CPU_CORE, of,
					     (b->busy[i] - a->busy[i]) / (b->all[i] - a->all[i]));
	}
	return err;
}

double rwy_cost_cycles(const struct rwy_cost *a, const struct rwy_cost *b, unsigned proc)
{
	double hz = (double)(b->at_tsc - a->at_tsc) / (double)(b->at_ns - a->at_ns);

	return (double)(b->proc_ns[proc] - a->proc_ns[proc]) * hz;
}

int rwy_cost_memory(pid_t pid, double *bytes)
{
	char path[64], line[128];
	unsigned long anon = 0, file = 0, huge = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *status = fopen(path, "re");

	if (!status)
		return -errno;
	while (fgets(line, sizeof(line), status)) {
		sscanf(line, "RssAnon: %lu", &anon);
		sscanf(line, "RssFile: %lu", &file);
		sscanf(line, "HugetlbPages: %lu", &huge);
	}
	fclose(status);
	*bytes = (double)(anon + file + huge) * BYTES_KIB;
	return anon > 0 ? 0 : -EPROTO;
}
