/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What an aim is judged by: the first of these that any path of the group has. */
static const struct {
	unsigned nr;
	enum rwy_result_metric metrics[3];
} choices[RWY_REPORT_AIMS] = {
	[RWY_REPORT_RATE] = {3, {RWY_RESULT_PPS, RWY_RESULT_IOPS, RWY_RESULT_BPS}},
	[RWY_REPORT_LATENCY] = {1, {RWY_RESULT_LAT_P99}},
	[RWY_REPORT_COST] = {2, {RWY_RESULT_COST, RWY_RESULT_COST_KIB}},
};

/* ---- figures ---- */

unsigned rwy_report_values(const struct rwy_result_path *path, enum rwy_result_metric metric,
			   const char *of, double values[RWY_RESULT_ROUNDS])
{
	unsigned nr = 0;

	for (unsigned i = 0; i < path->nr_rounds; i++) {
		const double *value = rwy_result_get(&path->rounds[i], metric, of);

		if (value)
			values[nr++] = *value;
	}
	return nr;
}

void rwy_report_figure(const struct rwy_result_path *path, enum rwy_result_metric metric,
		       const char *of, struct rwy_summary *out)
{
	double values[RWY_RESULT_ROUNDS];
	unsigned nr = rwy_report_values(path, metric, of, values);

	rwy_summary_of(values, nr, out);
}

unsigned rwy_report_parts(const struct rwy_result_path *path, enum rwy_result_metric metric,
			  struct rwy_report_part *parts, unsigned max)
{
	unsigned nr = 0;

	for (unsigned r = 0; r < path->nr_rounds; r++)
		for (unsigned v = 0; v < path->rounds[r].nr_values; v++) {
			const struct rwy_result_value *value = &path->rounds[r].values[v];
			struct rwy_report_part part = {.of = value->of};
			unsigned at = 0;

			if (value->metric != metric)
				continue;
			while (at < nr && strcmp(parts[at].of, value->of))
				at++;
			if (at < nr || nr == max)
				continue;
			rwy_report_figure(path, metric, value->of, &part.figure);
			for (at = nr++; at > 0; at--) {
				if (parts[at - 1].figure.median >= part.figure.median)
					break;
				parts[at] = parts[at - 1];
			}
			parts[at] = part;
		}
	return nr;
}

/* Round by round, of those rounds that both have; a round of zero has no ratio. */
static void compare(const struct rwy_result_path *a, const struct rwy_result_path *b,
		    enum rwy_result_metric metric, struct rwy_summary_ratio *out)
{
	double x[RWY_RESULT_ROUNDS], y[RWY_RESULT_ROUNDS];
	unsigned nr = 0, j = 0;

	for (unsigned i = 0; i < a->nr_rounds; i++) {
		const double *va, *vb;

		while (j < b->nr_rounds && b->rounds[j].number < a->rounds[i].number)
			j++;
		if (j == b->nr_rounds || b->rounds[j].number != a->rounds[i].number)
			continue;
		va = rwy_result_get(&a->rounds[i], metric, NULL);
		vb = rwy_result_get(&b->rounds[j], metric, NULL);
		if (!va || !vb || *va <= 0 || *vb <= 0)
			continue;
		x[nr] = *va;
		y[nr++] = *vb;
	}
	rwy_summary_compare(x, y, nr, rwy_result_metrics[metric].lower_is_better, out);
}

/* The interval that holds the true median of a path's rounds: that of ratios to 1. */
static void interval(const struct rwy_result_path *path, enum rwy_result_metric metric,
		     struct rwy_summary_ratio *out)
{
	double values[RWY_RESULT_ROUNDS], ones[RWY_RESULT_ROUNDS];
	unsigned nr = rwy_report_values(path, metric, NULL, values);

	for (unsigned i = 0; i < nr; i++)
		ones[i] = 1;
	rwy_summary_compare(values, ones, nr, false, out);
}

int rwy_report_across(const struct rwy_result_path *path, const struct rwy_result_path *first,
		      enum rwy_result_metric metric, double *ratio,
		      enum rwy_summary_verdict *verdict)
{
	bool lower = rwy_result_metrics[metric].lower_is_better;
	struct rwy_summary_ratio a, b;

