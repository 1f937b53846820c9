/* SPDX-License-Identifier: BSD-3-Clause */
/* The one place that owns the process's log level and sink. */
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static struct {
	enum rwy_log_level level;
	rwy_log_sink sink;
} state = {.level = RWY_LOG_INFO};

void rwy_log_set_sink(rwy_log_sink sink)
{
	state.sink = sink;
}

void rwy_log_set_level(enum rwy_log_level level)
{
	state.level = level;
}

int rwy_log_parse_level(const char *name, enum rwy_log_level *level)
{
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(level_names); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*level = (enum rwy_log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

bool rwy_log_enabled(enum rwy_log_level level)
{
	return level <= state.level;
}

void rwy_log_write(enum rwy_log_level level, const char *stem, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int head, body;

	if (!rwy_log_enabled(level))
		return;
	head = snprintf(line, sizeof(line) - 1, "%s %s: ", level_names[level], stem);
	if (head < 0 || (size_t)head >= sizeof(line) - 1)
		return;
	va_start(ap, fmt);
	body = vsnprintf(line + head, sizeof(line) - 1 - (size_t)head, fmt, ap);
	va_end(ap);
	if (body < 0)
		return;
	if (state.sink) {
		state.sink(level, line);
		return;
	}
	size_t len = strlen(line);
	line[len++] = '\n';
	/* Nothing useful can be done when stderr is gone. */
	ssize_t ignored = write(STDERR_FILENO, line, len);
	(void)ignored;
}

bool rwy_log_allow(struct rwy_log_limit *limit, unsigned burst)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	uint64_t now = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	if (now - limit->window_ns >= 1000000000u) {
		limit->window_ns = now;
		limit->count = 0;
	}
	if (limit->count < burst) {
		limit->count++;
		return true;
	}
	limit->dropped++;
	return false;
}
