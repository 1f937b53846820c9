/* SPDX-License-Identifier: BSD-3-Clause */
/* The messages of the dirty log: which logs are taken, what is logged when, and where to. */
#include "tests/proto/bench.h"

#include <linux/virtio_config.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE	 4096u
#define LOG_ALL	 RWY_BIT64(RWY_VU_F_LOG_ALL)
#define END	 (PEER_GPA + PEER_MEM_SIZE)
#define LOG_LEN	 (END / PAGE / 8) /* exactly */
#define FILE_LEN (3 * PAGE)
#define OFFSET	 (PAGE + 24) /* of the log in its file */
#define IN	 (5 * PAGE)  /* where echoes go; from the first byte of buffers */

static const uint64_t formats[] = {0, RWY_BIT64(VIRTIO_F_RING_PACKED)};

struct log {
	int fd;
	uint8_t *file;
	uint8_t *bits;
};

static void open_log(struct log *log)
{
	log->fd = memfd_create("log", MFD_CLOEXEC);
	assert_int_equal(ftruncate(log->fd, FILE_LEN), 0);
	log->file = mmap(NULL, FILE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, log->fd, 0);
	assert_ptr_not_equal(log->file, MAP_FAILED);
	log->bits = log->file + OFFSET;
}

static void close_log(struct log *log)
{
	munmap(log->file, FILE_LEN);
	rwy_fd_close(&log->fd);
}

static bool set_base(struct bench *b, int fd, uint64_t len, uint64_t off)
{
	const struct rwy_vu_log msg = {.size = len, .offset = off};
	struct rwy_vu_msg reply;

	peer_send(&b->peer, RWY_VU_SET_LOG_BASE, 1, &msg, sizeof(msg), &fd, 1);
	if (peer_recv(&b->peer, &reply) != 1)
		return false;
	assert_int_equal(reply.hdr.request, RWY_VU_SET_LOG_BASE);
	assert_int_equal(reply.hdr.size, 8);
	assert_int_equal(reply.payload.u64, 0);
	assert_int_equal(reply.nr_fds, 0);
	return true;
}

static bool give(struct bench *b, const struct log *log)
{
	return set_base(b, log->fd, LOG_LEN, OFFSET);
}

static int64_t ask(struct bench *b, bool on)
{
	return peer_ack_u64(&b->peer, RWY_VU_SET_FEATURES, b->peer.features | (on ? LOG_ALL : 0),
			    -1);
}

static int64_t ask_ring(struct bench *b, bool on)
{
	struct rwy_vu_vring_addr addr = peer_ring_addr(&b->peer, 0);

	addr.flags = on;
	addr.log = UINT64_MAX; /* not what counts */
	return peer_ack(&b->peer, RWY_VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

static bool marked(const struct log *log, uint64_t gpa)
{
	return log->bits[gpa / PAGE / 8] & 1 << gpa / PAGE % 8;
}

/* Marks in all of the file, which are then taken away. */
static unsigned count(struct log *log)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FILE_LEN; i++)
		n += (unsigned)__builtin_popcount(log->file[i]);
	memset(log->file, 0, FILE_LEN);
	return n;
}

/* An echo of some bytes to the page at IN. */
static void echo(struct bench *b)
{
	void *cookie;
	uint32_t len;

	peer_post(&b->peer, 0, 0, 100, IN, 100, b);
	assert_int_equal(peer_used(&b->peer, 0, &cookie, &len), 1);
}

/* A page of buffers, and one of the ring: all of a ring of 16 is in its first. */
static void expect_both(struct log *log)
{
	assert_true(marked(log, peer_gpa(IN).v));
	assert_true(marked(log, PEER_GPA));
	assert_int_equal(count(log), 2);
}

static void expect_ring(struct log *log)
{
	assert_true(marked(log, PEER_GPA));
	assert_int_equal(count(log), 1);
}

static void start(struct bench *b, struct log *log, uint64_t format)
{
	bench_run(b, format);
	open_log(log);
	assert_true(peer_is_served(&b->peer, 0, 8, 8));
}

static void end(struct bench *b, struct log *log)
{
	bench_close(b);
	close_log(log);
}

static void logging_comes_and_goes_while_the_ring_runs(void **state)
{
	struct bench b;
	struct log log;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(formats); i++) {
		start(&b, &log, formats[i]);
		assert_true(give(&b, &log));
		echo(&b);
		assert_int_equal(count(&log), 0);
		for (unsigned k = 0; k < 3; k++) {
			assert_int_equal(ask(&b, true), 0);
			assert_int_equal(ask(&b, true), 0);
			expect_ring(&log);
			echo(&b);
			expect_both(&log);
			assert_int_equal(ask(&b, false), 0);
			count(&log);
			echo(&b);
			assert_int_equal(count(&log), 0);
		}
		assert_int_equal(b.echo.nr_stops, 0); /* not even paused */
		end(&b, &log);
	}
}

