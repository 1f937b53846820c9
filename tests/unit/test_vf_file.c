/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that say what is wanted: what is refused, where and why; and what is made of good ones. */
#include "tests/unit/sriov_rig.h"

#include "sriov/json_line.h"

#define PF  "0000:01:00.0"
#define PF2 "0000:81:00.0"

/* Two cards of a kind, the first with VFs, one of which somebody holds. */
static void set_up(struct sriov_rig *rig)
{
	struct fake_sriov_pf *pf;

	sriov_rig_open(rig);
	log_catch();
	pf = fake_sriov_kernel_add_pf(rig->kernel, "igb", PF, 7);
	fake_sriov_kernel_set_vfs(rig->kernel, pf, 3);
	strcpy(pf->vfs[2][RWY_ATTR_MAC], "52:54:00:00:00:77");
	fake_sriov_hold(rig->kernel->sys.root, 77, "ringway-vmm", 3, "/dev/vfio/386");
	fake_sriov_kernel_add_pf(rig->kernel, "igb", PF2, 7);
	fake_sriov_kernel_add_pf(rig->kernel, "nvme", "0000:02:00.0", 4);
	pf = fake_sriov_kernel_add_pf(rig->kernel, "mlx5_core", "0000:03:00.0", 8);
	fake_sriov_add_pf(rig->kernel->sys.root, fake_sriov_card("ice"), "0000:04:00.0", 8);
	fake_sriov_bind(rig->kernel->sys.root, "0000:04:00.0", "vfio-pci");
}

#define ON(bdf)	  "{\"pfs\": [\n{\"bdf\": \"" bdf "\",\n"
#define VFS(text) "\"vfs\": [\n" text "]}]}"
#define VF(text)  VFS("{\"range\": \"0\",\n" text "}")

