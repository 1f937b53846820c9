/* SPDX-License-Identifier: BSD-3-Clause */
/* The device side with a driver that behaves: starting, moving chains, notifying, stopping. */
#include "tests/unit/vq_guest.h"

#include <errno.h>

static void start_fails(struct guest *g, int want)
{
	assert_int_equal(rwy_vq_start(&g->vq, &g->config), want);
	assert_false(rwy_vq_started(&g->vq));
	assert_null(g->vq.inflight);
}

static void start_checks_size(bool packed)
{
	struct guest *g = guest_open(packed, 0);

	start_fails(g, -EINVAL);
	g->config.size = 32769;
	start_fails(g, -EINVAL);
	g->config.size = UINT16_MAX;
	start_fails(g, -EINVAL);
	g->config.size = 7;
	if (packed)
		guest_start(g);
	else
		start_fails(g, -EINVAL);
	guest_close(g);
}

static void start_checks_areas(bool packed)
{
	uint64_t len[3];
	struct guest *g = guest_open(packed, 16);
	rwy_uva *const areas[3] = {&g->config.desc, &g->config.driver, &g->config.device};
	const unsigned align[3] = {16, packed ? 4 : 2, 4};

	rwy_vq_layout(16, packed, len);
	for (unsigned i = 0; i < 3; i++) {
		const rwy_uva good = *areas[i];

		for (unsigned off = 1; off < align[i]; off++) {
			areas[i]->v = good.v + off;
			start_fails(g, -EINVAL);
		}
		areas[i]->v = UVA + FAR - 16; /* outside */
		start_fails(g, -EFAULT);
		areas[i]->v = RWY_ALIGN_DOWN(UVA + FAR + FAR_LEN - len[i] + 16, 16);
		start_fails(g, -EFAULT); /* over the end of the map's region */
		areas[i]->v = UVA + NEXT - 16;
		if (len[i] > 16)
			start_fails(g, -EFAULT); /* half in near, half in next */
		areas[i]->v = UINT64_MAX - 15;
		start_fails(g, -EFAULT);
		areas[i]->v = RWY_ALIGN_DOWN(UVA + FAR + FAR_LEN - len[i], align[i]);
		guest_start(g); /* the last place it fits */
		rwy_vq_stop(&g->vq);
		*areas[i] = *areas[(i + 1) % 3];
		start_fails(g, -EINVAL); /* on top of another */
		*areas[i] = good;
	}
	guest_start(g);
	guest_close(g);
}

static void start_checks_base(bool packed)
{
	static const uint32_t bad_split[] = {0x10000, 0x80008000};
	static const uint32_t bad_packed[] = {
		0x8008,	    /* avail beyond the ring */
		0x80088000, /* used beyond the ring */
		0x80058003, /* used ahead of avail */
		0x00038005, /* more than a lap between them */
	};
	struct guest *g = guest_open(packed, 8);
	const uint32_t *bad = packed ? bad_packed : bad_split;

	for (unsigned i = 0; i < (packed ? 4 : 2); i++) {
		g->config.base = bad[i];
		start_fails(g, -EINVAL);
	}
	guest_close(g);
}

static void chain_is_described(bool packed)
{
	const struct vring_desc d[] = {raw(NEAR, 10, 0), raw(FAR, 20, 0), raw(NEXT, 30, W),
				       raw(FAR + 64, 40, W)};
	struct guest *g = guest_started(packed, 8);

	for (unsigned from = 0; from < 4; from++) {
		uint16_t id = guest_chain(g, d + from, 4 - from);
		const struct rwy_chain *c = g->chains;

		assert_int_equal(guest_pop(g), 1);
		assert_int_equal(c->id, id);
		assert_int_equal(c->nr_desc, packed ? 4 - from : 1);
		assert_int_equal(c->nr_out, from < 2 ? 2 - from : 0);
		assert_int_equal(c->nr_in, from < 3 ? 2 : 1);
		assert_int_equal(c->out_len, from == 0 ? 30 : from == 1 ? 20 : 0);
		assert_int_equal(c->in_len, from < 3 ? 70 : 40);
		assert_int_equal(c->written, 0);
		assert_ptr_equal(c->iov, g->iov);
		assert_ptr_equal(c->iov[3 - from].iov_base, g->far + 64);
		rwy_vq_push(&g->vq, c, 1);
		rwy_vq_publish(&g->vq);
	}
	assert_int_equal(g->stats.chains, 4);
	assert_int_equal(g->stats.bursts, 4);
	guest_close(g);
}

