/* SPDX-License-Identifier: BSD-3-Clause */
/* ringway-perf report: what one or several comparisons found, as a page, JSON and CSV. */
#include "lib/opt.h"
#include "perf/perf.h"
#include "perf/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIRS_MAX 16

struct command {
	const char *out; /* NULL: not chosen */
	unsigned nr;
	const char *dirs[DIRS_MAX];
	struct rwy_report reports[DIRS_MAX];
};

static int set_out(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct command *)ctx)->out = value;
	return 0;
}

static int add_dir(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct command *command = ctx;

	if (command->nr == DIRS_MAX)
		return rwy_opt_fail(why, "more than %d directories", DIRS_MAX);
	command->dirs[command->nr++] = value;
	return 0;
}

/* ---- the documents ---- */

static int write_page(FILE *out, const struct rwy_report *reports, unsigned nr)
{
	return nr == 1 ? rwy_report_page(out, reports) : rwy_report_runs_page(out, reports, nr);
}

static const struct document {
	const char *name;
	int (*write)(FILE *out, const struct rwy_report *reports, unsigned nr);
} documents[] = {
	{"report.json", rwy_report_json},
	{"report.csv", rwy_report_csv},
	{"report.html", write_page},
};

/* Under another name first: a page that is open never shows half of the next one. */
static int write_document(const struct command *command, const struct document *document)
{
	char *path = NULL, *tmp = NULL;
	FILE *out = NULL;
	int err = -ENOMEM;

	if (asprintf(&path, "%s/%s", command->out, document->name) < 0)
		path = NULL;
	if (path && asprintf(&tmp, "%s.%d", path, (int)getpid()) < 0)
		tmp = NULL;
	if (tmp) {
		out = fopen(tmp, "we");
		err = out ? document->write(out, command->reports, command->nr) : -errno;
	}
	if (out && fclose(out) == EOF && !err)
		err = -errno;
	if (!err && rename(tmp, path) < 0)
		err = -errno;
	if (err && tmp)
		unlink(tmp);
	if (err)
		fprintf(stderr, "ringway-perf: %s/%s: %s\n", command->out, document->name,
			strerror(-err));
	else
		printf("%s\n", path);
	free(tmp);
	free(path);
	return err;
}

static int write_documents(const struct command *command)
{
	int err = 0, ready = rwy_report_gnuplot_ready();

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(documents); i++)
		if (documents[i].write != write_page || ready == 0)
			err |= write_document(command, &documents[i]);
	if (ready == -ENOENT)
		fprintf(stderr, "ringway-perf: no page was written, its plots need gnuplot: "
				"apt-get install gnuplot-nox\n");
	return err || ready ? 1 : 0;
}

/* ---- the command ---- */

static int run(struct command *command)
{
	struct rwy_result_why why;
	unsigned nr = 0;
	int status = 1;

	for (; nr < command->nr; nr++)
		if (rwy_report_open(&command->reports[nr], command->dirs[nr], &why) < 0)
			break;
	if (nr == command->nr) {
		status = write_documents(command);
	} else {
		fprintf(stderr, "ringway-perf: %s\n", why.text);
		status = RWY_OPT_EXIT_USAGE;
	}
	while (nr > 0)
		rwy_report_close(&command->reports[--nr]);
	return status;
}

int rwy_perf_report_main(int argc, char **argv)
{
	static const struct rwy_opt opts[] = {
		{"out", "DIR",
		 "where the documents go (default: the directory of the run; it must be given\n"
		 "where there are several runs)",
		 set_out},
	};
	struct command *command = calloc(1, sizeof(*command));
	const struct rwy_opt_program program = {
		.name = "ringway-perf report",
		.usage = "[--out DIR] DIR...",
		.summary =
			"Says what a run of ringway-perf compare found. DIR is the directory of "
			"the "
			"run, with its\nresult.json. Three documents are written:\n"
			"  report.html  one page that needs nothing else: which path to take for "
			"throughput,\n"
			"               latency and host CPU and what another one costs, plots, "
			"tables, "
			"what was\n"
			"               not measured and why, the host, the exact commands\n"
			"  report.json  the same for programs, with every ratio and its interval\n"
			"  report.csv   a line for each figure of each path\n"
			"With several DIRs, runs are compared: hosts, or one host at several "
			"dates. A "
			"path is\n"
			"called better or worse only where the difference is larger than the "
			"noise.\n"
			"The page's plots are drawn by gnuplot.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.operand = add_dir,
		.ctx = command,
	};
	int status = 1;

	if (!command)
		return status;
	if (!rwy_opt_parse(&program, argc, argv, stdout, stderr, &status))
		goto free_command;
	if (command->nr == 0)
		status = rwy_opt_refuse(&program, stderr, "the directory of a run is missing");
	else if (command->nr > 1 && !command->out)
		status = rwy_opt_refuse(&program, stderr, "with several runs --out is needed");
	else {
		if (!command->out)
			command->out = command->dirs[0];
		status = run(command);
	}
free_command:
	free(command);
	return status;
}
