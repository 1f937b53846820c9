/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/proto/fake_be.h"

#include "lib/vu_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void drop(struct fake *fake)
{
	if (fake->chan.fd >= 0) {
		rwy_poll_unwatch(fake->poll, &fake->watch);
		rwy_vu_chan_close(&fake->chan);
	}
	rwy_fd_close(&fake->be_req);
	rwy_fd_close(&fake->inflight_fd);
	rwy_fd_close_all(fake->kick, FAKE_RINGS);
	rwy_fd_close_all(fake->call, FAKE_RINGS);
	rwy_fd_close_all(fake->err, FAKE_RINGS);
}

static void answer(struct fake *fake, uint32_t request, const void *payload, uint32_t size, int fd,
		   enum fake_fault fault)
{
	struct rwy_vu_hdr hdr = {request, RWY_VU_FLAG_VERSION | RWY_VU_FLAG_REPLY, size};
	int fds[RWY_VU_MAX_FDS] = {fd, 1, 1, 1, 1, 1, 1, 1};
	unsigned nr_fds = fd >= 0;

	if (fault == FAKE_ID)
		hdr.request = RWY_VU_GET_SHARED_OBJECT;
	if (fault == FAKE_FLAGS)
		hdr.flags = RWY_VU_FLAG_VERSION;
	if (fault == FAKE_BIG)
		hdr.size = 1 << 20;
	if (fault == FAKE_FDS) {
		nr_fds = RWY_VU_MAX_FDS;
		fds[0] = 1;
	}
	if (fault == FAKE_SIZE || fault == FAKE_BIG) {
		uint8_t bytes[sizeof(hdr) + sizeof(union rwy_vu_payload)];

		memcpy(bytes, &hdr, sizeof(hdr));
		memcpy(bytes + sizeof(hdr), payload, size);
		(void)!send(fake->chan.fd, bytes, sizeof(hdr) + size - 1, MSG_NOSIGNAL);
		return;
	}
	for (unsigned i = 0; i < (fault == FAKE_TWICE ? 2 : 1); i++)
		(void)!rwy_vu_chan_send(&fake->chan, &hdr, payload, nr_fds ? fds : NULL, nr_fds,
					100);
}

static void answer_u64(struct fake *fake, uint32_t request, uint64_t value, enum fake_fault fault)
{
	answer(fake, request, &value, sizeof(value), -1, fault);
}

static void keep_fd(int *slot, struct rwy_vu_msg *msg)
{
	rwy_fd_close(slot);
	if (msg->nr_fds)
		*slot = rwy_fd_take(&msg->fds[0]);
}

