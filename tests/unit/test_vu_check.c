/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table is held against a second one, written from the vhost-user text as plain numbers: for
 * each request every size and every number of descriptors is tried.
 */
#include "tests/unit/unit.h"
#include "lib/vu_check.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>

#define QUEUES 4

static const struct row {
	unsigned id;
	unsigned size_min, size_max;
	unsigned fds_min, fds_max;
	int pf;
	bool reply;
} front[] = {
	{1, 0, 0, 0, 0, -1, true},    {2, 8, 8, 0, 0, -1, false},    {3, 0, 0, 0, 0, -1, false},
	{4, 0, 0, 0, 0, -1, false},   {5, 40, 264, 1, 8, -1, false}, /* depends on the payload:
									tables() */
	{6, 16, 16, 1, 1, 1, true},   {7, 0, 8, 1, 1, -1, false},    {8, 8, 8, 0, 0, -1, false},
	{9, 40, 40, 0, 0, -1, false}, {10, 8, 8, 0, 0, -1, false},   {11, 8, 8, 0, 0, -1, true},
	{12, 8, 8, 0, 1, -1, false},  {13, 8, 8, 0, 1, -1, false},   {14, 8, 8, 0, 1, -1, false},
	{15, 0, 0, 0, 0, -1, true},   {16, 8, 8, 0, 0, -1, false},   {17, 0, 0, 0, 0, 0, true},
	{18, 8, 8, 0, 0, -1, false},  {19, 8, 8, 0, 0, 2, false},    {20, 8, 8, 0, 0, 4, false},
	{21, 0, 0, 1, 1, 5, false},   {22, 32, 32, 0, 0, -1, false}, {23, 8, 8, 0, 0, 6, false},
	{24, 12, 268, 0, 0, 9, true}, {25, 12, 268, 0, 0, 9, false}, {26, 8, 2056, 0, 0, 7, true},
	{27, 8, 8, 0, 0, 7, false},   {28, 0, 0, 0, 0, 8, true},     {29, 0, 0, 0, 0, 8, false},
	{30, 0, 0, 0, 0, 8, true},    {31, 20, 24, 0, 0, 12, true},  {32, 20, 24, 1, 1, 12, false},
	{33, 0, 0, 1, 1, -1, false},  {34, 0, 0, 0, 0, 13, false},   {35, 8, 8, 0, 0, 14, false},
	{36, 0, 0, 0, 0, 15, true},   {37, 40, 40, 1, 1, 15, false}, {38, 40, 40, 0, 1, 15, false},
	{39, 8, 8, 0, 0, 16, false},  {40, 0, 0, 0, 0, 16, true},    {41, 16, 16, 0, 0, 18, true},
	{42, 8, 8, 1, 1, 19, true},   {43, 0, 0, 0, 0, 19, true},    {44, 0, 0, 0, 0, 22, true},
};

static const struct row back[] = {
	{1, 32, 32, 0, 0, 5, false},   {2, 0, 0, 0, 0, 9, false},   {3, 24, 24, 0, 1, 11, false},
	{4, 8, 8, 0, 0, 14, false},    {5, 8, 8, 0, 0, 14, false},  {6, 16, 16, 0, 0, 18, false},
	{7, 16, 16, 0, 0, 18, false},  {8, 16, 16, 0, 0, 18, true}, {9, 40, 40, 1, 1, 22, false},
	{10, 40, 40, 0, 0, 22, false},
};

typedef int (*check_fn)(const struct rwy_vu_state *, const struct rwy_vu_msg *, const char **);

static struct rwy_vu_state all_negotiated(void)
{
	return (struct rwy_vu_state){
		.offered = ~UINT64_C(0),
		.features = ~UINT64_C(0),
		.pf_offered = ~UINT64_C(0),
		.pf = ~UINT64_C(0),
		.nr_queues = QUEUES,
		.owned = true,
		.features_set = true,
	};
}

/* A payload that the request itself likes, if size and descriptors are right. */
static struct rwy_vu_msg message(unsigned id, unsigned size, unsigned nr_fds)
{
	struct rwy_vu_msg msg = {
		.hdr = {.request = id, .flags = 1, .size = size},
		.nr_fds = nr_fds,
	};

