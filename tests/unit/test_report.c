/* SPDX-License-Identifier: BSD-3-Clause */
/* What is made of a result: ranks, verdicts and the words for them. */
#include "tests/unit/fake_root.h"

#include "perf/report.h"
#include "tests/perf/fake_result.h"

#include <math.h>

#define ROUNDS 7

/* A path whose rate in round i is base + slope * wobble[i]. */
static struct rwy_result_path *add(struct rwy_result *result, const char *name, double base,
				   double slope, unsigned rounds)
{
	static const double wobble[ROUNDS] = {0, 3, -2, 1, -3, 2, -1};
	struct rwy_result_path *path = rwy_result_add_path(result, RWY_RESULT_NET, name, "w");

	assert_non_null(path);
	for (unsigned i = 0; i < rounds; i++) {
		struct rwy_result_round *round = rwy_result_add_round(path, i);

		assert_int_equal(rwy_result_set(round, RWY_RESULT_PPS, NULL,
						base + slope * wobble[i]),
				 0);
	}
	return path;
}

/* Saved, loaded and judged, as the command does. */
static const struct rwy_report_rank *judge(const char *root, struct rwy_result *result,
					   struct rwy_report *report)
{
	struct rwy_result_why why;
	char file[FAKE_ROOT_PATH];

	fake_root_path(file, root, "/" RWY_RESULT_FILE);
	assert_int_equal(rwy_result_save(result, file), 0);
	rwy_result_fini(result);
	if (rwy_report_open(report, root, &why) < 0)
		fail_msg("%s", why.text);
	return report->nr_groups ? &report->groups[0].ranks[RWY_REPORT_RATE] : NULL;
}

static void reason(const struct rwy_report *report, const char *wanted)
{
	char text[1024];

	rwy_report_reason(&report->groups[0], RWY_REPORT_RATE, text, sizeof(text));
	if (strcmp(text, wanted))
		fail_msg("said '%s', not '%s'", text, wanted);
}

static void price(const struct rwy_report_rank *rank, unsigned row, const char *wanted)
{
	char text[128];

	rwy_report_price(rank, &rank->rows[row], text, sizeof(text));
	assert_string_equal(text, wanted);
}

static void advice(const struct rwy_report *report, const char *wanted)
{
	char text[1024];

	rwy_report_advice(&report->groups[0], text, sizeof(text));
	assert_string_equal(text, wanted);
}

static void a_clear_best(void **state)
{
	struct rwy_result result;
	struct rwy_report report;
	const struct rwy_report_rank *rank;

	assert_int_equal(rwy_result_init(&result, ROUNDS), 0);
	add(&result, "slow", 400, 1, ROUNDS);
	add(&result, "fast", 1000, 1, ROUNDS);
	add(&result, "middle", 800, 1, ROUNDS);
	rank = judge(*state, &result, &report);
	assert_int_equal(rank->call, RWY_REPORT_CLEAR);
	assert_int_equal(rank->nr, 3);
	assert_string_equal(rank->rows[0].path->name, "fast");
	assert_string_equal(rank->rows[1].path->name, "middle");
	assert_string_equal(report.groups[0].paths[2]->name, "slow"); /* the order of all tables */
	reason(&report,
	       "“fast” moves 1.00 k packets/s: 1.25 times as much as the next best, “middle” "
	       "(1.25 to 1.25, 7 rounds).");
	price(rank, 0, "best");
	price(rank, 1, "20 % less (20 to 20 %)");
	price(rank, 2, "60 % less (60 to 60 %)");
	advice(&report, "Take “fast” for throughput.");
	assert_int_equal(report.groups[0].ranks[RWY_REPORT_COST].call, RWY_REPORT_NONE);
	rwy_report_close(&report);
}

static void a_tie(void **state)
{
	struct rwy_result result;
	struct rwy_report report;
	const struct rwy_report_rank *rank;

	assert_int_equal(rwy_result_init(&result, ROUNDS), 0);
	add(&result, "one", 1000, 10, ROUNDS);
	add(&result, "two", 1001, -10, ROUNDS);
	add(&result, "three", 500, 1, ROUNDS);
	rank = judge(*state, &result, &report);
	assert_int_equal(rank->call, RWY_REPORT_TIED);
	assert_int_equal(rank->nr_tied, 1);
	reason(&report,
	       "“two” moves 1.00 k packets/s, the best median; but what sets it off from 1 "
	       "other is not more than the noise.");
	price(rank, 1, "no difference shown (6 % less to 6 % more)");
	advice(&report, "Take “two” or “one” for throughput. Where several are named, no "
			"difference was shown.");
	rwy_report_close(&report);
}

