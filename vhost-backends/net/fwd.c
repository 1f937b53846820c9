/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-backends/net/fwd.h"

#include "lib/iov.h"
#include "lib/log.h"
#include "vhost-backends/net/offload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RWY_STEM "fwd"

#define DST_FLOOD 254
#define DST_NONE  255
#define TICK_NS	  UINT64_C(1000000000)
/*
 * How long a full receiver may hold its sender back before frames to it are dropped. Long enough
 * for a guest to run and refill, short enough that a guest which stopped costs others little: it
 * is waited for once, then not again before it has taken a frame.
 */
#define HOLD_NS UINT64_C(2000000)

int rwy_fwd_parse_mode(const char *name, enum rwy_fwd_mode *mode)
{
	if (strcmp(name, "learn") == 0)
		*mode = RWY_FWD_LEARN;
	else if (strcmp(name, "pair") == 0)
		*mode = RWY_FWD_PAIR;
	else
		return -EINVAL;
	return 0;
}

static void resolve_pair(struct rwy_fwd *fwd, const struct rwy_port *src)
{
	struct rwy_burst *burst = &fwd->burst;
	unsigned dst = src->idx ^ 1;

	if (dst >= fwd->nr_ports)
		dst = DST_NONE;
	for (unsigned i = 0; i < burst->nr; i++)
		burst->frames[i].dst = (uint8_t)dst;
}

/* Both addresses by one copy of the Ethernet header: bytes 0-5 and 6-11. */
RWY_INLINE void read_macs(const struct rwy_frame *frame, uint64_t *dst, uint64_t *src)
{
	uint8_t local[RWY_PORT_ETH_LEN];
	const uint8_t *at = local;

	if (RWY_LIKELY(frame->iov[0].iov_len >= frame->off + sizeof(local)))
		at = (const uint8_t *)frame->iov[0].iov_base + frame->off;
	else
		rwy_iov_read(frame->iov, frame->nr_iov, frame->off, local, sizeof(local));
	memcpy(dst, at, 8);
	memcpy(src, at + 6, 8);
	*dst &= RWY_FDB_MAC_MASK;
	*src &= RWY_FDB_MAC_MASK;
}

static uint8_t lookup(struct rwy_fwd *fwd, struct rwy_port *src, uint64_t mac)
{
	int dst;

	if (mac & 1)
		return DST_FLOOD;
	if (mac == src->last_dst && src->last_dst_gen == fwd->fdb.gen)
		return src->last_port;
	dst = rwy_fdb_lookup(&fwd->fdb, mac);
	if (dst == RWY_FDB_NONE)
		return DST_FLOOD;
	src->last_port = dst == (int)src->idx ? DST_NONE : (uint8_t)dst;
	src->last_dst = mac;
	src->last_dst_gen = fwd->fdb.gen;
	return src->last_port;
}

static void resolve_learn(struct rwy_fwd *fwd, struct rwy_port *src)
{
	struct rwy_burst *burst = &fwd->burst;

	for (unsigned i = 0; i < burst->nr; i++) {
		uint64_t dst_mac, src_mac;

		read_macs(&burst->frames[i], &dst_mac, &src_mac);
		if (src_mac != src->last_src || src->last_src_gen != fwd->fdb.gen) {
			rwy_fdb_learn(&fwd->fdb, src_mac, src->idx);
			src->last_src = src_mac;
			src->last_src_gen = fwd->fdb.gen;
		}
		burst->frames[i].dst = lookup(fwd, src, dst_mac);
	}
}

static void send_lowered(struct rwy_fwd *fwd, struct rwy_port *dst, unsigned q,
			 const struct rwy_frame *frame)
{
	const struct rwy_frame *const *list;
	unsigned n;

	if (rwy_offload_begin(fwd->offload, frame) < 0) {
		rwy_stats_add(&dst->counts->tx_offload, 1);
		return;
	}
	rwy_stats_add(&dst->counts->tx_lowered, 1);
	while ((n = rwy_offload_next(fwd->offload, &list)) > 0) {
		unsigned done = dst->ops->tx(dst, q, list, n);

		if (done < n)
			rwy_stats_add(&dst->counts->tx_full, n - done);
	}
}

/* Some frames of the burst need what dst cannot take. Order is kept; frames dealt with. */
static unsigned send_mixed(struct rwy_fwd *fwd, struct rwy_port *dst, unsigned q,
			   const struct rwy_frame *const *list, unsigned n)
{
	unsigned i = 0;

	while (i < n) {
		unsigned run = 0;

		while (i + run < n && !(list[i + run]->needs & ~dst->takes))
			run++;
		if (run > 0) {
			unsigned done = dst->ops->tx(dst, q, list + i, run);

			i += done;
			if (done < run)
				return i;
		} else {
			send_lowered(fwd, dst, q, list[i++]);
		}
	}
	return n;
}

