/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Driver side against device side under random schedules, with a model that knows where each chain
 * has to be. Held to it: the device sees published chains only, in order, with the bytes the driver
 * put there; the driver gets each one back once, in the order it was pushed, with the right length
 * and bytes; after an arm that found nothing, the next publish of the other side notifies.
 *
 *	test_ring_random [FIRST_SEED [COUNT]]
 *
 * Each seed is one schedule; a failure prints it.
 */
#include "tests/ring/ring_pair.h"

#define STEPS 300u

/* One chain, from add to get. */
struct item {
	bool taken;
	uint32_t seq;
	unsigned nr_out;
	unsigned nr_in;
	struct rwy_vqd_buf bufs[MAX_BUFS];
	uint32_t out_len;
	uint32_t in_len;
	struct rwy_chain chain; /* while the device has it */
	struct iovec iov[MAX_PIECES];
};

struct queue {
	struct item *items[SLOTS];
	unsigned nr;
};

struct model {
	struct pair *pair;
	struct pair_config config;
	struct rng rng;
	uint64_t seed;
	unsigned step;
	uint32_t seq;
	struct item items[SLOTS];
	struct queue added;  /* not published */
	struct queue avail;  /* published, not popped */
	struct queue held;   /* popped, not pushed; the newest nr_unpop may go back */
	struct queue pushed; /* not published */
	struct queue used;   /* published, not got */
	unsigned nr_unpop;
	bool dev_armed; /* the next publish of the driver must say kick */
	bool drv_armed; /* the next publish of the device must call */
};

static void need(const struct model *m, bool good, const char *what)
{
	if (good)
		return;
	printf("not ok - seed %lu step %u: %s (size %u %s event_idx %d indirect %d in_order %d)\n",
	       m->seed, m->step, what, m->config.size, m->config.packed ? "packed" : "split",
	       m->config.event_idx, m->config.indirect, m->config.in_order);
	exit(1);
}

static void put(struct queue *q, struct item *item)
{
	q->items[q->nr++] = item;
}

static struct item *take(struct queue *q, unsigned at)
{
	struct item *item = q->items[at];

	q->nr--;
	memmove(&q->items[at], &q->items[at + 1], (q->nr - at) * sizeof(*q->items));
	return item;
}

static void move_all(struct queue *to, struct queue *from)
{
	while (from->nr > 0)
		put(to, take(from, 0));
}

static uint8_t out_byte(const struct item *item, unsigned i)
{
	return (uint8_t)(item->seq * 31 + i * 7 + 1);
}

static uint8_t in_byte(const struct item *item, unsigned i)
{
	return (uint8_t)(item->seq * 17 + i * 3 + 2);
}

/* Fills buffers of random sizes one after the other into the item's slot. */
static void compose(struct model *m, struct item *item, unsigned slot)
{
	uint64_t gpa = DATA + slot * DATA_LEN + rng_below(&m->rng, 16);
	const unsigned nr = 1 + rng_below(&m->rng, MAX_BUFS);

	item->nr_out = rng_below(&m->rng, nr + 1);
	item->nr_in = nr - item->nr_out;
	item->out_len = item->in_len = 0;
	item->seq = m->seq++;
	for (unsigned i = 0; i < nr; i++) {
		const uint32_t len = rng_below(&m->rng, 8) ? rng_below(&m->rng, 80) : 0;

		item->bufs[i] = (struct rwy_vqd_buf){{gpa}, len};
		for (unsigned k = 0; k < len; k++)
			m->pair->ram[gpa + k] =
				i < item->nr_out ? out_byte(item, item->out_len + k) : 0xee;
		*(i < item->nr_out ? &item->out_len : &item->in_len) += len;
		gpa += len;
	}
}

static void driver_add(struct model *m)
{
	struct rwy_vqd *drv = &m->pair->drv;
	unsigned slot = 0;
	int err;

	while (slot < SLOTS && m->items[slot].taken)
		slot++;
	if (slot == SLOTS)
		return;
	struct item *item = &m->items[slot];
	compose(m, item, slot);
	const unsigned nr = item->nr_out + item->nr_in;
	const uint16_t room = drv->nr_free;
	const bool indirect = m->config.indirect && rng_below(&m->rng, 2);
	if (indirect) {
		const rwy_gpa table = {TABLES + slot * TABLE_LEN + 8 * rng_below(&m->rng, 4)};

		err = rwy_vqd_add_indirect(drv, item->bufs, item->nr_out, item->nr_in,
					   (void *)(m->pair->ram + table.v), table, item);
	} else {
		err = rwy_vqd_add(drv, item->bufs, item->nr_out, item->nr_in, item);
	}
	need(m, (err == 0) == (room >= (indirect ? 1 : nr)), "add goes by the room there is");
	if (err == 0) {
		item->taken = true;
		put(&m->added, item);
	}
}

