/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings: "Ring states" of the vhost-user text. A ring has two states that know nothing of each
 * other: started or stopped, enabled or disabled.
 *
 * A ring is started by its kick. One that has been in use before is started as soon as it is
 * described: the kick may have gone to a back-end that is dead now, and that one may also have told
 * the driver not to kick at all.
 */
#include "vhost-backends/be_private.h"

#include "lib/fd.h"
#include "lib/vq_lost.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RWY_STEM "be_ring"

#define PACKED_WRAP 0x8000u

/* Some front-ends know the avail half only. */
static bool is_packed_start(uint32_t base)
{
	return base == PACKED_WRAP || base == (PACKED_WRAP | PACKED_WRAP << 16);
}

static struct rwy_vq_config describe(const struct rwy_be *be, const struct rwy_be_ring *ring)
{
	const unsigned q = (unsigned)(ring - be->priv->rings);

	return (struct rwy_vq_config){
		.mem = &be->mem,
		.size = ring->size,
		.packed = rwy_be_has(be, VIRTIO_F_RING_PACKED),
		.event_idx = rwy_be_has(be, VIRTIO_RING_F_EVENT_IDX),
		.indirect = rwy_be_has(be, VIRTIO_RING_F_INDIRECT_DESC),
		.in_order = rwy_be_has(be, VIRTIO_F_IN_ORDER),
		.read_only = be->priv->config.read_only & RWY_BIT64(q),
		.desc = {ring->addr.desc},
		.driver = {ring->addr.avail},
		.device = {ring->addr.used},
		.base = ring->base,
	};
}

/* Neither side has used the ring yet, so the driver's first kick will come. */
static bool is_fresh(const struct rwy_be *be, const struct rwy_vq_config *config)
{
	uint64_t len[3];

	rwy_vq_layout(config->size, config->packed, len);
	const uint8_t *desc = rwy_mem_at_uva(config->mem, config->desc, len[0]);
	const uint8_t *driver = rwy_mem_at_uva(config->mem, config->driver, len[1]);
	const uint8_t *device = rwy_mem_at_uva(config->mem, config->device, len[2]);

	if (!desc || !driver || !device || rwy_be_mem_is_lost(be))
		return false; /* start says what is wrong */
	if (config->packed) {
		const struct vring_packed_desc *first = (const void *)desc;
		const struct vring_packed_desc_event *event = (const void *)device;

		return is_packed_start(config->base) && !RWY_READ_ONCE(&first->flags) &&
		       !RWY_READ_ONCE(&event->flags);
	}
	const struct vring_avail *avail = (const void *)driver;
	const struct vring_used *used = (const void *)device;
	const uint16_t *avail_event = (const uint16_t *)&used->ring[config->size];

	return config->base == 0 && RWY_READ_ONCE(&avail->idx) == 0 &&
	       RWY_READ_ONCE(&used->idx) == 0 && RWY_READ_ONCE(&used->flags) == 0 &&
	       RWY_READ_ONCE(avail_event) == 0;
}

/*
 * A front-end can read the position of a split ring from the ring when its back-end died. That of a
 * packed ring it knows only if it keeps in-flight areas or looks for it, and QEMU says then that
 * the ring is at its start. So look for it here.
 */
static void find_lost(const struct rwy_be *be, struct rwy_vq_config *config)
{
	uint64_t len[3];

	if (!config->packed || config->in_order || be->priv->area.view.map ||
	    !is_packed_start(config->base))
		return;
	rwy_vq_layout(config->size, true, len);
	const struct vring_packed_desc *desc = rwy_mem_at_uva(config->mem, config->desc, len[0]);

	if (desc && !rwy_be_mem_is_lost(be))
		(void)rwy_vq_lost_find(desc, config->size, &config->base);
}

static void unwatch(struct rwy_be *be, struct rwy_be_ring *ring)
{
	if (ring->watched)
		rwy_poll_unwatch(be->poll, &ring->kick_watch);
	ring->watched = false;
}

