/* SPDX-License-Identifier: BSD-3-Clause */
/* How a device describes itself, before it is plugged in: pci.h. */
#include "vmm/pci.h"

#include "vmm/pci_bytes.h"

#include <assert.h>
#include <linux/pci_regs.h>
#include <string.h>

#define put16 rwy_pci_bytes_put16
#define put32 rwy_pci_bytes_put32

#define BAR_MIN	  4096
#define PORTS_MIN 4
#define CAP_FIRST 0x40

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
	unsigned reg = rwy_pci_bar_register(bar);
	bool ports = bar != RWY_PCI_ROM && type & PCI_BASE_ADDRESS_SPACE_IO;

	assert(bar < RWY_PCI_BARS && size >= (ports ? PORTS_MIN : BAR_MIN) && RWY_IS_POW2(size));
	dev->bars[bar] = (struct rwy_pci_bar){.dev = dev, .size = size};
	dev->config[reg] = (uint8_t)type;
	put32(dev->writable + reg, (uint32_t) ~(size - 1));
	if (bar == RWY_PCI_ROM)
		dev->writable[reg] |= PCI_ROM_ADDRESS_ENABLE;
	else if (ports)
		dev->writable[PCI_COMMAND] |= PCI_COMMAND_IO;
	else if (type & PCI_BASE_ADDRESS_MEM_TYPE_64)
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

void rwy_pci_dev_make_bridge(struct rwy_pci_dev *dev)
{
	uint8_t *config = dev->config, *writable = dev->writable;

	config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
	memset(config + PCI_SUBSYSTEM_VENDOR_ID, 0, 4); /* another register here */
	memset(writable + PCI_PRIMARY_BUS, 0xff, 3);
	put16(writable + PCI_MEMORY_BASE, 0xfff0);
	put16(writable + PCI_MEMORY_LIMIT, 0xfff0);
	/* Of 64 bits, and closed: its base is above its limit. There is no window for ports. */
	put16(config + PCI_PREF_MEMORY_BASE, 0xfff0 | PCI_PREF_RANGE_TYPE_64);
	put16(config + PCI_PREF_MEMORY_LIMIT, PCI_PREF_RANGE_TYPE_64);
	put16(writable + PCI_PREF_MEMORY_BASE, 0xfff0);
	put16(writable + PCI_PREF_MEMORY_LIMIT, 0xfff0);
	memset(writable + PCI_PREF_BASE_UPPER32, 0xff, 8);
	put16(writable + PCI_BRIDGE_CONTROL, PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR);
}
