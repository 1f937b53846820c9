/* SPDX-License-Identifier: BSD-3-Clause */
/* The protocol state machine: features, answers, config space, reset, the end of a connection. */
#include "tests/proto/bench.h"

#include "vhost-backends/be_private.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACKED RWY_BIT64(VIRTIO_F_RING_PACKED)

/* What the tree implements, as plain numbers: an offer above it is a lie. */
static void nothing_is_offered_that_is_not_implemented(void **state)
{
	(void)state;
	const uint64_t ring = RWY_BIT64(26) | RWY_BIT64(28) | RWY_BIT64(29) | RWY_BIT64(30) |
			      RWY_BIT64(32) | RWY_BIT64(34);
	const uint64_t pf = RWY_BIT64(0) | RWY_BIT64(1) | RWY_BIT64(3) | RWY_BIT64(5) |
			    RWY_BIT64(13) | RWY_BIT64(15) | RWY_BIT64(16);
	const uint64_t device_pf = RWY_BIT64(2) | RWY_BIT64(4) | RWY_BIT64(9) | RWY_BIT64(12);
	struct echo echo = {0};
	struct rwy_be_config config = echo_config(&echo);

	config.features = ~UINT64_C(0);
	config.pf = ~UINT64_C(0);
	uint64_t device = rwy_be_features_offered(&config) & ~ring;
	assert_true((device & ((RWY_BIT64(41) - 1) & ~(RWY_BIT64(24) - 1))) == 0);
	assert_true((rwy_be_features_offered(&config) & ring) == ring);
	assert_true(rwy_be_pf_offered(&config) == (pf | device_pf));
	config.in_order = true;
	assert_true(rwy_be_features_offered(&config) == (device | ring | RWY_BIT64(35)));
	assert_true(rwy_be_pf_offered(&config) == (pf | (device_pf & ~RWY_BIT64(12))));
	config.in_order = false;

	/* each needs what the device must have for it */
	struct rwy_be_ops bare = echo_ops;
	bare.send_rarp = NULL;
	bare.set_mtu = NULL;
	bare.config_read = NULL;
	config.ops = &bare;
	assert_true(rwy_be_pf_offered(&config) == (pf | RWY_BIT64(12)));
	config.ops = &echo_ops;
	config.config_len = 0;
	config.pf = RWY_BIT64(9);
	assert_true(rwy_be_pf_offered(&config) == pf);
	config.features = 0;
	config.in_order = false;
	assert_true(rwy_be_features_offered(&config) == ring);
}

static void every_offered_request_has_a_handler(void **state)
{
	(void)state;
	struct echo echo = {0};
	struct rwy_be_config config = echo_config(&echo);

	config.pf = ~UINT64_C(0);
	for (uint32_t id = 0; id < RWY_VU_NR_REQS; id++) {
		const struct rwy_vu_row *row = rwy_vu_check_row(id);

		if (!row || row->pf < 0)
			continue;
		bool offered = rwy_be_pf_offered(&config) & RWY_BIT64(row->pf);
		assert_int_equal(rwy_be_msg_handler(id) != NULL, offered);
	}
	assert_null(rwy_be_msg_handler(UINT32_MAX));
}

static void simple_answers(void **state)
{
	(void)state;
	struct bench b;

	bench_open(&b);
	assert_true(peer_ask_u64(&b.peer, RWY_VU_GET_FEATURES) ==
		    rwy_be_features_offered(&b.config));
	peer_negotiate(&b.peer, 3);
	assert_true(b.echo.be->features == (RWY_BIT64(32) | RWY_BIT64(30) | 3));
	assert_int_equal(b.echo.nr_features, 1);
	assert_int_equal(peer_ask_u64(&b.peer, RWY_VU_GET_QUEUE_NUM), ECHO_RINGS);
	assert_int_equal(peer_ask_u64(&b.peer, RWY_VU_GET_MAX_MEM_SLOTS), 509);
	assert_int_equal(peer_ask_u64(&b.peer, RWY_VU_GET_STATUS), 0);
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_STATUS, 11, -1), 0);
	assert_int_equal(peer_ask_u64(&b.peer, RWY_VU_GET_STATUS), 11);
	assert_int_equal(peer_ack(&b.peer, RWY_VU_RESET_OWNER, NULL, 0, NULL, 0), 0);
	assert_true(b.echo.be->features & 3); /* the old reading would have cleared them */
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SEND_RARP, 0x563412005452, -1), 0);
	assert_true(b.echo.rarp == 0x563412005452);
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_NET_SET_MTU, 9000, -1), 0);
	assert_int_equal(b.echo.mtu, 9000);
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_NET_SET_MTU, 1, -1), 1);
	int fd = rwy_fd_event();
	assert_int_equal(peer_ack(&b.peer, RWY_VU_SET_LOG_FD, NULL, 0, &fd, 1), 0);
	rwy_fd_close(&fd);
	bench_close(&b);
	assert_int_equal(b.echo.nr_lost, 1);
}

