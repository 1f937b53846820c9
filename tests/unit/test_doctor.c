/* SPDX-License-Identifier: BSD-3-Clause */
/* The doctor at the beds of several hosts, laid out as trees of files. */
#include "tests/unit/fake_root.h"
#include "tests/unit/unit.h"
#include "vmm/doctor.h"

#include <jansson.h>
#include <stdarg.h>

#define CPUINFO "processor\t: 0\nvendor_id\t: %s\nflags\t\t: fpu %s lm\nbugs\t\t: vmxnot\n"

static void put(const char *root, const char *text, const char *fmt, ...)
{
	char name[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	fake_root_write(root, name, text);
}

static void put_cpu(const char *root, const char *vendor, const char *flags)
{
	char text[400];

	snprintf(text, sizeof(text), CPUINFO, vendor, flags);
	fake_root_write(root, "/proc/cpuinfo", text);
}

/* A function in a group; driver NULL: none. */
static void put_function(const char *root, const char *bdf, const char *class_code,
			 const char *group, const char *driver)
{
	char name[200], target[200];

	put(root, class_code, "/sys/bus/pci/devices/%s/class", bdf);
	put(root, "", "/sys/kernel/iommu_groups/%s/devices/%s", group, bdf);
	if (!driver)
		return;
	snprintf(name, sizeof(name), "/sys/bus/pci/devices/%s/driver", bdf);
	snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
	fake_root_link(root, name, target);
}

/* All is as it should be. */
static void put_good(const char *root)
{
	put_cpu(root, "GenuineIntel", "vmx");
	put(root, "BOOT_IMAGE=/vmlinuz intel_iommu=on iommu=pt quiet\n", "/proc/cmdline");
	put(root, "  24:  1  IR-PCI-MSI  nvme0q0\n", "/proc/interrupts");
	put(root, "0\n", "/proc/sys/kernel/numa_balancing");
	put(root, "", "/dev/kvm");
	put(root, "", "/dev/vfio/vfio");
	put(root, "", "/dev/iommu");
	put(root, "Y\n", "/sys/module/kvm_intel/parameters/enable_apicv");
	put(root, "N\n", "/sys/module/kvm/parameters/nx_huge_pages");
	put(root, "always within_size [advise] never deny force\n",
	    "/sys/kernel/mm/transparent_hugepage/shmem_enabled");
	put(root, "9d2008c40660462\n", "/sys/class/iommu/dmar0/intel-iommu/cap");
	put(root, "", "/sys/bus/pci/drivers/vfio-pci/bind");
	for (unsigned i = 0; i < 2; i++) {
		put(root, "512\n",
		    "/sys/devices/system/node/node%u/hugepages/hugepages-2048kB/nr_hugepages", i);
		put(root, "512\n",
		    "/sys/devices/system/node/node%u/hugepages/hugepages-2048kB/free_hugepages", i);
		put(root, "performance\n", "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor",
		    i);
	}
	put(root, "1-1\n", "/sys/devices/system/node/possible");
	put_function(root, "0000:01:10.0", "0x020000\n", "12", "vfio-pci");
	put(root, "0x00000000fee00000 0x00000000feefffff msi\n",
	    "/sys/kernel/iommu_groups/12/reserved_regions");
}

static struct rwy_doctor *examine(const char *root)
{
	static struct rwy_doctor doctor;

	memset(&doctor, 0, sizeof(doctor));
	doctor.root = root;
	doctor.memlock = UINT64_MAX;
	rwy_doctor_examine(&doctor);
	return &doctor;
}

/* The nth line about a fact. */
static const struct rwy_doctor_line *find(const struct rwy_doctor *doctor, const char *fact,
					  unsigned nth)
{
	for (unsigned i = 0; i < doctor->nr_lines; i++)
		if (strcmp(doctor->lines[i].fact, fact) == 0 && nth-- == 0)
			return &doctor->lines[i];
	return NULL;
}

static void expect(const struct rwy_doctor *doctor, const char *fact, enum rwy_doctor_grade grade,
		   const char *what, const char *mend)
{
	const struct rwy_doctor_line *line = find(doctor, fact, 0);

	if (!line)
		fail_msg("nothing about %s", fact);
	if (line->grade != grade || !strstr(line->what, what) ||
	    (mend ? !strstr(line->mend, mend) : line->mend[0] != '\0'))
		fail_msg("%s: %d %s; %s", fact, line->grade, line->what, line->mend);
}

#define OK   RWY_DOCTOR_OK
#define WARN RWY_DOCTOR_WARN
#define FAIL RWY_DOCTOR_FAIL

static void healthy(void **state)
{
	const char *root = *state;
	struct rwy_doctor *doctor;

	put_good(root);
	put(root, "7\n", "/sys/bus/pci/devices/0000:01:00.0/sriov_totalvfs");
	put(root, "2\n", "/sys/bus/pci/devices/0000:01:00.0/sriov_numvfs");
	put(root, "1\n", "/sys/bus/pci/devices/0000:01:00.0/numa_node");
	doctor = examine(root);
	for (unsigned i = 0; i < doctor->nr_lines; i++) {
		const struct rwy_doctor_line *line = &doctor->lines[i];

		if (line->grade != OK || line->mend[0])
			fail_msg("%s: %s; %s", line->fact, line->what, line->mend);
	}
	expect(doctor, "iommu", OK, "1 units, 1 groups", NULL);
	expect(doctor, "group", OK, "12 can be given to a guest: 0000:01:10.0 (vfio-pci)", NULL);
	expect(doctor, "vfio", OK, "containers and iommufd", NULL);
	expect(doctor, "sriov", OK, "0000:01:00.0 has 2 of 7 virtual functions, on node 1", NULL);
	assert_non_null(find(doctor, "hugepages", 1));
	assert_null(find(doctor, "hugepages", 2)); /* "possible" is no node */
	assert_null(find(doctor, "reserved", 0));
}

static void nothing_there(void **state)
{
	struct rwy_doctor *doctor = examine(*state);

	expect(doctor, "kvm", FAIL, "neither vmx nor svm", "firmware");
	expect(doctor, "hugepages", WARN, "no nodes", NULL);
	expect(doctor, "governor", OK, "does not set", NULL);
	expect(doctor, "iommu", FAIL, "none in use", "intel_iommu=on");
	expect(doctor, "vfio", FAIL, "not loaded", "modprobe vfio-pci");
	assert_null(find(doctor, "intremap", 0));
}

static void in_a_machine(void **state)
{
	const char *root = *state;

	put_good(root);
	put_cpu(root, "GenuineIntel", "hypervisor");
	expect(examine(root), "kvm", FAIL, "neither", "nested");
	put_cpu(root, "GenuineIntel", "hypervisor vmx");
	expect(examine(root), "kvm", OK, "virtualizes", NULL);
	expect(examine(root), "nested", WARN, "virtual machine itself", NULL);
}

static void kvm_missing(void **state)
{
	const char *root = *state;

	put_cpu(root, "AuthenticAMD", "svm");
	expect(examine(root), "kvm", FAIL, "no /dev/kvm", "modprobe kvm_amd");
	put_cpu(root, "GenuineIntel", "vmx");
	expect(examine(root), "kvm", FAIL, "no /dev/kvm", "modprobe kvm_intel");
	/* The flag must be a word: the bugs line above has one that only begins so. */
	put_cpu(root, "GenuineIntel", "vmxfoo");
	expect(examine(root), "kvm", FAIL, "neither", "firmware");
}

static void posting(void **state)
{
	const char *root = *state;

	put_good(root);
	put(root, "N\n", "/sys/module/kvm_intel/parameters/enable_apicv");
	expect(examine(root), "posted-irqs", WARN, "enable_apicv off", "modprobe -r kvm_intel");
	put_cpu(root, "AuthenticAMD", "svm");
	expect(examine(root), "posted-irqs", WARN, "not known", "modprobe kvm_amd");
	put(root, "0\n", "/sys/module/kvm_amd/parameters/avic");
	expect(examine(root), "posted-irqs", WARN, "avic off", "options kvm_amd avic=1");
	put(root, "1\n", "/sys/module/kvm_amd/parameters/avic");
	expect(examine(root), "posted-irqs", OK, "avic on", NULL);
}

static void iommu_off(void **state)
{
	const char *root = *state;

	put_cpu(root, "GenuineIntel", "vmx");
	put(root, "quiet intel_iommu=onwards\n", "/proc/cmdline");
	expect(examine(root), "iommu", FAIL, "none in use", "intel_iommu=on iommu=pt");
	put(root, "intel_iommu=on\n", "/proc/cmdline");
	expect(examine(root), "iommu", FAIL, "none in use", "VT-d on in the firmware's");
	put(root, "", "/sys/class/iommu/dmar0/x");
	expect(examine(root), "iommu", FAIL, "units but no groups", "VT-d");
	put_cpu(root, "AuthenticAMD", "svm");
	expect(examine(root), "iommu", FAIL, "units but", "AMD-Vi");
	put(root, "amd_iommu=off quiet\n", "/proc/cmdline");
	expect(examine(root), "iommu", FAIL, "units but", "take amd_iommu=off");
}

static void remapping(void **state)
{
	const char *root = *state;

	put_good(root);
	put(root, "  24:  1  PCI-MSI  FAIR-share\n", "/proc/interrupts");
	expect(examine(root), "intremap", FAIL, "VFIO refuses", "allow_unsafe_interrupts=1");
	put(root, "N\n", "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	expect(examine(root), "intremap", FAIL, "VFIO refuses", "intremap=off");
	put(root, "Y\n", "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	expect(examine(root), "intremap", WARN, "allowed", NULL);
	put(root, "intel_iommu=on\n", "/proc/cmdline");
	expect(examine(root), "iommu-pt", WARN, "translated", "iommu=pt");
}

static void posters(void **state)
{
	const char *root = *state;

	put_good(root);
	expect(examine(root), "iommu-posts", OK, "can be posted", NULL);
	put(root, "d2008c40660462\n", "/sys/class/iommu/dmar1/intel-iommu/cap");
	expect(examine(root), "iommu-posts", WARN, "1 of 2 units", NULL);
	put_cpu(root, "AuthenticAMD", "svm");
	put(root, "x\n", "/sys/class/iommu/dmar0/intel-iommu/cap");
	expect(examine(root), "iommu-posts", WARN, "2 of 2 units", NULL);
}

static void groups(void **state)
{
	const char *root = *state;
	const struct rwy_doctor_line *line;

	put_good(root);
	/* One of two given away; a bridge and a function without driver do not matter. */
	put_function(root, "0000:02:00.0", "0x010802\n", "13", "vfio-pci");
	put_function(root, "0000:02:00.1", "0x020000\n", "13", "igb");
	put_function(root, "0000:00:01.0", "0x060400\n", "13", "pcieport");
	put_function(root, "0000:03:00.0", "0x020000\n", "14", "vfio-pci");
	put_function(root, "0000:03:00.1", "0x0c0330\n", "14", NULL);
	put_function(root, "0000:00:02.0", "0x060400\n", "14", "pcieport");
	/* Two of the host's together. */
	put_function(root, "0000:04:00.0", "0x020000\n", "15", "igb");
	put_function(root, "0000:04:00.1", "0x020000\n", "15", "igb");
	/* Alone, or nothing anybody wants. */
	put_function(root, "0000:05:00.0", "0x020000\n", "16", "igb");
	put_function(root, "0000:06:00.0", "0x060100\n", "17", "lpc");
	put_function(root, "0000:06:00.1", "0x0c0500\n", "17", NULL);
	line = find(examine(root), "group", 1);
	assert_int_equal(line->grade, FAIL);
	assert_non_null(strstr(line->what, "13 cannot be used: 0000:02:00.0 (vfio-pci) "
					   "0000:02:00.1 (igb)"));
	assert_string_equal(
		line->mend,
		"echo vfio-pci >/sys/bus/pci/devices/0000:02:00.1/driver_override; echo "
		"0000:02:00.1 >/sys/bus/pci/drivers/igb/unbind; echo 0000:02:00.1 "
		">/sys/bus/pci/drivers_probe");
	line = find(examine(root), "group", 2);
	assert_int_equal(line->grade, OK);
	assert_non_null(strstr(line->what, "14 can be given"));
	line = find(examine(root), "group", 3);
	assert_int_equal(line->grade, WARN);
	assert_non_null(strstr(line->what, "15 goes to one guest"));
	assert_null(find(examine(root), "group", 4));
}

static void reserved(void **state)
{
	static const char file[] = "/sys/kernel/iommu_groups/12/reserved_regions";
	const char *root = *state;

	put_good(root);
	put(root,
	    "0x000000007b800000 0x000000007fffffff direct\n"
	    "0x00000000fee00000 0x00000000feefffff msi\n",
	    file);
	expect(examine(root), "reserved", FAIL, "direct range 0x7b800000-0x7fffffff", "firmware");
	put(root, "0x000000007b800000 0x000000007fffffff direct-relaxable\n", file);
	assert_null(find(examine(root), "reserved", 0));
	put(root, "0x0000000800000000 0x00000008ffffffff reserved\n", file);
	expect(examine(root), "reserved", WARN, "at most 30 GiB", NULL);
	/* AMD's hole, above which no guest has memory anyway. */
	put(root, "0x000000fd00000000 0x000000ffffffffff reserved\n", file);
	assert_null(find(examine(root), "reserved", 0));
	/* What is no region is passed over, to the end. */
	put(root, "nonsense\n0x5 0x4 direct\n0x1 x direct\n\n0x1000 0x1fff direct", file);
	expect(examine(root), "reserved", FAIL, "0x1000-0x1fff", "firmware");
	assert_null(find(examine(root), "reserved", 1));
}

static void memory(void **state)
{
	static const char node1[] =
		"/sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages";
	const char *root = *state;
	struct rwy_doctor doctor = {.root = root, .memlock = 8 << 20};
	const struct rwy_doctor_line *line;

	put_good(root);
	rwy_doctor_examine(&doctor);
	expect(&doctor, "memlock", WARN, "8 MiB", "ulimit -l unlimited");
	doctor = (struct rwy_doctor){.root = root, .memlock = 8 << 20, .may_lock = true};
	rwy_doctor_examine(&doctor);
	expect(&doctor, "memlock", OK, "may lock", NULL);
	put(root, "0\n", "%s", node1);
	line = find(examine(root), "hugepages", 1);
	assert_int_equal(line->grade, WARN);
	assert_non_null(strstr(line->what, "node1: 0 of 512 pages of 2 MiB"));
	assert_non_null(strstr(line->mend, "node/node1/hugepages/hugepages-2048kB/nr_hugepages"));
	put(root, "1\n", "/proc/sys/kernel/numa_balancing");
	expect(examine(root), "balancing", WARN, "moves memory", "sysctl");
	put(root, "always advise [never]\n", "/sys/kernel/mm/transparent_hugepage/shmem_enabled");
	expect(examine(root), "thp", WARN, "4 KiB", "echo advise");
}

static void clocks(void **state)
{
	const char *root = *state;

	put_good(root);
	put(root, "powersave\n", "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor");
	expect(examine(root), "governor", WARN, "1 of 2 CPUs run at 'powersave'", "performance");
	put(root, "Y\n", "/sys/module/kvm/parameters/nx_huge_pages");
	expect(examine(root), "nx-hugepages", WARN, "splits", "nx_huge_pages");
	put(root, "intel_iommu=on iommu=pt idle=poll\n", "/proc/cmdline");
	expect(examine(root), "cmdline", WARN, "idle=poll", NULL);
}

static void no_vfio(void **state)
{
	const char *root = *state;
	char path[FAKE_ROOT_PATH];

	put_good(root);
	fake_root_path(path, root, "/dev/vfio/vfio");
	assert_int_equal(remove(path), 0);
	expect(examine(root), "vfio", OK, "with iommufd", NULL);
	fake_root_path(path, root, "/dev/iommu");
	assert_int_equal(remove(path), 0);
	expect(examine(root), "vfio", FAIL, "neither", "modprobe vfio_iommu_type1");
}

/* A host of very many functions: the lines end, nothing else. */
static void crowded(void **state)
{
	const char *root = *state;
	struct rwy_doctor *doctor;

	put_good(root);
	for (unsigned i = 0; i < RWY_DOCTOR_LINES; i++) {
		char bdf[16], group[8];

		snprintf(bdf, sizeof(bdf), "0001:%02x:00.0", i);
		snprintf(group, sizeof(group), "%u", 100 + i);
		put_function(root, bdf, "0x020000", group, "vfio-pci");
	}
	/* And one group of more than a line holds. */
	for (unsigned i = 0; i < 40; i++) {
		char bdf[16];

		snprintf(bdf, sizeof(bdf), "0002:%02x:00.0", i);
		put_function(root, bdf, "0x020000", "1", "a-driver-of-a-long-name");
	}
	doctor = examine(root);
	assert_int_equal(doctor->nr_lines, RWY_DOCTOR_LINES);
	assert_true(doctor->nr_dropped > 0);
	assert_int_equal(find(doctor, "group", 0)->grade, WARN);
}

static int run(const char *root, const char *option, char *out, size_t len)
{
	char program[] = "doctor", rest[2][FAKE_ROOT_PATH];
	char *argv[] = {program, rest[0], rest[1], NULL};
	FILE *file = fmemopen(out, len, "w");
	int status;

	snprintf(rest[0], sizeof(rest[0]), "--root=%s", root);
	snprintf(rest[1], sizeof(rest[1]), "%s", option);
	status = rwy_doctor_main(option[0] ? 3 : 2, argv, file, file);
	fclose(file);
	return status;
}

static void program(void **state)
{
	const char *root = *state;
	static char out[65536];
	json_t *list, *line;
	size_t i;

	put_good(root);
	assert_int_equal(run(root, "", out, sizeof(out)), 0);
	assert_non_null(strstr(out, "ok    kvm         /dev/kvm can be used"));
	put(root, "", "/proc/interrupts");
	assert_int_equal(run(root, "", out, sizeof(out)), 1);
	assert_non_null(strstr(out, "; mend: "));
	assert_int_equal(run(root, "--json", out, sizeof(out)), 1);
	list = json_loads(out, 0, NULL);
	assert_true(json_array_size(list) > 8);
	json_array_foreach(list, i, line)
	{
		assert_non_null(json_string_value(json_object_get(line, "fact")));
		assert_non_null(json_string_value(json_object_get(line, "what")));
		assert_non_null(json_string_value(json_object_get(line, "mend")));
		assert_non_null(
			strstr("ok warn fail", json_string_value(json_object_get(line, "grade"))));
	}
	json_decref(list);
	assert_int_equal(run(root, "--nonsense", out, sizeof(out)), 2);
}

#define ON_A_HOST(test) cmocka_unit_test_setup_teardown(test, fake_root_open, fake_root_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_HOST(healthy),	ON_A_HOST(nothing_there), ON_A_HOST(in_a_machine),
		ON_A_HOST(kvm_missing), ON_A_HOST(posting),	  ON_A_HOST(iommu_off),
		ON_A_HOST(remapping),	ON_A_HOST(groups),	  ON_A_HOST(posters),
		ON_A_HOST(reserved),	ON_A_HOST(memory),	  ON_A_HOST(clocks),
		ON_A_HOST(no_vfio),	ON_A_HOST(crowded),	  ON_A_HOST(program),
	};

	return UNIT_RUN(tests);
}