static void driver_publish(struct model *m)
{
	const bool kick = rwy_vqd_publish(&m->pair->drv), some = m->added.nr > 0;

	need(m, some || !kick, "no kick for nothing");
	if (!some)
		return;
	need(m, kick || !m->dev_armed, "a device that armed gets its kick");
	if (m->config.event_idx)
		m->dev_armed = false; /* that event has passed */
	move_all(&m->avail, &m->added);
}

static void driver_get(struct model *m)
{
	uint32_t len;
	void *cookie;
	int got = rwy_vqd_get(&m->pair->drv, &cookie, &len);

	need(m, got == (m->used.nr > 0), "get finds what was published, and only that");
	if (!got)
		return;
	struct item *item = take(&m->used, 0);
	need(m, cookie == item, "chains come back in the order of push");
	need(m, len == item->chain.written, "used length");
	unsigned at = 0;
	for (unsigned i = item->nr_out; i < item->nr_out + item->nr_in; i++) {
		for (unsigned k = 0; k < item->bufs[i].len; k++, at++)
			need(m,
			     m->pair->ram[item->bufs[i].gpa.v + k] ==
				     (at < len ? in_byte(item, at) : 0xee),
			     "bytes written by the device");
	}
	item->taken = false;
}

static void driver_arm(struct model *m)
{
	if (rng_below(&m->rng, 3) == 0) {
		rwy_vqd_disarm(&m->pair->drv);
		m->drv_armed = false;
		return;
	}
	const bool more = rwy_vqd_arm(&m->pair->drv);

	need(m, more == (m->used.nr > 0), "the driver's look again");
	m->drv_armed = !more;
}

/* The chain is what the driver made of this item, and its memory is the item's. */
static void check_chain(struct model *m, struct item *item, const struct rwy_chain *c)
{
	uint8_t bytes[DATA_LEN];
	unsigned pieces_len = 0;

	need(m, c->out_len == item->out_len && c->in_len == item->in_len, "lengths of a chain");
	need(m, c->id < m->config.size && c->nr_desc >= 1 && c->written == 0, "a chain's fields");
	need(m, (c->nr_out == 0) == (item->nr_out == 0), "readable pieces");
	need(m, (c->nr_in == 0) == (item->nr_in == 0), "writable pieces");
	for (unsigned i = 0; i < c->nr_out; i++) {
		memcpy(bytes + pieces_len, c->iov[i].iov_base, c->iov[i].iov_len);
		pieces_len += c->iov[i].iov_len;
	}
	need(m, pieces_len == c->out_len, "sum of the readable pieces");
	for (unsigned i = 0; i < pieces_len; i++)
		need(m, bytes[i] == out_byte(item, i), "bytes written by the driver");
	item->chain = *c;
	memcpy(item->iov, c->iov, (c->nr_out + c->nr_in) * sizeof(*c->iov));
	item->chain.iov = item->iov;
}

static void device_pop(struct model *m)
{
	struct rwy_chain chains[8];
	struct iovec iov[4 * MAX_PIECES];
	const unsigned want = 1 + rng_below(&m->rng, 8);
	const unsigned room = MAX_PIECES + rng_below(&m->rng, 3 * MAX_PIECES + 1);
	const unsigned n = rwy_vq_pop(&m->pair->dev, chains, want, iov, room);

	need(m, !m->pair->dev.broken, "a good driver breaks nothing");
	need(m, n <= want && n <= m->avail.nr, "pop gives no more than there is");
	need(m, n > 0 || m->avail.nr == 0, "pop gives something if there is something");
	for (unsigned i = 0; i < n; i++) {
		struct item *item = take(&m->avail, 0);

		check_chain(m, item, &chains[i]);
		put(&m->held, item);
	}
	m->nr_unpop += n;
}

static void device_unpop(struct model *m)
{
	const unsigned n = m->nr_unpop ? 1 + rng_below(&m->rng, m->nr_unpop) : 0;
	static struct rwy_chain chains[SLOTS];
	struct queue back = {.nr = 0};

	for (unsigned i = 0; i < n; i++) {
		struct item *item = take(&m->held, m->held.nr - n + i);

		chains[i] = item->chain;
		put(&back, item);
	}
	rwy_vq_unpop(&m->pair->dev, chains, n);
	m->nr_unpop -= n;
	move_all(&back, &m->avail);
	m->avail = back;
	if (n > 0)
		m->dev_armed = false; /* it has work it knows of */
}

