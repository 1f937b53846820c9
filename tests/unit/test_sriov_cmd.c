/* SPDX-License-Identifier: BSD-3-Clause */
/* ringway-sriov's commands as they are called, on a host made of files. */
#include "tests/unit/sriov_rig.h"

#include <jansson.h>

#define PF "0000:01:00.0"
#define VF "0000:01:10.2" /* number 1 */

static int host(void **state)
{
	static struct sriov_rig rig;
	struct fake_sriov_pf *pf;
	const char *root;

	sriov_rig_open(&rig);
	root = rig.kernel->sys.root;
	log_catch();
	pf = fake_sriov_kernel_add_pf(rig.kernel, "igb", PF, 7);
	fake_sriov_kernel_set_vfs(rig.kernel, pf, 2);
	fake_root_link(root, "/sys/kernel/iommu_groups/384/devices/0000:01:00.1", "x");
	fake_sriov_bind(root, "0000:01:00.1", "e1000e");
	fake_sriov_bind(root, VF, "vfio-pci");
	fake_sriov_hold(root, 77, "ringway-vmm", 3, "/dev/vfio/386");
	*state = &rig;
	return 0;
}

static int end(void **state)
{
	sriov_rig_close(*state);
	return 0;
}

static void table(void **state)
{
	struct sriov_rig *rig = *state;
	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_list, NULL, NULL), 0);
	assert_string_equal(
		rig->out,
		"FUNCTION        DRIVER     INTERFACE  REPRESENTOR NODE GROUP VFS      USED BY\n"
		"0000:01:00.0    igb        eth256     -              1   256 2 of 7   -\n"
		"  0000:01:10.0  igbvf      -          -              1  384! VF 0     -\n"
		"  0000:01:10.2  vfio-pci   -          -              1   386 VF 1     ringway-vmm "
		"(77)\n");
}

static void list_json(void **state)
{
	struct sriov_rig *rig = *state;
	json_t *list, *vf;
	int pid = 0, index = 0, viable = 0;
	const char *driver = "";

	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_list, "--json", NULL), 0);
	list = json_loads(rig->out, 0, NULL);
	assert_int_equal(json_array_size(list), 1);
	vf = json_array_get(json_object_get(json_array_get(list, 0), "vfs"), 1);
	assert_int_equal(json_unpack(vf, "{s:{s:i} s:i s:b s:s}", "used_by", "pid", &pid, "vf",
				     &index, "viable", &viable, "driver", &driver),
			 0);
	assert_int_equal(pid, 77);
	assert_int_equal(index, 1);
	assert_true(viable);
	assert_string_equal(driver, "vfio-pci");
	json_decref(list);
}

static void show_vf(void **state)
{
	struct sriov_rig *rig = *state;
	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_show, "01:10.2", NULL), 0);
	assert_non_null(strstr(rig->out, "vf           1 of 0000:01:00.0\n"));
	assert_non_null(strstr(rig->out, "group        386, viable\n"));
	assert_non_null(strstr(rig->out, "msix         3\n"));
	assert_non_null(strstr(rig->out, "used by      ringway-vmm (77)\n"));
	assert_non_null(strstr(rig->out, "counters     unsupported\n"));
	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_show, VF, "--json"), 0);
	assert_non_null(strstr(rig->out, "\"msix\": 3"));
	assert_non_null(strstr(rig->out, "\"rx_packets\": null"));
}

static void show_pf(void **state)
{
	struct sriov_rig *rig = *state;
	fake_root_link(rig->kernel->sys.root, "/sys/kernel/iommu_groups/256/devices/0000:01:00.1",
		       "x");
	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_show, PF, NULL), 0);
	assert_non_null(strstr(rig->out, "id           8086:10c9\n"));
	assert_non_null(strstr(rig->out, "256, not viable: the host uses 0000:01:00.1 (e1000e)\n"));
	assert_non_null(strstr(rig->out, "ifindex      256, has a link\n"));
	assert_non_null(strstr(rig->out, "autoprobe    on\n"));
	assert_non_null(strstr(rig->out, "vf           1 of"));
}

static void rdma(void **state)
{
	struct sriov_rig *rig = *state;
	const char *root = rig->kernel->sys.root;

	fake_root_write(root, "/sys/bus/pci/devices/" VF "/infiniband/mlx5_3/node_type", "1\n");
	fake_root_write(root, "/sys/class/infiniband/rxe7/parent", "eth256\n");
	fake_root_write(root, "/sys/class/infiniband/rxe8/parent", "eth9\n");
	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_show, VF, NULL), 0);
	assert_non_null(strstr(rig->out, "rdma         mlx5_3\n"));
	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_show, PF, NULL), 0);
	assert_non_null(strstr(rig->out, "rdma         rxe7\n"));
	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_list, "--json", NULL), 0);
	assert_non_null(strstr(rig->out, "\"name\": \"rxe7\""));
	assert_null(strstr(rig->out, "rxe8"));
}

static void refused(void **state)
{
	struct sriov_rig *rig = *state;
	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_show, NULL, NULL), 2);
	assert_non_null(strstr(rig->err, "which function?"));
	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_show, "eth0", NULL), 2);
	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_show, PF, VF), 2);
	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_list, PF, NULL), 2);
	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_show, "0000:77:00.0", NULL), 1);
	assert_true(log_said("0000:77:00.0: No such device"));
	assert_int_equal(sriov_rig_run(rig, rwy_sriov_cmd_show, "0000:01:00.1", NULL), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, host, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(table),   TEST(list_json), TEST(show_vf),
		TEST(show_pf), TEST(rdma),	TEST(refused),
	};

	return UNIT_RUN(tests);
}
