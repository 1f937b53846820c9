/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a connection: a message comes, is held against its row, handled and answered. The
 * handlers are in be_msg.c (device), be_ring.c (rings), be_mem.c, be_inflight.c and be_log.c.
 */
#include "vhost-backends/be_private.h"

#include "lib/fd.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define RWY_STEM "be"

/* A front-end that sends without end must not keep the queues waiting. */
#define MESSAGES_A_ROUND 16
/* Lines a second about what one front-end does wrong. */
#define LOG_BURST 8

#define RING_FEATURES                                                             \
	(RWY_BIT64(VIRTIO_F_VERSION_1) | RWY_BIT64(VIRTIO_RING_F_INDIRECT_DESC) | \
	 RWY_BIT64(VIRTIO_RING_F_EVENT_IDX) | RWY_BIT64(VIRTIO_F_RING_PACKED))
/* Bits of the feature word that are not the device's: bits 24 to 40 are reserved for the ring. */
#define DEVICE_FEATURES (~(RWY_BIT64(41) - RWY_BIT64(24)))

#define BASE_PF                                                                         \
	(RWY_BIT64(RWY_VU_PF_MQ) | RWY_BIT64(RWY_VU_PF_LOG_SHMFD) |                     \
	 RWY_BIT64(RWY_VU_PF_REPLY_ACK) | RWY_BIT64(RWY_VU_PF_BACKEND_REQ) |            \
	 RWY_BIT64(RWY_VU_PF_RESET_DEVICE) | RWY_BIT64(RWY_VU_PF_CONFIGURE_MEM_SLOTS) | \
	 RWY_BIT64(RWY_VU_PF_STATUS))

uint64_t rwy_be_features_offered(const struct rwy_be_config *config)
{
	uint64_t in_order = config->in_order ? RWY_BIT64(VIRTIO_F_IN_ORDER) : 0;

	return (config->features & DEVICE_FEATURES) | RING_FEATURES | in_order |
	       RWY_BIT64(RWY_VU_F_LOG_ALL) | RWY_BIT64(RWY_VU_F_PROTOCOL_FEATURES);
}

/* What the device may add is only what it has the functions for. */
uint64_t rwy_be_pf_offered(const struct rwy_be_config *config)
{
	/* in-flight tracking knows each chain by itself, in-order use only runs of them */
	uint64_t able = config->in_order ? 0 : RWY_BIT64(RWY_VU_PF_INFLIGHT_SHMFD);

	able |= config->config_len && config->ops->config_read ? RWY_BIT64(RWY_VU_PF_CONFIG) : 0;
	able |= config->ops->send_rarp ? RWY_BIT64(RWY_VU_PF_RARP) : 0;
	able |= config->ops->set_mtu ? RWY_BIT64(RWY_VU_PF_MTU) : 0;
	return rwy_vu_check_pf(BASE_PF | (config->pf & able));
}

bool rwy_be_log_allow(struct rwy_be *be)
{
	return rwy_log_allow(be->priv->log_limit, LOG_BURST);
}

static const char *name_of(const struct rwy_be *be)
{
	const char *name = be->priv->config.stats_name;

	return name ? name : be->ops->name;
}

static int read_socket(struct rwy_be *be)
{
	struct rwy_be_private *priv = be->priv;

	if (priv->reading)
		return 0;
	int err = rwy_poll_watch(be->poll, &priv->watch);
	priv->reading = err == 0;
	return err;
}

static void leave_socket(struct rwy_be *be)
{
	if (be->priv->reading)
		rwy_poll_unwatch(be->poll, &be->priv->watch);
	be->priv->reading = false;
}

/* The connection ends when the reactor comes round: callers are deep in its data. */
static void end(struct rwy_be *be)
{
	struct rwy_be_private *priv = be->priv;

	leave_socket(be);
	priv->ending = true;
	if (!priv->then)
		rwy_poll_timer_set(be->poll, &priv->later, 0);
}

static int reply(struct rwy_be *be, const struct rwy_vu_msg *msg, const void *payload,
		 uint32_t size)
{
	const struct rwy_vu_hdr hdr = {
		.request = msg->hdr.request,
		.flags = RWY_VU_FLAG_VERSION | RWY_VU_FLAG_REPLY,
		.size = size,
	};

	/* a front-end that leaves that many replies unread is not worth waiting for */
	return rwy_vu_chan_send(&be->priv->chan, &hdr, payload, msg->fds, msg->nr_fds, 0);
}

