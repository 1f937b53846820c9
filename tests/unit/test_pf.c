/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/holder.h"
#include "sriov/pf.h"
#include "sriov/representor.h"
#include "tests/unit/fake_sriov.h"

#define PF "0000:3b:00.0"

/* Each kind of card with as many VFs as fit in a bus number or two. */
static void hosts_of_256(void **state)
{
	for (unsigned i = 0; i < fake_sriov_nr_cards; i++) {
		const struct fake_sriov_card *card = &fake_sriov_cards[i];
		char bdf[RWY_BDF_LEN], vf[RWY_BDF_LEN];
		struct rwy_pf pf;

		snprintf(bdf, sizeof(bdf), "0000:%02x:00.0", 0x10 * (i + 1));
		fake_sriov_add_pf(*state, card, bdf, 256);
		fake_sriov_add_vfs(*state, card, bdf, 256, true);
		assert_int_equal(rwy_pf_init(&pf, *state, bdf), 0);
		assert_int_equal(pf.total, 256);
		assert_int_equal(pf.nr_vfs, 256);
		assert_string_equal(pf.driver, card->driver);
		assert_int_equal(pf.vendor, card->vendor);
		assert_int_equal(pf.node, 1);
		assert_string_equal(pf.cpus, "8-15,24-31");
		assert_int_equal(pf.group, 0x1000 * (i + 1));
		assert_int_equal(pf.msix_total, card->msix_total);
		assert_string_equal(pf.value[RWY_ATTR_NUMVFS], "256");
		assert_string_equal(pf.value[RWY_ATTR_AUTOPROBE], "on");
		assert_int_equal(pf.ifindex, card->netdev ? 0x1000 * (i + 1) : 0);
		for (unsigned v = 0; v < 256; v++) {
			fake_sriov_vf_bdf(card, bdf, v, vf);
			assert_string_equal(pf.vfs[v].bdf, vf);
			assert_string_equal(pf.vfs[v].value[RWY_ATTR_DRIVER], card->vf_driver);
			assert_string_equal(pf.vfs[v].value[RWY_ATTR_OVERRIDE], "none");
			assert_int_equal(atoi(pf.vfs[v].value[RWY_ATTR_MSIX]), card->nr_vectors);
			assert_string_equal(pf.vfs[v].value[RWY_ATTR_MAC], "");
		}
		rwy_pf_fini(&pf);
	}
}

static void all_of_a_host(void **state)
{
	struct rwy_pf_list list;

	fake_sriov_add_pf(*state, fake_sriov_card("igb"), "0000:01:00.1", 7);
	fake_sriov_add_pf(*state, fake_sriov_card("nvme"), "0000:01:00.0", 4);
	fake_root_write(*state, "/sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n");
	assert_int_equal(rwy_pf_list_init(&list, *state), 0);
	assert_int_equal(list.nr, 2);
	assert_string_equal(list.pfs[0].bdf, "0000:01:00.0");
	assert_string_equal(list.pfs[0].netdev, "");
	assert_string_equal(list.pfs[1].bdf, "0000:01:00.1");
	assert_string_equal(list.pfs[1].value[RWY_ATTR_UP], "on");
	rwy_pf_list_fini(&list);
}

static void what_is_none(void **state)
{
	struct rwy_pf pf;

	fake_root_write(*state, "/sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n");
	assert_int_equal(rwy_pf_init(&pf, *state, "0000:00:02.0"), -ENOTSUP);
	assert_int_equal(rwy_pf_init(&pf, *state, "0000:00:03.0"), -ENODEV);
}

/* Fewer links than numvfs says: they are just going, or not there yet. */
static void vfs_that_go(void **state)
{
	struct rwy_pf pf;

	fake_sriov_add_pf(*state, fake_sriov_card("igb"), PF, 7);
	fake_sriov_add_vfs(*state, fake_sriov_card("igb"), PF, 3, true);
	fake_root_write(*state, "/sys/bus/pci/devices/" PF "/sriov_numvfs", "7\n");
	assert_int_equal(rwy_pf_init(&pf, *state, PF), 0);
	assert_int_equal(pf.nr_vfs, 3);
	rwy_pf_fini(&pf);
}

static void vf_to_pf(void **state)
{
	char pf[RWY_BDF_LEN], vf[RWY_BDF_LEN];
	unsigned idx = 0;

	fake_sriov_add_pf(*state, fake_sriov_card("igb"), PF, 7);
	fake_sriov_add_vfs(*state, fake_sriov_card("igb"), PF, 7, false);
	fake_sriov_vf_bdf(fake_sriov_card("igb"), PF, 5, vf);
	assert_int_equal(rwy_pf_of_vf(*state, vf, pf, &idx), 0);
	assert_string_equal(pf, PF);
	assert_int_equal(idx, 5);
	assert_int_equal(rwy_pf_of_vf(*state, PF, pf, &idx), -ENOENT);
	assert_int_equal(rwy_pf_of_vf(*state, "0000:99:00.0", pf, &idx), -ENOENT);
}

