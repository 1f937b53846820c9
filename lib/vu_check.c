/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/vu_check.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>

#define VRING_SIZE_MAX 32768
#define NO_PF	       (-1)

/* One column set a line: request size and fds as received, then what its own reply looks like. */
#define SIZE(min, max)	.size_min = (min), .size_max = (max)
#define FDS(min, max)	.fds_min = (min), .fds_max = (max)
#define NEEDS(bit)	.pf = (bit)
#define REPLY(min, max) .has_reply = true, .reply_min = (min), .reply_max = (max)

#define U64	 sizeof(uint64_t)
#define STATE	 sizeof(struct rwy_vu_vring_state)
#define ADDR	 sizeof(struct rwy_vu_vring_addr)
#define REGION	 sizeof(struct rwy_vu_region)
#define MEM_REG	 sizeof(struct rwy_vu_mem_reg)
#define TABLE(n) (offsetof(struct rwy_vu_mem_table, regions) + (n)*REGION)
#define CONFIG	 sizeof(struct rwy_vu_config)
#define SHMEM	 sizeof(struct rwy_vu_shmem_config)
#define UUID	 16
/* the two padding words at its end are left out by some */
#define INFLIGHT_MIN offsetof(struct rwy_vu_inflight, padding)
#define INFLIGHT     sizeof(struct rwy_vu_inflight)

static bool has(uint64_t bits, unsigned bit)
{
	return bits & RWY_BIT64(bit);
}

static int valid_features(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg)
{
	return msg->payload.u64 & ~state->offered ? -EINVAL : 0;
}

static int valid_pf(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg)
{
	return msg->payload.u64 & ~state->pf_offered ? -EINVAL : 0;
}

static int valid_table(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg)
{
	uint32_t n = msg->payload.table.nregions;

	(void)state;
	if (n == 0 || n > RWY_VU_MAX_TABLE || msg->hdr.size != TABLE(n) || msg->nr_fds != n)
		return -EPROTO;
	return 0;
}

static int valid_num(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg)
{
	uint32_t num = msg->payload.state.num;

	if (num == 0 || num > VRING_SIZE_MAX)
		return -EINVAL;
	/* a packed ring may have any size; which it is may not be known yet */
	if (state->features_set && !has(state->features, VIRTIO_F_RING_PACKED))
		return RWY_IS_POW2(num) ? 0 : -EINVAL;
	return 0;
}

static int valid_addr(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg)
{
	(void)state;
	return msg->payload.addr.flags & ~1u ? -EINVAL : 0;
}

static int valid_base(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg)
{
	if (!has(state->features, VIRTIO_F_RING_PACKED) && msg->payload.state.num > UINT16_MAX)
		return -EINVAL;
	return 0;
}

/* The index is only the low byte of the payload, and all bits but one above it must be zero. */
static int valid_vring_fd(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg)
{
	uint64_t v = msg->payload.u64;

	if (v & ~(uint64_t)(RWY_VU_VRING_IDX_MASK | RWY_VU_VRING_NOFD_MASK))
		return -EINVAL;
	if (!!(v & RWY_VU_VRING_NOFD_MASK) == (msg->nr_fds == 1))
		return -EINVAL;
	return (v & RWY_VU_VRING_IDX_MASK) < state->nr_queues ? 0 : -EINVAL;
}

/*
 * Front-ends send it before SET_FEATURES too, so what counts until then is that the bit was
 * offered.
 */
static int valid_enable(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg)
{
	uint64_t features = state->features_set ? state->features : state->offered;

	if (!has(features, RWY_VU_F_PROTOCOL_FEATURES))
		return -EINVAL;
	return msg->payload.state.num <= 1 ? 0 : -EINVAL;
}

static int valid_config(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg)
{
	const struct rwy_vu_config *config = &msg->payload.config;

	(void)state;
	if (config->size > RWY_VU_CONFIG_MAX || msg->hdr.size != RWY_VU_CONFIG_HDR + config->size)
		return -EPROTO;
	return config->flags <= 1 ? 0 : -EINVAL;
}

static int valid_inflight(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg)
{
	const struct rwy_vu_inflight *inflight = &msg->payload.inflight;

	if (inflight->num_queues == 0 || inflight->num_queues > state->nr_queues)
		return -EINVAL;
	return inflight->queue_size == 0 || inflight->queue_size > VRING_SIZE_MAX ? -EINVAL : 0;
}

