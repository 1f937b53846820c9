/* SPDX-License-Identifier: BSD-3-Clause */
/* The CPU, KVM, memory: facts that no PCI function has a part in. */
#include "vmm/doctor.h"

#include "lib/sysfs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OK   RWY_DOCTOR_OK
#define WARN RWY_DOCTOR_WARN
#define FAIL RWY_DOCTOR_FAIL

#define CPUINFO_LEN 8192 /* the first CPU's part and more */
#define CPUS_MAX    4096

/* The word stands alone in text. */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += len) {
		bool begins = at == text || strchr(" \t\n:,", at[-1]);

		if (begins && (at[len] == '\0' || strchr(" \t\n,", at[len])))
			return true;
	}
	return false;
}

/* Longer than fits is as good: what is looked for stands at the beginning. */
static void read_cpuinfo(const struct rwy_doctor *doctor, char text[CPUINFO_LEN])
{
	(void)!rwy_sysfs_read(doctor->root, text, CPUINFO_LEN, "/proc/cpuinfo");
}

const char *rwy_doctor_host_maker(const struct rwy_doctor *doctor)
{
	char text[CPUINFO_LEN];

	read_cpuinfo(doctor, text);
	if (has_word(text, "GenuineIntel"))
		return "Intel";
	return has_word(text, "AuthenticAMD") ? "AMD" : "";
}

bool rwy_doctor_host_booted_with(const struct rwy_doctor *doctor, const char *word)
{
	char text[4096];

	return rwy_sysfs_read(doctor->root, text, sizeof(text), "/proc/cmdline") >= 0 &&
	       has_word(text, word);
}

/* "Y" or "1" in /sys/module/MODULE/parameters/NAME */
static bool parameter(const struct rwy_doctor *doctor, const char *module, const char *name)
{
	char text[16];

	return rwy_sysfs_read(doctor->root, text, sizeof(text), "/sys/module/%s/parameters/%s",
			      module, name) > 0 &&
	       strchr("Yy1", text[0]);
}

static const char *kvm_module(const struct rwy_doctor *doctor)
{
	return strcmp(rwy_doctor_host_maker(doctor), "AMD") == 0 ? "kvm_amd" : "kvm_intel";
}

/* ---- the CPU ---- */

static void examine_kvm(struct rwy_doctor *doctor)
{
	char cpuinfo[CPUINFO_LEN], path[RWY_SYSFS_PATH];
	const char *module = kvm_module(doctor);
	bool virtualizes;

	read_cpuinfo(doctor, cpuinfo);
	virtualizes = has_word(cpuinfo, "vmx") || has_word(cpuinfo, "svm");
	snprintf(path, sizeof(path), "%s/dev/kvm", doctor->root);
	if (!virtualizes) {
		rwy_doctor_say(doctor, FAIL, "kvm",
			       "the CPU shows neither vmx nor svm: no machine will run");
		if (has_word(cpuinfo, "hypervisor"))
			rwy_doctor_mend(doctor, "let the host of this machine pass them on "
						"(nested virtualization, CPU model host)");
		else
			rwy_doctor_mend(doctor, "switch virtualization on in the firmware's setup");
	} else if (!rwy_sysfs_exists(doctor->root, "/dev/kvm")) {
		rwy_doctor_say(doctor, FAIL, "kvm", "there is no /dev/kvm");
		rwy_doctor_mend(doctor, "modprobe %s", module);
	} else if (access(path, R_OK | W_OK) < 0) {
		rwy_doctor_say(doctor, FAIL, "kvm", "/dev/kvm cannot be opened by this user");
		rwy_doctor_mend(doctor, "usermod -aG kvm $USER, then log in again");
	} else {
		rwy_doctor_say(doctor, OK, "kvm", "/dev/kvm can be used, the CPU virtualizes");
	}
	if (has_word(cpuinfo, "hypervisor"))
		rwy_doctor_say(doctor, WARN, "nested",
			       "this host is a virtual machine itself: exits cost several times "
			       "more, and devices depend on what its own host passes on");
	else
		rwy_doctor_say(doctor, OK, "nested", "this host is no virtual machine");
}

/* Interrupts of devices that reach a running guest without an exit. */
static void examine_posting(struct rwy_doctor *doctor)
{
	bool amd = strcmp(kvm_module(doctor), "kvm_amd") == 0;
	const char *module = kvm_module(doctor), *name = amd ? "avic" : "enable_apicv";

	if (!rwy_sysfs_exists(doctor->root, "/sys/module/%s/parameters/%s", module, name)) {
		rwy_doctor_say(doctor, WARN, "posted-irqs",
			       "not known: %s is not loaded or does not say", module);
		rwy_doctor_mend(doctor, "modprobe %s", module);
	} else if (parameter(doctor, module, name)) {
		rwy_doctor_say(doctor, OK, "posted-irqs", "%s has %s on", module, name);
	} else {
		rwy_doctor_say(doctor, WARN, "posted-irqs",
			       "%s has %s off: each interrupt of a device costs an exit", module,
			       name);
		rwy_doctor_mend(doctor,
				"echo 'options %s %s=1' >/etc/modprobe.d/%s.conf; "
				"modprobe -r %s; modprobe %s (a CPU without it keeps it off)",
				module, name, module, module, module);
	}
}

