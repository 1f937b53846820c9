/* SPDX-License-Identifier: BSD-3-Clause */
/* Results that nobody measured: invented figures with a known truth, for tests of the report. */
#ifndef RWY_TESTS_FAKE_RESULT_H
#define RWY_TESTS_FAKE_RESULT_H

#include "perf/result.h"

/* "whole", "later" (whole, another day), "few" (3 rounds), "hostile" (text that attacks), "empty",
 * "crowd" (more paths than hues). -EINVAL: none of these, -ENOMEM. Needs fini when 0. */
RWY_MUST_CHECK int fake_result_make(struct rwy_result *result, const char *shape);

#endif
