/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ringway-perf ring: cycles per chain of the device side (pop, push, publish), by ring format,
 * layout and event index, with the driver side on the same thread and on another.
 *
 * Each burst that found something is timed; shown are the median and the 10th percentile over the
 * bursts, so that one that was interrupted does not count. With one thread the ring's lines stay in
 * one cache and the figure is the instructions' cost; with two the lines move as well.
 */
#include "lib/fd.h"
#include "lib/opt.h"
#include "lib/shm.h"
#include "lib/vq.h"
#include "lib/vqd.h"
#include "perf/perf.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#define UVA	  UINT64_C(0x100000000)
#define BUF_LEN	  2048u
#define TABLE_LEN 64u
#define AREA	  (1u << 20)
/* Cycles per chain of a burst, counted in quarters. */
#define STEPS	4u
#define BUCKETS 8192u

struct options {
	uint64_t count; /* chains per case */
	uint64_t size;
	uint64_t burst;
	bool touch; /* the device reads the first line of each buffer */
	const char *only;
};

struct bench {
	const struct options *opts;
	bool packed;
	bool indirect;
	bool event_idx;
	bool in_order;
	bool rx; /* buffers are for the device to write */
	bool two;
	struct rwy_shm shm;
	struct rwy_mem mem;
	struct rwy_vqd drv;
	struct rwy_vq dev;
	struct rwy_stats_vq stats;
	uint64_t added; /* by the driver */
	uint64_t sum;	/* keeps the reads of `touch` */
	uint64_t bursts;
	uint64_t buckets[BUCKETS];
};

/* Memory: three ring areas of 1 MiB, then indirect tables, then buffers. */
static uint64_t table_at(uint64_t i)
{
	return 3 * AREA + i * TABLE_LEN;
}

static uint64_t buf_at(const struct bench *b, uint64_t i)
{
	return RWY_ALIGN_UP(table_at(b->opts->size), AREA) + i * BUF_LEN;
}

static int bench_open(struct bench *b)
{
	const struct rwy_shm_opts shm_opts = {.node = -1, .prealloc = true};
	struct rwy_vqd_config dc = {
		.size = (uint16_t)b->opts->size,
		.packed = b->packed,
		.event_idx = b->event_idx,
		.indirect = b->indirect,
		.in_order = b->in_order,
	};
	int err = rwy_shm_open(&b->shm, "perf_ring", buf_at(b, b->opts->size), &shm_opts);

	if (err)
		return err;
	dc.desc = b->shm.addr;
	dc.driver = b->shm.addr + AREA;
	dc.device = b->shm.addr + 2 * AREA;
	const struct rwy_vq_config vc = {
		.mem = &b->mem,
		.size = dc.size,
		.packed = b->packed,
		.event_idx = b->event_idx,
		.indirect = b->indirect,
		.in_order = b->in_order,
		.desc = {UVA},
		.driver = {UVA + AREA},
		.device = {UVA + 2 * AREA},
		.base = b->packed ? 0x80008000 : 0,
	};
	const struct rwy_mem_region region = {.uva = {UVA},
					      .size = b->shm.size,
					      .hva = b->shm.addr,
					      .fd = -1};
	rwy_mem_init(&b->mem);
	err = rwy_mem_add(&b->mem, &region);
	if (err)
		goto close_shm;
	err = rwy_vqd_open(&b->drv, &dc);
	if (err)
		goto close_shm;
	rwy_vq_init(&b->dev);
	b->dev.stats = &b->stats;
	b->dev.call_fd = rwy_fd_event();
	err = rwy_vq_start(&b->dev, &vc);
	if (err)
		goto close_drv;
	rwy_vqd_disarm(&b->drv);
	rwy_vq_disarm(&b->dev);
	return 0;

close_drv:
	rwy_fd_close(&b->dev.call_fd);
	rwy_vqd_close(&b->drv);
close_shm:
	rwy_shm_close(&b->shm);
	return err;
}

static void bench_close(struct bench *b)
{
	rwy_vq_stop(&b->dev);
	rwy_fd_close(&b->dev.call_fd);
	rwy_vqd_close(&b->drv);
	rwy_shm_close(&b->shm);
}

/* One burst of the driver: takes back what was used, adds as many as there is room for. */
static int drive(struct bench *b)
{
	const unsigned nr_out = b->rx ? 0 : 1;
	void *cookie;
	uint32_t len;
	int got;

	while ((got = rwy_vqd_get(&b->drv, &cookie, &len)) > 0)
		;
	for (unsigned i = 0; got == 0 && i < b->opts->burst && b->added < b->opts->count; i++) {
		const uint64_t slot = b->added % b->opts->size;
		const struct rwy_vqd_buf buf = {{buf_at(b, slot)}, 64};
		const rwy_gpa table = {table_at(slot)};

		got = b->indirect ? rwy_vqd_add_indirect(&b->drv, &buf, nr_out, 1 - nr_out,
							 (void *)(b->shm.addr + table.v), table, b)
				  : rwy_vqd_add(&b->drv, &buf, nr_out, 1 - nr_out, b);
		b->added += got == 0;
	}
	rwy_vqd_publish(&b->drv);
	return got == -ENOSPC ? 0 : got;
}