static int watch(struct rwy_be *be, unsigned q)
{
	struct rwy_be_ring *ring = &be->priv->rings[q];
	int err;

	if (ring->watched || be->vqs[q].kick_fd < 0)
		return 0;
	ring->kick_watch.fd = be->vqs[q].kick_fd;
	err = rwy_poll_watch(be->poll, &ring->kick_watch);
	ring->watched = err == 0;
	return err;
}

/* Everything that a start needs is known. Legacy rings (no VERSION_1) are not served. */
static bool is_described(const struct rwy_be *be, const struct rwy_be_ring *ring, unsigned q)
{
	return be->priv->state.features_set && rwy_be_has(be, VIRTIO_F_VERSION_1) &&
	       be->mem.nr > 0 && ring->size && ring->has_addr && !ring->failed &&
	       (be->vqs[q].kick_fd >= 0 || ring->polled) && rwy_be_log_is_ready(be, q);
}

static int start(struct rwy_be *be, unsigned q)
{
	struct rwy_be_ring *ring = &be->priv->rings[q];
	struct rwy_vq *vq = &be->vqs[q];
	bool fresh;
	int err;

	ring->config = describe(be, ring);
	fresh = is_fresh(be, &ring->config);
	if (!fresh)
		find_lost(be, &ring->config);
	err = rwy_be_mem_is_lost(be) ? -EFAULT : rwy_be_inflight_start(be, q, &ring->config);
	if (!err)
		err = rwy_vq_start(vq, &ring->config);
	if (err) {
		rwy_be_inflight_stop(be, q);
		ring->failed = true;
		if (vq->err_fd >= 0)
			rwy_bell_ring(vq->bell, vq->err_fd);
		return err;
	}
	rwy_be_log_update(be, q);
	be->ops->start(be, q);
	/* a call may have been lost just as a kick may */
	if (!fresh && vq->call_fd >= 0)
		rwy_bell_ring(vq->bell, vq->call_fd);
	rwy_be_msg_tell(be);
	return 0;
}

void rwy_be_ring_update(struct rwy_be *be, unsigned q)
{
	struct rwy_be_ring *ring = &be->priv->rings[q];

	if (rwy_vq_started(&be->vqs[q]))
		return;
	if (!is_described(be, ring, q)) {
		unwatch(be, ring); /* its kick stays in the eventfd */
		return;
	}
	const struct rwy_vq_config config = describe(be, ring);
	if (!be->priv->then && (ring->polled || !is_fresh(be, &config)) && start(be, q)) {
		unwatch(be, ring);
		return;
	}
	if (watch(be, q))
		ring->failed = true;
}

static void on_kick(void *ctx, uint32_t events)
{
	struct rwy_be_ring *ring = ctx;
	struct rwy_be *be = ring->be;
	unsigned q = (unsigned)(ring - be->priv->rings);
	struct rwy_vq *vq = &be->vqs[q];

	if (!rwy_vq_started(vq) && (be->priv->then || start(be, q))) {
		unwatch(be, ring); /* until rwy_be_ring_update */
		return;
	}
	if (rwy_fd_drain(vq->kick_fd) > 0)
		rwy_stats_add(&vq->stats->kicks, 1);
}

void rwy_be_ring_init(struct rwy_be *be, unsigned q)
{
	struct rwy_be_ring *ring = &be->priv->rings[q];
	const struct rwy_be_config *config = &be->priv->config;
	char name[RWY_STATS_NAME_LEN];

	rwy_vq_init(&be->vqs[q]);
	be->vqs[q].bell = rwy_poll_bell(be->poll);
	ring->be = be;
	ring->kick_watch = (struct rwy_watch){.events = EPOLLIN, .ready = on_kick, .ctx = ring};
	if (config->stats) {
		snprintf(name, sizeof(name), "%s.q%u", config->stats_name, q);
		ring->counted = rwy_stats_vq_add(config->stats, name);
	}
	be->vqs[q].stats = ring->counted ? ring->counted : &ring->uncounted;
}