static int valid_status(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg)
{
	(void)state;
	return msg->payload.u64 <= UINT8_MAX ? 0 : -EINVAL;
}

static int valid_area(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg)
{
	uint64_t idx = msg->payload.area.idx;

	if (!!(idx & RWY_VU_VRING_NOFD_MASK) == (msg->nr_fds == 1))
		return -EINVAL;
	return (idx & ~(uint64_t)RWY_VU_VRING_NOFD_MASK) < state->nr_queues ? 0 : -EINVAL;
}

static const struct rwy_vu_row rows[RWY_VU_NR_REQS] = {
	[RWY_VU_GET_FEATURES] = {"GET_FEATURES", SIZE(0, 0), NEEDS(NO_PF), REPLY(U64, U64)},
	[RWY_VU_SET_FEATURES] = {"SET_FEATURES", SIZE(U64, U64), NEEDS(NO_PF),
				 .valid = valid_features},
	[RWY_VU_SET_OWNER] = {"SET_OWNER", SIZE(0, 0), NEEDS(NO_PF)},
	[RWY_VU_RESET_OWNER] = {"RESET_OWNER", SIZE(0, 0), NEEDS(NO_PF)},
	[RWY_VU_SET_MEM_TABLE] = {"SET_MEM_TABLE", SIZE(TABLE(1), TABLE(RWY_VU_MAX_TABLE)),
				  FDS(1, RWY_VU_MAX_TABLE), NEEDS(NO_PF), .valid = valid_table},
	[RWY_VU_SET_LOG_BASE] = {"SET_LOG_BASE",
				 SIZE(sizeof(struct rwy_vu_log), sizeof(struct rwy_vu_log)),
				 FDS(1, 1), NEEDS(RWY_VU_PF_LOG_SHMFD), REPLY(0, U64)},
	[RWY_VU_SET_LOG_FD] = {"SET_LOG_FD", SIZE(0, U64), FDS(1, 1), NEEDS(NO_PF)},
	[RWY_VU_SET_VRING_NUM] = {"SET_VRING_NUM", SIZE(STATE, STATE), NEEDS(NO_PF),
				  .indexed = true, .valid = valid_num},
	[RWY_VU_SET_VRING_ADDR] = {"SET_VRING_ADDR", SIZE(ADDR, ADDR), NEEDS(NO_PF),
				   .indexed = true, .valid = valid_addr},
	[RWY_VU_SET_VRING_BASE] = {"SET_VRING_BASE", SIZE(STATE, STATE), NEEDS(NO_PF),
				   .indexed = true, .valid = valid_base},
	[RWY_VU_GET_VRING_BASE] = {"GET_VRING_BASE", SIZE(STATE, STATE), NEEDS(NO_PF),
				   .indexed = true, REPLY(STATE, STATE)},
	[RWY_VU_SET_VRING_KICK] = {"SET_VRING_KICK", SIZE(U64, U64), FDS(0, 1), NEEDS(NO_PF),
				   .valid = valid_vring_fd},
	[RWY_VU_SET_VRING_CALL] = {"SET_VRING_CALL", SIZE(U64, U64), FDS(0, 1), NEEDS(NO_PF),
				   .valid = valid_vring_fd},
	[RWY_VU_SET_VRING_ERR] = {"SET_VRING_ERR", SIZE(U64, U64), FDS(0, 1), NEEDS(NO_PF),
				  .valid = valid_vring_fd},
	[RWY_VU_GET_PROTOCOL_FEATURES] = {"GET_PROTOCOL_FEATURES", SIZE(0, 0), NEEDS(NO_PF),
					  REPLY(U64, U64)},
	[RWY_VU_SET_PROTOCOL_FEATURES] = {"SET_PROTOCOL_FEATURES", SIZE(U64, U64), NEEDS(NO_PF),
					  .valid = valid_pf},
	[RWY_VU_GET_QUEUE_NUM] = {"GET_QUEUE_NUM", SIZE(0, 0), NEEDS(RWY_VU_PF_MQ),
				  REPLY(U64, U64)},
	[RWY_VU_SET_VRING_ENABLE] = {"SET_VRING_ENABLE", SIZE(STATE, STATE), NEEDS(NO_PF),
				     .indexed = true, .valid = valid_enable},
	[RWY_VU_SEND_RARP] = {"SEND_RARP", SIZE(U64, U64), NEEDS(RWY_VU_PF_RARP)},
	[RWY_VU_NET_SET_MTU] = {"NET_SET_MTU", SIZE(U64, U64), NEEDS(RWY_VU_PF_MTU)},
	[RWY_VU_SET_BACKEND_REQ_FD] = {"SET_BACKEND_REQ_FD", SIZE(0, 0), FDS(1, 1),
				       NEEDS(RWY_VU_PF_BACKEND_REQ)},
	/* no protocol feature: needs VIRTIO_F_ACCESS_PLATFORM, which who offers it must check */
	[RWY_VU_IOTLB_MSG] = {"IOTLB_MSG",
			      SIZE(sizeof(struct rwy_vu_iotlb), sizeof(struct rwy_vu_iotlb)),
			      NEEDS(NO_PF)},
	[RWY_VU_SET_VRING_ENDIAN] = {"SET_VRING_ENDIAN", SIZE(STATE, STATE),
				     NEEDS(RWY_VU_PF_CROSS_ENDIAN), .indexed = true},
	[RWY_VU_GET_CONFIG] = {"GET_CONFIG", SIZE(RWY_VU_CONFIG_HDR, CONFIG),
			       NEEDS(RWY_VU_PF_CONFIG), REPLY(0, CONFIG), .valid = valid_config},
	[RWY_VU_SET_CONFIG] = {"SET_CONFIG", SIZE(RWY_VU_CONFIG_HDR, CONFIG),
			       NEEDS(RWY_VU_PF_CONFIG), .valid = valid_config},
	[RWY_VU_CREATE_CRYPTO_SESSION] = {"CREATE_CRYPTO_SESSION",
					  SIZE(U64, sizeof(union rwy_vu_payload)),
					  NEEDS(RWY_VU_PF_CRYPTO_SESSION),
					  REPLY(U64, sizeof(union rwy_vu_payload))},
	[RWY_VU_CLOSE_CRYPTO_SESSION] = {"CLOSE_CRYPTO_SESSION", SIZE(U64, U64),
					 NEEDS(RWY_VU_PF_CRYPTO_SESSION)},
	[RWY_VU_POSTCOPY_ADVISE] = {"POSTCOPY_ADVISE", SIZE(0, 0), NEEDS(RWY_VU_PF_PAGEFAULT),
				    REPLY(0, U64), .reply_fds_max = 1},
	[RWY_VU_POSTCOPY_LISTEN] = {"POSTCOPY_LISTEN", SIZE(0, 0), NEEDS(RWY_VU_PF_PAGEFAULT)},
	[RWY_VU_POSTCOPY_END] = {"POSTCOPY_END", SIZE(0, 0), NEEDS(RWY_VU_PF_PAGEFAULT),
				 REPLY(U64, U64)},
	[RWY_VU_GET_INFLIGHT_FD] = {"GET_INFLIGHT_FD", SIZE(INFLIGHT_MIN, INFLIGHT),
				    NEEDS(RWY_VU_PF_INFLIGHT_SHMFD), REPLY(INFLIGHT_MIN, INFLIGHT),
				    .reply_fds_max = 1, .valid = valid_inflight},
	[RWY_VU_SET_INFLIGHT_FD] = {"SET_INFLIGHT_FD", SIZE(INFLIGHT_MIN, INFLIGHT), FDS(1, 1),
				    NEEDS(RWY_VU_PF_INFLIGHT_SHMFD), .valid = valid_inflight},
	/* a device of its own kind asks for it, no feature */
	[RWY_VU_GPU_SET_SOCKET] = {"GPU_SET_SOCKET", SIZE(0, 0), FDS(1, 1), NEEDS(NO_PF)},
	[RWY_VU_RESET_DEVICE] = {"RESET_DEVICE", SIZE(0, 0), NEEDS(RWY_VU_PF_RESET_DEVICE)},
	[RWY_VU_VRING_KICK] = {"VRING_KICK", SIZE(STATE, STATE),
			       NEEDS(RWY_VU_PF_INBAND_NOTIFICATIONS), .indexed = true},
	[RWY_VU_GET_MAX_MEM_SLOTS] = {"GET_MAX_MEM_SLOTS", SIZE(0, 0),
				      NEEDS(RWY_VU_PF_CONFIGURE_MEM_SLOTS), REPLY(U64, U64)},
	[RWY_VU_ADD_MEM_REG] = {"ADD_MEM_REG", SIZE(MEM_REG, MEM_REG), FDS(1, 1),
				NEEDS(RWY_VU_PF_CONFIGURE_MEM_SLOTS)},
	/* the region to remove may come with its descriptor */
	[RWY_VU_REM_MEM_REG] = {"REM_MEM_REG", SIZE(MEM_REG, MEM_REG), FDS(0, 1),
				NEEDS(RWY_VU_PF_CONFIGURE_MEM_SLOTS)},
	[RWY_VU_SET_STATUS] = {"SET_STATUS", SIZE(U64, U64), NEEDS(RWY_VU_PF_STATUS),
			       .valid = valid_status},
	[RWY_VU_GET_STATUS] = {"GET_STATUS", SIZE(0, 0), NEEDS(RWY_VU_PF_STATUS), REPLY(U64, U64)},
	[RWY_VU_GET_SHARED_OBJECT] = {"GET_SHARED_OBJECT", SIZE(UUID, UUID),
				      NEEDS(RWY_VU_PF_SHARED_OBJECT), REPLY(0, UUID),
				      .reply_fds_max = 1},
	[RWY_VU_SET_DEVICE_STATE_FD] = {"SET_DEVICE_STATE_FD",
					SIZE(sizeof(struct rwy_vu_transfer),
					     sizeof(struct rwy_vu_transfer)),
					FDS(1, 1), NEEDS(RWY_VU_PF_DEVICE_STATE), REPLY(U64, U64),
					.reply_fds_max = 1},
	[RWY_VU_CHECK_DEVICE_STATE] = {"CHECK_DEVICE_STATE", SIZE(0, 0),
				       NEEDS(RWY_VU_PF_DEVICE_STATE), REPLY(U64, U64)},
	[RWY_VU_GET_SHMEM_CONFIG] = {"GET_SHMEM_CONFIG", SIZE(0, 0), NEEDS(RWY_VU_PF_SHMEM),
				     REPLY(SHMEM, SHMEM)},
};