static void examine_governor(struct rwy_doctor *doctor)
{
	unsigned nr = 0, slow = 0;
	char text[32], first[32] = "";

	for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
		if (rwy_sysfs_read(doctor->root, text, sizeof(text),
				   "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor",
				   cpu) <= 0)
			break;
		nr++;
		if (strcmp(text, "performance") == 0)
			continue;
		if (slow++ == 0)
			strcpy(first, text);
	}
	if (nr == 0) {
		rwy_doctor_say(doctor, OK, "governor", "this kernel does not set CPU clocks");
	} else if (slow == 0) {
		rwy_doctor_say(doctor, OK, "governor", "all %u CPUs run at 'performance'", nr);
	} else {
		rwy_doctor_say(doctor, WARN, "governor", "%u of %u CPUs run at '%s'", slow, nr,
			       first);
		rwy_doctor_mend(doctor, "echo performance | tee "
					"/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor");
	}
}

/* ---- memory ---- */

static void examine_memlock(struct rwy_doctor *doctor)
{
	if (doctor->may_lock) {
		rwy_doctor_say(doctor, OK, "memlock", "no limit for this user: it may lock memory");
	} else if (doctor->memlock == UINT64_MAX) {
		rwy_doctor_say(doctor, OK, "memlock", "no limit");
	} else {
		rwy_doctor_say(doctor, WARN, "memlock",
			       "%llu MiB can be pinned: a machine with a function of the host "
			       "needs all of its memory and 64 MiB",
			       (unsigned long long)(doctor->memlock >> 20));
		rwy_doctor_mend(doctor,
				"ulimit -l unlimited (for good: echo \"$USER - memlock unlimited\" "
				">/etc/security/limits.d/ringway.conf, or LimitMEMLOCK=infinity "
				"in a unit)");
	}
}

static int examine_node(void *ctx, const char *name)
{
	static const struct {
		const char *dir;
		const char *size;
	} pools[] = {{"hugepages-2048kB", "2 MiB"}, {"hugepages-1048576kB", "1 GiB"}};
	struct rwy_doctor *doctor = ctx;
	uint64_t nr[2] = {0}, free[2] = {0};

	if (strncmp(name, "node", 4) != 0 || name[4] < '0' || name[4] > '9')
		return 0;
	for (unsigned i = 0; i < 2; i++) {
		const char *dir = pools[i].dir;

		if (rwy_sysfs_read_uint(doctor->root, &nr[i],
					"/sys/devices/system/node/%s/hugepages/%s/nr_hugepages",
					name, dir) ||
		    rwy_sysfs_read_uint(doctor->root, &free[i],
					"/sys/devices/system/node/%s/hugepages/%s/free_hugepages",
					name, dir))
			nr[i] = free[i] = 0;
	}
	rwy_doctor_say(doctor, free[0] + free[1] ? OK : WARN, "hugepages",
		       "%s: %llu of %llu pages of %s free, %llu of %llu of %s", name,
		       (unsigned long long)free[0], (unsigned long long)nr[0], pools[0].size,
		       (unsigned long long)free[1], (unsigned long long)nr[1], pools[1].size);
	if (free[0] + free[1] == 0)
		rwy_doctor_mend(doctor,
				"echo 1024 >/sys/devices/system/node/%s/hugepages/%s/nr_hugepages, "
				"for --memory 2G,hugepages=2M,node=%s",
				name, pools[0].dir, name + 4);
	return 0;
}

static void examine_pages(struct rwy_doctor *doctor)
{
	char text[128];
	uint64_t balancing = 0;

	if (rwy_sysfs_list(doctor->root, examine_node, doctor, "/sys/devices/system/node") < 0)
		rwy_doctor_say(doctor, WARN, "hugepages", "not known: no nodes in /sys");
	if (rwy_sysfs_read(doctor->root, text, sizeof(text),
			   "/sys/kernel/mm/transparent_hugepage/shmem_enabled") > 0) {
		bool on = strstr(text, "[advise]") || strstr(text, "[always]") ||
			  strstr(text, "[within_size]") || strstr(text, "[force]");

		rwy_doctor_say(doctor, on ? OK : WARN, "thp",
			       on ? "ordinary guest memory becomes huge where it can"
				  : "guest memory without hugepages= stays in pages of 4 KiB");
		if (!on)
			rwy_doctor_mend(doctor,
					"echo advise "
					">/sys/kernel/mm/transparent_hugepage/shmem_enabled");
	}
	if (rwy_sysfs_read_uint(doctor->root, &balancing, "/proc/sys/kernel/numa_balancing"))
		return;
	rwy_doctor_say(doctor, balancing ? WARN : OK, "balancing",
		       balancing ? "the kernel moves memory between nodes, and unmaps it to see "
				   "who uses it"
				 : "the kernel leaves memory on its node");
	if (balancing)
		rwy_doctor_mend(doctor, "sysctl kernel.numa_balancing=0");
}

static void examine_kernel(struct rwy_doctor *doctor)
{
	char text[16];

	if (rwy_sysfs_read(doctor->root, text, sizeof(text),
			   "/sys/module/kvm/parameters/nx_huge_pages") > 0 &&
	    parameter(doctor, "kvm", "nx_huge_pages")) {
		rwy_doctor_say(doctor, WARN, "nx-hugepages",
			       "KVM splits huge pages a guest runs code from (a mitigation that "
			       "this CPU may need)");
		rwy_doctor_mend(doctor, "where all guests are trusted: echo never "
					">/sys/module/kvm/parameters/nx_huge_pages");
	}
	if (rwy_doctor_host_booted_with(doctor, "nohz=off") ||
	    rwy_doctor_host_booted_with(doctor, "idle=poll"))
		rwy_doctor_say(doctor, WARN, "cmdline",
			       "nohz=off or idle=poll: idle CPUs are never quiet");
}

void rwy_doctor_host_examine(struct rwy_doctor *doctor)
{
	examine_kvm(doctor);
	examine_posting(doctor);
	examine_memlock(doctor);
	examine_pages(doctor);
	examine_governor(doctor);
	examine_kernel(doctor);
}
