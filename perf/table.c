/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/table.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

const char *rwy_table_side(const struct rwy_pair_bench *bench, const struct rwy_pair_case *c,
			   enum rwy_pair_side side)
{
	return side == RWY_PAIR_PEER && c->peer ? c->peer : bench->about->sides[side];
}

static unsigned complete_pairs(const struct rwy_pair_case *c)
{
	return RWY_MIN(c->nr[RWY_PAIR_OURS], c->nr[RWY_PAIR_PEER]);
}

static void compare(const struct rwy_pair_bench *bench, const struct rwy_pair_case *c, unsigned m,
		    struct rwy_summary_ratio *ratio)
{
	const double *peer = c->values[RWY_PAIR_PEER][m];
	unsigned nr = complete_pairs(c);

	/* a count may be none, and there is no ratio to that */
	for (unsigned i = 0; i < complete_pairs(c); i++)
		if (!(peer[i] > 0))
			nr = 0;
	rwy_summary_compare(c->values[RWY_PAIR_OURS][m], peer, nr,
			    bench->about->metrics[m].lower_is_better, ratio);
}

/* ---- for people ---- */

static void print_median(const struct rwy_pair_case *c, enum rwy_pair_side side, unsigned m,
			 FILE *out)
{
	struct rwy_summary s;

	rwy_summary_of(c->values[side][m], c->nr[side], &s);
	if (s.nr == 0)
		fprintf(out, " %10s", "-");
	else
		fprintf(out, s.median < 100 ? " %10.2f" : " %10.0f", s.median);
}

/* Of the column that names metrics. */
static int metric_width(const struct rwy_pair_bench *bench)
{
	int width = 12;

	for (unsigned m = 0; m < bench->about->nr_metrics; m++) {
		const struct rwy_pair_metric *metric = &bench->about->metrics[m];

		width = RWY_MAX(width, (int)(strlen(metric->name) + 1 + strlen(metric->unit)));
	}
	return width;
}

static void print_row(const struct rwy_pair_bench *bench, const struct rwy_pair_case *c, unsigned m,
		      FILE *out)
{
	const struct rwy_pair_metric *metric = &bench->about->metrics[m];
	struct rwy_summary_ratio ratio;
	char what[32], spread[32] = "-";

	snprintf(what, sizeof(what), "%s %s", metric->name, metric->unit);
	fprintf(out, "%-26s %-*s", m == 0 ? c->name : "", metric_width(bench), what);
	print_median(c, RWY_PAIR_OURS, m, out);
	print_median(c, RWY_PAIR_PEER, m, out);
	compare(bench, c, m, &ratio);
	if (ratio.nr == 0) {
		fprintf(out, " %7s %13s %6s  not compared\n", "-", spread, "-");
		return;
	}
	snprintf(spread, sizeof(spread), "%.2f-%.2f", ratio.low, ratio.high);
	fprintf(out, " %6.2fx %13s %6u  %s\n", ratio.median, spread, ratio.nr,
		rwy_summary_verdict_name(ratio.verdict));
}

static void print_lines(const char *label, const char *text, FILE *out)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		fprintf(out, "  %-6s %.*s\n", label, (int)len, text);
		text += len + (text[len] == '\n');
		label = "";
	}
}

static void print_failures(const struct rwy_pair_bench *bench, FILE *out)
{
	for (unsigned side = 0; side < RWY_PAIR_SIDES; side++)
		if (bench->missing[side][0])
			fprintf(out, "\nnot measured: %s: %s\n", bench->about->sides[side],
				bench->missing[side]);
	for (unsigned i = 0; i < bench->nr_cases; i++) {
		const struct rwy_pair_case *c = &bench->cases[i];

		for (unsigned side = 0; side < RWY_PAIR_SIDES; side++)
			if (c->failed[side][0])
				fprintf(out, "\nnot measured: %s, %s: %s\n", c->name,
					rwy_table_side(bench, c, side), c->failed[side]);
	}
}

/* Once for neighbours that were run by the same ones. */
static void print_commands(const struct rwy_pair_bench *bench, FILE *out)
{
	fprintf(out, "\ncommands:\n");
	for (unsigned i = 0; i < bench->nr_cases; i++) {
		const struct rwy_pair_case *c = &bench->cases[i], *next = c + 1;

		fprintf(out, "%s\n", c->name);
		if (i + 1 < bench->nr_cases &&
		    !strcmp(c->commands[RWY_PAIR_OURS], next->commands[RWY_PAIR_OURS]) &&
		    !strcmp(c->commands[RWY_PAIR_PEER], next->commands[RWY_PAIR_PEER]))
			continue;
		print_lines("ours", c->commands[RWY_PAIR_OURS], out);
		print_lines("peer", c->commands[RWY_PAIR_PEER], out);
	}
}

