/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"

#include "lib/poll.h"
#include "perf/run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct fixture {
	struct rwy_run run;
	struct rwy_run_proc proc;
};

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	return f ? rwy_run_init(&f->run) : -1;
}

/* Whatever a test left behind is ended, and no child of ours is left, alive or dead. */
static int end(void **state)
{
	struct fixture *f = *state;

	rwy_run_fini(&f->run);
	free(f);
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
}

static int shell(struct fixture *f, const char *script)
{
	const char *const argv[] = {"sh", "-c", script, NULL};

	return rwy_run_start(&f->run, &f->proc, "child", 0, argv);
}

static void missing_program(void **state)
{
	struct fixture *f = *state;
	const char *const argv[] = {"/nowhere/at-all", NULL};

	assert_int_equal(rwy_run_start(&f->run, &f->proc, "child", 0, argv), -ENOENT);
	assert_int_equal(f->run.nr_procs, 0);
}

static void talks_and_listens(void **state)
{
	struct fixture *f = *state;
	const char *const argv[] = {"cat", NULL};
	uint64_t from;

	assert_int_equal(rwy_run_start(&f->run, &f->proc, "child", 0, argv), 0);
	assert_int_equal(rwy_run_send(&f->proc, "one"), 0);
	assert_int_equal(rwy_run_expect(&f->run, &f->proc, 0, "one", 5000), 0);
	from = f->proc.written;
	assert_int_equal(rwy_run_send(&f->proc, "two"), 0);
	assert_int_equal(rwy_run_expect(&f->run, &f->proc, from, "two", 5000), 0);
	assert_null(strstr(rwy_run_output(&f->proc, from), "one"));
	assert_int_equal(rwy_run_expect(&f->run, &f->proc, from, "three", 50), -ETIMEDOUT);
	rwy_run_stop(&f->run, &f->proc);
	assert_int_equal(f->proc.pid, 0);
	assert_int_equal(WTERMSIG(f->proc.wait_status), SIGTERM);
}

static void pauses_and_goes_on(void **state)
{
	struct fixture *f = *state;
	uint64_t from;

	assert_int_equal(shell(f, "while :; do echo tick; sleep 0.01; done"), 0);
	assert_int_equal(rwy_run_expect(&f->run, &f->proc, 0, "tick", 5000), 0);
	rwy_run_pause(&f->proc);
	assert_int_equal(rwy_run_sleep(&f->run, 50), 0); /* what it had written by then */
	from = f->proc.written;
	assert_int_equal(rwy_run_expect(&f->run, &f->proc, from, "tick", 200), -ETIMEDOUT);
	rwy_run_resume(&f->proc);
	assert_int_equal(rwy_run_expect(&f->run, &f->proc, from, "tick", 5000), 0);
	rwy_run_pause(&f->proc);
	rwy_run_stop(&f->run, &f->proc);
	assert_int_equal(WTERMSIG(f->proc.wait_status), SIGTERM); /* not killed for being held */
}

static void pinned(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(shell(f, "grep Cpus_allowed_list /proc/self/status; sleep 60"), 0);
	assert_int_equal(rwy_run_expect(&f->run, &f->proc, 0, "list:\t0\r\n", 5000), 0);
}

static void last_words(void **state)
{
	struct fixture *f = *state;
	char text[512];
	int err;

	assert_int_equal(shell(f, "for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; done; exit 3"),
			 0);
	err = rwy_run_expect(&f->run, &f->proc, 0, "never said", 5000);
	assert_int_equal(err, -ECHILD);
	rwy_run_explain(&f->run, &f->proc, err, "waiting", text, sizeof(text));
	assert_non_null(strstr(text, "waiting: a process ended; child ended with status 3\n"));
	assert_non_null(strstr(text, "\n  child: line 10"));
	assert_null(strstr(text, "line 1\n"));
}

static void more_output_than_is_kept(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(shell(f, "seq 1 40000; echo the end; sleep 60"), 0);
	assert_int_equal(rwy_run_expect(&f->run, &f->proc, 0, "the end", 10000), 0);
	assert_true(f->proc.written > RWY_RUN_TAIL);
	assert_true(f->proc.tail_len <= RWY_RUN_TAIL);
}

static void deaf_child_is_killed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(shell(f, "trap '' TERM; echo ready; while :; do sleep 0.1; done"), 0);
	assert_int_equal(rwy_run_expect(&f->run, &f->proc, 0, "ready", 5000), 0);
	rwy_run_stop(&f->run, &f->proc);
	assert_int_equal(f->proc.pid, 0);
	assert_int_equal(WTERMSIG(f->proc.wait_status), SIGKILL);
}

static void signal_ends_the_wait(void **state)
{
	struct fixture *f = *state;
	uint64_t before = rwy_poll_now_ns();

	assert_int_equal(shell(f, "sleep 60"), 0);
	assert_int_equal(raise(SIGTERM), 0); /* blocked: it waits in sig_fd */
	assert_int_equal(rwy_run_sleep(&f->run, 30000), -EINTR);
	assert_true(f->run.interrupted);
	assert_true(rwy_poll_now_ns() - before < UINT64_C(5000000000));
}

static void commands_can_be_typed(void **state)
{
	(void)state;
	const char *const argv[] = {"prog", "--x=1", "a b", "$c", NULL};
	char text[64];

	rwy_run_command(argv, 3, text, sizeof(text));
	assert_string_equal(text, "taskset -c 3 prog --x=1 'a b' '$c'");
	rwy_run_command(argv, 3, text, 20);
	assert_string_equal(text, "taskset -c 3 prog -");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(missing_program, begin, end),
		cmocka_unit_test_setup_teardown(talks_and_listens, begin, end),
		cmocka_unit_test_setup_teardown(pauses_and_goes_on, begin, end),
		cmocka_unit_test_setup_teardown(pinned, begin, end),
		cmocka_unit_test_setup_teardown(last_words, begin, end),
		cmocka_unit_test_setup_teardown(more_output_than_is_kept, begin, end),
		cmocka_unit_test_setup_teardown(deaf_child_is_killed, begin, end),
		cmocka_unit_test_setup_teardown(signal_ends_the_wait, begin, end),
		cmocka_unit_test(commands_can_be_typed),
	};

	return UNIT_RUN(tests);
}