/* A chain for which the caller has no room stays; one that never fits breaks the queue. */
static void room_in_the_array(bool packed)
{
	const struct vring_desc d[] = {raw(FAR, 1, 0), raw(FAR, 1, 0), raw(FAR, 1, 0)};
	struct guest *g = guest_started(packed, 8);

	guest_chain(g, d, 2);
	guest_chain(g, d, 2);
	guest_chain(g, d, 1);
	assert_int_equal(rwy_vq_pop(&g->vq, g->chains, 8, g->iov, 3), 1);
	assert_int_equal(rwy_vq_pop(&g->vq, g->chains + 1, 8, g->iov + 2, 2), 1);
	assert_int_equal(rwy_vq_pop(&g->vq, g->chains + 2, 8, g->iov + 4, 1), 1);
	assert_int_equal(g->chains[1].nr_out, 2);
	assert_int_equal(rwy_vq_pop(&g->vq, g->chains + 2, 8, g->iov, 1), 0);
	assert_int_equal(g->vq.broken, RWY_VQ_OK);
	guest_chain(g, d, 3);
	assert_int_equal(rwy_vq_pop(&g->vq, g->chains, 8, g->iov, 2), 0);
	assert_int_equal(g->vq.broken, RWY_VQ_CHAIN_LONG);
	guest_close(g);
}

static void burst_is_bounded(bool packed)
{
	struct guest *g = guest_started(packed, 64);

	for (unsigned i = 0; i < 64; i++)
		guest_one(g, FAR + i, 1, 0);
	for (unsigned got = 0; got < 64; got += 8) {
		assert_int_equal(rwy_vq_pop(&g->vq, g->chains, 8, g->iov, GUEST_IOV), 8);
		for (unsigned i = 0; i < 8; i++)
			assert_ptr_equal(g->chains[i].iov->iov_base, g->far + got + i);
	}
	assert_int_equal(guest_pop(g), 0);
	guest_close(g);
}

/* The hint is right wherever the ring begins, and touches nothing of a broken queue. */
static void has_sees_as_far_as_offered(bool packed)
{
	struct guest *g = guest_started(packed, 8);

	for (unsigned lap = 0; lap < 20; lap++) {
		const unsigned offered = lap % 9;

		for (unsigned i = 0; i < offered; i++)
			guest_one(g, FAR + 64 * i, 64, 0);
		for (unsigned n = 1; n <= 8; n++)
			assert_int_equal(rwy_vq_has(&g->vq, n), n <= offered);
		assert_int_equal(guest_pop(g), offered);
		for (unsigned n = 1; n <= 8 - offered; n++)
			assert_false(rwy_vq_has(&g->vq, n));
		rwy_vq_push(&g->vq, g->chains, offered);
		rwy_vq_publish(&g->vq);
	}
	guest_one(g, FAR, 64, 0);
	assert_true(rwy_vq_has(&g->vq, 1));
	rwy_vq_break(&g->vq, RWY_VQ_DEVICE);
	assert_false(rwy_vq_has(&g->vq, 1));
	guest_close(g);
}

