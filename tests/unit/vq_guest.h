/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that writes its rings by hand, so that it can write nonsense. Its memory lies in several
 * allocations, so that a sanitizer sees each step over a border:
 *
 *	0x010000  64 KiB  rings
 *	0x020000   4 KiB  near     neighbours in guest-physical, not in ours
 *	0x021000   4 KiB  next
 *	0x100000  16 KiB  far      nothing around it
 *	1 << 40    5 GiB  huge     address space only: must never be touched
 */
#ifndef RWY_TESTS_VQ_GUEST_H
#define RWY_TESTS_VQ_GUEST_H

#include "tests/unit/formats.h"
#include "tests/unit/unit.h"

#include "lib/vq.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define UVA	  0x7000000000u
#define RINGS	  0x10000u
#define RINGS_LEN 0x10000u
#define DRIVER	  0x18000u
#define DEVICE	  0x1c000u
#define NEAR	  0x20000u
#define NEXT	  0x21000u
#define NEAR_LEN  0x1000u
#define FAR	  0x100000u
#define FAR_LEN	  0x4000u
#define HUGE	  (UINT64_C(1) << 40)
#define HUGE_LEN  (UINT64_C(5) << 30)
#define GUEST_IOV 64u

#define W VRING_DESC_F_WRITE
#define N VRING_DESC_F_NEXT
#define I VRING_DESC_F_INDIRECT

struct guest {
	struct rwy_mem mem;
	struct rwy_vq vq;
	struct rwy_vq_config config;
	struct rwy_stats_vq stats;
	struct rwy_chain chains[64];
	struct iovec iov[2048];
	uint8_t *rings;
	uint8_t *near;
	uint8_t *next;
	uint8_t *far;
	uint8_t *huge;
	uint16_t at; /* descriptor that is filled next */
	bool wrap;
	uint16_t id;
};

/* The same fields in both formats; `next` is the packed format's id. */
static inline struct vring_desc raw(uint64_t addr, uint32_t len, unsigned flags)
{
	return (struct vring_desc){.addr = addr, .len = len, .flags = (uint16_t)flags};
}

