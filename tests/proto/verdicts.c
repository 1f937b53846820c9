/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/proto/verdicts.h"

#include "lib/base.h"
#include "tests/proto/peer.h"

#include <linux/virtio_config.h>

#define F_V1		    RWY_BIT64(VIRTIO_F_VERSION_1)
#define F_PF		    RWY_BIT64(RWY_VU_F_PROTOCOL_FEATURES)
#define F_BOTH		    (F_V1 | F_PF)
#define ALL(v)		    .verdict = {v, v, v}
#define V(a, b, c)	    .verdict = {(a), (b), (c)}
#define BYTES(type, n, ...) .payload = &(const type){__VA_ARGS__}, .size = (n)
#define U64(v)		    BYTES(uint64_t, 8, v)
#define STATE(index, num)   BYTES(struct rwy_vu_vring_state, 8, index, num)
#define ADDR(...)	    BYTES(struct rwy_vu_vring_addr, 40, __VA_ARGS__)
#define TABLE(n, ...)	    BYTES(struct rwy_vu_mem_table, 8 + 32 * (n), __VA_ARGS__)
#define REG(...)	    BYTES(struct rwy_vu_mem_reg, 40, .region = {__VA_ARGS__})
#define CONFIG(n, ...)	    BYTES(struct rwy_vu_config, 12 + (n), __VA_ARGS__)
#define INFLIGHT(...)	    BYTES(struct rwy_vu_inflight, 24, __VA_ARGS__, {0})
#define LOG(...)	    BYTES(struct rwy_vu_log, 16, __VA_ARGS__)
#define FDS(n, what)	    .nr_fds = (n), .fd = WITH_##what

#define GPA PEER_GPA
#define UVA PEER_UVA
#define LEN PEER_MEM_SIZE
#define GUEST                       \
	{                           \
		GPA, LEN, UVA, 4096 \
	}
#define RING_0 .desc = UVA, .avail = UVA + 256, .used = UVA + 320
#define LAST   (UINT64_MAX - 4095)
/* A bit a page, up to the guest's last one. */
#define LOG_LEN ((GPA + LEN) / RWY_VU_LOG_PAGE / 8)

/* The three messages that bring an eventfd. */
#define EVENTFD(id, name)                                                                      \
	{name, id, U64(0), FDS(1, EVENT), ALL(YES)}, {name " none", id, U64(0x100), ALL(YES)}, \
		{name " none, and one", id, U64(0x100), FDS(1, EVENT), ALL(NO)},               \
		{name " missing", id, U64(0), ALL(NO)},                                        \
		{name " with a bit too many", id, U64(0x200), FDS(1, EVENT), ALL(NO)},         \
		{name " of no such ring", id, U64(2), FDS(1, EVENT), ALL(NO)},                 \
		{name " of no such ring, none", id, U64(0x1ff), ALL(NO)},                      \
		{name " that is memory", id, U64(0), FDS(1, MEM), ALL(NO)},                    \
		{name " that is a pipe", id, U64(0), FDS(1, PIPE), ALL(NO)},                   \
	{                                                                                      \
		name ": CVE-2020-10723", id, U64(0x10000), FDS(1, EVENT), ALL(NO)              \
	}

/* An index that only fits after it was cut. */
#define INDEX(id, name)                                                              \
	{name " of no such ring", id, STATE(2, 1), ALL(NO)},                         \
		{name ": CVE-2020-10723, 8 bits", id, STATE(0x100, 1), ALL(NO)},     \
		{name ": CVE-2020-10723, 16 bits", id, STATE(0x10000, 1), ALL(NO)},  \
	{                                                                            \
		name ": CVE-2020-10723, all bits", id, STATE(UINT32_MAX, 1), ALL(NO) \
	}

