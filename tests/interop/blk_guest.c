/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/interop/blk_guest.h"

#include "tests/unit/unit.h"
#include "lib/vq.h"

#include <endian.h>
#include <linux/virtio_config.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BASE	  UINT64_C(0x100000)
#define RING_LEN  (64u << 10)
#define REQ_LEN	  (8192 + GUEST_DATA)
#define DATA_OFF  4096
#define TABLE_OFF 512
#define LIMIT_NS  UINT64_C(10000000000)

static void on_ready(void *ctx)
{
	((struct guest *)ctx)->nr_ready++;
}

static void on_started(void *ctx)
{
	((struct guest *)ctx)->nr_started++;
}

static void on_lost(void *ctx, const char *why)
{
	((struct guest *)ctx)->nr_lost++;
}

static void on_stopped(void *ctx)
{
	((struct guest *)ctx)->nr_stopped++;
}

static void on_config(void *ctx)
{
}

static void call_ready(void *ctx, uint32_t events)
{
	struct guest_queue *queue = ctx;

	rwy_fd_drain(queue->guest->rings[queue->idx].call_fd);
}

static void open_memory(struct guest *guest)
{
	const uint64_t size = GUEST_QUEUES * (RING_LEN + GUEST_DEPTH * REQ_LEN);

	assert_int_equal(rwy_shm_open(&guest->shm, "guest", RWY_ALIGN_UP(size, UINT64_C(4096)),
				      &(struct rwy_shm_opts){.node = -1}),
			 0);
	rwy_mem_init(&guest->mem);
	/* two regions, with a border inside the requests of queue 0 */
	const uint64_t half = 4096 * 100;
	const struct rwy_mem_region regions[] = {
		{.gpa = {BASE}, .size = half, .hva = guest->shm.addr, .fd = guest->shm.fd},
		{.gpa = {BASE + half},
		 .size = guest->shm.size - half,
		 .hva = guest->shm.addr + half,
		 .fd = guest->shm.fd,
		 .fd_off = half},
	};
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(regions); i++)
		assert_int_equal(rwy_mem_add(&guest->mem, &regions[i]), 0);
}

static void open_queue(struct guest *guest, unsigned q)
{
	struct guest_queue *queue = &guest->queues[q];
	struct rwy_vu_ring *ring = &guest->rings[q];
	const bool packed = guest->features & RWY_BIT64(VIRTIO_F_RING_PACKED);
	uint64_t len[3], at[3], off = q * RING_LEN;

	rwy_vq_layout(GUEST_SIZE, packed, len);
	for (unsigned i = 0; i < 3; i++) {
		at[i] = off;
		off += RWY_ALIGN_UP(len[i], UINT64_C(64));
	}
	*ring = (struct rwy_vu_ring){.size = GUEST_SIZE,
				     .enabled = true,
				     .desc = {BASE + at[0]},
				     .driver = {BASE + at[1]},
				     .device = {BASE + at[2]},
				     .base = packed ? 0x80008000u : 0,
				     .kick_fd = rwy_fd_event(),
				     .call_fd = rwy_fd_event(),
				     .err_fd = -1};
	const struct rwy_vqd_config config = {
		.size = GUEST_SIZE,
		.packed = packed,
		.event_idx = guest->features & RWY_BIT64(VIRTIO_RING_F_EVENT_IDX),
		.indirect = guest->features & RWY_BIT64(VIRTIO_RING_F_INDIRECT_DESC),
		.in_order = guest->features & RWY_BIT64(VIRTIO_F_IN_ORDER),
		.desc = guest->shm.addr + at[0],
		.driver = guest->shm.addr + at[1],
		.device = guest->shm.addr + at[2]};
	assert_int_equal(rwy_vqd_open(&queue->vqd, &config), 0);
	queue->guest = guest;
	queue->idx = q;
	guest->call_watch[q] = (struct rwy_watch){.fd = ring->call_fd,
						  .events = EPOLLIN,
						  .ready = call_ready,
						  .ctx = queue};
	assert_int_equal(rwy_poll_watch(guest->poll, &guest->call_watch[q]), 0);
	for (unsigned i = 0; i < GUEST_DEPTH; i++) {
		uint64_t req_off =
			GUEST_QUEUES * RING_LEN + (uint64_t)(q * GUEST_DEPTH + i) * REQ_LEN;
		uint8_t *at_req = guest->shm.addr + req_off;

		queue->reqs[i] = (struct guest_req){
			.queue = queue,
			.hdr = (struct virtio_blk_outhdr *)at_req,
			.table = (struct vring_desc *)(at_req + TABLE_OFF),
			.data = at_req + DATA_OFF,
			.status = at_req + DATA_OFF + GUEST_DATA,
			.gpa = BASE + req_off,
		};
	}
}