static inline uint8_t *guest_region(struct guest *g, uint64_t gpa, uint64_t len)
{
	uint8_t *at = len == HUGE_LEN ? mmap(NULL, len, PROT_NONE,
					     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
				      : aligned_alloc(4096, len);

	assert_true(at && at != MAP_FAILED);
	if (len != HUGE_LEN)
		memset(at, 0, len);
	const struct rwy_mem_region region = {
		.gpa = {gpa}, .uva = {UVA + gpa}, .size = len, .hva = at, .fd = -1};
	assert_int_equal(rwy_mem_add(&g->mem, &region), 0);
	return at;
}

static inline struct guest *guest_open(bool packed, uint16_t size)
{
	struct guest *g = aligned_alloc(RWY_CACHE_LINE, RWY_ALIGN_UP(sizeof(*g), RWY_CACHE_LINE));

	assert_non_null(g);
	memset(g, 0, sizeof(*g));
	rwy_mem_init(&g->mem);
	g->rings = guest_region(g, RINGS, RINGS_LEN);
	g->near = guest_region(g, NEAR, NEAR_LEN);
	g->next = guest_region(g, NEXT, NEAR_LEN);
	g->far = guest_region(g, FAR, FAR_LEN);
	g->huge = guest_region(g, HUGE, HUGE_LEN);
	g->config = (struct rwy_vq_config){
		.mem = &g->mem,
		.size = size,
		.packed = packed,
		.indirect = true,
		.desc = {UVA + RINGS},
		.driver = {UVA + DRIVER},
		.device = {UVA + DEVICE},
		.base = packed ? 0x80008000u : 0,
	};
	g->wrap = true;
	rwy_vq_init(&g->vq);
	g->vq.stats = &g->stats;
	g->vq.call_fd = rwy_fd_event();
	g->vq.err_fd = rwy_fd_event();
	assert_true(g->vq.call_fd >= 0 && g->vq.err_fd >= 0);
	return g;
}

static inline void guest_start(struct guest *g)
{
	assert_int_equal(rwy_vq_start(&g->vq, &g->config), 0);
}

static inline struct guest *guest_started(bool packed, uint16_t size)
{
	struct guest *g = guest_open(packed, size);

	guest_start(g);
	return g;
}

static inline void guest_close(struct guest *g)
{
	if (rwy_vq_started(&g->vq))
		rwy_vq_stop(&g->vq);
	rwy_fd_close(&g->vq.call_fd);
	rwy_fd_close(&g->vq.err_fd);
	rwy_mem_fini(&g->mem);
	free(g->rings);
	free(g->near);
	free(g->next);
	free(g->far);
	munmap(g->huge, HUGE_LEN);
	free(g);
}

static inline struct vring_avail *guest_avail(struct guest *g)
{
	return (struct vring_avail *)(g->rings + (DRIVER - RINGS));
}

static inline struct vring_used *guest_used(struct guest *g)
{
	return (struct vring_used *)(g->rings + (DEVICE - RINGS));
}

static inline struct vring_desc *guest_desc(struct guest *g, unsigned i)
{
	return (struct vring_desc *)g->rings + i;
}

static inline struct vring_packed_desc *guest_pdesc(struct guest *g, unsigned i)
{
	return (struct vring_packed_desc *)g->rings + i;
}

static inline void guest_step(struct guest *g)
{
	if (++g->at == g->config.size) {
		g->at = 0;
		g->wrap = !g->wrap;
	}
}

/* Writes descriptors from `at` on, linked, and makes them available as one chain. Its id. */
static inline uint16_t guest_chain(struct guest *g, const struct vring_desc *d, unsigned n)
{
	const uint16_t id = g->config.packed ? g->id : g->at;

	g->id = (uint16_t)((g->id + 1) % g->config.size);
	if (!g->config.packed) {
		struct vring_avail *avail = guest_avail(g);

		avail->ring[avail->idx % g->config.size] = g->at;
		avail->idx++;
	}
	for (unsigned i = 0; i < n; i++) {
		const uint16_t flags = (uint16_t)(d[i].flags | (i + 1 < n ? N : 0));

		if (g->config.packed) {
			*guest_pdesc(g, g->at) = (struct vring_packed_desc){
				.addr = d[i].addr,
				.len = d[i].len,
				.id = id,
				.flags = (uint16_t)(flags | (g->wrap ? 0x80 : 0x8000)),
			};
			guest_step(g);
		} else {
			struct vring_desc *desc = guest_desc(g, g->at);

			*desc = d[i];
			desc->flags = flags;
			guest_step(g);
			desc->next = g->at;
		}
	}
	return id;
}

static inline uint16_t guest_one(struct guest *g, uint64_t addr, uint32_t len, unsigned flags)
{
	const struct vring_desc d = raw(addr, len, flags);

	return guest_chain(g, &d, 1);
}

/* An indirect table in guest memory, in the queue's format; all linked when split. */
static inline void guest_table(struct guest *g, void *at, const struct vring_desc *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct vring_desc split = d[i];
		struct vring_packed_desc packed = {.addr = d[i].addr,
						   .len = d[i].len,
						   .flags = d[i].flags};

		split.flags |= i + 1 < n ? N : 0;
		split.next = (uint16_t)(i + 1);
		memcpy((uint8_t *)at + 16 * i, g->config.packed ? (void *)&packed : (void *)&split,
		       16);
	}
}

static inline unsigned guest_pop(struct guest *g)
{
	return rwy_vq_pop(&g->vq, g->chains, RWY_ARRAY_SIZE(g->chains), g->iov, GUEST_IOV);
}

/* The next pop gives `good` chains, and the one after breaks the queue for this reason. */
static inline void guest_breaks_after(struct guest *g, unsigned good, enum rwy_vq_reason reason)
{
	const uint64_t before = g->stats.broken;
	unsigned n = guest_pop(g);

	if (!g->vq.broken) /* the burst may have ended before the bad one */
		assert_int_equal(guest_pop(g), 0);
	assert_int_equal(n, good);
	assert_string_equal(rwy_vq_reason_name((enum rwy_vq_reason)g->vq.broken),
			    rwy_vq_reason_name(reason));
	assert_int_equal(g->stats.broken, before + 1);
	assert_int_equal(g->stats.reason, reason);
	assert_int_equal(rwy_fd_drain(g->vq.err_fd), 1);
	assert_int_equal(guest_pop(g), 0);
	assert_false(rwy_vq_arm(&g->vq));
	assert_int_equal(rwy_fd_drain(g->vq.err_fd), 0);
}

static inline void guest_breaks(struct guest *g, enum rwy_vq_reason reason)
{
	guest_breaks_after(g, 0, reason);
}

#endif
