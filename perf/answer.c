/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/answer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number from 0 up, and what is behind it. */
static int number(const char **at, double *value)
{
	char *end;

	*value = strtod(*at, &end);
	if (end == *at || !isfinite(*value) || *value < 0)
		return -EPROTO;
	*at = end;
	return 0;
}

/* "NS COUNT NS COUNT..." */
static int take_latencies(struct rwy_answer *answer, const char *at, const char *end)
{
	while (at < end && *at != '\r') {
		double ns, count;

		if (number(&at, &ns) < 0 || number(&at, &count) < 0 || at > end || ns >= 0x1p63 ||
		    count >= (double)(RWY_ANSWER_OPS - answer->latency.count))
			return -EPROTO;
		for (uint64_t i = 0; i < (uint64_t)count; i++)
			rwy_stats_hist_add(&answer->latency, (uint64_t)ns);
	}
	return 0;
}

static int take_value(struct rwy_answer *answer, const char *name, size_t name_len, const char *at)
{
	char text[RWY_ANSWER_NAME];
	double value;

	if (name_len >= sizeof(text) || number(&at, &value) < 0)
		return -EPROTO;
	snprintf(text, sizeof(text), "%.*s", (int)name_len, name);
	return rwy_answer_add(answer, text, value) < 0 ? -EPROTO : 0;
}

static bool is(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && !memcmp(word, name, len);
}

/* One line behind "perf: ID ". 1: it was the last. */
static int take(struct rwy_answer *answer, const char *line, const char *end)
{
	size_t len = strcspn(line, " \r\n");
	const char *rest = line + len + (line[len] == ' ');

	if (is(line, len, "end"))
		return *rest == '0' ? 1 : -EREMOTEIO;
	if (is(line, len, "error")) {
		snprintf(answer->error, sizeof(answer->error), "%.*s", (int)strcspn(rest, "\r\n"),
			 rest);
		return 0;
	}
	if (is(line, len, "lat"))
		return take_latencies(answer, rest, end);
	return take_value(answer, line, len, rest);
}

int rwy_answer_parse(struct rwy_answer *answer, const char *text, unsigned id)
{
	char mark[32];
	int len = snprintf(mark, sizeof(mark), "perf: %u ", id);

	memset(answer, 0, sizeof(*answer));
	for (;;) {
		const char *line = strstr(text, mark);
		const char *end = line ? strchr(line, '\n') : NULL;

		if (!end)
			return -EAGAIN;
		int err = take(answer, line + len, end);

		if (err != 0)
			return err > 0 ? 0 : err;
		text = end;
	}
}

const double *rwy_answer_get(const struct rwy_answer *answer, const char *name)
{
	for (unsigned i = 0; i < answer->nr; i++)
		if (!strcmp(answer->values[i].name, name))
			return &answer->values[i].value;
	return NULL;
}

int rwy_answer_add(struct rwy_answer *answer, const char *name, double value)
{
	if (answer->nr == RWY_ANSWER_VALUES)
		return -ENOSPC;
	snprintf(answer->values[answer->nr].name, RWY_ANSWER_NAME, "%s", name);
	answer->values[answer->nr++].value = value;
	return 0;
}

int rwy_answer_join(struct rwy_answer *answer, const struct rwy_answer *other)
{
	int err = 0;

	for (unsigned i = 0; err == 0 && i < other->nr; i++)
		err = rwy_answer_add(answer, other->values[i].name, other->values[i].value);
	if (other->latency.count > 0)
		answer->latency = other->latency;
	return err;
}
