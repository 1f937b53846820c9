/* SPDX-License-Identifier: BSD-3-Clause */
/* A port whose other end is a virtio-net driver, reached over vhost-user. */
#ifndef RWY_VHOST_BACKENDS_NET_PORT_GUEST_H
#define RWY_VHOST_BACKENDS_NET_PORT_GUEST_H

#include "vhost-backends/net/fwd.h"

struct rwy_port_guest_config {
	const char *path; /* NULL: use fd */
	int fd;		  /* a listening or connected socket; the port takes it. -1 is none */
	bool client;
	unsigned nr_pairs; /* 1..RWY_NET_PAIRS_MAX */
	bool has_mac;
	uint8_t mac[6];
	struct rwy_stats *stats;
};

/* Adds the port to the switch, which closes it. Negative errno was logged. */
RWY_MUST_CHECK int rwy_port_guest_open(struct rwy_fwd *fwd,
				       const struct rwy_port_guest_config *config);

#endif
