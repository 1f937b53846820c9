/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/bus.h"

#include <errno.h>
#include <string.h>

void rwy_bus_init(struct rwy_bus *bus, const char *name, pthread_mutex_t *lock)
{
	memset(bus, 0, sizeof(*bus));
	bus->name = name;
	bus->lock = lock;
}

/* Index of the first range that ends after addr, or nr. */
static unsigned find(const struct rwy_bus *bus, uint64_t addr)
{
	unsigned low = 0, high = bus->nr;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		const struct rwy_bus_range *r = &bus->ranges[mid];

		if (r->base + (r->size - 1) < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int rwy_bus_add(struct rwy_bus *bus, const struct rwy_bus_range *range)
{
	uint64_t last;

	if (range->size == 0 || RWY_ADD_OVERFLOW(range->base, range->size - 1, &last))
		return -EINVAL;
	unsigned at = find(bus, range->base);
	if (at < bus->nr && bus->ranges[at].base <= last)
		return -EEXIST;
	if (bus->nr == RWY_BUS_RANGES)
		return -ENOSPC;
	memmove(&bus->ranges[at + 1], &bus->ranges[at], (bus->nr - at) * sizeof(*range));
	bus->ranges[at] = *range;
	bus->nr++;
	return 0;
}

void rwy_bus_del(struct rwy_bus *bus, uint64_t base)
{
	unsigned at = find(bus, base);

	if (at == bus->nr || bus->ranges[at].base != base)
		return;
	bus->nr--;
	memmove(&bus->ranges[at], &bus->ranges[at + 1], (bus->nr - at) * sizeof(bus->ranges[0]));
}

void rwy_bus_access(struct rwy_bus *bus, uint64_t addr, void *buf, unsigned len, bool write)
{
	pthread_mutex_lock(bus->lock);

	unsigned at = find(bus, addr);
	struct rwy_bus_range *r = at < bus->nr ? &bus->ranges[at] : NULL;

	/* A guest may split an access at a page boundary into odd lengths; no device takes those.
	 */
	if (!r || addr < r->base || !rwy_base_inside(addr - r->base, len, r->size) ||
	    !RWY_IS_POW2(len) || len > 8) {
		bus->missed++;
		if (!write)
			memset(buf, 0xff, len);
	} else if (write) {
		/* Counted first: the handler may move its own range. */
		r->writes++;
		r->write(r->ctx, addr - r->base, buf, len);
	} else {
		r->reads++;
		r->read(r->ctx, addr - r->base, buf, len);
	}
	pthread_mutex_unlock(bus->lock);
}
