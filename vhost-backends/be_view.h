/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A part of a file that the front-end shares, as it is mapped here: the one door for guest memory,
 * the in-flight area and the dirty log. What lies behind it is hostile, and may be taken away: a
 * view of which that happened is `lost` until it is closed.
 */
#ifndef RWY_VHOST_BACKENDS_BE_VIEW_H
#define RWY_VHOST_BACKENDS_BE_VIEW_H

#include "lib/base.h"

struct rwy_be_view {
	void *map; /* NULL: none */
	uint64_t map_len;
	uint8_t *at;  /* what was asked for */
	uint64_t dev; /* which file */
	uint64_t ino;
	bool lost;
};

/*
 * Maps [off, off + len) of the file, which stays the caller's. -EINVAL: no regular file, len 0 or a
 * sum that wraps; -ENXIO: the file is shorter; or what the kernel says. *view is only set on
 * success.
 */
RWY_MUST_CHECK int rwy_be_view_open(struct rwy_be_view *view, int fd, uint64_t off, uint64_t len);
/* Those told of memory that was lost must have been (rwy_be_fault_settle). Nothing if it is not
 * open. */
void rwy_be_view_close(struct rwy_be_view *view);
/* Is the byte in it? Then it is lost. */
bool rwy_be_view_lose(struct rwy_be_view *view, const void *at);

#endif
