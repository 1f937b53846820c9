/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/perf/fake_result.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS	7
#define OPS	20000 /* timed a round */
#define HOSTILE "<script>alert(1)</script>\"'&`@0@=cmd()"

/* The truth about a path: figures scatter around these. */
struct truth {
	const char *name, *vmm, *backend;
	double rate, median_ns, tail; /* tail: deviation of the logarithm */
	double cpus, exits, kicks, irqs, cycles, mib, setup;
};

static const struct truth net[] = {
	{"virtio packed, polled", "ringway-vmm", "ringway-net", 7.1e6, 9.5e3, 0.22, 2.02, 2e-5, 0,
	 1e-5, 310, 6.2, 0.41},
	{"virtio split, polled", "ringway-vmm", "ringway-net", 6.2e6, 10.1e3, 0.24, 2.02, 2e-5, 0,
	 1e-5, 365, 6.1, 0.40},
	{"virtio packed, polled (QEMU)", "QEMU 10.0.2", "ringway-net", 7.07e6, 9.7e3, 0.25, 2.03,
	 3e-5, 0, 1e-5, 312, 61, 0.93},
	{"virtio packed, interrupts", "ringway-vmm", "ringway-net", 2.9e6, 31e3, 0.5, 1.31, 0.041,
	 0.012, 0.021, 420, 6.2, 0.40},
	{"tap", "ringway-vmm", "ringway-net", 0.82e6, 48e3, 0.55, 1.74, 0.06, 0.02, 0.03, 2100, 6.0,
	 0.44},
	{"testpmd net_vhost", "ringway-vmm", "dpdk-testpmd 22.11", 6.4e6, 9.9e3, 0.23, 2.02, 2e-5,
	 0, 1e-5, 0, 260, 1.8},
	{"SR-IOV VF", "ringway-vmm", "vfio-pci", 9.6e6, 7.2e3, 0.3, 1.04, 4e-4, 0, 3e-4, 0, 5.1,
	 0.36},
};

static const struct truth blk[] = {
	{"ringway-blk, polled", "ringway-vmm", "ringway-blk", 412e3, 71e3, 0.25, 1.93, 1e-4, 0,
	 0.02, 3900, 7.0, 0.42},
	{"ringway-blk, interrupts", "ringway-vmm", "ringway-blk", 255e3, 118e3, 0.35, 1.42, 0.9,
	 0.4, 0.5, 5200, 7.0, 0.42},
	{"qemu-storage-daemon", "QEMU 10.0.2", "qemu-storage-daemon", 238e3, 129e3, 0.4, 1.71, 1.1,
	 0.6, 0.6, 0, 92, 1.1},
	{"NVMe VF", "ringway-vmm", "vfio-pci", 411e3, 69e3, 0.2, 0.71, 0.11, 0, 0.1, 0, 5.2, 0.5},
};

static double uniform(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((double)(*seed >> 11) + 0.5) / (double)(UINT64_C(1) << 53);
}

static double bell(uint64_t *seed)
{
	return sqrt(-2 * log(uniform(seed))) * cos(2 * M_PI * uniform(seed));
}

static double near(uint64_t *seed, double value, double noise)
{
	return value * exp(noise * bell(seed));
}

static int set(struct rwy_result_round *round, enum rwy_result_metric metric, const char *of,
	       double value)
{
	return value > 0 ? rwy_result_set(round, metric, of, value) : 0;
}

static int fill_round(struct rwy_result_round *round, const struct truth *t,
		      enum rwy_result_kind kind, uint64_t *seed)
{
	const char *vmm = strncmp(t->vmm, "QEMU", 4) ? "ringway-vmm" : "qemu-system-x86_64";
	double rate = near(seed, t->rate, 0.015);
	int err = set(round, rwy_result_rate(kind), NULL, rate);

