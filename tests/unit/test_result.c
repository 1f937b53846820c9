/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/fake_root.h"

#include "perf/result.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <sys/stat.h>

static void make(struct rwy_result *result)
{
	struct rwy_result_path *path;
	struct rwy_result_round *round;

	assert_int_equal(rwy_result_init(result, 5), 0);
	result->started = 1767225600;
	result->seconds = 61.5;
	result->emulated = true;
	strcpy(result->ended, "interrupted in round 2 of 5");
	strcpy(result->host_name, "host-a");
	strcpy(result->placement, "guest memory: node 0\nvCPU 0: CPU 2");
	assert_int_equal(rwy_facts_add(&result->facts, "kernel", "%s", "6.1"), 0);
	assert_int_equal(rwy_facts_add(&result->facts, "CPU", "<b>&\"x\""), 0);
	path = rwy_result_add_path(result, RWY_RESULT_NET, "virtio packed", "64 B packets");
	assert_non_null(path);
	strcpy(path->vmm, "ringway-vmm 0.1.0");
	strcpy(path->backend, "ringway-net 0.1.0");
	strcpy(path->commands, "ringway-net --port x\nringway-vmm --net y");
	assert_int_equal(rwy_result_gap(path, RWY_RESULT_CYCLES, "later"), 0);
	assert_int_equal(rwy_result_gap(path, RWY_RESULT_KICKS, "\"nobody\" counts"), 0);
	assert_int_equal(rwy_result_gap(path, RWY_RESULT_CYCLES, "it polls"), 0);
	for (unsigned i = 0; i < 2; i++) {
		round = rwy_result_add_round(path, 2 * i);
		assert_int_equal(rwy_result_set(round, RWY_RESULT_PPS, NULL, 1.5e6 + i), 0);
		assert_int_equal(rwy_result_set(round, RWY_RESULT_EXITS, "", 0.25), 0);
		assert_int_equal(rwy_result_set(round, RWY_RESULT_EXITS_BY, "HLT", 0.125), 0);
		assert_int_equal(rwy_result_set(round, RWY_RESULT_EXITS_BY, "MMIO", 0), 0);
		for (uint64_t ns = 1; ns < UINT64_C(1) << 50; ns *= 3)
			rwy_stats_hist_add(&round->latency, ns);
	}
	path = rwy_result_add_path(result, RWY_RESULT_BLK, "qemu-storage-daemon", "4 KiB reads");
	path->status = RWY_RESULT_FAILED;
	strcpy(path->reason, "it ended by signal 11:\n  last words");
	round = rwy_result_add_round(path, 1);
	assert_int_equal(rwy_result_set(round, RWY_RESULT_IOPS, NULL, 1234), 0);
	path = rwy_result_add_path(result, RWY_RESULT_NET, "VF", "64 B packets");
	path->status = RWY_RESULT_MISSING;
	strcpy(path->reason, "no function with virtual functions");
}

static void equal_paths(const struct rwy_result_path *a, const struct rwy_result_path *b)
{
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->workload, b->workload);
	assert_string_equal(a->vmm, b->vmm);
	assert_string_equal(a->backend, b->backend);
	assert_string_equal(a->reason, b->reason);
	assert_string_equal(a->commands, b->commands);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->nr_gaps, b->nr_gaps);
	for (unsigned i = 0; i < a->nr_gaps; i++)
		assert_string_equal(a->gaps[i].why, rwy_result_why_not(b, a->gaps[i].metric));
	assert_int_equal(a->nr_rounds, b->nr_rounds);
	for (unsigned i = 0; i < a->nr_rounds; i++) {
		const struct rwy_result_round *x = &a->rounds[i], *y = &b->rounds[i];

		assert_int_equal(x->number, y->number);
		assert_int_equal(x->nr_values, y->nr_values);
		for (unsigned v = 0; v < x->nr_values; v++) {
			const struct rwy_result_value *value = &x->values[v];
			const double *other = rwy_result_get(y, value->metric, value->of);

			assert_non_null(other);
			assert_true(*other == value->value);
		}
		assert_memory_equal(&x->latency, &y->latency, sizeof(x->latency));
	}
}