void guest_open(struct guest *guest, const char *socket, unsigned nr_queues, uint64_t features)
{
	static const struct rwy_vu_front_ops ops = {.on_ready = on_ready,
						    .on_started = on_started,
						    .on_lost = on_lost,
						    .on_stopped = on_stopped,
						    .on_config = on_config};
	const struct rwy_vu_front_config config = {
		.name = "guest",
		.socket_path = socket,
		.features = features | RWY_BIT64(VIRTIO_F_VERSION_1),
		.nr_queues = nr_queues,
		.config_len = 60,
		.ops = &ops,
		.ctx = guest,
	};

	memset(guest, 0, sizeof(*guest));
	guest->seed = 1;
	guest->nr_queues = nr_queues;
	assert_int_equal(rwy_poll_open(&guest->poll, RWY_POLL_NEVER), 0);
	open_memory(guest);
	assert_int_equal(rwy_vu_front_open(&guest->front, guest->poll, &guest->mem, &config), 0);
	guest_until(guest, &guest->nr_ready, 1);
	assert_int_equal(rwy_vu_front_nr_queues(guest->front), nr_queues);
	guest->features = rwy_vu_front_features(guest->front);
	assert_int_equal(features & ~guest->features, 0);
	for (unsigned q = 0; q < nr_queues; q++)
		open_queue(guest, q);
	assert_int_equal(rwy_vu_front_start(guest->front, guest->features, guest->rings, nr_queues),
			 0);
	guest_until(guest, &guest->nr_started, 1);
}

void guest_close(struct guest *guest)
{
	rwy_vu_front_close(guest->front);
	for (unsigned q = 0; q < guest->nr_queues; q++) {
		rwy_poll_unwatch(guest->poll, &guest->call_watch[q]);
		rwy_vqd_close(&guest->queues[q].vqd);
		rwy_fd_close(&guest->rings[q].kick_fd);
		rwy_fd_close(&guest->rings[q].call_fd);
	}
	rwy_mem_fini(&guest->mem);
	rwy_shm_close(&guest->shm);
	rwy_poll_close(guest->poll);
}

void guest_until(struct guest *guest, const unsigned *what, unsigned value)
{
	uint64_t end = rwy_poll_now_ns() + LIMIT_NS;

	while (*what < value) {
		assert_true(rwy_poll_now_ns() < end);
		assert_true(rwy_poll_once(guest->poll, 100) >= 0);
	}
}

const struct virtio_blk_config *guest_config(const struct guest *guest)
{
	return (const struct virtio_blk_config *)rwy_vu_front_config_space(guest->front);
}

struct guest_req *guest_take(struct guest_queue *queue)
{
	for (unsigned i = 0; i < GUEST_DEPTH; i++) {
		if (!queue->reqs[i].busy)
			return &queue->reqs[i];
	}
	return NULL;
}

/* Up to most buffers for len bytes at gpa; at least one unless len is 0. */
static unsigned cut(unsigned *seed, struct rwy_vqd_buf *bufs, uint64_t gpa, uint32_t len,
		    unsigned most)
{
	unsigned nr = 0;

	while (len > 0) {
		uint32_t part = len;

		if (nr + 1 < most && rand_r(seed) % 2)
			part = 1 + (uint32_t)rand_r(seed) % (rand_r(seed) % 2 ? 1 : len);
		bufs[nr++] = (struct rwy_vqd_buf){{gpa}, part};
		gpa += part;
		len -= part;
	}
	return nr;
}

