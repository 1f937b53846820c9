/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues and interrupts of NVMe VFs. That they fail and are undone anywhere: test_vf_apply. */
#include "tests/unit/sriov_rig.h"

#define PF "0000:01:00.0"

#define WANT(numvfs, vfs) "{\"pfs\": [{\"bdf\": \"" PF "\"" numvfs ",\n\"vfs\": [" vfs "]}]}"

static struct fake_sriov_pf *set_up(struct sriov_rig *rig, unsigned nr)
{
	struct fake_sriov_pf *pf;

	sriov_rig_open(rig);
	log_catch();
	pf = fake_sriov_kernel_add_pf(rig->kernel, "nvme", PF, 200);
	fake_sriov_kernel_set_vfs(rig->kernel, pf, nr);
	return pf;
}

static void given_and_online(void **state)
{
	struct sriov_rig rig;
	struct fake_sriov_pf *pf = set_up(&rig, 0);

	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply,
					WANT(", \"numvfs\": 2", "{\"range\": \"0\", \"queues\": 2, "
								"\"interrupts\": 1},"
								"{\"range\": \"1\", \"queues\": 3, "
								"\"interrupts\": 2, "
								"\"driver\": \"vfio-pci\"}")),
			 0);
	assert_string_equal(rig.out, "applied     " PF " autoprobe: on -> off\n"
				     "applied     " PF " kept_queues: 8 -> 3\n"
				     "applied     " PF " kept_interrupts: 4 -> 1\n"
				     "applied     " PF " pf_reset: now\n"
				     "applied     " PF " numvfs: 0 -> 2\n"
				     "applied     " PF " VF 0 queues: 2\n"
				     "applied     " PF " VF 0 interrupts: 1\n"
				     "applied     " PF " VF 0 reset: now\n"
				     "applied     " PF " VF 0 online: on\n"
				     "applied     " PF " VF 1 override: none -> vfio-pci\n"
				     "applied     " PF " VF 1 queues: 3\n"
				     "applied     " PF " VF 1 interrupts: 2\n"
				     "applied     " PF " VF 1 reset: now\n"
				     "applied     " PF " VF 1 online: on\n"
				     "applied     " PF " VF 1 driver: none -> vfio-pci\n");
	assert_true(pf->nvme[0].online);
	assert_int_equal(pf->nvme[1].nr[0], 3);
	assert_int_equal(pf->kept[1], 1);
	/* Another number: offline, with no driver, and back. */
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply,
					WANT("", "{\"range\": \"1\", \"queues\": 2}")),
			 0);
	assert_string_equal(rig.out, "applied     " PF " VF 1 driver: vfio-pci -> none\n"
				     "applied     " PF " VF 1 online: on -> off\n"
				     "applied     " PF " VF 1 queues: 3 -> 2\n"
				     "applied     " PF " VF 1 reset: now\n"
				     "applied     " PF " VF 1 online: off -> on\n"
				     "applied     " PF " VF 1 driver: none -> vfio-pci\n");
	/* All that there is, from one to the other. */
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply,
					WANT("", "{\"range\": \"1\", \"queues\": 3}")),
			 0);
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply,
					WANT("", "{\"range\": \"0\", \"queues\": 3, "
						 "\"interrupts\": 2},"
						 "{\"range\": \"1\", \"queues\": 2, "
						 "\"interrupts\": 1}")),
			 0);
	assert_int_equal(pf->nvme[0].nr[0], 3);
	assert_true(pf->nvme[0].online && pf->nvme[1].online);
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply,
					WANT("", "{\"range\": \"0\", \"queues\": 4}")),
			 1);
	assert_true(log_said("keeps 3 of 8 queues for itself"));
	assert_int_equal(sriov_rig_release(&rig, PF), 0);
	assert_int_equal(pf->kept[0], 8);
	assert_int_equal(pf->kept[1], 4);
	assert_int_equal(pf->nr_vfs, 0);
	sriov_rig_close(&rig);
}

