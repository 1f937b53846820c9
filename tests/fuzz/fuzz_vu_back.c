/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A front-end whose every move is the fuzzer's, against vhost-backends/be*.c and the echo device of
 * tests/proto. Nothing it does may hurt, and when it has hung up nothing of it may be left.
 */
#include "tests/fuzz/fuzz_vu.h"

#include "lib/vu_check.h"
#include "tests/proto/echo.h"
#include "vhost-backends/be_private.h"

#include <linux/virtio_config.h>

#define UVA	 UINT64_C(0x70000000)
#define REGION	 UINT64_C(0x8000) /* four of them: rings, buffers, buffers, in-flight area */
#define RING_GAP 0x2000u
#define AVAIL	 0x800u
#define USED	 0x1000u
#define BUFS	 REGION
#define AREA	 (3 * REGION)
#define RAM	 (4 * REGION)
#define AREA_NUM 64

struct back {
	struct rwy_poll *poll;
	struct echo echo;
	struct rwy_be_config config;
	int sock;
	int fds[FUZZ_NR_FDS];
	uint8_t *ram;
	bool packed; /* what our guest thinks */
	uint16_t size[ECHO_RINGS];
	uint16_t posted[ECHO_RINGS];
};

static void turn(struct back *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fuzz_require(rwy_poll_once(b->poll, 0) >= 0);
}

static void hang_up(struct back *b)
{
	b->echo.hold = false;
	rwy_fd_close(&b->sock);
	for (unsigned i = 0; b->echo.be && i < 64; i++) {
		turn(b, 1);
		echo_release(&b->echo, b->echo.nr_held);
	}
	fuzz_require(!b->echo.be && b->echo.nr_held == 0);
}

static void connect_again(struct back *b)
{
	int pair[2];

	fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	b->sock = pair[0];
	echo_attach(&b->echo, &b->config, &pair[1]);
}

static struct rwy_vu_region region(unsigned i)
{
	return (struct rwy_vu_region){
		.gpa = i * REGION,
		.size = REGION,
		.uva = UVA + i * REGION,
		.mmap_offset = i * REGION,
	};
}

/* The low bits of arg are a ring, what is above is the request's own. */
static void good_ring_message(struct back *b, uint8_t arg, struct rwy_vu_msg *msg)
{
	static const uint16_t sizes[] = {16, 64, 1, 2, 32, 7, 128, 8};
	const unsigned q = arg % ECHO_RINGS, more = arg / ECHO_RINGS;
	const uint64_t at = UVA + q * RING_GAP;

	msg->payload.state = (struct rwy_vu_vring_state){.index = q};
	switch (msg->hdr.request) {
	case RWY_VU_SET_VRING_NUM:
		msg->payload.state.num = b->size[q] = sizes[more % RWY_ARRAY_SIZE(sizes)];
		break;
	case RWY_VU_SET_VRING_BASE:
		msg->payload.state.num = more ^ (b->packed ? 0x80008000u : 0);
		break;
	case RWY_VU_SET_VRING_ENABLE:
		msg->payload.state.num = !(more & 1);
		break;
	case RWY_VU_SET_VRING_ADDR:
		msg->payload.addr = (struct rwy_vu_vring_addr){.index = q,
							       .desc = at,
							       .avail = at + AVAIL,
							       .used = at + USED,
							       .flags = more & 1};
		break;
	case RWY_VU_SET_VRING_KICK:
	case RWY_VU_SET_VRING_CALL:
	case RWY_VU_SET_VRING_ERR:
		msg->payload.u64 = q | (more & 1 ? RWY_VU_VRING_NOFD_MASK : 0);
		msg->nr_fds = !(more & 1);
		msg->fds[0] = b->fds[FUZZ_EVENT];
		break;
	default:
		break;
	}
}

