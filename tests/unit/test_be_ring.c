/* SPDX-License-Identifier: BSD-3-Clause */
/* "Ring states" of the vhost-user text: when a ring starts and stops, and where it goes on. */
#include "tests/proto/bench.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#define PACKED	  RWY_BIT64(VIRTIO_F_RING_PACKED)
#define EVENT_IDX RWY_BIT64(VIRTIO_RING_F_EVENT_IDX)

static const uint64_t formats[] = {0, PACKED, EVENT_IDX, PACKED | EVENT_IDX};

static void a_fresh_ring_waits_for_its_kick(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(formats); i++) {
		struct bench b;

		bench_run(&b, formats[i]);
		peer_turn(&b.peer);
		assert_int_equal(b.echo.nr_starts, 0);
		assert_int_equal(rwy_fd_drain(b.peer.rings[0].call), 0);
		peer_kick(&b.peer, 0);
		peer_turn(&b.peer);
		assert_int_equal(b.echo.nr_starts, 1);
		for (unsigned k = 0; k < 100; k++)
			assert_true(peer_is_served(&b.peer, 0, 8, 8));
		assert_true(rwy_fd_drain(b.peer.rings[0].call) > 0);
		bench_close(&b);
	}
}

/* What a dead back-end left behind: its kick is gone, and perhaps the driver's wish to kick. */
static void a_used_ring_starts_at_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(formats); i++) {
		struct bench b;
		void *cookie;
		uint32_t len;

		bench_run(&b, formats[i]);
		b.echo.hold = true;
		/* posted, kick eaten, never answered */
		peer_post(&b.peer, 0, 0, 8, 8, 8, &b);
		rwy_fd_drain(b.peer.rings[0].kick);
		peer_turn(&b.peer);
		assert_int_equal(b.echo.nr_starts, 0);
		bench_connect(&b); /* the peer closed: this is the next back-end */
		b.echo.hold = false;
		peer_turn(&b.peer);
		peer_negotiate(&b.peer, formats[i]);
		assert_int_equal(peer_set_mem(&b.peer), 0);
		assert_int_equal(peer_ring_start(&b.peer, 0, peer_ring_fresh_base(&b.peer)), 0);
		assert_int_equal(b.echo.nr_starts, 1);
		assert_int_equal(peer_used(&b.peer, 0, &cookie, &len), 1);
		assert_true(rwy_fd_drain(b.peer.rings[0].call) > 0);
		bench_close(&b);
	}
}

static void polled_ring_starts_at_once(void **state)
{
	(void)state;
	struct bench b;

	bench_open(&b);
	peer_negotiate(&b.peer, 0);
	assert_int_equal(peer_set_mem(&b.peer), 0);
	peer_ring_open(&b.peer, 0, 16);
	const struct rwy_vu_vring_addr addr = peer_ring_addr(&b.peer, 0);
	assert_int_equal(peer_ack_state(&b.peer, RWY_VU_SET_VRING_NUM, 0, 16), 0);
	assert_int_equal(peer_ack(&b.peer, RWY_VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0), 0);
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_VRING_KICK, 0x100, -1), 0);
	assert_int_equal(b.echo.nr_starts, 1);
	/* no call either: nothing but memory */
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	/* from polled to kicked while it runs */
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_VRING_KICK, 0, b.peer.rings[0].kick), 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	assert_int_equal(b.echo.nr_starts, 1);
	bench_close(&b);
}

enum step { FEATURES, MEM, NUM, BASE, ADDR, KICK, NR_STEPS };

