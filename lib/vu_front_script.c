/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/vu_front_priv.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>

#define RWY_STEM "vu_front"

#define NEXT RWY_VU_FRONT_NEXT
#define WAIT RWY_VU_FRONT_WAIT

/* What this front-end implements. Migration logs, post-copy and so on are not among it. */
#define PF_IMPLEMENTED                                                             \
	(RWY_BIT64(RWY_VU_PF_MQ) | RWY_BIT64(RWY_VU_PF_REPLY_ACK) |                \
	 RWY_BIT64(RWY_VU_PF_BACKEND_REQ) | RWY_BIT64(RWY_VU_PF_CONFIG) |          \
	 RWY_BIT64(RWY_VU_PF_INFLIGHT_SHMFD) | RWY_BIT64(RWY_VU_PF_RESET_DEVICE) | \
	 RWY_BIT64(RWY_VU_PF_CONFIGURE_MEM_SLOTS) | RWY_BIT64(RWY_VU_PF_STATUS))

#define STATUS_DRIVER \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)

static bool has_pf(const struct rwy_vu_front *front, enum rwy_vu_pf bit)
{
	return front->state.pf & RWY_BIT64(bit);
}

static int send_fds(struct rwy_vu_front *front, uint32_t request, uint32_t flags,
		    const void *payload, uint32_t size, const int *fds, unsigned nr_fds)
{
	const struct rwy_vu_hdr hdr = {
		.request = request,
		.flags = RWY_VU_FLAG_VERSION | flags,
		.size = size,
	};

	return rwy_vu_chan_send(&front->chan, &hdr, payload, fds, nr_fds, 0);
}

int rwy_vu_front_script_tell(struct rwy_vu_front *front, uint32_t request, const void *payload,
			     uint32_t size, int fd)
{
	return send_fds(front, request, 0, payload, size, &fd, fd >= 0);
}

/* A request with an answer of its own. */
static int ask(struct rwy_vu_front *front, uint32_t request, const void *payload, uint32_t size)
{
	int rc = send_fds(front, request, 0, payload, size, NULL, 0);

	if (rc < 0)
		return rc;
	front->awaiting = request;
	return WAIT;
}

/* A request that has none, made to have one. */
static int tell_fds_sure(struct rwy_vu_front *front, uint32_t request, const void *payload,
			 uint32_t size, const int *fds, unsigned nr_fds)
{
	bool ack = has_pf(front, RWY_VU_PF_REPLY_ACK);
	int rc = send_fds(front, request, ack ? RWY_VU_FLAG_NEED_REPLY : 0, payload, size, fds,
			  nr_fds);

	if (rc < 0)
		return rc;
	if (!ack)
		return ask(front, RWY_VU_GET_FEATURES, NULL, 0);
	front->awaiting = request;
	return WAIT;
}

static int tell_sure(struct rwy_vu_front *front, uint32_t request, const void *payload,
		     uint32_t size, int fd)
{
	return tell_fds_sure(front, request, payload, size, &fd, fd >= 0);
}

static int tell_u64_sure(struct rwy_vu_front *front, uint32_t request, uint64_t value)
{
	return tell_sure(front, request, &value, sizeof(value), -1);
}

static int reply_sure(struct rwy_vu_front *front, const struct rwy_vu_msg *msg)
{
	if (msg->hdr.request != RWY_VU_GET_FEATURES && msg->payload.u64 != 0)
		return -EREMOTEIO;
	return 0;
}

/* ---- negotiation ---- */

static int send_get_features(struct rwy_vu_front *front)
{
	return ask(front, RWY_VU_GET_FEATURES, NULL, 0);
}

static int reply_get_features(struct rwy_vu_front *front, const struct rwy_vu_msg *msg)
{
	front->state.offered = msg->payload.u64;
	return 0;
}

static int send_get_pf(struct rwy_vu_front *front)
{
	if (!(front->state.offered & RWY_BIT64(RWY_VU_F_PROTOCOL_FEATURES)))
		return NEXT;
	return ask(front, RWY_VU_GET_PROTOCOL_FEATURES, NULL, 0);
}

static int reply_get_pf(struct rwy_vu_front *front, const struct rwy_vu_msg *msg)
{
	uint64_t pf = rwy_vu_check_pf(msg->payload.u64 & PF_IMPLEMENTED);

	front->state.pf_offered = msg->payload.u64;
	front->state.pf = pf;
	return rwy_vu_front_script_tell(front, RWY_VU_SET_PROTOCOL_FEATURES, &pf, sizeof(pf), -1);
}

