/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest's memory, and a host with functions that may be passed to it: sysfs and VFIO. */
#ifndef RWY_TESTS_VFIO_RIG_H
#define RWY_TESTS_VFIO_RIG_H

#include "iommu/space.h"
#include "tests/unit/fake_root.h"
#include "tests/unit/fake_vfio.h"
#include "tests/unit/log_catch.h"

#define RIG_MEMORY 0x200000
#define RIG_NIC	   "0000:01:10.0"

struct vfio_rig {
	struct fake_vfio fake;
	struct rwy_mem mem;
	struct rwy_space *space;
	int kvm_error;
	int kvm_files;
};

static inline int rig_tell_kvm(void *ctx, int fd, bool there)
{
	struct vfio_rig *rig = ctx;

	if (there && rig->kvm_error)
		return rig->kvm_error;
	rig->kvm_files += there ? 1 : -1;
	fake_vfio_note(&rig->fake, there ? "kvm+" : "kvm-");
	return 0;
}

/* A function in sysfs: its group, its driver. */
static inline void rig_add_sysfs(const char *root, const char *bdf, unsigned group,
				 const char *driver)
{
	char path[160], target[160];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class", bdf);
	fake_root_write(root, path, "0x020000\n");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%u", group);
	fake_root_link(root, path, target);
	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%u/devices/%s", group, bdf);
	fake_root_link(root, path, "../../../../devices/pci0000:00");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", bdf);
	snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
	fake_root_link(root, path, target);
}

static inline void vfio_rig_open(struct vfio_rig *rig, const char *root)
{
	struct rwy_mem_region region = {.size = RIG_MEMORY,
					.hva = (uint8_t *)0x7f0000000000,
					.fd = -1};
	const struct rwy_space_config config = {&rig->fake.sys, &rig->mem, rig_tell_kvm, rig};

	memset(rig, 0, sizeof(*rig));
	log_catch();
	fake_vfio_open(&rig->fake);
	rig->fake.sys.root = root;
	rwy_mem_init(&rig->mem);
	assert_int_equal(rwy_mem_add(&rig->mem, &region), 0);
	region.gpa.v = UINT64_C(0x100000000);
	assert_int_equal(rwy_mem_add(&rig->mem, &region), 0);
	assert_int_equal(rwy_space_open(&rig->space, &config), 0);
}

static inline void vfio_rig_close(struct vfio_rig *rig)
{
	rwy_space_close(rig->space);
	rwy_mem_fini(&rig->mem);
	assert_int_equal(rig->kvm_files, 0);
	fake_vfio_close(&rig->fake);
}

/* A function bound to vfio-pci; its device's file is there for a kernel that has iommufd. */
static inline struct fake_vfio_function *vfio_rig_add(struct vfio_rig *rig, const char *root,
						      const char *bdf, unsigned group)
{
	char path[128];

	rig_add_sysfs(root, bdf, group, "vfio-pci");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev/vfio%u/dev", bdf,
		 rig->fake.nr_functions);
	if (rig->fake.has_iommufd)
		fake_root_write(root, path, "511:0\n");
	return fake_vfio_add_nic(&rig->fake, bdf, group);
}

/* With one function, in group 7. */
static inline void vfio_rig_open_with(struct vfio_rig *rig, const char *root, bool iommufd)
{
	vfio_rig_open(rig, root);
	rig->fake.has_iommufd = iommufd;
	vfio_rig_add(rig, root, RIG_NIC, 7);
}

static inline int vfio_rig_attach(struct vfio_rig *rig, const char *bdf, struct rwy_vfio *vfio)
{
	struct rwy_space_device device = {.bdf = bdf, .fd = -1, .iommu_fd = -1};

	return rwy_space_attach(rig->space, &device, vfio);
}

/* An answer that says what is wrong, and nothing left behind. Closes the rig. */
static inline void vfio_rig_refused(struct vfio_rig *rig, int err, const char *said)
{
	struct rwy_vfio vfio;

	assert_int_equal(vfio_rig_attach(rig, RIG_NIC, &vfio), err);
	assert_true(log_said(said));
	assert_int_equal(rig->fake.nr_maps, 0);
	vfio_rig_close(rig);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, fake_root_open, fake_root_close)

#endif
