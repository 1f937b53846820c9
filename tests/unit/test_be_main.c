/* SPDX-License-Identifier: BSD-3-Clause */
/* Where back-ends are served: socket files, connections that come and go, signals. */
#include "tests/proto/bench.h"

#include "vhost-backends/be_main.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct place {
	struct rwy_poll *poll;
	struct echo echo;
	struct rwy_be_socket_config config;
	struct rwy_be_socket *sock;
	char dir[32];
	char path[64];
};

static void opened(void *ctx, struct rwy_be *be)
{
	struct echo *e = ctx;

	assert_null(e->be);
	e->be = be;
}

static void place_open(struct place *p)
{
	*p = (struct place){0};
	assert_int_equal(rwy_poll_open(&p->poll, RWY_POLL_NEVER), 0);
	echo_open(&p->echo, p->poll);
	strcpy(p->dir, "/tmp/test_be_main.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/sock", p->dir);
	p->config = (struct rwy_be_socket_config){
		.path = p->path,
		.be = echo_config(&p->echo),
		.opened = opened,
		.ctx = &p->echo,
	};
}

static void place_close(struct place *p)
{
	rwy_be_socket_close(p->sock);
	assert_int_not_equal(access(p->path, F_OK), 0); /* removed */
	assert_null(p->echo.be);
	assert_int_equal(rmdir(p->dir), 0);
	echo_close(&p->echo);
	rwy_poll_close(p->poll);
}

static int unix_socket(const char *path, bool serve)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	assert_int_equal((serve ? bind : connect)(fd, (void *)&addr, sizeof(addr)), 0);
	if (serve)
		assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* A front-end that brings up a ring and has it served. */
static void use(struct place *p, struct peer *peer, int fd)
{
	peer_open(peer, p->poll, fd);
	peer_negotiate(peer, 0);
	assert_int_equal(peer_set_mem(peer), 0);
	peer_ring_open(peer, 0, 16);
	assert_int_equal(peer_ring_start(peer, 0, 0), 0);
	assert_true(peer_is_served(peer, 0, 8, 8));
}

static void server_one_after_the_other(void **state)
{
	(void)state;
	struct place p;
	struct peer peer;

	place_open(&p);
	assert_int_equal(rwy_be_socket_open(&p.sock, p.poll, &p.config), 0);
	for (unsigned i = 0; i < 5; i++) {
		use(&p, &peer, unix_socket(p.path, false));
		peer_close(&peer);
		assert_int_equal(p.echo.nr_lost, i + 1);
	}
	place_close(&p);
}

static void second_front_end_waits(void **state)
{
	(void)state;
	struct place p;
	struct peer first, second;

	place_open(&p);
	assert_int_equal(rwy_be_socket_open(&p.sock, p.poll, &p.config), 0);
	use(&p, &first, unix_socket(p.path, false));
	int fd = unix_socket(p.path, false);
	peer_turn(&first);
	assert_int_equal(p.echo.nr_lost, 0);
	assert_true(peer_is_served(&first, 0, 8, 8));
	peer_close(&first);
	use(&p, &second, fd);
	/* closing the place ends a connection that is in use */
	rwy_be_socket_close(p.sock);
	p.sock = NULL;
	assert_true(peer_is_closed(&second));
	peer_close(&second);
	place_close(&p);
}

static void stale_socket_is_replaced(void **state)
{
	(void)state;
	struct place p;
	struct peer peer;

	place_open(&p);
	int dead = unix_socket(p.path, true);
	rwy_fd_close(&dead); /* the file stays, as after a kill -9 */
	assert_int_equal(access(p.path, F_OK), 0);
	assert_int_equal(rwy_be_socket_open(&p.sock, p.poll, &p.config), 0);
	use(&p, &peer, unix_socket(p.path, false));
	peer_close(&peer);
	place_close(&p);
}

static void path_in_use(void **state)
{
	(void)state;
	struct place p;
	char long_path[128];

	place_open(&p);
	int other = unix_socket(p.path, true);
	assert_int_equal(rwy_be_socket_open(&p.sock, p.poll, &p.config), -EADDRINUSE);
	for (unsigned i = 0; i < 8; i++) { /* its queue is full */
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		struct sockaddr_un addr = {.sun_family = AF_UNIX};

		strcpy(addr.sun_path, p.path);
		connect(fd, (void *)&addr, sizeof(addr));
		rwy_fd_close(&fd);
	}
	assert_int_equal(rwy_be_socket_open(&p.sock, p.poll, &p.config), -EADDRINUSE);
	rwy_fd_close(&other);
	assert_int_equal(unlink(p.path), 0);

	int file = open(p.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	rwy_fd_close(&file);
	assert_int_equal(rwy_be_socket_open(&p.sock, p.poll, &p.config), -ENOTSOCK);
	assert_int_equal(access(p.path, F_OK), 0); /* nobody's file is removed */
	assert_int_equal(unlink(p.path), 0);
	assert_int_equal(mkdir(p.path, 0700), 0);
	assert_int_equal(rwy_be_socket_open(&p.sock, p.poll, &p.config), -ENOTSOCK);
	assert_int_equal(rmdir(p.path), 0);

	p.config.path = "/tmp/no such directory/sock";
	assert_int_equal(rwy_be_socket_open(&p.sock, p.poll, &p.config), -ENOENT);
	memset(long_path, 'a', sizeof(long_path) - 1);
	long_path[0] = '/';
	long_path[sizeof(long_path) - 1] = '\0';
	p.config.path = long_path;
	assert_int_equal(rwy_be_socket_open(&p.sock, p.poll, &p.config), -ENAMETOOLONG);
	p.sock = NULL;
	place_close(&p);
}

static bool has_be(void *ctx)
{
	struct place *p = ctx;

	return p->echo.be;
}

static void client_tries_on(void **state)
{
	(void)state;
	struct place p;
	struct peer peer;

	place_open(&p);
	p.config.client = true;
	assert_int_equal(rwy_be_socket_open(&p.sock, p.poll, &p.config), 0);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned k = 0; k < 20; k++)
			assert_true(rwy_poll_once(p.poll, 1) >= 0);
		assert_null(p.echo.be); /* there is nobody yet */
		int server = unix_socket(p.path, true);
		peer_open(&peer, p.poll, -1);
		assert_true(peer_until(&peer, has_be, &p));
		peer_close(&peer);
		use(&p, &peer, accept4(server, NULL, NULL, SOCK_CLOEXEC));
		rwy_fd_close(&server);
		assert_int_equal(unlink(p.path), 0);
		peer_close(&peer);
	}
	place_close(&p);
}

