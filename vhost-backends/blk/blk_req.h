/* SPDX-License-Identifier: BSD-3-Clause */
/* One request, from the chain that carries it to its status byte (virtio 1.2 section 5.2.6). */
#ifndef RWY_VHOST_BACKENDS_BLK_BLK_REQ_H
#define RWY_VHOST_BACKENDS_BLK_BLK_REQ_H

#include "vhost-backends/blk/blk.h"

/* Most ranges of one discard or write-zeroes request, and how long each may be. */
#define RWY_BLK_RANGES_MAX	    16
#define RWY_BLK_DISCARD_SECTORS_MAX (1u << 17)
#define RWY_BLK_ZERO_SECTORS_MAX    (1u << 15)

#define RWY_BLK_REQ_IOV 6

struct rwy_blk_req {
	struct rwy_store_req io;
	struct rwy_chain chain; /* its iov is ours, below or on the heap */
	struct rwy_blk_queue *queue;
	uint64_t start_ns; /* 0: not measured */
	uint32_t type;
	bool busy;
	uint8_t nr_ranges;
	uint8_t range; /* the one under way */
	struct virtio_blk_discard_write_zeroes *ranges;
	struct iovec iov[RWY_BLK_REQ_IOV];
};

/* Starts what chain asks for; the answer may be pushed at once. now_ns 0: do not measure. */
void rwy_blk_req_begin(struct rwy_blk_queue *queue, const struct rwy_chain *chain, uint64_t now_ns);

/* blk.c: the last request of a stopping queue was answered. */
void rwy_blk_queue_drained(struct rwy_blk_queue *queue);

#endif
