/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/facts.h"

#include "lib/numa.h"
#include "lib/sysfs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_LEN   sizeof(((struct rwy_fact *)0)->value)
#define CPUINFO_LEN 8192 /* the first CPU's part and more */
#define CPUS_MAX    4096
#define CPU	    "/sys/devices/system/cpu"
#define NODE	    "/sys/devices/system/node"

int rwy_facts_add(struct rwy_facts *facts, const char *name, const char *fmt, ...)
{
	struct rwy_fact *fact;
	va_list args;

	if (rwy_facts_value(facts, name))
		return -EEXIST;
	if (facts->nr == RWY_FACTS_MAX)
		return -ENOSPC;
	fact = &facts->facts[facts->nr++];
	snprintf(fact->name, sizeof(fact->name), "%s", name);
	va_start(args, fmt);
	vsnprintf(fact->value, sizeof(fact->value), fmt, args);
	va_end(args);
	return 0;
}

const char *rwy_facts_value(const struct rwy_facts *facts, const char *name)
{
	for (unsigned i = 0; i < facts->nr; i++)
		if (!strcmp(facts->facts[i].name, name))
			return facts->facts[i].value;
	return NULL;
}

/* ---- reading ---- */

/* One fact under way. Nothing put into value: it is not known. */
struct reading {
	const char *root;
	char value[VALUE_LEN];
};

static void put(struct reading *r, const char *fmt, ...) RWY_PRINTF(2, 3);
static void put(struct reading *r, const char *fmt, ...)
{
	size_t used = strlen(r->value);
	va_list args;

	va_start(args, fmt);
	vsnprintf(r->value + used, sizeof(r->value) - used, fmt, args);
	va_end(args);
}

/* "; " before all but the first */
static const char *gap(const struct reading *r)
{
	return r->value[0] ? "; " : "";
}

/* What stands behind "name :" in the first CPU's part of /proc/cpuinfo. */
static bool cpuinfo(const struct reading *r, const char *name, char *value, size_t len)
{
	char text[CPUINFO_LEN];

	/* longer than fits is as good */
	(void)!rwy_sysfs_read(r->root, text, sizeof(text), "/proc/cpuinfo");
	for (char *line = text, *end; *line; line = end) {
		size_t line_len = strcspn(line, "\n");
		char *colon;

		end = line + line_len + (line[line_len] == '\n');
		line[line_len] = '\0';
		colon = strchr(line, ':');
		if (!colon || strncmp(line, name, strlen(name)) ||
		    !strchr("\t :", line[strlen(name)]))
			continue;
		snprintf(value, len, "%s", colon + 1 + strspn(colon + 1, " \t"));
		return true;
	}
	return false;
}