void rwy_be_ring_fini(struct rwy_be *be, unsigned q)
{
	struct rwy_be_ring *ring = &be->priv->rings[q];
	struct rwy_vq *vq = &be->vqs[q];

	unwatch(be, ring);
	rwy_fd_close(&vq->kick_fd);
	rwy_fd_close(&vq->call_fd);
	rwy_fd_close(&vq->err_fd);
	if (ring->counted)
		rwy_stats_del(be->priv->config.stats, ring->counted);
	ring->counted = NULL;
}

void rwy_be_ring_stop(struct rwy_be *be, unsigned q)
{
	struct rwy_be_ring *ring = &be->priv->rings[q];
	struct rwy_vq *vq = &be->vqs[q];

	assert(!ring->draining);
	if (rwy_vq_started(vq)) {
		rwy_be_inflight_stop(be, q);
		ring->base = rwy_vq_stop(vq);
	}
	unwatch(be, ring);
	rwy_fd_close(&vq->kick_fd);
	ring->paused = false;
	ring->polled = false;
	/* a front-end that starts again says where: nothing old may look ready */
	ring->has_addr = false;
	ring->failed = false;
}

void rwy_be_ring_remap(struct rwy_be *be, unsigned q)
{
	struct rwy_be_ring *ring = &be->priv->rings[q];
	struct rwy_vq *vq = &be->vqs[q];

	ring->failed = false;
	if (!rwy_vq_started(vq)) {
		rwy_be_ring_update(be, q);
		return;
	}
	/* what cannot be resolved any more is broken, which its own functions know */
	int err = rwy_vq_remap(vq, &ring->config);
	(void)err;
	if (ring->paused) {
		ring->paused = false;
		be->ops->start(be, q);
	}
}

int rwy_be_ring_set_num(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	const struct rwy_vu_vring_state *state = &msg->payload.state;
	struct rwy_be_ring *ring = &be->priv->rings[state->index];

	if (rwy_vq_started(&be->vqs[state->index]))
		return state->num == ring->size ? 0 : -EBUSY;
	ring->size = (uint16_t)state->num;
	ring->failed = false;
	rwy_be_ring_update(be, state->index);
	return 0;
}

/* Looks at what can be known already, so that the mistake is refused where it was made. */
static int check_addr(const struct rwy_be *be, const struct rwy_be_ring *ring,
		      const struct rwy_vu_vring_addr *addr)
{
	const bool packed = rwy_be_has(be, VIRTIO_F_RING_PACKED);
	uint64_t len[3];

	if (addr->desc & 15 || addr->avail & (packed ? 3 : 1) || addr->used & 3)
		return -EINVAL;
	if (!ring->size || be->mem.nr == 0)
		return 0;
	rwy_vq_layout(ring->size, packed, len);
	return rwy_mem_at_uva(&be->mem, (rwy_uva){addr->desc}, len[0]) &&
			       rwy_mem_at_uva(&be->mem, (rwy_uva){addr->avail}, len[1]) &&
			       rwy_mem_at_uva(&be->mem, (rwy_uva){addr->used}, len[2])
		       ? 0
		       : -EFAULT;
}

/* Sent again for a ring that runs, to switch its log. */
static int switch_log(struct rwy_be *be, const struct rwy_vu_vring_addr *addr)
{
	struct rwy_be_ring *ring = &be->priv->rings[addr->index];

	if (addr->desc != ring->addr.desc || addr->avail != ring->addr.avail ||
	    addr->used != ring->addr.used)
		return -EBUSY;
	if (addr->flags & ~ring->addr.flags && !rwy_be_log_is_good(be))
		return -EINVAL;
	ring->addr.flags = addr->flags;
	rwy_be_log_update(be, addr->index);
	return 0;
}

