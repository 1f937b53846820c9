/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A back-end whose every answer is the fuzzer's, against lib/vu_front.c: replies, requests of its
 * own, and silence, while the owner of the front-end starts, stops and changes its mind.
 */
#include "tests/fuzz/fuzz_vu.h"

#include "lib/mem.h"
#include "lib/vu_check.h"
#include "lib/vu_front.h"

#include <linux/virtio_config.h>

#define RINGS  4
#define CONFIG 24
#define RAM    UINT64_C(0x10000)

struct front {
	struct rwy_poll *poll;
	struct rwy_mem mem;
	struct rwy_vu_front *front;
	struct rwy_vu_ring rings[RINGS];
	struct rwy_vu_chan chan; /* the back-end's end */
	int request_fd;		 /* the channel for its own requests; -1 before it was given */
	struct rwy_vu_msg asked; /* not answered yet */
	bool has_asked;
	int fds[FUZZ_NR_FDS];
	uint8_t *ram;
};

static void turn(struct front *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fuzz_require(rwy_poll_once(f->poll, 0) >= 0);
}

static void on_change(void *ctx)
{
}

static void on_lost(void *ctx, const char *why)
{
	fuzz_require(why != NULL);
}

static const struct rwy_vu_front_ops ops = {
	.on_ready = on_change,
	.on_started = on_change,
	.on_lost = on_lost,
	.on_stopped = on_change,
	.on_config = on_change,
};

static void start_front(struct front *f)
{
	struct rwy_vu_front_config config = {
		.name = "fuzz",
		.features = RWY_BIT64(VIRTIO_F_VERSION_1) | RWY_BIT64(VIRTIO_F_RING_PACKED) | 0xff,
		.nr_queues = RINGS,
		.config_len = CONFIG,
		.ops = &ops,
		.ctx = f,
	};
	int pair[2];

	fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	fuzz_require(rwy_vu_chan_open(&f->chan, &pair[0]) == 0);
	config.fd = &pair[1];
	fuzz_require(rwy_vu_front_open(&f->front, f->poll, &f->mem, &config) == 0);
	f->has_asked = false;
	turn(f, 2);
}

static void end_front(struct front *f)
{
	rwy_vu_front_close(f->front);
	f->front = NULL;
	rwy_vu_chan_close(&f->chan);
	rwy_fd_close(&f->request_fd);
}

/* The next thing we are asked, if we have answered the last. */
static void listen_up(struct front *f)
{
	if (f->has_asked || f->chan.fd < 0)
		return;
	const int rc = rwy_vu_chan_recv(&f->chan, &f->asked);

	f->has_asked = rc == 1;
	/* closed is what may happen; a message that is none is not */
	fuzz_require(rc != -EPROTO);
	if (rc < 0)
		rwy_vu_chan_close(&f->chan);
	if (rc != 1)
		return;
	/* what it says must be right, as our own table sees it */
	const struct rwy_vu_row *row = rwy_vu_check_row(f->asked.hdr.request);

	fuzz_require(row && f->asked.hdr.size >= row->size_min &&
		     f->asked.hdr.size <= row->size_max && f->asked.nr_fds >= row->fds_min &&
		     f->asked.nr_fds <= row->fds_max);
	if (f->asked.hdr.request == RWY_VU_SET_BACKEND_REQ_FD) {
		rwy_fd_close(&f->request_fd);
		f->request_fd = rwy_fd_take(&f->asked.fds[0]);
	}
	rwy_vu_chan_close_fds(&f->asked);
}

static void good_reply(struct front *f, uint8_t arg, struct rwy_vu_msg *msg)
{
	*msg = f->asked;
	msg->hdr.flags = RWY_VU_FLAG_VERSION | RWY_VU_FLAG_REPLY;
	switch (msg->hdr.request) {
	case RWY_VU_GET_FEATURES:
		msg->payload.u64 = RWY_BIT64(VIRTIO_F_VERSION_1) | 0xff |
				   RWY_BIT64(arg & 2 ? 63 : RWY_VU_F_PROTOCOL_FEATURES) |
				   RWY_BIT64(VIRTIO_F_RING_PACKED);
		break;
	case RWY_VU_GET_PROTOCOL_FEATURES:
		msg->payload.u64 = (RWY_BIT64(RWY_VU_NR_PFS) - 1) & ~(uint64_t)(arg >> 1);
		break;
	case RWY_VU_GET_QUEUE_NUM:
		msg->payload.u64 = RINGS - (arg >> 1);
		break;
	case RWY_VU_GET_MAX_MEM_SLOTS:
		msg->payload.u64 = 8 - (arg >> 1);
		break;
	case RWY_VU_GET_VRING_BASE:
		msg->payload.state.num = arg >> 1;
		break;
	case RWY_VU_GET_CONFIG:
	case RWY_VU_SET_CONFIG:
		break;
	case RWY_VU_GET_INFLIGHT_FD:
		msg->payload.inflight.mmap_size = 4096;
		msg->hdr.size = sizeof(msg->payload.inflight);
		msg->fds[0] = f->fds[FUZZ_SMALL];
		msg->nr_fds = 1;
		return;
	default:
		msg->payload.u64 = 0;
	}
	if (msg->hdr.request != RWY_VU_GET_VRING_BASE && msg->hdr.request != RWY_VU_GET_CONFIG)
		msg->hdr.size = sizeof(msg->payload.u64);
}

