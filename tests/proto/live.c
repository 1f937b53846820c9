/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/proto/live.h"

#include "lib/stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define RSS_PAGES 256 /* growth that a heap may show between two looks: 1 MiB */

/* One disk is a file's: that kind keeps what is in flight. */
static bool on_file(struct live *live, unsigned place, char *option, size_t len)
{
	snprintf(live->file, sizeof(live->file), "%s/disk", live->dir);
	snprintf(option, len, "--disk=socket=%s,file=%s", live->paths[place], live->file);
	int fd = open(live->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bool made = fd >= 0 && ftruncate(fd, 1 << 24) == 0;

	close(fd);
	return made;
}

int live_start(struct live *live, const char *kind, const char *program)
{
	char options[LIVE_PLACES][128], cpus[32];
	const int cpu = sched_getcpu();

	*live = (struct live){.net = strcmp(kind, "net") == 0, .program = program};
	strcpy(live->dir, "/tmp/ringway-proto.XXXXXX");
	if (!mkdtemp(live->dir))
		return -1;
	snprintf(live->metrics, sizeof(live->metrics), "%s/metrics", live->dir);
	for (unsigned i = 0; i < LIVE_PLACES; i++) {
		snprintf(live->paths[i], sizeof(live->paths[i]), "%s/socket%u", live->dir, i);
		snprintf(options[i], sizeof(options[i]),
			 live->net ? "--port=vhost-user,socket=%s" : "--disk=socket=%s,mem=16M",
			 live->paths[i]);
	}
	const bool threads = strcmp(kind, "blk2") == 0;
	if (!live->net && !on_file(live, threads, options[threads], sizeof(options[0])))
		return -1;
	snprintf(cpus, sizeof(cpus), "--cpus=%d,%d", cpu, cpu);
	live->pid = fork();
	if (live->pid == 0) {
		execl(program, program, "--log-level", "error", "--metrics", live->metrics,
		      options[0], options[1], threads ? cpus : NULL, (char *)NULL);
		_exit(127);
	}
	return live->pid > 0 ? 0 : -1;
}

int live_stop(struct live *live)
{
	int status = -1;

	kill(live->pid, SIGTERM);
	waitpid(live->pid, &status, 0);
	for (unsigned i = 0; i < LIVE_PLACES; i++)
		unlink(live->paths[i]);
	unlink(live->metrics);
	if (live->file[0])
		unlink(live->file);
	rmdir(live->dir);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

int live_dial(const struct live *live, unsigned place)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", live->paths[place]);
	for (unsigned i = 0; i < 2000; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_true(fd >= 0);
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
			return fd;
		close(fd);
		usleep(5000);
	}
	fail_msg("nobody listens at %s", live->paths[place]);
	return -1;
}

unsigned live_ring(const struct live *live)
{
	return live->net; /* transmit follows receive */
}

void live_join(const struct live *live, unsigned place, struct peer *p)
{
	peer_open(p, NULL, live_dial(live, place));
	peer_negotiate(p, 0);
	assert_int_equal(peer_set_mem(p), 0);
	for (unsigned q = 0; q <= live_ring(live); q++) {
		peer_ring_open(p, q, 16);
		assert_int_equal(peer_ring_start(p, q, peer_ring_fresh_base(p)), 0);
		peer_kick(p, q);
	}
}

bool live_serves(const struct live *live, struct peer *p)
{
	/* a frame to nobody, or the first sector: a header of zeroes either way */
	return live->net ? peer_is_served(p, 1, 72, 0) : peer_is_served(p, 0, 16, 513);
}

void live_expect_service(const struct live *live, unsigned place)
{
	struct peer p;

	live_join(live, place, &p);
	assert_true(live_serves(live, &p));
	peer_close(&p);
}

uint64_t live_counter(const struct live *live, const char *entry, const char *counter)
{
	struct rwy_stats stats;
	char *text;

	assert_int_equal(rwy_stats_attach(&stats, live->metrics), 0);
	assert_int_equal(rwy_stats_json(&stats, &text), 0);
	json_t *root = json_loads(text, 0, NULL);
	json_t *value = json_object_get(json_object_get(root, entry), counter);
	uint64_t n = (uint64_t)json_integer_value(value);

	if (!json_is_integer(value))
		fail_msg("no %s of %s in %s", counter, entry, text);
	json_decref(root);
	free(text);
	rwy_stats_close(&stats);
	return n;
}

static struct footprint look(const struct live *live)
{
	struct footprint f = {0};
	char path[64], line[512];
	long size;

	snprintf(path, sizeof(path), "/proc/%d/fd", live->pid);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		f.fds++;
	closedir(dir);
	snprintf(path, sizeof(path), "/proc/%d/maps", live->pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		f.maps++;
	fclose(file);
	snprintf(path, sizeof(path), "/proc/%d/statm", live->pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%ld %ld", &size, &f.rss), 2);
	fclose(file);
	return f;
}

struct footprint live_footprint(const struct live *live)
{
	struct footprint last = look(live);

	for (unsigned same = 0, i = 0; same < 3 && i < 200; i++) {
		struct footprint now;

		usleep(20000);
		now = look(live);
		same = now.fds == last.fds && now.maps == last.maps ? same + 1 : 0;
		last = now;
	}
	return last;
}

void live_expect_footprint(const struct live *live, const struct footprint *before)
{
	const struct footprint after = live_footprint(live);

	print_message("# descriptors %u to %u, mappings %u to %u, resident pages %ld to %ld\n",
		      before->fds, after.fds, before->maps, after.maps, before->rss, after.rss);
	assert_int_equal(before->fds, after.fds);
	assert_in_range(after.maps, 0, before->maps + 1); /* a heap may be split once */
	assert_in_range(after.rss, 0, before->rss + RSS_PAGES);
}