static int64_t do_step(struct bench *b, enum step step)
{
	struct peer *p = &b->peer;
	const struct rwy_vu_vring_addr addr = peer_ring_addr(p, 0);

	switch (step) {
	case FEATURES:
		return peer_ack_u64(p, RWY_VU_SET_FEATURES, p->features, -1);
	case MEM:
		return peer_set_mem(p);
	case NUM:
		return peer_ack_state(p, RWY_VU_SET_VRING_NUM, 0, p->rings[0].size);
	case BASE:
		return peer_ack_state(p, RWY_VU_SET_VRING_BASE, 0, 0);
	case ADDR:
		return peer_ack(p, RWY_VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	case KICK:
		return peer_ack_u64(p, RWY_VU_SET_VRING_KICK, 0, p->rings[0].kick);
	default:
		return -1;
	}
}

/*
 * The text orders none of them: the ring runs once the last is there, in all 720 orders. A base of
 * 0 need not be said at all.
 */
static void any_order_will_do(void **state)
{
	(void)state;
	struct bench b;
	unsigned tried = 0;

	bench_open(&b);
	peer_negotiate(&b.peer, 0);
	for (unsigned code = 0; code < 46656; code++) {
		unsigned seen = 0, rest = code;

		for (unsigned i = 0; i < NR_STEPS; i++, rest /= NR_STEPS)
			seen |= 1u << rest % NR_STEPS;
		if (seen != (1u << NR_STEPS) - 1)
			continue;
		tried++;
		bench_connect(&b);
		uint64_t pf = peer_ask_u64(&b.peer, RWY_VU_GET_PROTOCOL_FEATURES);
		peer_send(&b.peer, RWY_VU_SET_PROTOCOL_FEATURES, 1, &pf, 8, NULL, 0);
		peer_ring_open(&b.peer, 0, 16);
		peer_kick(&b.peer, 0);
		rest = code;
		seen = 1u << BASE;
		for (unsigned i = 0; i < NR_STEPS; i++, rest /= NR_STEPS) {
			assert_int_equal(do_step(&b, rest % NR_STEPS), 0);
			peer_turn(&b.peer);
			seen |= 1u << rest % NR_STEPS;
			assert_int_equal(b.echo.running[0], seen == (1u << NR_STEPS) - 1);
		}
		assert_true(peer_is_served(&b.peer, 0, 8, 8));
		peer_ring_close(&b.peer, 0);
	}
	assert_int_equal(tried, 720);
	bench_close(&b);
}

static void sizes(void **state)
{
	(void)state;
	static const uint32_t bad[] = {0, 3, 12, 32769, 65536, 0x10010, UINT32_MAX};
	struct bench b;

	bench_open(&b);
	peer_negotiate(&b.peer, 0);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++)
		assert_int_equal(peer_ack_state(&b.peer, RWY_VU_SET_VRING_NUM, 0, bad[i]), 1);
	assert_int_equal(peer_set_mem(&b.peer), 0);
	peer_ring_open(&b.peer, 0, 256);
	assert_int_equal(peer_ring_start(&b.peer, 0, 0), 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	/* nothing about a ring changes while it runs */
	assert_int_equal(peer_ack_state(&b.peer, RWY_VU_SET_VRING_NUM, 0, 128), 1);
	assert_int_equal(peer_ack_state(&b.peer, RWY_VU_SET_VRING_NUM, 0, 256), 0);
	assert_int_equal(peer_ack_state(&b.peer, RWY_VU_SET_VRING_BASE, 0, 5), 1);
	struct rwy_vu_vring_addr addr = peer_ring_addr(&b.peer, 0);
	assert_int_equal(peer_ack(&b.peer, RWY_VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0), 0);
	addr.used += 64;
	assert_int_equal(peer_ack(&b.peer, RWY_VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0), 1);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	bench_close(&b);
}

/* A packed ring may have any size, and the size may be said before the format is known. */
static void size_before_features(void **state)
{
	(void)state;
	struct bench b;

	for (unsigned packed = 0; packed <= 1; packed++) {
		bench_run(&b, packed ? PACKED : 0);
		assert_int_equal(peer_ack(&b.peer, RWY_VU_RESET_DEVICE, NULL, 0, NULL, 0), 0);
		peer_ring_close(&b.peer, 0);
		assert_int_equal(peer_ack_state(&b.peer, RWY_VU_SET_VRING_NUM, 0, 12), 0);
		assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_FEATURES, b.peer.features, -1),
				 0);
		peer_ring_open(&b.peer, 0, packed ? 12 : 16);
		assert_int_equal(do_step(&b, ADDR), 0);
		assert_int_equal(do_step(&b, KICK), 0);
		peer_kick(&b.peer, 0);
		peer_turn(&b.peer);
		assert_int_equal(b.echo.running[0], packed);
		bench_close(&b);
	}
}

