/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a comparison of attach paths has measured, in memory and as a file.
 *
 * `ringway-perf compare` fills it in and saves it, `ringway-perf report` loads it. A path is one
 * way to attach one workload; the runner goes through all paths once a round, so the values that
 * two paths got in the round of the same number were measured next to each other and may be paired.
 * What was not measured is absent, never zero. A run that was cut short is a result like any other
 * and says so. An operation is a packet (net) or a request (blk).
 *
 * One thread at a time. Everything is owned by the struct rwy_result.
 */
#ifndef RWY_PERF_RESULT_H
#define RWY_PERF_RESULT_H

#include "lib/stats.h"
#include "perf/facts.h"
#include "perf/summary.h"

#include <time.h>

#define RWY_RESULT_FILE	    "result.json" /* its name in the directory of a run */
#define RWY_RESULT_FORMAT   "ringway-perf result 1"
#define RWY_RESULT_TIME	    "%Y-%m-%dT%H:%M:%SZ" /* of strftime, in UTC */
#define RWY_RESULT_TIME_LEN 32
#define RWY_RESULT_PATHS    256
#define RWY_RESULT_ROUNDS   RWY_SUMMARY_MAX
#define RWY_RESULT_VALUES   128 /* of one round of one path */
#define RWY_RESULT_OF	    40
#define RWY_RESULT_GAPS	    8
#define RWY_RESULT_TEXT	    8192

enum rwy_result_kind { RWY_RESULT_NET, RWY_RESULT_BLK, RWY_RESULT_KINDS };

/* Rows of rwy_result_metrics. */
enum rwy_result_metric {
	RWY_RESULT_PPS,
	RWY_RESULT_BPS,
	RWY_RESULT_IOPS,
	RWY_RESULT_LOSS,
	RWY_RESULT_LAT_P50,
	RWY_RESULT_LAT_P99,
	RWY_RESULT_LAT_P999,
	RWY_RESULT_LAT_MAX,
	RWY_RESULT_EXITS,
	RWY_RESULT_EXITS_BY,
	RWY_RESULT_KICKS,
	RWY_RESULT_IRQS,
	RWY_RESULT_IRQS_BY,
	RWY_RESULT_CYCLES,
	RWY_RESULT_CPU_HOST,
	RWY_RESULT_CPU_PROC,
	RWY_RESULT_CPU_CORE,
	RWY_RESULT_CPU_GUEST,
	RWY_RESULT_COST,
	RWY_RESULT_COST_KIB,
	RWY_RESULT_MEMORY,
	RWY_RESULT_SETUP,
	RWY_RESULT_METRICS,
};

struct rwy_result_metric_info {
	const char *key;     /* in files: "lat_p99" */
	const char *title;   /* "latency, 99 % of operations" */
	const char *unit;    /* of the value: "packets/s", "ns", "CPUs"; "" for plain numbers */
	const char *meaning; /* one sentence */
	bool lower_is_better;
	bool parts; /* one value for each name in `of`: a reason, a process, a CPU */
};
extern const struct rwy_result_metric_info rwy_result_metrics[RWY_RESULT_METRICS];

enum rwy_result_status {
	RWY_RESULT_MEASURED,
	RWY_RESULT_FAILED,  /* it was tried; the rounds before that are there */
	RWY_RESULT_MISSING, /* it was not: something is not installed, or its turn never came */
	RWY_RESULT_STATUSES,
};

struct rwy_result_value {
	enum rwy_result_metric metric;
	char of[RWY_RESULT_OF]; /* which part; "" where the metric has none */
	double value;		/* finite, not negative, in the metric's unit */
};

struct rwy_result_round {
	unsigned number; /* below the result's rounds; the same in all paths of one pass */
	unsigned nr_values;
	struct rwy_result_value values[RWY_RESULT_VALUES];
	/* Of each operation, in ns: a packet's round trip, a request. count 0: not measured. */
	struct rwy_stats_hist latency;
};

/* Why a path that was measured does not have a metric. */
struct rwy_result_gap {
	enum rwy_result_metric metric;
	char why[192];
};

