/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"

#include "perf/summary.h"

#include <math.h>
#include <stdlib.h>

#define NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static void quantiles_interpolate(void **state)
{
	(void)state;
	const double v[] = {1, 2, 3, 4};

	NEAR(rwy_summary_quantile(v, 4, 0), 1);
	NEAR(rwy_summary_quantile(v, 4, 0.5), 2.5);
	NEAR(rwy_summary_quantile(v, 4, 0.25), 1.75);
	NEAR(rwy_summary_quantile(v, 4, 1), 4);
	NEAR(rwy_summary_quantile(v, 1, 0.99), 1);
}

static void five_numbers(void **state)
{
	(void)state;
	const double v[] = {9, 1, 5, 3, 7};
	struct rwy_summary s;

	rwy_summary_of(v, 5, &s);
	assert_int_equal(s.nr, 5);
	NEAR(s.min, 1);
	NEAR(s.q1, 3);
	NEAR(s.median, 5);
	NEAR(s.q3, 7);
	NEAR(s.max, 9);
	NEAR(v[0], 9); /* the caller's order is kept */
	rwy_summary_of(v, 0, &s);
	assert_int_equal(s.nr, 0);
	NEAR(s.median, 0);
}

/* Table of the sign test: n, the rank of the interval's low end, its coverage. */
static void interval_matches_the_sign_test(void **state)
{
	(void)state;
	static const struct {
		unsigned nr, rank;
		double coverage;
	} rows[] = {
		{4, 1, 0.875},	   {5, 1, 0.9375},	 {6, 1, 0.96875},
		{8, 2, 0.9296875}, {10, 2, 0.978515625}, {20, 6, 0.95861053466796875},
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(rows); i++) {
		double ours[32], peer[32];
		struct rwy_summary_ratio r;

		for (unsigned j = 0; j < rows[i].nr; j++) {
			ours[j] = rows[i].nr - j;
			peer[j] = 1;
		}
		rwy_summary_compare(ours, peer, rows[i].nr, false, &r);
		NEAR(r.coverage, rows[i].coverage);
		NEAR(r.low, rows[i].rank);
		NEAR(r.high, rows[i].nr + 1 - rows[i].rank);
	}
}

static void verdicts(void **state)
{
	(void)state;
	const double fast[] = {12, 13, 11, 14, 12}, slow[] = {10, 10, 10, 10, 10};
	const double mixed[] = {12, 13, 9, 14, 12};
	struct rwy_summary_ratio r;

	rwy_summary_compare(fast, slow, 5, false, &r);
	assert_int_equal(r.verdict, RWY_SUMMARY_BETTER);
	NEAR(r.median, 1.2);
	NEAR(r.low, 1.1);
	NEAR(r.high, 1.4);
	rwy_summary_compare(slow, fast, 5, false, &r);
	assert_int_equal(r.verdict, RWY_SUMMARY_WORSE);
	rwy_summary_compare(fast, slow, 5, true, &r);
	assert_int_equal(r.verdict, RWY_SUMMARY_WORSE);
	rwy_summary_compare(slow, fast, 5, true, &r);
	assert_int_equal(r.verdict, RWY_SUMMARY_BETTER);
	rwy_summary_compare(mixed, slow, 5, false, &r);
	assert_int_equal(r.verdict, RWY_SUMMARY_NOISE);
	rwy_summary_compare(slow, slow, 5, false, &r);
	assert_int_equal(r.verdict, RWY_SUMMARY_NOISE);
	rwy_summary_compare(fast, slow, 4, false, &r);
	assert_int_equal(r.verdict, RWY_SUMMARY_FEW);
}

/* A sum of uniforms, near enough to normal; mean 0, deviation 1. */
static double bell(unsigned *seed)
{
	double sum = -6;

	for (unsigned i = 0; i < 12; i++)
		sum += (double)rand_r(seed) / RAND_MAX;
	return sum;
}

static unsigned verdict_count(double gain, double noise, enum rwy_summary_verdict verdict)
{
	unsigned seed = 7, hits = 0;

	for (unsigned run = 0; run < 1000; run++) {
		double ours[8], peer[8];
		struct rwy_summary_ratio r;

		for (unsigned i = 0; i < 8; i++) {
			ours[i] = 10 * gain * (1 + noise * bell(&seed));
			peer[i] = 10 * (1 + noise * bell(&seed));
		}
		rwy_summary_compare(ours, peer, 8, false, &r);
		hits += r.verdict == verdict;
	}
	return hits;
}

/* The promise of the interval: equals are told apart in at most one run of ten. */
static void noise_is_called_noise(void **state)
{
	(void)state;
	unsigned calm = verdict_count(1.0, 0.1, RWY_SUMMARY_NOISE);

	assert_in_range(calm, 900, 960);
	assert_in_range(verdict_count(1.02, 0.1, RWY_SUMMARY_NOISE), 800, 1000);
	assert_in_range(verdict_count(1.5, 0.05, RWY_SUMMARY_BETTER), 999, 1000);
	assert_in_range(verdict_count(0.7, 0.05, RWY_SUMMARY_WORSE), 999, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_interpolate),	  cmocka_unit_test(five_numbers),
		cmocka_unit_test(interval_matches_the_sign_test), cmocka_unit_test(verdicts),
		cmocka_unit_test(noise_is_called_noise),
	};

	return UNIT_RUN(tests);
}
