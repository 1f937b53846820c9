/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ringway-perf map: how long a VMM takes to make all guest memory reachable for a function of the
 * host, and in how many system calls: from where the IOMMU is set up for it to the end of the last
 * call that maps. That is touching, clearing, pinning and mapping each page, on both CPUs of --cpus
 * if a VMM likes. strace sees the calls; what it adds to each is in the times of both.
 */
#include "lib/bdf.h"
#include "perf/pair.h"
#include "perf/perf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QEMU	 "qemu-system-x86_64"
#define READY_MS 120000
#define TRACE_MS 5000
#define LINE_MAX 4096

struct map {
	const char *kernel;
	char bdf[RWY_BDF_LEN];
	char program[512]; /* ringway-vmm */
	char trace[64];	   /* the file that strace writes */
	char cpus[24];	   /* both of --cpus */
	struct rwy_run_proc proc;
};

/* inside: the calls that map alone, without what goes on between them. */
enum { MAP, INSIDE, CALLS };
static const struct rwy_pair_metric metrics[] = {
	[MAP] = {"map", "s", true},
	[INSIDE] = {"inside", "s", true},
	[CALLS] = {"calls", "", true},
};

/* Guest memory of a size, in pages of a size. */
static const struct memory {
	const char *name;
	const char *size;
	uint64_t mib;
	const char *page; /* NULL: ordinary ones */
	unsigned page_kib;
} memories[] = {
	{"1G-4K", "1G", 1024, NULL, 4},	      {"1G-2M", "1G", 1024, "2M", 2048},
	{"1G-1G", "1G", 1024, "1G", 1048576}, {"4G-4K", "4G", 4096, NULL, 4},
	{"4G-2M", "4G", 4096, "2M", 2048},    {"4G-1G", "4G", 4096, "1G", 1048576},
};

#define CHOICES_HELP "some of 1G-4K, 1G-2M, 1G-1G, 4G-4K, 4G-2M, 4G-1G; or all"

/* ---- the machines ---- */

static int start_ours(struct rwy_pair_bench *bench, struct map *map, const struct memory *memory,
		      char *command)
{
	char size[64], cpus[32];
	const char *const argv[] = {"taskset", "-c",	   map->cpus,	 "strace",
				    "-D",      "-f",	   "-ttt",	 "-T",
				    "-o",      map->trace, map->program, "--log-level",
				    "debug",   "--kernel", map->kernel,	 "--cpus",
				    cpus,      "--memory", size,	 "--serial",
				    "off",     "--vfio",   map->bdf,	 NULL};

	snprintf(cpus, sizeof(cpus), "1,pin=%u", bench->opts.cpu_back);
	snprintf(size, sizeof(size), "%s%s%s", memory->size, memory->page ? ",hugepages=" : "",
		 memory->page ? memory->page : "");
	rwy_run_command(argv, bench->opts.cpu_back, command, RWY_PAIR_TEXT);
	return rwy_run_start(&bench->run, &map->proc, "ringway-vmm", bench->opts.cpu_back, argv);
}

static int start_peer(struct rwy_pair_bench *bench, struct map *map, const struct memory *memory,
		      char *command)
{
	char object[128], device[64];
	const char *const argv[] = {"taskset",
				    "-c",
				    map->cpus,
				    "strace",
				    "-D",
				    "-f",
				    "-ttt",
				    "-T",
				    "-o",
				    map->trace,
				    QEMU,
				    "-nodefaults",
				    "-no-user-config",
				    "-display",
				    "none",
				    "-machine",
				    "q35,accel=kvm,memory-backend=ram",
				    "-cpu",
				    "host",
				    "-smp",
				    "1",
				    "-m",
				    memory->size,
				    "-object",
				    object,
				    "-device",
				    device,
				    "-monitor",
				    "stdio",
				    "-S",
				    NULL};

	snprintf(object, sizeof(object), "memory-backend-memfd,id=ram,share=on,size=%s%s%s",
		 memory->size, memory->page ? ",hugetlb=on,hugetlbsize=" : "",
		 memory->page ? memory->page : "");
	snprintf(device, sizeof(device), "vfio-pci,host=%s,rombar=0", map->bdf);
	rwy_run_command(argv, bench->opts.cpu_back, command, RWY_PAIR_TEXT);
	return rwy_run_start(&bench->run, &map->proc, QEMU, bench->opts.cpu_back, argv);
}

