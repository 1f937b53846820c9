/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"

#include "lib/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KIB	  1024u
#define DIARY_LEN 256

static uint8_t ram[64 * KIB];

static struct rwy_mem_region region(uint64_t gpa, uint64_t uva, uint64_t size, size_t at)
{
	return (struct rwy_mem_region){
		.gpa = {gpa}, .uva = {uva}, .size = size, .hva = ram + at, .fd = -1};
}

static int add(struct rwy_mem *mem, uint64_t gpa, uint64_t uva, uint64_t size, size_t at)
{
	struct rwy_mem_region r = region(gpa, uva, size, at);

	return rwy_mem_add(mem, &r);
}

static void *at(const struct rwy_mem *mem, uint64_t gpa, uint64_t len)
{
	return rwy_mem_at(mem, (rwy_gpa){gpa}, len);
}

static void door_keeps_bounds(void **state)
{
	(void)state;
	static struct rwy_mem mem;

	rwy_mem_init(&mem);
	assert_null(at(&mem, 0, 0));
	assert_int_equal(add(&mem, 0x1000, 0, 4 * KIB, 0), 0);
	assert_ptr_equal(at(&mem, 0x1000, 4 * KIB), ram);
	assert_ptr_equal(at(&mem, 0x1fff, 1), ram + 4095);
	assert_ptr_equal(at(&mem, 0x1fff, 0), ram + 4095);
	assert_null(at(&mem, 0x1000, 4 * KIB + 1));
	assert_null(at(&mem, 0x1fff, 2));
	assert_null(at(&mem, 0x2000, 0));
	assert_null(at(&mem, 0xfff, 1));
	assert_null(at(&mem, 0x1001, UINT64_MAX)); /* the sum wraps to an address inside */
	assert_null(at(&mem, UINT64_MAX, 1));
	rwy_mem_fini(&mem);
}

static void add_refuses_nonsense(void **state)
{
	(void)state;
	static struct rwy_mem mem;

	rwy_mem_init(&mem);
	assert_int_equal(add(&mem, 0x1000, 0, 0, 0), -EINVAL);
	assert_int_equal(add(&mem, UINT64_MAX - 0xfff, 0, 0x1000, 0), -EINVAL);
	assert_int_equal(add(&mem, UINT64_MAX - 0xffe, 0, 0x1000, 0), -EINVAL);
	assert_int_equal(add(&mem, 0, UINT64_MAX - 0xffe, 0x1000, 0), -EINVAL);
	assert_int_equal(add(&mem, 0, 0, UINT64_MAX, 0), -EINVAL); /* wraps our own addresses */
	struct rwy_mem_region r = region(0, 0, 1, 0);
	r.hva = NULL;
	assert_int_equal(rwy_mem_add(&mem, &r), -EINVAL);
	assert_int_equal(mem.nr, 0);
	assert_int_equal(mem.gen, 0);
}

static void add_refuses_overlap(void **state)
{
	(void)state;
	static struct rwy_mem mem;

	rwy_mem_init(&mem);
	assert_int_equal(add(&mem, 0x4000, 0x10000, 0x1000, 0), 0);
	assert_int_equal(add(&mem, 0x4000, 0x20000, 0x1000, 0), -EEXIST);
	assert_int_equal(add(&mem, 0x4fff, 0x20000, 0x1000, 0), -EEXIST);
	assert_int_equal(add(&mem, 0x3001, 0x20000, 0x1000, 0), -EEXIST);
	assert_int_equal(add(&mem, 0, 0x20000, 0x9000, 0), -EEXIST);
	assert_int_equal(add(&mem, 0x5000, 0x10fff, 0x1000, 0), -EEXIST);
	assert_int_equal(add(&mem, 0x5000, 0x11000, 0x1000, 0), 0);
	assert_int_equal(add(&mem, 0x3000, 0, 0x1000, 0), 0); /* no front-end address: no clash */
	assert_int_equal(mem.nr, 3);
	rwy_mem_fini(&mem);
}

static void many_regions_stay_sorted(void **state)
{
	(void)state;
	static struct rwy_mem mem;

	rwy_mem_init(&mem);
	/* 509 is prime, so stepping by 200 visits every place once, in no order. */
	for (unsigned i = 0; i < RWY_MEM_MAX; i++) {
		uint64_t n = i * 200 % RWY_MEM_MAX;

		assert_int_equal(add(&mem, n * 0x100, 0, 0x80, n * 0x80), 0);
	}
	assert_int_equal(add(&mem, 0x1000000, 0, 1, 0), -ENOSPC);
	for (uint64_t n = 0; n < RWY_MEM_MAX; n++) {
		assert_ptr_equal(at(&mem, n * 0x100 + 0x7f, 1), ram + n * 0x80 + 0x7f);
		assert_null(at(&mem, n * 0x100 + 0x80, 1));
	}
	for (unsigned i = 0; i < RWY_MEM_MAX; i++) {
		uint64_t n = i * 300 % RWY_MEM_MAX;
		struct rwy_mem_region out;

		assert_int_equal(rwy_mem_del(&mem, (rwy_gpa){n * 0x100}, (rwy_uva){0}, 0x80, &out),
				 0);
		assert_ptr_equal(out.hva, ram + n * 0x80);
	}
	assert_int_equal(mem.nr, 0);
}

