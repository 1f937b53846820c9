/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rings of one guest as a port: transmit rings are popped into bursts of frames, and frames of
 * other ports are copied into buffers popped from its receive rings. The rings, the memory they
 * point into and their eventfds belong to be.c; a ring is touched only between start and stop.
 */
#include "vhost-backends/net/port_guest.h"

#include "lib/iov.h"
#include "lib/log.h"
#include "vhost-backends/be_main.h"
#include "vhost-backends/net/net.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "port_guest"

/* Most buffers one frame may be spread over: 64 KiB in pieces of 1 KiB. */
#define MERGE_MAX 64

struct guest {
	struct rwy_port port;
	struct rwy_be *be; /* NULL: nobody is connected */
	struct rwy_be_socket *sock;
	struct rwy_stats *stats;
	char name[16];
	unsigned nr_pairs;
	struct virtio_net_config config;

	/* What the driver negotiated. */
	unsigned hdr_len;
	bool mergeable;
	uint8_t gives;

	bool started[2 * RWY_NET_PAIRS_MAX];
	/* Started rings, and of the receive rings only those enabled. */
	unsigned nr_rx;
	struct rwy_vq *rx[RWY_NET_PAIRS_MAX];
	struct rwy_vq *tx[RWY_NET_PAIRS_MAX];
	bool tx_enabled[RWY_NET_PAIRS_MAX];
	uint32_t dirty; /* bit per entry of rx that has something to publish */
};

static struct guest *guest_of(struct rwy_port *port)
{
	return RWY_CONTAINER_OF(port, struct guest, port);
}

/* ---- transmit rings: from the guest into the switch ---- */

/* Moves the view past `skip` bytes and past empty pieces. There are more than skip bytes. */
static void advance(struct rwy_frame *frame, size_t skip)
{
	while (skip >= frame->iov->iov_len) {
		skip -= frame->iov->iov_len;
		frame->iov++;
		frame->nr_iov--;
	}
	frame->off = (uint32_t)skip;
}

/* Asks nothing of the receiver: all zero. Two loads, as the two stores it was made of. */
RWY_INLINE bool plain(const struct virtio_net_hdr *hdr)
{
	uint64_t most;

	memcpy(&most, hdr, sizeof(most));
	return (most | hdr->csum_offset) == 0;
}

RWY_INLINE bool parse(const struct guest *g, const struct rwy_chain *chain, struct rwy_frame *frame)
{
	if (RWY_UNLIKELY(chain->nr_in != 0 || chain->out_len < g->hdr_len + RWY_PORT_ETH_LEN ||
			 chain->out_len > g->hdr_len + RWY_PORT_FRAME_MAX))
		return false;
	frame->iov = chain->iov;
	frame->nr_iov = chain->nr_out;
	frame->len = chain->out_len - g->hdr_len;
	if (RWY_LIKELY(chain->iov[0].iov_len >= g->hdr_len))
		memcpy(&frame->hdr, chain->iov[0].iov_base, sizeof(frame->hdr));
	else
		rwy_iov_read(chain->iov, chain->nr_out, 0, &frame->hdr, sizeof(frame->hdr));
	advance(frame, g->hdr_len);
	/* The copy begins when the whole burst has been looked at. */
	__builtin_prefetch((const uint8_t *)frame->iov->iov_base + frame->off);
	frame->needs = 0;
	if (RWY_LIKELY(plain(&frame->hdr)))
		return true;
	return rwy_net_check_hdr(&frame->hdr, frame->len, g->gives, &frame->needs);
}

static void give_back(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n)
{
	rwy_vq_push(vq, chains, n);
	rwy_vq_publish(vq);
}

