/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ringway-perf net: packets between two guests through ringway-net, and through DPDK's net_vhost.
 *
 * One dpdk-testpmd with two virtio-user ports stands for both guests. Its io engine sends what
 * comes in at one port out of the other, so a number of packets given to it at the start circles
 * for ever, as fast as the switch in between lets it.
 */
#include "lib/stats.h"
#include "perf/pair.h"
#include "perf/perf.h"
#include "perf/testpmd.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SWITCH_MS 5000
#define SETTLE_MS 200
#define PATHS_HELP \
	"some of split, split-in-order, packed, packed-in-order, packed-vectorized; or all"
#define PORTS RWY_TESTPMD_PORTS

static const struct rwy_pair_choice choices[] = {
	{"split", true},
	{"split-in-order", false},
	{"packed", true},
	{"packed-in-order", false},
	{"packed-vectorized", false},
};

/* Arguments of net_virtio_user, for the choice with the same place. */
static const char *const paths[] = {
	"packed_vq=0,in_order=0,mrg_rxbuf=1",
	"packed_vq=0,in_order=1,mrg_rxbuf=1",
	"packed_vq=1,in_order=0,mrg_rxbuf=1",
	"packed_vq=1,in_order=1,mrg_rxbuf=1",
	"packed_vq=1,in_order=1,mrg_rxbuf=0,vectorized=1",
};

static const unsigned sizes[] = {64, 1518};

struct net_case {
	const char *path; /* of paths */
	unsigned size;
};

struct net {
	char dir[32]; /* holds the sockets */
	char sockets[PORTS][64];
	char metrics[64];  /* ringway-net's counters */
	char program[512]; /* ringway-net */
	struct net_case cases[RWY_PAIR_CASES];
	struct rwy_run_proc back;
	struct rwy_run_proc front;
};

/* What the switch counted: packets from and to the guests. */
struct switch_counters {
	uint64_t rx;
	uint64_t tx;
};

/* ---- the two switches ---- */

static int start_ours(struct rwy_pair_bench *bench, struct net *net, char *command)
{
	char ports[PORTS][128], cpus[16];
	const char *const argv[] = {net->program, "--port",    ports[0],     "--port", ports[1],
				    "--forward",  "pair",      "--cpus",     cpus,     "--poll",
				    "always",	  "--metrics", net->metrics, NULL};

	for (unsigned i = 0; i < PORTS; i++)
		snprintf(ports[i], sizeof(ports[i]), "vhost-user,socket=%s", net->sockets[i]);
	snprintf(cpus, sizeof(cpus), "%u", bench->opts.cpu_back);
	rwy_run_command(argv, bench->opts.cpu_back, command, RWY_PAIR_TEXT);
	return rwy_run_start(&bench->run, &net->back, "ringway-net", bench->opts.cpu_back, argv);
}

static int start_peer(struct rwy_pair_bench *bench, struct net *net, char *command)
{
	char vdevs[PORTS][128];
	const struct rwy_testpmd_config config = {
		.name = "testpmd-switch",
		.cpu = bench->opts.cpu_back,
		.vdevs = {vdevs[0], vdevs[1]},
	};

	for (unsigned i = 0; i < PORTS; i++)
		snprintf(vdevs[i], sizeof(vdevs[i]), "net_vhost%u,iface=%s,queues=1", i,
			 net->sockets[i]);

	int err = rwy_testpmd_start(&bench->run, &net->back, &config, command, RWY_PAIR_TEXT);

	return err < 0 ? err : rwy_testpmd_command(&bench->run, &net->back, "start");
}

static int start_switch(struct rwy_pair_bench *bench, struct net *net, enum rwy_pair_side side,
			char *command)
{
	int err = side == RWY_PAIR_OURS ? start_ours(bench, net, command)
					: start_peer(bench, net, command);

	for (unsigned i = 0; err == 0 && i < PORTS; i++)
		err = rwy_run_expect_path(&bench->run, net->sockets[i], SWITCH_MS);
	return err;
}

static int start_front(struct rwy_pair_bench *bench, struct net *net, const char *path,
		       char *command)
{
	char vdevs[PORTS][256];
	const struct rwy_testpmd_config config = {
		.name = "testpmd-guests",
		.cpu = bench->opts.cpu_load,
		.vdevs = {vdevs[0], vdevs[1]},
	};
	size_t have = strlen(command);

	for (unsigned i = 0; i < PORTS; i++)
		snprintf(vdevs[i], sizeof(vdevs[i]),
			 "net_virtio_user%u,path=%s,queues=1,queue_size=%u,%s", i, net->sockets[i],
			 RWY_TESTPMD_RING, path);
	if (have + 1 < RWY_PAIR_TEXT)
		command[have++] = '\n';
	return rwy_testpmd_start(&bench->run, &net->front, &config, command + have,
				 RWY_PAIR_TEXT - have);
}

/* ---- one measurement ---- */

static uint64_t sum_rx(const struct rwy_testpmd_counters *c)
{
	return c->ports[0].rx_packets + c->ports[1].rx_packets;
}

