/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The switch: takes a burst from one port, finds where each frame goes, hands runs of frames to
 * their ports. Learning with flooding of what is unknown, or pairs of ports wired to each other.
 *
 * One switch is one poller on one reactor; nothing in here is thread-safe.
 */
#ifndef RWY_VHOST_BACKENDS_NET_FWD_H
#define RWY_VHOST_BACKENDS_NET_FWD_H

#include "lib/poll.h"
#include "vhost-backends/net/fdb.h"
#include "vhost-backends/net/port.h"

#define RWY_FWD_PORTS RWY_FDB_PORTS

enum rwy_fwd_mode {
	RWY_FWD_LEARN,
	RWY_FWD_PAIR, /* port 0 and 1, 2 and 3, ... */
};
RWY_MUST_CHECK int rwy_fwd_parse_mode(const char *name, enum rwy_fwd_mode *mode);

struct rwy_offload;

struct rwy_fwd {
	enum rwy_fwd_mode mode;
	struct rwy_poll *poll;
	struct rwy_poller poller;
	struct rwy_timer tick; /* ages the MAC table */
	unsigned nr_ports;
	struct rwy_port *ports[RWY_FWD_PORTS]; /* closed by rwy_fwd_close */
	uint64_t dirty;		     /* bit per port that was sent something since its flush */
	struct rwy_offload *offload; /* owned: software checksums and segmentation */
	struct rwy_fdb fdb;
	struct rwy_burst burst;
};

/* Heap. Polled from now on; ports are added before or while it runs. */
RWY_MUST_CHECK int rwy_fwd_open(struct rwy_fwd **fwd, struct rwy_poll *poll,
				enum rwy_fwd_mode mode);
/* Closes every port, too. */
void rwy_fwd_close(struct rwy_fwd *fwd);

/* The port belongs to the switch from now on. -ENOSPC when there are too many. */
RWY_MUST_CHECK int rwy_fwd_add(struct rwy_fwd *fwd, struct rwy_port *port);
/* What is behind this port changed: forget what was learnt there. */
void rwy_fwd_forget(struct rwy_port *port);
/* Floods one frame of ours (an announcement) as if port had sent it. */
void rwy_fwd_inject(struct rwy_port *port, const void *frame, uint32_t len);

#endif
