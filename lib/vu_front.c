/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/vu_front.h"

#include "lib/fd.h"
#include "lib/vu_front_base.h"
#include "lib/vu_front_priv.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define RWY_STEM "vu_front"

#define TIMEOUT_MS 5000
#define CONFIG_PF  RWY_BIT64(RWY_VU_PF_CONFIG)
/* A link that broke sooner than this after it was negotiated does not reset the back-off. */
#define LASTED_NS 1000000000u

/* ---- outages ---- */

static void say_lost(struct rwy_vu_front *front, bool refused, const char *why)
{
	const char *at = front->path ? front->path : "given socket";
	bool news = front->outage_ns == 0 || (refused && strcmp(why, front->why) != 0);

	if (front->outage_ns == 0)
		front->outage_ns = rwy_poll_now_ns();
	snprintf(front->why, sizeof(front->why), "%s", why);
	if (!news || !rwy_log_allow(&front->limit, 4))
		return;
	if (!front->path)
		rwy_error("%s: back-end lost: %s; a given connection cannot be made again",
			  front->name, why);
	else if (front->connects == 0)
		rwy_info("%s: waiting for back-end at %s: %s", front->name, at, why);
	else
		rwy_warn("%s: back-end at %s lost: %s; trying until it is back", front->name, at,
			 why);
}

static void say_back(struct rwy_vu_front *front)
{
	uint64_t ms = (rwy_poll_now_ns() - front->outage_ns) / 1000000;

	if (front->outage_ns && rwy_log_allow(&front->limit, 4))
		rwy_info("%s: back-end is there after %llu.%03llu s", front->name,
			 (unsigned long long)ms / 1000, (unsigned long long)ms % 1000);
	front->outage_ns = 0;
}

static void finish_stop(struct rwy_vu_front *front)
{
	front->started = false;
	front->stopping = false;
	front->resumed = false;
	rwy_poll_timer_cancel(front->poll, &front->stop_timer);
	rwy_fd_close(&front->inflight_fd);
	front->ops->on_stopped(front->ctx);
}