static void queue_num_counts_pairs(void **state)
{
	(void)state;
	struct bench b;

	bench_open(&b);
	rwy_be_close(b.echo.be);
	b.config.queue_num = 2;
	bench_connect(&b);
	peer_negotiate(&b.peer, 0);
	assert_int_equal(peer_ask_u64(&b.peer, RWY_VU_GET_QUEUE_NUM), 2);
	bench_close(&b);
}

static void unoffered_features_are_refused(void **state)
{
	(void)state;
	struct bench b;

	bench_open(&b);
	peer_negotiate(&b.peer, 1);
	uint64_t before = b.echo.be->features;
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_FEATURES, RWY_BIT64(33), -1), 1);
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_FEATURES, RWY_BIT64(63), -1), 1);
	assert_true(b.echo.be->features == before);
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_PROTOCOL_FEATURES, RWY_BIT64(6), -1), 1);
	bench_close(&b);
}

/* Requests without a way to say no: those with an answer of their own end the connection. */
static void refusals(void **state)
{
	(void)state;
	struct bench b;
	struct rwy_vu_msg reply;
	const struct rwy_vu_vring_state far = {.index = ECHO_RINGS};

	bench_open(&b);
	peer_negotiate(&b.peer, 0);
	/* no NEED_REPLY: ignored, and the next request is answered */
	peer_send(&b.peer, RWY_VU_SET_VRING_NUM, 1, &far, sizeof(far), NULL, 0);
	assert_int_equal(peer_ask_u64(&b.peer, RWY_VU_GET_QUEUE_NUM), ECHO_RINGS);
	assert_int_equal(peer_ack(&b.peer, 99, NULL, 0, NULL, 0), 1);
	assert_int_equal(peer_ack(&b.peer, RWY_VU_IOTLB_MSG, &(struct rwy_vu_iotlb){0}, 32, NULL,
				  0),
			 1);
	int fd = rwy_fd_event();
	assert_int_equal(peer_ack(&b.peer, RWY_VU_GPU_SET_SOCKET, NULL, 0, &fd, 1), 1);
	rwy_fd_close(&fd);
	assert_false(peer_ask(&b.peer, RWY_VU_GET_VRING_BASE, &far, sizeof(far), &reply));
	assert_null(b.echo.be);
	bench_connect(&b);
	peer_send(&b.peer, 99, 1, NULL, 0, NULL, 0);
	assert_true(peer_is_closed(&b.peer));
	bench_close(&b);
}

static void need_reply_without_the_feature(void **state)
{
	(void)state;
	struct bench b;
	struct rwy_vu_msg msg;

	bench_open(&b);
	peer_send(&b.peer, RWY_VU_SET_OWNER, 9, NULL, 0, NULL, 0);
	assert_true(peer_ask(&b.peer, RWY_VU_GET_FEATURES, NULL, 0, &msg)); /* the first answer */
	/* a front-end restored from a migration sets protocol features without asking for them */
	uint64_t pf = RWY_BIT64(RWY_VU_PF_REPLY_ACK);
	peer_send(&b.peer, RWY_VU_SET_PROTOCOL_FEATURES, 1, &pf, 8, NULL, 0);
	assert_int_equal(peer_ack(&b.peer, RWY_VU_SET_OWNER, NULL, 0, NULL, 0), 0);
	/* requests with their own answer get that and no other */
	peer_send(&b.peer, RWY_VU_GET_FEATURES, 9, NULL, 0, NULL, 0);
	assert_int_equal(peer_recv(&b.peer, &msg), 1);
	assert_true(msg.payload.u64 == rwy_be_features_offered(&b.config));
	assert_int_equal(peer_ack(&b.peer, RWY_VU_SET_OWNER, NULL, 0, NULL, 0), 0);
	bench_close(&b);
}

static bool ask_config(struct bench *b, uint32_t off, uint32_t len, struct rwy_vu_msg *reply)
{
	const struct rwy_vu_config config = {.offset = off, .size = len};

	return peer_ask(&b->peer, RWY_VU_GET_CONFIG, &config, 12 + len, reply);
}

