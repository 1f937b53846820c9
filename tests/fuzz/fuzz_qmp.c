/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket. The input is a client's: its first byte says whether it negotiates first, and
 * into pieces of which size the rest is cut. Whatever comes in, each line that comes back is JSON,
 * and the next client is served.
 */
#include "lib/fd.h"
#include "lib/log.h"
#include "vmm/qmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct server {
	struct rwy_poll *poll;
	struct rwy_qmp *qmp;
	char path[64];
	struct rwy_qmp *waiting;
};

static void run_echo(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	rwy_qmp_return(qmp, json_deep_copy(args));
}

static void run_later(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	((struct server *)ctx)->waiting = qmp;
}

static void silent(enum rwy_log_level level, const char *line)
{
}

static void check(bool good)
{
	if (!good)
		abort();
}

static struct server *server(void);

static void leave(void)
{
	unlink(server()->path);
}

static struct server *server(void)
{
	static const struct rwy_qmp_command commands[] = {
		{"echo", NULL, run_echo},
		{"later", "a bc ", run_later},
	};
	static struct server s;
	struct rwy_qmp_config config = {.commands = commands, .nr_commands = 2, .ctx = &s};

	if (s.poll)
		return &s;
	rwy_log_set_sink(silent);
	snprintf(s.path, sizeof(s.path), "/tmp/ringway-fuzz-qmp.%d", getpid());
	check(rwy_poll_open(&s.poll, RWY_POLL_NEVER) == 0);
	config.poll = s.poll;
	config.path = s.path;
	check(rwy_qmp_open(&s.qmp, &config) == 0);
	check(atexit(leave) == 0);
	return &s;
}

static int dial(const struct server *s)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memcpy(addr.sun_path, s->path, sizeof(s->path));
	check(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	return fd;
}

/* Takes the answers, which end at line ends. */
static void hear(struct server *s, int fd)
{
	static char said[1 << 20];
	size_t len = 0;
	ssize_t n;

	for (unsigned i = 0; i < 8; i++) {
		rwy_poll_once(s->poll, 0);
		if (s->waiting) {
			struct rwy_qmp *qmp = s->waiting;

			s->waiting = NULL;
			rwy_qmp_event(qmp, "DONE", NULL);
			rwy_qmp_return(qmp, NULL);
		}
		while ((n = recv(fd, said + len, sizeof(said) - len, 0)) > 0)
			len += (size_t)n;
	}
	for (char *line = said, *end; line < said + len; line = end + 1) {
		end = memchr(line, '\n', (size_t)(said + len - line));
		check(end);
		json_t *message = json_loadb(line, (size_t)(end - line), 0, NULL);
		check(json_is_object(message));
		json_decref(message);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char hello[] = "{\"execute\":\"qmp_capabilities\"}";
	struct server *s = server();
	unsigned piece;
	int fd;

	if (size == 0)
		return 0;
	fd = dial(s);
	piece = (data[0] & 0x7f) + 1u;
	if (data[0] & 0x80)
		check(send(fd, hello, strlen(hello), MSG_NOSIGNAL) == (ssize_t)strlen(hello));
	for (size_t at = 1; at < size; at += piece) {
		(void)!send(fd, data + at, size - at < piece ? size - at : piece, MSG_NOSIGNAL);
		hear(s, fd);
	}
	hear(s, fd);
	rwy_fd_close(&fd);
	rwy_poll_once(s->poll, 0);
	return 0;
}
