/* SPDX-License-Identifier: BSD-3-Clause */
/* The in-flight area as messages see it: made, checked, kept over the life of two back-ends. */
#include "tests/proto/bench.h"

#include "vhost-backends/be_track.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t formats[] = {0, RWY_BIT64(VIRTIO_F_RING_PACKED)};

static bool ask_area(struct bench *b, uint16_t queues, uint16_t size, struct rwy_vu_msg *reply)
{
	const struct rwy_vu_inflight ask = {.num_queues = queues, .queue_size = size};

	return peer_ask(&b->peer, RWY_VU_GET_INFLIGHT_FD, &ask, sizeof(ask), reply);
}

static int64_t give_area(struct bench *b, const struct rwy_vu_inflight *area, int fd)
{
	return peer_ack(&b->peer, RWY_VU_SET_INFLIGHT_FD, area, sizeof(*area), &fd, 1);
}

static void get_area(void **state)
{
	(void)state;
	struct bench b;
	struct rwy_vu_msg reply;
	struct stat st;

	bench_open(&b);
	peer_negotiate(&b.peer, 0);
	assert_true(ask_area(&b, 2, 128, &reply));
	assert_int_equal(reply.hdr.size, 24);
	assert_int_equal(reply.nr_fds, 1);
	assert_int_equal(reply.payload.inflight.num_queues, 2);
	assert_int_equal(reply.payload.inflight.queue_size, 128);
	assert_int_equal(reply.payload.inflight.mmap_offset, 0);
	assert_true(reply.payload.inflight.mmap_size >= 2 * (32 + 128 * 32));
	assert_int_equal(fstat(reply.fds[0], &st), 0);
	assert_int_equal(st.st_size, reply.payload.inflight.mmap_size);
	assert_int_equal(st.st_blocks, 0); /* nothing of it is touched for being asked for */
	assert_true(fcntl(reply.fds[0], F_GET_SEALS) & F_SEAL_SHRINK);
	rwy_vu_chan_close_fds(&reply);
	/* the most a front-end can ask for */
	assert_true(ask_area(&b, ECHO_RINGS, 32768, &reply));
	assert_true(reply.payload.inflight.mmap_size <= ECHO_RINGS * (UINT64_C(1) << 21));
	rwy_vu_chan_close_fds(&reply);
	/* CVE-2021-3839 */
	static const uint16_t bad[][2] = {
		{0, 128}, {ECHO_RINGS + 1, 128}, {0xffff, 0xffff}, {1, 0}, {1, 32769}};
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		assert_false(ask_area(&b, bad[i][0], bad[i][1], &reply));
		bench_connect(&b);
		peer_negotiate(&b.peer, 0);
	}
	bench_close(&b);
}

static void bad_areas(void **state)
{
	(void)state;
	const uint64_t need = rwy_be_track_len(false, 128);
	const struct {
		uint64_t size, offset;
		uint16_t queues, desc_num;
	} bad[] = {
		{need - 1, 0, 1, 128},
		{need, 0, 2, 128},
		{need, 0, 1, 133},
		{0, 0, 1, 128},
		{UINT64_MAX, 0, 1, 128},
		{1 << 20, 4096, 1, 128}, /* beyond the file */
		{need, (1 << 20) - need + 8, 1, 128},
		{need, UINT64_MAX - need + 1, 1, 128},
		{need, -need, 1, 128},
		{need, 4, 1, 128}, /* alignment */
		{1 << 20, 0, 0, 128},
		{1 << 20, 0, ECHO_RINGS + 1, 128},
		{1 << 20, 0, 0xffff, 0xffff},
		{1 << 20, 0, 1, 0},
	};
	const struct rwy_vu_inflight good = {.mmap_size = 1 << 20,
					     .num_queues = 1,
					     .queue_size = 128};
	struct bench b;

	bench_open(&b);
	peer_negotiate(&b.peer, 0);
	int fd = memfd_create("area", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		const struct rwy_vu_inflight area = {.mmap_size = bad[i].size,
						     .mmap_offset = bad[i].offset,
						     .num_queues = bad[i].queues,
						     .queue_size = bad[i].desc_num};

		assert_int_equal(give_area(&b, &area, fd), 1);
	}
	int event = rwy_fd_event();
	assert_int_equal(give_area(&b, &good, event), 1);
	assert_int_equal(give_area(&b, &good, b.peer.chan.fd), 1);
	rwy_fd_close(&event);
	/* any number of good ones: the last counts, none is left mapped (UNIT_RUN, ASan) */
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(give_area(&b, &good, fd), 0);
	rwy_fd_close(&fd);
	bench_close(&b);
}

