/* SPDX-License-Identifier: BSD-3-Clause */
/* What a benchmark found: a table for people, JSON for programs. */
#ifndef RWY_PERF_TABLE_H
#define RWY_PERF_TABLE_H

#include "perf/pair.h"

#include <stdio.h>

/* How a side of a case is called. */
const char *rwy_table_side(const struct rwy_pair_bench *bench, const struct rwy_pair_case *c,
			   enum rwy_pair_side side);
/* The table, then what failed and why, then the commands. */
void rwy_table_print(const struct rwy_pair_bench *bench, FILE *out);
/* Negative errno, reported on stderr. */
RWY_MUST_CHECK int rwy_table_save(const struct rwy_pair_bench *bench, const char *path);

#endif