static void inherited_descriptors(void **state)
{
	(void)state;
	struct place p;
	struct peer peer;
	int fds[2];

	place_open(&p);
	p.config.path = NULL;
	int fd = unix_socket(p.path, true);
	p.config.fd = &fd;
	assert_int_equal(rwy_be_socket_open(&p.sock, p.poll, &p.config), 0);
	assert_int_equal(fd, -1);
	for (unsigned i = 0; i < 2; i++) {
		use(&p, &peer, unix_socket(p.path, false));
		peer_close(&peer);
	}
	rwy_be_socket_close(p.sock);
	assert_int_equal(unlink(p.path), 0); /* who made it removes it */

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	p.config.fd = &fds[0];
	assert_int_equal(rwy_be_socket_open(&p.sock, p.poll, &p.config), 0);
	use(&p, &peer, fds[1]);
	peer_close(&peer);
	assert_null(p.echo.be);
	assert_int_equal(rwy_poll_run(p.poll), 0); /* stopped: nobody can come any more */
	rwy_be_socket_close(p.sock);

	fd = memfd_create("no socket", MFD_CLOEXEC);
	p.config.fd = &fd;
	assert_int_equal(rwy_be_socket_open(&p.sock, p.poll, &p.config), -ENOTSOCK);
	rwy_fd_close(&fd);
	p.sock = NULL;
	place_close(&p);
}

/* The echo device as a program. Memory checks of the child are the sanitizer's. */
static pid_t spawn(struct place *p)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	int status = EXIT_FAILURE;
	if (rwy_be_socket_open(&p->sock, p->poll, &p->config) == 0)
		status = rwy_be_main_run(p->poll);
	rwy_be_socket_close(p->sock);
	_exit(status);
}

static int connect_late(struct place *p)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, p->path);
	for (unsigned i = 0; i < 1000; i++) {
		if (connect(fd, (void *)&addr, sizeof(addr)) == 0)
			return fd;
		usleep(10000);
	}
	fail_msg("nobody serves %s", p->path);
	return -1;
}

static void ends_with(struct place *p, pid_t pid, int sig)
{
	int status;

	assert_int_equal(kill(pid, sig), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_SUCCESS);
	assert_int_not_equal(access(p->path, F_OK), 0);
	place_close(p);
}

static void signals_end_it_cleanly(void **state)
{
	(void)state;
	static const int sigs[] = {SIGTERM, SIGINT};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(sigs); i++) {
		struct place p;
		struct peer peer;

		place_open(&p);
		pid_t pid = spawn(&p);
		struct rwy_poll *poll = p.poll;
		p.poll = NULL;
		use(&p, &peer, connect_late(&p));
		p.poll = poll;
		peer_close(&peer);
		ends_with(&p, pid, sigs[i]);
	}
}

static void shrunken_memory_is_survived(void **state)
{
	(void)state;
	struct place p;
	struct peer peer;

	place_open(&p);
	pid_t pid = spawn(&p);
	struct rwy_poll *poll = p.poll;
	p.poll = NULL;
	use(&p, &peer, connect_late(&p));
	/* keep the rings, lose the buffers: the device reads from pages that are gone */
	assert_int_equal(ftruncate(peer.mem_fd, 4096 + PEER_BUFS), 0);
	assert_true(peer_is_served(&peer, 0, 4096, 4096));
	/* lose the rings too */
	assert_int_equal(ftruncate(peer.mem_fd, 0), 0);
	peer_kick(&peer, 0);
	assert_int_equal(peer_ask_u64(&peer, RWY_VU_GET_QUEUE_NUM), ECHO_RINGS);
	peer_close(&peer);
	/* and the next one is served */
	use(&p, &peer, connect_late(&p));
	peer_close(&peer);
	p.poll = poll;
	ends_with(&p, pid, SIGTERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_one_after_the_other),
		cmocka_unit_test(second_front_end_waits),
		cmocka_unit_test(stale_socket_is_replaced),
		cmocka_unit_test(path_in_use),
		cmocka_unit_test(client_tries_on),
		cmocka_unit_test(inherited_descriptors),
		cmocka_unit_test(signals_end_it_cleanly),
		cmocka_unit_test(shrunken_memory_is_survived),
	};

	return UNIT_RUN(tests);
}
