/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/vfio_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OTHER "0000:01:10.2"

#define TOKEN "01234567-89ab-cdef-0123-456789abcdef"

static void open_one(struct vfio_rig *rig, const char *root)
{
	vfio_rig_open_with(rig, root, false);
}

/* All guest memory is mapped, and KVM knows, before the function is opened. */
static void in_order(void **state)
{
	struct vfio_rig rig;
	struct rwy_vfio vfio;

	open_one(&rig, *state);
	assert_int_equal(vfio_rig_attach(&rig, RIG_NIC, &vfio), 0);
	assert_int_equal(fake_vfio_noted(&rig.fake, "container"), 1);
	assert_int_equal(fake_vfio_noted(&rig.fake, "join"), 2);
	assert_int_equal(fake_vfio_noted(&rig.fake, "iommu"), 3);
	assert_int_equal(fake_vfio_noted(&rig.fake, "map"), 4);
	assert_int_equal(fake_vfio_noted(&rig.fake, "kvm+"), 6);
	assert_int_equal(fake_vfio_noted(&rig.fake, "device"), 7);
	assert_int_equal(rig.fake.nr_maps, 2);
	assert_int_equal(rig.fake.maps[1].iova, UINT64_C(0x100000000));
	assert_string_equal(vfio.name, RIG_NIC);
	rwy_space_detach(rig.space, &vfio);
	assert_int_equal(rig.fake.nr_maps, 0);
	vfio_rig_close(&rig);
}

static void again(void **state)
{
	struct vfio_rig rig;
	struct rwy_vfio vfio;

	open_one(&rig, *state);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(vfio_rig_attach(&rig, RIG_NIC, &vfio), 0);
		rwy_space_detach(rig.space, &vfio);
	}
	vfio_rig_close(&rig);
}

/* The second one finds the memory mapped. */
static void two_groups(void **state)
{
	struct vfio_rig rig;
	struct rwy_vfio a, b;

	open_one(&rig, *state);
	vfio_rig_add(&rig, *state, OTHER, 8);
	assert_int_equal(vfio_rig_attach(&rig, RIG_NIC, &a), 0);
	assert_int_equal(vfio_rig_attach(&rig, OTHER, &b), 0);
	assert_int_equal(rig.fake.groups_in, 2);
	assert_int_equal(rig.fake.nr_maps, 2);
	rwy_space_detach(rig.space, &a);
	assert_int_equal(rig.fake.nr_maps, 2);
	rwy_space_detach(rig.space, &b);
	assert_int_equal(rig.fake.nr_maps, 0);
	vfio_rig_close(&rig);
}

static void two_in_a_group(void **state)
{
	struct vfio_rig rig;
	struct rwy_vfio a, b;

	open_one(&rig, *state);
	vfio_rig_add(&rig, *state, OTHER, 7);
	assert_int_equal(vfio_rig_attach(&rig, RIG_NIC, &a), 0);
	assert_int_equal(vfio_rig_attach(&rig, OTHER, &b), 0);
	assert_int_equal(rig.fake.groups_in, 1);
	assert_int_equal(rig.kvm_files, 1);
	rwy_space_detach(rig.space, &a);
	assert_int_equal(rig.fake.groups_in, 1);
	rwy_space_detach(rig.space, &b);
	vfio_rig_close(&rig);
}

/* Nothing is opened by path: the descriptors are enough, and are taken. */
static void handed_in(void **state)
{
	struct rwy_space_device device = {.bdf = RIG_NIC, .fd = -1, .iommu_fd = -1};
	struct vfio_rig rig;
	struct rwy_vfio vfio;

	open_one(&rig, *state);
	device.fd = fcntl(rig.fake.group_fds[0], F_DUPFD_CLOEXEC, 0);
	device.iommu_fd = fcntl(rig.fake.container_fd, F_DUPFD_CLOEXEC, 0);
	rig.fake.open_error = -EACCES;
	assert_int_equal(rwy_space_attach(rig.space, &device, &vfio), 0);
	assert_int_equal(device.fd, -1);
	assert_int_equal(device.iommu_fd, -1);
	rwy_space_detach(rig.space, &vfio);
	vfio_rig_close(&rig);
}

/* The kernel wants a secret where the PF is passed on, too. */
static void token(void **state)
{
	struct rwy_space_device device = {RIG_NIC, -1, -1, TOKEN};
	struct vfio_rig rig;
	struct rwy_vfio vfio;

	open_one(&rig, *state);
	rig.fake.functions[0].token = TOKEN;
	assert_int_equal(rwy_space_attach(rig.space, &device, &vfio), 0);
	rwy_space_detach(rig.space, &vfio);
	vfio_rig_refused(&rig, -EACCES, "token=UUID");
}

/* ---- reset ---- */

/* Two functions of a slot, neither with a reset of its own: a reset of the slot is both's. */
static void bus_reset(void **state)
{
	char why[RWY_HOT_RESET_WHY];
	struct vfio_rig rig;
	struct rwy_vfio a, b;

	open_one(&rig, *state);
	vfio_rig_add(&rig, *state, OTHER, 7);
	rig.fake.functions[0].device_flags = rig.fake.functions[1].device_flags =
		VFIO_DEVICE_FLAGS_PCI;
	assert_int_equal(vfio_rig_attach(&rig, RIG_NIC, &a), 0);
	/* The other one is nobody's yet. */
	assert_int_equal(rwy_space_reset(rig.space, &a, why), -EXDEV);
	assert_string_equal(why, OTHER " would be reset with it: pass all of them to this guest");
	assert_int_equal(vfio_rig_attach(&rig, OTHER, &b), 0);
	/* And now the guest is at work with it. */
	fake_vfio_poke32(&rig.fake.functions[1], RWY_VFIO_CONFIG, 4, 0x00100006);
	assert_int_equal(rwy_space_reset(rig.space, &a, why), -EBUSY);
	assert_string_equal(why, OTHER " would be reset with it, and is in use");
	assert_int_equal(rig.fake.functions[1].resets, 0);
	fake_vfio_poke32(&rig.fake.functions[1], RWY_VFIO_CONFIG, 4, 0x00100000);
	assert_int_equal(rwy_space_reset(rig.space, &a, why), 0);
	assert_int_equal(rig.fake.functions[0].resets, 1);
	assert_int_equal(rig.fake.functions[1].resets, 1);
	rwy_space_detach(rig.space, &a);
	rwy_space_detach(rig.space, &b);
	vfio_rig_close(&rig);
}

