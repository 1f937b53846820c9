/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of the back-end state machine share; for be*.c only.
 *
 * A message is handled to its end before the next one is read. A handler that must wait for the
 * device returns -EINPROGRESS (by rwy_be_quiesce); the rest of it runs when the device is quiet.
 */
#ifndef RWY_VHOST_BACKENDS_BE_PRIVATE_H
#define RWY_VHOST_BACKENDS_BE_PRIVATE_H

#include "lib/vq_log.h"
#include "vhost-backends/be.h"
#include "vhost-backends/be_track.h"
#include "vhost-backends/be_view.h"

/* What the front-end told of a ring so far ("Ring states"), and how far the device is with it. */
struct rwy_be_ring {
	struct rwy_be *be;
	struct rwy_vu_vring_addr addr;
	uint32_t base;
	uint16_t size;
	bool has_addr;
	bool polled;   /* kick without a descriptor: start without being asked */
	bool failed;   /* cannot be started as it was described; wait for a change */
	bool watched;  /* kick_watch is registered */
	bool paused;   /* the device was told to stop and has not been told to start */
	bool draining; /* ... and has requests under way */
	struct rwy_watch kick_watch;
	struct rwy_vq_config config;   /* as started */
	struct rwy_be_track *track;    /* of a started ring, if there is an area for it */
	struct rwy_vq_log log;	       /* of a started ring that is logged */
	struct rwy_stats_vq *counted;  /* in the stats area, or NULL */
	struct rwy_stats_vq uncounted; /* where there is no area */
};

/* One mapping of guest memory, by its place in guest-physical memory. */
struct rwy_be_map {
	uint64_t gpa;
	uint64_t mmap_offset;
	struct rwy_be_view view;
};

struct rwy_be_maps {
	unsigned nr;
	struct rwy_be_map map[RWY_MEM_MAX];
};

/* The area the front-end keeps for us (SET_INFLIGHT_FD). */
struct rwy_be_area {
	struct rwy_be_view view; /* from the first ring's part on */
	uint64_t len;		 /* of all parts */
	uint16_t nr_queues;
	uint16_t desc_num;
};

/* The log of dirty pages (SET_LOG_BASE). */
struct rwy_be_log {
	struct rwy_be_view view;
	struct rwy_vq_log_map map; /* all of the view */
};

/* The rest of a handler. 0 or negative errno, as a handler's. */
typedef int (*rwy_be_then)(struct rwy_be *be, struct rwy_vu_msg *msg);

struct rwy_be_private {
	struct rwy_be_config config;
	struct rwy_vu_state state;
	struct rwy_vu_chan chan; /* to the front-end */
	struct rwy_watch watch;
	struct rwy_vu_chan back; /* BACKEND_REQ; fd -1 before */
	struct rwy_vu_msg msg;	 /* under way while then is set */
	rwy_be_then then;
	struct rwy_timer later; /* runs then, and the end of the connection */
	struct rwy_guard guard;
	unsigned nr_draining;
	bool reading;	     /* watch is registered */
	bool ending;	     /* the connection is over as soon as nothing is under way */
	bool config_changed; /* to be told when a ring runs */
	uint8_t status;
	struct rwy_log_limit own_limit;
	struct rwy_log_limit *log_limit;
	struct rwy_be_ring rings[RWY_BE_QUEUES];
	struct rwy_be_maps maps;
	struct rwy_be_maps *next_maps; /* of a SET_MEM_TABLE under way */
	struct rwy_mem *next_mem;
	struct rwy_be_area area;
	struct rwy_be_log log;
};

/* be.c */

/*
 * Stops the device on nr rings from `first` on and goes on with `then` when all are quiet: at once,
 * and then its result is returned, or later (-EINPROGRESS). No other may be under way.
 */
RWY_MUST_CHECK int rwy_be_quiesce(struct rwy_be *be, unsigned first, unsigned nr, rwy_be_then then);
/* May one more line be said about what the front-end does wrong? */
bool rwy_be_log_allow(struct rwy_be *be);
/* Features and protocol features this device offers. */
uint64_t rwy_be_features_offered(const struct rwy_be_config *config);
uint64_t rwy_be_pf_offered(const struct rwy_be_config *config);

/* be_msg.c: the handler of a request that passed rwy_vu_check, or NULL. It turns *msg into the
 * reply where the request has one of its own. */
