/* SPDX-License-Identifier: BSD-3-Clause */
/* ringway-net: the command line, one reactor, one switch and its ports. */
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/numa.h"
#include "lib/opt.h"
#include "vhost-backends/be_main.h"
#include "vhost-backends/net/net.h"
#include "vhost-backends/net/port_guest.h"
#include "vhost-backends/net/port_tap.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "net"

/* What one --port asked for. */
struct port_args {
	bool is_tap;
	const char *tap_name;
	struct rwy_port_guest_config guest;
};

struct args {
	unsigned nr_ports;
	struct port_args ports[RWY_FWD_PORTS];
	enum rwy_fwd_mode forward;
	enum rwy_poll_mode poll;
	int cpu; /* -1: wherever */
	const char *metrics;
	bool print_capabilities;
};

static int parse_guest(struct port_args *port, char *list, struct rwy_opt_why *why)
{
	const char *path = NULL, *mode = "server", *mac = NULL;
	uint64_t queues = 1, fd = UINT64_MAX, vlan = 0;
	const struct rwy_opt_key keys[] = {
		{"socket", RWY_OPT_STR, {.str = &path}, 0, 0},
		{"fd", RWY_OPT_UINT, {.num = &fd}, 0, INT_MAX},
		{"mode", RWY_OPT_STR, {.str = &mode}, 0, 0},
		{"queues", RWY_OPT_UINT, {.num = &queues}, 1, RWY_NET_PAIRS_MAX},
		{"mac", RWY_OPT_STR, {.str = &mac}, 0, 0},
		{"vlan", RWY_OPT_UINT, {.num = &vlan}, 1, 4094},
	};
	int rc = rwy_opt_list(list, keys, RWY_ARRAY_SIZE(keys), why);

	if (rc < 0)
		return rc;
	if (vlan)
		return rwy_opt_fail(why, "vlan is not implemented yet");
	if (!path == (fd == UINT64_MAX))
		return rwy_opt_fail(why, "one of socket=PATH and fd=N is needed");
	if (strcmp(mode, "server") != 0 && strcmp(mode, "client") != 0)
		return rwy_opt_fail(why, "mode=%s: must be server or client", mode);
	port->guest.path = path;
	port->guest.fd = path ? -1 : (int)fd;
	port->guest.client = mode[0] == 'c';
	port->guest.nr_pairs = (unsigned)queues;
	if (port->guest.client && !path)
		return rwy_opt_fail(why, "mode=client needs socket=PATH");
	if (!mac)
		return 0;
	port->guest.has_mac = true;
	return rwy_opt_mac(mac, port->guest.mac, why);
}

static int parse_tap(struct port_args *port, char *list, struct rwy_opt_why *why)
{
	const struct rwy_opt_key keys[] = {{"name", RWY_OPT_STR, {.str = &port->tap_name}, 0, 0}};
	int rc = rwy_opt_list(list, keys, RWY_ARRAY_SIZE(keys), why);

	if (rc < 0)
		return rc;
	port->is_tap = true;
	if (!port->tap_name)
		return rwy_opt_fail(why, "tap needs name=INTERFACE");
	if (strlen(port->tap_name) >= RWY_PORT_TAP_NAME)
		return rwy_opt_fail(why, "name=%s: longer than %d characters", port->tap_name,
				    RWY_PORT_TAP_NAME - 1);
	return 0;
}

static int set_port(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct args *args = ctx;
	struct port_args *port = &args->ports[args->nr_ports];

	if (args->nr_ports == RWY_FWD_PORTS)
		return rwy_opt_fail(why, "more than %d ports", RWY_FWD_PORTS);
	args->nr_ports++;
	const char *kind = rwy_opt_word(&value);

	if (strcmp(kind, "vhost-user") == 0)
		return parse_guest(port, value, why);
	if (strcmp(kind, "tap") == 0)
		return parse_tap(port, value, why);
	if (strcmp(kind, "dpdk") == 0)
		return rwy_opt_fail(why, "dpdk ports are not implemented yet");
	return rwy_opt_fail(why, "%s: must be vhost-user, tap or dpdk", kind);
}

static int set_forward(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct args *args = ctx;

	if (rwy_fwd_parse_mode(value, &args->forward) < 0)
		return rwy_opt_fail(why, "%s: must be learn or pair", value);
	return 0;
}

static int set_cpus(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct args *args = ctx;
	uint16_t cpus[RWY_NUMA_CPUS];
	int n = rwy_numa_parse_cpus(value, cpus, RWY_ARRAY_SIZE(cpus));

	if (n <= 0)
		return rwy_opt_fail(why, "%s: not a list of CPUs such as 2 or 0,2-5", value);
	if (n > 1)
		return rwy_opt_fail(why, "%s: one switch runs on one CPU so far; name one", value);
	args->cpu = cpus[0];
	return 0;
}

