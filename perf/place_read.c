/* SPDX-License-Identifier: BSD-3-Clause */
/* The topology of a machine, as its kernel tells it in /sys and /proc. */
#include "perf/place.h"

#include "lib/sysfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPU	 "/sys/devices/system/cpu"
#define NODE	 "/sys/devices/system/node"
#define LIST_LEN 1024
#define LIST_MAX 4096

/* A set of CPUs by their numbers, as a kernel's list. */
struct set {
	bool has[LIST_MAX];
};

static bool read_set(struct set *set, const char *list)
{
	uint16_t cpus[LIST_MAX];
	int nr = rwy_numa_parse_cpus(list, cpus, LIST_MAX);

	for (int i = 0; i < nr; i++)
		if (cpus[i] < LIST_MAX)
			set->has[cpus[i]] = true;
	return nr > 0;
}

static bool read_set_file(const char *root, struct set *set, const char *path)
{
	char list[LIST_LEN];

	*set = (struct set){0};
	return rwy_sysfs_read(root, list, sizeof(list), "%s", path) > 0 && read_set(set, list);
}

/* CPUs that this process may run on. True: it is known. */
static bool read_allowed(const char *root, struct set *set)
{
	static const char label[] = "Cpus_allowed_list:";
	char text[8192], *at;

	*set = (struct set){0};
	if (rwy_sysfs_read(root, text, sizeof(text), "/proc/self/status") <= 0)
		return false;
	at = strstr(text, label);
	if (!at)
		return false;
	at += sizeof(label) - 1;
	at += strspn(at, " \t");
	at[strcspn(at, "\n")] = '\0';
	return read_set(set, at);
}

static unsigned read_core(const char *root, unsigned cpu)
{
	char list[LIST_LEN];
	uint16_t siblings[RWY_NUMA_CPUS];
	int nr;

	if (rwy_sysfs_read(root, list, sizeof(list), CPU "/cpu%u/topology/thread_siblings_list",
			   cpu) <= 0)
		return cpu;
	nr = rwy_numa_parse_cpus(list, siblings, RWY_NUMA_CPUS);
	for (int i = 0; i < nr; i++)
		cpu = RWY_MIN(cpu, siblings[i]);
	return cpu;
}

/* Of nodeN/meminfo: "Node 0 MemFree:  123 kB". */
static uint64_t read_meminfo(const char *text, const char *label)
{
	const char *at = strstr(text, label);

	return at ? strtoull(at + strlen(label), NULL, 10) << 10 : 0;
}

static void read_free(const char *root, struct rwy_place_node *node)
{
	static const struct {
		enum rwy_place_pages pages;
		unsigned kib;
	} pools[] = {{RWY_PLACE_2M, 2048}, {RWY_PLACE_1G, 1048576}};
	char text[4096];

	/* the rest of a long file is of no interest */
	(void)!rwy_sysfs_read(root, text, sizeof(text), NODE "/node%u/meminfo", node->id);
	/* the page cache gives way, the part that nobody used lately at no cost */
	node->free[RWY_PLACE_4K] =
		read_meminfo(text, "MemFree:") + read_meminfo(text, "Inactive(file):");
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(pools); i++) {
		uint64_t nr = 0;

		(void)!rwy_sysfs_read_uint(root, &nr,
					   NODE "/node%u/hugepages/hugepages-%ukB/free_hugepages",
					   node->id, pools[i].kib);
		node->free[pools[i].pages] = RWY_MIN(nr, UINT32_MAX) * pools[i].kib << 10;
	}
}

struct reading {
	const char *root;
	struct rwy_place_topology *t;
	struct set usable, isolated;
};

static void add_cpu(struct reading *r, unsigned id, unsigned node)
{
	struct rwy_place_topology *t = r->t;

	if (id >= LIST_MAX || !r->usable.has[id] || t->nr_cpus == RWY_NUMA_CPUS)
		return;
	t->cpus[t->nr_cpus++] = (struct rwy_place_cpu){
		.id = id,
		.node = node,
		.core = read_core(r->root, id),
		.isolated = r->isolated.has[id],
	};
}

