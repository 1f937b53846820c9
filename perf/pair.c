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

int rwy_pair_init(struct rwy_pair_bench *bench, const struct rwy_pair_about *about, void *ctx)
{
	memset(bench, 0, sizeof(*bench));
	bench->about = about;
	bench->ctx = ctx;
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

	for (unsigned i = 0; err == 0 && i < bench->about->nr_choices; i++)
		if (all || bench->about->choices[i].standard)
			err = bench->about->choose(bench, i);
	return err;
}

static int choose_named(struct rwy_pair_bench *bench, const char *name)
{
	for (unsigned i = 0; i < bench->about->nr_choices; i++)
		if (!strcmp(bench->about->choices[i].name, name))
			return bench->about->choose(bench, i);
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
	return err < 0 ? rwy_opt_fail(why, "must be %s", bench->about->choices_help) : 0;
}

int rwy_pair_choose_standard(struct rwy_pair_bench *bench)
{
	return bench->nr_cases > 0 ? 0 : choose(bench, false);
}

unsigned rwy_pair_turns(const struct rwy_pair_bench *bench)
{
	unsigned turns = bench->about->turn_ms ? bench->opts.measure_ms / bench->about->turn_ms : 1;

	return RWY_MAX(1u, RWY_MIN(turns, RWY_SUMMARY_MAX / bench->opts.pairs));
}

static bool out_of_it(const struct rwy_pair_bench *bench, const struct rwy_pair_case *c,
		      enum rwy_pair_side side)
{
	return bench->missing[side][0] || c->failed[side][0] || bench->run.interrupted;
}

/* A step of a side failed: why is in c->failed. */
static void fail(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side side,
		 int err)
{
	if (bench->run.interrupted) {
		c->failed[side][0] = '\0';
		return;
	}
	fprintf(stderr, "ringway-perf: %s, %s: %s\n", c->name, rwy_table_side(bench, c, side),
		c->failed[side]);
	if (err == -ENOENT) {
		strcpy(bench->missing[side], c->failed[side]);
		c->failed[side][0] = '\0';
	}
}

static void step(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side side,
		 int (*take)(struct rwy_pair_bench *, struct rwy_pair_case *, enum rwy_pair_side))
{
	int err = take ? take(bench, c, side) : 0;

	if (err < 0)
		fail(bench, c, side, err);
}

/* False: there is no value. */
static bool measure(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side side,
		    double *values)
{
	int err;

	if (out_of_it(bench, c, side))
		return false;
	err = bench->about->measure(bench, c, side, values);
	if (err < 0)
		fail(bench, c, side, err);
	return err == 0;
}

/* Keeps what was measured. Where one side made no progress there is no ratio, so neither counts. */
static void keep(struct rwy_pair_bench *bench, struct rwy_pair_case *c, const bool measured[],
		 double values[][RWY_PAIR_METRICS], unsigned still[])
{
	bool all_moved = true;

	for (unsigned side = 0; side < RWY_PAIR_SIDES; side++) {
		const bool stood = measured[side] && !(values[side][0] > 0);

		still[side] += stood;
		all_moved &= !stood;
	}
	if (!all_moved)
		return;
	for (unsigned side = 0; side < RWY_PAIR_SIDES; side++) {
		if (!measured[side])
			continue;
		for (unsigned m = 0; m < bench->about->nr_metrics; m++)
			c->values[side][m][c->nr[side]] = values[side][m];
		c->nr[side]++;
	}
}

static void tell_progress(const struct rwy_pair_bench *bench, const struct rwy_pair_case *c,
			  enum rwy_pair_side side, unsigned from)
{
	struct rwy_summary s;

	rwy_summary_of(c->values[side][0] + from, c->nr[side] - from, &s);
	if (s.nr > 0)
		fprintf(stderr, "  %s, %s: %.4g %s\n", c->name, rwy_table_side(bench, c, side),
			s.median, bench->about->metrics[0].unit);
}

/* Both sides started once. Which of them is first changes from pair to pair and turn to turn. */
static void run_pair(struct rwy_pair_bench *bench, struct rwy_pair_case *c, unsigned pair)
{
	const unsigned turns = rwy_pair_turns(bench);
	unsigned from[RWY_PAIR_SIDES], still[RWY_PAIR_SIDES] = {0};

	memcpy(from, c->nr, sizeof(from));
	for (unsigned i = 0; i < RWY_PAIR_SIDES; i++)
		if (!out_of_it(bench, c, (pair + i) % 2))
			step(bench, c, (pair + i) % 2, bench->about->begin);
	for (unsigned turn = 0; turn < turns; turn++) {
		double values[RWY_PAIR_SIDES][RWY_PAIR_METRICS] = {{0}};
		bool measured[RWY_PAIR_SIDES];

		for (unsigned i = 0; i < RWY_PAIR_SIDES; i++) {
			const unsigned side = (pair + turn + i) % 2;

			measured[side] = measure(bench, c, side, values[side]);
		}
		keep(bench, c, measured, values, still);
	}
	for (unsigned side = 0; side < RWY_PAIR_SIDES; side++) {
		step(bench, c, side, bench->about->end);
		if (!out_of_it(bench, c, side) && 2 * still[side] > turns) {
			snprintf(c->failed[side], RWY_PAIR_TEXT,
				 "it stood still for more than half of the time");
			fail(bench, c, side, -ENODATA);
		}
		/* what was measured of something that turned out wrong is worth nothing */
		if (c->failed[side][0])
			c->nr[side] = from[side];
		else
			tell_progress(bench, c, side, from[side]);
	}
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

		for (unsigned pair = 0; pair < bench->opts.pairs; pair++)
			run_pair(bench, c, pair);
		for (unsigned side = 0; side < RWY_PAIR_SIDES; side++)
			complete &= c->nr[side] > 0 && !out_of_it(bench, c, side);
	}
	read_ticks(&bench->opts, &total[1], &steal[1]);
	if (total[1] > total[0])
		bench->stolen = (steal[1] - steal[0]) / (total[1] - total[0]);
	rwy_table_print(bench, out);
	if (bench->opts.json && rwy_table_save(bench, bench->opts.json) < 0)
		return 1;
	return complete ? 0 : 1;
}
