/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-backends/be_main.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "vhost-backends/be_fault.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RWY_STEM "be_main"

#define RETRY_MIN_NS UINT64_C(100000000)
#define RETRY_MAX_NS UINT64_C(2000000000)
#define BACKLOG	     16
#define LOG_BURST    8

struct rwy_be_socket {
	struct rwy_poll *poll;
	struct rwy_be_socket_config config;
	struct rwy_log_limit log_limit;
	int listen_fd;	  /* -1: we connect, or had one connection for all time */
	struct stat file; /* our socket file, while we have one */
	struct rwy_watch watch;
	bool watched;
	struct rwy_be *be;
	struct rwy_timer retry;
	uint64_t retry_ns;
	bool closing;
};

static void wait_for_peer(struct rwy_be_socket *sock, uint64_t after_ns);

static int address(const char *path, struct sockaddr_un *addr)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr->sun_path)) {
		rwy_error("%s: too long for a socket, %zu bytes are possible", path,
			  sizeof(addr->sun_path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(addr->sun_path, path, strlen(path));
	return 0;
}

/* A connected socket, or negative errno. Never waits. */
static int dial(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		int err = -errno;

		rwy_fd_close(&fd);
		return err;
	}
	return fd;
}

static void on_gone(void *ctx)
{
	struct rwy_be_socket *sock = ctx;

	sock->be = NULL;
	if (sock->closing)
		return;
	if (sock->listen_fd < 0 && !sock->config.client) {
		rwy_info("the inherited connection is gone");
		rwy_poll_stop(sock->poll);
		return;
	}
	wait_for_peer(sock, sock->config.client ? RETRY_MIN_NS : 0);
}

static int begin(struct rwy_be_socket *sock, int *fd)
{
	int err = rwy_be_open(&sock->be, sock->poll, &sock->config.be, fd);

	rwy_fd_close(fd);
	if (err) {
		rwy_error("cannot serve a front-end: %s", strerror(-err));
		return err;
	}
	sock->retry_ns = RETRY_MIN_NS;
	if (sock->config.opened)
		sock->config.opened(sock->config.ctx, sock->be);
	return 0;
}

static void stop_listening(struct rwy_be_socket *sock)
{
	if (sock->watched)
		rwy_poll_unwatch(sock->poll, &sock->watch);
	sock->watched = false;
}

static void on_peer(void *ctx, uint32_t events)
{
	struct rwy_be_socket *sock = ctx;
	int fd = accept4(sock->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return;
	stop_listening(sock);
	if (fd < 0 && rwy_log_allow(&sock->log_limit, LOG_BURST))
		rwy_error("cannot accept a front-end: %s", strerror(errno));
	if (fd < 0 || begin(sock, &fd))
		wait_for_peer(sock, RETRY_MIN_NS); /* descriptors or memory may come back */
}

static void try_client(struct rwy_be_socket *sock)
{
	struct sockaddr_un addr;
	int err = address(sock->config.path, &addr);
	int fd = err ? err : dial(&addr);

	if (fd >= 0 && begin(sock, &fd) == 0)
		return;
	/* said once for each time it is away */
	if (sock->retry_ns == RETRY_MIN_NS)
		rwy_info("%s: no front-end yet (%s), trying on", sock->config.path,
			 strerror(fd < 0 ? -fd : ECONNABORTED));
	wait_for_peer(sock, sock->retry_ns);
	sock->retry_ns = RWY_MIN(2 * sock->retry_ns, RETRY_MAX_NS);
}

static void on_retry(void *ctx)
{
	struct rwy_be_socket *sock = ctx;

	if (sock->config.client)
		try_client(sock);
	else
		wait_for_peer(sock, 0);
}

static void wait_for_peer(struct rwy_be_socket *sock, uint64_t after_ns)
{
	if (after_ns == 0 && !sock->watched)
		sock->watched = rwy_poll_watch(sock->poll, &sock->watch) == 0;
	if (after_ns || !sock->watched)
		rwy_poll_timer_set(sock->poll, &sock->retry, after_ns ? after_ns : RETRY_MIN_NS);
}

/* Makes room at path: only a socket that nobody listens on may be in the way. */
static int clear_path(const char *path, const struct sockaddr_un *addr)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode)) {
		rwy_error("%s: is there and is no socket; remove it or choose another path", path);
		return -ENOTSOCK;
	}
	int fd = dial(addr);
	if (fd >= 0 || fd == -EAGAIN) {
		rwy_fd_close(&fd);
		rwy_error("%s: another process serves it; stop that or choose another path", path);
		return -EADDRINUSE;
	}
	return unlink(path) < 0 ? -errno : 0;
}