static void nothing_but_noise(void **state)
{
	struct rwy_result result;
	struct rwy_report report;

	assert_int_equal(rwy_result_init(&result, ROUNDS), 0);
	add(&result, "one", 1000, 10, ROUNDS);
	add(&result, "two", 1001, -10, ROUNDS);
	judge(*state, &result, &report);
	advice(&report, "No recommendation: what sets these paths apart is not more than the noise "
			"of this run.");
	rwy_report_close(&report);
}

static void too_few_rounds(void **state)
{
	struct rwy_result result;
	struct rwy_report report;
	const struct rwy_report_rank *rank;

	assert_int_equal(rwy_result_init(&result, ROUNDS), 0);
	add(&result, "one", 1000, 1, 4);
	add(&result, "two", 500, 1, 4);
	rank = judge(*state, &result, &report);
	assert_int_equal(rank->call, RWY_REPORT_FEW);
	price(rank, 1, "50 % less (50 to 50 %), too few rounds");
	advice(&report, "No recommendation: to tell paths apart takes 5 rounds at least.");
	rwy_report_close(&report);
}

static void one_path_or_none(void **state)
{
	struct rwy_result result;
	struct rwy_report report;
	struct rwy_result_path *path;

	assert_int_equal(rwy_result_init(&result, ROUNDS), 0);
	add(&result, "one", 1000, 1, ROUNDS);
	path = add(&result, "two", 2000, 1, ROUNDS); /* whose turn failed */
	path->status = RWY_RESULT_FAILED;
	assert_int_equal(judge(*state, &result, &report)->call, RWY_REPORT_ALONE);
	reason(&report, "“one” moves 1.00 k packets/s. No other path was measured for it.");
	assert_int_equal(report.groups[0].nr, 2); /* its rounds are shown all the same */
	rwy_report_close(&report);
	assert_int_equal(rwy_result_init(&result, ROUNDS), 0);
	assert_non_null(rwy_result_add_path(&result, RWY_RESULT_NET, "three", "w"));
	assert_int_equal(judge(*state, &result, &report)->call, RWY_REPORT_NONE);
	reason(&report, "No path was measured for it.");
	rwy_report_close(&report);
	assert_int_equal(rwy_result_init(&result, ROUNDS), 0);
	assert_null(judge(*state, &result, &report));
	rwy_report_close(&report);
}

/* The machine slows down from round to round: medians mislead where rounds are missing. */
static void pairs_say_more_than_medians(void **state)
{
	struct rwy_result result;
	struct rwy_report report;
	const struct rwy_report_rank *rank;
	struct rwy_result_path *early, *all;

	assert_int_equal(rwy_result_init(&result, 9), 0);
	early = rwy_result_add_path(&result, RWY_RESULT_NET, "early", "w");
	all = rwy_result_add_path(&result, RWY_RESULT_NET, "all", "w");
	for (unsigned i = 0; i < 9; i++) {
		struct rwy_result_round *round = rwy_result_add_round(all, i);

		assert_int_equal(rwy_result_set(round, RWY_RESULT_PPS, NULL, 1100 - 100.0 * i), 0);
		if (i > 4)
			continue;
		round = rwy_result_add_round(early, i);
		assert_int_equal(rwy_result_set(round, RWY_RESULT_PPS, NULL, 1000 - 100.0 * i), 0);
	}
	rank = judge(*state, &result, &report);
	assert_string_equal(rank->rows[0].path->name, "all"); /* though its median is lower */
	assert_true(rank->rows[0].figure.median < rank->rows[1].figure.median);
	assert_int_equal(rank->rows[1].ratio.nr, 5);
	assert_int_equal(rank->call, RWY_REPORT_CLEAR);
	rwy_report_close(&report);
}

static void groups_keep_workloads_apart(void **state)
{
	struct rwy_result result;
	struct rwy_report report;

	assert_int_equal(fake_result_make(&result, "whole"), 0);
	(void)judge(*state, &result, &report);
	assert_int_equal(report.nr_groups, 2);
	assert_int_equal(report.groups[0].nr, 8);
	assert_int_equal(report.groups[1].nr, 5);
	assert_string_equal(report.groups[0].paths[7]->name, "OVS-DPDK"); /* missing comes last */
	for (unsigned aim = 0; aim < RWY_REPORT_AIMS; aim++)
		assert_int_equal(report.groups[0].ranks[aim].call, RWY_REPORT_CLEAR);
	assert_int_equal(report.groups[1].ranks[RWY_REPORT_RATE].call, RWY_REPORT_TIED);
	assert_int_equal(report.groups[1].ranks[RWY_REPORT_COST].call, RWY_REPORT_CLEAR);
	assert_string_equal(report.groups[0].ranks[RWY_REPORT_COST].rows[0].path->name,
			    "SR-IOV VF");
	rwy_report_close(&report);
}