void rwy_vu_front_lose(struct rwy_vu_front *front, bool refused, const char *fmt, ...)
{
	bool was_ready = front->phase >= RWY_VU_FRONT_IDLE;
	bool packed = front->acked & RWY_BIT64(VIRTIO_F_RING_PACKED);
	char why[sizeof(front->why)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	front->phase = RWY_VU_FRONT_DOWN;
	front->step = NULL;
	front->awaiting = 0;
	front->refresh = false;
	rwy_poll_timer_cancel(front->poll, &front->reply_timer);
	rwy_vu_front_link_drop(front, was_ready && rwy_poll_now_ns() - front->ready_ns > LASTED_NS);
	for (unsigned i = 0; i < front->nr_rings; i++) {
		if (!front->up[i])
			continue;
		front->up[i] = false;
		front->rings[i].base = rwy_vu_front_base_find(front->mem, &front->rings[i], packed);
	}
	front->resumed = front->started;
	say_lost(front, refused, why);
	if (front->stopping)
		finish_stop(front);
	else if (was_ready)
		front->ops->on_lost(front->ctx, front->why);
}

/* ---- the conversation ---- */

/* False: it cannot go on with what is running; the link is gone. */
static bool fits_driver(struct rwy_vu_front *front)
{
	uint64_t missing = front->acked & ~front->state.offered;

	if (missing)
		rwy_vu_front_lose(front, true, "it lacks features in use, 0x%llx",
				  (unsigned long long)missing);
	else if (front->nr_rings > front->state.nr_queues)
		rwy_vu_front_lose(front, true, "it has %u queues, %u are in use",
				  front->state.nr_queues, front->nr_rings);
	else
		return true;
	return false;
}

/* False: it cannot serve this machine; the link is gone. */
static bool fits_machine(struct rwy_vu_front *front)
{
	if (front->need_config && !(front->state.pf & CONFIG_PF))
		rwy_vu_front_lose(front, true, "it cannot tell its configuration space");
	else if (front->mem->nr > front->max_slots)
		rwy_vu_front_lose(front, true, "it takes %llu memory regions, the machine has %u",
				  (unsigned long long)front->max_slots, front->mem->nr);
	else
		return true;
	return false;
}

/* Buffers that the lost back-end had seen need a kick again, and what it used but did not say so a
 * call. One too many does no harm. */
static void nudge_rings(struct rwy_vu_front *front)
{
	const struct rwy_bell *bell = rwy_poll_bell(front->poll);

	for (unsigned i = 0; i < front->nr_rings; i++) {
		const struct rwy_vu_ring *r = &front->rings[i];

		if (r->size && r->kick_fd >= 0)
			rwy_bell_ring(bell, r->kick_fd);
		if (r->size && r->call_fd >= 0)
			rwy_bell_ring(bell, r->call_fd);
	}
}

static void finish_start(struct rwy_vu_front *front)
{
	int rc = rwy_vu_front_script_catch_up(front);

	if (rc < 0) {
		rwy_vu_front_lose(front, false, "%s", strerror(-rc));
		return;
	}
	front->phase = RWY_VU_FRONT_RUNNING;
	say_back(front);
	if (front->resumed)
		nudge_rings(front);
	front->resumed = false;
	front->ops->on_started(front->ctx);
}

static void script_done(struct rwy_vu_front *front)
{
	front->step = NULL;
	switch (front->phase) {
	case RWY_VU_FRONT_SHAKING:
		if (!fits_machine(front) || (front->started && !fits_driver(front)))
			return;
		front->features = front->state.offered & front->wanted;
		front->nr_queues = RWY_MIN(front->nr_wanted, front->state.nr_queues);
		front->has_config = front->config_len && (front->state.pf & CONFIG_PF);
		front->phase = RWY_VU_FRONT_IDLE;
		front->ready_ns = rwy_poll_now_ns();
		front->connects++;
		if (!front->started)
			say_back(front);
		front->ops->on_ready(front->ctx);
		return;
	case RWY_VU_FRONT_STARTING:
		finish_start(front);
		return;
	case RWY_VU_FRONT_STOPPING:
		front->phase = RWY_VU_FRONT_IDLE;
		finish_stop(front);
		return;
	default:
		front->ops->on_config(front->ctx);
	}
}

static void begin_script(struct rwy_vu_front *front, enum rwy_vu_front_phase phase,
			 const struct rwy_vu_front_step *script)
{
	front->phase = phase;
	front->step = script;
	front->round = 0;
}

/* True: there is a step to take. */
static bool pick_script(struct rwy_vu_front *front)
{
	bool want = front->started && !front->stopping;

	if (front->step)
		return true;
	if (front->phase == RWY_VU_FRONT_IDLE && want)
		begin_script(front, RWY_VU_FRONT_STARTING, rwy_vu_front_script_start);
	else if (front->phase == RWY_VU_FRONT_RUNNING && !want)
		begin_script(front, RWY_VU_FRONT_STOPPING, rwy_vu_front_script_stop);
	else if ((front->phase == RWY_VU_FRONT_IDLE || front->phase == RWY_VU_FRONT_RUNNING) &&
		 front->refresh)
		begin_script(front, front->phase, rwy_vu_front_script_refresh);
	else
		return false;
	front->refresh = false;
	return true;
}

static void take_step(struct rwy_vu_front *front)
{
	const char *name = front->step->name;
	int rc = front->step->send(front);

	if (rc == RWY_VU_FRONT_WAIT) {
		rwy_poll_timer_set(front->poll, &front->reply_timer, front->timeout_ns);
	} else if (rc == RWY_VU_FRONT_NEXT) {
		front->step++;
		front->round = 0;
	} else {
		rwy_vu_front_lose(front, rc == -E2BIG, "sending %s: %s", name,
				  rc == -ETIMEDOUT ? "it does not read" : strerror(-rc));
	}
}

void rwy_vu_front_proceed(struct rwy_vu_front *front)
{
	if (front->busy)
		return; /* called from a callback: our caller's loop goes on */
	front->busy = true;
	while (!front->awaiting && pick_script(front)) {
		if (front->step->name)
			take_step(front);
		else
			script_done(front);
	}
	front->busy = false;
}

/* False: the link is gone. */
static bool take_reply(struct rwy_vu_front *front, struct rwy_vu_msg *msg)
{
	const struct rwy_vu_front_step *step = front->step;
	const char *why = "";
	int rc;

	if (!front->awaiting) {
		rwy_vu_front_lose(front, true, "it answered request %u, which is not asked",
				  msg->hdr.request);
		return false;
	}
	rc = rwy_vu_check_reply(front->awaiting, msg, &why);
	if (rc < 0) {
		rwy_vu_front_lose(front, true, "bad answer to %s: %s", step->name, why);
		return false;
	}
	front->awaiting = 0;
	rwy_poll_timer_cancel(front->poll, &front->reply_timer);
	rc = step->reply(front, msg);
	if (rc < 0) {
		rwy_vu_front_lose(front, true,
				  rc == -EREMOTEIO ? "it refused %s" : "bad answer to %s",
				  step->name);
		return false;
	}
	if (step->loop) {
		front->round++;
	} else {
		front->step++;
		front->round = 0;
	}
	if (front->phase == RWY_VU_FRONT_STARTING && front->stopping)
		begin_script(front, RWY_VU_FRONT_STOPPING, rwy_vu_front_script_stop);
	return true;
}

static void chan_ready(void *ctx, uint32_t events)
{
	struct rwy_vu_front *front = ctx;
	struct rwy_vu_msg msg;

	while (front->phase != RWY_VU_FRONT_DOWN) {
		int rc = rwy_vu_chan_recv(&front->chan, &msg);
		bool good;

		if (rc == 0)
			return;
		if (rc < 0) {
			rwy_vu_front_lose(front, rc == -EPROTO, "%s",
					  rc == -ENODATA  ? "it closed the connection"
					  : rc == -EPROTO ? "what it sends is no message"
							  : strerror(-rc));
			return;
		}
		good = take_reply(front, &msg);
		rwy_vu_chan_close_fds(&msg);
		if (good)
			rwy_vu_front_proceed(front);
	}
}

static void reply_late(void *ctx)
{
	struct rwy_vu_front *front = ctx;

	rwy_vu_front_lose(front, true, "no answer to %s within %llu ms", front->step->name,
			  (unsigned long long)front->timeout_ns / 1000000);
}

static void stop_late(void *ctx)
{
	struct rwy_vu_front *front = ctx;

	rwy_vu_front_lose(front, true, "not stopped within %llu ms",
			  (unsigned long long)front->timeout_ns / 1000000);
}

void rwy_vu_front_begin(struct rwy_vu_front *front)
{
	int rc;

	front->watch = (struct rwy_watch){.fd = front->chan.fd,
					  .events = EPOLLIN,
					  .ready = chan_ready,
					  .ctx = front};
	rc = rwy_poll_watch(front->poll, &front->watch);
	if (rc < 0) {
		rwy_vu_front_lose(front, false, "%s", strerror(-rc));
		return;
	}
	front->state = (struct rwy_vu_state){0};
	front->mem_sent = false;
	begin_script(front, RWY_VU_FRONT_SHAKING, rwy_vu_front_script_negotiate);
	rwy_vu_front_proceed(front);
}

/* ---- what the owner calls ---- */

int rwy_vu_front_open(struct rwy_vu_front **out, struct rwy_poll *poll, struct rwy_mem *mem,
		      const struct rwy_vu_front_config *config)
{
	struct rwy_vu_front *front = calloc(1, sizeof(*front));
	unsigned timeout_ms = config->reply_timeout_ms ? config->reply_timeout_ms : TIMEOUT_MS;
	int rc = -ENOMEM;

	if (!front)
		return -ENOMEM;
	front->poll = poll;
	front->mem = mem;
	front->ops = config->ops;
	front->ctx = config->ctx;
	front->wanted = config->features;
	front->nr_wanted = RWY_MIN(config->nr_queues, RWY_VU_FRONT_QUEUES);
	front->queue_rings = RWY_MAX(config->queue_rings, 1u);
	front->config_len = RWY_MIN(config->config_len, RWY_VU_CONFIG_MAX);
	front->need_config = config->need_config;
	front->timeout_ns = timeout_ms * UINT64_C(1000000);
	front->chan.fd = front->be_chan.fd = front->be_peer = -1;
	front->given_fd = front->listen_fd = front->inflight_fd = -1;
	front->reply_timer = (struct rwy_timer){.fire = reply_late, .ctx = front};
	front->stop_timer = (struct rwy_timer){.fire = stop_late, .ctx = front};
	front->name = strdup(config->name);
	front->path = config->socket_path ? strdup(config->socket_path) : NULL;
	if (!front->name || (config->socket_path && !front->path))
		goto free_front;
	rc = rwy_vu_front_link_open(front, config);
	if (rc < 0)
		goto free_front;
	*out = front;
	return 0;

free_front:
	free(front->path);
	free(front->name);
	free(front);
	return rc;
}

void rwy_vu_front_close(struct rwy_vu_front *front)
{
	if (!front)
		return;
	rwy_vu_front_link_close(front);
	rwy_poll_timer_cancel(front->poll, &front->reply_timer);
	rwy_poll_timer_cancel(front->poll, &front->stop_timer);
	rwy_fd_close(&front->inflight_fd);
	free(front->path);
	free(front->name);
	free(front);
}

uint64_t rwy_vu_front_features(const struct rwy_vu_front *front)
{
	return front->features;
}

unsigned rwy_vu_front_nr_queues(const struct rwy_vu_front *front)
{
	return front->nr_queues;
}

const uint8_t *rwy_vu_front_config_space(const struct rwy_vu_front *front)
{
	return front->has_config ? front->config : NULL;
}

bool rwy_vu_front_connected(const struct rwy_vu_front *front)
{
	return front->phase >= RWY_VU_FRONT_IDLE;
}

uint64_t rwy_vu_front_reconnects(const struct rwy_vu_front *front)
{
	return front->connects ? front->connects - 1 : 0;
}

const struct rwy_vu_ring *rwy_vu_front_rings(const struct rwy_vu_front *front)
{
	return front->rings;
}

int rwy_vu_front_start(struct rwy_vu_front *front, uint64_t features,
		       const struct rwy_vu_ring *rings, unsigned nr_rings)
{
	if (front->started)
		return -EBUSY;
	if ((features & ~front->wanted) || nr_rings > front->nr_wanted)
		return -EINVAL;
	memcpy(front->rings, rings, nr_rings * sizeof(rings[0]));
	front->nr_rings = nr_rings;
	front->acked = features;
	front->started = true;
	if (!rwy_vu_front_connected(front) || fits_driver(front))
		rwy_vu_front_proceed(front);
	return 0;
}

void rwy_vu_front_stop(struct rwy_vu_front *front)
{
	if (!front->started || front->stopping)
		return;
	front->stopping = true;
	if (front->phase < RWY_VU_FRONT_STARTING) {
		finish_stop(front);
		return;
	}
	rwy_poll_timer_set(front->poll, &front->stop_timer, front->timeout_ns);
	rwy_vu_front_proceed(front);
}

/* While starting, what has changed is told at the end. */
static int tell_change(struct rwy_vu_front *front, unsigned ring)
{
	int rc = 0;

	front->stale[ring] = true;
	if (front->phase == RWY_VU_FRONT_RUNNING)
		rc = rwy_vu_front_script_catch_up(front);
	if (rc < 0)
		rwy_vu_front_lose(front, false, "%s", strerror(-rc));
	return 0; /* the next link will tell */
}

int rwy_vu_front_enable(struct rwy_vu_front *front, unsigned ring, bool on)
{
	if (ring >= front->nr_rings)
		return -EINVAL;
	front->rings[ring].enabled = on;
	return tell_change(front, ring);
}

int rwy_vu_front_set_call(struct rwy_vu_front *front, unsigned ring, int call_fd)
{
	if (ring >= front->nr_rings)
		return -EINVAL;
	front->rings[ring].call_fd = call_fd;
	return tell_change(front, ring);
}

int rwy_vu_front_set_config(struct rwy_vu_front *front, unsigned off, const void *data,
			    unsigned len)
{
	struct rwy_vu_config config = {.offset = off, .size = len};
	int rc;

	if (!rwy_base_inside(off, len, front->config_len))
		return -EINVAL;
	if (front->phase < RWY_VU_FRONT_IDLE)
		return -ENOTCONN;
	if (!(front->state.pf & CONFIG_PF))
		return -ENOTSUP;
	memcpy(config.data, data, len);
	memcpy(front->config + off, data, len);
	rc = rwy_vu_front_script_tell(front, RWY_VU_SET_CONFIG, &config, RWY_VU_CONFIG_HDR + len,
				      -1);
	if (rc < 0)
		rwy_vu_front_lose(front, false, "%s", strerror(-rc));
	return rc;
}
