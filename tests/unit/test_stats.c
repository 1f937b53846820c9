/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"

#include "lib/log.h"
#include "lib/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static json_t *load(const struct rwy_stats *stats)
{
	char *text;
	json_t *root;

	assert_int_equal(rwy_stats_json(stats, &text), 0);
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	free(text);
	return root;
}

static int64_t value(json_t *root, const char *entry, const char *name)
{
	json_t *n = json_object_get(json_object_get(root, entry), name);

	assert_true(json_is_integer(n));
	return json_integer_value(n);
}

static void quantiles_are_bounds(void **state)
{
	struct rwy_stats_hist hist = {0};

	assert_int_equal(rwy_stats_hist_quantile(&hist, 0.5), 0);
	for (uint64_t v = 1; v <= 1000; v++)
		rwy_stats_hist_add(&hist, v);
	assert_int_equal(hist.count, 1000);
	assert_int_equal(hist.sum, 500500);
	assert_int_equal(hist.max, 1000);
	for (unsigned i = 1; i <= 1000; i++) {
		uint64_t bound = rwy_stats_hist_quantile(&hist, i / 1000.0);

		assert_in_range(bound, i, i + i / 8 + 1);
	}
}

static void hist_takes_any_value(void **state)
{
	struct rwy_stats_hist hist = {0};

	rwy_stats_hist_add(&hist, 0);
	assert_int_equal(rwy_stats_hist_quantile(&hist, 1.0), 0);
	for (unsigned bit = 0; bit < 64; bit++) {
		memset(&hist, 0, sizeof(hist));
		rwy_stats_hist_add(&hist, UINT64_C(1) << bit);
		assert_true(rwy_stats_hist_quantile(&hist, 1.0) >= UINT64_C(1) << bit);
	}
	rwy_stats_hist_add(&hist, UINT64_MAX);
	assert_true(rwy_stats_hist_quantile(&hist, 1.0) == UINT64_MAX);
}

static void area_is_read_by_others(void **state)
{
	static const char *const names[] = {"hits", "misses"};
	char path[] = "/tmp/test_stats.XXXXXX";
	int fd = mkstemp(path);
	struct rwy_stats mine, theirs;

	rwy_fd_close(&fd);
	assert_int_equal(rwy_stats_open(&mine, path), 0);
	assert_int_equal(rwy_stats_attach(&theirs, path), 0);

	uint64_t *counters = rwy_stats_counters(&mine, "table", names, 2);
	struct rwy_stats_vq *vq = rwy_stats_vq_add(&mine, "guest0.q0");
	struct rwy_stats_hist *hist = rwy_stats_hist_new(&mine, "latency");

	rwy_stats_add(&counters[1], 7);
	rwy_stats_add(&vq->chains, 3);
	rwy_stats_add(&vq->reason, 9);
	rwy_stats_hist_add(hist, 100);

	json_t *root = load(&theirs);
	assert_int_equal(json_object_size(root), 3);
	assert_int_equal(value(root, "table", "hits"), 0);
	assert_int_equal(value(root, "table", "misses"), 7);
	assert_int_equal(value(root, "guest0.q0", "chains"), 3);
	assert_int_equal(value(root, "guest0.q0", "reason"), 9);
	assert_int_equal(value(root, "latency", "count"), 1);
	assert_in_range(value(root, "latency", "p99"), 100, 113);
	json_decref(root);

	rwy_stats_del(&mine, counters);
	rwy_stats_del(&mine, NULL);
	root = load(&theirs);
	assert_null(json_object_get(root, "table"));
	assert_int_equal(json_object_size(root), 2);
	json_decref(root);

	/* the freed place is used again, from zero */
	counters = rwy_stats_counters(&mine, "again", names, 2);
	assert_int_equal(counters[1], 0);

	rwy_stats_close(&theirs);
	rwy_stats_close(&mine);
	unlink(path);
}

static void full_area_says_so(void **state)
{
	struct rwy_stats stats;
	uint64_t *last = NULL;
	static const char *const name[] = {"n"};

	assert_int_equal(rwy_stats_open(&stats, NULL), 0);
	for (unsigned i = 0; i < RWY_STATS_ENTRIES; i++) {
		last = rwy_stats_counters(&stats, "x", name, 1);
		assert_non_null(last);
	}
	rwy_log_set_level(RWY_LOG_ERROR);
	assert_null(rwy_stats_vq_add(&stats, "one too many"));
	rwy_stats_del(&stats, last);
	assert_non_null(rwy_stats_hist_new(&stats, "fits again"));
	rwy_stats_close(&stats);
}

static void strange_files_are_refused(void **state)
{
	char path[] = "/tmp/test_stats.XXXXXX";
	int fd = mkstemp(path);
	struct rwy_stats stats;
	static char big[4 << 20];

	assert_int_equal(rwy_stats_attach(&stats, path), -EINVAL);
	assert_int_equal(rwy_stats_open(&stats, NULL), 0);
	off_t size = lseek(stats.fd, 0, SEEK_END);
	rwy_stats_close(&stats);
	assert_int_equal(rwy_fd_write_full(fd, big, (size_t)size, 0), 0);
	assert_int_equal(rwy_stats_attach(&stats, path), -EINVAL);
	rwy_fd_close(&fd);
	unlink(path);
	assert_int_equal(rwy_stats_attach(&stats, path), -ENOENT);
	assert_int_equal(rwy_stats_open(&stats, "/dev/null"), -EEXIST);
	assert_int_equal(rwy_stats_open(&stats, "/nowhere/at/all"), -ENOENT);
	assert_null(stats.area);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_bounds),	     cmocka_unit_test(hist_takes_any_value),
		cmocka_unit_test(area_is_read_by_others),    cmocka_unit_test(full_area_says_so),
		cmocka_unit_test(strange_files_are_refused),
	};

	return UNIT_RUN(tests);
}
