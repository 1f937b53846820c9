/* SPDX-License-Identifier: BSD-3-Clause */
/* The page of one run. It needs nothing but itself: no script, no font, no picture from elsewhere.
 */
#include "perf/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_LEN 1024

void rwy_report_head(FILE *out, const char *title)
{
	rwy_report_put(out,
		       "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		       "<title>%s</title>\n<style>\n",
		       title);
	fputs(rwy_report_css, out);
	/* gnuplot's dot, which all plots use */
	fputs("</style>\n</head>\n<body>\n"
	      "<svg width=\"0\" height=\"0\" style=\"position:absolute\" "
	      "aria-hidden=\"true\"><defs>"
	      "<circle id=\"gpPt6\" r=\"1\" fill=\"currentColor\"/></defs></svg>\n",
	      out);
}

void rwy_report_foot(FILE *out)
{
	rwy_report_put(
		out,
		"<section><h2>How to read this</h2>\n"
		"<p>All paths were measured in turn, one round after the other, so that a slow "
		"spell "
		"of the machine hits all of them. Figures are medians of the rounds; below them, "
		"and "
		"as bars in the plots, stand the quartiles; thin lines reach from the smallest to "
		"the "
		"largest round, and each dot is one round.</p>\n"
		"<p>Two paths are compared by the ratios of their rounds. One is called better "
		"only "
		"where an interval that holds the true median of these ratios with at least %u %% "
		"certainty lies wholly on one side of 1; no distribution is assumed. Otherwise no "
		"difference was shown. What was not measured is a dash, never a zero.</p>\n"
		"<p>Interrupts are counted where they pass KVM: who raised them, a back-end or a "
		"card "
		"by an irqfd without the VMM, or the VMM by a call; and how they got in, posted "
		"into "
		"the running guest, or at entry, the guest having been left, with those of timers "
		"and "
		"between its CPUs. Back-end cycles are without polls that found nothing.</p>"
		"<p>CPU time is that of the host's CPUs, the guest's own time included: a CPU that "
		"polls is busy all the time.</p></section>\n</body>\n</html>\n",
		(unsigned)(RWY_SUMMARY_CONFIDENCE * 100));
}

void rwy_report_group_name(FILE *out, const struct rwy_report_group *group)
{
	rwy_report_put(out, "%s: %s", group->kind == RWY_RESULT_NET ? "Network" : "Disk",
		       group->workload);
}

static bool measured(const struct rwy_report_group *group)
{
	for (unsigned i = 0; i < group->nr; i++)
		if (group->paths[i]->nr_rounds > 0)
			return true;
	return false;
}

static unsigned count_status(const struct rwy_result *result, enum rwy_result_status status)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < result->nr_paths; i++)
		nr += result->paths[i].status == status;
	return nr;
}

void rwy_report_run_line(FILE *out, const struct rwy_report *report)
{
	const struct rwy_result *result = &report->result;
	char started[64];
	struct tm tm;

	if (!gmtime_r(&result->started, &tm) ||
	    !strftime(started, sizeof(started), "%-d %B %Y, %H:%M UTC", &tm))
		started[0] = '\0';
	rwy_report_put(out,
		       "<p class=\"meta\">%s · %s · Ringway %s · %u paths measured, %u failed, "
		       "%u missing · up to %u round%s each, ",
		       result->host_name, started, result->version,
		       count_status(result, RWY_RESULT_MEASURED),
		       count_status(result, RWY_RESULT_FAILED),
		       count_status(result, RWY_RESULT_MISSING), result->rounds,
		       result->rounds == 1 ? "" : "s");
	if (result->seconds < 120)
		rwy_report_put(out, "%u s</p>\n", (unsigned)result->seconds);
	else
		rwy_report_put(out, "%u min</p>\n", (unsigned)(result->seconds / 60));
	if (result->emulated)
		rwy_report_put(out, "<p class=\"note\" id=\"emulated\"><b>Emulated.</b> The "
				    "machine of this run "
				    "has no hardware virtualization. How many exits, kicks and "
				    "interrupts a path "
				    "needs, and how paths compare, may carry over to hardware; "
				    "speeds, latencies "
				    "and CPU times do not.</p>\n");
	if (result->ended[0])
		rwy_report_put(out,
			       "<p class=\"note\" id=\"partial\"><b>Not complete:</b> %s. What was "
			       "measured until then is here.</p>\n",
			       result->ended);
}

static const char *tag(enum rwy_report_call call)
{
	switch (call) {
	case RWY_REPORT_CLEAR:
		return "clear";
	case RWY_REPORT_TIED:
		return "within the noise";
	case RWY_REPORT_FEW:
		return "too few rounds";
	case RWY_REPORT_ALONE:
		return "nothing to compare";
	default:
		return "not measured";
	}
}

