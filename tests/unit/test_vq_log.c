/* SPDX-License-Identifier: BSD-3-Clause */
/* The dirty log of a queue: which bits, within which bounds, and that a queue without is as ever.
 */
#include "lib/vq_log.h"
#include "tests/ring/ring_pair.h"
#include "tests/unit/unit.h"

#define PAGE	UINT64_C(4096)
#define GUARD	0xa5
#define MAP_LEN 4 /* 32 pages */

/* Bits of a map, with a byte on either side that nobody may touch. */
struct bits {
	uint8_t bytes[MAP_LEN + 2];
	struct rwy_vq_log_map map;
};

static void clear(struct bits *b)
{
	memset(b->bytes, 0, sizeof(b->bytes));
	b->bytes[0] = b->bytes[MAP_LEN + 1] = GUARD;
	b->map = (struct rwy_vq_log_map){.bytes = b->bytes + 1, .len = MAP_LEN};
}

static uint32_t word(const struct bits *b)
{
	uint32_t word = 0;

	assert_int_equal(b->bytes[0], GUARD);
	assert_int_equal(b->bytes[MAP_LEN + 1], GUARD);
	for (unsigned i = 0; i < MAP_LEN; i++)
		word |= (uint32_t)b->map.bytes[i] << 8 * i;
	return word;
}

static void marks_are_the_pages_of_the_bytes(void **state)
{
	static const struct {
		uint64_t gpa;
		uint64_t len;
		uint32_t bits;
	} cases[] = {
		{0, 1, 1},
		{0, 0, 0},
		{PAGE, 0, 0},
		{PAGE - 1, 1, 1},
		{PAGE - 1, 2, 3},
		{PAGE, PAGE, 2},
		{PAGE, PAGE + 1, 6},
		{7 * PAGE, PAGE, 0x80},
		{7 * PAGE + 1, PAGE, 0x180},
		{3 * PAGE, 20 * PAGE, 0x7ffff8},
		{0, 32 * PAGE, UINT32_MAX},
		{31 * PAGE, PAGE, 0x80000000},
		/* CVE-2019-14835 and its kind: what is beyond is not marked, and nothing near it */
		{31 * PAGE, 2 * PAGE, 0x80000000},
		{32 * PAGE, 1, 0},
		{32 * PAGE, UINT64_MAX, 0},
		{0, UINT64_MAX, UINT32_MAX},
		{30 * PAGE, UINT64_MAX, 0xc0000000},
		{UINT64_MAX, 1, 0},
		{UINT64_MAX, UINT64_MAX, 0},
		{UINT64_MAX - PAGE, PAGE + 2, 0},
		{RWY_BIT64(63), RWY_BIT64(63), 0},
	};
	struct bits b;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(cases); i++) {
		clear(&b);
		rwy_vq_log_mark(&b.map, (rwy_gpa){cases[i].gpa}, cases[i].len);
		if (word(&b) != cases[i].bits)
			fail_msg("%#lx+%#lx: %#x", cases[i].gpa, cases[i].len, word(&b));
	}
}

static void marks_of_others_stay(void **state)
{
	struct bits b;

	clear(&b);
	b.map.bytes[1] = 0x41;
	rwy_vq_log_mark(&b.map, (rwy_gpa){9 * PAGE}, 2 * PAGE);
	assert_int_equal(word(&b), 0x4700);
	/* a map of nothing is one where everything is beyond */
	b.map.len = 0;
	rwy_vq_log_mark(&b.map, (rwy_gpa){0}, UINT64_MAX);
	b.map.len = MAP_LEN;
	assert_int_equal(word(&b), 0x4700);
}

/* The guest of ring_pair.h: descriptors from 0, driver's from 16 KiB, device's from 32 KiB on. */
static const struct pair_config kinds[] = {
	{.size = 16},
	{.size = 16, .event_idx = true},
	{.size = 16, .in_order = true},
	{.size = 16, .packed = true},
	{.size = 16, .packed = true, .event_idx = true},
	{.size = 16, .packed = true, .in_order = true},
};
#define FIRST_DATA (DATA / PAGE)

static uint32_t ring_bits(const struct pair_config *c)
{
	return 1u << 2 * AREA_LEN / PAGE | (c->packed ? 1 : 0);
}

/* One chain of 100 bytes to write, at the last bytes of a page of data. */
static void serve(struct pair *p, uint32_t written, bool beyond)
{
	const struct rwy_vqd_buf buf = {{(FIRST_DATA + 3) * PAGE - 50}, 100};
	struct rwy_chain chain;
	struct iovec iov[4];
	uint32_t len;
	void *cookie;

	assert_int_equal(rwy_vqd_add(&p->drv, &buf, 0, 1, p), 0);
	rwy_vqd_publish(&p->drv);
	assert_int_equal(rwy_vq_pop(&p->dev, &chain, 1, iov, RWY_ARRAY_SIZE(iov)), 1);
	assert_false(chain.beyond);
	chain.written = written;
	chain.beyond = beyond;
	rwy_vq_push(&p->dev, &chain, 1);
	rwy_vq_publish(&p->dev);
	assert_int_equal(rwy_vqd_get(&p->drv, &cookie, &len), 1);
}

