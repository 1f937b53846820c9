/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ringway-perf vmm: how long a guest takes from the start of its VMM to the first words of its
 * init, under ringway-vmm and under QEMU's machines, what memory the VMM takes beside the guest's,
 * and how often the guest was left for the host until then, by the reason KVM counts it under.
 * Guest memory is a shared memfd in all of them, so that it is told apart from theirs.
 */
#include "lib/poll.h"
#include "perf/cost.h"
#include "perf/pair.h"
#include "perf/perf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QEMU	     "qemu-system-x86_64"
#define MEMORY_MB    "512"
#define BOOT_MS	     180000
#define ARGS	     32
#define NS_IN_S	     1e9
#define BYTES_IN_MIB 1048576.0

enum { BOOT, MEMORY, EXITS, EXITS_BY, METRICS = EXITS_BY + RWY_COST_REASONS };
_Static_assert(METRICS <= RWY_PAIR_METRICS, "room for all of them");

struct vmm {
	const char *kernel;
	const char *initrd;
	const char *cmdline;
	const char *marker;
	char program[512]; /* ringway-vmm */
	struct rwy_run_proc proc;
	struct rwy_pair_about about;
	struct rwy_pair_metric metrics[METRICS]; /* exits are the last, and may not be counted */
};

static const struct machine {
	const char *name;
	const char *type; /* of QEMU */
} machines[] = {
	{"QEMU q35", "q35"},
	{"QEMU microvm", "microvm,pcie=on,acpi=on"},
};

/* ---- the machines ---- */

static int start_ours(struct rwy_pair_bench *bench, struct vmm *vmm, char *command)
{
	char cpus[32];
	const char *const argv[] = {vmm->program, "--kernel",  vmm->kernel,   "--initrd",
				    vmm->initrd,  "--cmdline", vmm->cmdline,  "--cpus",
				    cpus,	  "--memory",  MEMORY_MB "M", NULL};

	snprintf(cpus, sizeof(cpus), "1,pin=%u", bench->opts.cpu_back);
	rwy_run_command(argv, bench->opts.cpu_back, command, RWY_PAIR_TEXT);
	return rwy_run_start(&bench->run, &vmm->proc, "ringway-vmm", bench->opts.cpu_back, argv);
}

static int start_peer(struct rwy_pair_bench *bench, struct vmm *vmm, const struct machine *machine,
		      char *command)
{
	char type[128];
	const char *const argv[] = {QEMU,
				    "-nodefaults",
				    "-no-user-config",
				    "-display",
				    "none",
				    "-machine",
				    type,
				    "-cpu",
				    "host",
				    "-smp",
				    "1",
				    "-m",
				    MEMORY_MB,
				    "-object",
				    "memory-backend-memfd,id=ram,share=on,size=" MEMORY_MB "M",
				    "-kernel",
				    vmm->kernel,
				    "-initrd",
				    vmm->initrd,
				    "-append",
				    vmm->cmdline,
				    "-serial",
				    "stdio",
				    NULL};

	snprintf(type, sizeof(type), "%s,accel=kvm,memory-backend=ram", machine->type);
	rwy_run_command(argv, bench->opts.cpu_back, command, RWY_PAIR_TEXT);
	return rwy_run_start(&bench->run, &vmm->proc, QEMU, bench->opts.cpu_back, argv);
}

/* ---- one measurement ---- */

/* From the first instruction on: a machine that is gone takes its counters with it. */
static int read_exits(const struct vmm *vmm, double *values)
{
	const struct rwy_cost_scope scope = {.vmm = vmm->proc.pid};
	struct rwy_cost cost;

	rwy_cost_look(&scope, &cost);
	if (!cost.has_exits)
		return -ENODATA;
	values[EXITS] = (double)cost.exits_all;
	for (unsigned i = 0; i < RWY_COST_REASONS; i++)
		values[EXITS_BY + i] = (double)cost.exits[i];
	return 0;
}

static int measure(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side side,
		   double *values)
{
	struct vmm *vmm = bench->ctx;
	uint64_t from = rwy_poll_now_ns();
	const char *step = "starting the machine";
	int err = side == RWY_PAIR_OURS ? start_ours(bench, vmm, c->commands[side])
					: start_peer(bench, vmm, c->arg, c->commands[side]);

	if (err == -ENOENT) {
		snprintf(c->failed[side], RWY_PAIR_TEXT, "%s",
			 side == RWY_PAIR_OURS
				 ? "ringway-vmm is neither next to ringway-perf nor in PATH"
				 : QEMU " is not installed (Debian: package qemu-system-x86)");
		return err;
	}
	if (err == 0) {
		step = "waiting for the guest's init";
		err = rwy_run_expect(&bench->run, &vmm->proc, 0, vmm->marker, BOOT_MS);
		values[BOOT] = (double)(rwy_poll_now_ns() - from) / NS_IN_S;
	}
	if (err == 0 && bench->about->nr_metrics > EXITS) {
		step = "reading KVM's counters";
		err = read_exits(vmm, values);
	}
	if (err == 0) {
		step = "reading the memory it takes";
		err = rwy_cost_memory(vmm->proc.pid, &values[MEMORY]);
		values[MEMORY] /= BYTES_IN_MIB;
	}
	if (err < 0)
		rwy_run_explain(&bench->run, &vmm->proc, err, step, c->failed[side], RWY_PAIR_TEXT);
	rwy_run_kill(&bench->run, &vmm->proc);
	return err;
}