/* Answers the message with the result of its handler; why, where there is more to say about it. */
static void finish(struct rwy_be *be, int err, const char *why)
{
	struct rwy_be_private *priv = be->priv;
	struct rwy_vu_msg *msg = &priv->msg;
	const struct rwy_vu_row *row = rwy_vu_check_row(msg->hdr.request);
	bool own = row && row->has_reply;
	bool ack = !own && msg->hdr.flags & RWY_VU_FLAG_NEED_REPLY &&
		   priv->state.pf & RWY_BIT64(RWY_VU_PF_REPLY_ACK);
	uint64_t result = err != 0;
	int sent = 0;

	if (err && rwy_be_log_allow(be))
		rwy_warn("%s: %s (request %u, %u bytes, %u descriptors) refused: %s", name_of(be),
			 row ? row->name : "?", msg->hdr.request, msg->hdr.size, msg->nr_fds,
			 why ? why : strerror(-err));
	if (!own || err)
		rwy_vu_chan_close_fds(msg); /* what no handler took */
	/* there is no way to say no to a request that waits for an answer of its own kind, and
	 * whether one that we do not know does is not known */
	if (err == -EPROTO || (err && own) || (!row && !ack))
		sent = err;
	else if (own)
		sent = reply(be, msg, &msg->payload, msg->hdr.size);
	else if (ack)
		sent = reply(be, msg, &result, sizeof(result));
	rwy_vu_chan_close_fds(msg);
	if (sent)
		end(be);
}

static void handle(struct rwy_be *be)
{
	struct rwy_be_private *priv = be->priv;
	rwy_be_then handler = rwy_be_msg_handler(priv->msg.hdr.request);
	const char *why = NULL;
	int err = rwy_vu_check(&priv->state, &priv->msg, &why);

	if (!err)
		err = handler ? handler(be, &priv->msg) : -ENOTSUP;
	if (err != -EINPROGRESS)
		finish(be, err, why);
}

static void on_socket(void *ctx, uint32_t events)
{
	struct rwy_be *be = ctx;
	struct rwy_be_private *priv = be->priv;

	for (unsigned i = 0; i < MESSAGES_A_ROUND && priv->reading; i++) {
		int n = rwy_vu_chan_recv(&priv->chan, &priv->msg);

		if (n == 0)
			return;
		if (n < 0) {
			if (n != -ENODATA && rwy_be_log_allow(be))
				rwy_warn("%s: connection dropped: %s", name_of(be), strerror(-n));
			end(be);
			return;
		}
		handle(be);
	}
}

static void pause_ring(struct rwy_be *be, unsigned q)
{
	struct rwy_be_ring *ring = &be->priv->rings[q];

	if (!rwy_vq_started(&be->vqs[q]) || ring->paused)
		return;
	ring->paused = true;
	ring->draining = true; /* before stop: it may call rwy_be_drained itself */
	be->priv->nr_draining++;
	if (be->ops->stop(be, q) && ring->draining) {
		ring->draining = false;
		be->priv->nr_draining--;
	}
}

int rwy_be_quiesce(struct rwy_be *be, unsigned first, unsigned nr, rwy_be_then then)
{
	struct rwy_be_private *priv = be->priv;

	assert(!priv->then && priv->nr_draining == 0);
	for (unsigned q = first; q < first + nr; q++)
		pause_ring(be, q);
	if (priv->nr_draining == 0)
		return then(be, &priv->msg);
	priv->then = then;
	leave_socket(be);
	return -EINPROGRESS;
}

void rwy_be_drained(struct rwy_be *be, unsigned q)
{
	struct rwy_be_private *priv = be->priv;
	struct rwy_be_ring *ring = &priv->rings[q];

	assert(ring->draining && priv->nr_draining > 0);
	ring->draining = false;
	/* the device is in the middle of its work: go on from the reactor */
	if (--priv->nr_draining == 0 && priv->then)
		rwy_poll_timer_set(be->poll, &priv->later, 0);
}

static void free_be(struct rwy_be *be)
{
	free(be->priv);
	free(be);
}

static int gone(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	struct rwy_be_private *priv = be->priv;

	rwy_poll_timer_cancel(be->poll, &priv->later);
	rwy_poll_unguard(be->poll, &priv->guard);
	for (unsigned q = 0; q < be->nr_queues; q++)
		rwy_be_ring_stop(be, q);
	rwy_be_inflight_fini(be);
	rwy_be_log_fini(be);
	rwy_be_mem_fini(be);
	be->ops->lost(be);
	for (unsigned q = 0; q < be->nr_queues; q++)
		rwy_be_ring_fini(be, q);
	rwy_vu_chan_close_fds(msg);
	rwy_vu_chan_close(&priv->chan);
	rwy_vu_chan_close(&priv->back);
	const struct rwy_be_config config = priv->config;
	free_be(be);
	if (config.gone)
		config.gone(config.gone_ctx);
	return 0;
}

