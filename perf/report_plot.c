/* SPDX-License-Identifier: BSD-3-Clause */
/* The plots of a page, as scripts for gnuplot. */
#include "perf/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH	     560
#define RIGHT	     8
#define ROW_HEIGHT   30
#define ROWS_TOP     6
#define ROWS_BOTTOM  60 /* numbers and title of the axis */
#define NAME_MAX     34 /* characters on an axis; the whole name is in the tables */
#define NAME_HEAD    18 /* of a longer one, and its end */
#define CHAR_WIDTH   7.4
#define TICKS	     5
#define CURVE_HEIGHT 350
#define NINES_MAX    9

/* A script being written. */
struct plot {
	FILE *script;
	char *text;
	size_t len;
	const char *texts[RWY_RESULT_PATHS];
	char labels[RWY_RESULT_PATHS][sizeof(((struct rwy_result_path *)0)->name) + 4];
	unsigned nr_texts;
	char label[256];
};

static int plot_open(struct plot *plot, unsigned height)
{
	memset(plot, 0, sizeof(*plot));
	plot->script = open_memstream(&plot->text, &plot->len);
	if (!plot->script)
		return -ENOMEM;
	fprintf(plot->script,
		"set terminal svg size %d,%u dynamic noenhanced font 'sans-serif,13'\n"
		"set encoding utf8\nunset key\nset border 0\n"
		"set xtics nomirror scale 0 tc rgb '#030000'\n"
		"set ytics nomirror scale 0 tc rgb '#020000'\n"
		"set grid lt 1 lc rgb '#040000' lw 1\n",
		WIDTH, height);
	return 0;
}

/* Draws it on out, unless something failed before. */
static int plot_close(struct plot *plot, FILE *out, int err)
{
	if (fclose(plot->script) == EOF && !err)
		err = -ENOMEM;
	if (!err) {
		struct rwy_report_script script = {
			.text = plot->text,
			.len = plot->len,
			.label = plot->label,
			.texts = plot->texts,
			.nr_texts = plot->nr_texts,
		};

		err = rwy_report_gnuplot(out, &script);
	}
	free(plot->text);
	return err;
}

static bool begins_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* The first byte behind nr characters of UTF-8, or the end. */
static const char *skip_characters(const char *text, size_t nr)
{
	for (; *text; text++)
		if (begins_character(*text) && nr-- == 0)
			break;
	return text;
}

static size_t count_characters(const char *text)
{
	size_t nr = 0;

	for (; *text; text++)
		nr += begins_character(*text);
	return nr;
}

/* Its @N@. Of a long name head and end stay: there its variants differ. */
static unsigned plot_name(struct plot *plot, const char *name)
{
	char *label = plot->labels[plot->nr_texts];
	size_t nr = count_characters(name);

	if (nr > NAME_MAX)
		sprintf(label, "%.*s…%s", (int)(skip_characters(name, NAME_HEAD) - name), name,
			skip_characters(name, nr - (NAME_MAX - NAME_HEAD - 1)));
	else
		strcpy(label, name);
	plot->texts[plot->nr_texts] = label;
	return plot->nr_texts++;
}

/* ---- rows ---- */

/* 1, 2 or 5 times a power of ten, so that about TICKS of them reach max. */
static double tick_step(double max)
{
	double power = pow(10, floor(log10(max / TICKS)));
	double steps = max / TICKS / power;

	return power * (steps <= 1 ? 1 : steps <= 2 ? 2 : steps <= 5 ? 5 : 10);
}

struct row {
	const struct rwy_result_path *path;
	unsigned hue;
	unsigned nr;
	double values[RWY_RESULT_ROUNDS];
	struct rwy_summary summary;
};

static void put_row(struct plot *plot, const struct row *row, double y, double factor,
		    enum rwy_result_metric metric)
{
	const struct rwy_summary *s = &row->summary;
	char number[RWY_REPORT_NUMBER];

	rwy_report_number(metric, s->median, number);
	fprintf(plot->script,
		"set object rect from %.9g,%g to %.9g,%g fs solid 0.28 noborder fc rgb "
		"'#0100%02x'\n"
		"set arrow from %.9g,%g to %.9g,%g nohead lw 1.5 lc rgb '#0100%02x'\n"
		"set arrow from %.9g,%g to %.9g,%g nohead lw 3.5 lc rgb '#0100%02x'\n"
		"set label '%s' at %.9g,%g left offset char 1.2,0 tc rgb '#020000'\n",
		s->q1 / factor, y - 0.26, s->q3 / factor, y + 0.26, row->hue, s->min / factor, y,
		s->max / factor, y, row->hue, s->median / factor, y - 0.3, s->median / factor,
		y + 0.3, row->hue, number, s->max / factor, y);
}