static void answer_inflight(struct fake *fake, struct rwy_vu_msg *msg, enum fake_fault fault)
{
	struct rwy_vu_inflight reply = msg->payload.inflight;
	int fd = memfd_create("fake_inflight", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	reply.mmap_size = 4096;
	reply.mmap_offset = 0;
	fake->inflight_made++;
	answer(fake, msg->hdr.request, &reply, sizeof(reply), fd, fault);
	rwy_fd_close(&fd);
}

static void answer_config(struct fake *fake, struct rwy_vu_msg *msg, enum fake_fault fault)
{
	struct rwy_vu_config *c = &msg->payload.config;

	assert_true(c->offset + c->size <= sizeof(fake->config));
	memcpy(c->data, fake->config + c->offset, c->size);
	answer(fake, msg->hdr.request, c, RWY_VU_CONFIG_HDR + c->size, -1, fault);
}

/* True: the request has been answered by what it is. */
static bool serve(struct fake *fake, struct rwy_vu_msg *msg, enum fake_fault fault)
{
	union rwy_vu_payload *p = &msg->payload;
	uint32_t request = msg->hdr.request;

	switch (request) {
	case RWY_VU_GET_FEATURES:
		answer_u64(fake, request, fake->features, fault);
		return true;
	case RWY_VU_GET_PROTOCOL_FEATURES:
		answer_u64(fake, request, fake->pf, fault);
		return true;
	case RWY_VU_GET_QUEUE_NUM:
		answer_u64(fake, request, fake->nr_queues, fault);
		return true;
	case RWY_VU_GET_MAX_MEM_SLOTS:
		answer_u64(fake, request, fake->max_slots, fault);
		return true;
	case RWY_VU_GET_STATUS:
		answer_u64(fake, request, fake->status, fault);
		return true;
	case RWY_VU_GET_CONFIG:
		answer_config(fake, msg, fault);
		return true;
	case RWY_VU_GET_INFLIGHT_FD:
		answer_inflight(fake, msg, fault);
		return true;
	case RWY_VU_GET_VRING_BASE:
		p->state.num = fake->base[p->state.index];
		answer(fake, request, p, sizeof(p->state), -1, fault);
		return true;
	case RWY_VU_SET_FEATURES:
		fake->acked = p->u64;
		return false;
	case RWY_VU_SET_STATUS:
		fake->status = p->u64;
		return false;
	case RWY_VU_SET_BACKEND_REQ_FD:
		keep_fd(&fake->be_req, msg);
		return false;
	case RWY_VU_SET_INFLIGHT_FD:
		keep_fd(&fake->inflight_fd, msg);
		fake->inflight_given++;
		return false;
	case RWY_VU_ADD_MEM_REG:
		fake->region_uva = p->mem_reg.region.uva;
		fake->nr_regions++;
		return false;
	case RWY_VU_SET_MEM_TABLE:
		fake->region_uva = p->table.regions[0].uva;
		fake->nr_regions = p->table.nregions;
		return false;
	case RWY_VU_SET_VRING_NUM:
		fake->num[p->state.index] = p->state.num;
		return false;
	case RWY_VU_SET_VRING_BASE:
		fake->base[p->state.index] = p->state.num;
		return false;
	case RWY_VU_SET_VRING_ENABLE:
		fake->enabled[p->state.index] = p->state.num;
		return false;
	case RWY_VU_SET_VRING_ADDR:
		fake->addr[p->addr.index] = p->addr;
		return false;
	case RWY_VU_SET_VRING_KICK:
		keep_fd(&fake->kick[p->u64 & RWY_VU_VRING_IDX_MASK], msg);
		return false;
	case RWY_VU_SET_VRING_CALL:
		keep_fd(&fake->call[p->u64 & RWY_VU_VRING_IDX_MASK], msg);
		return false;
	case RWY_VU_SET_VRING_ERR:
		keep_fd(&fake->err[p->u64 & RWY_VU_VRING_IDX_MASK], msg);
		return false;
	case RWY_VU_SET_CONFIG:
		memcpy(fake->config_written + p->config.offset, p->config.data, p->config.size);
		return false;
	default:
		return false;
	}
}

static void fake_ready(void *ctx, uint32_t events)
{
	struct fake *fake = ctx;
	struct rwy_vu_msg msg;
	int rc;

	while (fake->chan.fd >= 0 && (rc = rwy_vu_chan_recv(&fake->chan, &msg)) != 0) {
		enum fake_fault fault = FAKE_GOOD;

		if (rc < 0) {
			drop(fake);
			return;
		}
		if (fake->nr_log < FAKE_LOG)
			fake->log[fake->nr_log++] = msg.hdr.request;
		if (fake->nr_msgs++ == fake->fault_at && fake->faults_left > 0) {
			fault = fake->fault;
			fake->faults_left--;
			fake->nr_faulty++;
		}
		if (fault == FAKE_CLOSE) {
			rwy_vu_chan_close_fds(&msg);
			drop(fake);
			return;
		}
		if (fault != FAKE_SILENT && !serve(fake, &msg, fault) &&
		    (msg.hdr.flags & RWY_VU_FLAG_NEED_REPLY))
			answer_u64(fake, msg.hdr.request, fault == FAKE_REFUSE, fault);
		rwy_vu_chan_close_fds(&msg);
	}
}

static void take_connection(struct fake *fake, int fd)
{
	drop(fake);
	assert_int_equal(rwy_vu_chan_open(&fake->chan, &fd), 0);
	fake->watch = (struct rwy_watch){.fd = fake->chan.fd,
					 .events = EPOLLIN,
					 .ready = fake_ready,
					 .ctx = fake};
	assert_int_equal(rwy_poll_watch(fake->poll, &fake->watch), 0);
	fake->nr_msgs = 0;
	fake->nr_log = 0;
	fake->nr_regions = 0;
	fake->status = 0;
	fake->accepted++;
}

static void fake_accept(void *ctx, uint32_t events)
{
	struct fake *fake = ctx;
	int fd = accept4(fake->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	assert_true(fd >= 0);
	take_connection(fake, fd);
}

void fake_listen(struct fake *fake)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	strcpy(addr.sun_path, fake->path);
	(void)unlink(fake->path);
	fake->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fake->listen_fd >= 0);
	assert_int_equal(bind(fake->listen_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fake->listen_fd, 8), 0);
	fake->listen_watch = (struct rwy_watch){.fd = fake->listen_fd,
						.events = EPOLLIN,
						.ready = fake_accept,
						.ctx = fake};
	assert_int_equal(rwy_poll_watch(fake->poll, &fake->listen_watch), 0);
}

