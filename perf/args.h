/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An argument vector that is put together piece by piece. Its words lie in the struct, which must
 * not be moved while they are used.
 */
#ifndef RWY_PERF_ARGS_H
#define RWY_PERF_ARGS_H

#include "lib/base.h"

#define RWY_ARGS_WORDS 64
#define RWY_ARGS_TEXT  4096

struct rwy_args {
	const char *words[RWY_ARGS_WORDS + 1]; /* ends with NULL, as exec wants it */
	unsigned nr;
	bool full; /* something did not fit: not to be run */
	size_t used;
	char text[RWY_ARGS_TEXT];
};

/* Without words. */
void rwy_args_init(struct rwy_args *args);
/* One word; it may hold spaces. */
void rwy_args_add(struct rwy_args *args, const char *fmt, ...) RWY_PRINTF(2, 3);
/* The words of a text, cut at each space. */
void rwy_args_split(struct rwy_args *args, const char *text);

#endif
