/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"

#include "perf/summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- known distributions ---- */

/* Steele's splitmix64: the same numbers with every C library. */
static double uniform(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return ((double)((z ^ (z >> 31)) >> 11) + 0.5) / (double)(UINT64_C(1) << 53);
}

static double bell(uint64_t *seed)
{
	return sqrt(-2 * log(uniform(seed))) * cos(2 * M_PI * uniform(seed));
}

static double draw_uniform(uint64_t *seed)
{
	return 1 + uniform(seed);
}

static double draw_normal(uint64_t *seed)
{
	return 10 + bell(seed);
}

static double draw_exponential(uint64_t *seed)
{
	return -log(uniform(seed));
}

/* Three runs of four are fast and one is slow: its median lies in the fast ones' upper part. */
static double draw_bimodal(uint64_t *seed)
{
	return uniform(seed) < 0.75 ? 1 + 0.3 * uniform(seed) : 3 + uniform(seed);
}

static const struct distribution {
	const char *name;
	double (*draw)(uint64_t *seed);
	double median;
} distributions[] = {
	{"uniform", draw_uniform, 1.5},
	{"normal", draw_normal, 10},
	{"exponential", draw_exponential, M_LN2},
	{"bimodal", draw_bimodal, 1.2},
};

static void quantiles_of_known_distributions(void **state)
{
	(void)state;
	static const double qs[] = {0.01, 0.25, 0.5, 0.9, 0.99};
	enum { DRAWS = 100000 };
	double *v = malloc(DRAWS * sizeof(*v));
	uint64_t seed = 1;

	assert_non_null(v);
	for (unsigned i = 0; i < DRAWS; i++)
		v[i] = draw_uniform(&seed);
	rwy_summary_sort(v, DRAWS);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(qs); i++)
		assert_true(fabs(rwy_summary_quantile(v, DRAWS, qs[i]) - (1 + qs[i])) < 0.01);
	for (unsigned i = 0; i < DRAWS; i++)
		v[i] = draw_exponential(&seed);
	rwy_summary_sort(v, DRAWS);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(qs); i++) {
		double is = rwy_summary_quantile(v, DRAWS, qs[i]), should = -log(1 - qs[i]);

		assert_true(fabs(is - should) < 0.03 * should + 0.001);
	}
	free(v);
}

/* Rounds of one simulated campaign, and how far a share may stray from its chance: 4 deviations. */
#define CAMPAIGNS 4000

static void share_is(const char *what, unsigned nr, unsigned hits, double chance)
{
	double share = (double)hits / CAMPAIGNS;
	double stray = 4 * sqrt(chance * (1 - chance) / CAMPAIGNS);

	if (fabs(share - chance) > stray)
		fail_msg("%s of %u: %.4f, not %.4f", what, nr, share, chance);
}

static const unsigned sizes[] = {5, 6, 7, 8, 10, 15, 20, 40, RWY_SUMMARY_MAX};

/* The interval holds the true median as often as it says, and never less than promised. */
static void intervals_hold_the_median(void **state)
{
	(void)state;
	uint64_t seed = 2;

	for (unsigned d = 0; d < RWY_ARRAY_SIZE(distributions); d++)
		for (unsigned s = 0; s < RWY_ARRAY_SIZE(sizes); s++) {
			const struct distribution *dist = &distributions[d];
			struct rwy_summary_ratio r = {0};
			unsigned held = 0;

			for (unsigned run = 0; run < CAMPAIGNS; run++) {
				double v[RWY_SUMMARY_MAX], one[RWY_SUMMARY_MAX];

				for (unsigned i = 0; i < sizes[s]; i++) {
					v[i] = dist->draw(&seed);
					one[i] = 1;
				}
				rwy_summary_compare(v, one, sizes[s], false, &r);
				held += r.low <= dist->median && dist->median <= r.high;
			}
			assert_true(r.coverage >= RWY_SUMMARY_CONFIDENCE);
			share_is(dist->name, sizes[s], held, r.coverage);
		}
}

/* Equals are told apart as often as the interval misses, in at most one run of ten. */
static void equals_are_rarely_told_apart(void **state)
{
	(void)state;
	uint64_t seed = 3;

	for (unsigned d = 0; d < RWY_ARRAY_SIZE(distributions); d++)
		for (unsigned s = 0; s < RWY_ARRAY_SIZE(sizes); s++) {
			const struct distribution *dist = &distributions[d];
			struct rwy_summary_ratio r = {0};
			unsigned better = 0, worse = 0;

			for (unsigned run = 0; run < CAMPAIGNS; run++) {
				double a[RWY_SUMMARY_MAX], b[RWY_SUMMARY_MAX];

				for (unsigned i = 0; i < sizes[s]; i++) {
					a[i] = dist->draw(&seed);
					b[i] = dist->draw(&seed);
				}
				rwy_summary_compare(a, b, sizes[s], run % 2, &r);
				better += r.verdict == RWY_SUMMARY_BETTER;
				worse += r.verdict == RWY_SUMMARY_WORSE;
			}
			share_is(dist->name, sizes[s], better + worse, 1 - r.coverage);
			share_is(dist->name, sizes[s], better, (1 - r.coverage) / 2);
		}
}

static unsigned verdict_count(double gain, double noise, enum rwy_summary_verdict verdict)
{
	unsigned hits = 0;
	uint64_t seed = 7;

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

/* A difference well above the noise is seen, one well below it is not. */
static void differences_are_seen(void **state)
{
	(void)state;
	assert_in_range(verdict_count(1.0, 0.1, RWY_SUMMARY_NOISE), 900, 960);
	assert_in_range(verdict_count(1.02, 0.1, RWY_SUMMARY_NOISE), 800, 1000);
	assert_in_range(verdict_count(1.5, 0.05, RWY_SUMMARY_BETTER), 999, 1000);
	assert_in_range(verdict_count(0.7, 0.05, RWY_SUMMARY_WORSE), 999, 1000);
}

/* A slow spell of the machine halves both sides of a pair, and changes nothing. */
static void slow_spells_cancel(void **state)
{
	(void)state;
	double ours[8], peer[8];
	struct rwy_summary_ratio calm, rough;

	for (unsigned i = 0; i < 8; i++) {
		ours[i] = 110 + i;
		peer[i] = 100;
	}
	rwy_summary_compare(ours, peer, 8, false, &calm);
	for (unsigned i = 0; i < 8; i += 3) {
		ours[i] /= 2;
		peer[i] /= 2;
	}
	rwy_summary_compare(ours, peer, 8, false, &rough);
	assert_memory_equal(&calm, &rough, sizeof(calm));
	assert_int_equal(rough.verdict, RWY_SUMMARY_BETTER);
	/* and one that hits only one of them moves no verdict */
	ours[1] /= 10;
	rwy_summary_compare(ours, peer, 8, false, &rough);
	assert_int_equal(rough.verdict, RWY_SUMMARY_BETTER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_interpolate),
		cmocka_unit_test(five_numbers),
		cmocka_unit_test(interval_matches_the_sign_test),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(quantiles_of_known_distributions),
		cmocka_unit_test(intervals_hold_the_median),
		cmocka_unit_test(equals_are_rarely_told_apart),
		cmocka_unit_test(differences_are_seen),
		cmocka_unit_test(slow_spells_cancel),
	};

	return UNIT_RUN(tests);
}
