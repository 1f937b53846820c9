/* SPDX-License-Identifier: BSD-3-Clause */
/* The requests about the device as a whole, and the table of all handlers. */
#include "vhost-backends/be_private.h"

#include "lib/fd.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>

#define RWY_STEM "be_msg"

/* SET_CONFIG flags: the front-end puts back what it once read ("live migration"). */
#define CONFIG_MIGRATION 1

static int answer_u64(struct rwy_vu_msg *msg, uint64_t value)
{
	msg->hdr.size = sizeof(value);
	msg->payload.u64 = value;
	return 0;
}

static int get_features(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	return answer_u64(msg, be->priv->state.offered);
}

static bool any_started(const struct rwy_be *be)
{
	for (unsigned q = 0; q < be->nr_queues; q++)
		if (rwy_vq_started(&be->vqs[q]))
			return true;
	return false;
}

/* While rings run, logging is what may be switched on and off, and nothing else. */
static int switch_log(struct rwy_be *be, uint64_t features)
{
	const uint64_t log = RWY_BIT64(RWY_VU_F_LOG_ALL), change = features ^ be->features;

	if (change & ~log)
		return -EBUSY;
	if (change & features && !rwy_be_log_is_good(be))
		return -EINVAL;
	be->priv->state.features = features;
	be->features = features;
	for (unsigned q = 0; q < be->nr_queues; q++) {
		rwy_be_log_update(be, q);
		rwy_be_ring_update(be, q);
	}
	return 0;
}

static int set_features(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	struct rwy_vu_state *state = &be->priv->state;
	uint64_t features = msg->payload.u64;

	if (any_started(be))
		return switch_log(be, features);
	state->features = features;
	state->features_set = true;
	be->features = features;
	if (!rwy_be_has(be, VIRTIO_F_VERSION_1) && rwy_be_log_allow(be))
		rwy_warn("the driver is a legacy one (no VIRTIO_F_VERSION_1): its rings do not "
			 "start");
	if (be->ops->set_features)
		be->ops->set_features(be);
	/* "Ring states": without the bit there is no SET_VRING_ENABLE to wait for */
	if (!rwy_be_has(be, RWY_VU_F_PROTOCOL_FEATURES))
		for (unsigned q = 0; q < be->nr_queues; q++)
			rwy_be_ring_enable(be, q, true);
	for (unsigned q = 0; q < be->nr_queues; q++)
		rwy_be_ring_update(be, q);
	return 0;
}

static int set_owner(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	be->priv->state.owned = true;
	return 0;
}

/* RESET_OWNER is deprecated and read in two ways; the text says it is safest to ignore. By the
 * log's eventfd a front-end may be told of marks, which none waits for: all look when they need to
 * know. Descriptors are closed with the message. */
static int ignore(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	return 0;
}

static int get_protocol_features(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	return answer_u64(msg, be->priv->state.pf_offered);
}

static int set_protocol_features(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	be->priv->state.pf = rwy_vu_check_pf(msg->payload.u64);
	return 0;
}

static int get_queue_num(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	const struct rwy_be_config *config = &be->priv->config;

	return answer_u64(msg, config->queue_num ? config->queue_num : config->nr_queues);
}

static int send_rarp(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	be->ops->send_rarp(be, msg->payload.u64);
	return 0;
}

static int set_mtu(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	return be->ops->set_mtu(be, msg->payload.u64);
}

static int set_backend_req_fd(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	struct rwy_vu_chan *back = &be->priv->back;

	rwy_vu_chan_close(back);
	return rwy_vu_chan_open(back, &msg->fds[0]);
}

static int get_config(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	const uint32_t have = be->priv->config.config_len;
	struct rwy_vu_config *config = &msg->payload.config;

	/* no payload: the error of this request */
	if (config->offset >= have || config->size > RWY_VU_CONFIG_MAX - config->offset) {
		msg->hdr.size = 0;
		return 0;
	}
	/* what a newer front-end knows beyond our config space is zero */
	memset(config->data, 0, sizeof(config->data));
	be->ops->config_read(be, config->offset, config->data,
			     RWY_MIN(config->size, have - config->offset));
	return 0;
}

static int set_config(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	const struct rwy_vu_config *config = &msg->payload.config;
	uint8_t now[RWY_VU_CONFIG_MAX];

	if (!rwy_base_inside(config->offset, config->size, be->priv->config.config_len))
		return -EINVAL;
	if (config->flags == CONFIG_MIGRATION) {
		be->ops->config_read(be, config->offset, now, config->size);
		if (memcmp(now, config->data, config->size) == 0)
			return 0;
	}
	return be->ops->config_write
		       ? be->ops->config_write(be, config->offset, config->data, config->size)
		       : -EINVAL;
}

