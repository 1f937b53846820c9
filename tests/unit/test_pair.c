/* SPDX-License-Identifier: BSD-3-Clause */
/* The runner of pairs, with programs that are only numbers. */
#include "tests/unit/unit.h"

#include "perf/pair.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fake {
	struct rwy_pair_about about;
	struct rwy_pair_bench bench;
	char order[64]; /* 'o' and 'p' as they were measured */
	double ours;
	double peer;
	unsigned ours_fails_at; /* the how-manieth step of all, 0 never */
	int error;
	bool interrupts;
	bool peer_ends_badly;
	unsigned stands_at; /* the how-manieth step makes no progress */
	char *text;	    /* what was printed */
};

static int measure(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side side,
		   double *values)
{
	struct fake *f = bench->ctx;
	size_t nr = strlen(f->order);

	f->order[nr] = side == RWY_PAIR_OURS ? 'o' : 'p';
	if (f->interrupts && nr == 2) {
		bench->run.interrupted = true;
		snprintf(c->failed[side], RWY_PAIR_TEXT, "interrupted");
		return -EINTR;
	}
	if (side == RWY_PAIR_OURS && nr + 1 == f->ours_fails_at) {
		snprintf(c->failed[side], RWY_PAIR_TEXT, "it broke");
		return f->error;
	}
	/* a slow drift of the machine that must cancel */
	values[0] = (side == RWY_PAIR_OURS ? f->ours : f->peer) * (1 + 0.01 * (double)nr);
	values[1] = side == RWY_PAIR_OURS ? 7 : 0;
	if (nr + 1 == f->stands_at)
		values[0] = 0;
	snprintf(c->commands[side], RWY_PAIR_TEXT, "taskset -c %u thing\nsecond", side);
	return 0;
}

static int begin(void **state)
{
	static const struct rwy_pair_metric metrics[] = {{"rate", "Mpps", false},
							 {"exits", "", true}};
	struct fake *f = calloc(1, sizeof(*f));

	*state = f;
	if (!f || rwy_pair_init(&f->bench, &f->about, f) < 0)
		return -1;
	f->about.name = "fake";
	f->about.title = "numbers";
	f->about.sides[RWY_PAIR_OURS] = "mine";
	f->about.sides[RWY_PAIR_PEER] = "yours";
	f->about.metrics = metrics;
	f->about.nr_metrics = 2;
	f->about.measure = measure;
	f->ours = 30;
	f->peer = 10;
	f->error = -EIO;
	return rwy_pair_add(&f->bench, NULL, "case %d", 1) ? 0 : -1;
}

static int end(void **state)
{
	struct fake *f = *state;

	rwy_pair_fini(&f->bench);
	free(f->text);
	free(f);
	return 0;
}

static int run(struct fake *f)
{
	size_t len;
	FILE *out = open_memstream(&f->text, &len);
	int status = rwy_pair_run(&f->bench, out);

	fclose(out);
	return status;
}

static void alternates(void **state)
{
	struct fake *f = *state;

	assert_int_equal(run(f), 0);
	assert_string_equal(f->order, "oppooppoop");
	assert_non_null(strstr(f->text, "better"));
	assert_non_null(strstr(f->text, "  ours   taskset -c 0 thing\n         second\n"));
}

static void noise_is_not_a_difference(void **state)
{
	struct fake *f = *state;

	f->ours = f->peer = 10;
	assert_int_equal(run(f), 0);
	assert_non_null(strstr(f->text, "within noise"));
	assert_null(strstr(f->text, "better"));
	assert_null(strstr(f->text, "worse"));
}

static int note(struct fake *f, enum rwy_pair_side side, char ours, char peer)
{
	f->order[strlen(f->order)] = side == RWY_PAIR_OURS ? ours : peer;
	return 0;
}

static int begin_side(struct rwy_pair_bench *bench, struct rwy_pair_case *c,
		      enum rwy_pair_side side)
{
	return note(bench->ctx, side, '(', '[');
}

static int end_side(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side side)
{
	struct fake *f = bench->ctx;

	note(f, side, ')', ']');
	if (side != RWY_PAIR_PEER || !f->peer_ends_badly || c->failed[side][0])
		return 0;
	snprintf(c->failed[side], RWY_PAIR_TEXT, "its sums are wrong");
	return -EPROTO;
}

static void take_turns(struct fake *f, unsigned pairs, unsigned turns)
{
	f->bench.opts.pairs = pairs;
	f->bench.opts.measure_ms = turns * 100;
	f->about.turn_ms = 100;
	f->about.begin = begin_side;
	f->about.end = end_side;
}

static void each_turn_is_a_pair(void **state)
{
	struct fake *f = *state;

	take_turns(f, 2, 3);
	assert_int_equal(run(f), 0);
	assert_string_equal(f->order, "([oppoop)]"
				      "[(pooppo)]");
	assert_non_null(strstr(f->text, "in 3 turns by turns"));
	assert_non_null(strstr(f->text, "better"));
	f->bench.opts.measure_ms = 3600000;
	assert_int_equal(rwy_pair_turns(&f->bench), RWY_SUMMARY_MAX / 2);
}

