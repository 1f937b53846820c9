/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a hostile driver may put into its rings. Each test is named after the attack; those that
 * have a number carry it. All must end in a broken queue that a restart heals, or in a chain that
 * is right.
 */
#include "tests/unit/vq_guest.h"

#include <errno.h>

static void avail_jump(void **state)
{
	(void)state;
	const uint16_t jumps[] = {9, 0x8000, UINT16_MAX};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(jumps); i++) {
		struct guest *g = guest_started(false, 8);

		guest_avail(g)->idx = jumps[i];
		guest_breaks(g, RWY_VQ_AVAIL_JUMP);
		guest_close(g);
	}
}

static void avail_backwards(void **state)
{
	(void)state;
	struct guest *g = guest_started(false, 8);

	for (unsigned i = 0; i < 3; i++)
		guest_one(g, FAR, 1, 0);
	assert_int_equal(guest_pop(g), 3);
	guest_avail(g)->idx = 2;
	guest_breaks(g, RWY_VQ_AVAIL_JUMP);
	guest_close(g);
}

static void head_out_of_range(bool packed)
{
	const uint16_t ids[] = {8, 0x8000, UINT16_MAX};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(ids); i++) {
		struct guest *g = guest_started(packed, 8);

		guest_one(g, FAR, 1, 0);
		guest_one(g, FAR, 1, 0);
		if (packed)
			guest_pdesc(g, 1)->id = ids[i];
		else
			guest_avail(g)->ring[1] = ids[i];
		guest_breaks_after(g, 1, RWY_VQ_HEAD_RANGE);
		guest_close(g);
	}
}

static void next_out_of_range(void **state)
{
	(void)state;
	const uint16_t nexts[] = {8, 0x4000, UINT16_MAX};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(nexts); i++) {
		struct guest *g = guest_started(false, 8);

		guest_one(g, FAR, 1, N);
		guest_desc(g, 0)->next = nexts[i];
		guest_breaks(g, RWY_VQ_NEXT_RANGE);
		guest_close(g);
	}
}

/* A packed chain whose NEXT points at slots that were not made available, or are in flight. */
static void packed_chain_past_the_end(void **state)
{
	(void)state;
	struct guest *g = guest_started(true, 4);

	guest_one(g, FAR, 1, N);
	guest_breaks(g, RWY_VQ_NEXT_RANGE);
	guest_close(g);

	g = guest_started(true, 4);
	for (unsigned i = 0; i < 3; i++)
		guest_one(g, FAR, 1, 0);
	assert_int_equal(guest_pop(g), 3);
	const struct vring_desc d[] = {raw(FAR, 1, 0), raw(FAR, 1, 0)};
	guest_chain(g, d, 2); /* its second slot is the first chain's, still in flight */
	guest_breaks(g, RWY_VQ_NEXT_RANGE);
	guest_close(g);
}

/* CVE-2019-9547: circular chains. */
static void cve_2019_9547_loops(void **state)
{
	(void)state;
	struct guest *g = guest_started(false, 8);

	guest_one(g, FAR, 1, N);
	guest_desc(g, 0)->next = 0;
	guest_breaks(g, RWY_VQ_CHAIN_LONG);
	guest_close(g);

	g = guest_started(false, 8);
	const struct vring_desc two[] = {raw(FAR, 1, 0), raw(FAR, 1, N)};
	guest_chain(g, two, 2);
	guest_desc(g, 1)->next = 0;
	guest_breaks(g, RWY_VQ_CHAIN_LONG);
	guest_close(g);

	/* and with no room for the loop in the caller's array either */
	g = guest_started(false, 256);
	guest_one(g, FAR, 1, N);
	guest_desc(g, 0)->next = 0;
	guest_breaks(g, RWY_VQ_CHAIN_LONG);
	guest_close(g);

	g = guest_started(false, 8);
	guest_table(g, g->far, two, 2); /* entry 1 points to 2, out of the table */
	guest_one(g, FAR, 32, I);
	guest_breaks(g, RWY_VQ_NEXT_RANGE);
	guest_close(g);

	g = guest_started(false, 8);
	guest_table(g, g->far, two, 2);
	((struct vring_desc *)g->far)[1].next = 0;
	guest_one(g, FAR, 32, I);
	guest_breaks(g, RWY_VQ_CHAIN_LONG);
	guest_close(g);
}