static void unpop_gives_back(bool packed)
{
	const struct vring_desc d[] = {raw(FAR, 1, 0), raw(FAR, 1, 0)};
	struct guest *g = guest_started(packed, 8);

	for (unsigned round = 0; round < 40; round++) { /* over each place of the ring's end */
		uint16_t ids[3];

		for (unsigned i = 0; i < 3; i++)
			ids[i] = guest_chain(g, d, 1 + (round + i) % 2);
		assert_int_equal(guest_pop(g), 3);
		rwy_vq_unpop(&g->vq, g->chains + 1, 2);
		assert_int_equal(rwy_vq_pop(&g->vq, g->chains + 1, 1, g->iov + 8, 8), 1);
		assert_int_equal(g->chains[1].id, ids[1]);
		assert_int_equal(rwy_vq_pop(&g->vq, g->chains + 2, 1, g->iov + 16, 8), 1);
		assert_int_equal(g->chains[2].id, ids[2]);
		rwy_vq_unpop(&g->vq, g->chains, 3);
		assert_int_equal(guest_pop(g), 3);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(g->chains[i].id, ids[i]);
		rwy_vq_push(&g->vq, g->chains, 3);
		rwy_vq_publish(&g->vq);
	}
	assert_int_equal(g->stats.chains, 120);
	assert_int_equal(g->stats.pushes, 120);
	guest_close(g);
}

/* What the driver can see of the first two used chains. */
static bool sees_used(struct guest *g, unsigned n)
{
	if (!g->config.packed)
		return guest_used(g)->idx > n;
	return (guest_pdesc(g, n)->flags & 0x8080) == 0x8080;
}

static void push_hides_until_publish(bool packed)
{
	struct guest *g = guest_started(packed, 8);

	guest_one(g, FAR, 100, W);
	guest_one(g, FAR, 100, W);
	assert_int_equal(guest_pop(g), 2);
	g->chains[0].written = 7;
	g->chains[1].written = 0;
	rwy_vq_push(&g->vq, g->chains, 1);
	assert_false(sees_used(g, 0));
	rwy_vq_push(&g->vq, g->chains + 1, 1);
	assert_false(sees_used(g, 0));
	rwy_vq_publish(&g->vq);
	assert_true(sees_used(g, 1));
	if (packed) {
		assert_int_equal(guest_pdesc(g, 0)->id, 0);
		assert_int_equal(guest_pdesc(g, 0)->len, 7);
		assert_int_equal(guest_pdesc(g, 0)->flags, 0x8080 | W);
		assert_int_equal(guest_pdesc(g, 1)->id, 1);
		assert_int_equal(guest_pdesc(g, 1)->flags, 0x8080); /* nothing written */
	} else {
		assert_int_equal(guest_used(g)->ring[0].id, 0);
		assert_int_equal(guest_used(g)->ring[0].len, 7);
		assert_int_equal(guest_used(g)->ring[1].id, 1);
		assert_int_equal(guest_used(g)->ring[1].len, 0);
	}
	guest_close(g);
}

/* In order, chains without room to write are told by the last of their run, in its first place. */
static void in_order_runs(bool packed)
{
	struct guest *g = guest_open(packed, 8);

	g->config.in_order = true;
	guest_start(g);
	for (unsigned i = 0; i < 6; i++)
		guest_one(g, FAR, 9, i == 3 ? W : 0);
	assert_int_equal(guest_pop(g), 6);
	g->chains[3].written = 5;
	rwy_vq_push(&g->vq, g->chains, 2);
	rwy_vq_push(&g->vq, g->chains + 2, 4);
	assert_false(sees_used(g, 0));
	rwy_vq_publish(&g->vq);
	if (packed) {
		assert_int_equal(guest_pdesc(g, 0)->id, 3);
		assert_int_equal(guest_pdesc(g, 0)->len, 5);
		assert_int_equal(guest_pdesc(g, 4)->id, 5);
		assert_int_equal(guest_pdesc(g, 4)->flags, 0x8080);
		assert_int_equal(guest_pdesc(g, 1)->flags, 0x80); /* as the driver left it */
		assert_int_equal(guest_pdesc(g, 5)->flags, 0x80);
	} else {
		assert_int_equal(guest_used(g)->idx, 6);
		assert_int_equal(guest_used(g)->ring[0].id, 3);
		assert_int_equal(guest_used(g)->ring[0].len, 5);
		assert_int_equal(guest_used(g)->ring[4].id, 5);
	}
	assert_int_equal(rwy_fd_drain(g->vq.call_fd), 1);
	guest_close(g);
}

