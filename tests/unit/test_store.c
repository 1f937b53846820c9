/* SPDX-License-Identifier: BSD-3-Clause */
/* Both kinds of store, driven as the device drives them, against a plain array as the model. */
#include "tests/unit/unit.h"

#include "lib/iov.h"
#include "lib/log.h"
#include "vhost-backends/blk/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (4u << 20)

struct fixture {
	struct rwy_poll *poll;
	struct rwy_uring *uring;
	struct rwy_store *store;
	char path[64];
	unsigned nr_done;
	int err;
	char line[256];
};

static struct fixture f;

static void keep_line(enum rwy_log_level level, const char *line)
{
	snprintf(f.line, sizeof(f.line), "%s", line);
}

static void make_image(const char *dir, uint64_t size)
{
	snprintf(f.path, sizeof(f.path), "%s/test_store.XXXXXX", dir);
	int fd = mkstemp(f.path);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static void open_file(const char *dir)
{
	memset(&f, 0, sizeof(f));
	make_image(dir, SIZE);
	assert_int_equal(rwy_poll_open(&f.poll, RWY_POLL_NEVER), 0);
	assert_int_equal(rwy_uring_open(&f.uring, f.poll), 0);
	assert_int_equal(rwy_store_file_open(&f.store, f.uring, f.path, false, 0), 0);
	assert_int_equal(f.store->size, SIZE);
}

static void close_file(void)
{
	rwy_store_close(f.store);
	rwy_uring_close(f.uring);
	rwy_poll_close(f.poll);
	unlink(f.path);
}

static void count_done(struct rwy_store_req *req, int err)
{
	f.nr_done++;
	if (err)
		f.err = err;
}

static int start(struct rwy_store_req *req)
{
	req->done = count_done;
	return rwy_store_start(f.store, req);
}

static int work(struct rwy_store_req *req)
{
	unsigned before = f.nr_done;

	f.err = 0;
	int err = start(req);

	if (err != -EINPROGRESS)
		return err;
	while (f.nr_done == before)
		assert_true(rwy_poll_once(f.poll, 1000) >= 0);
	return f.err;
}

static int move(enum rwy_store_op op, uint64_t off, const struct iovec *iov, unsigned nr,
		size_t iov_off, bool durable)
{
	struct rwy_store_req req = {.op = op,
				    .durable = durable,
				    .off = off,
				    .len = rwy_iov_len(iov, nr) - iov_off,
				    .iov = iov,
				    .nr_iov = nr,
				    .iov_off = iov_off};

	return work(&req);
}

static int range(enum rwy_store_op op, uint64_t off, uint64_t len, bool unmap)
{
	struct rwy_store_req req = {
		.op = op, .off = off, .len = len, .unmap = unmap, .durable = len % 1024 == 0};

	return work(&req);
}

static void check_all(const uint8_t *model)
{
	uint8_t *got = malloc(SIZE);
	const struct iovec iov = {got, SIZE};

	assert_int_equal(move(RWY_STORE_READ, 0, &iov, 1, 0, false), 0);
	assert_memory_equal(got, model, SIZE);
	free(got);
}

/* Random writes and zeroes of odd shapes; what discard leaves behind is anybody's guess. */
static void random_work(void)
{
	uint8_t *model = calloc(1, SIZE);
	uint8_t *data = malloc(1 << 16);
	unsigned seed = 7;

	for (unsigned round = 0; round < 300; round++) {
		uint64_t len = (1 + (uint64_t)rand_r(&seed) % 128) * 512;
		uint64_t off = (uint64_t)rand_r(&seed) % ((SIZE - len) / 512 + 1) * 512;
		unsigned kind = (unsigned)rand_r(&seed) % 4;
		uint64_t cut = (uint64_t)rand_r(&seed) % (len + 1);
		const struct iovec iov[] = {{data, 0},
					    {data, cut},
					    {data + cut, 0},
					    {data + cut, len - cut}};

		if (kind < 2) {
			for (uint64_t i = 0; i < len; i++)
				data[i] = (uint8_t)rand_r(&seed);
			size_t skip = kind == 0 ? 0 : 512;
			assert_int_equal(move(RWY_STORE_WRITE, off, iov, 4, skip, round % 8 == 0),
					 0);
			memcpy(model + off, data + skip, len - skip);
		} else {
			assert_int_equal(range(RWY_STORE_ZERO, off, len, kind == 2), 0);
			memset(model + off, 0, len);
		}
	}
	struct rwy_store_req flush = {.op = RWY_STORE_FLUSH};
	assert_int_equal(work(&flush), 0);
	check_all(model);
	assert_int_equal(range(RWY_STORE_DISCARD, 512, 512, false), 0);
	assert_int_equal(range(RWY_STORE_DISCARD, SIZE / 2, SIZE / 2, false), 0);
	const struct iovec iov = {data, 512};
	assert_int_equal(move(RWY_STORE_READ, 0, &iov, 1, 0, false), 0);
	assert_memory_equal(data, model, 512);
	free(model);
	free(data);
}

static void file_matches_model(void **state)
{
	open_file("/tmp");
	random_work();
	close_file();
}

/* tmpfs knows no FALLOC_FL_ZERO_RANGE, so zeroes are written. */
static void file_on_tmpfs_matches_model(void **state)
{
	open_file("/dev/shm");
	random_work();
	close_file();
}

static void memory_matches_model(void **state)
{
	memset(&f, 0, sizeof(f));
	assert_int_equal(rwy_store_mem_open(&f.store, "mem0", SIZE, false), 0);
	assert_int_equal(f.store->size, SIZE);
	assert_true(f.store->in_order);
	random_work();
	rwy_store_close(f.store);
}

static void discard_gives_room_back(void **state)
{
	struct stat before, after;
	uint8_t *data = malloc(SIZE);
	const struct iovec iov = {data, SIZE};

	memset(data, 5, SIZE);
	open_file("/dev/shm");
	assert_int_equal(move(RWY_STORE_WRITE, 0, &iov, 1, 0, false), 0);
	assert_int_equal(stat(f.path, &before), 0);
	assert_int_equal(range(RWY_STORE_ZERO, 0, 1 << 20, false), 0);
	assert_int_equal(stat(f.path, &after), 0);
	assert_int_equal(before.st_blocks, after.st_blocks);
	assert_int_equal(range(RWY_STORE_ZERO, 0, 1 << 20, true), 0);
	assert_int_equal(range(RWY_STORE_DISCARD, 1 << 20, 1 << 20, false), 0);
	assert_int_equal(stat(f.path, &after), 0);
	assert_int_equal((before.st_blocks - after.st_blocks) * 512, 2 << 20);
	assert_int_equal(after.st_size, SIZE);
	close_file();
	free(data);
}

/* Far more at once than the ring has entries, or its iov array room. */
static void any_number_at_once(void **state)
{
	enum { NR = 3000, PIECES = 600 };
	struct rwy_store_req *reqs = calloc(NR, sizeof(*reqs));
	uint8_t *data = malloc(512 * PIECES);
	struct iovec iov[PIECES];

	open_file("/tmp");
	for (unsigned i = 0; i < PIECES; i++)
		iov[i] = (struct iovec){data + 512 * i, 512};
	for (unsigned i = 0; i < NR; i++) {
		reqs[i] = (struct rwy_store_req){.op = i % 7 ? RWY_STORE_READ : RWY_STORE_FLUSH,
						 .off = 512 * i,
						 .iov = iov,
						 .nr_iov = i % 7 ? PIECES : 0,
						 .len = i % 7 ? 512 * PIECES : 0};
		assert_int_equal(start(&reqs[i]), -EINPROGRESS);
	}
	while (f.nr_done < NR)
		assert_true(rwy_poll_once(f.poll, 1000) >= 0);
	assert_int_equal(f.nr_done, NR);
	assert_int_equal(f.err, 0);
	close_file();
	free(reqs);
	free(data);
}

static void a_file_that_shrinks_is_an_error(void **state)
{
	uint8_t data[1024];
	const struct iovec iov = {data, sizeof(data)};

	open_file("/tmp");
	assert_int_equal(truncate(f.path, 512), 0);
	assert_int_equal(move(RWY_STORE_READ, 0, &iov, 1, 0, false), -EIO);
	assert_int_equal(move(RWY_STORE_READ, 4096, &iov, 1, 0, false), -EIO);
	close_file();
}

/* A write the kernel cannot take whole is gone on with, and its error is the request's. */
static void a_short_write_goes_on(void **state)
{
	static uint8_t data[1 << 16];
	const struct iovec iov = {data, sizeof(data)};
	const struct rlimit small = {SIZE / 2, RLIM_INFINITY};
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	open_file("/tmp");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(move(RWY_STORE_WRITE, SIZE / 2 - 4096, &iov, 1, 0, false), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	close_file();
}

static void an_image_has_one_writer(void **state)
{
	struct rwy_store *second;

	open_file("/tmp");
	rwy_log_set_sink(keep_line);
	assert_int_equal(rwy_store_file_open(&second, f.uring, f.path, false, 0), -EBUSY);
	assert_non_null(strstr(f.line, "in use by another process"));
	assert_int_equal(rwy_store_file_open(&second, f.uring, f.path, true, 0), -EBUSY);
	/* unless nobody cares */
	assert_int_equal(rwy_store_file_open(&second, f.uring, f.path, false, -1), 0);
	rwy_store_close(second);
	rwy_store_close(f.store);
	assert_int_equal(rwy_store_file_open(&f.store, f.uring, f.path, true, 0), 0);
	assert_true(f.store->read_only);
	assert_int_equal(rwy_store_file_open(&second, f.uring, f.path, true, 0), 0);
	rwy_store_close(second);
	rwy_log_set_sink(NULL);
	close_file();
}

static void strange_files_are_refused(void **state)
{
	struct rwy_store *store;

	open_file("/tmp");
	rwy_log_set_sink(keep_line);
	assert_int_equal(rwy_store_file_open(&store, f.uring, "/nowhere", false, 0), -ENOENT);
	assert_int_equal(rwy_store_file_open(&store, f.uring, "/tmp", true, 0), -EINVAL);
	assert_int_equal(rwy_store_file_open(&store, f.uring, "/dev/null", false, 0), -EINVAL);
	rwy_store_close(f.store);
	assert_int_equal(truncate(f.path, 511), 0);
	assert_int_equal(rwy_store_file_open(&store, f.uring, f.path, false, 0), -ENODATA);
	assert_int_equal(truncate(f.path, 1025), 0);
	assert_int_equal(rwy_store_file_open(&f.store, f.uring, f.path, false, 0), 0);
	assert_int_equal(f.store->size, 1024);
	assert_non_null(strstr(f.line, "last 1 bytes"));
	assert_string_equal(f.store->id, strrchr(f.path, '/') + 1);
	rwy_log_set_sink(NULL);
	close_file();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_matches_model),
		cmocka_unit_test(file_on_tmpfs_matches_model),
		cmocka_unit_test(memory_matches_model),
		cmocka_unit_test(discard_gives_room_back),
		cmocka_unit_test(any_number_at_once),
		cmocka_unit_test(a_file_that_shrinks_is_an_error),
		cmocka_unit_test(a_short_write_goes_on),
		cmocka_unit_test(an_image_has_one_writer),
		cmocka_unit_test(strange_files_are_refused),
	};

	return UNIT_RUN(tests);
}
