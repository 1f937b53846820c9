/* SPDX-License-Identifier: BSD-3-Clause */
/* The one door for files. Whoever wrote one is a stranger: all of it is checked while it is read.
 */
#include "perf/result.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES_MAX   (64 << 20)
#define VALUE_MAX   1e18
#define SECONDS_MAX 1e8

struct loader {
	const char *file;
	struct rwy_result *result;
	struct rwy_result_why *why;
	char at[64]; /* where in the file: "paths[2].rounds[0]" */
};

static int refuse(struct loader *l, const char *fmt, ...) RWY_PRINTF(2, 3);

static int refuse(struct loader *l, const char *fmt, ...)
{
	char what[192];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	snprintf(l->why->text, sizeof(l->why->text),
		 "%.160s: %s%s%s; it is no result of this version of ringway-perf: measure again",
		 l->file, l->at, l->at[0] ? ": " : "", what);
	return -EINVAL;
}

static int copy_text(struct loader *l, const char *key, const char *from, char *to, size_t len)
{
	if (strlen(from) >= len)
		return refuse(l, "%s is longer than %zu bytes", key, len - 1);
	strcpy(to, from);
	return 0;
}

/* Strings, joined by newlines. */
static int copy_lines(struct loader *l, const char *key, const json_t *lines, char *to, size_t len)
{
	size_t i, used = 0;
	json_t *line;

	if (!json_is_array(lines))
		return refuse(l, "%s must be an array", key);
	json_array_foreach(lines, i, line)
	{
		int n;

		if (!json_is_string(line))
			return refuse(l, "%s must hold strings", key);
		n = snprintf(to + used, len - used, "%s%s", i ? "\n" : "", json_string_value(line));
		if (n < 0 || (size_t)n >= len - used)
			return refuse(l, "%s is longer than %zu bytes", key, len - 1);
		used += (size_t)n;
	}
	return 0;
}

static int load_buckets(struct loader *l, const json_t *buckets, struct rwy_stats_hist *hist)
{
	unsigned bucket = 0;
	uint64_t total = 0;
	json_t *pair;
	size_t i;

	json_array_foreach(buckets, i, pair)
	{
		json_int_t upper, count;

		if (json_unpack(pair, "[II!]", &upper, &count) < 0 || upper < 0 || count <= 0)
			return refuse(l, "latency: bucket %zu must be a bound and a count", i);
		while (bucket < RWY_STATS_HIST_BUCKETS &&
		       rwy_stats_hist_upper(bucket) < (uint64_t)upper)
			bucket++;
		if (bucket == RWY_STATS_HIST_BUCKETS ||
		    rwy_stats_hist_upper(bucket) != (uint64_t)upper)
			return refuse(l,
				      "latency: there is no bucket up to %" JSON_INTEGER_FORMAT
				      " at this place",
				      upper);
		if (__builtin_add_overflow(total, (uint64_t)count, &total))
			return refuse(l, "latency: the buckets hold too many operations");
		hist->buckets[bucket++] = (uint64_t)count;
	}
	if (total != hist->count)
		return refuse(l, "latency: the buckets hold %" PRIu64 " operations, not %" PRIu64,
			      total, hist->count);
	return 0;
}

static int load_hist(struct loader *l, json_t *from, struct rwy_stats_hist *hist)
{
	json_int_t count, sum, max;
	json_error_t error;
	json_t *buckets;

	if (json_unpack_ex(from, &error, JSON_STRICT, "{sI sI sI so}", "count", &count, "sum", &sum,
			   "max", &max, "buckets", &buckets) < 0)
		return refuse(l, "latency: %s", error.text);
	if (count <= 0 || sum < 0 || max < 0 || sum / count > max)
		return refuse(l, "latency: count, sum and max do not fit");
	if (!json_is_array(buckets))
		return refuse(l, "latency: buckets must be an array");
	*hist = (struct rwy_stats_hist){.count = (uint64_t)count,
					.sum = (uint64_t)sum,
					.max = (uint64_t)max};
	return load_buckets(l, buckets, hist);
}

