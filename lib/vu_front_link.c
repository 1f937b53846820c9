/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/vu_front_priv.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RWY_STEM "vu_front"

#define RETRY_MIN_NS 100000000u
#define RETRY_MAX_NS 2000000000u
/* Requests of the back-end handled before other work gets its turn: it may send without end. */
#define BE_BURST 16

static int set_addr(struct sockaddr_un *addr, const char *path)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	strcpy(addr->sun_path, path);
	return 0;
}

/* ---- the back-end's own requests ---- */

static void close_be(struct rwy_vu_front *front)
{
	if (front->be_chan.fd >= 0) {
		rwy_poll_unwatch(front->poll, &front->be_watch);
		rwy_vu_chan_close(&front->be_chan);
	}
	rwy_fd_close(&front->be_peer);
}

static int answer_be(struct rwy_vu_front *front, const struct rwy_vu_msg *msg, int rc)
{
	const struct rwy_vu_hdr hdr = {
		.request = msg->hdr.request,
		.flags = RWY_VU_FLAG_VERSION | RWY_VU_FLAG_REPLY,
		.size = sizeof(uint64_t),
	};
	uint64_t value = (uint64_t)-rc;

	if (!(msg->hdr.flags & RWY_VU_FLAG_NEED_REPLY))
		return 0;
	return rwy_vu_chan_send(&front->be_chan, &hdr, &value, NULL, 0, 0);
}

/*
 * Only a change of config space is of use to us. Anything else is refused, which is not the end of
 * the device; a stream that cannot be read is the end of this channel, but still not of the device.
 */
static void be_ready(void *ctx, uint32_t events)
{
	struct rwy_vu_front *front = ctx;
	struct rwy_vu_msg msg;
	const char *why = "what it sends is no message";
	int rc = 0;

	for (unsigned i = 0; i < BE_BURST; i++) {
		rc = rwy_vu_chan_recv(&front->be_chan, &msg);
		if (rc <= 0)
			break;
		rc = rwy_vu_check_be(&front->state, &msg, &why);
		rwy_vu_chan_close_fds(&msg); /* none is of use to us */
		if (rc == -EPROTO)
			break;
		if (rc == 0 && msg.hdr.request == RWY_VU_BE_CONFIG_CHANGE)
			front->refresh = true;
		else if (rc == 0)
			rc = -ENOTSUP;
		rc = answer_be(front, &msg, rc);
		if (rc < 0) {
			why = "it does not read our answers";
			break;
		}
	}
	if (rc < 0) {
		if (rc != -ENODATA) /* mostly a process that ends; its socket will say so */
			rwy_warn("%s: back-end's request channel closed: %s", front->name, why);
		close_be(front);
	}
	rwy_vu_front_proceed(front);
}

int rwy_vu_front_link_open_be(struct rwy_vu_front *front)
{
	int fds[2];
	int rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	front->be_peer = fds[1];
	rc = rwy_vu_chan_open(&front->be_chan, &fds[0]);
	if (rc < 0) {
		rwy_fd_close(&fds[0]);
		return rc;
	}
	front->be_watch = (struct rwy_watch){.fd = front->be_chan.fd,
					     .events = EPOLLIN,
					     .ready = be_ready,
					     .ctx = front};
	rc = rwy_poll_watch(front->poll, &front->be_watch);
	if (rc < 0)
		rwy_vu_chan_close(&front->be_chan);
	return rc;
}

/* ---- connecting ---- */

static void retry_later(struct rwy_vu_front *front)
{
	rwy_poll_timer_set(front->poll, &front->retry_timer, front->retry_ns);
	front->retry_ns = RWY_MIN(front->retry_ns * 2, RETRY_MAX_NS);
}

static void take_connection(struct rwy_vu_front *front, int *fd)
{
	int rc = rwy_vu_chan_open(&front->chan, fd);

	if (rc < 0) {
		rwy_fd_close(fd);
		rwy_vu_front_lose(front, false, "%s", strerror(-rc));
		return;
	}
	rwy_vu_front_begin(front);
}

