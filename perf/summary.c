/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/summary.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void rwy_summary_sort(double *values, size_t nr)
{
	qsort(values, nr, sizeof(*values), by_value);
}

double rwy_summary_quantile(const double *sorted, size_t nr, double q)
{
	double at = q * (double)(nr - 1);
	size_t below = (size_t)at;

	if (below + 1 >= nr)
		return sorted[nr - 1];
	return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

void rwy_summary_of(const double *values, unsigned nr, struct rwy_summary *out)
{
	double sorted[RWY_SUMMARY_MAX];

	assert(nr <= RWY_SUMMARY_MAX);
	memset(out, 0, sizeof(*out));
	if (nr == 0)
		return;
	memcpy(sorted, values, nr * sizeof(*values));
	rwy_summary_sort(sorted, nr);
	out->nr = nr;
	out->min = sorted[0];
	out->q1 = rwy_summary_quantile(sorted, nr, 0.25);
	out->median = rwy_summary_quantile(sorted, nr, 0.5);
	out->q3 = rwy_summary_quantile(sorted, nr, 0.75);
	out->max = sorted[nr - 1];
}

/*
 * How many values to leave out at each end: the narrowest interval of order statistics that still
 * holds the true median with the wanted confidence. A value lies below the median with chance 1/2,
 * so the number below is binomial, and leaving k out at each end misses with 2 P(below <= k).
 */
static unsigned interval_trim(unsigned nr, double *coverage)
{
	double p = 1.0;
	unsigned k;

	for (unsigned i = 0; i < nr; i++)
		p /= 2;
	double below = p;
	*coverage = 1 - 2 * below;
	for (k = 0; k + 1 < nr; k++) {
		p = p * (nr - k) / (k + 1);
		if (1 - 2 * (below + p) < RWY_SUMMARY_CONFIDENCE)
			break;
		below += p;
		*coverage = 1 - 2 * below;
	}
	return k;
}

void rwy_summary_compare(const double *ours, const double *peer, unsigned nr, bool lower_is_better,
			 struct rwy_summary_ratio *out)
{
	double ratios[RWY_SUMMARY_MAX];

	assert(nr <= RWY_SUMMARY_MAX);
	memset(out, 0, sizeof(*out));
	out->verdict = RWY_SUMMARY_FEW;
	if (nr == 0)
		return;
	for (unsigned i = 0; i < nr; i++)
		ratios[i] = ours[i] / peer[i];
	rwy_summary_sort(ratios, nr);

	unsigned trim = interval_trim(nr, &out->coverage);
	out->nr = nr;
	out->median = rwy_summary_quantile(ratios, nr, 0.5);
	out->low = ratios[trim];
	out->high = ratios[nr - 1 - trim];
	if (out->coverage < RWY_SUMMARY_CONFIDENCE)
		return;
	if (out->low <= 1 && out->high >= 1)
		out->verdict = RWY_SUMMARY_NOISE;
	else
		out->verdict =
			(out->low > 1) != lower_is_better ? RWY_SUMMARY_BETTER : RWY_SUMMARY_WORSE;
}

const char *rwy_summary_verdict_name(enum rwy_summary_verdict verdict)
{
	switch (verdict) {
	case RWY_SUMMARY_NOISE:
		return "within noise";
	case RWY_SUMMARY_BETTER:
		return "better";
	case RWY_SUMMARY_WORSE:
		return "worse";
	case RWY_SUMMARY_FEW:
		break;
	}
	return "too few pairs";
}