static void equal_results(const struct rwy_result *a, const struct rwy_result *b)
{
	assert_int_equal(a->started, b->started);
	assert_true(a->seconds == b->seconds);
	assert_int_equal(a->emulated, b->emulated);
	assert_int_equal(a->rounds, b->rounds);
	assert_string_equal(a->version, b->version);
	assert_string_equal(a->ended, b->ended);
	assert_string_equal(a->host_name, b->host_name);
	assert_string_equal(a->placement, b->placement);
	assert_int_equal(a->facts.nr, b->facts.nr);
	for (unsigned i = 0; i < a->facts.nr; i++) {
		assert_string_equal(a->facts.facts[i].name, b->facts.facts[i].name);
		assert_string_equal(a->facts.facts[i].value, b->facts.facts[i].value);
	}
	assert_int_equal(a->nr_paths, b->nr_paths);
	for (unsigned i = 0; i < a->nr_paths; i++)
		equal_paths(&a->paths[i], &b->paths[i]);
}

static void saved_is_loaded(void **state)
{
	char file[FAKE_ROOT_PATH];
	struct rwy_result result, again;
	struct rwy_result_why why;

	fake_root_path(file, *state, "/result.json");
	make(&result);
	assert_int_equal(rwy_result_save(&result, file), 0);
	if (rwy_result_load(&again, file, &why) < 0)
		fail_msg("%s", why.text);
	equal_results(&result, &again);
	rwy_result_fini(&again);
	rwy_result_fini(&result);
}

static void the_last_reason_for_a_gap_stays(void **state)
{
	struct rwy_result_path path = {.nr_gaps = 0};

	assert_null(rwy_result_why_not(&path, RWY_RESULT_PPS));
	assert_int_equal(rwy_result_gap(&path, RWY_RESULT_PPS, "first"), 0);
	assert_int_equal(rwy_result_gap(&path, RWY_RESULT_PPS, "second"), 0);
	assert_int_equal(path.nr_gaps, 1);
	assert_string_equal(rwy_result_why_not(&path, RWY_RESULT_PPS), "second");
	for (unsigned i = 1; i < RWY_RESULT_GAPS; i++)
		assert_int_equal(rwy_result_gap(&path, i, "x"), 0);
	assert_int_equal(rwy_result_gap(&path, RWY_RESULT_GAPS, "x"), -ENOSPC);
}

static void saving_replaces_the_file_or_leaves_it(void **state)
{
	char file[FAKE_ROOT_PATH], absent[FAKE_ROOT_PATH + 8];
	struct rwy_result result, again;
	struct rwy_result_why why;

	fake_root_path(file, *state, "/again.json");
	fake_root_write(*state, "/again.json", "old");
	make(&result);
	result.paths[0].vmm[0] = '\xff'; /* no UTF-8 */
	assert_int_equal(rwy_result_save(&result, file), 0);
	assert_int_equal(rwy_result_load(&again, file, &why), 0);
	assert_string_equal(again.paths[0].vmm, "?ingway-vmm 0.1.0");
	rwy_result_fini(&again);
	snprintf(absent, sizeof(absent), "%s/no/dir", file);
	assert_int_equal(rwy_result_save(&result, absent), -ENOTDIR);
	rwy_result_fini(&result);
}

static char *read_all(const char *file, size_t *len)
{
	FILE *in = fopen(file, "r");
	char *text = malloc(1 << 20);

	assert_non_null(in);
	assert_non_null(text);
	*len = fread(text, 1, 1 << 20, in);
	fclose(in);
	return text;
}

