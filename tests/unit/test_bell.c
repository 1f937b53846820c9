/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"

#include "lib/bell.h"
#include "lib/fd.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* As a hostile peer leaves it: blocking, and no room for one more. */
static int full_eventfd(void)
{
	const uint64_t most = UINT64_MAX - 1;
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, &most, sizeof(most)), sizeof(most));
	return fd;
}

static void rings_each_time(void **state)
{
	struct rwy_bell bell;
	int fd = rwy_fd_event(), other = rwy_fd_event();

	assert_int_equal(rwy_bell_open(&bell), 0);
	for (unsigned i = 0; i < 10000; i++) {
		rwy_bell_ring(&bell, fd);
		if (i % 2)
			rwy_bell_ring(&bell, other);
	}
	assert_int_equal(rwy_fd_drain(fd), 10000);
	assert_int_equal(rwy_fd_drain(other), 5000);
	rwy_bell_close(&bell);
	assert_int_equal(bell.null_fd, -1);
	rwy_fd_close(&fd);
	rwy_fd_close(&other);
}

static void never_waits(void **state)
{
	int fd = full_eventfd();
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	struct rwy_bell bell;

	assert_int_equal(rwy_bell_open(&bell), 0);
	alarm(10); /* a write(2) would be at it until then, and is the end */
	for (unsigned i = 0; i < 1000; i++)
		rwy_bell_ring(&bell, fd);
	alarm(0);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	assert_true(pfd.revents & POLLIN);
	rwy_bell_close(&bell);
	rwy_fd_close(&fd);
}

static void rings_without_a_bell(void **state)
{
	const struct rwy_bell none = {.null_fd = -1};
	int fd = rwy_fd_event();

	rwy_bell_ring(NULL, fd);
	rwy_bell_ring(&none, fd);
	assert_int_equal(rwy_fd_drain(fd), 2);
	rwy_fd_close(&fd);
}

static void rings_in_a_child(void **state)
{
	struct rwy_bell bell;
	int fd = rwy_fd_event();
	int status;

	assert_int_equal(rwy_bell_open(&bell), 0);
	pid_t pid = fork();
	if (pid == 0) {
		rwy_bell_ring(&bell, fd);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(rwy_fd_drain(fd), 1);
	rwy_bell_close(&bell);
	rwy_fd_close(&fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_each_time),
		cmocka_unit_test(never_waits),
		cmocka_unit_test(rings_without_a_bell),
		cmocka_unit_test(rings_in_a_child),
	};

	return UNIT_RUN(tests);
}
