/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One ring's part of the in-flight area: the structures of "Inflight I/O tracking" as they lie in
 * shared memory, and the steps of that text. For be_inflight.c and its test.
 *
 * A process may be killed between any two stores, and what it leaves must be enough to do each
 * request exactly once. So the stores are made in the text's order and none of them is merged.
 *
 * The memory is hostile. It is read once, by open, into memory of our own; later it is only
 * written, with our own copy of everything that is needed again.
 */
#ifndef RWY_VHOST_BACKENDS_BE_TRACK_H
#define RWY_VHOST_BACKENDS_BE_TRACK_H

#include "lib/vq.h"

#include <assert.h>

#define RWY_BE_TRACK_VERSION 1

struct rwy_be_track_split_desc {
	uint8_t inflight;
	uint8_t padding[5];
	uint16_t next; /* of the batch used last */
	uint64_t counter;
};

struct rwy_be_track_split {
	uint64_t features;
	uint16_t version; /* 0: nothing in here counts */
	uint16_t desc_num;
	uint16_t last_batch_head;
	uint16_t used_idx;
	struct rwy_be_track_split_desc desc[];
};

/* A descriptor of the ring, copied: its slot may be used for another before it is done. */
struct rwy_be_track_packed_desc {
	uint8_t inflight;
	uint8_t padding;
	uint16_t next; /* of the chain, or of the free list */
	uint16_t last; /* in the first of a chain */
	uint16_t num;  /* in the first of a chain */
	uint64_t counter;
	uint16_t id;
	uint16_t flags;
	uint32_t len;
	uint64_t addr;
};

struct rwy_be_track_packed {
	uint64_t features;
	uint16_t version;
	uint16_t desc_num;
	uint16_t free_head;
	uint16_t old_free_head;
	union {
		struct {
			uint16_t used_idx;
			uint16_t old_used_idx;
			uint8_t used_wrap_counter;
			uint8_t old_used_wrap_counter;
			uint8_t padding[2];
		} used;
		uint64_t used_word; /* index and wrap are one position: never stored in halves */
	};
	uint64_t padding;
	struct rwy_be_track_packed_desc desc[];
};

static_assert(sizeof(struct rwy_be_track_split) == 16, "split queue region");
static_assert(sizeof(struct rwy_be_track_split_desc) == 16, "split descriptor state");
static_assert(sizeof(struct rwy_be_track_packed) == 32, "packed queue region");
static_assert(sizeof(struct rwy_be_track_packed_desc) == 32, "packed descriptor state");

struct rwy_be_track {
	union {
		struct rwy_be_track_split *split;
		struct rwy_be_track_packed *packed;
	};
	const struct rwy_be_track_ops *ops;
	uint16_t size;
	unsigned nr_batch;
	uint16_t *batch; /* pushed and not published: head ids, or entries of the area */
	uint64_t counter;
	uint16_t last_head; /* split: last_batch_head */
	/* packed: what the area says too; entries by number, `entry` by buffer id */
	uint16_t free_head;
	uint16_t old_used_idx;
	bool old_used_wrap;
	uint16_t *next;
	uint16_t *last;
	uint16_t *entry;
	/* Chains a predecessor left, oldest first; at_left are popped again already */
	unsigned nr_left;
	unsigned at_left;
	struct rwy_vq_left *left;
	struct vring_packed_desc *descs; /* theirs */
};

/* Bytes one ring's part takes, a multiple of what it must be aligned to. */
uint64_t rwy_be_track_len(bool packed, uint16_t desc_num);

/*
 * Takes up what lies at `part` (rwy_be_track_len bytes), or begins anew if nothing does, for a ring
 * that is about to start as *config says; then config->base is where to go on. -EINVAL: what lies
 * there is not for this ring or cannot be; -ENOMEM.
 */
RWY_MUST_CHECK int rwy_be_track_open(struct rwy_be_track **track, void *part, uint16_t desc_num,
				     struct rwy_vq_config *config);
/*
 * Nothing that was popped is in flight; the part is left as one that was never used, unless some
 * chains of a predecessor were not popped. NULL is nothing.
 */
void rwy_be_track_close(struct rwy_be_track *track);

unsigned rwy_be_track_pop(struct rwy_be_track *track, struct rwy_vq *vq, struct rwy_chain *chains,
			  unsigned n, struct iovec *iov, unsigned nr_iov);
void rwy_be_track_push(struct rwy_be_track *track, struct rwy_vq *vq,
		       const struct rwy_chain *chains, unsigned n);
void rwy_be_track_publish(struct rwy_be_track *track, struct rwy_vq *vq);

/* The two formats: be_track_split.c and be_track_packed.c. */
struct rwy_be_track_ops {
	/* version 0: writes a part that says nothing. */
	void (*init)(struct rwy_be_track *track, uint16_t desc_num,
		     const struct rwy_vq_config *config);
	/* version 1: fills left, and config->base. */
	int (*recover)(struct rwy_be_track *track, uint16_t desc_num, struct rwy_vq_config *config);
	/* The chain is in flight; its first slot was at, wrap (packed). */
	void (*get)(struct rwy_be_track *track, const struct rwy_vq *vq,
		    const struct rwy_chain *chain, uint16_t at);
	/* The chain was pushed. */
	void (*put)(struct rwy_be_track *track, const struct rwy_vq *vq,
		    const struct rwy_chain *chain);
	/* What was put has been published. */
	void (*commit)(struct rwy_be_track *track, const struct rwy_vq *vq);
};
extern const struct rwy_be_track_ops rwy_be_track_split_ops;
extern const struct rwy_be_track_ops rwy_be_track_packed_ops;

/* How one head found in flight is put in order. */
struct rwy_be_track_age {
	uint64_t counter;
	uint16_t head;
};
void rwy_be_track_sort(struct rwy_be_track_age *ages, unsigned nr);

/* A store that must stand before all that follow it, in the eyes of whoever finds the memory. */
#define RWY_BE_TRACK_STORE(at, value)                             \
	do {                                                      \
		RWY_WRITE_ONCE((at), (__typeof__(*(at)))(value)); \
		__atomic_signal_fence(__ATOMIC_SEQ_CST);          \
	} while (0)

#endif