/* A chain as long as the ring is fine, one more is a loop. */
static void chain_as_long_as_the_ring(bool packed)
{
	struct vring_desc d[8];

	for (unsigned i = 0; i < 8; i++)
		d[i] = raw(FAR + i, 1, 0);
	struct guest *g = guest_started(packed, 8);
	guest_chain(g, d, 8);
	assert_int_equal(guest_pop(g), 1);
	assert_int_equal(g->chains[0].nr_out, 8);
	assert_int_equal(g->chains[0].out_len, 8);
	assert_int_equal(g->chains[0].nr_desc, packed ? 8 : 1);
	guest_close(g);

	g = guest_started(packed, 8);
	d[7].flags = N;
	guest_chain(g, d, 8);
	guest_breaks(g, RWY_VQ_CHAIN_LONG);
	guest_close(g);
}

/* CVE-2018-1059: a length that runs over the end of a region. */
static void cve_2018_1059_buffers(bool packed)
{
	const struct {
		uint64_t addr;
		uint32_t len;
		unsigned pieces; /* 0: refused */
	} cases[] = {
		{FAR, FAR_LEN, 1},
		{FAR + FAR_LEN - 1, 1, 1},
		{FAR, FAR_LEN + 1, 0},
		{FAR + FAR_LEN - 1, 2, 0},
		{FAR + FAR_LEN, 1, 0},
		{FAR - 1, 2, 0},
		{FAR, UINT32_MAX, 0},
		{UINT64_MAX, 1, 0},
		{UINT64_MAX, UINT32_MAX, 0},
		{NEAR, NEAR_LEN, 1},
		{NEAR, NEAR_LEN + 1, 2},
		{NEXT - 1, 2, 2},
		{NEXT - 1, 1 + NEAR_LEN, 2},
		{NEXT - 1, 2 + NEAR_LEN, 0},
		{NEAR - 1, 2, 2},
		{NEAR - 1, 2 + NEAR_LEN, 3},
		{0, 0, 0},
	};

	for (unsigned i = 0; i < 2 * RWY_ARRAY_SIZE(cases); i++) {
		struct guest *g = guest_started(packed, 8);
		const unsigned n = i / 2, flags = i % 2 ? W : 0;

		guest_one(g, cases[n].addr, cases[n].len, flags);
		if (cases[n].pieces) {
			const struct rwy_chain *c = g->chains;

			assert_int_equal(guest_pop(g), 1);
			assert_int_equal(flags ? c->nr_in : c->nr_out, cases[n].pieces);
			assert_int_equal(flags ? c->nr_out : c->nr_in, 0);
			assert_int_equal(flags ? c->in_len : c->out_len, cases[n].len);
			for (unsigned k = 0; k < cases[n].pieces; k++) /* the sanitizer looks on */
				memset(c->iov[k].iov_base, 0, c->iov[k].iov_len);
		} else {
			guest_breaks(g, RWY_VQ_ADDRESS);
		}
		guest_close(g);
	}
}

/* CVE-2018-1059 again: the table itself at and over borders, at each byte. */
static void cve_2018_1059_tables(bool packed)
{
	const struct vring_desc d[] = {raw(FAR, 3, 0), raw(FAR + 8, 5, W), raw(FAR + 16, 7, W)};
	uint8_t table[sizeof(d)];

	for (unsigned off = 0; off <= sizeof(d); off++) {
		struct guest *g = guest_started(packed, 8);

		guest_table(g, table, d, 3);
		memcpy(g->near + NEAR_LEN - off, table, off);
		memcpy(g->next, table + off, sizeof(d) - off);
		guest_one(g, NEXT - off, sizeof(d), I);
		assert_int_equal(guest_pop(g), 1);
		assert_int_equal(g->chains[0].nr_out, 1);
		assert_int_equal(g->chains[0].out_len, 3);
		assert_int_equal(g->chains[0].nr_in, 2);
		assert_int_equal(g->chains[0].in_len, 12);
		assert_ptr_equal(g->chains[0].iov[2].iov_base, g->far + 16);
		assert_int_equal(g->chains[0].nr_desc, 1);
		guest_close(g);
	}
	for (unsigned off = 1; off <= sizeof(d); off++) {
		struct guest *g = guest_started(packed, 8);

		guest_table(g, table, d, 3);
		memcpy(g->far + FAR_LEN - sizeof(d) + off, table, sizeof(d) - off);
		guest_one(g, FAR + FAR_LEN - sizeof(d) + off, sizeof(d), I);
		guest_breaks(g, RWY_VQ_ADDRESS);
		guest_close(g);
	}
	struct guest *g = guest_started(packed, 8);
	guest_one(g, UINT64_MAX - 15, 32, I); /* wraps */
	guest_breaks(g, RWY_VQ_ADDRESS);
	guest_close(g);
}

