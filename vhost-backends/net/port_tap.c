/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames to the host go by writev straight from the sender's memory; frames from the host are read
 * into buffers of ours, because where they go is known only when their addresses are. Checksums
 * stay partial and TCP segments large in both directions (IFF_VNET_HDR, TUNSETOFFLOAD).
 */
#include "vhost-backends/net/port_tap.h"

#include "lib/fd.h"
#include "lib/iov.h"
#include "lib/log.h"
#include "vhost-backends/net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RWY_STEM "port_tap"

#define HDR_LEN	   sizeof(struct virtio_net_hdr)
#define BUFFER_LEN RWY_ALIGN_UP(HDR_LEN + RWY_PORT_FRAME_MAX, 4096)
#define SKIP_MAX   63u
#define OFFLOADS   (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)

struct tap {
	struct rwy_port port;
	struct rwy_stats *stats;
	char name[IFNAMSIZ];
	int fd;
	struct rwy_watch watch;
	/* A read that finds nothing is a system call for nothing: after each one more rounds are
	 * skipped. */
	unsigned skip;
	unsigned skipped;
	uint8_t *buffers; /* RWY_VQ_BURST of BUFFER_LEN */
	/* Frames that were read and not yet taken: buffers[first..first + nr). */
	unsigned first;
	unsigned nr;
	uint32_t lens[RWY_VQ_BURST]; /* with the header */
	struct iovec iov[RWY_VQ_BURST];
};

static struct tap *tap_of(struct rwy_port *port)
{
	return RWY_CONTAINER_OF(port, struct tap, port);
}

static uint8_t *buffer(const struct tap *t, unsigned i)
{
	return t->buffers + i * BUFFER_LEN;
}

static void tap_free(struct tap *t)
{
	rwy_fd_close(&t->fd);
	free(t->buffers);
	free(t);
}

static bool parse(struct tap *t, unsigned i, struct rwy_frame *frame)
{
	memcpy(&frame->hdr, buffer(t, i), HDR_LEN);
	frame->needs = 0;
	if (t->lens[i] < HDR_LEN + RWY_PORT_ETH_LEN)
		return false;
	frame->len = t->lens[i] - (uint32_t)HDR_LEN;
	return rwy_net_check_hdr(&frame->hdr, frame->len, t->port.takes, &frame->needs);
}

static void read_frames(struct tap *t)
{
	if (t->skipped < t->skip) {
		t->skipped++;
		return;
	}
	t->skipped = 0;
	t->first = 0;
	while (t->nr < RWY_VQ_BURST) {
		ssize_t n = read(t->fd, buffer(t, t->nr), BUFFER_LEN);

		if (n <= 0) /* EAGAIN: nothing there. EIO, EBADFD: the interface is down or gone */
			break;
		t->lens[t->nr++] = (uint32_t)n;
	}
	t->skip = t->nr ? 0 : RWY_MIN(2 * t->skip + 1, SKIP_MAX);
}

static unsigned tap_rx(struct rwy_port *port, unsigned q, struct rwy_burst *burst)
{
	struct tap *t = tap_of(port);

	if (t->nr == 0)
		read_frames(t);
	burst->nr = 0;
	burst->needs = 0;
	for (unsigned i = t->first; i < t->first + t->nr; i++) {
		struct rwy_frame *frame = &burst->frames[burst->nr];

		if (!parse(t, i, frame)) {
			rwy_stats_add(&port->counts->rx_bad, 1);
			continue;
		}
		t->iov[i] = (struct iovec){buffer(t, i) + HDR_LEN, frame->len};
		frame->iov = &t->iov[i];
		frame->nr_iov = 1;
		frame->off = 0;
		frame->slot = (uint16_t)i;
		burst->needs |= frame->needs;
		burst->nr++;
	}
	if (burst->nr == 0)
		t->nr = 0;
	return burst->nr;
}

static void tap_rx_done(struct rwy_port *port, unsigned q, struct rwy_burst *burst, unsigned n)
{
	struct tap *t = tap_of(port);
	unsigned end = t->first + t->nr;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += burst->frames[i].len;
	rwy_stats_add(&port->counts->rx_packets, n);
	rwy_stats_add(&port->counts->rx_bytes, bytes);
	t->first = n < burst->nr ? burst->frames[n].slot : end;
	t->nr = end - t->first;
}