static int load_value(struct loader *l, struct rwy_result_round *round,
		      enum rwy_result_metric metric, const char *of, const json_t *value)
{
	const char *key = rwy_result_metrics[metric].key;
	double number = json_number_value(value);
	int err;

	if (!json_is_number(value) || !(number >= 0) || number > VALUE_MAX)
		return refuse(l, "%s must be a number from 0 to %g", key, VALUE_MAX);
	err = rwy_result_set(round, metric, of, number);
	if (err == -ENOSPC)
		return refuse(l, "more than %d values", RWY_RESULT_VALUES);
	return err < 0 ? refuse(l, "%s has a part without a name, or one too long", key) : 0;
}

static int find_metric(struct loader *l, const char *key, enum rwy_result_metric *metric)
{
	for (*metric = 0; *metric < RWY_RESULT_METRICS; (*metric)++)
		if (!strcmp(rwy_result_metrics[*metric].key, key))
			return 0;
	return refuse(l, "%.40s is no metric", key);
}

static int load_metric(struct loader *l, struct rwy_result_round *round, const char *key,
		       json_t *value)
{
	enum rwy_result_metric metric;
	const char *of;
	json_t *part;

	if (find_metric(l, key, &metric) < 0)
		return -EINVAL;
	if (!rwy_result_metrics[metric].parts)
		return load_value(l, round, metric, NULL, value);
	if (!json_is_object(value))
		return refuse(l, "%s must be an object", key);
	json_object_foreach(value, of, part)
	{
		int err = load_value(l, round, metric, of, part);

		if (err < 0)
			return err;
	}
	return 0;
}

static int load_round(struct loader *l, struct rwy_result_path *path, json_t *from)
{
	json_t *metrics, *latency = NULL, *value;
	struct rwy_result_round *round;
	json_error_t error;
	json_int_t number;
	const char *key;
	int err = 0;

	if (json_unpack_ex(from, &error, JSON_STRICT, "{sI so s?o}", "round", &number, "metrics",
			   &metrics, "latency", &latency) < 0)
		return refuse(l, "%s", error.text);
	if (number < 0 || number >= (json_int_t)l->result->rounds)
		return refuse(l, "its number is not below the %u of the run", l->result->rounds);
	round = rwy_result_add_round(path, (unsigned)number);
	if (!round)
		return refuse(l, "its number must be above the one before");
	if (!json_is_object(metrics))
		return refuse(l, "metrics must be an object");
	json_object_foreach(metrics, key, value)
	{
		err = load_metric(l, round, key, value);
		if (err < 0)
			return err;
	}
	return latency ? load_hist(l, latency, &round->latency) : 0;
}

static int parse_kind(const char *name, enum rwy_result_kind *kind)
{
	for (*kind = 0; *kind < RWY_RESULT_KINDS; (*kind)++)
		if (!strcmp(rwy_result_kind_name(*kind), name))
			return 0;
	return -EINVAL;
}

static int parse_status(const char *name, enum rwy_result_status *status)
{
	for (*status = 0; *status < RWY_RESULT_STATUSES; (*status)++)
		if (!strcmp(rwy_result_status_name(*status), name))
			return 0;
	return -EINVAL;
}

static int load_gaps(struct loader *l, json_t *from, struct rwy_result_path *path)
{
	enum rwy_result_metric metric;
	const char *key;
	json_t *why;

	if (!json_is_object(from))
		return refuse(l, "gaps must be an object");
	json_object_foreach(from, key, why)
	{
		if (find_metric(l, key, &metric) < 0)
			return -EINVAL;
		if (!json_is_string(why) ||
		    strlen(json_string_value(why)) >= sizeof(path->gaps[0].why))
			return refuse(l, "gaps: %.40s must be a text, and not too long", key);
		if (rwy_result_gap(path, metric, json_string_value(why)) < 0)
			return refuse(l, "more than %d gaps", RWY_RESULT_GAPS);
	}
	return 0;
}

