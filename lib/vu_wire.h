/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user exactly as it is on the wire (QEMU docs/interop/vhost-user, "Message Specification"),
 * native endian. Structures and numbers only, no functions.
 */
#ifndef RWY_LIB_VU_WIRE_H
#define RWY_LIB_VU_WIRE_H

#include <assert.h>
#include <stdint.h>

enum rwy_vu_req {
	RWY_VU_NONE = 0,
	RWY_VU_GET_FEATURES = 1,
	RWY_VU_SET_FEATURES = 2,
	RWY_VU_SET_OWNER = 3,
	RWY_VU_RESET_OWNER = 4,
	RWY_VU_SET_MEM_TABLE = 5,
	RWY_VU_SET_LOG_BASE = 6,
	RWY_VU_SET_LOG_FD = 7,
	RWY_VU_SET_VRING_NUM = 8,
	RWY_VU_SET_VRING_ADDR = 9,
	RWY_VU_SET_VRING_BASE = 10,
	RWY_VU_GET_VRING_BASE = 11,
	RWY_VU_SET_VRING_KICK = 12,
	RWY_VU_SET_VRING_CALL = 13,
	RWY_VU_SET_VRING_ERR = 14,
	RWY_VU_GET_PROTOCOL_FEATURES = 15,
	RWY_VU_SET_PROTOCOL_FEATURES = 16,
	RWY_VU_GET_QUEUE_NUM = 17,
	RWY_VU_SET_VRING_ENABLE = 18,
	RWY_VU_SEND_RARP = 19,
	RWY_VU_NET_SET_MTU = 20,
	RWY_VU_SET_BACKEND_REQ_FD = 21,
	RWY_VU_IOTLB_MSG = 22,
	RWY_VU_SET_VRING_ENDIAN = 23,
	RWY_VU_GET_CONFIG = 24,
	RWY_VU_SET_CONFIG = 25,
	RWY_VU_CREATE_CRYPTO_SESSION = 26,
	RWY_VU_CLOSE_CRYPTO_SESSION = 27,
	RWY_VU_POSTCOPY_ADVISE = 28,
	RWY_VU_POSTCOPY_LISTEN = 29,
	RWY_VU_POSTCOPY_END = 30,
	RWY_VU_GET_INFLIGHT_FD = 31,
	RWY_VU_SET_INFLIGHT_FD = 32,
	RWY_VU_GPU_SET_SOCKET = 33,
	RWY_VU_RESET_DEVICE = 34,
	RWY_VU_VRING_KICK = 35,
	RWY_VU_GET_MAX_MEM_SLOTS = 36,
	RWY_VU_ADD_MEM_REG = 37,
	RWY_VU_REM_MEM_REG = 38,
	RWY_VU_SET_STATUS = 39,
	RWY_VU_GET_STATUS = 40,
	RWY_VU_GET_SHARED_OBJECT = 41,
	RWY_VU_SET_DEVICE_STATE_FD = 42,
	RWY_VU_CHECK_DEVICE_STATE = 43,
	RWY_VU_GET_SHMEM_CONFIG = 44,
	RWY_VU_NR_REQS
};

/* Back-end to front-end, on the channel given by SET_BACKEND_REQ_FD. */
enum rwy_vu_be_req {
	RWY_VU_BE_IOTLB_MSG = 1,
	RWY_VU_BE_CONFIG_CHANGE = 2,
	RWY_VU_BE_VRING_HOST_NOTIFIER = 3,
	RWY_VU_BE_VRING_CALL = 4,
	RWY_VU_BE_VRING_ERR = 5,
	RWY_VU_BE_SHARED_OBJECT_ADD = 6,
	RWY_VU_BE_SHARED_OBJECT_REMOVE = 7,
	RWY_VU_BE_SHARED_OBJECT_LOOKUP = 8,
	RWY_VU_BE_SHMEM_MAP = 9,
	RWY_VU_BE_SHMEM_UNMAP = 10,
	RWY_VU_NR_BE_REQS
};

/* "Protocol features": bit numbers. */
enum rwy_vu_pf {
	RWY_VU_PF_MQ = 0,
	RWY_VU_PF_LOG_SHMFD = 1,
	RWY_VU_PF_RARP = 2,
	RWY_VU_PF_REPLY_ACK = 3,
	RWY_VU_PF_MTU = 4,
	RWY_VU_PF_BACKEND_REQ = 5,
	RWY_VU_PF_CROSS_ENDIAN = 6,
	RWY_VU_PF_CRYPTO_SESSION = 7,
	RWY_VU_PF_PAGEFAULT = 8,
	RWY_VU_PF_CONFIG = 9,
	RWY_VU_PF_BACKEND_SEND_FD = 10,
	RWY_VU_PF_HOST_NOTIFIER = 11,
	RWY_VU_PF_INFLIGHT_SHMFD = 12,
	RWY_VU_PF_RESET_DEVICE = 13,
	RWY_VU_PF_INBAND_NOTIFICATIONS = 14,
	RWY_VU_PF_CONFIGURE_MEM_SLOTS = 15,
	RWY_VU_PF_STATUS = 16,
	RWY_VU_PF_XEN_MMAP = 17,
	RWY_VU_PF_SHARED_OBJECT = 18,
	RWY_VU_PF_DEVICE_STATE = 19,
	RWY_VU_PF_GET_VRING_BASE_INFLIGHT = 20,
	RWY_VU_PF_GPA_ADDRESSES = 21,
	RWY_VU_PF_SHMEM = 22,
	RWY_VU_NR_PFS
};