static int send_queue_num(struct rwy_vu_front *front)
{
	front->state.nr_queues = front->queue_rings;
	if (!has_pf(front, RWY_VU_PF_MQ))
		return NEXT;
	return ask(front, RWY_VU_GET_QUEUE_NUM, NULL, 0);
}

static int reply_queue_num(struct rwy_vu_front *front, const struct rwy_vu_msg *msg)
{
	uint64_t most = RWY_VU_FRONT_QUEUES / front->queue_rings;

	if (msg->payload.u64 == 0)
		return -EPROTO;
	front->state.nr_queues = (unsigned)RWY_MIN(msg->payload.u64, most) * front->queue_rings;
	return 0;
}

static int send_max_slots(struct rwy_vu_front *front)
{
	front->max_slots = RWY_VU_MAX_TABLE;
	if (!has_pf(front, RWY_VU_PF_CONFIGURE_MEM_SLOTS))
		return NEXT;
	return ask(front, RWY_VU_GET_MAX_MEM_SLOTS, NULL, 0);
}

static int reply_max_slots(struct rwy_vu_front *front, const struct rwy_vu_msg *msg)
{
	front->max_slots = msg->payload.u64;
	return 0;
}

static int send_owner(struct rwy_vu_front *front)
{
	int rc = rwy_vu_front_script_tell(front, RWY_VU_SET_OWNER, NULL, 0, -1);

	front->state.owned = true;
	return rc < 0 ? rc : NEXT;
}

static int send_be_channel(struct rwy_vu_front *front)
{
	int rc;

	if (!has_pf(front, RWY_VU_PF_BACKEND_REQ))
		return NEXT;
	rc = rwy_vu_front_link_open_be(front);
	if (rc < 0)
		return rc;
	rc = tell_sure(front, RWY_VU_SET_BACKEND_REQ_FD, NULL, 0, front->be_peer);
	rwy_fd_close(&front->be_peer);
	return rc;
}

static int send_get_config(struct rwy_vu_front *front)
{
	struct rwy_vu_config config = {.size = front->config_len};

	if (!has_pf(front, RWY_VU_PF_CONFIG) || front->config_len == 0)
		return NEXT;
	return ask(front, RWY_VU_GET_CONFIG, &config, RWY_VU_CONFIG_HDR + front->config_len);
}

static int reply_get_config(struct rwy_vu_front *front, const struct rwy_vu_msg *msg)
{
	if (msg->hdr.size != RWY_VU_CONFIG_HDR + front->config_len ||
	    msg->payload.config.size != front->config_len)
		return -EPROTO;
	memcpy(front->config, msg->payload.config.data, front->config_len);
	return 0;
}

const struct rwy_vu_front_step rwy_vu_front_script_negotiate[] = {
	{"GET_FEATURES", send_get_features, reply_get_features, false},
	{"GET_PROTOCOL_FEATURES", send_get_pf, reply_get_pf, false},
	{"GET_QUEUE_NUM", send_queue_num, reply_queue_num, false},
	{"GET_MAX_MEM_SLOTS", send_max_slots, reply_max_slots, false},
	{"SET_OWNER", send_owner, NULL, false},
	{"SET_BACKEND_REQ_FD", send_be_channel, reply_sure, false},
	{"GET_CONFIG", send_get_config, reply_get_config, false},
	{NULL, NULL, NULL, false},
};

const struct rwy_vu_front_step rwy_vu_front_script_refresh[] = {
	{"GET_CONFIG", send_get_config, reply_get_config, false},
	{NULL, NULL, NULL, false},
};

/* ---- start ---- */

static int send_set_features(struct rwy_vu_front *front)
{
	uint64_t own = front->state.offered & RWY_BIT64(RWY_VU_F_PROTOCOL_FEATURES);

	front->state.features = front->acked;
	front->state.features_set = true;
	return tell_u64_sure(front, RWY_VU_SET_FEATURES, front->acked | own);
}

static int send_features_ok(struct rwy_vu_front *front)
{
	uint64_t status = STATUS_DRIVER;
	int rc;

	if (!has_pf(front, RWY_VU_PF_STATUS))
		return NEXT;
	rc = rwy_vu_front_script_tell(front, RWY_VU_SET_STATUS, &status, sizeof(status), -1);
	if (rc < 0)
		return rc;
	return ask(front, RWY_VU_GET_STATUS, NULL, 0);
}

static int reply_features_ok(struct rwy_vu_front *front, const struct rwy_vu_msg *msg)
{
	return msg->payload.u64 & VIRTIO_CONFIG_S_FEATURES_OK ? 0 : -EREMOTEIO;
}

