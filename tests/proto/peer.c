/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/proto/peer.h"
#include "tests/unit/unit.h"

#include "lib/vq.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

void peer_open(struct peer *p, struct rwy_poll *poll, int fd)
{
	*p = (struct peer){.chan = {.fd = -1}, .poll = poll};
	for (unsigned q = 0; q < PEER_RINGS; q++)
		p->rings[q] = (struct peer_ring){.kick = -1, .call = -1, .err = -1};
	p->mem_fd = memfd_create("peer", MFD_CLOEXEC);
	assert_true(p->mem_fd >= 0);
	/* a page before the region, so that its offset in the file is not zero */
	assert_int_equal(ftruncate(p->mem_fd, PEER_MEM_SIZE + 4096), 0);
	p->mem = mmap(NULL, PEER_MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, p->mem_fd, 4096);
	assert_ptr_not_equal(p->mem, MAP_FAILED);
	if (fd >= 0)
		peer_attach(p, fd);
}

void peer_attach(struct peer *p, int fd)
{
	rwy_vu_chan_close(&p->chan);
	assert_int_equal(rwy_vu_chan_open(&p->chan, &fd), 0);
}

void peer_close(struct peer *p)
{
	for (unsigned q = 0; q < PEER_RINGS; q++)
		peer_ring_close(p, q);
	rwy_vu_chan_close(&p->chan);
	munmap(p->mem, PEER_MEM_SIZE);
	rwy_fd_close(&p->mem_fd);
	peer_turn(p);
}

void peer_send(struct peer *p, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
	       const int *fds, unsigned nr_fds)
{
	const struct rwy_vu_hdr hdr = {.request = request, .flags = flags, .size = size};
	/* the back-end may have closed: what it answers is what counts */
	int err = rwy_vu_chan_send(&p->chan, &hdr, payload, fds, nr_fds, PEER_TIMEOUT_MS);

	assert_int_not_equal(err, -ETIMEDOUT);
}

void peer_send_raw(struct peer *p, const struct rwy_vu_hdr *hdr, const void *payload, size_t len,
		   int fd, unsigned nr_fds)
{
	const size_t in_hdr = RWY_MIN(len, sizeof(*hdr));
	struct iovec iov[2] = {{(void *)hdr, in_hdr}, {(void *)payload, len - in_hdr}};
	char control[CMSG_SPACE(sizeof(int) * RWY_VU_MAX_FDS * 2)] = {0};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (nr_fds) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nr_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nr_fds);
		for (unsigned i = 0; i < nr_fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(fd), &fd, sizeof(fd));
	}
	assert_true(sendmsg(p->chan.fd, &msg, MSG_NOSIGNAL) > 0 || errno == EPIPE);
}

void peer_turn(struct peer *p)
{
	for (unsigned i = 0; p->poll && i < 20; i++)
		assert_true(rwy_poll_once(p->poll, 0) >= 0);
}

static void wait_a_little(struct peer *p)
{
	if (p->poll) {
		assert_true(rwy_poll_once(p->poll, 1) >= 0);
	} else {
		struct pollfd pfd = {.fd = p->chan.fd, .events = POLLIN};

		poll(&pfd, 1, 1);
	}
}

bool peer_until(struct peer *p, bool (*done)(void *ctx), void *ctx)
{
	uint64_t limit = rwy_poll_now_ns() + PEER_TIMEOUT_MS * UINT64_C(1000000);

	do {
		if (done(ctx))
			return true;
		wait_a_little(p);
	} while (rwy_poll_now_ns() < limit);
	return done(ctx);
}

struct receiving {
	struct peer *p;
	struct rwy_vu_msg *msg;
	int rc;
};

static bool received(void *ctx)
{
	struct receiving *r = ctx;

	r->rc = rwy_vu_chan_recv(&r->p->chan, r->msg);
	return r->rc != 0;
}

int peer_recv(struct peer *p, struct rwy_vu_msg *msg)
{
	struct receiving r = {.p = p, .msg = msg};

	if (!peer_until(p, received, &r))
		return -ETIMEDOUT;
	if (r.rc == -ENODATA || r.rc == -ECONNRESET)
		return 0;
	assert_int_equal(r.rc, 1);
	return 1;
}

bool peer_is_closed(struct peer *p)
{
	struct rwy_vu_msg msg;
	int rc = peer_recv(p, &msg);

	if (rc == 1)
		rwy_vu_chan_close_fds(&msg);
	return rc == 0;
}

