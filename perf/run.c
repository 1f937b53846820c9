/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/run.h"

#include "lib/fd.h"
#include "lib/poll.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define STOP_MS	    3000
#define TICK_MS	    20
#define TAIL_LINES  8
#define NS_IN_MS    UINT64_C(1000000)
#define CHILD_FAILS 127

int rwy_run_init(struct rwy_run *run)
{
	sigset_t set;

	memset(run, 0, sizeof(*run));
	run->sig_fd = -1;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	run->sig_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->sig_fd < 0 ? -errno : 0;
}

void rwy_run_fini(struct rwy_run *run)
{
	while (run->nr_procs > 0)
		rwy_run_stop(run, run->procs[run->nr_procs - 1]);
	rwy_fd_close(&run->sig_fd);
}

/* ---- output ---- */

static void keep(struct rwy_run_proc *proc, const char *buf, size_t len)
{
	if (proc->tail_len + len > RWY_RUN_TAIL) {
		size_t drop = proc->tail_len + len - RWY_RUN_TAIL;

		memmove(proc->tail, proc->tail + drop, proc->tail_len - drop);
		proc->tail_len -= drop;
	}
	memcpy(proc->tail + proc->tail_len, buf, len);
	proc->tail_len += len;
	proc->tail[proc->tail_len] = '\0';
	proc->written += len;
}

static void drain(struct rwy_run_proc *proc)
{
	char buf[4096];
	ssize_t n;

	/* EIO: the other end of the terminal is closed */
	while (proc->tty_fd >= 0 && (n = read(proc->tty_fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			rwy_fd_close(&proc->tty_fd);
			return;
		}
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] == '\0')
				buf[i] = ' '; /* the tail is a C string */
		keep(proc, buf, (size_t)n);
	}
}

const char *rwy_run_output(const struct rwy_run_proc *proc, uint64_t from)
{
	uint64_t first = proc->written - proc->tail_len;

	return proc->tail + (from > first ? RWY_MIN(from - first, proc->tail_len) : 0);
}

/* ---- waiting ---- */

static bool reap(struct rwy_run_proc *proc)
{
	if (proc->pid <= 0 || waitpid(proc->pid, &proc->wait_status, WNOHANG) != proc->pid)
		return false;
	proc->pid = 0;
	rwy_fd_close(&proc->pid_fd);
	drain(proc);
	return true;
}

/* One look at all children and signals; at most timeout_ms. */
static int look(struct rwy_run *run, int timeout_ms)
{
	struct pollfd fds[2 * RWY_RUN_PROCS + 1];
	struct signalfd_siginfo info;
	nfds_t nr = 0;
	int err = 0;

	fds[nr++] = (struct pollfd){.fd = run->sig_fd, .events = POLLIN};
	for (unsigned i = 0; i < run->nr_procs; i++) {
		fds[nr++] = (struct pollfd){.fd = run->procs[i]->tty_fd, .events = POLLIN};
		fds[nr++] = (struct pollfd){.fd = run->procs[i]->pid_fd, .events = POLLIN};
	}
	if (poll(fds, nr, timeout_ms) < 0 && errno != EINTR)
		return -errno;
	if (read(run->sig_fd, &info, sizeof(info)) == sizeof(info))
		run->interrupted = true;
	for (unsigned i = 0; i < run->nr_procs; i++) {
		drain(run->procs[i]);
		reap(run->procs[i]);
		if (run->procs[i]->pid == 0)
			err = -ECHILD;
	}
	return run->interrupted ? -EINTR : err;
}

/* When a wait of that length has to end. */
static uint64_t end_of(const struct rwy_run *run, unsigned timeout_ms)
{
	uint64_t end = rwy_poll_now_ns() + timeout_ms * NS_IN_MS;

	return run->deadline_ns ? RWY_MIN(end, run->deadline_ns) : end;
}

