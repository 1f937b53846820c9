/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole comparisons without a guest: the VMM is a shell that talks as the agent in a guest does,
 * with noise, failures and silence as wanted.
 */
#include "tests/unit/unit.h"

#include "perf/compare.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATHS 3

/* What a fake guest does when it is asked to work. */
#define GOOD                                                                       \
	"n=$(cat $dir/noise 2>/dev/null || echo 0); echo $((n + 1)) >$dir/noise\n" \
	"echo \"perf: $id ops 100\"; echo \"perf: $id iops $((rate + n % 3))\"\n"  \
	"echo \"perf: $id p50 2000\"; echo \"perf: $id lat 1000 50 3000 50\"\n"
#define FAILS	"echo \"perf: $id error the disk is full\"; st=1\n"
#define ENDS	"echo last words >&2; exit 3\n"
#define HANGS	"sleep 1000\n"
#define RECOVER "if [ ! -e $dir/tried ]; then touch $dir/tried; exit 3; fi\n" GOOD

struct fake {
	struct rwy_compare compare;
	struct rwy_path paths[PATHS];
	char dir[32];
	char file[64];
	char order[64]; /* of the paths' starts */
	char *log;
	size_t log_len;
};

/* Under the name of the path's store is what it does, and under its poll what it counts. */
static bool describe(const struct rwy_guest_config *config, struct rwy_args *args)
{
	rwy_args_add(args, "-c");
	rwy_args_add(args,
		     "dir=%s rate=1000 reads=70; echo 'perf: hello'\n"
		     "while read -r id words; do st=0\n"
		     "{ case $words in\n"
		     "total) echo \"perf: $id reads $reads\"; echo \"perf: $id writes 50\"\n"
		     "reads=170 ;;\n"
		     "use*) echo \"perf: $id error no DPDK in here\"; st=1 ;;\n"
		     "*) %s ;;\nesac; } >$dir/answer\n"
		     "echo \"perf: $id done\"; read -r go; cat $dir/answer\n"
		     "echo \"perf: $id end $st\"; done",
		     config->kernel, config->target);
	return true;
}

static const struct rwy_guest_vmm shell = {.name = "fake-vmm",
					   .program = "sh",
					   .missing = "no shell",
					   .describe = describe};

static int start(struct rwy_path_up *up)
{
	up->config.target = up->path->store;
	return 0;
}

/* When the guest comes up its firmware has read 3 times, and then it reads 100 times more. */
static int count(struct rwy_path_up *up, struct rwy_path_counts *counts)
{
	*counts = (struct rwy_path_counts){.has_ops = true,
					   .in = up->guest.asked == 1 ? 73 : 173,
					   .out = 50};
	return 0;
}

static int count_wrong(struct rwy_path_up *up, struct rwy_path_counts *counts)
{
	int err = count(up, counts);

	counts->in += up->guest.asked > 1;
	return err;
}

static bool unavailable(const struct rwy_path *path, const struct rwy_path_env *env, char *why,
			size_t why_len)
{
	return rwy_path_refuse(why, why_len, "no such card");
}

static const struct rwy_path_ops honest = {.backend = "none",
					   .start = start,
					   .count = count,
					   .no_cycles = "it is a shell"};
static const struct rwy_path_ops liar = {.backend = "none", .start = start, .count = count_wrong};
static const struct rwy_path_ops absent = {.backend = "none",
					   .start = start,
					   .available = unavailable};

static const struct rwy_work work = {.key = "read",
				     .workload = "reads",
				     .kind = RWY_RESULT_BLK,
				     .command = "blk read 32 %u"};

static const struct rwy_work work_of_dpdk = {.key = "out",
					     .workload = "frames",
					     .kind = RWY_RESULT_BLK,
					     .command = "out %u",
					     .dpdk = true};

static int begin(void **state)
{
	struct fake *f = calloc(1, sizeof(*f));

	*state = f;
	if (!f || rwy_run_init(&f->compare.run) < 0)
		return -1;
	strcpy(f->dir, "/tmp/test-compare.XXXXXX");
	f->compare.progress = open_memstream(&f->log, &f->log_len);
	if (!mkdtemp(f->dir) || !f->compare.progress)
		return -1;
	snprintf(f->file, sizeof(f->file), "%s/" RWY_RESULT_FILE, f->dir);
	f->compare.env = (struct rwy_path_env){.run = &f->compare.run,
					       .dir = f->dir,
					       .scratch = f->dir,
					       .kernel = f->dir,
					       .initrd = "",
					       .append = "",
					       .memory_node = -1,
					       .nr_vcpus = 2,
					       .nr_queues = 1};
	f->compare.file = f->file;
	f->compare.rounds = 3;
	f->compare.deadline_s = 20;
	f->compare.work_opts.seconds = 1;
	f->compare.works[0] = &work;
	f->compare.nr_works = 1;
	return 0;
}