static void put_points(struct plot *plot, const struct row *row, double y, double factor)
{
	for (unsigned i = 0; i < row->nr; i++)
		fprintf(plot->script, "%.9g %g %u\n", row->values[i] / factor, y,
			(unsigned)RWY_REPORT_HUE << 16 | row->hue);
}

/* In full: gnuplot would write 2e-05. */
static void put_ticks(struct plot *plot, double max)
{
	double step = tick_step(max);
	int decimals = (int)RWY_MIN(RWY_MAX(0.0, -floor(log10(step) + 1e-9)), 9.0);

	/* long numbers stand in each other's way */
	if (decimals > 3)
		step *= 2;
	fprintf(plot->script, "set xtics ('0' 0");
	for (unsigned i = 1; i * step <= max * (1 + 1e-9) && i <= 2 * TICKS; i++)
		fprintf(plot->script, ", '%.*f' %.9g", decimals, i * step, i * step);
	fprintf(plot->script, ")\n");
}

/* Names at the left, and room at the right for the longest of the rows' numbers. */
static void put_axes(struct plot *plot, const struct row *rows, unsigned nr, double max,
		     const char *title)
{
	unsigned height = nr * ROW_HEIGHT + ROWS_TOP + ROWS_BOTTOM;
	double left, number = 9 * CHAR_WIDTH + 12, width;
	size_t longest = 0;

	fprintf(plot->script, "set ytics (");
	for (unsigned i = 0; i < nr; i++) {
		unsigned text = plot_name(plot, rows[i].path->name);

		longest = RWY_MAX(longest, count_characters(plot->labels[text]));
		fprintf(plot->script, "%s'@%u@' %u", i ? ", " : "", text, nr - 1 - i);
	}
	left = (double)longest * CHAR_WIDTH + 16;
	width = WIDTH - RIGHT - left;
	fprintf(plot->script,
		")\nset lmargin at screen %.4f\nset rmargin at screen %.4f\n"
		"set tmargin at screen %.4f\nset bmargin at screen %.4f\n"
		"set grid xtics noytics\nset yrange [-0.7:%g]\nset xrange [0:%.9g]\n"
		"set xlabel '%s' tc rgb '#030000'\n",
		left / WIDTH, 1 - (double)RIGHT / WIDTH, 1 - (double)ROWS_TOP / height,
		(double)ROWS_BOTTOM / height, nr - 0.3, max * width / (width - number), title);
	put_ticks(plot, max);
}

int rwy_report_plot_rows(FILE *out, const struct rwy_report_group *group,
			 enum rwy_result_metric metric)
{
	const struct rwy_result_metric_info *info = &rwy_result_metrics[metric];
	char unit[RWY_REPORT_NUMBER], title[128];
	struct plot plot;
	struct row *rows;
	double max = 0, factor;
	unsigned nr = 0;
	int err;

