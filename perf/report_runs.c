/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The page of several runs: of several hosts, or of one at several dates.
 *
 * Rounds of different runs are no pairs: see rwy_report_across for how they are compared.
 */
#include "perf/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct runs {
	const struct rwy_report *reports;
	unsigned nr;
};

/* A to P. */
static char letter(unsigned run)
{
	return (char)('A' + run);
}

static void put_letter(FILE *out, unsigned run)
{
	const char text[] = {letter(run), '\0'};

	rwy_report_put(out, "%s", text);
}

/* ---- tables ---- */

static void put_change(FILE *out, const struct rwy_result_path *path,
		       const struct rwy_result_path *first, enum rwy_result_metric metric)
{
	static const char *const classes[] = {
		[RWY_SUMMARY_FEW] = "few",
		[RWY_SUMMARY_NOISE] = "missing",
		[RWY_SUMMARY_BETTER] = "clear",
		[RWY_SUMMARY_WORSE] = "failed",
	};
	enum rwy_summary_verdict verdict;
	char text[32];
	double ratio;

	if (rwy_report_across(path, first, metric, &ratio, &verdict) < 0)
		return;
	snprintf(text, sizeof(text), "%.2f", ratio);
	rwy_report_put(out, "<small>× %s <span class=\"tag %s\">%s</span></small>", text,
		       classes[verdict],
		       verdict == RWY_SUMMARY_FEW ? "too few rounds"
						  : rwy_summary_verdict_name(verdict));
}

static void put_cell(FILE *out, const struct rwy_result_path *path,
		     const struct rwy_result_path *first, enum rwy_result_metric metric)
{
	char median[RWY_REPORT_NUMBER], q1[RWY_REPORT_NUMBER], q3[RWY_REPORT_NUMBER];
	struct rwy_summary s = {0};

	if (path)
		rwy_report_figure(path, metric, NULL, &s);
	if (s.nr == 0) {
		rwy_report_put(out, "<td class=\"absent\">%s</td>",
			       path && path->status != RWY_RESULT_MEASURED
				       ? rwy_result_status_name(path->status)
				       : "–");
		return;
	}
	rwy_report_number(metric, s.median, median);
	rwy_report_number(metric, s.q1, q1);
	rwy_report_number(metric, s.q3, q3);
	rwy_report_put(out, "<td data-metric=\"%s\" data-value=\"%g\">%s",
		       rwy_result_metrics[metric].key, s.median, median);
	if (s.nr > 1 && (strcmp(q1, median) || strcmp(q3, median)))
		rwy_report_put(out, "<small>%s – %s</small>", q1, q3);
	if (first && first != path)
		put_change(out, path, first, metric);
	rwy_report_put(out, "</td>");
}

/* The first run that has this group decides the order; what later ones have besides follows. */
static unsigned collect_names(const struct runs *runs, const struct rwy_report_group *like,
			      const char *names[RWY_RESULT_PATHS])
{
	unsigned nr = 0;

	for (unsigned i = 0; i < runs->nr; i++) {
		const struct rwy_report_group *group =
			rwy_report_find_group(&runs->reports[i], like);

		for (unsigned p = 0; group && p < group->nr; p++) {
			unsigned at = 0;

			while (at < nr && strcmp(names[at], group->paths[p]->name))
				at++;
			if (at == nr && nr < RWY_RESULT_PATHS)
				names[nr++] = group->paths[p]->name;
		}
	}
	return nr;
}

static const struct rwy_result_path *find(const struct runs *runs, unsigned run,
					  const struct rwy_report_group *like, const char *name)
{
	return rwy_report_find_path(rwy_report_find_group(&runs->reports[run], like), name);
}

/* What a run's path is compared with. An emulated and a real run have no speed in common. */
static const struct rwy_result_path *find_first(const struct runs *runs, unsigned run,
						const struct rwy_report_group *like,
						const char *name)
{
	if (runs->reports[run].result.emulated != runs->reports[0].result.emulated)
		return NULL;
	return find(runs, 0, like, name);
}

static void put_aim(FILE *out, const struct runs *runs, const struct rwy_report_group *like,
		    enum rwy_report_aim aim)
{
	enum rwy_result_metric metric = like->ranks[aim].metric;
	const char *names[RWY_RESULT_PATHS];
	unsigned nr = collect_names(runs, like, names);