rwy_be_then rwy_be_msg_handler(uint32_t request);
/* Sends what was put off while no ring ran. */
void rwy_be_msg_tell(struct rwy_be *be);

/* be_ring.c */
void rwy_be_ring_init(struct rwy_be *be, unsigned q);
/* The ring is stopped and the device done with it for ever. */
void rwy_be_ring_fini(struct rwy_be *be, unsigned q);
/* Something that may keep a ring from starting has changed: starts it, or waits for its kick. */
void rwy_be_ring_update(struct rwy_be *be, unsigned q);
/* Ends a run; the device is quiet. base is then where to go on; address and kick are forgotten. */
void rwy_be_ring_stop(struct rwy_be *be, unsigned q);
/* The map changed: ring areas are resolved again, and a paused device is told to go on. */
void rwy_be_ring_remap(struct rwy_be *be, unsigned q);
int rwy_be_ring_set_num(struct rwy_be *be, struct rwy_vu_msg *msg);
int rwy_be_ring_set_addr(struct rwy_be *be, struct rwy_vu_msg *msg);
int rwy_be_ring_set_base(struct rwy_be *be, struct rwy_vu_msg *msg);
int rwy_be_ring_get_base(struct rwy_be *be, struct rwy_vu_msg *msg);
int rwy_be_ring_set_kick(struct rwy_be *be, struct rwy_vu_msg *msg);
int rwy_be_ring_set_call(struct rwy_be *be, struct rwy_vu_msg *msg);
int rwy_be_ring_set_err(struct rwy_be *be, struct rwy_vu_msg *msg);
int rwy_be_ring_set_enable(struct rwy_be *be, struct rwy_vu_msg *msg);
void rwy_be_ring_enable(struct rwy_be *be, unsigned q, bool on);

/* be_mem.c */
int rwy_be_mem_set_table(struct rwy_be *be, struct rwy_vu_msg *msg);
int rwy_be_mem_add_reg(struct rwy_be *be, struct rwy_vu_msg *msg);
int rwy_be_mem_rem_reg(struct rwy_be *be, struct rwy_vu_msg *msg);
/* Is the byte in guest memory? Then that is as good as gone until it is mapped anew. */
bool rwy_be_mem_lose(struct rwy_be *be, const void *at);
/* Some of guest memory is gone: no ring can start. */
bool rwy_be_mem_is_lost(const struct rwy_be *be);
/* Unmaps everything; all rings are stopped. */
void rwy_be_mem_fini(struct rwy_be *be);

/* be_inflight.c */
int rwy_be_inflight_get_fd(struct rwy_be *be, struct rwy_vu_msg *msg);
int rwy_be_inflight_set_fd(struct rwy_be *be, struct rwy_vu_msg *msg);
/* As rwy_be_mem_lose. */
bool rwy_be_inflight_lose(struct rwy_be *be, const void *at);
/* The ring is about to start as *config says: its base becomes where the area says it is. */
RWY_MUST_CHECK int rwy_be_inflight_start(struct rwy_be *be, unsigned q,
					 struct rwy_vq_config *config);
/* The device is quiet and the ring about to stop: nothing is in flight any more. */
void rwy_be_inflight_stop(struct rwy_be *be, unsigned q);
void rwy_be_inflight_fini(struct rwy_be *be);

/* be_log.c */
int rwy_be_log_set_base(struct rwy_be *be, struct rwy_vu_msg *msg);
/* There is a log, and it has a bit for each byte of guest memory. */
bool rwy_be_log_is_good(const struct rwy_be *be);
/* The ring need not be logged, or can be: it may start. */
bool rwy_be_log_is_ready(const struct rwy_be *be, unsigned q);
/* Memory may be added there: no ring that runs is logged, or the log reaches as far. */
bool rwy_be_log_reaches(const struct rwy_be *be, uint64_t gpa, uint64_t size);
/* The ring has been started, or whether it is to be logged may have changed. */
void rwy_be_log_update(struct rwy_be *be, unsigned q);
/* As rwy_be_mem_lose. */
bool rwy_be_log_lose(struct rwy_be *be, const void *at);
/* Unmaps it; rings that still run mark nothing. */
void rwy_be_log_fini(struct rwy_be *be);

#endif