static const struct {
	const char *text, *line, *reason;
} bad[] = {
	{"", "1", ""},
	{"[]", "1", "must be an object"},
	{"{\"pfs\": [\n{\"bdf\": \"01:00.0\",\n\"numvfs\" 3}]}", "3", "':' expected"},
	{"{\"pfs\": [{\"bdf\": \"01:00.0\",\n\"bdf\": \"01:00.0\"}]}", "2", "duplicate"},
	{"{\"pfs\": [],\n\"what\": 1}", "2", "unknown key 'what'"},
	{"{\"pfs\":\n 3}", "1", "array"},
	{"{\"pfs\": [\n3]}", "2", "object"},
	{"{\"pfs\": [{\n\"numvfs\": 3}]}", "1", "which PF?"},
	{ON(PF) "\"driver\": \"igb\"}]}", "3", "chosen in one way"},
	{"{\"pfs\": [{\"interface\":\n7}]}", "1", "interface must be a text"},
	{"{\"pfs\": [{\n\"interface\": \"eth7\"}]}", "2", "no PF here has the interface eth7"},
	{ON("0000:09:00.0") "\"numvfs\": 3}]}", "2", "no PF here has the bdf"},
	{ON(PF) "\"vf\": 3}]}", "3", "unknown key 'vf'"},
	{ON(PF) "\"autoprobe\": true}]}", "3", "unknown key 'autoprobe'"},
	{ON(PF) "\"numvfs\": 3},\n{\"driver\": \"igb\"}]}", "4", "already chosen at line 2"},
	{ON(PF) "\"numvfs\": 8}]}", "2", "numvfs is 8, it can have up to 7 VFs"},
	{ON(PF) "\"numvfs\": -1}]}", "3", "numvfs is -1, it may be 0 to"},
	{ON(PF) "\"numvfs\": \"3\"}]}", "3", "numvfs must be a number"},
	{ON(PF) "\"numvfs\": 4}]}", "2", "VF 1 (0000:01:10.2) is held by ringway-vmm (process 77)"},
	{ON("0000:04:00.0") "\"numvfs\": 4}]}", "2", "has the driver vfio-pci"},
	{ON(PF) "\"vfs\": 3}]}", "3", "vfs must be an array"},
	{ON(PF) VFS("3"), "4", "object"},
	{ON(PF) VFS("{}"), "4", "range is missing"},
	{ON(PF) VFS("{\n\"range\": 3}"), "5", "range must be a text like"},
	{ON(PF) VFS("{\"range\": \"3-\"}"), "4", "range must be a text like"},
	{ON(PF) VFS("{\"range\": \"a\"}"), "4", "range must be a text like"},
	{ON(PF) VFS("{\"range\": \"2-1\"}"), "4", "is impossible"},
	{ON(PF) VFS("{\"range\": \"0-5000\"}"), "4", "is impossible"},
	{ON(PF) VFS("{\"range\": \"0-2\"},\n{\"range\": \"2\"}"), "5",
	 "VF 2 is already in the range at line 4"},
	{ON(PF) VFS("{\"range\": \"0-3\"}"), "4", "VF 3 is wanted, but the last is 2"},
	{ON(PF) VF("\"colour\": 1"), "5", "unknown key 'colour'"},
	{ON(PF) VF("\"override\": \"x\""), "5", "unknown key 'override'"},
	{ON(PF) VF("\"rate\": 1"), "5", "unknown key 'rate'"},
	{ON(PF) VF("\"mac\": \"00:00:00:00:00:00\""), "5", "all zeros are no address"},
	{ON(PF) VF("\"mac\": \"01:00:00:00:00:00\""), "5", "multicast"},
	{ON(PF) VF("\"mac\": \"52:54\""), "5", "is not an address"},
	{ON(PF) VF("\"mac\": 5"), "5", "mac must be a text"},
	{ON(PF) VF("\"mac\": \"52:54:00:00:00:77\""), "4",
	 "mac 52:54:00:00:00:77 of VF 0 of " PF " is that of VF 2 of " PF ", too"},
	{ON(PF) VFS("{\"range\": \"0\", \"mac\": \"52:54:00:00:00:01\"},\n"
		    "{\"range\": \"2\", \"mac\": \"52:54:00:00:00:01\"}"),
	 "5", "of VF 2 of " PF " is that of VF 0"},
	{"{\"pfs\": [{\"bdf\": \"" PF2 "\", \"numvfs\": 1,\n\"vfs\": [{\"range\": \"0\", \"mac\":"
	 " \"52:54:00:00:00:77\"}]}]}",
	 "2", "of VF 0 of " PF2 " is that of VF 2 of " PF ", too"},
	{ON(PF) VFS("{\"range\": \"0-2\",\n\"mac\": \"fe:ff:ff:ff:ff:ff\"}"), "5",
	 "no addresses are left"},
	{ON(PF) VF("\"vlan\": 4095"), "5", "vlan is 4095, it may be 0 to 4094"},
	{ON(PF) VF("\"qos\": 3"), "5", "qos means nothing without vlan"},
	{ON(PF) VF("\"vlan\": 3,\n\"qos\": 8"), "6", "qos is 8"},
	{ON(PF) VF("\"vlan\": 3,\n\"proto\": \"802.3\""), "6", "neither 802.1q nor 802.1ad"},
	{ON(PF) VF("\"vlan\": 3, \"proto\": \"802.1ad\""), "4", "igb has no 802.1ad"},
	{ON(PF) VF("\"min_rate\": 20,\n\"max_rate\": 10"), "5", "min_rate 20 is more"},
	{ON(PF) VF("\"min_rate\": 20"), "4", "igb has no min_rate"},
	{ON(PF) VF("\"max_rate\": 1e3"), "5", "max_rate must be a number"},
	{ON(PF) VF("\"trust\": 1"), "5", "trust must be true or false"},
	{ON(PF) VF("\"link_state\": \"up\""), "5", "none of auto, enable, disable"},
	{ON(PF) VF("\"mac\": \"52:54:00:FF:81:00\""), "4",
	 "mac 52:54:00:ff:81:00 of VF 0 of " PF " is that of " PF2 ", too"},
	{ON(PF) VF("\"node_guid\": \"1:2\""), "5", "is no GUID like"},
	{ON(PF) VF("\"port_guid\": \"00:00:00:00:00:00:00:00\""), "5",
	 "port_guid: all zeros are no address"},
	{ON(PF) VFS("{\"range\": \"0\", \"node_guid\": \"00:00:00:00:00:00:00:01\"},\n"
		    "{\"range\": \"2\", \"node_guid\": \"00:00:00:00:00:00:00:01\"}"),
	 "5", "node_guid 00:00:00:00:00:00:00:01 of VF 2 of " PF " is that of VF 0 of " PF},
	{ON(PF) VF("\"max_io_eqs\": 0"), "5", "max_io_eqs is 0, it may be 1 to"},
	{ON(PF) VF("\"ipsec_packet\": 1"), "5", "ipsec_packet must be true or false"},
	{ON(PF) VF("\"msix\": 0"), "5", "msix is 0, it may be 1 to 2048"},
	{ON(PF) VF("\"msix\": 5"), "4",
	 PF " cannot share msix with its VFs: its driver gives each the same"},
	{ON("0000:03:00.0") "\"numvfs\": 8, " VFS("{\"range\": \"0-7\", \"msix\": 2000}"), "4",
	 "its VFs would have 16000 msix in all, of 3072"},
	{ON(PF) VF("\"driver\": \"vfio/pci\""), "5", "cannot be the name of a driver"},
	{ON(PF) VF("\"driver\": \"uio_hv\""), "4", "modprobe uio_hv"},
	{ON(PF) VFS("{\"range\": \"1\", \"driver\": \"vfio-pci\"}"), "4",
	 "driver of VF 1 (0000:01:10.2) cannot change while ringway-vmm"},
	{ON(PF) VFS("{\"range\": \"1\", \"mac\": \"52:54:00:00:00:01\"}"), "4",
	 "mac of VF 1 (0000:01:10.2) cannot change"},
	{ON("0000:02:00.0") "\"numvfs\": 1," VF("\"trust\": true"), "4",
	 "has no interface, so its VFs have no trust"},
	{ON(PF) "\"eswitch\": \"bridge\"}]}", "3",
	 "eswitch: 'bridge' is none of legacy, switchdev"},
	{ON(PF) "\"eswitch\": \"legacy, switchdev\"}]}", "3", "is none of"},
	{ON(PF) "\"eswitch\": true}]}", "3", "eswitch must be a text"},
	{ON(PF) VF("\"hw_addr\": \"00:00:00:00:00:00\""), "5", "hw_addr: all zeros are no address"},
	{ON(PF) VF("\"hw_addr\": \"52:54:00:00:00:77\""), "4",
	 "hw_addr 52:54:00:00:00:77 of VF 0 of " PF " is that of VF 2 of " PF ", too"},
	{ON(PF) VF("\"state\": \"on\""), "5", "state: 'on' is none of active, inactive"},
	{ON(PF) VF("\"roce\": 1"), "5", "roce must be true or false"},
	{ON(PF) VF("\"tx_max\": 4294967296"), "5", "tx_max is 4294967296, it may be 0 to"},
};

