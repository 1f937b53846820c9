/* SPDX-License-Identifier: BSD-3-Clause */
/* CPUs and memory nodes. The one user of libnuma. */
#ifndef RWY_LIB_NUMA_H
#define RWY_LIB_NUMA_H

#include "lib/base.h"

#define RWY_NUMA_CPUS 256

/* Parses "0,2-5" into cpus[] in the order written. Count, or -EINVAL / -E2BIG. Repeats are kept. */
RWY_MUST_CHECK int rwy_numa_parse_cpus(const char *list, uint16_t *cpus, unsigned max);
/* Pins the calling thread. -EINVAL when the CPU does not exist or is not ours to use. */
RWY_MUST_CHECK int rwy_numa_pin(unsigned cpu);
/* Node of a CPU, or negative errno. Machines without NUMA have node 0. */
int rwy_numa_node_of_cpu(unsigned cpu);
/* Puts [addr, addr + len) on one node, strictly. Before the pages are touched. */
RWY_MUST_CHECK int rwy_numa_bind(void *addr, size_t len, unsigned node);
bool rwy_numa_node_exists(unsigned node);

#endif