/* False: not now. Frames the kernel will never take are counted and dealt with. */
static bool write_frame(struct tap *t, const struct rwy_frame *frame)
{
	struct iovec iov[RWY_VQ_IOV_MAX];
	int nr = rwy_iov_slice(frame->iov, frame->nr_iov, frame->off, frame->len, iov + 1,
			       RWY_VQ_IOV_MAX - 1);
	ssize_t n;

	if (nr < 0) {
		rwy_stats_add(&t->port.counts->tx_big, 1);
		return true;
	}
	iov[0] = (struct iovec){(void *)&frame->hdr, HDR_LEN};
	do {
		n = writev(t->fd, iov, nr + 1);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		rwy_stats_add(&t->port.counts->tx_packets, 1);
		rwy_stats_add(&t->port.counts->tx_bytes, frame->len);
	} else if (errno == EAGAIN || errno == ENOBUFS) {
		return false;
	} else if (errno == EIO || errno == EBADFD || errno == ENODEV) {
		rwy_stats_add(&t->port.counts->tx_down, 1);
	} else {
		/* The kernel checks more than we do, protocol headers for one (EINVAL). */
		rwy_stats_add(&t->port.counts->tx_offload, 1);
	}
	return true;
}

static unsigned tap_tx(struct rwy_port *port, unsigned q, const struct rwy_frame *const *frames,
		       unsigned n)
{
	struct tap *t = tap_of(port);

	for (unsigned i = 0; i < n; i++) {
		if (!write_frame(t, frames[i]))
			return i;
	}
	return n;
}

static void tap_flush(struct rwy_port *port)
{
}

/*
 * A sleep ends by the watch, which is always on: it is level-triggered, and where the last read
 * found something it was not the last.
 */
static bool tap_arm(struct rwy_port *port)
{
	return tap_of(port)->nr > 0;
}

static void tap_disarm(struct rwy_port *port)
{
	tap_of(port)->skip = 0;
}

static void ready(void *ctx, uint32_t events)
{
	struct tap *t = ctx;

	t->skip = 0;
	if (!(events & EPOLLERR))
		return;
	rwy_error("interface %s is gone; its port stays down", t->name);
	rwy_poll_unwatch(t->port.fwd->poll, &t->watch);
	t->port.up = false;
	t->port.nr_queues = 0;
	rwy_fwd_forget(&t->port);
}

static void tap_close(struct rwy_port *port)
{
	struct tap *t = tap_of(port);

	rwy_poll_unwatch(port->fwd->poll, &t->watch);
	rwy_stats_del(t->stats, port->counts);
	tap_free(t);
}

static const struct rwy_port_ops port_ops = {
	.kind = "tap",
	.rx = tap_rx,
	.rx_done = tap_rx_done,
	.tx = tap_tx,
	.flush = tap_flush,
	.arm = tap_arm,
	.disarm = tap_disarm,
	.close = tap_close,
};

static int attach(struct tap *t)
{
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int hdr_len = HDR_LEN;

	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0) {
		rwy_error("/dev/net/tun: %s (modprobe tun?)", strerror(errno));
		return -errno;
	}
	memcpy(req.ifr_name, t->name, sizeof(req.ifr_name));
	if (ioctl(t->fd, TUNSETIFF, &req) < 0) {
		int rc = -errno;

		rwy_error("tap %s: %s (%s)", t->name, strerror(-rc),
			  rc == -EBUSY ? "another process has it"
				       : "as root: ip tuntap add NAME mode tap user USER");
		return rc;
	}
	if (ioctl(t->fd, TUNSETVNETHDRSZ, &hdr_len) < 0 ||
	    ioctl(t->fd, TUNSETOFFLOAD, OFFLOADS) < 0) {
		rwy_error("tap %s: offloads: %s", t->name, strerror(errno));
		return -errno;
	}
	return 0;
}

int rwy_port_tap_open(struct rwy_fwd *fwd, const char *name, struct rwy_stats *stats)
{
	struct tap *t = calloc(1, sizeof(*t));
	char counters[24];
	int rc = -ENOMEM;

	if (!t)
		return -ENOMEM;
	t->fd = -1;
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->buffers = malloc(RWY_VQ_BURST * BUFFER_LEN);
	if (!t->buffers)
		goto free_tap;
	rc = attach(t);
	if (rc < 0)
		goto free_tap;
	snprintf(counters, sizeof(counters), "port%u", fwd->nr_ports);
	t->stats = stats;
	t->port.ops = &port_ops;
	t->port.takes = RWY_PORT_CSUM | RWY_PORT_TSO4 | RWY_PORT_TSO6 | RWY_PORT_ECN;
	t->port.nr_queues = 1;
	t->port.up = true;
	t->port.counts = (struct rwy_port_counts *)rwy_stats_counters(stats, counters,
								      rwy_port_counter_names,
								      rwy_port_nr_counters);
	if (!t->port.counts) {
		rc = -ENOSPC;
		goto free_tap;
	}
	t->watch = (struct rwy_watch){.fd = t->fd, .events = EPOLLIN, .ready = ready, .ctx = t};
	rc = rwy_poll_watch(fwd->poll, &t->watch);
	if (rc < 0)
		goto del_counts;
	rc = rwy_fwd_add(fwd, &t->port);
	if (rc < 0)
		goto unwatch;
	return 0;

unwatch:
	rwy_poll_unwatch(fwd->poll, &t->watch);
del_counts:
	rwy_stats_del(stats, t->port.counts);
free_tap:
	tap_free(t);
	return rc;
}
