/* SPDX-License-Identifier: BSD-3-Clause */
/* Every request of the block device, cut into every shape, on a memory store. */
#include "tests/unit/fake_disk.h"
#include "tests/unit/unit.h"
#include "vhost-backends/blk/blk_req.h"

#include "lib/iov.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DISK	(1u << 20)
#define SECTORS (DISK / 512)
#define DATA	8192u
#define ALL                                                                       \
	(RWY_BIT64(VIRTIO_BLK_F_DISCARD) | RWY_BIT64(VIRTIO_BLK_F_WRITE_ZEROES) | \
	 RWY_BIT64(VIRTIO_BLK_F_FLUSH))

/* A request as the driver lays it out before it is cut. */
struct request {
	uint8_t out[sizeof(struct virtio_blk_outhdr) + DATA];
	uint8_t in[DATA + 1];
	size_t out_len;
	size_t in_len; /* with the status */
};

static struct request r;
static unsigned seed = 1;

static void open_disk(bool read_only, uint64_t features)
{
	struct rwy_store *store;

	assert_int_equal(rwy_store_mem_open(&store, "mem0", DISK, read_only), 0);
	fake_open(&store, features);
}

static void prepare(uint32_t type, uint64_t sector, size_t out, size_t in)
{
	const struct virtio_blk_outhdr hdr = {.type = htole32(type), .sector = htole64(sector)};

	memcpy(r.out, &hdr, sizeof(hdr));
	memset(r.in, 0xee, sizeof(r.in));
	r.out_len = sizeof(hdr) + out;
	r.in_len = in + 1;
}

/* Pieces of len bytes at buf: all in one, or cut at random, some of them empty. */
static unsigned cut(struct iovec *iov, uint8_t *buf, size_t len, bool odd)
{
	unsigned nr = 0;

	while (odd && nr < FAKE_IOV / 2 - 1 && rand_r(&seed) % 8) {
		size_t most = rand_r(&seed) % 2 ? 1 : len;
		size_t part = (size_t)rand_r(&seed) % (RWY_MIN(most, len) + 1);

		iov[nr++] = (struct iovec){buf, part};
		buf += part;
		len -= part;
	}
	iov[nr++] = (struct iovec){buf, len};
	return nr;
}

/* The status, which must be the last byte given to the device. */
static uint8_t answer(bool odd)
{
	static uint16_t id;
	struct fake_chain chain = {.id = id++ % FAKE_QUEUE_SIZE};

	chain.nr_out = cut(chain.iov, r.out, r.out_len, odd);
	chain.nr_in = cut(chain.iov + chain.nr_out, r.in, r.in_len, odd);
	fake_add(&chain);
	fake_poll();
	assert_true(chain.pushed);
	assert_int_equal(fake.nr_published, fake.nr_pushed);
	if (r.in[r.in_len - 1] == VIRTIO_BLK_S_OK)
		assert_int_equal(chain.written, r.in_len);
	return r.in[r.in_len - 1];
}

static uint8_t ask(uint32_t type, uint64_t sector, size_t out, size_t in)
{
	prepare(type, sector, out, in);
	return answer(false);
}

static uint8_t *out_data(void)
{
	return r.out + sizeof(struct virtio_blk_outhdr);
}

static void any_framing(void **state)
{
	uint8_t *model = calloc(1, DISK);

	open_disk(false, ALL);
	for (unsigned round = 0; round < 5000; round++) {
		size_t len = (size_t)rand_r(&seed) % (DATA / 512 + 1) * 512;
		uint64_t sector = (uint64_t)rand_r(&seed) % (SECTORS - len / 512 + 1);

		if (rand_r(&seed) % 2) {
			prepare(VIRTIO_BLK_T_OUT, sector, len, 0);
			for (size_t i = 0; i < len; i++)
				out_data()[i] = (uint8_t)rand_r(&seed);
			memcpy(model + sector * 512, out_data(), len);
			assert_int_equal(answer(true), VIRTIO_BLK_S_OK);
		} else {
			prepare(VIRTIO_BLK_T_IN, sector, 0, len);
			assert_int_equal(answer(true), VIRTIO_BLK_S_OK);
			assert_memory_equal(r.in, model + sector * 512, len);
		}
	}
	fake_close();
	free(model);
}

