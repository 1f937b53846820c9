/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/control_pci.h"

#include "vmm/pci_bytes.h"

#include <linux/pci_regs.h>

#define get16 rwy_pci_bytes_get16
#define get32 rwy_pci_bytes_get32

static const struct {
	uint16_t class_code;
	const char *desc;
} classes[] = {
	{0x0100, "SCSI controller"},	 {0x0108, "NVM Express controller"},
	{0x0200, "Ethernet controller"}, {0x0207, "InfiniBand controller"},
	{0x0302, "3D controller"},	 {0x0600, "Host bridge"},
	{0x0604, "PCI bridge"},
};

static json_t *class_info(const struct rwy_pci_dev *dev)
{
	uint16_t class_code = get16(dev->config + PCI_CLASS_DEVICE);
	json_t *info = json_pack("{si}", "class", class_code);

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(classes); i++)
		if (classes[i].class_code == class_code)
			json_object_set_new(info, "desc", json_string(classes[i].desc));
	return info;
}

static json_t *identity(const struct rwy_pci_dev *dev)
{
	const uint8_t *c = dev->config;
	json_t *id = json_pack("{sisi}", "vendor", get16(c + PCI_VENDOR_ID), "device",
			       get16(c + PCI_DEVICE_ID));

	if (c[PCI_HEADER_TYPE] == PCI_HEADER_TYPE_NORMAL) {
		json_object_set_new(id, "subsystem-vendor",
				    json_integer(get16(c + PCI_SUBSYSTEM_VENDOR_ID)));
		json_object_set_new(id, "subsystem", json_integer(get16(c + PCI_SUBSYSTEM_ID)));
	}
	return id;
}

/* Where the guest wants them, whether they are decoded there or not. */
static json_t *regions(const struct rwy_pci_dev *dev)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < RWY_PCI_BARS; i++) {
		const uint8_t *reg = dev->config + rwy_pci_bar_register(i);
		bool wide = rwy_pci_bar_is_wide(dev, i), ports = rwy_pci_bar_is_ports(dev, i);
		uint64_t addr = get32(reg) & ~(dev->bars[i].size - 1);
		json_t *region;

		if (dev->bars[i].size == 0)
			continue;
		if (wide)
			addr |= (uint64_t)get32(reg + 4) << 32;
		region = json_pack("{sisssIsI}", "bar", i, "type", ports ? "io" : "memory",
				   "address", (json_int_t)addr, "size",
				   (json_int_t)dev->bars[i].size);
		if (!ports)
			json_object_update_new(
				region, json_pack("{sbsb}", "prefetch",
						  i != RWY_PCI_ROM &&
							  reg[0] & PCI_BASE_ADDRESS_MEM_PREFETCH,
						  "mem_type_64", wide));
		json_array_append_new(list, region);
	}
	return list;
}

static json_t *range(uint64_t base, uint64_t limit)
{
	return json_pack("{sIsI}", "base", (json_int_t)base, "limit", (json_int_t)limit);
}

static json_t *describe(const struct rwy_pci_dev *dev, unsigned bus,
			const struct rwy_hotplug *hotplug);

static json_t *bridge(const struct rwy_pci_dev *dev, const struct rwy_hotplug *hotplug)
{
	const uint8_t *c = dev->config;
	unsigned secondary = c[PCI_SECONDARY_BUS];
	json_t *devices = json_array();
	uint64_t pref_base = (uint64_t)get32(c + PCI_PREF_BASE_UPPER32) << 32 |
			     (uint64_t)(get16(c + PCI_PREF_MEMORY_BASE) & 0xfff0) << 16;
	uint64_t pref_limit = (uint64_t)get32(c + PCI_PREF_LIMIT_UPPER32) << 32 |
			      (uint64_t)(get16(c + PCI_PREF_MEMORY_LIMIT) | 0xf) << 16 | 0xffff;

	if (dev->child && !dev->child->leaving)
		json_array_append_new(devices, describe(dev->child, secondary, hotplug));
	return json_pack("{s{sisisisososo}so}", "bus", "number", c[PCI_PRIMARY_BUS], "secondary",
			 secondary, "subordinate", c[PCI_SUBORDINATE_BUS], "io_range", range(0, 0),
			 "memory_range",
			 range((uint64_t)get16(c + PCI_MEMORY_BASE) << 16,
			       (uint64_t)(get16(c + PCI_MEMORY_LIMIT) | 0xf) << 16 | 0xffff),
			 "prefetchable_range", range(pref_base, pref_limit), "devices", devices);
}

static json_t *describe(const struct rwy_pci_dev *dev, unsigned bus,
			const struct rwy_hotplug *hotplug)
{
	const char *id = rwy_hotplug_id_of(hotplug, dev);
	json_t *object = json_pack("{sisisisosososiss}", "bus", bus, "slot", dev->slot, "function",
				   0, "class_info", class_info(dev), "id", identity(dev), "regions",
				   regions(dev), "irq_pin", dev->config[PCI_INTERRUPT_PIN],
				   "qdev_id", id ? id : dev->name);

	if (dev->config[PCI_HEADER_TYPE] == PCI_HEADER_TYPE_BRIDGE)
		json_object_set_new(object, "pci_bridge", bridge(dev, hotplug));
	return object;
}

json_t *rwy_control_pci_list(const struct rwy_pci *pci, const struct rwy_hotplug *hotplug)
{
	json_t *devices = json_array();

	for (const struct rwy_pci_dev *dev = rwy_pci_first(pci); dev; dev = rwy_pci_next(dev))
		json_array_append_new(devices, describe(dev, 0, hotplug));
	return json_pack("[{siso}]", "bus", 0, "devices", devices);
}