static void refused(void **state)
{
	struct sriov_rig rig;

	set_up(&rig);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		char where[32];

		log_catch();
		if (sriov_rig_want(&rig, rwy_sriov_cmd_apply, bad[i].text) != 1)
			fail_msg("not refused: %s", bad[i].text);
		snprintf(where, sizeof(where), "wanted.json:%s: ", bad[i].line);
		if (!log_said(where) || !log_said(bad[i].reason))
			fail_msg("%s\nwanted %s%s\nsaid %s", bad[i].text, where, bad[i].reason,
				 log_caught);
		assert_int_equal(rig.kernel->nr_changes, 0);
	}
	assert_false(sriov_rig_has(&rig, PF ".found"));
	sriov_rig_close(&rig);
}

static void no_file(void **state)
{
	struct sriov_rig rig;

	set_up(&rig);
	assert_int_equal(sriov_rig_run(&rig, rwy_sriov_cmd_plan, "/nowhere.json", NULL), 1);
	assert_true(log_said("/nowhere.json: No such file"));
	assert_int_equal(sriov_rig_run(&rig, rwy_sriov_cmd_plan, "/dev", NULL), 1);
	assert_int_equal(sriov_rig_run(&rig, rwy_sriov_cmd_plan, "/dev/zero", NULL), 1);
	assert_int_equal(sriov_rig_run(&rig, rwy_sriov_cmd_plan, NULL, NULL), 2);
	assert_non_null(strstr(rig.err, "an operand is missing: FILE"));
	sriov_rig_close(&rig);
}

/* What a held VF may go on with, and what a rate needs. */
static void live_changes(void **state)
{
	struct sriov_rig rig;

	set_up(&rig);
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_plan,
					ON(PF) VFS("{\"range\": \"1\", \"trust\": true, "
						   "\"vlan\": 3, \"max_rate\": 10}")),
			 0);
	fake_root_write(rig.kernel->sys.root, "/sys/bus/pci/devices/" PF "/net/eth256/flags",
			"0x1002\n");
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_plan, ON(PF) VF("\"max_rate\": 10")),
			 1);
	assert_true(log_said("takes rates only while eth256 is up and has a link"));
	sriov_rig_close(&rig);
}

