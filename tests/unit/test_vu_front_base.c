/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include "lib/vu_front_base.h"

#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#define GPA 0x1000

static uint64_t memory[0x2000 / 8];

static void open_mem(struct rwy_mem *mem)
{
	const struct rwy_mem_region region = {.gpa = {GPA},
					      .size = sizeof(memory),
					      .hva = (uint8_t *)memory,
					      .fd = -1};

	memset(memory, 0, sizeof(memory));
	rwy_mem_init(mem);
	assert_int_equal(rwy_mem_add(mem, &region), 0);
}

static void split(void **state)
{
	struct rwy_vu_ring ring = {.size = 8, .device = {GPA + 0x800}, .base = 5};
	struct rwy_mem mem;

	open_mem(&mem);
	((struct vring_used *)((char *)memory + 0x800))->idx = 65535;
	assert_int_equal(rwy_vu_front_base_find(&mem, &ring, false), 65535);
	ring.device.v = 0; /* in no memory: what was known before */
	assert_int_equal(rwy_vu_front_base_find(&mem, &ring, false), 5);
	rwy_mem_fini(&mem);
}

struct model {
	struct vring_packed_desc *ring;
	uint16_t size;
	unsigned avail, used; /* positions without wrapping */
	unsigned reclaimed;
};

static bool lap(const struct model *m, unsigned at)
{
	return at / m->size % 2 == 0;
}

static void driver_adds(struct model *m)
{
	bool w = lap(m, m->avail);

	m->ring[m->avail % m->size].flags =
		w ? 1 << VRING_PACKED_DESC_F_AVAIL : 1 << VRING_PACKED_DESC_F_USED;
	m->avail++;
}

static void device_uses(struct model *m)
{
	bool w = lap(m, m->used);

	m->ring[m->used % m->size].flags =
		w ? 1 << VRING_PACKED_DESC_F_AVAIL | 1 << VRING_PACKED_DESC_F_USED : 0;
	m->used++;
}

static void expect_base(const struct rwy_mem *mem, const struct model *m)
{
	const struct rwy_vu_ring ring = {.size = m->size, .desc = {GPA}};
	uint32_t at = m->used % m->size | (lap(m, m->used) ? 0x8000 : 0);

	assert_int_equal(rwy_vu_front_base_find(mem, &ring, true), at | at << 16);
}

/* Every state a ring of some sizes can be in: how far the device is, how much waits for it. */
static void packed_all_states(void **state)
{
	for (uint16_t size = 1; size <= 9; size++) {
		for (unsigned used = 0; used <= 4u * size; used++) {
			for (unsigned waiting = 0; waiting <= size; waiting++) {
				struct rwy_mem mem;
				struct model m;

				open_mem(&mem);
				m = (struct model){.ring = (void *)memory, .size = size};
				for (unsigned i = 0; i < used; i++) {
					driver_adds(&m);
					device_uses(&m);
				}
				for (unsigned i = 0; i < waiting; i++)
					driver_adds(&m);
				expect_base(&mem, &m);
				rwy_mem_fini(&mem);
			}
		}
	}
}

static void packed_random_walk(void **state)
{
	struct rwy_mem mem;
	struct model m;

	open_mem(&mem);
	m = (struct model){.ring = (void *)memory, .size = 256};
	srand(7);
	for (unsigned i = 0; i < 20000; i++) {
		for (int n = rand() % 100; n > 0 && m.avail - m.used < m.size; n--)
			driver_adds(&m);
		for (int n = rand() % 100; n > 0 && m.used < m.avail; n--)
			device_uses(&m);
		expect_base(&mem, &m);
	}
	rwy_mem_fini(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split),
		cmocka_unit_test(packed_all_states),
		cmocka_unit_test(packed_random_walk),
	};

	return UNIT_RUN(tests);
}