static void what_follows_is_derived(void **state)
{
	(void)state;
	struct rwy_result_round round = {0};
	const double *value;

	rwy_result_derive(&round, RWY_RESULT_NET);
	assert_int_equal(round.nr_values, 0);
	for (unsigned ns = 1; ns <= 100000; ns++)
		rwy_stats_hist_add(&round.latency, ns);
	assert_int_equal(rwy_result_set(&round, RWY_RESULT_PPS, NULL, 1e6), 0);
	assert_int_equal(rwy_result_set(&round, RWY_RESULT_CPU_HOST, NULL, 2), 0);
	assert_int_equal(rwy_result_set(&round, RWY_RESULT_LAT_P999, NULL, 42), 0);
	rwy_result_derive(&round, RWY_RESULT_NET);
	assert_true(*rwy_result_get(&round, RWY_RESULT_COST, NULL) == 2000);
	assert_null(rwy_result_get(&round, RWY_RESULT_COST_KIB, NULL));
	assert_true(*rwy_result_get(&round, RWY_RESULT_LAT_P999, NULL) == 42); /* as measured */
	assert_true(*rwy_result_get(&round, RWY_RESULT_LAT_MAX, NULL) == 100000);
	value = rwy_result_get(&round, RWY_RESULT_LAT_P50, NULL);
	assert_true(fabs(*value - 50000) < 500); /* far below the width of its bucket */
	value = rwy_result_get(&round, RWY_RESULT_LAT_P99, NULL);
	assert_true(fabs(*value - 99000) < 1000);
}

/* A stream has no packets that anybody counted, pings have no rate. */
static void what_there_is_is_judged(void **state)
{
	struct rwy_result result;
	struct rwy_report report;
	const struct rwy_report_group *group;

	assert_int_equal(rwy_result_init(&result, ROUNDS), 0);
	for (unsigned p = 0; p < 2; p++) {
		struct rwy_result_path *path =
			rwy_result_add_path(&result, RWY_RESULT_NET, p ? "b" : "a", "w");

		for (unsigned i = 0; i < ROUNDS; i++) {
			struct rwy_result_round *round = rwy_result_add_round(path, i);

			assert_int_equal(rwy_result_set(round, RWY_RESULT_BPS, NULL,
							8192e6 * (p + 1)),
					 0);
			assert_int_equal(rwy_result_set(round, RWY_RESULT_CPU_HOST, NULL, 1), 0);
		}
		path = rwy_result_add_path(&result, RWY_RESULT_NET, p ? "b" : "a", "pings");
		for (unsigned i = 0; i < ROUNDS; i++)
			assert_int_equal(rwy_result_set(rwy_result_add_round(path, i),
							RWY_RESULT_LAT_P99, NULL, 1000 - 500 * p),
					 0);
	}
	(void)judge(*state, &result, &report);
	group = &report.groups[0];
	assert_int_equal(group->ranks[RWY_REPORT_RATE].metric, RWY_RESULT_BPS);
	assert_int_equal(group->ranks[RWY_REPORT_COST].metric, RWY_RESULT_COST_KIB);
	assert_true(group->ranks[RWY_REPORT_COST].rows[0].figure.median == 500);
	advice(&report, "Take “b” for throughput and host CPU.");
	group = &report.groups[1];
	assert_int_equal(group->ranks[RWY_REPORT_RATE].call, RWY_REPORT_NONE);
	assert_int_equal(group->ranks[RWY_REPORT_LATENCY].call, RWY_REPORT_CLEAR);
	assert_string_equal(group->paths[0]->name, "b");
	assert_int_equal(group->hues[0], report.groups[0].hues[0]); /* b's, whatever its place */
	assert_int_equal(group->hues[1], 0);
	rwy_report_close(&report);
}

