/* SPDX-License-Identifier: BSD-3-Clause */
/* A verdict in sentences. Plain text: names of paths are a stranger's and yet to be escaped. */
#include "perf/report.h"

#include <stdarg.h>
#include <string.h>

#define ROUNDS_NEEDED "5" /* with fewer no interval has RWY_SUMMARY_CONFIDENCE */
#define NAMES_SHOWN   3	  /* of paths that cannot be told apart */
#define TIMES_FROM    2	  /* a factor from there on, a percentage below */

const char *rwy_report_aim_name(enum rwy_report_aim aim)
{
	static const char *const names[RWY_REPORT_AIMS] = {
		[RWY_REPORT_RATE] = "throughput",
		[RWY_REPORT_LATENCY] = "latency",
		[RWY_REPORT_COST] = "host CPU",
	};

	return names[aim];
}

const char *rwy_report_call_name(enum rwy_report_call verdict)
{
	static const char *const names[] = {
		[RWY_REPORT_NONE] = "none", [RWY_REPORT_ALONE] = "alone", [RWY_REPORT_FEW] = "few",
		[RWY_REPORT_TIED] = "tied", [RWY_REPORT_CLEAR] = "clear",
	};

	return names[verdict];
}

/* Text that grows; what does not fit is cut. */
struct words {
	char *text;
	size_t len;
};

