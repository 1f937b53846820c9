/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/net_ctrl.h"

#include "lib/fd.h"
#include "lib/iov.h"
#include "lib/log.h"
#include "lib/vq.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define RWY_STEM "net_ctrl"

#define BURST	    8
#define NR_IOV	    64
#define BASE_SPLIT  0
#define BASE_PACKED 0x80008000u /* both wrap counters begin as 1 (2.8.1) */

struct rwy_net_ctrl {
	char *name;
	struct rwy_poll *poll;
	bool (*set_pairs)(void *ctx, unsigned pairs);
	void *ctx;
	struct rwy_mem mem; /* as the machine's, with addresses of ours for the ring */
	struct rwy_vq vq;
	struct rwy_stats_vq stats;
	struct rwy_watch kick; /* a duplicate of the transport's, which may be closed before us */
};

static uint8_t execute(struct rwy_net_ctrl *ctrl, const struct rwy_chain *chain)
{
	struct {
		struct virtio_net_ctrl_hdr hdr;
		uint8_t pairs[2]; /* little-endian */
	} __attribute__((packed)) command;
	size_t n = rwy_iov_read(chain->iov, chain->nr_out, 0, &command, sizeof(command));

	if (n < sizeof(command) || command.hdr.class != VIRTIO_NET_CTRL_MQ ||
	    command.hdr.cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET)
		return VIRTIO_NET_ERR;
	if (!ctrl->set_pairs(ctrl->ctx, command.pairs[0] | command.pairs[1] << 8))
		return VIRTIO_NET_ERR;
	return VIRTIO_NET_OK;
}

static unsigned serve(struct rwy_net_ctrl *ctrl)
{
	struct rwy_chain chains[BURST];
	struct iovec iov[NR_IOV];
	unsigned n = rwy_vq_pop(&ctrl->vq, chains, BURST, iov, NR_IOV);

	for (unsigned i = 0; i < n; i++) {
		struct rwy_chain *c = &chains[i];
		uint8_t ack = execute(ctrl, c);

		c->written = (uint32_t)rwy_iov_write(c->iov + c->nr_out, c->nr_in, 0, &ack, 1);
	}
	if (n > 0) {
		rwy_vq_push(&ctrl->vq, chains, n);
		rwy_vq_publish(&ctrl->vq);
	}
	return n;
}

/* One burst for each visit: a driver that never ends must not keep the reactor. */
static void kick_ready(void *ctx, uint32_t events)
{
	struct rwy_net_ctrl *ctrl = ctx;

	(void)rwy_fd_drain(ctrl->kick.fd);
	if (serve(ctrl) > 0 || (!ctrl->vq.broken && rwy_vq_arm(&ctrl->vq)))
		(void)rwy_fd_signal(ctrl->kick.fd);
}

static int copy_map(struct rwy_net_ctrl *ctrl, const struct rwy_mem *mem)
{
	rwy_mem_init(&ctrl->mem);
	for (unsigned i = 0; i < mem->nr; i++) {
		struct rwy_mem_region region = mem->regions[i];
		int rc;

		region.uva.v = (uintptr_t)region.hva;
		rc = rwy_mem_add(&ctrl->mem, &region);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int rwy_net_ctrl_open(struct rwy_net_ctrl **out, const struct rwy_net_ctrl_config *config)
{
	struct rwy_net_ctrl *ctrl = calloc(1, sizeof(*ctrl));
	int rc = -ENOMEM;

	if (!ctrl)
		return -ENOMEM;
	ctrl->poll = config->poll;
	ctrl->set_pairs = config->set_pairs;
	ctrl->ctx = config->ctx;
	ctrl->kick.fd = -1;
	rwy_vq_init(&ctrl->vq);
	ctrl->vq.stats = &ctrl->stats;
	ctrl->name = strdup(config->name);
	if (ctrl->name)
		rc = copy_map(ctrl, config->mem);
	if (rc < 0) {
		rwy_net_ctrl_close(ctrl);
		return rc;
	}
	*out = ctrl;
	return 0;
}

void rwy_net_ctrl_close(struct rwy_net_ctrl *ctrl)
{
	if (!ctrl)
		return;
	rwy_net_ctrl_stop(ctrl);
	rwy_mem_fini(&ctrl->mem);
	free(ctrl->name);
	free(ctrl);
}

static rwy_uva at(const struct rwy_net_ctrl *ctrl, rwy_gpa gpa)
{
	return (rwy_uva){(uintptr_t)rwy_mem_at(&ctrl->mem, gpa, 1)};
}

int rwy_net_ctrl_start(struct rwy_net_ctrl *ctrl, const struct rwy_vdev_queue *queue,
		       uint64_t features, int err_fd)
{
	bool packed = features & RWY_BIT64(VIRTIO_F_RING_PACKED);
	const struct rwy_vq_config config = {
		.mem = &ctrl->mem,
		.size = queue->size,
		.packed = packed,
		.event_idx = features & RWY_BIT64(VIRTIO_RING_F_EVENT_IDX),
		.indirect = features & RWY_BIT64(VIRTIO_RING_F_INDIRECT_DESC),
		.in_order = features & RWY_BIT64(VIRTIO_F_IN_ORDER),
		.desc = at(ctrl, queue->desc),
		.driver = at(ctrl, queue->driver),
		.device = at(ctrl, queue->device),
		.base = packed ? BASE_PACKED : BASE_SPLIT,
	};
	int rc;

	ctrl->vq.call_fd = queue->call_fd;
	ctrl->vq.err_fd = err_fd;
	rc = rwy_vq_start(&ctrl->vq, &config);
	if (rc < 0)
		return rc;
	ctrl->kick = (struct rwy_watch){.fd = fcntl(queue->kick_fd, F_DUPFD_CLOEXEC, 0),
					.events = EPOLLIN,
					.ready = kick_ready,
					.ctx = ctrl};
	rc = ctrl->kick.fd < 0 ? -errno : rwy_poll_watch(ctrl->poll, &ctrl->kick);
	if (rc < 0) {
		rwy_error("%s: control queue: %s", ctrl->name, strerror(-rc));
		rwy_fd_close(&ctrl->kick.fd);
		(void)rwy_vq_stop(&ctrl->vq);
	}
	return rc;
}

void rwy_net_ctrl_stop(struct rwy_net_ctrl *ctrl)
{
	if (!rwy_vq_started(&ctrl->vq))
		return;
	rwy_poll_unwatch(ctrl->poll, &ctrl->kick);
	rwy_fd_close(&ctrl->kick.fd);
	(void)rwy_vq_stop(&ctrl->vq);
}