const struct verdict_case verdict_cases[] = {
	/* headers */
	{"version 0", RWY_VU_SET_OWNER, .flags = 1, ALL(SHUT)},
	{"version 2", RWY_VU_SET_OWNER, .flags = 1 ^ 2, ALL(SHUT)},
	{"version 3", RWY_VU_SET_OWNER, .flags = 1 ^ 3, ALL(SHUT)},
	{"a reply", RWY_VU_SET_OWNER, .flags = 4, ALL(SHUT)},
	{"a reserved flag", RWY_VU_SET_OWNER, .flags = 0x10, ALL(SHUT)},
	{"the last reserved flag", RWY_VU_SET_OWNER, .flags = 0x80000000, ALL(SHUT)},
	{"longer than any", RWY_VU_SET_FEATURES, U64(F_BOTH), .claimed = 2057, ALL(SHUT)},
	{"longest", RWY_VU_SET_FEATURES, U64(F_BOTH), .claimed = UINT32_MAX, ALL(SHUT)},
	{"cut in the header", RWY_VU_SET_FEATURES, U64(F_BOTH), .cut = 5, ALL(SHUT)},
	{"cut in the payload", RWY_VU_SET_FEATURES, U64(F_BOTH), .cut = 19, ALL(SHUT)},
	{"request 0", RWY_VU_NONE, ALL(NO)},
	{"request 45", RWY_VU_NR_REQS, ALL(NO)},
	{"request 99 with payload", 99, U64(1), ALL(NO)},
	{"request 2^32 - 1", UINT32_MAX, ALL(NO)},

	/* the device */
	{"SET_OWNER", RWY_VU_SET_OWNER, ALL(YES)},
	{"RESET_OWNER", RWY_VU_RESET_OWNER, ALL(YES)},
	{"GET_FEATURES", RWY_VU_GET_FEATURES, ALL(ANSWER)},
	{"SET_FEATURES", RWY_VU_SET_FEATURES, U64(F_BOTH), ALL(YES)},
	{"SET_FEATURES of others", RWY_VU_SET_FEATURES, U64(F_BOTH | RWY_BIT64(28)),
	 V(YES, YES, NO)},
	{"SET_FEATURES not offered", RWY_VU_SET_FEATURES, U64(F_BOTH | RWY_BIT64(33)), ALL(NO)},
	{"SET_FEATURES reserved", RWY_VU_SET_FEATURES, U64(F_BOTH | RWY_BIT64(63)), ALL(NO)},
	/* a ring that runs cannot be logged without a log; one that does not waits for it */
	{"SET_FEATURES of the log", RWY_VU_SET_FEATURES, U64(F_BOTH | RWY_BIT64(26)),
	 V(YES, YES, NO)},
	{"GET_PROTOCOL_FEATURES", RWY_VU_GET_PROTOCOL_FEATURES, ALL(ANSWER)},
	{"SET_PROTOCOL_FEATURES reserved", RWY_VU_SET_PROTOCOL_FEATURES, U64(RWY_BIT64(63)),
	 ALL(NO)},
	{"SET_PROTOCOL_FEATURES not offered", RWY_VU_SET_PROTOCOL_FEATURES, U64(RWY_BIT64(6)),
	 ALL(NO)},
	{"SET_PROTOCOL_FEATURES all", RWY_VU_SET_PROTOCOL_FEATURES, U64(UINT64_MAX), ALL(NO)},
	{"GET_QUEUE_NUM", RWY_VU_GET_QUEUE_NUM, V(SHUT, ANSWER, ANSWER)},
	{"RESET_DEVICE", RWY_VU_RESET_DEVICE, V(NO, YES, YES)},
	{"SET_STATUS 0", RWY_VU_SET_STATUS, U64(0), V(NO, YES, YES)},
	{"SET_STATUS 256", RWY_VU_SET_STATUS, U64(256), ALL(NO)},
	{"GET_STATUS", RWY_VU_GET_STATUS, V(SHUT, ANSWER, ANSWER)},
	{"SET_BACKEND_REQ_FD", RWY_VU_SET_BACKEND_REQ_FD, FDS(1, PIPE), V(NO, YES, YES)},
	{"NET_SET_MTU 1", RWY_VU_NET_SET_MTU, U64(1), ALL(NO)},
	{"NET_SET_MTU 65536", RWY_VU_NET_SET_MTU, U64(65536), ALL(NO)},
	{"NET_SET_MTU of a disk", RWY_VU_NET_SET_MTU, U64(1500), .only = 'b', ALL(NO)},
	{"SEND_RARP", RWY_VU_SEND_RARP, U64(2), .only = 'n', V(NO, YES, YES)},
	{"SEND_RARP of a disk", RWY_VU_SEND_RARP, U64(2), .only = 'b', ALL(NO)},
	{"GET_CONFIG", RWY_VU_GET_CONFIG, CONFIG(4, .size = 4), V(SHUT, ANSWER, ANSWER)},
	{"GET_CONFIG outside", RWY_VU_GET_CONFIG, CONFIG(100, .offset = 250, .size = 100),
	 V(SHUT, EMPTY, EMPTY)},
	{"GET_CONFIG far outside", RWY_VU_GET_CONFIG, CONFIG(4, .offset = UINT32_MAX, .size = 4),
	 V(SHUT, EMPTY, EMPTY)},
	{"GET_CONFIG of two sizes", RWY_VU_GET_CONFIG, CONFIG(4, .size = 8), ALL(SHUT)},
	{"GET_CONFIG of all sizes", RWY_VU_GET_CONFIG, CONFIG(4, .size = UINT32_MAX), ALL(SHUT)},
	{"GET_CONFIG with flags", RWY_VU_GET_CONFIG, CONFIG(4, .size = 4, .flags = 2), ALL(SHUT)},
	{"SET_CONFIG outside", RWY_VU_SET_CONFIG, CONFIG(4, .offset = 250, .size = 4), ALL(NO)},
	{"SET_CONFIG far outside", RWY_VU_SET_CONFIG, CONFIG(4, .offset = UINT32_MAX, .size = 4),
	 ALL(NO)},
	{"SET_CONFIG of two sizes", RWY_VU_SET_CONFIG, CONFIG(4, .size = 256), V(NO, SHUT, SHUT)},

	/* memory */
	{"SET_MEM_TABLE", RWY_VU_SET_MEM_TABLE, TABLE(1, 1, 0, {GUEST}), FDS(1, MEM), ALL(YES)},
	{"no region", RWY_VU_SET_MEM_TABLE, TABLE(1, 0, 0, {GUEST}), FDS(1, MEM), ALL(SHUT)},
	{"two regions, payload for one", RWY_VU_SET_MEM_TABLE, TABLE(1, 2, 0, {GUEST}), FDS(1, MEM),
	 ALL(SHUT)},
	{"two regions, one file", RWY_VU_SET_MEM_TABLE, TABLE(2, 2, 0, {GUEST, GUEST}), FDS(1, MEM),
	 ALL(SHUT)},
	{"nine regions", RWY_VU_SET_MEM_TABLE, TABLE(8, 9, 0, {GUEST}), FDS(8, MEM), ALL(SHUT)},
	{"2^16 regions and one", RWY_VU_SET_MEM_TABLE, TABLE(1, 0x10001, 0, {GUEST}), FDS(1, MEM),
	 ALL(SHUT)},
	{"2^32 - 1 regions", RWY_VU_SET_MEM_TABLE, TABLE(1, UINT32_MAX, 0, {GUEST}), FDS(1, MEM),
	 ALL(SHUT)},
	{"region of nothing", RWY_VU_SET_MEM_TABLE, TABLE(1, 1, 0, {{GPA, 0, UVA, 0}}), FDS(1, MEM),
	 ALL(NO)},
	{"guest address wraps", RWY_VU_SET_MEM_TABLE, TABLE(1, 1, 0, {{LAST, LEN, UVA, 0}}),
	 FDS(1, MEM), ALL(NO)},
	{"front-end address wraps", RWY_VU_SET_MEM_TABLE, TABLE(1, 1, 0, {{GPA, LEN, LAST, 0}}),
	 FDS(1, MEM), ALL(NO)},
	{"place in the file wraps", RWY_VU_SET_MEM_TABLE, TABLE(1, 1, 0, {{GPA, LEN, UVA, LAST}}),
	 FDS(1, MEM), ALL(NO)},
	{"file too short", RWY_VU_SET_MEM_TABLE, TABLE(1, 1, 0, {{GPA, LEN, UVA, 8192}}),
	 FDS(1, MEM), ALL(NO)},
	{"all of memory", RWY_VU_SET_MEM_TABLE, TABLE(1, 1, 0, {{0, UINT64_MAX, UVA, 0}}),
	 FDS(1, MEM), ALL(NO)},
	{"misaligned for us", RWY_VU_SET_MEM_TABLE, TABLE(1, 1, 0, {{GPA, 4096, UVA, 2}}),
	 FDS(1, MEM), ALL(NO)},
	{"memory that is a pipe", RWY_VU_SET_MEM_TABLE, TABLE(1, 1, 0, {GUEST}), FDS(1, PIPE),
	 ALL(NO)},
	{"memory that is an eventfd", RWY_VU_SET_MEM_TABLE, TABLE(1, 1, 0, {GUEST}), FDS(1, EVENT),
	 ALL(NO)},
	{"overlap for the guest", RWY_VU_SET_MEM_TABLE,
	 TABLE(2, 2, 0, {{GPA, 8192, UVA, 0}, {GPA + 4096, 8192, UVA + LEN, 0}}), FDS(2, MEM),
	 ALL(NO)},
	{"overlap for the front-end", RWY_VU_SET_MEM_TABLE,
	 TABLE(2, 2, 0, {{GPA, 8192, UVA, 0}, {GPA + LEN, 8192, UVA + 4096, 0}}), FDS(2, MEM),
	 ALL(NO)},
	{"neighbours", RWY_VU_SET_MEM_TABLE,
	 TABLE(2, 2, 0, {{GPA, 8192, UVA, 0}, {GPA + 8192, 8192, UVA + 8192, 0}}), FDS(2, MEM),
	 ALL(YES)},
	{"ADD_MEM_REG", RWY_VU_ADD_MEM_REG, REG(GPA, LEN, UVA, 4096), FDS(1, MEM), V(NO, YES, NO)},
	{"ADD_MEM_REG of nothing", RWY_VU_ADD_MEM_REG, REG(GPA + LEN, 0, UVA + LEN, 0), FDS(1, MEM),
	 ALL(NO)},
	{"ADD_MEM_REG wraps", RWY_VU_ADD_MEM_REG, REG(LAST, LEN, UVA + LEN, 0), FDS(1, MEM),
	 ALL(NO)},
	{"ADD_MEM_REG over", RWY_VU_ADD_MEM_REG, REG(GPA + LEN - 1, LEN, UVA + LEN, 0), FDS(1, MEM),
	 V(NO, YES, NO)},
	{"REM_MEM_REG", RWY_VU_REM_MEM_REG, REG(GPA, LEN, UVA, 0), V(NO, NO, YES)},
	{"REM_MEM_REG of a part", RWY_VU_REM_MEM_REG, REG(GPA, 4096, UVA, 0), ALL(NO)},
	{"REM_MEM_REG of none", RWY_VU_REM_MEM_REG, REG(GPA + LEN, LEN, UVA, 0), ALL(NO)},
	{"GET_MAX_MEM_SLOTS", RWY_VU_GET_MAX_MEM_SLOTS, V(SHUT, ANSWER, ANSWER)},

	/* rings */
	INDEX(RWY_VU_SET_VRING_NUM, "SET_VRING_NUM"),
	INDEX(RWY_VU_SET_VRING_BASE, "SET_VRING_BASE"),
	INDEX(RWY_VU_SET_VRING_ENABLE, "SET_VRING_ENABLE"),
	{"SET_VRING_NUM", RWY_VU_SET_VRING_NUM, STATE(0, 16), ALL(YES)},
	{"SET_VRING_NUM while it runs", RWY_VU_SET_VRING_NUM, STATE(0, 32), V(YES, YES, NO)},
	{"ring of none", RWY_VU_SET_VRING_NUM, STATE(0, 0), ALL(NO)},
	/* a packed ring may have 3, and which it is is not known yet */
	{"ring of 3", RWY_VU_SET_VRING_NUM, STATE(0, 3), V(YES, NO, NO)},
	{"ring too long", RWY_VU_SET_VRING_NUM, STATE(0, 32769), ALL(NO)},
	{"ring of 2^16 and 16", RWY_VU_SET_VRING_NUM, STATE(0, 0x10010), ALL(NO)},
	{"SET_VRING_BASE", RWY_VU_SET_VRING_BASE, STATE(0, 0), ALL(YES)},
	{"SET_VRING_BASE while it runs", RWY_VU_SET_VRING_BASE, STATE(0, 7), V(YES, YES, NO)},
	{"SET_VRING_BASE of 17 bits", RWY_VU_SET_VRING_BASE, STATE(0, 0x10000), ALL(NO)},
	{"SET_VRING_ENABLE", RWY_VU_SET_VRING_ENABLE, STATE(0, 1), ALL(YES)},
	{"SET_VRING_ENABLE 2", RWY_VU_SET_VRING_ENABLE, STATE(0, 2), ALL(NO)},
	{"GET_VRING_BASE", RWY_VU_GET_VRING_BASE, STATE(0, 0), ALL(ANSWER)},
	{"GET_VRING_BASE of no such ring", RWY_VU_GET_VRING_BASE, STATE(2, 0), ALL(SHUT)},
	{"GET_VRING_BASE: CVE-2020-10723", RWY_VU_GET_VRING_BASE, STATE(0x10000, 0), ALL(SHUT)},
	{"SET_VRING_ADDR", RWY_VU_SET_VRING_ADDR, ADDR(0, RING_0), ALL(YES)},
	{"SET_VRING_ADDR of no such ring", RWY_VU_SET_VRING_ADDR, ADDR(2, RING_0), ALL(NO)},
	{"SET_VRING_ADDR: CVE-2020-10723", RWY_VU_SET_VRING_ADDR, ADDR(0x10000, RING_0), ALL(NO)},
	{"SET_VRING_ADDR with flags", RWY_VU_SET_VRING_ADDR, ADDR(0, 2, RING_0), ALL(NO)},
	{"SET_VRING_ADDR, logged without a log", RWY_VU_SET_VRING_ADDR, ADDR(0, 1, RING_0),
	 V(YES, YES, NO)},
	{"misaligned descriptors", RWY_VU_SET_VRING_ADDR,
	 ADDR(0, .desc = UVA + 8, .avail = UVA + 512, .used = UVA + 1024), ALL(NO)},
	{"misaligned available ring", RWY_VU_SET_VRING_ADDR,
	 ADDR(0, .desc = UVA, .avail = UVA + 513, .used = UVA + 1024), ALL(NO)},
	{"misaligned used ring", RWY_VU_SET_VRING_ADDR,
	 ADDR(0, .desc = UVA, .avail = UVA + 512, .used = UVA + 1026), ALL(NO)},
	/* where memory is not known yet, it shows when the ring starts */
	{"ring outside memory", RWY_VU_SET_VRING_ADDR,
	 ADDR(0, .desc = UVA, .avail = UVA + LEN - 2, .used = 64), V(YES, YES, NO)},
	EVENTFD(RWY_VU_SET_VRING_KICK, "SET_VRING_KICK"),
	EVENTFD(RWY_VU_SET_VRING_CALL, "SET_VRING_CALL"),
	EVENTFD(RWY_VU_SET_VRING_ERR, "SET_VRING_ERR"),

	/* in flight; our network device has none */
	{"GET_INFLIGHT_FD", RWY_VU_GET_INFLIGHT_FD, INFLIGHT(0, 0, 1, 64), .only = 'b',
	 V(SHUT, ANSWER, ANSWER)},
	{"GET_INFLIGHT_FD of all: CVE-2020-10726", RWY_VU_GET_INFLIGHT_FD,
	 INFLIGHT(0, 0, UINT16_MAX, UINT16_MAX), ALL(SHUT)},
	{"GET_INFLIGHT_FD of none", RWY_VU_GET_INFLIGHT_FD, INFLIGHT(0, 0, 0, 64), ALL(SHUT)},
	{"GET_INFLIGHT_FD of a network", RWY_VU_GET_INFLIGHT_FD, INFLIGHT(0, 0, 1, 64), .only = 'n',
	 ALL(SHUT)},
	{"SET_INFLIGHT_FD", RWY_VU_SET_INFLIGHT_FD, INFLIGHT(8192, 0, 1, 64), FDS(1, MEM),
	 .only = 'b', V(NO, YES, NO)},
	{"SET_INFLIGHT_FD of a network", RWY_VU_SET_INFLIGHT_FD, INFLIGHT(8192, 0, 1, 64),
	 FDS(1, MEM), .only = 'n', ALL(NO)},
	{"SET_INFLIGHT_FD, 0 queues: CVE-2021-3839", RWY_VU_SET_INFLIGHT_FD,
	 INFLIGHT(8192, 0, 0, 64), FDS(1, MEM), ALL(NO)},
	{"SET_INFLIGHT_FD, too many queues: CVE-2021-3839", RWY_VU_SET_INFLIGHT_FD,
	 INFLIGHT(LEN, 0, 3, 64), FDS(1, MEM), ALL(NO)},
	{"SET_INFLIGHT_FD, all queues: CVE-2021-3839", RWY_VU_SET_INFLIGHT_FD,
	 INFLIGHT(LEN, 0, UINT16_MAX, 64), FDS(1, MEM), ALL(NO)},
	{"SET_INFLIGHT_FD, queue of none", RWY_VU_SET_INFLIGHT_FD, INFLIGHT(8192, 0, 1, 0),
	 FDS(1, MEM), ALL(NO)},
	{"SET_INFLIGHT_FD too small", RWY_VU_SET_INFLIGHT_FD, INFLIGHT(64, 0, 1, 64), FDS(1, MEM),
	 ALL(NO)},
	{"SET_INFLIGHT_FD beyond its file", RWY_VU_SET_INFLIGHT_FD, INFLIGHT(2 * LEN, 0, 1, 64),
	 FDS(1, MEM), ALL(NO)},
	{"SET_INFLIGHT_FD wraps", RWY_VU_SET_INFLIGHT_FD, INFLIGHT(8192, LAST, 1, 64), FDS(1, MEM),
	 ALL(NO)},
	{"SET_INFLIGHT_FD on a pipe", RWY_VU_SET_INFLIGHT_FD, INFLIGHT(8192, 0, 1, 64),
	 FDS(1, PIPE), ALL(NO)},

	/* the log; its refusal is the end, as its reply does not tell */
	{"SET_LOG_BASE", RWY_VU_SET_LOG_BASE, LOG(LOG_LEN, 4096), FDS(1, MEM),
	 V(SHUT, ANSWER, ANSWER)},
	{"SET_LOG_BASE not at a page", RWY_VU_SET_LOG_BASE, LOG(LOG_LEN, 4095), FDS(1, MEM),
	 V(SHUT, ANSWER, ANSWER)},
	/* what it must reach to is not known before memory is */
	{"SET_LOG_BASE too short by a byte", RWY_VU_SET_LOG_BASE, LOG(LOG_LEN - 1, 0), FDS(1, MEM),
	 V(SHUT, ANSWER, SHUT)},
	{"SET_LOG_BASE of nothing", RWY_VU_SET_LOG_BASE, LOG(0, 0), FDS(1, MEM), ALL(SHUT)},
	{"SET_LOG_BASE beyond its file", RWY_VU_SET_LOG_BASE, LOG(LEN, 4097), FDS(1, MEM),
	 ALL(SHUT)},
	{"SET_LOG_BASE wraps: CVE-2020-10722", RWY_VU_SET_LOG_BASE, LOG(LOG_LEN, LAST), FDS(1, MEM),
	 ALL(SHUT)},
	{"SET_LOG_BASE wraps to its start: CVE-2020-10722", RWY_VU_SET_LOG_BASE,
	 LOG(LAST, 4096 + LOG_LEN), FDS(1, MEM), ALL(SHUT)},
	{"SET_LOG_BASE of all: CVE-2020-10722", RWY_VU_SET_LOG_BASE, LOG(UINT64_MAX, UINT64_MAX),
	 FDS(1, MEM), ALL(SHUT)},
	{"SET_LOG_BASE on a pipe", RWY_VU_SET_LOG_BASE, LOG(LOG_LEN, 0), FDS(1, PIPE), ALL(SHUT)},
	{"SET_LOG_BASE on an eventfd", RWY_VU_SET_LOG_BASE, LOG(LOG_LEN, 0), FDS(1, EVENT),
	 ALL(SHUT)},
	{"SET_LOG_FD", RWY_VU_SET_LOG_FD, FDS(1, EVENT), ALL(YES)},

	/* what is not offered */
	{"IOTLB_MSG", RWY_VU_IOTLB_MSG, BYTES(struct rwy_vu_iotlb, 32, .type = 2), ALL(NO)},
	{"SET_VRING_ENDIAN", RWY_VU_SET_VRING_ENDIAN, STATE(0, 1), ALL(NO)},
	{"CREATE_CRYPTO_SESSION: CVE-2020-10724", RWY_VU_CREATE_CRYPTO_SESSION,
	 BYTES(union rwy_vu_payload, 2056, .u64 = UINT64_MAX), ALL(SHUT)},
	{"CLOSE_CRYPTO_SESSION", RWY_VU_CLOSE_CRYPTO_SESSION, U64(1), ALL(NO)},
	{"POSTCOPY_ADVISE", RWY_VU_POSTCOPY_ADVISE, ALL(SHUT)},
	{"POSTCOPY_LISTEN", RWY_VU_POSTCOPY_LISTEN, ALL(NO)},
	{"POSTCOPY_END", RWY_VU_POSTCOPY_END, ALL(SHUT)},
	{"GPU_SET_SOCKET", RWY_VU_GPU_SET_SOCKET, FDS(1, PIPE), ALL(NO)},
	{"VRING_KICK", RWY_VU_VRING_KICK, STATE(0, 0), ALL(NO)},
	{"GET_SHARED_OBJECT", RWY_VU_GET_SHARED_OBJECT, BYTES(union rwy_vu_payload, 16, .u64 = 1),
	 ALL(SHUT)},
	{"SET_DEVICE_STATE_FD", RWY_VU_SET_DEVICE_STATE_FD, STATE(0, 0), FDS(1, PIPE), ALL(SHUT)},
	{"CHECK_DEVICE_STATE", RWY_VU_CHECK_DEVICE_STATE, ALL(SHUT)},
	{"GET_SHMEM_CONFIG", RWY_VU_GET_SHMEM_CONFIG, ALL(SHUT)},
};
const unsigned verdict_nr_cases = RWY_ARRAY_SIZE(verdict_cases);

