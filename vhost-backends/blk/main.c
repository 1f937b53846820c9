/* SPDX-License-Identifier: BSD-3-Clause */
/* ringway-blk: disks for virtual machines, over vhost-user. */
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/numa.h"
#include "lib/opt.h"
#include "vhost-backends/be_main.h"
#include "vhost-backends/blk/blk_reactor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISKS_MAX 64
#define FD_MAX	  65535

struct options {
	struct rwy_blk_disk single; /* --socket-path or --fd, --blk-file, ... */
	struct rwy_blk_disk disks[DISKS_MAX];
	unsigned nr_disks;
	uint16_t cpus[RWY_NUMA_CPUS];
	unsigned nr_cpus;
	enum rwy_poll_mode poll;
	const char *metrics;
	bool print_capabilities;
};

static const struct rwy_blk_disk no_disk = {.fd = -1, .nr_queues = 1};

static int set_socket_path(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct options *o = ctx;

	o->single.socket = value;
	return 0;
}

static int set_fd(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct options *o = ctx;
	uint64_t fd;
	int err = rwy_opt_uint(value, 0, FD_MAX, &fd, why);

	if (!err)
		o->single.fd = (int)fd;
	return err;
}

static int set_blk_file(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct options *o = ctx;

	o->single.file = value;
	return 0;
}

static int set_read_only(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct options *o = ctx;

	o->single.read_only = true;
	return 0;
}

static int set_num_queues(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct options *o = ctx;

	return rwy_opt_uint(value, 1, RWY_BE_QUEUES, &o->single.nr_queues, why);
}

/* One place to be served at and one place to keep the bytes in. */
static const char *incomplete(const struct rwy_blk_disk *disk)
{
	if (!disk->socket == (disk->fd < 0))
		return "needs one of a socket's path and an fd";
	if (!disk->file == !disk->mem)
		return "needs one of a file and memory";
	if (disk->shared && disk->mem)
		return "has memory, which no other can share";
	return NULL;
}

static int add_disk(struct options *o, const struct rwy_blk_disk *disk, struct rwy_opt_why *why)
{
	if (incomplete(disk))
		return rwy_opt_fail(why, "%s", incomplete(disk));
	if (o->nr_disks == DISKS_MAX)
		return rwy_opt_fail(why, "more than %d disks", DISKS_MAX);
	o->disks[o->nr_disks] = *disk;
	snprintf(o->disks[o->nr_disks].name, sizeof(disk->name), "disk%u", o->nr_disks);
	o->nr_disks++;
	return 0;
}

static int set_disk(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct rwy_blk_disk disk = no_disk;
	uint64_t fd = UINT64_MAX;
	const struct rwy_opt_key keys[] = {
		{"socket", RWY_OPT_STR, .str = &disk.socket},
		{"fd", RWY_OPT_UINT, .num = &fd, .max = FD_MAX},
		{"file", RWY_OPT_STR, .str = &disk.file},
		{"mem", RWY_OPT_SIZE, .num = &disk.mem, .min = 512, .max = RWY_BIT64(46)},
		{"queues", RWY_OPT_UINT, .num = &disk.nr_queues, .min = 1, .max = RWY_BE_QUEUES},
		{"readonly", RWY_OPT_FLAG, .flag = &disk.read_only},
		{"shared", RWY_OPT_FLAG, .flag = &disk.shared},
	};
	int err = rwy_opt_list(value, keys, RWY_ARRAY_SIZE(keys), why);

	if (err)
		return err;
	disk.fd = fd <= FD_MAX ? (int)fd : -1;
	return add_disk(ctx, &disk, why);
}

static int set_cpus(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct options *o = ctx;
	int nr = rwy_numa_parse_cpus(value, o->cpus, RWY_NUMA_CPUS);

	if (nr < 0)
		return rwy_opt_fail(why, "'%s' is not a list of CPUs like 0,2-3", value);
	o->nr_cpus = (unsigned)nr;
	return 0;
}

static int set_poll(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct options *o = ctx;

	if (rwy_poll_parse_mode(value, &o->poll) < 0)
		return rwy_opt_fail(why, "'%s' is none of always, adaptive, never", value);
	return 0;
}

static int set_metrics(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct options *o = ctx;

	o->metrics = value;
	return 0;
}

static int set_print_capabilities(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct options *o = ctx;

	o->print_capabilities = true;
	return 0;
}

static const struct rwy_opt opts[] = {
	{"disk", "socket=PATH|fd=N,file=FILE|mem=SIZE[,queues=N][,readonly][,shared]",
	 "Serve a disk; may be given many times. It listens at the unix socket PATH, or on the\n"
	 "inherited socket N. Its bytes are in FILE, an image (raw) or a block device, or in\n"
	 "SIZE of memory that starts as zeroes and is gone with this process. queues is how\n"
	 "many a guest may use, 1 if not given. readonly refuses every change. shared lets FILE\n"
	 "be served at other places too, as a guest needs it to move from one to another while it\n"
	 "runs; that never two guests use it is then up to you.",
	 set_disk},
	{"socket-path", "PATH", "Serve one disk at PATH; with --blk-file.", set_socket_path},
	{"fd", "N", "Serve it on the inherited socket N instead.", set_fd},
	{"blk-file", "FILE", "The image or block device of that disk.", set_blk_file},
	{"read-only", NULL, "Refuse every change of that disk.", set_read_only},
	{"num-queues", "N", "How many queues a guest may use of that disk, 1 if not given.",
	 set_num_queues},
	{"cpus", "LIST",
	 "One thread on each of these CPUs (\"2\", \"0,4-7\"); the disks are dealt out to them in\n"
	 "turn. Without it one thread, wherever the system puts it.",
	 set_cpus},
	{"poll", "always|adaptive|never",
	 "Whether a thread looks for requests all the time, for a while after the last one (if\n"
	 "not given), or sleeps whenever there is none.",
	 set_poll},
	{"metrics", "PATH",
	 "Keep counters and latency histograms in this file, to be read while it is written.",
	 set_metrics},
	{"print-capabilities", NULL,
	 "Print what this program can do as JSON, as libvirt asks for it, and exit.",
	 set_print_capabilities},
};

