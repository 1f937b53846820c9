/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/vq_log.h"

#include "lib/vu_wire.h"

#include <assert.h>

void rwy_vq_log_mark(const struct rwy_vq_log_map *map, rwy_gpa gpa, uint64_t len)
{
	const uint64_t nr_pages = map->len * 8;
	uint64_t page = gpa.v / RWY_VU_LOG_PAGE, end;

	if (len == 0 || page >= nr_pages)
		return;
	if (RWY_ADD_OVERFLOW(gpa.v, len - 1, &end))
		end = UINT64_MAX;
	const uint64_t last = RWY_MIN(end / RWY_VU_LOG_PAGE, nr_pages - 1);
	while (page <= last) {
		uint8_t *const at = &map->bytes[page / 8];
		const uint64_t here = RWY_MIN(last, page | 7);
		const uint8_t bits = (uint8_t)(0xff << page % 8 & 0xff >> (7 - here % 8));

		if ((RWY_READ_ONCE(at) & bits) != bits)
			RWY_OR_ONCE(at, bits);
		page = here + 1;
	}
}

/* By our address of it: all of it lies in one region, as the door gave it out. */
static void mark_at(const struct rwy_vq *vq, const struct rwy_vq_log *log, const void *at,
		    uint64_t len)
{
	const struct rwy_mem_region *r = vq->hint;

	if (!r || (uintptr_t)at - (uintptr_t)r->hva >= r->size)
		r = rwy_mem_find_hva(vq->mem, at);
	if (r)
		rwy_vq_log_mark(log->map, (rwy_gpa){r->gpa.v + ((uintptr_t)at - (uintptr_t)r->hva)},
				len);
}

/*
 * All of what the device may write of the ring, not only the slots of the burst: a lap later it is
 * the same, and its bits lie side by side.
 */
static void mark_ring(const struct rwy_vq *vq, const struct rwy_vq_log *log)
{
	struct iovec parts[2];

	RWY_MB();
	vq->ops->parts(vq, parts);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(parts); i++)
		mark_at(vq, log, parts[i].iov_base, parts[i].iov_len);
}

static void mark_chain(const struct rwy_vq *vq, const struct rwy_vq_log *log,
		       const struct rwy_chain *chain)
{
	const struct iovec *iov = chain->iov + chain->nr_out;
	uint64_t left = chain->beyond ? chain->in_len : chain->written;

	for (unsigned i = 0; i < chain->nr_in && left > 0; i++) {
		const uint64_t len = RWY_MIN(left, iov[i].iov_len);

		mark_at(vq, log, iov[i].iov_base, len);
		left -= len;
	}
}

static const struct rwy_vq_log *log_of(const struct rwy_vq *vq)
{
	return RWY_CONTAINER_OF(vq->ops, struct rwy_vq_log, ops);
}

static void log_push(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n)
{
	const struct rwy_vq_log *log = log_of(vq);

	if (log->data) {
		RWY_MB();
		for (unsigned i = 0; i < n; i++)
			mark_chain(vq, log, &chains[i]);
	}
	log->plain->push(vq, chains, n);
}

static void log_publish(struct rwy_vq *vq)
{
	const struct rwy_vq_log *log = log_of(vq);

	log->plain->publish(vq);
	mark_ring(vq, log);
}

static bool log_arm(struct rwy_vq *vq)
{
	const struct rwy_vq_log *log = log_of(vq);
	const bool more = log->plain->arm(vq);

	mark_ring(vq, log);
	return more;
}

static void log_disarm(struct rwy_vq *vq)
{
	const struct rwy_vq_log *log = log_of(vq);

	log->plain->disarm(vq);
	mark_ring(vq, log);
}

static bool is_logged(const struct rwy_vq *vq, const struct rwy_vq_log *log)
{
	return vq->ops == &log->ops;
}

void rwy_vq_log_start(struct rwy_vq *vq, struct rwy_vq_log *log, const struct rwy_vq_log_map *map,
		      bool data)
{
	assert(rwy_vq_started(vq));
	if (!is_logged(vq, log)) {
		log->plain = vq->ops;
		log->ops = *vq->ops;
		log->ops.push = log_push;
		log->ops.publish = log_publish;
		log->ops.arm = log_arm;
		log->ops.disarm = log_disarm;
		vq->ops = &log->ops;
	}
	log->map = map;
	log->data = data;
	mark_ring(vq, log);
}

void rwy_vq_log_stop(struct rwy_vq *vq, const struct rwy_vq_log *log)
{
	if (is_logged(vq, log))
		vq->ops = log->plain;
}
