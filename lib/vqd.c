/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver side of a virtqueue: what both formats have in common. */
#include "lib/vqd.h"

#include "lib/vqd_impl.h"

#include <errno.h>
#include <stdlib.h>

int rwy_vqd_open(struct rwy_vqd *q, const struct rwy_vqd_config *config)
{
	if (config->size == 0 || config->size > 32768 ||
	    (!config->packed && !RWY_IS_POW2(config->size)))
		return -EINVAL;
	*q = (struct rwy_vqd){
		.desc = config->desc,
		.avail = config->driver,
		.used = config->device,
		.size = config->size,
		.nr_free = config->size,
		.packed = config->packed,
		.event_idx = config->event_idx,
		.indirect = config->indirect,
		.in_order = config->in_order,
	};
	q->slots = calloc(q->size, sizeof(*q->slots));
	if (!q->slots)
		return -ENOMEM;
	for (unsigned i = 0; i < q->size; i++)
		q->slots[i].next = (uint16_t)((i + 1) % q->size);
	if (q->packed)
		rwy_vqd_packed_open(q);
	return 0;
}

void rwy_vqd_close(struct rwy_vqd *q)
{
	free(q->slots);
	q->slots = NULL;
}

static int check(const struct rwy_vqd_buf *bufs, unsigned nr_out, unsigned nr_in, uint32_t *in_len)
{
	uint64_t out = 0, in = 0;

	for (unsigned i = 0; i < nr_out + nr_in; i++)
		*(i < nr_out ? &out : &in) += bufs[i].len;
	*in_len = (uint32_t)in;
	return nr_out + nr_in == 0 || (in | out) > UINT32_MAX ? -EINVAL : 0;
}

static int add(struct rwy_vqd *q, const struct rwy_vqd_chain *c)
{
	if (c->nr > q->nr_free)
		return -ENOSPC;
	q->nr_free = (uint16_t)(q->nr_free - c->nr);
	q->nr_chains++;
	if (q->packed)
		rwy_vqd_packed_add(q, c);
	else
		rwy_vqd_split_add(q, c);
	return 0;
}

int rwy_vqd_add(struct rwy_vqd *q, const struct rwy_vqd_buf *bufs, unsigned nr_out, unsigned nr_in,
		void *cookie)
{
	struct rwy_vqd_chain c = {.bufs = bufs,
				  .nr = nr_out + nr_in,
				  .nr_out = nr_out,
				  .cookie = cookie};
	int err = check(bufs, nr_out, nr_in, &c.in_len);

	return err ? err : add(q, &c);
}

int rwy_vqd_add_indirect(struct rwy_vqd *q, const struct rwy_vqd_buf *bufs, unsigned nr_out,
			 unsigned nr_in, struct vring_desc *table, rwy_gpa table_gpa, void *cookie)
{
	const struct rwy_vqd_chain inner = {.bufs = bufs, .nr = nr_out + nr_in, .nr_out = nr_out};
	const struct rwy_vqd_buf whole = {table_gpa, inner.nr * (uint32_t)sizeof(*table)};
	struct rwy_vqd_chain c = {.bufs = &whole,
				  .nr = 1,
				  .nr_out = 1,
				  .flags = VRING_DESC_F_INDIRECT,
				  .cookie = cookie};
	int err = check(bufs, nr_out, nr_in, &c.in_len);

	if (err || !q->indirect)
		return -EINVAL;
	if (q->nr_free == 0)
		return -ENOSPC;
	for (unsigned i = 0; i < inner.nr; i++) {
		/* A packed table has neither links nor NEXT; both tables agree on the rest. */
		const uint16_t flags = rwy_vqd_flags(&inner, i);

		if (q->packed)
			((struct vring_packed_desc *)table)[i] = (struct vring_packed_desc){
				.addr = bufs[i].gpa.v,
				.len = bufs[i].len,
				.flags = flags & VRING_DESC_F_WRITE,
			};
		else
			table[i] = (struct vring_desc){
				.addr = bufs[i].gpa.v,
				.len = bufs[i].len,
				.flags = flags,
				.next = (uint16_t)(flags & VRING_DESC_F_NEXT ? i + 1 : 0),
			};
	}
	return add(q, &c);
}

bool rwy_vqd_publish(struct rwy_vqd *q)
{
	return q->packed ? rwy_vqd_packed_publish(q) : rwy_vqd_split_publish(q);
}

int rwy_vqd_get(struct rwy_vqd *q, void **cookie, uint32_t *len)
{
	return q->packed ? rwy_vqd_packed_get(q, cookie, len) : rwy_vqd_split_get(q, cookie, len);
}

bool rwy_vqd_arm(struct rwy_vqd *q)
{
	return q->packed ? rwy_vqd_packed_arm(q) : rwy_vqd_split_arm(q);
}

void rwy_vqd_disarm(struct rwy_vqd *q)
{
	if (q->packed)
		rwy_vqd_packed_disarm(q);
	else
		rwy_vqd_split_disarm(q);
}
