/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In-flight tracking against the one thing it is for: a back-end that is killed at any moment.
 *
 * A driver and a device run one instruction at a time (the processor's trap flag), and every state
 * the memory they share goes through is kept. For each of them it is known from the ring alone what
 * the guest is waiting for, and a back-end that starts on a copy of that memory must find exactly
 * these requests: none lost, none twice.
 */
#include "tests/unit/unit.h"

#include "lib/vqd.h"
#include "vhost-backends/be_track.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#define RING	  8
#define GPA	  UINT64_C(0x10000)
#define WATCHED	  2048 /* bytes that are looked at: rings and the area */
#define OFF_DESC  0
#define OFF_AVAIL 256
#define OFF_USED  320
#define OFF_PART  512
#define MEM_LEN	  0x10000

struct machine {
	uint8_t *bytes; /* MEM_LEN */
	struct rwy_mem mem;
	struct rwy_vq vq;
	struct rwy_stats_vq stats;
	struct rwy_vq_config config;
	struct rwy_be_track *track;
};

static void machine_init(struct machine *m, uint8_t *bytes, bool packed, uint32_t base)
{
	const struct rwy_mem_region region = {
		.gpa = {GPA}, .uva = {GPA}, .size = MEM_LEN, .hva = bytes, .fd = -1};

	*m = (struct machine){.bytes = bytes};
	rwy_mem_init(&m->mem);
	assert_int_equal(rwy_mem_add(&m->mem, &region), 0);
	rwy_vq_init(&m->vq);
	m->vq.stats = &m->stats;
	m->config = (struct rwy_vq_config){
		.mem = &m->mem,
		.size = RING,
		.packed = packed,
		.indirect = true,
		.desc = {GPA + OFF_DESC},
		.driver = {GPA + OFF_AVAIL},
		.device = {GPA + OFF_USED},
		.base = base,
	};
}

static int machine_start(struct machine *m)
{
	int err = rwy_be_track_open(&m->track, m->bytes + OFF_PART, RING, &m->config);

	return err ? err : rwy_vq_start(&m->vq, &m->config);
}

/* As if killed: what is in shared memory stays as it is. */
static void machine_kill(struct machine *m)
{
	uint8_t saved[WATCHED];

	memcpy(saved, m->bytes, WATCHED);
	if (rwy_vq_started(&m->vq))
		rwy_vq_stop(&m->vq);
	rwy_be_track_close(m->track);
	memcpy(m->bytes, saved, WATCHED);
	rwy_mem_fini(&m->mem);
}

static uint32_t fresh_base(bool packed)
{
	return packed ? 0x80008000u : 0;
}

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

/* ---- every state of the memory ---- */

/* For the handler, which has nothing else to go by. */
static struct {
	const uint8_t *watched;
	uint8_t (*states)[WATCHED];
	unsigned nr;
	unsigned max;
} tape;

static void on_trap(int sig)
{
	(void)sig;
	if (memcmp(tape.states[tape.nr - 1], tape.watched, WATCHED) != 0 && tape.nr < tape.max)
		memcpy(tape.states[tape.nr++], tape.watched, WATCHED);
}

static void tape_start(const uint8_t *watched, unsigned max)
{
	const struct sigaction action = {.sa_handler = on_trap};

	tape.watched = watched;
	tape.states = calloc(max, WATCHED);
	tape.max = max;
	memcpy(tape.states[0], watched, WATCHED);
	tape.nr = 1;
	assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
}

#define TRAP_FLAG 0x100u

static void trap(bool on)
{
	uint64_t flags = __builtin_ia32_readeflags_u64();

	__builtin_ia32_writeeflags_u64(on ? flags | TRAP_FLAG : flags & ~(uint64_t)TRAP_FLAG);
}

/* ---- what runs until it is killed ---- */

#define HELD RING

struct victim {
	struct machine m;
	struct rwy_vqd vqd;
	uint32_t seed;
	uint64_t serial;
	struct rwy_chain held[HELD];
	unsigned nr_held;
};

/* The first buffer of each request is at an address that no other request has. */
static void victim_post(struct victim *c)
{
	struct rwy_vqd_buf bufs[3];
	unsigned n = 1 + random_next(&c->seed) % 3;
	uint64_t at = GPA + 0x1000 + c->serial % 0x400 * 16;

	for (unsigned i = 0; i < n; i++)
		bufs[i] = (struct rwy_vqd_buf){.gpa = {at + 4 * i}, .len = 4};
	if (rwy_vqd_add(&c->vqd, bufs, n, 0, c) == 0)
		c->serial++;
	if (random_next(&c->seed) % 4)
		rwy_vqd_publish(&c->vqd);
}

static void victim_pop(struct victim *c)
{
	struct iovec iov[4 * RING];
	unsigned n = 1 + random_next(&c->seed) % 4;

	n = RWY_MIN(n, HELD - c->nr_held);
	c->nr_held += rwy_be_track_pop(c->m.track, &c->m.vq, c->held + c->nr_held, n, iov,
				       RWY_ARRAY_SIZE(iov));
}

static void victim_push(struct victim *c)
{
	if (c->nr_held == 0)
		return;
	unsigned at = random_next(&c->seed) % c->nr_held;

	c->held[at].written = 0;
	rwy_be_track_push(c->m.track, &c->m.vq, &c->held[at], 1);
	c->held[at] = c->held[--c->nr_held];
}

static void victim_reap(struct victim *c)
{
	void *cookie;
	uint32_t len;

	while (rwy_vqd_get(&c->vqd, &cookie, &len) == 1)
		;
}

static void victim_step(struct victim *c)
{
	switch (random_next(&c->seed) % 8) {
	case 0 ... 1:
		victim_post(c);
		break;
	case 2 ... 3:
		victim_pop(c);
		break;
	case 4 ... 5:
		victim_push(c);
		break;
	case 6:
		rwy_be_track_publish(c->m.track, &c->m.vq);
		break;
	default:
		victim_reap(c);
	}
}

static void victim_run(uint8_t *bytes, bool packed, uint32_t seed, unsigned steps)
{
	struct victim c = {.seed = seed};
	const struct rwy_vqd_config config = {
		.size = RING,
		.packed = packed,
		.desc = bytes + OFF_DESC,
		.driver = bytes + OFF_AVAIL,
		.device = bytes + OFF_USED,
	};

	machine_init(&c.m, bytes, packed, fresh_base(packed));
	assert_int_equal(rwy_vqd_open(&c.vqd, &config), 0);
	assert_int_equal(machine_start(&c.m), 0);
	tape_start(bytes, 16 * steps);
	trap(true);
	for (unsigned i = 0; i < steps; i++)
		victim_step(&c);
	trap(false);
	machine_kill(&c.m);
	rwy_vqd_close(&c.vqd);
}

/* ---- what the guest waits for, told from the ring alone ---- */

struct guest {
	bool packed;
	uint16_t posted; /* split: indices; packed: slots, with their wraps */
	uint16_t used;
	bool posted_wrap;
	bool used_wrap;
	struct {
		bool waiting;
		uint16_t slots;
		uint64_t addr;
	} id[RING];
	unsigned nr_waiting;
	unsigned nr_done;
};

static void guest_post(struct guest *g, uint16_t id, uint16_t slots, uint64_t addr)
{
	assert_true(id < RING && !g->id[id].waiting);
	g->id[id].waiting = true;
	g->id[id].slots = slots;
	g->id[id].addr = addr;
	g->nr_waiting++;
}

static uint16_t guest_done(struct guest *g, uint32_t id)
{
	assert_true(id < RING && g->id[id].waiting);
	g->id[id].waiting = false;
	g->nr_waiting--;
	g->nr_done++;
	return g->id[id].slots;
}

static void look_split(struct guest *g, const uint8_t *bytes)
{
	const struct vring_desc *desc = (const void *)(bytes + OFF_DESC);
	const struct vring_avail *avail = (const void *)(bytes + OFF_AVAIL);
	const struct vring_used *used = (const void *)(bytes + OFF_USED);

	for (; g->posted != avail->idx; g->posted++) {
		uint16_t head = avail->ring[g->posted % RING];

		guest_post(g, head, 1, desc[head].addr);
	}
	for (; g->used != used->idx; g->used++)
		guest_done(g, used->ring[g->used % RING].id);
}

static void go_on(uint16_t *idx, bool *wrap, unsigned n)
{
	*wrap ^= *idx + n >= RING;
	*idx = (uint16_t)((*idx + n) % RING);
}

static uint16_t owner(uint16_t flags)
{
	return flags & (1u << 7 | 1u << 15);
}

static void look_packed(struct guest *g, const uint8_t *bytes)
{
	const struct vring_packed_desc *desc = (const void *)(bytes + OFF_DESC);

	/* what was used first: its slots may have been posted again by now */
	while (g->nr_waiting > 0 &&
	       owner(desc[g->used].flags) == (g->used_wrap ? 1u << 7 | 1u << 15 : 0))
		go_on(&g->used, &g->used_wrap, guest_done(g, desc[g->used].id));
	while (owner(desc[g->posted].flags) == (g->posted_wrap ? 1u << 7 : 1u << 15)) {
		uint16_t at = g->posted, slots = 1;
		bool wrap = g->posted_wrap;

		for (; desc[at].flags & VRING_DESC_F_NEXT; slots++)
			go_on(&at, &wrap, 1);
		guest_post(g, desc[at].id, slots, desc[g->posted].addr);
		go_on(&g->posted, &g->posted_wrap, slots);
	}
}

static void guest_look(struct guest *g, const uint8_t *bytes)
{
	if (g->packed)
		look_packed(g, bytes);
	else
		look_split(g, bytes);
}

/* ---- a back-end that starts on what it finds ---- */

static unsigned pop_all(struct machine *m, struct rwy_chain *chains, struct iovec *iov)
{
	unsigned n = 0, got;

	do {
		got = rwy_be_track_pop(m->track, &m->vq, chains + n, 3, iov + 4 * n, 12);
		n += got;
	} while (got > 0 && n + 3 <= 2 * RING);
	return n;
}

static void same_requests(const struct guest *g, const struct machine *m,
			  const struct rwy_chain *chains, unsigned n)
{
	bool seen[RING] = {0};

	assert_int_equal(m->vq.broken, RWY_VQ_OK);
	assert_int_equal(n, g->nr_waiting);
	for (unsigned i = 0; i < n; i++) {
		assert_true(g->id[chains[i].id].waiting);
		assert_false(seen[chains[i].id]);
		seen[chains[i].id] = true;
		assert_ptr_equal(chains[i].iov[0].iov_base,
				 m->bytes + (g->id[chains[i].id].addr - GPA));
	}
}

/* bytes is a copy of what the killed process left. */
static void recover(struct guest g, uint8_t *bytes, uint32_t base)
{
	struct rwy_chain chains[2 * RING];
	struct iovec iov[8 * RING];
	struct machine m;
	unsigned n;

	/* killed again while it recovers, and after it has begun: still the same */
	for (unsigned i = 0; i < 3; i++) {
		machine_init(&m, bytes, g.packed, base);
		assert_int_equal(machine_start(&m), 0);
		if (i > 0) {
			n = pop_all(&m, chains, iov);
			same_requests(&g, &m, chains, n);
		}
		machine_kill(&m);
	}
	machine_init(&m, bytes, g.packed, base);
	assert_int_equal(machine_start(&m), 0);
	n = pop_all(&m, chains, iov);
	same_requests(&g, &m, chains, n);
	for (unsigned i = 0; i < n; i++) {
		chains[i].written = 0;
		rwy_be_track_push(m.track, &m.vq, &chains[i], 1);
		if (i % 2)
			rwy_be_track_publish(m.track, &m.vq);
	}
	rwy_be_track_publish(m.track, &m.vq);
	guest_look(&g, bytes);
	assert_int_equal(g.nr_waiting, 0);
	machine_kill(&m);
}

static void kill_everywhere(bool packed, uint32_t seed, unsigned steps)
{
	uint8_t *bytes = calloc(1, MEM_LEN);
	struct guest g = {.packed = packed, .posted_wrap = true, .used_wrap = true};

	victim_run(bytes, packed, seed, steps);
	assert_in_range(tape.nr, steps, tape.max - 1); /* all of it, and it did something */
	for (unsigned i = 0; i < tape.nr; i++) {
		memcpy(bytes, tape.states[i], WATCHED);
		guest_look(&g, bytes);
		/* the front-end knows no better than where the ring began */
		recover(g, bytes, fresh_base(packed));
	}
	assert_true(g.nr_done > 2 * RING);
	free(tape.states);
	free(bytes);
}

static void killed_anywhere_split(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 2; seed++)
		kill_everywhere(false, seed, 600);
}

