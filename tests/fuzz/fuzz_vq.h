/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtqueue whose guest is the fuzzer. The input is
 *
 *	flags, size, base (4), number of steps, steps..., image...
 *
 * Guest memory starts as rings that are all right and full; the image is then laid over it by xor,
 * so that an empty input is a good guest and each further byte a lie. The steps are what device and
 * guest do next. Each region is an allocation of its own, for the address sanitizer.
 */
#ifndef RWY_TESTS_FUZZ_VQ_H
#define RWY_TESTS_FUZZ_VQ_H

#include "lib/iov.h"
#include "lib/vq.h"

#include <stdlib.h>
#include <string.h>

#define FUZZ_UVA    0x10000u
#define FUZZ_DRIVER 1024u
#define FUZZ_DEVICE 1280u
#define FUZZ_TABLES 2048u
#define FUZZ_DATA   3072u
#define FUZZ_LEN    5120u
#define FUZZ_SIZES  8u
#define FUZZ_HELD   256u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
	struct rwy_mem mem;
	struct rwy_vq vq;
	struct rwy_vq_config config;
	struct rwy_stats_vq stats;
	uint8_t *ram[4];
	struct rwy_chain held[FUZZ_HELD]; /* popped, not pushed */
	struct iovec held_iov[FUZZ_HELD][64];
	unsigned nr_held;
	unsigned nr_unpop; /* of the newest of them */
};

static const struct {
	uint32_t at, end;
} fuzz_regions[4] = {
	{0, FUZZ_TABLES},
	{FUZZ_TABLES, 2500}, /* neighbours, with borders inside tables and buffers */
	{2500, 3333},
	{3400, FUZZ_LEN}, /* after a gap */
};

/* Where an offset of the image is in our memory, or NULL in the gap. */
static inline uint8_t *fuzz_at(struct fuzz *f, uint32_t at)
{
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(fuzz_regions); i++) {
		if (at >= fuzz_regions[i].at && at < fuzz_regions[i].end)
			return f->ram[i] + (at - fuzz_regions[i].at);
	}
	return NULL;
}

static inline void fuzz_put(struct fuzz *f, uint32_t at, const void *from, unsigned len)
{
	for (unsigned i = 0; i < len; i++) {
		uint8_t *to = fuzz_at(f, at + i);

		if (to)
			*to = ((const uint8_t *)from)[i];
	}
}

/* Descriptors 0, 3, 6... read, 1, 4... written, 2, 5... indirect: one table each of two entries. */
static inline void fuzz_good_guest(struct fuzz *f)
{
	struct vring_avail *avail = (struct vring_avail *)(f->ram[0] + FUZZ_DRIVER);
	const uint16_t size = f->config.size;

	for (uint16_t i = 0; i < size; i++) {
		const bool indirect = i % 3 == 2;
		struct vring_desc d = {
			.addr = indirect ? FUZZ_TABLES + 8 + 32u * (i / 3u % 24)
					 : FUZZ_DATA + i * 16u,
			.len = indirect ? 32 : 16,
			.flags = indirect ? VRING_DESC_F_INDIRECT
				 : i % 3  ? VRING_DESC_F_WRITE
					  : 0,
			.next = i,
		};
		struct vring_packed_desc p = {d.addr, d.len, i, (uint16_t)(d.flags | 0x80)};

		memcpy(f->ram[0] + 16 * i, f->config.packed ? (void *)&p : (void *)&d, 16);
		if (!f->config.packed)
			avail->ring[i] = i;
	}
	for (unsigned i = 0; i < 24; i++) {
		struct vring_desc d[2] = {
			{FUZZ_DATA + 300, 9, VRING_DESC_F_NEXT, 1},
			{FUZZ_DATA + 260 + 16 * i, 33, VRING_DESC_F_WRITE, 0},
		};

		if (f->config.packed) {
			d[0].flags = d[0].next = 0;
			d[1].flags = 0;
			d[1].next = VRING_DESC_F_WRITE; /* where a packed descriptor has flags */
		}
		fuzz_put(f, FUZZ_TABLES + 8 + 32 * i, d, sizeof(d));
	}
	if (!f->config.packed)
		avail->idx = (uint16_t)(f->config.base + size);
}

