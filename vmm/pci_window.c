/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/pci_window.h"

#include "vmm/layout.h"
#include "vmm/pci.h"
#include "vmm/pci_bytes.h"

#include <errno.h>

#define get16 rwy_pci_bytes_get16
#define get32 rwy_pci_bytes_get32
#define put16 rwy_pci_bytes_put16
#define put32 rwy_pci_bytes_put32

/* Of a bridge's memory windows: what a hot-plugged device may need; 16 of them leave half of all.
 */
#define BRIDGE_LOW   (UINT64_C(32) << 20)
#define BRIDGE_HIGH  (RWY_LAYOUT_MMIO64_SIZE / 32)
#define BRIDGE_ALIGN (UINT64_C(1) << 20)
/* What is larger would fill a bridge's low window. */
#define LARGE (BRIDGE_LOW / 2)

struct rwy_pci_window rwy_pci_window_high(uint64_t ram_end, unsigned address_bits)
{
	static const uint64_t places[] = {RWY_LAYOUT_MMIO64, RWY_LAYOUT_MMIO64_BEYOND};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(places); i++)
		if (ram_end <= places[i] &&
		    places[i] + RWY_LAYOUT_MMIO64_SIZE <= UINT64_C(1) << RWY_MIN(address_bits, 63u))
			return (struct rwy_pci_window){places[i], RWY_LAYOUT_MMIO64_SIZE};
	return (struct rwy_pci_window){0};
}

static void set(struct rwy_pci_windows *w, unsigned kind, uint64_t base, uint64_t size)
{
	w->of[kind] = (struct rwy_pci_window){base, size};
	w->next[kind] = base;
}

void rwy_pci_window_init(struct rwy_pci_windows *w, const struct rwy_pci_window *high)
{
	set(w, RWY_PCI_WINDOW_LOW, RWY_LAYOUT_MMIO32, RWY_LAYOUT_MMIO32_SIZE);
	set(w, RWY_PCI_WINDOW_HIGH, high->base, high->size);
	set(w, RWY_PCI_WINDOW_PORTS, RWY_LAYOUT_PORTS, RWY_LAYOUT_PORTS_SIZE);
}

/* ---- bridges: two memory windows (PCI-to-PCI Bridge 1.2 section 3.2.5) ---- */

static struct rwy_pci_window between(uint64_t base, uint64_t last)
{
	return last < base ? (struct rwy_pci_window){0}
			   : (struct rwy_pci_window){base, last - base + 1};
}

static struct rwy_pci_window low_of(const uint8_t *c)
{
	return between((uint64_t)(get16(c + PCI_MEMORY_BASE) & 0xfff0) << 16,
		       (uint64_t)(get16(c + PCI_MEMORY_LIMIT) | 0xf) << 16 | 0xffff);
}

static struct rwy_pci_window high_of(const uint8_t *c)
{
	return between((uint64_t)get32(c + PCI_PREF_BASE_UPPER32) << 32 |
			       (uint64_t)(get16(c + PCI_PREF_MEMORY_BASE) & 0xfff0) << 16,
		       (uint64_t)get32(c + PCI_PREF_LIMIT_UPPER32) << 32 |
			       (uint64_t)(get16(c + PCI_PREF_MEMORY_LIMIT) | 0xf) << 16 | 0xffff);
}

static void put_low(uint8_t *c, uint64_t base)
{
	put16(c + PCI_MEMORY_BASE, (uint16_t)(base >> 16));
	put16(c + PCI_MEMORY_LIMIT, (uint16_t)((base + BRIDGE_LOW - BRIDGE_ALIGN) >> 16));
}

static void put_high(uint8_t *c, uint64_t base)
{
	uint64_t last = base + BRIDGE_HIGH - BRIDGE_ALIGN;

	put16(c + PCI_PREF_MEMORY_BASE, (uint16_t)(base >> 16 | PCI_PREF_RANGE_TYPE_64));
	put16(c + PCI_PREF_MEMORY_LIMIT, (uint16_t)(last >> 16 | PCI_PREF_RANGE_TYPE_64));
	put32(c + PCI_PREF_BASE_UPPER32, (uint32_t)(base >> 32));
	put32(c + PCI_PREF_LIMIT_UPPER32, (uint32_t)(last >> 32));
}

/* ---- placing ---- */

