/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/pci.h"

#include "lib/log.h"
#include "vmm/layout.h"

#include <assert.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

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

#define BAR_MIN	  4096
#define CAP_FIRST 0x40

struct rwy_pci {
	struct rwy_bus *mmio;
	struct rwy_bus *pio;
	struct rwy_irq *irq;
	void (*reset_port)(void *ctx, uint8_t value);
	void *ctx;
	struct rwy_pci_dev *slots[RWY_PCI_SLOTS];
	struct rwy_pci_dev bridge;
	uint32_t address; /* port 0xcf8 */
	uint64_t window;  /* first free address of the 32-bit window */
	void (*reset_done)(void *ctx);
	void *reset_ctx;
	unsigned nr_resetting;
	struct rwy_log_limit limit;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)v);
	put16(p + 2, (uint16_t)(v >> 16));
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

static unsigned bar_register(unsigned bar)
{
	return bar == RWY_PCI_ROM ? PCI_ROM_ADDRESS : PCI_BASE_ADDRESS_0 + 4 * bar;
}

static bool is_wide(const struct rwy_pci_dev *dev, unsigned bar)
{
	return bar != RWY_PCI_ROM &&
	       (dev->config[bar_register(bar)] & PCI_BASE_ADDRESS_MEM_TYPE_MASK) ==
		       PCI_BASE_ADDRESS_MEM_TYPE_64;
}