static void put_advice(FILE *out, const struct rwy_report_group *group, bool emulated)
{
	char text[TEXT_LEN];

	rwy_report_advice(group, text, sizeof(text));
	rwy_report_put(out, "<section class=\"group\" data-workload=\"%s\">\n<h2>",
		       group->workload);
	rwy_report_group_name(out, group);
	if (emulated)
		rwy_report_put(out, " <span class=\"tag few\">emulated</span>");
	rwy_report_put(out, "</h2>\n<p class=\"advice\">%s</p>\n<div class=\"cards\">\n", text);
	for (unsigned aim = 0; aim < RWY_REPORT_AIMS; aim++) {
		const struct rwy_report_rank *rank = &group->ranks[aim];

		if (rank->nr == 0)
			continue;
		rwy_report_reason(group, aim, text, sizeof(text));
		rwy_report_put(out,
			       "<div class=\"card\" data-aim=\"%s\"><h4>%s</h4>\n"
			       "<div class=\"winner\">%s</div>\n"
			       "<span class=\"tag %s\">%s</span>\n<p>%s</p></div>\n",
			       rwy_result_metrics[rank->metric].key, rwy_report_aim_name(aim),
			       rank->rows[0].path->name, rwy_report_call_name(rank->call),
			       tag(rank->call), text);
	}
	rwy_report_put(out, "</div>\n");
}

static void put_legend(FILE *out, const struct rwy_report_group *group)
{
	/* gnuplot's dash types of the same numbers, near enough */
	static const char *const dashes[] = {"", "8 4", "3 3", "8 3 2 3"};

	rwy_report_put(out, "<ul class=\"legend\">");
	for (unsigned i = 0; i < group->nr; i++) {
		bool measured = false;

		for (unsigned r = 0; r < group->paths[i]->nr_rounds; r++)
			measured |= group->paths[i]->rounds[r].latency.count > 0;
		if (!measured)
			continue;
		rwy_report_put(out,
			       "<li><svg width=\"28\" height=\"10\" aria-hidden=\"true\">"
			       "<line x1=\"1\" x2=\"27\" y1=\"5\" y2=\"5\" stroke-width=\"3\" "
			       "stroke=\"var(--c%u)\" stroke-dasharray=\"%s\"/></svg>%s</li>",
			       group->hues[i],
			       dashes[RWY_MIN(group->dashes[i], RWY_ARRAY_SIZE(dashes) - 1)],
			       group->paths[i]->name);
	}
	rwy_report_put(out, "</ul>");
}

/* A plot that turns out empty leaves no trace. */
static int put_plot(FILE *out, const struct rwy_report_group *group, const char *caption,
		    int (*draw)(FILE *out, const struct rwy_report_group *group))
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);
	int err = memory ? draw(memory, group) : -ENOMEM;

	if (memory && fclose(memory) == EOF && !err)
		err = -ENOMEM;
	if (!err && len > 0) {
		rwy_report_put(out, "<figure><figcaption>%s</figcaption>\n", caption);
		fwrite(text, 1, len, out);
		rwy_report_put(out, "</figure>\n");
	}
	free(text);
	return err;
}

static int draw_rate(FILE *out, const struct rwy_report_group *group)
{
	return rwy_report_plot_rows(out, group, group->ranks[RWY_REPORT_RATE].metric);
}

static int draw_cost(FILE *out, const struct rwy_report_group *group)
{
	return rwy_report_plot_rows(out, group, group->ranks[RWY_REPORT_COST].metric);
}

static int draw_exits(FILE *out, const struct rwy_report_group *group)
{
	return rwy_report_plot_rows(out, group, RWY_RESULT_EXITS);
}

static int draw_setup(FILE *out, const struct rwy_report_group *group)
{
	return rwy_report_plot_rows(out, group, RWY_RESULT_SETUP);
}

static int draw_latency(FILE *out, const struct rwy_report_group *group)
{
	int err = rwy_report_plot_latency(out, group);

	if (!err && ftell(out) > 0)
		put_legend(out, group);
	return err;
}

/* Two columns; the curves are as high as two plots of rows. */
static int put_plots(FILE *out, const struct rwy_report_group *group)
{
	int err;

	rwy_report_put(out, "<div class=\"plots\">\n");
	err = put_plot(out, group, "Throughput: more is better", draw_rate);
	if (!err)
		err = put_plot(out, group, "Host CPU: less is better", draw_cost);
	if (!err)
		err = put_plot(out, group, "Latency: lower is better", draw_latency);
	rwy_report_put(out, "<div class=\"stack\">\n");
	if (!err)
		err = put_plot(out, group, "VM exits: fewer is better", draw_exits);
	if (!err)
		err = put_plot(out, group, "Set-up time: less is better", draw_setup);
	rwy_report_put(out, "</div></div>\n");
	return err;
}

