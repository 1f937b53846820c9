/* SPDX-License-Identifier: BSD-3-Clause */
/* ringway-sriov's commands as they are called, on a host made of files. */
#include "sriov/sriov_cmd.h"
#include "tests/unit/fake_sriov.h"
#include "tests/unit/log_catch.h"

#include <jansson.h>

#define PF "0000:01:00.0"
#define VF "0000:01:10.2" /* number 1 */

static char *said, *complained;

typedef int command_main(int argc, char **argv, FILE *out, FILE *err);

/* Runs it with up to three arguments, and keeps what it says. */
static int run(command_main *command, const char *root, const char *a, const char *b, const char *c)
{
	char *argv[] = {(char *)"x", (char *)"--root", (char *)root, (char *)a,
			(char *)b,   (char *)c,	       NULL};
	size_t len;
	FILE *out, *err;
	int argc = 3, status;

	while (argv[argc])
		argc++;
	free(said);
	free(complained);
	out = open_memstream(&said, &len);
	err = open_memstream(&complained, &len);
	status = command(argc, argv, out, err);
	fclose(out);
	fclose(err);
	return status;
}

static int host(void **state)
{
	if (fake_root_open(state))
		return -1;
	log_catch();
	fake_root_write(*state, "/proc/uptime", "1 1\n");
	fake_sriov_add_pf(*state, fake_sriov_card("igb"), PF, 7);
	fake_sriov_add_vfs(*state, fake_sriov_card("igb"), PF, 2, true);
	fake_sriov_bind(*state, VF, "vfio-pci");
	fake_sriov_hold(*state, 77, "ringway-vmm", 3, "/dev/vfio/386");
	return 0;
}

static void table(void **state)
{
	assert_int_equal(run(rwy_sriov_cmd_list, *state, NULL, NULL, NULL), 0);
	assert_string_equal(
		said,
		"FUNCTION        DRIVER     INTERFACE  NODE GROUP VFS      USED BY\n"
		"0000:01:00.0    igb        eth256        1   256 2 of 7   -\n"
		"  0000:01:10.0  igbvf      -             1   384 VF 0     -\n"
		"  0000:01:10.2  vfio-pci   -             1   386 VF 1     ringway-vmm (77)\n");
}

static void list_json(void **state)
{
	json_t *list, *vf;
	int pid = 0, index = 0, viable = 0;
	const char *driver = "";

	assert_int_equal(run(rwy_sriov_cmd_list, *state, "--json", NULL, NULL), 0);
	list = json_loads(said, 0, NULL);
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
	assert_int_equal(run(rwy_sriov_cmd_show, *state, "01:10.2", NULL, NULL), 0);
	assert_non_null(strstr(said, "vf           1 of 0000:01:00.0\n"));
	assert_non_null(strstr(said, "group        386, viable\n"));
	assert_non_null(strstr(said, "msix         3\n"));
	assert_non_null(strstr(said, "used by      ringway-vmm (77)\n"));
	assert_int_equal(run(rwy_sriov_cmd_show, *state, VF, "--json", NULL), 0);
	assert_non_null(strstr(said, "\"msix\": 3"));
}

static void show_pf(void **state)
{
	fake_root_link(*state, "/sys/kernel/iommu_groups/256/devices/0000:01:00.1", "x");
	fake_sriov_bind(*state, "0000:01:00.1", "e1000e");
	assert_int_equal(run(rwy_sriov_cmd_show, *state, PF, NULL, NULL), 0);
	assert_non_null(strstr(said, "id           8086:10c9\n"));
	assert_non_null(strstr(said, "256, not viable: the host uses 0000:01:00.1 (e1000e)\n"));
	assert_non_null(strstr(said, "ifindex      256, has a link\n"));
	assert_non_null(strstr(said, "autoprobe    on\n"));
	assert_non_null(strstr(said, "vf           1 of"));
}

static void refused(void **state)
{
	assert_int_equal(run(rwy_sriov_cmd_show, *state, NULL, NULL, NULL), 2);
	assert_non_null(strstr(complained, "which function?"));
	assert_int_equal(run(rwy_sriov_cmd_show, *state, "eth0", NULL, NULL), 2);
	assert_int_equal(run(rwy_sriov_cmd_show, *state, PF, VF, NULL), 2);
	assert_int_equal(run(rwy_sriov_cmd_list, *state, PF, NULL, NULL), 2);
	assert_int_equal(run(rwy_sriov_cmd_show, *state, "0000:77:00.0", NULL, NULL), 1);
	assert_true(log_said("there is no PCI function 0000:77:00.0"));
	assert_int_equal(run(rwy_sriov_cmd_show, *state, "0000:01:00.1", NULL, NULL), 1);
}

static int forget(void **state)
{
	free(said);
	free(complained);
	said = complained = NULL;
	return fake_root_close(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, host, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(table), TEST(list_json), TEST(show_vf), TEST(show_pf), TEST(refused),
	};

	return UNIT_RUN(tests);
}