/* ---- what strace saw ---- */

/* The call that begins it, and those that map: VFIO's containers, and iommufd. */
static bool begins(const char *line)
{
	return strstr(line, "VFIO_SET_IOMMU") || strstr(line, "0x3b, 0x81");
}

static bool maps(const char *line)
{
	return strstr(line, "VFIO_IOMMU_MAP_DMA") || strstr(line, "0x3b, 0x85");
}

/* "PID SECONDS call(...) = 0 <SECONDS>", or in two parts: the second is called resumed. */
static void read_trace(FILE *file, double *values)
{
	char line[LINE_MAX];
	double first = 0, last = 0, nr = 0;
	long waiting = 0;

	while (fgets(line, sizeof(line), file)) {
		long pid;
		double at, took = 0;
		bool resumed = strstr(line, "resumed>");
		const char *end = strrchr(line, '<');

		if (sscanf(line, "%ld %lf", &pid, &at) != 2)
			continue;
		if (first == 0 && begins(line))
			first = at;
		if (first == 0)
			continue;
		nr += !resumed;
		if (end)
			sscanf(end, "<%lf>", &took);
		if (maps(line) && strstr(line, "<unfinished")) {
			waiting = pid;
			continue;
		}
		if (maps(line))
			last = at + took;
		else if (resumed && pid == waiting)
			last = at;
		else
			continue;
		values[INSIDE] += took;
		values[CALLS] = nr;
		waiting = 0;
	}
	if (first > 0 && last > first)
		values[MAP] = last - first;
}

/* Killed, the program leaves the rest of its trace to be written. */
static int wait_for_trace(struct rwy_pair_bench *bench, const char *path, double *values)
{
	for (unsigned ms = 0; ms < TRACE_MS; ms += 50) {
		FILE *file = fopen(path, "re");
		char line[LINE_MAX];
		bool ended = false;

		while (file && !ended && fgets(line, sizeof(line), file))
			ended = strstr(line, "+++ killed by SIGKILL");
		if (ended) {
			rewind(file);
			read_trace(file, values);
		}
		if (file)
			fclose(file);
		if (ended)
			return values[MAP] > 0 ? 0 : -EPROTO;
		int err = rwy_run_sleep(&bench->run, 50);
		if (err < 0)
			return err;
	}
	return -ETIMEDOUT;
}

static int measure(struct rwy_pair_bench *bench, struct rwy_pair_case *c, enum rwy_pair_side side,
		   double *values)
{
	struct map *map = bench->ctx;
	const char *step = "starting the machine";
	bool ours = side == RWY_PAIR_OURS;
	int err;

	unlink(map->trace);
	err = ours ? start_ours(bench, map, c->arg, c->commands[side])
		   : start_peer(bench, map, c->arg, c->commands[side]);
	if (err == -ENOENT) {
		snprintf(c->failed[side], RWY_PAIR_TEXT, "taskset is not installed");
		return err;
	}
	if (err == 0) {
		step = "waiting until the function is plugged in";
		err = rwy_run_expect(&bench->run, &map->proc, 0, ours ? "is PCI 00:" : "(qemu)",
				     READY_MS);
	}
	if (err < 0)
		rwy_run_explain(&bench->run, &map->proc, err, step, c->failed[side], RWY_PAIR_TEXT);
	rwy_run_kill(&bench->run, &map->proc);
	if (err == 0) {
		err = wait_for_trace(bench, map->trace, values);
		if (err < 0)
			snprintf(c->failed[side], RWY_PAIR_TEXT, "no mapping seen in %s: %s",
				 map->trace, strerror(-err));
	}
	return err;
}

/* ---- the command ---- */