static int end(void **state)
{
	static const char *const files[] = {RWY_RESULT_FILE, "noise", "tried", "answer"};
	struct fake *f = *state;
	char path[64];

	rwy_result_fini(&f->compare.result);
	rwy_run_fini(&f->compare.run);
	fclose(f->compare.progress);
	free(f->log);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, files[i]);
		unlink(path);
	}
	int left = rmdir(f->dir); /* sockets, disks: nothing stays behind */

	free(f);
	return left;
}

static void add(struct fake *f, const char *key, const struct rwy_path_ops *ops, const char *does)
{
	struct rwy_path *path = &f->paths[f->compare.nr_paths];

	*path = (struct rwy_path){.key = key,
				  .name = key,
				  .kind = RWY_RESULT_BLK,
				  .vmm = &shell,
				  .ops = ops,
				  .store = does};
	f->compare.paths[f->compare.nr_paths++] = path;
}

/* Runs it, and then looks at it as a report does. */
static int run(struct fake *f, struct rwy_result *result)
{
	struct rwy_result_why why;
	int status = rwy_compare_run(&f->compare), err;

	fflush(f->compare.progress);
	err = rwy_result_load(result, f->file, &why);
	if (err < 0)
		fail_msg("%s", why.text);
	return status;
}

static const struct rwy_result_path *entry(const struct rwy_result *result, const char *name)
{
	for (unsigned i = 0; i < result->nr_paths; i++)
		if (!strcmp(result->paths[i].name, name))
			return &result->paths[i];
	fail_msg("%s is not in the result", name);
	return NULL;
}

static void all_in_turn_and_rotated(void **state)
{
	struct fake *f = *state;
	struct rwy_result result;

	add(f, "one", &honest, GOOD);
	add(f, "two", &honest, GOOD);
	assert_int_equal(run(f, &result), 0);
	assert_string_equal(result.ended, "");
	assert_non_null(strstr(rwy_facts_value(&result.facts, "guest"), "2 vCPUs, "));
	assert_non_null(strstr(rwy_facts_value(&result.facts, "guest"), ", 1 queue of"));
	assert_string_equal(rwy_result_why_not(&result.paths[0], RWY_RESULT_CYCLES),
			    "it is a shell");
	assert_null(rwy_result_why_not(&result.paths[0], RWY_RESULT_KICKS));
	for (unsigned i = 0; i < 2; i++) {
		const struct rwy_result_path *path = &result.paths[i];

		assert_int_equal(path->status, RWY_RESULT_MEASURED);
		assert_int_equal(path->nr_rounds, 3);
		for (unsigned r = 0; r < 3; r++) {
			const double *iops =
				rwy_result_get(&path->rounds[r], RWY_RESULT_IOPS, NULL);

			assert_int_equal(path->rounds[r].number, r);
			assert_true(iops && *iops >= 1000 && *iops < 1003);
			assert_int_equal(path->rounds[r].latency.count, 100);
			assert_non_null(rwy_result_get(&path->rounds[r], RWY_RESULT_SETUP, NULL));
			assert_non_null(
				rwy_result_get(&path->rounds[r], RWY_RESULT_CPU_PROC, "fake-vmm"));
		}
	}
	/* one two, two one, one two */
	const char *at = f->log;
	static const char *const order[] = {"one", "two", "two", "one", "one", "two"};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(order); i++) {
		at = strstr(at, ": ");
		assert_non_null(at);
		at += 2;
		assert_memory_equal(at, order[i], 3);
		at = strchr(at, '\n');
	}
	assert_non_null(strstr(f->log, " s left"));
	rwy_result_fini(&result);
}

static void failures_are_told_and_the_rest_goes_on(void **state)
{
	struct fake *f = *state;
	struct rwy_result result;

	add(f, "full", &honest, FAILS);
	add(f, "dead", &honest, ENDS);
	add(f, "good", &honest, GOOD);
	assert_int_equal(run(f, &result), -EIO);
	assert_int_equal(entry(&result, "good")->nr_rounds, 3);
	assert_int_equal(entry(&result, "full")->status, RWY_RESULT_FAILED);
	assert_non_null(strstr(entry(&result, "full")->reason, "the disk is full"));
	assert_int_equal(entry(&result, "dead")->status, RWY_RESULT_FAILED);
	assert_non_null(strstr(entry(&result, "dead")->reason, "fake-vmm ended with status 3"));
	assert_non_null(strstr(entry(&result, "dead")->reason, "last words"));
	/* twice is enough */
	assert_null(strstr(f->log, "round 3 of 3: full"));
	assert_non_null(strstr(f->log, "round 3 of 3: good"));
	rwy_result_fini(&result);
}

static void a_failure_may_pass(void **state)
{
	struct fake *f = *state;
	struct rwy_result result;

	add(f, "shaky", &honest, RECOVER);
	assert_int_equal(run(f, &result), -EIO);
	assert_int_equal(entry(&result, "shaky")->status, RWY_RESULT_MEASURED);
	assert_int_equal(entry(&result, "shaky")->nr_rounds, 2);
	assert_int_equal(entry(&result, "shaky")->rounds[0].number, 1);
	rwy_result_fini(&result);
}