static void killed_anywhere_packed(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 2; seed++)
		kill_everywhere(true, seed, 600);
}

/* ---- what lies there may be anything ---- */

static void hostile(bool packed)
{
	uint8_t *bytes = calloc(1, MEM_LEN);
	struct rwy_chain chains[2 * RING];
	struct iovec iov[8 * RING];
	uint32_t seed = 7;
	unsigned started = 0;

	for (unsigned round = 0; round < 10000; round++) {
		struct machine m;
		struct rwy_be_track_split *any = (void *)(bytes + OFF_PART);

		for (unsigned i = 0; i < WATCHED; i++) {
			uint32_t r = random_next(&seed);

			/* mostly small numbers: those get far */
			bytes[i] = (uint8_t)(r & 0x700 ? r % 9 : r);
			if (round % 4 && i % 2)
				bytes[i] = 0;
		}
		any->version = 1;
		any->desc_num = RING;
		machine_init(&m, bytes, packed, fresh_base(packed));
		if (machine_start(&m) == 0) {
			started++;
			unsigned n = pop_all(&m, chains, iov);
			for (unsigned i = 0; i < n; i++) {
				chains[i].written = 0;
				rwy_be_track_push(m.track, &m.vq, &chains[i], 1);
			}
			rwy_be_track_publish(m.track, &m.vq);
		}
		machine_kill(&m);
	}
	assert_true(started > 100);
	free(bytes);
}

