/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"

#include "lib/numa.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

static void cpu_lists(void **state)
{
	uint16_t cpus[8];

	assert_int_equal(rwy_numa_parse_cpus("0", cpus, 8), 1);
	assert_int_equal(cpus[0], 0);
	assert_int_equal(rwy_numa_parse_cpus("7,2-4,2", cpus, 8), 5);
	const uint16_t want[] = {7, 2, 3, 4, 2};
	assert_memory_equal(cpus, want, sizeof(want));
	assert_int_equal(rwy_numa_parse_cpus("0-7", cpus, 8), 8);
	assert_int_equal(rwy_numa_parse_cpus("0-8", cpus, 8), -E2BIG);
}

static void bad_cpu_lists(void **state)
{
	static const char *const bad[] = {"",	",",  "1,",  ",1",    "a",
					  "1-", "-1", "3-2", "1--2",  " 1",
					  "1 ", "+1", "1;2", "99999", "18446744073709551616"};
	uint16_t cpus[8];

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++)
		assert_int_equal(rwy_numa_parse_cpus(bad[i], cpus, 8), -EINVAL);
}

static void pins_one_cpu(void **state)
{
	cpu_set_t before, after;
	unsigned cpu = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	assert_int_equal(rwy_numa_pin(cpu), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_int_equal(CPU_COUNT(&after), 1);
	assert_true(CPU_ISSET(cpu, &after));
	assert_true(rwy_numa_node_of_cpu(cpu) >= 0);
	assert_true(rwy_numa_node_exists((unsigned)rwy_numa_node_of_cpu(cpu)));
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);

	assert_int_equal(rwy_numa_pin(CPU_SETSIZE - 1), -EINVAL);
	assert_int_equal(rwy_numa_pin(CPU_SETSIZE), -EINVAL);
	assert_int_equal(rwy_numa_pin(UINT32_MAX), -EINVAL);
	assert_true(rwy_numa_node_of_cpu(UINT32_MAX) < 0);
}

static void binds_to_a_node_that_exists(void **state)
{
	const size_t len = 1 << 20;
	void *addr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned node = 0;

	assert_true(addr != MAP_FAILED);
	while (!rwy_numa_node_exists(node))
		node++;
	assert_int_equal(rwy_numa_bind(addr, len, node), 0);
	memset(addr, 1, len);
	assert_false(rwy_numa_node_exists(100000));
	assert_int_equal(rwy_numa_bind(addr, len, 100000), -EINVAL);
	munmap(addr, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpu_lists),
		cmocka_unit_test(bad_cpu_lists),
		cmocka_unit_test(pins_one_cpu),
		cmocka_unit_test(binds_to_a_node_that_exists),
	};

	return UNIT_RUN(tests);
}