/* Answers what was asked last, or says something nobody asked. */
static void answer(struct front *f, struct fuzz_in *in, uint8_t arg)
{
	struct rwy_vu_msg msg;

	if (f->chan.fd < 0)
		return;
	good_reply(f, arg, &msg);
	fuzz_deliver(f->poll, f->chan.fd, &msg, arg & 1 ? fuzz_spoil(in, &msg, f->fds) : false);
	f->has_asked = false;
}

static void answer_well(struct front *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		listen_up(f);
		if (!f->has_asked || f->chan.fd < 0)
			return;
		answer(f, NULL, 0);
		turn(f, 1);
	}
}

/* A request of the back-end's own. */
static void request(struct front *f, struct fuzz_in *in, uint8_t arg)
{
	const struct rwy_vu_row *row = rwy_vu_check_be_row(arg % 16);
	struct rwy_vu_msg msg;
	uint8_t bytes[4096];

	if (f->request_fd < 0)
		return;
	rwy_vu_chan_init_msg(&msg);
	msg.hdr = (struct rwy_vu_hdr){
		.request = arg % 16,
		.flags = RWY_VU_FLAG_VERSION | (arg & 16 ? RWY_VU_FLAG_NEED_REPLY : 0),
		.size = row ? row->size_min : 0,
	};
	msg.nr_fds = row ? row->fds_min : 0;
	msg.fds[0] = f->fds[FUZZ_SMALL];
	fuzz_deliver(f->poll, f->request_fd, &msg, fuzz_spoil(in, &msg, f->fds));
	if (arg & 32)
		(void)!recv(f->request_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
}

/* What the owner does, of which nothing may hurt whatever the back-end is at. */
static void own(struct front *f, uint8_t what, uint8_t arg)
{
	const uint64_t packed = arg & 1 ? RWY_BIT64(VIRTIO_F_RING_PACKED) : 0;
	const uint64_t features = RWY_BIT64(VIRTIO_F_VERSION_1) | packed;
	int rc = 0;

	switch (what % 6) {
	case 0:
	case 1:
		rc = rwy_vu_front_start(f->front, features, f->rings, 1 + arg / 2 % RINGS);
		break;
	case 2:
		rwy_vu_front_stop(f->front);
		break;
	case 3:
		rc = rwy_vu_front_enable(f->front, arg / 2 % RINGS, packed);
		break;
	case 4:
		rc = rwy_vu_front_set_call(f->front, arg / 2 % RINGS, f->fds[FUZZ_EVENT]);
		break;
	default:
		rc = rwy_vu_front_set_config(f->front, arg, &arg, 1);
	}
	(void)rc; /* it may well say no */
}

static void step(struct front *f, struct fuzz_in *in)
{
	const uint8_t what = fuzz_byte(in), arg = fuzz_byte(in);

	listen_up(f);
	switch (what / 16) {
	case 0:
	case 1:
	case 2:
		answer_well(f, 1u + arg % 64);
		break;
	case 3:
	case 4:
		own(f, what, arg);
		break;
	case 5:
	case 6:
		request(f, in, arg);
		break;
	case 7: /* the guest is at work meanwhile: where its rings stand is not to be trusted */
		f->ram[what % 4 * 0x4000 + arg * 64] ^= fuzz_byte(in);
		break;
	case 8:
		end_front(f);
		start_front(f);
		break;
	default:
		answer(f, in, arg);
	}
	turn(f, 1);
}

/* A back-end that is lost for ever is an error, and here it is each time. */
static void say_nothing(enum rwy_log_level level, const char *line)
{
}

static struct front *open_front(void)
{
	struct front *f = calloc(1, sizeof(*f));

	fuzz_require(f != NULL);
	rwy_log_set_sink(say_nothing);
	fuzz_require(rwy_poll_open(&f->poll, RWY_POLL_NEVER) == 0);
	fuzz_open_fds(f->fds, RAM);
	f->request_fd = -1;
	f->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, f->fds[FUZZ_RAM], 0);
	fuzz_require(f->ram != MAP_FAILED);
	rwy_mem_init(&f->mem);
	for (unsigned i = 0; i < 2; i++) {
		const struct rwy_mem_region region = {
			.gpa = {i * RAM},
			.size = RAM / 2,
			.hva = f->ram + i * RAM / 2,
			.fd = f->fds[FUZZ_RAM],
			.fd_off = i * RAM / 2,
		};
		fuzz_require(rwy_mem_add(&f->mem, &region) == 0);
	}
	for (unsigned i = 0; i < RINGS; i++) {
		const uint64_t at = i / 2 * RAM + i % 2 * 0x4000;

		f->rings[i] = (struct rwy_vu_ring){
			.size = 64,
			.enabled = true,
			.desc = {at},
			.driver = {at + 0x1000},
			.device = {at + 0x2000},
			.kick_fd = f->fds[FUZZ_EVENT],
			.call_fd = f->fds[FUZZ_EVENT],
			.err_fd = -1,
		};
	}
	return f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct front *f;
	struct fuzz_in in = {data, data + size};

	f = f ? f : open_front();
	memset(f->ram, 0, RAM);
	start_front(f);
	while (in.at < in.end)
		step(f, &in);
	end_front(f);
	fuzz_look_for_leaks();
	return 0;
}
