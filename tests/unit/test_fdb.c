/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"

#include "vhost-backends/net/fdb.h"

#include <errno.h>
#include <stdlib.h>

static struct rwy_fdb *fresh(void)
{
	struct rwy_fdb *fdb = aligned_alloc(RWY_CACHE_LINE, sizeof(*fdb));

	assert_non_null(fdb);
	rwy_fdb_init(fdb, 0x9e3779b97f4a7c15);
	return fdb;
}

/* A unicast address for each number. */
static uint64_t mac(uint32_t n)
{
	return 0x02 | (uint64_t)n << 16;
}

static void bytes_to_number(void **state)
{
	const uint8_t bytes[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

	assert_int_equal(rwy_fdb_mac(bytes), 0x563412005452);
}

static void learns_and_moves(void **state)
{
	struct rwy_fdb *fdb = fresh();

	assert_int_equal(rwy_fdb_lookup(fdb, mac(1)), RWY_FDB_NONE);
	rwy_fdb_learn(fdb, mac(1), 3);
	rwy_fdb_learn(fdb, mac(2), 0);
	assert_int_equal(rwy_fdb_lookup(fdb, mac(1)), 3);
	assert_int_equal(rwy_fdb_lookup(fdb, mac(2)), 0);
	uint32_t gen = fdb->gen;

	rwy_fdb_learn(fdb, mac(1), 3);
	assert_int_equal(fdb->gen, gen);
	rwy_fdb_learn(fdb, mac(1), 5);
	assert_int_not_equal(fdb->gen, gen);
	assert_int_equal(rwy_fdb_lookup(fdb, mac(1)), 5);
	assert_int_equal(fdb->nr_of_port[3], 0);
	assert_int_equal(fdb->nr_of_port[5], 1);
	free(fdb);
}

static void group_and_zero_are_not_learnt(void **state)
{
	struct rwy_fdb *fdb = fresh();

	rwy_fdb_learn(fdb, 0, 1);
	rwy_fdb_learn(fdb, RWY_FDB_MAC_MASK, 1);
	rwy_fdb_learn(fdb, 0x5e0001, 1);
	assert_int_equal(rwy_fdb_lookup(fdb, 0), RWY_FDB_NONE);
	assert_int_equal(rwy_fdb_lookup(fdb, RWY_FDB_MAC_MASK), RWY_FDB_NONE);
	assert_int_equal(rwy_fdb_lookup(fdb, 0x5e0001), RWY_FDB_NONE);
	assert_int_equal(fdb->nr_of_port[1], 0);
	free(fdb);
}

static void ages(void **state)
{
	struct rwy_fdb *fdb = fresh();

	rwy_fdb_tick(fdb, 1000);
	rwy_fdb_learn(fdb, mac(1), 1);
	rwy_fdb_learn(fdb, mac(2), 2);
	rwy_fdb_tick(fdb, 1000 + RWY_FDB_AGE_S);
	assert_int_equal(rwy_fdb_lookup(fdb, mac(1)), 1);
	rwy_fdb_learn(fdb, mac(2), 2);
	uint32_t gen = fdb->gen;

	rwy_fdb_tick(fdb, 1001 + RWY_FDB_AGE_S);
	assert_int_not_equal(fdb->gen, gen);
	assert_int_equal(rwy_fdb_lookup(fdb, mac(1)), RWY_FDB_NONE);
	assert_int_equal(rwy_fdb_lookup(fdb, mac(2)), 2);
	rwy_fdb_learn(fdb, mac(1), 1);
	assert_int_equal(rwy_fdb_lookup(fdb, mac(1)), 1);
	assert_int_equal(fdb->nr_of_port[1], 1);
	free(fdb);
}

static void flush_forgets_one_port(void **state)
{
	struct rwy_fdb *fdb = fresh();

	for (uint32_t i = 1; i <= 100; i++)
		rwy_fdb_learn(fdb, mac(i), i % 2);
	rwy_fdb_flush(fdb, 1);
	assert_int_equal(fdb->nr_of_port[1], 0);
	assert_int_equal(fdb->nr_of_port[0], 50);
	for (uint32_t i = 1; i <= 100; i++)
		assert_int_equal(rwy_fdb_lookup(fdb, mac(i)), i % 2 ? RWY_FDB_NONE : 0);
	free(fdb);
}

static void fixed_stays(void **state)
{
	struct rwy_fdb *fdb = fresh();

	assert_int_equal(rwy_fdb_fix(fdb, mac(7), 2), 0);
	rwy_fdb_learn(fdb, mac(7), 4);
	rwy_fdb_flush(fdb, 2);
	rwy_fdb_tick(fdb, 10 * RWY_FDB_AGE_S);
	assert_int_equal(rwy_fdb_lookup(fdb, mac(7)), 2);
	assert_int_equal(rwy_fdb_fix(fdb, mac(7), 2), 0);
	assert_int_equal(rwy_fdb_fix(fdb, mac(7), 3), -EEXIST);
	free(fdb);
}

/* A port that makes up addresses gets its share and no more, and all of it stays consistent. */
static void flood_of_addresses_is_bounded(void **state)
{
	struct rwy_fdb *fdb = fresh();
	unsigned total = 0, kept = 0;

	rwy_fdb_learn(fdb, mac(1), 0);
	for (uint32_t i = 2; i < 200000; i++) {
		rwy_fdb_learn(fdb, mac(i), 1);
		assert_true(fdb->nr_of_port[1] <= RWY_FDB_PER_PORT);
	}
	for (uint32_t i = 2; i < 200000; i++)
		total += rwy_fdb_lookup(fdb, mac(i)) == 1;
	assert_int_equal(total, fdb->nr_of_port[1]);
	for (unsigned b = 0; b < RWY_FDB_BUCKETS; b++) {
		for (unsigned w = 0; w < RWY_FDB_WAYS; w++)
			kept += fdb->buckets[b][w].mac != 0;
	}
	assert_int_equal(kept, fdb->nr_of_port[0] + fdb->nr_of_port[1]);
	free(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_to_number),
		cmocka_unit_test(learns_and_moves),
		cmocka_unit_test(group_and_zero_are_not_learnt),
		cmocka_unit_test(ages),
		cmocka_unit_test(flush_forgets_one_port),
		cmocka_unit_test(fixed_stays),
		cmocka_unit_test(flood_of_addresses_is_bounded),
	};

	return UNIT_RUN(tests);
}