static int set_poll(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct args *args = ctx;

	if (rwy_poll_parse_mode(value, &args->poll) < 0)
		return rwy_opt_fail(why, "%s: must be always, adaptive or never", value);
	return 0;
}

static int set_metrics(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct args *)ctx)->metrics = value;
	return 0;
}

static int set_print_capabilities(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct args *)ctx)->print_capabilities = true;
	return 0;
}

static const struct rwy_opt opts[] = {
	{"port", "KIND,KEY=VALUE,...",
	 "A port of the switch; may be given up to 64 times. Ports are numbered from 0.\n"
	 "vhost-user,socket=PATH|fd=N[,mode=server|client][,queues=N][,mac=M]\n"
	 "  a guest's virtio-net device. server (default) listens on PATH and takes any\n"
	 "  number of connections one after the other; client connects to PATH and retries\n"
	 "  for ever. fd is a listening or connected socket that was inherited. queues is\n"
	 "  the number of queue pairs, 1 to 32 (default 1). mac is offered to the driver,\n"
	 "  and no other port can take it over.\n"
	 "tap,name=IF\n"
	 "  an interface of this host, attached to or created.",
	 set_port},
	{"forward", "learn|pair",
	 "learn (default): a switch that learns addresses, forgets them after 300 s and\n"
	 "floods what it does not know. pair: port 0 and 1 are wired to each other, 2 and 3,\n"
	 "and so on, whatever the addresses.",
	 set_forward},
	{"cpus", "LIST", "Runs on this CPU.", set_cpus},
	{"poll", "always|adaptive|never",
	 "always: never sleeps, one CPU is busy all the time, lowest latency.\n"
	 "adaptive (default): polls while there is traffic, sleeps after 50 us without.\n"
	 "never: sleeps whenever there is nothing to do.",
	 set_poll},
	{"metrics", "PATH", "Puts the counters into this file, to be read while running.",
	 set_metrics},
	{"print-capabilities", NULL,
	 "Prints what this back-end can do as JSON (vhost-user back-end conventions).",
	 set_print_capabilities},
};

static int open_ports(const struct args *args, struct rwy_fwd *fwd, struct rwy_stats *stats)
{
	for (unsigned i = 0; i < args->nr_ports; i++) {
		const struct port_args *port = &args->ports[i];
		struct rwy_port_guest_config guest = port->guest;
		int rc;

		guest.stats = stats;
		if (port->is_tap)
			rc = rwy_port_tap_open(fwd, port->tap_name, stats);
		else
			rc = rwy_port_guest_open(fwd, &guest);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int serve(const struct args *args)
{
	struct rwy_stats stats;
	struct rwy_poll *poll;
	struct rwy_fwd *fwd;
	int status = EXIT_FAILURE;

	if (args->cpu >= 0 && rwy_numa_pin((unsigned)args->cpu) < 0) {
		rwy_error("--cpus %d: this CPU does not exist or is not ours to use", args->cpu);
		return EXIT_FAILURE;
	}
	if (rwy_stats_open(&stats, args->metrics) < 0)
		return EXIT_FAILURE;
	int rc = rwy_poll_open(&poll, args->poll);

	if (rc < 0) {
		rwy_error("reactor: %s", strerror(-rc));
		goto close_stats;
	}
	rc = rwy_poll_publish(poll, &stats, "reactor0");
	if (rc == 0)
		rc = rwy_fwd_open(&fwd, poll, args->forward);
	if (rc < 0) {
		rwy_error("switch: %s", strerror(-rc));
		goto close_poll;
	}
	if (open_ports(args, fwd, &stats) == 0)
		status = rwy_be_main_run(poll);
	rwy_fwd_close(fwd);
close_poll:
	rwy_poll_close(poll);
close_stats:
	rwy_stats_close(&stats);
	return status;
}

int main(int argc, char **argv)
{
	struct args args = {.cpu = -1, .poll = RWY_POLL_ADAPTIVE};
	const struct rwy_opt_program program = {
		.name = "ringway-net",
		.usage = "--port KIND,KEY=VALUE,... [--port ...] [option...]",
		.summary = "A polled virtio-net back-end and Ethernet switch: guests reach it over "
			   "vhost-user,\nthe host by tap interfaces.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = &args,
	};
	int status;

	if (!rwy_opt_parse(&program, argc, argv, stdout, stderr, &status))
		return status;
	if (args.print_capabilities) {
		rwy_be_main_print_capabilities("net", NULL, 0);
		return EXIT_SUCCESS;
	}
	if (args.nr_ports == 0)
		return rwy_opt_refuse(&program, stderr, "--port is missing: a switch needs ports");
	return serve(&args);
}
