/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/testpmd.h"

#include "lib/poll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROMPT	      "testpmd> "
#define START_MS      20000
#define COMMAND_MS    5000
#define MEMORY_MB     "256"
#define PAGES_A_PROC  128
#define PAGES_PATH    "/proc/sys/vm/nr_hugepages"
#define PAGES_FREE    "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
#define ARGS	      32
#define MBUFS_A_QUEUE 8192 /* both ports, both ways, a ring of each and as many on their way */

int rwy_testpmd_start(struct rwy_run *run, struct rwy_run_proc *proc,
		      const struct rwy_testpmd_config *config, char *command, size_t command_len)
{
	unsigned nr_queues = RWY_MAX(config->nr_queues, 1u);
	char lcores[32], prefix[64], rxq[24], txq[24], mbufs[40];
	/*
	 * Both of its threads, prompt and forwarding, on the one CPU. Without a single segment the
	 * memory does not fit the few file descriptors that virtio-user can pass on.
	 */
	const char *argv[ARGS] = {
		RWY_TESTPMD_PROGRAM,
		"--lcores",
		lcores,
		"--no-pci",
		"--in-memory",
		"--single-file-segments",
		"--iova-mode=va",
		"--force-max-simd-bitwidth=512",
		prefix,
		"-m",
		MEMORY_MB,
		"--vdev",
		config->vdevs[0],
		"--vdev",
		config->vdevs[1],
		"--",
		"-i",
		"--nb-cores=1",
		"--forward-mode=io",
		"--txd=1024",
		"--rxd=1024",
		rxq,
		txq,
		mbufs,
		NULL,
	};

	snprintf(lcores, sizeof(lcores), "0@%u,1@%u", config->cpu, config->cpu);
	snprintf(prefix, sizeof(prefix), "--file-prefix=%s", config->name);
	snprintf(rxq, sizeof(rxq), "--rxq=%u", nr_queues);
	snprintf(txq, sizeof(txq), "--txq=%u", nr_queues);
	snprintf(mbufs, sizeof(mbufs), "--total-num-mbufs=%u", MBUFS_A_QUEUE * (nr_queues + 1));
	if (command)
		rwy_run_command(argv, config->cpu, command, command_len);

	int err = rwy_run_start(run, proc, config->name, config->cpu, argv);

	return err < 0 ? err : rwy_run_expect(run, proc, 0, PROMPT, START_MS);
}

int rwy_testpmd_command(struct rwy_run *run, struct rwy_run_proc *proc, const char *line)
{
	uint64_t from = proc->written;
	int err = rwy_run_send(proc, line);

	return err < 0 ? err : rwy_run_expect(run, proc, from, PROMPT, COMMAND_MS);
}

static int number_after(const char **at, const char *label, uint64_t *value)
{
	const char *found = strstr(*at, label);
	char *end;

	if (!found)
		return -EPROTO;
	found += strlen(label);
	*value = strtoull(found, &end, 10);
	if (end == found)
		return -EPROTO;
	*at = end;
	return 0;
}

int rwy_testpmd_read(struct rwy_run *run, struct rwy_run_proc *proc,
		     struct rwy_testpmd_counters *counters)
{
	uint64_t from = proc->written, sent_ns = rwy_poll_now_ns();
	int err = rwy_testpmd_command(run, proc, "show port stats all");

	if (err < 0)
		return err;
	counters->at_ns = sent_ns + (rwy_poll_now_ns() - sent_ns) / 2;

	const char *at = rwy_run_output(proc, from);

	for (unsigned i = 0; i < RWY_TESTPMD_PORTS; i++) {
		uint64_t port;

		if (number_after(&at, "NIC statistics for port", &port) < 0 || port != i ||
		    number_after(&at, "RX-packets:", &counters->ports[i].rx_packets) < 0 ||
		    number_after(&at, "RX-bytes:", &counters->ports[i].rx_bytes) < 0 ||
		    number_after(&at, "TX-packets:", &counters->ports[i].tx_packets) < 0)
			return -EPROTO;
	}
	return 0;
}

int rwy_testpmd_busy(struct rwy_run *run, struct rwy_run_proc *proc, uint64_t *cycles)
{
	uint64_t from = proc->written;
	int err = rwy_testpmd_command(run, proc, "show fwd stats all");
	const char *at = rwy_run_output(proc, from);

	/* it says nothing of them before the first packet */
	if (err < 0 || number_after(&at, "total cycles=", cycles) < 0)
		*cycles = 0;
	return err;
}

/* ---- huge pages ---- */

static int number_read(const char *path, unsigned *value)
{
	FILE *file = fopen(path, "re");
	int n;

	if (!file)
		return -errno;
	n = fscanf(file, "%u", value);
	fclose(file);
	return n == 1 ? 0 : -EPROTO;
}

static int number_write(const char *path, unsigned value)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return -errno;
	fprintf(file, "%u\n", value);
	return fclose(file) == 0 ? 0 : -errno;
}

int rwy_testpmd_reserve(unsigned nr_procs, unsigned *added)
{
	unsigned want = nr_procs * PAGES_A_PROC, free_pages, total;
	int err = number_read(PAGES_FREE, &free_pages);

	*added = 0;
	if (err < 0 || free_pages >= want)
		goto out;
	err = number_read(PAGES_PATH, &total);
	if (err == 0)
		err = number_write(PAGES_PATH, total + want - free_pages);
	if (err < 0)
		goto out;
	*added = want - free_pages;
	fprintf(stderr, "ringway-perf: reserving %u huge pages of 2 MiB (%u were free) in %s\n",
		*added, free_pages, PAGES_PATH);
	err = number_read(PAGES_FREE, &free_pages);
	if (err == 0 && free_pages < want) {
		rwy_testpmd_release(*added);
		*added = 0;
		err = -ENOMEM;
	}
out:
	if (err < 0)
		fprintf(stderr,
			"ringway-perf: %u huge pages of 2 MiB are needed and cannot be had: %s; "
			"reserve them as root: echo %u >%s\n",
			want, strerror(-err), want, PAGES_PATH);
	return err;
}

void rwy_testpmd_release(unsigned added)
{
	unsigned total;

	if (added && number_read(PAGES_PATH, &total) == 0 && total >= added &&
	    number_write(PAGES_PATH, total - added) < 0)
		fprintf(stderr, "ringway-perf: %u huge pages stay reserved\n", added);
}