static void a_ring_is_logged_by_itself(void **state)
{
	struct bench b;
	struct log log;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(formats); i++) {
		start(&b, &log, formats[i]);
		assert_int_equal(ask_ring(&b, true), 1); /* no log */
		assert_true(give(&b, &log));
		assert_int_equal(ask_ring(&b, true), 0);
		count(&log);
		echo(&b);
		expect_ring(&log);
		/* QEMU's order: all on, then the rings; all off, then the rings */
		assert_int_equal(ask(&b, true), 0);
		assert_int_equal(ask_ring(&b, true), 0);
		echo(&b);
		expect_both(&log);
		assert_int_equal(ask(&b, false), 0);
		assert_int_equal(ask_ring(&b, false), 0);
		count(&log);
		echo(&b);
		assert_int_equal(count(&log), 0);
		end(&b, &log);
	}
}

/* What is asked for and cannot be is refused, and all stays as it was. */
static void no_logging_without_a_log(void **state)
{
	struct bench b;
	struct log log;

	start(&b, &log, 0);
	assert_int_equal(ask(&b, true), 1);
	assert_false(b.echo.be->features & LOG_ALL);
	/* another feature does not slip through with it */
	assert_true(give(&b, &log));
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_FEATURES,
				      (b.peer.features | LOG_ALL) ^ RWY_BIT64(28), -1),
			 1);
	assert_int_equal(ask(&b, true), 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	end(&b, &log);
}

/* QEMU sends the log last: until then a ring that has chains stays as it is. */
static void a_ring_waits_for_its_log(void **state)
{
	struct bench b;
	struct log log;
	void *cookie;
	uint32_t len;

	for (unsigned i = 0; i < 2 * RWY_ARRAY_SIZE(formats); i++) {
		bench_open(&b);
		open_log(&log);
		peer_negotiate(&b.peer, formats[i / 2]);
		assert_int_equal(peer_set_mem(&b.peer), 0);
		peer_ring_open(&b.peer, 0, 16);
		if (i % 2)
			assert_true(give(&b, &log));
		assert_int_equal(ask(&b, true), 0);
		assert_int_equal(peer_ring_start(&b.peer, 0, peer_ring_fresh_base(&b.peer)), 0);
		peer_post(&b.peer, 0, 0, 100, IN, 100, &b);
		peer_kick(&b.peer, 0);
		peer_turn(&b.peer);
		assert_int_equal(b.echo.nr_starts, i % 2);
		if (i % 2 == 0)
			assert_true(give(&b, &log));
		assert_int_equal(peer_used(&b.peer, 0, &cookie, &len), 1);
		expect_both(&log);
		end(&b, &log);
	}
}

/* Without a way to share a log there is no migration to be had, and nothing to wait for. */
static void a_ring_that_can_have_no_log_runs(void **state)
{
	const uint64_t pf = RWY_BIT64(RWY_VU_PF_REPLY_ACK);
	struct bench b;

	bench_open(&b);
	peer_negotiate(&b.peer, 0);
	assert_int_equal(peer_ack_u64(&b.peer, RWY_VU_SET_PROTOCOL_FEATURES, pf, -1), 0);
	assert_int_equal(peer_set_mem(&b.peer), 0);
	assert_int_equal(ask(&b, true), 0);
	peer_ring_open(&b.peer, 0, 16);
	assert_int_equal(peer_ring_start(&b.peer, 0, 0), 0);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	assert_int_equal(ask(&b, true), 0);
	bench_close(&b);
}

static void a_log_is_replaced_while_it_is_used(void **state)
{
	struct bench b;
	struct log logs[2];

	start(&b, &logs[0], 0);
	open_log(&logs[1]);
	assert_true(give(&b, &logs[0]));
	assert_int_equal(ask(&b, true), 0);
	for (unsigned i = 0; i < 100; i++) {
		struct log *now = &logs[i % 2], *old = &logs[!(i % 2)];

		echo(&b);
		expect_both(now);
		assert_int_equal(count(old), 0);
		assert_true(give(&b, old));
		expect_ring(old);
		count(now); /* the reactor went to sleep and woke */
	}
	close_log(&logs[1]);
	end(&b, &logs[0]);
}

/* Requests that were popped before, and are done after. */
static void what_is_under_way_is_logged_when_it_is_done(void **state)
{
	struct bench b;
	struct log log;

	start(&b, &log, 0);
	b.echo.hold = true;
	peer_post(&b.peer, 0, 0, 100, IN, 100, &b);
	peer_turn(&b.peer);
	assert_int_equal(b.echo.nr_held, 1);
	assert_true(give(&b, &log));
	assert_int_equal(ask(&b, true), 0);
	assert_false(marked(&log, peer_gpa(IN).v));
	echo_release(&b.echo, 1);
	expect_both(&log);
	/* and by GET_VRING_BASE, which waits for it; then nothing more */
	peer_post(&b.peer, 0, 0, 100, IN, 100, &b);
	peer_turn(&b.peer);
	const struct rwy_vu_vring_state ring = {0};
	peer_send(&b.peer, RWY_VU_GET_VRING_BASE, 1, &ring, sizeof(ring), NULL, 0);
	peer_turn(&b.peer);
	count(&log);
	echo_release(&b.echo, 1);
	struct rwy_vu_msg reply;
	assert_int_equal(peer_recv(&b.peer, &reply), 1);
	expect_both(&log);
	peer_turn(&b.peer);
	assert_int_equal(count(&log), 0);
	end(&b, &log);
}

