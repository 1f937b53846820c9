/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/journal.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define RWY_STEM "journal"

#define NAME	 "journal"
#define HEAD	 "ringway-sriov journal 1\n"
#define NAME_LEN 64
#define LINE_LEN 256

int rwy_journal_open(struct rwy_journal *journal, const char *path)
{
	int err = 0;

	*journal = (struct rwy_journal){.dir_fd = -1, .fd = -1};
	if (snprintf(journal->path, sizeof(journal->path), "%s", path) >=
	    (int)sizeof(journal->path))
		return -ENAMETOOLONG;
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		journal->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (journal->dir_fd < 0) {
		err = -errno;
		rwy_error("%s: %s", path, strerror(-err));
	} else if (flock(journal->dir_fd, LOCK_EX | LOCK_NB) < 0) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		rwy_error("%s: %s", path,
			  err == -EBUSY ? "another ringway-sriov is at work" : strerror(-err));
		rwy_fd_close(&journal->dir_fd);
	}
	return err;
}

void rwy_journal_close(struct rwy_journal *journal)
{
	rwy_fd_close(&journal->fd);
	rwy_fd_close(&journal->dir_fd);
}

/* A whole new file, or none at all; its name is durable, too. *fd stays open. */
static int put_file(struct rwy_journal *journal, const char *name, const char *text, int *fd)
{
	char fresh[NAME_LEN];
	int err;

	snprintf(fresh, sizeof(fresh), "%s.new", name);
	*fd = openat(journal->dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	err = *fd < 0 ? -errno : rwy_fd_write_full(*fd, text, strlen(text), 0);
	if (!err &&
	    (fsync(*fd) < 0 || renameat(journal->dir_fd, fresh, journal->dir_fd, name) < 0 ||
	     fsync(journal->dir_fd) < 0))
		err = -errno;
	if (!err)
		return 0;
	rwy_error("%s/%s cannot be written: %s", journal->path, name, strerror(-err));
	unlinkat(journal->dir_fd, fresh, 0);
	rwy_fd_close(fd);
	return err;
}

/* ---- the journal ---- */

/* Values have no blanks in them; the empty one is a dash. */
static const char *word(const char *text)
{
	return text[0] ? text : "-";
}

int rwy_journal_begin(struct rwy_journal *journal, const struct rwy_vf_plan *plan)
{
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);
	int err;

	if (!file)
		return -ENOMEM;
	fputs(HEAD, file);
	for (unsigned i = 0; i < plan->nr; i++) {
		const struct rwy_vf_step *step = &plan->steps[i];

		fprintf(file, "step %s %d %s %s %s\n", step->pf, step->vf,
			rwy_attr_name(step->attr), word(step->from), word(step->to));
	}
	err = fclose(file) ? -ENOMEM : put_file(journal, NAME, text, &journal->fd);
	journal->end = (off_t)len;
	free(text);
	return err;
}

static int note(struct rwy_journal *journal, const char *what, unsigned idx)
{
	char line[32];
	int len = snprintf(line, sizeof(line), "%s %u\n", what, idx);
	int err = rwy_fd_write_full(journal->fd, line, (size_t)len, journal->end);

	journal->end += err ? 0 : len;
	if (!err && fdatasync(journal->fd) < 0)
		err = -errno;
	if (err)
		rwy_error("%s/" NAME " cannot be written: %s", journal->path, strerror(-err));
	return err;
}

int rwy_journal_step(struct rwy_journal *journal, unsigned idx)
{
	return note(journal, "begin", idx);
}

int rwy_journal_undone(struct rwy_journal *journal, unsigned idx)
{
	return note(journal, "undone", idx);
}

int rwy_journal_end(struct rwy_journal *journal)
{
	rwy_fd_close(&journal->fd);
	if (unlinkat(journal->dir_fd, NAME, 0) < 0 || fsync(journal->dir_fd) < 0) {
		int err = -errno;

		rwy_error("%s/" NAME " cannot be removed: %s", journal->path, strerror(-err));
		return err;
	}
	return 0;
}

