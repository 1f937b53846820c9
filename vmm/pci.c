/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/pci.h"

#include "lib/log.h"
#include "vmm/layout.h"
#include "vmm/pci_bytes.h"

#include <assert.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#define get16 rwy_pci_bytes_get16
#define get32 rwy_pci_bytes_get32
#define put16 rwy_pci_bytes_put16
#define put32 rwy_pci_bytes_put32

#define RWY_STEM "pci"

#define PORT_ADDRESS 0xcf8 /* and, inside it, the reset register */
#define PORT_LEN     8
#define PORT_RESET   1
#define PORT_DATA    4

#define ECAM_BUS(off)	 ((off) >> 20)
#define ECAM_DEVFN(off)	 ((off) >> 12 & 0xff)
#define ECAM_REG(off)	 ((unsigned)((off)&0xfff))
#define ADDR_ENABLE	 0x80000000u
#define ADDR_BUS(addr)	 ((addr) >> 16 & 0xff)
#define ADDR_DEVFN(addr) ((addr) >> 8 & 0xff)
#define ADDR_REG(addr)	 ((addr)&0xfc)

struct rwy_pci {
	struct rwy_bus *mmio;
	struct rwy_bus *pio;
	struct rwy_irq *irq;
	void (*reset_port)(void *ctx, uint8_t value);
	void *ctx;
	struct rwy_pci_dev *slots[RWY_PCI_SLOTS];
	struct rwy_pci_dev bridge;
	uint32_t address; /* port 0xcf8 */
	struct rwy_pci_windows windows;
	uint8_t nr_buses; /* behind bridges, at power-on */
	void (*reset_done)(void *ctx);
	void *reset_ctx;
	unsigned nr_resetting;
	struct rwy_log_limit limit;
};

/* ---- the tree: the root bus, and behind each bridge on it a link with one device ---- */

#define NR_PLACES (2 * RWY_PCI_SLOTS)

/* What is on the root bus, then what is behind it. */
static struct rwy_pci_dev *dev_at(const struct rwy_pci *pci, unsigned place)
{
	struct rwy_pci_dev *dev = pci->slots[place % RWY_PCI_SLOTS];

	return dev && place >= RWY_PCI_SLOTS ? dev->child : dev;
}

/* Bus numbers behind the root are the guest's to give. */
static struct rwy_pci_dev *find_dev(const struct rwy_pci *pci, uint64_t bus, uint64_t devfn)
{
	if (devfn % 8)
		return NULL;
	if (bus == 0)
		return pci->slots[devfn / 8];
	for (unsigned slot = 0; slot < RWY_PCI_SLOTS; slot++) {
		const struct rwy_pci_dev *dev = pci->slots[slot];

		if (dev && rwy_pci_is_bridge(dev) && dev->config[PCI_SECONDARY_BUS] == bus)
			return devfn == 0 && dev->child && !dev->child->leaving ? dev->child : NULL;
	}
	return NULL;
}

/* ---- BARs ---- */

static void bar_read(void *ctx, uint64_t off, void *buf, unsigned len)
{
	struct rwy_pci_bar *bar = ctx;

	bar->reads++;
	bar->dev->ops->bar_read(bar->dev, (unsigned)(bar - bar->dev->bars), off, buf, len);
}

static void bar_write(void *ctx, uint64_t off, const void *buf, unsigned len)
{
	struct rwy_pci_bar *bar = ctx;

	bar->writes++;
	bar->dev->ops->bar_write(bar->dev, (unsigned)(bar - bar->dev->bars), off, buf, len);
}

static struct rwy_bus *bus_of(const struct rwy_pci_dev *dev, unsigned i)
{
	return rwy_pci_bar_is_ports(dev, i) ? dev->pci->pio : dev->pci->mmio;
}