static void bad_addresses(void **state)
{
	(void)state;
	const uint64_t end = PEER_UVA + PEER_MEM_SIZE;
	const struct {
		uint64_t desc, avail, used;
	} bad[] = {
		{PEER_UVA + 8, PEER_UVA + 0x1000, PEER_UVA + 0x2000}, /* alignment */
		{PEER_UVA, PEER_UVA + 0x1001, PEER_UVA + 0x2000},
		{PEER_UVA, PEER_UVA + 0x1000, PEER_UVA + 0x2002},
		{PEER_UVA - 16, PEER_UVA + 0x1000, PEER_UVA + 0x2000}, /* outside */
		{end - 240, PEER_UVA + 0x1000, PEER_UVA + 0x2000},     /* over the end */
		{PEER_UVA, end - 36, PEER_UVA + 0x2000},
		{PEER_UVA, PEER_UVA + 0x1000, end - 128},
		{UINT64_MAX - 15, PEER_UVA + 0x1000, PEER_UVA + 0x2000}, /* wraps */
		{PEER_UVA, UINT64_MAX - 1, PEER_UVA + 0x2000},
		{PEER_UVA, PEER_UVA + 0x1000, UINT64_MAX - 3},
		{0, 0, 0},
	};
	struct bench b;

	bench_run(&b, 0);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		const struct rwy_vu_vring_addr addr = {.index = 0,
						       .desc = bad[i].desc,
						       .avail = bad[i].avail,
						       .used = bad[i].used};

		assert_int_equal(peer_ack(&b.peer, RWY_VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL,
					  0),
				 1);
	}
	/* the good one before them still counts */
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	bench_close(&b);
}

/* Bad only once the memory is known: the start fails, which the err eventfd tells. */
static void bad_address_before_memory(void **state)
{
	(void)state;
	struct bench b;
	struct rwy_vu_vring_addr addr;

	bench_open(&b);
	peer_negotiate(&b.peer, 0);
	peer_ring_open(&b.peer, 0, 16);
	addr = peer_ring_addr(&b.peer, 0);
	addr.avail = addr.desc; /* inside memory and aligned, but one upon the other */
	assert_int_equal(peer_ring_start(&b.peer, 0, 0), 0);
	assert_int_equal(peer_ack(&b.peer, RWY_VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0), 0);
	assert_int_equal(peer_set_mem(&b.peer), 0);
	peer_kick(&b.peer, 0);
	peer_turn(&b.peer);
	assert_false(b.echo.running[0]);
	assert_int_equal(rwy_fd_drain(b.peer.rings[0].err), 1); /* once, not each round */
	addr = peer_ring_addr(&b.peer, 0);
	assert_int_equal(peer_ack(&b.peer, RWY_VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0), 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	bench_close(&b);
}

static void eventfds_only(void **state)
{
	(void)state;
	struct bench b;
	int pipe_fds[2];

	bench_run(&b, 0);
	assert_int_equal(pipe(pipe_fds), 0);
	int others[] = {memfd_create("kick", MFD_CLOEXEC), epoll_create1(EPOLL_CLOEXEC),
			pipe_fds[0], pipe_fds[1], b.peer.chan.fd};
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(others); i++) {
		assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_VRING_KICK, 0, others[i]), 1);
		assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_VRING_CALL, 0, others[i]), 1);
		assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_VRING_ERR, 0, others[i]), 1);
	}
	rwy_fd_close_all(others, 4);
	/* what was there before stays */
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	assert_true(rwy_fd_drain(b.peer.rings[0].call) > 0);
	bench_close(&b);
}

