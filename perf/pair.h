/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two programs measured side by side: for each case, pairs of measurements one right after the
 * other, who goes first changing from pair to pair. One result shape for all benchmarks: a case has
 * metrics, each with a value of ours and of the peer per pair.
 *
 * The shorter the two are, the less of what the machine does otherwise falls on one of them alone.
 * So a benchmark that can hold a side still starts both and has them take turns: each turn of both
 * is a pair, and both are started anew a few times, as no two starts lie in memory alike.
 */
#ifndef RWY_PERF_PAIR_H
#define RWY_PERF_PAIR_H

#include "lib/opt.h"
#include "perf/run.h"
#include "perf/summary.h"

#include <stdio.h>

#define RWY_PAIR_METRICS 12
#define RWY_PAIR_CASES	 32
#define RWY_PAIR_TEXT	 2048
/*
 * A measurement is cut into slices, and its rate is the median of theirs: a moment in which the
 * machine was busy otherwise costs a slice and does not move the rate.
 */
#define RWY_PAIR_SLICE_MS 100
#define RWY_PAIR_SLICES	  RWY_SUMMARY_MAX

enum rwy_pair_side { RWY_PAIR_OURS, RWY_PAIR_PEER, RWY_PAIR_SIDES };

struct rwy_pair_metric {
	const char *name; /* "rate", "p99" */
	const char *unit;
	bool lower_is_better;
};

/* What a benchmark offers to the runner. */
struct rwy_pair_case {
	char name[64];
	const char *peer; /* NULL: the bench's */
	const void *arg;  /* the benchmark's own */
	/* Results. A side that failed once is not tried again in this case. */
	unsigned nr[RWY_PAIR_SIDES];
	double values[RWY_PAIR_SIDES][RWY_PAIR_METRICS][RWY_SUMMARY_MAX];
	char failed[RWY_PAIR_SIDES][RWY_PAIR_TEXT];   /* why, or empty */
	char commands[RWY_PAIR_SIDES][RWY_PAIR_TEXT]; /* one a line */
};

/* What the user can choose to have measured: a row makes one case or more. */
struct rwy_pair_choice {
	const char *name;
	bool standard; /* unless chosen otherwise */
};

/* The options that all benchmarks share. */
struct rwy_pair_opts {
	unsigned pairs;	   /* times that both sides are started */
	unsigned cpu_back; /* of the program that is measured */
	unsigned cpu_load; /* of what drives it */
	unsigned warmup_ms;
	unsigned measure_ms; /* of one start of one side, all turns together */
	const char *json;    /* NULL: none */
};

struct rwy_pair_bench;

/* What makes one benchmark of the runner: constant. */
struct rwy_pair_about {
	const char *name;
	const char *title; /* one line */
	const char *sides[RWY_PAIR_SIDES];
	const struct rwy_pair_metric *metrics;
	unsigned nr_metrics;
	const struct rwy_pair_choice *choices;
	unsigned nr_choices;
	const char *choices_help; /* "some of a, b; or all" */
	/* Adds the cases of choice i. */
	int (*choose)(struct rwy_pair_bench *bench, unsigned i);
	unsigned turn_ms; /* 0: none, a measurement is a whole start */
	/*
	 * With turns only. begin leaves the side ready and still, and fills in its `commands`; end
	 * stops it, also when begin or a turn failed, and may still find it wrong. As measure.
	 */
	int (*begin)(struct rwy_pair_bench *bench, struct rwy_pair_case *c,
		     enum rwy_pair_side side);
	int (*end)(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side side);
	/*
	 * One measurement: a value for each metric. Fills in the side's `commands`. On failure
	 * `failed` says why and negative errno is returned; the case goes on without this side.
	 * -ENOENT: something that the side needs is not installed, and no case tries it again.
	 */
	int (*measure)(struct rwy_pair_bench *bench, struct rwy_pair_case *c,
		       enum rwy_pair_side side, double *values);
};

struct rwy_pair_bench {
	const struct rwy_pair_about *about;
	void *ctx; /* of about's functions */
	unsigned nr_cases;
	struct rwy_pair_case *cases;		     /* owned, see init */
	char missing[RWY_PAIR_SIDES][RWY_PAIR_TEXT]; /* a side that is not installed, or empty */
	struct rwy_pair_opts opts;
	struct rwy_run run;
	double stolen; /* part of the two CPUs' time that the hypervisor gave to others, 0 to 1 */
};

/* Sets the options to their defaults and has no cases. */
RWY_MUST_CHECK int rwy_pair_init(struct rwy_pair_bench *bench, const struct rwy_pair_about *about,
				 void *ctx);
void rwy_pair_fini(struct rwy_pair_bench *bench);
/* The new case, or NULL when there are too many. */
struct rwy_pair_case *rwy_pair_add(struct rwy_pair_bench *bench, const void *arg, const char *fmt,
				   ...) RWY_PRINTF(3, 4);

/* The standard choices, if the options have chosen nothing. */
RWY_MUST_CHECK int rwy_pair_choose_standard(struct rwy_pair_bench *bench);

/* Rows of a rwy_opt table whose ctx is the bench. */
int rwy_pair_set_choices(void *bench, char *value, struct rwy_opt_why *why);
int rwy_pair_set_pairs(void *bench, char *value, struct rwy_opt_why *why);
int rwy_pair_set_cpus(void *bench, char *value, struct rwy_opt_why *why);
int rwy_pair_set_seconds(void *bench, char *value, struct rwy_opt_why *why);
int rwy_pair_set_json(void *bench, char *value, struct rwy_opt_why *why);
/* clang-format off */
#define RWY_PAIR_OPTS                                                                              \
	{"pairs", "N", "times a case is run on both sides (default 5; no verdict below)",          \
	 rwy_pair_set_pairs},                                                                      \
	{"cpus", "A,B", "CPU of the program measured, and of what drives it (default 0,1)",        \
	 rwy_pair_set_cpus},                                                                       \
	{"seconds", "N", "time measured of one run of one side (default 2)",                       \
	 rwy_pair_set_seconds},                                                                    \
	{"json", "FILE", "write every value measured to FILE as well", rwy_pair_set_json}
/* clang-format on */

/*
 * Runs all cases, with a line of progress a run on stderr; then the table on out and the JSON
 * file. Exit status: 0 all measured, 1 something failed or was interrupted.
 */
int rwy_pair_run(struct rwy_pair_bench *bench, FILE *out);

/* Turns of one start of one side; 1 without turns. */
unsigned rwy_pair_turns(const struct rwy_pair_bench *bench);

#endif
