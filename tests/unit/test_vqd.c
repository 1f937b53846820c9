/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver side: alone against a device that lies, and in step with our device side. */
#include "tests/unit/formats.h"
#include "tests/unit/unit.h"

#include "lib/vq.h"
#include "lib/vqd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RAM_SIZE  (256 * 1024u)
#define RING_DRV  0x8000u
#define RING_DEV  0x10000u
#define TABLES	  0x18000u
#define DATA	  0x20000u
#define DATA_LEN  256u
#define RING_SIZE 8u

struct pair {
	struct rwy_vqd_config dc;
	struct rwy_vq_config vc;
	struct rwy_vqd drv;
	struct rwy_vq dev;
	struct rwy_stats_vq stats;
	struct rwy_mem mem;
	uint8_t *ram;
};

static void pair_open(struct pair *p, uint16_t size, bool packed, bool event_idx, bool in_order)
{
	memset(p, 0, sizeof(*p));
	p->ram = aligned_alloc(4096, RAM_SIZE);
	assert_non_null(p->ram);
	memset(p->ram, 0, RAM_SIZE);
	rwy_mem_init(&p->mem);
	const struct rwy_mem_region region = {.uva = {0x10000000},
					      .size = RAM_SIZE,
					      .hva = p->ram,
					      .fd = -1};
	assert_int_equal(rwy_mem_add(&p->mem, &region), 0);
	p->dc = (struct rwy_vqd_config){
		.size = size,
		.packed = packed,
		.event_idx = event_idx,
		.indirect = true,
		.in_order = in_order,
		.desc = p->ram,
		.driver = p->ram + RING_DRV,
		.device = p->ram + RING_DEV,
	};
	p->vc = (struct rwy_vq_config){
		.mem = &p->mem,
		.size = size,
		.packed = packed,
		.event_idx = event_idx,
		.indirect = true,
		.in_order = in_order,
		.desc = {0x10000000},
		.driver = {0x10000000 + RING_DRV},
		.device = {0x10000000 + RING_DEV},
		.base = packed ? 0x80008000u : 0,
	};
	assert_int_equal(rwy_vqd_open(&p->drv, &p->dc), 0);
	rwy_vq_init(&p->dev);
	p->dev.stats = &p->stats;
	assert_int_equal(rwy_vq_start(&p->dev, &p->vc), 0);
}

static void pair_close(struct pair *p)
{
	if (rwy_vq_started(&p->dev))
		rwy_vq_stop(&p->dev);
	rwy_vqd_close(&p->drv);
	rwy_mem_fini(&p->mem);
	free(p->ram);
}

static struct rwy_vqd_buf buf(unsigned n, uint32_t len)
{
	return (struct rwy_vqd_buf){{DATA + n * DATA_LEN}, len};
}

static int get_none(struct pair *p)
{
	void *cookie;
	uint32_t len;

	return rwy_vqd_get(&p->drv, &cookie, &len);
}

/* The device takes what there is and gives it back, newest first unless in order. */
static unsigned serve(struct pair *p, bool reverse)
{
	struct rwy_chain chains[RWY_VQ_BURST];
	struct iovec iov[RWY_VQ_BURST * 4];
	unsigned n = rwy_vq_pop(&p->dev, chains, RWY_VQ_BURST, iov, RWY_ARRAY_SIZE(iov));

	for (unsigned i = 0; i < n; i++) {
		struct rwy_chain *c = &chains[reverse ? n - 1 - i : i];

		c->written = c->in_len;
		rwy_vq_push(&p->dev, c, 1);
	}
	rwy_vq_publish(&p->dev);
	return n;
}

static void add_mixed(struct pair *p, unsigned i)
{
	const struct rwy_vqd_buf bufs[3] = {buf(i, 16), buf(i + 1, 32), buf(i + 2, i % 100)};
	struct vring_desc *table = (void *)(p->ram + TABLES + i * 64);
	const rwy_gpa table_gpa = {TABLES + i * 64};
	void *cookie = (void *)(uintptr_t)(i + 1);

	switch (i % 3) {
	case 0:
		assert_int_equal(rwy_vqd_add(&p->drv, bufs, 1, 0, cookie), 0);
		break;
	case 1:
		assert_int_equal(rwy_vqd_add(&p->drv, bufs, 1, 2, cookie), 0);
		break;
	default:
		assert_int_equal(rwy_vqd_add_indirect(&p->drv, bufs, 2, 1, table, table_gpa,
						      cookie),
				 0);
	}
}

static uint32_t expected_len(unsigned i)
{
	return i % 3 == 0 ? 0 : i % 3 == 1 ? 32 + i % 100 : i % 100;
}

