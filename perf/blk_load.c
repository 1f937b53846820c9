/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/blk_load.h"

#include "lib/fd.h"
#include "lib/numa.h"
#include "lib/poll.h"
#include "lib/shm.h"
#include "lib/vq.h"
#include "lib/vqd.h"
#include "lib/vu_front.h"
#include "perf/summary.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DEPTH	   RWY_BLK_LOAD_DEPTH
#define BLOCK	   RWY_BLK_LOAD_BLOCK
#define SECTOR	   512
#define QUEUE_SIZE 128
#define SAMPLES	   (4U << 20)
#define CONNECT_MS 5000
#define GUEST_BASE UINT64_C(0x40000000)
#define GUEST_SIZE (UINT64_C(4) << 20)
#define RING_OFF   0
#define RING_ALIGN 4096
#define SLOTS_OFF  (UINT64_C(1) << 20)
#define SLOT_LEN   (2 * BLOCK)
#define NS_IN_MS   UINT64_C(1000000)
#define BUFS	   3
#define CONFIG_LEN 60

/* What a request needs of guest memory; the data starts on the slot's second page. */
struct slot_mem {
	struct vring_desc table[BUFS];
	struct virtio_blk_outhdr header;
	uint8_t status;
};

struct slot {
	struct slot_mem *mem;
	rwy_gpa gpa;
	uint64_t at_ns;
};

enum phase { CONNECTING, FILLING, WARMING, MEASURING, DRAINING, DONE };

struct load {
	const struct rwy_blk_load_config *config;
	struct rwy_poll *poll;
	struct rwy_shm shm;
	struct rwy_mem mem;
	struct rwy_vu_front *front;
	struct rwy_vqd q;
	bool q_open;
	struct rwy_poller poller;
	struct rwy_watch watch;
	struct rwy_timer timer;
	int kick_fd;
	int call_fd;
	uint64_t features;
	uint64_t nr_blocks;
	uint64_t next; /* block to fill */
	uint64_t seed;
	enum phase phase;
	unsigned in_flight;
	unsigned nr_idle;
	struct slot *idle[DEPTH];
	struct slot slots[DEPTH];
	uint64_t end_ns; /* of the phase */
	uint64_t requests;
	uint64_t slice_ns; /* start of the slice */
	uint64_t slice_requests;
	unsigned nr_slices;
	double slices[RWY_SUMMARY_MAX]; /* requests a second */
	double *samples;
	size_t nr_samples;
	int err;
	const char *why;
};

static void finish(struct load *load, int err, const char *why)
{
	if (load->phase == DONE)
		return;
	load->phase = DONE;
	load->err = err;
	load->why = why;
}

/* ---- requests ---- */

static uint64_t draw_block(struct load *load)
{
	/* xorshift64: cheap, and long enough never to repeat here */
	load->seed ^= load->seed << 13;
	load->seed ^= load->seed >> 7;
	load->seed ^= load->seed << 17;
	return load->seed % load->nr_blocks;
}

static int submit(struct load *load, struct slot *slot)
{
	bool fill = load->phase == FILLING, write = fill || load->config->write;
	uint64_t block = fill ? load->next++ : draw_block(load);
	const uint64_t gpa = slot->gpa.v;
	const struct rwy_vqd_buf bufs[BUFS] = {
		{{gpa + offsetof(struct slot_mem, header)}, sizeof(struct virtio_blk_outhdr)},
		{{gpa + BLOCK}, BLOCK},
		{{gpa + offsetof(struct slot_mem, status)}, 1},
	};
	unsigned nr_out = write ? 2 : 1;

	slot->mem->header = (struct virtio_blk_outhdr){
		.type = write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
		.sector = block * (BLOCK / SECTOR),
	};
	slot->mem->status = UINT8_MAX;
	load->in_flight++;
	if (load->features & RWY_BIT64(VIRTIO_RING_F_INDIRECT_DESC))
		return rwy_vqd_add_indirect(&load->q, bufs, nr_out, BUFS - nr_out, slot->mem->table,
					    slot->gpa, slot);
	return rwy_vqd_add(&load->q, bufs, nr_out, BUFS - nr_out, slot);
}