static void what_is_written_is_marked(void **state)
{
	const uint32_t first = 1u << (FIRST_DATA + 2), second = first << 1;
	struct rwy_vq_log log;
	struct bits b;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(kinds); i++) {
		const uint32_t ring = ring_bits(&kinds[i]);
		struct pair *p = pair_open(&kinds[i]);

		clear(&b);
		rwy_vq_log_start(&p->dev, &log, &b.map, true);
		assert_int_equal(word(&b), ring); /* its start has written */
		clear(&b);
		serve(p, 0, false);
		assert_int_equal(word(&b), ring);
		serve(p, 50, false);
		assert_int_equal(word(&b), ring | first);
		clear(&b);
		serve(p, 51, false);
		assert_int_equal(word(&b), ring | first | second);
		clear(&b);
		serve(p, 1, true);
		assert_int_equal(word(&b), ring | first | second);
		clear(&b);
		(void)rwy_vq_arm(&p->dev);
		assert_int_equal(word(&b) & ~ring, 0);
		assert_true(word(&b) & 1u << 2 * AREA_LEN / PAGE);
		clear(&b);
		rwy_vq_disarm(&p->dev);
		assert_int_equal(word(&b) & ~ring, 0);
		/* the ring only */
		clear(&b);
		rwy_vq_log_start(&p->dev, &log, &b.map, false);
		serve(p, 100, true);
		assert_int_equal(word(&b), ring);
		pair_close(p);
	}
}

/* Which table a queue has is all there is to it: not logged, it has the one it started with. */
static void a_queue_that_is_not_logged_is_as_ever(void **state)
{
	struct rwy_vq_log log;
	struct bits b;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(kinds); i++) {
		struct pair *p = pair_open(&kinds[i]);
		const struct rwy_vq_ops *const plain = p->dev.ops;

		rwy_vq_log_stop(&p->dev, &log);
		assert_ptr_equal(p->dev.ops, plain);
		clear(&b);
		rwy_vq_log_start(&p->dev, &log, &b.map, true);
		rwy_vq_log_start(&p->dev, &log, &b.map, true);
		assert_ptr_not_equal(p->dev.ops, plain);
		rwy_vq_log_stop(&p->dev, &log);
		assert_ptr_equal(p->dev.ops, plain);
		clear(&b);
		serve(p, 100, true);
		(void)rwy_vq_arm(&p->dev);
		rwy_vq_disarm(&p->dev);
		assert_int_equal(word(&b), 0);
		rwy_vq_log_start(&p->dev, &log, &b.map, true);
		p->config.base = rwy_vq_stop(&p->dev);
		assert_int_equal(rwy_vq_start(&p->dev, &p->config), 0);
		assert_ptr_equal(p->dev.ops, plain);
		pair_close(p);
	}
}

/* What was pushed is published by stop, and marked. */
static void a_stop_is_marked(void **state)
{
	struct rwy_vq_log log;
	struct bits b;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(kinds); i++) {
		struct pair *p = pair_open(&kinds[i]);
		const struct rwy_vqd_buf buf = {{DATA}, 8};
		struct rwy_chain chain;
		struct iovec iov[4];

		clear(&b);
		rwy_vq_log_start(&p->dev, &log, &b.map, true);
		assert_int_equal(rwy_vqd_add(&p->drv, &buf, 0, 1, p), 0);
		rwy_vqd_publish(&p->drv);
		assert_int_equal(rwy_vq_pop(&p->dev, &chain, 1, iov, RWY_ARRAY_SIZE(iov)), 1);
		rwy_vq_push(&p->dev, &chain, 1);
		clear(&b);
		(void)rwy_vq_stop(&p->dev);
		assert_int_equal(word(&b), ring_bits(&kinds[i]));
		pair_close(p);
	}
}

/* The memory of a logged queue goes: it is broken, and marks nothing that it cannot know. */
static void a_queue_without_memory_marks_nothing(void **state)
{
	struct rwy_vq_log log;
	struct bits b;
	struct pair *p = pair_open(&kinds[0]);

	clear(&b);
	rwy_vq_log_start(&p->dev, &log, &b.map, true);
	rwy_mem_fini(&p->mem);
	assert_int_not_equal(rwy_vq_remap(&p->dev, &p->config), 0);
	clear(&b);
	rwy_vq_publish(&p->dev);
	rwy_vq_log_start(&p->dev, &log, &b.map, true);
	rwy_vq_publish(&p->dev);
	(void)rwy_vq_arm(&p->dev);
	assert_int_equal(word(&b), 0);
	pair_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_are_the_pages_of_the_bytes),
		cmocka_unit_test(marks_of_others_stay),
		cmocka_unit_test(what_is_written_is_marked),
		cmocka_unit_test(a_queue_that_is_not_logged_is_as_ever),
		cmocka_unit_test(a_stop_is_marked),
		cmocka_unit_test(a_queue_without_memory_marks_nothing),
	};

	return UNIT_RUN_QUIET(tests);
}
