/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any number of things measured in turn, again and again: all of them once a round, and each round
 * begins one further on, so that no one is always the first or behind the same other one. Says what
 * it does and how long it will still take.
 *
 * One that fails twice in succession is not tried again; the others go on. One that takes too long
 * has failed: every wait of perf/run.h ends with -ETIMEDOUT at the deadline.
 */
#ifndef RWY_PERF_ROUNDS_H
#define RWY_PERF_ROUNDS_H

#include "perf/run.h"

#include <stdio.h>

#define RWY_ROUNDS_ITEMS    64
#define RWY_ROUNDS_FAILURES 2

struct rwy_rounds {
	unsigned nr; /* things to measure */
	unsigned rounds;
	unsigned deadline_s; /* of one measurement */
	struct rwy_run *run;
	FILE *progress;
	const char *(*name)(void *ctx, unsigned item);
	/* 0, or negative errno; why is kept by the caller, who may want to save what is there now.
	 */
	int (*measure)(void *ctx, unsigned item, unsigned round);
	void *ctx;
	/* State. */
	unsigned done;			     /* measurements that are over, however they ended */
	unsigned dropped;		     /* that will not be made */
	double seconds;			     /* that those done took */
	unsigned failures[RWY_ROUNDS_ITEMS]; /* in succession */
	unsigned failed;		     /* in all */
};

/*
 * What is to be measured as the i-th of a round.
 */
unsigned rwy_rounds_item(unsigned nr, unsigned round, unsigned i);
/* Seconds until the end, when all goes on as it went so far; negative: nothing is known yet. */
double rwy_rounds_left(const struct rwy_rounds *rounds);
/* 0: every measurement was made. -EINTR: it was interrupted. -EIO: some failed. */
RWY_MUST_CHECK int rwy_rounds_run(struct rwy_rounds *rounds);

#endif
