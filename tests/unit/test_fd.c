/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void take_leaves_none(void **state)
{
	(void)state;
	int fd = 7;

	assert_int_equal(rwy_fd_take(&fd), 7);
	assert_int_equal(fd, -1);
	rwy_fd_close(&fd); /* closing none is nothing */
}

static void event_counts(void **state)
{
	(void)state;
	int fd = rwy_fd_event();

	assert_true(fd >= 0);
	assert_int_equal(rwy_fd_drain(fd), 0);
	assert_int_equal(rwy_fd_signal(fd), 0);
	assert_int_equal(rwy_fd_signal(fd), 0);
	assert_int_equal(rwy_fd_drain(fd), 2);
	assert_int_equal(rwy_fd_drain(fd), 0);
	rwy_fd_close(&fd);
	assert_int_equal(fd, -1);
}

/* A peer that shares it may do this between our look and our read. */
static void drain_never_waits(void **state)
{
	(void)state;
	int fd = rwy_fd_event();

	assert_int_equal(rwy_fd_set_nonblock(fd, false), 0);
	alarm(10);
	assert_int_equal(rwy_fd_drain(fd), 0);
	alarm(0);
	assert_int_equal(rwy_fd_signal(fd), 0);
	assert_int_equal(rwy_fd_drain(fd), 1);
	rwy_fd_close(&fd);
}

static void event_full_still_wakes(void **state)
{
	(void)state;
	int fd = rwy_fd_event();
	const uint64_t most = UINT64_MAX - 1;

	assert_int_equal(write(fd, &most, sizeof(most)), sizeof(most));
	assert_int_equal(rwy_fd_signal(fd), 0);
	rwy_fd_close(&fd);
}

static void full_transfers(void **state)
{
	(void)state;
	int fd = memfd_create("test_fd", MFD_CLOEXEC);
	char buf[8];

	assert_int_equal(rwy_fd_write_full(fd, "ringway", 8, 100), 0);
	assert_int_equal(rwy_fd_read_full(fd, buf, 8, 100), 0);
	assert_string_equal(buf, "ringway");
	assert_int_equal(rwy_fd_read_full(fd, buf, 8, 104), -ENODATA);
	rwy_fd_close(&fd);
	assert_int_equal(rwy_fd_write_full(fd, "x", 1, 0), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_leaves_none),  cmocka_unit_test(event_counts),
		cmocka_unit_test(drain_never_waits), cmocka_unit_test(event_full_still_wakes),
		cmocka_unit_test(full_transfers),
	};

	return UNIT_RUN(tests);
}
