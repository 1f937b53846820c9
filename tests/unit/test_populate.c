/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/populate.h"
#include "tests/unit/unit.h"

#include <sched.h>
#include <sys/mman.h>

#define LEN (UINT64_C(200) << 20) /* in parts that do not come out even */

static uint64_t nr_there(uint8_t *at)
{
	static uint8_t there[LEN / 4096];
	uint64_t nr = 0;

	assert_int_equal(mincore(at, LEN, there), 0);
	for (uint64_t i = 0; i < LEN / 4096; i++)
		nr += there[i] & 1;
	return nr;
}

static uint8_t *open_range(void)
{
	void *at = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(nr_there(at), 0);
	return at;
}

/* On two CPUs all is there, to the last page. */
static void all_of_it(void **state)
{
	uint8_t *at = open_range();
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	rwy_populate_range(at, LEN);
	/* On one there is nothing to be gained, and nothing is done. */
	assert_int_equal(nr_there(at), CPU_COUNT(&set) > 1 ? LEN / 4096 : 0);
	munmap(at, LEN);
}

static void small(void **state)
{
	uint8_t *at = open_range();

	rwy_populate_range(at, UINT64_C(64) << 20);
	assert_int_equal(nr_there(at), 0);
	munmap(at, LEN);
}

/* What cannot be is somebody else's to report. */
static void nothing_there(void **state)
{
	uint8_t *at = open_range();

	munmap(at, LEN);
	rwy_populate_range(at, LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it),
		cmocka_unit_test(small),
		cmocka_unit_test(nothing_there),
	};

	return UNIT_RUN(tests);
}