/* Where the guest wants it, 0: nowhere, or where no host bridge would send an access. */
static uint64_t wanted_at(const struct rwy_pci_dev *dev, unsigned i)
{
	const uint8_t *reg = dev->config + bar_register(i);
	uint64_t addr = get32(reg) & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK & ~(dev->bars[i].size - 1);

	if (is_wide(dev, i))
		addr |= (uint64_t)get32(reg + 4) << 32;
	if (!(get16(dev->config + PCI_COMMAND) & PCI_COMMAND_MEMORY) || addr < RWY_LAYOUT_MMIO32 ||
	    addr >= RWY_LAYOUT_MMIO32_END || dev->bars[i].size > RWY_LAYOUT_MMIO32_END - addr)
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
	rwy_bus_del(dev->pci->mmio, dev->bars[i].addr);
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
	int rc = rwy_bus_add(dev->pci->mmio, &range);

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
		for (unsigned n = 0; n < RWY_PCI_SLOTS * RWY_PCI_BARS; n++) {
			struct rwy_pci_dev *dev = pci->slots[n / RWY_PCI_BARS];
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

static struct rwy_pci_dev *find_dev(const struct rwy_pci *pci, uint64_t bus, uint64_t devfn)
{
	return bus == 0 && devfn % 8 == 0 ? pci->slots[devfn / 8] : NULL;
}

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

/* ---- devices ---- */

void rwy_pci_dev_init(struct rwy_pci_dev *dev, const struct rwy_pci_dev_ops *ops, const char *name,
		      const struct rwy_pci_id *id)
{
	memset(dev, 0, sizeof(*dev));
	dev->ops = ops;
	dev->name = name;
	dev->cap_end = CAP_FIRST;
	dev->config_len = RWY_PCI_CONFIG;
	put16(dev->config + PCI_VENDOR_ID, id->vendor);
	put16(dev->config + PCI_DEVICE_ID, id->device);
	put16(dev->config + PCI_SUBSYSTEM_VENDOR_ID, id->sub_vendor);
	put16(dev->config + PCI_SUBSYSTEM_ID, id->sub_device);
	put32(dev->config + PCI_CLASS_REVISION, id->class_code << 8 | id->revision);
	put16(dev->writable + PCI_COMMAND,
	      PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	dev->writable[PCI_CACHE_LINE_SIZE] = 0xff;
	dev->writable[PCI_INTERRUPT_LINE] = 0xff;
}

void rwy_pci_dev_add_bar(struct rwy_pci_dev *dev, unsigned bar, uint32_t size)
{
	rwy_pci_dev_add_bar_of(dev, bar, size, 0);
}

void rwy_pci_dev_add_bar_of(struct rwy_pci_dev *dev, unsigned bar, uint64_t size, unsigned type)
{
	unsigned reg = bar_register(bar);

	assert(bar < RWY_PCI_BARS && size >= BAR_MIN && RWY_IS_POW2(size));
	dev->bars[bar] = (struct rwy_pci_bar){.dev = dev, .size = size};
	dev->config[reg] = (uint8_t)type;
	put32(dev->writable + reg, (uint32_t) ~(size - 1));
	if (bar == RWY_PCI_ROM)
		dev->writable[reg] |= PCI_ROM_ADDRESS_ENABLE;
	else if (is_wide(dev, bar))
		put32(dev->writable + reg + 4, (uint32_t)(~(size - 1) >> 32));
}

unsigned rwy_pci_dev_add_cap(struct rwy_pci_dev *dev, uint8_t id, const void *body, unsigned len)
{
	unsigned at = dev->cap_end;
	uint8_t *link = &dev->config[PCI_CAPABILITY_LIST];

	assert(at + 2 + len <= RWY_PCI_CONFIG);
	while (*link)
		link = &dev->config[*link + PCI_CAP_LIST_NEXT];
	*link = (uint8_t)at;
	dev->config[at] = id;
	memcpy(dev->config + at + 2, body, len);
	dev->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	dev->cap_end = RWY_ALIGN_UP(at + 2 + len, 4u);
	return at;
}

static int place_bars(struct rwy_pci *pci, struct rwy_pci_dev *dev)
{
	uint64_t next = pci->window;

	for (unsigned i = 0; i < RWY_PCI_BARS; i++) {
		if (dev->bars[i].size == 0)
			continue;
		next = RWY_ALIGN_UP(next, dev->bars[i].size);
		if (next >= RWY_LAYOUT_MMIO32_END ||
		    dev->bars[i].size > RWY_LAYOUT_MMIO32_END - next)
			return -ENOSPC;
		put32(dev->config + bar_register(i), (uint32_t)next | dev->config[bar_register(i)]);
		next += dev->bars[i].size;
	}
	pci->window = next;
	return 0;
}

int rwy_pci_plug(struct rwy_pci *pci, struct rwy_pci_dev *dev)
{
	unsigned slot = 0;
	int rc;

	while (slot < RWY_PCI_SLOTS && pci->slots[slot])
		slot++;
	if (slot == RWY_PCI_SLOTS)
		return -ENOSPC;
	rc = place_bars(pci, dev);
	if (rc < 0)
		return rc;
	dev->pci = pci;
	dev->slot = slot;
	memcpy(dev->power_on, dev->config, sizeof(dev->config));
	pci->slots[slot] = dev;
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
	pci->window = RWY_LAYOUT_MMIO32;
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
	for (unsigned slot = RWY_PCI_SLOTS; slot-- > 0;) {
		struct rwy_pci_dev *dev = pci->slots[slot];

		if (!dev)
			continue;
		for (unsigned i = 0; i < RWY_PCI_BARS; i++) {
			if (dev->bars[i].mapped)
				unmap_bar(dev, i);
		}
		pci->slots[slot] = NULL;
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

void rwy_pci_reset_done(struct rwy_pci_dev *dev)
{
	if (!dev->resetting)
		return;
	dev->resetting = false;
	one_is_quiet(dev->pci);
}

void rwy_pci_reset(struct rwy_pci *pci, void (*done)(void *ctx), void *ctx)
{
	assert(pci->nr_resetting == 0);
	pci->reset_done = done;
	pci->reset_ctx = ctx;
	pci->address = 0;
	pci->nr_resetting = 1; /* our own, so that `done` does not come before the end */
	for (unsigned slot = 0; slot < RWY_PCI_SLOTS; slot++) {
		struct rwy_pci_dev *dev = pci->slots[slot];

		if (dev)
			memcpy(dev->config, dev->power_on, sizeof(dev->config));
	}
	follow_bars(pci);
	for (unsigned slot = 0; slot < RWY_PCI_SLOTS; slot++) {
		struct rwy_pci_dev *dev = pci->slots[slot];

		if (!dev)
			continue;
		dev->resetting = !dev->ops->reset(dev);
		pci->nr_resetting += dev->resetting;
	}
	one_is_quiet(pci);
}
