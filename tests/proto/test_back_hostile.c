/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Live back-ends against hostile front-ends: each case says something a front-end must not say, may
 * be refused or thrown out for it, and then a well-behaved front-end is served as ever. At the end
 * the process has as many descriptors and mappings as at the start.
 *
 * Usage: test_back_hostile net|blk PROGRAM
 */
#include "tests/proto/live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS	10000
#define WARM_UP 1000

/* cmocka hands tests no arguments, so these stay here. */
static struct live live;
static const char *kind, *program;

static int start_program(void **state)
{
	return live_start(&live, kind, program);
}

static int stop_program(void **state)
{
	return live_stop(&live);
}

static void expect_service(void)
{
	live_expect_service(&live, 0);
}

/* What came of it does not matter here, only that an answer is one and no connection hangs. */
static void expect_refusal(struct peer *p, int64_t answer)
{
	assert_int_not_equal(answer, 0);
	peer_close(p);
	expect_service();
}

static void open_negotiated(struct peer *p)
{
	peer_open(p, NULL, live_dial(&live, 0));
	peer_negotiate(p, 0);
}

/* Sends and hangs up; whatever comes back is left unread. */
static void say(uint32_t request, uint32_t flags, uint32_t claimed, uint32_t sent, unsigned nr_fds)
{
	static const uint8_t zeroes[4096];
	const struct rwy_vu_hdr hdr = {.request = request, .flags = flags, .size = claimed};
	struct peer p;

	open_negotiated(&p);
	peer_send_raw(&p, &hdr, zeroes, sizeof(hdr) + sent, p.mem_fd, nr_fds);
	peer_close(&p);
}

static void any_request_of_any_size(void **state)
{
	static const uint32_t sizes[] = {0, 1, 7, 8, 9, 12, 39, 40, 41, 264, 265, 2056, 2057, 4096};

	for (uint32_t request = 0; request <= RWY_VU_NR_REQS + 2; request++) {
		for (unsigned i = 0; i < RWY_ARRAY_SIZE(sizes); i++)
			say(request, RWY_VU_FLAG_VERSION, sizes[i], sizes[i], 0);
		expect_service();
	}
}

static void any_number_of_descriptors(void **state)
{
	for (uint32_t request = 0; request <= RWY_VU_NR_REQS; request++) {
		for (unsigned n = 1; n <= RWY_VU_MAX_FDS + 2; n++)
			say(request, RWY_VU_FLAG_VERSION, 8, 8, n);
		expect_service();
	}
}

static void header_that_cannot_be(void **state)
{
	static const uint32_t flags[] = {0, 2, 3, 5, 0xd, 0x11, 0x80000001, UINT32_MAX};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(flags); i++) {
		say(RWY_VU_GET_FEATURES, flags[i], 0, 0, 0);
		say(RWY_VU_SET_VRING_NUM, flags[i], 8, 8, 0);
		expect_service();
	}
	say(RWY_VU_SET_FEATURES, 1, UINT32_MAX, 8, 0);
	say(UINT32_MAX, 9, 0, 0, 0);
	expect_service();
}

static void payload_that_never_comes(void **state)
{
	for (uint32_t sent = 0; sent < 40; sent += 3)
		say(RWY_VU_SET_VRING_ADDR, 1, 40, sent, 0);
	expect_service();
}

static void message_byte_by_byte(void **state)
{
	const struct rwy_vu_hdr hdr = {.request = RWY_VU_GET_FEATURES, .flags = 1};
	struct rwy_vu_msg msg;
	struct peer p;

	peer_open(&p, NULL, live_dial(&live, 0));
	for (unsigned i = 0; i < sizeof(hdr); i++) {
		assert_int_equal(send(p.chan.fd, (const char *)&hdr + i, 1, MSG_NOSIGNAL), 1);
		usleep(500);
	}
	assert_int_equal(peer_recv(&p, &msg), 1);
	assert_int_equal(msg.hdr.request, RWY_VU_GET_FEATURES);
	peer_close(&p);
}

/* CVE-2020-10723: an index that only fits after it was cut to 16 or 8 bits. */
static void ring_index_outside(void **state)
{
	static const uint32_t indices[] = {64, 255, 256, 0x10000, 0x10001, 0x80000000, UINT32_MAX};
	static const uint32_t requests[] = {RWY_VU_SET_VRING_NUM, RWY_VU_SET_VRING_BASE,
					    RWY_VU_SET_VRING_ENABLE};
	struct rwy_vu_msg reply;
	struct peer p;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(indices); i++) {
		const struct rwy_vu_vring_addr addr = {.index = indices[i]};
		const struct rwy_vu_vring_state base = {.index = indices[i]};

		for (unsigned r = 0; r < RWY_ARRAY_SIZE(requests); r++) {
			open_negotiated(&p);
			expect_refusal(&p, peer_ack_state(&p, requests[r], indices[i], 1));
		}
		open_negotiated(&p);
		expect_refusal(&p,
			       peer_ack(&p, RWY_VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0));
		open_negotiated(&p);
		assert_false(peer_ask(&p, RWY_VU_GET_VRING_BASE, &base, sizeof(base), &reply));
		peer_close(&p);
		for (uint32_t r = RWY_VU_SET_VRING_KICK; r <= RWY_VU_SET_VRING_ERR; r++) {
			open_negotiated(&p);
			/* 256 alone is index 0 without a descriptor, which is fine */
			if (indices[i] != 256)
				expect_refusal(&p, peer_ack_u64(&p, r, indices[i], -1));
			else
				peer_close(&p);
		}
	}
}