	rwy_report_put(out,
		       "<h3>%s%s%s</h3>\n<div class=\"scroll\"><table data-workload=\"%s\">"
		       "<thead><tr><th scope=\"col\">Path</th>",
		       rwy_result_metrics[metric].title,
		       rwy_report_unit(metric, like->kind)[0] ? ", " : "",
		       rwy_report_unit(metric, like->kind), like->workload);
	for (unsigned run = 0; run < runs->nr; run++) {
		rwy_report_put(out, "<th scope=\"col\">");
		put_letter(out, run);
		rwy_report_put(out, "<small>%s</small></th>", runs->reports[run].result.host_name);
	}
	rwy_report_put(out, "</tr></thead><tbody>\n");
	for (unsigned i = 0; i < nr; i++) {
		rwy_report_put(out, "<tr><th scope=\"row\">%s</th>", names[i]);
		for (unsigned run = 0; run < runs->nr; run++)
			put_cell(out, find(runs, run, like, names[i]),
				 find_first(runs, run, like, names[i]), metric);
		rwy_report_put(out, "</tr>\n");
	}
	rwy_report_put(out, "</tbody></table></div>\n");
}

static void put_advice(FILE *out, const struct runs *runs, const struct rwy_report_group *like)
{
	char text[1024];

	rwy_report_put(out, "<dl>\n");
	for (unsigned run = 0; run < runs->nr; run++) {
		const struct rwy_report_group *group =
			rwy_report_find_group(&runs->reports[run], like);

		if (!group)
			continue;
		rwy_report_advice(group, text, sizeof(text));
		rwy_report_put(out, "<dt>");
		put_letter(out, run);
		rwy_report_put(out, ": %s</dt><dd>%s</dd>\n", runs->reports[run].result.host_name,
			       text);
	}
	rwy_report_put(out, "</dl>\n");
}

/* ---- the plot: a row for each run of each path, a colour for each run ---- */

static int put_plot(FILE *out, const struct runs *runs, const struct rwy_report_group *like)
{
	const char *names[RWY_RESULT_PATHS];
	unsigned nr = collect_names(runs, like, names);
	struct rwy_report_group *all = calloc(1, sizeof(*all));
	struct rwy_result_path *copies = calloc(RWY_RESULT_PATHS, sizeof(*copies));
	int err = all && copies ? 0 : -ENOMEM;

	for (unsigned i = 0; i < nr && !err; i++)
		for (unsigned run = 0; run < runs->nr && all->nr < RWY_RESULT_PATHS; run++) {
			const struct rwy_result_path *path = find(runs, run, like, names[i]);
			struct rwy_result_path *copy = &copies[all->nr];

			if (!path || path->nr_rounds == 0)
				continue;
			*copy = *path; /* the rounds stay the result's */
			snprintf(copy->name, sizeof(copy->name), "%c · %.50s", letter(run),
				 path->name);
			all->hues[all->nr] = (uint8_t)(run % RWY_REPORT_HUES);
			all->paths[all->nr++] = copy;
		}
	if (!err) {
		all->kind = like->kind;
		all->workload = like->workload;
		rwy_report_put(out, "<figure class=\"single\"><figcaption>Throughput: more is "
				    "better</figcaption>");
		err = rwy_report_plot_rows(out, all, like->ranks[RWY_REPORT_RATE].metric);
		rwy_report_put(out, "</figure>\n");
	}
	free(copies);
	free(all);
	return err;
}

/* ---- the runs and their hosts ---- */

static void put_runs(FILE *out, const struct runs *runs)
{
	unsigned nr_emulated = 0;

	for (unsigned run = 0; run < runs->nr; run++) {
		rwy_report_put(out, "<section class=\"run\"><h3>");
		put_letter(out, run);
		rwy_report_put(out, ": %s</h3>\n", runs->reports[run].dir);
		rwy_report_run_line(out, &runs->reports[run]);
		rwy_report_put(out, "</section>\n");
		nr_emulated += runs->reports[run].result.emulated;
	}
	if (nr_emulated > 0 && nr_emulated < runs->nr)
		rwy_report_put(out, "<p class=\"note\"><b>Emulated and real runs stand side by "
				    "side here.</b> Between them, no speed compares.</p>\n");
}