/* CVE-2020-10725: a bad address with length 0 is bad in every place of a burst. */
static void cve_2020_10725_length_zero(bool packed)
{
	for (unsigned bad = 0; bad < 4; bad++) {
		struct guest *g = guest_started(packed, 8);

		for (unsigned i = 0; i < 4; i++)
			guest_one(g, i == bad ? 0xdead0000 : FAR, 0, i & 1 ? W : 0);
		guest_breaks_after(g, bad, RWY_VQ_ADDRESS);
		guest_close(g);
	}
	struct guest *g = guest_started(packed, 8);
	guest_one(g, FAR + FAR_LEN - 1, 0, 0);
	guest_one(g, FAR, 0, W);
	assert_int_equal(guest_pop(g), 2);
	assert_int_equal(g->chains[0].out_len, 0);
	assert_int_equal(g->chains[1].in_len, 0);
	guest_close(g);
}

/* CVE-2022-2132: headers in one-byte descriptors. Any framing gives the same bytes. */
static void cve_2022_2132_framing(bool packed)
{
	for (unsigned n = 1; n <= 14; n++) {
		struct guest *g = guest_started(packed, 16);
		struct vring_desc d[15];

		for (unsigned i = 0; i < n; i++)
			d[i] = raw(FAR + 2 * i, 1, 0);
		d[n] = raw(FAR + 100, 0, 0);
		guest_chain(g, d, n + 1);
		assert_int_equal(guest_pop(g), 1);
		assert_int_equal(g->chains[0].nr_out, n + 1);
		assert_int_equal(g->chains[0].out_len, n);
		assert_int_equal(g->chains[0].in_len, 0);
		guest_close(g);
	}
}

static void readable_after_writable(bool packed)
{
	const struct vring_desc d[] = {raw(FAR, 1, 0), raw(FAR, 1, W), raw(FAR, 1, 0)};
	struct guest *g = guest_started(packed, 8);

	guest_chain(g, d, 3);
	guest_breaks(g, RWY_VQ_ORDER);
	guest_close(g);

	g = guest_started(packed, 8);
	guest_table(g, g->far, d, 3);
	guest_one(g, FAR, 48, I);
	guest_breaks(g, RWY_VQ_ORDER);
	guest_close(g);
}

/* Where the device only reads, DPDK's header that says "writable" is one piece more to read. */
static void read_only_takes_all_as_readable(bool packed)
{
	const struct vring_desc d[] = {raw(FAR, 12, W), raw(FAR + 64, 60, 0)};
	struct guest *g = guest_open(packed, 8);

	g->config.read_only = true;
	guest_start(g);
	guest_table(g, g->far, d, 2);
	guest_one(g, FAR, 32, I);
	assert_int_equal(guest_pop(g), 1);
	assert_int_equal(g->chains[0].out_len, 72);
	assert_int_equal(g->chains[0].nr_out, 2);
	assert_int_equal(g->chains[0].nr_in, 0);
	guest_close(g);
}

/* Sums are 64 bits wide: 4 GiB in either direction is refused, one byte less is not. */
static void lengths_sum_to_4g(bool packed)
{
	for (unsigned flags = 0; flags <= W; flags += W) {
		const struct vring_desc d[] = {raw(HUGE, 0x80000000, flags),
					       raw(HUGE, 0x7fffffff, flags), raw(HUGE, 1, flags)};
		struct guest *g = guest_started(packed, 8);

		guest_chain(g, d, 2);
		assert_int_equal(guest_pop(g), 1);
		assert_int_equal(flags ? g->chains[0].in_len : g->chains[0].out_len, UINT32_MAX);
		guest_chain(g, d, 3);
		guest_breaks(g, RWY_VQ_CHAIN_HUGE);
		guest_close(g);
	}
}