static int64_t write_config(struct bench *b, uint32_t off, uint32_t len, uint32_t flags,
			    const void *data)
{
	struct rwy_vu_config config = {.offset = off, .size = len, .flags = flags};

	memcpy(config.data, data, len);
	return peer_ack(&b->peer, RWY_VU_SET_CONFIG, &config, 12 + len, NULL, 0);
}

static void config_space(void **state)
{
	(void)state;
	struct bench b;
	struct rwy_vu_msg reply;
	uint8_t zeros[RWY_VU_CONFIG_MAX] = {0};

	bench_open(&b);
	peer_negotiate(&b.peer, 0);
	assert_true(ask_config(&b, 4, 8, &reply));
	assert_int_equal(reply.hdr.size, 20); /* as long as the request */
	assert_int_equal(reply.payload.config.offset, 4);
	assert_memory_equal(reply.payload.config.data, b.echo.config + 4, 8);
	/* a front-end that knows more than we have sees zeros, and nothing of what it sent */
	assert_true(ask_config(&b, 0, 256, &reply));
	assert_int_equal(reply.hdr.size, 268);
	assert_memory_equal(reply.payload.config.data, b.echo.config, ECHO_CONFIG);
	assert_memory_equal(reply.payload.config.data + ECHO_CONFIG, zeros, 256 - ECHO_CONFIG);
	/* outside: no payload */
	static const uint32_t bad[][2] = {
		{ECHO_CONFIG, 1}, {1, 256}, {0x80000000u, 4}, {256, 0}, {UINT32_MAX, 8}};
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		assert_true(ask_config(&b, bad[i][0], bad[i][1], &reply));
		assert_int_equal(reply.hdr.size, 0);
	}
	assert_int_equal(write_config(&b, 0, 4, 0, "wxyz"), 0);
	assert_memory_equal(b.echo.config, "wxyz", 4);
	assert_int_equal(write_config(&b, 8, 4, 0, "wxyz"), 1); /* read-only */
	assert_int_equal(write_config(&b, 8, 4, 1, "wxyz"), 1);
	assert_int_equal(write_config(&b, 8, 4, 1, b.echo.config + 8), 0); /* what it is anyway */
	assert_int_equal(write_config(&b, 22, 4, 0, "wxyz"), 1);
	assert_int_equal(write_config(&b, UINT32_MAX - 1, 4, 0, "wxyz"), 1);
	bench_close(&b);
}

static void config_change(void **state)
{
	(void)state;
	struct bench b;
	struct rwy_vu_chan back;
	struct rwy_vu_msg msg;
	int fds[2];

	bench_run(&b, 0);
	assert_int_equal(rwy_be_config_changed(b.echo.be), -ENOTCONN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(rwy_vu_chan_open(&back, &fds[0]), 0);
	assert_int_equal(peer_ack(&b.peer, RWY_VU_SET_BACKEND_REQ_FD, NULL, 0, &fds[1], 1), 0);
	/* no ring runs yet, so the device is suspended and says nothing */
	assert_int_equal(rwy_be_config_changed(b.echo.be), 0);
	assert_int_equal(rwy_vu_chan_recv(&back, &msg), 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	assert_int_equal(rwy_vu_chan_recv(&back, &msg), 1);
	assert_int_equal(msg.hdr.request, RWY_VU_BE_CONFIG_CHANGE);
	assert_int_equal(msg.hdr.flags, 1);
	assert_int_equal(msg.hdr.size, 0);
	assert_int_equal(rwy_vu_chan_recv(&back, &msg), 0);
	assert_int_equal(rwy_be_config_changed(b.echo.be), 0);
	assert_int_equal(rwy_vu_chan_recv(&back, &msg), 1);
	/* a front-end that never reads does not hold us up, and loses the channel in the end */
	int rc = 0;
	for (unsigned i = 0; i < 100000 && rc == 0; i++)
		rc = rwy_be_config_changed(b.echo.be);
	assert_int_equal(rc, -ENOTCONN);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	rwy_vu_chan_close(&back);
	rwy_fd_close(&fds[1]);
	bench_close(&b);
}

static void reset_device(void **state)
{
	(void)state;
	struct bench b;

	for (unsigned by_status = 0; by_status <= 1; by_status++) {
		bench_run(&b, 1);
		assert_true(peer_is_served(&b.peer, 0, 8, 8));
		if (by_status)
			assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_STATUS, 0, -1), 0);
		else
			assert_int_equal(peer_ack(&b.peer, RWY_VU_RESET_DEVICE, NULL, 0, NULL, 0),
					 0);
		assert_int_equal(b.echo.nr_resets, 1);
		assert_false(b.echo.running[0]);
		assert_false(b.echo.be->enabled[0]);
		assert_true(b.echo.be->features == 0);
		assert_int_equal(b.echo.be->mem.nr, 1); /* memory and negotiation stay */
		assert_int_equal(peer_ask_u64(&b.peer, RWY_VU_GET_STATUS), 0);
		peer_ring_close(&b.peer, 0);
		assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_FEATURES, b.peer.features, -1),
				 0);
		peer_ring_open(&b.peer, 0, 16);
		assert_int_equal(peer_ring_start(&b.peer, 0, 0), 0);
		assert_true(peer_is_served(&b.peer, 0, 8, 8));
		bench_close(&b);
	}
}