static void ring_size_that_cannot_be(void **state)
{
	static const uint32_t sizes[] = {0, 3, 100, 32769, 65536, 65537, UINT32_MAX};
	struct peer p;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(sizes); i++) {
		open_negotiated(&p);
		expect_refusal(&p, peer_ack_state(&p, RWY_VU_SET_VRING_NUM, 0, sizes[i]));
	}
}

static void ring_changed_while_it_runs(void **state)
{
	struct peer p;

	open_negotiated(&p);
	assert_int_equal(peer_set_mem(&p), 0);
	peer_ring_open(&p, 0, 16);
	assert_int_equal(peer_ring_start(&p, 0, 0), 0);
	peer_kick(&p, 0);
	usleep(20000);
	assert_int_not_equal(peer_ack_state(&p, RWY_VU_SET_VRING_NUM, 0, 32), 0);
	assert_int_not_equal(peer_ack_state(&p, RWY_VU_SET_VRING_BASE, 0, 7), 0);
	peer_close(&p);
	expect_service();
}

static int64_t set_region(struct peer *p, const struct rwy_vu_region *r, bool single)
{
	const struct rwy_vu_mem_table table = {.nregions = 1, .regions = {*r}};
	const struct rwy_vu_mem_reg reg = {.region = *r};

	return single ? peer_ack(p, RWY_VU_ADD_MEM_REG, &reg, sizeof(reg), &p->mem_fd, 1)
		      : peer_ack(p, RWY_VU_SET_MEM_TABLE, &table, 40, &p->mem_fd, 1);
}

static void memory_that_cannot_be(void **state)
{
	const struct rwy_vu_region good = peer_region();
	struct rwy_vu_region bad[] = {good, good, good, good, good, good, good};
	struct peer p;

	bad[0].size = 0;
	bad[1].gpa = UINT64_MAX - 4095;
	bad[2].uva = UINT64_MAX - 4095;
	bad[3].size += 4096; /* the file is too short: a SIGBUS in waiting */
	bad[4].mmap_offset = UINT64_MAX - 4095;
	bad[5].mmap_offset = PEER_MEM_SIZE;
	bad[6].size = UINT64_MAX;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad) * 2; i++) {
		open_negotiated(&p);
		expect_refusal(&p, set_region(&p, &bad[i / 2], i % 2));
	}
}

static void memory_that_overlaps(void **state)
{
	struct rwy_vu_region again = peer_region();
	struct peer p;

	for (unsigned i = 0; i < 3; i++) {
		open_negotiated(&p);
		assert_int_equal(peer_set_mem(&p), 0);
		again = peer_region();
		again.gpa += i == 0 ? 0x1000 : UINT64_C(1) << 32;
		again.uva += i == 1 ? 0x1000 : UINT64_C(1) << 32;
		/* the third overlaps in neither, and is fine */
		int64_t answer = set_region(&p, &again, true);

		assert_true(i == 2 ? answer == 0 : answer != 0);
		peer_close(&p);
		expect_service();
	}
}

static void table_with_the_wrong_count(void **state)
{
	struct rwy_vu_mem_table table = {.regions = {peer_region()}};
	static const uint32_t counts[] = {0, 2, 8, 9, 0x10001, UINT32_MAX};
	struct peer p;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(counts); i++) {
		open_negotiated(&p);
		table.nregions = counts[i];
		expect_refusal(&p, peer_ack(&p, RWY_VU_SET_MEM_TABLE, &table, 40, &p.mem_fd, 1));
	}
}

