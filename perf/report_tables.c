/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of a group of paths. Cells carry their figure in full as well, for programs. */
#include "perf/report.h"

#include <string.h>

#define PARTS_MAX 12 /* that a cell shows */

static const struct theme {
	const char *title;
	enum rwy_result_metric metrics[8];
	unsigned nr;
} themes[] = {
	{"Speed",
	 {RWY_RESULT_PPS, RWY_RESULT_IOPS, RWY_RESULT_BPS, RWY_RESULT_LOSS, RWY_RESULT_LAT_P50,
	  RWY_RESULT_LAT_P99, RWY_RESULT_LAT_P999, RWY_RESULT_LAT_MAX},
	 8},
	{"Cost",
	 {RWY_RESULT_COST, RWY_RESULT_CPU_HOST, RWY_RESULT_CPU_GUEST, RWY_RESULT_CYCLES,
	  RWY_RESULT_EXITS, RWY_RESULT_KICKS, RWY_RESULT_IRQS},
	 8},
	{"Footprint", {RWY_RESULT_SETUP, RWY_RESULT_MEMORY}, 2},
};

static const struct theme breakdown = {"Where it goes",
				       {RWY_RESULT_EXITS_BY, RWY_RESULT_IRQS_BY,
					RWY_RESULT_CPU_PROC, RWY_RESULT_CPU_CORE},
				       4};

static bool has_metric(const struct rwy_report_group *group, enum rwy_result_metric metric)
{
	for (unsigned p = 0; p < group->nr; p++)
		for (unsigned r = 0; r < group->paths[p]->nr_rounds; r++)
			for (unsigned v = 0; v < group->paths[p]->rounds[r].nr_values; v++)
				if (group->paths[p]->rounds[r].values[v].metric == metric)
					return true;
	return false;
}

/* The theme without what nobody measured. */
static struct theme present(const struct theme *theme, const struct rwy_report_group *group)
{
	struct theme out = {.title = theme->title};

	for (unsigned i = 0; i < theme->nr; i++)
		if (has_metric(group, theme->metrics[i]))
			out.metrics[out.nr++] = theme->metrics[i];
	return out;
}

static void put_head(FILE *out, const struct theme *theme, enum rwy_result_kind kind)
{
	rwy_report_put(out, "<thead><tr><th scope=\"col\">Path</th>");
	for (unsigned i = 0; i < theme->nr; i++) {
		const struct rwy_result_metric_info *info = &rwy_result_metrics[theme->metrics[i]];

		rwy_report_put(out, "<th scope=\"col\" title=\"%s\">%s<small>%s</small></th>",
			       info->meaning, info->title,
			       rwy_report_unit(theme->metrics[i], kind));
	}
	rwy_report_put(out, "</tr></thead>\n");
}

static void put_path(FILE *out, const struct rwy_report_group *group, unsigned i)
{
	rwy_report_put(out, "<tr><th scope=\"row\"><i class=\"key c%u\"></i>%s</th>",
		       group->hues[i], group->paths[i]->name);
}

static void put_absent(FILE *out, const struct rwy_result_path *path, enum rwy_result_metric metric)
{
	const char *why = rwy_result_why_not(path, metric);

	rwy_report_put(out, "<td class=\"absent\" title=\"not measured%s%s\">–</td>",
		       why ? ": " : "", why ? why : "");
}

static void put_figure(FILE *out, const struct rwy_result_path *path, enum rwy_result_metric metric,
		       const struct rwy_summary *s)
{
	char median[RWY_REPORT_NUMBER], q1[RWY_REPORT_NUMBER], q3[RWY_REPORT_NUMBER];

	if (s->nr == 0) {
		put_absent(out, path, metric);
		return;
	}
	rwy_report_number(metric, s->median, median);
	rwy_report_number(metric, s->q1, q1);
	rwy_report_number(metric, s->q3, q3);
	rwy_report_put(out, "<td data-metric=\"%s\" data-value=\"%g\">%s",
		       rwy_result_metrics[metric].key, s->median, median);
	if (s->nr > 1 && (strcmp(q1, median) || strcmp(q3, median)))
		rwy_report_put(out, "<small>%s – %s</small>", q1, q3);
	rwy_report_put(out, "</td>");
}

/* Whether an earlier path has the same gap for the same reason. */
static bool said_before(const struct rwy_report_group *group, unsigned p,
			enum rwy_result_metric metric, const char *why)
{
	for (unsigned i = 0; i < p; i++) {
		const char *other = rwy_result_why_not(group->paths[i], metric);

		if (group->paths[i]->nr_rounds > 0 && other && !strcmp(other, why))
			return true;
	}
	return false;
}

/* "Not measured: back-end cycles of A, B: because.", a line for each reason. */
static void put_gap(FILE *out, const struct rwy_report_group *group, unsigned p,
		    enum rwy_result_metric metric, const char *why)
{
	rwy_report_put(out, "<li>Not measured: %s of ", rwy_result_metrics[metric].title);
	for (unsigned i = p; i < group->nr; i++) {
		const char *other = rwy_result_why_not(group->paths[i], metric);

		if (group->paths[i]->nr_rounds > 0 && other && !strcmp(other, why))
			rwy_report_put(out, "%s%s", i > p ? ", " : "", group->paths[i]->name);
	}
	rwy_report_put(out, ": %s</li>\n", why);
}

static void put_gaps(FILE *out, const struct rwy_report_group *group, const struct theme *theme)
{
	bool any = false;

	for (unsigned m = 0; m < theme->nr; m++)
		for (unsigned p = 0; p < group->nr; p++) {
			const char *why = rwy_result_why_not(group->paths[p], theme->metrics[m]);

			if (!why || group->paths[p]->nr_rounds == 0 ||
			    said_before(group, p, theme->metrics[m], why))
				continue;
			if (!any)
				rwy_report_put(out, "<ul class=\"gaps\" title=\"not measured\">\n");
			any = true;
			put_gap(out, group, p, theme->metrics[m], why);
		}
	if (any)
		rwy_report_put(out, "</ul>\n");
}

