/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A front-end that takes away memory it has shared, from under a running ring of a live back-end.
 * Its device is broken: counted with a reason, told by the err eventfd, and healed by new memory. A
 * bystander is served all the while, and the offender may come back.
 *
 * Usage: test_back_shrink net|blk|blk2 PROGRAM
 */
#include "tests/proto/live.h"

#include "lib/fd.h"
#include "lib/vq.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define AREA_LEN 8192
#define LOG_LEN	 ((PEER_GPA + PEER_MEM_SIZE) / RWY_VU_LOG_PAGE / 8)

/* cmocka hands tests no arguments, so these stay here. */
static struct live live;
static struct peer bystander;
static unsigned place; /* the offender's; the bystander has the other */
static const char *kind, *program;

static int start_program(void **state)
{
	int err = live_start(&live, kind, program);

	if (!err)
		live_join(&live, !place, &bystander);
	return err;
}

static int stop_program(void **state)
{
	peer_close(&bystander);
	return live_stop(&live);
}

static uint64_t counted(const char *counter)
{
	char entry[32];

	snprintf(entry, sizeof(entry), "%s%u.q%u", live.net ? "port" : "disk", place,
		 live_ring(&live));
	return live_counter(&live, entry, counter);
}

static bool told(void *ctx)
{
	return rwy_fd_drain(*(int *)ctx) > 0;
}

/* One more chain, for which the back-end touches header, data and ring. */
static void touch(struct peer *p)
{
	peer_post(p, live_ring(&live), 0, live.net ? 72 : 16, 4096, live.net ? 0 : 513, p);
}

static void expect_broken(struct peer *p)
{
	assert_true(peer_until(p, told, &p->rings[live_ring(&live)].err));
	assert_int_equal(counted("broken"), 1);
	assert_int_equal(counted("reason"), RWY_VQ_MEMORY);
	/* and nobody else's: not even the front-end's own connection */
	assert_true(live_serves(&live, &bystander));
	assert_true(peer_ask_u64(p, RWY_VU_GET_FEATURES) != 0);
}

static void restart(struct peer *p)
{
	for (unsigned q = 0; q <= live_ring(&live); q++) {
		assert_int_not_equal(peer_ring_stop(p, q), UINT64_MAX);
		peer_ring_close(p, q);
		peer_ring_open(p, q, 16);
		assert_int_equal(peer_ring_start(p, q, peer_ring_fresh_base(p)), 0);
		peer_kick(p, q);
	}
}

static void leave_and_come_back(struct peer *p)
{
	peer_close(p);
	live_expect_service(&live, place);
	assert_true(live_serves(&live, &bystander));
}

static void buffers_are_taken_away(void **state)
{
	struct peer p;

	live_join(&live, place, &p);
	assert_true(live_serves(&live, &p));
	assert_int_equal(counted("broken"), 0);
	assert_int_equal(ftruncate(p.mem_fd, 4096 + PEER_BUFS), 0);
	touch(&p);
	expect_broken(&p);
	/* a reset alone does not bring it back: what is mapped is still not what the guest has */
	assert_int_equal(ftruncate(p.mem_fd, 4096 + PEER_MEM_SIZE), 0);
	restart(&p);
	assert_true(peer_until(&p, told, &p.rings[live_ring(&live)].err));
	/* the very same table does */
	assert_int_equal(peer_set_mem(&p), 0);
	restart(&p);
	assert_true(live_serves(&live, &p));
	assert_int_equal(counted("broken"), 1);
	leave_and_come_back(&p);
}

static void all_is_taken_away(void **state)
{
	struct peer p;

	live_join(&live, place, &p);
	assert_true(live_serves(&live, &p));
	assert_int_equal(ftruncate(p.mem_fd, 0), 0);
	peer_kick(&p, live_ring(&live));
	expect_broken(&p);
	leave_and_come_back(&p);
}