static void call_that_comes_late(void **state)
{
	(void)state;
	struct bench b;

	bench_run(&b, 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_VRING_CALL, 0x100, -1), 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	rwy_fd_drain(b.peer.rings[0].call);
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_VRING_CALL, 0, b.peer.rings[0].call), 0);
	assert_int_equal(rwy_fd_drain(b.peer.rings[0].call), 1);
	bench_close(&b);
}

static void enable_is_another_matter(void **state)
{
	(void)state;
	struct bench b;

	bench_run(&b, 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	assert_true(b.echo.be->enabled[0]);
	assert_false(b.echo.be->enabled[1]);
	assert_int_equal(peer_ack_state(&b.peer, RWY_VU_SET_VRING_ENABLE, 0, 0), 0);
	assert_false(b.echo.be->enabled[0]);
	assert_int_equal(b.echo.nr_enables, 1);
	assert_true(b.echo.running[0]); /* started all the same */
	assert_int_equal(peer_ack_state(&b.peer, RWY_VU_SET_VRING_ENABLE, 0, 1), 0);
	assert_int_equal(peer_ack_state(&b.peer, RWY_VU_SET_VRING_ENABLE, 0, 1), 0);
	assert_int_equal(b.echo.nr_enables, 2); /* the device hears of changes */
	bench_close(&b);
}

static void without_protocol_features_all_are_enabled(void **state)
{
	(void)state;
	struct bench b;
	const uint64_t features = RWY_BIT64(VIRTIO_F_VERSION_1);

	bench_open(&b);
	peer_negotiate(&b.peer, 0);
	assert_false(b.echo.be->enabled[0]);
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_FEATURES, features, -1), 0);
	for (unsigned q = 0; q < ECHO_RINGS; q++)
		assert_true(b.echo.be->enabled[q]);
	assert_int_equal(peer_ack_state(&b.peer, RWY_VU_SET_VRING_ENABLE, 0, 0), 1);
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_FEATURES, b.peer.features, -1), 0);
	assert_true(b.echo.be->enabled[0]); /* with the bit they stay as they are */
	bench_close(&b);
}

static void legacy_rings_do_not_start(void **state)
{
	(void)state;
	struct bench b;

	bench_run(&b, 0);
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_FEATURES, RWY_BIT64(30), -1), 0);
	peer_kick(&b.peer, 0);
	peer_turn(&b.peer);
	assert_int_equal(b.echo.nr_starts, 0);
	bench_close(&b);
}

static uint32_t base_after(uint64_t format, uint16_t size, unsigned n)
{
	if (!(format & PACKED))
		return n & 0xffff;
	uint32_t pos = n % size, wrap = !(n / size & 1);
	uint32_t half = pos | wrap << 15;

	return half | half << 16;
}

/* n chains of one descriptor each, stop, go on from there, again and again. */
static void stop_and_go_on(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(formats); i++) {
		struct bench b;
		unsigned n = 0;

		bench_run(&b, formats[i]);
		for (unsigned round = 0; round < 20; round++) {
			for (unsigned k = 0; k < 5; k++, n++)
				assert_true(peer_is_served(&b.peer, 0, 8, 0));
			uint64_t base = peer_ring_stop(&b.peer, 0);
			assert_int_equal(base, base_after(formats[i], 16, n));
			assert_false(b.echo.running[0]);
			/* it stays stopped whatever is kicked */
			peer_kick(&b.peer, 0);
			peer_turn(&b.peer);
			assert_false(b.echo.running[0]);
			assert_int_equal(peer_ring_stop(&b.peer, 0), base);
			rwy_fd_drain(b.peer.rings[0].kick);
			assert_int_equal(peer_ring_start(&b.peer, 0, (uint32_t)base), 0);
		}
		bench_close(&b);
	}
}

