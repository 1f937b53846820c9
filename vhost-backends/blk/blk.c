/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-backends/blk/blk.h"

#include "lib/log.h"
#include "lib/vu_wire.h"
#include "vhost-backends/be_inflight.h"
#include "vhost-backends/blk/blk_req.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "blk"

/* Pieces of data in one request: a ring of 128, the usual size, takes them with header and status
 * where the driver has no indirect descriptors. */
#define SEG_MAX 126
/* The page cache works in pages of 4 KiB: 2^3 sectors. */
#define PAGE_EXP     3
#define PAGE_SECTORS (1u << PAGE_EXP)

static const char *const count_names[] = {
	"reads",       "writes",       "flushes",	"discards",	   "zeroes",
	"ids",	       "read_bytes",   "written_bytes", "discarded_bytes", "zeroed_bytes",
	"read_errors", "write_errors", "other_errors",	"refused",	   "unsupported",
};

static_assert(RWY_ARRAY_SIZE(count_names) == sizeof(struct rwy_blk_counts) / sizeof(uint64_t),
	      "one name a counter");

static struct rwy_blk *blk_of(const struct rwy_be *be)
{
	return be->device;
}

/* 5.2.5.2: without CONFIG_WCE, a driver that cannot flush gets write-through. */
static void choose_cache(struct rwy_blk *blk, const struct rwy_be *be)
{
	blk->write_back = rwy_be_has(be, VIRTIO_BLK_F_CONFIG_WCE)
				  ? blk->wce != 0
				  : rwy_be_has(be, VIRTIO_BLK_F_FLUSH);
}

static void config_read(struct rwy_be *be, uint32_t off, void *buf, uint32_t len)
{
	const struct rwy_blk *blk = blk_of(be);
	uint8_t space[RWY_VU_CONFIG_MAX] = {0};
	const struct virtio_blk_config config = {
		.capacity = htole64(blk->sectors),
		.seg_max = htole32(SEG_MAX),
		.blk_size = htole32(RWY_STORE_SECTOR),
		.physical_block_exp = PAGE_EXP,
		.min_io_size = htole16(PAGE_SECTORS),
		.wce = blk->wce,
		.num_queues = htole16((uint16_t)blk->nr_queues),
		.max_discard_sectors = htole32(RWY_BLK_DISCARD_SECTORS_MAX),
		.max_discard_seg = htole32(RWY_BLK_RANGES_MAX),
		.discard_sector_alignment = htole32(PAGE_SECTORS),
		.max_write_zeroes_sectors = htole32(RWY_BLK_ZERO_SECTORS_MAX),
		.max_write_zeroes_seg = htole32(RWY_BLK_RANGES_MAX),
		.write_zeroes_may_unmap = 1,
	};

	memcpy(space, &config, sizeof(config));
	memcpy(buf, space + off, len);
}

static int config_write(struct rwy_be *be, uint32_t off, const void *buf, uint32_t len)
{
	struct rwy_blk *blk = blk_of(be);
	uint8_t wce;

	if (off != offsetof(struct virtio_blk_config, wce) || len != sizeof(wce))
		return -EINVAL;
	memcpy(&wce, buf, sizeof(wce));
	if (wce > 1)
		return -EINVAL;
	blk->wce = wce;
	choose_cache(blk, be);
	return 0;
}

static void set_features(struct rwy_be *be)
{
	choose_cache(blk_of(be), be);
}

static void publish(struct rwy_blk_queue *queue)
{
	if (!queue->dirty)
		return;
	queue->dirty = false;
	rwy_be_inflight_publish(queue->blk->be, queue->idx);
}

static bool running(const struct rwy_blk_queue *queue)
{
	return queue->reqs && !queue->stopping && queue->blk->be->enabled[queue->idx];
}

static unsigned poll_queue(struct rwy_blk_queue *queue, unsigned budget)
{
	struct rwy_blk *blk = queue->blk;
	struct rwy_chain chains[RWY_VQ_BURST];
	unsigned n = rwy_be_inflight_pop(blk->be, queue->idx, chains,
					 RWY_MIN(budget, (unsigned)RWY_VQ_BURST), blk->iov,
					 RWY_ARRAY_SIZE(blk->iov));
	uint64_t now = n > 0 ? rwy_poll_now_ns() : 0;

	for (unsigned i = 0; i < n && !blk->be->vqs[queue->idx].broken; i++)
		rwy_blk_req_begin(queue, &chains[i], i == 0 ? now : 0);
	return n;
}

static unsigned poll_queues(void *ctx, unsigned budget)
{
	struct rwy_blk *blk = ctx;
	unsigned work = 0;

	for (unsigned i = 0; i < blk->nr_queues; i++) {
		struct rwy_blk_queue *queue = &blk->queues[i];

		if (running(queue))
			work += poll_queue(queue, budget);
		publish(queue);
	}
	return work;
}

static bool arm_queues(void *ctx)
{
	struct rwy_blk *blk = ctx;
	bool late = false;

	for (unsigned i = 0; i < blk->nr_queues; i++) {
		if (running(&blk->queues[i]) && rwy_vq_arm(&blk->be->vqs[i]))
			late = true;
	}
	return late;
}

static void disarm_queues(void *ctx)
{
	struct rwy_blk *blk = ctx;

	for (unsigned i = 0; i < blk->nr_queues; i++) {
		if (running(&blk->queues[i]))
			rwy_vq_disarm(&blk->be->vqs[i]);
	}
}