static int take_step(char *line, struct rwy_vf_plan *plan)
{
	struct rwy_vf_step step = {0};
	char attr[RWY_ATTR_TEXT];
	int end = 0;

	if (sscanf(line, "step %15s %d %39s %39s %39s%n", step.pf, &step.vf, attr, step.from,
		   step.to, &end) != 5 ||
	    line[end] || step.vf < RWY_VF_PLAN_PF || step.vf >= RWY_VF_MAX)
		return -EBADMSG;
	step.attr = rwy_attr_find(attr);
	if (step.attr == RWY_ATTR_NR || (step.attr < RWY_ATTR_OF_PF) != (step.vf < 0))
		return -EBADMSG;
	if (strcmp(step.from, "-") == 0)
		step.from[0] = '\0';
	if (strcmp(step.to, "-") == 0)
		step.to[0] = '\0';
	return rwy_vf_plan_push(plan, &step);
}

static int take_line(char *line, struct rwy_vf_plan *plan, unsigned *nr_begun)
{
	unsigned idx;
	int end = 0;

	if (strncmp(line, "step ", 5) == 0)
		return *nr_begun ? -EBADMSG : take_step(line, plan);
	if (sscanf(line, "begin %u%n", &idx, &end) == 1 && !line[end] && idx < plan->nr)
		*nr_begun = idx + 1;
	else if (sscanf(line, "undone %u%n", &idx, &end) == 1 && !line[end] && idx < *nr_begun)
		*nr_begun = idx;
	else
		return -EBADMSG;
	return 0;
}

static int take_file(struct rwy_journal *journal, FILE *file, struct rwy_vf_plan *plan,
		     unsigned *nr_begun)
{
	char line[LINE_LEN];
	unsigned number = 1;
	off_t whole = sizeof(HEAD) - 1;
	int err = 0;

	if (!fgets(line, sizeof(line), file) || strcmp(line, HEAD) != 0)
		err = -EBADMSG;
	while (!err && fgets(line, sizeof(line), file)) {
		char *end = strchr(line, '\n');

		number++;
		if (end) {
			*end = '\0';
			whole = ftello(file);
		} else if (fgetc(file) == EOF) {
			/* Not whole, so not followed by its step; what is noted next begins a line.
			 */
			err = ftruncate(journal->fd, whole) < 0 ? -errno : 0;
			break;
		}
		err = end ? take_line(line, plan, nr_begun) : -EBADMSG;
	}
	journal->end = whole;
	if (err)
		rwy_error("%s/" NAME ":%u: %s: what a killed run left is not known; compare "
			  "`ringway-sriov list` with what should be, then remove the file",
			  journal->path, number, strerror(-err));
	return err;
}

int rwy_journal_resume(struct rwy_journal *journal, struct rwy_vf_plan *plan, unsigned *nr_begun)
{
	int fd = openat(journal->dir_fd, NAME, O_RDWR | O_CLOEXEC);
	FILE *file;
	int err;

	*plan = (struct rwy_vf_plan){0};
	*nr_begun = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	journal->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	file = fdopen(fd, "r");
	if (!file || journal->fd < 0) {
		rwy_fd_close(&journal->fd);
		if (file)
			fclose(file);
		else
			rwy_fd_close(&fd);
		return -ENOMEM;
	}
	err = take_file(journal, file, plan, nr_begun);
	fclose(file);
	if (!err)
		return 1;
	rwy_fd_close(&journal->fd);
	rwy_vf_plan_fini(plan);
	return err;
}

bool rwy_journal_is_left(const char *path)
{
	char name[RWY_SYSFS_PATH];

	return snprintf(name, sizeof(name), "%s/" NAME, path) < (int)sizeof(name) &&
	       access(name, F_OK) == 0;
}

/* ---- what was found ---- */

static void found_name(char name[NAME_LEN], const char *bdf)
{
	snprintf(name, NAME_LEN, "%s.found", bdf);
}

bool rwy_journal_has_found(const struct rwy_journal *journal, const char *bdf,
			   char path[RWY_SYSFS_PATH])
{
	int len = snprintf(path, RWY_SYSFS_PATH, "%s/%s.found", journal->path, bdf);

	return len < RWY_SYSFS_PATH && access(path, F_OK) == 0;
}

int rwy_journal_put_found(struct rwy_journal *journal, const char *bdf, const char *text)
{
	char name[NAME_LEN];
	int fd, err;

	found_name(name, bdf);
	err = put_file(journal, name, text, &fd);
	if (!err)
		rwy_fd_close(&fd);
	return err;
}

void rwy_journal_del_found(struct rwy_journal *journal, const char *bdf)
{
	char name[NAME_LEN];

	found_name(name, bdf);
	unlinkat(journal->dir_fd, name, 0);
}