static int send_get_inflight(struct rwy_vu_front *front)
{
	struct rwy_vu_inflight ask_for = {.num_queues = (uint16_t)front->nr_rings};

	if (!has_pf(front, RWY_VU_PF_INFLIGHT_SHMFD) || front->inflight_fd >= 0)
		return NEXT;
	for (unsigned i = 0; i < front->nr_rings; i++)
		ask_for.queue_size = RWY_MAX(ask_for.queue_size, front->rings[i].size);
	front->inflight = ask_for;
	return ask(front, RWY_VU_GET_INFLIGHT_FD, &ask_for, sizeof(ask_for));
}

/* Without memory the back-end has nothing to remember: some say so that way. */
static int reply_get_inflight(struct rwy_vu_front *front, const struct rwy_vu_msg *msg)
{
	struct rwy_vu_msg *m = (struct rwy_vu_msg *)msg;

	if (msg->nr_fds == 0 || msg->payload.inflight.mmap_size == 0)
		return 0;
	front->inflight.mmap_size = msg->payload.inflight.mmap_size;
	front->inflight.mmap_offset = msg->payload.inflight.mmap_offset;
	front->inflight_fd = rwy_fd_take(&m->fds[0]);
	return 0;
}

static int send_set_inflight(struct rwy_vu_front *front)
{
	if (!has_pf(front, RWY_VU_PF_INFLIGHT_SHMFD) || front->inflight_fd < 0)
		return NEXT;
	return tell_sure(front, RWY_VU_SET_INFLIGHT_FD, &front->inflight, sizeof(front->inflight),
			 front->inflight_fd);
}

static struct rwy_vu_region wire_region(const struct rwy_mem_region *region)
{
	return (struct rwy_vu_region){
		.gpa = region->gpa.v,
		.size = region->size,
		.uva = (uintptr_t)region->hva,
		.mmap_offset = region->fd_off,
	};
}

static int send_table(struct rwy_vu_front *front)
{
	struct rwy_vu_mem_table table = {.nregions = front->mem->nr};
	int fds[RWY_VU_MAX_TABLE];

	for (unsigned i = 0; i < front->mem->nr; i++) {
		table.regions[i] = wire_region(&front->mem->regions[i]);
		fds[i] = front->mem->regions[i].fd;
	}
	return tell_fds_sure(front, RWY_VU_SET_MEM_TABLE, &table,
			     (uint32_t)(offsetof(struct rwy_vu_mem_table, regions) +
					front->mem->nr * sizeof(table.regions[0])),
			     fds, front->mem->nr);
}

/* The table can be sent again and again; what was added one by one stays until the link ends. */
static int send_mem(struct rwy_vu_front *front)
{
	struct rwy_vu_mem_reg reg = {0};

	if (front->mem->nr > front->max_slots)
		return -E2BIG;
	if (!has_pf(front, RWY_VU_PF_CONFIGURE_MEM_SLOTS))
		return front->round == 0 ? send_table(front) : NEXT;
	if (front->mem_sent || front->round == front->mem->nr) {
		front->mem_sent = true;
		return NEXT;
	}
	reg.region = wire_region(&front->mem->regions[front->round]);
	return tell_sure(front, RWY_VU_ADD_MEM_REG, &reg, sizeof(reg),
			 front->mem->regions[front->round].fd);
}

static int tell_ring_fd(struct rwy_vu_front *front, uint32_t request, unsigned ring, int fd)
{
	uint64_t value = ring | (fd < 0 ? RWY_VU_VRING_NOFD_MASK : 0);

	return rwy_vu_front_script_tell(front, request, &value, sizeof(value), fd);
}

static int tell_ring_state(struct rwy_vu_front *front, uint32_t request, unsigned ring,
			   uint32_t num)
{
	const struct rwy_vu_vring_state state = {.index = ring, .num = num};

	return rwy_vu_front_script_tell(front, request, &state, sizeof(state), -1);
}

/* To the back-end a ring is at an address of ours; 0, which it will refuse, if in no memory. */
static uint64_t ring_address(const struct rwy_vu_front *front, rwy_gpa gpa)
{
	return (uintptr_t)rwy_mem_at(front->mem, gpa, 1);
}

static bool next_ring(struct rwy_vu_front *front)
{
	while (front->round < front->nr_rings && front->rings[front->round].size == 0)
		front->round++;
	return front->round < front->nr_rings;
}

