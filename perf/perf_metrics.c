/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints what a running back-end counts (--metrics PATH) as one line of JSON. */
#include "lib/opt.h"
#include "lib/stats.h"
#include "perf/perf.h"

#include <stdio.h>
#include <stdlib.h>

static int set_path(void *ctx, char *value, struct rwy_opt_why *why)
{
	const char **path = ctx;

	if (*path)
		return rwy_opt_fail(why, "one path is enough");
	*path = value;
	return 0;
}

int rwy_perf_metrics_main(int argc, char **argv)
{
	const char *path = NULL;
	const struct rwy_opt_program program = {
		.name = "ringway-perf metrics",
		.usage = "PATH",
		.summary =
			"Prints the counters and histograms in the area that a back-end writes to "
			"PATH\n(its option --metrics), as one JSON object. The back-end may be "
			"running.",
		.operand = set_path,
		.ctx = &path,
	};
	struct rwy_stats stats;
	int status;
	char *json;

	if (!rwy_opt_parse(&program, argc, argv, stdout, stderr, &status))
		return status;
	if (!path)
		return rwy_opt_refuse(&program, stderr, "a path is missing");
	if (rwy_stats_attach(&stats, path) < 0)
		return RWY_OPT_EXIT_USAGE; /* logged */
	if (rwy_stats_json(&stats, &json) < 0) {
		fprintf(stderr, "ringway-perf: %s: its entries cannot be read\n", path);
		rwy_stats_close(&stats);
		return 1;
	}
	puts(json);
	free(json);
	rwy_stats_close(&stats);
	return 0;
}
