/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which device answers at which guest-physical or port address. Two buses: MMIO and PIO.
 *
 * vCPU threads look up and call; adding and deleting happens on the main thread or on a vCPU (a
 * guest that moves a BAR). One mutex in the bus orders them: it is the VMM's only lock but for the
 * vCPUs' gate, held through the handler, so that a device model is never entered twice and needs
 * no lock of its own.
 * Data-path doorbells never come here: they are ioeventfds.
 */
#ifndef RWY_VMM_BUS_H
#define RWY_VMM_BUS_H

#include "lib/base.h"

#include <pthread.h>

#define RWY_BUS_RANGES 256

struct rwy_bus_range {
	uint64_t base;
	uint64_t size;
	/* off is from base; len is 1, 2, 4 or 8 and lies inside. Reads must fill all of buf. */
	void (*read)(void *ctx, uint64_t off, void *buf, unsigned len);
	void (*write)(void *ctx, uint64_t off, const void *buf, unsigned len);
	void *ctx;
	const char *name; /* for --exit-stats */
	uint64_t reads;
	uint64_t writes;
};

struct rwy_bus {
	const char *name;
	pthread_mutex_t *lock; /* shared by both buses: see above */
	unsigned nr;
	struct rwy_bus_range ranges[RWY_BUS_RANGES]; /* sorted by base */
	uint64_t missed; /* accesses nobody answered: reads gave all ones */
};

void rwy_bus_init(struct rwy_bus *bus, const char *name, pthread_mutex_t *lock);
/* Caller holds the lock once vCPUs run. -EEXIST: overlaps; -ENOSPC; -EINVAL: empty or wraps. */
RWY_MUST_CHECK int rwy_bus_add(struct rwy_bus *bus, const struct rwy_bus_range *range);
void rwy_bus_del(struct rwy_bus *bus, uint64_t base);
/* From a vCPU: takes the lock. An access that nobody answers, or that runs over the end of a range,
 * reads as all ones and is dropped as a write. */
void rwy_bus_access(struct rwy_bus *bus, uint64_t addr, void *buf, unsigned len, bool write);

#endif
