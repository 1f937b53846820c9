/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's dpdk-testpmd, worked through its prompt: the peer of ringway-net (net_vhost ports) and the
 * front-end of both (net_virtio_user ports). Two ports, one forwarding core.
 */
#ifndef RWY_PERF_TESTPMD_H
#define RWY_PERF_TESTPMD_H

#include "perf/run.h"

#define RWY_TESTPMD_PROGRAM "dpdk-testpmd"
#define RWY_TESTPMD_PORTS   2
#define RWY_TESTPMD_RING    1024

struct rwy_testpmd_config {
	const char *name; /* for messages and as DPDK's file prefix */
	unsigned cpu;
	unsigned nr_queues; /* of each port, each way; 0 is 1 */
	const char *vdevs[RWY_TESTPMD_PORTS];
};

struct rwy_testpmd_counters {
	uint64_t at_ns; /* CLOCK_MONOTONIC, when they were read */
	struct {
		uint64_t rx_packets;
		uint64_t rx_bytes;
		uint64_t tx_packets;
	} ports[RWY_TESTPMD_PORTS];
};

/* Until its prompt shows. command, when not NULL, gets the line as one would type it. */
RWY_MUST_CHECK int rwy_testpmd_start(struct rwy_run *run, struct rwy_run_proc *proc,
				     const struct rwy_testpmd_config *config, char *command,
				     size_t command_len);
/* One command, until the prompt is back. Errors as rwy_run_expect. */
RWY_MUST_CHECK int rwy_testpmd_command(struct rwy_run *run, struct rwy_run_proc *proc,
				       const char *line);
/* -EPROTO: the answer was not understood. */
RWY_MUST_CHECK int rwy_testpmd_read(struct rwy_run *run, struct rwy_run_proc *proc,
				    struct rwy_testpmd_counters *counters);

/*
 * Cycles of its forwarding core in polls that found packets, since it was told "set
 * record-core-cycles on". Errors as rwy_run_expect.
 */
RWY_MUST_CHECK int rwy_testpmd_busy(struct rwy_run *run, struct rwy_run_proc *proc,
				    uint64_t *cycles);

/*
 * testpmd's memory is 2 MiB huge pages. Makes sure that enough for nr_procs of them are free, and
 * says on stderr how many were reserved. *added is for rwy_testpmd_release, which gives them back.
 */
RWY_MUST_CHECK int rwy_testpmd_reserve(unsigned nr_procs, unsigned *added);
void rwy_testpmd_release(unsigned added);

#endif