static void put_port(const char *root, const char *netdev, const char *id, const char *port)
{
	char name[64];

	snprintf(name, sizeof(name), "/sys/class/net/%s/phys_switch_id", netdev);
	fake_root_write(root, name, id);
	snprintf(name, sizeof(name), "/sys/class/net/%s/phys_port_name", netdev);
	fake_root_write(root, name, port);
}

/* Two ports of a card share a switch; another card has ports of the same names. */
static void representors(void **state)
{
	const struct fake_sriov_card *card = fake_sriov_card("mlx5_core");
	struct rwy_pf pf;

	fake_sriov_add_pf(*state, card, "0000:01:00.1", 8);
	fake_sriov_add_vfs(*state, card, "0000:01:00.1", 3, false);
	put_port(*state, "enp257", "abcd\n", "p1\n");
	put_port(*state, "rep0", "abcd\n", "pf1vf0\n");
	put_port(*state, "rep1", "abcd\n", "c1pf1vf1\n");
	put_port(*state, "rep2", "abcd\n", "pf0vf2\n");
	put_port(*state, "rep3", "ef01\n", "pf1vf2\n");
	put_port(*state, "rep4", "abcd\n", "pf1vf9\n");
	put_port(*state, "rep5", "abcd\n", "pf1sf2\n");
	put_port(*state, "rep6", "abcd\n", "pf1vf2x\n");
	assert_int_equal(rwy_pf_init(&pf, *state, "0000:01:00.1"), 0);
	assert_string_equal(pf.vfs[0].representor, "rep0");
	assert_string_equal(pf.vfs[1].representor, "rep1");
	assert_string_equal(pf.vfs[2].representor, "");
	/* What the one sends, the other receives. */
	fake_root_write(*state, "/sys/class/net/rep1/statistics/tx_packets", "71\n");
	fake_root_write(*state, "/sys/class/net/rep1/statistics/rx_bytes", "4294967296\n");
	fake_root_write(*state, "/sys/class/net/rep0/statistics/tx_packets", "9\n");
	pf.vfs[0].counted = 1u << RWY_VF_RX_PACKETS;
	rwy_representor_count(*state, &pf);
	assert_int_equal(pf.vfs[1].counted, 1u << RWY_VF_RX_PACKETS | 1u << RWY_VF_TX_BYTES);
	assert_int_equal(pf.vfs[1].counter[RWY_VF_RX_PACKETS], 71);
	assert_true(pf.vfs[1].counter[RWY_VF_TX_BYTES] == 4294967296u);
	assert_int_equal(pf.vfs[0].counter[RWY_VF_RX_PACKETS], 0);
	assert_int_equal(pf.vfs[2].counted, 0);
	rwy_pf_fini(&pf);
}

/* Config space that is short, empty, or whose list goes in circles. */
static void odd_config(void **state)
{
	static const char circle[256] = {[0x34] = 0x40, [0x40] = 0x01, [0x41] = 0x40};
	const struct fake_sriov_card *card = fake_sriov_card("igb");
	char vf[RWY_BDF_LEN], path[FAKE_ROOT_PATH];
	struct rwy_pf pf;

	fake_sriov_add_pf(*state, card, PF, 7);
	fake_sriov_add_vfs(*state, card, PF, 1, false);
	fake_sriov_vf_bdf(card, PF, 0, vf);
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/config", (char *)*state, vf);
	for (unsigned len = 0; len <= 256; len += 64) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		assert_int_equal(fwrite(circle, 1, len, file), len);
		fclose(file);
		assert_int_equal(rwy_pf_init(&pf, *state, PF), 0);
		assert_string_equal(pf.vfs[0].value[RWY_ATTR_MSIX], "");
		rwy_pf_fini(&pf);
	}
}

static void holders(void **state)
{
	const struct fake_sriov_card *card = fake_sriov_card("igb");
	struct rwy_holder_list list;
	char file[64];
	struct rwy_pf pf;

	fake_sriov_add_pf(*state, card, PF, 7);
	fake_sriov_add_vfs(*state, card, PF, 3, false);
	assert_int_equal(rwy_pf_init(&pf, *state, PF), 0);
	snprintf(file, sizeof(file), "/dev/vfio/%d", pf.vfs[1].group);
	fake_sriov_hold(*state, 4711, "ringway-vmm", 9, file);
	fake_sriov_hold(*state, 4711, "ringway-vmm", 10, "/dev/vfio/vfio");
	strcpy(pf.vfs[2].vfio, "vfio3");
	fake_sriov_hold(*state, 12, "qemu", 4, "/dev/vfio/devices/vfio3");
	fake_sriov_hold(*state, 13, "bash", 0, "/dev/pts/0");
	assert_int_equal(rwy_holder_list_init(&list, *state), 0);
	assert_int_equal(list.nr, 2);
	assert_null(rwy_holder_of(&list, &pf.vfs[0]));
	assert_int_equal(rwy_holder_of(&list, &pf.vfs[1])->pid, 4711);
	assert_string_equal(rwy_holder_of(&list, &pf.vfs[1])->name, "ringway-vmm");
	assert_int_equal(rwy_holder_of(&list, &pf.vfs[2])->pid, 12);
	rwy_holder_list_fini(&list);
	rwy_pf_fini(&pf);
}