/* DPDK 1846fe767f: after a reboot with fewer queues, what is known of a ring is of no use. */
static void stopped_ring_forgets_its_place(void **state)
{
	(void)state;
	struct bench b;

	bench_run(&b, 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	assert_int_equal(peer_ring_stop(&b.peer, 0), 1);
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_VRING_KICK, 0, b.peer.rings[0].kick), 0);
	assert_int_equal(peer_ack_state(&b.peer, RWY_VU_SET_VRING_ENABLE, 0, 1), 0);
	peer_kick(&b.peer, 0);
	peer_turn(&b.peer);
	assert_int_equal(b.echo.nr_starts, 1);
	bench_close(&b);
}

static void stop_of_a_ring_that_never_ran(void **state)
{
	(void)state;
	struct bench b;

	bench_open(&b);
	peer_negotiate(&b.peer, PACKED);
	assert_int_equal(peer_ring_stop(&b.peer, 3), 0);
	assert_int_equal(peer_ack_state(&b.peer, RWY_VU_SET_VRING_BASE, 3, 0x81238005), 0);
	assert_int_equal(peer_ring_stop(&b.peer, 3), 0x81238005);
	bench_close(&b);
}

/* DPDK's virtio-user sends the lower half only. */
static void packed_base_of_one_half(void **state)
{
	(void)state;
	struct bench b;

	bench_open(&b);
	peer_negotiate(&b.peer, PACKED);
	assert_int_equal(peer_set_mem(&b.peer), 0);
	peer_ring_open(&b.peer, 0, 16);
	assert_int_equal(peer_ring_start(&b.peer, 0, 0x8000), 0);
	for (unsigned i = 0; i < 40; i++)
		assert_true(peer_is_served(&b.peer, 0, 8, 8));
	bench_close(&b);
}

/* A position the ring cannot have: refused at the start, like an address. */
static void impossible_base(void **state)
{
	(void)state;
	struct bench b;

	bench_open(&b);
	peer_negotiate(&b.peer, PACKED);
	assert_int_equal(peer_set_mem(&b.peer), 0);
	peer_ring_open(&b.peer, 0, 16);
	assert_int_equal(peer_ring_start(&b.peer, 0, 0x80108010), 0);
	peer_turn(&b.peer);
	assert_false(b.echo.running[0]);
	assert_true(rwy_fd_drain(b.peer.rings[0].err) > 0);
	assert_int_equal(peer_ack_state(&b.peer, RWY_VU_SET_VRING_BASE, 0, 0x80008000), 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	bench_close(&b);
}

/* GET_VRING_BASE answers when all is done, and nothing else is answered before. */
static void stop_waits_for_what_is_under_way(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(formats); i++) {
		struct bench b;
		struct rwy_vu_msg msg;
		void *cookie;
		uint32_t len;
		const struct rwy_vu_vring_state ring0 = {.index = 0};

		bench_run(&b, formats[i]);
		b.echo.hold = true;
		for (unsigned k = 0; k < 3; k++)
			peer_post(&b.peer, 0, k * 64, 8, k * 64 + 8, 8, &b.peer.rings[k]);
		peer_turn(&b.peer);
		assert_int_equal(b.echo.nr_held, 3);
		peer_send(&b.peer, RWY_VU_GET_VRING_BASE, 1, &ring0, sizeof(ring0), NULL, 0);
		peer_send(&b.peer, RWY_VU_GET_FEATURES, 1, NULL, 0, NULL, 0);
		for (unsigned k = 0; k < 3; k++) {
			peer_turn(&b.peer);
			assert_int_equal(rwy_vu_chan_recv(&b.peer.chan, &msg), 0);
			echo_release(&b.echo, 1);
		}
		assert_int_equal(peer_recv(&b.peer, &msg), 1);
		assert_int_equal(msg.hdr.request, RWY_VU_GET_VRING_BASE);
		assert_int_equal(peer_recv(&b.peer, &msg), 1);
		assert_int_equal(msg.hdr.request, RWY_VU_GET_FEATURES);
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(peer_used(&b.peer, 0, &cookie, &len), 1);
		/* suspended: no call any more */
		rwy_fd_drain(b.peer.rings[0].call);
		peer_turn(&b.peer);
		assert_int_equal(rwy_fd_drain(b.peer.rings[0].call), 0);
		bench_close(&b);
	}
}