static void put_theme(FILE *out, const struct rwy_report_group *group, const struct theme *theme)
{
	rwy_report_put(out, "<h3>%s</h3>\n<div class=\"scroll\"><table data-workload=\"%s\">\n",
		       theme->title, group->workload);
	put_head(out, theme, group->kind);
	rwy_report_put(out, "<tbody>\n");
	for (unsigned p = 0; p < group->nr; p++) {
		if (group->paths[p]->nr_rounds == 0)
			continue;
		put_path(out, group, p);
		for (unsigned i = 0; i < theme->nr; i++) {
			struct rwy_summary s;

			rwy_report_figure(group->paths[p], theme->metrics[i], NULL, &s);
			put_figure(out, group->paths[p], theme->metrics[i], &s);
		}
		rwy_report_put(out, "</tr>\n");
	}
	rwy_report_put(out, "</tbody></table></div>\n");
}

static void put_parts(FILE *out, const struct rwy_result_path *path, enum rwy_result_metric metric)
{
	struct rwy_report_part parts[PARTS_MAX];
	unsigned nr = rwy_report_parts(path, metric, parts, PARTS_MAX);

	if (nr == 0) {
		put_absent(out, path, metric);
		return;
	}
	rwy_report_put(out, "<td class=\"parts\">");
	for (unsigned i = 0; i < nr; i++) {
		char number[RWY_REPORT_NUMBER];

		rwy_report_number(metric, parts[i].figure.median, number);
		rwy_report_put(out,
			       "<span>%s%s <b data-metric=\"%s\" data-of=\"%s\" "
			       "data-value=\"%g\">%s</b></span>",
			       metric == RWY_RESULT_CPU_CORE ? "CPU " : "", parts[i].of,
			       rwy_result_metrics[metric].key, parts[i].of, parts[i].figure.median,
			       number);
	}
	rwy_report_put(out, "</td>");
}

static void put_breakdown(FILE *out, const struct rwy_report_group *group,
			  const struct theme *theme)
{
	rwy_report_put(
		out,
		"<h3>%s</h3>\n<div class=\"scroll\"><table class=\"text\" data-workload=\"%s\">\n",
		theme->title, group->workload);
	put_head(out, theme, group->kind);
	rwy_report_put(out, "<tbody>\n");
	for (unsigned p = 0; p < group->nr; p++) {
		if (group->paths[p]->nr_rounds == 0)
			continue;
		put_path(out, group, p);
		for (unsigned i = 0; i < theme->nr; i++)
			put_parts(out, group->paths[p], theme->metrics[i]);
		rwy_report_put(out, "</tr>\n");
	}
	rwy_report_put(out, "</tbody></table></div>\n");
}

void rwy_report_tables(FILE *out, const struct rwy_report_group *group)
{
	struct theme theme;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(themes); i++) {
		theme = present(&themes[i], group);
		if (theme.nr > 0)
			put_theme(out, group, &theme);
		put_gaps(out, group, &themes[i]);
	}
	theme = present(&breakdown, group);
	if (theme.nr > 0)
		put_breakdown(out, group, &theme);
	put_gaps(out, group, &breakdown);
}

static const struct rwy_report_row *find_row(const struct rwy_report_rank *rank,
					     const struct rwy_result_path *path)
{
	for (unsigned i = 0; i < rank->nr; i++)
		if (rank->rows[i].path == path)
			return &rank->rows[i];
	return NULL;
}

static void put_price(FILE *out, const struct rwy_report_rank *rank,
		      const struct rwy_result_path *path)
{
	const struct rwy_report_row *row = find_row(rank, path);
	const char *class = "worse";
	char text[128];

	if (!row) {
		rwy_report_put(out, "<td class=\"absent\">–</td>");
		return;
	}
	if (row == &rank->rows[0])
		class = "best";
	else if (row->ratio.verdict != RWY_SUMMARY_WORSE)
		class = "open";
	rwy_report_price(rank, row, text, sizeof(text));
	rwy_report_put(out, "<td class=\"price %s\">%s</td>", class, text);
}

void rwy_report_prices(FILE *out, const struct rwy_report_group *group)
{
	unsigned nr = 0;

	for (unsigned aim = 0; aim < RWY_REPORT_AIMS; aim++)
		nr = RWY_MAX(nr, group->ranks[aim].nr);
	if (nr < 2)
		return;
	rwy_report_put(out, "<h3>What another choice costs</h3>\n<div class=\"scroll\"><table>\n"
			    "<thead><tr><th scope=\"col\">Path</th>");
	for (unsigned aim = 0; aim < RWY_REPORT_AIMS; aim++)
		if (group->ranks[aim].nr > 0)
			rwy_report_put(out, "<th scope=\"col\">%s<small>%s</small></th>",
				       rwy_report_aim_name(aim),
				       rwy_result_metrics[group->ranks[aim].metric].title);
	rwy_report_put(out, "</tr></thead>\n<tbody>\n");
	for (unsigned p = 0; p < group->nr; p++) {
		if (group->paths[p]->status != RWY_RESULT_MEASURED)
			continue;
		put_path(out, group, p);
		for (unsigned aim = 0; aim < RWY_REPORT_AIMS; aim++)
			if (group->ranks[aim].nr > 0)
				put_price(out, &group->ranks[aim], group->paths[p]);
		rwy_report_put(out, "</tr>\n");
	}
	rwy_report_put(out, "</tbody></table></div>\n");
}