/* What is used but by VFIO: a device of the function, and what says that it is in use. */
static const struct use {
	const char *class, *device;
	const char *file; /* that a process has open; or of /proc, or of the device itself */
	const char *text; /* NULL: a process */
	const char *who;
} uses[] = {
	{"class/uio", "uio3", "/dev/uio3", NULL, "testpmd (99)"},
	{"class/infiniband_verbs", "uverbs7", "/dev/infiniband/uverbs7", NULL, "testpmd (99)"},
	{"class/vhost-vdpa", "vhost-vdpa-1", "/dev/vhost-vdpa-1", NULL, "testpmd (99)"},
	{"class/nvme", "nvme5", "/dev/nvme5", NULL, "testpmd (99)"},
	{"class/block", "nvme5n1p2", "/dev/nvme5n1p2", NULL, "testpmd (99)"},
	{"dev/block", "259:5", "/proc/self/mountinfo",
	 "22 1 0:20 / /sys rw - sysfs sysfs rw\n"
	 "36 22 259:5 / /srv/disk rw shared:1 - ext4 /dev/nvme5n1 rw\n",
	 "/srv/disk"},
	{"class/block", "nvme5n1", "holders/dm-3", "", "dm-3"},
	{"class/net", "enp7", "upper_bond0", "", "bond0"},
};

static void put_use(const char *root, const struct use *use, const char *bdf)
{
	char path[128], target[128];

	snprintf(path, sizeof(path), "/sys/%s/%s", use->class, use->device);
	snprintf(target, sizeof(target), "../../devices/0000:00:02.0/%s/x/%s", bdf, use->device);
	fake_root_link(root, path, target);
	snprintf(path, sizeof(path), "/sys/devices/0000:00:02.0/%s/x/%s/%s", bdf, use->device,
		 use->file);
	if (!use->text)
		fake_sriov_hold(root, 99, "testpmd", 3, use->file);
	else
		fake_root_write(root, use->file[0] == '/' ? use->file : path, use->text);
}

/* Each is seen, as a use of that function alone, be it a VF or a PF. */
static void other_holders(void **state)
{
	static const char *const bdfs[] = {PF, "0000:3b:10.2"};

	for (unsigned i = 0; i < 2 * RWY_ARRAY_SIZE(uses); i++) {
		const char *bdf = bdfs[i % 2];
		char text[RWY_HOLDER_TEXT];
		struct rwy_holder_list list;
		struct rwy_pf pf;
		void *root;

		assert_int_equal(fake_root_open(&root), 0);
		fake_sriov_add_pf(root, fake_sriov_card("igb"), PF, 7);
		fake_sriov_add_vfs(root, fake_sriov_card("igb"), PF, 3, false);
		fake_root_write(root, "/proc/uptime", "1 1\n");
		put_use(root, &uses[i / 2], bdf);
		assert_int_equal(rwy_pf_init(&pf, root, PF), 0);
		assert_int_equal(rwy_holder_list_init(&list, root), 0);
		assert_int_equal(list.nr, 1);
		assert_null(rwy_holder_of(&list, &pf.vfs[0]));
		assert_true((rwy_holder_of(&list, &pf.vfs[1]) == NULL) == (bdf == bdfs[0]));
		assert_true((rwy_holder_of_pf(&list, PF) == NULL) == (bdf != bdfs[0]));
		rwy_holder_put(text, list.holders, "");
		assert_string_equal(text, uses[i / 2].who);
		rwy_holder_list_fini(&list);
		rwy_pf_fini(&pf);
		assert_int_equal(fake_root_close(&root), 0);
	}
}

/* Its directory of interfaces is there, and nothing in it. */
static void away(void **state)
{
	const struct rwy_holder_list nobody = {0};
	char path[FAKE_ROOT_PATH];
	struct rwy_pf pf;

	fake_sriov_add_pf(*state, fake_sriov_card("igb"), PF, 7);
	fake_sriov_add_vfs(*state, fake_sriov_card("igb"), PF, 2, true);
	fake_root_path(path, *state, "/sys/bus/pci/devices/0000:3b:10.2/net/x");
	assert_int_equal(rwy_pf_init(&pf, *state, PF), 0);
	assert_null(rwy_holder_of(&nobody, &pf.vfs[0]));
	assert_string_equal(rwy_holder_of(&nobody, &pf.vfs[1])->name, "another network namespace");
	rwy_pf_fini(&pf);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_root_open, fake_root_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hosts_of_256),  TEST(all_of_a_host), TEST(what_is_none), TEST(vfs_that_go),
		TEST(vf_to_pf),	     TEST(representors),  TEST(odd_config),   TEST(holders),
		TEST(other_holders), TEST(away),
	};

	return UNIT_RUN(tests);
}