/* The device is quiet, or the connection is to end. */
static void on_later(void *ctx)
{
	struct rwy_be *be = ctx;
	struct rwy_be_private *priv = be->priv;
	rwy_be_then then = priv->then;
	int err;

	if (then) {
		priv->then = NULL;
		err = then(be, &priv->msg);
		if (then == gone || err == -EINPROGRESS)
			return;
		finish(be, err, NULL);
		/* kicks that came meanwhile were put off */
		for (unsigned q = 0; q < be->nr_queues; q++)
			rwy_be_ring_update(be, q);
		if (!priv->ending && read_socket(be) < 0)
			end(be);
	}
	if (priv->ending) {
		err = rwy_be_quiesce(be, 0, be->nr_queues, gone);
		(void)err; /* gone either way, now or later */
	}
}

void rwy_be_close(struct rwy_be *be)
{
	struct rwy_be_private *priv = be->priv;

	leave_socket(be);
	priv->ending = true;
	if (!priv->then)
		on_later(be);
}

/* The device is broken, all of it: which of its rings' buffers were in that memory is not known. */
static void on_memory_lost(void *ctx, const void *at)
{
	struct rwy_be *be = ctx;

	if (!rwy_be_mem_lose(be, at) && !rwy_be_inflight_lose(be, at) && !rwy_be_log_lose(be, at))
		return;
	for (unsigned q = 0; q < be->nr_queues; q++) {
		if (!rwy_vq_started(&be->vqs[q]))
			continue;
		rwy_vq_break(&be->vqs[q], RWY_VQ_MEMORY);
		/* the queue may have stumbled over the zeros before */
		RWY_WRITE_ONCE(&be->vqs[q].stats->reason, RWY_VQ_MEMORY);
	}
}

static struct rwy_be *new_be(struct rwy_poll *poll, const struct rwy_be_config *config)
{
	/* queues are cache-aligned */
	struct rwy_be *be =
		aligned_alloc(RWY_CACHE_LINE, RWY_ALIGN_UP(sizeof(*be), (size_t)RWY_CACHE_LINE));

	if (!be)
		return NULL;
	memset(be, 0, sizeof(*be));
	be->priv = calloc(1, sizeof(*be->priv));
	if (!be->priv) {
		free(be);
		return NULL;
	}
	be->ops = config->ops;
	be->device = config->device;
	be->poll = poll;
	be->nr_queues = config->nr_queues;
	rwy_mem_init(&be->mem);
	*be->priv = (struct rwy_be_private){
		.config = *config,
		.state = {.offered = rwy_be_features_offered(config),
			  .pf_offered = rwy_be_pf_offered(config),
			  .nr_queues = config->nr_queues},
		.chan = {.fd = -1},
		.watch = {.events = EPOLLIN | EPOLLRDHUP, .ready = on_socket, .ctx = be},
		.back = {.fd = -1},
		.later = {.fire = on_later, .ctx = be},
		.guard = {.lost = on_memory_lost, .ctx = be},
	};
	rwy_vu_chan_init_msg(&be->priv->msg);
	be->priv->log_limit = config->log_limit ? config->log_limit : &be->priv->own_limit;
	return be;
}

int rwy_be_open(struct rwy_be **out, struct rwy_poll *poll, const struct rwy_be_config *config,
		int *fd)
{
	struct rwy_be *be;
	int err;

	assert(config->nr_queues > 0 && config->nr_queues <= RWY_BE_QUEUES);
	be = new_be(poll, config);
	if (!be)
		return -ENOMEM;
	err = rwy_vu_chan_open(&be->priv->chan, fd);
	if (err)
		goto free_be;
	be->priv->watch.fd = be->priv->chan.fd;
	err = read_socket(be);
	if (err)
		goto close_chan;
	for (unsigned q = 0; q < be->nr_queues; q++)
		rwy_be_ring_init(be, q);
	rwy_poll_guard(poll, &be->priv->guard);
	*out = be;
	return 0;

close_chan:
	rwy_vu_chan_close(&be->priv->chan);
free_be:
	free_be(be);
	return err;
}
