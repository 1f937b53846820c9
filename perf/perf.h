/* SPDX-License-Identifier: BSD-3-Clause */
/* The subcommands of ringway-perf. Each gets its own name as argv[0]; the exit status is returned.
 */
#ifndef RWY_PERF_PERF_H
#define RWY_PERF_PERF_H

int rwy_perf_net_main(int argc, char **argv);
int rwy_perf_compare_main(int argc, char **argv);
int rwy_perf_metrics_main(int argc, char **argv);
int rwy_perf_frames_main(int argc, char **argv);
int rwy_perf_blk_main(int argc, char **argv);
int rwy_perf_ring_main(int argc, char **argv);
int rwy_perf_sriov_main(int argc, char **argv);
int rwy_perf_map_main(int argc, char **argv);
int rwy_perf_vmm_main(int argc, char **argv);
int rwy_perf_report_main(int argc, char **argv);

#endif