static uint64_t sum_tx(const struct rwy_testpmd_counters *c)
{
	return c->ports[0].tx_packets + c->ports[1].tx_packets;
}

/*
 * Both directions were alive to the end; and then, with traffic stopped, packets have the size
 * asked for, and what one side sent the other got, but for what rests in the guests' rings.
 * NULL, or what is wrong.
 */
static const char *check(const struct rwy_testpmd_counters *from,
			 const struct rwy_testpmd_counters *to,
			 const struct rwy_testpmd_counters *front,
			 const struct switch_counters *back, unsigned size)
{
	for (unsigned i = 0; i < PORTS; i++) {
		if (to->ports[i].rx_packets == from->ports[i].rx_packets)
			return "a port received no packets: the path is dead";
		if (front->ports[i].rx_bytes != front->ports[i].rx_packets * size)
			return "packets arrived with another size than they were sent with";
	}
	if (back->rx != sum_tx(front))
		return "the switch did not count as many packets as the front-end sent";
	if (back->tx < sum_rx(front) || back->tx - sum_rx(front) > PORTS * RWY_TESTPMD_RING)
		return "the switch did not count as many packets as the front-end received";
	return NULL;
}

/* Each of ringway-net's ports has an entry with these two. */
static int read_ours(const struct net *net, struct switch_counters *counters)
{
	struct rwy_stats stats;
	const char *name;
	json_t *root, *entry;
	char *text;
	int err = rwy_stats_attach(&stats, net->metrics);

	if (err < 0)
		return err;
	err = rwy_stats_json(&stats, &text);
	rwy_stats_close(&stats);
	if (err < 0)
		return err;
	root = json_loads(text, 0, NULL);
	free(text);
	*counters = (struct switch_counters){0};
	json_object_foreach(root, name, entry)
	{
		counters->rx += (uint64_t)json_integer_value(json_object_get(entry, "rx_packets"));
		counters->tx += (uint64_t)json_integer_value(json_object_get(entry, "tx_packets"));
	}
	err = root ? 0 : -EPROTO;
	json_decref(root);
	return err;
}

static int read_switch(struct rwy_pair_bench *bench, struct net *net, enum rwy_pair_side side,
		       struct switch_counters *counters)
{
	struct rwy_testpmd_counters c;
	int err;

	if (side == RWY_PAIR_OURS)
		return read_ours(net, counters);
	err = rwy_testpmd_read(&bench->run, &net->back, &c);
	if (err < 0)
		return err;
	*counters = (struct switch_counters){.rx = sum_rx(&c), .tx = sum_tx(&c)};
	return 0;
}

/* Reads the front-end's counters slice by slice; the median of the slices' rates in Mpps. */
static int measure_rate(struct rwy_pair_bench *bench, struct net *net,
			struct rwy_testpmd_counters *from, struct rwy_testpmd_counters *to,
			double *mpps)
{
	unsigned nr = RWY_MIN(bench->opts.measure_ms / RWY_PAIR_SLICE_MS, RWY_PAIR_SLICES);
	double rates[RWY_PAIR_SLICES];
	struct rwy_testpmd_counters last;
	struct rwy_summary summary;
	int err = rwy_testpmd_read(&bench->run, &net->front, from);

	last = *from;
	for (unsigned i = 0; err == 0 && i < nr; i++) {
		err = rwy_run_sleep(&bench->run, bench->opts.measure_ms / nr);
		if (err == 0)
			err = rwy_testpmd_read(&bench->run, &net->front, to);
		if (err < 0)
			break;
		rates[i] = (double)(sum_rx(to) - sum_rx(&last)) * 1e3 /
			   (double)(to->at_ns - last.at_ns);
		last = *to;
	}
	if (err < 0)
		return err;
	rwy_summary_of(rates, nr, &summary);
	*mpps = summary.median;
	return 0;
}

static int run_traffic(struct rwy_pair_bench *bench, struct net *net, unsigned size,
		       struct rwy_testpmd_counters *from, struct rwy_testpmd_counters *to,
		       double *mpps)
{
	struct rwy_run *run = &bench->run;
	char line[32];
	int err;

	snprintf(line, sizeof(line), "set txpkts %u", size);
	err = rwy_testpmd_command(run, &net->front, line);
	if (err == 0)
		err = rwy_testpmd_command(run, &net->front, "start tx_first 32");
	if (err == 0)
		err = rwy_run_sleep(run, bench->opts.warmup_ms);
	if (err == 0)
		err = measure_rate(bench, net, from, to, mpps);
	if (err == 0)
		err = rwy_testpmd_command(run, &net->front, "stop");
	return err == 0 ? rwy_run_sleep(run, SETTLE_MS) : err;
}

static const char *missing(const struct net *net, enum rwy_pair_side side)
{
	if (side == RWY_PAIR_OURS && !strchr(net->program, '/'))
		return "ringway-net is neither next to ringway-perf nor in PATH";
	return RWY_TESTPMD_PROGRAM " is not installed (Debian: package dpdk-dev)";
}

