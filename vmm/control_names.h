/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of back-ends' sockets, as QEMU's clients give them before they add a device: chardev-add
 * names a socket, netdev_add a network back-end at a named socket. device_add then says the name.
 *
 * Each function takes a command's arguments; -EINVAL with *why.
 */
#ifndef RWY_VMM_CONTROL_NAMES_H
#define RWY_VMM_CONTROL_NAMES_H

#include "lib/opt.h"

#include <jansson.h>

#define RWY_CONTROL_NAMES 64

struct rwy_control_name {
	char id[64]; /* empty: free */
	bool netdev;
	char path[108];
	unsigned queues; /* of a netdev; 0: not said */
};

/* Zeroed is empty. */
struct rwy_control_names {
	struct rwy_control_name names[RWY_CONTROL_NAMES];
};

RWY_MUST_CHECK int rwy_control_names_add_chardev(struct rwy_control_names *names,
						 const json_t *args, struct rwy_opt_why *why);
RWY_MUST_CHECK int rwy_control_names_add_netdev(struct rwy_control_names *names, const json_t *args,
						struct rwy_opt_why *why);
RWY_MUST_CHECK int rwy_control_names_del_chardev(struct rwy_control_names *names,
						 const json_t *args, struct rwy_opt_why *why);
RWY_MUST_CHECK int rwy_control_names_del_netdev(struct rwy_control_names *names, const json_t *args,
						struct rwy_opt_why *why);
/* In the arguments of device_add: chardev or netdev become socket, and queues where known. */
RWY_MUST_CHECK int rwy_control_names_resolve(const struct rwy_control_names *names, json_t *args,
					     struct rwy_opt_why *why);

#endif