const struct verdict_shape verdict_shapes[] = {
	{RWY_VU_GET_FEATURES, 0, 0, 0, 0},
	{RWY_VU_SET_FEATURES, 8, 8, 0, 0},
	{RWY_VU_SET_OWNER, 0, 0, 0, 0},
	{RWY_VU_RESET_OWNER, 0, 0, 0, 0},
	{RWY_VU_SET_MEM_TABLE, 40, 264, 1, 8},
	{RWY_VU_SET_LOG_BASE, 16, 16, 1, 1},
	{RWY_VU_SET_LOG_FD, 0, 8, 1, 1},
	{RWY_VU_SET_VRING_NUM, 8, 8, 0, 0},
	{RWY_VU_SET_VRING_ADDR, 40, 40, 0, 0},
	{RWY_VU_SET_VRING_BASE, 8, 8, 0, 0},
	{RWY_VU_GET_VRING_BASE, 8, 8, 0, 0},
	{RWY_VU_SET_VRING_KICK, 8, 8, 0, 1},
	{RWY_VU_SET_VRING_CALL, 8, 8, 0, 1},
	{RWY_VU_SET_VRING_ERR, 8, 8, 0, 1},
	{RWY_VU_GET_PROTOCOL_FEATURES, 0, 0, 0, 0},
	{RWY_VU_SET_PROTOCOL_FEATURES, 8, 8, 0, 0},
	{RWY_VU_GET_QUEUE_NUM, 0, 0, 0, 0},
	{RWY_VU_SET_VRING_ENABLE, 8, 8, 0, 0},
	{RWY_VU_SEND_RARP, 8, 8, 0, 0},
	{RWY_VU_NET_SET_MTU, 8, 8, 0, 0},
	{RWY_VU_SET_BACKEND_REQ_FD, 0, 0, 1, 1},
	{RWY_VU_IOTLB_MSG, 32, 32, 0, 0},
	{RWY_VU_SET_VRING_ENDIAN, 8, 8, 0, 0},
	{RWY_VU_GET_CONFIG, 12, 268, 0, 0},
	{RWY_VU_SET_CONFIG, 12, 268, 0, 0},
	{RWY_VU_CLOSE_CRYPTO_SESSION, 8, 8, 0, 0},
	{RWY_VU_POSTCOPY_ADVISE, 0, 0, 0, 0},
	{RWY_VU_POSTCOPY_LISTEN, 0, 0, 0, 0},
	{RWY_VU_POSTCOPY_END, 0, 0, 0, 0},
	{RWY_VU_GET_INFLIGHT_FD, 20, 24, 0, 0}, /* CVE-2022-0669: a descriptor too many */
	{RWY_VU_SET_INFLIGHT_FD, 20, 24, 1, 1}, /* CVE-2022-0669 */
	{RWY_VU_GPU_SET_SOCKET, 0, 0, 1, 1},
	{RWY_VU_RESET_DEVICE, 0, 0, 0, 0},
	{RWY_VU_VRING_KICK, 8, 8, 0, 0},
	{RWY_VU_GET_MAX_MEM_SLOTS, 0, 0, 0, 0},
	{RWY_VU_ADD_MEM_REG, 40, 40, 1, 1},
	{RWY_VU_REM_MEM_REG, 40, 40, 0, 1},
	{RWY_VU_SET_STATUS, 8, 8, 0, 0},
	{RWY_VU_GET_STATUS, 0, 0, 0, 0},
	{RWY_VU_GET_SHARED_OBJECT, 16, 16, 0, 0},
	{RWY_VU_SET_DEVICE_STATE_FD, 8, 8, 1, 1},
	{RWY_VU_CHECK_DEVICE_STATE, 0, 0, 0, 0},
	{RWY_VU_GET_SHMEM_CONFIG, 0, 0, 0, 0},
};
const unsigned verdict_nr_shapes = RWY_ARRAY_SIZE(verdict_shapes);
