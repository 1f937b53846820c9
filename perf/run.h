/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Child processes of a benchmark: started pinned to one CPU on a terminal of their own, listened to
 * by one loop, and always ended and reaped.
 *
 * Every wait goes through rwy_run_*, which drains the output of all children meanwhile, so that
 * none of them blocks on a full terminal. SIGINT and SIGTERM arrive on sig_fd (they are blocked by
 * rwy_run_init; children get them unblocked) and end every wait with -EINTR. Children are session
 * leaders: a Ctrl-C at our terminal reaches us alone and we end them in order. They die with us
 * even if we are killed.
 */
#ifndef RWY_PERF_RUN_H
#define RWY_PERF_RUN_H

#include "lib/base.h"

#include <sys/types.h>

#define RWY_RUN_PROCS 8
#define RWY_RUN_TAIL  65536

struct rwy_run_proc {
	const char *name; /* for messages, the caller's */
	pid_t pid;	  /* 0: not started, or reaped */
	int pid_fd;
	int tty_fd;	  /* our end of its terminal: its stdin, stdout and stderr */
	int wait_status;  /* as waitpid's, once reaped */
	uint64_t written; /* bytes of output so far */
	size_t tail_len;
	char tail[RWY_RUN_TAIL + 1]; /* the last of them, with a NUL behind */
};

struct rwy_run {
	int sig_fd;
	bool interrupted;     /* SIGINT or SIGTERM came */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC: every wait ends here with -ETIMEDOUT; 0: none */
	unsigned nr_procs;
	struct rwy_run_proc *procs[RWY_RUN_PROCS];
};

RWY_MUST_CHECK int rwy_run_init(struct rwy_run *run);
/* Stops what still runs, last started first. */
void rwy_run_fini(struct rwy_run *run);

/*
 * argv ends with NULL; argv[0] is looked up in PATH unless it has a slash. proc must stay until it
 * is stopped. Negative errno from any step, that of exec included: -ENOENT is "not installed".
 */
RWY_MUST_CHECK int rwy_run_start(struct rwy_run *run, struct rwy_run_proc *proc, const char *name,
				 unsigned cpu, const char *const *argv);
/* SIGTERM, SIGKILL when that did not help within 3 s. Nothing when it does not run. */
void rwy_run_stop(struct rwy_run *run, struct rwy_run_proc *proc);

/* SIGKILL at once: for what would go through a long farewell. */
void rwy_run_kill(struct rwy_run *run, struct rwy_run_proc *proc);

/* Holds it still (SIGSTOP), so that it uses no CPU, and lets it go on. */
void rwy_run_pause(const struct rwy_run_proc *proc);
void rwy_run_resume(const struct rwy_run_proc *proc);

/* Types a line at its terminal. */
RWY_MUST_CHECK int rwy_run_send(struct rwy_run_proc *proc, const char *line);
/*
 * Waits until text shows up in what it wrote from position `from` (of proc->written) on.
 * -ETIMEDOUT; -ECHILD when any child ended; -EINTR.
 */
RWY_MUST_CHECK int rwy_run_expect(struct rwy_run *run, struct rwy_run_proc *proc, uint64_t from,
				  const char *text, unsigned timeout_ms);
/* Waits until path is there: a socket that a child listens on. Errors as rwy_run_expect. */
RWY_MUST_CHECK int rwy_run_expect_path(struct rwy_run *run, const char *path, unsigned timeout_ms);
/*
 * Runs a command to its end, its output being in proc. -EREMOTEIO: it failed; proc tells how.
 * Others as rwy_run_start and rwy_run_expect; the end of another child does not matter.
 */
RWY_MUST_CHECK int rwy_run_call(struct rwy_run *run, struct rwy_run_proc *proc, unsigned cpu,
				const char *const *argv, unsigned timeout_ms);
/* 0 after that time; -ECHILD and -EINTR as above. */
RWY_MUST_CHECK int rwy_run_sleep(struct rwy_run *run, unsigned ms);
/* What it wrote from that position on, as far as it is kept. */
const char *rwy_run_output(const struct rwy_run_proc *proc, uint64_t from);

/*
 * Why a step failed, in one text of several lines: the error, which child ended and how, and the
 * last lines that the child wrote.
 */
void rwy_run_explain(const struct rwy_run *run, const struct rwy_run_proc *proc, int err,
		     const char *step, char *text, size_t text_len);

/* Next to this program (its build tree or its installation), else left to PATH. */
void rwy_run_find(const char *program, char *path, size_t path_len);
/* The same, looked up in PATH, too; false: it is nowhere. */
bool rwy_run_look_up(const char *program, char *path, size_t path_len);
/* The command line as one would type it. */
void rwy_run_command(const char *const *argv, unsigned cpu, char *text, size_t text_len);

#endif