int rwy_run_expect(struct rwy_run *run, struct rwy_run_proc *proc, uint64_t from, const char *text,
		   unsigned timeout_ms)
{
	uint64_t end = end_of(run, timeout_ms);

	for (;;) {
		int err = look(run, TICK_MS);

		if (err == -EINTR)
			return err;
		if (strstr(rwy_run_output(proc, from), text))
			return 0;
		if (err < 0)
			return err;
		if (rwy_poll_now_ns() >= end)
			return -ETIMEDOUT;
	}
}

int rwy_run_expect_path(struct rwy_run *run, const char *path, unsigned timeout_ms)
{
	uint64_t end = end_of(run, timeout_ms);

	for (;;) {
		int err = look(run, TICK_MS);

		if (err < 0)
			return err;
		if (access(path, F_OK) == 0)
			return 0;
		if (rwy_poll_now_ns() >= end)
			return -ETIMEDOUT;
	}
}

int rwy_run_sleep(struct rwy_run *run, unsigned ms)
{
	uint64_t now, want = rwy_poll_now_ns() + ms * NS_IN_MS, end = end_of(run, ms);

	while ((now = rwy_poll_now_ns()) < end) {
		int err = look(run, (int)((end - now + NS_IN_MS - 1) / NS_IN_MS));

		if (err < 0)
			return err;
	}
	return end < want ? -ETIMEDOUT : 0;
}

/* ---- starting and stopping ---- */

/* A terminal, because programs write out each line at once only there. Raw: nothing is echoed. */
static int tty_open(int *master, int *slave)
{
	struct termios mode;
	int err;

	*slave = -1;
	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (*master < 0)
		return -errno;
	if (grantpt(*master) < 0 || unlockpt(*master) < 0)
		goto close_master;
	*slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0)
		goto close_master;
	if (tcgetattr(*slave, &mode) < 0)
		goto close_slave;
	cfmakeraw(&mode);
	mode.c_oflag |= OPOST;
	if (tcsetattr(*slave, TCSANOW, &mode) == 0)
		return 0;
close_slave:
	err = -errno;
	rwy_fd_close(slave);
	rwy_fd_close(master);
	return err;
close_master:
	err = -errno;
	rwy_fd_close(master);
	return err;
}

/*
 * A session of its own is a scheduling group of its own (autogroup), which our nice value does not
 * reach unless it is handed on. Kernels without it have no such file.
 */
static void hand_on_nice(void)
{
	FILE *file = fopen("/proc/self/autogroup", "we");

	if (!file)
		return;
	fprintf(file, "%d", getpriority(PRIO_PROCESS, 0));
	fclose(file);
}

/* Between fork and exec. Returns only by exec; an error goes through the pipe. */
static void become(int slave, int err_fd, pid_t parent, unsigned cpu, const char *const *argv)
{
	cpu_set_t cpus;
	sigset_t none;
	int err;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	sigemptyset(&none);
	if (setsid() < 0)
		goto tell;
	hand_on_nice();
	if (ioctl(slave, TIOCSCTTY, 0) >= 0 && dup2(slave, 0) >= 0 && dup2(slave, 1) >= 0 &&
	    dup2(slave, 2) >= 0 && sched_setaffinity(0, sizeof(cpus), &cpus) >= 0 &&
	    sigprocmask(SIG_SETMASK, &none, NULL) >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) >= 0) {
		if (getppid() != parent)
			_exit(CHILD_FAILS);
		execvp(argv[0], (char *const *)argv);
	}
tell:
	err = -errno;
	ssize_t n = write(err_fd, &err, sizeof(err));

	_exit(n < 0 ? CHILD_FAILS : CHILD_FAILS - 1);
}

