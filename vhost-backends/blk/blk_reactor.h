/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The disks of one thread: its reactor, its io_uring where a disk needs one, and for each disk the
 * store, the device and the socket it is served at.
 *
 * All is for the main thread. It runs one reactor itself (rwy_be_main_run) and starts the others.
 */
#ifndef RWY_VHOST_BACKENDS_BLK_BLK_REACTOR_H
#define RWY_VHOST_BACKENDS_BLK_BLK_REACTOR_H

#include "lib/poll.h"
#include "lib/stats.h"

#include <pthread.h>

struct rwy_blk_disk {
	const char *socket; /* NULL: fd */
	int fd;		    /* -1: socket. Taken when the disk is added */
	const char *file;   /* NULL: memory */
	uint64_t mem;	    /* bytes */
	uint64_t nr_queues;
	bool read_only;
	bool shared;   /* others may have the file too: a guest is moved */
	char name[16]; /* "disk0" */
};

struct rwy_blk_served; /* a disk being served */

struct rwy_blk_reactor {
	struct rwy_poll *poll;
	struct rwy_uring *uring; /* opened for the first file */
	struct rwy_stats *stats;
	struct rwy_blk_served *served; /* list, owned */
	int cpu;		       /* -1: wherever */
	int err;		       /* how the thread ended */
	struct rwy_poll *first;	       /* stopped when this one's thread ends */
	pthread_t thread;
	bool threaded;
};

/* Its counters are "reactor<number>". */
RWY_MUST_CHECK int rwy_blk_reactor_open(struct rwy_blk_reactor *reactor, enum rwy_poll_mode mode,
					unsigned number, int cpu, struct rwy_stats *stats);
/* disk must outlive the reactor. -errno, logged. */
RWY_MUST_CHECK int rwy_blk_reactor_add(struct rwy_blk_reactor *reactor, struct rwy_blk_disk *disk);
/* Pins the calling thread. -errno, logged. */
RWY_MUST_CHECK int rwy_blk_reactor_pin(const struct rwy_blk_reactor *reactor);
/*
 * Serves from a thread of its own, pinned, until stop, which waits for it. -errno, logged. When
 * the thread ends, for whatever reason, so does the reactor `first`, the main thread's.
 */
RWY_MUST_CHECK int rwy_blk_reactor_start(struct rwy_blk_reactor *reactor, struct rwy_poll *first);
/* How the thread ended. 0 when there was none. */
int rwy_blk_reactor_stop(struct rwy_blk_reactor *reactor);
/* Ends every connection, waits for what is under way, frees all. */
void rwy_blk_reactor_close(struct rwy_blk_reactor *reactor);

#endif
