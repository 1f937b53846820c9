/* SPDX-License-Identifier: BSD-3-Clause */
/* The switch between ports that are made up here: who gets which frame, in which order. */
#include "tests/unit/unit.h"

#include "vhost-backends/net/fwd.h"

#include <string.h>

#define PORTS	4
#define FRAMES	64
#define BYTES	60
#define PENDING 200

struct got {
	uint8_t tag;
	unsigned q;
};

/* What waits to enter the switch here, and what has left it. */
struct fake {
	struct rwy_port port;
	struct rwy_port_counts counts;
	uint8_t pending[PENDING][BYTES];
	uint8_t needs[PENDING];
	struct virtio_net_hdr hdr[PENDING];
	unsigned nr_pending;
	struct iovec iov[3 * RWY_VQ_BURST];
	unsigned room; /* frames it still takes */
	struct got got[FRAMES];
	unsigned nr_got;
	unsigned flushed_at; /* nr_got at the last flush */
	bool closed;
};

static struct fake *fake_of(struct rwy_port *port)
{
	return RWY_CONTAINER_OF(port, struct fake, port);
}

static unsigned fake_rx(struct rwy_port *port, unsigned q, struct rwy_burst *burst)
{
	struct fake *f = fake_of(port);

	burst->nr = RWY_MIN(f->nr_pending, (unsigned)RWY_VQ_BURST);
	burst->needs = 0;
	for (unsigned i = 0; i < burst->nr; i++) {
		/* the addresses are torn: three bytes, none, the rest */
		struct iovec *iov = &f->iov[3 * i];

		iov[0] = (struct iovec){f->pending[i], 3};
		iov[1] = (struct iovec){NULL, 0};
		iov[2] = (struct iovec){f->pending[i] + 3, BYTES - 3};
		burst->frames[i] = (struct rwy_frame){.iov = iov,
						      .nr_iov = 3,
						      .len = BYTES,
						      .slot = (uint16_t)i,
						      .needs = f->needs[i],
						      .hdr = f->hdr[i]};
		burst->needs |= f->needs[i];
	}
	return burst->nr;
}

static void fake_rx_done(struct rwy_port *port, unsigned q, struct rwy_burst *burst, unsigned n)
{
	struct fake *f = fake_of(port);

	f->nr_pending -= n;
	memmove(f->pending, f->pending[n], f->nr_pending * sizeof(f->pending[0]));
	memmove(f->needs, f->needs + n, f->nr_pending);
	memmove(f->hdr, f->hdr + n, f->nr_pending * sizeof(f->hdr[0]));
}

static unsigned fake_tx(struct rwy_port *port, unsigned q, const struct rwy_frame *const *frames,
			unsigned n)
{
	struct fake *f = fake_of(port);
	unsigned i;

	for (i = 0; i < n && f->room > 0; i++, f->room--) {
		const struct iovec *last = &frames[i]->iov[frames[i]->nr_iov - 1];

		assert_int_equal(frames[i]->len, BYTES);
		assert_int_equal(frames[i]->needs & ~port->takes, 0);
		assert_true(f->nr_got < FRAMES);
		f->got[f->nr_got++] =
			(struct got){.tag = ((uint8_t *)last->iov_base)[last->iov_len - 1], .q = q};
	}
	return i;
}

static void fake_flush(struct rwy_port *port)
{
	fake_of(port)->flushed_at = fake_of(port)->nr_got;
}

static bool fake_arm(struct rwy_port *port)
{
	return fake_of(port)->nr_pending > 0;
}

static void fake_disarm(struct rwy_port *port)
{
}

static void fake_close(struct rwy_port *port)
{
	fake_of(port)->closed = true;
}

static const struct rwy_port_ops fake_ops = {
	.kind = "fake",
	.rx = fake_rx,
	.rx_done = fake_rx_done,
	.tx = fake_tx,
	.flush = fake_flush,
	.arm = fake_arm,
	.disarm = fake_disarm,
	.close = fake_close,
};

static struct {
	struct rwy_poll *poll;
	struct rwy_fwd *fwd;
	struct fake ports[PORTS];
} t;

static void set_up(enum rwy_fwd_mode mode)
{
	memset(&t, 0, sizeof(t));
	assert_int_equal(rwy_poll_open(&t.poll, RWY_POLL_NEVER), 0);
	assert_int_equal(rwy_fwd_open(&t.fwd, t.poll, mode), 0);
	for (unsigned i = 0; i < PORTS; i++) {
		t.ports[i].port.ops = &fake_ops;
		t.ports[i].port.counts = &t.ports[i].counts;
		t.ports[i].port.up = true;
		t.ports[i].port.nr_queues = 1;
		t.ports[i].room = FRAMES;
		assert_int_equal(rwy_fwd_add(t.fwd, &t.ports[i].port), 0);
	}
}