/* Bits of the virtio feature word that belong to vhost itself. */
#define RWY_VU_F_LOG_ALL	   26
#define RWY_VU_F_PROTOCOL_FEATURES 30

#define RWY_VU_FLAG_VERSION	 0x1u
#define RWY_VU_FLAG_VERSION_MASK 0x3u
#define RWY_VU_FLAG_REPLY	 0x4u
#define RWY_VU_FLAG_NEED_REPLY	 0x8u

#define RWY_VU_MAX_FDS	       8 /* the most one message carries: SET_MEM_TABLE */
#define RWY_VU_MAX_TABLE       8 /* regions in SET_MEM_TABLE */
#define RWY_VU_CONFIG_MAX      256
#define RWY_VU_SHMEM_REGIONS   256
#define RWY_VU_VRING_IDX_MASK  0xffu
#define RWY_VU_VRING_NOFD_MASK 0x100u
#define RWY_VU_LOG_PAGE	       4096u

struct rwy_vu_hdr {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload that follows */
};

struct rwy_vu_vring_state {
	uint32_t index;
	uint32_t num;
};

struct rwy_vu_vring_addr {
	uint32_t index;
	uint32_t flags; /* bit 0: log writes to the used ring */
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

struct rwy_vu_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t uva;
	uint64_t mmap_offset;
};

struct rwy_vu_mem_table {
	uint32_t nregions;
	uint32_t padding;
	struct rwy_vu_region regions[RWY_VU_MAX_TABLE];
};

struct rwy_vu_mem_reg {
	uint64_t padding;
	struct rwy_vu_region region;
};

struct rwy_vu_log {
	uint64_t size;
	uint64_t offset;
};

struct rwy_vu_iotlb {
	uint64_t iova;
	uint64_t size;
	uint64_t uva;
	uint8_t perm; /* 1 read, 2 write, 3 both */
	uint8_t type; /* 1 miss, 2 update, 3 invalidate, 4 access failed */
	uint8_t padding[6];
};

struct rwy_vu_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags; /* 0 writable fields only, 1 migration */
	uint8_t data[RWY_VU_CONFIG_MAX];
};
#define RWY_VU_CONFIG_HDR 12u

struct rwy_vu_inflight {
	uint64_t mmap_size;
	uint64_t mmap_offset;
	uint16_t num_queues;
	uint16_t queue_size;
	uint8_t padding[4];
};

struct rwy_vu_vring_area {
	uint64_t idx; /* as in SET_VRING_KICK */
	uint64_t size;
	uint64_t offset;
};

struct rwy_vu_transfer {
	uint32_t direction;
	uint32_t phase;
};

struct rwy_vu_shmem_config {
	uint32_t nregions;
	uint32_t padding;
	uint64_t sizes[RWY_VU_SHMEM_REGIONS];
};

struct rwy_vu_shmem_map {
	uint8_t id;
	uint8_t padding[7];
	uint64_t fd_offset;
	uint64_t shm_offset;
	uint64_t len;
	uint64_t flags;
};

union rwy_vu_payload {
	uint64_t u64;
	struct rwy_vu_vring_state state;
	struct rwy_vu_vring_addr addr;
	struct rwy_vu_mem_table table;
	struct rwy_vu_mem_reg mem_reg;
	struct rwy_vu_log log;
	struct rwy_vu_iotlb iotlb;
	struct rwy_vu_config config;
	struct rwy_vu_inflight inflight;
	struct rwy_vu_vring_area area;
	struct rwy_vu_transfer transfer;
	struct rwy_vu_shmem_config shmem_config;
	struct rwy_vu_shmem_map shmem_map;
	uint8_t uuid[16];
	uint8_t bytes[2056];
};

static_assert(sizeof(struct rwy_vu_hdr) == 12, "header");
static_assert(sizeof(struct rwy_vu_vring_addr) == 40, "vring address");
static_assert(sizeof(struct rwy_vu_region) == 32, "memory region");
static_assert(sizeof(struct rwy_vu_mem_table) == 264, "memory table");
static_assert(sizeof(struct rwy_vu_mem_reg) == 40, "single memory region");
static_assert(sizeof(struct rwy_vu_iotlb) == 32, "IOTLB message");
static_assert(sizeof(struct rwy_vu_config) == 268, "configuration space");
static_assert(sizeof(struct rwy_vu_inflight) == 24, "in-flight description");
static_assert(sizeof(struct rwy_vu_shmem_config) == 2056, "shared memory configuration");
static_assert(sizeof(union rwy_vu_payload) == 2056, "largest payload");

#endif
