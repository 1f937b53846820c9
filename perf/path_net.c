/* SPDX-License-Identifier: BSD-3-Clause */
/* Network cards: what is behind them ends in a tap, or in a card, in the far end's namespace. */
#include "perf/path.h"
#include "perf/testpmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SOCKET_MS 10000

static int open_far(struct rwy_path_up *up)
{
	up->step = "making a network namespace";
	up->says = NULL;
	return rwy_far_open(up->env->run, &up->far, up->env->cpu_far);
}

static bool has_tun(const struct rwy_path *path, const struct rwy_path_env *env, char *why,
		    size_t why_len)
{
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return rwy_path_refuse(why, why_len, "/dev/net/tun: %s", strerror(errno));
	return true;
}

/* Both ends see the same packets, so that the far one's interface can count for the back-end. */
int rwy_path_count_far(struct rwy_path_up *up, struct rwy_path_counts *counts)
{
	struct rwy_far_counts far;
	int err = rwy_far_count(&up->far, &far);

	if (err == 0) {
		counts->has_ops = true;
		counts->out = far.from_guest;
		counts->in = far.to_guest;
	}
	return err;
}

/* ---- ringway-net ---- */

static int start_ringway(struct rwy_path_up *up)
{
	char program[512];
	int err = open_far(up);

	if (err < 0)
		return err;
	up->config.attach = RWY_GUEST_NET_VU;
	up->config.target = up->socket;
	rwy_run_find("ringway-net", program, sizeof(program));
	rwy_args_add(&up->args, "%s", program);
	rwy_args_split(&up->args, "--port tap,name=" RWY_FAR_IF " --port");
	rwy_args_add(&up->args, "vhost-user,socket=%s,queues=%u", up->socket, up->env->nr_queues);
	rwy_args_split(&up->args, "--forward pair --cpus");
	rwy_args_add(&up->args, "%u", up->env->cpu_back);
	rwy_args_add(&up->args, "--poll");
	rwy_args_add(&up->args, "%s", up->path->poll);
	rwy_args_add(&up->args, "--metrics");
	rwy_args_add(&up->args, "%s", up->metrics);
	err = rwy_far_enter(&up->far);
	if (err < 0)
		return err;
	err = rwy_path_start_back(up);
	rwy_far_leave(&up->far);
	return err;
}

/* The guest's port is the second. */
static int count_ringway(struct rwy_path_up *up, struct rwy_path_counts *counts)
{
	return rwy_path_read_metrics(up, "port1", "rx_packets", "tx_packets", counts);
}

const struct rwy_path_ops rwy_path_net_ringway = {
	.backend = "ringway-net " RWY_VERSION,
	.program = "ringway-net",
	.available = has_tun,
	.start = start_ringway,
	.count = count_ringway,
};

/* ---- DPDK ---- */

static int start_dpdk(struct rwy_path_up *up)
{
	struct rwy_run *run = up->env->run;
	char vhost[192];
	const struct rwy_testpmd_config config = {
		.name = "dpdk-testpmd",
		.cpu = up->env->cpu_back,
		.nr_queues = up->env->nr_queues,
		.vdevs = {vhost, "net_tap0,iface=" RWY_FAR_IF},
	};
	char command[RWY_ARGS_TEXT];
	int err = open_far(up);

	if (err < 0)
		return err;
	up->config.attach = RWY_GUEST_NET_VU;
	up->config.target = up->socket;
	up->step = "starting the back-end";
	up->says = &up->back;
	snprintf(vhost, sizeof(vhost), "net_vhost0,iface=%s,queues=%u", up->socket,
		 up->env->nr_queues);
	err = rwy_testpmd_reserve(1, &up->pages);
	if (err == 0)
		err = rwy_far_enter(&up->far);
	if (err < 0)
		return err;
	err = rwy_testpmd_start(run, &up->back, &config, command, sizeof(command));
	rwy_far_leave(&up->far);
	/* without "taskset -c CPU", which is said of every command */
	rwy_args_split(&up->args, command + strcspn(command, "d"));
	if (err == 0)
		err = rwy_testpmd_command(run, &up->back, "set record-core-cycles on");
	if (err == 0)
		err = rwy_testpmd_command(run, &up->back, "start");
	return err < 0 ? err : rwy_run_expect_path(run, up->socket, SOCKET_MS);
}

/*
 * The guest's port is the first. Its own count, for what comes from the far end faster than the
 * guest takes it is lost in between.
 */
static int count_dpdk(struct rwy_path_up *up, struct rwy_path_counts *counts)
{
	struct rwy_testpmd_counters testpmd;
	int err = rwy_testpmd_read(up->env->run, &up->back, &testpmd);

	if (err == 0) {
		counts->has_ops = true;
		counts->out = testpmd.ports[0].rx_packets;
		counts->in = testpmd.ports[0].tx_packets;
		counts->has_busy = true;
		err = rwy_testpmd_busy(up->env->run, &up->back, &counts->busy_cycles);
	}
	return err;
}

static void stop_dpdk(struct rwy_path_up *up)
{
	rwy_testpmd_release(up->pages);
}

const struct rwy_path_ops rwy_path_net_dpdk = {
	.backend = RWY_TESTPMD_PROGRAM " net_vhost",
	.no_kicks = "testpmd does not count them",
	.program = RWY_TESTPMD_PROGRAM,
	.available = has_tun,
	.start = start_dpdk,
	.count = count_dpdk,
	.stop = stop_dpdk,
};

/* ---- QEMU's own ---- */

static int start_tap(struct rwy_path_up *up)
{
	int err = open_far(up);

	if (err < 0)
		return err;
	up->config.attach = RWY_GUEST_NET_TAP;
	up->config.target = RWY_FAR_IF;
	up->step = "adding a tap";
	up->says = &up->far.call;
	return rwy_far_add_tap(up->env->run, &up->far, up->env->cpu_far, up->env->nr_queues > 1);
}

const struct rwy_path_ops rwy_path_net_tap = {
	.backend = "the VMM, tap",
	.no_cycles = "the back-end is part of the VMM",
	.no_kicks = "the VMM does not count them; they are exits for io or mmio",
	.available = has_tun,
	.start = start_tap,
	.count = rwy_path_count_far,
};

static bool has_vhost(const struct rwy_path *path, const struct rwy_path_env *env, char *why,
		      size_t why_len)
{
	if (access("/dev/vhost-net", R_OK | W_OK) < 0)
		return rwy_path_refuse(why, why_len, "/dev/vhost-net: %s", strerror(errno));
	return has_tun(path, env, why, why_len);
}

static int start_vhost(struct rwy_path_up *up)
{
	up->config.vhost = true;
	return start_tap(up);
}

const struct rwy_path_ops rwy_path_net_vhost = {
	.backend = "the kernel's vhost, tap",
	.no_cycles = "the back-end is a thread of the kernel",
	.no_kicks = "the kernel's vhost does not count them",
	.available = has_vhost,
	.start = start_vhost,
	.count = rwy_path_count_far,
};
