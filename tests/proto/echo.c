/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/proto/echo.h"
#include "tests/unit/unit.h"

#include "lib/iov.h"
#include "vhost-backends/be_inflight.h"

#include <errno.h>
#include <string.h>

static void complete(struct echo *e, struct echo_held *held)
{
	struct rwy_chain *chain = &held->chain;

	chain->iov = held->iov;
	chain->written = (uint32_t)rwy_iov_copy(held->iov + chain->nr_out, chain->nr_in, 0,
						held->iov, chain->nr_out, 0, chain->in_len);
	rwy_be_inflight_push(e->be, held->q, chain, 1);
	rwy_be_inflight_publish(e->be, held->q);
	e->nr_echoed++;
}

static unsigned held_of(const struct echo *e, unsigned q)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->nr_held; i++)
		n += e->held[i].q == q;
	return n;
}

void echo_release(struct echo *e, unsigned n)
{
	assert_true(n <= e->nr_held);
	for (unsigned i = n; i-- > 0;)
		complete(e, &e->held[i]);
	e->nr_held -= n;
	memmove(e->held, e->held + n, e->nr_held * sizeof(e->held[0]));
	for (unsigned q = 0; q < ECHO_RINGS; q++) {
		if (e->stopping[q] && held_of(e, q) == 0) {
			e->stopping[q] = false;
			rwy_be_drained(e->be, q);
		}
	}
}

static unsigned take(struct echo *e, unsigned q)
{
	struct echo_held *held = &e->held[e->nr_held];

	if (e->nr_held == ECHO_HELD)
		return 0;
	if (rwy_be_inflight_pop(e->be, q, &held->chain, 1, held->iov, RWY_ARRAY_SIZE(held->iov)) ==
	    0)
		return 0;
	held->q = q;
	if (e->hold)
		e->nr_held++;
	else
		complete(e, held);
	return 1;
}

static unsigned on_poll(void *ctx, unsigned budget)
{
	struct echo *e = ctx;
	unsigned work = 0;

	for (unsigned q = 0; q < ECHO_RINGS; q++)
		while (e->running[q] && work < budget && take(e, q))
			work++;
	return work;
}

static bool on_arm(void *ctx)
{
	struct echo *e = ctx;
	bool late = false;

	for (unsigned q = 0; q < ECHO_RINGS; q++)
		late |= e->running[q] && rwy_vq_arm(&e->be->vqs[q]);
	return late;
}

static void on_disarm(void *ctx)
{
	struct echo *e = ctx;

	for (unsigned q = 0; q < ECHO_RINGS; q++)
		if (e->running[q])
			rwy_vq_disarm(&e->be->vqs[q]);
}

static void start(struct rwy_be *be, unsigned q)
{
	struct echo *e = be->device;

	assert_false(e->running[q]);
	assert_true(rwy_vq_started(&be->vqs[q]));
	e->running[q] = true;
	e->nr_starts++;
}

static bool stop(struct rwy_be *be, unsigned q)
{
	struct echo *e = be->device;

	assert_true(e->running[q]);
	assert_true(rwy_vq_started(&be->vqs[q]));
	e->running[q] = false;
	e->nr_stops++;
	e->stopping[q] = held_of(e, q) > 0;
	return !e->stopping[q];
}

static void config_read(struct rwy_be *be, uint32_t off, void *buf, uint32_t len)
{
	struct echo *e = be->device;

	assert_true(off + len <= ECHO_CONFIG);
	memcpy(buf, e->config + off, len);
}

/* Only the first four bytes can be written. */
static int config_write(struct rwy_be *be, uint32_t off, const void *buf, uint32_t len)
{
	struct echo *e = be->device;

	if (off + len > 4)
		return -EINVAL;
	memcpy(e->config + off, buf, len);
	return 0;
}

static void set_features(struct rwy_be *be)
{
	struct echo *e = be->device;

	e->nr_features++;
}

static void enable(struct rwy_be *be, unsigned q)
{
	struct echo *e = be->device;

	assert_true(rwy_vq_started(&be->vqs[q]));
	e->nr_enables++;
}

static void reset(struct rwy_be *be)
{
	struct echo *e = be->device;

	for (unsigned q = 0; q < ECHO_RINGS; q++)
		assert_false(rwy_vq_started(&be->vqs[q]));
	e->nr_resets++;
}

static void send_rarp(struct rwy_be *be, uint64_t mac)
{
	struct echo *e = be->device;

	e->rarp = mac;
}

static int set_mtu(struct rwy_be *be, uint64_t mtu)
{
	struct echo *e = be->device;

	if (mtu < 68 || mtu > 65535)
		return -EINVAL;
	e->mtu = mtu;
	return 0;
}

static void lost(struct rwy_be *be)
{
	struct echo *e = be->device;

	for (unsigned q = 0; q < ECHO_RINGS; q++) {
		assert_false(e->running[q]);
		assert_false(rwy_vq_started(&be->vqs[q]));
	}
	assert_int_equal(e->nr_regions, 0);
	e->nr_lost++;
	e->be = NULL;
}

const struct rwy_be_ops echo_ops = {
	.name = "echo",
	.config_read = config_read,
	.config_write = config_write,
	.set_features = set_features,
	.start = start,
	.stop = stop,
	.enable = enable,
	.reset = reset,
	.send_rarp = send_rarp,
	.set_mtu = set_mtu,
	.lost = lost,
};

void echo_open(struct echo *e, struct rwy_poll *poll)
{
	*e = (struct echo){
		.poll = poll,
		.poller = {.poll = on_poll, .arm = on_arm, .disarm = on_disarm, .ctx = e},
	};
	for (unsigned i = 0; i < ECHO_CONFIG; i++)
		e->config[i] = (uint8_t)(i + 1);
	rwy_poll_add(poll, &e->poller);
}

void echo_close(struct echo *e)
{
	if (e->be) {
		rwy_be_close(e->be);
		echo_release(e, e->nr_held);
		for (unsigned i = 0; e->be && i < 100; i++)
			assert_true(rwy_poll_once(e->poll, 1) >= 0);
	}
	assert_null(e->be);
	rwy_poll_del(e->poll, &e->poller);
}

struct rwy_be_config echo_config(struct echo *e)
{
	return (struct rwy_be_config){
		.ops = &echo_ops,
		.device = e,
		.features = 0xf,
		.pf = RWY_BIT64(RWY_VU_PF_CONFIG) | RWY_BIT64(RWY_VU_PF_MTU) |
		      RWY_BIT64(RWY_VU_PF_RARP) | RWY_BIT64(RWY_VU_PF_INFLIGHT_SHMFD),
		.nr_queues = ECHO_RINGS,
		.config_len = ECHO_CONFIG,
		.in_order = false,
	};
}

static int region_add(void *ctx, const struct rwy_mem_region *region)
{
	struct echo *e = ctx;

	if (e->mem_refuses)
		return -ENOMEM;
	e->nr_regions++;
	return 0;
}

static void region_del(void *ctx, const struct rwy_mem_region *region)
{
	struct echo *e = ctx;

	e->nr_regions--;
}

void echo_attach(struct echo *e, const struct rwy_be_config *config, int *fd)
{
	assert_null(e->be);
	assert_int_equal(rwy_be_open(&e->be, e->poll, config, fd), 0);
	const struct rwy_mem_listener listener = {region_add, region_del, e};
	assert_int_equal(rwy_mem_listen(&e->be->mem, &listener), 0);
}
