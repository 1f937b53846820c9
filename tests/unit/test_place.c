/* SPDX-License-Identifier: BSD-3-Clause */
/* Machines of several shapes, and where a guest is put on them. */
#include "tests/unit/fake_root.h"

#include "perf/place.h"

#define GIB (UINT64_C(1) << 30)

/* nodes sockets of cores each, threads per core; CPU numbers as on most servers: siblings last. */
static void shape(struct rwy_place_topology *t, unsigned nodes, unsigned cores, unsigned threads)
{
	memset(t, 0, sizeof(*t));
	t->nr_nodes = nodes;
	for (unsigned a = 0; a < nodes; a++) {
		t->nodes[a].id = a;
		for (unsigned b = 0; b < nodes; b++)
			t->distances[a][b] = a == b ? 10 : 21;
		for (unsigned p = 0; p < RWY_PLACE_PAGES; p++)
			t->nodes[a].free[p] = 16 * GIB;
	}
	for (unsigned thread = 0; thread < threads; thread++)
		for (unsigned node = 0; node < nodes; node++)
			for (unsigned core = 0; core < cores; core++)
				t->cpus[t->nr_cpus++] = (struct rwy_place_cpu){
					.id = (thread * nodes + node) * cores + core,
					.node = node,
					.core = node * cores + core,
				};
}

static struct rwy_place_wish wish(unsigned vcpus, unsigned reactors, int device_node)
{
	return (struct rwy_place_wish){
		.memory = 2 * GIB,
		.pages = RWY_PLACE_2M,
		.nr_vcpus = vcpus,
		.nr_reactors = reactors,
		.nr_devices = 1,
		.devices = {{"0000:81:10.0", device_node}},
	};
}

static void says(const struct rwy_place *place, const char *text)
{
	if (!strstr(place->text, text))
		fail_msg("not said: '%s' in\n%s", text, place->text);
}

static void says_not(const struct rwy_place *place, const char *text)
{
	if (strstr(place->text, text))
		fail_msg("said: '%s' in\n%s", text, place->text);
}

static void two_cpus(void **state)
{
	(void)state;
	struct rwy_place_topology t;
	struct rwy_place_wish w = wish(1, 1, -1);
	struct rwy_place place;

	shape(&t, 1, 2, 1);
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	assert_int_equal(place.memory_node, 0);
	assert_int_equal(place.vcpus[0], 0); /* the host's own work hurts a reactor more */
	assert_int_equal(place.reactors[0], 1);
	assert_int_equal(place.nr_hops, 0);
	says(&place, "no hop");
	says(&place, "its node is not known");
	says(&place, "vCPU 0: CPU 0, node 0");
	says_not(&place, "shares");
	w.nr_vcpus = 2;
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	says(&place, "shares the CPU: there are too few");
}

static void all_on_the_node_of_the_device(void **state)
{
	(void)state;
	struct rwy_place_topology t;
	struct rwy_place_wish w = wish(4, 2, 1);
	struct rwy_place place;

	shape(&t, 2, 8, 1);
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	assert_int_equal(place.memory_node, 1);
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(place.vcpus[i], 8, 15);
	for (unsigned i = 0; i < 2; i++)
		assert_in_range(place.reactors[i], 8, 15);
	assert_int_equal(place.nr_hops, 0);
	says(&place, "device 0000:81:10.0: node 1");
}

static void the_node_of_the_device_is_short_of_memory(void **state)
{
	(void)state;
	struct rwy_place_topology t;
	struct rwy_place_wish w = wish(2, 1, 1);
	struct rwy_place place;

	shape(&t, 2, 8, 1);
	t.nodes[1].free[RWY_PLACE_2M] = GIB;
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	assert_int_equal(place.memory_node, 0);
	for (unsigned i = 0; i < 2; i++)
		assert_in_range(place.vcpus[i], 0, 7); /* with the memory, not with the device */
	assert_int_equal(place.nr_hops, 1);
	says(&place, "hop: device 0000:81:10.0 on node 1, guest memory on node 0 (distance 21): "
		     "node 1 has 1.0 GiB free in pages of 2 MiB, the guest needs 2.0 GiB");
	w.pages = RWY_PLACE_4K; /* of which there are enough */
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	assert_int_equal(place.memory_node, 1);
}

