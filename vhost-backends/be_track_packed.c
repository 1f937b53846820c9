/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "Inflight I/O tracking", the lists of steps for packed virtqueues. Entries belong to descriptors
 * of chains in flight, or to a free list; positions that count are the `old` ones, the others are
 * those of an update under way.
 */
#include "vhost-backends/be_track.h"

#include <errno.h>
#include <stdlib.h>

#define WRAP_BIT 0x8000u
#define F_OWNER	 (1u << VRING_PACKED_DESC_F_AVAIL | 1u << VRING_PACKED_DESC_F_USED)

/* Links all entries that `taken` does not name into one free list. */
static void link_free(struct rwy_be_track *track, const bool *taken)
{
	struct rwy_be_track_packed *area = track->packed;
	uint16_t *link = &track->free_head;

	for (uint16_t i = 0; i < track->size; i++) {
		if (taken[i])
			continue;
		*link = i;
		link = &track->next[i];
	}
	*link = track->size; /* the end */
	for (uint16_t i = 0; i < track->size; i++)
		if (!taken[i])
			RWY_BE_TRACK_STORE(&area->desc[i].next, track->next[i]);
	RWY_BE_TRACK_STORE(&area->free_head, track->free_head);
	RWY_BE_TRACK_STORE(&area->old_free_head, track->free_head);
}

/* Where the device is with the update under way, while the last one that counts is as it was. */
static void set_used(struct rwy_be_track *track, uint16_t idx, bool wrap)
{
	struct rwy_be_track_packed now = {.used = {
						  .used_idx = idx,
						  .old_used_idx = track->old_used_idx,
						  .used_wrap_counter = wrap,
						  .old_used_wrap_counter = track->old_used_wrap,
					  }};

	RWY_BE_TRACK_STORE(&track->packed->used_word, now.used_word);
}

/* The update is done: what was under way counts from now on. */
static void settle(struct rwy_be_track *track, uint16_t free_head, uint16_t idx, bool wrap)
{
	RWY_BE_TRACK_STORE(&track->packed->old_free_head, free_head);
	track->old_used_idx = idx;
	track->old_used_wrap = wrap;
	set_used(track, idx, wrap);
}

static void packed_init(struct rwy_be_track *track, uint16_t desc_num,
			const struct rwy_vq_config *config)
{
	struct rwy_be_track_packed *area = track->packed;
	uint32_t base = config->base;

	/* as lib/vq_packed.c reads it */
	if (base >> 16 == 0 && base & WRAP_BIT)
		base |= base << 16;
	const uint16_t used = base >> 16 & (WRAP_BIT - 1);
	const bool wrap = base >> 16 & WRAP_BIT;

	area->features = 0;
	area->desc_num = desc_num;
	for (uint16_t i = 0; i < desc_num; i++)
		area->desc[i] = (struct rwy_be_track_packed_desc){.next = (uint16_t)(i + 1)};
	for (uint16_t i = 0; i < track->size; i++)
		track->next[i] = (uint16_t)(i + 1);
	RWY_BE_TRACK_STORE(&area->free_head, 0);
	settle(track, 0, used, wrap);
	RWY_BE_TRACK_STORE(&area->version, RWY_BE_TRACK_VERSION);
}

struct position {
	uint16_t free_head;
	uint16_t used_idx;
	bool wrap;
};

/* "When reconnecting", 1 and 2: where the device was, the update under way done or undone. */
static int find_position(struct rwy_be_track *track, const struct rwy_vq_config *config,
			 struct position *pos)
{
	struct rwy_be_track_packed *area = track->packed;
	struct rwy_be_track_packed word = {.used_word = RWY_READ_ONCE(&area->used_word)};
	const struct position old = {
		RWY_READ_ONCE(&area->old_free_head),
		word.used.old_used_idx,
		word.used.old_used_wrap_counter & 1,
	};
	const struct position now = {
		RWY_READ_ONCE(&area->free_head),
		word.used.used_idx,
		word.used.used_wrap_counter & 1,
	};
	uint64_t len[3];

