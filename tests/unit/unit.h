/* SPDX-License-Identifier: BSD-3-Clause */
/* What every cmocka program includes, and the leak check its groups end with. */
#ifndef RWY_TESTS_UNIT_H
#define RWY_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/fd.h"
#include "lib/log.h"

#include <stdio.h>
#include <stdlib.h>

/* Group fixtures: the group must end with as many descriptors as it began with. */
static inline int unit_fds_before(void **state)
{
	static int count;

	count = rwy_fd_count();
	*state = &count;
	return 0;
}

static inline int unit_fds_after(void **state)
{
	int *before = *state;

	return rwy_fd_count() == *before ? 0 : -1;
}

#define UNIT_RUN(tests) cmocka_run_group_tests(tests, unit_fds_before, unit_fds_after)

/* For tests that have much refused: errors only. */
static inline int unit_quiet(void **state)
{
	rwy_log_set_level(RWY_LOG_ERROR);
	return unit_fds_before(state);
}

#define UNIT_RUN_QUIET(tests) cmocka_run_group_tests(tests, unit_quiet, unit_fds_after)

static inline bool unit_has_program(const char *program)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
	return system(command) == 0;
}

#endif
