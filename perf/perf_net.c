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
#define SETTLE_MS 30 /* after a pause */
#define TURN_MS	  200
#define DRAIN_MS  200 /* until all that is under way has arrived */
#define TESTPMDS  3   /* two front-ends and the peer */
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

/* A switch and the two guests behind it, from begin to end. */
struct side {
	char sockets[PORTS][64];
	char metrics[64]; /* ringway-net's counters */
	char front_name[32];
	struct rwy_run_proc back;
	struct rwy_run_proc front;
	bool traffic; /* packets circle */
};

struct net {
	char dir[32];	   /* holds the sockets */
	char program[512]; /* ringway-net */
	struct net_case cases[RWY_PAIR_CASES];
	struct side sides[RWY_PAIR_SIDES];
};

/* What the switch counted: packets from and to the guests. */
struct switch_counters {
	uint64_t rx;
	uint64_t tx;
};

static struct side *side_of(struct rwy_pair_bench *bench, enum rwy_pair_side which)
{
	return &((struct net *)bench->ctx)->sides[which];
}

/* ---- the two switches ---- */

static int start_ours(struct rwy_pair_bench *bench, struct side *side, char *command)
{
	const struct net *net = bench->ctx;
	char ports[PORTS][128], cpus[16];
	const char *const argv[] = {net->program, "--port",    ports[0],      "--port", ports[1],
				    "--forward",  "pair",      "--cpus",      cpus,	"--poll",
				    "always",	  "--metrics", side->metrics, NULL};

	for (unsigned i = 0; i < PORTS; i++)
		snprintf(ports[i], sizeof(ports[i]), "vhost-user,socket=%s", side->sockets[i]);
	snprintf(cpus, sizeof(cpus), "%u", bench->opts.cpu_back);
	rwy_run_command(argv, bench->opts.cpu_back, command, RWY_PAIR_TEXT);
	return rwy_run_start(&bench->run, &side->back, "ringway-net", bench->opts.cpu_back, argv);
}

static int start_peer(struct rwy_pair_bench *bench, struct side *side, char *command)
{
	char vdevs[PORTS][128];
	const struct rwy_testpmd_config config = {
		.name = "testpmd-switch",
		.cpu = bench->opts.cpu_back,
		.vdevs = {vdevs[0], vdevs[1]},
	};

	for (unsigned i = 0; i < PORTS; i++)
		snprintf(vdevs[i], sizeof(vdevs[i]), "net_vhost%u,iface=%s,queues=1", i,
			 side->sockets[i]);

	int err = rwy_testpmd_start(&bench->run, &side->back, &config, command, RWY_PAIR_TEXT);

	return err < 0 ? err : rwy_testpmd_command(&bench->run, &side->back, "start");
}

static int start_switch(struct rwy_pair_bench *bench, enum rwy_pair_side which, char *command)
{
	struct side *side = side_of(bench, which);
	int err = which == RWY_PAIR_OURS ? start_ours(bench, side, command)
					 : start_peer(bench, side, command);

	for (unsigned i = 0; err == 0 && i < PORTS; i++)
		err = rwy_run_expect_path(&bench->run, side->sockets[i], SWITCH_MS);
	return err;
}

static int start_front(struct rwy_pair_bench *bench, struct side *side, const char *path,
		       char *command)
{
	char vdevs[PORTS][256];
	const struct rwy_testpmd_config config = {
		.name = side->front_name,
		.cpu = bench->opts.cpu_load,
		.vdevs = {vdevs[0], vdevs[1]},
	};
	size_t have = strlen(command);

	for (unsigned i = 0; i < PORTS; i++)
		snprintf(vdevs[i], sizeof(vdevs[i]),
			 "net_virtio_user%u,path=%s,queues=1,queue_size=%u,%s", i, side->sockets[i],
			 RWY_TESTPMD_RING, path);
	if (have + 1 < RWY_PAIR_TEXT)
		command[have++] = '\n';
	return rwy_testpmd_start(&bench->run, &side->front, &config, command + have,
				 RWY_PAIR_TEXT - have);
}

/* ---- counters ---- */

static uint64_t sum_rx(const struct rwy_testpmd_counters *c)
{
	return c->ports[0].rx_packets + c->ports[1].rx_packets;
}

