/* SPDX-License-Identifier: BSD-3-Clause */
/* Starting, stopping and breaking a virtqueue; the rings themselves are in vq_split and vq_packed.
 */
#include "lib/vq.h"

#include "lib/iov.h"
#include "lib/vq_impl.h"

#include <assert.h>
#include <stdlib.h>

#define RWY_STEM "vq"

void rwy_vq_init(struct rwy_vq *vq)
{
	*vq = (struct rwy_vq){.kick_fd = -1, .call_fd = -1, .err_fd = -1};
}

void rwy_vq_layout(uint16_t size, bool packed, uint64_t len[3])
{
	len[0] = 16u * (uint64_t)size;
	len[1] = packed ? 4 : 6 + 2 * (uint64_t)size;
	len[2] = packed ? 4 : 6 + 8 * (uint64_t)size;
}

/* A queue whose memory is gone: it does nothing, and still knows where it was. */
static unsigned detached_pop(struct rwy_vq *vq, struct rwy_chain *chains, unsigned n,
			     struct iovec *iov, unsigned nr_iov)
{
	return 0;
}

static unsigned detached_repop(struct rwy_vq *vq, const struct rwy_vq_left *left,
			       struct rwy_chain *chain, struct iovec *iov, unsigned nr_iov,
			       unsigned taken)
{
	return 0;
}

static void detached_chains(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n)
{
}

static void detached_publish(struct rwy_vq *vq)
{
}

static bool detached_arm(struct rwy_vq *vq)
{
	return false;
}

static uint32_t detached_base(const struct rwy_vq *vq)
{
	return vq->detached_base;
}

static void detached_parts(const struct rwy_vq *vq, struct iovec parts[2])
{
	parts[0] = parts[1] = (struct iovec){.iov_len = 0};
}

static const struct rwy_vq_ops detached_ops = {
	.pop = detached_pop,
	.repop = detached_repop,
	.unpop = detached_chains,
	.push = detached_chains,
	.publish = detached_publish,
	.arm = detached_arm,
	.disarm = detached_publish,
	.base = detached_base,
	.parts = detached_parts,
};

static const struct rwy_vq_ops *choose_ops(const struct rwy_vq_config *config)
{
	if (config->packed)
		return config->in_order ? &rwy_vq_packed_in_order_ops : &rwy_vq_packed_ops;
	return config->in_order ? &rwy_vq_split_in_order_ops : &rwy_vq_split_ops;
}

struct area {
	const char *name;
	rwy_uva uva;
	uint64_t len;
	uint64_t align;
	void *at;
};

/* "Virtqueues", alignment table of 2.7 and 2.8; our own pointer must be as aligned as the guest's.
 */
static int resolve_area(const struct rwy_mem *mem, struct area *area)
{
	if (area->uva.v & (area->align - 1)) {
		rwy_warn("%s area at %#lx is not aligned to %lu", area->name, area->uva.v,
			 area->align);
		return -EINVAL;
	}
	area->at = rwy_mem_at_uva(mem, area->uva, area->len);
	if (!area->at) {
		rwy_warn("%s area %#lx+%#lx is not inside one memory region", area->name,
			 area->uva.v, area->len);
		return -EFAULT;
	}
	return (uintptr_t)area->at & (area->align - 1) ? -EINVAL : 0;
}

static int resolve(struct rwy_vq *vq, const struct rwy_vq_config *config)
{
	uint64_t len[3];
	const bool packed = config->packed;

	if (config->size == 0 || config->size > RWY_VQ_SIZE_MAX ||
	    (!packed && !RWY_IS_POW2(config->size))) {
		rwy_warn("queue size %u is not possible", config->size);
		return -EINVAL;
	}
	rwy_vq_layout(config->size, packed, len);
	struct area areas[3] = {
		{"descriptor", config->desc, len[0], 16, NULL},
		{"driver", config->driver, len[1], packed ? 4 : 2, NULL},
		{"device", config->device, len[2], 4, NULL},
	};
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(areas); i++) {
		int err = resolve_area(config->mem, &areas[i]);

		if (err)
			return err;
		for (unsigned j = 0; j < i; j++) {
			if (rwy_base_overlap(areas[i].uva.v, len[i], areas[j].uva.v, len[j])) {
				rwy_warn("%s and %s area overlap", areas[i].name, areas[j].name);
				return -EINVAL;
			}
		}
	}
	vq->mem = config->mem;
	vq->hint = NULL;
	vq->desc = areas[0].at;
	vq->avail = areas[1].at;
	vq->used = areas[2].at;
	return 0;
}

