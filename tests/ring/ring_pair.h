/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both sides of one virtqueue and the memory between them, for the ring tests.
 *
 * Guest memory is one allocation registered as many regions of odd sizes without gaps, so that
 * buffers and indirect tables cross borders all the time:
 *
 *	0       16 KiB each: descriptors, driver area, device area (one region each)
 *	TABLES  SLOTS indirect tables of TABLE_LEN
 *	DATA    SLOTS buffers of DATA_LEN
 */
#ifndef RWY_TESTS_RING_PAIR_H
#define RWY_TESTS_RING_PAIR_H

#include "lib/fd.h"
#include "lib/vq.h"
#include "lib/vqd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIR_UVA   UINT64_C(0x7f0000000000)
#define AREA_LEN   0x4000u
#define TABLES	   (3 * AREA_LEN)
#define SLOTS	   64u
#define TABLE_LEN  128u
#define DATA	   (TABLES + SLOTS * TABLE_LEN)
#define DATA_LEN   512u
#define MEMORY_LEN (DATA + SLOTS * DATA_LEN)
#define TABLE_STEP 1000u /* sizes of the small regions */
#define DATA_STEP  1300u
#define MAX_BUFS   6u
#define MAX_PIECES (2 * MAX_BUFS)

struct pair_config {
	uint16_t size;
	bool packed;
	bool event_idx;
	bool indirect;
	bool in_order;
};

struct pair {
	struct rwy_vqd drv;
	struct rwy_vq dev;
	struct rwy_vq_config config; /* of the device */
	struct rwy_stats_vq stats;
	struct rwy_mem mem;
	uint8_t *ram;
};

/* A generator that is the same everywhere, so that a seed is worth printing. */
struct rng {
	uint64_t state;
};

static inline uint32_t rng_next(struct rng *rng)
{
	rng->state = rng->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(rng->state >> 33);
}

static inline unsigned rng_below(struct rng *rng, unsigned n)
{
	return rng_next(rng) % n;
}

static inline void pair_regions(struct pair *p, uint64_t from, uint64_t to, uint64_t step)
{
	for (uint64_t at = from; at < to; at += step) {
		const struct rwy_mem_region region = {
			.gpa = {at},
			.uva = {PAIR_UVA + at},
			.size = RWY_MIN(step, to - at),
			.hva = p->ram + at,
			.fd = -1,
		};

		if (rwy_mem_add(&p->mem, &region))
			abort();
	}
}

static inline struct pair *pair_open(const struct pair_config *c)
{
	struct pair *p = aligned_alloc(RWY_CACHE_LINE, RWY_ALIGN_UP(sizeof(*p), RWY_CACHE_LINE));

	if (!p)
		abort();
	memset(p, 0, sizeof(*p));
	p->ram = aligned_alloc(4096, RWY_ALIGN_UP(MEMORY_LEN, 4096));
	if (!p->ram)
		abort();
	memset(p->ram, 0, MEMORY_LEN);
	rwy_mem_init(&p->mem);
	pair_regions(p, 0, TABLES, AREA_LEN);
	pair_regions(p, TABLES, DATA, TABLE_STEP);
	pair_regions(p, DATA, MEMORY_LEN, DATA_STEP);
	p->config = (struct rwy_vq_config){
		.mem = &p->mem,
		.size = c->size,
		.packed = c->packed,
		.event_idx = c->event_idx,
		.indirect = c->indirect,
		.in_order = c->in_order,
		.desc = {PAIR_UVA},
		.driver = {PAIR_UVA + AREA_LEN},
		.device = {PAIR_UVA + 2 * AREA_LEN},
		.base = c->packed ? 0x80008000u : 0,
	};
	const struct rwy_vqd_config drv = {
		.size = c->size,
		.packed = c->packed,
		.event_idx = c->event_idx,
		.indirect = c->indirect,
		.in_order = c->in_order,
		.desc = p->ram,
		.driver = p->ram + AREA_LEN,
		.device = p->ram + 2 * AREA_LEN,
	};
	rwy_vq_init(&p->dev);
	p->dev.stats = &p->stats;
	p->dev.call_fd = rwy_fd_event();
	p->dev.kick_fd = rwy_fd_event();
	if (p->dev.call_fd < 0 || p->dev.kick_fd < 0 || rwy_vqd_open(&p->drv, &drv) ||
	    rwy_vq_start(&p->dev, &p->config))
		abort();
	return p;
}

static inline void pair_close(struct pair *p)
{
	if (rwy_vq_started(&p->dev))
		rwy_vq_stop(&p->dev);
	rwy_fd_close(&p->dev.call_fd);
	rwy_fd_close(&p->dev.kick_fd);
	rwy_vqd_close(&p->drv);
	rwy_mem_fini(&p->mem);
	free(p->ram);
	free(p);
}

#endif