/* ---- the command ---- */

static struct vmm *vmm_of(void *bench)
{
	return ((struct rwy_pair_bench *)bench)->ctx;
}

static int readable(const char *path, struct rwy_opt_why *why)
{
	return access(path, R_OK) == 0 ? 0 : rwy_opt_fail(why, "%s: %s", path, strerror(errno));
}

static int set_kernel(void *bench, char *value, struct rwy_opt_why *why)
{
	vmm_of(bench)->kernel = value;
	return readable(value, why);
}

static int set_initrd(void *bench, char *value, struct rwy_opt_why *why)
{
	vmm_of(bench)->initrd = value;
	return readable(value, why);
}

static int set_cmdline(void *bench, char *value, struct rwy_opt_why *why)
{
	vmm_of(bench)->cmdline = value;
	return 0;
}

static int set_marker(void *bench, char *value, struct rwy_opt_why *why)
{
	vmm_of(bench)->marker = value;
	return 0;
}

static void choose_metrics(struct vmm *vmm)
{
	int err = rwy_cost_exits_ready();

	vmm->metrics[BOOT] = (struct rwy_pair_metric){"boot", "s", true};
	vmm->metrics[MEMORY] = (struct rwy_pair_metric){"memory", "MiB", true};
	vmm->metrics[EXITS] = (struct rwy_pair_metric){"exits", "", true};
	for (unsigned i = 0; i < RWY_COST_REASONS; i++)
		vmm->metrics[EXITS_BY + i] =
			(struct rwy_pair_metric){rwy_cost_reason(i), "exits", true};
	vmm->about.metrics = vmm->metrics;
	vmm->about.nr_metrics = err < 0 ? EXITS : METRICS;
	if (err < 0)
		fprintf(stderr,
			"ringway-perf: exits are not counted: " RWY_COST_EXITS
			": %s; it takes root and a debugfs\n",
			strerror(-err));
}

static int run(struct rwy_pair_bench *bench, struct vmm *vmm)
{
	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		fprintf(stderr,
			"ringway-perf: /dev/kvm: %s; tests/lab/lab runs this where it works\n",
			strerror(errno));
		return RWY_OPT_EXIT_USAGE;
	}
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(machines); i++) {
		struct rwy_pair_case *c =
			rwy_pair_add(bench, &machines[i], "ours and %s", machines[i].name);

		if (!c)
			return 1;
		c->peer = machines[i].name;
	}
	choose_metrics(vmm);
	rwy_run_find("ringway-vmm", vmm->program, sizeof(vmm->program));
	return rwy_pair_run(bench, stdout);
}

int rwy_perf_vmm_main(int argc, char **argv)
{
	static const struct rwy_opt opts[] = {
		{"kernel", "FILE", "the guest's kernel", set_kernel},
		{"initrd", "FILE", "its initial RAM file system", set_initrd},
		{"cmdline", "STR", "its command line (default console=ttyS0)", set_cmdline},
		{"marker", "TEXT", "what its init says first (default 'ringway-guest: up')",
		 set_marker},
		RWY_PAIR_OPTS,
	};
	struct vmm vmm = {
		.cmdline = "console=ttyS0",
		.marker = "ringway-guest: up",
		.about =
			{
				.name = "vmm",
				.title = "from the VMM's start to the guest's init: time, exits; "
					 "memory beside the guest's",
				.sides[RWY_PAIR_OURS] = "ringway-vmm",
				.sides[RWY_PAIR_PEER] = "QEMU",
				.measure = measure,
			},
	};
	struct rwy_pair_bench bench;
	const struct rwy_opt_program program = {
		.name = "ringway-perf vmm",
		.usage = "--kernel FILE --initrd FILE [option...]",
		.summary =
			"The time that a guest of " MEMORY_MB " MiB and one CPU takes to its init, "
			"and its exits until\nthen by reason: ringway-vmm and QEMU's q35 and "
			"microvm, in turn. All of them on the first\nCPU of --cpus.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = &bench,
	};
	int status = 1;

	if (rwy_pair_init(&bench, &vmm.about, &vmm) < 0)
		return status;
	if (!rwy_opt_parse(&program, argc, argv, stdout, stderr, &status))
		goto fini;
	if (vmm.kernel && vmm.initrd)
		status = run(&bench, &vmm);
	else
		status = rwy_opt_refuse(&program, stderr, "--kernel and --initrd are needed");
fini:
	rwy_pair_fini(&bench);
	return status;
}
