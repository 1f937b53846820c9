/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log lines: "level stem: what, with the numbers and the fix". Never one per packet: count instead.
 * Lines go to stderr unless a sink is set. Safe from any thread; a line is written by one write().
 */
#ifndef RWY_LIB_LOG_H
#define RWY_LIB_LOG_H

#include "lib/base.h"

enum rwy_log_level { RWY_LOG_ERROR, RWY_LOG_WARN, RWY_LOG_INFO, RWY_LOG_DEBUG };

/* A sink gets one line without its newline. It may run on any thread. */
typedef void (*rwy_log_sink)(enum rwy_log_level level, const char *line);

/* Before other threads start. NULL puts stderr back. */
void rwy_log_set_sink(rwy_log_sink sink);
void rwy_log_set_level(enum rwy_log_level level);
/* "error", "warn", "info", "debug" (the argument of --log-level). -EINVAL for anything else. */
RWY_MUST_CHECK int rwy_log_parse_level(const char *name, enum rwy_log_level *level);
bool rwy_log_enabled(enum rwy_log_level level);

void rwy_log_write(enum rwy_log_level level, const char *stem, const char *fmt, ...)
	RWY_PRINTF(3, 4);

/* A hostile peer must not be able to fill the disk: at most `burst` lines a second per limiter. */
struct rwy_log_limit {
	uint64_t window_ns;
	unsigned count;
	unsigned dropped;
};
bool rwy_log_allow(struct rwy_log_limit *limit, unsigned burst);

/* Each .c that logs defines RWY_STEM to its own file stem before it uses these. */
#define rwy_error(...) rwy_log_write(RWY_LOG_ERROR, RWY_STEM, __VA_ARGS__)
#define rwy_warn(...)  rwy_log_write(RWY_LOG_WARN, RWY_STEM, __VA_ARGS__)
#define rwy_info(...)  rwy_log_write(RWY_LOG_INFO, RWY_STEM, __VA_ARGS__)
#define rwy_debug(...)                                                       \
	do {                                                                 \
		if (rwy_log_enabled(RWY_LOG_DEBUG))                          \
			rwy_log_write(RWY_LOG_DEBUG, RWY_STEM, __VA_ARGS__); \
	} while (0)

#endif
