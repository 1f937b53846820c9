/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of the front-end, for its own three files only:
 *
 *	vu_front.c		what the owner calls; which script runs; replies and deadlines
 *	vu_front_script.c	the scripts: which message follows which, what its answer must be
 *	vu_front_link.c		the socket: connect, listen, retry; the back-end's own channel
 *
 * A script is a row of steps. Each step sends and then waits for exactly one answer before the next
 * one: a message without an answer of its own is given one by REPLY_ACK or, where the back-end does
 * not know that, by a GET_FEATURES behind it. So there are never more messages under way than a
 * socket buffer holds, and no sending can block.
 */
#ifndef RWY_LIB_VU_FRONT_PRIV_H
#define RWY_LIB_VU_FRONT_PRIV_H

#include "lib/log.h"
#include "lib/vu_check.h"
#include "lib/vu_front.h"

struct rwy_vu_front;

/* What a step's send function answers besides negative errno. */
enum { RWY_VU_FRONT_NEXT, RWY_VU_FRONT_WAIT };

struct rwy_vu_front_step {
	const char *name;
	int (*send)(struct rwy_vu_front *front);
	int (*reply)(struct rwy_vu_front *front, const struct rwy_vu_msg *msg);
	bool loop; /* send again after each answer, until it says NEXT; `round` counts */
};

enum rwy_vu_front_phase {
	RWY_VU_FRONT_DOWN,    /* no connection */
	RWY_VU_FRONT_SHAKING, /* negotiating */
	RWY_VU_FRONT_IDLE,    /* negotiated; rings stopped */
	RWY_VU_FRONT_STARTING,
	RWY_VU_FRONT_RUNNING,
	RWY_VU_FRONT_STOPPING,
};

struct rwy_vu_front {
	struct rwy_poll *poll;
	struct rwy_mem *mem;
	const struct rwy_vu_front_ops *ops;
	void *ctx;
	char *name;
	char *path;	 /* NULL: a given connection */
	uint64_t wanted; /* virtio features the owner can pass on */
	unsigned nr_wanted;
	unsigned queue_rings;
	unsigned config_len;
	bool need_config;
	uint64_t timeout_ns;

	/* The link */
	enum rwy_vu_front_phase phase;
	struct rwy_vu_chan chan;
	struct rwy_watch watch;
	struct rwy_vu_chan be_chan;
	struct rwy_watch be_watch;
	int be_peer;  /* the back-end's end, until it has been sent */
	int given_fd; /* until the reactor takes it up */
	int listen_fd;
	bool listening; /* listen_watch is in use */
	struct rwy_watch listen_watch;
	struct rwy_timer retry_timer;
	uint64_t retry_ns;
	uint64_t outage_ns; /* since when there is no back-end; 0: there is one */
	char why[120];	    /* what was last said about it */
	struct rwy_log_limit limit;
	uint64_t ready_ns; /* when this link was negotiated */
	uint64_t connects;

	/* The back-end, as negotiated over this link */
	struct rwy_vu_state state;
	uint64_t max_slots;
	bool mem_sent;

	/* The conversation */
	const struct rwy_vu_front_step *step; /* NULL: nothing asked */
	unsigned round;
	uint32_t awaiting;
	struct rwy_timer reply_timer;
	bool refresh; /* config space has changed */
	bool busy;    /* inside rwy_vu_front_proceed */

	/* The device as the owner sees it */
	bool started; /* from rwy_vu_front_start to rwy_vu_front_stop */
	bool stopping;
	bool resumed; /* the back-end was lost meanwhile */
	struct rwy_timer stop_timer;
	uint64_t features;
	unsigned nr_queues;
	bool has_config;
	uint64_t acked;
	unsigned nr_rings;
	struct rwy_vu_ring rings[RWY_VU_FRONT_QUEUES];
	bool up[RWY_VU_FRONT_QUEUES];	 /* the back-end may be using it */
	bool stale[RWY_VU_FRONT_QUEUES]; /* enable or call fd changed since it was told */
	struct rwy_vu_inflight inflight;
	int inflight_fd;
	uint8_t config[RWY_VU_CONFIG_MAX];
};

/* vu_front.c */
void rwy_vu_front_begin(struct rwy_vu_front *front); /* a link has come: *chan is open */
/* Goes on with the conversation, if it is our turn. */
void rwy_vu_front_proceed(struct rwy_vu_front *front);
/* Ends the link. refused: the back-end lives but cannot be used, which is said again and again. */
void rwy_vu_front_lose(struct rwy_vu_front *front, bool refused, const char *fmt, ...)
	RWY_PRINTF(3, 4);

/* vu_front_script.c */
extern const struct rwy_vu_front_step rwy_vu_front_script_negotiate[];
extern const struct rwy_vu_front_step rwy_vu_front_script_start[];
extern const struct rwy_vu_front_step rwy_vu_front_script_stop[];
extern const struct rwy_vu_front_step rwy_vu_front_script_refresh[];
/* Tells the back-end of enables and call fds that changed meanwhile. */
RWY_MUST_CHECK int rwy_vu_front_script_catch_up(struct rwy_vu_front *front);
/* A message that needs no answer. */
RWY_MUST_CHECK int rwy_vu_front_script_tell(struct rwy_vu_front *front, uint32_t request,
					    const void *payload, uint32_t size, int fd);

/* vu_front_link.c */
RWY_MUST_CHECK int rwy_vu_front_link_open(struct rwy_vu_front *front,
					  const struct rwy_vu_front_config *config);
void rwy_vu_front_link_close(struct rwy_vu_front *front);
/* Closes this connection and plans the next one, soon if this one lasted, if there can be one. */
void rwy_vu_front_link_drop(struct rwy_vu_front *front, bool lasted);
/* A channel for the back-end's own requests; be_peer is to be sent. */
RWY_MUST_CHECK int rwy_vu_front_link_open_be(struct rwy_vu_front *front);

#endif