void guest_send(struct guest_req *req, uint32_t type, uint64_t sector, uint32_t out, uint32_t in)
{
	struct guest_queue *queue = req->queue;
	struct guest *guest = queue->guest;
	unsigned *seed = &guest->seed;
	struct rwy_vqd_buf bufs[GUEST_BUFS];
	uint64_t data = req->gpa + DATA_OFF;
	unsigned nr_out, nr_in;

	*req->hdr = (struct virtio_blk_outhdr){.type = htole32(type), .sector = htole64(sector)};
	*req->status = 0xee;
	/* whoever comes later must find room too */
	bool tables = guest->features & RWY_BIT64(VIRTIO_RING_F_INDIRECT_DESC);
	bool room = queue->vqd.nr_free >= GUEST_BUFS + GUEST_DEPTH * (tables ? 1 : 3);
	bool table = tables && (!room || rand_r(seed) % 4);
	unsigned most = table || room ? 8 : 1;

	nr_out = cut(seed, bufs, req->gpa, sizeof(*req->hdr), most);
	nr_out += cut(seed, bufs + nr_out, data, out, most);
	nr_in = cut(seed, bufs + nr_out, data, in, most);
	nr_in += cut(seed, bufs + nr_out + nr_in, data + GUEST_DATA, 1, 1);
	req->busy = true;
	req->nr_done = 0;
	queue->nr_busy++;
	if (table)
		assert_int_equal(rwy_vqd_add_indirect(&queue->vqd, bufs, nr_out, nr_in, req->table,
						      (rwy_gpa){req->gpa + TABLE_OFF}, req),
				 0);
	else
		assert_int_equal(rwy_vqd_add(&queue->vqd, bufs, nr_out, nr_in, req), 0);
}

void guest_kick(struct guest_queue *queue)
{
	if (rwy_vqd_publish(&queue->vqd))
		rwy_fd_signal(queue->guest->rings[queue->idx].kick_fd);
}

static void reap(struct guest_queue *queue)
{
	void *cookie;
	uint32_t len;
	int got;

	while ((got = rwy_vqd_get(&queue->vqd, &cookie, &len)) == 1) {
		struct guest_req *req = cookie;

		assert_true(req->busy);
		req->busy = false;
		req->nr_done++;
		req->written = len;
		assert_int_not_equal(*req->status, 0xee);
		queue->nr_busy--;
		queue->guest->nr_done++;
	}
	assert_int_equal(got, 0);
}

void guest_wait(struct guest_queue *queue, unsigned nr_busy)
{
	uint64_t end = rwy_poll_now_ns() + LIMIT_NS;

	for (reap(queue); queue->nr_busy > nr_busy; reap(queue)) {
		assert_true(rwy_poll_now_ns() < end);
		if (!rwy_vqd_arm(&queue->vqd))
			assert_true(rwy_poll_once(queue->guest->poll, 100) >= 0);
		rwy_vqd_disarm(&queue->vqd);
	}
}

uint8_t guest_ask(struct guest_queue *queue, struct guest_req *req, uint32_t type, uint64_t sector,
		  uint32_t out, uint32_t in)
{
	guest_send(req, type, sector, out, in);
	guest_kick(queue);
	guest_wait(queue, 0);
	return *req->status;
}

pid_t guest_spawn(const char *const *args)
{
	const char *program = getenv("RWY_BLK");
	const char *argv[32] = {program};
	pid_t pid;

	assert_non_null(program);
	for (unsigned i = 0; args[i]; i++) {
		assert_true(i + 2 < RWY_ARRAY_SIZE(argv));
		argv[i + 1] = args[i];
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(program, (char *const *)argv);
		_exit(127);
	}
	return pid;
}

int guest_reap(pid_t pid, int sig)
{
	int status;

	if (sig)
		assert_int_equal(kill(pid, sig), 0);
	alarm(10); /* a program that does not end ends the test */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	alarm(0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
