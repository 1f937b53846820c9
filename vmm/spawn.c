/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/spawn.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define RWY_STEM "spawn"

#define BACKOFF_MIN_NS UINT64_C(100000000)
#define BACKOFF_MAX_NS UINT64_C(5000000000)
/* A child that lived this long starts again at once. */
#define GOOD_LIFE_NS UINT64_C(10000000000)
#define GRACE_MS     3000

#define ARG_MAX_LEN (PATH_MAX + 64)
#define ARGS	    6

struct child {
	struct rwy_spawn *spawn;
	char name[16];
	char program[PATH_MAX];
	char args[ARGS][ARG_MAX_LEN]; /* the first empty one ends them */
	struct sockaddr_un addr;
	int listen_fd;	       /* owned, inherited */
	pid_t pid;	       /* 0: not running */
	struct rwy_watch exit; /* on its pidfd, which is owned; -1: not running */
	struct rwy_timer again;
	uint64_t started_ns;
	uint64_t backoff_ns;
};

struct rwy_spawn {
	struct rwy_poll *poll;
	char dir[64];
	uint64_t restarts;
	unsigned nr;
	struct child *children[RWY_CFG_DEVICES];
};

int rwy_spawn_open(struct rwy_spawn **spawn, struct rwy_poll *poll)
{
	struct rwy_spawn *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->poll = poll;
	*spawn = s;
	return 0;
}

int rwy_spawn_find(const char *program, char *path, size_t len)
{
	const char *dirs = getenv("PATH");
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		if ((size_t)snprintf(path, len, "%s/%s", self, program) < len &&
		    access(path, X_OK) == 0)
			return 0;
	}
	while (dirs && *dirs) {
		size_t dir_len = strcspn(dirs, ":");

		if ((size_t)snprintf(path, len, "%.*s/%s", (int)dir_len, dirs, program) < len &&
		    dir_len > 0 && access(path, X_OK) == 0)
			return 0;
		dirs += dir_len + (dirs[dir_len] == ':');
	}
	rwy_error("%s is neither next to ringway-vmm nor in PATH", program);
	return -ENOENT;
}

