/* SPDX-License-Identifier: BSD-3-Clause */
/* Hosts laid out as trees of files, and what is said of them. */
#include "tests/unit/fake_root.h"

#include "perf/facts.h"

static void expect(const struct rwy_facts *facts, const char *name, const char *value)
{
	const char *is = rwy_facts_value(facts, name);

	if (!is || strcmp(is, value))
		fail_msg("%s is '%s', not '%s'", name, is ? is : "(absent)", value);
}

static void put_server(const char *root)
{
	static const struct {
		const char *name, *text;
	} files[] = {
		{"/proc/cpuinfo",
		 "processor\t: 0\nmodel name\t: Xeon & Co. <2>\nmicrocode\t: 0xd0\n"
		 "flags\t\t: fpu vmx lm\nbugs\t\t: svm\n\nprocessor\t: 1\n"},
		{"/proc/cmdline",
		 "BOOT_IMAGE=/vmlinuz root=UUID=secret iommu=pt isolcpus=2-3 quiet\n"},
		{"/proc/meminfo", "MemTotal:       33554432 kB\nMemFree:  1 kB\n"},
		{"/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n"},
		{"/proc/sys/kernel/numa_balancing", "0\n"},
		{"/dev/kvm", ""},
		{"/sys/class/dmi/id/sys_vendor", "Acme\n"},
		{"/sys/class/dmi/id/product_name", "R1\n"},
		{"/sys/class/iommu/dmar0/x", ""},
		{"/sys/class/iommu/dmar1/x", ""},
		{"/sys/kernel/iommu_groups/0/type", ""},
		{"/sys/kernel/iommu_groups/1/type", ""},
		{"/sys/kernel/iommu_groups/2/type", ""},
		{"/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"},
		{"/sys/module/kvm_intel/parameters/ept", "Y\n"},
		{"/sys/module/kvm_intel/parameters/enable_apicv", "N\n"},
		{"/sys/module/kvm/parameters/halt_poll_ns", "200000\n"},
		{"/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"},
		{"/sys/devices/system/cpu/online", "0-3\n"},
		{"/sys/devices/system/cpu/isolated", "2-3\n"},
		{"/sys/devices/system/cpu/cpu0/topology/core_cpus_list", "0,2\n"},
		{"/sys/devices/system/cpu/cpu0/topology/package_cpus_list", "0,2\n"},
		{"/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"},
		{"/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", "intel_pstate\n"},
		{"/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n"},
		{"/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n"},
		{"/sys/devices/system/cpu/cpuidle/current_driver", "intel_idle\n"},
		{"/sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n"},
		{"/sys/devices/system/cpu/vulnerabilities/mds", "Mitigation: Clear CPU buffers\n"},
		{"/sys/devices/system/cpu/vulnerabilities/srbds", "Vulnerable: No microcode\n"},
		{"/sys/devices/system/node/online", "0-1\n"},
		{"/sys/devices/system/node/node0/cpulist", "0-1\n"},
		{"/sys/devices/system/node/node1/cpulist", "2-3\n"},
		{"/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "512\n"},
		{"/sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages",
		 "4\n"},
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(files); i++)
		fake_root_write(root, files[i].name, files[i].text);
}

static void a_server(void **state)
{
	struct rwy_facts facts = {0};

	put_server(*state);
	rwy_facts_read(*state, &facts);
	expect(&facts, "CPU", "Xeon & Co. <2>");
	expect(&facts, "CPUs", "4 online, 2 to a core, 2 to a socket");
	expect(&facts, "isolated CPUs", "2-3");
	expect(&facts, "machine", "Acme R1, no virtual machine");
	expect(&facts, "memory", "32.0 GiB");
	expect(&facts, "huge pages",
	       "node 0: 512 of 2 MiB, 0 of 1 GiB; node 1: 0 of 2 MiB, 4 of 1 GiB");
	expect(&facts, "transparent huge pages", "madvise");
	expect(&facts, "NUMA", "node 0: CPUs 0-1; node 1: CPUs 2-3; balancing off");
	expect(&facts, "IOMMU", "2 units, 3 groups");
	expect(&facts, "KVM",
	       "vmx kvm_intel.ept=Y kvm_intel.enable_apicv=N kvm.halt_poll_ns=200000");
	expect(&facts, "interrupts to guests",
	       "injected, the guest being left and entered: kvm_intel.enable_apicv=N");
	expect(&facts, "kernel", "6.1.0-18-amd64");
	expect(&facts, "boot options", "iommu=pt isolcpus=2-3"); /* and nothing private */
	expect(&facts, "governor", "performance (driver intel_pstate)");
	expect(&facts, "turbo", "off");
	expect(&facts, "idle driver", "intel_idle");
	expect(&facts, "clock source", "tsc");
	expect(&facts, "mitigations", "open: srbds; mitigated: mds; not affected by 1");
	expect(&facts, "microcode", "0xd0");
}

static void a_guest_with_little(void **state)
{
	struct rwy_facts facts = {0};

	fake_root_write(*state, "/proc/cpuinfo",
			"model name\t: EPYC\nflags\t\t: hypervisor svmx\n");
	fake_root_write(*state, "/proc/cmdline", "quiet\n");
	fake_root_write(*state, "/dev/kvm", "");
	fake_root_write(*state, "/sys/devices/system/cpu/isolated", "\n");
	fake_root_write(*state, "/sys/devices/system/cpu/cpufreq/boost", "1\n");
	fake_root_write(*state, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
			"powersave\n");
	fake_root_write(*state, "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor",
			"ondemand\n");
	rwy_facts_read(*state, &facts);
	expect(&facts, "machine", "a virtual machine itself");
	expect(&facts, "KVM", "the CPU shows neither vmx nor svm");
	expect(&facts, "IOMMU", "none in use");
	expect(&facts, "isolated CPUs", "none");
	expect(&facts, "boot options", "none that bear on speed");
	expect(&facts, "governor", "powersave, but on 1 of 2 CPUs ondemand or others");
	expect(&facts, "turbo", "on");
	assert_null(rwy_facts_value(&facts, "memory"));
	assert_null(rwy_facts_value(&facts, "clock source"));
}

/* A tree with nothing in it must not yield a fact that sounds like one. */
static void nothing_is_known(void **state)
{
	static const char *const sayable[] = {"IOMMU", "KVM", "governor"};
	struct rwy_facts facts = {0};

	rwy_facts_read(*state, &facts);
	assert_int_equal(facts.nr, RWY_ARRAY_SIZE(sayable));
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(sayable); i++)
		assert_non_null(rwy_facts_value(&facts, sayable[i]));
	expect(&facts, "KVM", "no /dev/kvm");
}