static void features_stay_while_a_ring_runs(void **state)
{
	(void)state;
	struct bench b;

	bench_run(&b, 1);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_FEATURES, b.peer.features, -1), 0);
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_FEATURES, b.peer.features & ~1, -1), 1);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	bench_close(&b);
}

/* The end of a connection waits for what is under way, however it comes. */
static void the_end_drains(void **state)
{
	(void)state;
	struct bench b;

	for (unsigned how = 0; how < 3; how++) {
		bench_run(&b, how == 1 ? PACKED : 0);
		b.echo.hold = true;
		peer_post(&b.peer, 0, 0, 8, 8, 8, &b);
		peer_turn(&b.peer);
		assert_int_equal(b.echo.nr_held, 1);
		const struct rwy_vu_vring_state ring0 = {.index = 0};
		if (how == 0)
			rwy_be_close(b.echo.be);
		if (how == 2) /* while a message waits for the same */
			peer_send(&b.peer, RWY_VU_GET_VRING_BASE, 1, &ring0, 8, NULL, 0);
		if (how != 0)
			rwy_vu_chan_close(&b.peer.chan);
		peer_turn(&b.peer);
		assert_non_null(b.echo.be);
		assert_int_equal(b.echo.nr_lost, 0);
		echo_release(&b.echo, 1);
		peer_turn(&b.peer);
		assert_null(b.echo.be);
		assert_int_equal(b.echo.nr_lost, 1);
		bench_close(&b);
	}
}

static void a_peer_that_reads_nothing(void **state)
{
	(void)state;
	struct bench b;
	const struct rwy_vu_hdr hdr = {.request = RWY_VU_GET_FEATURES, .flags = 1};

	bench_open(&b);
	for (unsigned i = 0; i < 200000 && b.echo.be; i++) {
		if (rwy_vu_chan_send(&b.peer.chan, &hdr, NULL, NULL, 0, 0))
			peer_turn(&b.peer);
	}
	assert_null(b.echo.be); /* it was let go, and nobody waited */
	bench_close(&b);
}

static void counters_have_names(void **state)
{
	(void)state;
	struct rwy_stats stats;
	struct bench b;
	char *json;

	assert_int_equal(rwy_stats_open(&stats, NULL), 0);
	bench_open(&b);
	rwy_be_close(b.echo.be);
	b.config.stats = &stats;
	b.config.stats_name = "guest0";
	bench_connect(&b);
	peer_negotiate(&b.peer, 0);
	assert_int_equal(peer_set_mem(&b.peer), 0);
	peer_ring_open(&b.peer, 1, 16);
	assert_int_equal(peer_ring_start(&b.peer, 1, 0), 0);
	assert_true(peer_is_served(&b.peer, 1, 8, 8));
	assert_int_equal(b.echo.be->vqs[1].stats->chains, 1);
	assert_true(b.echo.be->vqs[1].stats->kicks > 0);
	assert_int_equal(rwy_stats_json(&stats, &json), 0);
	assert_non_null(strstr(json, "guest0.q0"));
	assert_non_null(strstr(json, "guest0.q3"));
	free(json);
	bench_close(&b);
	assert_int_equal(rwy_stats_json(&stats, &json), 0);
	assert_null(strstr(json, "guest0"));
	free(json);
	rwy_stats_close(&stats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_offered_that_is_not_implemented),
		cmocka_unit_test(every_offered_request_has_a_handler),
		cmocka_unit_test(simple_answers),
		cmocka_unit_test(queue_num_counts_pairs),
		cmocka_unit_test(unoffered_features_are_refused),
		cmocka_unit_test(refusals),
		cmocka_unit_test(need_reply_without_the_feature),
		cmocka_unit_test(config_space),
		cmocka_unit_test(config_change),
		cmocka_unit_test(reset_device),
		cmocka_unit_test(features_stay_while_a_ring_runs),
		cmocka_unit_test(the_end_drains),
		cmocka_unit_test(a_peer_that_reads_nothing),
		cmocka_unit_test(counters_have_names),
	};

	return UNIT_RUN(tests);
}