static int64_t add_memory(struct bench *b, uint64_t gpa, uint64_t size)
{
	const struct rwy_vu_mem_reg reg = {.region = {gpa, size, PEER_UVA + gpa, 0}};

	return peer_ack(&b->peer, RWY_VU_ADD_MEM_REG, &reg, sizeof(reg), &b->peer.mem_fd, 1);
}

static int64_t set_memory(struct bench *b, uint64_t gpa, uint64_t size)
{
	const struct rwy_vu_mem_table table = {
		.nregions = 2,
		.regions = {peer_region(), {gpa, size, PEER_UVA + gpa, 0}},
	};
	const int fds[] = {b->peer.mem_fd, b->peer.mem_fd};

	return peer_ack(&b->peer, RWY_VU_SET_MEM_TABLE, &table, 72, fds, 2);
}

/* The last byte of each region has its bit; one byte of log is eight pages. */
static void a_log_reaches_to_the_end_of_memory(void **state)
{
	struct bench b;
	struct log log;

	start(&b, &log, 0);
	assert_true(give(&b, &log));
	assert_int_equal(ask(&b, true), 0);
	assert_int_equal(add_memory(&b, END, PAGE), 1);
	assert_int_equal(set_memory(&b, END, PAGE), 1);
	assert_int_equal(add_memory(&b, RWY_BIT64(40), PAGE), 1);
	assert_int_equal(add_memory(&b, UINT64_MAX - PAGE + 1, PAGE), 1);
	assert_int_equal(add_memory(&b, END, 0), 1);
	assert_int_equal(b.echo.nr_stops, 0);
	echo(&b);
	expect_both(&log);
	/* as QEMU does it: first the log, then memory */
	assert_true(set_base(&b, log.fd, LOG_LEN + 1, OFFSET));
	assert_int_equal(add_memory(&b, END, 8 * PAGE), 0);
	assert_int_equal(add_memory(&b, END + 8 * PAGE, 1), 1);
	echo(&b);
	expect_both(&log);
	/* too short by a byte, and that is the end */
	assert_false(set_base(&b, log.fd, LOG_LEN, OFFSET));
	end(&b, &log);
}

/* A log that was outgrown while it was not used is no log any more. */
static void a_log_that_was_outgrown_is_none(void **state)
{
	struct bench b;
	struct log log;

	start(&b, &log, 0);
	assert_true(give(&b, &log));
	assert_int_equal(set_memory(&b, END, PAGE), 0);
	assert_int_equal(ask(&b, true), 1);
	assert_true(peer_is_served(&b.peer, 0, 8, 8));
	assert_true(set_base(&b, log.fd, LOG_LEN + 1, OFFSET));
	assert_int_equal(ask(&b, true), 0);
	echo(&b);
	expect_both(&log);
	end(&b, &log);
}

/* CVE-2019-14835: the chain's own lengths say what is marked, whatever the driver claims. */
static void only_what_was_written_is_marked(void **state)
{
	struct bench b;
	struct log log;
	void *cookie;
	uint32_t len;

	start(&b, &log, 0);
	assert_true(give(&b, &log));
	assert_int_equal(ask(&b, true), 0);
	count(&log);
	/* 100 bytes into three pages, up to the last byte of memory */
	peer_post(&b.peer, 0, 0, 100, PEER_MEM_SIZE - PEER_BUFS - 3 * PAGE, 3 * PAGE, &b);
	assert_int_equal(peer_used(&b.peer, 0, &cookie, &len), 1);
	assert_int_equal(len, 100);
	assert_true(marked(&log, END - 3 * PAGE));
	assert_int_equal(count(&log), 2);
	peer_post(&b.peer, 0, 0, 3 * PAGE, PEER_MEM_SIZE - PEER_BUFS - 3 * PAGE, 3 * PAGE, &b);
	assert_int_equal(peer_used(&b.peer, 0, &cookie, &len), 1);
	assert_true(marked(&log, END - 1));
	assert_int_equal(count(&log), 4);
	/* nothing to write */
	peer_post(&b.peer, 0, 0, 100, IN, 0, &b);
	assert_int_equal(peer_used(&b.peer, 0, &cookie, &len), 1);
	expect_ring(&log);
	end(&b, &log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logging_comes_and_goes_while_the_ring_runs),
		cmocka_unit_test(a_ring_is_logged_by_itself),
		cmocka_unit_test(no_logging_without_a_log),
		cmocka_unit_test(a_ring_waits_for_its_log),
		cmocka_unit_test(a_ring_that_can_have_no_log_runs),
		cmocka_unit_test(a_log_is_replaced_while_it_is_used),
		cmocka_unit_test(what_is_under_way_is_logged_when_it_is_done),
		cmocka_unit_test(a_log_reaches_to_the_end_of_memory),
		cmocka_unit_test(a_log_that_was_outgrown_is_none),
		cmocka_unit_test(only_what_was_written_is_marked),
	};

	return UNIT_RUN_QUIET(tests);
}
