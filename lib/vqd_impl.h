/* SPDX-License-Identifier: BSD-3-Clause */
/* What vqd.c and the two formats of the driver side share, for vqd*.c only. */
#ifndef RWY_LIB_VQD_IMPL_H
#define RWY_LIB_VQD_IMPL_H

#include "lib/vqd.h"

/* One chain as it goes into the ring: checked, and the ring has room for it. */
struct rwy_vqd_chain {
	const struct rwy_vqd_buf *bufs;
	unsigned nr;
	unsigned nr_out;
	uint16_t flags; /* of every descriptor: 0 or INDIRECT */
	uint32_t in_len;
	void *cookie;
};

/* WRITE and NEXT as the i-th descriptor of a chain needs them. */
RWY_INLINE uint16_t rwy_vqd_flags(const struct rwy_vqd_chain *c, unsigned i)
{
	return (uint16_t)(c->flags | (i >= c->nr_out ? VRING_DESC_F_WRITE : 0) |
			  (i + 1 < c->nr ? VRING_DESC_F_NEXT : 0));
}

/* The slot of an id the device gave back, or NULL: it is not out there. */
RWY_INLINE struct rwy_vqd_slot *rwy_vqd_slot(struct rwy_vqd *q, uint32_t id)
{
	return id < q->size && q->slots[id].cookie ? &q->slots[id] : NULL;
}

void rwy_vqd_split_add(struct rwy_vqd *q, const struct rwy_vqd_chain *c);
bool rwy_vqd_split_publish(struct rwy_vqd *q);
int rwy_vqd_split_get(struct rwy_vqd *q, void **cookie, uint32_t *len);
bool rwy_vqd_split_arm(struct rwy_vqd *q);
void rwy_vqd_split_disarm(struct rwy_vqd *q);

void rwy_vqd_packed_open(struct rwy_vqd *q);
void rwy_vqd_packed_add(struct rwy_vqd *q, const struct rwy_vqd_chain *c);
bool rwy_vqd_packed_publish(struct rwy_vqd *q);
int rwy_vqd_packed_get(struct rwy_vqd *q, void **cookie, uint32_t *len);
bool rwy_vqd_packed_arm(struct rwy_vqd *q);
void rwy_vqd_packed_disarm(struct rwy_vqd *q);

#endif
