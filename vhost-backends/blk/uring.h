/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One io_uring a reactor. Whatever its stores start during a round goes to the kernel with one
 * system call at the beginning of the next one; completions are reaped in the same place, so that
 * a device which polls after it publishes them in the same round.
 *
 * Everything here is for the reactor's thread.
 */
#ifndef RWY_VHOST_BACKENDS_BLK_URING_H
#define RWY_VHOST_BACKENDS_BLK_URING_H

#include "lib/poll.h"

#include <sys/uio.h>

struct io_uring_sqe;
struct rwy_uring; /* opaque */

/* Most pieces one operation may have. */
#define RWY_URING_IOV_MAX 1024

/* One operation, embedded by its owner; must stay put from start to done. */
struct rwy_uring_op {
	/*
	 * Fills sqe. iov has room for RWY_URING_IOV_MAX pieces, valid until the kernel has read
	 * them; returns how many were used. Runs in start, or later when the queue was full.
	 */
	unsigned (*prep)(struct rwy_uring_op *op, struct io_uring_sqe *sqe, struct iovec *iov);
	/* res as the kernel gave it. May start the same operation again. */
	void (*done)(struct rwy_uring_op *op, int res);
	struct rwy_uring_op *next;
};

/* Registers its poller: call it before the devices of this reactor register theirs. Logged. */
RWY_MUST_CHECK int rwy_uring_open(struct rwy_uring **uring, struct rwy_poll *poll);
/* Nothing may be under way. NULL is nothing. */
void rwy_uring_close(struct rwy_uring *uring);
/* op->done follows, never from within. */
void rwy_uring_start(struct rwy_uring *uring, struct rwy_uring_op *op);

#endif