static void rings_before_anything_else(void **state)
{
	const struct rwy_vu_vring_addr addr = {.desc = PEER_UVA,
					       .avail = PEER_UVA + 4096,
					       .used = PEER_UVA + 8192};
	int kick = rwy_fd_event();
	struct peer p;

	peer_open(&p, NULL, live_dial(&live, 0));
	for (unsigned i = 0; i < 2; i++) {
		const uint64_t kick0 = 0;
		const struct rwy_vu_vring_state on = {.num = 1}, size = {.num = 256};

		peer_send(&p, RWY_VU_SET_VRING_KICK, 1, &kick0, 8, &kick, 1);
		peer_send(&p, RWY_VU_SET_VRING_ENABLE, 1, &on, 8, NULL, 0);
		peer_send(&p, RWY_VU_SET_VRING_ADDR, 1, &addr, sizeof(addr), NULL, 0);
		peer_send(&p, RWY_VU_SET_VRING_NUM, 1, &size, 8, NULL, 0);
		rwy_fd_signal(kick);
	}
	peer_close(&p);
	rwy_fd_close(&kick);
	expect_service();
}

static void ring_outside_memory(void **state)
{
	const uint64_t ends[] = {PEER_UVA + PEER_MEM_SIZE - 16, PEER_UVA - 16, 0, UINT64_MAX - 15};
	struct peer p;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(ends) * 3; i++) {
		struct rwy_vu_vring_addr addr;

		open_negotiated(&p);
		assert_int_equal(peer_set_mem(&p), 0);
		peer_ring_open(&p, 0, 16);
		assert_int_equal(peer_ack_state(&p, RWY_VU_SET_VRING_NUM, 0, 16), 0);
		addr = peer_ring_addr(&p, 0);
		*(i % 3 == 0 ? &addr.desc : i % 3 == 1 ? &addr.avail : &addr.used) = ends[i / 3];
		expect_refusal(&p,
			       peer_ack(&p, RWY_VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0));
	}
}

static void kick_that_is_no_eventfd(void **state)
{
	struct peer p;

	for (uint32_t r = RWY_VU_SET_VRING_KICK; r <= RWY_VU_SET_VRING_ERR; r++) {
		open_negotiated(&p);
		expect_refusal(&p, peer_ack_u64(&p, r, 0, p.mem_fd));
	}
}

static void fill(int fd)
{
	const uint64_t most = UINT64_MAX - 1;

	rwy_fd_drain(fd);
	assert_int_equal(rwy_fd_set_nonblock(fd, false), 0);
	assert_int_equal(write(fd, &most, sizeof(most)), sizeof(most));
}

/* Whoever writes or reads such an eventfd waits as long as the front-end likes. */
static void eventfds_that_keep_one_waiting(void **state)
{
	const unsigned q = live_ring(&live);
	struct peer p, bystander;

	live_join(&live, 0, &p);
	live_join(&live, 1, &bystander);
	assert_true(live_serves(&live, &p));
	fill(p.rings[q].call);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(live_serves(&live, &p));
		assert_true(live_serves(&live, &bystander));
	}
	/* readable, and then not: the back-end comes too late */
	assert_int_equal(rwy_fd_set_nonblock(p.rings[q].kick, false), 0);
	for (unsigned i = 0; i < 20000; i++) {
		peer_kick(&p, q);
		rwy_fd_drain(p.rings[q].kick);
		if (i % 1000 == 0)
			assert_true(live_serves(&live, &bystander));
	}
	fill(p.rings[q].err);
	const struct rwy_vqd_buf nowhere = {{UINT64_C(1) << 60}, 4096};
	assert_int_equal(rwy_vqd_add(&p.rings[q].vqd, &nowhere, 1, 0, &p), 0);
	rwy_vqd_publish(&p.rings[q].vqd);
	peer_kick(&p, q);
	for (unsigned i = 0; i < 10; i++)
		assert_true(live_serves(&live, &bystander));
	peer_close(&p);
	peer_close(&bystander);
	expect_service();
}

/* CVE-2021-3839, CVE-2020-10726 and what reading showed: sizes that only fit after a wrap. */
static void inflight_that_cannot_be(void **state)
{
	struct rwy_vu_inflight bad[] = {
		{.num_queues = 0, .queue_size = 128},
		{.num_queues = UINT16_MAX, .queue_size = UINT16_MAX},
		{.num_queues = 1, .queue_size = 0},
		{.mmap_size = UINT64_MAX, .num_queues = 1, .queue_size = 128},
		{.mmap_size = 4096,
		 .mmap_offset = UINT64_MAX - 1,
		 .num_queues = 1,
		 .queue_size = 8},
		{.mmap_size = PEER_MEM_SIZE * 4, .num_queues = 1, .queue_size = 128},
	};
	struct peer p;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		open_negotiated(&p);
		expect_refusal(&p, peer_ack(&p, RWY_VU_SET_INFLIGHT_FD, &bad[i], sizeof(bad[i]),
					    &p.mem_fd, 1));
	}
	for (unsigned i = 0; i < 200; i++)
		say(RWY_VU_GET_INFLIGHT_FD, 1, 24, 24, i % 3);
	expect_service();
}