static bool answer(struct peer *p, uint32_t request, struct rwy_vu_msg *reply)
{
	int rc = peer_recv(p, reply);

	if (rc == 0)
		return false;
	assert_int_equal(rc, 1);
	assert_int_equal(reply->hdr.request, request);
	assert_int_equal(reply->hdr.flags, 5);
	return true;
}

int64_t peer_ack(struct peer *p, uint32_t request, const void *payload, uint32_t size,
		 const int *fds, unsigned nr_fds)
{
	struct rwy_vu_msg reply;

	peer_send(p, request, 9, payload, size, fds, nr_fds);
	if (!answer(p, request, &reply))
		return -1;
	assert_int_equal(reply.hdr.size, 8);
	assert_int_equal(reply.nr_fds, 0);
	return (int64_t)reply.payload.u64;
}

int64_t peer_ack_u64(struct peer *p, uint32_t request, uint64_t value, int fd)
{
	return peer_ack(p, request, &value, sizeof(value), &fd, fd >= 0);
}

int64_t peer_ack_state(struct peer *p, uint32_t request, uint32_t index, uint32_t num)
{
	const struct rwy_vu_vring_state state = {.index = index, .num = num};

	return peer_ack(p, request, &state, sizeof(state), NULL, 0);
}

bool peer_ask(struct peer *p, uint32_t request, const void *payload, uint32_t size,
	      struct rwy_vu_msg *reply)
{
	peer_send(p, request, 1, payload, size, NULL, 0);
	return answer(p, request, reply);
}

uint64_t peer_ask_u64(struct peer *p, uint32_t request)
{
	struct rwy_vu_msg reply;

	assert_true(peer_ask(p, request, NULL, 0, &reply));
	assert_int_equal(reply.hdr.size, 8);
	return reply.payload.u64;
}

void peer_negotiate(struct peer *p, uint64_t want)
{
	const uint64_t ours =
		want | RWY_BIT64(VIRTIO_F_VERSION_1) | RWY_BIT64(RWY_VU_F_PROTOCOL_FEATURES);

	p->features = peer_ask_u64(p, RWY_VU_GET_FEATURES) & ours;
	p->pf = peer_ask_u64(p, RWY_VU_GET_PROTOCOL_FEATURES);
	peer_send(p, RWY_VU_SET_PROTOCOL_FEATURES, 1, &p->pf, 8, NULL, 0);
	assert_int_equal(peer_ack(p, RWY_VU_SET_OWNER, NULL, 0, NULL, 0), 0);
	assert_int_equal(peer_ack_u64(p, RWY_VU_SET_FEATURES, p->features, -1), 0);
}

struct rwy_vu_region peer_region(void)
{
	return (struct rwy_vu_region){
		.gpa = PEER_GPA,
		.size = PEER_MEM_SIZE,
		.uva = PEER_UVA,
		.mmap_offset = 4096,
	};
}

int64_t peer_set_mem(struct peer *p)
{
	const struct rwy_vu_mem_table table = {.nregions = 1, .regions = {peer_region()}};

	return peer_ack(p, RWY_VU_SET_MEM_TABLE, &table, 40, &p->mem_fd, 1);
}

static bool has(const struct peer *p, unsigned feature)
{
	return p->features & RWY_BIT64(feature);
}

/* The three areas of a ring: descriptors, driver, device. */
static void areas(const struct peer *p, unsigned q, uint64_t off[3])
{
	uint64_t len[3];

	rwy_vq_layout(p->rings[q].size, has(p, VIRTIO_F_RING_PACKED), len);
	off[0] = (uint64_t)q * PEER_RING_AREA;
	off[1] = RWY_ALIGN_UP(off[0] + len[0], (uint64_t)64);
	off[2] = RWY_ALIGN_UP(off[1] + len[1], (uint64_t)64);
	assert_true(off[2] + len[2] <= (uint64_t)(q + 1) * PEER_RING_AREA);
}

void peer_ring_open(struct peer *p, unsigned q, uint16_t size)
{
	struct peer_ring *ring = &p->rings[q];
	uint64_t off[3];

	assert_int_equal(ring->size, 0);
	ring->size = size;
	ring->kick = rwy_fd_event();
	ring->call = rwy_fd_event();
	ring->err = rwy_fd_event();
	areas(p, q, off);
	memset(p->mem + off[0], 0, PEER_RING_AREA);
	const struct rwy_vqd_config config = {
		.size = size,
		.packed = has(p, VIRTIO_F_RING_PACKED),
		.event_idx = has(p, VIRTIO_RING_F_EVENT_IDX),
		.indirect = has(p, VIRTIO_RING_F_INDIRECT_DESC),
		.in_order = has(p, VIRTIO_F_IN_ORDER),
		.desc = p->mem + off[0],
		.driver = p->mem + off[1],
		.device = p->mem + off[2],
	};
	assert_int_equal(rwy_vqd_open(&ring->vqd, &config), 0);
}

