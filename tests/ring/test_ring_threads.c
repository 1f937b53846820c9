/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Driver and device on a thread each, with real eventfds: sleeping after an arm that found nothing,
 * for as long as it takes for a lost notification to show. Run under ThreadSanitizer it also checks
 * that everything handed over is ordered by the ring.
 *
 *	test_ring_threads [COUNT]	chains per configuration
 */
#include "tests/ring/ring_pair.h"

#include <poll.h>
#include <pthread.h>

#define SLEEP_MS 20000 /* nobody sleeps that long unless a notification was lost */

struct side {
	struct pair *pair;
	struct pair_config config;
	uint32_t count;
	struct rng rng;
	uint64_t sleeps;
	const char *wrong; /* what failed; the other side then gives up as well */
	const bool *stop;
};

static uint32_t *slot_word(struct pair *p, unsigned slot, unsigned word)
{
	return (uint32_t *)(p->ram + DATA + slot * DATA_LEN) + word;
}

/* False: no notification came. */
static bool sleep_on(struct side *s, int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	s->sleeps++;
	if (poll(&pfd, 1, SLEEP_MS) != 1)
		return false;
	rwy_fd_drain(fd);
	return true;
}

static bool done(struct side *s, uint32_t n)
{
	return n == s->count || __atomic_load_n(s->stop, __ATOMIC_RELAXED);
}

/* Echoes: each chain brings a number out and wants its complement in. */
static void device_burst(struct side *s, uint32_t *n)
{
	struct rwy_vq *dev = &s->pair->dev;
	struct rwy_chain chains[8];
	struct iovec iov[16];
	const unsigned got =
		rwy_vq_pop(dev, chains, 1 + rng_below(&s->rng, 8), iov, RWY_ARRAY_SIZE(iov));

	for (unsigned i = 0; i < got; i++) {
		struct rwy_chain *c = &chains[i];
		const uint32_t *out = c->iov[0].iov_base;

		if (c->out_len != 4 || *out != *n)
			s->wrong = "the device got something else";
		if (c->in_len == 4) {
			*(uint32_t *)c->iov[1].iov_base = ~*out;
			c->written = 4;
		}
		++*n;
	}
	rwy_vq_push(dev, chains, got);
	rwy_vq_publish(dev);
}

static void *device_main(void *arg)
{
	struct side *s = arg;
	struct rwy_vq *dev = &s->pair->dev;
	uint32_t n = 0;

	rwy_vq_disarm(dev);
	while (!done(s, n) && !s->wrong) {
		const uint32_t before = n;

		device_burst(s, &n);
		if (dev->broken)
			s->wrong = "the queue broke";
		if (n != before || rng_below(&s->rng, 8))
			continue;
		if (!rwy_vq_arm(dev) && !done(s, n) && !sleep_on(s, dev->kick_fd))
			s->wrong = "the device slept for ever";
		rwy_vq_disarm(dev);
	}
	return NULL;
}

struct driver {
	uint32_t added;
	uint32_t got;
	bool busy[SLOTS];
};

static void driver_add(struct side *s, struct driver *d)
{
	struct pair *p = s->pair;
	unsigned slot = 0;

	while (slot < SLOTS && d->busy[slot])
		slot++;
	if (slot == SLOTS || d->added == s->count)
		return;
	const rwy_gpa table = {TABLES + slot * TABLE_LEN};
	const struct rwy_vqd_buf bufs[2] = {{{DATA + slot * DATA_LEN}, 4},
					    {{DATA + slot * DATA_LEN + 4}, 4}};
	const unsigned nr_in = d->added & 1;
	void *cookie = slot_word(p, slot, 0);
	*slot_word(p, slot, 0) = d->added;
	*slot_word(p, slot, 1) = 0;
	int err = s->config.indirect
			  ? rwy_vqd_add_indirect(&p->drv, bufs, 1, nr_in,
						 (void *)(p->ram + table.v), table, cookie)
			  : rwy_vqd_add(&p->drv, bufs, 1, nr_in, cookie);
	if (err == 0) {
		d->added++;
		d->busy[slot] = true;
	}
}

static bool driver_get(struct side *s, struct driver *d)
{
	void *cookie;
	uint32_t len;
	const int got = rwy_vqd_get(&s->pair->drv, &cookie, &len);

	if (got < 0)
		s->wrong = "the device lied";
	if (got <= 0)
		return false;
	const uint32_t *word = cookie;
	if (word[0] != d->got || len != (word[0] & 1 ? 4 : 0) ||
	    (word[0] & 1 && word[1] != ~word[0]))
		s->wrong = "the driver got something else";
	d->busy[((uint8_t *)cookie - s->pair->ram - DATA) / DATA_LEN] = false;
	d->got++;
	return true;
}

static void driver_main(struct side *s)
{
	struct pair *p = s->pair;
	struct driver d = {.added = 0};

	rwy_vqd_disarm(&p->drv);
	while (!done(s, d.got) && !s->wrong) {
		const uint32_t before = d.got;

		for (unsigned i = rng_below(&s->rng, 6); i > 0; i--)
			driver_add(s, &d);
		if (rwy_vqd_publish(&p->drv))
			rwy_fd_signal(p->dev.kick_fd);
		while (rng_below(&s->rng, 16) && driver_get(s, &d))
			;
		if (d.got != before || d.added == d.got || rng_below(&s->rng, 8))
			continue;
		if (!rwy_vqd_arm(&p->drv) && !sleep_on(s, p->dev.call_fd))
			s->wrong = "the driver slept for ever";
		rwy_vqd_disarm(&p->drv);
	}
}

static int run(const struct pair_config *config, uint32_t count)
{
	struct pair *p = pair_open(config);
	bool stop = false;
	struct side dev = {p, *config, count, {1}, 0, NULL, &stop};
	struct side drv = {p, *config, count, {2}, 0, NULL, &stop};
	pthread_t thread;

	if (pthread_create(&thread, NULL, device_main, &dev))
		abort();
	driver_main(&drv);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	rwy_fd_signal(p->dev.kick_fd);
	pthread_join(thread, NULL);
	const char *wrong = drv.wrong ? drv.wrong : dev.wrong;
	printf("%sok - %s size %u event_idx %d indirect %d in_order %d: %u chains, %lu and %lu "
	       "sleeps%s%s\n",
	       wrong ? "not " : "", config->packed ? "packed" : "split", config->size,
	       config->event_idx, config->indirect, config->in_order, count, drv.sleeps, dev.sleeps,
	       wrong ? ": " : "", wrong ? wrong : "");
	pair_close(p);
	return wrong ? 1 : 0;
}

int main(int argc, char **argv)
{
	const uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 10000;
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..16\n");
	for (unsigned bits = 0; bits < 16; bits++) {
		const struct pair_config config = {
			.packed = bits & 1,
			.size = bits & 1 ? 7 : 8,
			.event_idx = bits & 2,
			.in_order = bits & 4,
			.indirect = bits & 8,
		};

		failed |= run(&config, count);
	}
	return failed;
}
