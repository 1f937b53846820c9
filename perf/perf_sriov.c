/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ringway-perf sriov: VFs made, configured and bound by ringway-sriov and by a script with `ip
 * link` and sysfs, on a host of files (tests/lab/sriov_host.c); and in how many system calls, which
 * strace counts in runs of their own.
 */
#include "perf/pair.h"
#include "perf/perf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOOLS	   "../tests/lab/" /* from ringway-perf, in the build tree */
#define RUN_MS	   60000
#define US_IN_MS   1000.0
#define LINE_LEN   256
#define VFS	   "64"
#define NR_WORDS   16
#define MODE_WORDS 4

struct sriov {
	char host[512];	  /* sriov_host */
	char script[512]; /* sriov_by_hand */
	char trace[64];	  /* the file that strace writes */
	struct rwy_run_proc proc;
};

/* What the script does, as it takes it. */
static const struct way {
	const char *word, *name;
} ways[] = {{"value", "an ip a value"}, {"vf", "an ip a VF"}};

enum { TIME, CALLS };
static const struct rwy_pair_metric metrics[] = {
	[TIME] = {"time", "ms", true},
	[CALLS] = {"calls", "/VF", true},
};

/* Runs the host so, under strace or not, to its end. */
static int run_host(struct rwy_pair_bench *bench, const char *const mode[MODE_WORDS], bool traced,
		    char *command)
{
	struct sriov *sriov = bench->ctx;
	const char *const strace[] = {"strace", "-f", "-c", "-o", sriov->trace};
	const char *argv[NR_WORDS] = {0};
	unsigned nr = 0;
	int err;

	for (unsigned i = 0; traced && i < RWY_ARRAY_SIZE(strace); i++)
		argv[nr++] = strace[i];
	argv[nr++] = sriov->host;
	for (unsigned i = 0; i < MODE_WORDS && mode[i]; i++)
		argv[nr++] = mode[i];
	if (!traced)
		rwy_run_command(argv, bench->opts.cpu_back, command, RWY_PAIR_TEXT);
	err = rwy_run_start(&bench->run, &sriov->proc, argv[0], bench->opts.cpu_back, argv);
	if (err < 0)
		return err;
	err = rwy_run_sleep(&bench->run, RUN_MS);
	if (err == 0)
		return -ETIMEDOUT;
	return err == -ECHILD && sriov->proc.wait_status == 0 ? 0 : err;
}

/* From the last line of strace's table. */
static int read_calls(const char *path, double *calls)
{
	char line[LINE_LEN];
	FILE *file = fopen(path, "re");
	int err = -EPROTO;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (strstr(line, " total\n") && sscanf(line, "%*s %*s %*s %lf", calls) == 1)
			err = 0;
	fclose(file);
	unlink(path);
	return err;
}

/* All the calls of a run. */
static int count_calls(struct rwy_pair_bench *bench, const char *const mode[MODE_WORDS],
		       double *calls)
{
	struct sriov *sriov = bench->ctx;
	int err = run_host(bench, mode, true, NULL);

	rwy_run_stop(&bench->run, &sriov->proc);
	return err ? err : read_calls(sriov->trace, calls);
}

static int read_time(const struct rwy_run_proc *proc, double *ms)
{
	const char *took = strstr(rwy_run_output(proc, 0), "took ");

	if (!took)
		return -EPROTO;
	*ms = strtod(took + strlen("took "), NULL) / US_IN_MS;
	return 0;
}

static int measure(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side side,
		   double *values)
{
	struct sriov *sriov = bench->ctx;
	const struct way *way = c->arg;
	const char *const ours[MODE_WORDS] = {"ours", VFS};
	const char *const by_hand[MODE_WORDS] = {"by-hand", VFS, sriov->script, way->word};
	const char *const nothing[MODE_WORDS] = {"nothing", VFS};
	const char *const *mode = side == RWY_PAIR_OURS ? ours : by_hand;
	double all, without;
	int err = run_host(bench, mode, false, c->commands[side]);

	if (!err)
		err = read_time(&sriov->proc, &values[TIME]);
	if (err < 0)
		rwy_run_explain(&bench->run, &sriov->proc, err, "making the VFs", c->failed[side],
				RWY_PAIR_TEXT);
	rwy_run_stop(&bench->run, &sriov->proc);
	if (err < 0)
		return err;
	err = count_calls(bench, mode, &all);
	if (!err)
		err = count_calls(bench, nothing, &without);
	if (err < 0)
		snprintf(c->failed[side], RWY_PAIR_TEXT, "counting with strace: %s",
			 strerror(-err));
	values[CALLS] = err ? 0 : (all - without) / atoi(VFS);
	return err;
}

/* ---- the command ---- */

static int run(struct rwy_pair_bench *bench, struct sriov *sriov)
{
	rwy_run_find(TOOLS "sriov_host", sriov->host, sizeof(sriov->host));
	rwy_run_find(TOOLS "sriov_by_hand", sriov->script, sizeof(sriov->script));
	if (access(sriov->host, X_OK) < 0 || access(sriov->script, X_OK) < 0) {
		fputs("ringway-perf: what makes the hosts is in the build tree only, and not "
		      "here\n",
		      stderr);
		return RWY_OPT_EXIT_USAGE;
	}
	snprintf(sriov->trace, sizeof(sriov->trace), "/tmp/ringway-perf.%d", (int)getpid());
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(ways); i++) {
		struct rwy_pair_case *c =
			rwy_pair_add(bench, &ways[i], VFS " VFs, %s", ways[i].name);

		if (!c)
			return 1;
	}
	return rwy_pair_run(bench, stdout);
}

static const struct rwy_pair_about about = {
	.name = "sriov",
	.title = "VFs created, configured and bound, on a host of files",
	.sides[RWY_PAIR_OURS] = "ringway-sriov",
	.sides[RWY_PAIR_PEER] = "ip link and sysfs",
	.metrics = metrics,
	.nr_metrics = RWY_ARRAY_SIZE(metrics),
	.measure = measure,
};

int rwy_perf_sriov_main(int argc, char **argv)
{
	static const struct rwy_opt opts[] = {RWY_PAIR_OPTS};
	struct sriov sriov = {0};
	struct rwy_pair_bench bench;
	const struct rwy_opt_program program = {
		.name = "ringway-perf sriov",
		.usage = "[option...]",
		.summary = VFS
		" VFs made and given an address, a VLAN, a rate, trust and vfio-pci, by "
		"ringway-sriov\nand by a script with `ip link` and sysfs, on a host of "
		"files. ringway-sriov also makes\nthe files of the VFs, checks, keeps its "
		"journal and reads all back; the script finds the\nVFs made, and checks "
		"nothing. Each request by netlink goes to the kernel, on both sides,\nwhich "
		"refuses it: no card's driver is in these times. strace counts the system "
		"calls of\nother runs, less those that make the host and the files of its VFs.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = &bench,
	};
	int status = 1;

	if (rwy_pair_init(&bench, &about, &sriov) < 0)
		return status;
	if (rwy_opt_parse(&program, argc, argv, stdout, stderr, &status))
		status = run(&bench, &sriov);
	rwy_pair_fini(&bench);
	return status;
}