	rows = calloc(RWY_RESULT_PATHS, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (unsigned i = 0; i < group->nr; i++) {
		struct row *row = &rows[nr];

		row->path = group->paths[i];
		row->hue = group->hues[i];
		row->nr = rwy_report_values(row->path, metric, NULL, row->values);
		rwy_summary_of(row->values, row->nr, &row->summary);
		max = RWY_MAX(max, row->summary.max);
		nr += row->nr > 0;
	}
	err = nr > 0 ? plot_open(&plot, nr * ROW_HEIGHT + ROWS_TOP + ROWS_BOTTOM) : 0;
	if (nr == 0 || err < 0)
		goto free_rows;
	factor = rwy_report_scale(metric, max, unit);
	snprintf(title, sizeof(title), "%s%s%s%s%s", info->title,
		 strstr(info->unit, "/op") ? " a " : "",
		 strstr(info->unit, "/op") ? rwy_report_operation(group->kind) : "",
		 unit[0] ? ", " : "", unit);
	snprintf(plot.label, sizeof(plot.label), "%s by path: median and spread", title);
	put_axes(&plot, rows, nr, max > 0 ? max / factor : 1, title);
	for (unsigned i = 0; i < nr; i++)
		put_row(&plot, &rows[i], nr - 1 - i, factor, metric);
	fprintf(plot.script, "plot '-' using 1:2:3 with points pt 7 ps 0.35 lc rgb variable\n");
	for (unsigned i = 0; i < nr; i++)
		put_points(&plot, &rows[i], nr - 1 - i, factor);
	fprintf(plot.script, "e\n");
	err = plot_close(&plot, out, 0);
free_rows:
	free(rows);
	return err;
}

/* ---- latency ---- */

struct curve {
	unsigned hue;
	unsigned dash; /* 1: a solid line */
	double total;
	double max; /* ns */
	double buckets[RWY_STATS_HIST_BUCKETS];
};

/* All rounds together. */
static void add_up(struct curve *curve, const struct rwy_result_path *path)
{
	for (unsigned r = 0; r < path->nr_rounds; r++) {
		const struct rwy_stats_hist *hist = &path->rounds[r].latency;

		curve->total += (double)hist->count;
		curve->max = RWY_MAX(curve->max, (double)hist->max);
		for (unsigned b = 0; b < RWY_STATS_HIST_BUCKETS; b++)
			curve->buckets[b] += (double)hist->buckets[b];
	}
}

static double first_value(const struct curve *curve)
{
	unsigned b = 0;

	while (b < RWY_STATS_HIST_BUCKETS - 1 && curve->buckets[b] == 0)
		b++;
	return RWY_MAX(1.0, RWY_MIN((double)rwy_stats_hist_upper(b), curve->max));
}

/* Against one operation in how many is slower, so that each nine has the same width. */
static void put_curve(struct plot *plot, const struct curve *curve)
{
	double below = 0;

	fprintf(plot->script, "1 %.9g\n", first_value(curve));
	for (unsigned b = 0; b < RWY_STATS_HIST_BUCKETS; b++) {
		double upper = RWY_MIN((double)rwy_stats_hist_upper(b), curve->max);

		if (curve->buckets[b] == 0)
			continue;
		below += curve->buckets[b];
		fprintf(plot->script, "%.9g %.9g\n",
			below < curve->total ? curve->total / (curve->total - below) : curve->total,
			RWY_MAX(1.0, upper));
	}
	fprintf(plot->script, "e\n");
}

/* 50 %, 90 %, 99 %, ... as far as there are operations. */
static void put_percentiles(struct plot *plot, double operations)
{
	double one_in = 10;

	fprintf(plot->script, "set xtics ('0' 1, '50 %%%%' 2, '90 %%%%' 10");
	for (int digits = 0; one_in * 10 <= operations && digits < NINES_MAX; digits++) {
		one_in *= 10;
		fprintf(plot->script, ", '%.*f %%%%' %.9g", digits, 100 - 100 / one_in, one_in);
	}
	fprintf(plot->script, ")\nset xrange [1:%.9g]\n", RWY_MAX(operations, 20.0));
}

/* Powers of ten; between them 2 and 5 where the range is small. */
static void put_times(struct plot *plot, double low, double high)
{
	static const double steps[] = {1, 2, 5};
	bool fine = high / low < 1000, first = true;
	double power = pow(10, floor(log10(low)));

	low = fine ? low / 1.3 : power;
	high = fine ? high * 1.3 : pow(10, ceil(log10(high) - 1e-9));
	fprintf(plot->script, "set ytics (");
	for (; power <= high; power *= 10)
		for (unsigned i = 0; i < (fine ? RWY_ARRAY_SIZE(steps) : 1); i++) {
			double at = power * steps[i], factor;
			char unit[RWY_REPORT_NUMBER];

			if (at < low || at > high)
				continue;
			factor = rwy_report_scale(RWY_RESULT_LAT_P50, at, unit);
			fprintf(plot->script, "%s'%g %s' %.9g", first ? "" : ", ", at / factor,
				unit, at);
			first = false;
		}
	fprintf(plot->script, ")\nset yrange [%.9g:%.9g]\n", low, high);
}

int rwy_report_plot_latency(FILE *out, const struct rwy_report_group *group)
{
	struct curve *curves = calloc(RWY_RESULT_PATHS, sizeof(*curves));
	double operations = 0, low = INFINITY, high = 1;
	struct plot plot;
	unsigned nr = 0;
	int err;

	if (!curves)
		return -ENOMEM;
	for (unsigned i = 0; i < group->nr; i++) {
		struct curve *curve = &curves[nr];

		add_up(curve, group->paths[i]);
		if (curve->total == 0)
			continue;
		curve->hue = group->hues[i];
		curve->dash = group->dashes[i] + 1;
		operations = RWY_MAX(operations, curve->total);
		low = RWY_MIN(low, first_value(curve));
		high = RWY_MAX(high, curve->max);
		nr++;
	}
	err = nr > 0 ? plot_open(&plot, CURVE_HEIGHT) : 0;
	if (nr == 0 || err < 0)
		goto free_curves;
	snprintf(plot.label, sizeof(plot.label), "distribution of latency by path");
	fprintf(plot.script, "set logscale xy\nset rmargin at screen 0.95\n"
			     "set xlabel 'part of the operations that took no longer' "
			     "tc rgb '#030000'\n");
	put_percentiles(&plot, operations);
	put_times(&plot, low, high);
	fprintf(plot.script, "plot ");
	for (unsigned i = 0; i < nr; i++)
		fprintf(plot.script, "%s'-' using 1:2 with lines lw 2.2 lc rgb '#0100%02x' dt %u",
			i ? ", " : "", curves[i].hue, curves[i].dash);
	fprintf(plot.script, "\n");
	for (unsigned i = 0; i < nr; i++)
		put_curve(&plot, &curves[i]);
	err = plot_close(&plot, out, 0);
free_curves:
	free(curves);
	return err;
}
