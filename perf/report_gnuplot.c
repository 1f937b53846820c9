/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gnuplot as a function: a script in, an SVG element for a page out.
 *
 * Scripts hold numbers and our own words alone. Text from a result stands in them as @N@, and
 * colours as numbers of ours; both get their meaning here, in its output, where text is escaped and
 * colours become variables of the page's style, so that a plot follows a dark theme.
 */
#include "perf/report.h"

#include "lib/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000

/* ---- the program ---- */

static int wait_for(pid_t pid)
{
	struct pollfd ended = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	int status = 0, n;

	do {
		n = ended.fd >= 0 ? poll(&ended, 1, PATIENCE_MS) : -1;
	} while (n < 0 && ended.fd >= 0 && errno == EINTR);
	if (n <= 0)
		kill(pid, SIGKILL);
	rwy_fd_close(&ended.fd);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* Its first 200 bytes say enough. */
static void complain(int fd)
{
	char text[200];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	for (char *at = text; *at; at++)
		if (*at == '\n')
			*at = ' ';
	fprintf(stderr, "ringway-perf: gnuplot failed: %s\n", text);
}

static int spawn(const int fds[3])
{
	char program[] = "gnuplot", no_init_files[] = "-d", locale[] = "LC_ALL=C.UTF-8";
	char *const argv[] = {program, no_init_files, NULL};
	char *const env[] = {locale, NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int err = -posix_spawn_file_actions_init(&actions);

	if (err)
		return err;
	for (int i = 0; i < 3 && !err; i++)
		err = -posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	if (!err)
		err = -posix_spawnp(&pid, argv[0], &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	return err ? err : wait_for(pid);
}

/* *output is malloc'd and ends with NUL. */
static int run(const char *script, size_t len, char **output)
{
	int fds[3] = {-1, -1, -1}, err = 0;
	off_t size;

	*output = NULL;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(fds) && !err; i++) {
		fds[i] = memfd_create("ringway-gnuplot", MFD_CLOEXEC);
		if (fds[i] < 0)
			err = -errno;
	}
	if (!err && pwrite(fds[0], script, len, 0) != (ssize_t)len)
		err = -EIO;
	if (!err)
		err = spawn(fds);
	if (err == -EIO)
		complain(fds[2]);
	size = err ? 0 : lseek(fds[1], 0, SEEK_END);
	if (!err && !(*output = calloc(1, (size_t)size + 1)))
		err = -ENOMEM;
	if (!err && pread(fds[1], *output, (size_t)size, 0) != size)
		err = -EIO;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(fds); i++)
		rwy_fd_close(&fds[i]);
	return err;
}

int rwy_report_gnuplot_ready(void)
{
	char *output;
	int err = run("", 0, &output);

	free(output);
	return err;
}

/* ---- its output ---- */

struct svg {
	FILE *out;
	const char *at;
	const char *const *texts;
	unsigned nr_texts;
};

/* "rgb(  1,   0,   7)": a colour of ours is a variable of the page. */
static bool put_colour(struct svg *svg)
{
	static const char *const names[] = {[RWY_REPORT_INK] = "--ink",
					    [RWY_REPORT_FAINT] = "--muted",
					    [RWY_REPORT_GRID] = "--grid"};
	unsigned what, zero, idx;
	int len = 0;

	if (sscanf(svg->at, "rgb( %u , %u , %u )%n", &what, &zero, &idx, &len) != 3 || len == 0)
		return false;
	if (what == RWY_REPORT_HUE)
		fprintf(svg->out, "var(--c%u)", idx);
	else if (what < RWY_ARRAY_SIZE(names) && names[what])
		fprintf(svg->out, "var(%s)", names[what]);
	else
		return false;
	svg->at += len;
	return true;
}

static bool put_text(struct svg *svg)
{
	unsigned idx;
	int len = 0;

	if (sscanf(svg->at, "@%u@%n", &idx, &len) != 1 || len == 0 || idx >= svg->nr_texts)
		return false;
	rwy_report_escape(svg->out, svg->texts[idx]);
	svg->at += len;
	return true;
}

/* What several plots on one page would have twice, or nobody needs, up to its end. */
static bool skip(struct svg *svg)
{
	static const struct {
		const char *begin, *end;
	} parts[] = {
		{"<title>", "</title>"}, {"<desc>", "</desc>"}, {"<defs>", "</defs>"},
		{" id=\"", "\""},	 {" class=\"", "\""},
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(parts); i++) {
		size_t len = strlen(parts[i].begin);
		const char *end = strncmp(svg->at, parts[i].begin, len)
					  ? NULL
					  : strstr(svg->at + len, parts[i].end);

		if (end) {
			svg->at = end + strlen(parts[i].end);
			return true;
		}
	}
	return false;
}

/* gnuplot opens a group for each change of a pen, drawn with or not. */
static bool skip_empty_group(struct svg *svg)
{
	static const char empty[] = ">\n</g>\n";
	size_t len = strcspn(svg->at, ">");

	if (strncmp(svg->at, "<g ", 3) || strncmp(svg->at + len, empty, sizeof(empty) - 1))
		return false;
	svg->at += len + sizeof(empty) - 1;
	return true;
}

static void put_svg(struct svg *svg)
{
	while (*svg->at) {
		char c = *svg->at;

		if ((c == 'r' && !strncmp(svg->at, "rgb(", 4) && put_colour(svg)) ||
		    (c == '@' && put_text(svg)) || ((c == '<' || c == ' ') && skip(svg)) ||
		    (c == '<' && skip_empty_group(svg)))
			continue;
		fputc(c, svg->out);
		svg->at++;
	}
}

int rwy_report_gnuplot(FILE *out, const struct rwy_report_script *script)
{
	struct svg svg = {.out = out, .texts = script->texts, .nr_texts = script->nr_texts};
	static const char opening[] = "<svg";
	char *output;
	int err = run(script->text, script->len, &output);

	if (err < 0)
		return err;
	svg.at = strstr(output, opening);
	if (!svg.at) {
		fprintf(stderr, "ringway-perf: gnuplot drew nothing\n");
		err = -EPROTO;
	} else {
		svg.at += sizeof(opening) - 1;
		rwy_report_put(out, "<svg class=\"plot\" role=\"img\" aria-label=\"%s\"",
			       script->label);
		put_svg(&svg);
	}
	free(output);
	return err;
}