static void device_push(struct model *m)
{
	if (m->held.nr == 0)
		return;
	const unsigned at = m->config.in_order ? 0 : rng_below(&m->rng, m->held.nr);
	struct item *item = take(&m->held, at);
	struct rwy_chain *c = &item->chain;

	c->written = rng_below(&m->rng, c->in_len + 1);
	for (unsigned i = 0, done = 0; done < c->written; i++) {
		uint8_t *to = c->iov[c->nr_out + i].iov_base;

		for (unsigned k = 0; k < c->iov[c->nr_out + i].iov_len && done < c->written; k++)
			to[k] = in_byte(item, done++);
	}
	rwy_vq_push(&m->pair->dev, c, 1);
	put(&m->pushed, item);
	m->nr_unpop = RWY_MIN(m->nr_unpop, m->held.nr - at);
}

/* What publishing must have done, whether by publish or by stop. */
static void device_published(struct model *m)
{
	const int64_t calls = rwy_fd_drain(m->pair->dev.call_fd);
	const bool some = m->pushed.nr > 0;

	need(m, calls <= some, "one call a publish at most, none for nothing");
	if (!some)
		return;
	need(m, calls == 1 || !m->drv_armed, "a driver that armed gets its call");
	if (m->config.event_idx)
		m->drv_armed = false;
	move_all(&m->used, &m->pushed);
}

static void device_publish(struct model *m)
{
	rwy_vq_publish(&m->pair->dev);
	device_published(m);
}

static void device_arm(struct model *m)
{
	if (rng_below(&m->rng, 3) == 0) {
		rwy_vq_disarm(&m->pair->dev);
		m->dev_armed = false;
		return;
	}
	const bool more = rwy_vq_arm(&m->pair->dev);

	need(m, more == (m->avail.nr > 0), "the device's look again");
	m->dev_armed = !more;
}

/* Chains that are held stay so; the ring goes on from its base. */
static void device_restart(struct model *m)
{
	struct rwy_vq *dev = &m->pair->dev;

	m->pair->config.base = rwy_vq_stop(dev);
	device_published(m);
	need(m, rwy_vq_start(dev, &m->pair->config) == 0, "start from the base of stop");
	m->nr_unpop = 0;
	m->dev_armed = m->avail.nr == 0; /* a start arms */
}

static void finish(struct model *m)
{
	driver_publish(m);
	while (m->avail.nr > 0)
		device_pop(m);
	while (m->held.nr > 0)
		device_push(m);
	device_publish(m);
	while (m->used.nr > 0)
		driver_get(m);
	driver_get(m); /* and no more */
	need(m, m->pair->drv.nr_free == m->config.size, "all descriptors are free again");
	need(m, m->pair->stats.chains == m->pair->stats.pushes, "each chain was popped and pushed");
}

static void schedule(uint64_t seed)
{
	static const uint16_t sizes[2][9] = {
		{1, 2, 4, 4, 8, 8, 16, 32, 64},
		{1, 2, 3, 4, 5, 7, 8, 16, 33},
	};
	static void (*const acts[])(struct model *) = {
		driver_add,	driver_add, driver_add,	  driver_publish, driver_get,  driver_get,
		driver_get,	driver_arm, device_pop,	  device_pop,	  device_push, device_push,
		device_publish, device_arm, device_unpop, device_push,
	};
	static struct model m;

	memset(&m, 0, sizeof(m));
	m.seed = seed;
	m.rng.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	m.config.packed = rng_below(&m.rng, 2);
	m.config.event_idx = rng_below(&m.rng, 2);
	m.config.indirect = rng_below(&m.rng, 2);
	m.config.in_order = rng_below(&m.rng, 2);
	m.config.size = sizes[m.config.packed][rng_below(&m.rng, RWY_ARRAY_SIZE(sizes[0]))];
	m.pair = pair_open(&m.config);
	m.dev_armed = true;
	m.drv_armed = true;
	for (m.step = 0; m.step < STEPS; m.step++) {
		if (rng_below(&m.rng, 64) == 0)
			device_restart(&m);
		else
			acts[rng_below(&m.rng, RWY_ARRAY_SIZE(acts))](&m);
	}
	finish(&m);
	pair_close(m.pair);
}

int main(int argc, char **argv)
{
	const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : argc > 1 ? 1 : 20000;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..1\n# seeds %lu to %lu, %u steps each\n", first, first + count - 1, STEPS);
	for (uint64_t i = 0; i < count; i++)
		schedule(first + i);
	printf("ok 1 - %lu schedules agree with the model\n", count);
	return 0;
}