static void refused(const char *file, const char *text, size_t len, const char *reason)
{
	FILE *out = fopen(file, "w");
	struct rwy_result_why why;
	struct rwy_result result;

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
	if (rwy_result_load(&result, file, &why) != -EINVAL)
		fail_msg("taken, though %s: %.*s", reason, (int)len, text);
	if (!strstr(why.text, file) || !strstr(why.text, reason) || strchr(why.text, '\n') ||
	    !strstr(why.text, "measure again"))
		fail_msg("'%s' should say '%s'", why.text, reason);
}

static void cut_at_every_byte(void **state)
{
	char file[FAKE_ROOT_PATH];
	struct rwy_result result;
	size_t len;
	char *text;

	fake_root_path(file, *state, "/cut.json");
	make(&result);
	assert_int_equal(rwy_result_save(&result, file), 0);
	rwy_result_fini(&result);
	text = read_all(file, &len);
	assert_true(len > 2000);
	for (size_t i = 0; i < len - 2; i++)
		refused(file, text, i, "");
	free(text);
}

/* Every place of the tree in turn gets a value of every other type; each must be noticed. */
struct twist {
	const char *file;
	json_t *root;
	unsigned nr;
};

static bool type_is_free(const char *key, const json_t *value, const json_t *other)
{
	/* a whole number is a number; absent values are the meaning of an empty object or array */
	return (json_is_number(value) && json_is_number(other) && strcmp(key, "round") != 0 &&
		strcmp(key, "rounds") != 0) ||
	       json_typeof(value) == json_typeof(other) ||
	       (json_is_boolean(value) && json_is_boolean(other));
}

static void try_types(struct twist *t, const char *key, json_t *value, json_t *holder, size_t at)
{
	json_t *others[] = {json_null(),     json_true(),  json_integer(7), json_real(7.5),
			    json_string(""), json_array(), json_object()};

	json_incref(value);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(others); i++) {
		char *text;

		if (type_is_free(key, value, others[i]))
			continue;
		if (json_is_object(holder))
			json_object_set(holder, key, others[i]);
		else
			json_array_set(holder, at, others[i]);
		text = json_dumps(t->root, 0);
		refused(t->file, text, strlen(text), "");
		free(text);
		t->nr++;
	}
	if (json_is_object(holder))
		json_object_set(holder, key, value);
	else
		json_array_set(holder, at, value);
	json_decref(value);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(others); i++)
		json_decref(others[i]);
}

static void twist_all(struct twist *t, json_t *tree)
{
	const char *key;
	json_t *value;
	size_t i;
	void *next;

	json_object_foreach_safe(tree, next, key, value)
	{
		char name[64];

		snprintf(name, sizeof(name), "%s", key);
		try_types(t, name, value, tree, 0);
		twist_all(t, json_object_get(tree, name));
	}
	if (json_is_array(tree))
		json_array_foreach(tree, i, value)
		{
			try_types(t, "", value, tree, i);
			twist_all(t, json_array_get(tree, i));
		}
}

static void wrong_types_anywhere(void **state)
{
	char file[FAKE_ROOT_PATH], twisted[FAKE_ROOT_PATH];
	struct twist t = {.file = twisted};
	struct rwy_result result;

	fake_root_path(file, *state, "/types.json");
	fake_root_path(twisted, *state, "/twisted.json");
	make(&result);
	result.paths[0].nr_rounds = 1;
	for (unsigned i = 0; i < RWY_STATS_HIST_BUCKETS; i++) {
		result.paths[0].rounds[0].latency.count -=
			i > 20 ? result.paths[0].rounds[0].latency.buckets[i] : 0;
		if (i > 20)
			result.paths[0].rounds[0].latency.buckets[i] = 0;
	}
	result.paths[0].rounds[0].latency.sum = 20;
	assert_int_equal(rwy_result_save(&result, file), 0);
	rwy_result_fini(&result);
	t.root = json_load_file(file, 0, NULL);
	assert_non_null(t.root);
	twist_all(&t, t.root);
	json_decref(t.root);
	assert_true(t.nr > 300);
}

