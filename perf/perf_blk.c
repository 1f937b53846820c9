/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ringway-perf blk: requests of a guest to a disk served by ringway-blk, and by QEMU's
 * qemu-storage-daemon. The guest is blk_load.c; the disk is memory, or a file through the page
 * cache on both sides.
 */
#include "perf/blk_load.h"
#include "perf/disk_file.h"
#include "perf/pair.h"
#include "perf/perf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEER_PROGRAM "qemu-storage-daemon"
#define START_MS     5000
#define DISK_MB	     256
#define DISK_BYTES   268435456
#define STR(x)	     #x
#define XSTR(x)	     STR(x)
#define SETTLE_MS    50
#define STORES_HELP  "some of memory, file, null; or all"

struct store {
	const char *ours; /* of --disk; a %s is the file */
	const char *peer; /* of --blockdev; a %s is the file */
	const char *dir;  /* of the file */
};

/* The peer has no store of its own in memory: a file on a file system in memory comes nearest. */
#define PEER_FILE "driver=file,node-name=disk,aio=io_uring,cache.direct=off,filename=%s"

static const struct rwy_pair_choice choices[] = {
	{"memory", true},
	{"file", true},
	{"null", false},
};

/* of the choice with the same place */
static const struct store stores[] = {
	{"mem=" XSTR(DISK_MB) "M", PEER_FILE, "/dev/shm"},
	{"file=%s", PEER_FILE, "/var/tmp"},
	/* a reference that moves no data at all */
	{"mem=" XSTR(DISK_MB) "M", "driver=null-co,node-name=disk,size=" XSTR(DISK_BYTES), NULL},
};

struct blk_case {
	const struct store *store;
	bool write;
};

struct blk {
	char dir[32]; /* holds the socket */
	char socket[64];
	char program[512]; /* ringway-blk */
	struct blk_case cases[RWY_PAIR_CASES];
	struct rwy_run_proc back;
};

/* ---- the two back-ends ---- */

static int start_ours(struct rwy_pair_bench *bench, struct blk *blk, const struct store *store,
		      const char *file, char *command)
{
	char disk[512], cpus[16];
	const char *const argv[] = {blk->program, "--disk", disk,     "--cpus",
				    cpus,	  "--poll", "always", NULL};
	int len = snprintf(disk, sizeof(disk), "socket=%s,", blk->socket);

	snprintf(disk + len, sizeof(disk) - (size_t)len, store->ours, file);
	snprintf(cpus, sizeof(cpus), "%u", bench->opts.cpu_back);
	rwy_run_command(argv, bench->opts.cpu_back, command, RWY_PAIR_TEXT);
	return rwy_run_start(&bench->run, &blk->back, "ringway-blk", bench->opts.cpu_back, argv);
}

static int start_peer(struct rwy_pair_bench *bench, struct blk *blk, const struct store *store,
		      const char *file, char *command)
{
	char disk[512], export[512];
	const char *const argv[] = {PEER_PROGRAM, "--object", "iothread,id=io", "--blockdev",
				    disk,	  "--export", export,		NULL};

	snprintf(disk, sizeof(disk), store->peer, file);
	snprintf(export, sizeof(export),
		 "type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path=%s,"
		 "writable=on,num-queues=1,iothread=io",
		 blk->socket);
	rwy_run_command(argv, bench->opts.cpu_back, command, RWY_PAIR_TEXT);
	return rwy_run_start(&bench->run, &blk->back, PEER_PROGRAM, bench->opts.cpu_back, argv);
}

/* ---- one measurement ---- */

static int load(struct rwy_pair_bench *bench, struct blk *blk, const struct blk_case *bc,
		enum rwy_pair_side side, double *values, const char **why)
{
	const struct rwy_blk_load_config config = {
		.socket = blk->socket,
		.write = bc->write,
		.fill = side == RWY_PAIR_OURS && !strchr(bc->store->ours, '%'),
		.cpu = bench->opts.cpu_load,
		.warmup_ms = bench->opts.warmup_ms,
		.measure_ms = bench->opts.measure_ms,
		.slice_ms =
			RWY_MAX(RWY_PAIR_SLICE_MS, bench->opts.measure_ms / RWY_PAIR_SLICES + 1),
		.stop_fd = bench->run.sig_fd,
	};
	struct rwy_blk_load_result result;
	int err = rwy_blk_load_run(&config, &result, why);

	if (err == 0) {
		values[0] = result.iops / 1e3;
		values[1] = result.p50_us;
		values[2] = result.p99_us;
	}
	return err;
}

static const char *missing(enum rwy_pair_side side)
{
	return side == RWY_PAIR_OURS ? "ringway-blk is neither next to ringway-perf nor in PATH"
				     : PEER_PROGRAM
		       " is not installed (Debian: package qemu-utils)";
}

