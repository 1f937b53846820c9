/* SPDX-License-Identifier: BSD-3-Clause */
/* What query-pci says of a function's BARs, as QEMU's clients read it. */
#include "tests/unit/pci_rig.h"
#include "vmm/control_pci.h"

#include <linux/pci_regs.h>

static bool toy_reset(struct rwy_pci_dev *dev)
{
	return true;
}

static void toy_close(struct rwy_pci_dev *dev)
{
}

static const struct rwy_pci_dev_ops toy_ops = {.reset = toy_reset, .close = toy_close};

static void same(const json_t *got, const char *wanted)
{
	json_t *want = json_loads(wanted, 0, NULL);
	char *text = json_dumps(got, JSON_COMPACT | JSON_SORT_KEYS);

	assert_non_null(want);
	if (!json_equal(got, want))
		fail_msg("%s, not %s", text, wanted);
	free(text);
	json_decref(want);
}

static void regions(void **state)
{
	struct pci_rig rig;
	struct rwy_pci_dev toy = {0};
	json_t *list;

	rig_open_with(&rig, &rig_high);
	rwy_pci_dev_init(&toy, &toy_ops, "toy", &(struct rwy_pci_id){.vendor = 1, .device = 2});
	rwy_pci_dev_add_bar_of(&toy, 0, 0x1000, 0);
	rwy_pci_dev_add_bar_of(&toy, 1, 0x20, PCI_BASE_ADDRESS_SPACE_IO);
	rwy_pci_dev_add_bar_of(&toy, 2, 0x40000000,
			       PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH);
	rwy_pci_dev_add_bar_of(&toy, RWY_PCI_ROM, 0x10000, 0);
	assert_int_equal(rwy_pci_plug(rig.pci, &toy), 0);
	cfg_out(&rig, 1, PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	cfg_out(&rig, 1, PCI_BASE_ADDRESS_1, 4, 0x2000);
	cfg_out(&rig, 1, PCI_BASE_ADDRESS_2, 4, 0x40000000);
	cfg_out(&rig, 1, PCI_BASE_ADDRESS_3, 4, 0x41);
	cfg_out(&rig, 1, PCI_ROM_ADDRESS, 4, 0xd1000001);
	list = rwy_control_pci_list(rig.pci, NULL);
	same(json_object_get(json_array_get(json_object_get(json_array_get(list, 0), "devices"), 1),
			     "regions"),
	     "[{\"bar\": 0, \"type\": \"memory\", \"address\": 3489660928, \"size\": 4096,"
	     "  \"prefetch\": false, \"mem_type_64\": false},"
	     " {\"bar\": 1, \"type\": \"io\", \"address\": 8192, \"size\": 32},"
	     " {\"bar\": 2, \"type\": \"memory\", \"address\": 280246616064, \"size\": 1073741824,"
	     "  \"prefetch\": true, \"mem_type_64\": true},"
	     " {\"bar\": 6, \"type\": \"memory\", \"address\": 3506438144, \"size\": 65536,"
	     "  \"prefetch\": false, \"mem_type_64\": false}]");
	json_decref(list);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(regions)};

	return UNIT_RUN(tests);
}