	interval(path, metric, &a);
	interval(first, metric, &b);
	if (a.nr == 0 || b.nr == 0 || a.median <= 0 || b.median <= 0)
		return -ENODATA;
	*ratio = a.median / b.median;
	if (a.coverage < RWY_SUMMARY_CONFIDENCE || b.coverage < RWY_SUMMARY_CONFIDENCE)
		*verdict = RWY_SUMMARY_FEW;
	else if (a.low <= b.high && b.low <= a.high)
		*verdict = RWY_SUMMARY_NOISE;
	else
		*verdict = (a.low > b.high) != lower ? RWY_SUMMARY_BETTER : RWY_SUMMARY_WORSE;
	return 0;
}

/* ---- ranks ---- */

static bool ahead(const struct rwy_report_row *a, const struct rwy_report_row *b, bool lower)
{
	return lower ? a->figure.median < b->figure.median : a->figure.median > b->figure.median;
}

static void move_up(struct rwy_report_rank *rank, unsigned from, unsigned to)
{
	struct rwy_report_row row = rank->rows[from];

	memmove(&rank->rows[to + 1], &rank->rows[to], (from - to) * sizeof(row));
	rank->rows[to] = row;
}

static void sort_rows(struct rwy_report_rank *rank)
{
	bool lower = rwy_result_metrics[rank->metric].lower_is_better;

	for (unsigned i = 1; i < rank->nr; i++)
		for (unsigned j = 0; j < i; j++)
			if (ahead(&rank->rows[i], &rank->rows[j], lower)) {
				move_up(rank, i, j);
				break;
			}
}

/* Pairs say more than medians: whoever they show to be better than the best takes its place. */
static void compare_rows(struct rwy_report_rank *rank)
{
	for (unsigned attempt = 0; attempt < rank->nr; attempt++) {
		unsigned better = 0;

		for (unsigned i = 1; i < rank->nr; i++) {
			compare(rank->rows[i].path, rank->rows[0].path, rank->metric,
				&rank->rows[i].ratio);
			if (rank->rows[i].ratio.verdict == RWY_SUMMARY_BETTER && better == 0)
				better = i;
		}
		if (better == 0)
			return;
		move_up(rank, better, 0);
	}
}

static void call(struct rwy_report_rank *rank)
{
	unsigned nr_worse = 0;

	for (unsigned i = 1; i < rank->nr; i++) {
		rank->nr_tied += rank->rows[i].ratio.verdict == RWY_SUMMARY_NOISE;
		rank->nr_few += rank->rows[i].ratio.verdict == RWY_SUMMARY_FEW;
		nr_worse += rank->rows[i].ratio.verdict == RWY_SUMMARY_WORSE;
	}
	if (rank->nr < 2)
		rank->call = rank->nr == 0 ? RWY_REPORT_NONE : RWY_REPORT_ALONE;
	else if (rank->nr_tied > 0)
		rank->call = RWY_REPORT_TIED;
	else
		rank->call = nr_worse > 0 ? RWY_REPORT_CLEAR : RWY_REPORT_FEW;
}

static void rank_paths(struct rwy_report_rank *rank, const struct rwy_report_group *group,
		       enum rwy_result_metric metric)
{
	rank->metric = metric;
	for (unsigned i = 0; i < group->nr; i++) {
		struct rwy_report_row *row = &rank->rows[rank->nr];

		row->path = group->paths[i];
		rwy_report_figure(row->path, metric, NULL, &row->figure);
		/* a path whose turn failed is no path to take */
		if (row->figure.nr > 0 && row->path->status == RWY_RESULT_MEASURED)
			rank->nr++;
	}
	sort_rows(rank);
	compare_rows(rank);
	call(rank);
}

static void judge_group(struct rwy_report_group *group)
{
	for (unsigned aim = 0; aim < RWY_REPORT_AIMS; aim++)
		for (unsigned i = 0; i < choices[aim].nr && group->ranks[aim].nr == 0; i++)
			rank_paths(&group->ranks[aim], group, choices[aim].metrics[i]);
}

/* ---- groups ---- */

static struct rwy_report_group *group_of(struct rwy_report *report,
					 const struct rwy_result_path *path)
{
	struct rwy_report_group *group;

	for (unsigned i = 0; i < report->nr_groups; i++) {
		group = &report->groups[i];
		if (group->kind == path->kind && !strcmp(group->workload, path->workload))
			return group;
	}
	group = &report->groups[report->nr_groups++];
	group->kind = path->kind;
	group->workload = path->workload;
	return group;
}

