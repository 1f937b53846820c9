/* SPDX-License-Identifier: BSD-3-Clause */
/* A port whose other end is a tap interface of this host. */
#ifndef RWY_VHOST_BACKENDS_NET_PORT_TAP_H
#define RWY_VHOST_BACKENDS_NET_PORT_TAP_H

#include "vhost-backends/net/fwd.h"

#define RWY_PORT_TAP_NAME 16 /* IFNAMSIZ */

/*
 * Attaches to the interface called name, or creates it, which lasts as long as the port and needs
 * CAP_NET_ADMIN. The switch closes the port. Negative errno was logged with the fix.
 */
RWY_MUST_CHECK int rwy_port_tap_open(struct rwy_fwd *fwd, const char *name,
				     struct rwy_stats *stats);

#endif
