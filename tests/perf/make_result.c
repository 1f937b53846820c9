/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes an invented result to FILE: make_result SHAPE FILE. See fake_result.h for the shapes. */
#include "tests/perf/fake_result.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct rwy_result result;
	int err;

	if (argc != 3) {
		fprintf(stderr, "usage: make_result SHAPE FILE\n");
		return 2;
	}
	err = fake_result_make(&result, argv[1]);
	if (err == 0) {
		err = rwy_result_save(&result, argv[2]);
		rwy_result_fini(&result);
	}
	if (err < 0)
		fprintf(stderr, "make_result: %s: %s\n", argv[1], strerror(-err));
	return err < 0;
}
