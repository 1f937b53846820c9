/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include "vmm/cfg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ARGS 24

static char program[] = "ringway-vmm";

struct result {
	bool go;
	int status;
	char out[16384];
	char err[1024];
};

/* Parses "a|b|c"; words may hold anything but the bar. */
static struct result parse(struct rwy_cfg *cfg, const char *line)
{
	/* The configuration points into its arguments. */
	static char copy[4096];
	char *argv[ARGS] = {program};
	struct result r = {.status = -1};
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, "|"); word && argc < ARGS; word = strtok(NULL, "|"))
		argv[argc++] = word;
	FILE *out = fmemopen(r.out, sizeof(r.out), "w");
	FILE *err = fmemopen(r.err, sizeof(r.err), "w");
	r.go = rwy_cfg_parse(cfg, argc, argv, out, err, &r.status);
	fclose(out);
	fclose(err);
	return r;
}

static void defaults(void **state)
{
	struct rwy_cfg cfg;

	(void)state;
	assert_true(parse(&cfg, "--kernel|k").go);
	assert_string_equal(cfg.kernel, "k");
	assert_null(cfg.initrd);
	assert_int_equal(cfg.nr_cpus, 1);
	assert_int_equal(cfg.nr_pins, 0);
	assert_int_equal(cfg.memory, 512 << 20);
	assert_int_equal(cfg.page_size, 4096);
	assert_int_equal(cfg.node, -1);
	assert_int_equal(cfg.nr_devices, 0);
	assert_int_equal(cfg.serial, RWY_CFG_SERIAL_STDIO);
	assert_null(cfg.exit_stats);
	assert_null(cfg.qmp);
	assert_false(cfg.has_root_ports);
}

static void everything(void **state)
{
	struct rwy_cfg cfg;

	(void)state;
	struct result r = parse(&cfg, "--kernel|k|--initrd|i|--cmdline|a=b,c d|--cpus=4,pin=0,0"
				      "|--memory|64M,hugepages=2M,node=0|--serial|file=s"
				      "|--exit-stats|e|--qmp|q|--root-ports|0");
	assert_string_equal(r.err, "");
	assert_true(r.go);
	assert_string_equal(cfg.cmdline, "a=b,c d");
	assert_int_equal(cfg.nr_cpus, 4);
	assert_int_equal(cfg.nr_pins, 2);
	assert_int_equal(cfg.memory, 64 << 20);
	assert_int_equal(cfg.page_size, 2 << 20);
	assert_int_equal(cfg.node, 0);
	assert_int_equal(cfg.serial, RWY_CFG_SERIAL_FILE);
	assert_string_equal(cfg.serial_path, "s");
	assert_string_equal(cfg.exit_stats, "e");
	assert_string_equal(cfg.qmp, "q");
	assert_true(cfg.has_root_ports);
	assert_int_equal(cfg.root_ports, 0);
}

static void devices(void **state)
{
	struct rwy_cfg cfg;

	(void)state;
	struct result r = parse(&cfg, "--kernel|k|--net|tap=lo,mac=52:54:00:00:00:01,queues=2"
				      "|--disk|file=/proc/self/exe,packed"
				      "|--net|socket=/tmp/ringway-not-there-yet");
	assert_string_equal(r.err, "");
	assert_int_equal(cfg.nr_devices, 3);
	assert_int_equal(cfg.devices[0].kind, RWY_CFG_NET);
	assert_string_equal(cfg.devices[0].target, "lo");
	assert_null(cfg.devices[0].socket);
	assert_true(cfg.devices[0].has_mac);
	assert_int_equal(cfg.devices[0].mac[5], 1);
	assert_int_equal(cfg.devices[0].queues, 2);
	assert_int_equal(cfg.devices[1].kind, RWY_CFG_DISK);
	assert_true(cfg.devices[1].packed);
	assert_int_equal(cfg.devices[1].queues, 1);
	assert_string_equal(cfg.devices[2].socket, "/tmp/ringway-not-there-yet");
	assert_false(cfg.devices[2].has_mac);
}

/* With descriptors it need not be there for us to see. */
static void functions(void **state)
{
	struct rwy_cfg cfg;

	(void)state;
	struct result r = parse(&cfg, "--kernel|k|--vfio|01:10.0,fd=5,iommu-fd=6"
				      "|--vfio|/sys/bus/pci/devices/0001:02:1f.7/,fd=7,port"
				      ",token=01234567-89AB-cdef-0123-456789abcdef");
	assert_string_equal(r.err, "");
	assert_int_equal(cfg.nr_vfio, 2);
	assert_string_equal(cfg.vfio[0].bdf, "0000:01:10.0");
	assert_int_equal(cfg.vfio[0].fd, 5);
	assert_int_equal(cfg.vfio[0].iommu_fd, 6);
	assert_string_equal(cfg.vfio[1].bdf, "0001:02:1f.7");
	assert_int_equal(cfg.vfio[1].iommu_fd, -1);
	assert_false(cfg.vfio[0].port);
	assert_true(cfg.vfio[1].port);
	assert_string_equal(cfg.vfio[0].token, "");
	assert_string_equal(cfg.vfio[1].token, "01234567-89AB-cdef-0123-456789abcdef");
}

