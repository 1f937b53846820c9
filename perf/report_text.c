/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers as people read them, and the one way of text into HTML. */
#include "perf/report.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define DECIMALS_MAX 9

/* Three digits that count, two of what is small: "310", "1.92", "0.00042". */
static void put_digits(double value, const char *suffix, char text[RWY_REPORT_NUMBER])
{
	int after = 2;

	if (value <= 0 || value >= 99.95) /* which is shown as 100 */
		after = 0;
	else if (value >= 9.995)
		after = 1;
	else if (value < 0.1)
		after = RWY_MIN(1 - (int)floor(log10(value * 1.005)), DECIMALS_MAX);
	snprintf(text, RWY_REPORT_NUMBER, "%.*f%s", after, value, suffix);
}

struct prefix {
	double factor;
	const char *suffix;
};

static const struct prefix ns[] = {{1, " ns"}, {1e3, " µs"}, {1e6, " ms"}, {1e9, " s"}};
static const struct prefix s[] = {{1e-3, " ms"}, {1, " s"}};
static const struct prefix bytes[] = {{1, " B"},
				      {0x1p10, " KiB"},
				      {0x1p20, " MiB"},
				      {0x1p30, " GiB"}};
static const struct prefix rest[] = {{1, ""}, {1e3, " k"}, {1e6, " M"}, {1e9, " G"}, {1e12, " T"}};

/* The largest prefix that leaves at least 1, else the first. */
static const struct prefix *choose(enum rwy_result_metric metric, double value)
{
	static const struct {
		const char *unit;
		const struct prefix *prefixes;
		unsigned nr;
	} rows[] = {
		{"ns", ns, RWY_ARRAY_SIZE(ns)},	    {"ns/op", ns, RWY_ARRAY_SIZE(ns)},
		{"s", s, RWY_ARRAY_SIZE(s)},	    {"bytes", bytes, RWY_ARRAY_SIZE(bytes)},
		{NULL, rest, RWY_ARRAY_SIZE(rest)},
	};
	unsigned row = 0, i;

	while (rows[row].unit && strcmp(rows[row].unit, rwy_result_metrics[metric].unit))
		row++;
	/* 999.7 k is shown as 1.00 M */
	for (i = rows[row].nr - 1; i > 0; i--)
		if (value >= rows[row].prefixes[i].factor * 0.9995)
			break;
	return &rows[row].prefixes[i];
}

void rwy_report_number(enum rwy_result_metric metric, double value, char text[RWY_REPORT_NUMBER])
{
	const struct prefix *prefix = choose(metric, value);

	put_digits(value / prefix->factor, prefix->suffix, text);
}

double rwy_report_scale(enum rwy_result_metric metric, double max, char unit[RWY_REPORT_NUMBER])
{
	const struct prefix *prefix = choose(metric, max);
	const char *name = rwy_report_unit(metric, RWY_RESULT_NET), *own = prefix->suffix;

	/* what is counted an operation has that in its title */
	if (strstr(rwy_result_metrics[metric].unit, "/op"))
		name = "";
	own += *own == ' ';
	snprintf(unit, RWY_REPORT_NUMBER, "%s%s%s", own, *own && *name ? " " : "", name);
	return prefix->factor;
}

const char *rwy_report_operation(enum rwy_result_kind kind)
{
	return kind == RWY_RESULT_NET ? "packet" : "request";
}

const char *rwy_report_unit(enum rwy_result_metric metric, enum rwy_result_kind kind)
{
	const char *unit = rwy_result_metrics[metric].unit;

	if (strstr(unit, "/op"))
		return kind == RWY_RESULT_NET ? "a packet" : "a request";
	if (!strcmp(unit, "ns") || !strcmp(unit, "s") || !strcmp(unit, "bytes"))
		return ""; /* the number has it */
	return unit;
}

/* Of what no page may hold, only its place is kept. */
static void escape_byte(FILE *out, unsigned char c)
{
	switch (c) {
	case '&':
		fputs("&amp;", out);
		break;
	case '<':
		fputs("&lt;", out);
		break;
	case '>':
		fputs("&gt;", out);
		break;
	case '"':
		fputs("&quot;", out);
		break;
	case '\'':
		fputs("&#39;", out);
		break;
	default:
		if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
			fputs("\xef\xbf\xbd", out); /* U+FFFD */
		else
			fputc(c, out);
	}
}

void rwy_report_escape(FILE *out, const char *text)
{
	for (; *text; text++)
		escape_byte(out, (unsigned char)*text);
}

void rwy_report_put(FILE *out, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			fputc(*fmt, out);
			continue;
		}
		switch (*++fmt) {
		case 's':
			rwy_report_escape(out, va_arg(args, const char *));
			break;
		case 'u':
			fprintf(out, "%u", va_arg(args, unsigned));
			break;
		case 'g':
			fprintf(out, "%.12g", va_arg(args, double));
			break;
		default:
			fputc(*fmt, out);
		}
	}
	va_end(args);
}
