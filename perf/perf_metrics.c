/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints what a running back-end counts (--metrics PATH) as one line of JSON. */
#include "lib/log.h"
#include "lib/stats.h"
#include "perf/perf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int rwy_perf_metrics_main(int argc, char **argv)
{
	struct rwy_stats stats;
	char *json;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		puts("Usage: ringway-perf metrics PATH\n"
		     "\n"
		     "Prints the counters and histograms in the area that a back-end writes to "
		     "PATH\n"
		     "(its option --metrics), as one JSON object. The back-end may be running.");
		return 0;
	}
	if (argc != 2) {
		fprintf(stderr, "ringway-perf: metrics takes one path; see metrics --help\n");
		return RWY_PERF_USAGE;
	}
	if (rwy_stats_attach(&stats, argv[1]) < 0)
		return RWY_PERF_USAGE; /* logged */
	if (rwy_stats_json(&stats, &json) < 0) {
		fprintf(stderr, "ringway-perf: %s: its entries cannot be read\n", argv[1]);
		rwy_stats_close(&stats);
		return 1;
	}
	puts(json);
	free(json);
	rwy_stats_close(&stats);
	return 0;
}
