/* SPDX-License-Identifier: BSD-3-Clause */
/* The search for a rate, on lines whose true rate is known. */
#include "tests/unit/unit.h"

#include "perf/search.h"

#include <errno.h>

struct line {
	double carries; /* all above that is lost */
	unsigned trials;
	unsigned fails_at; /* the how-manieth trial, 0 never */
	double tried[64];
};

static int trial(void *ctx, double rate, double *loss)
{
	struct line *line = ctx;

	line->tried[line->trials++] = rate;
	if (line->trials == line->fails_at)
		return -EIO;
	*loss = rate > line->carries ? (rate - line->carries) / rate : 0;
	return 0;
}

static int search(struct line *line, double loss, unsigned trials, double *rate)
{
	const struct rwy_search config = {
		.high = 1000,
		.loss = loss,
		.precision = 0.01,
		.trials = trials,
		.trial = trial,
		.ctx = line,
	};
	double lost = -1;
	int err = rwy_search_run(&config, rate, &lost);

	if (err == 0)
		assert_true(lost >= 0 && lost <= loss);
	return err;
}

static void finds_what_the_line_carries(void **state)
{
	static const double carries[] = {3, 10, 333, 500, 501, 990, 999};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(carries); i++) {
		struct line line = {.carries = carries[i]};
		double rate;

		assert_int_equal(search(&line, 0, 64, &rate), 0);
		assert_true(rate <= carries[i]);
		assert_true(rate >= carries[i] * 0.98);
		assert_true(line.tried[0] == 1000);
	}
}

static void one_trial_when_all_passes(void **state)
{
	struct line line = {.carries = 1000};
	double rate;

	assert_int_equal(search(&line, 0, 64, &rate), 0);
	assert_true(rate == 1000);
	assert_int_equal(line.trials, 1);
}

static void the_bound_lets_some_be_lost(void **state)
{
	struct line line = {.carries = 400};
	double rate;

	/* 500 loses a fifth of what is sent */
	assert_int_equal(search(&line, 0.2, 64, &rate), 0);
	assert_true(rate > 495 && rate <= 500);
}

static void a_dead_line_has_rate_zero(void **state)
{
	struct line line = {.carries = 0};
	double rate = -1;

	assert_int_equal(search(&line, 0, 10, &rate), 0);
	assert_true(rate == 0);
	assert_int_equal(line.trials, 10);
}

static void trials_are_bounded(void **state)
{
	struct line line = {.carries = 333};
	double rate;

	assert_int_equal(search(&line, 0, 3, &rate), 0);
	assert_int_equal(line.trials, 3);
	assert_true(rate == 250); /* 1000, 500, 250 */
}

static void a_failure_ends_it(void **state)
{
	struct line line = {.carries = 333, .fails_at = 2};
	double rate;

	assert_int_equal(search(&line, 0, 64, &rate), -EIO);
	assert_int_equal(line.trials, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_the_line_carries),
		cmocka_unit_test(one_trial_when_all_passes),
		cmocka_unit_test(the_bound_lets_some_be_lost),
		cmocka_unit_test(a_dead_line_has_rate_zero),
		cmocka_unit_test(trials_are_bounded),
		cmocka_unit_test(a_failure_ends_it),
	};

	return UNIT_RUN(tests);
}