static uint64_t sum_tx(const struct rwy_testpmd_counters *c)
{
	return c->ports[0].tx_packets + c->ports[1].tx_packets;
}

/*
 * With traffic stopped: packets have the size asked for, and what one side sent the other got, but
 * for what rests in the guests' rings. NULL, or what is wrong.
 */
static const char *check(const struct rwy_testpmd_counters *front,
			 const struct switch_counters *back, unsigned size)
{
	for (unsigned i = 0; i < PORTS; i++)
		if (front->ports[i].rx_bytes != front->ports[i].rx_packets * size)
			return "packets arrived with another size than they were sent with";
	if (back->rx != sum_tx(front))
		return "the switch did not count as many packets as the front-end sent";
	if (back->tx < sum_rx(front) || back->tx - sum_rx(front) > PORTS * RWY_TESTPMD_RING)
		return "the switch did not count as many packets as the front-end received";
	return NULL;
}

/* Each of ringway-net's ports has an entry with these two. */
static int read_ours(const struct side *side, struct switch_counters *counters)
{
	struct rwy_stats stats;
	const char *name;
	json_t *root, *entry;
	char *text;
	int err = rwy_stats_attach(&stats, side->metrics);

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

static int read_switch(struct rwy_pair_bench *bench, enum rwy_pair_side which,
		       struct switch_counters *counters)
{
	struct side *side = side_of(bench, which);
	struct rwy_testpmd_counters c;
	int err;

	if (which == RWY_PAIR_OURS)
		return read_ours(side, counters);
	err = rwy_testpmd_read(&bench->run, &side->back, &c);
	if (err < 0)
		return err;
	*counters = (struct switch_counters){.rx = sum_rx(&c), .tx = sum_tx(&c)};
	return 0;
}

/* ---- one side: begun, measured by turns, ended ---- */

static void pause_side(const struct side *side)
{
	rwy_run_pause(&side->front);
	rwy_run_pause(&side->back);
}

static void resume_side(const struct side *side)
{
	rwy_run_resume(&side->back);
	rwy_run_resume(&side->front);
}

static const char *missing(const struct net *net, enum rwy_pair_side side)
{
	if (side == RWY_PAIR_OURS && !strchr(net->program, '/'))
		return "ringway-net is neither next to ringway-perf nor in PATH";
	return RWY_TESTPMD_PROGRAM " is not installed (Debian: package dpdk-dev)";
}

static int start_traffic(struct rwy_pair_bench *bench, struct side *side, unsigned size)
{
	char line[32];
	int err;

	snprintf(line, sizeof(line), "set txpkts %u", size);
	err = rwy_testpmd_command(&bench->run, &side->front, line);
	if (err == 0)
		err = rwy_testpmd_command(&bench->run, &side->front, "start tx_first 32");
	side->traffic = err == 0;
	return err == 0 ? rwy_run_sleep(&bench->run, bench->opts.warmup_ms) : err;
}

static int begin(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side which)
{
	const struct net_case *nc = c->arg;
	struct side *side = side_of(bench, which);
	const struct rwy_run_proc *proc = &side->back;
	const char *step = "starting the switch";
	int err = start_switch(bench, which, c->commands[which]);

	if (err < 0)
		goto explain;
	step = "starting the front-end";
	proc = &side->front;
	err = start_front(bench, side, nc->path, c->commands[which]);
	if (err < 0)
		goto explain;
	step = "sending packets";
	err = start_traffic(bench, side, nc->size);
	pause_side(side);
	if (err == 0)
		return 0;
explain:
	if (err == -ENOENT)
		snprintf(c->failed[which], RWY_PAIR_TEXT, "%s", missing(bench->ctx, which));
	else
		rwy_run_explain(&bench->run, proc, err, step, c->failed[which], RWY_PAIR_TEXT);
	return err;
}

/* Mpps of one turn, in both directions together; 0 where one of them is dead. */
static double rate(const struct rwy_testpmd_counters *from, const struct rwy_testpmd_counters *to)
{
	for (unsigned i = 0; i < PORTS; i++)
		if (to->ports[i].rx_packets == from->ports[i].rx_packets)
			return 0;
	return (double)(sum_rx(to) - sum_rx(from)) * 1e3 / (double)(to->at_ns - from->at_ns);
}

static int measure(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side which,
		   double *values)
{
	struct side *side = side_of(bench, which);
	struct rwy_testpmd_counters from, to;
	int err;

	resume_side(side);
	err = rwy_run_sleep(&bench->run, SETTLE_MS);
	if (err == 0)
		err = rwy_testpmd_read(&bench->run, &side->front, &from);
	if (err == 0)
		err = rwy_run_sleep(&bench->run, TURN_MS);
	if (err == 0)
		err = rwy_testpmd_read(&bench->run, &side->front, &to);
	pause_side(side);
	if (err == 0)
		values[0] = rate(&from, &to);
	else
		rwy_run_explain(&bench->run, &side->front, err, "measuring", c->failed[which],
				RWY_PAIR_TEXT);
	return err;
}

/* What both ends have counted, once all is at rest. */
static int account(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side which)
{
	const struct net_case *nc = c->arg;
	struct side *side = side_of(bench, which);
	struct rwy_testpmd_counters front;
	struct switch_counters back = {0};
	const char *wrong;
	int err = rwy_testpmd_command(&bench->run, &side->front, "stop");

	if (err == 0)
		err = rwy_run_sleep(&bench->run, DRAIN_MS);
	if (err == 0)
		err = rwy_testpmd_read(&bench->run, &side->front, &front);
	if (err == 0)
		err = read_switch(bench, which, &back);
	if (err < 0) {
		rwy_run_explain(&bench->run, &side->front, err, "counting", c->failed[which],
				RWY_PAIR_TEXT);
		return err;
	}
	wrong = check(&front, &back, nc->size);
	if (wrong)
		snprintf(c->failed[which], RWY_PAIR_TEXT, "%s", wrong);
	return wrong ? -EPROTO : 0;
}

static int end(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side which)
{
	struct side *side = side_of(bench, which);
	int err = 0;

	if (side->traffic && !c->failed[which][0] && !bench->run.interrupted) {
		resume_side(side);
		err = account(bench, c, which);
	}
	side->traffic = false;
	rwy_run_stop(&bench->run, &side->front);
	rwy_run_stop(&bench->run, &side->back);
	for (unsigned i = 0; i < PORTS; i++)
		unlink(side->sockets[i]);
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
	for (unsigned i = 0; i < RWY_PAIR_SIDES; i++) {
		struct side *side = &net->sides[i];

		snprintf(side->front_name, sizeof(side->front_name), "testpmd-guests%u", i);
		snprintf(side->metrics, sizeof(side->metrics), "%s/metrics%u", net->dir, i);
		for (unsigned k = 0; k < PORTS; k++)
			snprintf(side->sockets[k], sizeof(side->sockets[k]), "%s/port%u.%u",
				 net->dir, i, k);
	}
	rwy_run_find("ringway-net", net->program, sizeof(net->program));
	return 0;
}

static int run(struct rwy_pair_bench *bench, struct net *net)
{
	unsigned pages;
	int status = 1;

	if (prepare(net) < 0)
		return status;
	if (rwy_testpmd_reserve(TESTPMDS, &pages) == 0) {
		status = rwy_pair_run(bench, stdout);
		rwy_testpmd_release(pages);
	}
	for (unsigned i = 0; i < RWY_PAIR_SIDES; i++)
		unlink(net->sides[i].metrics);
	rmdir(net->dir);
	return status;
}

static const struct rwy_pair_about about = {
	.name = "net",
	.title = "guest to guest through one switch, packets of both directions together",
	.sides[RWY_PAIR_OURS] = "ringway-net",
	.sides[RWY_PAIR_PEER] = "dpdk-testpmd net_vhost",
	.metrics = metrics,
	.nr_metrics = RWY_ARRAY_SIZE(metrics),
	.turn_ms = TURN_MS,
	.begin = begin,
	.measure = measure,
	.end = end,
	.choices = choices,
	.nr_choices = RWY_ARRAY_SIZE(choices),
	.choices_help = PATHS_HELP,
	.choose = choose,
};

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

	if (!net || rwy_pair_init(&bench, &about, net) < 0)
		goto free_net;
	if (rwy_opt_parse(&program, argc, argv, stdout, stderr, &status) &&
	    rwy_pair_choose_standard(&bench) == 0)
		status = run(&bench, net);
	rwy_pair_fini(&bench);
free_net:
	free(net);
	return status;
}
