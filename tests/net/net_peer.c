/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/net/net_peer.h"

#include "lib/fd.h"
#include "lib/vq.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GPA	   UINT64_C(0x40000000)
#define CRUMBS_MAX 64
#define TX_SLOT	   RWY_ALIGN_UP(PEER_FRAME_MAX + 64, 4096)
#define HDR_LEN	   sizeof(struct virtio_net_hdr_mrg_rxbuf)

uint32_t peer_random(struct peer *peer)
{
	peer->seed = peer->seed * 1664525 + 1013904223;
	return peer->seed >> 8;
}

static bool has(const struct peer *peer, unsigned feature)
{
	return peer->features & RWY_BIT64(feature);
}

static void *carve(struct peer *peer, uint64_t len, uint64_t *gpa)
{
	uint64_t at = RWY_ALIGN_UP(peer->shm_used, UINT64_C(4096));

	if (at + len > peer->shm.size)
		abort();
	peer->shm_used = at + len;
	*gpa = GPA + at;
	return peer->shm.addr + at;
}

static int post(struct peer_queue *q, unsigned slot)
{
	const struct rwy_vqd_buf buf = {{q->data_gpa + (uint64_t)slot * q->slot_len}, q->slot_len};

	memset(q->data + (size_t)slot * q->slot_len, 0xee, q->slot_len);
	return rwy_vqd_add(&q->vqd, &buf, 0, 1, (void *)(uintptr_t)(slot + 1));
}

static void kick(struct peer *peer, unsigned ring)
{
	if (rwy_vqd_publish(&peer->queues[ring].vqd))
		rwy_fd_signal(peer->rings[ring].kick_fd);
}

static int open_queue(struct peer *peer, unsigned ring)
{
	struct peer_queue *q = &peer->queues[ring];
	struct rwy_vu_ring *r = &peer->rings[ring];
	bool rx = ring % 2 == 0, packed = has(peer, VIRTIO_F_RING_PACKED);
	uint64_t len[3];

	rwy_vq_layout(PEER_RING, packed, len);
	struct rwy_vqd_config config = {
		.size = PEER_RING,
		.packed = packed,
		.event_idx = has(peer, VIRTIO_RING_F_EVENT_IDX),
		.indirect = has(peer, VIRTIO_RING_F_INDIRECT_DESC),
		.in_order = has(peer, VIRTIO_F_IN_ORDER),
	};
	config.desc = carve(peer, len[0], &r->desc.v);
	config.driver = carve(peer, len[1], &r->driver.v);
	config.device = carve(peer, len[2], &r->device.v);
	r->size = PEER_RING;
	r->enabled = true;
	r->base = packed ? 0x80008000 : 0;
	q->slot_len = rx ? peer->config.rx_len : (uint32_t)TX_SLOT;
	q->data = carve(peer, (uint64_t)q->slot_len * PEER_RING, &q->data_gpa);
	q->tables = carve(peer, PEER_RING * CRUMBS_MAX * sizeof(struct vring_desc), &q->tables_gpa);
	int err = rwy_vqd_open(&q->vqd, &config);

	for (unsigned i = 0; !err && rx && i < PEER_RING; i++)
		err = post(q, i);
	if (!err && rx)
		rwy_vqd_publish(&q->vqd);
	return err;
}

static void on_ready(void *ctx)
{
	struct peer *peer = ctx;
	unsigned nr = 2 * peer->config.nr_pairs;

	if (peer->ready++ > 0) /* again, after a reconnection: the front-end brings us up itself */
		return;
	peer->features = rwy_vu_front_features(peer->front) & peer->config.features;
	for (unsigned i = 0; i < nr && !peer->error; i++)
		peer->error = open_queue(peer, i);
	if (!peer->error)
		peer->error = rwy_vu_front_start(peer->front, peer->features, peer->rings, nr);
}

static void on_started(void *ctx)
{
	struct peer *peer = ctx;

	peer->started++;
	for (unsigned i = 0; i < 2 * peer->config.nr_pairs; i++)
		rwy_fd_signal(peer->rings[i].kick_fd);
}

static void on_lost(void *ctx, const char *why)
{
	((struct peer *)ctx)->lost++;
}

static void on_stopped(void *ctx)
{
	((struct peer *)ctx)->stopped++;
}

static void on_config(void *ctx)
{
}

static const struct rwy_vu_front_ops front_ops = {
	.on_ready = on_ready,
	.on_started = on_started,
	.on_lost = on_lost,
	.on_stopped = on_stopped,
	.on_config = on_config,
};

