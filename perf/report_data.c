/* SPDX-License-Identifier: BSD-3-Clause */
/* What the page says, for programs: JSON and CSV. */
#include "perf/report.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define DIGITS	  12
#define PARTS_MAX RWY_RESULT_VALUES
#define TEXT_LEN  1024

/* ---- JSON ---- */

static json_t *summary_json(const struct rwy_summary *s)
{
	return json_pack("{si sf sf sf sf sf}", "rounds", (int)s->nr, "min", s->min, "q1", s->q1,
			 "median", s->median, "q3", s->q3, "max", s->max);
}

static json_t *metric_json(const struct rwy_result_path *path, enum rwy_result_metric metric)
{
	struct rwy_report_part parts[PARTS_MAX];
	struct rwy_summary summary;
	unsigned nr;
	json_t *object;

	if (!rwy_result_metrics[metric].parts) {
		rwy_report_figure(path, metric, NULL, &summary);
		return summary.nr ? summary_json(&summary) : NULL;
	}
	nr = rwy_report_parts(path, metric, parts, PARTS_MAX);
	object = nr ? json_object() : NULL;
	for (unsigned i = 0; i < nr; i++)
		json_object_set_new(object, parts[i].of, summary_json(&parts[i].figure));
	return object;
}

/* Of each aim: how this path compares with itself in the first of several runs. */
static json_t *across_json(const struct rwy_report_group *group, const struct rwy_result_path *path,
			   const struct rwy_result_path *first)
{
	json_t *aims = first ? json_object() : NULL;

	for (unsigned aim = 0; aims && aim < RWY_REPORT_AIMS; aim++) {
		enum rwy_result_metric metric = group->ranks[aim].metric;
		enum rwy_summary_verdict verdict;
		double ratio;

		if (rwy_report_across(path, first, metric, &ratio, &verdict) == 0)
			json_object_set_new(aims, rwy_result_metrics[metric].key,
					    json_pack("{sf ss}", "ratio", ratio, "verdict",
						      rwy_summary_verdict_name(verdict)));
	}
	return aims;
}

/* first: the same path in the first run; NULL where this is it, or has none */
static json_t *path_json(const struct rwy_report_group *group, const struct rwy_result_path *path,
			 const struct rwy_result_path *first)
{
	json_t *metrics = json_object();

	for (unsigned m = 0; m < RWY_RESULT_METRICS; m++) {
		json_t *metric = metric_json(path, m);

		if (metric)
			json_object_set_new(metrics, rwy_result_metrics[m].key, metric);
	}
	return json_pack("{ss ss ss ss ss ss so so*}", "name", path->name, "vmm", path->vmm,
			 "backend", path->backend, "status", rwy_result_status_name(path->status),
			 "reason", path->reason, "commands", path->commands, "metrics", metrics,
			 "to_first_run", across_json(group, path, first));
}

static json_t *ratio_json(const struct rwy_summary_ratio *r)
{
	return json_pack("{si sf sf sf sf ss}", "rounds", (int)r->nr, "median", r->median, "low",
			 r->low, "high", r->high, "coverage", r->coverage, "verdict",
			 rwy_summary_verdict_name(r->verdict));
}

static json_t *rank_json(const struct rwy_report_group *group, enum rwy_report_aim aim)
{
	const struct rwy_report_rank *rank = &group->ranks[aim];
	json_t *rows = json_array();
	char reason[TEXT_LEN];

	for (unsigned i = 0; i < rank->nr; i++)
		json_array_append_new(rows, json_pack("{ss so*}", "path", rank->rows[i].path->name,
						      "to_best",
						      i ? ratio_json(&rank->rows[i].ratio) : NULL));
	rwy_report_reason(group, aim, reason, sizeof(reason));
	return json_pack("{ss ss ss ss so}", "aim", rwy_report_aim_name(aim), "metric",
			 rwy_result_metrics[rank->metric].key, "verdict",
			 rwy_report_call_name(rank->call), "reason", reason, "ranking", rows);
}

/* first: the first run, NULL where this is it */
static json_t *group_json(const struct rwy_report_group *group, const struct rwy_report *first)
{
	const struct rwy_report_group *same = first ? rwy_report_find_group(first, group) : NULL;
	json_t *paths = json_array(), *ranks = json_array();
	char advice[TEXT_LEN];

	for (unsigned i = 0; i < group->nr; i++)
		json_array_append_new(paths,
				      path_json(group, group->paths[i],
						rwy_report_find_path(same, group->paths[i]->name)));
	for (unsigned aim = 0; aim < RWY_REPORT_AIMS; aim++)
		json_array_append_new(ranks, rank_json(group, aim));
	rwy_report_advice(group, advice, sizeof(advice));
	return json_pack("{ss ss ss so so}", "kind", rwy_result_kind_name(group->kind), "workload",
			 group->workload, "advice", advice, "recommendations", ranks, "paths",
			 paths);
}

