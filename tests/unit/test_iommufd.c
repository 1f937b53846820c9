/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest's address space made with iommufd, against a model of the kernel. */
#include "tests/unit/vfio_rig.h"

#include <errno.h>
#include <fcntl.h>

#define OTHER "0000:01:10.2"

#define TOKEN "01234567-89ab-cdef-0123-456789abcdef"

static void open_one(struct vfio_rig *rig, const char *root)
{
	vfio_rig_open_with(rig, root, true);
}

/* KVM before bind, bind before memory; and all of it back. */
static void in_order(void **state)
{
	struct vfio_rig rig;
	struct rwy_vfio vfio;

	open_one(&rig, *state);
	assert_int_equal(vfio_rig_attach(&rig, RIG_NIC, &vfio), 0);
	assert_int_equal(fake_vfio_noted(&rig.fake, "container"), -1);
	assert_int_equal(fake_vfio_noted(&rig.fake, "kvm+"), 1);
	assert_int_equal(fake_vfio_noted(&rig.fake, "bind"), 2);
	assert_int_equal(fake_vfio_noted(&rig.fake, "attach"), 3);
	assert_int_equal(fake_vfio_noted(&rig.fake, "map"), 4);
	assert_int_equal(rig.fake.nr_maps, 2);
	rwy_space_detach(rig.space, &vfio);
	assert_int_equal(rig.fake.nr_maps, 0);
	assert_int_equal(rig.fake.spaces, 0);
	assert_int_equal(vfio_rig_attach(&rig, RIG_NIC, &vfio), 0);
	rwy_space_detach(rig.space, &vfio);
	vfio_rig_close(&rig);
}

static void two(void **state)
{
	struct vfio_rig rig;
	struct rwy_vfio a, b;

	open_one(&rig, *state);
	vfio_rig_add(&rig, *state, OTHER, 8);
	assert_int_equal(vfio_rig_attach(&rig, RIG_NIC, &a), 0);
	assert_int_equal(vfio_rig_attach(&rig, OTHER, &b), 0);
	assert_int_equal(rig.fake.nr_maps, 2);
	assert_int_equal(rig.fake.spaces, 1);
	rwy_space_detach(rig.space, &a);
	assert_int_equal(rig.fake.nr_maps, 2);
	rwy_space_detach(rig.space, &b);
	assert_int_equal(rig.fake.nr_maps, 0);
	vfio_rig_close(&rig);
}

/* A kernel with the device files and without /dev/iommu, or the other way round: by group. */
static void falls_back(void **state)
{
	struct vfio_rig rig;
	struct rwy_vfio vfio;

	open_one(&rig, *state);
	rig.fake.has_iommufd = false;
	assert_int_equal(vfio_rig_attach(&rig, RIG_NIC, &vfio), 0);
	assert_true(fake_vfio_noted(&rig.fake, "join") >= 0);
	rwy_space_detach(rig.space, &vfio);
	vfio_rig_add(&rig, *state, OTHER, 8);
	rig.fake.has_iommufd = true;
	assert_int_equal(vfio_rig_attach(&rig, OTHER, &vfio), 0);
	assert_int_equal(fake_vfio_noted(&rig.fake, "bind"), -1);
	rwy_space_detach(rig.space, &vfio);
	vfio_rig_close(&rig);
}

/* Files are enough, even where there is no sysfs to see. */
static void handed_in(void **state)
{
	struct rwy_space_device device = {.bdf = RIG_NIC, .fd = -1, .iommu_fd = -1};
	struct vfio_rig rig;
	struct rwy_vfio vfio;

	vfio_rig_open(&rig, "/nowhere");
	fake_vfio_add_nic(&rig.fake, RIG_NIC, 7);
	device.fd = fcntl(rig.fake.functions[0].fd, F_DUPFD_CLOEXEC, 0);
	device.iommu_fd = fcntl(rig.fake.iommu_fd, F_DUPFD_CLOEXEC, 0);
	rig.fake.open_error = -EACCES;
	assert_int_equal(rwy_space_attach(rig.space, &device, &vfio), 0);
	assert_int_equal(device.fd, -1);
	assert_int_equal(device.iommu_fd, -1);
	rwy_space_detach(rig.space, &vfio);
	/* A group's file, in the same way. */
	device.fd = fcntl(rig.fake.group_fds[0], F_DUPFD_CLOEXEC, 0);
	device.iommu_fd = fcntl(rig.fake.container_fd, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(rwy_space_attach(rig.space, &device, &vfio), 0);
	rwy_space_detach(rig.space, &vfio);
	vfio_rig_close(&rig);
}

static void token(void **state)
{
	struct rwy_space_device device = {RIG_NIC, -1, -1, TOKEN};
	struct vfio_rig rig;
	struct rwy_vfio vfio;

	open_one(&rig, *state);
	rig.fake.functions[0].token = TOKEN;
	assert_int_equal(rwy_space_attach(rig.space, &device, &vfio), 0);
	rwy_space_detach(rig.space, &vfio);
	/* Older kernels ask for none of this, and refuse what they do not know. */
	rig.fake.old_iommufd = true;
	assert_int_equal(rwy_space_attach(rig.space, &device, &vfio), 0);
	rwy_space_detach(rig.space, &vfio);
	rig.fake.old_iommufd = false;
	vfio_rig_refused(&rig, -EACCES, "token=UUID");
}

/* No groups to prove ownership by: being in the space is enough. */
static void bus_reset(void **state)
{
	char why[RWY_HOT_RESET_WHY];
	struct vfio_rig rig;
	struct rwy_vfio vfio;

	open_one(&rig, *state);
	rig.fake.functions[0].device_flags = VFIO_DEVICE_FLAGS_PCI;
	assert_int_equal(vfio_rig_attach(&rig, RIG_NIC, &vfio), 0);
	assert_int_equal(rwy_space_reset(rig.space, &vfio, why), 0);
	assert_int_equal(rig.fake.functions[0].resets, 1);
	rwy_space_detach(rig.space, &vfio);
	vfio_rig_close(&rig);
}

static void not_attached(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.fake.attach_error = -EINVAL;
	vfio_rig_refused(&rig, -EINVAL, "cannot reach the guest's memory");
}

static void kvm_refuses(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.kvm_error = -EINVAL;
	vfio_rig_refused(&rig, -EINVAL, "KVM does not take");
}

static void memory_not_pinned(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.fake.fail_map = 2;
	rig.fake.fail_with = -ENOMEM;
	vfio_rig_refused(&rig, -ENOMEM, "ulimit -l");
}

static void narrow_iommu(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.fake.range_last = 0xffffffff;
	vfio_rig_refused(&rig, -ERANGE, "cannot translate");
}

static void description_refused(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.fake.functions[0].device_flags = 0;
	vfio_rig_refused(&rig, -ENODEV, "no PCI function");
}

static void not_permitted(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.fake.open_error = -EACCES;
	vfio_rig_refused(&rig, -EACCES, "/dev/vfio/devices/vfio0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(in_order),	     RIG_TEST(two),	     RIG_TEST(falls_back),
		RIG_TEST(handed_in),	     RIG_TEST(not_attached), RIG_TEST(kvm_refuses),
		RIG_TEST(memory_not_pinned), RIG_TEST(narrow_iommu), RIG_TEST(description_refused),
		RIG_TEST(not_permitted),     RIG_TEST(token),	     RIG_TEST(bus_reset),
	};

	return UNIT_RUN(tests);
}