static void indirect_without_the_feature(bool packed)
{
	const struct vring_desc d = raw(FAR, 1, 0);
	struct guest *g = guest_open(packed, 8);

	g->config.indirect = false;
	guest_start(g);
	guest_table(g, g->far, &d, 1);
	guest_one(g, FAR, 16, I);
	guest_breaks(g, RWY_VQ_INDIRECT_OFF);
	guest_close(g);
}

static void indirect_with_next(bool packed)
{
	struct guest *g = guest_started(packed, 8);

	guest_one(g, FAR, 16, I | N);
	guest_breaks(g, RWY_VQ_INDIRECT_FLAGS);
	guest_close(g);
}

static void indirect_lengths(bool packed)
{
	const uint32_t lens[] = {0, 1, 15, 17, 24, 16 * (RWY_VQ_IOV_MAX + 1), UINT32_MAX & ~15u};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(lens); i++) {
		struct guest *g = guest_started(packed, 8);

		guest_one(g, HUGE, lens[i], I);
		guest_breaks(g, RWY_VQ_INDIRECT_LEN);
		guest_close(g);
	}
	/* The longest one, of as many entries as a chain may have pieces; the ring is smaller. */
	struct guest *g = guest_started(packed, 8);
	static struct vring_desc d[RWY_VQ_IOV_MAX];
	for (unsigned i = 0; i < RWY_VQ_IOV_MAX; i++)
		d[i] = raw(NEAR, 1, 0);
	guest_table(g, g->far, d, RWY_VQ_IOV_MAX);
	guest_one(g, FAR, sizeof(d), I);
	assert_int_equal(rwy_vq_pop(&g->vq, g->chains, 1, g->iov, RWY_ARRAY_SIZE(g->iov)), 1);
	assert_int_equal(g->chains[0].nr_out, RWY_VQ_IOV_MAX);
	guest_close(g);
}

/* More pieces than any chain may have, because its buffers cross a border. */
static void too_many_pieces(bool packed)
{
	static struct vring_desc d[RWY_VQ_IOV_MAX];
	struct guest *g = guest_started(packed, 8);

	for (unsigned i = 0; i < RWY_VQ_IOV_MAX; i++)
		d[i] = raw(NEXT - 1, i == RWY_VQ_IOV_MAX - 1 ? 2 : 1, 0);
	guest_table(g, g->far, d, RWY_VQ_IOV_MAX);
	guest_one(g, FAR, sizeof(d), I);
	assert_int_equal(rwy_vq_pop(&g->vq, g->chains, 1, g->iov, RWY_ARRAY_SIZE(g->iov)), 0);
	assert_int_equal(g->vq.broken, RWY_VQ_CHAIN_LONG);
	guest_close(g);
}

/* 2.7.5.3.1: one table per descriptor. A packed table has no such flag; it is ignored (2.8.7). */
static void indirect_in_indirect(bool packed)
{
	const struct vring_desc d = raw(FAR + 64, 16, I);
	struct guest *g = guest_started(packed, 8);

	guest_table(g, g->far, &d, 1);
	guest_one(g, FAR, 16, I);
	if (packed) {
		assert_int_equal(guest_pop(g), 1);
		assert_int_equal(g->chains[0].out_len, 16);
	} else {
		guest_breaks(g, RWY_VQ_INDIRECT_FLAGS);
	}
	guest_close(g);
}

/* 2.7.5.3.2 wants direct descriptors before a table taken, 2.8.20 forbids them. */
static void indirect_after_direct(bool packed)
{
	const struct vring_desc inner[] = {raw(FAR + 64, 5, 0), raw(FAR + 80, 7, W)};
	const struct vring_desc outer[] = {raw(NEAR, 3, 0), raw(FAR, 32, I | W)};
	struct guest *g = guest_started(packed, 8);

	guest_table(g, g->far, inner, 2);
	guest_chain(g, outer, 2);
	if (packed) {
		guest_breaks(g, RWY_VQ_INDIRECT_FLAGS);
	} else {
		assert_int_equal(guest_pop(g), 1);
		assert_int_equal(g->chains[0].nr_out, 2);
		assert_int_equal(g->chains[0].out_len, 8);
		assert_int_equal(g->chains[0].nr_in, 1);
		assert_int_equal(g->chains[0].in_len, 7);
	}
	guest_close(g);
}

