/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dirty logging of a virtqueue ("Migration" of the vhost-user text): while a guest is moved to
 * another host, each page that the device writes is marked in a bitmap that the front-end shares.
 *
 * All that a device writes for a queue goes through push, publish, arm and disarm (and into buffers
 * that are then pushed), so a logged queue has a table of operations of its own, in which these
 * four mark afterwards what they and the device have written. A queue that is not logged knows
 * nothing of it.
 *
 * A mark follows the write that it stands for, with a barrier between the two: who clears a mark
 * and then reads the page either finds the write or the mark again. Marks that are there already
 * cost no locked operation, so that a burst costs about one for each eight pages.
 */
#ifndef RWY_LIB_VQ_LOG_H
#define RWY_LIB_VQ_LOG_H

#include "lib/vq.h"

/* One bit for each RWY_VU_LOG_PAGE bytes of guest-physical memory, from address 0 on. Pages beyond
 * it are not marked; who shares memory checks that there are none. */
struct rwy_vq_log_map {
	uint8_t *bytes;
	uint64_t len; /* below 2^48; 0: marks nothing */
};

/* What a logged queue needs more than others; the caller's, for as long as the queue runs. */
struct rwy_vq_log {
	struct rwy_vq_ops ops;
	const struct rwy_vq_ops *plain;
	const struct rwy_vq_log_map *map; /* may change between two bursts */
	bool data;			  /* buffers too, not the ring only */
};

/* Behind a barrier. Nothing for len 0. */
void rwy_vq_log_mark(const struct rwy_vq_log_map *map, rwy_gpa gpa, uint64_t len);

/*
 * From here on, vq is logged: a started queue, between two bursts, with a log of its own. Marks the
 * ring, for what was written before. Again for a queue that is logged: changes map and data.
 */
void rwy_vq_log_start(struct rwy_vq *vq, struct rwy_vq_log *log, const struct rwy_vq_log_map *map,
		      bool data);
/* Not any more. Nothing if it was not. rwy_vq_stop ends it as well. */
void rwy_vq_log_stop(struct rwy_vq *vq, const struct rwy_vq_log *log);

#endif
