/* SPDX-License-Identifier: BSD-3-Clause */
/* A PCI root on two real buses and a fake interrupt controller, and what a guest's CPU can do. */
#ifndef RWY_TESTS_PCI_RIG_H
#define RWY_TESTS_PCI_RIG_H

#include "tests/unit/fake_irq.h"
#include "tests/unit/unit.h"
#include "vmm/layout.h"
#include "vmm/pci.h"

#include <string.h>

struct pci_rig {
	pthread_mutex_t lock;
	struct rwy_bus mmio;
	struct rwy_bus pio;
	struct rwy_irq *irq;
	struct rwy_pci *pci;
	unsigned resets;
	uint8_t reset_value;
	unsigned quiet;
};

static inline void rig_reset_port(void *ctx, uint8_t value)
{
	struct pci_rig *rig = ctx;

	rig->resets++;
	rig->reset_value = value;
}

static inline void rig_quiet(void *ctx)
{
	((struct pci_rig *)ctx)->quiet++;
}

static const struct rwy_pci_window rig_high = {0x4000000000, 0x4000000000};
static const struct rwy_pci_window rig_no_high;

static inline void rig_open_with(struct pci_rig *rig, const struct rwy_pci_window *high)
{
	struct rwy_pci_config config = {.mmio = &rig->mmio,
					.pio = &rig->pio,
					.high = *high,
					.reset_port = rig_reset_port,
					.ctx = rig};

	memset(rig, 0, sizeof(*rig));
	pthread_mutex_init(&rig->lock, NULL);
	rwy_bus_init(&rig->mmio, "mmio", &rig->lock);
	rwy_bus_init(&rig->pio, "pio", &rig->lock);
	assert_int_equal(rwy_irq_open(&rig->irq, -1), 0);
	config.irq = rig->irq;
	assert_int_equal(rwy_pci_open(&rig->pci, &config), 0);
}

static inline void rig_open(struct pci_rig *rig)
{
	rig_open_with(rig, &rig_no_high);
}

static inline void rig_close(struct pci_rig *rig)
{
	rwy_pci_close(rig->pci);
	assert_int_equal(rig->mmio.nr, 0);
	assert_int_equal(rig->pio.nr, 0);
	rwy_irq_close(rig->irq);
}

static inline uint64_t rig_in(struct rwy_bus *bus, uint64_t addr, unsigned len)
{
	uint64_t value = 0;

	rwy_bus_access(bus, addr, &value, len, false);
	return value;
}

static inline void rig_out(struct rwy_bus *bus, uint64_t addr, unsigned len, uint64_t value)
{
	rwy_bus_access(bus, addr, &value, len, true);
}

static inline uint64_t rig_ecam(unsigned slot, unsigned reg)
{
	return RWY_LAYOUT_ECAM + slot * 0x8000u + reg;
}

static inline uint32_t cfg_in(struct pci_rig *rig, unsigned slot, unsigned reg, unsigned len)
{
	return (uint32_t)rig_in(&rig->mmio, rig_ecam(slot, reg), len);
}

static inline void cfg_out(struct pci_rig *rig, unsigned slot, unsigned reg, unsigned len,
			   uint32_t value)
{
	rig_out(&rig->mmio, rig_ecam(slot, reg), len, value);
}

/* Offset of the nth capability with this id, 0: none. The walk is bounded. */
static inline unsigned cfg_cap(struct pci_rig *rig, unsigned slot, uint8_t id, unsigned nth)
{
	unsigned at = cfg_in(rig, slot, 0x34, 1);

	for (unsigned n = 0; at && n < 64; n++) {
		if (cfg_in(rig, slot, at, 1) == id && nth-- == 0)
			return at;
		at = cfg_in(rig, slot, at + 1, 1);
	}
	return 0;
}

#endif
