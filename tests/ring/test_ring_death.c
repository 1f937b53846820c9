/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device dies at any moment, also between a push and its publish, and the next one is started
 * where the ring says: the used index of a split ring, what its slots tell of a packed one. The
 * driver must get back each chain once, in order, with the length that belongs to what was written,
 * whichever device wrote it.
 *
 *	test_ring_death [ROUNDS [SEED]]
 */
#include "tests/ring/ring_pair.h"

#include "lib/vq_lost.h"

#include <time.h>

#define BURST 8u

struct slot {
	uint32_t nr;   /* of the chain, counted by the driver */
	bool readable; /* the device writes nothing */
};

static void need(bool good, const char *what)
{
	if (good)
		return;
	printf("not ok 1 - %s\n", what);
	exit(1);
}

struct life {
	struct pair *pair;
	struct rng rng;
	struct slot slots[SLOTS];
	uint32_t nr_added, nr_got, nr_deaths, nr_pushed;
	struct rwy_chain chains[BURST];
	struct iovec iov[BURST];
	unsigned nr_chains, nr_used; /* popped by the device, and of those pushed */
};

static uint8_t *data(struct life *l, const struct slot *slot)
{
	return l->pair->ram + DATA + (size_t)(slot - l->slots) * DATA_LEN;
}

/* Buffers do not cross regions here: 256 bytes, and the regions' borders are 1300 apart. */
static void driver_adds(struct life *l)
{
	for (unsigned n = rng_below(&l->rng, 2 * BURST); n > 0; n--) {
		struct slot *slot = &l->slots[l->nr_added % SLOTS];
		const struct rwy_vqd_buf buf = {.gpa = {DATA +
							(uint64_t)(slot - l->slots) * DATA_LEN},
						.len = 256};

		if (l->nr_added - l->nr_got == SLOTS)
			break;
		*slot = (struct slot){.nr = l->nr_added, .readable = rng_below(&l->rng, 2)};
		if (rwy_vqd_add(&l->pair->drv, &buf, slot->readable, !slot->readable, slot))
			break;
		memset(data(l, slot), 0, 256);
		l->nr_added++;
	}
	if (rwy_vqd_publish(&l->pair->drv))
		rwy_fd_signal(l->pair->dev.kick_fd);
}

static void driver_gets(struct life *l)
{
	struct slot *slot;
	uint32_t len, value;
	void *cookie;
	int got;

	for (unsigned n = rng_below(&l->rng, 2 * BURST); n > 0; n--) {
		got = rwy_vqd_get(&l->pair->drv, &cookie, &len);
		need(got >= 0, "the device lied");
		if (got == 0)
			break;
		slot = cookie;
		need(slot->nr == l->nr_got, "a chain came back out of order, or twice");
		memcpy(&value, data(l, slot), sizeof(value));
		need(len == (slot->readable ? 0 : sizeof(value) + value % 100),
		     "the length is not that of the data");
		need(slot->readable || value > 0, "nothing was written");
		l->nr_got++;
	}
}

static void device_pops(struct life *l)
{
	if (l->nr_used < l->nr_chains)
		return;
	l->nr_used = 0;
	l->nr_chains =
		rwy_vq_pop(&l->pair->dev, l->chains, 1 + rng_below(&l->rng, BURST), l->iov, BURST);
}

static void device_pushes(struct life *l)
{
	const unsigned n = rng_below(&l->rng, l->nr_chains - l->nr_used + 1);

	for (unsigned i = 0; i < n; i++) {
		struct rwy_chain *chain = &l->chains[l->nr_used + i];
		const uint32_t value = 1 + rng_below(&l->rng, 1000000);

		chain->written = 0;
		if (chain->nr_in) {
			memcpy(chain->iov->iov_base, &value, sizeof(value));
			chain->written = sizeof(value) + value % 100;
		}
	}
	rwy_vq_push(&l->pair->dev, l->chains + l->nr_used, n);
	l->nr_used += n;
	l->nr_pushed += n;
}

static void device_dies(struct life *l)
{
	struct rwy_vq *dev = &l->pair->dev;
	const int kick = dev->kick_fd, call = dev->call_fd;
	const struct vring_used *used = (const void *)(l->pair->ram + 2 * AREA_LEN);

	free(dev->inflight);
	rwy_vq_init(dev);
	dev->kick_fd = kick;
	dev->call_fd = call;
	dev->stats = &l->pair->stats;
	l->nr_chains = 0;
	l->nr_used = 0;
	l->nr_deaths++;
	if (l->pair->config.packed)
		need(rwy_vq_lost_find((const void *)l->pair->ram, l->pair->config.size,
				      &l->pair->config.base),
		     "the ring tells where it stands");
	else
		l->pair->config.base = used->idx;
	need(rwy_vq_start(dev, &l->pair->config) == 0, "the next device starts");
}

static void run(const struct pair_config *config, unsigned rounds, uint64_t seed)
{
	struct life *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->pair = pair_open(config);
	l->rng.state = seed;
	for (unsigned i = 0; i < rounds; i++) {
		switch (rng_below(&l->rng, 6)) {
		case 0:
			driver_adds(l);
			break;
		case 1:
			driver_gets(l);
			break;
		case 2:
			device_pops(l);
			break;
		case 3:
			device_pushes(l);
			break;
		case 4:
			rwy_vq_publish(&l->pair->dev);
			break;
		default:
			if (rng_below(&l->rng, 4) == 0)
				device_dies(l);
		}
		need(!l->pair->dev.broken, "the ring broke");
	}
	/* Whatever is left gets through in the end. */
	while (l->nr_got < l->nr_added) {
		const uint32_t before = l->nr_pushed + l->nr_got;

		for (unsigned i = 0; i < 100; i++) {
			device_pops(l);
			device_pushes(l);
			rwy_vq_publish(&l->pair->dev);
			driver_gets(l);
		}
		need(l->nr_pushed + l->nr_got != before, "chains are stuck");
	}
	printf("# %s, %u slots: %u chains, %u deaths\n", config->packed ? "packed" : "split",
	       config->size, l->nr_got, l->nr_deaths);
	need(l->nr_deaths > 0 && l->nr_got > 4u * config->size, "enough was done to see something");
	pair_close(l->pair);
	free(l);
}

int main(int argc, char **argv)
{
	const unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 100000;
	const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);
	static const uint16_t sizes[] = {1, 2, 3, 4, 7, 8, 16, 61, 64};

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..1\n# seed %lu\n", seed);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(sizes); i++) {
		for (unsigned bits = 0; bits < 4; bits++) {
			const struct pair_config config = {.packed = bits & 1,
							   .event_idx = bits & 2,
							   .size = sizes[i]};

			if (config.packed || RWY_IS_POW2(config.size))
				run(&config, rounds, seed + i);
		}
	}
	printf("ok 1 - each chain comes back once, whoever dies\n");
	return 0;
}