static unsigned send(struct rwy_fwd *fwd, struct rwy_port *dst, unsigned q,
		     const struct rwy_frame *const *list, unsigned n)
{
	if (!dst->up) {
		rwy_stats_add(&dst->counts->tx_down, n);
		return n;
	}
	fwd->dirty |= RWY_BIT64(dst->idx);
	if (RWY_UNLIKELY(fwd->burst.needs & ~dst->takes))
		return send_mixed(fwd, dst, q, list, n);
	return dst->ops->tx(dst, q, list, n);
}

static void send_or_drop(struct rwy_fwd *fwd, struct rwy_port *dst, unsigned q,
			 const struct rwy_frame *const *list, unsigned n)
{
	unsigned done = send(fwd, dst, q, list, n);

	if (done < n)
		rwy_stats_add(&dst->counts->tx_full, n - done);
}

static void flood(struct rwy_fwd *fwd, struct rwy_port *src, unsigned q,
		  const struct rwy_frame *const *list, unsigned n)
{
	rwy_stats_add(&src->counts->flooded, n);
	for (unsigned i = 0; i < fwd->nr_ports; i++) {
		if (i != src->idx && fwd->ports[i]->up)
			send_or_drop(fwd, fwd->ports[i], q, list, n);
	}
}

/* A whole burst for one port: when it has no room the rest may wait at its source. */
static unsigned send_or_hold(struct rwy_fwd *fwd, struct rwy_port *dst, unsigned q,
			     const struct rwy_frame *const *list, unsigned n)
{
	unsigned done = send(fwd, dst, q, list, n);

	if (RWY_LIKELY(done == n)) {
		dst->full_since_ns = 0;
		dst->stalled = false;
		return n;
	}
	uint64_t now = rwy_poll_now_ns();

	if (done > 0) {
		dst->full_since_ns = now;
		dst->stalled = false;
		return done;
	}
	if (dst->full_since_ns == 0)
		dst->full_since_ns = now;
	if (!dst->stalled && now - dst->full_since_ns < HOLD_NS)
		return 0;
	dst->stalled = true;
	rwy_stats_add(&dst->counts->tx_full, n);
	return n;
}

/* Frames for different ports: each port gets its own in order, what does not fit is dropped. */
static void scatter(struct rwy_fwd *fwd, struct rwy_port *src, unsigned q)
{
	struct rwy_burst *burst = &fwd->burst;
	uint32_t left = (uint32_t)(RWY_BIT64(burst->nr) - 1);

	_Static_assert(RWY_VQ_BURST <= 32, "a bit per frame");
	while (left) {
		const struct rwy_frame *list[RWY_VQ_BURST];
		uint8_t dst = burst->frames[__builtin_ctz(left)].dst;
		unsigned n = 0;

		for (uint32_t rest = left; rest; rest &= rest - 1) {
			unsigned i = (unsigned)__builtin_ctz(rest);

			if (burst->frames[i].dst != dst)
				continue;
			list[n++] = &burst->frames[i];
			left &= ~(1u << i);
		}
		if (dst == DST_FLOOD)
			flood(fwd, src, q, list, n);
		else if (dst == DST_NONE)
			rwy_stats_add(&src->counts->no_dst, n);
		else
			send_or_drop(fwd, fwd->ports[dst], q, list, n);
	}
}

static bool one_unicast(const struct rwy_burst *burst)
{
	uint8_t dst = burst->frames[0].dst;

	for (unsigned i = 1; i < burst->nr; i++) {
		if (burst->frames[i].dst != dst)
			return false;
	}
	return dst < RWY_FWD_PORTS;
}

static void flush_dirty(struct rwy_fwd *fwd)
{
	for (; fwd->dirty; fwd->dirty &= fwd->dirty - 1) {
		struct rwy_port *port = fwd->ports[__builtin_ctzll(fwd->dirty)];

		port->ops->flush(port);
	}
}

