/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/place.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * A device's way to the memory counts as much as that of this many threads: every byte takes it,
 * and nothing hides its latency.
 */
#define DEVICE_WEIGHT 4

static const char *const pages_names[RWY_PLACE_PAGES] = {
	[RWY_PLACE_4K] = "ordinary pages",
	[RWY_PLACE_2M] = "pages of 2 MiB",
	[RWY_PLACE_1G] = "pages of 1 GiB",
};

/* What is being chosen: the caller's place, and how often each CPU was taken. */
struct choice {
	const struct rwy_place_topology *t;
	const struct rwy_place_wish *wish;
	unsigned memory; /* index of the node */
	unsigned nr_taken[RWY_NUMA_CPUS];
	unsigned cost;
	/* by index in t->cpus */
	unsigned vcpus[RWY_PLACE_THREADS];
	unsigned reactors[RWY_PLACE_THREADS];
};

static unsigned distance(const struct rwy_place_topology *t, unsigned a, unsigned b)
{
	return t->distances[a][b];
}

/* The index of a node, or -1. */
static int node_index(const struct rwy_place_topology *t, int id)
{
	for (unsigned i = 0; i < t->nr_nodes; i++)
		if ((int)t->nodes[i].id == id)
			return (int)i;
	return -1;
}

static bool core_taken(const struct choice *c, unsigned cpu)
{
	for (unsigned i = 0; i < c->t->nr_cpus; i++)
		if (c->nr_taken[i] && c->t->cpus[i].core == c->t->cpus[cpu].core &&
		    c->t->cpus[i].node == c->t->cpus[cpu].node)
			return true;
	return false;
}

/*
 * Is CPU a a better one to take next than b? First one that is free, then one close to the memory,
 * then one with its core to itself, then one that nothing else runs on; CPU 0 last, as it has the
 * most to do for the host.
 */
static bool better(const struct choice *c, unsigned a, unsigned b)
{
	const struct rwy_place_cpu *x = &c->t->cpus[a], *y = &c->t->cpus[b];
	const unsigned keys[][2] = {
		{c->nr_taken[a], c->nr_taken[b]},
		{distance(c->t, x->node, c->memory), distance(c->t, y->node, c->memory)},
		{core_taken(c, a), core_taken(c, b)},
		{!x->isolated, !y->isolated},
		{x->id == 0, y->id == 0},
		{x->id, y->id},
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(keys); i++)
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1];
	return false;
}

static unsigned take(struct choice *c)
{
	unsigned best = 0;

	for (unsigned i = 1; i < c->t->nr_cpus; i++)
		if (better(c, i, best))
			best = i;
	c->nr_taken[best]++;
	c->cost += distance(c->t, c->t->cpus[best].node, c->memory);
	return best;
}

/* All of it, were the memory on this node. */
static void choose_around(struct choice *c, const struct rwy_place_topology *t,
			  const struct rwy_place_wish *wish, unsigned memory)
{
	*c = (struct choice){.t = t, .wish = wish, .memory = memory};
	/* reactors never rest: they choose first */
	for (unsigned i = 0; i < wish->nr_reactors; i++)
		c->reactors[i] = take(c);
	for (unsigned i = 0; i < wish->nr_vcpus; i++)
		c->vcpus[i] = take(c);
	for (unsigned i = 0; i < wish->nr_devices; i++) {
		int node = node_index(t, wish->devices[i].node);

		if (node >= 0)
			c->cost += DEVICE_WEIGHT * distance(t, (unsigned)node, memory);
	}
}

/* ---- saying it ---- */

static void say(struct rwy_place *place, const char *fmt, ...) RWY_PRINTF(2, 3);
static void say(struct rwy_place *place, const char *fmt, ...)
{
	size_t used = strlen(place->text);
	va_list args;

	if (used > 0)
		used += (size_t)snprintf(place->text + used, RWY_PLACE_TEXT - used, "\n");
	if (used >= RWY_PLACE_TEXT)
		return;
	va_start(args, fmt);
	vsnprintf(place->text + used, RWY_PLACE_TEXT - used, fmt, args);
	va_end(args);
}

static double gib(uint64_t bytes)
{
	return (double)bytes / (1 << 30);
}

static void say_thread(const struct choice *c, struct rwy_place *place, const char *name,
		       unsigned number, unsigned cpu)
{
	const struct rwy_place_cpu *at = &c->t->cpus[cpu];
	bool shares = false;

	for (unsigned i = 0; i < c->t->nr_cpus; i++)
		shares |= i != cpu && c->nr_taken[i] && c->t->cpus[i].core == at->core &&
			  c->t->cpus[i].node == at->node;
	say(place, "%s %u: CPU %u, node %u%s%s%s", name, number, at->id, c->t->nodes[at->node].id,
	    at->isolated ? ", isolated" : "",
	    shares ? ", shares its core: there is no whole one left" : "",
	    c->nr_taken[cpu] > 1 ? ", shares the CPU: there are too few" : "");
}