static void connect_now(void *ctx)
{
	struct rwy_vu_front *front = ctx;
	struct sockaddr_un addr;
	int fd;

	(void)set_addr(&addr, front->path); /* its length was checked by open */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		const char *why = strerror(errno);

		rwy_fd_close(&fd);
		rwy_vu_front_lose(front, false, "%s", why);
		return;
	}
	take_connection(front, &fd);
}

static void accept_ready(void *ctx, uint32_t events)
{
	struct rwy_vu_front *front = ctx;
	int fd = accept4(front->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	rwy_poll_unwatch(front->poll, &front->listen_watch); /* one at a time */
	front->listening = false;
	take_connection(front, &fd);
}

static void accept_next(void *ctx)
{
	struct rwy_vu_front *front = ctx;

	front->listening = rwy_poll_watch(front->poll, &front->listen_watch) == 0;
	if (!front->listening)
		retry_later(front);
}

static void take_given(void *ctx)
{
	struct rwy_vu_front *front = ctx;

	take_connection(front, &front->given_fd);
}

/* A socket file that nobody listens on is a dead process's: it is replaced. */
static int bind_path(int fd, const struct sockaddr_un *addr)
{
	int probe;
	bool stale;

	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	stale = probe >= 0 && connect(probe, (const struct sockaddr *)addr, sizeof(*addr)) < 0 &&
		errno == ECONNREFUSED;
	rwy_fd_close(&probe);
	if (!stale)
		return -EADDRINUSE;
	(void)unlink(addr->sun_path);
	return bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ? 0 : -errno;
}

static int listen_on(struct rwy_vu_front *front, const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = bind_path(fd, addr);
	if (rc == 0 && listen(fd, 1) < 0)
		rc = -errno;
	if (rc < 0) {
		rwy_fd_close(&fd);
		return rc;
	}
	front->listen_fd = fd;
	front->listen_watch = (struct rwy_watch){.fd = fd,
						 .events = EPOLLIN,
						 .ready = accept_ready,
						 .ctx = front};
	front->retry_timer.fire = accept_next;
	return 0;
}

int rwy_vu_front_link_open(struct rwy_vu_front *front, const struct rwy_vu_front_config *config)
{
	struct sockaddr_un addr;
	struct stat st;
	int rc = 0;

	front->retry_ns = RETRY_MIN_NS;
	front->retry_timer = (struct rwy_timer){.fire = connect_now, .ctx = front};
	if (front->path) {
		rc = set_addr(&addr, front->path);
		if (rc == 0 && stat(front->path, &st) == 0 && !S_ISSOCK(st.st_mode))
			rc = -ENOTSOCK;
		if (rc == 0 && config->listen)
			rc = listen_on(front, &addr);
		if (rc < 0) {
			rwy_error("%s: %s: %s", front->name, front->path, strerror(-rc));
			return rc;
		}
	} else {
		front->given_fd = rwy_fd_take(config->fd);
		front->retry_timer.fire = take_given;
	}
	/* From the reactor, so that the owner hears nothing before open has returned. */
	rwy_poll_timer_set(front->poll, &front->retry_timer, 0);
	return 0;
}

static void disconnect(struct rwy_vu_front *front)
{
	if (front->chan.fd >= 0) {
		rwy_poll_unwatch(front->poll, &front->watch);
		rwy_vu_chan_close(&front->chan);
	}
	close_be(front);
}

void rwy_vu_front_link_drop(struct rwy_vu_front *front, bool lasted)
{
	disconnect(front);
	if (lasted)
		front->retry_ns = RETRY_MIN_NS;
	if (front->listen_fd >= 0) /* it is the back-end that tries */
		rwy_poll_timer_set(front->poll, &front->retry_timer, 0);
	else if (front->path)
		retry_later(front);
}

void rwy_vu_front_link_close(struct rwy_vu_front *front)
{
	disconnect(front);
	rwy_poll_timer_cancel(front->poll, &front->retry_timer);
	rwy_fd_close(&front->given_fd);
	if (front->listen_fd < 0)
		return;
	if (front->listening)
		rwy_poll_unwatch(front->poll, &front->listen_watch);
	(void)unlink(front->path);
	rwy_fd_close(&front->listen_fd);
}