static void what_ends_badly_is_not_counted(void **state)
{
	struct fake *f = *state;

	take_turns(f, 2, 2);
	f->peer_ends_badly = true;
	assert_int_equal(run(f), 1);
	assert_string_equal(f->order, "([oppo)](oo)]");
	assert_non_null(strstr(f->text, "not measured: case 1, yours: its sums are wrong\n"));
	assert_non_null(strstr(f->text, "not compared"));
}

static void a_standstill_voids_its_turn(void **state)
{
	struct fake *f = *state;

	take_turns(f, 2, 5);
	f->stands_at = 3;
	assert_int_equal(run(f), 0);
	assert_int_equal(f->bench.cases[0].nr[RWY_PAIR_OURS], 9);
	assert_int_equal(f->bench.cases[0].nr[RWY_PAIR_PEER], 9);
}

static void standing_still_is_a_failure(void **state)
{
	struct fake *f = *state;

	f->ours = 0;
	assert_int_equal(run(f), 1);
	assert_non_null(strstr(f->text, "case 1, mine: it stood still for more than half"));
}

static void one_pair_is_too_few(void **state)
{
	struct fake *f = *state;

	f->bench.opts.pairs = 1;
	assert_int_equal(run(f), 0);
	assert_non_null(strstr(f->text, "too few pairs"));
}

static void failure_is_told_and_the_rest_goes_on(void **state)
{
	struct fake *f = *state;

	assert_non_null(rwy_pair_add(&f->bench, NULL, "case 2"));
	f->ours_fails_at = 4;
	assert_int_equal(run(f), 1);
	assert_string_equal(f->order, "oppoppp"
				      "oppooppoop");
	assert_non_null(strstr(f->text, "not measured: case 1, mine: it broke\n"));
}

static void what_is_not_installed_is_tried_once(void **state)
{
	struct fake *f = *state;

	assert_non_null(rwy_pair_add(&f->bench, NULL, "case 2"));
	f->ours_fails_at = 1;
	f->error = -ENOENT;
	assert_int_equal(run(f), 1);
	assert_string_equal(f->order, "opppppppppp");
	assert_non_null(strstr(f->text, "not measured: mine: it broke\n"));
	assert_non_null(strstr(f->text, "not compared"));
}

static void interruption_keeps_what_there_is(void **state)
{
	struct fake *f = *state;

	f->interrupts = true;
	assert_int_equal(run(f), 1);
	assert_string_equal(f->order, "opp");
	assert_non_null(strstr(f->text, "(interrupted)"));
	assert_null(strstr(f->text, "not measured"));
}

static void json_has_every_value(void **state)
{
	struct fake *f = *state;
	char path[] = "/tmp/test_pair.XXXXXX";
	json_t *root, *metric;
	const char *verdict;
	double ratio;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	f->bench.opts.json = path;
	assert_int_equal(run(f), 0);
	root = json_load_file(path, 0, NULL);
	unlink(path);
	assert_non_null(root);
	metric = json_array_get(json_object_get(json_array_get(json_object_get(root, "cases"), 0),
						"metrics"),
				0);
	assert_int_equal(json_array_size(
				 json_object_get(json_object_get(metric, "ours"), "values")),
			 5);
	assert_int_equal(json_unpack(json_object_get(metric, "ratio"), "{s:F, s:s}", "median",
				     &ratio, "verdict", &verdict),
			 0);
	assert_true(ratio > 2.9 && ratio < 3.1);
	assert_string_equal(verdict, "better");
	json_decref(root);
}

static void none_is_no_measure(void **state)
{
	struct fake *f = *state;

	assert_int_equal(run(f), 0);
	const char *row = strstr(f->text, "exits");

	assert_non_null(row);
	assert_memory_equal(strchr(row, '\n') - strlen("not compared"), "not compared",
			    strlen("not compared"));
}

static void json_path_that_cannot_be(void **state)
{
	struct fake *f = *state;

	f->bench.opts.json = "/nowhere/at-all.json";
	assert_int_equal(run(f), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(alternates, begin, end),
		cmocka_unit_test_setup_teardown(noise_is_not_a_difference, begin, end),
		cmocka_unit_test_setup_teardown(one_pair_is_too_few, begin, end),
		cmocka_unit_test_setup_teardown(each_turn_is_a_pair, begin, end),
		cmocka_unit_test_setup_teardown(what_ends_badly_is_not_counted, begin, end),
		cmocka_unit_test_setup_teardown(a_standstill_voids_its_turn, begin, end),
		cmocka_unit_test_setup_teardown(standing_still_is_a_failure, begin, end),
		cmocka_unit_test_setup_teardown(failure_is_told_and_the_rest_goes_on, begin, end),
		cmocka_unit_test_setup_teardown(what_is_not_installed_is_tried_once, begin, end),
		cmocka_unit_test_setup_teardown(interruption_keeps_what_there_is, begin, end),
		cmocka_unit_test_setup_teardown(json_has_every_value, begin, end),
		cmocka_unit_test_setup_teardown(none_is_no_measure, begin, end),
		cmocka_unit_test_setup_teardown(json_path_that_cannot_be, begin, end),
	};

	return UNIT_RUN(tests);
}