int rwy_run_start(struct rwy_run *run, struct rwy_run_proc *proc, const char *name, unsigned cpu,
		  const char *const *argv)
{
	int slave, exec_fds[2], child_err = 0, err;

	if (run->nr_procs == RWY_RUN_PROCS)
		return -ENOSPC;
	memset(proc, 0, sizeof(*proc));
	proc->name = name;
	proc->pid_fd = -1;
	err = tty_open(&proc->tty_fd, &slave);
	if (err < 0)
		return err;
	if (pipe2(exec_fds, O_CLOEXEC) < 0) {
		err = -errno;
		goto close_tty;
	}

	pid_t self = getpid();

	proc->pid = fork();
	if (proc->pid == 0)
		become(slave, exec_fds[1], self, cpu, argv);
	err = proc->pid < 0 ? -errno : 0;
	rwy_fd_close(&exec_fds[1]);
	/* an end of file here means that exec closed the pipe: the child is on its way */
	if (err == 0 && read(exec_fds[0], &child_err, sizeof(child_err)) == sizeof(child_err)) {
		waitpid(proc->pid, &proc->wait_status, 0);
		err = child_err;
	}
	rwy_fd_close(&exec_fds[0]);
	if (err < 0)
		goto close_tty;
	rwy_fd_close(&slave);
	proc->pid_fd = pidfd_open(proc->pid, 0); /* without one, looks are only by the tick */
	run->procs[run->nr_procs++] = proc;
	return 0;
close_tty:
	proc->pid = 0;
	rwy_fd_close(&slave);
	rwy_fd_close(&proc->tty_fd);
	return err;
}

void rwy_run_pause(const struct rwy_run_proc *proc)
{
	if (proc->pid > 0)
		kill(proc->pid, SIGSTOP);
}

void rwy_run_resume(const struct rwy_run_proc *proc)
{
	if (proc->pid > 0)
		kill(proc->pid, SIGCONT);
}

static void stop(struct rwy_run *run, struct rwy_run_proc *proc, int how)
{
	unsigned i = 0;

	while (i < run->nr_procs && run->procs[i] != proc)
		i++;
	if (i == run->nr_procs)
		return;
	if (proc->pid > 0) {
		kill(proc->pid, how);
		rwy_run_resume(proc);
	}
	uint64_t end = rwy_poll_now_ns() + STOP_MS * NS_IN_MS;

	while (proc->pid > 0 && !reap(proc)) {
		struct pollfd fd = {.fd = proc->pid_fd, .events = POLLIN};

		drain(proc);
		if (poll(&fd, 1, TICK_MS) < 0 && errno != EINTR)
			break;
		if (rwy_poll_now_ns() >= end)
			kill(proc->pid, SIGKILL);
	}
	rwy_fd_close(&proc->tty_fd);
	rwy_fd_close(&proc->pid_fd);
	run->nr_procs--;
	memmove(&run->procs[i], &run->procs[i + 1], (run->nr_procs - i) * sizeof(run->procs[0]));
}

void rwy_run_stop(struct rwy_run *run, struct rwy_run_proc *proc)
{
	stop(run, proc, SIGTERM);
}

void rwy_run_kill(struct rwy_run *run, struct rwy_run_proc *proc)
{
	stop(run, proc, SIGKILL);
}

int rwy_run_call(struct rwy_run *run, struct rwy_run_proc *proc, unsigned cpu,
		 const char *const *argv, unsigned timeout_ms)
{
	uint64_t end = end_of(run, timeout_ms);
	int err = rwy_run_start(run, proc, argv[0], cpu, argv);

	if (err < 0)
		return err;
	while (err == 0 && proc->pid > 0) {
		err = look(run, TICK_MS) == -EINTR ? -EINTR : 0;
		if (err == 0 && proc->pid > 0 && rwy_poll_now_ns() >= end)
			err = -ETIMEDOUT;
	}
	rwy_run_stop(run, proc);
	return err == 0 && proc->wait_status != 0 ? -EREMOTEIO : err;
}