/* The guest makes available again what was used. */
static inline void fuzz_refill(struct fuzz *f)
{
	struct vring_avail *avail = (struct vring_avail *)(f->ram[0] + FUZZ_DRIVER);
	const struct vring_used *used = (struct vring_used *)(f->ram[0] + FUZZ_DEVICE);
	struct vring_packed_desc *desc = (struct vring_packed_desc *)f->ram[0];

	if (!f->config.packed) {
		avail->idx = (uint16_t)(used->idx + f->config.size);
		return;
	}
	for (unsigned i = 0; i < f->config.size; i++) {
		if ((desc[i].flags & 0x8080) == 0x8080)
			desc[i].flags = (uint16_t)((desc[i].flags & VRING_DESC_F_WRITE) | 0x8000);
		else if ((desc[i].flags & 0x8080) == 0)
			desc[i].flags = (uint16_t)((desc[i].flags & VRING_DESC_F_WRITE) | 0x80);
	}
}

/* A chain that came out of pop must be right whatever went in; touching it lets ASan judge. */
static inline void fuzz_check(struct fuzz *f, struct rwy_chain *c)
{
	static uint8_t bytes[FUZZ_LEN];
	const struct iovec *in = c->iov + c->nr_out;

	if (c->id >= f->config.size || c->nr_desc < 1 || c->nr_desc > f->config.size ||
	    c->nr_out + c->nr_in < 1 || rwy_iov_len(c->iov, c->nr_out) != c->out_len ||
	    rwy_iov_len(in, c->nr_in) != c->in_len)
		abort();
	rwy_iov_read(c->iov, c->nr_out, 0, bytes, sizeof(bytes));
	c->written = RWY_MIN(c->in_len, 64);
	rwy_iov_fill(in, c->nr_in, 0, 0xa5, c->written);
}

static inline void fuzz_pop(struct fuzz *f, unsigned want)
{
	struct rwy_chain chains[RWY_VQ_BURST];
	struct iovec iov[64];

	want = RWY_MIN(want, FUZZ_HELD - f->nr_held);
	const unsigned n = rwy_vq_pop(&f->vq, chains, want, iov, RWY_ARRAY_SIZE(iov));
	if (n > want)
		abort();
	for (unsigned i = 0; i < n; i++, f->nr_held++) {
		struct rwy_chain *c = &f->held[f->nr_held];

		fuzz_check(f, &chains[i]);
		*c = chains[i];
		c->iov = f->held_iov[f->nr_held];
		memcpy(c->iov, chains[i].iov, (c->nr_out + c->nr_in) * sizeof(*c->iov));
	}
	f->nr_unpop += n;
	if (f->nr_held > f->config.size)
		abort(); /* in flight is bounded by the ring */
}

static inline void fuzz_push(struct fuzz *f, unsigned at)
{
	if (f->nr_held == 0)
		return;
	at = f->config.in_order ? 0 : at % f->nr_held;
	rwy_vq_push(&f->vq, &f->held[at], 1);
	f->nr_held--;
	for (unsigned i = at; i < f->nr_held; i++) {
		f->held[i] = f->held[i + 1];
		memcpy(f->held_iov[i], f->held_iov[i + 1], sizeof(f->held_iov[i]));
		f->held[i].iov = f->held_iov[i];
	}
	f->nr_unpop = RWY_MIN(f->nr_unpop, f->nr_held - at);
}

static inline void fuzz_restart(struct fuzz *f)
{
	f->config.base = rwy_vq_stop(&f->vq);
	f->nr_held = f->nr_unpop = 0; /* a reset forgets */
	if (rwy_vq_start(&f->vq, &f->config))
		abort();
}