static void good_device_message(struct back *b, uint8_t arg, struct rwy_vu_msg *msg)
{
	static const uint64_t features[] = {0, RWY_BIT64(VIRTIO_F_RING_PACKED),
					    RWY_BIT64(VIRTIO_RING_F_EVENT_IDX),
					    RWY_BIT64(VIRTIO_RING_F_INDIRECT_DESC)};

	switch (msg->hdr.request) {
	case RWY_VU_SET_FEATURES:
		msg->payload.u64 = RWY_BIT64(VIRTIO_F_VERSION_1) | features[arg % 4] |
				   features[arg / 4 % 4] |
				   (arg & 16 ? 0 : RWY_BIT64(RWY_VU_F_PROTOCOL_FEATURES)) |
				   (arg & 32 ? RWY_BIT64(RWY_VU_F_LOG_ALL) : 0);
		b->packed = msg->payload.u64 & RWY_BIT64(VIRTIO_F_RING_PACKED);
		break;
	case RWY_VU_SET_PROTOCOL_FEATURES:
		msg->payload.u64 = rwy_be_pf_offered(&b->config) & ~(uint64_t)arg;
		break;
	case RWY_VU_SET_MEM_TABLE:
		msg->nr_fds = msg->payload.table.nregions = 1 + arg % 3;
		for (unsigned i = 0; i < msg->nr_fds; i++) {
			msg->payload.table.regions[i] = region(i);
			msg->fds[i] = b->fds[FUZZ_RAM];
		}
		msg->hdr.size = 8 + 32 * msg->nr_fds;
		break;
	case RWY_VU_ADD_MEM_REG:
	case RWY_VU_REM_MEM_REG:
		msg->payload.mem_reg.region = region(arg % 4);
		break;
	case RWY_VU_SET_LOG_BASE: /* three bytes are enough, or two where memory is shorter */
		msg->payload.log = (struct rwy_vu_log){.size = arg % 5, .offset = AREA + arg / 5};
		break;
	case RWY_VU_GET_CONFIG:
	case RWY_VU_SET_CONFIG:
		msg->payload.config = (struct rwy_vu_config){.offset = arg % 4, .size = arg / 4};
		msg->hdr.size = RWY_VU_CONFIG_HDR + arg / 4;
		break;
	case RWY_VU_GET_INFLIGHT_FD:
	case RWY_VU_SET_INFLIGHT_FD:
		msg->payload.inflight = (struct rwy_vu_inflight){
			.mmap_size = REGION,
			.mmap_offset = AREA,
			.num_queues = 1 + arg % ECHO_RINGS,
			.queue_size = AREA_NUM,
		};
		msg->hdr.size = sizeof(msg->payload.inflight);
		break;
	default:
		msg->payload.u64 = arg;
	}
}

/* A good message of any kind. */
static void good_message(struct back *b, uint32_t request, uint8_t arg, struct rwy_vu_msg *msg)
{
	const struct rwy_vu_row *row = rwy_vu_check_row(request);

	rwy_vu_chan_init_msg(msg);
	msg->hdr = (struct rwy_vu_hdr){
		.request = request,
		.flags = RWY_VU_FLAG_VERSION | RWY_VU_FLAG_NEED_REPLY,
		.size = row ? row->size_min : 0,
	};
	msg->nr_fds = row ? row->fds_min : 0;
	if (request == RWY_VU_SET_BACKEND_REQ_FD)
		msg->fds[0] = b->fds[FUZZ_SOCKET];
	else
		msg->fds[0] = b->fds[FUZZ_RAM];
	if (request >= RWY_VU_SET_VRING_NUM && request <= RWY_VU_SET_VRING_ERR)
		good_ring_message(b, arg, msg);
	else if (request == RWY_VU_SET_VRING_ENABLE)
		good_ring_message(b, arg, msg);
	else
		good_device_message(b, arg, msg);
}

static void say(struct back *b, uint32_t request, uint8_t arg)
{
	struct rwy_vu_msg msg;

	good_message(b, request, arg, &msg);
	fuzz_deliver(b->poll, b->sock, &msg, false);
}

static void read_replies(struct back *b)
{
	uint8_t bytes[4096];
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(RWY_VU_MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control};

	do {
		mh.msg_controllen = sizeof(control);
		if (recvmsg(b->sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c)) {
			for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
				close(((int *)CMSG_DATA(c))[i]);
		}
	} while (true);
}

/* All a ring needs, from nothing: features, memory, in-flight area, the ring. */
static void bring_up(struct back *b, uint8_t how)
{
	const uint8_t q = how % ECHO_RINGS;

	say(b, RWY_VU_SET_PROTOCOL_FEATURES, 0);
	say(b, RWY_VU_SET_FEATURES, (how >> 2 & 15) | (how & 0x20));
	say(b, RWY_VU_SET_MEM_TABLE, 1);
	if (how & 0x40)
		say(b, RWY_VU_SET_INFLIGHT_FD, 3);
	if (how & 0x20)
		say(b, RWY_VU_SET_LOG_BASE, 4);
	turn(b, 1);
	say(b, RWY_VU_SET_VRING_NUM, q);
	say(b, RWY_VU_SET_VRING_BASE, q);
	say(b, RWY_VU_SET_VRING_ADDR, q);
	say(b, RWY_VU_SET_VRING_CALL, q);
	say(b, RWY_VU_SET_VRING_KICK, q | (how & 0x80 ? ECHO_RINGS : 0));
	say(b, RWY_VU_SET_VRING_ENABLE, q);
	turn(b, 1);
	read_replies(b);
}