static unsigned guest_rx(struct rwy_port *port, unsigned q, struct rwy_burst *burst)
{
	struct guest *g = guest_of(port);
	struct rwy_vq *vq = g->tx[q];
	struct rwy_chain *chains = burst->chains;
	unsigned nr = rwy_vq_pop(vq, chains, RWY_VQ_BURST, burst->iov, RWY_VQ_IOV_MAX);
	uint64_t bytes = 0;

	if (nr == 0)
		return 0;
	burst->nr_chains = nr;
	burst->nr = 0;
	burst->needs = 0;
	for (unsigned i = 0; i < nr; i++) {
		struct rwy_frame *frame = &burst->frames[burst->nr];

		chains[i].written = 0;
		if (RWY_UNLIKELY(!parse(g, &chains[i], frame)))
			continue;
		frame->slot = (uint16_t)i;
		burst->needs |= frame->needs;
		bytes += frame->len;
		burst->nr++;
	}
	if (RWY_UNLIKELY(burst->nr < nr)) {
		rwy_stats_add(&port->counts->rx_bad, nr - burst->nr);
		rwy_stats_add(&vq->stats->errors, nr - burst->nr);
	}
	/* "Ring states": started but not enabled is drained, and nothing of it is passed on. */
	if (RWY_UNLIKELY(!g->tx_enabled[q])) {
		rwy_stats_add(&port->counts->rx_disabled, burst->nr);
		burst->nr = 0;
	}
	if (RWY_UNLIKELY(burst->nr == 0))
		give_back(vq, chains, nr);
	return burst->nr;
}

static void guest_rx_done(struct rwy_port *port, unsigned q, struct rwy_burst *burst, unsigned n)
{
	struct guest *g = guest_of(port);
	struct rwy_vq *vq = g->tx[q];
	unsigned done = n < burst->nr ? burst->frames[n].slot : burst->nr_chains;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += burst->frames[i].len;
	rwy_stats_add(&port->counts->rx_packets, n);
	rwy_stats_add(&port->counts->rx_bytes, bytes);
	rwy_stats_add(&vq->stats->bytes, bytes);
	if (RWY_UNLIKELY(done < burst->nr_chains))
		rwy_vq_unpop(vq, burst->chains + done, burst->nr_chains - done);
	if (done > 0)
		give_back(vq, burst->chains, done);
}

/* ---- receive rings: from the switch to the guest ---- */

/* Buffers popped from one receive ring: chains[0..next) are filled, [next..nr) still free. */
struct room {
	struct rwy_vq *vq;
	unsigned next;
	unsigned nr;
	uint64_t bytes;
	struct rwy_chain chains[RWY_VQ_BURST + MERGE_MAX];
	/* A pop must be able to take the longest chain there is, whatever lies before it. */
	struct iovec iov[2 * RWY_VQ_IOV_MAX];
};

enum placed { PLACED, NO_ROOM, TOO_BIG };

static unsigned refill(struct room *room, unsigned want)
{
	struct iovec *iov = room->iov;
	unsigned n = RWY_MIN(want, RWY_ARRAY_SIZE(room->chains) - room->nr);

	if (room->nr > 0) {
		const struct rwy_chain *last = &room->chains[room->nr - 1];

		iov = last->iov + last->nr_out + last->nr_in;
	}
	if (n == 0 || iov > room->iov + RWY_VQ_IOV_MAX)
		return 0;
	n = rwy_vq_pop(room->vq, &room->chains[room->nr], n, iov, RWY_VQ_IOV_MAX);
	room->nr += n;
	return n;
}

/* Filled buffers go to the driver, free ones back to the ring. */
static void settle(struct room *room)
{
	if (room->nr > room->next)
		rwy_vq_unpop(room->vq, &room->chains[room->next], room->nr - room->next);
	if (room->next > 0)
		rwy_vq_push(room->vq, room->chains, room->next);
	room->next = 0;
	room->nr = 0;
}

/* Chains [next..next + *used) hold total bytes between them, as the driver's features allow. */
static enum placed gather(const struct guest *g, struct room *room, uint32_t total, unsigned *used)
{
	uint64_t have = 0;
	unsigned k = 0;

	while (have < total) {
		if (k == (g->mergeable ? MERGE_MAX : 1))
			return TOO_BIG;
		if (room->next + k == room->nr) {
			uint64_t each = k ? have / k : total;

			if (!refill(room, (unsigned)((total - have) / each) + 1))
				return NO_ROOM;
		}
		const struct rwy_chain *chain = &room->chains[room->next + k];

		if (chain->nr_out != 0 || chain->in_len == 0) {
			rwy_vq_break(room->vq, RWY_VQ_DEVICE);
			return NO_ROOM;
		}
		have += chain->in_len;
		k++;
	}
	*used = k;
	return PLACED;
}