static bool has_flag(const struct reading *r, const char *flag)
{
	char flags[CPUINFO_LEN];
	size_t len = strlen(flag);

	if (!cpuinfo(r, "flags", flags, sizeof(flags)))
		return false;
	for (const char *at = flags; (at = strstr(at, flag)); at += len)
		if ((at == flags || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

static unsigned count_cpus(const char *list)
{
	uint16_t cpus[CPUS_MAX];
	int nr = rwy_numa_parse_cpus(list, cpus, RWY_ARRAY_SIZE(cpus));

	return nr > 0 ? (unsigned)nr : 0;
}

static void read_model(struct reading *r)
{
	(void)cpuinfo(r, "model name", r->value, sizeof(r->value));
}

static void read_cpus(struct reading *r)
{
	char list[256];

	if (rwy_sysfs_read(r->root, list, sizeof(list), CPU "/online") <= 0)
		return;
	put(r, "%u online", count_cpus(list));
	if (rwy_sysfs_read(r->root, list, sizeof(list), CPU "/cpu0/topology/core_cpus_list") > 0)
		put(r, ", %u to a core", count_cpus(list));
	if (rwy_sysfs_read(r->root, list, sizeof(list), CPU "/cpu0/topology/package_cpus_list") > 0)
		put(r, ", %u to a socket", count_cpus(list));
}

static void read_isolated(struct reading *r)
{
	if (rwy_sysfs_read(r->root, r->value, sizeof(r->value), CPU "/isolated") == 0)
		put(r, "none");
}

static void read_microcode(struct reading *r)
{
	(void)cpuinfo(r, "microcode", r->value, sizeof(r->value));
}

static void read_governor(struct reading *r)
{
	char first[32] = "", other[32] = "", text[32];
	unsigned nr = 0, differ = 0;

	for (; nr < CPUS_MAX; nr++) {
		if (rwy_sysfs_read(r->root, text, sizeof(text),
				   CPU "/cpu%u/cpufreq/scaling_governor", nr) <= 0)
			break;
		if (nr == 0)
			strcpy(first, text);
		if (strcmp(text, first) && differ++ == 0)
			strcpy(other, text);
	}
	if (nr == 0)
		put(r, "none: this kernel does not set the CPUs' clocks");
	else if (differ)
		put(r, "%s, but on %u of %u CPUs %s or others", first, differ, nr, other);
	else
		put(r, "%s", first);
	if (rwy_sysfs_read(r->root, text, sizeof(text), CPU "/cpu0/cpufreq/scaling_driver") > 0)
		put(r, " (driver %s)", text);
}

static void read_turbo(struct reading *r)
{
	uint64_t value;

	if (rwy_sysfs_read_uint(r->root, &value, CPU "/intel_pstate/no_turbo") == 0)
		put(r, "%s", value ? "off" : "on");
	else if (rwy_sysfs_read_uint(r->root, &value, CPU "/cpufreq/boost") == 0)
		put(r, "%s", value ? "on" : "off");
}

static void read_idle(struct reading *r)
{
	(void)!rwy_sysfs_read(r->root, r->value, sizeof(r->value), CPU "/cpuidle/current_driver");
}

struct flaws {
	const char *root;
	struct reading mitigated, open;
	unsigned nr_mitigated, nr_open, nr_free;
};

static int read_flaw(void *ctx, const char *name)
{
	struct flaws *f = ctx;
	char text[256];

	if (rwy_sysfs_read(f->root, text, sizeof(text), CPU "/vulnerabilities/%s", name) <= 0)
		return 0;
	if (!strncmp(text, "Not affected", 12))
		f->nr_free++;
	else if (!strncmp(text, "Mitigation", 10))
		put(&f->mitigated, "%s%s", f->nr_mitigated++ ? " " : "", name);
	else
		put(&f->open, "%s%s", f->nr_open++ ? " " : "", name);
	return 0;
}

static void read_mitigations(struct reading *r)
{
	struct flaws f = {.root = r->root};

	if (rwy_sysfs_list(r->root, read_flaw, &f, CPU "/vulnerabilities") < 0)
		return;
	if (f.nr_open)
		put(r, "open: %s", f.open.value);
	if (f.nr_mitigated)
		put(r, "%smitigated: %s", gap(r), f.mitigated.value);
	put(r, "%snot affected by %u", gap(r), f.nr_free);
}

static void read_kernel(struct reading *r)
{
	(void)!rwy_sysfs_read(r->root, r->value, sizeof(r->value), "/proc/sys/kernel/osrelease");
}

static void read_boot_options(struct reading *r)
{
	static const char *const words[] = {
		"mitigations=", "isolcpus=",
		"nohz_full=",	"rcu_nocbs=",
		"intel_iommu=", "amd_iommu=",
		"iommu=",	"iommu.",
		"hugepages=",	"hugepagesz=",
		"idle=",	"default_hugepagesz=",
		"nosmt",	"transparent_hugepage=",
		"tsc=",		"clocksource=",
		"kvm.",		"kvm_intel.",
		"kvm_amd.",	"intel_idle.",
		"nohz=",	"processor.",
		"preempt=",	"intel_pstate=",
	};
	char line[4096];

	if (rwy_sysfs_read(r->root, line, sizeof(line), "/proc/cmdline") < 0)
		return;
	for (char *save = NULL, *word = strtok_r(line, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		for (unsigned i = 0; i < RWY_ARRAY_SIZE(words); i++)
			if (!strncmp(word, words[i], strlen(words[i])))
				put(r, "%s%s", r->value[0] ? " " : "", word);
	if (!r->value[0])
		put(r, "none that bear on speed");
}

static void read_memory(struct reading *r)
{
	unsigned long long kib;
	char text[4096];

	if (rwy_sysfs_read(r->root, text, sizeof(text), "/proc/meminfo") > 0 &&
	    sscanf(text, "MemTotal: %llu kB", &kib) == 1)
		put(r, "%.1f GiB", (double)kib / (1 << 20));
}

static int read_node_pages(void *ctx, const char *name)
{
	struct reading *r = ctx;
	uint64_t small = 0, big = 0;

	if (strncmp(name, "node", 4) || name[4] < '0' || name[4] > '9')
		return 0;
	(void)!rwy_sysfs_read_uint(r->root, &small,
				   NODE "/%s/hugepages/hugepages-2048kB/nr_hugepages", name);
	(void)!rwy_sysfs_read_uint(r->root, &big,
				   NODE "/%s/hugepages/hugepages-1048576kB/nr_hugepages", name);
	put(r, "%snode %s: %llu of 2 MiB, %llu of 1 GiB", gap(r), name + 4,
	    (unsigned long long)small, (unsigned long long)big);
	return 0;
}

static void read_huge_pages(struct reading *r)
{
	(void)rwy_sysfs_list(r->root, read_node_pages, r, NODE);
}

/* The word in brackets: "always [madvise] never". */
static void read_thp(struct reading *r)
{
	char text[128], *open, *close;

	if (rwy_sysfs_read(r->root, text, sizeof(text),
			   "/sys/kernel/mm/transparent_hugepage/enabled") <= 0)
		return;
	open = strchr(text, '[');
	close = open ? strchr(open, ']') : NULL;
	if (close)
		put(r, "%.*s", (int)(close - open - 1), open + 1);
}

static int read_node_cpus(void *ctx, const char *name)
{
	struct reading *r = ctx;
	char list[128];

	if (strncmp(name, "node", 4) || name[4] < '0' || name[4] > '9' ||
	    rwy_sysfs_read(r->root, list, sizeof(list), NODE "/%s/cpulist", name) < 0)
		return 0;
	put(r, "%snode %s: %s%s", gap(r), name + 4, list[0] ? "CPUs " : "no CPU", list);
	return 0;
}

static void read_numa(struct reading *r)
{
	uint64_t balancing;

	(void)rwy_sysfs_list(r->root, read_node_cpus, r, NODE);
	if (rwy_sysfs_read_uint(r->root, &balancing, "/proc/sys/kernel/numa_balancing") == 0)
		put(r, "%sbalancing %s", gap(r), balancing ? "on" : "off");
}

static int count_entry(void *ctx, const char *name)
{
	++*(unsigned *)ctx;
	return 0;
}

static void read_iommu(struct reading *r)
{
	unsigned units = 0, groups = 0;

	(void)rwy_sysfs_list(r->root, count_entry, &units, "/sys/class/iommu");
	(void)rwy_sysfs_list(r->root, count_entry, &groups, "/sys/kernel/iommu_groups");
	if (groups)
		put(r, "%u units, %u groups", units, groups);
	else
		put(r, "none in use");
}

static void read_virtual(struct reading *r)
{
	char vendor[64] = "", product[64] = "", flags[2];

	if (!cpuinfo(r, "flags", flags, sizeof(flags)))
		return;
	(void)!rwy_sysfs_read(r->root, vendor, sizeof(vendor), "/sys/class/dmi/id/sys_vendor");
	(void)!rwy_sysfs_read(r->root, product, sizeof(product), "/sys/class/dmi/id/product_name");
	if (vendor[0] || product[0])
		put(r, "%s%s%s, ", vendor, vendor[0] && product[0] ? " " : "", product);
	put(r, "%s", has_flag(r, "hypervisor") ? "a virtual machine itself" : "no virtual machine");
}

static void read_kvm(struct reading *r)
{
	static const struct {
		const char *module, *name;
	} parameters[] = {
		{"kvm_intel", "ept"},	 {"kvm_intel", "enable_apicv"}, {"kvm_intel", "nested"},
		{"kvm_amd", "npt"},	 {"kvm_amd", "avic"},		{"kvm_amd", "nested"},
		{"kvm", "halt_poll_ns"}, {"kvm", "nx_huge_pages"},
	};
	char text[32];

	if (!rwy_sysfs_exists(r->root, "/dev/kvm")) {
		put(r, "no /dev/kvm");
		return;
	}
	put(r, "%s",
	    has_flag(r, "vmx")	 ? "vmx"
	    : has_flag(r, "svm") ? "svm"
				 : "the CPU shows neither vmx nor svm");
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(parameters); i++)
		if (rwy_sysfs_read(r->root, text, sizeof(text), "/sys/module/%s/parameters/%s",
				   parameters[i].module, parameters[i].name) > 0)
			put(r, " %s.%s=%s", parameters[i].module, parameters[i].name, text);
}

/* How KVM gets them into a guest that runs. */
static void read_interrupts(struct reading *r)
{
	static const struct {
		const char *module, *name;
	} parameters[] = {{"kvm_intel", "enable_apicv"}, {"kvm_amd", "avic"}};
	char text[32];

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(parameters); i++)
		if (rwy_sysfs_read(r->root, text, sizeof(text), "/sys/module/%s/parameters/%s",
				   parameters[i].module, parameters[i].name) > 0)
			put(r, "%s: %s.%s=%s",
			    strchr("Yy1", text[0]) ? "posted, without leaving the guest"
						   : "injected, the guest being left and entered",
			    parameters[i].module, parameters[i].name, text);
}

static void read_clock(struct reading *r)
{
	(void)!rwy_sysfs_read(r->root, r->value, sizeof(r->value),
			      "/sys/devices/system/clocksource/clocksource0/current_clocksource");
}

void rwy_facts_read(const char *root, struct rwy_facts *facts)
{
	static const struct {
		const char *name;
		void (*read)(struct reading *r);
	} rows[] = {
		{"CPU", read_model},
		{"CPUs", read_cpus},
		{"isolated CPUs", read_isolated},
		{"machine", read_virtual},
		{"memory", read_memory},
		{"huge pages", read_huge_pages},
		{"transparent huge pages", read_thp},
		{"NUMA", read_numa},
		{"IOMMU", read_iommu},
		{"KVM", read_kvm},
		{"interrupts to guests", read_interrupts},
		{"kernel", read_kernel},
		{"boot options", read_boot_options},
		{"governor", read_governor},
		{"turbo", read_turbo},
		{"idle driver", read_idle},
		{"clock source", read_clock},
		{"mitigations", read_mitigations},
		{"microcode", read_microcode},
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(rows); i++) {
		struct reading r = {.root = root};

		rows[i].read(&r);
		if (r.value[0])
			(void)rwy_facts_add(facts, rows[i].name, "%s", r.value);
	}
}