static unsigned collect_facts(const struct runs *runs, const char *names[RWY_FACTS_MAX])
{
	unsigned nr = 0;

	for (unsigned run = 0; run < runs->nr; run++)
		for (unsigned i = 0; i < runs->reports[run].result.facts.nr; i++) {
			const char *name = runs->reports[run].result.facts.facts[i].name;
			unsigned at = 0;

			while (at < nr && strcmp(names[at], name))
				at++;
			if (at == nr && nr < RWY_FACTS_MAX)
				names[nr++] = name;
		}
	return nr;
}

static const char *fact(const struct runs *runs, unsigned run, const char *name)
{
	const char *value = rwy_facts_value(&runs->reports[run].result.facts, name);

	return value ? value : "–";
}

static void put_facts(FILE *out, const struct runs *runs)
{
	const char *names[RWY_FACTS_MAX];
	unsigned nr = collect_facts(runs, names);

	rwy_report_put(out, "<section id=\"host\"><h2>The hosts</h2>\n<p>Marked: where they "
			    "differ.</p><div class=\"scroll\"><table class=\"text\"><thead><tr>"
			    "<th scope=\"col\"></th>");
	for (unsigned run = 0; run < runs->nr; run++) {
		rwy_report_put(out, "<th scope=\"col\">");
		put_letter(out, run);
		rwy_report_put(out, "</th>");
	}
	rwy_report_put(out, "</tr></thead><tbody>\n");
	for (unsigned i = 0; i < nr; i++) {
		rwy_report_put(out, "<tr><th scope=\"row\">%s</th>", names[i]);
		for (unsigned run = 0; run < runs->nr; run++) {
			bool differs =
				strcmp(fact(runs, run, names[i]), fact(runs, 0, names[i])) != 0;

			rwy_report_put(out, "<td class=\"%s\">%s</td>", differs ? "differs" : "",
				       fact(runs, run, names[i]));
		}
		rwy_report_put(out, "</tr>\n");
	}
	rwy_report_put(out, "</tbody></table></div></section>\n");
}

static void put_failures(FILE *out, const struct runs *runs)
{
	for (unsigned run = 0; run < runs->nr; run++) {
		const char of[] = {letter(run), '\0'};

		rwy_report_failures(out, &runs->reports[run].result, of);
	}
}

/* The group was not in a run before this one. */
static bool is_new(const struct runs *runs, unsigned run, const struct rwy_report_group *group)
{
	for (unsigned i = 0; i < run; i++)
		if (rwy_report_find_group(&runs->reports[i], group))
			return false;
	return true;
}

static int put_group(FILE *out, const struct runs *runs, const struct rwy_report_group *group)
{
	int err;

	rwy_report_put(out, "<section class=\"group\" data-workload=\"%s\"><h2>", group->workload);
	rwy_report_group_name(out, group);
	rwy_report_put(out, "</h2>\n");
	put_advice(out, runs, group);
	err = put_plot(out, runs, group);
	for (unsigned aim = 0; aim < RWY_REPORT_AIMS; aim++)
		if (group->ranks[aim].nr > 0)
			put_aim(out, runs, group, aim);
	rwy_report_put(out, "</section>\n");
	return err;
}

int rwy_report_runs_page(FILE *out, const struct rwy_report *reports, unsigned nr)
{
	const struct runs runs = {reports, nr};
	int err = 0;

	rwy_report_head(out, "Runs of ringway-perf compare, side by side");
	rwy_report_put(out,
		       "<header><h1>%u runs side by side</h1>\n"
		       "<p class=\"meta\">Ratios are to run A. Rounds of different runs are no "
		       "pairs: better and worse are said only where the intervals of the two "
		       "medians do not overlap.</p></header>\n<main>\n",
		       nr);
	put_runs(out, &runs);
	for (unsigned run = 0; run < nr && !err; run++)
		for (unsigned i = 0; i < reports[run].nr_groups && !err; i++)
			if (is_new(&runs, run, &reports[run].groups[i]))
				err = put_group(out, &runs, &reports[run].groups[i]);
	put_failures(out, &runs);
	put_facts(out, &runs);
	rwy_report_put(out, "</main>\n");
	rwy_report_foot(out);
	return err;
}