struct rwy_result_path {
	char name[64]; /* "virtio packed, polled": unique within a workload */
	enum rwy_result_kind kind;
	char workload[96]; /* "64 B packets": paths with the same kind and workload compare */
	char vmm[64];	   /* "ringway-vmm 0.1.0", "QEMU 10.0.2" */
	char backend[96];  /* "ringway-net 0.1.0", "dpdk-testpmd 22.11 net_vhost" */
	enum rwy_result_status status;
	char reason[RWY_RESULT_TEXT];	/* why it failed or is missing, may have several lines */
	char commands[RWY_RESULT_TEXT]; /* exactly, one a line */
	unsigned nr_gaps;
	struct rwy_result_gap gaps[RWY_RESULT_GAPS];
	unsigned nr_rounds;
	struct rwy_result_round *rounds; /* in the order of their numbers */
};

struct rwy_result {
	time_t started;
	double seconds;	  /* how long it took */
	char version[32]; /* Ringway's */
	bool emulated;	  /* guests ran without hardware's help: ratios mean something, speed not */
	unsigned rounds;  /* wanted of each path, at most RWY_RESULT_ROUNDS */
	char ended[256];  /* "" when all was done, else why not: "interrupted in round 3 of 7" */
	char host_name[65];
	struct rwy_facts facts;		 /* of the host */
	char placement[RWY_RESULT_TEXT]; /* a line for each choice and hop, see perf/place.h */
	unsigned nr_paths;
	struct rwy_result_path *paths;
};

/* Begins at this moment with this version; no paths. -ENOMEM. */
RWY_MUST_CHECK int rwy_result_init(struct rwy_result *result, unsigned rounds);
void rwy_result_fini(struct rwy_result *result);

/*
 * A path without rounds, measured so far; good until fini. NULL: there is one of this kind, name
 * and workload, or there are RWY_RESULT_PATHS.
 */
struct rwy_result_path *rwy_result_add_path(struct rwy_result *result, enum rwy_result_kind kind,
					    const char *name, const char *workload);
/*
 * A round without values; good until the next one of this path. Numbers must rise. NULL: no memory,
 * or the number is not above the last one or not below RWY_RESULT_ROUNDS.
 */
struct rwy_result_round *rwy_result_add_round(struct rwy_result_path *path, unsigned number);
/*
 * of: the part, NULL or "" where the metric has none. The last value of a part stays. -EINVAL: not
 * a finite number from 0 up, or a part is missing or one too many; -ENOSPC.
 */
RWY_MUST_CHECK int rwy_result_set(struct rwy_result_round *round, enum rwy_result_metric metric,
				  const char *of, double value);
/* What is missing and why; the last reason stays. -ENOSPC. */
RWY_MUST_CHECK int rwy_result_gap(struct rwy_result_path *path, enum rwy_result_metric metric,
				  const char *why);
/* NULL: nothing was said of that metric. */
const char *rwy_result_why_not(const struct rwy_result_path *path, enum rwy_result_metric metric);
/* NULL: it was not measured. of as above. */
const double *rwy_result_get(const struct rwy_result_round *round, enum rwy_result_metric metric,
			     const char *of);
/*
 * Adds what follows from the rest and is not there: latencies from the histogram, the cost from
 * rate and host CPU. The report does so for each round.
 */
void rwy_result_derive(struct rwy_result_round *round, enum rwy_result_kind kind);
/* The metric that says how much a path of this kind moves: packets or requests a second. */
enum rwy_result_metric rwy_result_rate(enum rwy_result_kind kind);
const char *rwy_result_kind_name(enum rwy_result_kind kind);
const char *rwy_result_status_name(enum rwy_result_status status);

/*
 * As JSON, first under another name and then moved over `file`, so that a reader sees the old or
 * the new one whole. It may be saved after every round. Text that is not UTF-8 gets '?' for the
 * bytes in doubt. Negative errno.
 */
RWY_MUST_CHECK int rwy_result_save(const struct rwy_result *result, const char *file);

struct rwy_result_why {
	char text[512];
};

/*
 * Only what rwy_result_save can have written is taken. Inits *result; on failure nothing needs fini
 * and why says, in one line, which file, what is wrong with it and what to do. -EINVAL, or -errno
 * of reading.
 */
RWY_MUST_CHECK int rwy_result_load(struct rwy_result *result, const char *file,
				   struct rwy_result_why *why);

#endif
