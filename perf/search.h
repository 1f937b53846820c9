/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The highest rate that is passed on with no more than a bound lost: the throughput of RFC 2544,
 * section 26.1, by halving the range in which it must lie. Knows nothing of how a trial is made.
 */
#ifndef RWY_PERF_SEARCH_H
#define RWY_PERF_SEARCH_H

#include "lib/base.h"

struct rwy_search {
	double low;	  /* known to pass, or 0 */
	double high;	  /* tried first */
	double loss;	  /* bound, 0 to 1 */
	double precision; /* ends when high - low is this part of high */
	unsigned trials;  /* at most; the first one included */
	/* Offers that rate; the part that was lost, 0 to 1. Negative errno ends the search. */
	int (*trial)(void *ctx, double rate, double *loss);
	void *ctx;
};

/*
 * *rate is the highest that passed, `low` when none did, and *lost what was lost there. 0, or what
 * a trial returned.
 */
RWY_MUST_CHECK int rwy_search_run(const struct rwy_search *search, double *rate, double *lost);

#endif