/* Where the guest wants it, 0: nowhere, or where no host bridge would send an access. */
static uint64_t wanted_at(const struct rwy_pci_dev *dev, unsigned i)
{
	const uint8_t *reg = dev->config + rwy_pci_bar_register(i);
	uint16_t decode = rwy_pci_bar_is_ports(dev, i) ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	uint64_t addr = get32(reg);

	if (rwy_pci_bar_is_wide(dev, i))
		addr |= (uint64_t)get32(reg + 4) << 32;
	addr &= ~(dev->bars[i].size - 1); /* and with that what kind of BAR it is */
	if (!(get16(dev->config + PCI_COMMAND) & decode) || dev->leaving ||
	    !rwy_pci_window_reaches(&dev->pci->windows, dev, i, addr))
		return 0;
	return i == RWY_PCI_ROM && !(*reg & PCI_ROM_ADDRESS_ENABLE) ? 0 : addr;
}

static void tell_mapped(struct rwy_pci_dev *dev, unsigned i, bool mapped)
{
	dev->bars[i].mapped = mapped;
	if (dev->ops->bar_mapped)
		dev->ops->bar_mapped(dev, i, mapped);
}

static void unmap_bar(struct rwy_pci_dev *dev, unsigned i)
{
	tell_mapped(dev, i, false);
	rwy_bus_del(bus_of(dev, i), dev->bars[i].addr);
}

static void map_bar(struct rwy_pci_dev *dev, unsigned i, uint64_t addr)
{
	struct rwy_pci_bar *bar = &dev->bars[i];
	const struct rwy_bus_range range = {
		.base = addr,
		.size = bar->size,
		.read = bar_read,
		.write = bar_write,
		.ctx = bar,
		.name = dev->name,
		.reads = bar->reads,
		.writes = bar->writes,
	};
	int rc = rwy_bus_add(bus_of(dev, i), &range);

	if (rc < 0) {
		if (rwy_log_allow(&dev->pci->limit, 4))
			rwy_warn("%s: BAR %u not mapped at 0x%llx: %s", dev->name, i,
				 (unsigned long long)addr, strerror(-rc));
		return;
	}
	bar->addr = addr;
	tell_mapped(dev, i, true);
}

/* All devices at once: what one leaves, another may take. */
static void follow_bars(struct rwy_pci *pci)
{
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned n = 0; n < NR_PLACES * RWY_PCI_BARS; n++) {
			struct rwy_pci_dev *dev = dev_at(pci, n / RWY_PCI_BARS);
			unsigned i = n % RWY_PCI_BARS;
			uint64_t addr;

			if (!dev || dev->bars[i].size == 0)
				continue;
			addr = wanted_at(dev, i);
			if (pass == 0 && dev->bars[i].mapped && addr != dev->bars[i].addr)
				unmap_bar(dev, i);
			else if (pass == 1 && !dev->bars[i].mapped && addr)
				map_bar(dev, i, addr);
		}
	}
}

/* ---- configuration space ---- */

static void config_read(struct rwy_pci_dev *dev, unsigned reg, void *buf, unsigned len)
{
	memset(buf, 0xff, len);
	if (!dev || !rwy_base_inside(reg, len, dev->config_len))
		return;
	if (dev->ops->config_read)
		dev->ops->config_read(dev, reg, len);
	memcpy(buf, dev->config + reg, len);
}

static void config_write(struct rwy_pci_dev *dev, unsigned reg, const void *buf, unsigned len)
{
	const uint8_t *bytes = buf;

	if (!dev || !rwy_base_inside(reg, len, dev->config_len))
		return;
	for (unsigned i = 0; i < len; i++) {
		uint8_t mask = dev->writable[reg + i];

		dev->config[reg + i] =
			(uint8_t)((dev->config[reg + i] & ~mask) | (bytes[i] & mask));
	}
	if (reg < PCI_CAPABILITY_LIST) /* command or a BAR, to all that matters */
		follow_bars(dev->pci);
	if (dev->ops->config_written)
		dev->ops->config_written(dev, reg, len);
}

static void ecam_read(void *ctx, uint64_t off, void *buf, unsigned len)
{
	config_read(find_dev(ctx, ECAM_BUS(off), ECAM_DEVFN(off)), ECAM_REG(off), buf, len);
}

static void ecam_write(void *ctx, uint64_t off, const void *buf, unsigned len)
{
	config_write(find_dev(ctx, ECAM_BUS(off), ECAM_DEVFN(off)), ECAM_REG(off), buf, len);
}

