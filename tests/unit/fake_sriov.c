/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/fake_sriov.h"

#define DEVICES "/sys/bus/pci/devices/"
#define NAME	160

const struct fake_sriov_card fake_sriov_cards[] = {
	{"mlx5_core", "mlx5_core", 0x15b3, 0x101d, 0x101e, 2, 1, "0x020000", "enp", 12, 3072},
	{"ice", "iavf", 0x8086, 0x1592, 0x1889, 8, 1, "0x020000", "ens", 17, -1},
	{"i40e", "iavf", 0x8086, 0x1583, 0x154c, 16, 1, "0x020000", "eno", 5, -1},
	{"ixgbe", "ixgbevf", 0x8086, 0x10fb, 0x10ed, 128, 2, "0x020000", "enx", 3, -1},
	{"igb", "igbvf", 0x8086, 0x10c9, 0x10ca, 128, 2, "0x020000", "eth", 3, -1},
	{"bnxt_en", "bnxt_en", 0x14e4, 0x1750, 0x1806, 4, 1, "0x020000", "enq", 9, -1},
	{"nvme", "nvme", 0x1b36, 0x0010, 0x0010, 1, 1, "0x010802", NULL, 2, -1},
};
const unsigned fake_sriov_nr_cards = RWY_ARRAY_SIZE(fake_sriov_cards);

const struct fake_sriov_card *fake_sriov_card(const char *driver)
{
	for (unsigned i = 0; i < fake_sriov_nr_cards; i++)
		if (strcmp(fake_sriov_cards[i].driver, driver) == 0)
			return &fake_sriov_cards[i];
	fail_msg("no card has the driver %s", driver);
	return NULL;
}

