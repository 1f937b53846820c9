/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/opt.h"
#include "perf/perf.h"

#include <string.h>

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} commands[] = {
	{"compare", rwy_perf_compare_main}, {"net", rwy_perf_net_main},
	{"blk", rwy_perf_blk_main},	    {"ring", rwy_perf_ring_main},
	{"vmm", rwy_perf_vmm_main},	    {"map", rwy_perf_map_main},
	{"sriov", rwy_perf_sriov_main},	    {"metrics", rwy_perf_metrics_main},
	{"report", rwy_perf_report_main},   {"frames", rwy_perf_frames_main},
};

int main(int argc, char **argv)
{
	const struct rwy_opt_program program = {
		.name = "ringway-perf",
		.usage = "compare|net|blk|ring|vmm|map|sriov|metrics|report|frames [option...]",
		.summary = "Side-by-side measurements; each command has its own --help.\n"
			   "  compare  every attach path, one after another, with one guest\n"
			   "  net      packets guest to guest: ringway-net and DPDK testpmd\n"
			   "  blk      requests to a disk: ringway-blk and qemu-storage-daemon\n"
			   "  ring     cycles per chain of each ring path\n"
			   "  vmm      boot time: ringway-vmm and QEMU\n"
			   "  map      memory mapped for a function: ringway-vmm and QEMU\n"
			   "  sriov    VFs made and bound: ringway-sriov and a script\n"
			   "  metrics  the counters of a running back-end\n"
			   "  report   a page with what a comparison found, and JSON and CSV\n"
			   "  frames   to a guest that sends them back, at a given rate",
	};
	int status;

	for (unsigned i = 0; argc > 1 && i < RWY_ARRAY_SIZE(commands); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].main(argc - 1, argv + 1);
	}
	if (argc > 1 && argv[1][0] != '-')
		return rwy_opt_refuse(&program, stderr, "unknown command %s", argv[1]);
	if (!rwy_opt_parse(&program, argc, argv, stdout, stderr, &status))
		return status;
	return rwy_opt_refuse(&program, stderr, "a command is missing");
}