/* A ring that does not fit the area does not start, and says so; without an area it does. */
static void ring_larger_than_the_area(void **state)
{
	(void)state;
	struct bench b;
	struct rwy_vu_msg reply;

	bench_open(&b);
	peer_negotiate(&b.peer, 0);
	assert_int_equal(peer_set_mem(&b.peer), 0);
	assert_true(ask_area(&b, 1, 8, &reply));
	assert_int_equal(give_area(&b, &reply.payload.inflight, reply.fds[0]), 0);
	peer_ring_open(&b.peer, 0, 16);
	peer_ring_open(&b.peer, 1, 16);
	assert_int_equal(peer_ring_start(&b.peer, 0, 0), 0);
	assert_int_equal(peer_ring_start(&b.peer, 1, 0), 0);
	peer_kick(&b.peer, 0);
	peer_turn(&b.peer);
	assert_false(b.echo.running[0]);
	assert_int_equal(rwy_fd_drain(b.peer.rings[0].err), 1);
	assert_true(peer_is_served(&b.peer, 1, 8, 8)); /* not in the area at all */
	rwy_vu_chan_close_fds(&reply);
	bench_close(&b);
}

static void area_stays_while_a_ring_runs(void **state)
{
	(void)state;
	struct bench b;
	struct rwy_vu_msg reply;

	bench_run(&b, 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	assert_true(ask_area(&b, 1, 16, &reply));
	assert_int_equal(give_area(&b, &reply.payload.inflight, reply.fds[0]), 1);
	rwy_vu_chan_close_fds(&reply);
	bench_close(&b);
}

/* What one back-end had taken and not answered, the next one answers, once, oldest first. */
static void killed_and_started_again(void **state)
{
	(void)state;
	for (unsigned f = 0; f < RWY_ARRAY_SIZE(formats); f++) {
		struct bench b;
		struct rwy_vu_msg area;
		bool seen[10] = {0};
		void *cookie;
		uint32_t len;

		bench_open(&b);
		peer_negotiate(&b.peer, formats[f]);
		assert_int_equal(peer_set_mem(&b.peer), 0);
		assert_true(ask_area(&b, 2, 64, &area));
		assert_int_equal(give_area(&b, &area.payload.inflight, area.fds[0]), 0);
		peer_ring_open(&b.peer, 0, 64);
		assert_int_equal(peer_ring_start(&b.peer, 0, peer_ring_fresh_base(&b.peer)), 0);
		for (unsigned i = 0; i < 77; i++)
			assert_true(peer_is_served(&b.peer, 0, 8, 8));
		/* ten are taken, the oldest four answered in the wrong order */
		b.echo.hold = true;
		for (unsigned i = 0; i < 10; i++) {
			*peer_at(&b.peer, i * 64) = (uint8_t)i;
			peer_post(&b.peer, 0, i * 64, 8, i * 64 + 8, 8, &seen[i]);
		}
		peer_turn(&b.peer);
		assert_int_equal(b.echo.nr_held, 10);
		echo_release(&b.echo, 4);
		/* the kill: memory stays as it is now, whatever an orderly end does to it */
		uint8_t *guest = malloc(PEER_MEM_SIZE);
		size_t area_len = area.payload.inflight.mmap_size;
		uint8_t *marks =
			mmap(NULL, area_len, PROT_READ | PROT_WRITE, MAP_SHARED, area.fds[0], 0);
		uint8_t *saved = malloc(area_len);
		memcpy(guest, b.peer.mem, PEER_MEM_SIZE);
		memcpy(saved, marks, area_len);
		rwy_be_close(b.echo.be);
		echo_release(&b.echo, 6);
		peer_turn(&b.peer);
		assert_null(b.echo.be);
		memcpy(b.peer.mem, guest, PEER_MEM_SIZE);
		memcpy(marks, saved, area_len);
		unsigned echoed = b.echo.nr_echoed;

		bench_connect(&b);
		b.echo.hold = false;
		peer_negotiate(&b.peer, formats[f]);
		assert_int_equal(peer_set_mem(&b.peer), 0);
		assert_int_equal(give_area(&b, &area.payload.inflight, area.fds[0]), 0);
		/* the front-end need not know where the ring stood */
		assert_int_equal(peer_ring_start(&b.peer, 0, peer_ring_fresh_base(&b.peer)), 0);
		for (unsigned i = 0; i < 10; i++) {
			assert_int_equal(peer_used(&b.peer, 0, &cookie, &len), 1);
			bool *which = cookie;
			assert_false(*which);
			*which = true;
			if (i >= 4)
				assert_int_equal(which - seen, i);
		}
		assert_int_equal(b.echo.nr_echoed - echoed, 6);
		for (unsigned i = 0; i < 100; i++)
			assert_true(peer_is_served(&b.peer, 0, 8, 8));
		/* an orderly stop leaves nothing behind */
		uint64_t base = peer_ring_stop(&b.peer, 0);
		assert_int_equal(((struct rwy_be_track_split *)marks)->version, 0);
		assert_int_equal(peer_ring_start(&b.peer, 0, (uint32_t)base), 0);
		assert_true(peer_is_served(&b.peer, 0, 8, 8));
		munmap(marks, area_len);
		free(guest);
		free(saved);
		rwy_vu_chan_close_fds(&area);
		bench_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_area),
		cmocka_unit_test(bad_areas),
		cmocka_unit_test(ring_larger_than_the_area),
		cmocka_unit_test(area_stays_while_a_ring_runs),
		cmocka_unit_test(killed_and_started_again),
	};

	return UNIT_RUN(tests);
}
