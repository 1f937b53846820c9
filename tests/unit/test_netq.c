/* SPDX-License-Identifier: BSD-3-Clause */
/* When a transmit queue gives back what it has sent: behind the next burst, but never too late. */
#include "tests/unit/vq_guest.h"
#include "vhost-backends/net/netq.h"

#include "lib/poll.h"

#define RING	 256
#define FRAME	 (RWY_NETQ_HDR_LEN + 60)
#define BURST	 RWY_VQ_BURST
#define LATE_NS	 UINT64_C(50000)
#define LIMIT_NS UINT64_C(5000000000)

struct rig {
	struct guest *g;
	struct rwy_netq_tx *q;
	struct rwy_burst burst;
	struct rwy_port_counts counts;
	unsigned got; /* used descriptors the driver has seen, split */
};

static void open_rig(struct rig *r, bool packed, uint16_t size)
{
	*r = (struct rig){.g = guest_started(packed, size)};
	r->q = calloc(1, sizeof(*r->q));
	assert_non_null(r->q);
	r->q->vq = &r->g->vq;
	r->q->enabled = true;
}

static void close_rig(struct rig *r)
{
	guest_close(r->g);
	free(r->q);
}

/* n frames of `pieces` buffers each: the first has the header and the frame's first bytes. */
static void send(struct rig *r, unsigned n, unsigned pieces)
{
	struct vring_desc d[16];

	d[0] = raw(NEAR, FRAME, 0);
	for (unsigned i = 1; i < pieces; i++)
		d[i] = raw(NEXT, 16, 0);
	for (unsigned i = 0; i < n; i++)
		guest_chain(r->g, d, pieces);
}

/* Forwards what there is; frames. */
static unsigned forward(struct rig *r)
{
	unsigned n, sum = 0;

	while ((n = rwy_netq_pull(r->q, &r->burst, 0, &r->counts)) > 0) {
		rwy_netq_release(r->q, &r->burst, n, &r->counts);
		sum += n;
	}
	return sum;
}

/* Chains that the driver finds used, of all it was ever given; each has one slot. */
static unsigned given_back(struct rig *r)
{
	if (!r->g->config.packed)
		return guest_used(r->g)->idx;
	while (r->got < r->g->config.size && (guest_pdesc(r->g, r->got)->flags & 0x8080) == 0x8080)
		r->got++;
	return r->got;
}

static void whole_burst_waits_for_the_next(bool packed)
{
	struct rig r;

	open_rig(&r, packed, RING);
	send(&r, BURST, 1);
	assert_int_equal(forward(&r), BURST);
	assert_int_equal(given_back(&r), 0);
	send(&r, BURST, 1);
	assert_int_equal(forward(&r), BURST);
	assert_int_equal(given_back(&r), BURST);
	assert_int_equal(r.counts.rx_packets, 2 * BURST);
	close_rig(&r);
}
BOTH_FORMATS(whole_burst_waits_for_the_next)

static void part_of_a_burst_does_not_wait(bool packed)
{
	struct rig r;

	open_rig(&r, packed, RING);
	send(&r, 1, 1);
	assert_int_equal(forward(&r), 1);
	assert_int_equal(given_back(&r), 1);
	send(&r, BURST, 1);
	assert_int_equal(forward(&r), BURST);
	assert_int_equal(given_back(&r), 1);
	send(&r, BURST - 1, 1);
	assert_int_equal(forward(&r) + forward(&r), 0); /* it may become whole */
	for (unsigned i = 0; i < 1000 && r.counts.rx_packets < 2 * BURST; i++)
		forward(&r);
	assert_int_equal(given_back(&r), 2 * BURST);
	close_rig(&r);
}
BOTH_FORMATS(part_of_a_burst_does_not_wait)

static void nothing_waits_for_long(bool packed)
{
	const uint64_t begin = rwy_poll_now_ns();
	uint64_t now = begin;
	struct rig r;

	open_rig(&r, packed, RING);
	send(&r, BURST, 1);
	assert_int_equal(forward(&r), BURST);
	while (given_back(&r) == 0 && now - begin < LIMIT_NS) {
		assert_int_equal(forward(&r), 0);
		now = rwy_poll_now_ns();
	}
	assert_int_equal(given_back(&r), BURST);
	assert_true(now - begin >= LATE_NS);
	close_rig(&r);
}
BOTH_FORMATS(nothing_waits_for_long)

static void nothing_waits_while_we_sleep_or_stop(bool packed)
{
	struct rig r;

	open_rig(&r, packed, RING);
	send(&r, BURST, 1);
	assert_int_equal(forward(&r), BURST);
	assert_false(rwy_netq_arm(r.q));
	assert_int_equal(given_back(&r), BURST);
	send(&r, BURST, 1);
	assert_int_equal(forward(&r), BURST);
	assert_int_equal(given_back(&r), BURST);
	rwy_netq_park_tx(r.q);
	assert_int_equal(given_back(&r), 2 * BURST);
	close_rig(&r);
}
BOTH_FORMATS(nothing_waits_while_we_sleep_or_stop)

/* The driver must not lack what we hold: a short ring, and chains that take much of a long one. */
static void little_of_the_ring_is_held(bool packed)
{
	struct rig r;

	open_rig(&r, packed, 4 * BURST);
	send(&r, BURST, 1);
	assert_int_equal(forward(&r), BURST);
	assert_int_equal(given_back(&r), 0);
	close_rig(&r);
	open_rig(&r, packed, 2 * BURST);
	send(&r, BURST, 1);
	assert_int_equal(forward(&r), BURST);
	assert_int_equal(given_back(&r), BURST);
	close_rig(&r);
	open_rig(&r, false, RING);
	send(&r, BURST, 3);
	assert_int_equal(forward(&r), BURST);
	assert_int_equal(given_back(&r), BURST);
	close_rig(&r);
}
BOTH_FORMATS(little_of_the_ring_is_held)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_BOTH(whole_burst_waits_for_the_next),
		TEST_BOTH(part_of_a_burst_does_not_wait),
		TEST_BOTH(nothing_waits_for_long),
		TEST_BOTH(nothing_waits_while_we_sleep_or_stop),
		TEST_BOTH(little_of_the_ring_is_held),
	};

	return UNIT_RUN(tests);
}
