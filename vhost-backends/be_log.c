/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dirty log as the front-end shares and asks for it ("Migration"). The marks are made by
 * lib/vq_log.c; here is which rings are logged, and where to.
 *
 * No write of a ring that is to be logged goes without its mark: the log that counts is one that
 * has a bit for each byte of guest memory. A ring that is to be logged waits for such a log before
 * it starts (QEMU sends the log after the rings), and to ask for logging of one that runs, or to
 * bring it memory beyond the log, is refused.
 *
 * What is written of a ring is marked by the address that our own translation gives, not by the one
 * in SET_VRING_ADDR: that is the used ring's, and packed rings are written at their descriptors
 * too.
 */
#include "vhost-backends/be_fault.h"
#include "vhost-backends/be_private.h"

#include <errno.h>

#define RWY_STEM "be_log"

/* VHOST_VRING_F_LOG */
#define RING_LOGGED 1u

static bool is_wanted(const struct rwy_be *be, unsigned q)
{
	const struct rwy_be_ring *ring = &be->priv->rings[q];

	return rwy_be_has(be, RWY_VU_F_LOG_ALL) ||
	       (ring->has_addr && ring->addr.flags & RING_LOGGED);
}

static bool reaches(const struct rwy_be_log *log, uint64_t gpa, uint64_t size)
{
	uint64_t last;

	return !RWY_ADD_OVERFLOW(gpa, size - 1, &last) && last / RWY_VU_LOG_PAGE / 8 < log->map.len;
}

static bool is_good(const struct rwy_be *be, const struct rwy_be_log *log)
{
	if (!log->view.map || log->view.lost)
		return false;
	/* regions are sorted and do not overlap: the last one ends last */
	const struct rwy_mem_region *r = be->mem.nr ? &be->mem.regions[be->mem.nr - 1] : NULL;
	return !r || reaches(log, r->gpa.v, r->size);
}

bool rwy_be_log_is_ready(const struct rwy_be *be, unsigned q)
{
	/* without a way to share one there will never be a log, and no migration */
	return !is_wanted(be, q) || is_good(be, &be->priv->log) ||
	       !(be->priv->state.pf & RWY_BIT64(RWY_VU_PF_LOG_SHMFD));
}

bool rwy_be_log_is_good(const struct rwy_be *be)
{
	return is_good(be, &be->priv->log);
}

bool rwy_be_log_reaches(const struct rwy_be *be, uint64_t gpa, uint64_t size)
{
	const struct rwy_be_log *log = &be->priv->log;

	for (unsigned q = 0; q < be->nr_queues; q++)
		if (log->view.map && rwy_vq_started(&be->vqs[q]) && is_wanted(be, q))
			return reaches(log, gpa, size);
	return true;
}

void rwy_be_log_update(struct rwy_be *be, unsigned q)
{
	struct rwy_be_ring *ring = &be->priv->rings[q];
	struct rwy_vq *vq = &be->vqs[q];

	if (!rwy_vq_started(vq))
		return;
	if (is_wanted(be, q))
		rwy_vq_log_start(vq, &ring->log, &be->priv->log.map,
				 rwy_be_has(be, RWY_VU_F_LOG_ALL));
	else
		rwy_vq_log_stop(vq, &ring->log);
}

/*
 * The old log is used up to here and not beyond: rings are logged between two messages only. There
 * is no way to refuse a log but to end the connection, and going on without would spoil a guest.
 */
int rwy_be_log_set_base(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	const struct rwy_vu_log from = msg->payload.log;
	struct rwy_be_log log;
	int err = rwy_be_view_open(&log.view, msg->fds[0], from.offset, from.size);

	if (err)
		return err;
	log.map = (struct rwy_vq_log_map){.bytes = log.view.at, .len = from.size};
	if (!is_good(be, &log)) {
		rwy_be_view_close(&log.view);
		return -EFBIG;
	}
	rwy_be_log_fini(be);
	be->priv->log = log;
	for (unsigned q = 0; q < be->nr_queues; q++) {
		rwy_be_log_update(be, q);
		rwy_be_ring_update(be, q);
	}
	/* some front-ends want a number, none minds one */
	rwy_vu_chan_close_fds(msg);
	msg->hdr.size = sizeof(msg->payload.u64);
	msg->payload.u64 = 0;
	return 0;
}

bool rwy_be_log_lose(struct rwy_be *be, const void *at)
{
	return rwy_be_view_lose(&be->priv->log.view, at);
}

void rwy_be_log_fini(struct rwy_be *be)
{
	(void)rwy_be_fault_settle(be->poll);
	rwy_be_view_close(&be->priv->log.view);
	be->priv->log.map = (struct rwy_vq_log_map){.len = 0};
}