static bool may_submit(const struct load *load)
{
	if (load->phase == FILLING)
		return load->next < load->nr_blocks;
	return load->phase == WARMING || load->phase == MEASURING;
}

static void submit_all(struct load *load, uint64_t now)
{
	if (load->nr_idle == 0 || !may_submit(load))
		return;
	while (load->nr_idle > 0 && may_submit(load)) {
		struct slot *slot = load->idle[--load->nr_idle];

		slot->at_ns = now;
		if (submit(load, slot) < 0) {
			finish(load, -ENOSPC, "the ring is too small");
			return;
		}
	}
	if (rwy_vqd_publish(&load->q))
		rwy_fd_signal(load->kick_fd);
}

/* Completed requests become idle slots. */
static unsigned reap(struct load *load, uint64_t now)
{
	unsigned nr = 0;
	uint32_t len;
	void *cookie;
	int got;

	while ((got = rwy_vqd_get(&load->q, &cookie, &len)) == 1) {
		struct slot *slot = cookie;

		if (slot->mem->status != VIRTIO_BLK_S_OK)
			finish(load, -EIO, "a request failed");
		if (load->phase == MEASURING) {
			load->requests++;
			if (load->nr_samples < SAMPLES)
				load->samples[load->nr_samples++] = (double)(now - slot->at_ns);
		}
		load->idle[load->nr_idle++] = slot;
		nr++;
	}
	if (got < 0)
		finish(load, got, "the back-end returned a request that it was never given");
	load->in_flight -= nr;
	return nr;
}

static void enter(struct load *load, enum phase phase, uint64_t now, unsigned ms)
{
	load->phase = phase;
	load->slice_ns = now;
	load->end_ns = now + ms * NS_IN_MS;
}

static void end_slice(struct load *load, uint64_t now)
{
	uint64_t took = now - load->slice_ns;

	if (took < load->config->slice_ms * NS_IN_MS || load->nr_slices == RWY_SUMMARY_MAX)
		return;
	load->slices[load->nr_slices++] =
		(double)(load->requests - load->slice_requests) * 1e9 / (double)took;
	load->slice_requests = load->requests;
	load->slice_ns = now;
}

static void advance(struct load *load, uint64_t now)
{
	bool over = now >= load->end_ns;

	if (load->phase == MEASURING)
		end_slice(load, now);

	if (load->phase == FILLING && load->next == load->nr_blocks && load->in_flight == 0) {
		enter(load, WARMING, now, load->config->warmup_ms);
	} else if (load->phase == WARMING && over) {
		enter(load, MEASURING, now, load->config->measure_ms);
	} else if (load->phase == MEASURING && over) {
		load->phase = DRAINING;
	} else if (load->phase == DRAINING && load->in_flight == 0) {
		finish(load, 0, NULL);
	}
}

static unsigned poll_queue(void *ctx, unsigned budget)
{
	struct load *load = ctx;
	uint64_t now = rwy_poll_now_ns();
	unsigned nr = reap(load, now);

	(void)budget; /* the depth is the bound */
	advance(load, now);
	submit_all(load, now);
	return nr;
}

/* ---- the front-end ---- */