static __attribute__((noinline)) enum placed place_pieces(const struct guest *g, struct room *room,
							  const struct rwy_frame *frame)
{
	struct virtio_net_hdr_mrg_rxbuf hdr = {.hdr = frame->hdr};
	uint32_t total = g->hdr_len + frame->len;
	unsigned used;
	enum placed placed = gather(g, room, total, &used);

	if (placed == NO_ROOM && room->next > 0 && room->nr == RWY_ARRAY_SIZE(room->chains)) {
		/* Not the ring was at its end but our array. */
		settle(room);
		placed = gather(g, room, total, &used);
	}
	if (placed != PLACED)
		return placed;

	/* Without device-readable pieces the pieces of neighbouring chains lie side by side. */
	struct rwy_chain *chains = &room->chains[room->next];
	const struct iovec *iov = chains[0].iov;
	unsigned nr_iov = (unsigned)(chains[used - 1].iov + chains[used - 1].nr_in - iov);

	hdr.num_buffers = (uint16_t)used;
	rwy_iov_write(iov, nr_iov, 0, &hdr, g->hdr_len);
	rwy_iov_copy(iov, nr_iov, g->hdr_len, frame->iov, frame->nr_iov, frame->off, frame->len);
	for (unsigned k = 0; k < used; k++) {
		chains[k].written = RWY_MIN(total, chains[k].in_len);
		total -= chains[k].written;
	}
	room->next += used;
	return PLACED;
}

/*
 * Drivers leave the header of a buffer as they got it, so it mostly holds what we would write.
 * Looking first leaves the line shared between the two CPUs.
 */
RWY_INLINE void put_hdr(uint8_t *at, const struct virtio_net_hdr *hdr, unsigned hdr_len)
{
	/*
	 * In registers: a comparison of memory just written, piece by piece, would wait until all
	 * stores before it have left the core, those to the rings among them.
	 */
	const uint32_t last = hdr->csum_offset | 1u << 16; /* num_buffers is 1 */
	uint64_t first, there_first;
	uint32_t there_last;

	memcpy(&first, hdr, sizeof(first));
	memcpy(&there_first, at, sizeof(there_first));
	memcpy(&there_last, at + sizeof(first), sizeof(there_last));
	if (RWY_LIKELY(there_first == first && there_last == last))
		return;
	memcpy(at, &first, sizeof(first));
	memcpy(at + sizeof(first), &last, hdr_len - sizeof(first));
}

RWY_INLINE enum placed place(const struct guest *g, struct room *room,
			     const struct rwy_frame *frame)
{
	struct rwy_chain *chain = &room->chains[room->next];
	uint32_t total = g->hdr_len + frame->len;

	if (RWY_UNLIKELY(room->next == room->nr) && !refill(room, 1))
		return NO_ROOM;
	if (RWY_UNLIKELY(chain->nr_in != 1 || chain->nr_out != 0 || chain->in_len < total ||
			 frame->nr_iov != 1))
		return place_pieces(g, room, frame);

	uint8_t *at = chain->iov[0].iov_base;

	put_hdr(at, &frame->hdr, g->hdr_len);
	memcpy(at + g->hdr_len, (const uint8_t *)frame->iov[0].iov_base + frame->off, frame->len);
	chain->written = total;
	room->next++;
	return PLACED;
}

static unsigned guest_tx(struct rwy_port *port, unsigned q, const struct rwy_frame *const *frames,
			 unsigned n)
{
	struct guest *g = guest_of(port);
	struct room room;
	unsigned i, sent = 0;

	if (RWY_UNLIKELY(g->nr_rx == 0)) {
		rwy_stats_add(&port->counts->tx_down, n);
		return n;
	}
	q %= g->nr_rx;
	room.vq = g->rx[q];
	room.next = 0;
	room.nr = 0;
	room.bytes = 0;
	refill(&room, n);
	for (i = 0; i < room.nr; i++)
		__builtin_prefetch((uint8_t *)room.chains[i].iov->iov_base + g->hdr_len, 1);
	for (i = 0; i < n; i++) {
		enum placed placed = place(g, &room, frames[i]);

		if (RWY_LIKELY(placed == PLACED)) {
			room.bytes += frames[i]->len;
			sent++;
		} else if (placed == NO_ROOM) {
			break;
		} else {
			rwy_stats_add(&port->counts->tx_big, 1);
		}
	}
	settle(&room);
	if (sent > 0) {
		g->dirty |= 1u << q;
		rwy_stats_add(&port->counts->tx_packets, sent);
		rwy_stats_add(&port->counts->tx_bytes, room.bytes);
		rwy_stats_add(&room.vq->stats->bytes, room.bytes);
	}
	return i;
}