static void RWY_PRINTF(4, 5)
	put(const char *root, const char *bdf, const char *file, const char *fmt, ...)
{
	char name[NAME], text[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(name, sizeof(name), DEVICES "%s/%s", bdf, file);
	fake_root_write(root, name, text);
}

/* Each function is alone in a group, which has the number of its routing ID. */
unsigned fake_sriov_routing_id(const char *bdf)
{
	unsigned domain, bus, device, function;

	assert_int_equal(sscanf(bdf, "%x:%x:%x.%x", &domain, &bus, &device, &function), 4);
	return bus << 8 | device << 3 | function;
}

static void put_group(const char *root, const char *bdf)
{
	unsigned group = fake_sriov_routing_id(bdf);
	char name[NAME], target[NAME];

	snprintf(name, sizeof(name), DEVICES "%s/iommu_group", bdf);
	snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%u", group);
	fake_root_link(root, name, target);
	snprintf(name, sizeof(name), "/sys/kernel/iommu_groups/%u/devices/%s", group, bdf);
	snprintf(target, sizeof(target), "../../../../bus/pci/devices/%s", bdf);
	fake_root_link(root, name, target);
}

/* Header and two capabilities: power management and MSI-X. */
void fake_sriov_put_config(const char *root, const char *bdf, unsigned nr_vectors)
{
	uint8_t config[256] = {[0x34] = 0x40,
			       [0x40] = 0x01,
			       [0x41] = 0x70,
			       [0x70] = 0x11,
			       [0x72] = (uint8_t)(nr_vectors - 1),
			       [0x73] = (uint8_t)((nr_vectors - 1) >> 8)};
	char name[NAME], path[FAKE_ROOT_PATH];
	FILE *file;

	snprintf(name, sizeof(name), DEVICES "%s/config", bdf);
	fake_root_path(path, root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(config, sizeof(config), 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

static void put_function(const char *root, const struct fake_sriov_card *card, const char *bdf,
			 unsigned device)
{
	put(root, bdf, "vendor", "0x%04x\n", card->vendor);
	put(root, bdf, "device", "0x%04x\n", device);
	put(root, bdf, "class", "%s\n", card->class);
	put(root, bdf, "numa_node", "%d\n", 1);
	put(root, bdf, "local_cpulist", "8-15,24-31\n");
	put_group(root, bdf);
}

void fake_sriov_bind(const char *root, const char *bdf, const char *driver)
{
	char name[NAME], path[FAKE_ROOT_PATH], target[NAME];

	snprintf(name, sizeof(name), DEVICES "%s/driver", bdf);
	fake_root_path(path, root, name);
	(void)!remove(path);
	if (!driver)
		return;
	snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
	fake_root_link(root, name, target);
	snprintf(name, sizeof(name), "/sys/bus/pci/drivers/%s/bind", driver);
	fake_root_write(root, name, "");
	snprintf(name, sizeof(name), "/sys/bus/pci/drivers/%s/unbind", driver);
	fake_root_write(root, name, "");
}

void fake_sriov_add_pf(const char *root, const struct fake_sriov_card *card, const char *bdf,
		       unsigned total)
{
	unsigned rid = fake_sriov_routing_id(bdf);
	char name[64];

	put_function(root, card, bdf, card->device);
	put(root, bdf, "sriov_totalvfs", "%u\n", total);
	put(root, bdf, "sriov_numvfs", "0\n");
	put(root, bdf, "sriov_drivers_autoprobe", "1\n");
	if (card->msix_total >= 0)
		put(root, bdf, "sriov_vf_total_msix", "%d\n", card->msix_total);
	fake_sriov_bind(root, bdf, card->driver);
	if (!card->netdev)
		return;
	snprintf(name, sizeof(name), "net/%s%u/ifindex", card->netdev, rid);
	put(root, bdf, name, "%u\n", rid);
	snprintf(name, sizeof(name), "net/%s%u/flags", card->netdev, rid);
	/* The one whose driver makes VFs only when it is up is down. */
	put(root, bdf, name, strcmp(card->driver, "bnxt_en") == 0 ? "0x1002\n" : "0x1003\n");
	snprintf(name, sizeof(name), "net/%s%u/address", card->netdev, rid);
	put(root, bdf, name, "52:54:00:ff:%02x:%02x\n", rid >> 8, rid & 0xff);
	snprintf(name, sizeof(name), "net/%s%u/carrier", card->netdev, rid);
	put(root, bdf, name, "1\n");
}

void fake_sriov_vf_bdf(const struct fake_sriov_card *card, const char *pf, unsigned idx,
		       char bdf[RWY_BDF_LEN])
{
	unsigned rid = fake_sriov_routing_id(pf) + card->offset + idx * card->stride;

	snprintf(bdf, RWY_BDF_LEN, "0000:%02x:%02x.%x", rid >> 8 & 0xff, rid >> 3 & 0x1f, rid & 7);
}

void fake_sriov_add_vfs(const char *root, const struct fake_sriov_card *card, const char *pf,
			unsigned nr, bool probed)
{
	put(root, pf, "sriov_numvfs", "%u\n", nr);
	for (unsigned i = 0; i < nr; i++) {
		char bdf[RWY_BDF_LEN], name[NAME], target[NAME];

		fake_sriov_vf_bdf(card, pf, i, bdf);
		put_function(root, card, bdf, card->vf_device);
		fake_sriov_put_config(root, bdf, card->nr_vectors);
		put(root, bdf, "driver_override", "(null)\n");
		snprintf(target, sizeof(target), "../%s", pf);
		snprintf(name, sizeof(name), DEVICES "%s/physfn", bdf);
		fake_root_link(root, name, target);
		if (probed)
			fake_sriov_bind(root, bdf, card->vf_driver);
		snprintf(target, sizeof(target), "../%s", bdf);
		snprintf(name, sizeof(name), DEVICES "%s/virtfn%u", pf, i);
		fake_root_link(root, name, target);
	}
}

void fake_sriov_hold(const char *root, int pid, const char *name, int fd, const char *file)
{
	char path[NAME], text[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	fake_root_link(root, path, file);
	snprintf(path, sizeof(path), "%s/proc/%d/exe", root, pid);
	assert_true(symlink(name, path) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	snprintf(text, sizeof(text), "%s\n", name);
	fake_root_write(root, path, text);
}
