/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/numa.h"

#include <ctype.h>
#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <sched.h>
#include <stdlib.h>

#define MASK_BITS (8 * sizeof(unsigned long))
#define NODES_MAX 1024

/* strtoul alone would take signs, blanks and numbers that wrap. */
static int parse_cpu(const char **at, unsigned *cpu)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)**at))
		return -EINVAL;
	errno = 0;
	value = strtoul(*at, &end, 10);
	if (errno || value >= CPU_SETSIZE)
		return -EINVAL;
	*cpu = (unsigned)value;
	*at = end;
	return 0;
}

int rwy_numa_parse_cpus(const char *list, uint16_t *cpus, unsigned max)
{
	unsigned nr = 0, first, last;

	for (;; list++) {
		if (parse_cpu(&list, &first) < 0)
			return -EINVAL;
		last = first;
		if (*list == '-') {
			list++;
			if (parse_cpu(&list, &last) < 0 || last < first)
				return -EINVAL;
		}
		for (unsigned cpu = first; cpu <= last; cpu++) {
			if (nr == max)
				return -E2BIG;
			cpus[nr++] = (uint16_t)cpu;
		}
		if (*list == '\0')
			return (int)nr;
		if (*list != ',')
			return -EINVAL;
	}
}

int rwy_numa_pin(unsigned cpu)
{
	cpu_set_t set;

	if (cpu >= CPU_SETSIZE)
		return -EINVAL;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

int rwy_numa_node_of_cpu(unsigned cpu)
{
	int node;

	if (cpu >= (unsigned)numa_num_possible_cpus())
		return -EINVAL;
	if (numa_available() < 0)
		return 0;
	node = numa_node_of_cpu((int)cpu);
	return node < 0 ? -errno : node;
}

int rwy_numa_bind(void *addr, size_t len, unsigned node)
{
	unsigned long mask[NODES_MAX / MASK_BITS] = {0};

	if (!rwy_numa_node_exists(node))
		return -EINVAL;
	if (numa_available() < 0)
		return 0;
	mask[node / MASK_BITS] = 1UL << (node % MASK_BITS);
	/* the kernel takes one bit less than maxnode says */
	return mbind(addr, len, MPOL_BIND, mask, NODES_MAX + 1, 0) < 0 ? -errno : 0;
}

bool rwy_numa_node_exists(unsigned node)
{
	if (numa_available() < 0)
		return node == 0;
	return node < NODES_MAX && numa_bitmask_isbitset(numa_all_nodes_ptr, node);
}