static int measure(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side side,
		   double *values)
{
	const struct net_case *nc = c->arg;
	struct net *net = bench->ctx;
	struct rwy_testpmd_counters from, to, last;
	struct switch_counters back;
	const char *step = "starting the switch", *wrong = NULL;
	const struct rwy_run_proc *proc = &net->back;
	int err = start_switch(bench, net, side, c->commands[side]);

	if (err < 0)
		goto explain;
	step = "starting the front-end";
	proc = &net->front;
	err = start_front(bench, net, nc->path, c->commands[side]);
	if (err < 0)
		goto explain;
	step = "sending packets";
	err = run_traffic(bench, net, nc->size, &from, &to, &values[0]);
	if (err == 0)
		err = rwy_testpmd_read(&bench->run, &net->front, &last);
	if (err < 0)
		goto explain;
	step = "reading the switch's counters";
	proc = &net->back;
	err = read_switch(bench, net, side, &back);
	if (err < 0)
		goto explain;
	wrong = check(&from, &to, &last, &back, nc->size);
	if (wrong) {
		snprintf(c->failed[side], RWY_PAIR_TEXT, "%s", wrong);
		err = -EPROTO;
	}
	goto stop;
explain:
	if (err == -ENOENT)
		snprintf(c->failed[side], RWY_PAIR_TEXT, "%s", missing(net, side));
	else
		rwy_run_explain(&bench->run, proc, err, step, c->failed[side], RWY_PAIR_TEXT);
stop:
	rwy_run_stop(&bench->run, &net->front);
	rwy_run_stop(&bench->run, &net->back);
	for (unsigned i = 0; i < PORTS; i++)
		unlink(net->sockets[i]);
	return err;
}

/* ---- the command ---- */

static const struct rwy_pair_metric metrics[] = {{"rate", "Mpps", false}};

static int choose(struct rwy_pair_bench *bench, unsigned choice)
{
	struct net *net = bench->ctx;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(sizes); i++) {
		struct net_case *nc = &net->cases[bench->nr_cases];

		if (!rwy_pair_add(bench, nc, "%s %u B", choices[choice].name, sizes[i]))
			return -ENOSPC;
		*nc = (struct net_case){.path = paths[choice], .size = sizes[i]};
	}
	return 0;
}

static int prepare(struct net *net)
{
	strcpy(net->dir, "/tmp/ringway-perf.XXXXXX");
	if (!mkdtemp(net->dir)) {
		fprintf(stderr, "ringway-perf: %s: %s\n", net->dir, strerror(errno));
		return -errno;
	}
	for (unsigned i = 0; i < PORTS; i++)
		snprintf(net->sockets[i], sizeof(net->sockets[i]), "%s/port%u", net->dir, i);
	snprintf(net->metrics, sizeof(net->metrics), "%s/metrics", net->dir);
	rwy_run_find("ringway-net", net->program, sizeof(net->program));
	return 0;
}

static int run(struct rwy_pair_bench *bench, struct net *net)
{
	unsigned pages;
	int status = 1;

	if (prepare(net) < 0)
		return status;
	if (rwy_testpmd_reserve(2, &pages) == 0) {
		status = rwy_pair_run(bench, stdout);
		rwy_testpmd_release(pages);
	}
	unlink(net->metrics);
	rmdir(net->dir);
	return status;
}

int rwy_perf_net_main(int argc, char **argv)
{
	static const struct rwy_opt opts[] = {
		RWY_PAIR_OPTS,
		{"paths", "LIST", "front-end modes (default split,packed): " PATHS_HELP,
		 rwy_pair_set_choices},
	};
	struct rwy_pair_bench bench;
	const struct rwy_opt_program program = {
		.name = "ringway-perf net",
		.usage = "[option...]",
		.summary =
			"Packets between two guests: ringway-net and dpdk-testpmd with net_vhost "
			"ports, in turn,\nbehind the same front-end (dpdk-testpmd with two "
			"virtio-user ports).",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = &bench,
	};
	struct net *net = calloc(1, sizeof(*net));
	int status = 1;

	if (!net || rwy_pair_init(&bench) < 0)
		goto free_net;
	bench.name = "net";
	bench.title = "guest to guest through one switch, packets of both directions together";
	bench.sides[RWY_PAIR_OURS] = "ringway-net";
	bench.sides[RWY_PAIR_PEER] = "dpdk-testpmd net_vhost";
	bench.metrics = metrics;
	bench.nr_metrics = RWY_ARRAY_SIZE(metrics);
	bench.measure = measure;
	bench.choices = choices;
	bench.nr_choices = RWY_ARRAY_SIZE(choices);
	bench.choices_help = PATHS_HELP;
	bench.choose = choose;
	bench.ctx = net;
	if (rwy_opt_parse(&program, argc, argv, stdout, stderr, &status) &&
	    rwy_pair_choose_standard(&bench) == 0)
		status = run(&bench, net);
	rwy_pair_fini(&bench);
free_net:
	free(net);
	return status;
}