	switch (id) {
	case RWY_VU_SET_MEM_TABLE:
		msg.payload.table.nregions = nr_fds;
		break;
	case RWY_VU_SET_VRING_NUM:
		msg.payload.state.num = 256;
		break;
	case RWY_VU_SET_VRING_KICK:
	case RWY_VU_SET_VRING_CALL:
	case RWY_VU_SET_VRING_ERR:
		msg.payload.u64 = nr_fds ? 0 : 0x100;
		break;
	case RWY_VU_GET_CONFIG:
	case RWY_VU_SET_CONFIG:
		msg.payload.config.size = size - 12;
		break;
	case RWY_VU_GET_INFLIGHT_FD:
	case RWY_VU_SET_INFLIGHT_FD:
		msg.payload.inflight.num_queues = 1;
		msg.payload.inflight.queue_size = 128;
		break;
	}
	return msg;
}

static void hold_against(const struct row *rows, unsigned nr, check_fn check,
			 const struct rwy_vu_row *(*find)(uint32_t))
{
	const struct rwy_vu_state state = all_negotiated();
	const char *why;

	for (unsigned i = 0; i < nr; i++) {
		const struct row *row = &rows[i];

		assert_non_null(find(row->id));
		assert_int_equal(find(row->id)->has_reply, row->reply);
		assert_int_equal(find(row->id)->pf, row->pf);
		if (find == rwy_vu_check_row && row->id == RWY_VU_SET_MEM_TABLE)
			continue;
		for (unsigned size = 0; size <= 2056; size++) {
			for (unsigned fds = 0; fds <= RWY_VU_MAX_FDS; fds++) {
				struct rwy_vu_msg msg = message(row->id, size, fds);
				bool good = size >= row->size_min && size <= row->size_max &&
					    fds >= row->fds_min && fds <= row->fds_max;

				if (find == rwy_vu_check_be_row) {
					memset(&msg.payload, 0, sizeof(msg.payload));
					msg.payload.area.idx = row->id == 3 && !fds ? 0x100 : 0;
				}
				assert_int_equal(check(&state, &msg, &why), good ? 0 : -EPROTO);
			}
		}
	}
}

static void every_size_and_fd_count(void **state)
{
	(void)state;
	assert_int_equal(RWY_ARRAY_SIZE(front), 44);
	assert_int_equal(RWY_ARRAY_SIZE(back), 10);
	hold_against(front, 44, rwy_vu_check, rwy_vu_check_row);
	hold_against(back, 10, rwy_vu_check_be, rwy_vu_check_be_row);
}

static void tables(void **state)
{
	(void)state;
	const struct rwy_vu_state all = all_negotiated();
	const char *why;

	for (unsigned n = 0; n <= 10; n++) {
		for (unsigned size = 0; size <= 328; size += 4) {
			for (unsigned fds = 0; fds <= RWY_VU_MAX_FDS; fds++) {
				struct rwy_vu_msg msg = message(RWY_VU_SET_MEM_TABLE, size, fds);
				bool good = n >= 1 && n <= 8 && fds == n && size == 8 + 32 * n;

				msg.payload.table.nregions = n;
				assert_int_equal(rwy_vu_check(&all, &msg, &why),
						 good ? 0 : -EPROTO);
			}
		}
	}
	struct rwy_vu_msg msg = message(RWY_VU_SET_MEM_TABLE, 40, 1);
	msg.payload.table.nregions = UINT32_MAX;
	assert_int_equal(rwy_vu_check(&all, &msg, &why), -EPROTO);
}

static void unknown_numbers(void **state)
{
	(void)state;
	static const uint32_t ids[] = {0, 45, 46, 255, 256, 0x10001, 0x7fffffff, UINT32_MAX};
	const struct rwy_vu_state all = all_negotiated();
	const char *why = NULL;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(ids); i++) {
		const struct rwy_vu_msg msg = {.hdr = {.request = ids[i], .flags = 1}};

		assert_null(rwy_vu_check_row(ids[i]));
		assert_int_equal(rwy_vu_check(&all, &msg, &why), -ENOTSUP);
		assert_string_equal(why, "unknown request");
		assert_null(rwy_vu_check_be_row(ids[i]));
		assert_int_equal(rwy_vu_check_be(&all, &msg, &why), -ENOTSUP);
	}
	const struct rwy_vu_msg msg = {.hdr = {.request = 11, .flags = 1}};
	assert_int_equal(rwy_vu_check_be(&all, &msg, &why), -ENOTSUP);
}