static void the_node_of_the_device_is_short_of_cpus(void **state)
{
	(void)state;
	struct rwy_place_topology t;
	struct rwy_place_wish w = wish(3, 1, 1);
	struct rwy_place place;

	shape(&t, 2, 2, 1);
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	assert_int_equal(place.memory_node, 1);
	assert_int_equal(place.reactors[0], 2); /* reactors stay near */
	assert_int_equal(place.nr_hops, 2);
	says(&place, "hop: vCPU 1 on node 0, guest memory on node 1 (distance 21): node 1 has no "
		     "CPU left");
	/* where all the threads are elsewhere, it is the device that is alone */
	shape(&t, 2, 8, 1);
	for (unsigned i = 8; i < 16; i++)
		t.cpus[i].node = 0;
	w.nr_vcpus = 8;
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	assert_int_equal(place.memory_node, 0);
	assert_int_equal(place.nr_hops, 1);
	says(&place, "node 0 is nearer to all else together");
}

/* Sub-NUMA clusters: nodes 0 and 1 in one socket, 2 and 3 in the other. */
static void four_clusters(void **state)
{
	(void)state;
	struct rwy_place_topology t;
	struct rwy_place_wish w = wish(5, 1, 2);
	struct rwy_place place;

	shape(&t, 4, 4, 1);
	t.distances[0][1] = t.distances[1][0] = t.distances[2][3] = t.distances[3][2] = 12;
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	assert_int_equal(place.memory_node, 2);
	assert_int_equal(place.nr_hops, 2); /* six threads on four CPUs, the others next door */
	says(&place, "(distance 12)");
	says_not(&place, "(distance 21)");
	t.nodes[2].free[RWY_PLACE_2M] = 0;
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	assert_int_equal(place.memory_node, 3); /* the cluster next to it, not the other socket */
}

static void siblings_are_kept_apart(void **state)
{
	(void)state;
	struct rwy_place_topology t;
	struct rwy_place_wish w = wish(2, 1, -1);
	bool core[4] = {false};
	struct rwy_place place;

	shape(&t, 1, 4, 2); /* CPUs 0-3 and 4-7 */
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	for (unsigned i = 0; i < 3; i++) {
		unsigned cpu = i < 2 ? place.vcpus[i] : place.reactors[0];

		assert_false(core[cpu % 4]);
		core[cpu % 4] = true;
	}
	says_not(&place, "shares");
	w.nr_vcpus = 4;
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	says(&place, "shares its core: there is no whole one left");
	says_not(&place, "shares the CPU");
}

static void isolated_cpus_are_preferred(void **state)
{
	(void)state;
	struct rwy_place_topology t;
	struct rwy_place_wish w = wish(2, 1, -1);
	struct rwy_place place;

	shape(&t, 1, 8, 1);
	for (unsigned i = 5; i < 8; i++)
		t.cpus[i].isolated = true;
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	assert_int_equal(place.reactors[0], 5);
	assert_int_equal(place.vcpus[0], 6);
	assert_int_equal(place.vcpus[1], 7);
	says(&place, "reactor 0: CPU 5, node 0, isolated");
}

static void what_cannot_be(void **state)
{
	(void)state;
	struct rwy_place_topology t;
	struct rwy_place_wish w = wish(1, 1, -1);
	struct rwy_place place;

	shape(&t, 2, 2, 1);
	w.memory = 17 * GIB;
	assert_int_equal(rwy_place_choose(&t, &w, &place), -ENOMEM);
	says(&place, "no node has 17.0 GiB free in pages of 2 MiB\nnode 0 has 16.0 GiB\nnode 1");
	w = wish(RWY_PLACE_THREADS + 1, 1, -1);
	assert_int_equal(rwy_place_choose(&t, &w, &place), -EINVAL);
	w = wish(1, 1, -1);
	t.nr_cpus = 0;
	assert_int_equal(rwy_place_choose(&t, &w, &place), -EINVAL);
	/* as much text as there can be */
	shape(&t, 2, 1, 1);
	w = wish(RWY_PLACE_THREADS, RWY_PLACE_THREADS, 1);
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	assert_true(strlen(place.text) < RWY_PLACE_TEXT);
}

static void lists(void **state)
{
	(void)state;
	const unsigned cpus[] = {4, 16, 6};
	char text[16];

	rwy_place_list(cpus, 3, text, sizeof(text));
	assert_string_equal(text, "4,16,6");
	rwy_place_list(cpus, 0, text, sizeof(text));
	assert_string_equal(text, "");
	rwy_place_list(cpus, 3, text, 4);
	assert_string_equal(text, "4,1");
}

/* ---- reading ---- */

static void put(const char *root, const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "/sys/devices/system/%s", name);
	fake_root_write(root, path, text);
}

