/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames sent out of an interface at a rate, to somebody who sends each one back with its addresses
 * exchanged; what came back, and how long that took. Through a packet socket, past the interface's
 * queues: a frame that it has no room for is offered again, and counts as sent when it was taken.
 */
#ifndef RWY_PERF_FRAMES_H
#define RWY_PERF_FRAMES_H

#include "lib/stats.h"

#define RWY_FRAMES_MIN 64 /* with their checksum */
#define RWY_FRAMES_MAX 1518

struct rwy_frames_config {
	const char *ifname;
	uint8_t to[6];
	unsigned size; /* RWY_FRAMES_MIN to RWY_FRAMES_MAX */
	double rate;   /* a second; 0: as many as the interface takes */
	double seconds;
};

struct rwy_frames {
	double seconds; /* for which it sent */
	uint64_t sent;
	uint64_t back;
	struct rwy_stats_hist latency; /* in ns, of those that came back and could be looked at */
};

/*
 * Until all came back, or none for a second. -errno; -ENODEV: there is no such interface; -EPERM:
 * only root may.
 */
RWY_MUST_CHECK int rwy_frames_run(const struct rwy_frames_config *config,
				  struct rwy_frames *frames);
/* How many are to have been sent by then; less than the rate's where the sender was held up. */
uint64_t rwy_frames_due(const struct rwy_frames_config *config, uint64_t elapsed_ns,
			uint64_t given_up);

#endif
