/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `ringway-perf report`: what results of comparisons mean, and the pages and files that say it.
 *
 * report.c judges: it groups the paths that may be compared, ranks them and says which one to take.
 * report_words.c puts that into sentences. The rest writes: report_page.c the page of one run,
 * report_runs.c that of several, report_plot.c their plots by report_gnuplot.c, report_data.c JSON
 * and CSV, report_text.c numbers and escaping.
 *
 * A result is a stranger's file: its text reaches a page through rwy_report_escape alone, and
 * gnuplot not at all.
 */
#ifndef RWY_PERF_REPORT_H
#define RWY_PERF_REPORT_H

#include "perf/result.h"

#include <stdio.h>

/* What a path may be taken for. */
enum rwy_report_aim { RWY_REPORT_RATE, RWY_REPORT_LATENCY, RWY_REPORT_COST, RWY_REPORT_AIMS };

enum rwy_report_call {
	RWY_REPORT_NONE,  /* no path was measured for it */
	RWY_REPORT_ALONE, /* one path was: there is nothing to compare it with */
	RWY_REPORT_FEW,	  /* too few rounds to tell the best from any other */
	RWY_REPORT_TIED,  /* what sets the best one off from some others is not above the noise */
	RWY_REPORT_CLEAR, /* the best one is better than each that has rounds enough */
};

/* One path among those that compare with it. */
struct rwy_report_row {
	const struct rwy_result_path *path;
	struct rwy_summary figure;
	struct rwy_summary_ratio ratio; /* of this one to the best, round by round */
};

/* The paths that have the figure of an aim, the best one first. */
struct rwy_report_rank {
	enum rwy_result_metric metric;
	enum rwy_report_call call;
	unsigned nr;
	unsigned nr_tied; /* rows that cannot be told from the best */
	unsigned nr_few;  /* rows with too few rounds */
	struct rwy_report_row rows[RWY_RESULT_PATHS];
};

/*
 * Paths with one kind of workload, in the order of their rates, or of the first aim that any was
 * measured for; those without come last.
 */
struct rwy_report_group {
	enum rwy_result_kind kind;
	const char *workload;
	unsigned nr;
	const struct rwy_result_path *paths[RWY_RESULT_PATHS];
	/*
	 * How each path is drawn: its hue and, once all hues are taken, its dashes. By its name, so
	 * that it looks the same with each workload.
	 */
	uint8_t hues[RWY_RESULT_PATHS];	  /* below RWY_REPORT_HUES */
	uint8_t dashes[RWY_RESULT_PATHS]; /* 0: a solid line */
	struct rwy_report_rank ranks[RWY_REPORT_AIMS];
};

struct rwy_report {
	const char *dir; /* where the result came from, the caller's */
	struct rwy_result result;
	unsigned nr_groups;
	struct rwy_report_group *groups; /* owned */
};

/* Loads DIR/result.json and judges it. Errors and why as rwy_result_load; on failure no fini. */
RWY_MUST_CHECK int rwy_report_open(struct rwy_report *report, const char *dir,
				   struct rwy_result_why *why);
void rwy_report_close(struct rwy_report *report);
/* The group of another report that has the same kind and workload, or NULL. */
const struct rwy_report_group *rwy_report_find_group(const struct rwy_report *report,
						     const struct rwy_report_group *like);
/* The path of that name, or NULL; without a group: NULL. */
const struct rwy_result_path *rwy_report_find_path(const struct rwy_report_group *group,
						   const char *name);

/*
 * A path in two runs: the ratio of its medians, and whether that is better, worse or neither.
 * Rounds of different runs are no pairs, as nothing was measured next to each other. So the
 * intervals of the two medians decide: only where they do not overlap was a difference shown, which
 * errs on the side of saying nothing. -ENODATA: one of them has no figure, or it is 0.
 */
RWY_MUST_CHECK int rwy_report_across(const struct rwy_result_path *path,
				     const struct rwy_result_path *first,
				     enum rwy_result_metric metric, double *ratio,
				     enum rwy_summary_verdict *verdict);

/* "throughput", "latency", "host CPU" */
const char *rwy_report_aim_name(enum rwy_report_aim aim);
/* A path's values of a metric over its rounds; nr 0: it was not measured. */
void rwy_report_figure(const struct rwy_result_path *path, enum rwy_result_metric metric,
		       const char *of, struct rwy_summary *out);
/* The values of the rounds, in their order; how many. */
unsigned rwy_report_values(const struct rwy_result_path *path, enum rwy_result_metric metric,
			   const char *of, double values[RWY_RESULT_ROUNDS]);
/* The names of a metric's parts in any round, up to max of them, the largest medians first. */
struct rwy_report_part {
	const char *of;
	struct rwy_summary figure;
};
unsigned rwy_report_parts(const struct rwy_result_path *path, enum rwy_result_metric metric,
			  struct rwy_report_part *parts, unsigned max);