static void round_trip(uint16_t size, bool packed, bool event_idx, bool in_order)
{
	struct pair p;
	bool seen[300] = {false};

	pair_open(&p, size, packed, event_idx, in_order);
	for (unsigned i = 0; i < 300; i += 3) {
		for (unsigned k = i; k < i + 3; k++)
			add_mixed(&p, k);
		assert_int_equal(get_none(&p), 0);
		assert_int_equal(serve(&p, !in_order), 0); /* nothing is visible yet */
		rwy_vqd_publish(&p.drv);
		assert_int_equal(serve(&p, !in_order), 3);
		for (unsigned k = 0; k < 3; k++) {
			void *cookie;
			uint32_t len;

			assert_int_equal(rwy_vqd_get(&p.drv, &cookie, &len), 1);
			unsigned n = (unsigned)(uintptr_t)cookie - 1;
			assert_in_range(n, i, i + 2);
			if (in_order)
				assert_int_equal(n, i + k);
			assert_false(seen[n]);
			seen[n] = true;
			assert_int_equal(len, expected_len(n));
		}
		assert_int_equal(get_none(&p), 0);
		assert_int_equal(p.drv.nr_free, size);
	}
	assert_int_equal(p.stats.chains, 300);
	assert_int_equal(p.stats.pushes, 300);
	assert_int_equal(p.stats.broken, 0);
	pair_close(&p);
}

static void both_sides_agree(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 8; bits++) {
		round_trip(8, bits & 1, bits & 2, bits & 4);
		round_trip(64, bits & 1, bits & 2, bits & 4);
		if (bits & 1)
			round_trip(7, true, bits & 2, bits & 4);
	}
}

static void open_refuses_sizes(void **state)
{
	(void)state;
	struct rwy_vqd q;
	struct rwy_vqd_config c = {.size = 0};

	assert_int_equal(rwy_vqd_open(&q, &c), -EINVAL);
	c.size = 6;
	assert_int_equal(rwy_vqd_open(&q, &c), -EINVAL);
	c.packed = true;
	c.size = 32769;
	assert_int_equal(rwy_vqd_open(&q, &c), -EINVAL);
	c.size = 6;
	assert_int_equal(rwy_vqd_open(&q, &c), 0);
	rwy_vqd_close(&q);
}

static void add_keeps_limits(bool packed)
{
	struct pair p;
	struct rwy_vqd_buf bufs[RING_SIZE + 1];

	pair_open(&p, RING_SIZE, packed, false, false);
	for (unsigned i = 0; i <= RING_SIZE; i++)
		bufs[i] = buf(i, 1);
	assert_int_equal(rwy_vqd_add(&p.drv, bufs, 0, 0, &p), -EINVAL);
	assert_int_equal(rwy_vqd_add(&p.drv, bufs, RING_SIZE, 1, &p), -ENOSPC);
	assert_int_equal(rwy_vqd_add(&p.drv, bufs, RING_SIZE - 1, 1, &p), 0);
	assert_int_equal(rwy_vqd_add(&p.drv, bufs, 1, 0, &p), -ENOSPC);
	assert_int_equal(rwy_vqd_add_indirect(&p.drv, bufs, 1, 0, (void *)(p.ram + TABLES),
					      (rwy_gpa){TABLES}, &p),
			 -ENOSPC);
	bufs[0].len = UINT32_MAX;
	assert_int_equal(rwy_vqd_add(&p.drv, bufs, 2, 0, &p), -EINVAL);
	p.drv.indirect = false;
	assert_int_equal(rwy_vqd_add_indirect(&p.drv, bufs, 1, 0, (void *)(p.ram + TABLES),
					      (rwy_gpa){TABLES}, &p),
			 -EINVAL);
	pair_close(&p);
}

/* What a device might write into the ring next. */
static void lie(struct pair *p, uint16_t id, uint32_t len)
{
	if (p->dc.packed) {
		struct vring_packed_desc *desc = &p->drv.pdesc[p->drv.used_idx];

		desc->id = id;
		desc->len = len;
		desc->flags = (uint16_t)(VRING_DESC_F_WRITE | (p->drv.used_wrap ? 0x8080 : 0));
	} else {
		struct vring_used *used = p->drv.used;

		used->ring[used->idx % p->dc.size].id = id;
		used->ring[used->idx % p->dc.size].len = len;
		used->idx++;
	}
}