int rwy_vq_start(struct rwy_vq *vq, const struct rwy_vq_config *config)
{
	assert(!rwy_vq_started(vq) && vq->stats);
	int err = resolve(vq, config);

	if (err)
		return err;
	vq->size = config->size;
	vq->event_idx = config->event_idx;
	vq->indirect = config->indirect;
	vq->read_only = config->read_only;
	vq->signalled_valid = false;
	vq->run = false;
	vq->broken = RWY_VQ_OK;
	vq->inflight = calloc(config->size, 1);
	if (!vq->inflight)
		return -ENOMEM;
	vq->ops = choose_ops(config);
	err = config->packed ? rwy_vq_packed_begin(vq, config->base)
			     : rwy_vq_split_begin(vq, config->base);
	if (err) {
		rwy_warn("ring cannot go on from base %#x", config->base);
		goto free_inflight;
	}
	vq->ops->arm(vq);
	return 0;

free_inflight:
	free(vq->inflight);
	vq->inflight = NULL;
	vq->ops = NULL;
	return err;
}

uint32_t rwy_vq_stop(struct rwy_vq *vq)
{
	assert(rwy_vq_started(vq));
	vq->ops->publish(vq);
	uint32_t base = vq->ops->base(vq);

	free(vq->inflight);
	vq->inflight = NULL;
	vq->ops = NULL;
	return base;
}

int rwy_vq_remap(struct rwy_vq *vq, const struct rwy_vq_config *config)
{
	assert(rwy_vq_started(vq) && config->size == vq->size);
	int err = resolve(vq, config);

	if (err) {
		vq->detached_base = vq->ops->base(vq);
		vq->ops = &detached_ops;
		rwy_vq_break(vq, RWY_VQ_ADDRESS);
	}
	return err;
}

static const char *const reason_names[RWY_VQ_NR_REASONS] = {
	[RWY_VQ_OK] = "ok",
	[RWY_VQ_AVAIL_JUMP] = "avail-jump",
	[RWY_VQ_HEAD_RANGE] = "head-range",
	[RWY_VQ_NEXT_RANGE] = "next-range",
	[RWY_VQ_CHAIN_LONG] = "chain-long",
	[RWY_VQ_CHAIN_HUGE] = "chain-huge",
	[RWY_VQ_ORDER] = "order",
	[RWY_VQ_INDIRECT_OFF] = "indirect-off",
	[RWY_VQ_INDIRECT_FLAGS] = "indirect-flags",
	[RWY_VQ_INDIRECT_LEN] = "indirect-len",
	[RWY_VQ_ADDRESS] = "address",
	[RWY_VQ_DUPLICATE] = "duplicate",
	[RWY_VQ_DEVICE] = "device",
	[RWY_VQ_MEMORY] = "memory",
};

const char *rwy_vq_reason_name(enum rwy_vq_reason reason)
{
	return (unsigned)reason < RWY_VQ_NR_REASONS ? reason_names[reason] : "unknown";
}

void rwy_vq_break(struct rwy_vq *vq, enum rwy_vq_reason reason)
{
	if (vq->broken)
		return;
	vq->broken = (uint8_t)reason;
	rwy_stats_add(&vq->stats->broken, 1);
	RWY_WRITE_ONCE(&vq->stats->reason, reason);
	if (vq->err_fd >= 0)
		rwy_bell_ring(vq->bell, vq->err_fd);
	if (rwy_log_allow(&vq->log_limit, 4))
		rwy_warn("queue broken by its driver: %s, at avail %u; reset the device to go on",
			 rwy_vq_reason_name(reason), vq->avail_idx);
}

RWY_COLD void rwy_vq_refuse(struct rwy_vq *vq, int why, unsigned taken)
{
	if (why != RWY_VQ_NO_ROOM)
		rwy_vq_break(vq, (enum rwy_vq_reason)why);
	else if (taken == 0)
		rwy_vq_break(vq, RWY_VQ_CHAIN_LONG);
}

void rwy_vq_call(struct rwy_vq *vq, bool wanted)
{
	if (wanted)
		rwy_bell_ring(vq->bell, vq->call_fd);
	rwy_stats_add(wanted ? &vq->stats->calls : &vq->stats->calls_saved, 1);
}

void rwy_vq_window_move(struct rwy_vq *vq, uint64_t gpa)
{
	const struct rwy_mem_region *r = rwy_mem_find(vq->mem, (rwy_gpa){gpa});

	if (r)
		vq->hint = r;
}

bool rwy_vq_table_copy(const struct rwy_mem *mem, uint64_t gpa, void *entry)
{
	struct iovec iov[sizeof(union rwy_vq_desc)];
	const int pieces = rwy_mem_iov(mem, (rwy_gpa){gpa}, sizeof(union rwy_vq_desc), iov,
				       RWY_ARRAY_SIZE(iov));

	if (pieces < 0)
		return false;
	rwy_iov_read(iov, (unsigned)pieces, 0, entry, sizeof(union rwy_vq_desc));
	return true;
}