static void tear_down(void)
{
	rwy_fwd_close(t.fwd);
	for (unsigned i = 0; i < PORTS; i++)
		assert_true(t.ports[i].closed);
	rwy_poll_close(t.poll);
}

/* A frame waits at port p, from station src to station dst (255: broadcast), told apart by tag. */
static void put(unsigned p, uint8_t src, uint8_t dst, uint8_t tag)
{
	struct fake *f = &t.ports[p];
	uint8_t *bytes = f->pending[f->nr_pending];

	assert_true(f->nr_pending < PENDING);
	memset(bytes, 0, BYTES);
	memset(bytes, dst == 255 ? 255 : 0, 6);
	bytes[5] = dst;
	if (dst != 255)
		bytes[0] = 2;
	bytes[6] = 2;
	bytes[11] = src;
	bytes[BYTES - 1] = tag;
	f->needs[f->nr_pending] = 0;
	f->hdr[f->nr_pending++] = (struct virtio_net_hdr){0};
}

static void round_trip(void)
{
	assert_true(rwy_poll_once(t.poll, 0) >= 0);
}

/* Port p got exactly these tags since the last look, and was told. */
static void expect(unsigned p, const char *tags)
{
	struct fake *f = &t.ports[p];
	char got[FRAMES + 1] = {0};

	for (unsigned i = 0; i < f->nr_got; i++)
		got[i] = (char)f->got[i].tag;
	assert_string_equal(got, tags);
	assert_int_equal(f->flushed_at, f->nr_got);
	f->nr_got = 0;
	f->flushed_at = 0;
}

static void floods_then_knows(void **state)
{
	set_up(RWY_FWD_LEARN);
	put(0, 10, 11, 'a');
	round_trip();
	expect(0, "");
	for (unsigned i = 1; i < PORTS; i++)
		expect(i, "a");
	put(1, 11, 10, 'b');
	round_trip();
	put(0, 10, 11, 'c');
	round_trip();
	expect(0, "b");
	expect(1, "c");
	expect(2, "");
	expect(3, "");
	assert_int_equal(t.ports[0].counts.flooded, 1);
	tear_down();
}

static void broadcast_reaches_all_that_are_up(void **state)
{
	set_up(RWY_FWD_LEARN);
	t.ports[3].port.up = false;
	put(2, 12, 255, 'x');
	round_trip();
	expect(0, "x");
	expect(1, "x");
	expect(2, "");
	expect(3, "");
	tear_down();
}

/* One burst for several ports: each gets its own, in order; a frame to its own port goes nowhere.
 */
static void scatters_in_order(void **state)
{
	set_up(RWY_FWD_LEARN);
	put(1, 11, 255, '-');
	put(2, 12, 255, '-');
	round_trip();
	for (unsigned i = 0; i < PORTS; i++) {
		t.ports[i].nr_got = 0;
		t.ports[i].flushed_at = 0;
	}
	put(0, 10, 11, 'a');
	put(0, 10, 12, 'b');
	put(0, 10, 11, 'c');
	put(0, 10, 255, 'd');
	put(0, 10, 10, 'e');
	put(0, 10, 12, 'f');
	put(0, 10, 11, 'g');
	round_trip();
	/* order is per pair of stations; the broadcast may overtake */
	assert_int_equal(t.ports[1].nr_got, 4);
	assert_int_equal(t.ports[2].nr_got, 3);
	expect(1, "acgd");
	expect(2, "bfd");
	expect(3, "d");
	expect(0, "");
	assert_int_equal(t.ports[0].counts.no_dst, 1);
	assert_int_equal(t.ports[0].nr_pending, 0);
	tear_down();
}

static void station_moves_and_is_forgotten(void **state)
{
	set_up(RWY_FWD_LEARN);
	put(1, 11, 255, '-');
	round_trip();
	put(2, 11, 255, '-');
	round_trip();
	for (unsigned i = 0; i < PORTS; i++)
		t.ports[i].nr_got = t.ports[i].flushed_at = 0;
	put(0, 10, 11, 'a');
	round_trip();
	expect(1, "");
	expect(2, "a");
	rwy_fwd_forget(&t.ports[2].port);
	put(0, 10, 11, 'b');
	round_trip();
	expect(1, "b");
	expect(2, "b");
	tear_down();
}

static void pairs_ignore_addresses(void **state)
{
	set_up(RWY_FWD_PAIR);
	put(0, 1, 255, 'a');
	put(3, 1, 1, 'b');
	round_trip();
	expect(0, "");
	expect(1, "a");
	expect(2, "b");
	expect(3, "");
	t.ports[1].port.up = false;
	put(0, 1, 2, 'c');
	round_trip();
	assert_int_equal(t.ports[1].counts.tx_down, 1);
	assert_int_equal(t.ports[0].nr_pending, 0);
	tear_down();
}

