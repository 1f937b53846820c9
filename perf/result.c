/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/result.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB_BITS (8.0 * 1024)

const struct rwy_result_metric_info rwy_result_metrics[RWY_RESULT_METRICS] = {
	[RWY_RESULT_PPS] = {"pps", "throughput", "packets/s",
			    "packets a second that arrived where they should, all directions",
			    false, false},
	[RWY_RESULT_BPS] = {"bps", "throughput in bits", "bit/s",
			    "bits of these packets, or of the data of these requests, a second",
			    false, false},
	[RWY_RESULT_IOPS] = {"iops", "throughput", "requests/s",
			     "requests a second that were completed without an error", false,
			     false},
	[RWY_RESULT_LOSS] = {"loss", "loss", "", "part of the packets sent that never arrived",
			     true, false},
	[RWY_RESULT_LAT_P50] = {"lat_p50", "latency, median", "ns",
				"half of the operations took no longer", true, false},
	[RWY_RESULT_LAT_P99] = {"lat_p99", "latency, p99", "ns",
				"99 of 100 operations took no longer", true, false},
	[RWY_RESULT_LAT_P999] = {"lat_p999", "latency, p99.9", "ns",
				 "999 of 1000 operations took no longer", true, false},
	[RWY_RESULT_LAT_MAX] = {"lat_max", "latency, longest", "ns", "no operation took longer",
				true, false},
	[RWY_RESULT_EXITS] = {"exits", "VM exits", "/op",
			      "times that the guest left for the host, an operation", true, false},
	[RWY_RESULT_EXITS_BY] = {"exits_by", "VM exits by reason", "/op",
				 "these exits, by the reason that KVM counts them under", true,
				 true},
	[RWY_RESULT_KICKS] = {"kicks", "kicks", "/op",
			      "times that the guest's driver notified the device, an operation",
			      true, false},
	[RWY_RESULT_IRQS] = {"irqs", "interrupts", "/op",
			     "times that the guest was interrupted by the device, an operation",
			     true, false},
	[RWY_RESULT_IRQS_BY] =
		{"irqs_by", "interrupts by delivery", "/op",
		 "by who raised them: a back-end or the card by an irqfd, or the VMM "
		 "by a call; and by how they got in: posted into the running guest, "
		 "or injected at its next entry, those of timers and between its "
		 "CPUs among them",
		 true, true},
	[RWY_RESULT_CYCLES] = {"cycles", "back-end cycles", "cycles/op",
			       "CPU cycles in the back-end an operation, without empty polls", true,
			       false},
	[RWY_RESULT_CPU_HOST] = {"cpu_host", "host CPU", "CPUs",
				 "CPUs of the host kept busy, the guest's own time included", true,
				 false},
	[RWY_RESULT_CPU_PROC] = {"cpu_proc", "host CPU by process", "CPUs",
				 "CPUs of the host kept busy by each process", true, true},
	[RWY_RESULT_CPU_CORE] = {"cpu_core", "host CPU by core", "CPUs",
				 "part of its time that each CPU of the host was busy", true, true},
	[RWY_RESULT_CPU_GUEST] = {"cpu_guest", "guest CPU", "CPUs",
				  "CPUs of the guest kept busy, as the guest counts them", true,
				  false},
	[RWY_RESULT_COST] = {"cost", "CPU time", "ns/op",
			     "time of the host's CPUs an operation: host CPU by throughput", true,
			     false},
	[RWY_RESULT_COST_KIB] = {"cost_kib", "CPU time a KiB", "ns",
				 "time of the host's CPUs a KiB: host CPU by throughput in bits",
				 true, false},
	[RWY_RESULT_MEMORY] = {"memory", "memory overhead", "bytes",
			       "memory of the host beyond the guest's own: VMM and back-end", true,
			       false},
	[RWY_RESULT_SETUP] = {"setup", "set-up time", "s",
			      "from the first command to the first operation", true, false},
};

int rwy_result_init(struct rwy_result *result, unsigned rounds)
{
	assert(rounds <= RWY_RESULT_ROUNDS);
	memset(result, 0, sizeof(*result));
	result->paths = calloc(RWY_RESULT_PATHS, sizeof(*result->paths));
	if (!result->paths)
		return -ENOMEM;
	result->started = time(NULL);
	result->rounds = rounds;
	snprintf(result->version, sizeof(result->version), "%s", RWY_VERSION);
	if (gethostname(result->host_name, sizeof(result->host_name) - 1) < 0)
		result->host_name[0] = '\0';
	return 0;
}

void rwy_result_fini(struct rwy_result *result)
{
	for (unsigned i = 0; i < result->nr_paths; i++)
		free(result->paths[i].rounds);
	free(result->paths);
	memset(result, 0, sizeof(*result));
}

struct rwy_result_path *rwy_result_add_path(struct rwy_result *result, enum rwy_result_kind kind,
					    const char *name, const char *workload)
{
	struct rwy_result_path *path;

	for (unsigned i = 0; i < result->nr_paths; i++)
		if (result->paths[i].kind == kind && !strcmp(result->paths[i].name, name) &&
		    !strcmp(result->paths[i].workload, workload))
			return NULL;
	if (result->nr_paths == RWY_RESULT_PATHS)
		return NULL;
	path = &result->paths[result->nr_paths++];
	path->kind = kind;
	snprintf(path->name, sizeof(path->name), "%s", name);
	snprintf(path->workload, sizeof(path->workload), "%s", workload);
	return path;
}

struct rwy_result_round *rwy_result_add_round(struct rwy_result_path *path, unsigned number)
{
	struct rwy_result_round *rounds;
	unsigned nr = path->nr_rounds;