static void hostile_area_split(void **state)
{
	(void)state;
	hostile(false);
}

static void hostile_area_packed(void **state)
{
	(void)state;
	hostile(true);
}

static void not_for_this_ring(void **state)
{
	(void)state;
	for (unsigned packed = 0; packed <= 1; packed++) {
		uint8_t *bytes = calloc(1, MEM_LEN);
		struct rwy_be_track_split *any = (void *)(bytes + OFF_PART);
		struct machine m;

		machine_init(&m, bytes, packed, fresh_base(packed));
		any->version = 2;
		assert_int_equal(machine_start(&m), -EINVAL);
		any->version = 1;
		any->desc_num = RING / 2;
		assert_int_equal(machine_start(&m), -EINVAL);
		any->version = 0;
		assert_int_equal(machine_start(&m), 0);
		assert_int_equal(any->version, 1);
		assert_int_equal(any->desc_num, RING);
		rwy_vq_stop(&m.vq);
		rwy_be_track_close(m.track);
		assert_int_equal(any->version, 0); /* nothing was in flight */
		m.track = NULL;
		/* a ring may be smaller than the area, not larger */
		m.config.size = 2 * RING;
		assert_int_equal(machine_start(&m), -EINVAL);
		rwy_mem_fini(&m.mem);
		free(bytes);
	}
}