/* A full receiver holds its sender back for a while; when it stays full, frames are dropped. */
static void holds_then_drops(void **state)
{
	set_up(RWY_FWD_PAIR);
	t.ports[1].room = 2;
	for (char c = 'a'; c < 'a' + 5; c++)
		put(0, 1, 2, (uint8_t)c);
	round_trip();
	expect(1, "ab");
	assert_int_equal(t.ports[0].nr_pending, 3);
	t.ports[1].room = 1;
	round_trip();
	expect(1, "c");
	assert_int_equal(t.ports[0].nr_pending, 2);
	assert_int_equal(t.ports[1].counts.tx_full, 0);

	uint64_t start = rwy_poll_now_ns();
	while (t.ports[0].nr_pending > 0 && rwy_poll_now_ns() - start < 1000000000)
		round_trip();
	assert_true(rwy_poll_now_ns() - start >= 1000000);
	assert_int_equal(t.ports[0].nr_pending, 0);
	assert_int_equal(t.ports[1].counts.tx_full, 2);
	/* it was waited for once: now at once */
	put(0, 1, 2, 'f');
	round_trip();
	assert_int_equal(t.ports[1].counts.tx_full, 3);
	/* and is trusted again when it takes a frame */
	t.ports[1].room = 1;
	put(0, 1, 2, 'g');
	put(0, 1, 2, 'h');
	round_trip();
	expect(1, "g");
	assert_int_equal(t.ports[0].nr_pending, 1);
	tear_down();
}

/* In a burst for many, nobody waits for the one that is full. */
static void full_port_does_not_hold_others(void **state)
{
	set_up(RWY_FWD_LEARN);
	t.ports[1].room = 0;
	put(0, 1, 255, 'a');
	round_trip();
	expect(2, "a");
	expect(3, "a");
	assert_int_equal(t.ports[0].nr_pending, 0);
	assert_int_equal(t.ports[1].counts.tx_full, 1);
	tear_down();
}

/* The receiver cannot take a partial checksum: it gets a complete one, between its neighbours. */
static void lowers_what_is_not_taken(void **state)
{
	struct fake *f = &t.ports[0];

	set_up(RWY_FWD_PAIR);
	for (char c = 'a'; c < 'a' + 3; c++)
		put(0, 1, 2, (uint8_t)c);
	f->needs[1] = RWY_PORT_CSUM;
	f->hdr[1] = (struct virtio_net_hdr){.flags = 1, .csum_start = 14, .csum_offset = 2};
	round_trip();
	expect(1, "abc");
	assert_int_equal(t.ports[1].counts.tx_lowered, 1);
	/* taken as it is where the port can */
	t.ports[1].port.takes = RWY_PORT_CSUM;
	put(0, 1, 2, 'd');
	f->needs[0] = RWY_PORT_CSUM;
	f->hdr[0] = (struct virtio_net_hdr){.flags = 1, .csum_start = 14, .csum_offset = 2};
	round_trip();
	expect(1, "d");
	assert_int_equal(t.ports[1].counts.tx_lowered, 1);
	/* what cannot be lowered is dropped and counted */
	put(0, 1, 2, 'e');
	f->needs[0] = RWY_PORT_CSUM | RWY_PORT_TSO4;
	f->hdr[0] = (struct virtio_net_hdr){
		.flags = 1, .gso_type = 1, .gso_size = 100, .csum_start = 14, .csum_offset = 2};
	round_trip();
	expect(1, "");
	assert_int_equal(t.ports[1].counts.tx_offload, 1);
	tear_down();
}

static void injects_an_announcement(void **state)
{
	uint8_t frame[BYTES] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 77};

	set_up(RWY_FWD_LEARN);
	frame[BYTES - 1] = 'r';
	rwy_fwd_inject(&t.ports[1].port, frame, sizeof(frame));
	expect(0, "r");
	expect(1, "");
	expect(2, "r");
	put(0, 10, 77, 'a');
	round_trip();
	expect(1, "a");
	expect(2, "");
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(floods_then_knows),
		cmocka_unit_test(broadcast_reaches_all_that_are_up),
		cmocka_unit_test(scatters_in_order),
		cmocka_unit_test(station_moves_and_is_forgotten),
		cmocka_unit_test(pairs_ignore_addresses),
		cmocka_unit_test(holds_then_drops),
		cmocka_unit_test(full_port_does_not_hold_others),
		cmocka_unit_test(lowers_what_is_not_taken),
		cmocka_unit_test(injects_an_announcement),
	};

	return UNIT_RUN(tests);
}
