/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The front-end state machine: the side that owns the guest. Used by the VMM (vmm/vdev_vu.c), by
 * perf and by tests.
 *
 * It is asynchronous and lives on one reactor. The owner describes the device it wants (memory,
 * rings, features) and calls rwy_vu_front_start; the machine connects, negotiates and brings the
 * rings up, and tells the owner by callbacks. When the back-end dies it retries for ever with
 * back-off and brings everything up again from where each ring stood; the owner need not act. A
 * back-end that does not answer within reply_timeout_ms counts as dead. Nothing here blocks.
 *
 * Sending order on every (re)connection, per the vhost-user text: GET_FEATURES,
 * GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, GET_MAX_MEM_SLOTS, SET_OWNER,
 * SET_BACKEND_REQ_FD, GET_CONFIG; then `on_ready`. When the guest's driver is there: SET_FEATURES,
 * status, GET/SET_INFLIGHT_FD (whose layout depends on the features), memory (ADD_MEM_REG each or
 * SET_MEM_TABLE), rings, enables, status.
 *
 * Callbacks come from the reactor or from inside a call of the owner's; they may call anything here
 * but rwy_vu_front_close.
 */
#ifndef RWY_LIB_VU_FRONT_H
#define RWY_LIB_VU_FRONT_H

#include "lib/mem.h"
#include "lib/poll.h"
#include "lib/vu_wire.h"

#define RWY_VU_FRONT_QUEUES 256

/* How one ring is to be run. Addresses are guest-physical; all fds stay the owner's. */
struct rwy_vu_ring {
	uint16_t size; /* 0: ring not used */
	bool enabled;
	rwy_gpa desc;
	rwy_gpa driver;
	rwy_gpa device;
	uint32_t
		base; /* where to start; updated when the ring is stopped or the back-end is lost */
	int kick_fd;
	int call_fd;
	int err_fd; /* may be -1 */
};

struct rwy_vu_front_ops {
	/* The device's features and config space are known (first time: the VMM may show the
	 * device; later: again after a reconnection). */
	void (*on_ready)(void *ctx);
	/* All rings run. */
	void (*on_started)(void *ctx);
	/* The back-end is gone or refused to go on; a retry is under way. why: static or logged
	 * text */
	void (*on_lost)(void *ctx, const char *why);
	/* Answer to rwy_vu_front_stop: rings[].base are final. Also when the back-end died
	 * meanwhile. */
	void (*on_stopped)(void *ctx);
	/* CONFIG_CHANGE: config has been read anew. */
	void (*on_config)(void *ctx);
};

struct rwy_vu_front_config {
	const char *name;	   /* for log lines */
	const char *socket_path;   /* NULL: use fd */
	int *fd;		   /* a connected socket, taken; then there is no reconnection */
	bool listen;		   /* we serve socket_path and the back-end connects to us */
	uint64_t features;	   /* virtio features the owner can pass on to a guest */
	unsigned nr_queues;	   /* rings wanted; fewer if the back-end has fewer */
	unsigned queue_rings;	   /* what GET_QUEUE_NUM counts: 2 rings for net, as everyone does,
				    * 1 (or 0 here) for others */
	unsigned config_len;	   /* bytes of config space, 0: GET_CONFIG is not used */
	bool need_config;	   /* a back-end that cannot tell its config is refused */
	unsigned reply_timeout_ms; /* 0: 5000 */
	const struct rwy_vu_front_ops *ops;
	void *ctx;
};

struct rwy_vu_front; /* opaque: lib/vu_front.c */

/*
 * Starts to connect at once; mem must outlive the front-end, carry an fd in each region, and not
 * change. -ENOTSOCK: socket_path is another kind of file; -EADDRINUSE: somebody listens on it.
 */
RWY_MUST_CHECK int rwy_vu_front_open(struct rwy_vu_front **front, struct rwy_poll *poll,
				     struct rwy_mem *mem, const struct rwy_vu_front_config *config);
void rwy_vu_front_close(struct rwy_vu_front *front);

/* Valid from on_ready on. Features and queues may shrink with a new back-end while stopped; while
 * started, a back-end that has less than what is in use is refused until it has it again. */
uint64_t rwy_vu_front_features(const struct rwy_vu_front *front); /* offered AND wanted */
unsigned rwy_vu_front_nr_queues(const struct rwy_vu_front *front);
/* NULL: the back-end cannot tell */
const uint8_t *rwy_vu_front_config_space(const struct rwy_vu_front *front);
bool rwy_vu_front_connected(const struct rwy_vu_front *front);
uint64_t rwy_vu_front_reconnects(const struct rwy_vu_front *front);

/*
 * The driver is ready: run these rings (copied) with these features. on_started follows, when there
 * is no back-end now, or one with fewer features or rings, then as soon as there is one that fits.
 * -EBUSY: started already, or still stopping. -EINVAL: features or rings beyond those wanted.
 */
RWY_MUST_CHECK int rwy_vu_front_start(struct rwy_vu_front *front, uint64_t features,
				      const struct rwy_vu_ring *rings, unsigned nr_rings);
/* GET_VRING_BASE on every ring; on_stopped follows, at the latest after reply_timeout_ms, then
 * with the connection cut. */
void rwy_vu_front_stop(struct rwy_vu_front *front);
/* rings as they stand; base is current only after on_stopped */
const struct rwy_vu_ring *rwy_vu_front_rings(const struct rwy_vu_front *front);
RWY_MUST_CHECK int rwy_vu_front_enable(struct rwy_vu_front *front, unsigned ring, bool on);
/* A call fd may change while the ring runs (MSI-X masking). */
RWY_MUST_CHECK int rwy_vu_front_set_call(struct rwy_vu_front *front, unsigned ring, int call_fd);
/* A write by the guest to config space. Sent as SET_CONFIG. */
RWY_MUST_CHECK int rwy_vu_front_set_config(struct rwy_vu_front *front, unsigned off,
					   const void *data, unsigned len);

#endif