/* 0: it has no room. */
static uint64_t take(struct rwy_pci_windows *w, unsigned kind, uint64_t size, uint64_t align)
{
	const struct rwy_pci_window *window = &w->of[kind];
	uint64_t at = RWY_ALIGN_UP(w->next[kind], align);

	if (!window->size || !rwy_base_inside(at - window->base, size, window->size))
		return 0;
	w->next[kind] = at + size;
	return at;
}

static uint64_t take_for_bar(struct rwy_pci_windows *w, const struct rwy_pci_dev *dev, unsigned i)
{
	const uint8_t *reg = dev->config + rwy_pci_bar_register(i);
	uint64_t size = dev->bars[i].size, at = 0;
	/* A bridge's high window is for what may be prefetched. */
	bool may_high = rwy_pci_bar_is_wide(dev, i) &&
			(!dev->bridge || *reg & PCI_BASE_ADDRESS_MEM_PREFETCH);

	if (rwy_pci_bar_is_ports(dev, i))
		return take(w, RWY_PCI_WINDOW_PORTS, size, size);
	if (may_high && size > LARGE)
		at = take(w, RWY_PCI_WINDOW_HIGH, size, size);
	if (!at)
		at = take(w, RWY_PCI_WINDOW_LOW, size, size);
	if (!at && may_high)
		at = take(w, RWY_PCI_WINDOW_HIGH, size, size);
	return at;
}

static int place_bars(struct rwy_pci_windows *w, struct rwy_pci_dev *dev)
{
	for (unsigned i = 0; i < RWY_PCI_BARS; i++) {
		uint8_t *reg = dev->config + rwy_pci_bar_register(i);
		uint64_t at = dev->bars[i].size ? take_for_bar(w, dev, i) : 0;

		if (dev->bars[i].size && !at)
			return -ENOSPC;
		if (!at)
			continue;
		put32(reg, (uint32_t)at | *reg);
		if (rwy_pci_bar_is_wide(dev, i))
			put32(reg + 4, (uint32_t)(at >> 32));
	}
	return 0;
}

static int place_windows(struct rwy_pci_windows *w, struct rwy_pci_dev *dev)
{
	uint64_t low = take(w, RWY_PCI_WINDOW_LOW, BRIDGE_LOW, BRIDGE_ALIGN);
	uint64_t high = take(w, RWY_PCI_WINDOW_HIGH, BRIDGE_HIGH, BRIDGE_HIGH);

	if (!low)
		return -ENOSPC;
	put_low(dev->config, low);
	if (high)
		put_high(dev->config, high);
	return 0;
}

int rwy_pci_window_place(struct rwy_pci_windows *w, struct rwy_pci_dev *dev)
{
	struct rwy_pci_windows left = *w;
	int rc;

	if (dev->bridge) {
		const struct rwy_pci_window low = low_of(dev->bridge->power_on);
		const struct rwy_pci_window high = high_of(dev->bridge->power_on);

		set(&left, RWY_PCI_WINDOW_LOW, low.base, low.size);
		set(&left, RWY_PCI_WINDOW_HIGH, high.base, high.size);
		set(&left, RWY_PCI_WINDOW_PORTS, 0, 0);
		return place_bars(&left, dev);
	}
	rc = place_bars(&left, dev);
	if (rc == 0 && rwy_pci_is_bridge(dev))
		rc = place_windows(&left, dev);
	if (rc == 0)
		*w = left;
	return rc;
}

/* ---- reaching ---- */

static bool holds(const struct rwy_pci_window *window, uint64_t addr, uint64_t size)
{
	return addr >= window->base && rwy_base_inside(addr - window->base, size, window->size);
}

bool rwy_pci_window_reaches(const struct rwy_pci_windows *w, const struct rwy_pci_dev *dev,
			    unsigned bar, uint64_t addr)
{
	uint64_t size = dev->bars[bar].size;

	if (rwy_pci_bar_is_ports(dev, bar))
		return !dev->bridge && holds(&w->of[RWY_PCI_WINDOW_PORTS], addr, size);
	if (!holds(&w->of[RWY_PCI_WINDOW_LOW], addr, size) &&
	    !holds(&w->of[RWY_PCI_WINDOW_HIGH], addr, size))
		return false;
	if (!dev->bridge)
		return true;
	if (!(get16(dev->bridge->config + PCI_COMMAND) & PCI_COMMAND_MEMORY))
		return false;
	const struct rwy_pci_window low = low_of(dev->bridge->config);
	const struct rwy_pci_window high = high_of(dev->bridge->config);

	return holds(&low, addr, size) || holds(&high, addr, size);
}