	err |= set(round, RWY_RESULT_BPS, NULL, rate * (kind == RWY_RESULT_NET ? 512 : 32768));
	if (kind == RWY_RESULT_NET)
		err |= rwy_result_set(round, RWY_RESULT_LOSS, NULL, 0);
	err |= set(round, RWY_RESULT_EXITS, NULL, near(seed, t->exits, 0.1));
	err |= set(round, RWY_RESULT_EXITS_BY, "HLT", t->exits * 0.6);
	err |= set(round, RWY_RESULT_EXITS_BY, "EPT_MISCONFIG", t->exits * 0.3);
	err |= set(round, RWY_RESULT_EXITS_BY, "EXTERNAL_INTERRUPT", t->exits * 0.1);
	err |= rwy_result_set(round, RWY_RESULT_KICKS, NULL, t->kicks);
	err |= set(round, RWY_RESULT_IRQS, NULL, t->irqs);
	err |= set(round, RWY_RESULT_IRQS_BY, "posted", t->irqs);
	err |= set(round, RWY_RESULT_CYCLES, NULL, near(seed, t->cycles, 0.01));
	err |= set(round, RWY_RESULT_CPU_HOST, NULL, near(seed, t->cpus, 0.005));
	err |= set(round, RWY_RESULT_CPU_PROC, vmm, 1.01);
	err |= set(round, RWY_RESULT_CPU_PROC, t->backend, t->cpus - 1.01);
	err |= set(round, RWY_RESULT_CPU_CORE, "2", 1);
	err |= set(round, RWY_RESULT_CPU_CORE, "3", t->cpus > 1 ? t->cpus - 1 : 0);
	err |= set(round, RWY_RESULT_CPU_GUEST, NULL, 1);
	err |= set(round, RWY_RESULT_MEMORY, NULL, near(seed, t->mib, 0.01) * (1 << 20));
	err |= set(round, RWY_RESULT_SETUP, NULL, near(seed, t->setup, 0.05));
	for (unsigned i = 0; i < OPS; i++) {
		double ns = near(seed, t->median_ns, t->tail);

		/* one in a thousand meets something else */
		if (uniform(seed) < 0.001)
			ns *= 5 + 10 * uniform(seed);
		rwy_stats_hist_add(&round->latency, (uint64_t)ns);
	}
	return err;
}

static int fill_path(struct rwy_result *result, enum rwy_result_kind kind, const struct truth *t,
		     unsigned rounds, uint64_t *seed)
{
	const char *workload = kind == RWY_RESULT_NET ? "64 B packets, forwarded by the guest"
						      : "random reads of 4 KiB, 32 at a time";
	struct rwy_result_path *path = rwy_result_add_path(result, kind, t->name, workload);
	int err = path ? 0 : -ENOMEM;

	if (err)
		return err;
	snprintf(path->vmm, sizeof(path->vmm), "%s", t->vmm);
	snprintf(path->backend, sizeof(path->backend), "%s", t->backend);
	snprintf(path->commands, sizeof(path->commands),
		 "%s --invented --port vhost-user,socket=/tmp/x\n%s --invented --cpus 2,pin=2,3 "
		 "--memory 1G,node=0 --net socket=/tmp/x --kernel vmlinuz --initrd guest.cpio",
		 t->backend, t->vmm);
	if (t->cycles <= 0)
		err = rwy_result_gap(path, RWY_RESULT_CYCLES, "<it> tells nobody");
	for (unsigned i = 0; i < rounds && !err; i++) {
		struct rwy_result_round *round = rwy_result_add_round(path, i);

		err = round ? fill_round(round, t, kind, seed) : -ENOMEM;
	}
	return err;
}

static int add_unmeasured(struct rwy_result *result)
{
	struct rwy_result_path *path = rwy_result_add_path(result, RWY_RESULT_NET, "OVS-DPDK",
							   "64 B packets, forwarded by the guest");

	if (!path)
		return -ENOMEM;
	path->status = RWY_RESULT_MISSING;
	strcpy(path->reason,
	       "ovs-vswitchd is not installed (Debian: package openvswitch-switch-dpdk)");
	path = rwy_result_add_path(result, RWY_RESULT_BLK, "SPDK vhost-user-blk",
				   "random reads of 4 KiB, 32 at a time");
	if (!path)
		return -ENOMEM;
	path->status = RWY_RESULT_FAILED;
	strcpy(path->reason, "starting the back-end: it ended with status 1\n"
			     "  No huge pages of 2 MiB are left: 512 are needed");
	strcpy(path->commands, "vhost --invented -S /tmp/x");
	return 0;
}