void fake_connect(struct fake *fake, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	take_connection(fake, fd);
}

void fake_open(struct fake *fake, struct rwy_poll *poll)
{
	static unsigned serial;

	*fake = (struct fake){.poll = poll, .listen_fd = -1, .be_req = -1, .inflight_fd = -1};
	fake->chan.fd = -1;
	memset(fake->kick, -1, sizeof(fake->kick));
	memset(fake->call, -1, sizeof(fake->call));
	memset(fake->err, -1, sizeof(fake->err));
	fake->features = RWY_BIT64(32) | RWY_BIT64(RWY_VU_F_PROTOCOL_FEATURES);
	fake->pf = RWY_BIT64(RWY_VU_NR_PFS) - 1;
	fake->nr_queues = FAKE_RINGS;
	fake->max_slots = 32;
	snprintf(fake->path, sizeof(fake->path), "/tmp/fake-be.%d.%u", (int)getpid(), serial++);
}

void fake_kill(struct fake *fake)
{
	drop(fake);
	if (fake->listen_fd >= 0)
		rwy_poll_unwatch(fake->poll, &fake->listen_watch);
	rwy_fd_close(&fake->listen_fd);
}

void fake_close(struct fake *fake)
{
	fake_kill(fake);
	(void)unlink(fake->path);
}

void fake_request(struct fake *fake, uint32_t request, uint32_t flags, const void *payload,
		  uint32_t size, unsigned nr_fds)
{
	struct rwy_vu_chan chan = {.fd = fake->be_req};
	const struct rwy_vu_hdr hdr = {request, flags, size};
	int fds[RWY_VU_MAX_FDS] = {1, 1, 1, 1, 1, 1, 1, 1};

	(void)!rwy_vu_chan_send(&chan, &hdr, payload, nr_fds ? fds : NULL, nr_fds, 0);
}

bool fake_take_answer(struct fake *fake, uint64_t *value)
{
	struct {
		struct rwy_vu_hdr hdr;
		uint64_t value;
	} __attribute__((packed)) reply;

	if (recv(fake->be_req, &reply, sizeof(reply), MSG_DONTWAIT) != sizeof(reply))
		return false;
	assert_int_equal(reply.hdr.flags, RWY_VU_FLAG_VERSION | RWY_VU_FLAG_REPLY);
	*value = reply.value;
	return true;
}

bool fake_saw(const struct fake *fake, uint32_t request)
{
	for (unsigned i = 0; i < fake->nr_log; i++) {
		if (fake->log[i] == request)
			return true;
	}
	return false;
}
