/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A comparison: the paths chosen and the work chosen, run in turn, and their result, which is saved
 * after every run so that there is one whenever it ends.
 */
#ifndef RWY_PERF_COMPARE_H
#define RWY_PERF_COMPARE_H

#include "perf/rounds.h"
#include "perf/work.h"

struct rwy_compare {
	struct rwy_run run;
	FILE *progress; /* lines for people */
	struct rwy_path_env env;
	struct rwy_work_opts work_opts;
	unsigned rounds;
	unsigned deadline_s; /* of one run of one path */
	const char *file;    /* where the result goes */
	char placement[RWY_RESULT_TEXT];
	unsigned nr_works;
	const struct rwy_work *works[RWY_WORK_MAX];
	unsigned nr_paths; /* chosen, those that cannot be had among them */
	const struct rwy_path *paths[RWY_ROUNDS_ITEMS];
	struct rwy_result result;
	/* Internal: of paths that can be had, their places in paths; entries of the result. */
	unsigned nr_items;
	unsigned items[RWY_ROUNDS_ITEMS];
	struct rwy_result_path *entries[RWY_ROUNDS_ITEMS][RWY_WORK_MAX];
	struct rwy_path_up up;
	struct rwy_result_round staged[RWY_WORK_MAX]; /* of the run under way */
};

/* All of it. 0: all was measured; -EINTR, -EIO as rwy_rounds_run; -errno. */
RWY_MUST_CHECK int rwy_compare_run(struct rwy_compare *compare);

#endif