static int read_node(void *ctx, const char *name)
{
	struct reading *r = ctx;
	struct rwy_place_topology *t = r->t;
	char list[LIST_LEN], *end;
	struct set cpus = {0};
	unsigned long id;

	if (strncmp(name, "node", 4) || name[4] < '0' || name[4] > '9' ||
	    t->nr_nodes == RWY_PLACE_NODES)
		return 0;
	id = strtoul(name + 4, &end, 10);
	if (*end || id > UINT16_MAX)
		return 0;
	t->nodes[t->nr_nodes] = (struct rwy_place_node){.id = (unsigned)id};
	read_free(r->root, &t->nodes[t->nr_nodes]);
	if (rwy_sysfs_read(r->root, list, sizeof(list), NODE "/%s/cpulist", name) > 0)
		(void)read_set(&cpus, list);
	for (unsigned cpu = 0; cpu < LIST_MAX; cpu++)
		if (cpus.has[cpu])
			add_cpu(r, cpu, t->nr_nodes);
	t->nr_nodes++;
	return 0;
}

/* Column i of the file is the i-th node in the order of numbers, ours is that of names. */
static void read_distances(const char *root, struct rwy_place_topology *t)
{
	for (unsigned a = 0; a < t->nr_nodes; a++) {
		char text[LIST_LEN], *save = NULL, *word;

		for (unsigned b = 0; b < t->nr_nodes; b++)
			t->distances[a][b] = a == b ? RWY_PLACE_NEAR : 2 * RWY_PLACE_NEAR;
		(void)!rwy_sysfs_read(root, text, sizeof(text), NODE "/node%u/distance",
				      t->nodes[a].id);
		word = strtok_r(text, " ", &save);
		for (unsigned b = 0; b < t->nr_nodes && word; b++) {
			unsigned long value = strtoul(word, NULL, 10);

			if (value >= RWY_PLACE_NEAR && value <= UINT8_MAX)
				t->distances[a][b] = (uint8_t)value;
			word = strtok_r(NULL, " ", &save);
		}
	}
}

static int by_id(const void *a, const void *b)
{
	const struct rwy_place_node *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* By number, as the columns of the distances are; the CPUs follow. */
static void sort_nodes(struct rwy_place_topology *t)
{
	unsigned ids[RWY_PLACE_NODES];

	for (unsigned i = 0; i < t->nr_nodes; i++)
		ids[i] = t->nodes[i].id;
	qsort(t->nodes, t->nr_nodes, sizeof(t->nodes[0]), by_id);
	for (unsigned i = 0; i < t->nr_cpus; i++) {
		unsigned id = ids[t->cpus[i].node], node = 0;

		while (t->nodes[node].id != id)
			node++;
		t->cpus[i].node = node;
	}
}

/* A machine whose kernel knows of no nodes. */
static void read_flat(struct reading *r)
{
	unsigned long long kib;
	char text[4096], *at;

	r->t->nr_nodes = 1;
	(void)!rwy_sysfs_read(r->root, text, sizeof(text), "/proc/meminfo");
	at = strstr(text, "MemAvailable:");
	if (at && sscanf(at, "MemAvailable: %llu", &kib) == 1)
		r->t->nodes[0].free[RWY_PLACE_4K] = (uint64_t)kib << 10;
	for (unsigned cpu = 0; cpu < LIST_MAX; cpu++)
		add_cpu(r, cpu, 0);
}

int rwy_place_read(const char *root, struct rwy_place_topology *topology)
{
	struct reading r = {.root = root, .t = topology};
	struct set allowed;

	memset(topology, 0, sizeof(*topology));
	(void)read_set_file(root, &r.usable, CPU "/online");
	(void)read_set_file(root, &r.isolated, CPU "/isolated");
	/* isolated CPUs are missing from the set that a process starts with, and still ours */
	if (read_allowed(root, &allowed))
		for (unsigned i = 0; i < LIST_MAX; i++)
			r.usable.has[i] &= allowed.has[i] || r.isolated.has[i];
	(void)rwy_sysfs_list(root, read_node, &r, NODE);
	if (topology->nr_nodes == 0)
		read_flat(&r);
	sort_nodes(topology);
	read_distances(root, topology);
	return topology->nr_cpus > 0 ? 0 : -ENODEV;
}

int rwy_place_device(const char *root, const char *bdf)
{
	uint64_t node;

	/* -1, the kernel's word for "not known", is no number to it */
	if (rwy_sysfs_read_uint(root, &node, "/sys/bus/pci/devices/%s/numa_node", bdf) < 0 ||
	    node > UINT16_MAX)
		return -1;
	return (int)node;
}