/* Between fork and exec of a process with threads: system calls only. */
static void become(const struct child *child, char *const argv[], pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	/* Not in the terminal's foreground group: Ctrl-C is for the machine. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || fcntl(child->listen_fd, F_SETFD, 0) < 0)
		_exit(1);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(child->program, argv);
	_exit(127);
}

static int run_child(struct child *child)
{
	char *argv[ARGS + 2] = {child->program};
	pid_t parent = getpid();
	int fd, err;

	for (unsigned i = 0; i < ARGS && child->args[i][0]; i++)
		argv[i + 1] = child->args[i];
	child->pid = fork();
	if (child->pid == 0)
		become(child, argv, parent);
	if (child->pid < 0) {
		err = -errno;
		child->pid = 0;
		return err;
	}
	child->started_ns = rwy_poll_now_ns();
	fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	err = fd < 0 ? -errno : 0;
	child->exit.fd = fd;
	if (!err)
		err = rwy_poll_watch(child->spawn->poll, &child->exit);
	if (!err)
		return 0;
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	child->pid = 0;
	rwy_fd_close(&child->exit.fd);
	return err;
}

static void try_later(struct child *child)
{
	child->backoff_ns = RWY_MIN(2 * child->backoff_ns, BACKOFF_MAX_NS);
	rwy_poll_timer_set(child->spawn->poll, &child->again, child->backoff_ns);
}

static void on_again(void *ctx)
{
	struct child *child = ctx;
	int err = run_child(child);

	child->spawn->restarts++;
	if (!err)
		return;
	rwy_error("%s: cannot start %s: %s", child->name, child->program, strerror(-err));
	try_later(child);
}

static void on_exit_of(void *ctx, uint32_t events)
{
	struct child *child = ctx;
	int status = 0;

	rwy_poll_unwatch(child->spawn->poll, &child->exit);
	rwy_fd_close(&child->exit.fd);
	waitpid(child->pid, &status, 0);
	child->pid = 0;
	if (rwy_poll_now_ns() - child->started_ns >= GOOD_LIFE_NS)
		child->backoff_ns = BACKOFF_MIN_NS / 2;
	try_later(child);
	rwy_warn("%s: %s ended with %s %d, starting it again in %llu ms", child->name,
		 child->program, WIFSIGNALED(status) ? "signal" : "status",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		 (unsigned long long)(child->backoff_ns / 1000000));
}

static int listen_at(struct rwy_spawn *spawn, struct child *child)
{
	const char *tmp = getenv("TMPDIR");

	if (!spawn->dir[0]) {
		snprintf(spawn->dir, sizeof(spawn->dir), "%s/ringway-XXXXXX",
			 tmp && strlen(tmp) < 32 ? tmp : "/tmp");
		if (!mkdtemp(spawn->dir)) {
			spawn->dir[0] = '\0';
			return -errno;
		}
	}
	child->addr.sun_family = AF_UNIX;
	snprintf(child->addr.sun_path, sizeof(child->addr.sun_path), "%s/%s", spawn->dir,
		 child->name);
	child->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (child->listen_fd < 0 ||
	    bind(child->listen_fd, (struct sockaddr *)&child->addr, sizeof(child->addr)) < 0 ||
	    listen(child->listen_fd, 4) < 0)
		return -errno;
	return 0;
}

static void put_net_args(struct child *child, const struct rwy_cfg_device *device)
{
	snprintf(child->args[0], ARG_MAX_LEN, "--port");
	snprintf(child->args[1], ARG_MAX_LEN, "vhost-user,fd=%d,queues=%u", child->listen_fd,
		 device->queues);
	snprintf(child->args[2], ARG_MAX_LEN, "--port");
	snprintf(child->args[3], ARG_MAX_LEN, "tap,name=%s", device->target);
}

static void put_disk_args(struct child *child, const struct rwy_cfg_device *device)
{
	bool writable = access(device->target, W_OK) == 0;

	snprintf(child->args[0], ARG_MAX_LEN, "--disk");
	snprintf(child->args[1], ARG_MAX_LEN, "fd=%d,file=%s,queues=%u%s", child->listen_fd,
		 device->target, device->queues, writable ? "" : ",readonly");
}

static void close_child(struct child *child)
{
	if (!child)
		return;
	rwy_poll_timer_cancel(child->spawn->poll, &child->again);
	if (child->listen_fd >= 0)
		unlink(child->addr.sun_path);
	rwy_fd_close(&child->listen_fd);
	free(child);
}

int rwy_spawn_start(struct rwy_spawn *spawn, const struct rwy_cfg_device *device, const char *name,
		    const char **socket_path)
{
	struct child *child = calloc(1, sizeof(*child));
	int err;

	if (!child || spawn->nr == RWY_CFG_DEVICES) {
		free(child);
		return -ENOMEM;
	}
	child->spawn = spawn;
	child->listen_fd = -1;
	child->exit = (struct rwy_watch){-1, EPOLLIN, on_exit_of, child};
	child->again = (struct rwy_timer){.fire = on_again, .ctx = child};
	child->backoff_ns = BACKOFF_MIN_NS / 2;
	snprintf(child->name, sizeof(child->name), "%s", name);
	err = rwy_spawn_find(device->kind == RWY_CFG_NET ? "ringway-net" : "ringway-blk",
			     child->program, sizeof(child->program));
	if (err)
		goto close;
	err = listen_at(spawn, child);
	if (err)
		goto report;
	if (device->kind == RWY_CFG_NET)
		put_net_args(child, device);
	else
		put_disk_args(child, device);
	err = run_child(child);
	if (err)
		goto report;
	spawn->children[spawn->nr++] = child;
	*socket_path = child->addr.sun_path;
	return 0;

report:
	rwy_error("%s: cannot start %s: %s", name, child->program, strerror(-err));
close:
	close_child(child);
	return err;
}

unsigned rwy_spawn_nr_running(const struct rwy_spawn *spawn)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < spawn->nr; i++)
		nr += spawn->children[i]->pid > 0;
	return nr;
}

uint64_t rwy_spawn_restarts(const struct rwy_spawn *spawn)
{
	return spawn->restarts;
}

/* All were asked to end before the first is waited for. */
static void wait_for(struct child *child, uint64_t deadline_ns)
{
	struct pollfd pfd = {.fd = child->exit.fd, .events = POLLIN};
	uint64_t now = rwy_poll_now_ns();
	int left_ms = now < deadline_ns ? (int)((deadline_ns - now) / 1000000) : 0;

	if (poll(&pfd, 1, left_ms) < 1) {
		rwy_warn("%s: %s does not end, killing it", child->name, child->program);
		kill(child->pid, SIGKILL);
	}
	waitpid(child->pid, NULL, 0);
	rwy_poll_unwatch(child->spawn->poll, &child->exit);
	rwy_fd_close(&child->exit.fd);
}

void rwy_spawn_close(struct rwy_spawn *spawn)
{
	uint64_t deadline_ns = rwy_poll_now_ns() + GRACE_MS * UINT64_C(1000000);

	if (!spawn)
		return;
	for (unsigned i = 0; i < spawn->nr; i++)
		if (spawn->children[i]->pid > 0)
			kill(spawn->children[i]->pid, SIGTERM);
	for (unsigned i = 0; i < spawn->nr; i++) {
		if (spawn->children[i]->pid > 0)
			wait_for(spawn->children[i], deadline_ns);
		close_child(spawn->children[i]);
	}
	if (spawn->dir[0])
		rmdir(spawn->dir);
	free(spawn);
}
