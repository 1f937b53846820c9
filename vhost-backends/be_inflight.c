/* SPDX-License-Identifier: BSD-3-Clause */
/* The in-flight area as a whole: made for the front-end, taken from it, dealt out to the rings. */
#include "vhost-backends/be_fault.h"
#include "vhost-backends/be_inflight.h"
#include "vhost-backends/be_private.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RWY_STEM "be_inflight"

/* The area for either format: which one the driver takes may not be known yet. */
int rwy_be_inflight_get_fd(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	struct rwy_vu_inflight *inflight = &msg->payload.inflight;
	const uint64_t len = inflight->num_queues * rwy_be_track_len(true, inflight->queue_size);
	int fd = memfd_create("ringway-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)len) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		int err = -errno;

		rwy_fd_close(&fd);
		return err;
	}
	inflight->mmap_size = len;
	inflight->mmap_offset = 0;
	memset(inflight->padding, 0, sizeof(inflight->padding));
	msg->hdr.size = sizeof(*inflight);
	msg->fds[0] = fd;
	msg->nr_fds = 1;
	return 0;
}

static int map_area(const struct rwy_vu_inflight *from, int fd, struct rwy_be_area *area)
{
	/* the smaller format must fit at least; which one it is shows when a ring starts */
	if (from->mmap_offset % sizeof(uint64_t) ||
	    from->mmap_size < from->num_queues * rwy_be_track_len(false, from->queue_size))
		return -EINVAL;
	*area = (struct rwy_be_area){
		.len = from->mmap_size,
		.nr_queues = from->num_queues,
		.desc_num = from->queue_size,
	};
	return rwy_be_view_open(&area->view, fd, from->mmap_offset, from->mmap_size);
}

int rwy_be_inflight_set_fd(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	struct rwy_be_area area;
	int err;

	for (unsigned q = 0; q < be->nr_queues; q++)
		if (rwy_vq_started(&be->vqs[q]))
			return -EBUSY;
	err = map_area(&msg->payload.inflight, msg->fds[0], &area);
	if (err)
		return err;
	rwy_be_inflight_fini(be);
	be->priv->area = area;
	for (unsigned q = 0; q < be->nr_queues; q++) {
		be->priv->rings[q].failed = false;
		rwy_be_ring_update(be, q);
	}
	return 0;
}

bool rwy_be_inflight_lose(struct rwy_be *be, const void *at)
{
	return rwy_be_view_lose(&be->priv->area.view, at);
}

int rwy_be_inflight_start(struct rwy_be *be, unsigned q, struct rwy_vq_config *config)
{
	const struct rwy_be_area *area = &be->priv->area;
	struct rwy_be_ring *ring = &be->priv->rings[q];
	uint64_t len;
	int err;

	if (!area->view.map || q >= area->nr_queues)
		return 0;
	if (area->view.lost)
		return -EFAULT;
	len = rwy_be_track_len(config->packed, area->desc_num);
	err = (q + 1) * len > area->len ? -EINVAL
					: rwy_be_track_open(&ring->track, area->view.at + q * len,
							    area->desc_num, config);
	if (err && rwy_be_log_allow(be))
		rwy_warn("ring %u: what is in flight cannot be told from the area: %s", q,
			 strerror(-err));
	if (!err && ring->track->nr_left)
		rwy_info("ring %u: %u requests were interrupted and are done again", q,
			 ring->track->nr_left);
	return err;
}

void rwy_be_inflight_stop(struct rwy_be *be, unsigned q)
{
	struct rwy_be_ring *ring = &be->priv->rings[q];

	if (!ring->track)
		return;
	rwy_be_track_publish(ring->track, &be->vqs[q]);
	rwy_be_track_close(ring->track);
	ring->track = NULL;
}

void rwy_be_inflight_fini(struct rwy_be *be)
{
	(void)rwy_be_fault_settle(be->poll);
	rwy_be_view_close(&be->priv->area.view);
}

unsigned rwy_be_inflight_pop(struct rwy_be *be, unsigned q, struct rwy_chain *chains, unsigned n,
			     struct iovec *iov, unsigned nr_iov)
{
	struct rwy_be_track *track = be->priv->rings[q].track;

	return track ? rwy_be_track_pop(track, &be->vqs[q], chains, n, iov, nr_iov)
		     : rwy_vq_pop(&be->vqs[q], chains, n, iov, nr_iov);
}

void rwy_be_inflight_push(struct rwy_be *be, unsigned q, const struct rwy_chain *chains, unsigned n)
{
	struct rwy_be_track *track = be->priv->rings[q].track;

	if (track)
		rwy_be_track_push(track, &be->vqs[q], chains, n);
	else
		rwy_vq_push(&be->vqs[q], chains, n);
}

void rwy_be_inflight_publish(struct rwy_be *be, unsigned q)
{
	struct rwy_be_track *track = be->priv->rings[q].track;

	if (track)
		rwy_be_track_publish(track, &be->vqs[q]);
	else
		rwy_vq_publish(&be->vqs[q]);
}