/* n more chains: a buffer to read and one to write (split), or one to write (packed). */
static void post(struct back *b, unsigned q, unsigned n)
{
	uint8_t *at = b->ram + q * RING_GAP;
	const uint16_t size = b->size[q];
	struct vring_avail *avail = (struct vring_avail *)(at + AVAIL);
	struct vring_packed_desc *packed = (struct vring_packed_desc *)at;
	struct vring_desc *desc = (struct vring_desc *)at;

	for (unsigned i = 0; size && i < n; i++, b->posted[q]++) {
		const uint16_t p = b->posted[q], slot = p % size;
		const bool wrap = !(p / size & 1);

		if (b->packed) {
			packed[slot] = (struct vring_packed_desc){BUFS + slot * 64, 64, slot,
								  wrap ? 0x82 : 0x8002};
			continue;
		}
		const uint16_t head = size > 1 ? p % (size / 2) * 2 : 0;

		desc[head] = (struct vring_desc){BUFS + head * 64, 64, VRING_DESC_F_NEXT,
						 (uint16_t)(head + 1)};
		desc[head + 1] = (struct vring_desc){BUFS + REGION - 32, 64, VRING_DESC_F_WRITE, 0};
		avail->ring[slot] = head;
		avail->idx = (uint16_t)(p + 1);
	}
	rwy_fd_signal(b->fds[FUZZ_EVENT]);
}

/* The guest changes its mind about some bytes of its memory. */
static void poke(struct back *b, struct fuzz_in *in)
{
	const unsigned where = fuzz_byte(in);
	const size_t base = where & 0x80 ? AREA + (where & 0x7f) * 32
					 : (where & 3) * RING_GAP + (where >> 2 & 3) * AVAIL;

	for (unsigned n = 1 + fuzz_byte(in) % 16; n > 0; n--) {
		const uint8_t at = fuzz_byte(in);

		b->ram[base + at] ^= fuzz_byte(in);
	}
}

static void step(struct back *b, struct fuzz_in *in)
{
	const uint8_t what = fuzz_byte(in), arg = fuzz_byte(in);
	struct rwy_vu_msg msg;

	switch (what / 16) {
	default: /* one byte in half of its values is a message */
		good_message(b, what % 64, arg, &msg);
		fuzz_deliver(b->poll, b->sock, &msg, fuzz_spoil(in, &msg, b->fds));
		break;
	case 4:
		bring_up(b, arg);
		break;
	case 5:
		post(b, arg % ECHO_RINGS, 1 + arg / ECHO_RINGS % 32);
		break;
	case 6:
		poke(b, in);
		break;
	case 7:
		b->echo.hold = arg & 1;
		echo_release(&b->echo, RWY_MIN(arg >> 1, b->echo.nr_held));
		break;
	case 8:
		if (b->echo.be)
			(void)!rwy_be_config_changed(b->echo.be);
		break;
	case 9:
		read_replies(b);
		break;
	case 10:
		if (arg & 1)
			hang_up(b);
		else if (b->echo.be && arg & 2)
			rwy_be_close(b->echo.be); /* from our side, which may take its time */
		break;
	}
	turn(b, what & 1 ? 1 : 2);
	if (b->sock < 0 || (!b->echo.be && what / 16 == 11)) {
		rwy_fd_close(&b->sock);
		connect_again(b);
	}
}

static struct back *open_back(void)
{
	struct back *b = calloc(1, sizeof(*b));

	fuzz_require(b != NULL);
	rwy_log_set_level(RWY_LOG_ERROR);
	fuzz_require(rwy_poll_open(&b->poll, RWY_POLL_NEVER) == 0);
	fuzz_open_fds(b->fds, RAM);
	b->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, b->fds[FUZZ_RAM], 0);
	fuzz_require(b->ram != MAP_FAILED);
	fuzz_require(4 * rwy_be_track_len(true, AREA_NUM) <= REGION);
	echo_open(&b->echo, b->poll);
	b->config = echo_config(&b->echo);
	b->sock = -1;
	return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct back *b;
	struct fuzz_in in = {data, data + size};

	b = b ? b : open_back();
	memset(b->ram, 0, RAM);
	memset(b->size, 0, sizeof(b->size));
	memset(b->posted, 0, sizeof(b->posted));
	b->packed = false;
	(void)rwy_fd_drain(b->fds[FUZZ_EVENT]);
	connect_again(b);
	while (in.at < in.end)
		step(b, &in);
	hang_up(b);
	fuzz_look_for_leaks();
	return 0;
}
