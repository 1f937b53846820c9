/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The back-end side of vhost-user: the protocol state machine (be.c) and the contract of a device.
 *
 * A `be` is one device on one connection. It lives on one reactor: control messages are handled
 * between two polls of the same thread, so rings, memory and features change under nobody's feet
 * and no lock exists. The state machine owns the memory map, the rings and their eventfds, and the
 * mappings of guest memory; the device only ever sees started queues.
 *
 * Stopping is a promise: after ops->stop returned true (or rwy_be_drained was called) the device
 * touches no guest memory of that queue. A device with requests under way returns false and calls
 * rwy_be_drained(be, queue) when the last of them is done; the reply to GET_VRING_BASE,
 * SET_MEM_TABLE and so on waits for it, and the socket is not read meanwhile.
 *
 *	 front-end            be.c                        device
 *	 SET_VRING_*   --->   collect, check
 *	 kick readable --->   rwy_vq_start  ----------->  ops->start(be, q)
 *	                      (reactor)     ----------->  its own poller: pop, push, publish
 *	 GET_VRING_BASE -->   ------------------------->  ops->stop(be, q) ... rwy_be_drained
 *	                <---  rwy_vq_stop: base
 */
#ifndef RWY_VHOST_BACKENDS_BE_H
#define RWY_VHOST_BACKENDS_BE_H

#include "lib/log.h"
#include "lib/mem.h"
#include "lib/poll.h"
#include "lib/stats.h"
#include "lib/vq.h"
#include "lib/vu_check.h"

#define RWY_BE_QUEUES 64

struct rwy_be;

/* The whole contract of a back-end's device. Called on the reactor's thread only. */
struct rwy_be_ops {
	const char *name; /* "net", "blk": in log lines */
	/* config space; off + len <= config_len was checked. write: 0 or negative errno */
	void (*config_read)(struct rwy_be *be, uint32_t off, void *buf, uint32_t len);
	int (*config_write)(struct rwy_be *be, uint32_t off, const void *buf, uint32_t len);
	/* SET_FEATURES was accepted; be->features is what the driver took. May be NULL. */
	void (*set_features)(struct rwy_be *be);
	/* Queue q has been started: be->vqs[q] may be popped. Must not fail. */
	void (*start)(struct rwy_be *be, unsigned q);
	/* True: quiet now. False: rwy_be_drained(be, q) will follow. */
	bool (*stop)(struct rwy_be *be, unsigned q);
	/* SET_VRING_ENABLE changed be->enabled[q] of a started queue. May be NULL. */
	void (*enable)(struct rwy_be *be, unsigned q);
	/* RESET_DEVICE, or status 0: back to the state of a fresh connection. May be NULL. */
	void (*reset)(struct rwy_be *be);
	/* SEND_RARP and NET_SET_MTU; NULL where the device offers neither. */
	void (*send_rarp)(struct rwy_be *be, uint64_t mac);
	int (*set_mtu)(struct rwy_be *be, uint64_t mtu);
	/* The connection is gone and all queues are stopped. */
	void (*lost)(struct rwy_be *be);
};

struct rwy_be_config {
	const struct rwy_be_ops *ops;
	void *device;	    /* be->device */
	uint64_t features;  /* virtio features the device implements; be.c adds the ring's and
			       vhost's */
	uint64_t pf;	    /* protocol features the device adds: CONFIG, MTU, RARP, INFLIGHT ... */
	unsigned nr_queues; /* rings, <= RWY_BE_QUEUES */
	unsigned queue_num; /* what GET_QUEUE_NUM says; 0: nr_queues. For net it counts pairs */
	unsigned config_len;
	uint64_t read_only; /* bit per ring whose buffers the device only reads */
	bool in_order;	    /* the device completes in order: VIRTIO_F_IN_ORDER may be offered */
	struct rwy_stats *stats;
	const char *stats_name; /* "guest0": queues become guest0.q0, ... */
	/* What a front-end does wrong, over all its connections; NULL: counted for each by itself
	 */
	struct rwy_log_limit *log_limit;
	/* The be is freed; for who keeps the place it was served at. May be NULL. */
	void (*gone)(void *ctx);
	void *gone_ctx;
};

struct rwy_be {
	const struct rwy_be_ops *ops;
	void *device;
	struct rwy_poll *poll;
	struct rwy_vq vqs[RWY_BE_QUEUES];
	bool enabled[RWY_BE_QUEUES]; /* "Ring states": may pass data. A started net TX ring that is
				      * not enabled is drained and its packets are dropped. */
	unsigned nr_queues;
	uint64_t features; /* acknowledged */
	struct rwy_mem mem;
	struct rwy_be_private *priv; /* be.c's own */
};

/*
 * A device on a connected socket, taken from *fd. Heap; closed by itself when the connection
 * ends: ops->lost is the last call, after it the be is gone.
 */
RWY_MUST_CHECK int rwy_be_open(struct rwy_be **be, struct rwy_poll *poll,
			       const struct rwy_be_config *config, int *fd);
/* Ends the connection from our side. If queues have requests under way it completes later, and
 * ops->lost says so. */
void rwy_be_close(struct rwy_be *be);
/* See ops->stop. */
void rwy_be_drained(struct rwy_be *be, unsigned q);
/* Tells the driver that config space changed. 0, -ENOTCONN before BACKEND_REQ is set up. */
int rwy_be_config_changed(struct rwy_be *be);

RWY_INLINE bool rwy_be_has(const struct rwy_be *be, unsigned feature)
{
	return be->features & RWY_BIT64(feature);
}

#endif