static const struct rwy_pair_choice choices[] = {
	{"1G-4K", true}, {"1G-2M", true}, {"1G-1G", true},
	{"4G-4K", true}, {"4G-2M", true}, {"4G-1G", true},
};
_Static_assert(RWY_ARRAY_SIZE(choices) == RWY_ARRAY_SIZE(memories), "one each");

/* What the host has not got is left out, with a line that says so. */
static bool has_pages(const struct memory *memory)
{
	char path[96];
	unsigned long pages = 0;
	FILE *file;

	if (!memory->page)
		return true;
	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%ukB/free_hugepages",
		 memory->page_kib);
	file = fopen(path, "re");
	if (file && fscanf(file, "%lu", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages * memory->page_kib >= memory->mib * 1024;
}

static int choose(struct rwy_pair_bench *bench, unsigned i)
{
	if (!has_pages(&memories[i]))
		fprintf(stderr, "ringway-perf: %s left out: not so many free pages of %s\n",
			memories[i].name, memories[i].page);
	else if (!rwy_pair_add(bench, &memories[i], "%s", memories[i].name))
		return -ENOSPC;
	return 0;
}

static int set_kernel(void *bench, char *value, struct rwy_opt_why *why)
{
	((struct map *)((struct rwy_pair_bench *)bench)->ctx)->kernel = value;
	return access(value, R_OK) == 0 ? 0 : rwy_opt_fail(why, "%s: %s", value, strerror(errno));
}

static int set_vfio(void *bench, char *value, struct rwy_opt_why *why)
{
	struct map *map = ((struct rwy_pair_bench *)bench)->ctx;

	return rwy_bdf_parse(value, map->bdf)
		       ? rwy_opt_fail(why, "'%s' is no PCI function like 0000:01:10.0", value)
		       : 0;
}

static int run(struct rwy_pair_bench *bench, struct map *map)
{
	int err = rwy_pair_choose_standard(bench), status;

	if (err < 0)
		return 1;
	snprintf(map->trace, sizeof(map->trace), "/tmp/ringway-map.%d", getpid());
	snprintf(map->cpus, sizeof(map->cpus), "%u,%u", bench->opts.cpu_back, bench->opts.cpu_load);
	rwy_run_find("ringway-vmm", map->program, sizeof(map->program));
	status = rwy_pair_run(bench, stdout);
	unlink(map->trace);
	return status;
}

static const struct rwy_pair_about about = {
	.name = "map",
	.title = "mapping all guest memory for a function; system calls it takes",
	.sides[RWY_PAIR_OURS] = "ringway-vmm",
	.sides[RWY_PAIR_PEER] = "QEMU",
	.metrics = metrics,
	.nr_metrics = RWY_ARRAY_SIZE(metrics),
	.choices = choices,
	.nr_choices = RWY_ARRAY_SIZE(choices),
	.choices_help = CHOICES_HELP,
	.choose = choose,
	.measure = measure,
};

int rwy_perf_map_main(int argc, char **argv)
{
	static const struct rwy_opt opts[] = {
		{"vfio", "BDF", "the function, bound to vfio-pci", set_vfio},
		{"kernel", "FILE", "a kernel for ringway-vmm to load", set_kernel},
		{"memory", "LIST", CHOICES_HELP, rwy_pair_set_choices},
		RWY_PAIR_OPTS,
	};
	struct map map = {0};
	struct rwy_pair_bench bench;
	const struct rwy_opt_program program = {
		.name = "ringway-perf map",
		.usage = "--vfio BDF --kernel FILE [option...]",
		.summary = "The time ringway-vmm and QEMU take to map all guest memory for a "
			   "function, and the\nsystem calls, both as strace sees them.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = &bench,
	};
	int status = 1;

	if (rwy_pair_init(&bench, &about, &map) < 0)
		return status;
	if (!rwy_opt_parse(&program, argc, argv, stdout, stderr, &status))
		goto fini;
	if (map.kernel && map.bdf[0])
		status = run(&bench, &map);
	else
		status = rwy_opt_refuse(&program, stderr, "--vfio and --kernel are needed");
fini:
	rwy_pair_fini(&bench);
	return status;
}