static json_t *run_json(const struct rwy_report *report, const struct rwy_report *first)
{
	const struct rwy_result *result = &report->result;
	json_t *groups = json_array(), *facts = json_object();
	char started[RWY_RESULT_TIME_LEN];
	struct tm tm;

	if (!gmtime_r(&result->started, &tm) ||
	    !strftime(started, sizeof(started), RWY_RESULT_TIME, &tm))
		started[0] = '\0';
	for (unsigned i = 0; i < result->facts.nr; i++)
		json_object_set_new(facts, result->facts.facts[i].name,
				    json_string(result->facts.facts[i].value));
	for (unsigned i = 0; i < report->nr_groups; i++)
		json_array_append_new(groups, group_json(&report->groups[i], first));
	return json_pack("{ss ss ss ss sf sb si ss so ss so}", "dir", report->dir, "host",
			 result->host_name, "ringway", result->version, "started", started,
			 "seconds", result->seconds, "emulated", (int)result->emulated, "rounds",
			 (int)result->rounds, "ended", result->ended, "facts", facts, "placement",
			 result->placement, "groups", groups);
}

int rwy_report_json(FILE *out, const struct rwy_report *reports, unsigned nr)
{
	json_t *runs = json_array(), *root;
	int err;

	for (unsigned i = 0; i < nr; i++)
		/* an emulated and a real run have no speed in common */
		json_array_append_new(runs,
				      run_json(&reports[i],
					       i && reports[i].result.emulated ==
								       reports[0].result.emulated
						       ? &reports[0]
						       : NULL));
	root = json_pack("{ss so}", "format", "ringway-perf report 1", "runs", runs);
	/* text of a result is UTF-8: its loader has seen to that */
	err = root && json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(DIGITS)) == 0
		      ? 0
		      : -ENOMEM;
	fputc('\n', out);
	json_decref(root);
	return err;
}

/* ---- CSV ---- */

/* As RFC 4180. What a spreadsheet would take for a formula gets a quote before it. */
static void put_field(FILE *out, const char *text)
{
	fputc('"', out);
	if (text[0] && strchr("=+-@\t\r", text[0]))
		fputc('\'', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void put_row(FILE *out, const struct rwy_report *report, const struct rwy_result_path *path,
		    const char *metric, const char *of, const char *unit,
		    const struct rwy_summary *s)
{
	const char *const fields[] = {report->dir,
				      report->result.host_name,
				      rwy_result_kind_name(path->kind),
				      path->workload,
				      path->name,
				      path->vmm,
				      path->backend,
				      rwy_result_status_name(path->status),
				      path->reason,
				      metric,
				      of,
				      unit};

	fprintf(out, "%s", report->result.emulated ? "emulated" : "real");
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(fields); i++) {
		fputc(',', out);
		put_field(out, fields[i]);
	}
	if (s)
		fprintf(out, ",%u,%.12g,%.12g,%.12g,%.12g,%.12g\r\n", s->nr, s->min, s->q1,
			s->median, s->q3, s->max);
	else
		fprintf(out, ",0,,,,,\r\n");
}

static void put_metric(FILE *out, const struct rwy_report *report,
		       const struct rwy_result_path *path, enum rwy_result_metric metric)
{
	const struct rwy_result_metric_info *info = &rwy_result_metrics[metric];
	struct rwy_report_part parts[PARTS_MAX];
	struct rwy_summary summary;
	unsigned nr;

	if (!info->parts) {
		rwy_report_figure(path, metric, NULL, &summary);
		if (summary.nr > 0)
			put_row(out, report, path, info->key, "", info->unit, &summary);
		return;
	}
	nr = rwy_report_parts(path, metric, parts, PARTS_MAX);
	for (unsigned i = 0; i < nr; i++)
		put_row(out, report, path, info->key, parts[i].of, info->unit, &parts[i].figure);
}

int rwy_report_csv(FILE *out, const struct rwy_report *reports, unsigned nr)
{
	fprintf(out, "machine,directory,host,kind,workload,path,vmm,backend,status,reason,metric,"
		     "of,unit,rounds,min,q1,median,q3,max\r\n");
	for (unsigned i = 0; i < nr; i++)
		for (unsigned p = 0; p < reports[i].result.nr_paths; p++) {
			const struct rwy_result_path *path = &reports[i].result.paths[p];

			if (path->nr_rounds == 0)
				put_row(out, &reports[i], path, "", "", "", NULL);
			for (unsigned m = 0; m < RWY_RESULT_METRICS; m++)
				put_metric(out, &reports[i], path, m);
		}
	return ferror(out) ? -EIO : 0;
}
