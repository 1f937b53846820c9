/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters and latency histograms that can be read while they are written.
 *
 * A process publishes one stats area, a memfd or a file (--metrics PATH), laid out as a header and
 * fixed-size named entries, so that a reader needs no code of the writer. Each value has exactly
 * one writing thread, which uses plain stores; readers see whole 64-bit values.
 */
#ifndef RWY_LIB_STATS_H
#define RWY_LIB_STATS_H

#include "lib/base.h"

#define RWY_STATS_MAGIC	   UINT64_C(0x31737461747772) /* "rwtats1" */
#define RWY_STATS_NAME_LEN 56
#define RWY_STATS_ENTRIES  512

/* Adds to a counter that this thread alone writes. */
RWY_INLINE void rwy_stats_add(uint64_t *counter, uint64_t n)
{
	RWY_WRITE_ONCE(counter, *counter + n);
}

/* Log-linear: 8 linear steps in each power of two, so a bucket is at most 12.5 % wide. */
#define RWY_STATS_HIST_SUB     8
#define RWY_STATS_HIST_BUCKETS 320
struct rwy_stats_hist {
	uint64_t count;
	uint64_t sum;
	uint64_t max;
	uint64_t buckets[RWY_STATS_HIST_BUCKETS];
};
void rwy_stats_hist_add(struct rwy_stats_hist *hist, uint64_t value);
/* The largest value that a bucket takes; the last one takes all above as well. */
uint64_t rwy_stats_hist_upper(unsigned bucket);
/* Upper bound of the bucket that holds the q-quantile (0 < q <= 1); 0 when empty. */
uint64_t rwy_stats_hist_quantile(const struct rwy_stats_hist *hist, double q);

/* One queue, as every back-end counts it. Names in rwy_stats_vq_names, in this order. */
struct rwy_stats_vq {
	uint64_t chains;      /* popped */
	uint64_t bytes;	      /* payload moved */
	uint64_t pushes;      /* chains handed back */
	uint64_t bursts;      /* pops that found something */
	uint64_t kicks;	      /* kick eventfd readable */
	uint64_t calls;	      /* call eventfd written */
	uint64_t calls_saved; /* publishes the driver did not want to hear of */
	uint64_t drops;	      /* packets or requests given up for lack of room */
	uint64_t errors;      /* refused by the device, queue still fine */
	uint64_t broken;      /* times the queue broke */
	uint64_t reason;      /* last enum rwy_vq_reason */
};

/* kind of an entry: how a reader prints it */
enum rwy_stats_kind { RWY_STATS_FREE, RWY_STATS_COUNTERS, RWY_STATS_HIST };

struct rwy_stats_area; /* header and entries, in lib/stats.c */

struct rwy_stats {
	struct rwy_stats_area *area; /* owned mapping */
	int fd;			     /* owned */
};

/* path NULL: a memfd. The file is replaced. -errno, logged. */
RWY_MUST_CHECK int rwy_stats_open(struct rwy_stats *stats, const char *path);
void rwy_stats_close(struct rwy_stats *stats);

/*
 * A zeroed block of nr counters called `name` ("guest0.rx0"), or NULL when the area is full.
 * counter_names: nr static strings, copied; together under 256 bytes.
 */
uint64_t *rwy_stats_counters(struct rwy_stats *stats, const char *name,
			     const char *const *counter_names, unsigned nr);
struct rwy_stats_vq *rwy_stats_vq_add(struct rwy_stats *stats, const char *name);
struct rwy_stats_hist *rwy_stats_hist_new(struct rwy_stats *stats, const char *name);
/* Frees the entry that holds this block. */
void rwy_stats_del(struct rwy_stats *stats, const void *block);

/* Every live entry as one JSON object {"name": {"counter": n, ...}, ...} into a malloc'd string. */
RWY_MUST_CHECK int rwy_stats_json(const struct rwy_stats *stats, char **json);
/* Maps somebody else's area read-only; then rwy_stats_json works on it. */
RWY_MUST_CHECK int rwy_stats_attach(struct rwy_stats *stats, const char *path);

#endif