/* CVE-2020-10722; the log is not offered, so this must be refused whatever it says. */
static void log_that_cannot_be(void **state)
{
	struct rwy_vu_log log = {.size = UINT64_MAX, .offset = UINT64_MAX};
	struct peer p;

	open_negotiated(&p);
	expect_refusal(&p, peer_ack(&p, RWY_VU_SET_LOG_BASE, &log, sizeof(log), &p.mem_fd, 1));
}

/* CVE-2022-2132: chains of 1 byte up to the whole header, which is given back all the same. */
static void requests_shorter_than_their_header(void **state)
{
	const uint32_t header = live.net ? 12 : 16;
	struct peer p;

	live_join(&live, 0, &p);
	for (uint32_t len = 1; len <= header; len++)
		assert_true(peer_is_served(&p, live_ring(&live), len, live.net ? 0 : 513));
	assert_true(live_serves(&live, &p));
	peer_close(&p);
}

/* DPDK 73ea44370d, 21d9fb6bad: rings go with requests under way, and come again at once. */
static void storm_of_stops_and_starts(void **state)
{
	const unsigned q = live_ring(&live);
	struct peer p, bystander;

	live_join(&live, 0, &p);
	live_join(&live, 1, &bystander);
	for (unsigned i = 0; i < 500; i++) {
		for (unsigned n = i % 5; n > 0; n--)
			peer_post(&p, q, 0, live.net ? 72 : 16, 4096, live.net ? 0 : 513, &p);
		if (i % 7 == 0)
			assert_int_equal(peer_ack(&p, RWY_VU_RESET_DEVICE, NULL, 0, NULL, 0), 0);
		if (i % 7 == 0)
			assert_int_equal(peer_ack_u64(&p, RWY_VU_SET_FEATURES, p.features, -1), 0);
		assert_int_not_equal(peer_ring_stop(&p, q), UINT64_MAX);
		peer_ring_close(&p, q);
		peer_ring_open(&p, q, 16);
		assert_int_equal(peer_ring_start(&p, q, peer_ring_fresh_base(&p)), 0);
		peer_kick(&p, q);
		if (i % 50 == 0)
			assert_true(live_serves(&live, &bystander));
	}
	assert_true(live_serves(&live, &p));
	peer_close(&p);
	peer_close(&bystander);
	expect_service();
}

static void config_outside(void **state)
{
	struct rwy_vu_config config = {.offset = 250, .size = 250};
	struct rwy_vu_msg reply;
	struct peer p;

	open_negotiated(&p);
	/* an answer without payload says no; closing does, too */
	if (peer_ask(&p, RWY_VU_GET_CONFIG, &config, 12 + 250, &reply))
		assert_int_equal(reply.hdr.size, 0);
	peer_close(&p);
	config = (struct rwy_vu_config){.offset = UINT32_MAX, .size = 4};
	open_negotiated(&p);
	expect_refusal(&p, peer_ack(&p, RWY_VU_SET_CONFIG, &config, 16, NULL, 0));
}

static void ten_thousand_rounds_leave_nothing(void **state)
{
	struct footprint before = {0};

	srandom(1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (i == WARM_UP) {
			expect_service();
			before = live_footprint(&live);
		}
		uint32_t size = (uint32_t)random() % 300;

		say((uint32_t)random() % (RWY_VU_NR_REQS + 3), random() % 4 ? 1 : 9,
		    random() % 2 ? size : (uint32_t)random() % 4096, size,
		    (unsigned)random() % (RWY_VU_MAX_FDS + 1));
	}
	expect_service();
	live_expect_footprint(&live, &before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_request_of_any_size),
		cmocka_unit_test(any_number_of_descriptors),
		cmocka_unit_test(header_that_cannot_be),
		cmocka_unit_test(payload_that_never_comes),
		cmocka_unit_test(message_byte_by_byte),
		cmocka_unit_test(ring_index_outside),
		cmocka_unit_test(ring_size_that_cannot_be),
		cmocka_unit_test(ring_changed_while_it_runs),
		cmocka_unit_test(memory_that_cannot_be),
		cmocka_unit_test(memory_that_overlaps),
		cmocka_unit_test(table_with_the_wrong_count),
		cmocka_unit_test(rings_before_anything_else),
		cmocka_unit_test(ring_outside_memory),
		cmocka_unit_test(kick_that_is_no_eventfd),
		cmocka_unit_test(eventfds_that_keep_one_waiting),
		cmocka_unit_test(inflight_that_cannot_be),
		cmocka_unit_test(log_that_cannot_be),
		cmocka_unit_test(requests_shorter_than_their_header),
		cmocka_unit_test(storm_of_stops_and_starts),
		cmocka_unit_test(config_outside),
		cmocka_unit_test(ten_thousand_rounds_leave_nothing),
	};

	if (argc != 3)
		return 2;
	kind = argv[1];
	program = argv[2];
	return cmocka_run_group_tests_name(kind, tests, start_program, stop_program);
}