/* A kick for another ring while one drains is put off, not lost. */
static void kick_while_another_drains(void **state)
{
	(void)state;
	struct bench b;
	const struct rwy_vu_vring_state ring0 = {.index = 0};
	void *cookie;
	uint32_t len;

	bench_run(&b, 0);
	peer_ring_open(&b.peer, 1, 16);
	assert_int_equal(peer_ring_start(&b.peer, 1, 0), 0);
	b.echo.hold = true;
	peer_post(&b.peer, 0, 0, 8, 8, 8, &b);
	peer_turn(&b.peer);
	peer_send(&b.peer, RWY_VU_GET_VRING_BASE, 1, &ring0, sizeof(ring0), NULL, 0);
	peer_turn(&b.peer);
	b.echo.hold = false;
	peer_post(&b.peer, 1, 0, 8, 8, 8, &b);
	peer_turn(&b.peer);
	assert_false(b.echo.running[1]);
	echo_release(&b.echo, 1);
	assert_int_equal(peer_used(&b.peer, 1, &cookie, &len), 1);
	bench_close(&b);
}

static void a_broken_ring_heals(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(formats); i++) {
		struct bench b;
		const struct rwy_vqd_buf bad = {.gpa = {0xdead0000}, .len = 8};

		bench_run(&b, formats[i]);
		assert_int_equal(rwy_vqd_add(&b.peer.rings[0].vqd, &bad, 1, 0, &b), 0);
		rwy_vqd_publish(&b.peer.rings[0].vqd);
		peer_kick(&b.peer, 0);
		peer_turn(&b.peer);
		assert_int_equal(b.echo.be->vqs[0].broken, RWY_VQ_ADDRESS);
		assert_int_equal(rwy_fd_drain(b.peer.rings[0].err), 1);
		assert_int_not_equal(peer_ring_stop(&b.peer, 0), UINT64_MAX);
		peer_ring_close(&b.peer, 0);
		peer_ring_open(&b.peer, 0, 16);
		assert_int_equal(peer_ring_start(&b.peer, 0, peer_ring_fresh_base(&b.peer)), 0);
		assert_true(peer_is_served(&b.peer, 0, 8, 8));
		bench_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_ring_waits_for_its_kick),
		cmocka_unit_test(a_used_ring_starts_at_once),
		cmocka_unit_test(polled_ring_starts_at_once),
		cmocka_unit_test(any_order_will_do),
		cmocka_unit_test(sizes),
		cmocka_unit_test(size_before_features),
		cmocka_unit_test(bad_addresses),
		cmocka_unit_test(bad_address_before_memory),
		cmocka_unit_test(eventfds_only),
		cmocka_unit_test(call_that_comes_late),
		cmocka_unit_test(enable_is_another_matter),
		cmocka_unit_test(without_protocol_features_all_are_enabled),
		cmocka_unit_test(legacy_rings_do_not_start),
		cmocka_unit_test(stop_and_go_on),
		cmocka_unit_test(stopped_ring_forgets_its_place),
		cmocka_unit_test(stop_of_a_ring_that_never_ran),
		cmocka_unit_test(packed_base_of_one_half),
		cmocka_unit_test(impossible_base),
		cmocka_unit_test(stop_waits_for_what_is_under_way),
		cmocka_unit_test(kick_while_another_drains),
		cmocka_unit_test(a_broken_ring_heals),
	};

	return UNIT_RUN(tests);
}
