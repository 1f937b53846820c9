/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest whose other CPU rewrites rings, tables and events while the device looks: what was
 * checked must be what is used. One thread drives both sides, another flips bytes. Whatever comes
 * out of pop must be right in itself (pieces inside guest memory, lengths that add up, counts that
 * fit; CVE-2020-14374 to -14378 are such double fetches), nothing may crash or hang, and a restart
 *must always be possible. Meant for the address sanitizer; the races are the point, so not for
 *ThreadSanitizer.
 *
 *	test_ring_flip [SECONDS [SEED]]
 */
#include "tests/ring/ring_pair.h"

#include <pthread.h>
#include <time.h>

struct flipper {
	struct pair *pair;
	struct rng rng;
	bool stop;
};

/* Mostly small changes to what the device reads soon: flags, ids, lengths, high address bytes. */
static void *flip(void *arg)
{
	struct flipper *f = arg;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		const unsigned area = rng_below(&f->rng, 4);
		const unsigned from = area == 3 ? TABLES : area * AREA_LEN;
		const unsigned len = area == 0	 ? 16u * f->pair->config.size
				     : area == 3 ? SLOTS * TABLE_LEN
						 : 32u;
		uint8_t *at = f->pair->ram + from + rng_below(&f->rng, len);

		RWY_WRITE_ONCE(at, (uint8_t)(RWY_READ_ONCE(at) ^ 1u << rng_below(&f->rng, 8)));
	}
	return NULL;
}

static void need(bool good, const char *what)
{
	if (good)
		return;
	printf("not ok 1 - %s\n", what);
	exit(1);
}

static void check(const struct pair *p, const struct rwy_chain *c)
{
	uint64_t sums[2] = {0, 0};

	need(c->id < p->config.size, "id");
	need(c->nr_desc >= 1 && c->nr_desc <= p->config.size, "slots");
	need(c->nr_out + c->nr_in >= 1 && c->nr_out + c->nr_in <= RWY_VQ_IOV_MAX, "pieces");
	for (unsigned i = 0; i < (unsigned)c->nr_out + c->nr_in; i++) {
		const uint8_t *at = c->iov[i].iov_base;

		need(at >= p->ram && at < p->ram + MEMORY_LEN &&
			     c->iov[i].iov_len <= (size_t)(p->ram + MEMORY_LEN - at),
		     "a piece outside guest memory");
		sums[i >= c->nr_out] += c->iov[i].iov_len;
	}
	need(sums[0] == c->out_len && sums[1] == c->in_len, "lengths that do not add up");
}

/* What a device does, for one burst; a broken queue is reset, as its driver would do. */
static void device(struct pair *p, struct rng *rng)
{
	static struct rwy_chain chains[RWY_VQ_BURST];
	static struct iovec iov[RWY_VQ_IOV_MAX];
	unsigned n = rwy_vq_pop(&p->dev, chains, RWY_VQ_BURST, iov, RWY_ARRAY_SIZE(iov));

	for (unsigned i = 0; i < n; i++) {
		check(p, &chains[i]);
		chains[i].written = rng_below(rng, 2) ? chains[i].in_len : 0;
	}
	if (n > 0 && rng_below(rng, 8) == 0)
		rwy_vq_unpop(&p->dev, &chains[--n], 1);
	rwy_vq_push(&p->dev, chains, n);
	rwy_vq_publish(&p->dev);
	rwy_vq_arm(&p->dev);
	if (!p->dev.broken && rng_below(rng, 256))
		return;
	rwy_vq_stop(&p->dev);
	p->config.base = p->config.packed ? 0x80008000u : 0;
	memset(p->ram, 0, TABLES);
	need(rwy_vq_start(&p->dev, &p->config) == 0, "a restart is always possible");
}

/* Raw descriptors rather than lib/vqd: a driver that has been lied to by its own memory. */
static void driver(struct pair *p, struct rng *rng)
{
	const unsigned slot = rng_below(rng, p->config.size);
	struct vring_desc d = {
		.addr = DATA + rng_below(rng, SLOTS * DATA_LEN - 64),
		.len = rng_below(rng, 64),
		.flags = (uint16_t)rng_below(rng, 4),
		.next = (uint16_t)rng_below(rng, p->config.size),
	};

	if (rng_below(rng, 3) == 0) {
		d.addr = TABLES + rng_below(rng, SLOTS * TABLE_LEN - 256);
		d.len = 16 * (1 + rng_below(rng, 8));
		d.flags = VRING_DESC_F_INDIRECT;
	}
	if (p->config.packed) {
		const bool wrap = p->dev.avail_wrap;

		d.flags |= wrap ? 0x80 : 0x8000;
		((struct vring_desc *)p->ram)[p->dev.avail_idx] =
			(struct vring_desc){d.addr, d.len, d.next, d.flags};
	} else {
		struct vring_avail *avail = (struct vring_avail *)(p->ram + AREA_LEN);

		((struct vring_desc *)p->ram)[slot] = d;
		avail->ring[p->dev.avail_idx % p->config.size] = (uint16_t)slot;
		avail->idx = (uint16_t)(p->dev.avail_idx + 1);
	}
	d = (struct vring_desc){DATA + rng_below(rng, SLOTS * DATA_LEN), rng_below(rng, 600),
				(uint16_t)rng_below(rng, 4), (uint16_t)rng_below(rng, 8)};
	memcpy(p->ram + TABLES + 8 * rng_below(rng, SLOTS * TABLE_LEN / 8 - 2), &d, 16);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void run(const struct pair_config *config, uint64_t ms, uint64_t seed)
{
	struct pair *p = pair_open(config);
	struct flipper f = {.pair = p, .rng = {seed}};
	struct rng rng = {seed + 1};
	const uint64_t end = now_ms() + ms;
	pthread_t thread;

	if (pthread_create(&thread, NULL, flip, &f))
		abort();
	for (uint64_t i = 0; i % 64 || now_ms() < end; i++) {
		driver(p, &rng);
		device(p, &rng);
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("# %s in_order %d: %lu chains, broken %lu times\n",
	       config->packed ? "packed" : "split", config->in_order, p->stats.chains,
	       p->stats.broken);
	need(p->stats.chains > 0 && p->stats.broken > 0, "both good and bad chains were seen");
	pair_close(p);
}

int main(int argc, char **argv)
{
	const uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 0) : 4;
	const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);

	setvbuf(stdout, NULL, _IOLBF, 0);
	rwy_log_set_level(RWY_LOG_ERROR);
	printf("1..1\n# seed %lu\n", seed);
	for (unsigned bits = 0; bits < 4; bits++) {
		const struct pair_config config = {
			.packed = bits & 1,
			.size = bits & 1 ? 7 : 8,
			.event_idx = bits & 2,
			.in_order = bits & 2,
			.indirect = true,
		};

		run(&config, seconds * 250, seed);
	}
	printf("ok 1 - nothing that was checked changed before it was used\n");
	return 0;
}