static int measure(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side side,
		   double *values)
{
	const struct blk_case *bc = c->arg;
	struct blk *blk = bench->ctx;
	const char *why = "creating the disk's file";
	char file[128] = "";
	bool needs_file = strchr(side == RWY_PAIR_OURS ? bc->store->ours : bc->store->peer, '%');
	int err = 0;

	if (needs_file) {
		snprintf(file, sizeof(file), "%s%s.raw", bc->store->dir, strrchr(blk->dir, '/'));
		err = rwy_disk_file_make(file, DISK_MB);
		if (err < 0)
			file[0] = '\0';
	}
	if (err == 0) {
		why = "starting the back-end";
		err = side == RWY_PAIR_OURS
			      ? start_ours(bench, blk, bc->store, file, c->commands[side])
			      : start_peer(bench, blk, bc->store, file, c->commands[side]);
		if (err == -ENOENT)
			snprintf(c->failed[side], RWY_PAIR_TEXT, "%s", missing(side));
	}
	if (err == 0)
		err = rwy_run_expect_path(&bench->run, blk->socket, START_MS);
	if (err == 0)
		err = load(bench, blk, bc, side, values, &why);
	if (err == 0 || err == -EINTR || err == -ECONNRESET) {
		/* sees the signal, and the end of a back-end that went away */
		int late = rwy_run_sleep(&bench->run, SETTLE_MS);

		err = late < 0 ? late : err;
	}
	if (err < 0 && err != -ENOENT)
		rwy_run_explain(&bench->run, &blk->back, err, why, c->failed[side], RWY_PAIR_TEXT);
	rwy_run_stop(&bench->run, &blk->back);
	unlink(blk->socket);
	if (file[0])
		unlink(file);
	return err;
}

/* ---- the command ---- */

static const struct rwy_pair_metric metrics[] = {{"rate", "kIOPS", false},
						 {"p50", "us", true},
						 {"p99", "us", true}};

static int choose(struct rwy_pair_bench *bench, unsigned i)
{
	struct blk *blk = bench->ctx;

	for (unsigned write = 0; write < 2; write++) {
		struct blk_case *bc = &blk->cases[bench->nr_cases];
		struct rwy_pair_case *c = rwy_pair_add(bench, bc, "%s random %s", choices[i].name,
						       write ? "write" : "read");

		if (!c)
			return -ENOSPC;
		*bc = (struct blk_case){.store = &stores[i], .write = write};
	}
	return 0;
}

static int run(struct rwy_pair_bench *bench, struct blk *blk)
{
	int status;

	strcpy(blk->dir, "/tmp/ringway-perf.XXXXXX");
	if (!mkdtemp(blk->dir)) {
		fprintf(stderr, "ringway-perf: %s: %s\n", blk->dir, strerror(errno));
		return 1;
	}
	snprintf(blk->socket, sizeof(blk->socket), "%s/disk", blk->dir);
	rwy_run_find("ringway-blk", blk->program, sizeof(blk->program));
	status = rwy_pair_run(bench, stdout);
	rmdir(blk->dir);
	return status;
}

static const struct rwy_pair_about about = {
	.name = "blk",
	.title = "random 4 KiB requests, 32 at a time, one split queue",
	.sides[RWY_PAIR_OURS] = "ringway-blk",
	.sides[RWY_PAIR_PEER] = PEER_PROGRAM,
	.metrics = metrics,
	.nr_metrics = RWY_ARRAY_SIZE(metrics),
	.measure = measure,
	.choices = choices,
	.nr_choices = RWY_ARRAY_SIZE(choices),
	.choices_help = STORES_HELP,
	.choose = choose,
};

int rwy_perf_blk_main(int argc, char **argv)
{
	static const struct rwy_opt opts[] = {
		RWY_PAIR_OPTS,
		{"stores", "LIST",
		 "where the disk is (default memory,file): " STORES_HELP "\n"
		 "(null: the peer's null-co, which moves no data, against our memory)",
		 rwy_pair_set_choices},
	};
	struct rwy_pair_bench bench;
	const struct rwy_opt_program program = {
		.name = "ringway-perf blk",
		.usage = "[option...]",
		.summary = "Random 4 KiB requests, 32 at a time, to a disk of " XSTR(
			DISK_MB) " MiB: ringway-blk and\n" PEER_PROGRAM
				 ", in turn, driven by the same vhost-user front-end.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = &bench,
	};
	struct blk *blk = calloc(1, sizeof(*blk));
	int status = 1;

	if (!blk || rwy_pair_init(&bench, &about, blk) < 0)
		goto free_blk;
	if (rwy_opt_parse(&program, argc, argv, stdout, stderr, &status) &&
	    rwy_pair_choose_standard(&bench) == 0)
		status = run(&bench, blk);
	rwy_pair_fini(&bench);
free_blk:
	free(blk);
	return status;
}
