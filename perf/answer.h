/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the agent in a guest (tests/lab/guest.d/perf) answers on its console: lines
 * "perf: ID NAME VALUE" among whatever else is written there. Hostile: the guest is one.
 */
#ifndef RWY_PERF_ANSWER_H
#define RWY_PERF_ANSWER_H

#include "lib/stats.h"

#define RWY_ANSWER_VALUES 16
#define RWY_ANSWER_NAME	  16
/* Operations that a histogram of an answer holds at most. */
#define RWY_ANSWER_OPS UINT64_C(1000000000)

struct rwy_answer {
	unsigned nr;
	struct {
		char name[RWY_ANSWER_NAME];
		double value; /* finite, not negative */
	} values[RWY_ANSWER_VALUES];
	struct rwy_stats_hist latency; /* in ns */
	char error[256];	       /* what it said of a failure */
};

/*
 * Reads the answer to `id` from console output. 0: it is whole. -EAGAIN: its end is not there.
 * -EREMOTEIO: the guest failed, see error. -EPROTO: no agent writes that.
 */
RWY_MUST_CHECK int rwy_answer_parse(struct rwy_answer *answer, const char *text, unsigned id);
/* NULL: it says nothing of that. */
const double *rwy_answer_get(const struct rwy_answer *answer, const char *name);
/* Adds what somebody else found to an answer. -ENOSPC. */
RWY_MUST_CHECK int rwy_answer_add(struct rwy_answer *answer, const char *name, double value);
/* All that another answer says. -ENOSPC. */
RWY_MUST_CHECK int rwy_answer_join(struct rwy_answer *answer, const struct rwy_answer *other);

#endif