static void say(struct words *w, const char *fmt, ...) RWY_PRINTF(2, 3);
static void say(struct words *w, const char *fmt, ...)
{
	size_t used = strlen(w->text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(w->text + used, w->len - used, fmt, args);
	va_end(args);
}

static struct words begin(char *text, size_t len)
{
	text[0] = '\0';
	return (struct words){text, len};
}

/* ---- why ---- */

static void say_best(struct words *w, const struct rwy_report_group *group, enum rwy_report_aim aim)
{
	const struct rwy_report_rank *rank = &group->ranks[aim];
	const char *name = rank->rows[0].path->name, *op = rwy_report_operation(group->kind);
	char number[RWY_REPORT_NUMBER];

	rwy_report_number(rank->metric, rank->rows[0].figure.median, number);
	if (aim == RWY_REPORT_RATE)
		say(w, "“%s” moves %s %s", name, number,
		    rwy_report_unit(rank->metric, group->kind));
	else if (aim == RWY_REPORT_LATENCY)
		say(w, "With “%s”, 99 of 100 %ss take at most %s", name, op, number);
	else
		say(w, "“%s” costs %s of CPU time a %s", name, number,
		    rank->metric == RWY_RESULT_COST_KIB ? "KiB" : op);
}

/* The first that is shown to be worse: rows with too few rounds show nothing. */
static const struct rwy_report_row *next_best(const struct rwy_report_rank *rank)
{
	unsigned i = 1;

	while (rank->rows[i].ratio.verdict != RWY_SUMMARY_WORSE)
		i++;
	return &rank->rows[i];
}

static void say_lead(struct words *w, const struct rwy_report_rank *rank, enum rwy_report_aim aim)
{
	const struct rwy_report_row *next = next_best(rank);
	const struct rwy_summary_ratio *r = &next->ratio;

	if (aim == RWY_REPORT_RATE)
		say(w, ": %.2f times as much as the next best, “%s” (%.2f to %.2f", 1 / r->median,
		    next->path->name, 1 / r->high, 1 / r->low);
	else
		say(w, "; with the next best, “%s”, %.2f times as %s (%.2f to %.2f",
		    next->path->name, r->median, aim == RWY_REPORT_LATENCY ? "long" : "much",
		    r->low, r->high);
	say(w, ", %u rounds).", r->nr);
	if (rank->nr_few > 0)
		say(w, " %u of the others had too few rounds to be compared.", rank->nr_few);
}

void rwy_report_reason(const struct rwy_report_group *group, enum rwy_report_aim aim, char *text,
		       size_t len)
{
	const struct rwy_report_rank *rank = &group->ranks[aim];
	struct words w = begin(text, len);

	if (rank->call == RWY_REPORT_NONE) {
		say(&w, "No path was measured for it.");
		return;
	}
	say_best(&w, group, aim);
	switch (rank->call) {
	case RWY_REPORT_CLEAR:
		say_lead(&w, rank, aim);
		break;
	case RWY_REPORT_TIED:
		say(&w,
		    ", the best median; but what sets it off from %u other%s is not more than "
		    "the noise.",
		    rank->nr_tied, rank->nr_tied == 1 ? "" : "s");
		break;
	case RWY_REPORT_FEW:
		say(&w, ", the best median; to tell it from chance takes " ROUNDS_NEEDED
			" rounds at least.");
		break;
	default:
		say(&w, ". No other path was measured for it.");
	}
}

/* "3 % less", "31 % more" */
static void say_change(struct words *w, double ratio)
{
	say(w, "%.0f %% %s", ratio < 1 ? (1 - ratio) * 100 : (ratio - 1) * 100,
	    ratio < 1 ? "less" : "more");
}

void rwy_report_price(const struct rwy_report_rank *rank, const struct rwy_report_row *row,
		      char *text, size_t len)
{
	const struct rwy_summary_ratio *r = &row->ratio;
	struct words w = begin(text, len);

	if (row == &rank->rows[0]) {
		say(&w, "best");
	} else if (r->nr == 0) {
		say(&w, "cannot be compared");
	} else if (r->low <= 1 && r->high >= 1) {
		say(&w, "no difference shown (");
		say_change(&w, r->low);
		say(&w, " to ");
		say_change(&w, r->high);
		say(&w, ")");
	} else if (r->median >= TIMES_FROM) {
		say(&w, "%.1f times (%.1f to %.1f)", r->median, r->low, r->high);
	} else {
		say_change(&w, r->median);
		say(&w, " (%.0f to %.0f %%)",
		    r->high < 1 ? (1 - r->high) * 100 : (r->low - 1) * 100,
		    r->high < 1 ? (1 - r->low) * 100 : (r->high - 1) * 100);
	}
	if (row != &rank->rows[0] && r->nr > 0 && r->verdict == RWY_SUMMARY_FEW)
		say(&w, ", too few rounds");
}

/* ---- the advice ---- */

/* Whom to take for an aim: the best, and those that cannot be told from it. */
static bool is_leader(const struct rwy_report_rank *rank, const struct rwy_result_path *path)
{
	for (unsigned i = 0; i < rank->nr; i++)
		if (rank->rows[i].path == path)
			return i == 0 || rank->rows[i].ratio.verdict == RWY_SUMMARY_NOISE;
	return false;
}

static bool decided(const struct rwy_report_rank *rank)
{
	return rank->call == RWY_REPORT_CLEAR || rank->call == RWY_REPORT_TIED;
}

static bool same_leaders(const struct rwy_report_group *group, enum rwy_report_aim a,
			 enum rwy_report_aim b)
{
	for (unsigned i = 0; i < group->nr; i++)
		if (is_leader(&group->ranks[a], group->paths[i]) !=
		    is_leader(&group->ranks[b], group->paths[i]))
			return false;
	return true;
}

/* "A", "A or B", "A or any of 4 others" */
static void say_leaders(struct words *w, const struct rwy_report_rank *rank)
{
	unsigned nr = 0;

	say(w, "“%s”", rank->rows[0].path->name);
	if (rank->nr_tied >= NAMES_SHOWN) {
		say(w, " or any of %u others", rank->nr_tied);
		return;
	}
	for (unsigned i = 1; i < rank->nr; i++)
		if (is_leader(rank, rank->rows[i].path))
			say(w, "%s“%s”", ++nr == rank->nr_tied ? " or " : ", ",
			    rank->rows[i].path->name);
}

/* The aims, from this one on, whose leaders are the same: "throughput, latency and host CPU". */
static void say_aims(struct words *w, const struct rwy_report_group *group,
		     enum rwy_report_aim first, bool said[RWY_REPORT_AIMS])
{
	unsigned nr = 0, left = 0;

	for (unsigned aim = first; aim < RWY_REPORT_AIMS; aim++)
		left += decided(&group->ranks[aim]) && same_leaders(group, first, aim);
	for (unsigned aim = first; aim < RWY_REPORT_AIMS; aim++) {
		if (!decided(&group->ranks[aim]) || !same_leaders(group, first, aim))
			continue;
		left--;
		say(w, "%s%s",
		    nr++ == 0  ? ""
		    : left > 0 ? ", "
			       : " and ",
		    rwy_report_aim_name(aim));
		said[aim] = true;
	}
}

/* Nothing was decided. */
static const char *why_not(const struct rwy_report_group *group)
{
	bool few = false, alone = false;

	for (unsigned aim = 0; aim < RWY_REPORT_AIMS; aim++) {
		few |= group->ranks[aim].call == RWY_REPORT_FEW;
		alone |= group->ranks[aim].call == RWY_REPORT_ALONE;
	}
	if (few)
		return "to tell paths apart takes " ROUNDS_NEEDED " rounds at least";
	return alone ? "only one path was measured" : "no path was measured";
}

/* No path was told from any other, for no aim. */
static bool all_tied(const struct rwy_report_group *group)
{
	bool any = false;

	for (unsigned aim = 0; aim < RWY_REPORT_AIMS; aim++) {
		const struct rwy_report_rank *rank = &group->ranks[aim];

		if (decided(rank) && rank->nr_tied + 1 < rank->nr)
			return false;
		any |= decided(rank);
	}
	return any;
}

void rwy_report_advice(const struct rwy_report_group *group, char *text, size_t len)
{
	struct words w = begin(text, len);
	bool said[RWY_REPORT_AIMS] = {false};
	bool tied = false;

	if (all_tied(group)) {
		say(&w, "No recommendation: what sets these paths apart is not more than the noise "
			"of this run.");
		return;
	}
	for (unsigned aim = 0; aim < RWY_REPORT_AIMS; aim++) {
		const struct rwy_report_rank *rank = &group->ranks[aim];

		if (said[aim] || !decided(rank))
			continue;
		tied |= rank->call == RWY_REPORT_TIED;
		say(&w, "%s", text[0] ? "; " : "Take ");
		say_leaders(&w, rank);
		say(&w, " for ");
		say_aims(&w, group, aim, said);
	}
	if (text[0])
		say(&w, "%s", tied ? ". Where several are named, no difference was shown." : ".");
	else
		say(&w, "No recommendation: %s.", why_not(group));
}
