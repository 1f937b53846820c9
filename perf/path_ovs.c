/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open vSwitch with DPDK, started for us alone: database, sockets and logs in a directory of ours,
 * its data path in user space, its interfaces in the far end's network namespace. One of the
 * system's is neither asked nor seen.
 */
#include "perf/path.h"
#include "perf/testpmd.h"

#include "lib/numa.h"
#include "lib/sysfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SWITCHD	 "ovs-vswitchd-dpdk"
#define PRIVATE	 "/usr/lib/openvswitch-switch-dpdk/" SWITCHD /* where Debian keeps it */
#define SCHEMA	 "/usr/share/openvswitch/vswitch.ovsschema"
#define PACKAGE	 "openvswitch-switch-dpdk"
#define PORT	 "socket" /* of the guest: its socket is called so */
#define CALL_MS	 30000
#define BUSY	 "processing cycles: "
#define MASK_LEN (RWY_NUMA_CPUS / 4 + 8)
#define DIR_LEN	 64

static bool available(const struct rwy_path *path, const struct rwy_path_env *env, char *why,
		      size_t why_len)
{
	static const char *const tools[] = {"ovsdb-tool", "ovsdb-server", "ovs-vsctl",
					    "ovs-appctl"};
	char program[512];

	if (access(PRIVATE, X_OK) < 0)
		return rwy_path_refuse(why, why_len,
				       SWITCHD " is not installed (Debian: package " PACKAGE ")");
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(tools); i++)
		if (!rwy_run_look_up(tools[i], program, sizeof(program)))
			return rwy_path_refuse(why, why_len,
					       "%s is not installed (Debian: package " PACKAGE ")",
					       tools[i]);
	if (access(SCHEMA, R_OK) < 0)
		return rwy_path_refuse(why, why_len, SCHEMA ": %s", strerror(errno));
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return rwy_path_refuse(why, why_len, "/dev/net/tun: %s", strerror(errno));
	return true;
}

static void directory(const struct rwy_path_up *up, char dir[DIR_LEN])
{
	snprintf(dir, DIR_LEN, "%.48s/ovs", up->env->dir);
}

/* A script, whose lines become part of the commands that are told. */
static int call(struct rwy_path_up *up, const char *script)
{
	const char *const argv[] = {"sh", "-ec", script, NULL};
	size_t have = strlen(up->before);

	snprintf(up->before + have, sizeof(up->before) - have, "%s%s", have ? "\n" : "", script);
	return rwy_run_call(up->env->run, &up->far.call, up->env->cpu_far, argv, CALL_MS);
}

/* Of one CPU, of which there may be more than a number has bits. */
static void mask_of(unsigned cpu, char mask[MASK_LEN])
{
	int len = snprintf(mask, MASK_LEN, "0x%x", 1u << cpu % 4);

	for (unsigned i = 0; i < cpu / 4 && len < MASK_LEN - 1; i++)
		mask[len++] = '0';
	mask[len] = '\0';
}

/* Its database, with what must be there before it starts: DPDK, its CPUs, its memory. */
static int start_database(struct rwy_path_up *up, const char *dir)
{
	const struct rwy_path_env *env = up->env;
	char lcores[MASK_LEN], cores[MASK_LEN];
	char script[1024], remote[DIR_LEN + 32], control[DIR_LEN + 32], db[DIR_LEN + 32];
	const char *const argv[] = {"ovsdb-server", db, remote, control, NULL};
	int err;

	snprintf(db, sizeof(db), "%s/conf.db", dir);
	snprintf(remote, sizeof(remote), "--remote=punix:%s/db", dir);
	snprintf(control, sizeof(control), "--unixctl=%s/db.ctl", dir);
	snprintf(script, sizeof(script), "ovsdb-tool create %s " SCHEMA, db);
	err = call(up, script);
	if (err == 0)
		err = rwy_run_start(env->run, &up->aide, "ovsdb-server", env->cpu_far, argv);
	if (err < 0)
		return err;
	snprintf(db, sizeof(db), "%s/db", dir);
	mask_of(env->cpu_far, lcores);
	mask_of(env->cpu_back, cores);
	err = rwy_run_expect_path(env->run, db, CALL_MS);
	snprintf(script, sizeof(script),
		 "ovs-vsctl --db=unix:%s/db --no-wait set Open_vSwitch . "
		 "other_config:dpdk-init=true other_config:dpdk-socket-mem=256 "
		 "other_config:dpdk-lcore-mask=%s other_config:pmd-cpu-mask=%s "
		 "other_config:dpdk-extra='--no-pci --in-memory --file-prefix=ringway-ovs "
		 "--iova-mode=va'",
		 dir, lcores, cores);
	return err < 0 ? err : call(up, script);
}