/* n chains through the queue and published at once. Calls it made. */
static int64_t use(struct guest *g, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		guest_one(g, FAR, 1, 0);
	assert_int_equal(guest_pop(g), n);
	rwy_vq_push(&g->vq, g->chains, n);
	rwy_vq_publish(&g->vq);
	rwy_vq_publish(&g->vq); /* nothing new: nothing to tell */
	return rwy_fd_drain(g->vq.call_fd);
}

static void set_driver_event(struct guest *g, uint16_t off_wrap, uint16_t flags)
{
	*(struct vring_packed_desc_event *)(g->rings + (DRIVER - RINGS)) =
		(struct vring_packed_desc_event){.off_wrap = off_wrap, .flags = flags};
}

static void calls_follow_flags(bool packed)
{
	struct guest *g = guest_started(packed, 8);

	assert_int_equal(use(g, 3), 1);
	if (packed)
		set_driver_event(g, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
	else
		guest_avail(g)->flags = VRING_AVAIL_F_NO_INTERRUPT;
	assert_int_equal(use(g, 3), 0);
	assert_int_equal(g->stats.calls, 1);
	assert_int_equal(g->stats.calls_saved, 1);
	if (packed)
		set_driver_event(g, 0, VRING_PACKED_EVENT_FLAG_ENABLE);
	else
		guest_avail(g)->flags = 0;
	assert_int_equal(use(g, 1), 1);
	guest_close(g);
}

/* Each event position against each burst length, over the wrap of the ring. */
static void calls_follow_event_index(bool packed)
{
	struct guest *g = guest_open(packed, 8);

	g->config.event_idx = true;
	guest_start(g);
	assert_int_equal(use(g, 1), 1); /* the first publish always calls */
	unsigned pos = 1;
	for (unsigned n = 1; n <= 8; n++) {
		for (unsigned event = 0; event < 8; event++) {
			const unsigned at = pos + event; /* from here, in slots */

			if (packed)
				set_driver_event(g, (uint16_t)(at % 8 | (at / 8 % 2 ? 0 : 0x8000)),
						 VRING_PACKED_EVENT_FLAG_DESC);
			else
				guest_avail(g)->ring[8] = (uint16_t)at;
			assert_int_equal(use(g, n), event < n);
			pos += n;
		}
	}
	guest_close(g);
}

static void calls_need_an_eventfd(bool packed)
{
	struct guest *g = guest_open(packed, 8);
	int call_fd = rwy_fd_take(&g->vq.call_fd);

	g->config.event_idx = true;
	guest_start(g);
	assert_int_equal(use(g, 3), -EBADF);
	assert_int_equal(g->stats.calls + g->stats.calls_saved, 0);
	g->vq.call_fd = call_fd;
	/* The driver's event index lies behind; but nobody has told it anything yet. */
	assert_int_equal(use(g, 1), 1);
	guest_close(g);
}

static void arm_looks_again(bool packed)
{
	for (unsigned event_idx = 0; event_idx < 2; event_idx++) {
		struct guest *g = guest_open(packed, 8);
		const struct vring_packed_desc_event *event = (void *)(g->rings + (DEVICE - RINGS));

		g->config.event_idx = event_idx;
		guest_start(g);
		for (unsigned round = 0; round < 20; round++) {
			rwy_vq_disarm(&g->vq);
			if (packed)
				assert_int_equal(event->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
			else
				assert_int_equal(guest_used(g)->flags, !event_idx);
			assert_false(rwy_vq_arm(&g->vq));
			if (packed && event_idx) {
				assert_int_equal(event->flags, VRING_PACKED_EVENT_FLAG_DESC);
				assert_int_equal(event->off_wrap,
						 round % 8 | (round / 8 % 2 ? 0 : 0x8000));
			} else if (packed) {
				assert_int_equal(event->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
			} else if (event_idx) {
				assert_int_equal(*(uint16_t *)&guest_used(g)->ring[8], round);
			} else {
				assert_int_equal(guest_used(g)->flags, 0);
			}
			guest_one(g, FAR, 1, 0);
			assert_true(rwy_vq_arm(&g->vq));
			assert_int_equal(guest_pop(g), 1);
			assert_false(rwy_vq_arm(&g->vq));
			rwy_vq_push(&g->vq, g->chains, 1);
			rwy_vq_publish(&g->vq);
		}
		guest_close(g);
	}
}

/* Stop and start with one chain kept in flight: used stays behind avail, nothing comes twice. */
static void base_round_trip(bool packed)
{
	struct guest *g = guest_started(packed, 8);

	for (unsigned round = 0; round < 30; round++) {
		uint16_t first = guest_one(g, FAR, 1, 0), second = guest_one(g, FAR, 1, 0);

		assert_int_equal(guest_pop(g), 2);
		assert_int_equal(g->chains[0].id, first);
		rwy_vq_push(&g->vq, g->chains, 1);
		uint32_t base = rwy_vq_stop(&g->vq); /* publishes the first */
		if (packed) {
			const unsigned avail = 2 * round + 2, used = 2 * round + 1;

			assert_int_equal(base & 0xffff, avail % 8 | (avail / 8 % 2 ? 0 : 0x8000));
			assert_int_equal(base >> 16, used % 8 | (used / 8 % 2 ? 0 : 0x8000));
		} else {
			assert_int_equal(base, 2 * round + 2);
			assert_int_equal(guest_used(g)->idx, 2 * round + 1);
		}
		g->config.base = base;
		guest_start(g);
		assert_int_equal(guest_pop(g), 0);
		assert_int_equal(g->chains[1].id, second);
		rwy_vq_push(&g->vq, g->chains + 1, 1);
		rwy_vq_publish(&g->vq);
	}
	guest_close(g);
}

/* Front-ends that know the avail half only send 0 above it (DPDK's virtio-user). */
static void base_without_used_half(void **state)
{
	(void)state;
	struct guest *g = guest_open(true, 8);

	g->config.base = 0x8000;
	guest_start(g);
	assert_int_equal(use(g, 3), 1);
	assert_int_equal(guest_pdesc(g, 0)->flags, 0x8080);
	assert_int_equal(rwy_vq_stop(&g->vq), 0x80038003);
	guest_close(g);
}

static void index_wraps_at_64k(void **state)
{
	(void)state;
	struct guest *g = guest_open(false, 8);

	g->config.base = 65533;
	g->config.event_idx = true;
	guest_avail(g)->idx = 65533;
	guest_used(g)->idx = 65533;
	guest_avail(g)->ring[8] = 2;
	g->at = 65533 % 8;
	guest_start(g);
	assert_int_equal(use(g, 3), 1); /* the first after a start */
	assert_int_equal(guest_used(g)->idx, 0);
	assert_int_equal(use(g, 2), 0);
	assert_int_equal(use(g, 2), 1);
	assert_int_equal(rwy_vq_stop(&g->vq), 4);
	guest_close(g);
}

static void device_may_break(bool packed)
{
	struct guest *g = guest_started(packed, 8);

	guest_one(g, FAR, 1, 0);
	rwy_vq_break(&g->vq, RWY_VQ_DEVICE);
	rwy_vq_break(&g->vq, RWY_VQ_ADDRESS); /* the first reason stays */
	assert_int_equal(g->vq.broken, RWY_VQ_DEVICE);
	assert_int_equal(g->stats.broken, 1);
	assert_int_equal(rwy_fd_drain(g->vq.err_fd), 1);
	assert_int_equal(guest_pop(g), 0);
	assert_int_equal(rwy_vq_stop(&g->vq), packed ? 0x80008000 : 0);
	for (unsigned i = 0; i <= RWY_VQ_NR_REASONS; i++)
		assert_non_null(rwy_vq_reason_name((enum rwy_vq_reason)i));
	guest_close(g);
}

/* Memory moves under a paused queue, and is then taken away altogether. */
static void remap_follows_memory(bool packed)
{
	struct guest *g = guest_started(packed, 8);
	struct rwy_mem_region r;

	assert_int_equal(use(g, 3), 1);
	assert_int_equal(rwy_mem_del(&g->mem, (rwy_gpa){RINGS}, (rwy_uva){UVA + RINGS}, RINGS_LEN,
				     &r),
			 0);
	r.hva = aligned_alloc(4096, RINGS_LEN);
	assert_non_null(r.hva);
	memcpy(r.hva, g->rings, RINGS_LEN);
	free(g->rings);
	g->rings = r.hva;
	assert_int_equal(rwy_mem_add(&g->mem, &r), 0);
	assert_int_equal(rwy_vq_remap(&g->vq, &g->config), 0);
	assert_int_equal(use(g, 2), 1);

	guest_one(g, FAR, 1, 0);
	assert_int_equal(rwy_mem_del(&g->mem, (rwy_gpa){RINGS}, (rwy_uva){UVA + RINGS}, RINGS_LEN,
				     &r),
			 0);
	free(g->rings);
	g->rings = NULL;
	assert_int_equal(rwy_vq_remap(&g->vq, &g->config), -EFAULT);
	assert_int_equal(g->vq.broken, RWY_VQ_ADDRESS);
	assert_int_equal(guest_pop(g), 0);
	rwy_vq_push(&g->vq, g->chains, 1);
	rwy_vq_publish(&g->vq);
	rwy_vq_disarm(&g->vq);
	assert_false(rwy_vq_arm(&g->vq));
	assert_int_equal(rwy_vq_stop(&g->vq), packed ? 0x80058005 : 5);
	guest_close(g);
}

BOTH_FORMATS(start_checks_size)
BOTH_FORMATS(start_checks_areas)
BOTH_FORMATS(start_checks_base)
BOTH_FORMATS(chain_is_described)
BOTH_FORMATS(room_in_the_array)
BOTH_FORMATS(burst_is_bounded)
BOTH_FORMATS(has_sees_as_far_as_offered)
BOTH_FORMATS(unpop_gives_back)
BOTH_FORMATS(push_hides_until_publish)
BOTH_FORMATS(in_order_runs)
BOTH_FORMATS(calls_follow_flags)
BOTH_FORMATS(calls_follow_event_index)
BOTH_FORMATS(calls_need_an_eventfd)
BOTH_FORMATS(arm_looks_again)
BOTH_FORMATS(base_round_trip)
BOTH_FORMATS(device_may_break)
BOTH_FORMATS(remap_follows_memory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_BOTH(start_checks_size),
		TEST_BOTH(start_checks_areas),
		TEST_BOTH(start_checks_base),
		TEST_BOTH(chain_is_described),
		TEST_BOTH(room_in_the_array),
		TEST_BOTH(burst_is_bounded),
		TEST_BOTH(has_sees_as_far_as_offered),
		TEST_BOTH(unpop_gives_back),
		TEST_BOTH(push_hides_until_publish),
		TEST_BOTH(in_order_runs),
		TEST_BOTH(calls_follow_flags),
		TEST_BOTH(calls_follow_event_index),
		TEST_BOTH(calls_need_an_eventfd),
		TEST_BOTH(arm_looks_again),
		TEST_BOTH(base_round_trip),
		cmocka_unit_test(base_without_used_half),
		cmocka_unit_test(index_wraps_at_64k),
		TEST_BOTH(device_may_break),
		TEST_BOTH(remap_follows_memory),
	};

	rwy_log_set_level(RWY_LOG_ERROR);
	return UNIT_RUN(tests);
}