static unsigned forward(struct rwy_fwd *fwd, struct rwy_port *src, unsigned q)
{
	struct rwy_burst *burst = &fwd->burst;
	unsigned n = src->ops->rx(src, q, burst);

	if (n == 0)
		return 0;
	if (fwd->mode == RWY_FWD_PAIR)
		resolve_pair(fwd, src);
	else
		resolve_learn(fwd, src);
	if (RWY_LIKELY(one_unicast(burst))) {
		const struct rwy_frame *list[RWY_VQ_BURST];

		for (unsigned i = 0; i < n; i++)
			list[i] = &burst->frames[i];
		n = send_or_hold(fwd, fwd->ports[burst->frames[0].dst], q, list, n);
	} else {
		scatter(fwd, src, q);
	}
	src->ops->rx_done(src, q, burst, n);
	flush_dirty(fwd);
	return n;
}

static unsigned fwd_poll(void *ctx, unsigned budget)
{
	struct rwy_fwd *fwd = ctx;
	unsigned work = 0;

	for (unsigned i = 0; i < fwd->nr_ports; i++) {
		struct rwy_port *src = fwd->ports[i];

		for (unsigned q = 0; q < src->nr_queues; q++)
			work += forward(fwd, src, q);
	}
	return work;
}

static bool fwd_arm(void *ctx)
{
	struct rwy_fwd *fwd = ctx;
	bool late = false;

	for (unsigned i = 0; i < fwd->nr_ports; i++)
		late |= fwd->ports[i]->ops->arm(fwd->ports[i]);
	return late;
}

static void fwd_disarm(void *ctx)
{
	struct rwy_fwd *fwd = ctx;

	for (unsigned i = 0; i < fwd->nr_ports; i++)
		fwd->ports[i]->ops->disarm(fwd->ports[i]);
}

static void tick(void *ctx)
{
	struct rwy_fwd *fwd = ctx;

	rwy_fdb_tick(&fwd->fdb, (uint32_t)(rwy_poll_now_ns() / TICK_NS));
	rwy_poll_timer_set(fwd->poll, &fwd->tick, TICK_NS);
}

int rwy_fwd_open(struct rwy_fwd **out, struct rwy_poll *poll, enum rwy_fwd_mode mode)
{
	struct rwy_fwd *fwd = aligned_alloc(RWY_CACHE_LINE, sizeof(*fwd));
	uint64_t seed;
	int rc;

	if (!fwd)
		return -ENOMEM;
	memset(fwd, 0, sizeof(*fwd));
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		rc = -errno;
		goto free_fwd;
	}
	rc = rwy_offload_open(&fwd->offload);
	if (rc < 0)
		goto free_fwd;
	rwy_fdb_init(&fwd->fdb, seed);
	fwd->mode = mode;
	fwd->poll = poll;
	fwd->poller = (struct rwy_poller){.poll = fwd_poll,
					  .arm = fwd_arm,
					  .disarm = fwd_disarm,
					  .ctx = fwd};
	rwy_poll_add(poll, &fwd->poller);
	fwd->tick = (struct rwy_timer){.fire = tick, .ctx = fwd};
	tick(fwd);
	*out = fwd;
	return 0;

free_fwd:
	free(fwd);
	return rc;
}

void rwy_fwd_close(struct rwy_fwd *fwd)
{
	if (!fwd)
		return;
	for (unsigned i = fwd->nr_ports; i-- > 0;)
		fwd->ports[i]->ops->close(fwd->ports[i]);
	rwy_poll_timer_cancel(fwd->poll, &fwd->tick);
	rwy_poll_del(fwd->poll, &fwd->poller);
	rwy_offload_close(fwd->offload);
	free(fwd);
}

int rwy_fwd_add(struct rwy_fwd *fwd, struct rwy_port *port)
{
	if (fwd->nr_ports == RWY_FWD_PORTS) {
		rwy_error("a switch has at most %d ports", RWY_FWD_PORTS);
		return -ENOSPC;
	}
	port->fwd = fwd;
	port->idx = fwd->nr_ports;
	fwd->ports[fwd->nr_ports++] = port;
	return 0;
}

void rwy_fwd_forget(struct rwy_port *port)
{
	port->stalled = false;
	port->full_since_ns = 0;
	if (port->fwd)
		rwy_fdb_flush(&port->fwd->fdb, port->idx);
}

void rwy_fwd_inject(struct rwy_port *port, const void *frame, uint32_t len)
{
	struct rwy_fwd *fwd = port->fwd;
	struct iovec iov = {(void *)frame, len};
	const struct rwy_frame view = {.iov = &iov, .nr_iov = 1, .len = len};
	const struct rwy_frame *const list[] = {&view};
	uint64_t src, dst;

	read_macs(&view, &dst, &src);
	rwy_fdb_learn(&fwd->fdb, src, port->idx);
	fwd->burst.needs = 0;
	flood(fwd, port, 0, list, 1);
	flush_dirty(fwd);
}