	if (number >= RWY_RESULT_ROUNDS || (nr > 0 && number <= path->rounds[nr - 1].number))
		return NULL;
	rounds = reallocarray(path->rounds, nr + 1, sizeof(*rounds));
	if (!rounds)
		return NULL;
	path->rounds = rounds;
	path->nr_rounds = nr + 1;
	memset(&rounds[nr], 0, sizeof(*rounds));
	rounds[nr].number = number;
	return &rounds[nr];
}

int rwy_result_gap(struct rwy_result_path *path, enum rwy_result_metric metric, const char *why)
{
	unsigned i = 0;

	while (i < path->nr_gaps && path->gaps[i].metric != metric)
		i++;
	if (i == RWY_RESULT_GAPS)
		return -ENOSPC;
	path->gaps[i].metric = metric;
	snprintf(path->gaps[i].why, sizeof(path->gaps[i].why), "%s", why);
	path->nr_gaps = RWY_MAX(path->nr_gaps, i + 1);
	return 0;
}

const char *rwy_result_why_not(const struct rwy_result_path *path, enum rwy_result_metric metric)
{
	for (unsigned i = 0; i < path->nr_gaps; i++)
		if (path->gaps[i].metric == metric)
			return path->gaps[i].why;
	return NULL;
}

static struct rwy_result_value *find(struct rwy_result_round *round, enum rwy_result_metric metric,
				     const char *of)
{
	for (unsigned i = 0; i < round->nr_values; i++) {
		struct rwy_result_value *value = &round->values[i];

		if (value->metric == metric && !strcmp(value->of, of))
			return value;
	}
	return NULL;
}

const double *rwy_result_get(const struct rwy_result_round *round, enum rwy_result_metric metric,
			     const char *of)
{
	/* find changes nothing */
	const struct rwy_result_value *value =
		find((struct rwy_result_round *)round, metric, of ? of : "");

	return value ? &value->value : NULL;
}

int rwy_result_set(struct rwy_result_round *round, enum rwy_result_metric metric, const char *of,
		   double value)
{
	struct rwy_result_value *slot;

	if (!of)
		of = "";
	if (!isfinite(value) || value < 0 || strlen(of) >= RWY_RESULT_OF ||
	    (of[0] != '\0') != rwy_result_metrics[metric].parts)
		return -EINVAL;
	slot = find(round, metric, of);
	if (!slot && round->nr_values == RWY_RESULT_VALUES)
		return -ENOSPC;
	if (!slot)
		slot = &round->values[round->nr_values++];
	slot->metric = metric;
	strcpy(slot->of, of);
	slot->value = value;
	return 0;
}

/* As if the values in a bucket were spread evenly: no figure is rounded up to a bucket's bound. */
static double quantile(const struct rwy_stats_hist *hist, double q)
{
	double below = 0, wanted = q * (double)hist->count;
	unsigned i = 0;

	while (i < RWY_STATS_HIST_BUCKETS - 1 && below + (double)hist->buckets[i] < wanted)
		below += (double)hist->buckets[i++];
	double low = i > 0 ? (double)rwy_stats_hist_upper(i - 1) + 1 : 0;
	double high = RWY_MIN((double)rwy_stats_hist_upper(i) + 1, (double)hist->max);
	if (hist->buckets[i] == 0 || high <= low)
		return RWY_MIN(low, (double)hist->max);
	return low + (high - low) * (wanted - below) / (double)hist->buckets[i];
}

/* Nothing where it is there, or where there is no room for more. */
static void derive(struct rwy_result_round *round, enum rwy_result_metric metric, double value)
{
	if (!rwy_result_get(round, metric, NULL))
		(void)!rwy_result_set(round, metric, NULL, value);
}

void rwy_result_derive(struct rwy_result_round *round, enum rwy_result_kind kind)
{
	const struct rwy_stats_hist *hist = &round->latency;
	const double *rate = rwy_result_get(round, rwy_result_rate(kind), NULL);
	const double *bits = rwy_result_get(round, RWY_RESULT_BPS, NULL);
	const double *cpu = rwy_result_get(round, RWY_RESULT_CPU_HOST, NULL);

	if (hist->count > 0) {
		derive(round, RWY_RESULT_LAT_P50, quantile(hist, 0.5));
		derive(round, RWY_RESULT_LAT_P99, quantile(hist, 0.99));
		derive(round, RWY_RESULT_LAT_P999, quantile(hist, 0.999));
		derive(round, RWY_RESULT_LAT_MAX, (double)hist->max);
	}
	if (rate && cpu && *rate > 0)
		derive(round, RWY_RESULT_COST, *cpu / *rate * 1e9);
	else if (!rate && bits && cpu && *bits > 0)
		derive(round, RWY_RESULT_COST_KIB, *cpu / *bits * KIB_BITS * 1e9);
}

enum rwy_result_metric rwy_result_rate(enum rwy_result_kind kind)
{
	return kind == RWY_RESULT_NET ? RWY_RESULT_PPS : RWY_RESULT_IOPS;
}

const char *rwy_result_kind_name(enum rwy_result_kind kind)
{
	return kind == RWY_RESULT_NET ? "net" : "blk";
}

const char *rwy_result_status_name(enum rwy_result_status status)
{
	static const char *const names[RWY_RESULT_STATUSES] = {
		[RWY_RESULT_MEASURED] = "measured",
		[RWY_RESULT_FAILED] = "failed",
		[RWY_RESULT_MISSING] = "missing",
	};

	return names[status];
}