static void say_thread_hop(const struct choice *c, struct rwy_place *place, const char *name,
			   unsigned number, unsigned cpu)
{
	unsigned node = c->t->cpus[cpu].node;

	if (node == c->memory)
		return;
	place->nr_hops++;
	say(place,
	    "hop: %s %u on node %u, guest memory on node %u (distance %u): node %u has no CPU left",
	    name, number, c->t->nodes[node].id, c->t->nodes[c->memory].id,
	    distance(c->t, node, c->memory), c->t->nodes[c->memory].id);
}

static void say_device_hop(const struct choice *c, struct rwy_place *place,
			   const struct rwy_place_device *device)
{
	const struct rwy_place_node *memory = &c->t->nodes[c->memory];
	enum rwy_place_pages pages = c->wish->pages;
	int node = node_index(c->t, device->node);
	const struct rwy_place_node *at;

	if (node < 0 || (unsigned)node == c->memory)
		return;
	at = &c->t->nodes[node];
	place->nr_hops++;
	if (at->free[pages] < c->wish->memory)
		say(place,
		    "hop: device %s on node %u, guest memory on node %u (distance %u): node %u has "
		    "%.1f GiB free in %s, the guest needs %.1f GiB",
		    device->name, at->id, memory->id, distance(c->t, (unsigned)node, c->memory),
		    at->id, gib(at->free[pages]), pages_names[pages], gib(c->wish->memory));
	else
		say(place,
		    "hop: device %s on node %u, guest memory on node %u (distance %u): node %u is "
		    "nearer to all else together",
		    device->name, at->id, memory->id, distance(c->t, (unsigned)node, c->memory),
		    memory->id);
}

static void tell(const struct choice *c, struct rwy_place *place)
{
	const struct rwy_place_node *memory = &c->t->nodes[c->memory];
	const struct rwy_place_wish *wish = c->wish;

	say(place, "guest memory: node %u, %.1f GiB in %s (%.1f GiB free there)", memory->id,
	    gib(wish->memory), pages_names[wish->pages], gib(memory->free[wish->pages]));
	for (unsigned i = 0; i < wish->nr_vcpus; i++)
		say_thread(c, place, "vCPU", i, c->vcpus[i]);
	for (unsigned i = 0; i < wish->nr_reactors; i++)
		say_thread(c, place, "reactor", i, c->reactors[i]);
	for (unsigned i = 0; i < wish->nr_devices; i++) {
		const struct rwy_place_device *device = &wish->devices[i];

		if (node_index(c->t, device->node) < 0)
			say(place, "device %s: its node is not known", device->name);
		else
			say(place, "device %s: node %d", device->name, device->node);
	}
	for (unsigned i = 0; i < wish->nr_devices; i++)
		say_device_hop(c, place, &wish->devices[i]);
	for (unsigned i = 0; i < wish->nr_vcpus; i++)
		say_thread_hop(c, place, "vCPU", i, c->vcpus[i]);
	for (unsigned i = 0; i < wish->nr_reactors; i++)
		say_thread_hop(c, place, "reactor", i, c->reactors[i]);
	if (place->nr_hops == 0)
		say(place, "no hop between nodes");
}

int rwy_place_choose(const struct rwy_place_topology *topology, const struct rwy_place_wish *wish,
		     struct rwy_place *place)
{
	struct choice best = {0}, c;
	bool found = false;

	memset(place, 0, sizeof(*place));
	if (wish->nr_vcpus > RWY_PLACE_THREADS || wish->nr_reactors > RWY_PLACE_THREADS ||
	    wish->nr_devices > RWY_PLACE_DEVICES || topology->nr_cpus == 0) {
		say(place, "more than %d vCPUs or reactors, or no CPU to put them on",
		    RWY_PLACE_THREADS);
		return -EINVAL;
	}
	for (unsigned i = 0; i < topology->nr_nodes; i++) {
		if (topology->nodes[i].free[wish->pages] < wish->memory)
			continue;
		choose_around(&c, topology, wish, i);
		if (!found || c.cost < best.cost)
			best = c;
		found = true;
	}
	if (!found) {
		say(place, "no node has %.1f GiB free in %s", gib(wish->memory),
		    pages_names[wish->pages]);
		for (unsigned i = 0; i < topology->nr_nodes; i++)
			say(place, "node %u has %.1f GiB", topology->nodes[i].id,
			    gib(topology->nodes[i].free[wish->pages]));
		return -ENOMEM;
	}
	place->memory_node = topology->nodes[best.memory].id;
	for (unsigned i = 0; i < wish->nr_vcpus; i++)
		place->vcpus[i] = topology->cpus[best.vcpus[i]].id;
	for (unsigned i = 0; i < wish->nr_reactors; i++)
		place->reactors[i] = topology->cpus[best.reactors[i]].id;
	tell(&best, place);
	return 0;
}

void rwy_place_list(const unsigned *cpus, unsigned nr, char *text, size_t len)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < nr && used < len; i++)
		used += (size_t)snprintf(text + used, len - used, "%s%u", i ? "," : "", cpus[i]);
}