static void refused(void **state)
{
	static const char *const lines[] = {
		"--initrd|i",
		"--kernel|k|--cpus|0",
		"--kernel|k|--cpus|65",
		"--kernel|k|--cpus|2,pin=",
		"--kernel|k|--cpus|2,pin=x",
		"--kernel|k|--cpus|2,pin=255",
		"--kernel|k|--cpus|2,pins=0",
		"--kernel|k|--memory|1M",
		"--kernel|k|--memory|100000000G",
		"--kernel|k|--memory|1023G",
		"--kernel|k|--memory|512M,hugepages=4M",
		"--kernel|k|--memory|17M,hugepages=2M",
		"--kernel|k|--memory|512M,node=999",
		"--kernel|k|--net|mac=52:54:00:00:00:01",
		"--kernel|k|--net|tap=lo,socket=/tmp/s",
		"--kernel|k|--net|tap=no-such-if",
		"--kernel|k|--net|socket=/proc/self/exe",
		"--kernel|k|--net|socket=/nowhere/s",
		"--kernel|k|--net|socket=/tmp/s,mac=1",
		"--kernel|k|--net|socket=/tmp/s,queues=0",
		"--kernel|k|--disk|file=/nowhere/disk",
		"--kernel|k|--disk|file=/proc/self/exe,mac=52:54:00:00:00:01",
		"--kernel|k|--disk|packed",
		"--kernel|k|--serial|tcp",
		"--kernel|k|--serial|file=",
		"--kernel|k|--qmp|/no/such/directory/q",
		"--kernel|k|--root-ports|17",
		"--kernel|k|--root-ports|-1",
		"--kernel|k|--vfio|ffff:ff:1f.7",
		"--kernel|k|--vfio|0000:00:1",
		"--kernel|k|--vfio|/sys",
		"--kernel|k|--vfio|01:10.0,fd=x",
		"--kernel|k|--vfio|01:10.0,fd=3,port=x",
		"--kernel|k|--vfio|01:10.0,fd=3,token=",
		"--kernel|k|--vfio|01:10.0,fd=3,token=0123",
		"--kernel|k|--vfio|01:10.0,fd=3,token=01234567-89ab-cdef-0123-456789abcdeg",
		"--kernel|k|--vfio|01:10.0,fd=3,token=0123456789ab-cdef-0123-4567-89abcdef",
		"--kernel|k|--vfio|01:10.0,fd=3|--vfio|0000:01:10.0,fd=4",
		"--kernel|k|--frobnicate",
		"--kernel|k|operand",
	};
	struct rwy_cfg cfg;

	(void)state;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(lines); i++) {
		struct result r = parse(&cfg, lines[i]);

		if (r.go)
			fail_msg("accepted: %s", lines[i]);
		assert_int_equal(r.status, 2);
		/* one line */
		assert_non_null(strchr(r.err, '\n'));
		assert_int_equal(strchr(r.err, '\n')[1], '\0');
		assert_string_equal(r.out, "");
	}
}

static void too_many_devices(void **state)
{
	struct rwy_cfg cfg;
	char net[] = "--net", kernel[] = "--kernel=k";
	char *argv[2 * RWY_CFG_DEVICES + 4] = {program, kernel};
	char values[RWY_CFG_DEVICES + 1][16];
	FILE *null = fopen("/dev/null", "w");
	int argc = 2, status;

	(void)state;
	for (unsigned i = 0; i <= RWY_CFG_DEVICES; i++) {
		strcpy(values[i], "socket=/tmp/s");
		argv[argc++] = net;
		argv[argc++] = values[i];
	}
	assert_false(rwy_cfg_parse(&cfg, argc, argv, null, null, &status));
	assert_int_equal(status, 2);
	fclose(null);
}

static void help(void **state)
{
	struct rwy_cfg cfg;
	struct result r;

	(void)state;
	r = parse(&cfg, "--help");
	assert_false(r.go);
	assert_int_equal(r.status, 0);
	assert_non_null(strstr(r.out, "--exit-stats FILE"));
	assert_non_null(strstr(r.out, "--log-level"));
	r = parse(&cfg, "--version");
	assert_int_equal(r.status, 0);
	assert_string_equal(r.out, "ringway-vmm " RWY_VERSION "\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults), cmocka_unit_test(everything),
		cmocka_unit_test(devices),  cmocka_unit_test(functions),
		cmocka_unit_test(refused),  cmocka_unit_test(too_many_devices),
		cmocka_unit_test(help),
	};

	return UNIT_RUN(tests);
}
