/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What guests are given to do, one row each, the same over every path; and what it came to: what
 * the guest measured, what the back-end counted, what it cost the host.
 */
#ifndef RWY_PERF_WORK_H
#define RWY_PERF_WORK_H

#include "perf/path.h"

#define RWY_WORK_MAX 16 /* rows */

struct rwy_work_opts {
	unsigned seconds; /* of one run of work */
	double loss;	  /* bound of the search for throughput */
	unsigned trials;  /* of that search, at most */
};

struct rwy_work {
	const char *key;      /* for --work */
	const char *workload; /* as a result calls it */
	enum rwy_result_kind kind;
	const char *command; /* of the agent; its %u are numbers. NULL: the far end does it */
	bool search;	     /* for the highest rate, which is put before the seconds */
	bool dpdk;	     /* in the guest, instead of its kernel */
};

extern const struct rwy_work rwy_works[];
extern const unsigned rwy_nr_works;

/* NULL: no work is called so. */
const struct rwy_work *rwy_work_find(const char *key);
/* Sets env->no_dpdk, by what is installed here; a guest that was named may have it in any case. */
void rwy_work_look_for_dpdk(struct rwy_path_env *env);
/* Has it done and puts what it came to into the round. Errors as rwy_guest_ask; up->step and
 * up->why tell. */
RWY_MUST_CHECK int rwy_work_run(struct rwy_path_up *up, const struct rwy_work *work,
				const struct rwy_work_opts *opts, struct rwy_result_round *round);

#endif
