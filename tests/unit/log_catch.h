/* SPDX-License-Identifier: BSD-3-Clause */
/* What is logged, for tests that hold an error message to what it must say. */
#ifndef RWY_TESTS_LOG_CATCH_H
#define RWY_TESTS_LOG_CATCH_H

#include "lib/log.h"

#include <stdio.h>
#include <string.h>

static char log_caught[4096];

static inline void log_catch_line(enum rwy_log_level level, const char *line)
{
	size_t at = strlen(log_caught);

	snprintf(log_caught + at, sizeof(log_caught) - at, "%s\n", line);
}

/* Forgets what was said, and listens. */
static inline void log_catch(void)
{
	log_caught[0] = '\0';
	rwy_log_set_sink(log_catch_line);
}

static inline bool log_said(const char *what)
{
	return strstr(log_caught, what) != NULL;
}

#endif