	rwy_vq_layout(config->size, true, len);
	const struct vring_packed_desc *ring = rwy_mem_at_uva(config->mem, config->desc, len[0]);
	if (!ring)
		return -EFAULT;
	if (old.used_idx >= track->size || now.used_idx >= track->size)
		return -EINVAL;
	*pos = old;
	if (now.used_idx != old.used_idx || now.wrap != old.wrap) {
		const uint16_t flags = RWY_READ_ONCE(&ring[old.used_idx].flags);
		const uint16_t avail =
			old.wrap ? 1u << VRING_PACKED_DESC_F_AVAIL : 1u << VRING_PACKED_DESC_F_USED;

		if ((flags & F_OWNER) != avail)
			*pos = now;
	}
	return pos->free_head <= track->size ? 0 : -EINVAL;
}

/* "When reconnecting", 3: what the free list holds is not in flight, whatever it says. */
static void cross_out(struct rwy_be_track *track, uint16_t head)
{
	struct rwy_be_track_packed *area = track->packed;

	for (unsigned i = 0; i < track->size && head < track->size; i++) {
		RWY_BE_TRACK_STORE(&area->desc[head].inflight, 0);
		head = RWY_READ_ONCE(&area->desc[head].next);
	}
}

/* Copies the chain that begins with entry `head` behind the *nr_descs taken so far. */
static int copy_chain(struct rwy_be_track *track, uint16_t head, bool *taken, unsigned *nr_descs)
{
	struct rwy_be_track_packed *area = track->packed;
	const uint16_t num = RWY_READ_ONCE(&area->desc[head].num);
	struct rwy_vq_left *left = &track->left[track->nr_left];
	uint16_t at = head;

	if (num == 0 || num > track->size - *nr_descs)
		return -EINVAL;
	*left = (struct rwy_vq_left){.nr_desc = num, .descs = &track->descs[*nr_descs]};
	for (unsigned i = 0; i < num; i++) {
		const volatile struct rwy_be_track_packed_desc *desc = &area->desc[at];

		if (taken[at])
			return -EINVAL;
		taken[at] = true;
		track->descs[(*nr_descs)++] = (struct vring_packed_desc){.addr = desc->addr,
									 .len = desc->len,
									 .id = desc->id,
									 .flags = desc->flags};
		track->last[head] = at;
		const uint16_t next = desc->next;
		if (i + 1 < num) {
			if (next >= track->size)
				return -EINVAL;
			track->next[at] = next;
			at = next;
		}
	}
	/* the driver puts the buffer id into the last descriptor of a chain */
	left->id = track->descs[*nr_descs - 1].id;
	if (left->id >= track->size)
		return -EINVAL;
	track->entry[left->id] = head;
	track->nr_left++;
	return 0;
}

static int copy_chains(struct rwy_be_track *track, bool *taken, struct rwy_be_track_age *ages,
		       unsigned *nr_descs)
{
	struct rwy_be_track_packed *area = track->packed;
	unsigned nr = 0;
	int err = 0;

	for (uint16_t i = 0; i < track->size; i++)
		if (RWY_READ_ONCE(&area->desc[i].inflight) == 1)
			ages[nr++] = (struct rwy_be_track_age){.counter = RWY_READ_ONCE(
								       &area->desc[i].counter),
							       .head = i};
	rwy_be_track_sort(ages, nr);
	for (unsigned i = 0; !err && i < nr; i++) {
		err = copy_chain(track, ages[i].head, taken, nr_descs);
		track->counter = ages[i].counter + 1;
	}
	return err;
}

static int packed_recover(struct rwy_be_track *track, uint16_t desc_num,
			  struct rwy_vq_config *config)
{
	struct position pos;
	unsigned nr_descs = 0;
	int err;

