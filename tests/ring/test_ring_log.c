/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest is migrated by its dirty log: what a front-end copies is the pages that are marked, at
 *any time, also in the middle of a burst. When the device is stopped and the last marks are
 *followed, the copy is the guest's memory, byte by byte.
 *
 *	test_ring_log [FIRST_SEED [COUNT]]
 *
 * What the driver writes is told by another log (KVM's, in life): the pages that a step of the
 * driver has changed. So a page is never copied only because somebody else wrote to it too, unless
 * both did since the last copy.
 */
#include "lib/vq_log.h"
#include "tests/ring/ring_pair.h"

#define PAGE	 4096u
#define PAGES	 ((MEMORY_LEN + PAGE - 1) / PAGE)
#define STEPS	 400u
#define HELD_MAX 16u
#define IOV_MAX_ 32u

struct move {
	struct pair *pair;
	struct pair_config config;
	struct rng rng;
	uint64_t seed;
	unsigned step;
	uint8_t bits[PAGES / 8 + 1];
	struct rwy_vq_log_map map;
	struct rwy_vq_log log;
	uint8_t by_driver[PAGES / 8 + 1];
	uint8_t *before; /* the driver's step */
	uint8_t *copy;	 /* at the other end */
	unsigned nr_copied;
	bool logged;
	bool unpublished; /* something was pushed */
	bool taken[SLOTS];
	unsigned nr_held;
	struct rwy_chain held[HELD_MAX];
	struct iovec iov[HELD_MAX][IOV_MAX_];
};

static void need(const struct move *m, bool good, const char *what)
{
	if (good)
		return;
	printf("not ok - seed %lu step %u: %s (size %u %s event_idx %d indirect %d in_order %d)\n",
	       m->seed, m->step, what, m->config.size, m->config.packed ? "packed" : "split",
	       m->config.event_idx, m->config.indirect, m->config.in_order);
	exit(1);
}

static uint64_t page_len(unsigned page)
{
	return RWY_MIN(PAGE, MEMORY_LEN - page * PAGE);
}

static bool is_copied(const struct move *m, unsigned page)
{
	return memcmp(m->copy + page * PAGE, m->pair->ram + page * PAGE, page_len(page)) == 0;
}

/* ---- the driver ---- */

static void driver_add(struct move *m)
{
	const unsigned slot = rng_below(&m->rng, SLOTS), nr = 1 + rng_below(&m->rng, MAX_BUFS);
	const unsigned nr_out = rng_below(&m->rng, nr);
	const rwy_gpa table = {TABLES + slot * TABLE_LEN};
	struct rwy_vqd_buf bufs[MAX_BUFS];
	uint64_t gpa = DATA + slot * DATA_LEN;
	bool *taken = &m->taken[slot];
	int err;

	if (*taken)
		return;
	for (unsigned i = 0; i < nr; i++) {
		bufs[i] = (struct rwy_vqd_buf){{gpa}, rng_below(&m->rng, 80)};
		gpa += bufs[i].len;
	}
	err = m->config.indirect && rng_below(&m->rng, 2)
		      ? rwy_vqd_add_indirect(&m->pair->drv, bufs, nr_out, nr - nr_out,
					     (void *)(m->pair->ram + table.v), table, taken)
		      : rwy_vqd_add(&m->pair->drv, bufs, nr_out, nr - nr_out, taken);
	*taken = err == 0; /* the ring may be full */
}

static void drive(struct move *m)
{
	uint32_t len;
	void *taken;

	switch (rng_below(&m->rng, 8)) {
	default:
		driver_add(m);
		break;
	case 5:
		(void)rwy_vqd_publish(&m->pair->drv);
		break;
	case 6:
		while (rwy_vqd_get(&m->pair->drv, &taken, &len) > 0)
			*(bool *)taken = false;
		break;
	case 7:
		if (rng_below(&m->rng, 2))
			(void)rwy_vqd_arm(&m->pair->drv);
		else
			rwy_vqd_disarm(&m->pair->drv);
	}
}

static void driver_step(struct move *m)
{
	memcpy(m->before, m->pair->ram, MEMORY_LEN);
	drive(m);
	for (unsigned page = 0; page < PAGES; page++)
		if (memcmp(m->before + page * PAGE, m->pair->ram + page * PAGE, page_len(page)))
			m->by_driver[page / 8] |= (uint8_t)(1 << page % 8);
}

/* ---- the device ---- */

static void device_pop(struct move *m)
{
	while (m->nr_held < HELD_MAX &&
	       rwy_vq_pop(&m->pair->dev, &m->held[m->nr_held], 1, m->iov[m->nr_held], IOV_MAX_))
		m->nr_held++;
	need(m, !m->pair->dev.broken, "a good driver breaks nothing");
}

/* Writes to the chain's start, and where it says so also to its last byte. */
static void fill(struct move *m, struct rwy_chain *c)
{
	const struct iovec *in = c->iov + c->nr_out;
	uint32_t left = rng_below(&m->rng, c->in_len + 1);

	c->written = left;
	c->beyond = rng_below(&m->rng, 4) == 0;
	for (unsigned i = 0; i < c->nr_in; i++) {
		const size_t len = RWY_MIN(left, in[i].iov_len);

		memset(in[i].iov_base, (int)rng_next(&m->rng), len);
		left -= (uint32_t)len;
		if (c->beyond && in[i].iov_len)
			((uint8_t *)in[i].iov_base)[in[i].iov_len - 1] ^= 1;
	}
}

static void device_push(struct move *m)
{
	const unsigned n = rng_below(&m->rng, m->nr_held + 1);

	for (unsigned i = 0; i < n; i++)
		fill(m, &m->held[i]);
	rwy_vq_push(&m->pair->dev, m->held, n);
	m->unpublished |= n > 0;
	m->nr_held -= n;
	for (unsigned i = 0; i < m->nr_held; i++) {
		m->held[i] = m->held[n + i];
		memcpy(m->iov[i], m->iov[n + i], sizeof(m->iov[i]));
		m->held[i].iov = m->iov[i];
	}
}

/* Not between push and publish, when the ring is written and nobody is told. */
static void expect_marks(struct move *m)
{
	if (!m->logged || m->unpublished)
		return;
	for (unsigned page = 0; page < PAGES; page++)
		need(m,
		     (m->bits[page / 8] | m->by_driver[page / 8]) & 1 << page % 8 ||
			     is_copied(m, page),
		     "a page that was written is marked");
}

static void device_publish(struct move *m)
{
	rwy_vq_publish(&m->pair->dev);
	m->unpublished = false;
	expect_marks(m);
}

static void device_arm(struct move *m)
{
	if (rng_below(&m->rng, 2))
		(void)rwy_vq_arm(&m->pair->dev);
	else
		rwy_vq_disarm(&m->pair->dev);
	expect_marks(m);
}

static void start_log(struct move *m)
{
	rwy_vq_log_start(&m->pair->dev, &m->log, &m->map, true);
	m->logged = true;
}

static void device_restart(struct move *m)
{
	m->pair->config.base = rwy_vq_stop(&m->pair->dev);
	need(m, rwy_vq_start(&m->pair->dev, &m->pair->config) == 0, "start from the base of stop");
	start_log(m);
	m->unpublished = false;
}

/* ---- the front-end ---- */

/* Takes the marks, then copies. */
static void sync_copy(struct move *m)
{
	for (unsigned i = 0; i < sizeof(m->bits); i++) {
		uint8_t bits =
			m->by_driver[i] | __atomic_exchange_n(&m->bits[i], 0, __ATOMIC_SEQ_CST);

		m->by_driver[i] = 0;
		for (unsigned page = i * 8; bits; bits >>= 1, page++) {
			if (!(bits & 1))
				continue;
			need(m, page < PAGES, "no page is marked that is not there");
			memcpy(m->copy + page * PAGE, m->pair->ram + page * PAGE, page_len(page));
			m->nr_copied++;
		}
	}
}

static void begin(struct move *m, uint64_t seed)
{
	static const uint16_t sizes[2][6] = {{1, 2, 8, 64, 256, 1024}, {1, 3, 7, 33, 256, 1000}};

	memset(m, 0, sizeof(*m));
	m->seed = seed;
	m->rng.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	m->config.packed = rng_below(&m->rng, 2);
	m->config.event_idx = rng_below(&m->rng, 2);
	m->config.indirect = rng_below(&m->rng, 2);
	m->config.in_order = rng_below(&m->rng, 2);
	m->config.size = sizes[m->config.packed][rng_below(&m->rng, RWY_ARRAY_SIZE(sizes[0]))];
	m->pair = pair_open(&m->config);
	m->map = (struct rwy_vq_log_map){.bytes = m->bits, .len = sizeof(m->bits)};
	m->before = malloc(MEMORY_LEN);
	m->copy = malloc(MEMORY_LEN);
	if (!m->before || !m->copy)
		abort();
}

static void end(struct move *m)
{
	(void)rwy_vq_stop(&m->pair->dev);
	sync_copy(m);
	for (unsigned page = 0; page < PAGES; page++)
		need(m, is_copied(m, page), "the copy is the guest's memory");
	free(m->before);
	free(m->copy);
	pair_close(m->pair);
}

static unsigned migrate(uint64_t seed)
{
	static void (*const acts[])(struct move *) = {
		driver_step, driver_step,    driver_step, driver_step, driver_step,
		device_pop,  device_pop,     device_push, device_push, device_publish,
		device_arm,  device_publish, sync_copy,	  sync_copy,
	};
	static struct move m;

	begin(&m, seed);
	/* at work before the log is switched on, with chains under way */
	for (m.step = 0; m.step < STEPS; m.step++) {
		if (m.step == STEPS / 8) {
			start_log(&m);
			memcpy(m.copy, m.pair->ram, MEMORY_LEN);
		}
		if (rng_below(&m.rng, 100) == 0 && m.step > STEPS / 8)
			device_restart(&m);
		else
			acts[rng_below(&m.rng, RWY_ARRAY_SIZE(acts))](&m);
	}
	end(&m);
	return m.nr_copied;
}

int main(int argc, char **argv)
{
	const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : argc > 1 ? 1 : 5000;
	uint64_t copied = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..1\n# seeds %lu to %lu, %u steps each\n", first, first + count - 1, STEPS);
	for (uint64_t i = 0; i < count; i++)
		copied += migrate(first + i);
	printf("ok 1 - %lu guests arrived, %lu pages copied\n", count, copied);
	return 0;
}
