/* SPDX-License-Identifier: BSD-3-Clause */
/* The block device around its requests: config space, caching, stopping; on a store of our own
 * that answers when told to. */
#include "tests/unit/fake_disk.h"
#include "tests/unit/unit.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define WCE	   offsetof(struct virtio_blk_config, wce)
#define FLUSH	   RWY_BIT64(VIRTIO_BLK_F_FLUSH)
#define CONFIG_WCE RWY_BIT64(VIRTIO_BLK_F_CONFIG_WCE)

static struct {
	struct rwy_store_req *reqs[FAKE_QUEUE_SIZE]; /* under way */
	unsigned nr;
	bool closed;
} slow;

static int slow_start(struct rwy_store *store, struct rwy_store_req *req)
{
	slow.reqs[slow.nr++] = req;
	return -EINPROGRESS;
}

static void slow_close(struct rwy_store *store)
{
	slow.closed = true;
}

static void open_disk(uint64_t features)
{
	static const struct rwy_store_ops ops = {.start = slow_start, .close = slow_close};
	static struct rwy_store slow_store;
	struct rwy_store *store = &slow_store;

	memset(&slow, 0, sizeof(slow));
	slow_store = (struct rwy_store){.ops = &ops, .size = 1 << 20};
	fake_open(&store, features);
}

/* A write of one sector. */
struct request {
	struct virtio_blk_outhdr hdr;
	uint8_t data[512];
	uint8_t status;
	struct fake_chain chain;
};

static void add_write(struct request *r, uint16_t id)
{
	memset(r, 0, sizeof(*r));
	r->hdr.type = htole32(VIRTIO_BLK_T_OUT);
	r->status = 0xee;
	r->chain = (struct fake_chain){.nr_out = 2, .nr_in = 1, .id = id};
	r->chain.iov[0] = (struct iovec){&r->hdr, sizeof(r->hdr)};
	r->chain.iov[1] = (struct iovec){r->data, sizeof(r->data)};
	r->chain.iov[2] = (struct iovec){&r->status, 1};
	fake_add(&r->chain);
}

static void config_space(void **state)
{
	uint8_t bytes[256];
	struct virtio_blk_config config;

	open_disk(FLUSH);
	fake.ops->config_read(&fake.be, 0, bytes, sizeof(bytes));
	memcpy(&config, bytes, sizeof(config));
	assert_int_equal(le64toh(config.capacity), 2048);
	assert_int_equal(le32toh(config.size_max), 0);
	assert_false(fake.offered & RWY_BIT64(VIRTIO_BLK_F_SIZE_MAX));
	assert_int_equal(le32toh(config.seg_max), 126);
	assert_int_equal(le32toh(config.blk_size), 512);
	assert_int_equal(config.wce, 1);
	assert_int_equal(le16toh(config.num_queues), 2);
	assert_int_equal(config.write_zeroes_may_unmap, 1);
	for (size_t i = sizeof(config); i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0);
	fake.ops->config_read(&fake.be, WCE, bytes, 1);
	assert_int_equal(bytes[0], 1);
	fake_close();
	assert_true(slow.closed);
}

static void only_the_cache_mode_can_be_written(void **state)
{
	const uint8_t bytes[4] = {0, 2, 0, 0};
	uint8_t wce;

	open_disk(FLUSH | CONFIG_WCE);
	assert_int_equal(fake.ops->config_write(&fake.be, 0, bytes, 1), -EINVAL);
	assert_int_equal(fake.ops->config_write(&fake.be, WCE, bytes, 2), -EINVAL);
	assert_int_equal(fake.ops->config_write(&fake.be, WCE, bytes + 1, 1), -EINVAL);
	assert_int_equal(fake.ops->config_write(&fake.be, WCE, bytes, 1), 0);
	fake.ops->config_read(&fake.be, WCE, &wce, 1);
	assert_int_equal(wce, 0);
	fake.ops->reset(&fake.be);
	fake.ops->config_read(&fake.be, WCE, &wce, 1);
	assert_int_equal(wce, 1);
	fake_close();
}