static void a_hang_ends_at_the_deadline(void **state)
{
	struct fake *f = *state;
	struct rwy_result result;

	f->compare.deadline_s = 1;
	f->compare.rounds = 1;
	add(f, "hang", &honest, HANGS);
	add(f, "good", &honest, GOOD);
	assert_int_equal(run(f, &result), -EIO);
	assert_int_equal(entry(&result, "hang")->status, RWY_RESULT_FAILED);
	assert_non_null(strstr(entry(&result, "hang")->reason, "timed out"));
	assert_int_equal(entry(&result, "good")->nr_rounds, 1);
	rwy_result_fini(&result);
}

static void counts_that_disagree_are_a_failure(void **state)
{
	struct fake *f = *state;
	struct rwy_result result;

	f->compare.rounds = 1;
	add(f, "liar", &liar, GOOD);
	assert_int_equal(run(f, &result), -EIO);
	assert_int_equal(entry(&result, "liar")->status, RWY_RESULT_FAILED);
	assert_int_equal(entry(&result, "liar")->nr_rounds, 0);
	assert_non_null(strstr(entry(&result, "liar")->reason,
			       "the guest counts 100 reads and the other side 101"));
	rwy_result_fini(&result);
}

static void what_is_not_here_is_missing(void **state)
{
	struct fake *f = *state;
	struct rwy_result result;

	f->compare.rounds = 1;
	add(f, "card", &absent, GOOD);
	add(f, "good", &honest, GOOD);
	assert_int_equal(run(f, &result), 0);
	assert_int_equal(entry(&result, "card")->status, RWY_RESULT_MISSING);
	assert_string_equal(entry(&result, "card")->reason, "no such card");
	assert_non_null(strstr(f->log, "not here: card: no such card"));
	rwy_result_fini(&result);
}

static void add_dpdk(struct fake *f)
{
	f->compare.rounds = 1;
	f->compare.works[f->compare.nr_works++] = &work_of_dpdk;
	add(f, "good", &honest, GOOD);
}

/* The first of both is the work that every guest can do. */
static void check_dpdk(const struct rwy_result *result, enum rwy_result_status status,
		       const char *why)
{
	assert_int_equal(result->nr_paths, 2);
	assert_int_equal(result->paths[0].status, RWY_RESULT_MEASURED);
	assert_int_equal(result->paths[1].status, status);
	assert_non_null(strstr(result->paths[1].reason, why));
}

static void work_that_no_guest_can_do_is_missing(void **state)
{
	struct fake *f = *state;
	struct rwy_result result;

	f->compare.env.no_dpdk = "testpmd is not installed";
	add_dpdk(f);
	assert_int_equal(run(f, &result), 0);
	check_dpdk(&result, RWY_RESULT_MISSING, "testpmd is not installed");
	assert_non_null(strstr(f->log, "not here: out: testpmd is not installed"));
	rwy_result_fini(&result);
}

static void work_that_this_guest_cannot_do_fails(void **state)
{
	struct fake *f = *state;
	struct rwy_result result;

	add_dpdk(f);
	assert_int_equal(run(f, &result), 0);
	check_dpdk(&result, RWY_RESULT_FAILED, "no DPDK in here");
	rwy_result_fini(&result);
}

/* SIGINT in the second round: what the first one measured is there. */
static void interruption_leaves_what_there_is(void **state)
{
	struct fake *f = *state;
	struct rwy_result result;

	add(f, "one", &honest, GOOD);
	add(f, "two", &honest,
	    "if [ -e $dir/tried ]; then kill -INT $PPID; sleep 100; fi\n"
	    "touch $dir/tried\n" GOOD);
	assert_int_equal(run(f, &result), -EINTR);
	assert_string_equal(result.ended, "interrupted after 2 of 6 runs");
	assert_int_equal(entry(&result, "one")->nr_rounds, 1);
	assert_int_equal(entry(&result, "two")->nr_rounds, 1);
	assert_int_equal(entry(&result, "two")->status, RWY_RESULT_MEASURED);
	rwy_result_fini(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_in_turn_and_rotated, begin, end),
		cmocka_unit_test_setup_teardown(failures_are_told_and_the_rest_goes_on, begin, end),
		cmocka_unit_test_setup_teardown(a_failure_may_pass, begin, end),
		cmocka_unit_test_setup_teardown(a_hang_ends_at_the_deadline, begin, end),
		cmocka_unit_test_setup_teardown(counts_that_disagree_are_a_failure, begin, end),
		cmocka_unit_test_setup_teardown(what_is_not_here_is_missing, begin, end),
		cmocka_unit_test_setup_teardown(work_that_no_guest_can_do_is_missing, begin, end),
		cmocka_unit_test_setup_teardown(work_that_this_guest_cannot_do_fails, begin, end),
		cmocka_unit_test_setup_teardown(interruption_leaves_what_there_is, begin, end),
	};

	return UNIT_RUN(tests);
}