void rwy_table_print(const struct rwy_pair_bench *bench, FILE *out)
{
	fprintf(out, "\n%s: %s\n", bench->about->name, bench->about->title);
	fprintf(out, "ours: %s on CPU %u; peer: %s, there too; load on CPU %u\n",
		bench->about->sides[RWY_PAIR_OURS], bench->opts.cpu_back,
		bench->about->sides[RWY_PAIR_PEER], bench->opts.cpu_load);
	fprintf(out, "each started %u times for %.1f s", bench->opts.pairs,
		bench->opts.measure_ms / 1000.0);
	if (bench->about->turn_ms)
		fprintf(out, ", in %u turns by turns", rwy_pair_turns(bench));
	fprintf(out, "%s", bench->run.interrupted ? " (interrupted)" : "");
	fprintf(out, "; %.0f %% of the two CPUs' time was taken by the hypervisor\n\n",
		bench->stolen * 100);
	fprintf(out, "%-26s %-*s %10s %10s %7s %13s %6s  %s\n", "case", metric_width(bench), "",
		"ours", "peer", "ratio", "spread", "pairs", "verdict");
	for (unsigned i = 0; i < bench->nr_cases; i++)
		for (unsigned m = 0; m < bench->about->nr_metrics; m++)
			print_row(bench, &bench->cases[i], m, out);
	fprintf(out,
		"\nratio: median of ours/peer by pair of neighbours; spread: "
		"interval that holds the true median "
		"with at least %.0f %%\n(fewer than 5 pairs: all of them)\n",
		RWY_SUMMARY_CONFIDENCE * 100);
	print_failures(bench, out);
	print_commands(bench, out);
}

/* ---- for programs ---- */

static json_t *json_values(const double *values, unsigned nr)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < nr; i++)
		json_array_append_new(array, json_real(values[i]));
	return array;
}

static json_t *json_side(const struct rwy_pair_case *c, enum rwy_pair_side side, unsigned m)
{
	struct rwy_summary s;

	rwy_summary_of(c->values[side][m], c->nr[side], &s);
	return json_pack("{s:o, s:f, s:f, s:f, s:f, s:f}", "values",
			 json_values(c->values[side][m], c->nr[side]), "min", s.min, "q1", s.q1,
			 "median", s.median, "q3", s.q3, "max", s.max);
}

static json_t *json_metric(const struct rwy_pair_bench *bench, const struct rwy_pair_case *c,
			   unsigned m)
{
	const struct rwy_pair_metric *metric = &bench->about->metrics[m];
	struct rwy_summary_ratio r;

	compare(bench, c, m, &r);
	return json_pack("{s:s, s:s, s:b, s:o, s:o, s:{s:i, s:f, s:f, s:f, s:f, s:s}}", "name",
			 metric->name, "unit", metric->unit, "lower_is_better",
			 metric->lower_is_better, "ours", json_side(c, RWY_PAIR_OURS, m), "peer",
			 json_side(c, RWY_PAIR_PEER, m), "ratio", "pairs", (int)r.nr, "median",
			 r.median, "low", r.low, "high", r.high, "coverage", r.coverage, "verdict",
			 rwy_summary_verdict_name(r.verdict));
}

static json_t *json_lines(const char *text)
{
	json_t *array = json_array();

	while (*text) {
		size_t len = strcspn(text, "\n");

		json_array_append_new(array, json_stringn(text, len));
		text += len + (text[len] == '\n');
	}
	return array;
}

static json_t *json_case(const struct rwy_pair_bench *bench, const struct rwy_pair_case *c)
{
	json_t *metrics = json_array();

	for (unsigned m = 0; m < bench->about->nr_metrics; m++)
		json_array_append_new(metrics, json_metric(bench, c, m));
	return json_pack("{s:s, s:s, s:o, s:{s:o, s:o}, s:{s:s, s:s}}", "name", c->name, "peer",
			 rwy_table_side(bench, c, RWY_PAIR_PEER), "metrics", metrics, "commands",
			 "ours", json_lines(c->commands[RWY_PAIR_OURS]), "peer",
			 json_lines(c->commands[RWY_PAIR_PEER]), "failed", "ours",
			 c->failed[RWY_PAIR_OURS], "peer", c->failed[RWY_PAIR_PEER]);
}

int rwy_table_save(const struct rwy_pair_bench *bench, const char *path)
{
	json_t *cases = json_array(), *root;
	int err;

	for (unsigned i = 0; i < bench->nr_cases; i++)
		json_array_append_new(cases, json_case(bench, &bench->cases[i]));
	root = json_pack("{s:s, s:s, s:s, s:b, s:{s:s, s:s}, s:i, s:[i, i], s:f, s:f, s:o}",
			 "bench", bench->about->name, "title", bench->about->title, "ours",
			 bench->about->sides[RWY_PAIR_OURS], "interrupted", bench->run.interrupted,
			 "missing", "ours", bench->missing[RWY_PAIR_OURS], "peer",
			 bench->missing[RWY_PAIR_PEER], "pairs", (int)bench->opts.pairs, "cpus",
			 (int)bench->opts.cpu_back, (int)bench->opts.cpu_load, "seconds",
			 bench->opts.measure_ms / 1000.0, "stolen", bench->stolen, "cases", cases);
	/* jansson answers every failure, an object that could not be built included, by -1 */
	errno = ENOMEM;
	err = json_dump_file(root, path, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) < 0 ? -errno : 0;
	if (err < 0)
		fprintf(stderr, "ringway-perf: %s: %s\n", path, strerror(-err));
	json_decref(root);
	return err;
}