/* "clear", "tied", ... for programs. */
const char *rwy_report_call_name(enum rwy_report_call call);
/* One sentence: what to take for this aim and why, or why nothing can be recommended. Plain text.
 */
void rwy_report_reason(const struct rwy_report_group *group, enum rwy_report_aim aim, char *text,
		       size_t len);
/* What it costs to take this row and not the best: "24 % less (21 to 27 %)", "no difference". */
void rwy_report_price(const struct rwy_report_rank *rank, const struct rwy_report_row *row,
		      char *text, size_t len);
/* The advice in one sentence. Plain text. */
void rwy_report_advice(const struct rwy_report_group *group, char *text, size_t len);

/* ---- report_text.c ---- */

#define RWY_REPORT_NUMBER 32

/* "1.92 M", "12.3 µs", "4.1 MiB": to be read with rwy_report_unit. */
void rwy_report_number(enum rwy_result_metric metric, double value, char text[RWY_REPORT_NUMBER]);
/* "packets/s", "per packet"; "" where the number says it. */
const char *rwy_report_unit(enum rwy_result_metric metric, enum rwy_result_kind kind);
/*
 * For an axis up to max: what to divide values by, and how the unit is called then ("M packets/s",
 * "µs", "CPUs"; "" where there is none).
 */
double rwy_report_scale(enum rwy_result_metric metric, double max, char unit[RWY_REPORT_NUMBER]);
/* "packet" or "request" */
const char *rwy_report_operation(enum rwy_result_kind kind);
/* For HTML, in text and in attributes between double quotes. */
void rwy_report_escape(FILE *out, const char *text);
/* A small fprintf that escapes every %s; besides there are %u, %g (12 digits) and %%. */
void rwy_report_put(FILE *out, const char *fmt, ...) RWY_PRINTF(2, 3);

/* ---- report_gnuplot.c ---- */

/* In a script rgb "#0200NN" is RWY_REPORT_INK: what a page makes of it is its theme's. */
enum rwy_report_colour {
	RWY_REPORT_HUE = 1, /* NN is which, below RWY_REPORT_HUES */
	RWY_REPORT_INK,
	RWY_REPORT_FAINT,
	RWY_REPORT_GRID,
};
#define RWY_REPORT_HUES 8

struct rwy_report_script {
	const char *text; /* numbers and words of ours */
	size_t len;
	const char *label;	  /* says what one would see; any text */
	const char *const *texts; /* any text: @N@ in the script stands for texts[N] */
	unsigned nr_texts;
};

/* Writes an SVG element. -ENOENT: gnuplot is not installed; other errors were said on stderr. */
RWY_MUST_CHECK int rwy_report_gnuplot(FILE *out, const struct rwy_report_script *script);
/* 0 when gnuplot runs, else as above. */
RWY_MUST_CHECK int rwy_report_gnuplot_ready(void);

/* ---- report_plot.c: errors as rwy_report_gnuplot; nothing is written where no path has it ---- */

/* Median, spread and rounds of a metric, a line a path. */
RWY_MUST_CHECK int rwy_report_plot_rows(FILE *out, const struct rwy_report_group *group,
					enum rwy_result_metric metric);
/* How latency is distributed, a curve a path. */
RWY_MUST_CHECK int rwy_report_plot_latency(FILE *out, const struct rwy_report_group *group);

/* ---- report_tables.c ---- */

/* All of a group's figures, in tables by theme. */
void rwy_report_tables(FILE *out, const struct rwy_report_group *group);
/* What taking another path than the best one costs, by aim. */
void rwy_report_prices(FILE *out, const struct rwy_report_group *group);

/* ---- report_page.c ---- */

void rwy_report_head(FILE *out, const char *title);
/* What a run was, in a line, and what holds of all its figures: emulated, not complete. */
void rwy_report_run_line(FILE *out, const struct rwy_report *report);
/* "Network: 64 B packets", escaped. */
void rwy_report_group_name(FILE *out, const struct rwy_report_group *group);
void rwy_report_foot(FILE *out);
/* What was not measured and why; run: its letter among several, or NULL. */
void rwy_report_failures(FILE *out, const struct rwy_result *result, const char *run);
extern const char rwy_report_css[]; /* report_css.c */

/* ---- the documents; each returns negative errno ---- */

RWY_MUST_CHECK int rwy_report_page(FILE *out, const struct rwy_report *report);
RWY_MUST_CHECK int rwy_report_runs_page(FILE *out, const struct rwy_report *reports, unsigned nr);
RWY_MUST_CHECK int rwy_report_json(FILE *out, const struct rwy_report *reports, unsigned nr);
RWY_MUST_CHECK int rwy_report_csv(FILE *out, const struct rwy_report *reports, unsigned nr);

#endif
