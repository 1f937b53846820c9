/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory table: everything checked before anything changes, and changed while rings run. */
#include "tests/proto/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB UINT64_C(0x100000)

static const uint64_t formats[] = {0, RWY_BIT64(VIRTIO_F_RING_PACKED)};

/* Mappings of this process, to see that none is left behind. */
static unsigned count_maps(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned n = 0;
	int c;

	assert_non_null(maps);
	while ((c = fgetc(maps)) != EOF)
		n += c == '\n';
	fclose(maps);
	return n;
}

static int new_file(uint64_t size)
{
	int fd = memfd_create("region", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static int64_t set_table(struct bench *b, const struct rwy_vu_region *regions, const int *fds,
			 unsigned nr)
{
	struct rwy_vu_mem_table table = {.nregions = nr};

	memcpy(table.regions, regions, nr * sizeof(*regions));
	return peer_ack(&b->peer, RWY_VU_SET_MEM_TABLE, &table, 8 + 32 * nr, fds, nr);
}

static int64_t change(struct bench *b, uint32_t request, const struct rwy_vu_region *region, int fd)
{
	const struct rwy_vu_mem_reg reg = {.region = *region};

	return peer_ack(&b->peer, request, &reg, sizeof(reg), &fd, fd >= 0);
}

/* A second region next to the guest's. */
static const struct rwy_vu_region second = {
	.gpa = PEER_GPA + PEER_MEM_SIZE + MIB,
	.size = MIB,
	.uva = PEER_UVA + PEER_MEM_SIZE + MIB,
	.mmap_offset = 0,
};

static void bad_regions_change_nothing(void **state)
{
	(void)state;
	const struct rwy_vu_region good = peer_region();
	const struct {
		const char *what;
		struct rwy_vu_region r;
	} bad[] = {
		{"no size", {second.gpa, 0, second.uva, 0}},
		{"file too short by a byte", {second.gpa, MIB, second.uva, 1}},
		{"file too short", {second.gpa, 2 * MIB, second.uva, 0}},
		{"offset beyond the file", {second.gpa, 4096, second.uva, MIB}},
		{"offset + size wraps", {second.gpa, MIB, second.uva, UINT64_MAX - 4095}},
		{"offset + size wraps to 0", {second.gpa, MIB, second.uva, -MIB}},
		{"size is 2^63", {second.gpa, RWY_BIT64(63), second.uva, RWY_BIT64(63)}},
		{"gpa wraps", {-MIB + 4096, MIB, second.uva, 0}},
		{"gpa ends at 2^64", {-MIB, MIB, second.uva, 0}},
		{"uva wraps", {second.gpa, MIB, -MIB + 4096, 0}},
		{"gpa overlaps", {PEER_GPA + PEER_MEM_SIZE - 1, MIB, second.uva, 0}},
		{"gpa inside", {PEER_GPA + MIB, MIB, second.uva, 0}},
		{"gpa around", {PEER_GPA - 4096, MIB, second.uva, 0}},
		{"uva overlaps", {second.gpa, MIB, PEER_UVA + 4096, 0}},
		{"uva the same", {second.gpa, MIB, PEER_UVA, 0}},
		/* fuzz_vu_back: what is aligned there would not be so here */
		{"place in the file is odd", {second.gpa, 4096, second.uva, 1}},
		{"place in the file is 8 off", {second.gpa, 4096, second.uva + 16, 8}},
	};
	struct bench b;

	bench_run(&b, 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	int fd = new_file(MIB);
	unsigned maps = count_maps();
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		const struct rwy_vu_region both[2] = {good, bad[i].r};
		const struct rwy_vu_region turned[2] = {bad[i].r, good};
		const int fds[2] = {b.peer.mem_fd, fd};
		const int fds_turned[2] = {fd, b.peer.mem_fd};

		if (set_table(&b, both, fds, 2) != 1 || set_table(&b, turned, fds_turned, 2) != 1 ||
		    change(&b, RWY_VU_ADD_MEM_REG, &bad[i].r, fd) != 1)
			fail_msg("accepted: %s", bad[i].what);
		assert_int_equal(count_maps(), maps);
	}
	assert_int_equal(b.echo.nr_stops, 0); /* the ring was not even paused */
	assert_int_equal(b.echo.be->mem.nr, 1);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	rwy_fd_close(&fd);
	bench_close(&b);
}

static void bad_files(void **state)
{
	(void)state;
	struct bench b;
	int pipe_fds[2];

	bench_run(&b, 0);
	assert_int_equal(pipe(pipe_fds), 0);
	char path[] = "/tmp/test_be_mem.XXXXXX";
	int plain = mkstemp(path);
	assert_int_equal(ftruncate(plain, MIB), 0);
	int fds[] = {
		rwy_fd_event(),
		pipe_fds[0],
		pipe_fds[1],
		open("/dev/zero", O_RDWR | O_CLOEXEC),
		open("/tmp", O_RDONLY | O_CLOEXEC),
		open(path, O_RDONLY | O_CLOEXEC),
		new_file(0),
	};
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(fds); i++) {
		assert_true(fds[i] >= 0);
		assert_int_equal(change(&b, RWY_VU_ADD_MEM_REG, &second, fds[i]), 1);
		assert_int_equal(set_table(&b, &second, &fds[i], 1), 1);
	}
	assert_int_equal(change(&b, RWY_VU_ADD_MEM_REG, &second, plain), 0);
	assert_int_equal(change(&b, RWY_VU_REM_MEM_REG, &second, -1), 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	rwy_fd_close_all(fds, RWY_ARRAY_SIZE(fds));
	rwy_fd_close(&plain);
	unlink(path);
	bench_close(&b);
}

static void identical_table_is_nothing(void **state)
{
	(void)state;
	struct bench b;

	bench_run(&b, 0);
	b.echo.hold = true;
	peer_post(&b.peer, 0, 0, 8, 8, 8, &b);
	peer_turn(&b.peer);
	const struct rwy_mem_region before = b.echo.be->mem.regions[0];
	assert_int_equal(peer_set_mem(&b.peer), 0); /* although a request is under way */
	assert_int_equal(b.echo.nr_stops, 0);
	assert_ptr_equal(b.echo.be->mem.regions[0].hva, before.hva);
	/* the same numbers for another file are not the same */
	int other = new_file(PEER_MEM_SIZE + 4096);
	echo_release(&b.echo, 1);
	const struct rwy_vu_region region = peer_region();
	assert_int_equal(set_table(&b, &region, &other, 1), 0);
	assert_int_equal(b.echo.nr_stops, 1);
	assert_ptr_not_equal(b.echo.be->mem.regions[0].hva, before.hva);
	rwy_fd_close(&other);
	bench_close(&b);
}

/* Requests under way, the table grows, and then the ring goes on as if nothing had been. */
static void new_table_while_rings_run(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(formats); i++) {
		struct bench b;
		struct rwy_vu_msg msg;
		void *cookie;
		uint32_t len;
		int fd = new_file(MIB);

		bench_run(&b, formats[i]);
		for (unsigned k = 0; k < 21; k++)
			assert_true(peer_is_served(&b.peer, 0, 8, 8));
		b.echo.hold = true;
		peer_post(&b.peer, 0, 0, 8, 8, 8, &b);
		peer_turn(&b.peer);
		struct rwy_vu_mem_table table = {.nregions = 2, .regions = {second, peer_region()}};
		const int fds[2] = {fd, b.peer.mem_fd};
		peer_send(&b.peer, RWY_VU_SET_MEM_TABLE, 9, &table, 72, fds, 2);
		peer_turn(&b.peer);
		assert_int_equal(b.echo.be->mem.nr, 1); /* waits for the request */
		assert_int_equal(rwy_vu_chan_recv(&b.peer.chan, &msg), 0);
		b.echo.hold = false;
		echo_release(&b.echo, 1);
		assert_int_equal(peer_recv(&b.peer, &msg), 1);
		assert_true(msg.payload.u64 == 0);
		assert_int_equal(b.echo.be->mem.nr, 2);
		assert_int_equal(b.echo.nr_regions, 2);
		assert_int_equal(peer_used(&b.peer, 0, &cookie, &len), 1);
		for (unsigned k = 0; k < 40; k++)
			assert_true(peer_is_served(&b.peer, 0, 8, 8));
		rwy_fd_close(&fd);
		bench_close(&b);
	}
}

static void add_and_remove_while_rings_run(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(formats); i++) {
		struct bench b;
		void *cookie;
		uint32_t len;
		int fd = new_file(MIB);

		bench_run(&b, formats[i]);
		b.echo.hold = true;
		peer_post(&b.peer, 0, 0, 8, 8, 8, &b);
		peer_turn(&b.peer);
		/* adding disturbs nobody */
		assert_int_equal(change(&b, RWY_VU_ADD_MEM_REG, &second, fd), 0);
		assert_int_equal(b.echo.nr_stops, 0);
		b.echo.hold = false;
		echo_release(&b.echo, 1);
		assert_int_equal(peer_used(&b.peer, 0, &cookie, &len), 1);
		const struct rwy_vqd_buf buf = {.gpa = {second.gpa + MIB - 8}, .len = 8};
		for (unsigned k = 0; k < 20; k++) {
			assert_int_equal(rwy_vqd_add(&b.peer.rings[0].vqd, &buf, 1, 0, &b), 0);
			rwy_vqd_publish(&b.peer.rings[0].vqd);
			peer_kick(&b.peer, 0);
			assert_int_equal(peer_used(&b.peer, 0, &cookie, &len), 1);
		}
		/* a fourth of it is not it; a descriptor with it is closed */
		struct rwy_vu_region wrong = second;
		wrong.size /= 4;
		assert_int_equal(change(&b, RWY_VU_REM_MEM_REG, &wrong, fd), 1);
		wrong = second;
		wrong.uva += 4096;
		assert_int_equal(change(&b, RWY_VU_REM_MEM_REG, &wrong, -1), 1);
		wrong = second;
		wrong.mmap_offset = 12345; /* does not count */
		assert_int_equal(change(&b, RWY_VU_REM_MEM_REG, &wrong, fd), 0);
		assert_int_equal(change(&b, RWY_VU_REM_MEM_REG, &second, -1), 1);
		assert_int_equal(b.echo.nr_regions, 1);
		assert_true(peer_is_served(&b.peer, 0, 8, 8));
		assert_int_equal(rwy_vqd_add(&b.peer.rings[0].vqd, &buf, 1, 0, &b), 0);
		rwy_vqd_publish(&b.peer.rings[0].vqd);
		peer_kick(&b.peer, 0);
		peer_turn(&b.peer);
		assert_int_equal(b.echo.be->vqs[0].broken, RWY_VQ_ADDRESS);
		rwy_fd_close(&fd);
		bench_close(&b);
	}
}

