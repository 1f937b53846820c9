/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a run must not forget when it is killed, in a directory of files that holds the lock against
 * other runs: the journal, which is there while steps are under way, and for each PF a record of
 * what was found before we first changed it.
 *
 * The journal is the whole plan, written and made durable before the first step, and then a line
 * before each step is begun and after each is undone. So whoever finds it knows what may have been
 * done. On a tmpfs, where /run is, that costs a system call a step; and SR-IOV itself lives no
 * longer than such files.
 */
#ifndef RWY_SRIOV_JOURNAL_H
#define RWY_SRIOV_JOURNAL_H

#include "lib/sysfs.h"
#include "sriov/vf_plan.h"

#include <sys/types.h>

#define RWY_JOURNAL_DIR "/run/ringway-sriov"

struct rwy_journal {
	char path[RWY_SYSFS_PATH]; /* of the directory */
	int dir_fd;		   /* locked */
	int fd;			   /* of the journal, -1: none is under way */
	off_t end;		   /* of what is in it */
};

/* Makes the directory and takes the lock. -EBUSY: another run has it. Logged. */
RWY_MUST_CHECK int rwy_journal_open(struct rwy_journal *journal, const char *path);
void rwy_journal_close(struct rwy_journal *journal);

/* Nothing of the plan may be done before this returned 0. Logged. */
RWY_MUST_CHECK int rwy_journal_begin(struct rwy_journal *journal, const struct rwy_vf_plan *plan);
/* Step idx is begun, or was undone. */
RWY_MUST_CHECK int rwy_journal_step(struct rwy_journal *journal, unsigned idx);
RWY_MUST_CHECK int rwy_journal_undone(struct rwy_journal *journal, unsigned idx);
/* All is done or undone: the journal goes. */
RWY_MUST_CHECK int rwy_journal_end(struct rwy_journal *journal);
/*
 * What a killed run left: 1, its plan and how many steps it may have begun; the journal is then
 * under way again. 0: nothing. -EBADMSG: the file is damaged. Logged with file and line.
 */
RWY_MUST_CHECK int rwy_journal_resume(struct rwy_journal *journal, struct rwy_vf_plan *plan,
				      unsigned *nr_begun);

/* A run is under way in this directory, or was killed. For those who take no lock. */
bool rwy_journal_is_left(const char *path);

/* The record of a PF: its file's path. False: there is none. */
bool rwy_journal_has_found(const struct rwy_journal *journal, const char *bdf,
			   char path[RWY_SYSFS_PATH]);
/* Made durable before it returns. */
RWY_MUST_CHECK int rwy_journal_put_found(struct rwy_journal *journal, const char *bdf,
					 const char *text);
void rwy_journal_del_found(struct rwy_journal *journal, const char *bdf);

#endif