static void flags(void **state)
{
	(void)state;
	const struct rwy_vu_state all = all_negotiated();
	const char *why;

	for (uint32_t f = 0; f < 64; f++) {
		const struct rwy_vu_msg msg = {.hdr = {.request = 1, .flags = f}};

		assert_int_equal(rwy_vu_check(&all, &msg, &why), f == 1 || f == 9 ? 0 : -EPROTO);
	}
	const struct rwy_vu_msg msg = {.hdr = {.request = 1, .flags = 0x80000001}};
	assert_int_equal(rwy_vu_check(&all, &msg, &why), -EPROTO);
}

/* Each request is refused without exactly its own protocol feature. */
static void features_not_negotiated(void **state)
{
	(void)state;
	const char *why;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(front); i++) {
		struct rwy_vu_state all = all_negotiated();
		const struct row *row = &front[i];
		struct rwy_vu_msg msg = message(row->id, row->size_min, row->fds_min);

		if (row->pf < 0)
			continue;
		assert_int_equal(rwy_vu_check(&all, &msg, &why), 0);
		all.pf = ~RWY_BIT64(row->pf);
		assert_int_equal(rwy_vu_check(&all, &msg, &why), -ENOTSUP);
		all.pf = RWY_BIT64(row->pf);
		assert_int_equal(rwy_vu_check(&all, &msg, &why), 0);
	}
}

/* CVE-2020-10723: an index is compared whole, not after it was cut to 16 bits. */
static void ring_indices(void **state)
{
	(void)state;
	static const unsigned indexed[] = {
		RWY_VU_SET_VRING_NUM,  RWY_VU_SET_VRING_ADDR,	RWY_VU_SET_VRING_BASE,
		RWY_VU_GET_VRING_BASE, RWY_VU_SET_VRING_ENABLE, RWY_VU_SET_VRING_ENDIAN,
		RWY_VU_VRING_KICK,
	};
	static const uint32_t bad[] = {QUEUES,	255,	     256,	 0x10000,
				       0x10001, 0x80000000u, 0xffffffffu};
	const struct rwy_vu_state all = all_negotiated();
	const char *why;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(indexed); i++) {
		const struct rwy_vu_row *row = rwy_vu_check_row(indexed[i]);
		struct rwy_vu_msg msg = message(indexed[i], row->size_min, 0);

		assert_true(row->indexed);
		for (uint32_t k = 0; k < QUEUES; k++) {
			msg.payload.state.index = k;
			assert_int_equal(rwy_vu_check(&all, &msg, &why), 0);
		}
		for (unsigned k = 0; k < RWY_ARRAY_SIZE(bad); k++) {
			msg.payload.state.index = bad[k];
			assert_int_equal(rwy_vu_check(&all, &msg, &why), -EINVAL);
		}
	}
}

static void ring_fds(void **state)
{
	(void)state;
	static const uint64_t bad[] = {
		QUEUES,	   0xff, 0x200, 0x10000, 0x1000000, RWY_BIT64(32), RWY_BIT64(63) | 0x100,
		UINT64_MAX};
	const struct rwy_vu_state all = all_negotiated();
	const char *why;

	for (unsigned id = RWY_VU_SET_VRING_KICK; id <= RWY_VU_SET_VRING_ERR; id++) {
		for (unsigned fds = 0; fds <= 1; fds++) {
			struct rwy_vu_msg msg = message(id, 8, fds);

			msg.payload.u64 = (QUEUES - 1) | (fds ? 0 : 0x100);
			assert_int_equal(rwy_vu_check(&all, &msg, &why), 0);
			msg.payload.u64 ^= 0x100; /* descriptor and flag contradict each other */
			assert_int_equal(rwy_vu_check(&all, &msg, &why), -EINVAL);
			for (unsigned k = 0; k < RWY_ARRAY_SIZE(bad); k++) {
				msg.payload.u64 = fds ? bad[k] : bad[k] | 0x100;
				assert_int_equal(rwy_vu_check(&all, &msg, &why), -EINVAL);
			}
		}
	}
}

static int check_state(unsigned id, struct rwy_vu_state state, uint32_t num)
{
	struct rwy_vu_msg msg = message(id, 8, 0);
	const char *why;

	msg.payload.state.num = num;
	return rwy_vu_check(&state, &msg, &why);
}

