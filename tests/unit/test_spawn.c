/* SPDX-License-Identifier: BSD-3-Clause */
/* Back-ends started, killed and ended; a shell script stands in for them. */
#include "tests/unit/unit.h"
#include "lib/log.h"
#include "vmm/spawn.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS 10000

struct fixture {
	char dir[64];
	char log[96];
	char text[4096];
	char *path; /* the environment's */
	struct rwy_poll *poll;
	struct rwy_spawn *spawn;
	const char *socket;
};

static void quiet(enum rwy_log_level level, const char *line)
{
}

static void put_program(struct fixture *f, const char *name, const char *script)
{
	char file[96];

	snprintf(file, sizeof(file), "%s/%s", f->dir, name);
	FILE *out = fopen(file, "w");
	fprintf(out, "#!/bin/sh\necho \"$$ $*\" >>%s\n%s\n", f->log, script);
	fclose(out);
	assert_int_equal(chmod(file, 0755), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[512];

	strcpy(f->dir, "/tmp/test_spawn.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->log, sizeof(f->log), "%s/log", f->dir);
	f->path = strdup(getenv("PATH"));
	snprintf(path, sizeof(path), "/nowhere:%s:%s", f->dir, f->path);
	setenv("PATH", path, 1);
	setenv("TMPDIR", f->dir, 1);
	rwy_log_set_sink(quiet);
	assert_int_equal(rwy_poll_open(&f->poll, RWY_POLL_NEVER), 0);
	assert_int_equal(rwy_spawn_open(&f->spawn, f->poll), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char cmd[256];

	rwy_spawn_close(f->spawn);
	rwy_poll_close(f->poll);
	/* Its directory is gone. */
	snprintf(cmd, sizeof(cmd), "! find %s -mindepth 1 -type d | grep . && rm -r %s", f->dir,
		 f->dir);
	int left = system(cmd);
	setenv("PATH", f->path, 1);
	unsetenv("TMPDIR");
	free(f->path);
	free(f);
	return left;
}

/* The script's nth line (from 0), once it is there: its process, and its arguments in f->text. */
static pid_t line(struct fixture *f, unsigned n)
{
	uint64_t deadline = rwy_poll_now_ns() + WAIT_MS * UINT64_C(1000000);

	while (rwy_poll_now_ns() < deadline) {
		FILE *in = fopen(f->log, "r");
		unsigned at = 0;

		while (in && fgets(f->text, sizeof(f->text), in)) {
			if (at++ < n || !strchr(f->text, '\n'))
				continue;
			fclose(in);
			return (pid_t)atoi(f->text);
		}
		if (in)
			fclose(in);
		rwy_poll_once(f->poll, 10);
	}
	fail_msg("the script did not start %u times", n + 1);
	return 0;
}

static void starts_a_disk(void **state)
{
	struct fixture *f = *state;
	const struct rwy_cfg_device disk = {.kind = RWY_CFG_DISK,
					    .target = "/etc/passwd",
					    .queues = 3};
	struct stat st;
	int fd;

	put_program(f, "ringway-blk", "exec sleep 100");
	assert_int_equal(rwy_spawn_start(f->spawn, &disk, "disk0", &f->socket), 0);
	assert_int_equal(rwy_spawn_nr_running(f->spawn), 1);
	line(f, 0);
	assert_non_null(strstr(f->text, " --disk fd="));
	assert_non_null(strstr(f->text, ",file=/etc/passwd,queues=3\n"));
	/* The socket listens whether or not the child is that far. */
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	strcpy(addr.sun_path, f->socket);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	*strrchr(addr.sun_path, '/') = '\0';
	assert_int_equal(stat(addr.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void starts_a_port(void **state)
{
	struct fixture *f = *state;
	const struct rwy_cfg_device net = {.kind = RWY_CFG_NET, .target = "tap7", .queues = 2};

	put_program(f, "ringway-net", "exec sleep 100");
	assert_int_equal(rwy_spawn_start(f->spawn, &net, "net0", &f->socket), 0);
	line(f, 0);
	assert_non_null(strstr(f->text, " --port vhost-user,fd="));
	assert_non_null(strstr(f->text, ",queues=2 --port tap,name=tap7\n"));
}

/* The inherited socket is a socket in the child, too. */
static void hands_the_socket_down(void **state)
{
	struct fixture *f = *state;
	const struct rwy_cfg_device disk = {.kind = RWY_CFG_DISK,
					    .target = "/etc/passwd",
					    .queues = 1};

	put_program(
		f, "ringway-blk",
		"fd=${2#fd=} fd=${fd%%,*}\n"
		"echo \"0 $(readlink /proc/$$/fd/$fd) $(ls /proc/$$/fd | wc -l)\" >>${0%/*}/log\n"
		"exec sleep 100");
	assert_int_equal(rwy_spawn_start(f->spawn, &disk, "disk0", &f->socket), 0);
	line(f, 1);
	assert_memory_equal(f->text, "0 socket:[", 10);
}

static void starts_again(void **state)
{
	struct fixture *f = *state;
	const struct rwy_cfg_device disk = {.kind = RWY_CFG_DISK,
					    .target = "/etc/passwd",
					    .queues = 1};
	pid_t first, second;

	put_program(f, "ringway-blk", "exec sleep 100");
	assert_int_equal(rwy_spawn_start(f->spawn, &disk, "disk0", &f->socket), 0);
	first = line(f, 0);
	kill(first, SIGKILL);
	second = line(f, 1);
	assert_int_not_equal(first, second);
	assert_int_equal(rwy_spawn_restarts(f->spawn), 1);
	assert_int_equal(kill(first, 0), -1); /* no zombie */
}

static void backs_off(void **state)
{
	struct fixture *f = *state;
	const struct rwy_cfg_device disk = {.kind = RWY_CFG_DISK,
					    .target = "/etc/passwd",
					    .queues = 1};
	uint64_t from = rwy_poll_now_ns();

	put_program(f, "ringway-blk", "exit 1");
	assert_int_equal(rwy_spawn_start(f->spawn, &disk, "disk0", &f->socket), 0);
	line(f, 3);
	/* 100, 200 and 400 ms */
	assert_true(rwy_poll_now_ns() - from >= UINT64_C(700000000));
}

static void ends_the_stubborn(void **state)
{
	struct fixture *f = *state;
	const struct rwy_cfg_device disk = {.kind = RWY_CFG_DISK,
					    .target = "/etc/passwd",
					    .queues = 1};
	pid_t pid;

	put_program(f, "ringway-blk",
		    "trap '' TERM\necho 0 deaf >>${0%/*}/log\nwhile :; do sleep 1; done");
	assert_int_equal(rwy_spawn_start(f->spawn, &disk, "disk0", &f->socket), 0);
	pid = line(f, 0);
	line(f, 1);
	rwy_spawn_close(f->spawn);
	f->spawn = NULL;
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void no_program(void **state)
{
	struct fixture *f = *state;
	const struct rwy_cfg_device disk = {.kind = RWY_CFG_DISK,
					    .target = "/etc/passwd",
					    .queues = 1};
	char path[PATH_MAX];

	setenv("PATH", "/nowhere::", 1);
	assert_int_equal(rwy_spawn_start(f->spawn, &disk, "disk0", &f->socket), -ENOENT);
	assert_int_equal(rwy_spawn_find("ringway-none", path, sizeof(path)), -ENOENT);
	unsetenv("PATH");
	assert_int_equal(rwy_spawn_find("ringway-none", path, sizeof(path)), -ENOENT);
	setenv("PATH", f->path, 1);
	assert_int_equal(rwy_spawn_find("sh", path, sizeof(path)), 0);
	assert_int_equal(access(path, X_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(starts_a_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(starts_a_port, setup, teardown),
		cmocka_unit_test_setup_teardown(hands_the_socket_down, setup, teardown),
		cmocka_unit_test_setup_teardown(starts_again, setup, teardown),
		cmocka_unit_test_setup_teardown(backs_off, setup, teardown),
		cmocka_unit_test_setup_teardown(ends_the_stubborn, setup, teardown),
		cmocka_unit_test_setup_teardown(no_program, setup, teardown),
	};

	return UNIT_RUN(tests);
}