/* The ring itself is taken away: it is broken, says so, and still answers. */
static void removal_under_a_ring(void **state)
{
	(void)state;
	struct bench b;
	const struct rwy_vu_region region = peer_region();

	bench_run(&b, 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	unsigned maps = count_maps();
	assert_int_equal(change(&b, RWY_VU_REM_MEM_REG, &region, -1), 0);
	assert_int_equal(count_maps(), maps - 1);
	assert_int_equal(rwy_fd_drain(b.peer.rings[0].err), 1);
	peer_kick(&b.peer, 0);
	peer_turn(&b.peer);
	assert_int_equal(peer_ring_stop(&b.peer, 0), 1);
	assert_int_equal(change(&b, RWY_VU_ADD_MEM_REG, &region, b.peer.mem_fd), 0);
	assert_int_equal(peer_ring_start(&b.peer, 0, 1), 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	bench_close(&b);
}

static void every_slot(void **state)
{
	(void)state;
	struct bench b;
	int fd = new_file(4096);
	struct rwy_vu_region r = {.size = 4096};
	const struct rwy_vu_region last = {.gpa = 0x70000000000,
					   .size = 4096,
					   .uva = 0x70000000000};

	bench_run(&b, 0);
	unsigned maps = count_maps();
	for (unsigned i = 1; i < RWY_MEM_MAX; i++) {
		r.gpa = r.uva = 0x10000000000 - i * UINT64_C(0x10000); /* goes in at the front */
		assert_int_equal(change(&b, RWY_VU_ADD_MEM_REG, &r, fd), 0);
	}
	assert_int_equal(change(&b, RWY_VU_ADD_MEM_REG, &last, fd), 1);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	assert_int_equal(change(&b, RWY_VU_REM_MEM_REG, &r, -1), 0);
	assert_int_equal(change(&b, RWY_VU_ADD_MEM_REG, &last, fd), 0);
	/* a table takes the place of them all */
	assert_int_equal(peer_set_mem(&b.peer), 0);
	assert_int_equal(b.echo.be->mem.nr, 1);
	assert_true(count_maps() <= maps + 1);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	rwy_fd_close(&fd);
	bench_close(&b);
}

static void a_listener_may_refuse(void **state)
{
	(void)state;
	struct bench b;
	int fd = new_file(MIB);

	bench_run(&b, 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	unsigned maps = count_maps();
	b.echo.mem_refuses = true;
	assert_int_equal(change(&b, RWY_VU_ADD_MEM_REG, &second, fd), 1);
	assert_int_equal(count_maps(), maps);
	b.echo.mem_refuses = false;
	assert_int_equal(change(&b, RWY_VU_ADD_MEM_REG, &second, fd), 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	rwy_fd_close(&fd);
	bench_close(&b);
}

/* The end comes while a new table waits: neither table is left mapped. */
static void end_while_a_table_waits(void **state)
{
	(void)state;
	unsigned maps = count_maps();

	for (unsigned round = 0; round < 3; round++) {
		struct bench b;
		int fd = new_file(MIB);

		bench_run(&b, 0);
		b.echo.hold = true;
		peer_post(&b.peer, 0, 0, 8, 8, 8, &b);
		peer_turn(&b.peer);
		const struct rwy_vu_mem_table table = {.nregions = 1, .regions = {second}};
		peer_send(&b.peer, RWY_VU_SET_MEM_TABLE, 9, &table, 40, &fd, 1);
		peer_turn(&b.peer);
		rwy_be_close(b.echo.be);
		echo_release(&b.echo, 1);
		peer_turn(&b.peer);
		assert_null(b.echo.be);
		rwy_fd_close(&fd);
		bench_close(&b);
		if (round == 0)
			maps = count_maps(); /* the allocator has what it wants */
	}
	assert_true(count_maps() <= maps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_regions_change_nothing),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(identical_table_is_nothing),
		cmocka_unit_test(new_table_while_rings_run),
		cmocka_unit_test(add_and_remove_while_rings_run),
		cmocka_unit_test(removal_under_a_ring),
		cmocka_unit_test(every_slot),
		cmocka_unit_test(a_listener_may_refuse),
		cmocka_unit_test(end_while_a_table_waits),
	};

	return UNIT_RUN(tests);
}