static void guest_flush(struct rwy_port *port)
{
	struct guest *g = guest_of(port);

	for (; g->dirty; g->dirty &= g->dirty - 1)
		rwy_vq_publish(g->rx[__builtin_ctz(g->dirty)]);
}

/* Only transmit rings wake us: a receive ring is looked at when there is something for it. */
static bool guest_arm(struct rwy_port *port)
{
	struct guest *g = guest_of(port);
	bool late = false;

	for (unsigned q = 0; q < port->nr_queues; q++)
		late |= rwy_vq_arm(g->tx[q]);
	return late;
}

static void guest_disarm(struct rwy_port *port)
{
	struct guest *g = guest_of(port);

	for (unsigned q = 0; q < port->nr_queues; q++)
		rwy_vq_disarm(g->tx[q]);
}

/* ---- the device be.c drives ---- */

static struct guest *device_of(struct rwy_be *be)
{
	return be->device;
}

/* Rings were started, stopped, enabled or disabled: which of them are in use? */
static void survey(struct guest *g)
{
	unsigned nr_tx = 0;

	g->nr_rx = 0;
	for (unsigned p = 0; p < g->nr_pairs; p++) {
		unsigned rx = RWY_NET_RX_RING(p), tx = RWY_NET_TX_RING(p);

		if (g->started[rx] && g->be->enabled[rx])
			g->rx[g->nr_rx++] = &g->be->vqs[rx];
		if (!g->started[tx])
			continue;
		g->tx_enabled[nr_tx] = g->be->enabled[tx];
		g->tx[nr_tx++] = &g->be->vqs[tx];
	}
	g->port.nr_queues = nr_tx;
	g->port.up = g->nr_rx > 0;
}

static void config_read(struct rwy_be *be, uint32_t off, void *buf, uint32_t len)
{
	memcpy(buf, (const uint8_t *)&device_of(be)->config + off, len);
}

/* Nothing in it is the driver's to write (section 5.1.4). */
static int config_write(struct rwy_be *be, uint32_t off, const void *buf, uint32_t len)
{
	return -EPERM;
}

static void set_features(struct rwy_be *be)
{
	struct guest *g = device_of(be);

	g->hdr_len = rwy_net_hdr_len(be->features);
	g->mergeable = rwy_be_has(be, VIRTIO_NET_F_MRG_RXBUF);
	g->gives = rwy_net_gives(be->features);
	g->port.takes = rwy_net_takes(be->features);
}

static void start(struct rwy_be *be, unsigned q)
{
	struct guest *g = device_of(be);

	g->be = be;
	g->started[q] = true;
	rwy_vq_disarm(&be->vqs[q]);
	survey(g);
}

/* Every poll finishes what it popped, so between two polls the ring is quiet. */
static bool stop(struct rwy_be *be, unsigned q)
{
	struct guest *g = device_of(be);

	g->started[q] = false;
	survey(g);
	return true;
}

static void enable(struct rwy_be *be, unsigned q)
{
	survey(device_of(be));
}

static void reset(struct rwy_be *be)
{
	rwy_fwd_forget(&device_of(be)->port);
}

/* The guest has moved here: tell everybody by the request it would have sent itself. */
static void send_rarp(struct rwy_be *be, uint64_t mac)
{
	static const uint8_t ether_ip_request[] = {0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3};
	struct guest *g = device_of(be);
	uint8_t frame[60] = {0};

	memset(frame, 0xff, ETH_ALEN);
	memcpy(frame + 6, &mac, ETH_ALEN);
	memcpy(frame + 12, ether_ip_request, sizeof(ether_ip_request));
	memcpy(frame + 22, &mac, ETH_ALEN); /* sender and target hardware address */
	memcpy(frame + 32, &mac, ETH_ALEN);
	rwy_fwd_inject(&g->port, frame, sizeof(frame));
}