static void what_is_too_long_is_cut(void **state)
{
	char name[64], text[6000];
	struct rwy_facts facts = {0};

	for (unsigned i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "/sys/devices/system/node/node%u/cpulist", i);
		fake_root_write(*state, name, "1-2,5-6,9-10\n");
	}
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "model name\t: ", 13);
	fake_root_write(*state, "/proc/cpuinfo", text);
	rwy_facts_read(*state, &facts);
	assert_int_equal(strlen(rwy_facts_value(&facts, "NUMA")), sizeof(facts.facts[0].value) - 1);
	assert_int_equal(strlen(rwy_facts_value(&facts, "CPU")), sizeof(facts.facts[0].value) - 1);
}

static void adding(void **state)
{
	(void)state;
	struct rwy_facts facts = {0};
	char name[16];

	for (unsigned i = 0; i < RWY_FACTS_MAX; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(rwy_facts_add(&facts, name, "%u", i), 0);
	}
	assert_int_equal(rwy_facts_add(&facts, "f7", "x"), -EEXIST);
	assert_int_equal(rwy_facts_add(&facts, "new", "x"), -ENOSPC);
	expect(&facts, "f7", "7");
	assert_null(rwy_facts_value(&facts, "new"));
}

#define ROOTED(test) cmocka_unit_test_setup_teardown(test, fake_root_open, fake_root_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOTED(a_server),	  ROOTED(a_guest_with_little),
		ROOTED(nothing_is_known), ROOTED(what_is_too_long_is_cut),
		cmocka_unit_test(adding),
	};

	return UNIT_RUN(tests);
}