static const char summary[] =
	"Serve virtual machines their disks: a polled virtio-blk device back-end that shares the\n"
	"guest's memory over vhost-user, with QEMU, ringway-vmm or cloud-hypervisor at the other\n"
	"end. Runs in the foreground until SIGTERM; front-ends may come and go meanwhile.\n"
	"\n"
	"  ringway-blk --socket-path=/run/vm1.sock --blk-file=/srv/vm1.img\n"
	"  ringway-blk --disk socket=/run/a.sock,file=/dev/vg/a,queues=4 \\\n"
	"              --disk socket=/run/b.sock,mem=1G --cpus 2,3 --poll always\n"
	"\n"
	"Exit status: 0 after SIGTERM or SIGINT; 2 when the command line is wrong or names what "
	"cannot\n"
	"be served; 1 when anything else fails.";

/* One reactor a CPU; disks are dealt out in turn. Exit status. */
static int open_reactors(struct options *o, struct rwy_blk_reactor *reactors, unsigned nr,
			 struct rwy_stats *stats)
{
	unsigned opened = 0;
	int status = EXIT_SUCCESS;

	for (; opened < nr; opened++) {
		if (rwy_blk_reactor_open(&reactors[opened], o->poll, opened,
					 o->nr_cpus ? o->cpus[opened] : -1, stats) < 0) {
			status = EXIT_FAILURE;
			goto close_reactors;
		}
	}
	for (unsigned i = 0; i < o->nr_disks; i++) {
		if (rwy_blk_reactor_add(&reactors[i % nr], &o->disks[i]) < 0) {
			status = RWY_OPT_EXIT_USAGE;
			goto close_reactors;
		}
	}
	return EXIT_SUCCESS;

close_reactors:
	while (opened > 0)
		rwy_blk_reactor_close(&reactors[--opened]);
	return status;
}

static int run(struct rwy_blk_reactor *reactors, unsigned nr)
{
	int status = EXIT_SUCCESS;
	int err = rwy_blk_reactor_pin(&reactors[0]);

	for (unsigned i = 1; !err && i < nr; i++)
		err = rwy_blk_reactor_start(&reactors[i], reactors[0].poll);
	if (!err)
		status = rwy_be_main_run(reactors[0].poll);
	for (unsigned i = 1; i < nr; i++) {
		if (rwy_blk_reactor_stop(&reactors[i]) < 0)
			status = EXIT_FAILURE;
	}
	return err ? EXIT_FAILURE : status;
}

static int serve(struct options *o)
{
	unsigned nr = o->nr_cpus ? RWY_MIN(o->nr_cpus, o->nr_disks) : 1;
	struct rwy_blk_reactor *reactors = calloc(nr, sizeof(*reactors));
	struct rwy_stats stats;
	int status = EXIT_FAILURE;

	if (!reactors || rwy_stats_open(&stats, o->metrics) < 0)
		goto free_reactors;
	status = open_reactors(o, reactors, nr, &stats);
	if (status)
		goto close_stats;
	status = run(reactors, nr);
	for (unsigned i = 0; i < nr; i++)
		rwy_blk_reactor_close(&reactors[i]);
close_stats:
	rwy_stats_close(&stats);
free_reactors:
	free(reactors);
	return status;
}

int main(int argc, char **argv)
{
	static const char *const capabilities[] = {"read-only", "blk-file"};
	static struct options o;
	const struct rwy_opt_program program = {
		.name = "ringway-blk",
		.usage = "--disk socket=PATH,file=FILE|mem=SIZE,... | "
			 "--socket-path=PATH --blk-file=FILE [option...]",
		.summary = summary,
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = &o,
	};
	struct rwy_opt_why why;
	int status;

	o.single = no_disk;
	o.poll = RWY_POLL_ADAPTIVE;
	if (!rwy_opt_parse(&program, argc, argv, stdout, stderr, &status))
		return status;
	if (o.print_capabilities) {
		rwy_be_main_print_capabilities("block", capabilities, RWY_ARRAY_SIZE(capabilities));
		return EXIT_SUCCESS;
	}
	if ((o.single.socket || o.single.fd >= 0 || o.single.file) &&
	    add_disk(&o, &o.single, &why) < 0)
		return rwy_opt_refuse(&program, stderr, "the disk of --blk-file %s", why.text);
	if (o.nr_disks == 0)
		return rwy_opt_refuse(&program, stderr, "no disk to serve");
	return serve(&o);
}
