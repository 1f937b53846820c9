/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device behind one vhost-user socket as a port of the switch. The rings, the memory they point
 * into and their eventfds belong to be.c; a ring is touched only between start and stop.
 */
#include "vhost-backends/net/port_guest.h"

#include "lib/log.h"
#include "vhost-backends/be_main.h"
#include "vhost-backends/net/net.h"
#include "vhost-backends/net/netq.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "port_guest"

struct guest {
	struct rwy_port port;
	struct rwy_be *be; /* NULL: nobody is connected */
	struct rwy_be_socket *sock;
	struct rwy_stats *stats;
	char name[16];
	unsigned nr_pairs;
	struct virtio_net_config config;
	uint8_t gives; /* RWY_PORT_CSUM and so on that the driver may use */

	/* Started transmit rings; receive rings that are started and enabled. */
	unsigned nr_tx;
	unsigned nr_rx;
	struct rwy_netq_tx *tx[RWY_NET_PAIRS_MAX];
	struct rwy_netq_rx *rx[RWY_NET_PAIRS_MAX];
	struct pair {
		struct rwy_netq_tx tx;
		struct rwy_netq_rx rx;
	} pairs[];
};

static struct guest *guest_of(struct rwy_port *port)
{
	return RWY_CONTAINER_OF(port, struct guest, port);
}

static unsigned guest_rx(struct rwy_port *port, unsigned q, struct rwy_burst *burst)
{
	struct guest *g = guest_of(port);

	return rwy_netq_pull(g->tx[q], burst, g->gives, port->counts);
}

static void guest_rx_done(struct rwy_port *port, unsigned q, struct rwy_burst *burst, unsigned n)
{
	rwy_netq_release(guest_of(port)->tx[q], burst, n, port->counts);
}

static unsigned guest_tx(struct rwy_port *port, unsigned q, const struct rwy_frame *const *frames,
			 unsigned n)
{
	struct guest *g = guest_of(port);

	return rwy_netq_deliver(g->rx[q % g->nr_rx], frames, n, port->counts);
}

static void guest_flush(struct rwy_port *port)
{
	struct guest *g = guest_of(port);

	for (unsigned i = 0; i < g->nr_rx; i++)
		rwy_netq_flush(g->rx[i]);
}

/* Only transmit rings wake us: a receive ring is looked at when there is something for it. */
static bool guest_arm(struct rwy_port *port)
{
	struct guest *g = guest_of(port);
	bool late = false;

	for (unsigned i = 0; i < g->nr_tx; i++)
		late |= rwy_netq_arm(g->tx[i]);
	return late;
}

static void guest_disarm(struct rwy_port *port)
{
	struct guest *g = guest_of(port);

	for (unsigned i = 0; i < g->nr_tx; i++)
		rwy_vq_disarm(g->tx[i]->vq);
}

/* ---- the device be.c drives ---- */

static struct guest *device_of(struct rwy_be *be)
{
	return be->device;
}

/* Rings were started, stopped, enabled or disabled: which of them are in use? */
static void survey(struct guest *g)
{
	g->nr_tx = 0;
	g->nr_rx = 0;
	for (unsigned p = 0; p < g->nr_pairs; p++) {
		struct pair *pair = &g->pairs[p];

		if (pair->tx.vq)
			g->tx[g->nr_tx++] = &pair->tx;
		if (pair->rx.vq && pair->rx.enabled)
			g->rx[g->nr_rx++] = &pair->rx;
	}
	g->port.nr_queues = g->nr_tx;
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

	g->gives = rwy_net_gives(be->features);
	g->port.takes = rwy_net_takes(be->features);
}

static void start(struct rwy_be *be, unsigned q)
{
	struct guest *g = device_of(be);
	struct pair *pair = &g->pairs[q / 2];

	g->be = be;
	if (q == RWY_NET_RX_RING(q / 2)) {
		pair->rx.vq = &be->vqs[q];
		pair->rx.enabled = be->enabled[q];
		pair->rx.mergeable = rwy_be_has(be, VIRTIO_NET_F_MRG_RXBUF);
	} else {
		pair->tx.vq = &be->vqs[q];
		pair->tx.enabled = be->enabled[q];
	}
	rwy_vq_disarm(&be->vqs[q]);
	survey(g);
}

/* Every poll finishes what it takes on, so parking is all there is to wait for. */
static bool stop(struct rwy_be *be, unsigned q)
{
	struct guest *g = device_of(be);
	struct pair *pair = &g->pairs[q / 2];

	if (q == RWY_NET_RX_RING(q / 2)) {
		rwy_netq_park_rx(&pair->rx);
		pair->rx.dirty = false; /* be.c publishes */
		pair->rx.vq = NULL;
	} else {
		rwy_netq_park_tx(&pair->tx);
		pair->tx.vq = NULL;
	}
	survey(g);
	return true;
}

static void enable(struct rwy_be *be, unsigned q)
{
	struct guest *g = device_of(be);
	struct pair *pair = &g->pairs[q / 2];

	if (q == RWY_NET_RX_RING(q / 2))
		pair->rx.enabled = be->enabled[q];
	else
		pair->tx.enabled = be->enabled[q];
	survey(g);
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

	g->be = NULL;
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
	struct guest *g = calloc(1, sizeof(*g) + config->nr_pairs * sizeof(g->pairs[0]));
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
	if (config->has_mac) /* the port is the switch's now, which closes it */
		rc = rwy_fdb_fix(&fwd->fdb, rwy_fdb_mac(config->mac), g->port.idx);
	if (rc == -EEXIST)
		rwy_error("%s: another port has this mac", g->name);
	return rc;

close_sock:
	rwy_be_socket_close(g->sock);
del_counts:
	rwy_stats_del(config->stats, g->port.counts);
free_guest:
	free(g);
	return rc;
}