static const struct {
	const char *text, *reason;
} bad[] = {
	{WANT("", "{\"range\": \"0\", \"queues\": 1}"), "queues is 1, a VF can have 2 to 8"},
	{WANT("", "{\"range\": \"0\", \"interrupts\": 5}"),
	 "interrupts is 5, a VF can have 1 to 4"},
	{WANT(", \"numvfs\": 5", "{\"range\": \"0-4\", \"queues\": 2}"),
	 "its VFs would have 10 queues in all, of 8"},
	{WANT("", "{\"range\": \"0\", \"queues\": 2}"),
	 "keeps 8 of 8 queues for itself, and gives them up only while it has no VFs"},
	{WANT("", "{\"range\": \"0\", \"kept_queues\": 2}"), "unknown key 'kept_queues'"},
	{WANT("", "{\"range\": \"0\", \"reset\": 2}"), "unknown key 'reset'"},
};

static void refused(void **state)
{
	struct sriov_rig rig;

	set_up(&rig, 2);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply, bad[i].text), 1);
		assert_true(log_said("wanted.json:2: "));
		assert_true(log_said(bad[i].reason));
		assert_int_equal(rig.kernel->nr_changes, 0);
	}
	fake_sriov_kernel_add_pf(rig.kernel, "igb", "0000:02:00.0", 7);
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply,
					"{\"pfs\": [{\"driver\": \"igb\", \"numvfs\": 1, \"vfs\": "
					"[{\"range\": \"0\", \"queues\": 2}]}]}"),
			 1);
	assert_true(log_said("0000:02:00.0 cannot share queues with its VFs"));
	sriov_rig_close(&rig);
}

/* What its VFs get takes a reset, under whoever has a file system on the PF's own disk. */
static void pf_in_use(void **state)
{
	static const char want[] = WANT(", \"numvfs\": 1", "{\"range\": \"0\", \"queues\": 2, "
							   "\"interrupts\": 1}");
	struct sriov_rig rig;

	set_up(&rig, 0);
	fake_root_write(rig.kernel->sys.root, "/proc/self/mountinfo",
			"36 22 259:0 / /srv rw - ext4 /dev/nvme0n1 rw\n");
	fake_root_link(rig.kernel->sys.root, "/sys/dev/block/259:0",
		       "../../devices/" PF "/nvme/nvme0/nvme0n1");
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply, want), 1);
	assert_true(log_said("wanted.json:1: " PF ": what its VFs get takes a reset of it, and it "
			     "is held by /srv"));
	assert_int_equal(rig.kernel->nr_changes, 0);
	assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply, WANT(", \"numvfs\": 1", "")), 0);
	sriov_rig_close(&rig);
}

/* A list of more than one page. */
static void many(void **state)
{
	struct sriov_rig rig;
	struct fake_sriov_pf *pf = set_up(&rig, 200);
	char *all;

	pf->nvme[0].nr[0] = 2;
	pf->nvme[199].nr[0] = 5;
	pf->nvme[126].online = pf->nvme[127].online = true;
	assert_int_equal(sriov_rig_run(&rig, rwy_sriov_cmd_show, PF, "--json"), 0);
	all = strdup(rig.out);
	assert_int_equal(sriov_rig_run(&rig, rwy_sriov_cmd_show, "01:19.0", NULL), 0);
	assert_non_null(strstr(rig.out, "vf           199 of"));
	assert_non_null(strstr(rig.out, "queues       5\n"));
	assert_int_equal(sriov_rig_run(&rig, rwy_sriov_cmd_show, "01:10.0", NULL), 0);
	assert_non_null(strstr(rig.out, "vf           127 of"));
	assert_non_null(strstr(rig.out, "online       on\n"));
	assert_non_null(strstr(all, "\"kept_queues\": 8"));
	free(all);
	sriov_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_and_online),
		cmocka_unit_test(refused),
		cmocka_unit_test(pf_in_use),
		cmocka_unit_test(many),
	};

	return UNIT_RUN(tests);
}