static int load_path(struct loader *l, json_t *from, json_t **rounds,
		     struct rwy_result_path **added)
{
	const char *name, *kind, *workload, *vmm, *backend, *status, *reason;
	struct rwy_result_path *path;
	enum rwy_result_kind k;
	json_error_t error;
	json_t *commands, *gaps = NULL;

	if (json_unpack_ex(from, &error, JSON_STRICT, "{ss ss ss ss ss ss ss so so s?o}", "name",
			   &name, "kind", &kind, "workload", &workload, "vmm", &vmm, "backend",
			   &backend, "status", &status, "reason", &reason, "commands", &commands,
			   "rounds", rounds, "gaps", &gaps) < 0)
		return refuse(l, "%s", error.text);
	if (parse_kind(kind, &k) < 0)
		return refuse(l, "kind must be net or blk");
	if (strlen(name) >= sizeof(path->name) || strlen(workload) >= sizeof(path->workload))
		return refuse(l, "name or workload is too long");
	path = rwy_result_add_path(l->result, k, name, workload);
	if (!path)
		return refuse(l, "it is there twice, or there are more than %d", RWY_RESULT_PATHS);
	if (parse_status(status, &path->status) < 0)
		return refuse(l, "status must be measured, failed or missing");
	if (!json_is_array(*rounds) ||
	    (path->status == RWY_RESULT_MISSING && json_array_size(*rounds) > 0))
		return refuse(l, "rounds must be an array, and empty where the path is missing");
	*added = path;
	if (copy_text(l, "vmm", vmm, path->vmm, sizeof(path->vmm)) < 0 ||
	    copy_text(l, "backend", backend, path->backend, sizeof(path->backend)) < 0 ||
	    copy_text(l, "reason", reason, path->reason, sizeof(path->reason)) < 0)
		return -EINVAL;
	if (gaps && load_gaps(l, gaps, path) < 0)
		return -EINVAL;
	return copy_lines(l, "commands", commands, path->commands, sizeof(path->commands));
}

static int load_paths(struct loader *l, const json_t *paths)
{
	json_t *from, *rounds, *round;
	struct rwy_result_path *path = NULL;
	size_t i, j;
	int err;

	if (!json_is_array(paths))
		return refuse(l, "paths must be an array");
	json_array_foreach(paths, i, from)
	{
		snprintf(l->at, sizeof(l->at), "paths[%zu]", i);
		err = load_path(l, from, &rounds, &path);
		if (err < 0)
			return err;
		json_array_foreach(rounds, j, round)
		{
			snprintf(l->at, sizeof(l->at), "paths[%zu].rounds[%zu]", i, j);
			err = load_round(l, path, round);
			if (err < 0)
				return err;
		}
	}
	return 0;
}

static int load_host(struct loader *l, json_t *from)
{
	struct rwy_result *result = l->result;
	const char *name, *key;
	json_t *facts, *value;
	json_error_t error;

	if (json_unpack_ex(from, &error, JSON_STRICT, "{ss so}", "name", &name, "facts", &facts) <
	    0)
		return refuse(l, "host: %s", error.text);
	if (!json_is_object(facts))
		return refuse(l, "host: facts must be an object");
	json_object_foreach(facts, key, value)
	{
		struct rwy_fact *fact = &result->facts.facts[result->facts.nr];

		if (!json_is_string(value) || strlen(key) >= sizeof(fact->name) ||
		    strlen(json_string_value(value)) >= sizeof(fact->value))
			return refuse(l, "host: %.40s must be a text, and not too long", key);
		if (rwy_facts_add(&result->facts, key, "%s", json_string_value(value)) < 0)
			return refuse(l, "host: more than %d facts", RWY_FACTS_MAX);
	}
	return copy_text(l, "the host's name", name, result->host_name, sizeof(result->host_name));
}

