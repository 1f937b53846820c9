/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio block device (virtio 1.2 section 5.2) on a store: blk.c is the device as be.c sees it
 * and its queues, blk_req.c is one request from header to status.
 *
 *	poll_queues  --pop-->  rwy_blk_req_begin  --->  store  --->  finish  --push-->  publish
 *
 * A disk lives as long as the program, longer than any connection to it. Reactor's thread only.
 */
#ifndef RWY_VHOST_BACKENDS_BLK_BLK_H
#define RWY_VHOST_BACKENDS_BLK_BLK_H

#include "vhost-backends/be.h"
#include "vhost-backends/blk/store.h"

#include <linux/virtio_blk.h>

/* What one disk counts. Names in blk.c, in this order. */
struct rwy_blk_counts {
	uint64_t reads;
	uint64_t writes;
	uint64_t flushes;
	uint64_t discards;
	uint64_t zeroes;
	uint64_t ids;
	uint64_t read_bytes;
	uint64_t written_bytes;
	uint64_t discarded_bytes;
	uint64_t zeroed_bytes;
	uint64_t read_errors;
	uint64_t write_errors;
	uint64_t other_errors;
	uint64_t refused; /* outside the disk, read-only, malformed */
	uint64_t unsupported;
};

struct rwy_blk_req; /* blk_req.h */

struct rwy_blk_queue {
	struct rwy_blk *blk;
	struct rwy_blk_req *reqs; /* one for each chain id, owned; NULL while stopped */
	unsigned idx;
	unsigned nr_busy;
	bool dirty; /* something was pushed and not published */
	bool stopping;
};

struct rwy_blk {
	struct rwy_poll *poll;
	struct rwy_poller poller; /* added while a queue runs */
	struct rwy_store *store;  /* owned */
	struct rwy_be *be;	  /* the connection, or NULL */
	struct rwy_stats *stats;
	struct rwy_blk_counts *counts;
	struct rwy_stats_hist *latency; /* ns from pop to push; the first request of each burst */
	const char *name;
	unsigned nr_queues;
	unsigned nr_running;
	bool write_back;  /* may complete a write that a power failure would undo */
	uint8_t wce;	  /* config space: what the driver wrote */
	uint64_t sectors; /* capacity */
	struct rwy_blk_queue queues[RWY_BE_QUEUES];
	struct iovec iov[2 * RWY_VQ_IOV_MAX]; /* a burst's, until each request has its own */
};

struct rwy_blk_config {
	const char *name;	  /* "disk0"; must outlive the disk */
	struct rwy_store **store; /* taken, set to NULL, also on failure */
	unsigned nr_queues;
	struct rwy_stats *stats;
};

RWY_MUST_CHECK int rwy_blk_open(struct rwy_blk **blk, struct rwy_poll *poll,
				const struct rwy_blk_config *config);
/* No connection may be left. NULL is nothing. */
void rwy_blk_close(struct rwy_blk *blk);
/* How be.c is to serve this disk; opened goes to rwy_be_socket_config with blk as its ctx. */
void rwy_blk_describe(struct rwy_blk *blk, struct rwy_be_config *config);
void rwy_blk_opened(void *blk, struct rwy_be *be);

#endif
