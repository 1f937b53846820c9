/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/group.h"
#include "tests/unit/fake_root.h"
#include "tests/unit/log_catch.h"

#define DEVICES "/sys/bus/pci/devices/"
#define GROUP	"/sys/kernel/iommu_groups/7/"

static const struct rwy_dma_limits limits = {4096, UINT64_MAX, 100};

/* A function in group 7 with a driver, NULL: none. */
static void add(const char *root, const char *bdf, const char *class, const char *driver)
{
	char path[128], target[128];

	snprintf(path, sizeof(path), DEVICES "%s/class", bdf);
	fake_root_write(root, path, class);
	snprintf(path, sizeof(path), DEVICES "%s/iommu_group", bdf);
	fake_root_link(root, path, "../../../../kernel/iommu_groups/7");
	snprintf(path, sizeof(path), GROUP "devices/%s", bdf);
	snprintf(target, sizeof(target), "../../../../devices/pci0000:00/%s", bdf);
	fake_root_link(root, path, target);
	if (!driver)
		return;
	snprintf(path, sizeof(path), DEVICES "%s/driver", bdf);
	snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
	fake_root_link(root, path, target);
}

static void found(void **state)
{
	unsigned group = 0;

	log_catch();
	add(*state, "0000:01:10.0", "0x020000\n", "vfio-pci");
	assert_int_equal(rwy_group_find(*state, "0000:01:10.0", &group), 0);
	assert_int_equal(group, 7);
	assert_int_equal(rwy_group_find(*state, "0000:01:10.7", &group), -ENODEV);
	assert_true(log_said("no PCI function 0000:01:10.7"));
	fake_root_write(*state, DEVICES "0000:02:00.0/class", "0x020000\n");
	assert_int_equal(rwy_group_find(*state, "0000:02:00.0", &group), -ENOENT);
	assert_true(log_said("intel_iommu=on"));
}

static void viable(void **state)
{
	add(*state, "0000:01:00.0", "0x020000\n", "vfio-pci");
	add(*state, "0000:01:00.1", "0x020000\n", NULL);
	add(*state, "0000:01:00.2", "0x020000\n", "pci-stub");
	add(*state, "0000:00:1c.0", "0x060400\n", "pcieport");
	add(*state, "0000:00:00.0", "0x060000\n", "some-bridge");
	assert_int_equal(rwy_group_check(*state, "0000:01:00.0", 7), 0);
}

static void foreign_member(void **state)
{
	log_catch();
	add(*state, "0000:01:00.0", "0x020000\n", "vfio-pci");
	add(*state, "0000:01:00.1", "0x010802\n", "nvme");
	assert_int_equal(rwy_group_check(*state, "0000:01:00.0", 7), -EBUSY);
	assert_true(log_said("0000:01:00.0 shares IOMMU group 7 with 0000:01:00.1"));
	assert_true(log_said("driver nvme"));
}

static void wrong_driver(void **state)
{
	log_catch();
	add(*state, "0000:01:00.0", "0x020000\n", "igb");
	assert_int_equal(rwy_group_check(*state, "0000:01:00.0", 7), -ENODEV);
	assert_true(log_said("0000:01:00.0 has the driver igb, it needs vfio-pci"));
	assert_true(log_said("driver_override"));
}

static void no_driver(void **state)
{
	log_catch();
	add(*state, "0000:01:00.0", "0x020000\n", NULL);
	assert_int_equal(rwy_group_check(*state, "0000:01:00.0", 7), -ENODEV);
	assert_true(log_said("drivers_probe"));
}

static void reserved_regions(void **state)
{
	struct rwy_dma dma;

	log_catch();
	rwy_dma_init(&dma, NULL, NULL, &limits);
	assert_int_equal(rwy_group_reserve(*state, 7, &dma), 0); /* none said */
	fake_root_write(*state, GROUP "reserved_regions",
			"0x0000000000001000 0x0000000000001fff direct\n"
			"0x000000000000a000 0x000000000000afff direct-relaxable\n"
			"rubbish\n"
			"0x00000000fee00000 0x00000000feefffff msi\n"
			"0x00000000c0000000 0x00000000c00fffff reserved\n");
	assert_int_equal(rwy_group_reserve(*state, 7, &dma), 0);
	assert_int_equal(rwy_dma_map(&dma, (rwy_iova){0x1000}, NULL, 0x1000, true), -ERANGE);
	assert_int_equal(rwy_dma_map(&dma, (rwy_iova){0xc0000000}, NULL, 0x1000, true), -ERANGE);
	assert_int_equal(dma.nr_windows, 4);
	fake_root_write(*state, GROUP "reserved_regions", "0x2000 0x1000 direct\n");
	assert_int_equal(rwy_group_reserve(*state, 7, &dma), -EINVAL);
	rwy_dma_fini(&dma);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_root_open, fake_root_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(found),	    TEST(viable),    TEST(foreign_member),
		TEST(wrong_driver), TEST(no_driver), TEST(reserved_regions),
	};

	return UNIT_RUN(tests);
}