static void start_queue(struct rwy_be *be, unsigned q)
{
	struct rwy_blk *blk = blk_of(be);
	struct rwy_blk_queue *queue = &blk->queues[q];

	blk->be = be;
	queue->reqs = calloc(be->vqs[q].size, sizeof(*queue->reqs));
	if (!queue->reqs) {
		rwy_error("%s: no memory for the %u requests of queue %u", blk->name,
			  be->vqs[q].size, q);
		rwy_vq_break(&be->vqs[q], RWY_VQ_DEVICE);
		return;
	}
	queue->stopping = false;
	if (blk->nr_running++ == 0)
		rwy_poll_add(blk->poll, &blk->poller);
}

static void end_queue(struct rwy_blk_queue *queue)
{
	publish(queue);
	free(queue->reqs);
	queue->reqs = NULL;
	queue->stopping = false;
	if (--queue->blk->nr_running == 0)
		rwy_poll_del(queue->blk->poll, &queue->blk->poller);
}

static bool stop_queue(struct rwy_be *be, unsigned q)
{
	struct rwy_blk_queue *queue = &blk_of(be)->queues[q];

	if (!queue->reqs)
		return true;
	queue->stopping = true;
	if (queue->nr_busy > 0)
		return false;
	end_queue(queue);
	return true;
}

void rwy_blk_queue_drained(struct rwy_blk_queue *queue)
{
	struct rwy_be *be = queue->blk->be;
	unsigned q = queue->idx;

	end_queue(queue);
	rwy_be_drained(be, q); /* may close be */
}

static void reset(struct rwy_be *be)
{
	blk_of(be)->wce = 1;
	choose_cache(blk_of(be), be);
}

static void lost(struct rwy_be *be)
{
	struct rwy_blk *blk = blk_of(be);

	blk->be = NULL;
	blk->wce = 1;
}

static const struct rwy_be_ops be_ops = {
	.name = "blk",
	.config_read = config_read,
	.config_write = config_write,
	.set_features = set_features,
	.start = start_queue,
	.stop = stop_queue,
	.reset = reset,
	.lost = lost,
};

void rwy_blk_opened(void *ctx, struct rwy_be *be)
{
	struct rwy_blk *blk = ctx;

	blk->be = be;
}

void rwy_blk_describe(struct rwy_blk *blk, struct rwy_be_config *config)
{
	uint64_t features = RWY_BIT64(VIRTIO_BLK_F_SEG_MAX) | RWY_BIT64(VIRTIO_BLK_F_BLK_SIZE) |
			    RWY_BIT64(VIRTIO_BLK_F_FLUSH) | RWY_BIT64(VIRTIO_BLK_F_TOPOLOGY) |
			    RWY_BIT64(VIRTIO_BLK_F_CONFIG_WCE) | RWY_BIT64(VIRTIO_BLK_F_MQ);

	if (blk->store->read_only)
		features |= RWY_BIT64(VIRTIO_BLK_F_RO);
	else
		features |= RWY_BIT64(VIRTIO_BLK_F_DISCARD) | RWY_BIT64(VIRTIO_BLK_F_WRITE_ZEROES);
	*config = (struct rwy_be_config){
		.ops = &be_ops,
		.device = blk,
		.features = features,
		.pf = RWY_BIT64(RWY_VU_PF_CONFIG) | RWY_BIT64(RWY_VU_PF_INFLIGHT_SHMFD),
		.nr_queues = blk->nr_queues,
		.config_len = RWY_VU_CONFIG_MAX,
		.in_order = blk->store->in_order,
		.stats = blk->stats,
		.stats_name = blk->name,
	};
}

static int add_stats(struct rwy_blk *blk)
{
	char name[RWY_STATS_NAME_LEN];

	blk->counts =
		(struct rwy_blk_counts *)rwy_stats_counters(blk->stats, blk->name, count_names,
							    RWY_ARRAY_SIZE(count_names));
	snprintf(name, sizeof(name), "%s.latency_ns", blk->name);
	blk->latency = rwy_stats_hist_new(blk->stats, name);
	return blk->counts && blk->latency ? 0 : -ENOSPC;
}

int rwy_blk_open(struct rwy_blk **out, struct rwy_poll *poll, const struct rwy_blk_config *config)
{
	struct rwy_blk *blk = calloc(1, sizeof(*blk));
	int err;

	if (!blk) {
		rwy_store_close(*config->store);
		*config->store = NULL;
		return -ENOMEM;
	}
	blk->poll = poll;
	blk->poller = (struct rwy_poller){.poll = poll_queues,
					  .arm = arm_queues,
					  .disarm = disarm_queues,
					  .ctx = blk};
	blk->store = *config->store;
	*config->store = NULL;
	blk->name = config->name;
	blk->stats = config->stats;
	blk->nr_queues = config->nr_queues;
	blk->sectors = blk->store->size / RWY_STORE_SECTOR;
	blk->wce = 1;
	for (unsigned i = 0; i < blk->nr_queues; i++)
		blk->queues[i] = (struct rwy_blk_queue){.blk = blk, .idx = i};
	err = add_stats(blk);
	if (err < 0) {
		rwy_blk_close(blk);
		return err;
	}
	*out = blk;
	return 0;
}

void rwy_blk_close(struct rwy_blk *blk)
{
	if (!blk)
		return;
	assert(!blk->be && blk->nr_running == 0);
	rwy_stats_del(blk->stats, blk->counts);
	rwy_stats_del(blk->stats, blk->latency);
	rwy_store_close(blk->store);
	free(blk);
}