int rwy_run_send(struct rwy_run_proc *proc, const char *line)
{
	char text[512];
	int len = snprintf(text, sizeof(text), "%s\n", line);

	if (len < 0 || (size_t)len >= sizeof(text))
		return -E2BIG;
	if (proc->tty_fd < 0)
		return -ECHILD;
	/* a short line into an empty terminal: all of it or nothing */
	ssize_t n = write(proc->tty_fd, text, (size_t)len);

	return n == len ? 0 : n < 0 ? -errno : -EAGAIN;
}

/* ---- words ---- */

/* Appends, cutting off what does not fit. */
static void RWY_PRINTF(3, 4) say(char *text, size_t text_len, const char *fmt, ...)
{
	size_t have = strlen(text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + have, text_len - have, fmt, args);
	va_end(args);
}

static void say_end(const struct rwy_run_proc *proc, char *text, size_t text_len)
{
	if (WIFSIGNALED(proc->wait_status))
		say(text, text_len, "; %s was ended by signal %d", proc->name,
		    WTERMSIG(proc->wait_status));
	else
		say(text, text_len, "; %s ended with status %d", proc->name,
		    WEXITSTATUS(proc->wait_status));
}

static void say_tail(const struct rwy_run_proc *proc, char *text, size_t text_len)
{
	const char *end = proc->tail + proc->tail_len, *at = end;
	unsigned lines = 0;

	while (at > proc->tail && lines <= TAIL_LINES)
		if (*--at == '\n')
			lines++;
	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop : end) - at);
		size_t shown = len;

		/* a guest's terminal and ours each add one */
		while (shown > 0 && at[shown - 1] == '\r')
			shown--;
		if (shown > 0)
			say(text, text_len, "\n  %s: %.*s", proc->name, (int)shown, at);
		at += len + 1;
	}
}

void rwy_run_explain(const struct rwy_run *run, const struct rwy_run_proc *proc, int err,
		     const char *step, char *text, size_t text_len)
{
	text[0] = '\0';
	if (err == -EINTR) {
		say(text, text_len, "interrupted");
		return;
	}
	say(text, text_len, "%s: %s", step, err == -ECHILD ? "a process ended" : strerror(-err));
	for (unsigned i = 0; i < run->nr_procs; i++) {
		if (run->procs[i]->pid == 0) {
			proc = run->procs[i];
			say_end(proc, text, text_len);
		}
	}
	if (proc)
		say_tail(proc, text, text_len);
}

void rwy_run_find(const char *program, char *path, size_t path_len)
{
	static const char *const places[] = {"", "../vhost-backends/net/", "../vhost-backends/blk/",
					     "../vmm/", "../../tests/lab/"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(self, '/');

	if (slash)
		slash[1] = '\0';
	for (unsigned i = 0; slash && i < RWY_ARRAY_SIZE(places); i++) {
		int len = snprintf(path, path_len, "%s%s%s", self, places[i], program);

		if (len > 0 && (size_t)len < path_len && access(path, X_OK) == 0)
			return;
	}
	snprintf(path, path_len, "%s", program);
}

bool rwy_run_look_up(const char *program, char *path, size_t path_len)
{
	const char *dirs = getenv("PATH");

	rwy_run_find(program, path, path_len);
	if (strchr(path, '/'))
		return true;
	while (dirs && *dirs) {
		size_t len = strcspn(dirs, ":");
		int n = snprintf(path, path_len, "%.*s/%s", (int)len, dirs, program);

		if (n > 0 && (size_t)n < path_len && access(path, X_OK) == 0)
			return true;
		dirs += len + (dirs[len] == ':');
	}
	return false;
}

void rwy_run_command(const char *const *argv, unsigned cpu, char *text, size_t text_len)
{
	text[0] = '\0';
	say(text, text_len, "taskset -c %u", cpu);
	for (; *argv; argv++)
		say(text, text_len, strpbrk(*argv, " ;&|*?$'\"") ? " '%s'" : " %s", *argv);
}