static void in_flight_area_is_taken_away(void **state)
{
	const struct rwy_vu_inflight area = {.mmap_size = AREA_LEN,
					     .num_queues = 1,
					     .queue_size = 64};
	int fd = memfd_create("area", MFD_CLOEXEC);
	struct peer p;

	assert_int_equal(ftruncate(fd, AREA_LEN), 0);
	peer_open(&p, NULL, live_dial(&live, place));
	peer_negotiate(&p, 0);
	assert_int_equal(peer_set_mem(&p), 0);
	assert_int_equal(peer_ack(&p, RWY_VU_SET_INFLIGHT_FD, &area, sizeof(area), &fd, 1), 0);
	peer_ring_open(&p, 0, 16);
	assert_int_equal(peer_ring_start(&p, 0, peer_ring_fresh_base(&p)), 0);
	assert_true(live_serves(&live, &p));
	assert_int_equal(ftruncate(fd, 0), 0);
	touch(&p);
	expect_broken(&p);
	restart(&p);
	assert_true(peer_until(&p, told, &p.rings[0].err));
	assert_int_equal(ftruncate(fd, AREA_LEN), 0);
	assert_int_equal(peer_ack(&p, RWY_VU_SET_INFLIGHT_FD, &area, sizeof(area), &fd, 1), 0);
	restart(&p);
	assert_true(live_serves(&live, &p));
	rwy_fd_close(&fd);
	leave_and_come_back(&p);
}

static int64_t share_log(struct peer *p, int fd)
{
	const struct rwy_vu_log log = {.size = LOG_LEN};
	struct rwy_vu_msg reply;

	peer_send(p, RWY_VU_SET_LOG_BASE, 1, &log, sizeof(log), &fd, 1);
	return peer_recv(p, &reply);
}

/* Marks that are lost are a guest that is spoilt at the other end: no ring runs on. */
static void log_is_taken_away(void **state)
{
	const uint64_t log_all = RWY_BIT64(RWY_VU_F_LOG_ALL);
	int fd = memfd_create("log", MFD_CLOEXEC);
	struct peer p;

	assert_int_equal(ftruncate(fd, LOG_LEN), 0);
	live_join(&live, place, &p);
	assert_true(live_serves(&live, &p));
	assert_int_equal(share_log(&p, fd), 1);
	assert_int_equal(peer_ack_u64(&p, RWY_VU_SET_FEATURES, p.features | log_all, -1), 0);
	assert_true(live_serves(&live, &p));
	assert_int_equal(ftruncate(fd, 0), 0);
	touch(&p);
	expect_broken(&p);
	/* the rings wait for another one */
	assert_int_equal(ftruncate(fd, LOG_LEN), 0);
	restart(&p);
	assert_int_equal(share_log(&p, fd), 1);
	assert_true(live_serves(&live, &p));
	rwy_fd_close(&fd);
	leave_and_come_back(&p);
}

static void nothing_is_left(void **state)
{
	const struct footprint before = live_footprint(&live);

	for (unsigned i = 0; i < 50; i++) {
		struct peer p;

		live_join(&live, place, &p);
		assert_int_equal(ftruncate(p.mem_fd, i % 2 ? 0 : 4096 + PEER_BUFS), 0);
		if (i % 2)
			peer_kick(&p, live_ring(&live));
		else
			touch(&p);
		if (i % 3)
			assert_true(peer_until(&p, told, &p.rings[live_ring(&live)].err));
		peer_close(&p);
		assert_true(live_serves(&live, &bystander));
	}
	live_expect_service(&live, place);
	live_expect_footprint(&live, &before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest of_net[] = {
		cmocka_unit_test(buffers_are_taken_away),
		cmocka_unit_test(all_is_taken_away),
		cmocka_unit_test(log_is_taken_away),
		cmocka_unit_test(nothing_is_left),
	};
	const struct CMUnitTest of_blk[] = {
		cmocka_unit_test(buffers_are_taken_away),
		cmocka_unit_test(all_is_taken_away),
		cmocka_unit_test(log_is_taken_away),
		cmocka_unit_test(in_flight_area_is_taken_away),
		cmocka_unit_test(nothing_is_left),
	};

	if (argc != 3)
		return 2;
	kind = argv[1];
	program = argv[2];
	place = strcmp(kind, "blk2") == 0;
	return kind[0] == 'n'
		       ? cmocka_run_group_tests_name(kind, of_net, start_program, stop_program)
		       : cmocka_run_group_tests_name(kind, of_blk, start_program, stop_program);
}
