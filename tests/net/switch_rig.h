/* SPDX-License-Identifier: BSD-3-Clause */
/* A real ringway-net in a process of its own and the drivers on its ports. */
#ifndef RWY_TESTS_NET_SWITCH_RIG_H
#define RWY_TESTS_NET_SWITCH_RIG_H

#include "tests/net/net_peer.h"
#include "tests/unit/unit.h"

#include <sys/types.h>

#define RIG_PORTS 3
#define RIG_MS	  5000

struct switch_rig {
	struct rwy_poll *poll;
	pid_t pid;
	char dir[32];
	char paths[RIG_PORTS][64];
	char metrics[64];
	unsigned nr_ports;
	bool connects; /* it is the one that connects: mode=client */
	struct peer peers[RIG_PORTS];
	uint8_t frame[PEER_FRAME_MAX];
	uint8_t got[PEER_FRAME_MAX];
};

/*
 * Starts ringway-net with nr_ports guest ports, whose options end with `more` (",queues=2"), and
 * further arguments `extra` up to NULL.
 */
void rig_start(struct switch_rig *rig, unsigned nr_ports, const char *more,
	       const char *const *extra);
/* A driver on a port, up and running. */
void rig_plug(struct switch_rig *rig, unsigned port, const struct peer_config *config);
void rig_unplug(struct switch_rig *rig, unsigned port);
/* Ends it by SIGTERM; it must exit with 0. Drivers that are still there are closed. */
void rig_stop(struct switch_rig *rig);
/* Kills it the hard way and starts it again as it was. */
void rig_kill_and_restart(struct switch_rig *rig, const char *more, const char *const *extra);
/* Open descriptors of ringway-net. */
int rig_fds(const struct switch_rig *rig);
/* A counter by its name, out of the metrics file. */
uint64_t rig_counter(const struct switch_rig *rig, const char *entry, const char *counter);

/* Fills rig->frame: addresses, then bytes that depend on seed. */
void rig_fill(struct switch_rig *rig, uint32_t len, uint8_t src, uint8_t dst, uint32_t seed);
/* The frame goes from one port and arrives, byte for byte, at another; header plain. */
void rig_pass(struct switch_rig *rig, unsigned from, unsigned to, unsigned pair, uint32_t len,
	      enum peer_framing framing, uint32_t seed);
/* Nothing has come to this port, and nothing comes within a while. */
void rig_expect_silence(struct switch_rig *rig, unsigned port);

#endif