static int open_listener(struct rwy_be_socket *sock)
{
	const char *path = sock->config.path;
	struct sockaddr_un addr;
	int err = address(path, &addr);

	err = err ? err : clear_path(path, &addr);
	if (err)
		return err;
	sock->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock->listen_fd < 0 ||
	    bind(sock->listen_fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(sock->listen_fd, BACKLOG) < 0 || lstat(path, &sock->file) < 0) {
		err = -errno;
		rwy_error("%s: cannot be served: %s", path, strerror(-err));
		rwy_fd_close(&sock->listen_fd);
	}
	return err;
}

/* --fd: listening or connected is what the socket itself says. */
static int open_inherited(struct rwy_be_socket *sock, int *fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);

	if (getsockopt(*fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0) {
		int err = -errno;

		rwy_error("descriptor %d is no socket to serve: %s", *fd, strerror(-err));
		return err;
	}
	if (!listens)
		return begin(sock, fd);
	int err = rwy_fd_set_nonblock(*fd, true);
	if (!err)
		sock->listen_fd = rwy_fd_take(fd);
	return err;
}

int rwy_be_socket_open(struct rwy_be_socket **out, struct rwy_poll *poll,
		       const struct rwy_be_socket_config *config)
{
	struct rwy_be_socket *sock = calloc(1, sizeof(*sock));
	int err = 0;

	if (!sock)
		return -ENOMEM;
	sock->poll = poll;
	sock->config = *config;
	sock->config.be.gone = on_gone;
	sock->config.be.gone_ctx = sock;
	sock->config.be.log_limit = &sock->log_limit;
	sock->listen_fd = -1;
	sock->retry = (struct rwy_timer){.fire = on_retry, .ctx = sock};
	sock->retry_ns = RETRY_MIN_NS;
	if (!config->path)
		err = open_inherited(sock, config->fd);
	else if (config->client)
		try_client(sock);
	else
		err = open_listener(sock);
	if (err) {
		free(sock);
		return err;
	}
	if (sock->listen_fd >= 0) {
		sock->watch = (struct rwy_watch){.fd = sock->listen_fd,
						 .events = EPOLLIN,
						 .ready = on_peer,
						 .ctx = sock};
		wait_for_peer(sock, 0);
	}
	*out = sock;
	return 0;
}

void rwy_be_socket_close(struct rwy_be_socket *sock)
{
	struct stat st;

	if (!sock)
		return;
	sock->closing = true;
	rwy_poll_timer_cancel(sock->poll, &sock->retry);
	stop_listening(sock);
	/* somebody may have put another in its place */
	if (sock->file.st_ino && lstat(sock->config.path, &st) == 0 &&
	    st.st_ino == sock->file.st_ino && st.st_dev == sock->file.st_dev)
		unlink(sock->config.path);
	rwy_fd_close(&sock->listen_fd);
	if (sock->be)
		rwy_be_close(sock->be);
	while (sock->be && rwy_poll_once(sock->poll, 100) >= 0)
		;
	free(sock);
}

void rwy_be_main_print_capabilities(const char *type, const char *const *features, unsigned nr)
{
	printf("{\n  \"type\": \"%s\",\n  \"features\": [", type);
	for (unsigned i = 0; i < nr; i++)
		printf("%s\n    \"%s\"", i ? "," : "", features[i]);
	printf("%s]\n}\n", nr ? "\n  " : "");
}

struct signals {
	struct rwy_poll *poll;
	struct rwy_watch watch;
};

static void on_signal(void *ctx, uint32_t events)
{
	struct signals *signals = ctx;
	struct signalfd_siginfo info;

	if (read(signals->watch.fd, &info, sizeof(info)) != sizeof(info))
		return;
	rwy_info("%s: stopping", info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
	rwy_poll_stop(signals->poll);
}

int rwy_be_main_run(struct rwy_poll *poll)
{
	struct signals signals = {.poll = poll};
	struct rwy_be_fault fault;
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0) {
		rwy_error("signalfd: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	signals.watch = (struct rwy_watch){.fd = fd,
					   .events = EPOLLIN,
					   .ready = on_signal,
					   .ctx = &signals};
	err = rwy_be_fault_open(&fault, poll);
	if (err)
		goto close_fd;
	err = rwy_poll_watch(poll, &signals.watch);
	if (!err) {
		err = rwy_poll_run(poll);
		rwy_poll_unwatch(poll, &signals.watch);
	}
	rwy_be_fault_close(&fault);
	if (err)
		rwy_error("the reactor failed: %s", strerror(-err));
close_fd:
	rwy_fd_close(&fd);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