int peer_open(struct peer *peer, struct rwy_poll *poll, const struct peer_config *config)
{
	const struct rwy_shm_opts opts = {.node = -1};
	const uint64_t pair_len =
		PEER_RING * (TX_SLOT + (uint64_t)config->rx_len + 2 * 16 * CRUMBS_MAX) + 0x40000;
	int err;

	memset(peer, 0, sizeof(*peer));
	peer->config = *config;
	peer->poll = poll;
	peer->seed = 1;
	for (unsigned i = 0; i < 2 * PEER_PAIRS; i++)
		peer->rings[i].kick_fd = peer->rings[i].call_fd = peer->rings[i].err_fd = -1;
	rwy_mem_init(&peer->mem);
	err = rwy_shm_open(&peer->shm, "peer",
			   RWY_ALIGN_UP(config->nr_pairs * pair_len, UINT64_C(4096)), &opts);
	if (err)
		return err;
	const struct rwy_mem_region region = {.gpa = {GPA},
					      .size = peer->shm.size,
					      .hva = peer->shm.addr,
					      .fd = peer->shm.fd};

	err = rwy_mem_add(&peer->mem, &region);
	for (unsigned i = 0; i < 2 * config->nr_pairs; i++) {
		peer->rings[i].kick_fd = rwy_fd_event();
		peer->rings[i].call_fd = rwy_fd_event();
	}
	const struct rwy_vu_front_config front = {
		.name = "peer",
		.socket_path = config->socket_path,
		.listen = config->listen,
		.features = config->features,
		.nr_queues = 2 * config->nr_pairs,
		.queue_rings = 2,
		.ops = &front_ops,
		.ctx = peer,
	};
	return err ? err : rwy_vu_front_open(&peer->front, poll, &peer->mem, &front);
}

void peer_close(struct peer *peer)
{
	rwy_vu_front_close(peer->front);
	for (unsigned i = 0; i < 2 * PEER_PAIRS; i++) {
		if (peer->queues[i].data)
			rwy_vqd_close(&peer->queues[i].vqd);
		rwy_fd_close(&peer->rings[i].kick_fd);
		rwy_fd_close(&peer->rings[i].call_fd);
	}
	rwy_mem_fini(&peer->mem);
	rwy_shm_close(&peer->shm);
}

static int wait_for(struct peer *peer, const unsigned *what, unsigned least, unsigned ms)
{
	uint64_t end = rwy_poll_now_ns() + ms * UINT64_C(1000000);

	while (*what < least && !peer->error) {
		if (rwy_poll_now_ns() > end)
			return -ETIMEDOUT;
		if (rwy_poll_once(peer->poll, 10) < 0)
			return -EIO;
	}
	return peer->error;
}

int peer_wait_started(struct peer *peer, unsigned ms)
{
	return wait_for(peer, &peer->started, peer->lost + 1, ms);
}

int peer_stop(struct peer *peer, unsigned ms)
{
	rwy_vu_front_stop(peer->front);
	int err = wait_for(peer, &peer->stopped, peer->stopped + 1, ms);

	memcpy(peer->rings, rwy_vu_front_rings(peer->front),
	       2 * peer->config.nr_pairs * sizeof(peer->rings[0]));
	return err;
}

int peer_restart(struct peer *peer, unsigned ms)
{
	int err = rwy_vu_front_start(peer->front, peer->features, peer->rings,
				     2 * peer->config.nr_pairs);

	return err ? err : wait_for(peer, &peer->started, peer->started + 1, ms);
}

/* Cuts `total` bytes at gpa into buffers. Their number. */
static unsigned lay_out(struct peer *peer, enum peer_framing framing, uint64_t gpa, uint32_t total,
			struct rwy_vqd_buf *bufs)
{
	unsigned n = 0;
	uint32_t done = 0;

	while (done < total) {
		uint32_t len = total - done, most = len;

		if (framing == PEER_TWO && n == 0)
			most = HDR_LEN;
		else if (framing >= PEER_CRUMBS && n + 1 < CRUMBS_MAX / 4)
			most = 1 + peer_random(peer) % 200;
		len = RWY_MIN(len, most);
		bufs[n++] = (struct rwy_vqd_buf){{gpa + done}, len};
		done += len;
	}
	return n;
}