/* Those that were ranked in that order, the others behind in theirs. */
static void order_paths(struct rwy_report_group *group)
{
	const struct rwy_report_rank *rank = group->ranks;
	const struct rwy_result_path *old[RWY_RESULT_PATHS];
	unsigned nr = 0, nr_old = group->nr;

	while (rank->nr == 0 && rank < &group->ranks[RWY_REPORT_AIMS - 1])
		rank++;
	memcpy(old, group->paths, sizeof(old));
	for (unsigned i = 0; i < rank->nr; i++)
		group->paths[nr++] = rank->rows[i].path;
	for (unsigned i = 0; i < nr_old; i++) {
		bool ranked = false;

		for (unsigned j = 0; j < rank->nr; j++)
			ranked |= rank->rows[j].path == old[i];
		if (!ranked)
			group->paths[nr++] = old[i];
	}
}

/* How many other names paths of this kind had before this one's came up. */
static unsigned name_index(const struct rwy_result *result, const struct rwy_result_path *path)
{
	const char *names[RWY_RESULT_PATHS];
	unsigned nr = 0, at = 0;

	for (unsigned i = 0; i < result->nr_paths; i++) {
		if (result->paths[i].kind != path->kind)
			continue;
		for (at = 0; at < nr && strcmp(names[at], result->paths[i].name); at++)
			;
		if (!strcmp(result->paths[i].name, path->name))
			return at;
		if (at == nr)
			names[nr++] = result->paths[i].name;
	}
	return nr;
}

static int judge(struct rwy_report *report)
{
	struct rwy_result *result = &report->result;

	report->groups = calloc(RWY_MAX(result->nr_paths, 1u), sizeof(*report->groups));
	if (!report->groups)
		return -ENOMEM;
	for (unsigned i = 0; i < result->nr_paths; i++) {
		struct rwy_result_path *path = &result->paths[i];
		struct rwy_report_group *group = group_of(report, path);

		for (unsigned r = 0; r < path->nr_rounds; r++)
			rwy_result_derive(&path->rounds[r], path->kind);
		group->paths[group->nr++] = path;
	}
	for (unsigned i = 0; i < report->nr_groups; i++) {
		struct rwy_report_group *group = &report->groups[i];

		judge_group(group);
		order_paths(group);
		for (unsigned p = 0; p < group->nr; p++) {
			unsigned name = name_index(result, group->paths[p]);

			group->hues[p] = (uint8_t)(name % RWY_REPORT_HUES);
			group->dashes[p] = (uint8_t)(name / RWY_REPORT_HUES);
		}
	}
	return 0;
}

int rwy_report_open(struct rwy_report *report, const char *dir, struct rwy_result_why *why)
{
	char *file;
	int err;

	memset(report, 0, sizeof(*report));
	report->dir = dir;
	if (asprintf(&file, "%s/%s", dir, RWY_RESULT_FILE) < 0)
		file = NULL;
	err = file ? rwy_result_load(&report->result, file, why) : -ENOMEM;
	if (err == 0) {
		err = judge(report);
		if (err < 0)
			rwy_result_fini(&report->result);
	}
	if (err == -ENOMEM)
		snprintf(why->text, sizeof(why->text), "%.320s: %s", dir, strerror(ENOMEM));
	free(file);
	return err;
}

void rwy_report_close(struct rwy_report *report)
{
	free(report->groups);
	rwy_result_fini(&report->result);
	memset(report, 0, sizeof(*report));
}

const struct rwy_report_group *rwy_report_find_group(const struct rwy_report *report,
						     const struct rwy_report_group *like)
{
	for (unsigned i = 0; i < report->nr_groups; i++)
		if (report->groups[i].kind == like->kind &&
		    !strcmp(report->groups[i].workload, like->workload))
			return &report->groups[i];
	return NULL;
}

const struct rwy_result_path *rwy_report_find_path(const struct rwy_report_group *group,
						   const char *name)
{
	for (unsigned i = 0; group && i < group->nr; i++)
		if (!strcmp(group->paths[i]->name, name))
			return group->paths[i];
	return NULL;
}
