/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/args.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void rwy_args_init(struct rwy_args *args)
{
	args->nr = 0;
	args->used = 0;
	args->full = false;
	args->words[0] = NULL;
}

void rwy_args_add(struct rwy_args *args, const char *fmt, ...)
{
	char *at = args->text + args->used;
	size_t room = sizeof(args->text) - args->used;
	va_list list;

	va_start(list, fmt);
	int len = vsnprintf(at, room, fmt, list);
	va_end(list);
	if (len < 0 || (size_t)len >= room || args->nr == RWY_ARGS_WORDS) {
		args->full = true;
		return;
	}
	args->used += (size_t)len + 1;
	args->words[args->nr++] = at;
	args->words[args->nr] = NULL;
}

void rwy_args_split(struct rwy_args *args, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (len > 0)
			rwy_args_add(args, "%.*s", (int)len, text);
		text += len + (text[len] == ' ');
	}
}
