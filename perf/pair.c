/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/pair.h"

#include "lib/numa.h"
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
#define MEASURE_S_MAX	   3600

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

int rwy_pair_set_pairs(void *bench, char *value, struct rwy_opt_why *why)
{
	struct rwy_pair_opts *opts = &((struct rwy_pair_bench *)bench)->opts;
	uint64_t pairs;
	int err = rwy_opt_uint(value, 1, RWY_SUMMARY_MAX, &pairs, why);

	if (err == 0)
		opts->pairs = (unsigned)pairs;
	return err;
}

int rwy_pair_set_seconds(void *bench, char *value, struct rwy_opt_why *why)
{
	struct rwy_pair_opts *opts = &((struct rwy_pair_bench *)bench)->opts;
	uint64_t seconds;
	int err = rwy_opt_uint(value, 1, MEASURE_S_MAX, &seconds, why);

	if (err == 0)
		opts->measure_ms = (unsigned)seconds * 1000;
	return err;
}

int rwy_pair_set_cpus(void *bench, char *value, struct rwy_opt_why *why)
{
	struct rwy_pair_opts *opts = &((struct rwy_pair_bench *)bench)->opts;
	long nr = sysconf(_SC_NPROCESSORS_ONLN);
	uint16_t cpus[2];

	if (rwy_numa_parse_cpus(value, cpus, 2) != 2 || cpus[0] >= nr || cpus[1] >= nr)
		return rwy_opt_fail(why, "two CPUs of the %ld of this machine are wanted, as 0,1",
				    nr);
	opts->cpu_back = cpus[0];
	opts->cpu_load = cpus[1];
	return 0;
}

int rwy_pair_set_json(void *bench, char *value, struct rwy_opt_why *why)
{
	((struct rwy_pair_bench *)bench)->opts.json = value;
	return 0;
}

static int choose(struct rwy_pair_bench *bench, bool all)
{
	int err = 0;

	for (unsigned i = 0; err == 0 && i < bench->nr_choices; i++)
		if (all || bench->choices[i].standard)
			err = bench->choose(bench, i);
	return err;
}

static int choose_named(struct rwy_pair_bench *bench, const char *name)
{
	for (unsigned i = 0; i < bench->nr_choices; i++)
		if (!strcmp(bench->choices[i].name, name))
			return bench->choose(bench, i);
	return -EINVAL;
}

int rwy_pair_set_choices(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct rwy_pair_bench *bench = ctx;
	int err = 0;

	if (!strcmp(value, "all"))
		return choose(bench, true);
	while (err == 0 && value)
		err = choose_named(bench, rwy_opt_word(&value));
	return err < 0 ? rwy_opt_fail(why, "must be %s", bench->choices_help) : 0;
}

int rwy_pair_choose_standard(struct rwy_pair_bench *bench)
{
	return bench->nr_cases > 0 ? 0 : choose(bench, false);
}

static void measure(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side side)
{
	double values[RWY_PAIR_METRICS] = {0};
	int err;

	if (bench->missing[side][0] || c->failed[side][0] || bench->run.interrupted)
		return;
	err = bench->measure(bench, c, side, values);
	/* most slices passed without any progress: nothing was measured, and no ratio exists */
	if (err == 0 && !(values[0] > 0)) {
		snprintf(c->failed[side], RWY_PAIR_TEXT,
			 "it stood still for more than half of the time");
		err = -ENODATA;
	}
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

/* What /proc/stat counts of one CPU, in ticks: user nice system idle iowait irq softirq steal. */
static void add_ticks(unsigned cpu, double *total, double *steal)
{
	double ticks[8] = {0};
	char label[16], line[512];
	FILE *file = fopen("/proc/stat", "re");

	snprintf(label, sizeof(label), "cpu%u ", cpu);
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, label, strlen(label)))
			continue;
		sscanf(line + strlen(label), "%lf %lf %lf %lf %lf %lf %lf %lf", &ticks[0],
		       &ticks[1], &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]);
		for (unsigned i = 0; i < RWY_ARRAY_SIZE(ticks); i++)
			*total += ticks[i];
		*steal += ticks[7];
	}
	if (file)
		fclose(file);
}

static void read_ticks(const struct rwy_pair_opts *opts, double *total, double *steal)
{
	*total = *steal = 0;
	add_ticks(opts->cpu_back, total, steal);
	add_ticks(opts->cpu_load, total, steal);
}

int rwy_pair_run(struct rwy_pair_bench *bench, FILE *out)
{
	double total[2], steal[2];
	bool complete = true;

	read_ticks(&bench->opts, &total[0], &steal[0]);

	for (unsigned i = 0; i < bench->nr_cases; i++) {
		struct rwy_pair_case *c = &bench->cases[i];

		for (unsigned pair = 0; pair < bench->opts.pairs; pair++) {
			measure(bench, c, pair % 2 ? RWY_PAIR_PEER : RWY_PAIR_OURS);
			measure(bench, c, pair % 2 ? RWY_PAIR_OURS : RWY_PAIR_PEER);
		}
		complete &= c->nr[RWY_PAIR_OURS] == bench->opts.pairs &&
			    c->nr[RWY_PAIR_PEER] == bench->opts.pairs;
	}
	read_ticks(&bench->opts, &total[1], &steal[1]);
	if (total[1] > total[0])
		bench->stolen = (steal[1] - steal[0]) / (total[1] - total[0]);
	rwy_table_print(bench, out);
	if (bench->opts.json && rwy_table_save(bench, bench->opts.json) < 0)
		return 1;
	return complete ? 0 : 1;
}