static struct rwy_pci_dev *port_dev(const struct rwy_pci *pci)
{
	if (!(pci->address & ADDR_ENABLE))
		return NULL;
	return find_dev(pci, ADDR_BUS(pci->address), ADDR_DEVFN(pci->address));
}

static void port_read(void *ctx, uint64_t off, void *buf, unsigned len)
{
	struct rwy_pci *pci = ctx;

	if (off >= PORT_DATA)
		config_read(port_dev(pci), ADDR_REG(pci->address) + (unsigned)off - PORT_DATA, buf,
			    len);
	else if (off == 0 && len == 4)
		memcpy(buf, &pci->address, 4);
	else
		memset(buf, off == PORT_RESET ? 0 : 0xff, len);
}

static void port_write(void *ctx, uint64_t off, const void *buf, unsigned len)
{
	struct rwy_pci *pci = ctx;

	if (off >= PORT_DATA)
		config_write(port_dev(pci), ADDR_REG(pci->address) + (unsigned)off - PORT_DATA, buf,
			     len);
	else if (off == 0 && len == 4)
		memcpy(&pci->address, buf, 4);
	else if (off == PORT_RESET && len == 1 && pci->reset_port)
		pci->reset_port(pci->ctx, *(const uint8_t *)buf);
}

/* ---- plugging ---- */

static int plug_on_root(struct rwy_pci *pci, struct rwy_pci_dev *dev)
{
	unsigned slot = 0;
	int rc;

	while (slot < RWY_PCI_SLOTS && pci->slots[slot])
		slot++;
	if (slot == RWY_PCI_SLOTS)
		return -ENOSPC;
	rc = rwy_pci_window_place(&pci->windows, dev);
	if (rc < 0)
		return rc;
	if (rwy_pci_is_bridge(dev))
		memset(dev->config + PCI_SECONDARY_BUS, ++pci->nr_buses, 2); /* subordinate, too */
	dev->slot = slot;
	pci->slots[slot] = dev;
	return 0;
}

static int plug_behind(struct rwy_pci *pci, struct rwy_pci_dev *bridge, struct rwy_pci_dev *dev)
{
	int rc = bridge->child ? -EBUSY : rwy_pci_window_place(&pci->windows, dev);

	if (rc < 0)
		return rc;
	dev->slot = 0;
	bridge->child = dev;
	return 0;
}

int rwy_pci_plug(struct rwy_pci *pci, struct rwy_pci_dev *dev)
{
	int rc = dev->bridge ? plug_behind(pci, dev->bridge, dev) : plug_on_root(pci, dev);

	if (rc < 0)
		return rc;
	dev->pci = pci;
	memcpy(dev->power_on, dev->config, sizeof(dev->config));
	return 0;
}

/* ---- the root ---- */

static bool bridge_reset(struct rwy_pci_dev *dev)
{
	return true;
}

static void bridge_close(struct rwy_pci_dev *dev)
{
}

static const struct rwy_pci_dev_ops bridge_ops = {.reset = bridge_reset, .close = bridge_close};

static int claim_ranges(struct rwy_pci *pci)
{
	const struct rwy_bus_range ecam = {
		.base = RWY_LAYOUT_ECAM,
		.size = RWY_LAYOUT_ECAM_SIZE,
		.read = ecam_read,
		.write = ecam_write,
		.ctx = pci,
		.name = "pci-ecam",
	};
	const struct rwy_bus_range ports = {
		.base = PORT_ADDRESS,
		.size = PORT_LEN,
		.read = port_read,
		.write = port_write,
		.ctx = pci,
		.name = "pci-ports",
	};
	int rc = rwy_bus_add(pci->mmio, &ecam);

	if (rc < 0)
		return rc;
	rc = rwy_bus_add(pci->pio, &ports);
	if (rc < 0)
		rwy_bus_del(pci->mmio, ecam.base);
	return rc;
}