static inline void fuzz_step(struct fuzz *f, uint8_t step, uint8_t arg)
{
	const unsigned n = (step >> 3) + 1u;

	switch (step & 7) {
	case 0:
		fuzz_pop(f, n);
		break;
	case 1:
		for (unsigned i = 0; i < n; i++)
			fuzz_push(f, arg);
		break;
	case 2:
		rwy_vq_publish(&f->vq);
		break;
	case 3:
		if (n & 1)
			rwy_vq_arm(&f->vq);
		else
			rwy_vq_disarm(&f->vq);
		break;
	case 4:
		f->nr_unpop -= RWY_MIN(n, f->nr_unpop);
		break; /* those may not go back any more: they are being worked on */
	case 5:
		rwy_vq_unpop(&f->vq, f->held + f->nr_held - f->nr_unpop, f->nr_unpop);
		f->nr_held -= f->nr_unpop;
		f->nr_unpop = 0;
		break;
	case 6:
		fuzz_refill(f);
		break;
	default:
		if (n == 1)
			fuzz_restart(f);
		else /* the guest changes its mind about a byte of the first 1 KiB */
			f->ram[0][(n - 1) * 32 + arg % 32] ^= arg;
	}
}

static inline void fuzz_open(struct fuzz *f)
{
	rwy_log_set_level(RWY_LOG_ERROR);
	rwy_mem_init(&f->mem);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(fuzz_regions); i++) {
		const uint32_t len = fuzz_regions[i].end - fuzz_regions[i].at;

		f->ram[i] = aligned_alloc(16, RWY_ALIGN_UP(len, 16u));
		const struct rwy_mem_region region = {
			.gpa = {fuzz_regions[i].at},
			.uva = {FUZZ_UVA + fuzz_regions[i].at},
			.size = len,
			.hva = f->ram[i],
			.fd = -1,
		};
		if (!f->ram[i] || rwy_mem_add(&f->mem, &region))
			abort();
	}
	rwy_vq_init(&f->vq);
	f->vq.stats = &f->stats;
}

static inline int fuzz_vq(bool packed, const uint8_t *data, size_t len)
{
	static const uint16_t sizes[2][FUZZ_SIZES] = {
		{1, 2, 4, 8, 16, 32, 64, 3},
		{1, 2, 3, 5, 7, 8, 33, 64},
	};
	static struct fuzz *f;

	if (!f) {
		f = aligned_alloc(RWY_CACHE_LINE, RWY_ALIGN_UP(sizeof(*f), RWY_CACHE_LINE));
		if (!f)
			abort();
		memset(f, 0, sizeof(*f));
		fuzz_open(f);
	}
	if (len < 7)
		return 0;
	f->config = (struct rwy_vq_config){
		.mem = &f->mem,
		.packed = packed,
		.indirect = !(data[0] & 1),
		.event_idx = data[0] & 2,
		.in_order = data[0] & 4,
		.read_only = data[0] & 8,
		.size = sizes[packed][data[1] % FUZZ_SIZES],
		.desc = {FUZZ_UVA},
		.driver = {FUZZ_UVA + FUZZ_DRIVER},
		.device = {FUZZ_UVA + FUZZ_DEVICE},
	};
	memcpy(&f->config.base, data + 2, 4);
	f->config.base ^= packed ? 0x80008000u : 0;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(fuzz_regions); i++)
		memset(f->ram[i], 0, fuzz_regions[i].end - fuzz_regions[i].at);
	fuzz_good_guest(f);
	const uint8_t *steps = data + 7, *image = steps + RWY_MIN(data[6], len - 7);
	for (uint32_t i = 0; image + i < data + len; i++) {
		uint8_t *at = fuzz_at(f, i);

		if (at)
			*at ^= image[i];
	}
	if (rwy_vq_start(&f->vq, &f->config))
		return 0;
	f->nr_held = f->nr_unpop = 0;
	fuzz_step(f, 0xf8, 0);
	for (const uint8_t *s = steps; s < image; s++)
		fuzz_step(f, *s, s + 1 < image ? s[1] : 0);
	rwy_vq_stop(&f->vq);
	return 0;
}

#endif