/* ---- what was not measured, where, and how ---- */

void rwy_report_failures(FILE *out, const struct rwy_result *result, const char *run)
{
	if (count_status(result, RWY_RESULT_MEASURED) == result->nr_paths)
		return;
	rwy_report_put(out,
		       "<section class=\"unmeasured\"><h2>Not measured%s%s</h2>\n"
		       "<div class=\"scroll\"><table class=\"text\"><thead><tr>"
		       "<th scope=\"col\">Path</th><th scope=\"col\">Workload</th>"
		       "<th scope=\"col\"></th><th scope=\"col\">Why</th></tr></thead><tbody>\n",
		       run ? " in run " : "", run ? run : "");
	for (unsigned i = 0; i < result->nr_paths; i++) {
		const struct rwy_result_path *path = &result->paths[i];
		const char *status = rwy_result_status_name(path->status);

		if (path->status == RWY_RESULT_MEASURED)
			continue;
		rwy_report_put(out,
			       "<tr><th scope=\"row\">%s</th><td>%s</td>"
			       "<td><span class=\"tag %s\">%s</span></td>"
			       "<td style=\"white-space:pre-wrap\">%s</td></tr>\n",
			       path->name, path->workload, status, status,
			       path->reason[0] ? path->reason : "no reason was given");
	}
	rwy_report_put(out, "</tbody></table></div></section>\n");
}

static void put_host(FILE *out, const struct rwy_result *result)
{
	rwy_report_put(out, "<section id=\"host\"><h2>The host</h2>\n<dl>\n");
	rwy_report_put(out, "<dt>name</dt><dd>%s</dd>\n", result->host_name);
	for (unsigned i = 0; i < result->facts.nr; i++)
		rwy_report_put(out, "<dt>%s</dt><dd>%s</dd>\n", result->facts.facts[i].name,
			       result->facts.facts[i].value);
	rwy_report_put(out, "</dl>\n");
	if (result->placement[0])
		rwy_report_put(out, "<h3>Placement</h3>\n<pre>%s</pre>\n", result->placement);
	rwy_report_put(out, "</section>\n");
}

static void put_commands(FILE *out, const struct rwy_result *result)
{
	rwy_report_put(out, "<section id=\"commands\"><h2>Exact commands</h2>\n");
	for (unsigned i = 0; i < result->nr_paths; i++) {
		const struct rwy_result_path *path = &result->paths[i];

		if (!path->commands[0])
			continue;
		rwy_report_put(out, "<h3>%s <small>%s · %s%s%s</small></h3>\n<pre>%s</pre>\n",
			       path->name, path->workload, path->vmm, path->backend[0] ? " · " : "",
			       path->backend, path->commands);
	}
	rwy_report_put(out, "</section>\n");
}

/* Of several workloads, the advice for each at one glance. */
static void put_short(FILE *out, const struct rwy_report *report)
{
	char text[TEXT_LEN];
	unsigned nr = 0;

	for (unsigned i = 0; i < report->nr_groups; i++)
		nr += measured(&report->groups[i]);
	if (nr < 2)
		return;
	rwy_report_put(out, "<dl class=\"short\">\n");
	for (unsigned i = 0; i < report->nr_groups; i++) {
		if (!measured(&report->groups[i]))
			continue;
		rwy_report_advice(&report->groups[i], text, sizeof(text));
		rwy_report_put(out, "<dt>");
		rwy_report_group_name(out, &report->groups[i]);
		rwy_report_put(out, "</dt><dd>%s</dd>\n", text);
	}
	rwy_report_put(out, "</dl>\n");
}

int rwy_report_page(FILE *out, const struct rwy_report *report)
{
	const struct rwy_result *result = &report->result;
	char title[128];
	int err = 0;

	snprintf(title, sizeof(title), "Attach paths on %s", result->host_name);
	rwy_report_head(out, title);
	rwy_report_put(out, "<header><h1>Which attach path for this guest?</h1>\n");
	rwy_report_run_line(out, report);
	put_short(out, report);
	rwy_report_put(out, "</header>\n<main>\n");
	for (unsigned i = 0; i < report->nr_groups && !err; i++) {
		const struct rwy_report_group *group = &report->groups[i];

		if (!measured(group))
			continue;
		put_advice(out, group, result->emulated);
		err = put_plots(out, group);
		rwy_report_prices(out, group);
		rwy_report_tables(out, group);
		rwy_report_put(out, "</section>\n");
	}
	rwy_report_failures(out, result, NULL);
	put_host(out, result);
	put_commands(out, result);
	rwy_report_put(out, "</main>\n");
	rwy_report_foot(out);
	return err;
}