static int send_ring(struct rwy_vu_front *front)
{
	const struct rwy_vu_ring *r;
	unsigned i;
	uint64_t kick;
	int rc;

	if (!next_ring(front))
		return NEXT;
	i = front->round;
	r = &front->rings[i];
	const struct rwy_vu_vring_addr addr = {
		.index = i,
		.desc = ring_address(front, r->desc),
		.avail = ring_address(front, r->driver),
		.used = ring_address(front, r->device),
	};
	rc = tell_ring_state(front, RWY_VU_SET_VRING_NUM, i, r->size);
	if (rc == 0)
		rc = tell_ring_state(front, RWY_VU_SET_VRING_BASE, i, r->base);
	if (rc == 0)
		rc = rwy_vu_front_script_tell(front, RWY_VU_SET_VRING_ADDR, &addr, sizeof(addr),
					      -1);
	if (rc == 0 && r->err_fd >= 0)
		rc = tell_ring_fd(front, RWY_VU_SET_VRING_ERR, i, r->err_fd);
	if (rc == 0)
		rc = tell_ring_fd(front, RWY_VU_SET_VRING_CALL, i, r->call_fd);
	if (rc < 0)
		return rc;
	front->up[i] = true;
	front->stale[i] = false;
	kick = i | (r->kick_fd < 0 ? RWY_VU_VRING_NOFD_MASK : 0);
	return tell_sure(front, RWY_VU_SET_VRING_KICK, &kick, sizeof(kick), r->kick_fd);
}

/* Without protocol features rings are born enabled and there is no such message. */
static int send_enable(struct rwy_vu_front *front)
{
	struct rwy_vu_vring_state state = {0};

	if (!(front->state.offered & RWY_BIT64(RWY_VU_F_PROTOCOL_FEATURES)) || !next_ring(front))
		return NEXT;
	state.index = front->round;
	state.num = front->rings[front->round].enabled;
	return tell_sure(front, RWY_VU_SET_VRING_ENABLE, &state, sizeof(state), -1);
}

static int send_driver_ok(struct rwy_vu_front *front)
{
	if (!has_pf(front, RWY_VU_PF_STATUS))
		return NEXT;
	return tell_u64_sure(front, RWY_VU_SET_STATUS, STATUS_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK);
}

const struct rwy_vu_front_step rwy_vu_front_script_start[] = {
	{"SET_FEATURES", send_set_features, reply_sure, false},
	{"SET_STATUS", send_features_ok, reply_features_ok, false},
	{"GET_INFLIGHT_FD", send_get_inflight, reply_get_inflight, false},
	{"SET_INFLIGHT_FD", send_set_inflight, reply_sure, false},
	{"memory", send_mem, reply_sure, true},
	{"SET_VRING_*", send_ring, reply_sure, true},
	{"SET_VRING_ENABLE", send_enable, reply_sure, true},
	{"SET_STATUS", send_driver_ok, reply_sure, false},
	{NULL, NULL, NULL, false},
};

int rwy_vu_front_script_catch_up(struct rwy_vu_front *front)
{
	for (unsigned i = 0; i < front->nr_rings; i++) {
		const struct rwy_vu_ring *r = &front->rings[i];
		int rc;

		if (!front->stale[i] || !front->up[i])
			continue;
		front->stale[i] = false;
		rc = tell_ring_fd(front, RWY_VU_SET_VRING_CALL, i, r->call_fd);
		if (rc == 0 && (front->state.offered & RWY_BIT64(RWY_VU_F_PROTOCOL_FEATURES)))
			rc = tell_ring_state(front, RWY_VU_SET_VRING_ENABLE, i, r->enabled);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- stop ---- */

static int send_get_base(struct rwy_vu_front *front)
{
	struct rwy_vu_vring_state state = {0};

	while (front->round < front->nr_rings && !front->up[front->round])
		front->round++;
	if (front->round == front->nr_rings)
		return NEXT;
	state.index = front->round;
	return ask(front, RWY_VU_GET_VRING_BASE, &state, sizeof(state));
}

static int reply_get_base(struct rwy_vu_front *front, const struct rwy_vu_msg *msg)
{
	if (msg->payload.state.index != front->round)
		return -EPROTO;
	front->rings[front->round].base = msg->payload.state.num;
	front->up[front->round] = false;
	return 0;
}

/* So that the next driver, which may be a boot loader with other wishes, finds a fresh device. */
static int send_reset(struct rwy_vu_front *front)
{
	if (has_pf(front, RWY_VU_PF_STATUS))
		return tell_u64_sure(front, RWY_VU_SET_STATUS, 0);
	if (has_pf(front, RWY_VU_PF_RESET_DEVICE))
		return tell_sure(front, RWY_VU_RESET_DEVICE, NULL, 0, -1);
	return NEXT;
}

const struct rwy_vu_front_step rwy_vu_front_script_stop[] = {
	{"GET_VRING_BASE", send_get_base, reply_get_base, true},
	{"SET_STATUS", send_reset, reply_sure, false},
	{NULL, NULL, NULL, false},
};
