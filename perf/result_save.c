/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/result.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIGITS 12

static json_t *text_json(const char *text)
{
	json_t *string = json_string(text);
	char *copy;

	if (string)
		return string;
	copy = strdup(text);
	for (char *at = copy; at && *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	string = copy ? json_string(copy) : NULL;
	free(copy);
	return string;
}

static json_t *lines_json(const char *text)
{
	json_t *lines = json_array();

	while (*text) {
		size_t len = strcspn(text, "\n");
		char *line = strndup(text, len);

		json_array_append_new(lines, line ? text_json(line) : NULL);
		free(line);
		text += len + (text[len] == '\n');
	}
	return lines;
}

static json_t *uint_json(uint64_t value)
{
	return json_integer((json_int_t)RWY_MIN(value, (uint64_t)INT64_MAX));
}

/* NULL, and so left out, when nothing was measured. */
static json_t *hist_json(const struct rwy_stats_hist *hist)
{
	json_t *buckets;

	if (hist->count == 0)
		return NULL;
	buckets = json_array();
	for (unsigned i = 0; i < RWY_STATS_HIST_BUCKETS; i++)
		if (hist->buckets[i])
			json_array_append_new(buckets,
					      json_pack("[oo]", uint_json(rwy_stats_hist_upper(i)),
							uint_json(hist->buckets[i])));
	return json_pack("{so so so so}", "count", uint_json(hist->count), "sum",
			 uint_json(hist->sum), "max", uint_json(hist->max), "buckets", buckets);
}

static json_t *round_json(const struct rwy_result_round *round)
{
	json_t *metrics = json_object();

	for (unsigned i = 0; i < round->nr_values; i++) {
		const struct rwy_result_value *value = &round->values[i];
		const char *key = rwy_result_metrics[value->metric].key;

		if (!rwy_result_metrics[value->metric].parts) {
			json_object_set_new(metrics, key, json_real(value->value));
			continue;
		}
		if (!json_object_get(metrics, key))
			json_object_set_new(metrics, key, json_object());
		json_object_set_new(json_object_get(metrics, key), value->of,
				    json_real(value->value));
	}
	return json_pack("{si so so*}", "round", (int)round->number, "metrics", metrics, "latency",
			 hist_json(&round->latency));
}

/* NULL, and so left out, where nothing is missing. */
static json_t *gaps_json(const struct rwy_result_path *path)
{
	json_t *gaps = path->nr_gaps ? json_object() : NULL;

	for (unsigned i = 0; i < path->nr_gaps; i++)
		json_object_set_new(gaps, rwy_result_metrics[path->gaps[i].metric].key,
				    text_json(path->gaps[i].why));
	return gaps;
}

static json_t *path_json(const struct rwy_result_path *path)
{
	json_t *rounds = json_array();

	for (unsigned i = 0; i < path->nr_rounds; i++)
		json_array_append_new(rounds, round_json(&path->rounds[i]));
	return json_pack("{so ss so so so ss so so so* so}", "name", text_json(path->name), "kind",
			 rwy_result_kind_name(path->kind), "workload", text_json(path->workload),
			 "vmm", text_json(path->vmm), "backend", text_json(path->backend), "status",
			 rwy_result_status_name(path->status), "reason", text_json(path->reason),
			 "commands", lines_json(path->commands), "gaps", gaps_json(path), "rounds",
			 rounds);
}

static json_t *host_json(const struct rwy_result *result)
{
	json_t *facts = json_object();

	for (unsigned i = 0; i < result->facts.nr; i++)
		json_object_set_new(facts, result->facts.facts[i].name,
				    text_json(result->facts.facts[i].value));
	return json_pack("{so so}", "name", text_json(result->host_name), "facts", facts);
}

static json_t *result_json(const struct rwy_result *result)
{
	json_t *paths = json_array();
	char started[RWY_RESULT_TIME_LEN];
	struct tm tm;

	if (!gmtime_r(&result->started, &tm) ||
	    !strftime(started, sizeof(started), RWY_RESULT_TIME, &tm))
		started[0] = '\0';
	for (unsigned i = 0; i < result->nr_paths; i++)
		json_array_append_new(paths, path_json(&result->paths[i]));
	return json_pack("{ss so ss sf sb si so so so so}", "format", RWY_RESULT_FORMAT, "ringway",
			 text_json(result->version), "started", started, "seconds", result->seconds,
			 "emulated", (int)result->emulated, "rounds", (int)result->rounds, "ended",
			 text_json(result->ended), "host", host_json(result), "placement",
			 lines_json(result->placement), "paths", paths);
}

/* Takes fd. */
static int write_json(const json_t *root, int *fd)
{
	FILE *file = fdopen(*fd, "w");
	int err = 0;

	if (!file) {
		err = -errno;
		rwy_fd_close(fd);
		return err;
	}
	*fd = -1;
	errno = ENOMEM; /* jansson says nothing but -1 */
	if (json_dumpf(root, file, JSON_INDENT(1) | JSON_REAL_PRECISION(DIGITS)) < 0 ||
	    fputc('\n', file) == EOF || fflush(file) == EOF || fsync(fileno(file)) < 0)
		err = -errno;
	if (fclose(file) == EOF && !err)
		err = -errno;
	return err;
}

int rwy_result_save(const struct rwy_result *result, const char *file)
{
	json_t *root = result_json(result);
	char *tmp = NULL;
	int fd = -1, err = 0;

	if (!root || asprintf(&tmp, "%s.%d", file, (int)getpid()) < 0) {
		json_decref(root);
		return -ENOMEM;
	}
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		err = -errno;
	else
		err = write_json(root, &fd);
	if (!err && rename(tmp, file) < 0)
		err = -errno;
	if (err)
		unlink(tmp);
	free(tmp);
	json_decref(root);
	return err;
}