static void del_matches_all_three(void **state)
{
	(void)state;
	static struct rwy_mem mem;

	rwy_mem_init(&mem);
	assert_int_equal(rwy_mem_del(&mem, (rwy_gpa){0}, (rwy_uva){0}, 1, NULL), -ENOENT);
	assert_int_equal(add(&mem, 0x1000, 0x7000, 0x1000, 0), 0);
	assert_int_equal(rwy_mem_del(&mem, (rwy_gpa){0x1001}, (rwy_uva){0x7000}, 0x1000, NULL),
			 -ENOENT);
	assert_int_equal(rwy_mem_del(&mem, (rwy_gpa){0x1000}, (rwy_uva){0x7001}, 0x1000, NULL),
			 -ENOENT);
	assert_int_equal(rwy_mem_del(&mem, (rwy_gpa){0x1000}, (rwy_uva){0x7000}, 0xfff, NULL),
			 -ENOENT);
	uint32_t gen = mem.gen;
	assert_int_equal(rwy_mem_del(&mem, (rwy_gpa){0x1000}, (rwy_uva){0x7000}, 0x1000, NULL), 0);
	assert_int_not_equal(mem.gen, gen);
}

static void front_end_addresses(void **state)
{
	(void)state;
	static struct rwy_mem mem;

	rwy_mem_init(&mem);
	assert_int_equal(add(&mem, 0, 0, 0x1000, 0), 0);
	assert_int_equal(add(&mem, 0x1000, 0x7f0000, 0x1000, 0x1000), 0);
	assert_int_equal(add(&mem, 0x2000, 0x700000, 0x1000, 0x2000), 0);
	assert_ptr_equal(rwy_mem_at_uva(&mem, (rwy_uva){0x7f0010}, 0xff0), ram + 0x1010);
	assert_ptr_equal(rwy_mem_at_uva(&mem, (rwy_uva){0x700fff}, 1), ram + 0x2fff);
	assert_null(rwy_mem_at_uva(&mem, (rwy_uva){0x7f0010}, 0xff1));
	assert_null(rwy_mem_at_uva(&mem, (rwy_uva){0x10}, 1)); /* region without one */
	rwy_mem_fini(&mem);
}

static void hint_follows(void **state)
{
	(void)state;
	static struct rwy_mem mem;
	const struct rwy_mem_region *hint = NULL;

	rwy_mem_init(&mem);
	assert_int_equal(add(&mem, 0, 0, 0x1000, 0), 0);
	assert_int_equal(add(&mem, 0x1000, 0, 0x1000, 0x2000), 0);
	assert_ptr_equal(rwy_mem_at_hint(&mem, &hint, (rwy_gpa){0x1008}, 8), ram + 0x2008);
	assert_ptr_equal(hint, &mem.regions[1]);
	assert_ptr_equal(rwy_mem_at_hint(&mem, &hint, (rwy_gpa){0xff8}, 8), ram + 0xff8);
	assert_ptr_equal(hint, &mem.regions[0]);
	assert_null(rwy_mem_at_hint(&mem, &hint, (rwy_gpa){0xff8}, 9));
	assert_null(rwy_mem_at_hint(&mem, &hint, (rwy_gpa){0x2000}, 0));
	rwy_mem_fini(&mem);
}

static void buffers_cross_neighbours(void **state)
{
	(void)state;
	static struct rwy_mem mem;
	struct iovec iov[3];

	rwy_mem_init(&mem);
	assert_int_equal(add(&mem, 0x1000, 0, 0x1000, 0), 0);
	assert_int_equal(add(&mem, 0x2000, 0, 0x10, 0x3000), 0);
	assert_int_equal(add(&mem, 0x2010, 0, 0x1000, 0x5000), 0);
	assert_int_equal(add(&mem, 0x4000, 0, 0x1000, 0x7000), 0);
	assert_int_equal(rwy_mem_iov(&mem, (rwy_gpa){0x1fff}, 0x12, iov, 3), 3);
	assert_ptr_equal(iov[0].iov_base, ram + 0xfff);
	assert_int_equal(iov[0].iov_len, 1);
	assert_ptr_equal(iov[1].iov_base, ram + 0x3000);
	assert_int_equal(iov[1].iov_len, 0x10);
	assert_ptr_equal(iov[2].iov_base, ram + 0x5000);
	assert_int_equal(iov[2].iov_len, 1);
	assert_int_equal(rwy_mem_iov(&mem, (rwy_gpa){0x1fff}, 0x12, iov, 2), -E2BIG);
	assert_int_equal(rwy_mem_iov(&mem, (rwy_gpa){0x1fff}, 0x11, iov, 2), 2);
	assert_int_equal(rwy_mem_iov(&mem, (rwy_gpa){0x1fff}, 1, iov, 1), 1);
	assert_int_equal(rwy_mem_iov(&mem, (rwy_gpa){0x1fff}, 0, iov, 1), 1);
	assert_int_equal(iov[0].iov_len, 0);
	assert_int_equal(rwy_mem_iov(&mem, (rwy_gpa){0x300f}, 2, iov, 3), -EFAULT); /* a gap */
	assert_int_equal(rwy_mem_iov(&mem, (rwy_gpa){0x4fff}, 2, iov, 3), -EFAULT); /* the end */
	assert_int_equal(rwy_mem_iov(&mem, (rwy_gpa){0x4000}, UINT64_MAX, iov, 3), -EFAULT);
	assert_int_equal(rwy_mem_iov(&mem, (rwy_gpa){0x3010}, 0, iov, 3), -EFAULT);
	assert_int_equal(rwy_mem_iov(&mem, (rwy_gpa){0}, 1, iov, 3), -EFAULT);
	rwy_mem_fini(&mem);
}