/* Back to text it must be the same: strptime takes more than is written. */
static int parse_time(const char *text, time_t *at)
{
	struct tm tm = {0};
	char again[RWY_RESULT_TIME_LEN];
	const char *end = strptime(text, RWY_RESULT_TIME, &tm);

	if (!end || *end)
		return -EINVAL;
	*at = timegm(&tm);
	return gmtime_r(at, &tm) && strftime(again, sizeof(again), RWY_RESULT_TIME, &tm) &&
			       !strcmp(again, text)
		       ? 0
		       : -EINVAL;
}

static int load_root(struct loader *l, json_t *root)
{
	struct rwy_result *result = l->result;
	const char *format, *version, *started, *ended;
	json_t *host, *placement, *paths;
	json_error_t error;
	json_int_t rounds;
	int emulated, err;

	if (json_unpack(root, "{ss}", "format", &format) < 0 || strcmp(format, RWY_RESULT_FORMAT))
		return refuse(l, "its format is not '%s'", RWY_RESULT_FORMAT);
	if (json_unpack_ex(root, &error, JSON_STRICT, "{ss ss ss sF sb sI ss so so so}", "format",
			   &format, "ringway", &version, "started", &started, "seconds",
			   &result->seconds, "emulated", &emulated, "rounds", &rounds, "ended",
			   &ended, "host", &host, "placement", &placement, "paths", &paths) < 0)
		return refuse(l, "%s", error.text);
	if (rounds < 0 || rounds > RWY_RESULT_ROUNDS)
		return refuse(l, "rounds must be 0 to %d", RWY_RESULT_ROUNDS);
	if (!(result->seconds >= 0 && result->seconds <= SECONDS_MAX))
		return refuse(l, "seconds must be 0 to %g", SECONDS_MAX);
	if (parse_time(started, &result->started) < 0)
		return refuse(l, "started must be a time like 2026-01-31T12:00:00Z");
	result->emulated = emulated;
	result->rounds = (unsigned)rounds;
	err = copy_text(l, "ringway", version, result->version, sizeof(result->version));
	if (err == 0)
		err = copy_text(l, "ended", ended, result->ended, sizeof(result->ended));
	if (err == 0)
		err = copy_lines(l, "placement", placement, result->placement,
				 sizeof(result->placement));
	if (err == 0)
		err = load_host(l, host);
	return err == 0 ? load_paths(l, paths) : err;
}

/* The whole of a regular file into a malloc'd buffer. O_NONBLOCK: it may turn out to be a FIFO. */
static int read_file(const char *file, char **buf, size_t *len)
{
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	ssize_t n;

	*buf = NULL;
	*len = 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > BYTES_MAX)
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EFBIG;
	else if (!(*buf = malloc((size_t)st.st_size + 1)))
		err = -ENOMEM;
	while (!err && *len < (size_t)st.st_size) {
		n = read(fd, *buf + *len, (size_t)st.st_size - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		*len += (size_t)n;
	}
	rwy_fd_close(&fd);
	if (err) {
		free(*buf);
		*buf = NULL;
	}
	return err;
}

int rwy_result_load(struct rwy_result *result, const char *file, struct rwy_result_why *why)
{
	struct loader l = {.file = file, .result = result, .why = why};
	json_error_t error;
	json_t *root;
	size_t len;
	char *buf;
	int err = read_file(file, &buf, &len);

	if (err < 0) {
		snprintf(why->text, sizeof(why->text),
			 "%.320s: %s; name the directory of a run of ringway-perf compare", file,
			 err == -EFBIG ? "no regular file, or a huge one" : strerror(-err));
		return err;
	}
	root = json_loadb(buf, len, JSON_REJECT_DUPLICATES, &error);
	free(buf);
	err = rwy_result_init(result, 0);
	if (err < 0)
		snprintf(why->text, sizeof(why->text), "%.320s: %s", file, strerror(-err));
	else if (!root)
		err = refuse(&l, "line %d is not JSON: %.100s", error.line, error.text);
	else
		err = load_root(&l, root);
	json_decref(root);
	if (err < 0)
		rwy_result_fini(result);
	return err;
}