static const struct rwy_vu_row be_rows[RWY_VU_NR_BE_REQS] = {
	[RWY_VU_BE_IOTLB_MSG] = {"BACKEND_IOTLB_MSG",
				 SIZE(sizeof(struct rwy_vu_iotlb), sizeof(struct rwy_vu_iotlb)),
				 NEEDS(RWY_VU_PF_BACKEND_REQ)},
	[RWY_VU_BE_CONFIG_CHANGE] = {"BACKEND_CONFIG_CHANGE", SIZE(0, 0), NEEDS(RWY_VU_PF_CONFIG)},
	[RWY_VU_BE_VRING_HOST_NOTIFIER] = {"BACKEND_VRING_HOST_NOTIFIER",
					   SIZE(sizeof(struct rwy_vu_vring_area),
						sizeof(struct rwy_vu_vring_area)),
					   FDS(0, 1), NEEDS(RWY_VU_PF_HOST_NOTIFIER),
					   .valid = valid_area},
	[RWY_VU_BE_VRING_CALL] = {"BACKEND_VRING_CALL", SIZE(STATE, STATE),
				  NEEDS(RWY_VU_PF_INBAND_NOTIFICATIONS), .indexed = true},
	[RWY_VU_BE_VRING_ERR] = {"BACKEND_VRING_ERR", SIZE(STATE, STATE),
				 NEEDS(RWY_VU_PF_INBAND_NOTIFICATIONS), .indexed = true},
	[RWY_VU_BE_SHARED_OBJECT_ADD] = {"BACKEND_SHARED_OBJECT_ADD", SIZE(UUID, UUID),
					 NEEDS(RWY_VU_PF_SHARED_OBJECT)},
	[RWY_VU_BE_SHARED_OBJECT_REMOVE] = {"BACKEND_SHARED_OBJECT_REMOVE", SIZE(UUID, UUID),
					    NEEDS(RWY_VU_PF_SHARED_OBJECT)},
	[RWY_VU_BE_SHARED_OBJECT_LOOKUP] = {"BACKEND_SHARED_OBJECT_LOOKUP", SIZE(UUID, UUID),
					    NEEDS(RWY_VU_PF_SHARED_OBJECT), REPLY(0, UUID),
					    .reply_fds_max = 1},
	[RWY_VU_BE_SHMEM_MAP] = {"BACKEND_SHMEM_MAP",
				 SIZE(sizeof(struct rwy_vu_shmem_map),
				      sizeof(struct rwy_vu_shmem_map)),
				 FDS(1, 1), NEEDS(RWY_VU_PF_SHMEM)},
	[RWY_VU_BE_SHMEM_UNMAP] = {"BACKEND_SHMEM_UNMAP",
				   SIZE(sizeof(struct rwy_vu_shmem_map),
					sizeof(struct rwy_vu_shmem_map)),
				   NEEDS(RWY_VU_PF_SHMEM)},
};