static int make_hostile(struct rwy_result *result, uint64_t *seed)
{
	struct rwy_result_path *path;
	struct truth t = net[0];
	int err;

	t.name = HOSTILE;
	t.vmm = t.backend = HOSTILE;
	err = fill_path(result, RWY_RESULT_NET, &t, ROUNDS, seed);
	t = net[1];
	t.name = "@1@ @0@ %s %n ü\xe2\x82\xac `date` $(date) \\";
	t.vmm = t.backend = "=1+1";
	err |= fill_path(result, RWY_RESULT_NET, &t, ROUNDS, seed);
	if (err)
		return err;
	path = rwy_result_add_path(result, RWY_RESULT_NET, "</title></style><b>", HOSTILE);
	if (!path)
		return -ENOMEM;
	path->status = RWY_RESULT_FAILED;
	strcpy(path->reason, HOSTILE "\x01\x1b[31m\n" HOSTILE);
	strcpy(path->commands, HOSTILE);
	strcpy(result->host_name, "<img src=x onerror=alert(2)>");
	strcpy(result->ended, HOSTILE);
	strcpy(result->placement, HOSTILE);
	return rwy_facts_add(&result->facts, "<i>fact", "%s", HOSTILE);
}

static int make_crowd(struct rwy_result *result, uint64_t *seed)
{
	int err = 0;

	for (unsigned i = 0; i < 19 && !err; i++) {
		struct truth t = net[i % RWY_ARRAY_SIZE(net)];
		char name[64];

		snprintf(name, sizeof(name), "%s, a variant with a long name, %u queues", t.name,
			 i + 1);
		t.name = name;
		t.rate *= 1 + i / 20.0;
		t.median_ns *= 1 + i / 10.0;
		err = fill_path(result, RWY_RESULT_NET, &t, ROUNDS, seed);
	}
	return err;
}

static int make_whole(struct rwy_result *result, unsigned rounds, double gain, uint64_t *seed)
{
	int err = 0;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(net) && !err; i++) {
		struct truth t = net[i];

		t.rate *= gain;
		err = fill_path(result, RWY_RESULT_NET, &t, rounds, seed);
	}
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(blk) && !err; i++)
		err = fill_path(result, RWY_RESULT_BLK, &blk[i], rounds, seed);
	return err ? err : add_unmeasured(result);
}

int fake_result_make(struct rwy_result *result, const char *shape)
{
	uint64_t seed = 1;
	int err = rwy_result_init(result, ROUNDS);

	if (err)
		return err;
	result->started = 1767268800; /* 2026-01-01 12:00 */
	result->seconds = 754;
	strcpy(result->version, "0.0-invented");
	strcpy(result->host_name, "invented-host");
	rwy_facts_add(&result->facts, "CPU", "Invented CPU of a test, 3 GHz");
	rwy_facts_add(&result->facts, "kernel", "6.1.0-invented");
	rwy_facts_add(&result->facts, "NUMA", "node 0: CPUs 0-7; node 1: CPUs 8-15");
	rwy_facts_add(&result->facts, "mitigations", "mitigated: spectre_v1; not affected by 12");
	strcpy(result->placement, "guest memory: node 0, 1.0 GiB in pages of 2 MiB\n"
				  "vCPU 0: CPU 2, node 0\nreactor 0: CPU 3, node 0\n"
				  "no hop between nodes");
	if (!strcmp(shape, "whole")) {
		err = make_whole(result, ROUNDS, 1, &seed);
	} else if (!strcmp(shape, "later")) {
		seed = 2;
		result->started += 86400 * 30;
		strcpy(result->facts.facts[1].value, "6.12.0-invented");
		err = make_whole(result, ROUNDS, 1.12, &seed);
		result->paths[2].status = RWY_RESULT_FAILED;
	} else if (!strcmp(shape, "few")) {
		result->emulated = true;
		strcpy(result->ended, "interrupted in round 4 of 7");
		err = make_whole(result, 3, 1, &seed);
	} else if (!strcmp(shape, "hostile")) {
		err = make_hostile(result, &seed);
	} else if (!strcmp(shape, "crowd")) {
		err = make_crowd(result, &seed);
	} else if (strcmp(shape, "empty")) {
		err = -EINVAL;
	}
	if (err)
		rwy_result_fini(result);
	return err;
}