static int set_mtu(struct rwy_be *be, uint64_t mtu)
{
	if (mtu < RWY_NET_MTU_MIN || mtu > UINT16_MAX)
		return -EINVAL;
	device_of(be)->config.mtu = (uint16_t)mtu;
	return 0;
}

static void lost(struct rwy_be *be)
{
	struct guest *g = device_of(be);

	memset(g->started, 0, sizeof(g->started));
	g->be = NULL;
	g->nr_rx = 0;
	g->port.nr_queues = 0;
	g->port.up = false;
	rwy_fwd_forget(&g->port);
}

static const struct rwy_be_ops be_ops = {
	.name = "net",
	.config_read = config_read,
	.config_write = config_write,
	.set_features = set_features,
	.start = start,
	.stop = stop,
	.enable = enable,
	.reset = reset,
	.send_rarp = send_rarp,
	.set_mtu = set_mtu,
	.lost = lost,
};

/* ---- the port ---- */

static void guest_close(struct rwy_port *port)
{
	struct guest *g = guest_of(port);

	rwy_be_socket_close(g->sock);
	rwy_stats_del(g->stats, port->counts);
	free(g);
}

static const struct rwy_port_ops port_ops = {
	.kind = "guest",
	.rx = guest_rx,
	.rx_done = guest_rx_done,
	.tx = guest_tx,
	.flush = guest_flush,
	.arm = guest_arm,
	.disarm = guest_disarm,
	.close = guest_close,
};

static void fill_config(struct guest *g, const struct rwy_port_guest_config *config)
{
	g->config.status = VIRTIO_NET_S_LINK_UP;
	g->config.max_virtqueue_pairs = (uint16_t)config->nr_pairs;
	g->config.mtu = RWY_NET_MTU;
	g->config.speed = UINT32_MAX;
	g->config.duplex = UINT8_MAX;
	if (config->has_mac)
		memcpy(g->config.mac, config->mac, ETH_ALEN);
}

int rwy_port_guest_open(struct rwy_fwd *fwd, const struct rwy_port_guest_config *config)
{
	struct guest *g = calloc(1, sizeof(*g));
	int fd = config->fd;
	int rc;

	if (!g)
		return -ENOMEM;
	snprintf(g->name, sizeof(g->name), "port%u", fwd->nr_ports);
	g->port.ops = &port_ops;
	g->stats = config->stats;
	g->nr_pairs = config->nr_pairs;
	fill_config(g, config);
	g->port.counts = (struct rwy_port_counts *)rwy_stats_counters(config->stats, g->name,
								      rwy_port_counter_names,
								      rwy_port_nr_counters);
	if (!g->port.counts) {
		rc = -ENOSPC;
		goto free_guest;
	}
	const struct rwy_be_socket_config sock = {
		.path = config->path,
		.fd = &fd,
		.client = config->client,
		.be =
			{
				.ops = &be_ops,
				.device = g,
				.features = rwy_net_features(config->has_mac),
				.pf = rwy_net_protocol_features(),
				.nr_queues = 2 * config->nr_pairs,
				.queue_num = config->nr_pairs,
				.read_only = UINT64_C(0xaaaaaaaaaaaaaaaa), /* transmit rings */
				.config_len = sizeof(g->config),
				.in_order = true,
				.stats = config->stats,
				.stats_name = g->name,
			},
	};
	rc = rwy_be_socket_open(&g->sock, fwd->poll, &sock);
	if (rc < 0)
		goto del_counts;
	rc = rwy_fwd_add(fwd, &g->port);
	if (rc < 0)
		goto close_sock;
	if (config->has_mac)
		rc = rwy_fdb_fix(&fwd->fdb, rwy_fdb_mac(config->mac), g->port.idx);
	return rc;

close_sock:
	rwy_be_socket_close(g->sock);
del_counts:
	rwy_stats_del(config->stats, g->port.counts);
free_guest:
	free(g);
	return rc;
}
