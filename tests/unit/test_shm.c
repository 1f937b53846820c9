/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"

#include "lib/log.h"
#include "lib/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char last_line[1024];

static void keep_line(enum rwy_log_level level, const char *line)
{
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static uint64_t blocks(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void memory_is_shared_and_sealed(void **state)
{
	const struct rwy_shm_opts opts = {.node = -1};
	struct rwy_shm shm;
	char byte;

	assert_int_equal(rwy_shm_open(&shm, "ram", 1 << 20, &opts), 0);
	assert_int_equal(shm.page_size, 4096);
	assert_int_equal(shm.size, 1 << 20);
	assert_int_equal(blocks(shm.fd), 0);
	shm.addr[(1 << 20) - 1] = 42;
	assert_int_equal(rwy_fd_read_full(shm.fd, &byte, 1, (1 << 20) - 1), 0);
	assert_int_equal(byte, 42);
	assert_true(ftruncate(shm.fd, 4096) < 0 && errno == EPERM);
	assert_true(ftruncate(shm.fd, 2 << 20) < 0 && errno == EPERM);
	rwy_shm_close(&shm);
	assert_int_equal(shm.fd, -1);
	assert_null(shm.addr);
	rwy_shm_close(&shm);
}

static void prealloc_touches_all(void **state)
{
	const struct rwy_shm_opts opts = {.node = 0, .prealloc = true};
	struct rwy_shm shm;

	assert_int_equal(rwy_shm_open(&shm, "ram", 1 << 20, &opts), 0);
	assert_int_equal(blocks(shm.fd), 1 << 20);
	rwy_shm_close(&shm);
}

static void refusals_name_the_fix(void **state)
{
	struct rwy_shm_opts opts = {.node = -1};
	struct rwy_shm shm;

	rwy_log_set_sink(keep_line);
	assert_int_equal(rwy_shm_open(&shm, "ram", 0, &opts), -EINVAL);
	assert_int_equal(rwy_shm_open(&shm, "ram", 4097, &opts), -EINVAL);
	assert_int_equal(rwy_shm_open(&shm, "ram", UINT64_MAX - 4095, &opts), -EINVAL);
	opts.page_size = 8192;
	assert_int_equal(rwy_shm_open(&shm, "ram", 8192, &opts), -EINVAL);
	opts.page_size = 2 << 20;
	assert_int_equal(rwy_shm_open(&shm, "ram", 1 << 20, &opts), -EINVAL);
	assert_int_equal(shm.fd, -1);

	/* more huge pages than any machine has */
	assert_true(rwy_shm_open(&shm, "ram", UINT64_C(1) << 50, &opts) < 0);
	assert_non_null(strstr(last_line, "hugepages-2048kB/nr_hugepages"));
	assert_int_equal(shm.fd, -1);

	opts = (struct rwy_shm_opts){.node = 1000};
	assert_int_equal(rwy_shm_open(&shm, "ram", 1 << 20, &opts), -EINVAL);
	assert_non_null(strstr(last_line, "node 1000"));
	rwy_log_set_sink(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_shared_and_sealed),
		cmocka_unit_test(prealloc_touches_all),
		cmocka_unit_test(refusals_name_the_fix),
	};

	return UNIT_RUN(tests);
}