static void bus_with_a_foreigner(void **state)
{
	char why[RWY_HOT_RESET_WHY];
	struct vfio_rig rig;
	struct rwy_vfio vfio;

	open_one(&rig, *state);
	rig.fake.functions[0].device_flags = VFIO_DEVICE_FLAGS_PCI;
	rig.fake.neighbour = "0000:01:00.1";
	assert_int_equal(vfio_rig_attach(&rig, RIG_NIC, &vfio), 0);
	assert_int_equal(rwy_space_reset(rig.space, &vfio, why), -EXDEV);
	assert_non_null(strstr(why, "0000:01:00.1 would"));
	assert_int_equal(fake_vfio_noted(&rig.fake, "bus reset"), -1);
	rwy_space_detach(rig.space, &vfio);
	vfio_rig_close(&rig);
}

/* ---- what goes wrong: an answer with the fix, and nothing left behind ---- */

static void group_with_a_foreign_member(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig_add_sysfs(*state, "0000:01:00.1", 7, "igb");
	vfio_rig_refused(&rig, -EBUSY, "0000:01:00.1");
}

static void wrong_driver(void **state)
{
	struct vfio_rig rig;

	vfio_rig_open(&rig, *state);
	rig_add_sysfs(*state, RIG_NIC, 7, "igbvf");
	vfio_rig_refused(&rig, -ENODEV, "has the driver igbvf");
}

static void not_viable(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.fake.not_viable = true;
	vfio_rig_refused(&rig, -EPERM, "not viable");
}

static void no_module(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.fake.open_error = -ENOENT;
	vfio_rig_refused(&rig, -ENOENT, "modprobe vfio-pci");
}

static void group_in_use(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.fake.open_error = -EBUSY;
	vfio_rig_refused(&rig, -EBUSY, "another program");
}

static void no_type1(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.fake.no_type1 = true;
	vfio_rig_refused(&rig, -EOPNOTSUPP, "modprobe vfio_iommu_type1");
}

static void other_iommu(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.fake.group_error = -EINVAL;
	vfio_rig_refused(&rig, -EINVAL, "different IOMMUs");
}

/* The second of two regions: the first is taken back. */
static void memory_not_pinned(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.fake.fail_map = 2;
	rig.fake.fail_with = -ENOMEM;
	vfio_rig_refused(&rig, -ENOMEM, "4 MiB must be pinned");
}

/* Of a user who may not lock memory as he likes: said before the kernel is asked, with the number.
 */
static void memlock_too_small(void **state)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2], fewer[2];
	struct rlimit limit, low;
	struct vfio_rig rig;

	assert_int_equal(syscall(SYS_capget, &head, caps), 0);
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	memcpy(fewer, caps, sizeof(caps));
	fewer[0].effective &= ~(1u << CAP_IPC_LOCK);
	assert_int_equal(syscall(SYS_capset, &head, fewer), 0);
	low = (struct rlimit){1 << 20, limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
	open_one(&rig, *state);
	vfio_rig_refused(&rig, -ENOMEM,
			 "this process may pin 1 MiB: raise the limit with ulimit -l");
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	assert_int_equal(syscall(SYS_capset, &head, caps), 0);
}

static void too_many_mappings(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.fake.avail = 1;
	vfio_rig_refused(&rig, -ENOSPC, "dma_entry_limit");
}

static void reserved_by_the_bus(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	fake_root_write(*state, "/sys/kernel/iommu_groups/7/reserved_regions",
			"0x0000000100000000 0x000000010000ffff direct\n");
	vfio_rig_refused(&rig, -ERANGE, "the host's firmware");
}

static void kvm_refuses(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.kvm_error = -EINVAL;
	vfio_rig_refused(&rig, -EINVAL, "KVM does not take the group 7");
}

static void description_refused(void **state)
{
	struct vfio_rig rig;

	open_one(&rig, *state);
	rig.fake.functions[0].device_flags = 0;
	vfio_rig_refused(&rig, -ENODEV, "no PCI function");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(in_order),
		RIG_TEST(again),
		RIG_TEST(two_groups),
		RIG_TEST(two_in_a_group),
		RIG_TEST(handed_in),
		RIG_TEST(token),
		RIG_TEST(bus_reset),
		RIG_TEST(bus_with_a_foreigner),
		RIG_TEST(group_with_a_foreign_member),
		RIG_TEST(wrong_driver),
		RIG_TEST(not_viable),
		RIG_TEST(no_module),
		RIG_TEST(group_in_use),
		RIG_TEST(no_type1),
		RIG_TEST(other_iommu),
		RIG_TEST(memory_not_pinned),
		RIG_TEST(memlock_too_small),
		RIG_TEST(too_many_mappings),
		RIG_TEST(reserved_by_the_bus),
		RIG_TEST(kvm_refuses),
		RIG_TEST(description_refused),
	};

	return UNIT_RUN(tests);
}