	if (RWY_READ_ONCE(&track->packed->desc_num) != desc_num)
		return -EINVAL;
	err = find_position(track, config, &pos);
	if (err)
		return err;
	bool *taken = calloc(track->size, sizeof(*taken));
	struct rwy_be_track_age *ages = calloc(track->size, sizeof(*ages));
	if (!taken || !ages) {
		err = -ENOMEM;
		goto free_both;
	}
	settle(track, pos.free_head, pos.used_idx, pos.wrap);
	cross_out(track, pos.free_head);
	err = copy_chains(track, taken, ages, &nr_descs);
	if (err)
		goto free_both;
	link_free(track, taken);
	unsigned avail = pos.used_idx + nr_descs;
	bool wrap = pos.wrap ^ (avail >= track->size);
	avail = avail >= track->size ? avail - track->size : avail;
	config->base = avail | (wrap ? WRAP_BIT : 0) | (uint32_t)pos.used_idx << 16 |
		       (pos.wrap ? WRAP_BIT << 16 : 0);
free_both:
	free(taken);
	free(ages);
	return err;
}

static void packed_get(struct rwy_be_track *track, const struct rwy_vq *vq,
		       const struct rwy_chain *chain, uint16_t at)
{
	struct rwy_be_track_packed *area = track->packed;
	const uint16_t head = track->free_head;
	uint16_t entry = head;

	RWY_BE_TRACK_STORE(&area->desc[head].num, 0);
	RWY_BE_TRACK_STORE(&area->desc[head].counter, track->counter++);
	RWY_BE_TRACK_STORE(&area->desc[head].inflight, 1);
	for (uint16_t i = 0; i < chain->nr_desc; i++) {
		/* a second look at the ring; what is kept here is checked when it is used */
		const volatile struct vring_packed_desc *from = &vq->pdesc[at];
		struct rwy_be_track_packed_desc *to = &area->desc[entry];

		RWY_BE_TRACK_STORE(&area->desc[head].num, i + 1);
		RWY_BE_TRACK_STORE(&to->addr, from->addr);
		RWY_BE_TRACK_STORE(&to->len, from->len);
		RWY_BE_TRACK_STORE(&to->flags, from->flags);
		RWY_BE_TRACK_STORE(&to->id, from->id);
		track->last[head] = entry;
		entry = track->next[entry];
		at = (uint16_t)(at + 1 == vq->size ? 0 : at + 1);
	}
	RWY_BE_TRACK_STORE(&area->desc[head].last, track->last[head]);
	track->entry[chain->id] = head;
	track->free_head = entry;
	RWY_BE_TRACK_STORE(&area->free_head, entry);
	RWY_BE_TRACK_STORE(&area->old_free_head, entry);
}

static void packed_put(struct rwy_be_track *track, const struct rwy_vq *vq,
		       const struct rwy_chain *chain)
{
	struct rwy_be_track_packed *area = track->packed;
	const uint16_t head = track->entry[chain->id];
	const uint16_t last = track->last[head];

	track->next[last] = track->free_head;
	track->free_head = head;
	RWY_BE_TRACK_STORE(&area->desc[last].next, track->next[last]);
	RWY_BE_TRACK_STORE(&area->free_head, head);
	set_used(track, vq->used_idx, vq->used_wrap);
	track->batch[track->nr_batch++] = head;
}

static void packed_commit(struct rwy_be_track *track, const struct rwy_vq *vq)
{
	for (unsigned i = 0; i < track->nr_batch; i++)
		RWY_BE_TRACK_STORE(&track->packed->desc[track->batch[i]].inflight, 0);
	settle(track, track->free_head, vq->used_idx, vq->used_wrap);
}

const struct rwy_be_track_ops rwy_be_track_packed_ops = {
	.init = packed_init,
	.recover = packed_recover,
	.get = packed_get,
	.put = packed_put,
	.commit = packed_commit,
};