/* SPDK issue 3766: killed before the first completion of a ring that was in use before. */
static void first_completion_of_a_used_ring(void **state)
{
	(void)state;
	uint8_t *bytes = calloc(1, MEM_LEN);
	struct vring_desc *desc = (void *)(bytes + OFF_DESC);
	struct vring_avail *avail = (void *)(bytes + OFF_AVAIL);
	struct vring_used *used = (void *)(bytes + OFF_USED);
	struct rwy_chain chains[2 * RING];
	struct iovec iov[8 * RING];
	struct machine m;

	for (unsigned i = 0; i < RING; i++)
		desc[i] = (struct vring_desc){.addr = GPA + 0x1000, .len = 4};
	avail->idx = 1003;
	used->idx = 1000;
	for (unsigned i = 0; i < 3; i++)
		avail->ring[(1000 + i) % RING] = (uint16_t)i;
	for (unsigned round = 0; round < 3; round++) {
		machine_init(&m, bytes, false, 1000);
		assert_int_equal(machine_start(&m), 0);
		assert_int_equal(pop_all(&m, chains, iov), 3);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(chains[i].id, i); /* oldest first */
		machine_kill(&m);
	}
	free(bytes);
}

/* The guest set its ring up anew while no back-end was there: old marks mean nothing. */
static void ring_set_up_anew(void **state)
{
	(void)state;
	uint8_t *bytes = calloc(1, MEM_LEN);
	struct rwy_be_track_split *area = (void *)(bytes + OFF_PART);
	struct rwy_chain chains[2 * RING];
	struct iovec iov[8 * RING];
	struct machine m;

	area->version = 1;
	area->desc_num = RING;
	area->used_idx = 1000; /* the ring says 0 */
	area->desc[5].inflight = 1;
	machine_init(&m, bytes, false, 0);
	assert_int_equal(machine_start(&m), 0);
	assert_int_equal(pop_all(&m, chains, iov), 0);
	assert_int_equal(area->used_idx, 0);
	assert_int_equal(area->desc[5].inflight, 0);
	machine_kill(&m);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_anywhere_split),
		cmocka_unit_test(killed_anywhere_packed),
		cmocka_unit_test(hostile_area_split),
		cmocka_unit_test(hostile_area_packed),
		cmocka_unit_test(not_for_this_ring),
		cmocka_unit_test(first_completion_of_a_used_ring),
		cmocka_unit_test(ring_set_up_anew),
	};

	return UNIT_RUN(tests);
}