const struct rwy_vu_row *rwy_vu_check_row(uint32_t request)
{
	return request < RWY_VU_NR_REQS && rows[request].name ? &rows[request] : NULL;
}

const struct rwy_vu_row *rwy_vu_check_be_row(uint32_t request)
{
	return request < RWY_VU_NR_BE_REQS && be_rows[request].name ? &be_rows[request] : NULL;
}

static int refuse(int err, const char **why, const char *text)
{
	*why = text;
	return err;
}

static int check(const struct rwy_vu_row *row, const struct rwy_vu_state *state,
		 const struct rwy_vu_msg *msg, const char **why)
{
	const uint32_t known = RWY_VU_FLAG_VERSION | RWY_VU_FLAG_NEED_REPLY;
	int err;

	if ((msg->hdr.flags & RWY_VU_FLAG_VERSION_MASK) != RWY_VU_FLAG_VERSION)
		return refuse(-EPROTO, why, "version is not 1");
	if (msg->hdr.flags & RWY_VU_FLAG_REPLY)
		return refuse(-EPROTO, why, "a reply where a request belongs");
	if (msg->hdr.flags & ~known)
		return refuse(-EPROTO, why, "reserved flags are set");
	if (!row)
		return refuse(-ENOTSUP, why, "unknown request");
	if (msg->hdr.size < row->size_min || msg->hdr.size > row->size_max)
		return refuse(-EPROTO, why, "size does not fit the request");
	if (msg->nr_fds < row->fds_min || msg->nr_fds > row->fds_max)
		return refuse(-EPROTO, why, "number of descriptors does not fit the request");
	if (row->pf != NO_PF && !has(state->pf, (unsigned)row->pf))
		return refuse(-ENOTSUP, why, "its protocol feature was not negotiated");
	if (row->indexed && msg->payload.state.index >= state->nr_queues)
		return refuse(-EINVAL, why, "no such ring");
	err = row->valid ? row->valid(state, msg) : 0;
	return err ? refuse(err, why, "payload is not acceptable") : 0;
}