static void numbers(void **state)
{
	(void)state;
	static const struct {
		enum rwy_result_metric metric;
		double value;
		const char *text;
	} rows[] = {
		{RWY_RESULT_PPS, 0, "0"},
		{RWY_RESULT_PPS, 1, "1.00"},
		{RWY_RESULT_PPS, 9.996, "10.0"},
		{RWY_RESULT_PPS, 99.96, "100"},
		{RWY_RESULT_PPS, 999.4, "999"},
		{RWY_RESULT_PPS, 999.7, "1.00 k"},
		{RWY_RESULT_PPS, 1234567, "1.23 M"},
		{RWY_RESULT_BPS, 25e9, "25.0 G"},
		{RWY_RESULT_PPS, 1e18, "1000000 T"},
		{RWY_RESULT_EXITS, 0.5, "0.50"},
		{RWY_RESULT_EXITS, 0.00042, "0.00042"},
		{RWY_RESULT_EXITS, 0.0000997, "0.00010"},
		{RWY_RESULT_EXITS, 2e-5, "0.000020"},
		{RWY_RESULT_EXITS, 1e-300, "0.000000000"},
		{RWY_RESULT_LAT_P50, 850, "850 ns"},
		{RWY_RESULT_LAT_P50, 12345, "12.3 µs"},
		{RWY_RESULT_LAT_P50, 2e9, "2.00 s"},
		{RWY_RESULT_COST, 109, "109 ns"},
		{RWY_RESULT_SETUP, 0.41, "410 ms"},
		{RWY_RESULT_SETUP, 75, "75.0 s"},
		{RWY_RESULT_MEMORY, 6.5 * (1 << 20), "6.50 MiB"},
		{RWY_RESULT_CPU_HOST, 2.02, "2.02"},
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(rows); i++) {
		char text[RWY_REPORT_NUMBER];

		rwy_report_number(rows[i].metric, rows[i].value, text);
		assert_string_equal(text, rows[i].text);
	}
	assert_string_equal(rwy_report_unit(RWY_RESULT_EXITS, RWY_RESULT_NET), "a packet");
	assert_string_equal(rwy_report_unit(RWY_RESULT_CYCLES, RWY_RESULT_BLK), "a request");
	assert_string_equal(rwy_report_unit(RWY_RESULT_LAT_MAX, RWY_RESULT_BLK), "");
}

static void text_is_escaped(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	rwy_report_put(out, "<b>%s</b>%u %g 100%%\n", "<a href=\"x\">'&\x01\x7f\n\té", 7u, 0.5);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "<b>&lt;a href=&quot;x&quot;&gt;&#39;&amp;"
				  "\xef\xbf\xbd\xef\xbf\xbd\n\té</b>7 0.5 100%\n");
	free(text);
}

static void csv_has_no_formulas(void **state)
{
	struct rwy_result result;
	struct rwy_report report;
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	assert_int_equal(fake_result_make(&result, "hostile"), 0);
	(void)judge(*state, &result, &report);
	out = open_memstream(&text, &len);
	assert_int_equal(rwy_report_csv(out, &report, 1), 0);
	assert_int_equal(fclose(out), 0);
	assert_null(strstr(text, "\"=1+1\""));
	assert_non_null(strstr(text, "\"'=1+1\""));
	assert_non_null(strstr(text, "alert(1)</script>\"\"'&"));
	free(text);
	rwy_report_close(&report);
}

static void parts_come_largest_first(void **state)
{
	(void)state;
	struct rwy_result result;
	struct rwy_result_path *path;
	struct rwy_report_part parts[8];

	assert_int_equal(rwy_result_init(&result, 2), 0);
	path = rwy_result_add_path(&result, RWY_RESULT_NET, "a", "w");
	for (unsigned i = 0; i < 2; i++) {
		struct rwy_result_round *round = rwy_result_add_round(path, i);

		assert_int_equal(rwy_result_set(round, RWY_RESULT_EXITS_BY, "small", 1), 0);
		assert_int_equal(rwy_result_set(round, RWY_RESULT_EXITS_BY, "large", 3 + i), 0);
		if (i == 1)
			assert_int_equal(rwy_result_set(round, RWY_RESULT_EXITS_BY, "late", 2), 0);
	}
	assert_int_equal(rwy_report_parts(path, RWY_RESULT_EXITS_BY, parts, 8), 3);
	assert_string_equal(parts[0].of, "large");
	assert_true(parts[0].figure.median == 3.5);
	assert_string_equal(parts[1].of, "late");
	assert_string_equal(parts[2].of, "small");
	assert_int_equal(rwy_report_parts(path, RWY_RESULT_IRQS_BY, parts, 8), 0);
	assert_int_equal(rwy_report_parts(path, RWY_RESULT_EXITS_BY, parts, 2), 2);
	rwy_result_fini(&result);
}

#define ROOTED(test) cmocka_unit_test_setup_teardown(test, fake_root_open, fake_root_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOTED(a_clear_best),
		ROOTED(a_tie),
		ROOTED(nothing_but_noise),
		ROOTED(too_few_rounds),
		ROOTED(one_path_or_none),
		ROOTED(pairs_say_more_than_medians),
		ROOTED(groups_keep_workloads_apart),
		cmocka_unit_test(what_follows_is_derived),
		ROOTED(what_there_is_is_judged),
		cmocka_unit_test(numbers),
		cmocka_unit_test(text_is_escaped),
		ROOTED(csv_has_no_formulas),
		cmocka_unit_test(parts_come_largest_first),
	};

	return UNIT_RUN(tests);
}