static void ring_sizes(void **state)
{
	(void)state;
	struct rwy_vu_state all = all_negotiated();

	for (unsigned packed = 0; packed <= 1; packed++) {
		all.features = packed ? RWY_BIT64(VIRTIO_F_RING_PACKED) : 0;
		assert_int_equal(check_state(RWY_VU_SET_VRING_NUM, all, 0), -EINVAL);
		assert_int_equal(check_state(RWY_VU_SET_VRING_NUM, all, 1), 0);
		assert_int_equal(check_state(RWY_VU_SET_VRING_NUM, all, 255), packed ? 0 : -EINVAL);
		assert_int_equal(check_state(RWY_VU_SET_VRING_NUM, all, 32768), 0);
		assert_int_equal(check_state(RWY_VU_SET_VRING_NUM, all, 32769), -EINVAL);
		assert_int_equal(check_state(RWY_VU_SET_VRING_NUM, all, 65536), -EINVAL);
		assert_int_equal(check_state(RWY_VU_SET_VRING_NUM, all, 0x10100), -EINVAL);
		assert_int_equal(check_state(RWY_VU_SET_VRING_NUM, all, UINT32_MAX), -EINVAL);
		assert_int_equal(check_state(RWY_VU_SET_VRING_BASE, all, 0xffff), 0);
		assert_int_equal(check_state(RWY_VU_SET_VRING_BASE, all, 0x80018001),
				 packed ? 0 : -EINVAL);
	}
}

static void enables(void **state)
{
	(void)state;
	struct rwy_vu_state all = all_negotiated();

	assert_int_equal(check_state(RWY_VU_SET_VRING_ENABLE, all, 0), 0);
	assert_int_equal(check_state(RWY_VU_SET_VRING_ENABLE, all, 1), 0);
	assert_int_equal(check_state(RWY_VU_SET_VRING_ENABLE, all, 2), -EINVAL);
	all.features = 0;
	assert_int_equal(check_state(RWY_VU_SET_VRING_ENABLE, all, 1), -EINVAL);
	all.features_set = false; /* QEMU enables rings before it sets features */
	assert_int_equal(check_state(RWY_VU_SET_VRING_ENABLE, all, 1), 0);
	all.offered = 0;
	assert_int_equal(check_state(RWY_VU_SET_VRING_ENABLE, all, 1), -EINVAL);
}

static int check_u64(unsigned id, struct rwy_vu_state state, uint64_t value)
{
	struct rwy_vu_msg msg = message(id, 8, 0);
	const char *why;

	msg.payload.u64 = value;
	return rwy_vu_check(&state, &msg, &why);
}

static void values_not_offered(void **state)
{
	(void)state;
	struct rwy_vu_state all = all_negotiated();

	all.offered = 0x140000000;
	all.pf_offered = 0x8209;
	assert_int_equal(check_u64(RWY_VU_SET_FEATURES, all, 0x140000000), 0);
	assert_int_equal(check_u64(RWY_VU_SET_FEATURES, all, 0), 0);
	assert_int_equal(check_u64(RWY_VU_SET_FEATURES, all, 0x140000001), -EINVAL);
	assert_int_equal(check_u64(RWY_VU_SET_PROTOCOL_FEATURES, all, 0x8209), 0);
	assert_int_equal(check_u64(RWY_VU_SET_PROTOCOL_FEATURES, all, RWY_BIT64(22)), -EINVAL);
	assert_int_equal(check_u64(RWY_VU_SET_STATUS, all, 0xff), 0);
	assert_int_equal(check_u64(RWY_VU_SET_STATUS, all, 0x100), -EINVAL);
}

static void configs(void **state)
{
	(void)state;
	const struct rwy_vu_state all = all_negotiated();
	const char *why;

	for (unsigned id = RWY_VU_GET_CONFIG; id <= RWY_VU_SET_CONFIG; id++) {
		struct rwy_vu_msg msg = message(id, 12 + 8, 0);

		msg.payload.config.flags = 1;
		assert_int_equal(rwy_vu_check(&all, &msg, &why), 0);
		msg.payload.config.flags = 2;
		assert_int_equal(rwy_vu_check(&all, &msg, &why), -EINVAL);
		msg.payload.config.flags = 0;
		msg.payload.config.size = 9;
		assert_int_equal(rwy_vu_check(&all, &msg, &why), -EPROTO);
		msg.payload.config.size = 0xfffffff4 + 8; /* 12 + size wraps to 8 */
		assert_int_equal(rwy_vu_check(&all, &msg, &why), -EPROTO);
		msg.payload.config.size = 257;
		msg.hdr.size = 269;
		assert_int_equal(rwy_vu_check(&all, &msg, &why), -EPROTO);
	}
}

