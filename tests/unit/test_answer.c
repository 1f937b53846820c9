/* SPDX-License-Identifier: BSD-3-Clause */
/* What a guest says on its console, also when it lies. */
#include "tests/unit/unit.h"

#include "perf/answer.h"

#include <errno.h>
#include <string.h>

static int parse(struct rwy_answer *answer, const char *text)
{
	return rwy_answer_parse(answer, text, 7);
}

static double value(const struct rwy_answer *answer, const char *name)
{
	const double *v = rwy_answer_get(answer, name);

	assert_non_null(v);
	return *v;
}

static void values_among_noise(void **state)
{
	struct rwy_answer answer;

	assert_int_equal(parse(&answer, "[  1.0] boot\r\nperf: 6 ops 9\r\nperf: 7 ops 12\r\n"
					"random: ready\r\nperf: 7 bps 1.5e+06\r\n"
					"perf: 7 end 0\r\nperf: 7 ops 99\r\n"),
			 0);
	assert_true(value(&answer, "ops") == 12);
	assert_true(value(&answer, "bps") == 1.5e6);
	assert_null(rwy_answer_get(&answer, "iops"));
	assert_int_equal(answer.nr, 2);
}

static void latencies(void **state)
{
	struct rwy_answer answer;

	assert_int_equal(parse(&answer, "perf: 7 lat 100 3 200 4\r\nperf: 7 lat 5000 1\n"
					"perf: 7 end 0\n"),
			 0);
	assert_int_equal(answer.latency.count, 8);
	assert_int_equal(answer.latency.max, 5000);
}

static void joined(void **state)
{
	struct rwy_answer answer, other;

	assert_int_equal(parse(&answer, "perf: 7 ops 12\nperf: 7 end 0\n"), 0);
	assert_int_equal(parse(&other, "perf: 7 pps 5\nperf: 7 lat 100 3\nperf: 7 end 0\n"), 0);
	assert_int_equal(rwy_answer_join(&answer, &other), 0);
	assert_true(value(&answer, "ops") == 12 && value(&answer, "pps") == 5);
	assert_int_equal(answer.latency.count, 3);
	while (answer.nr < RWY_ANSWER_VALUES)
		assert_int_equal(rwy_answer_add(&answer, "more", 1), 0);
	assert_int_equal(rwy_answer_add(&answer, "more", 1), -ENOSPC);
	assert_int_equal(rwy_answer_join(&answer, &other), -ENOSPC);
}

static void not_whole_yet(void **state)
{
	static const char *const texts[] = {"", "perf: 7 ops 1\n", "perf: 7 ops 1\nperf: 7 end 0",
					    "perf: 6 end 0\n", "perf: 77 end 0\n"};
	struct rwy_answer answer;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(texts); i++)
		assert_int_equal(parse(&answer, texts[i]), -EAGAIN);
}

static void failure_says_why(void **state)
{
	struct rwy_answer answer;

	assert_int_equal(parse(&answer, "perf: 7 error no disk\r\nperf: 7 end 1\r\n"), -EREMOTEIO);
	assert_string_equal(answer.error, "no disk");
}

static void lies(void **state)
{
	static const char *const texts[] = {
		"perf: 7 ops\nperf: 7 end 0\n",
		"perf: 7 ops many\nperf: 7 end 0\n",
		"perf: 7 ops -1\nperf: 7 end 0\n",
		"perf: 7 ops inf\nperf: 7 end 0\n",
		"perf: 7 ops nan\nperf: 7 end 0\n",
		"perf: 7 a-name-that-is-much-too-long 1\nperf: 7 end 0\n",
		"perf: 7 lat 5\nperf: 7 end 0\n",
		"perf: 7 lat 5 x\nperf: 7 end 0\n",
		"perf: 7 lat -5 1\nperf: 7 end 0\n",
		"perf: 7 lat 1e30 1\nperf: 7 end 0\n",
		"perf: 7 lat 5 1e18\nperf: 7 end 0\n",
		"perf: 7 \nperf: 7 end 0\n",
	};
	struct rwy_answer answer;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(texts); i++)
		assert_int_equal(parse(&answer, texts[i]), -EPROTO);
}

static void too_many_values(void **state)
{
	char text[1024] = "";
	struct rwy_answer answer;

	for (unsigned i = 0; i <= RWY_ANSWER_VALUES; i++)
		sprintf(text + strlen(text), "perf: 7 v%u 1\n", i);
	strcat(text, "perf: 7 end 0\n");
	assert_int_equal(parse(&answer, text), -EPROTO);
	assert_int_equal(answer.nr, RWY_ANSWER_VALUES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_among_noise),
		cmocka_unit_test(latencies),
		cmocka_unit_test(joined),
		cmocka_unit_test(not_whole_yet),
		cmocka_unit_test(failure_says_why),
		cmocka_unit_test(lies),
		cmocka_unit_test(too_many_values),
	};

	return UNIT_RUN(tests);
}