/* One change of the text, and what is said of it. */
static void lies_are_refused(void **state)
{
	static const struct {
		const char *from, *to, *reason;
	} rows[] = {
		{"perf result 1", "perf result 2", "format"},
		{"\"ended\"", "\"endless\"", "ended"},
		{"\"ended\"", "\"more\": 1, \"ended\"", "more"},
		{"\"ended\"", "\"ringway\": \"\", \"ended\"", "duplicate"},
		{"\"rounds\": 5", "\"rounds\": 129", "rounds"},
		{"\"rounds\": 5", "\"rounds\": -1", "rounds"},
		{"\"rounds\": 5", "\"rounds\": 2", "not below the 2"},
		{"\"rounds\": 5", "\"rounds\": 99999999999999999999", "JSON"},
		{"2026-01-01T", "2026-02-30T", "started"},
		{"2026-01-01T", "2026-1-1T", "started"},
		{"61.5", "-1", "seconds"},
		{"61.5", "1e999", "JSON"},
		{"61.5", "1e99", "seconds"},
		{"\"round\": 2", "\"round\": 0", "paths[0].rounds[1]: its number must be above"},
		{"\"round\": 2", "\"round\": 5", "not below"},
		{"\"round\": 2", "\"round\": -2", "not below"},
		{"1500000.0", "-1", "pps must be"},
		{"1500000.0", "2e18", "pps must be"},
		{"\"pps\"", "\"ppt\"", "ppt is no metric"},
		{"\"HLT\"", "\"\"", "part"},
		{"\"HLT\"", "\"HLT-------------------------------------\"", "part"},
		{"\"VF\"", "\"virtio packed\"", "twice"},
		{"\"failed\"", "\"fail\"", "status"},
		{"\"failed\"", "\"missing\"", "empty"},
		{"\"blk\"", "\"gpu\"", "kind"},
		{"\"count\": ", "\"count\": 1", "latency"},
		{"\"count\": ", "\"count\": -", "latency"},
		{"\"max\": ", "\"max\": -", "latency"},
		{"[\n        1,", "[\n        9000000000000000000,", "no bucket"},
		{"[\n        3,", "[\n        0,", "no bucket"},
		{"[\n        27,", "[\n        26,", "no bucket"},
		{"virtio packed",
		 "----------------------------------------------------------------", "too long"},
		{"host-a", "-----------------------------------------------------------------",
		 "longer"},
	};
	char file[FAKE_ROOT_PATH];
	struct rwy_result result;
	size_t len;
	char *text;

	fake_root_path(file, *state, "/lies.json");
	make(&result);
	assert_int_equal(rwy_result_save(&result, file), 0);
	rwy_result_fini(&result);
	text = read_all(file, &len);
	text[len] = '\0';
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(rows); i++) {
		char *at = strstr(text, rows[i].from), *lie;
		int lie_len;

		if (!at)
			fail_msg("no '%s' in %s", rows[i].from, text);
		lie_len = asprintf(&lie, "%.*s%s%s", (int)(at - text), text, rows[i].to,
				   at + strlen(rows[i].from));
		refused(file, lie, (size_t)lie_len, rows[i].reason);
		free(lie);
	}
	free(text);
}

static void no_file_to_read(void **state)
{
	char path[FAKE_ROOT_PATH];
	struct rwy_result result;
	struct rwy_result_why why;

	fake_root_path(path, *state, "/absent");
	assert_int_equal(rwy_result_load(&result, path, &why), -ENOENT);
	assert_non_null(strstr(why.text, path));
	assert_int_equal(rwy_result_load(&result, *state, &why), -EISDIR);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(rwy_result_load(&result, path, &why), -EFBIG);
	fake_root_write(*state, "/huge", "");
	fake_root_path(path, *state, "/huge");
	assert_int_equal(truncate(path, INT64_C(1) << 40), 0);
	assert_int_equal(rwy_result_load(&result, path, &why), -EFBIG);
	assert_non_null(strstr(why.text, "ringway-perf compare"));
}