int rwy_vu_check(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg, const char **why)
{
	return check(rwy_vu_check_row(msg->hdr.request), state, msg, why);
}

int rwy_vu_check_be(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg,
		    const char **why)
{
	return check(rwy_vu_check_be_row(msg->hdr.request), state, msg, why);
}

int rwy_vu_check_reply(uint32_t request, const struct rwy_vu_msg *msg, const char **why)
{
	const struct rwy_vu_row *row = rwy_vu_check_row(request);
	uint32_t min = row && row->has_reply ? row->reply_min : U64;
	uint32_t max = row && row->has_reply ? row->reply_max : U64;

	if (!row)
		return refuse(-EPROTO, why, "unknown request");
	if (msg->hdr.flags != (RWY_VU_FLAG_VERSION | RWY_VU_FLAG_REPLY))
		return refuse(-EPROTO, why, "flags are not those of a reply");
	if (msg->hdr.request != request)
		return refuse(-EPROTO, why, "a reply to another request");
	if (msg->hdr.size < min || msg->hdr.size > max)
		return refuse(-EPROTO, why, "size does not fit the reply");
	if (msg->nr_fds > row->reply_fds_max)
		return refuse(-EPROTO, why, "surplus descriptors in the reply");
	return 0;
}

uint64_t rwy_vu_check_pf(uint64_t pf)
{
	static const struct {
		uint8_t bit;
		uint8_t needs;
	} deps[] = {
		/* each after what it needs itself */
		{RWY_VU_PF_BACKEND_SEND_FD, RWY_VU_PF_BACKEND_REQ},
		{RWY_VU_PF_HOST_NOTIFIER, RWY_VU_PF_BACKEND_SEND_FD},
		{RWY_VU_PF_PAGEFAULT, RWY_VU_PF_REPLY_ACK},
		{RWY_VU_PF_SHMEM, RWY_VU_PF_BACKEND_SEND_FD},
		{RWY_VU_PF_GET_VRING_BASE_INFLIGHT, RWY_VU_PF_INFLIGHT_SHMFD},
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(deps); i++)
		if (!has(pf, deps[i].needs))
			pf &= ~RWY_BIT64(deps[i].bit);
	return pf;
}