/* CVE-2021-3839: 0, max, max + 1, 0xffff queues */
static void inflights(void **state)
{
	(void)state;
	const struct rwy_vu_state all = all_negotiated();
	const char *why;

	for (unsigned id = RWY_VU_GET_INFLIGHT_FD; id <= RWY_VU_SET_INFLIGHT_FD; id++) {
		struct rwy_vu_msg msg = message(id, 24, id == RWY_VU_SET_INFLIGHT_FD);
		struct rwy_vu_inflight *in = &msg.payload.inflight;

		for (unsigned n = 0; n <= 0xffff; n++) {
			in->num_queues = (uint16_t)n;
			assert_int_equal(rwy_vu_check(&all, &msg, &why),
					 n >= 1 && n <= QUEUES ? 0 : -EINVAL);
		}
		in->num_queues = 1;
		in->queue_size = 0;
		assert_int_equal(rwy_vu_check(&all, &msg, &why), -EINVAL);
		in->queue_size = 32769;
		assert_int_equal(rwy_vu_check(&all, &msg, &why), -EINVAL);
		in->queue_size = 32768;
		assert_int_equal(rwy_vu_check(&all, &msg, &why), 0);
	}
}

static int check_reply(uint32_t request, uint32_t id, uint32_t f, uint32_t size, unsigned fds)
{
	const struct rwy_vu_msg msg = {
		.hdr = {.request = id, .flags = f, .size = size},
		.nr_fds = fds,
	};
	const char *why;

	return rwy_vu_check_reply(request, &msg, &why);
}

static void replies(void **state)
{
	(void)state;
	for (uint32_t f = 0; f < 32; f++)
		assert_int_equal(check_reply(1, 1, f, 8, 0), f == 5 ? 0 : -EPROTO);
	assert_int_equal(check_reply(1, 2, 5, 8, 0), -EPROTO);
	assert_int_equal(check_reply(1, 1, 5, 4, 0), -EPROTO);
	assert_int_equal(check_reply(1, 1, 5, 16, 0), -EPROTO);
	assert_int_equal(check_reply(1, 1, 5, 8, 1), -EPROTO);
	assert_int_equal(check_reply(8, 8, 5, 8, 0), 0); /* REPLY_ACK */
	assert_int_equal(check_reply(8, 8, 5, 0, 0), -EPROTO);
	assert_int_equal(check_reply(24, 24, 5, 0, 0), 0);
	assert_int_equal(check_reply(24, 24, 5, 268, 0), 0);
	assert_int_equal(check_reply(24, 24, 5, 269, 0), -EPROTO);
	assert_int_equal(check_reply(31, 31, 5, 24, 1), 0);
	assert_int_equal(check_reply(31, 31, 5, 24, 2), -EPROTO);
	assert_int_equal(check_reply(45, 45, 5, 8, 0), -EPROTO);
}

static void feature_bases(void **state)
{
	(void)state;
	assert_true(rwy_vu_check_pf(~UINT64_C(0)) == ~UINT64_C(0));
	assert_true(rwy_vu_check_pf(RWY_BIT64(20)) == 0);
	assert_true(rwy_vu_check_pf(RWY_BIT64(20) | RWY_BIT64(12)) ==
		    (RWY_BIT64(20) | RWY_BIT64(12)));
	/* a chain of dependencies falls as one */
	assert_true(rwy_vu_check_pf(RWY_BIT64(10) | RWY_BIT64(11) | RWY_BIT64(22)) == 0);
	assert_true(rwy_vu_check_pf(RWY_BIT64(8) | RWY_BIT64(0)) == RWY_BIT64(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_and_fd_count),
		cmocka_unit_test(tables),
		cmocka_unit_test(unknown_numbers),
		cmocka_unit_test(flags),
		cmocka_unit_test(features_not_negotiated),
		cmocka_unit_test(ring_indices),
		cmocka_unit_test(ring_fds),
		cmocka_unit_test(ring_sizes),
		cmocka_unit_test(enables),
		cmocka_unit_test(values_not_offered),
		cmocka_unit_test(configs),
		cmocka_unit_test(inflights),
		cmocka_unit_test(replies),
		cmocka_unit_test(feature_bases),
	};

	return UNIT_RUN(tests);
}