/* DPDK's tap has as many queues one way as the other, and the switch wants one more than cores. */
static int add_ports(struct rwy_path_up *up, const char *dir)
{
	char script[1024];

	snprintf(script, sizeof(script),
		 "ovs-vsctl --timeout=100 --db=unix:%s/db add-br br0 -- "
		 "set bridge br0 datapath_type=netdev -- "
		 "add-port br0 " PORT " -- set Interface " PORT " type=dpdkvhostuser -- "
		 "add-port br0 far -- set Interface far type=dpdk "
		 "options:dpdk-devargs=net_tap0,iface=" RWY_FAR_IF " options:n_rxq=2",
		 dir);
	return call(up, script);
}

static int start_switch(struct rwy_path_up *up, const char *dir)
{
	int err;

	rwy_args_add(&up->args, "env");
	rwy_args_add(&up->args, "OVS_RUNDIR=%s", dir);
	rwy_args_add(&up->args, PRIVATE);
	rwy_args_add(&up->args, "unix:%s/db", dir);
	rwy_args_add(&up->args, "--unixctl=%s/ctl", dir);
	err = rwy_far_enter(&up->far);
	if (err < 0)
		return err;
	err = rwy_run_start(up->env->run, &up->back, SWITCHD, up->env->cpu_far, up->args.words);
	rwy_far_leave(&up->far);
	return err < 0 ? err : add_ports(up, dir);
}

static int start(struct rwy_path_up *up)
{
	char dir[DIR_LEN];
	int err = rwy_far_open(up->env->run, &up->far, up->env->cpu_far);

	up->step = "starting Open vSwitch";
	up->says = &up->far.call;
	directory(up, dir);
	snprintf(up->socket, sizeof(up->socket), "%s/" PORT, dir);
	up->config.attach = RWY_GUEST_NET_VU;
	up->config.target = up->socket;
	if (err == 0 && mkdir(dir, 0700) < 0 && errno != EEXIST)
		err = -errno;
	if (err == 0)
		err = rwy_testpmd_reserve(1, &up->pages);
	if (err == 0)
		err = start_database(up, dir);
	if (err == 0)
		err = start_switch(up, dir);
	return err < 0 ? err : rwy_run_expect_path(up->env->run, up->socket, CALL_MS);
}

/* The far end's interface counts packets; of its time it says itself what was not idle. */
static int count(struct rwy_path_up *up, struct rwy_path_counts *counts)
{
	char dir[DIR_LEN], control[DIR_LEN + 8];
	const char *const argv[] = {"ovs-appctl", "-t", control, "dpif-netdev/pmd-stats-show",
				    NULL};
	int err = rwy_path_count_far(up, counts);

	directory(up, dir);
	snprintf(control, sizeof(control), "%s/ctl", dir);
	if (err == 0)
		err = rwy_run_call(up->env->run, &up->far.call, up->env->cpu_far, argv, CALL_MS);
	if (err < 0)
		return err;
	for (const char *at = rwy_run_output(&up->far.call, 0); (at = strstr(at, BUSY));) {
		at += strlen(BUSY);
		counts->has_busy = true;
		counts->busy_cycles += strtoull(at, NULL, 10);
	}
	return 0;
}

static int forget(void *dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", (const char *)dir, name);
	unlink(path);
	return 0;
}

static void stop(struct rwy_path_up *up)
{
	char dir[DIR_LEN];

	rwy_run_stop(up->env->run, &up->aide);
	rwy_testpmd_release(up->pages);
	directory(up, dir);
	(void)rwy_sysfs_list("", forget, dir, "%s", dir);
	rmdir(dir);
}

const struct rwy_path_ops rwy_path_net_ovs = {
	.backend = "Open vSwitch, DPDK",
	.no_kicks = "Open vSwitch does not count them",
	.available = available,
	.start = start,
	.count = count,
	.stop = stop,
};
