/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/far.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ADDRESS	  "10.99.0.1"
#define GUEST	  "10.99.0.2"
#define CALL_MS	  20000
#define SERVE_MS  10000
#define FRAMES_MS 30000 /* beyond the time that it sends */
#define OWN_NS	  "/proc/thread-self/ns/net"

const char *const rwy_far_server[] = {"iperf3", "-s", "-4", "--forceflush", NULL};

/* A script, in the namespace. */
static int call(struct rwy_run *run, struct rwy_far *far, unsigned cpu, const char *script)
{
	const char *const argv[] = {"sh", "-ec", script, NULL};
	int err = rwy_far_enter(far);

	if (err < 0)
		return err;
	err = rwy_run_call(run, &far->call, cpu, argv, CALL_MS);
	rwy_far_leave(far);
	return err;
}

int rwy_far_open(struct rwy_run *run, struct rwy_far *far, unsigned cpu)
{
	int err;

	far->fd = -1;
	snprintf(far->ifname, sizeof(far->ifname), RWY_FAR_IF);
	snprintf(far->mac, sizeof(far->mac), RWY_FAR_MAC);
	far->home_fd = open(OWN_NS, O_RDONLY | O_CLOEXEC);
	if (far->home_fd < 0)
		return -errno;
	if (unshare(CLONE_NEWNET) < 0) {
		err = -errno;
		rwy_fd_close(&far->home_fd);
		return err;
	}
	far->fd = open(OWN_NS, O_RDONLY | O_CLOEXEC);
	err = far->fd < 0 ? -errno : 0;
	rwy_far_leave(far);
	if (err == 0)
		err = call(run, far, cpu,
			   "ip link set lo up\n"
			   "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 || true");
	if (err < 0)
		rwy_far_close(run, far);
	return err;
}

int rwy_far_enter(const struct rwy_far *far)
{
	return setns(far->fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

void rwy_far_leave(const struct rwy_far *far)
{
	/* to where we come from, which is open: nothing can go wrong that an answer would help */
	if (setns(far->home_fd, CLONE_NEWNET) < 0)
		perror("ringway-perf: cannot go back to the network namespace");
}

int rwy_far_add_tap(struct rwy_run *run, struct rwy_far *far, unsigned cpu, bool many)
{
	return call(run, far, cpu,
		    many ? "ip tuntap add " RWY_FAR_IF " mode tap vnet_hdr multi_queue"
			 : "ip tuntap add " RWY_FAR_IF " mode tap vnet_hdr");
}

int rwy_far_take(struct rwy_run *run, struct rwy_far *far, unsigned cpu, const char *ifname)
{
	char script[256];
	const char *const argv[] = {"sh", "-ec", script, NULL};

	/* it may still be on its way back from the last time */
	snprintf(script, sizeof(script),
		 "until cat /sys/class/net/%s/address 2>/dev/null; do sleep 0.05; done\n"
		 "ip link set %s netns /proc/%d/fd/%d",
		 ifname, ifname, getpid(), far->fd);
	snprintf(far->ifname, sizeof(far->ifname), "%s", ifname);
	int err = rwy_run_call(run, &far->call, cpu, argv, CALL_MS);

	snprintf(far->mac, sizeof(far->mac), "%.17s", rwy_run_output(&far->call, 0));
	return err;
}

int rwy_far_serve(struct rwy_run *run, struct rwy_far *far, unsigned cpu, const char *guest_mac)
{
	char script[1024], neighbour[256] = "";
	int err;

	if (guest_mac)
		snprintf(neighbour, sizeof(neighbour),
			 "ip link set %s address " RWY_FAR_MAC "\n"
			 "ip neigh replace " GUEST " lladdr %s dev %s nud permanent\n",
			 far->ifname, guest_mac, far->ifname);
	snprintf(script, sizeof(script),
		 "until ip link show %s >/dev/null 2>&1; do sleep 0.05; done\n"
		 "ip addr add " ADDRESS "/24 dev %s\n%s"
		 "ip link set %s up\n",
		 far->ifname, far->ifname, neighbour, far->ifname);
	err = call(run, far, cpu, script);
	if (err < 0)
		return err;
	err = rwy_far_enter(far);
	if (err < 0)
		return err;
	err = rwy_run_start(run, &far->server, "iperf3", cpu, rwy_far_server);
	rwy_far_leave(far);
	return err == 0 ? rwy_run_expect(run, &far->server, 0, "listening", SERVE_MS) : err;
}

int rwy_far_frames(struct rwy_run *run, struct rwy_far *far, unsigned cpu, const char *to,
		   unsigned rate, unsigned seconds, struct rwy_answer *answer)
{
	char program[512];
	int err = rwy_far_enter(far);

	if (err < 0)
		return err;
	rwy_run_find("ringway-perf", program, sizeof(program));
	rwy_args_init(&far->frames);
	rwy_args_add(&far->frames, "%s", program);
	rwy_args_split(&far->frames, "frames --interface");
	rwy_args_add(&far->frames, "%s", far->ifname);
	rwy_args_add(&far->frames, "--to");
	rwy_args_add(&far->frames, "%s", to);
	rwy_args_add(&far->frames, "--rate");
	rwy_args_add(&far->frames, "%u", rate);
	rwy_args_add(&far->frames, "--seconds");
	rwy_args_add(&far->frames, "%u", seconds);
	err = rwy_run_call(run, &far->call, cpu, far->frames.words, seconds * 2000 + FRAMES_MS);
	rwy_far_leave(far);
	if (err == 0)
		err = rwy_answer_parse(answer, rwy_run_output(&far->call, 0), 0);
	return err == -EAGAIN ? -EPROTO : err;
}

/* "  rwy0: bytes packets errs drop fifo frame compressed multicast bytes packets ..." */
int rwy_far_count(const struct rwy_far *far, struct rwy_far_counts *counts)
{
	char line[512];
	int err = rwy_far_enter(far);
	FILE *file;

	if (err < 0)
		return err;
	file = fopen("/proc/thread-self/net/dev", "re");
	rwy_far_leave(far);
	if (!file)
		return -errno;
	err = -ENODEV;
	while (err < 0 && fgets(line, sizeof(line), file)) {
		unsigned long rx, tx;
		char name[32];

		if (sscanf(line, " %31[^:]: %*u %lu %*u %*u %*u %*u %*u %*u %*u %lu", name, &rx,
			   &tx) != 3 ||
		    strcmp(name, far->ifname))
			continue;
		*counts = (struct rwy_far_counts){.from_guest = rx, .to_guest = tx};
		err = 0;
	}
	fclose(file);
	return err;
}

void rwy_far_close(struct rwy_run *run, struct rwy_far *far)
{
	rwy_run_stop(run, &far->server);
	rwy_fd_close(&far->fd);
	rwy_fd_close(&far->home_fd);
}
