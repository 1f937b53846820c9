/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a handful of noisy measurements say. Pure functions, no allocation.
 *
 * Two programs are compared by pairs measured one right after the other, so that a slow spell of
 * the machine hits both and mostly cancels in the ratio. The verdict rests on order statistics of
 * these ratios alone: no distribution is assumed, one bad run moves it little.
 */
#ifndef RWY_PERF_SUMMARY_H
#define RWY_PERF_SUMMARY_H

#include "lib/base.h"

/* Most values one summary takes. */
#define RWY_SUMMARY_MAX 128
/* How sure an interval must be to hold the true median before anything is called better. */
#define RWY_SUMMARY_CONFIDENCE 0.90

struct rwy_summary {
	unsigned nr;
	double min;
	double q1;
	double median;
	double q3;
	double max;
};

/* All zero when nr is 0. nr <= RWY_SUMMARY_MAX. */
void rwy_summary_of(const double *values, unsigned nr, struct rwy_summary *out);
/* q in [0, 1], values sorted upwards, nr > 0; linear between neighbours. */
double rwy_summary_quantile(const double *sorted, size_t nr, double q);
void rwy_summary_sort(double *values, size_t nr);

enum rwy_summary_verdict {
	RWY_SUMMARY_FEW,   /* too few pairs to say anything */
	RWY_SUMMARY_NOISE, /* the interval holds 1: no difference was shown */
	RWY_SUMMARY_BETTER,
	RWY_SUMMARY_WORSE,
};

struct rwy_summary_ratio {
	unsigned nr;
	double median; /* of ours[i] / peer[i] */
	double low;    /* interval that holds the true median ... */
	double high;
	double coverage; /* ... with this probability */
	enum rwy_summary_verdict verdict;
};

/* peer[i] must not be 0. lower_is_better: latencies. nr <= RWY_SUMMARY_MAX. */
void rwy_summary_compare(const double *ours, const double *peer, unsigned nr, bool lower_is_better,
			 struct rwy_summary_ratio *out);
/* "better", "worse", "within noise", "too few pairs" */
const char *rwy_summary_verdict_name(enum rwy_summary_verdict verdict);

#endif
