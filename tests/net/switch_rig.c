/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/net/switch_rig.h"

#include "lib/stats.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS 32

static void spawn(struct switch_rig *rig, const char *more, const char *const *extra)
{
	char ports[RIG_PORTS][128];
	const char *argv[ARGS] = {getenv("RINGWAY_NET"), "--metrics", rig->metrics, "--log-level",
				  "error"};
	unsigned n = 5;

	assert_non_null(argv[0]);
	for (unsigned i = 0; i < rig->nr_ports; i++) {
		snprintf(ports[i], sizeof(ports[i]), "vhost-user,socket=%s%s", rig->paths[i], more);
		argv[n++] = "--port";
		argv[n++] = ports[i];
	}
	for (; extra && *extra; extra++)
		argv[n++] = *extra;
	rig->pid = fork();
	assert_true(rig->pid >= 0);
	if (rig->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
}

void rig_start(struct switch_rig *rig, unsigned nr_ports, const char *more,
	       const char *const *extra)
{
	memset(rig, 0, sizeof(*rig));
	strcpy(rig->dir, "/tmp/ringway-test.XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	rig->nr_ports = nr_ports;
	rig->connects = strstr(more, "mode=client");
	for (unsigned i = 0; i < nr_ports; i++)
		snprintf(rig->paths[i], sizeof(rig->paths[i]), "%s/%u", rig->dir, i);
	snprintf(rig->metrics, sizeof(rig->metrics), "%s/metrics", rig->dir);
	assert_int_equal(rwy_poll_open(&rig->poll, RWY_POLL_NEVER), 0);
	spawn(rig, more, extra);
}

void rig_plug(struct switch_rig *rig, unsigned port, const struct peer_config *config)
{
	struct peer_config own = *config;

	own.socket_path = rig->paths[port];
	own.listen = rig->connects;
	assert_int_equal(peer_open(&rig->peers[port], rig->poll, &own), 0);
	assert_int_equal(peer_wait_started(&rig->peers[port], RIG_MS), 0);
}

void rig_unplug(struct switch_rig *rig, unsigned port)
{
	if (rig->peers[port].front)
		peer_close(&rig->peers[port]);
	rig->peers[port].front = NULL;
}

static void remove_dir(const char *path)
{
	char inner[300];
	struct dirent *entry;
	DIR *dir = opendir(path);

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(inner);
	}
	closedir(dir);
	assert_int_equal(rmdir(path), 0);
}

void rig_stop(struct switch_rig *rig)
{
	struct stat st;
	int status;

	for (unsigned i = 0; i < rig->nr_ports; i++)
		rig_unplug(rig, i);
	assert_int_equal(kill(rig->pid, SIGTERM), 0);
	assert_int_equal(waitpid(rig->pid, &status, 0), rig->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (unsigned i = 0; i < rig->nr_ports && !rig->connects; i++)
		assert_int_equal(stat(rig->paths[i], &st), -1);
	remove_dir(rig->dir);
	rwy_poll_close(rig->poll);
}

void rig_kill_and_restart(struct switch_rig *rig, const char *more, const char *const *extra)
{
	assert_int_equal(kill(rig->pid, SIGKILL), 0);
	assert_int_equal(waitpid(rig->pid, NULL, 0), rig->pid);
	spawn(rig, more, extra);
}

int rig_fds(const struct switch_rig *rig)
{
	char path[64];
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", rig->pid);
	DIR *dir = opendir(path);

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

uint64_t rig_counter(const struct switch_rig *rig, const char *entry, const char *counter)
{
	struct rwy_stats stats;
	char *text;

	assert_int_equal(rwy_stats_attach(&stats, rig->metrics), 0);
	assert_int_equal(rwy_stats_json(&stats, &text), 0);
	json_t *root = json_loads(text, 0, NULL);
	json_t *value = json_object_get(json_object_get(root, entry), counter);

	assert_true(json_is_integer(value));
	uint64_t n = (uint64_t)json_integer_value(value);

	json_decref(root);
	free(text);
	rwy_stats_close(&stats);
	return n;
}

void rig_fill(struct switch_rig *rig, uint32_t len, uint8_t src, uint8_t dst, uint32_t seed)
{
	const uint8_t head[14] = {2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x88, 0xb5};

	for (uint32_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		rig->frame[i] = (uint8_t)(seed >> 24);
	}
	memcpy(rig->frame, head, sizeof(head));
	if (dst == 255)
		memset(rig->frame, 255, 6);
}

void rig_pass(struct switch_rig *rig, unsigned from, unsigned to, unsigned pair, uint32_t len,
	      enum peer_framing framing, uint32_t seed)
{
	struct virtio_net_hdr_mrg_rxbuf hdr = {0};
	const struct virtio_net_hdr plain = {0};

	rig_fill(rig, len, (uint8_t)(from + 1), (uint8_t)(to + 1), seed);
	assert_int_equal(peer_send(&rig->peers[from], pair, &hdr, rig->frame, len, framing), 0);
	assert_int_equal(peer_wait(&rig->peers[to], pair, &hdr, rig->got, sizeof(rig->got), RIG_MS),
			 len);
	assert_memory_equal(rig->got, rig->frame, len);
	assert_memory_equal(&hdr.hdr, &plain, sizeof(plain));
}

void rig_expect_silence(struct switch_rig *rig, unsigned port)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;

	assert_int_equal(peer_wait(&rig->peers[port], 0, &hdr, rig->got, sizeof(rig->got), 30),
			 -ETIMEDOUT);
}
