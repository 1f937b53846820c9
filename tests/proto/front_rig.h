/* SPDX-License-Identifier: BSD-3-Clause */
/* A front-end under test with its machine: memory, two rings, and what its callbacks said. */
#ifndef RWY_TESTS_FRONT_RIG_H
#define RWY_TESTS_FRONT_RIG_H

#include "tests/proto/fake_be.h"
#include "lib/log.h"
#include "lib/shm.h"
#include "lib/vu_front.h"

#include <linux/virtio_config.h>
#include <string.h>

#define RIG_RINGS    2
#define RIG_FEATURES (RWY_BIT64(VIRTIO_F_VERSION_1) | RWY_BIT64(VIRTIO_F_RING_PACKED))
#define RIG_GPA	     0x100000
#define RIG_SIZE     0x100000

struct rig {
	struct rwy_poll *poll;
	bool own_poll;
	unsigned timeout_ms; /* long, for machines with other work; short where it must pass */
	struct rwy_shm shm;
	struct rwy_mem mem;
	struct rwy_vu_front *front;
	struct rwy_vu_ring rings[RIG_RINGS];
	struct fake be;
	unsigned ready, started, lost, stopped, config;
};

static inline void rig_ready(void *ctx)
{
	((struct rig *)ctx)->ready++;
}

static inline void rig_started(void *ctx)
{
	((struct rig *)ctx)->started++;
}

static inline void rig_lost(void *ctx, const char *why)
{
	assert_non_null(why);
	((struct rig *)ctx)->lost++;
}

static inline void rig_stopped(void *ctx)
{
	((struct rig *)ctx)->stopped++;
}

static inline void rig_config(void *ctx)
{
	((struct rig *)ctx)->config++;
}

static const struct rwy_vu_front_ops rig_ops = {
	.on_ready = rig_ready,
	.on_started = rig_started,
	.on_lost = rig_lost,
	.on_stopped = rig_stopped,
	.on_config = rig_config,
};

/* Without a front-end, and a back-end that does not listen yet. poll: NULL for one of its own. */
static inline void rig_open_on(struct rig *rig, struct rwy_poll *poll)
{
	struct rwy_mem_region region;

	memset(rig, 0, sizeof(*rig));
	rig->poll = poll;
	rig->own_poll = !poll;
	rig->timeout_ms = 3000;
	if (!poll)
		assert_int_equal(rwy_poll_open(&rig->poll, RWY_POLL_NEVER), 0);
	assert_int_equal(rwy_shm_open(&rig->shm, "rig", RIG_SIZE,
				      &(struct rwy_shm_opts){.node = -1}),
			 0);
	rwy_mem_init(&rig->mem);
	region = (struct rwy_mem_region){.gpa = {RIG_GPA},
					 .size = RIG_SIZE,
					 .hva = rig->shm.addr,
					 .fd = rig->shm.fd};
	assert_int_equal(rwy_mem_add(&rig->mem, &region), 0);
	for (unsigned i = 0; i < RIG_RINGS; i++) {
		uint64_t at = RIG_GPA + i * 0x10000;

		rig->rings[i] = (struct rwy_vu_ring){
			.size = 64,
			.enabled = true,
			.desc = {at},
			.driver = {at + 0x4000},
			.device = {at + 0x8000},
			.kick_fd = rwy_fd_event(),
			.call_fd = rwy_fd_event(),
			.err_fd = -1,
		};
	}
	fake_open(&rig->be, rig->poll);
}

static inline void rig_open_fake(struct rig *rig)
{
	rig_open_on(rig, NULL);
}

static inline struct rwy_vu_front_config rig_front_config(struct rig *rig)
{
	return (struct rwy_vu_front_config){
		.name = "rig",
		.socket_path = rig->be.path,
		.features = RIG_FEATURES,
		.nr_queues = RIG_RINGS,
		.config_len = 16,
		.reply_timeout_ms = rig->timeout_ms,
		.ops = &rig_ops,
		.ctx = rig,
	};
}

static inline void rig_open_front(struct rig *rig)
{
	struct rwy_vu_front_config config = rig_front_config(rig);

	assert_int_equal(rwy_vu_front_open(&rig->front, rig->poll, &rig->mem, &config), 0);
}

/* A front-end whose back-end is there. */
static inline void rig_open(struct rig *rig)
{
	rig_open_fake(rig);
	fake_listen(&rig->be);
	rig_open_front(rig);
}

static inline void rig_close(struct rig *rig)
{
	rwy_vu_front_close(rig->front);
	fake_close(&rig->be);
	for (unsigned i = 0; i < RIG_RINGS; i++) {
		rwy_fd_close(&rig->rings[i].kick_fd);
		rwy_fd_close(&rig->rings[i].call_fd);
	}
	rwy_mem_fini(&rig->mem);
	rwy_shm_close(&rig->shm);
	if (rig->own_poll)
		rwy_poll_close(rig->poll);
}

/* Runs the reactor until *what is `value`; false after ms. */
static inline bool rig_until(struct rig *rig, const unsigned *what, unsigned value, unsigned ms)
{
	uint64_t end = rwy_poll_now_ns() + ms * UINT64_C(1000000);

	while (*what < value && rwy_poll_now_ns() < end)
		assert_true(rwy_poll_once(rig->poll, 10) >= 0);
	return *what >= value;
}

static inline void rig_spin(struct rig *rig, unsigned ms)
{
	unsigned never = 0;

	(void)rig_until(rig, &never, 1, ms);
}

static inline int rig_start(struct rig *rig)
{
	return rwy_vu_front_start(rig->front, rwy_vu_front_features(rig->front), rig->rings,
				  RIG_RINGS);
}

static inline void rig_bring_up(struct rig *rig)
{
	assert_true(rig_until(rig, &rig->ready, 1, 2000));
	assert_int_equal(rig_start(rig), 0);
	assert_true(rig_until(rig, &rig->started, 1, 2000));
}

#endif