static void planned(void **state)
{
	struct sriov_rig rig;

	set_up(&rig);
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_plan,
					"{\"pfs\": [{\"bdf\": \"81:00.0\", \"numvfs\": 2, \"vfs\": "
					"[{\"range\": \"0-1\", \"driver\": \"vfio-pci\","
					" \"vlan\": 9, \"mac\": \"52:54:00:00:01:ff\"}]}]}"),
			 0);
	assert_string_equal(rig.out, "to do       " PF2 " autoprobe: on -> off\n"
				     "to do       " PF2 " numvfs: 0 -> 2\n"
				     "to do       " PF2 " VF 0 override: none -> vfio-pci\n"
				     "to do       " PF2 " VF 0 mac: 52:54:00:00:01:ff\n"
				     "to do       " PF2 " VF 0 vlan: 9,qos=0,proto=802.1q\n"
				     "to do       " PF2 " VF 1 override: none -> vfio-pci\n"
				     "to do       " PF2 " VF 1 mac: 52:54:00:00:02:00\n"
				     "to do       " PF2 " VF 1 vlan: 9,qos=0,proto=802.1q\n"
				     "to do       " PF2 " VF 0 driver: none -> vfio-pci\n"
				     "to do       " PF2 " VF 1 driver: none -> vfio-pci\n");
	/* A driver is let go before vectors move, and has the VF again after. */
	fake_sriov_kernel_set_vfs(rig.kernel, &rig.kernel->pfs[3], 2);
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_plan,
					ON("0000:03:00.0") VF("\"msix\": 64")),
			 0);
	assert_string_equal(rig.out, "to do       0000:03:00.0 VF 0 driver: mlx5_core -> none\n"
				     "to do       0000:03:00.0 VF 0 msix: 12 -> 64\n"
				     "to do       0000:03:00.0 VF 0 driver: none -> mlx5_core\n");
	sriov_rig_close(&rig);
}

/* Who gets less of what VFs share comes first, and what others keep is counted. */
static void shared(void **state)
{
	struct sriov_rig rig;

	set_up(&rig);
	fake_sriov_kernel_set_vfs(rig.kernel, &rig.kernel->pfs[3], 4);
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply,
					ON("0000:03:00.0")
						VFS("{\"range\": \"0-3\", \"msix\": 768}")),
			 0);
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply,
					ON("0000:03:00.0")
						VFS("{\"range\": \"0\", \"msix\": 1000},"
						    "{\"range\": \"2\", \"msix\": 536}")),
			 0);
	assert_non_null(strstr(rig.out, "VF 2 msix: 768 -> 536\n"
					"applied     0000:03:00.0 VF 0 msix: 768 -> 1000\n"));
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply,
					ON("0000:03:00.0")
						VFS("{\"range\": \"0\", \"msix\": 1001}")),
			 1);
	assert_true(log_said("wanted.json:4: 0000:03:00.0: its VFs would have 3073 msix in all"));
	/* New ones have their even share at most. */
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply,
					ON("0000:03:00.0") "\"numvfs\": 3, " VFS(
						"{\"range\": \"0\", \"msix\": 2000},"
						"{\"range\": \"1-2\", \"msix\": 500}")),
			 0);
	assert_non_null(strstr(rig.out, "VF 2 msix: 500\n"
					"applied     0000:03:00.0 VF 0 msix: 2000\n"));
	sriov_rig_close(&rig);
}

/* All VFs are let go for it, so nobody may hold one. */
static void switched(void **state)
{
	struct sriov_rig rig;

	set_up(&rig);
	fake_sriov_kernel_set_vfs(rig.kernel, &rig.kernel->pfs[3], 2);
	assert_int_equal(
		sriov_rig_want(&rig, rwy_sriov_cmd_plan,
			       ON("0000:03:00.0") "\"eswitch\": \"switchdev\", " VF(
				       "\"hw_addr\": \"52:54:00:00:01:00\", \"tx_max\": 7")),
		0);
	assert_string_equal(rig.out, "to do       0000:03:00.0 VF 0 driver: mlx5_core -> none\n"
				     "to do       0000:03:00.0 VF 1 driver: mlx5_core -> none\n"
				     "to do       0000:03:00.0 eswitch: legacy -> switchdev\n"
				     "to do       0000:03:00.0 VF 0 hw_addr: 52:54:00:00:01:00\n"
				     "to do       0000:03:00.0 VF 0 tx_max: 7\n"
				     "to do       0000:03:00.0 VF 0 driver: none -> mlx5_core\n"
				     "to do       0000:03:00.0 VF 1 driver: none -> mlx5_core\n");
	/* While it is in legacy mode, its VFs have no ports. */
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply,
					ON("0000:03:00.0") VF("\"tx_max\": 7, \"trust\": true")),
			 3);
	assert_string_equal(rig.out, "applied     0000:03:00.0 VF 0 trust: off -> on\n"
				     "unsupported 0000:03:00.0 VF 0 tx_max: unsupported -> 7\n");
	fake_sriov_hold(rig.kernel->sys.root, 78, "qemu", 3, "/dev/vfio/771");
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_plan,
					ON("0000:03:00.0") "\"eswitch\": \"switchdev\"}]}"),
			 1);
	assert_true(log_said("0000:03:00.0: the mode of its switch is for all VFs, and VF 1 "
			     "(0000:03:00.3) is held by qemu (process 78)"));
	fake_sriov_kernel_set_vfs(rig.kernel, &rig.kernel->pfs[3], 0);
	fake_root_link(rig.kernel->sys.root, "/sys/class/net/enp768",
		       "../x/0000:03:00.0/net/enp768");
	fake_root_write(rig.kernel->sys.root, "/sys/class/x/0000:03:00.0/net/enp768/upper_br0", "");
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_plan,
					ON("0000:03:00.0") "\"eswitch\": \"switchdev\"}]}"),
			 1);
	assert_true(log_said("wanted.json:2: 0000:03:00.0: another mode of its switch may take its "
			     "interface away, and it is held by br0"));
	sriov_rig_close(&rig);
}

