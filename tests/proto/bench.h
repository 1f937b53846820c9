/* SPDX-License-Identifier: BSD-3-Clause */
/* An echo device and a peer on one reactor: what every unit test of vhost-backends/be*.c needs. */
#ifndef RWY_TESTS_BENCH_H
#define RWY_TESTS_BENCH_H

#include "tests/proto/echo.h"
#include "tests/proto/peer.h"
#include "tests/unit/unit.h"

#include <sys/socket.h>

struct bench {
	struct rwy_poll *poll;
	struct echo echo;
	struct rwy_be_config config;
	struct peer peer;
};

/* A fresh connection of the same guest to the same device, after the end of the one before. */
static inline void bench_connect(struct bench *b)
{
	int fds[2];

	rwy_vu_chan_close(&b->peer.chan);
	peer_turn(&b->peer);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	echo_attach(&b->echo, &b->config, &fds[0]);
	assert_int_equal(fds[0], -1);
	peer_attach(&b->peer, fds[1]);
}

static inline void bench_open(struct bench *b)
{
	assert_int_equal(rwy_poll_open(&b->poll, RWY_POLL_NEVER), 0);
	echo_open(&b->echo, b->poll);
	b->config = echo_config(&b->echo);
	peer_open(&b->peer, b->poll, -1);
	bench_connect(b);
}

static inline void bench_close(struct bench *b)
{
	peer_close(&b->peer);
	echo_close(&b->echo);
	rwy_poll_close(b->poll);
}

/* Open, negotiated, memory known, ring 0 running. */
static inline void bench_run(struct bench *b, uint64_t features)
{
	bench_open(b);
	peer_negotiate(&b->peer, features);
	assert_int_equal(peer_set_mem(&b->peer), 0);
	peer_ring_open(&b->peer, 0, 16);
	assert_int_equal(peer_ring_start(&b->peer, 0, peer_ring_fresh_base(&b->peer)), 0);
}

#endif