int rwy_be_ring_set_addr(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	const struct rwy_vu_vring_addr *addr = &msg->payload.addr;
	struct rwy_be_ring *ring = &be->priv->rings[addr->index];

	if (rwy_vq_started(&be->vqs[addr->index]))
		return switch_log(be, addr);
	int err = check_addr(be, ring, addr);
	if (err)
		return err;
	ring->addr = *addr;
	ring->has_addr = true;
	ring->failed = false;
	rwy_be_ring_update(be, addr->index);
	return 0;
}

int rwy_be_ring_set_base(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	const struct rwy_vu_vring_state *state = &msg->payload.state;
	struct rwy_be_ring *ring = &be->priv->rings[state->index];

	if (rwy_vq_started(&be->vqs[state->index]))
		return state->num == ring->base ? 0 : -EBUSY;
	ring->base = state->num;
	ring->failed = false;
	rwy_be_ring_update(be, state->index);
	return 0;
}

static int after_get_base(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	unsigned q = msg->payload.state.index;

	rwy_be_ring_stop(be, q);
	msg->payload.state.num = be->priv->rings[q].base;
	return 0;
}

int rwy_be_ring_get_base(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	return rwy_be_quiesce(be, msg->payload.state.index, 1, after_get_base);
}

/*
 * Only an eventfd may be waited on and written to from the data path: any other kind of file may
 * block, or stay readable for ever.
 */
static int check_eventfd(int fd)
{
	static const char want[] = "anon_inode:[eventfd]";
	char path[32];
	char got[sizeof(want)];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(path, got, sizeof(got));
	if (n != sizeof(want) - 1 || memcmp(got, want, sizeof(want) - 1) != 0)
		return -EBADF;
	return rwy_fd_set_nonblock(fd, true);
}

/* The ring the message is about, and its descriptor's place. */
static int take_eventfd(struct rwy_vu_msg *msg, int *to)
{
	if (msg->nr_fds) {
		int err = check_eventfd(msg->fds[0]);

		if (err)
			return err;
	}
	rwy_fd_close(to);
	*to = msg->nr_fds ? rwy_fd_take(&msg->fds[0]) : -1;
	return 0;
}

int rwy_be_ring_set_kick(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	unsigned q = msg->payload.u64 & RWY_VU_VRING_IDX_MASK;
	struct rwy_be_ring *ring = &be->priv->rings[q];
	int err;

	unwatch(be, ring);
	err = take_eventfd(msg, &be->vqs[q].kick_fd);
	if (!err) {
		ring->polled = be->vqs[q].kick_fd < 0;
		ring->failed = false;
	}
	if (rwy_vq_started(&be->vqs[q])) {
		int watched = watch(be, q);

		return err ? err : watched;
	}
	rwy_be_ring_update(be, q);
	return err;
}

int rwy_be_ring_set_call(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	unsigned q = msg->payload.u64 & RWY_VU_VRING_IDX_MASK;
	struct rwy_vq *vq = &be->vqs[q];
	int err = take_eventfd(msg, &vq->call_fd);

	/* what was used before it came could not be told */
	if (!err && rwy_vq_started(vq) && vq->call_fd >= 0)
		rwy_bell_ring(vq->bell, vq->call_fd);
	return err;
}

int rwy_be_ring_set_err(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	unsigned q = msg->payload.u64 & RWY_VU_VRING_IDX_MASK;
	struct rwy_vq *vq = &be->vqs[q];
	int err = take_eventfd(msg, &vq->err_fd);

	if (!err && (be->priv->rings[q].failed || vq->broken) && vq->err_fd >= 0)
		rwy_bell_ring(vq->bell, vq->err_fd);
	return err;
}

void rwy_be_ring_enable(struct rwy_be *be, unsigned q, bool on)
{
	if (be->enabled[q] == on)
		return;
	be->enabled[q] = on;
	if (rwy_vq_started(&be->vqs[q]) && be->ops->enable)
		be->ops->enable(be, q);
}

int rwy_be_ring_set_enable(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	const struct rwy_vu_vring_state *state = &msg->payload.state;

	rwy_be_ring_enable(be, state->index, state->num == 1);
	return 0;
}
