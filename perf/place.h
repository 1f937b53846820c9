/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a guest, its back-ends and its devices meet: which node holds the guest's memory, and which
 * CPU each vCPU and each back-end reactor gets. For `--place auto`:
 *
 *	rwy_place_read("", &topology);
 *	wish.devices[0].node = rwy_place_device("", "0000:81:10.0");
 *	rwy_place_choose(&topology, &wish, &place);      place.text: for the user and the result
 *	ringway-vmm --memory 2G,node=<place.memory_node> --cpus 2,pin=<place.vcpus>
 *	ringway-net --cpus <place.reactors>
 *
 * Choosing is a pure function of a topology and a wish. Everything is put on one node where that is
 * possible; what is not is a hop, which place.text names with its reason.
 */
#ifndef RWY_PERF_PLACE_H
#define RWY_PERF_PLACE_H

#include "lib/numa.h"

#define RWY_PLACE_NODES	  64
#define RWY_PLACE_THREADS 64 /* vCPUs, and reactors */
#define RWY_PLACE_DEVICES 8
#define RWY_PLACE_TEXT	  8192
#define RWY_PLACE_NEAR	  10 /* the kernel's distance of a node to itself */

enum rwy_place_pages { RWY_PLACE_4K, RWY_PLACE_2M, RWY_PLACE_1G, RWY_PLACE_PAGES };

struct rwy_place_cpu {
	unsigned id;
	unsigned node; /* its index in the topology */
	unsigned core; /* the lowest CPU of its core: siblings have the same */
	bool isolated; /* by isolcpus=: nothing else runs there */
};

struct rwy_place_node {
	unsigned id;			/* the kernel's */
	uint64_t free[RWY_PLACE_PAGES]; /* bytes, in pages of each size */
};

struct rwy_place_topology {
	unsigned nr_nodes;
	struct rwy_place_node nodes[RWY_PLACE_NODES];
	uint8_t distances[RWY_PLACE_NODES][RWY_PLACE_NODES]; /* by index */
	unsigned nr_cpus;				     /* that we may use */
	struct rwy_place_cpu cpus[RWY_NUMA_CPUS];
};

struct rwy_place_device {
	char name[32]; /* for the text: a BDF */
	int node;      /* the kernel's number; -1: not known, it is near to all */
};

struct rwy_place_wish {
	uint64_t memory; /* bytes of the guest */
	enum rwy_place_pages pages;
	unsigned nr_vcpus;    /* at most RWY_PLACE_THREADS */
	unsigned nr_reactors; /* the same */
	unsigned nr_devices;
	struct rwy_place_device devices[RWY_PLACE_DEVICES];
};

struct rwy_place {
	unsigned memory_node;		   /* the kernel's number */
	unsigned vcpus[RWY_PLACE_THREADS]; /* CPU of each */
	unsigned reactors[RWY_PLACE_THREADS];
	unsigned nr_hops;
	char text[RWY_PLACE_TEXT]; /* lines: what is where, then the hops, each with its reason */
};

/*
 * The nodes, and the CPUs that are online and ours, below root ("" for this machine). A machine
 * without NUMA has one node. -ENODEV: no CPU was found. What is beyond the limits is left out.
 */
RWY_MUST_CHECK int rwy_place_read(const char *root, struct rwy_place_topology *topology);
/* The node of a PCI function, or -1. */
int rwy_place_device(const char *root, const char *bdf);

/*
 * -ENOMEM: no node has the memory; -EINVAL: more threads or devices than there is room for, or no
 * CPU at all. place->text says why.
 */
RWY_MUST_CHECK int rwy_place_choose(const struct rwy_place_topology *topology,
				    const struct rwy_place_wish *wish, struct rwy_place *place);

/* "4,6,8" for an option. */
void rwy_place_list(const unsigned *cpus, unsigned nr, char *text, size_t len);

#endif
