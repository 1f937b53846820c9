/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "Inflight I/O tracking", the lists of steps for split virtqueues. An entry belongs to the head
 * descriptor of the same number.
 */
#include "vhost-backends/be_track.h"

#include <errno.h>
#include <stdlib.h>

/* The ring's own used index, or -1: it does not lie in memory, which rwy_vq_start will find too. */
static int used_idx_of(const struct rwy_vq_config *config)
{
	uint64_t len[3];

	rwy_vq_layout(config->size, false, len);
	const struct vring_used *used = rwy_mem_at_uva(config->mem, config->device, len[2]);

	return used ? RWY_READ_ONCE(&used->idx) : -1;
}

/*
 * used_idx is the ring's from the start: were it 0, the first recovery of a ring that was in use
 * before would take a batch for done that never was.
 */
static void split_init(struct rwy_be_track *track, uint16_t desc_num,
		       const struct rwy_vq_config *config)
{
	struct rwy_be_track_split *area = track->split;
	int used_idx = used_idx_of(config);

	RWY_BE_TRACK_STORE(&area->version, 0);
	area->features = 0;
	area->desc_num = desc_num;
	area->last_batch_head = 0;
	area->used_idx = (uint16_t)used_idx;
	for (unsigned i = 0; i < desc_num; i++)
		area->desc[i] = (struct rwy_be_track_split_desc){0};
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	RWY_BE_TRACK_STORE(&area->version, RWY_BE_TRACK_VERSION);
}

/* "When reconnecting", 1: the batch that was published and not yet crossed out. */
static int cross_out(struct rwy_be_track *track, uint16_t used_idx)
{
	struct rwy_be_track_split *area = track->split;
	uint16_t batch = (uint16_t)(used_idx - RWY_READ_ONCE(&area->used_idx));
	uint16_t head = RWY_READ_ONCE(&area->last_batch_head);

	if (batch > track->size)
		return -ESTALE;
	for (unsigned i = 0; i < batch; i++) {
		if (head >= track->size)
			return -EINVAL;
		RWY_BE_TRACK_STORE(&area->desc[head].inflight, 0);
		head = RWY_READ_ONCE(&area->desc[head].next);
	}
	RWY_BE_TRACK_STORE(&area->used_idx, used_idx);
	return 0;
}

static int split_recover(struct rwy_be_track *track, uint16_t desc_num,
			 struct rwy_vq_config *config)
{
	struct rwy_be_track_split *area = track->split;
	int used_idx = used_idx_of(config);
	int err;

	if (used_idx < 0)
		return -EFAULT;
	if (RWY_READ_ONCE(&area->desc_num) != desc_num)
		return -EINVAL;
	err = cross_out(track, (uint16_t)used_idx);
	if (err == -ESTALE) {
		/* the driver set its ring up anew while nobody served it */
		split_init(track, desc_num, config);
		return 0;
	}
	if (err)
		return err;
	struct rwy_be_track_age *ages = calloc(track->size, sizeof(*ages));
	if (!ages)
		return -ENOMEM;
	for (uint16_t i = 0; i < track->size; i++)
		if (RWY_READ_ONCE(&area->desc[i].inflight) == 1)
			ages[track->nr_left++] = (struct rwy_be_track_age){
				.counter = RWY_READ_ONCE(&area->desc[i].counter), .head = i};
	rwy_be_track_sort(ages, track->nr_left);
	for (unsigned i = 0; i < track->nr_left; i++) {
		track->left[i] = (struct rwy_vq_left){.id = ages[i].head, .nr_desc = 1};
		track->counter = ages[i].counter + 1;
	}
	free(ages);
	track->last_head = RWY_READ_ONCE(&area->last_batch_head);
	config->base = (uint16_t)((unsigned)used_idx + track->nr_left);
	return 0;
}

static void split_get(struct rwy_be_track *track, const struct rwy_vq *vq,
		      const struct rwy_chain *chain, uint16_t at)
{
	struct rwy_be_track_split_desc *desc = &track->split->desc[chain->id];

	RWY_BE_TRACK_STORE(&desc->counter, track->counter++);
	RWY_BE_TRACK_STORE(&desc->inflight, 1);
}

static void split_put(struct rwy_be_track *track, const struct rwy_vq *vq,
		      const struct rwy_chain *chain)
{
	RWY_BE_TRACK_STORE(&track->split->desc[chain->id].next, track->last_head);
	RWY_BE_TRACK_STORE(&track->split->last_batch_head, chain->id);
	track->last_head = chain->id;
	track->batch[track->nr_batch++] = chain->id;
}

static void split_commit(struct rwy_be_track *track, const struct rwy_vq *vq)
{
	for (unsigned i = 0; i < track->nr_batch; i++)
		RWY_BE_TRACK_STORE(&track->split->desc[track->batch[i]].inflight, 0);
	RWY_BE_TRACK_STORE(&track->split->used_idx, vq->used_idx);
}

const struct rwy_be_track_ops rwy_be_track_split_ops = {
	.init = split_init,
	.recover = split_recover,
	.get = split_get,
	.put = split_put,
	.commit = split_commit,
};