void peer_ring_close(struct peer *p, unsigned q)
{
	struct peer_ring *ring = &p->rings[q];

	if (!ring->size)
		return;
	rwy_vqd_close(&ring->vqd);
	rwy_fd_close(&ring->kick);
	rwy_fd_close(&ring->call);
	rwy_fd_close(&ring->err);
	ring->size = 0;
}

struct rwy_vu_vring_addr peer_ring_addr(const struct peer *p, unsigned q)
{
	uint64_t off[3];

	areas(p, q, off);
	return (struct rwy_vu_vring_addr){
		.index = q,
		.desc = PEER_UVA + off[0],
		.avail = PEER_UVA + off[1],
		.used = PEER_UVA + off[2],
	};
}

uint32_t peer_ring_fresh_base(const struct peer *p)
{
	return has(p, VIRTIO_F_RING_PACKED) ? 0x80008000u : 0;
}

int64_t peer_ring_start(struct peer *p, unsigned q, uint32_t base)
{
	const struct peer_ring *ring = &p->rings[q];
	const struct rwy_vu_vring_addr addr = peer_ring_addr(p, q);
	int64_t err;

	err = peer_ack_state(p, RWY_VU_SET_VRING_NUM, q, ring->size);
	err = err ? err : peer_ack_state(p, RWY_VU_SET_VRING_BASE, q, base);
	err = err ? err : peer_ack(p, RWY_VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	err = err ? err : peer_ack_u64(p, RWY_VU_SET_VRING_KICK, q, ring->kick);
	err = err ? err : peer_ack_u64(p, RWY_VU_SET_VRING_CALL, q, ring->call);
	err = err ? err : peer_ack_u64(p, RWY_VU_SET_VRING_ERR, q, ring->err);
	return err ? err : peer_ack_state(p, RWY_VU_SET_VRING_ENABLE, q, 1);
}

uint64_t peer_ring_stop(struct peer *p, unsigned q)
{
	const struct rwy_vu_vring_state state = {.index = q};
	struct rwy_vu_msg reply;

	if (!peer_ask(p, RWY_VU_GET_VRING_BASE, &state, sizeof(state), &reply))
		return UINT64_MAX;
	assert_int_equal(reply.hdr.size, 8);
	assert_int_equal(reply.payload.state.index, q);
	return reply.payload.state.num;
}

rwy_gpa peer_gpa(uint64_t off)
{
	return (rwy_gpa){PEER_GPA + PEER_BUFS + off};
}

uint8_t *peer_at(struct peer *p, uint64_t off)
{
	assert_true(off < PEER_MEM_SIZE - PEER_BUFS);
	return p->mem + PEER_BUFS + off;
}

void peer_kick(struct peer *p, unsigned q)
{
	assert_int_equal(rwy_fd_signal(p->rings[q].kick), 0);
}

void peer_post(struct peer *p, unsigned q, uint64_t out_off, uint32_t out_len, uint64_t in_off,
	       uint32_t in_len, void *cookie)
{
	struct rwy_vqd_buf bufs[2];
	unsigned nr = 0;

	if (out_len)
		bufs[nr++] = (struct rwy_vqd_buf){peer_gpa(out_off), out_len};
	if (in_len)
		bufs[nr++] = (struct rwy_vqd_buf){peer_gpa(in_off), in_len};
	assert_int_equal(rwy_vqd_add(&p->rings[q].vqd, bufs, out_len > 0, in_len > 0, cookie), 0);
	if (rwy_vqd_publish(&p->rings[q].vqd))
		peer_kick(p, q);
}

struct using
{
	struct rwy_vqd *vqd;
	void **cookie;
	uint32_t *len;
	int rc;
};

static bool used(void *ctx)
{
	struct using *u = ctx;

	u->rc = rwy_vqd_get(u->vqd, u->cookie, u->len);
	return u->rc != 0;
}

int peer_used(struct peer *p, unsigned q, void **cookie, uint32_t *len)
{
	struct using u = {.vqd = &p->rings[q].vqd, .cookie = cookie, .len = len};

	if (!peer_until(p, used, &u))
		return -ETIMEDOUT;
	return u.rc;
}

bool peer_is_served(struct peer *p, unsigned q, uint32_t out_len, uint32_t in_len)
{
	void *cookie = NULL;
	uint32_t len;

	peer_post(p, q, 0, out_len, out_len, in_len, p);
	return peer_used(p, q, &cookie, &len) == 1 && cookie == p;
}