/* CVE-2016-5403: a head given again while it is in flight; in one burst and in the next. */
static void cve_2016_5403_duplicates(bool packed)
{
	for (unsigned burst = 0; burst < 2; burst++) {
		struct guest *g = guest_started(packed, 8);
		unsigned good = 1;

		guest_one(g, FAR, 1, 0);
		if (burst) {
			assert_int_equal(guest_pop(g), 1);
			good = 0;
		}
		guest_one(g, FAR, 1, 0);
		if (packed)
			guest_pdesc(g, 1)->id = 0;
		else
			guest_avail(g)->ring[1] = 0;
		guest_breaks_after(g, good, RWY_VQ_DUPLICATE);
		guest_close(g);
	}
}

/* In flight stays within the ring however often the driver says there is more. */
static void cve_2016_5403_unbounded(bool packed)
{
	struct guest *g = guest_started(packed, 4);
	unsigned popped = 0;

	for (unsigned i = 0; i < 64 && !g->vq.broken; i++) {
		guest_one(g, FAR, 1, 0);
		popped += guest_pop(g);
	}
	assert_int_equal(popped, 4);
	assert_false(rwy_vq_arm(&g->vq));
	guest_close(g);
}

/* CVE-2022-26353: an error must give up what was half taken; a restart finds all ids free. */
static void cve_2022_26353_restart_heals(bool packed)
{
	struct guest *g = guest_started(packed, 8);

	guest_one(g, FAR, 1, 0);
	guest_one(g, 0xdead0000, 1, 0);
	guest_breaks_after(g, 1, RWY_VQ_ADDRESS);
	g->chains[0].written = 0;
	rwy_vq_push(&g->vq, g->chains, 1); /* what was good may still be finished */
	g->config.base = rwy_vq_stop(&g->vq);
	if (packed)
		guest_pdesc(g, 1)->addr = FAR;
	else
		guest_desc(g, 1)->addr = FAR;
	guest_start(g);
	assert_int_equal(guest_pop(g), 1);
	assert_int_equal(g->chains[0].id, 1);
	guest_close(g);
}

BOTH_FORMATS(head_out_of_range)
BOTH_FORMATS(chain_as_long_as_the_ring)
BOTH_FORMATS(cve_2018_1059_buffers)
BOTH_FORMATS(cve_2018_1059_tables)
BOTH_FORMATS(cve_2020_10725_length_zero)
BOTH_FORMATS(cve_2022_2132_framing)
BOTH_FORMATS(readable_after_writable)
BOTH_FORMATS(read_only_takes_all_as_readable)
BOTH_FORMATS(lengths_sum_to_4g)
BOTH_FORMATS(indirect_without_the_feature)
BOTH_FORMATS(indirect_with_next)
BOTH_FORMATS(indirect_lengths)
BOTH_FORMATS(too_many_pieces)
BOTH_FORMATS(indirect_in_indirect)
BOTH_FORMATS(indirect_after_direct)
BOTH_FORMATS(cve_2016_5403_duplicates)
BOTH_FORMATS(cve_2016_5403_unbounded)
BOTH_FORMATS(cve_2022_26353_restart_heals)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(avail_jump),
		cmocka_unit_test(avail_backwards),
		TEST_BOTH(head_out_of_range),
		cmocka_unit_test(next_out_of_range),
		cmocka_unit_test(packed_chain_past_the_end),
		cmocka_unit_test(cve_2019_9547_loops),
		TEST_BOTH(chain_as_long_as_the_ring),
		TEST_BOTH(cve_2018_1059_buffers),
		TEST_BOTH(cve_2018_1059_tables),
		TEST_BOTH(cve_2020_10725_length_zero),
		TEST_BOTH(cve_2022_2132_framing),
		TEST_BOTH(readable_after_writable),
		TEST_BOTH(read_only_takes_all_as_readable),
		TEST_BOTH(lengths_sum_to_4g),
		TEST_BOTH(indirect_without_the_feature),
		TEST_BOTH(indirect_with_next),
		TEST_BOTH(indirect_lengths),
		TEST_BOTH(too_many_pieces),
		TEST_BOTH(indirect_in_indirect),
		TEST_BOTH(indirect_after_direct),
		TEST_BOTH(cve_2016_5403_duplicates),
		TEST_BOTH(cve_2016_5403_unbounded),
		TEST_BOTH(cve_2022_26353_restart_heals),
	};

	rwy_log_set_level(RWY_LOG_ERROR);
	return UNIT_RUN(tests);
}