static void header_in_single_bytes(void **state)
{
	struct fake_chain chain = {.nr_out = 16, .nr_in = 3};

	open_disk(false, ALL);
	prepare(VIRTIO_BLK_T_IN, 3, 0, 512);
	for (unsigned i = 0; i < 16; i++)
		chain.iov[i] = (struct iovec){r.out + i, 1};
	chain.iov[16] = (struct iovec){r.in, 511};
	chain.iov[17] = (struct iovec){r.in + 511, 2}; /* data and status in one piece */
	chain.iov[18] = (struct iovec){r.in, 0};
	fake_add(&chain);
	fake_poll();
	assert_true(chain.pushed);
	assert_int_equal(chain.written, 513);
	assert_int_equal(r.in[512], VIRTIO_BLK_S_OK);
	assert_int_equal(r.in[511], 0);
	fake_close();
}

static void bounds(void **state)
{
	open_disk(false, ALL);
	for (uint32_t type = VIRTIO_BLK_T_IN; type <= VIRTIO_BLK_T_OUT; type++) {
		size_t out = type == VIRTIO_BLK_T_OUT, in = !out;

		assert_int_equal(ask(type, SECTORS - 1, 512 * out, 512 * in), VIRTIO_BLK_S_OK);
		assert_int_equal(ask(type, SECTORS, 0, 0), VIRTIO_BLK_S_OK);
		assert_int_equal(ask(type, SECTORS, 512 * out, 512 * in), VIRTIO_BLK_S_IOERR);
		assert_int_equal(ask(type, SECTORS - 1, 1024 * out, 1024 * in), VIRTIO_BLK_S_IOERR);
		assert_int_equal(ask(type, UINT64_MAX, 512 * out, 512 * in), VIRTIO_BLK_S_IOERR);
		assert_int_equal(ask(type, UINT64_MAX / 512 + 1, 512 * out, 512 * in),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(ask(type, 0, 511 * out, 511 * in), VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(fake.blk->counts->refused, 10);
	assert_int_equal(fake.blk->counts->reads, 2);
	assert_int_equal(fake.blk->counts->writes, 2);
	assert_int_equal(fake.blk->counts->written_bytes, 512);
	assert_int_equal(fake.vq_stats.errors, 10);
	fake_close();
}

/* A failed read claims none of the data it did not write. */
static void failed_read_claims_nothing(void **state)
{
	struct fake_chain chain = {.nr_out = 1, .nr_in = 1};

	open_disk(false, ALL);
	prepare(VIRTIO_BLK_T_IN, SECTORS, 0, 512);
	chain.iov[0] = (struct iovec){r.out, r.out_len};
	chain.iov[1] = (struct iovec){r.in, r.in_len};
	fake_add(&chain);
	fake_poll();
	assert_int_equal(chain.written, 0);
	assert_int_equal(r.in[512], VIRTIO_BLK_S_IOERR);
	assert_int_equal(r.in[0], 0xee);
	fake_close();
}

static void short_headers_and_unknown_types(void **state)
{
	static const uint32_t types[] = {2, 3, 5, 7, 9, 12, 14, 16, 0x80000000, UINT32_MAX};

	open_disk(false, ALL);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(types); i++)
		assert_int_equal(ask(types[i], 0, 0, 0), VIRTIO_BLK_S_UNSUPP);
	for (size_t len = 0; len < sizeof(struct virtio_blk_outhdr); len++) {
		prepare(VIRTIO_BLK_T_FLUSH, 0, 0, 0);
		r.out_len = len;
		assert_int_equal(answer(false), VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(ask(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	fake_close();
}

static void no_room_for_status_breaks_the_queue(void **state)
{
	struct fake_chain chain = {.nr_out = 1};

	open_disk(false, ALL);
	prepare(VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	chain.iov[0] = (struct iovec){r.out, r.out_len};
	fake_add(&chain);
	fake_poll();
	assert_false(chain.pushed);
	assert_int_equal(fake.be.vqs[0].broken, RWY_VQ_DEVICE);
	fake_close();
}

static void read_only_refuses_changes(void **state)
{
	open_disk(true, ALL);
	assert_true(fake.offered & RWY_BIT64(VIRTIO_BLK_F_RO));
	assert_false(fake.offered & RWY_BIT64(VIRTIO_BLK_F_DISCARD));
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 0, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_DISCARD, 0, 16, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	fake_close();
}

static void id_is_cut_or_padded(void **state)
{
	open_disk(false, ALL);
	assert_int_equal(ask(VIRTIO_BLK_T_GET_ID, 0, 0, 20), VIRTIO_BLK_S_OK);
	const uint8_t want[20] = "mem0";
	assert_memory_equal(r.in, want, 20);
	assert_int_equal(ask(VIRTIO_BLK_T_GET_ID, 0, 0, 2), VIRTIO_BLK_S_OK);
	assert_memory_equal(r.in, want, 2);
	assert_int_equal(ask(VIRTIO_BLK_T_GET_ID, 0, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(fake.blk->counts->ids, 3);
	fake_close();
}

static uint8_t ranges(uint32_t type, unsigned nr, const uint32_t (*want)[3])
{
	prepare(type, 0, 16 * nr, 0);
	for (unsigned i = 0; i < nr; i++) {
		const struct virtio_blk_discard_write_zeroes range = {.sector = htole64(want[i][0]),
								      .num_sectors =
									      htole32(want[i][1]),
								      .flags = htole32(want[i][2])};

		memcpy(out_data() + 16 * i, &range, sizeof(range));
	}
	return answer(true);
}

static void zeroes_in_many_ranges(void **state)
{
	static const uint32_t good[][3] = {{0, 1, 0}, {4, 8, 1}, {100, 0, 0}, {SECTORS - 1, 1, 0}};
	static const uint32_t late[][3] = {{8, 1, 0}, {SECTORS, 1, 0}};
	static const uint32_t flag[][3] = {{8, 1, 2}};
	static const uint32_t unmap[][3] = {{8, 1, 1}};
	static const uint32_t huge[][3] = {{0, UINT32_MAX, 0}};
	static const uint32_t many[RWY_BLK_RANGES_MAX + 1][3];

	open_disk(false, ALL);
	for (unsigned sector = 0; sector < SECTORS; sector += 16) {
		prepare(VIRTIO_BLK_T_OUT, sector, 8192, 0);
		memset(out_data(), 0x55, 8192);
		assert_int_equal(answer(false), VIRTIO_BLK_S_OK);
	}
	assert_int_equal(ranges(VIRTIO_BLK_T_WRITE_ZEROES, 2, late), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ranges(VIRTIO_BLK_T_WRITE_ZEROES, 1, flag), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ranges(VIRTIO_BLK_T_DISCARD, 1, unmap), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ranges(VIRTIO_BLK_T_WRITE_ZEROES, 1, huge), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ranges(VIRTIO_BLK_T_WRITE_ZEROES, RWY_BLK_RANGES_MAX + 1, many),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ranges(VIRTIO_BLK_T_WRITE_ZEROES, 0, many), VIRTIO_BLK_S_IOERR);
	prepare(VIRTIO_BLK_T_WRITE_ZEROES, 0, 17, 0);
	assert_int_equal(answer(false), VIRTIO_BLK_S_IOERR);
	/* none of these changed anything */
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 8, 0, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(r.in[0], 0x55);

	assert_int_equal(ranges(VIRTIO_BLK_T_WRITE_ZEROES, 4, good), VIRTIO_BLK_S_OK);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 0, 8192), VIRTIO_BLK_S_OK);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(r.in[512 * i], i == 0 || (i >= 4 && i < 12) ? 0 : 0x55);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, SECTORS - 2, 0, 1024), VIRTIO_BLK_S_OK);
	assert_int_equal(r.in[511], 0x55);
	assert_int_equal(r.in[512], 0);
	assert_int_equal(ranges(VIRTIO_BLK_T_DISCARD, 4, good + 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ranges(VIRTIO_BLK_T_DISCARD, 1, good), VIRTIO_BLK_S_OK);
	assert_int_equal(fake.blk->counts->zeroes, 1);
	assert_int_equal(fake.blk->counts->discards, 1);
	fake_close();
}

static void what_was_not_negotiated_is_unsupported(void **state)
{
	static const uint32_t range[][3] = {{0, 1, 0}};

	open_disk(false, 0);
	assert_int_equal(ranges(VIRTIO_BLK_T_DISCARD, 1, range), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ranges(VIRTIO_BLK_T_WRITE_ZEROES, 1, range), VIRTIO_BLK_S_UNSUPP);
	fake_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_framing),
		cmocka_unit_test(header_in_single_bytes),
		cmocka_unit_test(bounds),
		cmocka_unit_test(failed_read_claims_nothing),
		cmocka_unit_test(short_headers_and_unknown_types),
		cmocka_unit_test(no_room_for_status_breaks_the_queue),
		cmocka_unit_test(read_only_refuses_changes),
		cmocka_unit_test(id_is_cut_or_padded),
		cmocka_unit_test(zeroes_in_many_ranges),
		cmocka_unit_test(what_was_not_negotiated_is_unsupported),
	};

	return UNIT_RUN(tests);
}
