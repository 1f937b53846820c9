/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/log.h"
#include "perf/perf.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*main)(int argc, char **argv); /* NULL: not there yet */
	const char *what;
} commands[] = {
	{"net", rwy_perf_net_main, "packets guest to guest: ringway-net and DPDK testpmd"},
	{"blk", NULL, "requests to a disk: ringway-blk and qemu-storage-daemon"},
	{"ring", NULL, "cycles per descriptor of each ring path"},
	{"vmm", NULL, "boot time: ringway-vmm and QEMU"},
	{"metrics", rwy_perf_metrics_main, "the counters of a running back-end"},
	{"report", NULL, "a report of earlier results"},
};

static void usage(FILE *out)
{
	fprintf(out, "Usage: ringway-perf [--log-level LEVEL] COMMAND [OPTIONS]\n"
		     "\n"
		     "Side-by-side measurements. Each command has its own --help.\n"
		     "\n");
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-8s %s%s\n", commands[i].name, commands[i].what,
			commands[i].main ? "" : " (not there yet)");
	fprintf(out, "\n"
		     "  --log-level error|warn|info|debug   (default warn)\n"
		     "  --help\n"
		     "  --version\n");
}

static int run(int argc, char **argv)
{
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[0], commands[i].name))
			continue;
		if (commands[i].main)
			return commands[i].main(argc, argv);
		fprintf(stderr, "ringway-perf: %s is not there yet\n", argv[0]);
		return RWY_PERF_USAGE;
	}
	fprintf(stderr, "ringway-perf: unknown command %s; --help lists them\n", argv[0]);
	return RWY_PERF_USAGE;
}

int main(int argc, char **argv)
{
	enum rwy_log_level level = RWY_LOG_WARN;
	int at = 1;

	if (at + 1 < argc && !strcmp(argv[at], "--log-level")) {
		if (rwy_log_parse_level(argv[at + 1], &level) < 0) {
			fprintf(stderr,
				"ringway-perf: --log-level %s: must be error, warn, info "
				"or debug\n",
				argv[at + 1]);
			return RWY_PERF_USAGE;
		}
		at += 2;
	}
	rwy_log_set_level(level);
	if (at == argc) {
		usage(stderr);
		return RWY_PERF_USAGE;
	}
	if (!strcmp(argv[at], "--help")) {
		usage(stdout);
		return 0;
	}
	if (!strcmp(argv[at], "--version")) {
		puts("ringway-perf " RWY_VERSION);
		return 0;
	}
	return run(argc - at, argv + at);
}