static int after_reset(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	struct rwy_be_private *priv = be->priv;

	for (unsigned q = 0; q < be->nr_queues; q++) {
		rwy_be_ring_stop(be, q);
		rwy_be_ring_enable(be, q, false);
	}
	be->features = 0;
	priv->state.features = 0;
	priv->state.features_set = false;
	priv->status = 0;
	if (be->ops->reset)
		be->ops->reset(be);
	return 0;
}

static int reset_device(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	return rwy_be_quiesce(be, 0, be->nr_queues, after_reset);
}

static int get_max_mem_slots(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	return answer_u64(msg, RWY_MEM_MAX);
}

static int set_status(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	if (msg->payload.u64 == 0)
		return reset_device(be, msg);
	be->priv->status = (uint8_t)msg->payload.u64;
	return 0;
}

static int get_status(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	return answer_u64(msg, be->priv->status);
}

static const rwy_be_then handlers[RWY_VU_NR_REQS] = {
	[RWY_VU_GET_FEATURES] = get_features,
	[RWY_VU_SET_FEATURES] = set_features,
	[RWY_VU_SET_OWNER] = set_owner,
	[RWY_VU_RESET_OWNER] = ignore,
	[RWY_VU_SET_MEM_TABLE] = rwy_be_mem_set_table,
	[RWY_VU_SET_LOG_BASE] = rwy_be_log_set_base,
	[RWY_VU_SET_LOG_FD] = ignore,
	[RWY_VU_SET_VRING_NUM] = rwy_be_ring_set_num,
	[RWY_VU_SET_VRING_ADDR] = rwy_be_ring_set_addr,
	[RWY_VU_SET_VRING_BASE] = rwy_be_ring_set_base,
	[RWY_VU_GET_VRING_BASE] = rwy_be_ring_get_base,
	[RWY_VU_SET_VRING_KICK] = rwy_be_ring_set_kick,
	[RWY_VU_SET_VRING_CALL] = rwy_be_ring_set_call,
	[RWY_VU_SET_VRING_ERR] = rwy_be_ring_set_err,
	[RWY_VU_GET_PROTOCOL_FEATURES] = get_protocol_features,
	[RWY_VU_SET_PROTOCOL_FEATURES] = set_protocol_features,
	[RWY_VU_GET_QUEUE_NUM] = get_queue_num,
	[RWY_VU_SET_VRING_ENABLE] = rwy_be_ring_set_enable,
	[RWY_VU_SEND_RARP] = send_rarp,
	[RWY_VU_NET_SET_MTU] = set_mtu,
	[RWY_VU_SET_BACKEND_REQ_FD] = set_backend_req_fd,
	[RWY_VU_GET_CONFIG] = get_config,
	[RWY_VU_SET_CONFIG] = set_config,
	[RWY_VU_GET_INFLIGHT_FD] = rwy_be_inflight_get_fd,
	[RWY_VU_SET_INFLIGHT_FD] = rwy_be_inflight_set_fd,
	[RWY_VU_RESET_DEVICE] = reset_device,
	[RWY_VU_GET_MAX_MEM_SLOTS] = get_max_mem_slots,
	[RWY_VU_ADD_MEM_REG] = rwy_be_mem_add_reg,
	[RWY_VU_REM_MEM_REG] = rwy_be_mem_rem_reg,
	[RWY_VU_SET_STATUS] = set_status,
	[RWY_VU_GET_STATUS] = get_status,
};

rwy_be_then rwy_be_msg_handler(uint32_t request)
{
	return request < RWY_VU_NR_REQS ? handlers[request] : NULL;
}

void rwy_be_msg_tell(struct rwy_be *be)
{
	const struct rwy_vu_hdr hdr = {
		.request = RWY_VU_BE_CONFIG_CHANGE,
		.flags = RWY_VU_FLAG_VERSION,
	};
	struct rwy_be_private *priv = be->priv;

	if (!priv->config_changed || priv->back.fd < 0)
		return;
	priv->config_changed = false;
	/* a front-end that reads none of them has given the channel up */
	if (rwy_vu_chan_send(&priv->back, &hdr, NULL, NULL, 0, 0)) {
		if (rwy_be_log_allow(be))
			rwy_warn("the front-end does not read its request channel: closed");
		rwy_vu_chan_close(&priv->back);
	}
}

int rwy_be_config_changed(struct rwy_be *be)
{
	struct rwy_be_private *priv = be->priv;

	if (priv->back.fd < 0 || !(priv->state.pf & RWY_BIT64(RWY_VU_PF_CONFIG)))
		return -ENOTCONN;
	priv->config_changed = true;
	/* "Suspended device state": nothing is sent while no ring runs */
	if (any_started(be))
		rwy_be_msg_tell(be);
	return 0;
}