static void values_are_checked(void **state)
{
	(void)state;
	struct rwy_result result;
	struct rwy_result_path *path;
	struct rwy_result_round *round;
	char part[RWY_RESULT_OF + 1];

	assert_int_equal(rwy_result_init(&result, 3), 0);
	path = rwy_result_add_path(&result, RWY_RESULT_NET, "a", "w");
	assert_null(rwy_result_add_path(&result, RWY_RESULT_NET, "a", "w"));
	assert_non_null(rwy_result_add_path(&result, RWY_RESULT_NET, "a", "v"));
	assert_non_null(rwy_result_add_path(&result, RWY_RESULT_BLK, "a", "w"));
	round = rwy_result_add_round(path, 1);
	assert_null(rwy_result_add_round(path, 1));
	assert_null(rwy_result_add_round(path, 0));
	assert_null(rwy_result_add_round(path, RWY_RESULT_ROUNDS));
	assert_int_equal(rwy_result_set(round, RWY_RESULT_PPS, NULL, NAN), -EINVAL);
	assert_int_equal(rwy_result_set(round, RWY_RESULT_PPS, NULL, INFINITY), -EINVAL);
	assert_int_equal(rwy_result_set(round, RWY_RESULT_PPS, NULL, -1), -EINVAL);
	assert_int_equal(rwy_result_set(round, RWY_RESULT_PPS, "part", 1), -EINVAL);
	assert_int_equal(rwy_result_set(round, RWY_RESULT_CPU_PROC, NULL, 1), -EINVAL);
	assert_null(rwy_result_get(round, RWY_RESULT_PPS, NULL)); /* absent, not zero */
	assert_int_equal(rwy_result_set(round, RWY_RESULT_PPS, NULL, 1), 0);
	assert_int_equal(rwy_result_set(round, RWY_RESULT_PPS, NULL, 2), 0);
	assert_true(*rwy_result_get(round, RWY_RESULT_PPS, NULL) == 2);
	assert_int_equal(round->nr_values, 1);
	for (unsigned i = 1; i < RWY_RESULT_VALUES; i++) {
		snprintf(part, sizeof(part), "%u", i);
		assert_int_equal(rwy_result_set(round, RWY_RESULT_CPU_CORE, part, 1), 0);
	}
	assert_int_equal(rwy_result_set(round, RWY_RESULT_BPS, NULL, 1), -ENOSPC);
	memset(part, 'x', sizeof(part) - 1);
	part[sizeof(part) - 1] = '\0';
	assert_int_equal(rwy_result_set(round, RWY_RESULT_CPU_CORE, part, 1), -EINVAL);
	for (unsigned i = 0; i < RWY_RESULT_METRICS; i++) {
		assert_non_null(rwy_result_metrics[i].key);
		assert_non_null(rwy_result_metrics[i].unit);
		assert_non_null(rwy_result_metrics[i].meaning);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(rwy_result_metrics[i].key,
						rwy_result_metrics[j].key);
	}
	rwy_result_fini(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_reason_for_a_gap_stays),
		cmocka_unit_test_setup_teardown(saved_is_loaded, fake_root_open, fake_root_close),
		cmocka_unit_test_setup_teardown(saving_replaces_the_file_or_leaves_it,
						fake_root_open, fake_root_close),
		cmocka_unit_test_setup_teardown(cut_at_every_byte, fake_root_open, fake_root_close),
		cmocka_unit_test_setup_teardown(wrong_types_anywhere, fake_root_open,
						fake_root_close),
		cmocka_unit_test_setup_teardown(lies_are_refused, fake_root_open, fake_root_close),
		cmocka_unit_test_setup_teardown(no_file_to_read, fake_root_open, fake_root_close),
		cmocka_unit_test(values_are_checked),
	};

	return UNIT_RUN(tests);
}