static void lying_device_is_refused(bool packed)
{
	const struct {
		uint16_t id;
		uint32_t len;
		int want;
	} cases[] = {
		{RING_SIZE, 0, -EPROTO},
		{UINT16_MAX, 0, -EPROTO},
		{5, 0, -EPROTO}, /* never given */
		{0, 17, -EPROTO},
		{0, UINT32_MAX, -EPROTO},
		{0, 16, 1},
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(cases); i++) {
		struct pair p;
		const struct rwy_vqd_buf b = buf(0, 16);
		void *cookie;
		uint32_t len;

		pair_open(&p, RING_SIZE, packed, false, false);
		assert_int_equal(rwy_vqd_add(&p.drv, &b, 0, 1, &p), 0);
		rwy_vqd_publish(&p.drv);
		lie(&p, cases[i].id, cases[i].len);
		assert_int_equal(rwy_vqd_get(&p.drv, &cookie, &len), cases[i].want);
		if (cases[i].want == 1) { /* and the same once more */
			lie(&p, cases[i].id, cases[i].len);
			assert_int_equal(rwy_vqd_get(&p.drv, &cookie, &len), -EPROTO);
		}
		pair_close(&p);
	}
}

static void used_index_jump_is_refused(void **state)
{
	(void)state;
	struct pair p;
	const struct rwy_vqd_buf b = buf(0, 16);

	pair_open(&p, RING_SIZE, false, false, false);
	assert_int_equal(rwy_vqd_add(&p.drv, &b, 0, 1, &p), 0);
	rwy_vqd_publish(&p.drv);
	p.drv.used->idx = 2;
	assert_int_equal(get_none(&p), -EPROTO);
	p.drv.used->idx = UINT16_MAX; /* backwards */
	assert_int_equal(get_none(&p), -EPROTO);
	pair_close(&p);
}

/* In order, one used entry for several chains; each but the last is used up completely. */
static void in_order_batch(bool packed)
{
	struct pair p;
	void *cookie;
	uint32_t len;

	pair_open(&p, RING_SIZE, packed, false, true);
	for (unsigned i = 0; i < 4; i++) {
		const struct rwy_vqd_buf b = buf(i, 16);

		assert_int_equal(rwy_vqd_add(&p.drv, &b, 0, 1, p.ram + i), 0);
	}
	rwy_vqd_publish(&p.drv);
	lie(&p, 2, 9); /* chains 0, 1 and 2 */
	if (!packed)
		p.drv.used->idx = 3;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(rwy_vqd_get(&p.drv, &cookie, &len), 1);
		assert_ptr_equal(cookie, p.ram + i);
		assert_int_equal(len, i == 2 ? 9 : 16);
	}
	assert_int_equal(rwy_vqd_get(&p.drv, &cookie, &len), 0);
	assert_int_equal(p.drv.nr_chains, 1);
	pair_close(&p);
}

static void in_order_batch_beyond_index(void **state)
{
	(void)state;
	struct pair p;

	pair_open(&p, RING_SIZE, false, false, true);
	for (unsigned i = 0; i < 4; i++) {
		const struct rwy_vqd_buf b = buf(i, 16);

		assert_int_equal(rwy_vqd_add(&p.drv, &b, 0, 1, &p), 0);
	}
	rwy_vqd_publish(&p.drv);
	lie(&p, 2, 9); /* three chains, but the index says one */
	assert_int_equal(get_none(&p), 1);
	assert_int_equal(get_none(&p), -EPROTO);
	pair_close(&p);
}

static void arm_looks_again(bool packed)
{
	for (unsigned event_idx = 0; event_idx < 2; event_idx++) {
		struct pair p;
		const struct rwy_vqd_buf b = buf(0, 16);

		pair_open(&p, RING_SIZE, packed, event_idx, false);
		assert_false(rwy_vqd_arm(&p.drv));
		assert_int_equal(rwy_vqd_add(&p.drv, &b, 1, 0, &p), 0);
		assert_true(rwy_vqd_publish(&p.drv)); /* a device just started wants kicks */
		assert_false(rwy_vqd_arm(&p.drv));
		assert_int_equal(serve(&p, false), 1);
		assert_true(rwy_vqd_arm(&p.drv));
		assert_int_equal(get_none(&p), 1);
		assert_false(rwy_vqd_arm(&p.drv));
		pair_close(&p);
	}
}

BOTH_FORMATS(add_keeps_limits)
BOTH_FORMATS(lying_device_is_refused)
BOTH_FORMATS(in_order_batch)
BOTH_FORMATS(arm_looks_again)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_agree),
		cmocka_unit_test(open_refuses_sizes),
		TEST_BOTH(add_keeps_limits),
		TEST_BOTH(lying_device_is_refused),
		cmocka_unit_test(used_index_jump_is_refused),
		TEST_BOTH(in_order_batch),
		cmocka_unit_test(in_order_batch_beyond_index),
		TEST_BOTH(arm_looks_again),
	};

	return UNIT_RUN(tests);
}