static int reap(struct peer *peer, unsigned ring)
{
	struct peer_queue *q = &peer->queues[ring];
	void *cookie;
	uint32_t len;
	int n;

	while ((n = rwy_vqd_get(&q->vqd, &cookie, &len)) > 0)
		q->busy[(uintptr_t)cookie - 1] = false;
	return n;
}

int peer_send(struct peer *peer, unsigned pair, const struct virtio_net_hdr_mrg_rxbuf *hdr,
	      const void *frame, uint32_t len, enum peer_framing framing)
{
	unsigned ring = 2 * pair + 1;
	struct peer_queue *q = &peer->queues[ring];
	struct rwy_vqd_buf bufs[CRUMBS_MAX];
	unsigned slot = q->next;
	int err = reap(peer, ring);

	if (err < 0)
		return err;
	if (q->busy[slot])
		return -ENOSPC;
	uint8_t *at = q->data + (size_t)slot * q->slot_len;
	uint64_t gpa = q->data_gpa + (uint64_t)slot * q->slot_len;
	void *cookie = (void *)(uintptr_t)(slot + 1);

	memcpy(at, hdr, HDR_LEN);
	memcpy(at + HDR_LEN, frame, len);
	unsigned nr = lay_out(peer, framing, gpa, (uint32_t)HDR_LEN + len, bufs);

	if (framing == PEER_INDIRECT && has(peer, VIRTIO_RING_F_INDIRECT_DESC))
		err = rwy_vqd_add_indirect(&q->vqd, bufs, nr, 0, q->tables + slot * CRUMBS_MAX,
					   (rwy_gpa){q->tables_gpa +
						     slot * CRUMBS_MAX * sizeof(struct vring_desc)},
					   cookie);
	else
		err = rwy_vqd_add(&q->vqd, bufs, nr, 0, cookie);
	if (err)
		return err;
	q->busy[slot] = true;
	q->next = (slot + 1) % PEER_RING;
	kick(peer, ring);
	return 0;
}

bool peer_sent_all(struct peer *peer, unsigned pair)
{
	struct peer_queue *q = &peer->queues[2 * pair + 1];

	if (reap(peer, 2 * pair + 1) < 0)
		return false;
	for (unsigned i = 0; i < PEER_RING; i++) {
		if (q->busy[i])
			return false;
	}
	return true;
}

/* The pieces of one frame: num_buffers of them, all but the last one full. */
int peer_recv(struct peer *peer, unsigned pair, struct virtio_net_hdr_mrg_rxbuf *hdr, void *frame,
	      uint32_t size)
{
	struct peer_queue *q = &peer->queues[2 * pair];
	unsigned pieces = 1;
	uint32_t done = 0;

	for (unsigned i = 0; i < pieces; i++) {
		void *cookie;
		uint32_t len, skip = i ? 0 : (uint32_t)HDR_LEN;
		int n = rwy_vqd_get(&q->vqd, &cookie, &len);

		if (n <= 0)
			return n < 0 || i == 0 ? n : -EPROTO;
		unsigned slot = (unsigned)(uintptr_t)cookie - 1;
		const uint8_t *at = q->data + (size_t)slot * q->slot_len;

		if (len <= skip || len > q->slot_len)
			return -EPROTO;
		if (i == 0) {
			memcpy(hdr, at, HDR_LEN);
			if (!peer->config.foreign || has(peer, VIRTIO_NET_F_MRG_RXBUF))
				pieces = hdr->num_buffers;
		}
		if (pieces == 0 || (pieces > 1 && !has(peer, VIRTIO_NET_F_MRG_RXBUF)) ||
		    (i + 1 < pieces && len != q->slot_len) || done + len - skip > size)
			return -EPROTO;
		memcpy((uint8_t *)frame + done, at + skip, len - skip);
		done += len - skip;
		n = post(q, slot);
		if (n < 0)
			return n;
	}
	kick(peer, 2 * pair);
	return (int)done;
}

int peer_wait(struct peer *peer, unsigned pair, struct virtio_net_hdr_mrg_rxbuf *hdr, void *frame,
	      uint32_t size, unsigned ms)
{
	uint64_t end = rwy_poll_now_ns() + ms * UINT64_C(1000000);

	for (;;) {
		int n = peer_recv(peer, pair, hdr, frame, size);

		if (n)
			return n;
		if (rwy_poll_now_ns() > end)
			return -ETIMEDOUT;
		n = rwy_poll_once(peer->poll, 0);
		if (n < 0)
			return n;
	}
}