/* By a kind of card: all that there are. */
static void chosen_by_driver(void **state)
{
	struct sriov_rig rig;

	set_up(&rig);
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_plan,
					"{\"pfs\": [{\"driver\": \"igb\", \"vfs\": []}]}"),
			 0);
	assert_string_equal(rig.out, "nothing to do\n");
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_plan,
					"{\"pfs\": [{\"id\": \"1B36:0010\", \"numvfs\": 4}]}"),
			 0);
	assert_non_null(strstr(rig.out, "0000:02:00.0 numvfs: 0 -> 4"));
	sriov_rig_close(&rig);
}

/* What is shown to users works, twice. */
static void examples(void **state)
{
	static const char *const files[] = {EXAMPLES "/sriov.json", EXAMPLES "/sriov_switch.json"};
	char run_dir[FAKE_ROOT_PATH + 16];
	struct sriov_rig rig;

	sriov_rig_open(&rig);
	log_catch();
	fake_sriov_kernel_add_pf(rig.kernel, "igb", PF, 7);
	fake_sriov_kernel_add_pf(rig.kernel, "nvme", "0000:02:00.0", 4);
	fake_sriov_kernel_add_pf(rig.kernel, "mlx5_core", "0000:03:00.0", 8);
	fake_root_write(rig.kernel->sys.root, "/sys/bus/pci/drivers/igbvf/bind", "");
	snprintf(run_dir, sizeof(run_dir), "--run-dir=%s", rig.run_dir);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(sriov_rig_run(&rig, rwy_sriov_cmd_apply, files[i / 2], run_dir),
				 0);
		assert_int_equal(strcmp(rig.out, "nothing to do\n") == 0, i & 1);
	}
	sriov_rig_close(&rig);
}

static void lines(void **state)
{
	static const char text[] =
		"{\n\"a\": [1,\n\"x\\\"[{\",\n{\"b\":\n{\"c\": 3}}],\n\"d\": {}}";

	assert_int_equal(rwy_json_line_find(text, ""), 1);
	assert_int_equal(rwy_json_line_find(text, "a"), 2);
	assert_int_equal(rwy_json_line_find(text, "a[0]"), 2);
	assert_int_equal(rwy_json_line_find(text, "a[1]"), 3);
	assert_int_equal(rwy_json_line_find(text, "a[2]"), 4);
	assert_int_equal(rwy_json_line_find(text, "a[2].b"), 4);
	assert_int_equal(rwy_json_line_find(text, "a[2].b.c"), 5);
	assert_int_equal(rwy_json_line_find(text, "a[3]"), 2);
	assert_int_equal(rwy_json_line_find(text, "a[2].e"), 4);
	assert_int_equal(rwy_json_line_find(text, "d"), 6);
	assert_int_equal(rwy_json_line_find(text, "d.x"), 6);
	assert_int_equal(rwy_json_line_find("", "a[3].b"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(no_file),
		cmocka_unit_test(live_changes),
		cmocka_unit_test(planned),
		cmocka_unit_test(shared),
		cmocka_unit_test(switched),
		cmocka_unit_test(chosen_by_driver),
		cmocka_unit_test(examples),
		cmocka_unit_test(lines),
	};

	return UNIT_RUN(tests);
}