/* One burst of the device, timed if it finds something. */
static void serve(struct bench *b)
{
	struct rwy_chain chains[RWY_VQ_BURST];
	struct iovec iov[RWY_VQ_BURST];
	const uint64_t before = __rdtsc();
	const unsigned n = rwy_vq_pop(&b->dev, chains, RWY_MIN(b->opts->burst, RWY_VQ_BURST), iov,
				      RWY_VQ_BURST);

	if (n == 0)
		return;
	for (unsigned i = 0; i < n; i++) {
		if (b->opts->touch)
			b->sum += *(uint64_t *)chains[i].iov->iov_base;
		chains[i].written = chains[i].in_len;
	}
	rwy_vq_push(&b->dev, chains, n);
	rwy_vq_publish(&b->dev);
	uint64_t quarters = (__rdtsc() - before) * STEPS / n;
	b->buckets[RWY_MIN(quarters, BUCKETS - 1)]++;
	b->bursts++;
}

static void pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* On a machine with one CPU both threads share it, and the figure says so by its size. */
	sched_setaffinity(0, sizeof(set), &set);
}

static void *device_thread(void *arg)
{
	struct bench *b = arg;

	pin(1);
	while (b->stats.pushes < b->opts->count && !b->dev.broken)
		serve(b);
	return NULL;
}

static int run(struct bench *b)
{
	pthread_t thread;
	int err = 0;

	if (b->two && pthread_create(&thread, NULL, device_thread, b))
		return -EAGAIN;
	pin(0);
	while (err == 0 && b->added < b->opts->count) {
		const uint64_t added = b->added;

		err = drive(b);
		if (!b->two)
			serve(b);
		else if (b->added == added)
			sched_yield(); /* full: on a busy machine the device may need our CPU */
	}
	if (b->two)
		pthread_join(thread, NULL);
	return err ? err : b->dev.broken ? -EPROTO : 0;
}

static double quantile(const struct bench *b, double q)
{
	uint64_t left = (uint64_t)(q * (double)b->bursts);
	unsigned i = 0;

	while (i < BUCKETS - 1 && left >= b->buckets[i])
		left -= b->buckets[i++];
	return (double)i / STEPS;
}

static int measure(struct bench *b)
{
	char name[160];

	snprintf(name, sizeof(name),
		 "ring=%s layout=%s dir=%s event_idx=%d in_order=%d threads=%d size=%lu burst=%lu "
		 "touch=%d",
		 b->packed ? "packed" : "split", b->indirect ? "indirect" : "direct",
		 b->rx ? "rx" : "tx", b->event_idx, b->in_order, b->two ? 2 : 1, b->opts->size,
		 b->opts->burst, b->opts->touch);
	if (b->opts->only && !strstr(name, b->opts->only))
		return 0;
	int err = bench_open(b);
	if (err)
		return err;
	err = run(b);
	if (!err)
		printf("%s cycles_per_chain=%.1f p10=%.1f chains_per_burst=%.1f\n", name,
		       quantile(b, 0.5), quantile(b, 0.1),
		       (double)b->stats.chains / (double)b->bursts);
	fflush(stdout);
	bench_close(b);
	return err;
}

static int set_count(void *ctx, char *value, struct rwy_opt_why *why)
{
	return rwy_opt_size(value, 1, UINT64_C(1) << 40, &((struct options *)ctx)->count, why);
}

static int set_only(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct options *)ctx)->only = value;
	return 0;
}

static int set_size(void *ctx, char *value, struct rwy_opt_why *why)
{
	uint64_t *size = &((struct options *)ctx)->size;
	int err = rwy_opt_uint(value, 1, RWY_VQ_SIZE_MAX, size, why);

	return err || RWY_IS_POW2(*size) ? err : rwy_opt_fail(why, "not a power of two");
}

static int set_burst(void *ctx, char *value, struct rwy_opt_why *why)
{
	return rwy_opt_uint(value, 1, RWY_VQ_BURST, &((struct options *)ctx)->burst, why);
}

static int set_touch(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct options *)ctx)->touch = true;
	return 0;
}

int rwy_perf_ring_main(int argc, char **argv)
{
	struct options opts = {.count = 2000000, .size = 256, .burst = RWY_VQ_BURST};
	const struct rwy_opt options[] = {
		{"count", "N", "chains per case", set_count},
		{"only", "TEXT", "cases whose line contains this", set_only},
		{"size", "N", "ring size", set_size},
		{"burst", "N", "chains per burst", set_burst},
		{"touch", NULL, "the device reads the first line of each buffer", set_touch},
	};
	const struct rwy_opt_program program = {
		.name = "ringway-perf ring",
		.usage = "[option...]",
		.summary = "Cycles per chain of the device side of a virtqueue.",
		.opts = options,
		.nr = RWY_ARRAY_SIZE(options),
		.ctx = &opts,
	};
	int status;

	if (!rwy_opt_parse(&program, argc, argv, stdout, stderr, &status))
		return status;
	for (unsigned bits = 0; bits < 64; bits++) {
		if (bits & 8 && bits & (2 | 16))
			continue; /* indirect: order and direction are told by the direct cases */
		struct bench *b = calloc(1, sizeof(*b));
		int err = -ENOMEM;

		if (b) {
			b->opts = &opts;
			b->two = bits & 1;
			b->in_order = bits & 2;
			b->event_idx = bits & 4;
			b->indirect = bits & 8;
			b->rx = bits & 16;
			b->packed = bits & 32;
			err = measure(b);
			free(b);
		}
		if (err) {
			fprintf(stderr, "ringway-perf ring: %s\n", strerror(-err));
			return 1;
		}
	}
	return 0;
}