/* Listeners that write down in one diary what they hear; each may refuse one address. */
struct reader {
	char *diary;
	char name;
	uint64_t refuse;
};

static void note(const struct reader *reader, char what, const struct rwy_mem_region *r)
{
	size_t len = strlen(reader->diary);

	snprintf(reader->diary + len, DIARY_LEN - len, "%c%c%u ", reader->name, what,
		 (unsigned)(r->gpa.v >> 12));
}

static int hear_add(void *ctx, const struct rwy_mem_region *r)
{
	const struct reader *reader = ctx;

	note(reader, '+', r);
	return r->gpa.v == reader->refuse ? -ENOMEM : 0;
}

static void hear_del(void *ctx, const struct rwy_mem_region *r)
{
	note(ctx, '-', r);
}

static void listeners_hear_in_order(void **state)
{
	(void)state;
	static struct rwy_mem mem;
	char diary[DIARY_LEN] = "";
	struct reader a = {.diary = diary, .name = 'a'}, b = {.diary = diary, .name = 'b'};
	struct rwy_mem_listener la = {hear_add, hear_del, &a}, lb = {hear_add, hear_del, &b};

	a.refuse = b.refuse = UINT64_MAX;
	rwy_mem_init(&mem);
	assert_int_equal(add(&mem, 0x1000, 0, 0x1000, 0), 0);
	assert_int_equal(rwy_mem_listen(&mem, &la), 0);
	assert_int_equal(rwy_mem_listen(&mem, &lb), 0);
	assert_int_equal(add(&mem, 0x2000, 0, 0x1000, 0), 0);
	assert_int_equal(rwy_mem_del(&mem, (rwy_gpa){0x1000}, (rwy_uva){0}, 0x1000, NULL), 0);
	assert_string_equal(diary, "a+1 b+1 a+2 b+2 b-1 a-1 ");

	diary[0] = '\0';
	b.refuse = 0x3000;
	assert_int_equal(add(&mem, 0x3000, 0, 0x1000, 0), -ENOMEM);
	assert_null(at(&mem, 0x3000, 1));
	assert_string_equal(diary, "a+3 b+3 a-3 ");

	diary[0] = '\0';
	assert_int_equal(add(&mem, 0x1000, 0, 0x1000, 0), 0);
	rwy_mem_unlisten(&mem, &a);
	rwy_mem_fini(&mem);
	assert_string_equal(diary, "a+1 b+1 a-2 a-1 b-2 b-1 ");
}

static void late_listener_may_refuse(void **state)
{
	(void)state;
	static struct rwy_mem mem;
	char diary[DIARY_LEN] = "";
	struct reader a = {.diary = diary, .name = 'a', .refuse = 0x3000};
	struct rwy_mem_listener la = {hear_add, hear_del, &a};

	rwy_mem_init(&mem);
	for (uint64_t gpa = 0x1000; gpa <= 0x4000; gpa += 0x1000)
		assert_int_equal(add(&mem, gpa, 0, 0x1000, 0), 0);
	assert_int_equal(rwy_mem_listen(&mem, &la), -ENOMEM);
	assert_string_equal(diary, "a+1 a+2 a+3 a-2 a-1 ");
	assert_int_equal(mem.nr_listeners, 0);
	a.refuse = UINT64_MAX;
	for (unsigned i = 0; i < RWY_MEM_LISTENERS; i++)
		assert_int_equal(rwy_mem_listen(&mem, &la), 0);
	assert_int_equal(rwy_mem_listen(&mem, &la), -ENOSPC);
	rwy_mem_unlisten(&mem, &a);
	assert_int_equal(mem.nr_listeners, 0);
	rwy_mem_fini(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(door_keeps_bounds),
		cmocka_unit_test(add_refuses_nonsense),
		cmocka_unit_test(add_refuses_overlap),
		cmocka_unit_test(many_regions_stay_sorted),
		cmocka_unit_test(del_matches_all_three),
		cmocka_unit_test(front_end_addresses),
		cmocka_unit_test(hint_follows),
		cmocka_unit_test(buffers_cross_neighbours),
		cmocka_unit_test(listeners_hear_in_order),
		cmocka_unit_test(late_listener_may_refuse),
	};

	return UNIT_RUN(tests);
}
