/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/pair.h"

#include "perf/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_PAIRS	   5
#define DEFAULT_WARMUP_MS  500
#define DEFAULT_MEASURE_MS 2000

const char rwy_pair_options_help[] =
	"  --pairs N      pairs of runs per case, at least 1 (default 5; below 5 no verdict is "
	"given)\n"
	"  --cpus A,B     CPU of the program measured, CPU of the load (default 0,1)\n"
	"  --seconds S    length of one measurement (default 2)\n"
	"  --json FILE    write every value measured to FILE as well\n";

int rwy_pair_init(struct rwy_pair_bench *bench)
{
	memset(bench, 0, sizeof(*bench));
	bench->opts = (struct rwy_pair_opts){
		.pairs = DEFAULT_PAIRS,
		.cpu_back = 0,
		.cpu_load = 1,
		.warmup_ms = DEFAULT_WARMUP_MS,
		.measure_ms = DEFAULT_MEASURE_MS,
	};
	bench->cases = calloc(RWY_PAIR_CASES, sizeof(*bench->cases));
	if (!bench->cases)
		return -ENOMEM;
	return rwy_run_init(&bench->run);
}

void rwy_pair_fini(struct rwy_pair_bench *bench)
{
	rwy_run_fini(&bench->run);
	free(bench->cases);
	bench->cases = NULL;
}

struct rwy_pair_case *rwy_pair_add(struct rwy_pair_bench *bench, const void *arg, const char *fmt,
				   ...)
{
	struct rwy_pair_case *c;
	va_list args;

	if (bench->nr_cases == RWY_PAIR_CASES)
		return NULL;
	c = &bench->cases[bench->nr_cases++];
	c->arg = arg;
	va_start(args, fmt);
	vsnprintf(c->name, sizeof(c->name), fmt, args);
	va_end(args);
	return c;
}

static int parse_number(const char *value, double low, double high, double *out)
{
	char *end;

	*out = strtod(value, &end);
	return end == value || *end || !(*out >= low && *out <= high) ? -EINVAL : 0;
}

static int parse_cpus(const char *value, struct rwy_pair_opts *opts)
{
	long online = sysconf(_SC_NPROCESSORS_CONF);
	unsigned a, b;
	char rest;

	if (sscanf(value, "%u,%u%c", &a, &b, &rest) != 2 || a >= (unsigned long)online ||
	    b >= (unsigned long)online)
		return -EINVAL;
	opts->cpu_back = a;
	opts->cpu_load = b;
	return 0;
}

int rwy_pair_option(struct rwy_pair_opts *opts, const char *name, const char *value)
{
	const char *want = NULL;
	double number;

	if (!strcmp(name, "pairs")) {
		if (parse_number(value, 1, RWY_SUMMARY_MAX, &number) < 0)
			want = "1 to 128";
		else
			opts->pairs = (unsigned)number;
	} else if (!strcmp(name, "seconds")) {
		if (parse_number(value, 0.1, 3600, &number) < 0)
			want = "0.1 to 3600";
		else
			opts->measure_ms = (unsigned)(number * 1000);
	} else if (!strcmp(name, "cpus")) {
		if (parse_cpus(value, opts) < 0)
			want = "two CPUs of this machine, like 0,1";
	} else {
		opts->json = value;
	}
	if (!want)
		return 0;
	fprintf(stderr, "ringway-perf: --%s %s: must be %s\n", name, value, want);
	return -EINVAL;
}

static void measure(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side side)
{
	double values[RWY_PAIR_METRICS] = {0};
	int err;

	if (bench->missing[side][0] || c->failed[side][0] || bench->run.interrupted)
		return;
	err = bench->measure(bench, c, side, values);
	if (err < 0 && bench->run.interrupted) {
		c->failed[side][0] = '\0';
		return;
	}
	if (err < 0) {
		fprintf(stderr, "ringway-perf: %s, %s: %s\n", c->name,
			rwy_table_side(bench, c, side), c->failed[side]);
		if (err == -ENOENT) {
			strcpy(bench->missing[side], c->failed[side]);
			c->failed[side][0] = '\0';
		}
		return;
	}
	for (unsigned m = 0; m < bench->nr_metrics; m++)
		c->values[side][m][c->nr[side]] = values[m];
	c->nr[side]++;
	fprintf(stderr, "  %s, %s: %.4g %s\n", c->name, rwy_table_side(bench, c, side), values[0],
		bench->metrics[0].unit);
}

int rwy_pair_run(struct rwy_pair_bench *bench)
{
	bool complete = true;

	for (unsigned i = 0; i < bench->nr_cases; i++) {
		struct rwy_pair_case *c = &bench->cases[i];

		for (unsigned pair = 0; pair < bench->opts.pairs; pair++) {
			measure(bench, c, pair % 2 ? RWY_PAIR_PEER : RWY_PAIR_OURS);
			measure(bench, c, pair % 2 ? RWY_PAIR_OURS : RWY_PAIR_PEER);
		}
		complete &= c->nr[RWY_PAIR_OURS] == bench->opts.pairs &&
			    c->nr[RWY_PAIR_PEER] == bench->opts.pairs;
	}
	rwy_table_print(bench, stdout);
	if (bench->opts.json && rwy_table_save(bench, bench->opts.json) < 0)
		return 1;
	return complete ? 0 : 1;
}