static bool writes_are_durable(uint64_t features, bool wce)
{
	const uint8_t byte = wce;
	struct request r;
	bool durable;

	open_disk(features);
	assert_int_equal(fake.ops->config_write(&fake.be, WCE, &byte, 1), 0);
	add_write(&r, 0);
	fake_poll();
	durable = slow.reqs[0]->durable;
	slow.reqs[0]->done(slow.reqs[0], 0);
	fake_close();
	return durable;
}

static void cache_modes(void **state)
{
	assert_true(writes_are_durable(0, true));
	assert_false(writes_are_durable(FLUSH, true));
	assert_false(writes_are_durable(FLUSH | CONFIG_WCE, true));
	assert_true(writes_are_durable(FLUSH | CONFIG_WCE, false));
}

static void answers_come_in_the_stores_order(void **state)
{
	struct request r[3];

	open_disk(FLUSH);
	for (uint16_t i = 0; i < 3; i++)
		add_write(&r[i], i);
	fake_poll();
	assert_int_equal(slow.nr, 3);
	assert_int_equal(fake.nr_pushed, 0);
	slow.reqs[1]->done(slow.reqs[1], 0);
	slow.reqs[2]->done(slow.reqs[2], -EIO);
	assert_int_equal(fake.nr_published, 0);
	fake_poll();
	assert_int_equal(fake.nr_published, 2);
	assert_int_equal(r[0].status, 0xee);
	assert_int_equal(r[1].status, VIRTIO_BLK_S_OK);
	assert_int_equal(r[2].status, VIRTIO_BLK_S_IOERR);
	assert_int_equal(fake.blk->counts->writes, 1);
	assert_int_equal(fake.blk->counts->write_errors, 1);
	assert_int_equal(fake.blk->latency->count, 0); /* the first of the burst is measured */
	slow.reqs[0]->done(slow.reqs[0], 0);
	assert_int_equal(fake.blk->latency->count, 1);
	fake_close();
}

static void an_id_in_flight_twice_breaks_the_queue(void **state)
{
	struct request first, second, third;

	open_disk(FLUSH);
	add_write(&first, 5);
	fake_poll();
	add_write(&second, 5);
	add_write(&third, 6);
	fake_poll();
	assert_int_equal(fake.be.vqs[0].broken, RWY_VQ_DUPLICATE);
	assert_int_equal(slow.nr, 1); /* and nothing after the lie is done */
	fake.popped[5] = &first.chain;
	slow.reqs[0]->done(slow.reqs[0], 0);
	assert_true(first.chain.pushed);
	assert_int_equal(second.status, 0xee);
	fake_close();
}

static void stopping_waits_for_the_last_answer(void **state)
{
	struct request r[3];

	open_disk(FLUSH);
	add_write(&r[0], 0);
	add_write(&r[1], 1);
	fake_poll();
	assert_false(fake.ops->stop(&fake.be, 0));
	add_write(&r[2], 2); /* comes too late */
	fake_poll();
	slow.reqs[0]->done(slow.reqs[0], 0);
	assert_int_equal(fake.nr_drained, 0);
	slow.reqs[1]->done(slow.reqs[1], 0);
	assert_int_equal(fake.nr_drained, 1);
	assert_int_equal(fake.nr_published, 2);
	assert_int_equal(slow.nr, 2);
	assert_int_equal(fake.nr_pending, 1);
	fake_close();
}

static void a_disabled_queue_waits(void **state)
{
	struct request r;

	open_disk(FLUSH);
	fake.be.enabled[0] = false;
	add_write(&r, 0);
	fake_poll();
	assert_int_equal(slow.nr, 0);
	fake.be.enabled[0] = true;
	fake_poll();
	assert_int_equal(slow.nr, 1);
	slow.reqs[0]->done(slow.reqs[0], 0);
	fake_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_space),
		cmocka_unit_test(only_the_cache_mode_can_be_written),
		cmocka_unit_test(cache_modes),
		cmocka_unit_test(answers_come_in_the_stores_order),
		cmocka_unit_test(an_id_in_flight_twice_breaks_the_queue),
		cmocka_unit_test(stopping_waits_for_the_last_answer),
		cmocka_unit_test(a_disabled_queue_waits),
	};

	return UNIT_RUN(tests);
}
