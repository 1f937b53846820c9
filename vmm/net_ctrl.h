/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control virtqueue of a network device (virtio 1.2 section 5.1.6.5). vhost-user delegates data
 * queues only, so the VMM serves this one: of its commands, VQ_PAIRS_SET, without which there is no
 * multi-queue; the others are answered with an error, as no feature bit offers them.
 *
 * Lives on the main thread's reactor.
 */
#ifndef RWY_VMM_NET_CTRL_H
#define RWY_VMM_NET_CTRL_H

#include "lib/mem.h"
#include "lib/poll.h"
#include "vmm/vdev.h"

struct rwy_net_ctrl; /* opaque: vmm/net_ctrl.c */

struct rwy_net_ctrl_config {
	const char *name;
	struct rwy_poll *poll;
	const struct rwy_mem *mem; /* guest RAM, final */
	/* The driver will use this many pairs of queues. False: there are not so many. */
	bool (*set_pairs)(void *ctx, unsigned pairs);
	void *ctx;
};

RWY_MUST_CHECK int rwy_net_ctrl_open(struct rwy_net_ctrl **ctrl,
				     const struct rwy_net_ctrl_config *config);
void rwy_net_ctrl_close(struct rwy_net_ctrl *ctrl);

/* queue's eventfds stay the transport's. -errno, logged: the ring is not one. err_fd may be -1. */
RWY_MUST_CHECK int rwy_net_ctrl_start(struct rwy_net_ctrl *ctrl, const struct rwy_vdev_queue *queue,
				      uint64_t features, int err_fd);
void rwy_net_ctrl_stop(struct rwy_net_ctrl *ctrl);

#endif