static void two_sockets_are_read(void **state)
{
	const char *root = *state;
	struct rwy_place_topology t;

	put(root, "cpu/online", "0-6\n");
	put(root, "cpu/isolated", "2,6\n");
	fake_root_write(root, "/proc/self/status",
			"Name:\tx\nCpus_allowed_list:\t0-1,3,5\nMems:\t0\n");
	put(root, "cpu/cpu5/topology/thread_siblings_list", "1,5\n");
	put(root, "node/node0/cpulist", "0,2,4\n");
	put(root, "node/node0/distance", "10 31 12\n");
	put(root, "node/node0/meminfo",
	    "Node 0 MemTotal:  9 kB\nNode 0 MemFree:  1000 kB\nNode 0 Inactive(file):  24 kB\n");
	put(root, "node/node2/cpulist", "1,3,5,6,7\n");
	put(root, "node/node2/distance", "31 10 12\n");
	put(root, "node/node2/hugepages/hugepages-2048kB/free_hugepages", "512\n");
	put(root, "node/node2/hugepages/hugepages-1048576kB/free_hugepages", "3\n");
	put(root, "node/node10/cpulist", "\n"); /* memory alone; its name sorts before node2 */
	put(root, "node/node10/distance", "12 12 10\n");
	put(root, "node/online", "0,2,10\n");
	assert_int_equal(rwy_place_read(root, &t), 0);
	assert_int_equal(t.nr_nodes, 3);
	assert_int_equal(t.nodes[0].id, 0);
	assert_int_equal(t.nodes[1].id, 2);
	assert_int_equal(t.nodes[2].id, 10);
	assert_int_equal(t.nodes[0].free[RWY_PLACE_4K], 1024 << 10);
	assert_int_equal(t.nodes[1].free[RWY_PLACE_2M], GIB);
	assert_int_equal(t.nodes[1].free[RWY_PLACE_1G], 3 * GIB);
	assert_int_equal(t.distances[0][1], 31);
	assert_int_equal(t.distances[1][2], 12);
	assert_int_equal(t.nr_cpus, 6); /* not 4, which is not ours; not 7, which is off */
	for (unsigned i = 0; i < t.nr_cpus; i++) {
		const struct rwy_place_cpu *cpu = &t.cpus[i];

		assert_int_equal(cpu->node, cpu->id == 0 || cpu->id == 2 ? 0 : 1);
		assert_int_equal(cpu->isolated, cpu->id == 2 || cpu->id == 6);
		assert_int_equal(cpu->core, cpu->id == 5 ? 1 : cpu->id);
	}
}

static void a_machine_without_nodes_is_read(void **state)
{
	struct rwy_place_topology t;

	assert_int_equal(rwy_place_read(*state, &t), -ENODEV);
	put(*state, "cpu/online", "0-1\n");
	fake_root_write(*state, "/proc/meminfo", "MemTotal: 9 kB\nMemAvailable:  2048 kB\n");
	assert_int_equal(rwy_place_read(*state, &t), 0);
	assert_int_equal(t.nr_nodes, 1);
	assert_int_equal(t.nr_cpus, 2);
	assert_int_equal(t.nodes[0].free[RWY_PLACE_4K], 2 << 20);
	assert_int_equal(t.distances[0][0], 10);
}

static void this_machine_is_read(void **state)
{
	(void)state;
	struct rwy_place_topology t;
	struct rwy_place_wish w = {.nr_vcpus = 1, .nr_reactors = 1};
	struct rwy_place place;

	assert_int_equal(rwy_place_read("", &t), 0);
	assert_int_equal(rwy_place_choose(&t, &w, &place), 0);
	assert_int_equal(rwy_numa_node_of_cpu(place.vcpus[0]), (int)place.memory_node);
}

static void nodes_of_devices(void **state)
{
	fake_root_write(*state, "/sys/bus/pci/devices/0000:01:00.0/numa_node", "1\n");
	fake_root_write(*state, "/sys/bus/pci/devices/0000:02:00.0/numa_node", "-1\n");
	assert_int_equal(rwy_place_device(*state, "0000:01:00.0"), 1);
	assert_int_equal(rwy_place_device(*state, "0000:02:00.0"), -1);
	assert_int_equal(rwy_place_device(*state, "0000:03:00.0"), -1);
}

#define ROOTED(test) cmocka_unit_test_setup_teardown(test, fake_root_open, fake_root_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_cpus),
		cmocka_unit_test(all_on_the_node_of_the_device),
		cmocka_unit_test(the_node_of_the_device_is_short_of_memory),
		cmocka_unit_test(the_node_of_the_device_is_short_of_cpus),
		cmocka_unit_test(four_clusters),
		cmocka_unit_test(siblings_are_kept_apart),
		cmocka_unit_test(isolated_cpus_are_preferred),
		cmocka_unit_test(what_cannot_be),
		cmocka_unit_test(lists),
		ROOTED(two_sockets_are_read),
		ROOTED(a_machine_without_nodes_is_read),
		cmocka_unit_test(this_machine_is_read),
		ROOTED(nodes_of_devices),
	};

	return UNIT_RUN(tests);
}
