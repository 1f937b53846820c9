/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include "vmm/bus.h"

#include <errno.h>
#include <string.h>

struct device {
	uint64_t off;
	unsigned len;
	unsigned accesses;
	uint64_t written;
};

static void dev_read(void *ctx, uint64_t off, void *buf, unsigned len)
{
	struct device *dev = ctx;

	dev->off = off;
	dev->len = len;
	dev->accesses++;
	memset(buf, 0x5a, len);
}

static void dev_write(void *ctx, uint64_t off, const void *buf, unsigned len)
{
	struct device *dev = ctx;

	dev->off = off;
	dev->len = len;
	dev->accesses++;
	dev->written = 0;
	memcpy(&dev->written, buf, len);
}

struct fixture {
	pthread_mutex_t lock;
	struct rwy_bus bus;
	struct device dev;
};

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	pthread_mutex_init(&f.lock, NULL);
	rwy_bus_init(&f.bus, "test", &f.lock);
	*state = &f;
	return 0;
}

static int add(struct fixture *f, uint64_t base, uint64_t size)
{
	const struct rwy_bus_range range = {
		.base = base, .size = size, .read = dev_read, .write = dev_write, .ctx = &f->dev};

	return rwy_bus_add(&f->bus, &range);
}

static uint64_t get(struct fixture *f, uint64_t addr, unsigned len)
{
	uint64_t v = 0;

	rwy_bus_access(&f->bus, addr, &v, len, false);
	return v;
}

static void refuses_overlaps(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(add(f, 0x100, 0x10), 0);
	assert_int_equal(add(f, 0x10f, 1), -EEXIST);
	assert_int_equal(add(f, 0xff, 2), -EEXIST);
	assert_int_equal(add(f, 0x0, 0x1000), -EEXIST);
	assert_int_equal(add(f, 0x104, 4), -EEXIST);
	assert_int_equal(add(f, 0x110, 0x10), 0);
	assert_int_equal(add(f, 0xf0, 0x10), 0);
	assert_int_equal(f->bus.nr, 3);
	assert_int_equal(add(f, 0x200, 0), -EINVAL);
	assert_int_equal(add(f, UINT64_MAX, 2), -EINVAL);
	assert_int_equal(add(f, UINT64_MAX, 1), 0);
	assert_int_equal(get(f, UINT64_MAX, 1), 0x5a);
}

static void finds_the_device(void **state)
{
	struct fixture *f = *state;
	uint32_t v = 0x12345678;

	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(add(f, 0x10000 - i * 0x100, 0x80), 0);
	rwy_bus_access(&f->bus, 0x10000 - 33 * 0x100 + 0x7c, &v, 4, true);
	assert_int_equal(f->dev.off, 0x7c);
	assert_int_equal(f->dev.len, 4);
	assert_int_equal(f->dev.written, 0x12345678);
	assert_int_equal(get(f, 0x10000, 8), UINT64_C(0x5a5a5a5a5a5a5a5a));
	assert_int_equal(f->bus.missed, 0);
}

static void misses_read_as_ones(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(add(f, 0x100, 0x10), 0);
	assert_int_equal(get(f, 0xff, 1), 0xff);
	assert_int_equal(get(f, 0x110, 4), 0xffffffff);
	/* Runs over the end, or starts before. */
	assert_int_equal(get(f, 0x10e, 4), 0xffffffff);
	assert_int_equal(get(f, 0xfe, 4), 0xffffffff);
	/* The odd half of a split access. */
	assert_int_equal(get(f, 0x100, 3), 0xffffff);
	assert_int_equal(f->dev.accesses, 0);
	assert_int_equal(f->bus.missed, 5);
	assert_int_equal(get(f, 0x10c, 4), 0x5a5a5a5a);
	assert_int_equal(f->bus.ranges[0].reads, 1);
}

static void deletes(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(add(f, 0x100, 0x10), 0);
	assert_int_equal(add(f, 0x200, 0x10), 0);
	rwy_bus_del(&f->bus, 0x108); /* no range starts there */
	assert_int_equal(f->bus.nr, 2);
	rwy_bus_del(&f->bus, 0x100);
	assert_int_equal(get(f, 0x100, 1), 0xff);
	assert_int_equal(get(f, 0x200, 1), 0x5a);
}

static void full(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < RWY_BUS_RANGES; i++)
		assert_int_equal(add(f, i * 16, 16), 0);
	assert_int_equal(add(f, RWY_BUS_RANGES * 16, 16), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(refuses_overlaps, setup),
		cmocka_unit_test_setup(finds_the_device, setup),
		cmocka_unit_test_setup(misses_read_as_ones, setup),
		cmocka_unit_test_setup(deletes, setup),
		cmocka_unit_test_setup(full, setup),
	};

	return UNIT_RUN(tests);
}
