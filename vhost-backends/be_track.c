/* SPDX-License-Identifier: BSD-3-Clause */
/* What the two formats of in-flight tracking have in common. */
#include "vhost-backends/be_track.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PART_ALIGN UINT64_C(64)

uint64_t rwy_be_track_len(bool packed, uint16_t desc_num)
{
	const uint64_t one = packed ? sizeof(struct rwy_be_track_packed_desc)
				    : sizeof(struct rwy_be_track_split_desc);
	const uint64_t head =
		packed ? sizeof(struct rwy_be_track_packed) : sizeof(struct rwy_be_track_split);

	return RWY_ALIGN_UP(head + one * desc_num, PART_ALIGN);
}

static int compare_age(const void *a, const void *b)
{
	const struct rwy_be_track_age *x = a, *y = b;

	return x->counter < y->counter ? -1 : x->counter > y->counter;
}

void rwy_be_track_sort(struct rwy_be_track_age *ages, unsigned nr)
{
	qsort(ages, nr, sizeof(*ages), compare_age);
}

static void free_track(struct rwy_be_track *track)
{
	free(track->batch);
	free(track->next);
	free(track->last);
	free(track->entry);
	free(track->left);
	free(track->descs);
	free(track);
}

static struct rwy_be_track *new_track(uint16_t size, bool packed)
{
	struct rwy_be_track *track = calloc(1, sizeof(*track));

	if (!track)
		return NULL;
	track->size = size;
	track->ops = packed ? &rwy_be_track_packed_ops : &rwy_be_track_split_ops;
	track->batch = calloc(size, sizeof(*track->batch));
	track->left = calloc(size, sizeof(*track->left));
	if (packed) {
		track->next = calloc(size, sizeof(*track->next));
		track->last = calloc(size, sizeof(*track->last));
		track->entry = calloc(size, sizeof(*track->entry));
		track->descs = calloc(size, sizeof(*track->descs));
	}
	if (!track->batch || !track->left ||
	    (packed && (!track->next || !track->last || !track->entry || !track->descs))) {
		free_track(track);
		return NULL;
	}
	return track;
}

int rwy_be_track_open(struct rwy_be_track **out, void *part, uint16_t desc_num,
		      struct rwy_vq_config *config)
{
	/* features and version lie at the same place in both */
	const struct rwy_be_track_split *any = part;
	const uint16_t version = RWY_READ_ONCE(&any->version);
	int err = 0;

	if (config->size > desc_num || version > RWY_BE_TRACK_VERSION)
		return -EINVAL;
	struct rwy_be_track *track = new_track(config->size, config->packed);
	if (!track)
		return -ENOMEM;
	track->split = part;
	if (version == 0)
		track->ops->init(track, desc_num, config);
	else
		err = track->ops->recover(track, desc_num, config);
	if (err) {
		free_track(track);
		return err;
	}
	*out = track;
	return 0;
}

void rwy_be_track_close(struct rwy_be_track *track)
{
	if (!track)
		return;
	/* what a predecessor left and nobody took up again is for the next one */
	if (track->at_left == track->nr_left)
		RWY_BE_TRACK_STORE(&track->split->version, 0);
	free_track(track);
}

static unsigned pop_left(struct rwy_be_track *track, struct rwy_vq *vq, struct rwy_chain *chains,
			 unsigned n, struct iovec *iov, unsigned nr_iov)
{
	unsigned pieces = 0, i;

	for (i = 0; i < n && track->at_left < track->nr_left; i++) {
		unsigned took = rwy_vq_repop(vq, &track->left[track->at_left], &chains[i],
					     iov + pieces, nr_iov - pieces, i);

		if (!took)
			break;
		pieces += took;
		track->at_left++;
	}
	return i;
}

unsigned rwy_be_track_pop(struct rwy_be_track *track, struct rwy_vq *vq, struct rwy_chain *chains,
			  unsigned n, struct iovec *iov, unsigned nr_iov)
{
	if (RWY_UNLIKELY(track->at_left < track->nr_left))
		return pop_left(track, vq, chains, n, iov, nr_iov);
	/* an entry of the area is not free for another request before it is published */
	rwy_be_track_publish(track, vq);
	uint16_t at = vq->avail_idx;
	n = rwy_vq_pop(vq, chains, n, iov, nr_iov);
	for (unsigned i = 0; i < n; i++) {
		track->ops->get(track, vq, &chains[i], at);
		at = (uint16_t)((at + chains[i].nr_desc) % vq->size);
	}
	return n;
}

void rwy_be_track_push(struct rwy_be_track *track, struct rwy_vq *vq,
		       const struct rwy_chain *chains, unsigned n)
{
	rwy_vq_push(vq, chains, n);
	for (unsigned i = 0; i < n; i++)
		track->ops->put(track, vq, &chains[i]);
}

void rwy_be_track_publish(struct rwy_be_track *track, struct rwy_vq *vq)
{
	if (track->nr_batch == 0)
		return;
	rwy_vq_publish(vq);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	track->ops->commit(track, vq);
	track->nr_batch = 0;
}
