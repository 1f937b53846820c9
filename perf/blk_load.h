/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest of ringway-perf blk: a vhost-user front-end that keeps a number of random 4 KiB
 * requests under way at one queue, as a polling driver would: completions are looked for, never
 * called for, and kicks go out only when the back-end asks for them.
 */
#ifndef RWY_PERF_BLK_LOAD_H
#define RWY_PERF_BLK_LOAD_H

#include "lib/base.h"

#define RWY_BLK_LOAD_BLOCK 4096
#define RWY_BLK_LOAD_DEPTH 32

struct rwy_blk_load_config {
	const char *socket;
	bool write;   /* random writes, else random reads */
	bool packed;  /* ask for the packed ring; -ENOTSUP where the back-end has none */
	bool fill;    /* first write the whole disk once, so that each block has memory */
	unsigned cpu; /* the calling thread runs there meanwhile */
	unsigned warmup_ms;
	unsigned measure_ms;
	unsigned slice_ms; /* iops is the median of the slices' */
	int stop_fd;	   /* readable: end at once with -EINTR; not read */
};

struct rwy_blk_load_result {
	double iops;
	double p50_us; /* from published to seen used */
	double p99_us;
	uint64_t requests; /* measured */
};

/*
 * Fills, warms up, measures. On failure *why (static) says what went wrong: -EIO a request failed,
 * -ECONNRESET the back-end went away, -ETIMEDOUT, -ENOTSUP, -EINTR, or what setting up returned.
 */
RWY_MUST_CHECK int rwy_blk_load_run(const struct rwy_blk_load_config *config,
				    struct rwy_blk_load_result *result, const char **why);

#endif