static void on_ready(void *ctx)
{
	struct load *load = ctx;
	uint64_t len[3], at[3], off = RING_OFF;
	uint64_t capacity, need = RWY_BIT64(VIRTIO_F_VERSION_1);
	bool packed = load->config->packed;
	int err;

	if (packed)
		need |= RWY_BIT64(VIRTIO_F_RING_PACKED);
	load->features = rwy_vu_front_features(load->front);
	if ((load->features & need) != need) {
		finish(load, -ENOTSUP, "the back-end does not have this ring format");
		return;
	}
	memcpy(&capacity, rwy_vu_front_config_space(load->front), sizeof(capacity));
	load->nr_blocks = capacity / (BLOCK / SECTOR);
	if (load->nr_blocks == 0) {
		finish(load, -ENOTSUP, "the disk is empty");
		return;
	}
	rwy_vq_layout(QUEUE_SIZE, packed, len);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(at); i++) {
		at[i] = off;
		off += RWY_ALIGN_UP(len[i], RING_ALIGN);
	}

	const struct rwy_vqd_config config = {
		.size = QUEUE_SIZE,
		.packed = packed,
		.event_idx = load->features & RWY_BIT64(VIRTIO_RING_F_EVENT_IDX),
		.indirect = load->features & RWY_BIT64(VIRTIO_RING_F_INDIRECT_DESC),
		.desc = load->shm.addr + at[0],
		.driver = load->shm.addr + at[1],
		.device = load->shm.addr + at[2],
	};
	const struct rwy_vu_ring ring = {
		.size = QUEUE_SIZE,
		.enabled = true,
		.desc = {GUEST_BASE + at[0]},
		.driver = {GUEST_BASE + at[1]},
		.device = {GUEST_BASE + at[2]},
		.base = packed ? RWY_BIT64(15) | RWY_BIT64(31) : 0,
		.kick_fd = load->kick_fd,
		.call_fd = load->call_fd,
		.err_fd = -1,
	};

	err = rwy_vqd_open(&load->q, &config);
	load->q_open = err == 0;
	if (err == 0)
		err = rwy_vu_front_start(load->front, load->features, &ring, 1);
	if (err < 0)
		finish(load, err, "the queue cannot be set up");
}

static void on_started(void *ctx)
{
	struct load *load = ctx;

	rwy_poll_timer_cancel(load->poll, &load->timer);
	rwy_vqd_disarm(&load->q);
	if (!load->config->fill)
		load->next = load->nr_blocks;
	enter(load, FILLING, rwy_poll_now_ns(), 0);
	rwy_poll_add(load->poll, &load->poller);
}

static void on_lost(void *ctx, const char *why)
{
	finish(ctx, -ECONNRESET, why);
}

static void on_nothing(void *ctx)
{
	(void)ctx;
}

static void on_stop(void *ctx, uint32_t events)
{
	(void)events;
	finish(ctx, -EINTR, "interrupted");
}

static void on_timeout(void *ctx)
{
	finish(ctx, -ETIMEDOUT, "the back-end did not start the queue");
}

/* ---- setting up ---- */

static int open_memory(struct load *load)
{
	const struct rwy_shm_opts opts = {.node = -1, .prealloc = true};
	int err = rwy_shm_open(&load->shm, "perf-blk", GUEST_SIZE, &opts);

	if (err < 0)
		return err;
	for (unsigned i = 0; i < DEPTH; i++) {
		uint64_t off = SLOTS_OFF + i * SLOT_LEN;

		load->slots[i].mem = (struct slot_mem *)(load->shm.addr + off);
		load->slots[i].gpa.v = GUEST_BASE + off;
		memset(load->shm.addr + off + BLOCK, (int)i + 1, BLOCK);
		load->idle[load->nr_idle++] = &load->slots[i];
	}

	const struct rwy_mem_region region = {
		.gpa = {GUEST_BASE},
		.uva = {(uintptr_t)load->shm.addr},
		.size = load->shm.size,
		.hva = load->shm.addr,
		.fd = load->shm.fd,
	};

	return rwy_mem_add(&load->mem, &region);
}