int rwy_pci_open(struct rwy_pci **out, const struct rwy_pci_config *config)
{
	/* What QEMU calls its PCI Express host: every system knows it and wants nothing of it. */
	static const struct rwy_pci_id id = {.vendor = 0x1b36,
					     .device = 0x0008,
					     .class_code = 0x060000};
	struct rwy_pci *pci = calloc(1, sizeof(*pci));
	int rc;

	if (!pci)
		return -ENOMEM;
	pci->mmio = config->mmio;
	pci->pio = config->pio;
	pci->irq = config->irq;
	pci->reset_port = config->reset_port;
	pci->ctx = config->ctx;
	rwy_pci_window_init(&pci->windows, &config->high);
	rc = claim_ranges(pci);
	if (rc < 0) {
		free(pci);
		return rc;
	}
	rwy_pci_dev_init(&pci->bridge, &bridge_ops, "host-bridge", &id);
	rc = rwy_pci_plug(pci, &pci->bridge);
	assert(rc == 0);
	*out = pci;
	return 0;
}

void rwy_pci_close(struct rwy_pci *pci)
{
	if (!pci)
		return;
	for (unsigned place = NR_PLACES; place-- > 0;) {
		struct rwy_pci_dev *dev = dev_at(pci, place);

		if (!dev)
			continue;
		for (unsigned i = 0; i < RWY_PCI_BARS; i++) {
			if (dev->bars[i].mapped)
				unmap_bar(dev, i);
		}
		if (dev->bridge)
			dev->bridge->child = NULL;
		else
			pci->slots[place] = NULL;
		dev->ops->close(dev);
	}
	rwy_bus_del(pci->pio, PORT_ADDRESS);
	rwy_bus_del(pci->mmio, RWY_LAYOUT_ECAM);
	free(pci);
}

struct rwy_irq *rwy_pci_irq(const struct rwy_pci *pci)
{
	return pci->irq;
}

static void one_is_quiet(struct rwy_pci *pci)
{
	if (--pci->nr_resetting == 0)
		pci->reset_done(pci->reset_ctx);
}

static void leave(struct rwy_pci_dev *dev)
{
	dev->bridge->child = NULL;
	dev->left(dev->left_ctx);
}

void rwy_pci_reset_done(struct rwy_pci_dev *dev)
{
	struct rwy_pci *pci = dev->pci;
	bool awaited = dev->awaited;

	if (!dev->resetting)
		return;
	dev->resetting = false;
	dev->awaited = false;
	if (dev->leaving)
		leave(dev);
	if (awaited)
		one_is_quiet(pci);
}

void rwy_pci_unplug(struct rwy_pci_dev *dev, void (*left)(void *ctx), void *ctx)
{
	assert(dev->bridge && !dev->leaving);
	dev->leaving = true;
	dev->left = left;
	dev->left_ctx = ctx;
	follow_bars(dev->pci);
	if (!dev->resetting)
		dev->resetting = !dev->ops->reset(dev);
	if (!dev->resetting)
		leave(dev);
}

void rwy_pci_reset(struct rwy_pci *pci, void (*done)(void *ctx), void *ctx)
{
	assert(pci->nr_resetting == 0);
	pci->reset_done = done;
	pci->reset_ctx = ctx;
	pci->address = 0;
	pci->nr_resetting = 1; /* our own, so that `done` does not come before the end */
	for (unsigned place = 0; place < NR_PLACES; place++) {
		struct rwy_pci_dev *dev = dev_at(pci, place);

		if (dev)
			memcpy(dev->config, dev->power_on, sizeof(dev->config));
	}
	follow_bars(pci);
	for (unsigned place = 0; place < NR_PLACES; place++) {
		struct rwy_pci_dev *dev = dev_at(pci, place);

		if (!dev)
			continue;
		if (!dev->resetting)
			dev->resetting = !dev->ops->reset(dev);
		dev->awaited = dev->resetting;
		pci->nr_resetting += dev->resetting;
	}
	one_is_quiet(pci);
}

struct rwy_pci_dev *rwy_pci_first(const struct rwy_pci *pci)
{
	return pci->slots[0];
}

struct rwy_pci_dev *rwy_pci_next(const struct rwy_pci_dev *dev)
{
	for (unsigned slot = dev->slot + 1; slot < RWY_PCI_SLOTS; slot++) {
		if (dev->pci->slots[slot])
			return dev->pci->slots[slot];
	}
	return NULL;
}