static int open_front(struct load *load)
{
	static const struct rwy_vu_front_ops ops = {
		.on_ready = on_ready,
		.on_started = on_started,
		.on_lost = on_lost,
		.on_stopped = on_nothing,
		.on_config = on_nothing,
	};
	const struct rwy_vu_front_config config = {
		.name = "perf-blk",
		.socket_path = load->config->socket,
		.features = RWY_BIT64(VIRTIO_F_VERSION_1) | RWY_BIT64(VIRTIO_RING_F_INDIRECT_DESC) |
			    RWY_BIT64(VIRTIO_RING_F_EVENT_IDX) |
			    /* without it each write has to survive a power failure at once */
			    RWY_BIT64(VIRTIO_BLK_F_FLUSH) |
			    (load->config->packed ? RWY_BIT64(VIRTIO_F_RING_PACKED) : 0),
		.nr_queues = 1,
		.config_len = CONFIG_LEN,
		.ops = &ops,
		.ctx = load,
	};

	load->kick_fd = rwy_fd_event();
	load->call_fd = rwy_fd_event();
	if (load->kick_fd < 0 || load->call_fd < 0)
		return RWY_MIN(load->kick_fd, load->call_fd);
	load->poller = (struct rwy_poller){.poll = poll_queue, .ctx = load};
	load->watch = (struct rwy_watch){.fd = load->config->stop_fd,
					 .events = EPOLLIN,
					 .ready = on_stop,
					 .ctx = load};
	load->timer = (struct rwy_timer){.fire = on_timeout, .ctx = load};

	int err = rwy_poll_watch(load->poll, &load->watch);

	if (err < 0)
		return err;
	rwy_poll_timer_set(load->poll, &load->timer, CONNECT_MS * NS_IN_MS);
	return rwy_vu_front_open(&load->front, load->poll, &load->mem, &config);
}

static void close_all(struct load *load)
{
	if (load->front)
		rwy_vu_front_close(load->front);
	if (load->q_open)
		rwy_vqd_close(&load->q);
	if (load->poll)
		rwy_poll_close(load->poll);
	rwy_mem_fini(&load->mem);
	rwy_shm_close(&load->shm);
	rwy_fd_close(&load->kick_fd);
	rwy_fd_close(&load->call_fd);
	free(load->samples);
	free(load);
}

static void conclude(struct load *load, struct rwy_blk_load_result *result)
{
	struct rwy_summary slices;

	rwy_summary_of(load->slices, load->nr_slices, &slices);
	rwy_summary_sort(load->samples, load->nr_samples);
	result->requests = load->requests;
	result->iops = slices.median;
	result->p50_us = rwy_summary_quantile(load->samples, load->nr_samples, 0.5) / 1e3;
	result->p99_us = rwy_summary_quantile(load->samples, load->nr_samples, 0.99) / 1e3;
}

int rwy_blk_load_run(const struct rwy_blk_load_config *config, struct rwy_blk_load_result *result,
		     const char **why)
{
	struct load *load = calloc(1, sizeof(*load));
	cpu_set_t before;
	int err;

	*why = "setting up the front-end";
	if (!load)
		return -ENOMEM;
	load->config = config;
	load->seed = UINT64_C(0x9e3779b97f4a7c15);
	load->shm.fd = load->kick_fd = load->call_fd = -1;
	rwy_mem_init(&load->mem);
	load->samples = malloc(SAMPLES * sizeof(*load->samples));
	if (!load->samples || sched_getaffinity(0, sizeof(before), &before) < 0) {
		err = -errno;
		goto close;
	}
	memset(load->samples, 0xff, SAMPLES * sizeof(*load->samples)); /* no faults later */
	err = rwy_numa_pin(config->cpu);
	if (err < 0)
		goto close;
	err = open_memory(load);
	if (err == 0)
		err = rwy_poll_open(&load->poll, RWY_POLL_ALWAYS);
	if (err == 0)
		err = open_front(load);
	while (err >= 0 && load->phase != DONE)
		err = rwy_poll_once(load->poll, -1);
	if (err >= 0) {
		err = load->err;
		*why = load->why;
	}
	if (err == 0 && (load->nr_samples == 0 || load->nr_slices == 0)) {
		err = -EIO;
		*why = "no request came back";
	}
	if (err == 0)
		conclude(load, result);
	sched_setaffinity(0, sizeof(before), &before);
close:
	close_all(load);
	return err;
}
