/* SPDX-License-Identifier: BSD-3-Clause */
/* The IOMMU, and the functions of the host that a guest could be given. */
#include "vmm/doctor.h"

#include "lib/pci_group.h"
#include "lib/sysfs.h"
#include "vmm/layout.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define OK   RWY_DOCTOR_OK
#define WARN RWY_DOCTOR_WARN
#define FAIL RWY_DOCTOR_FAIL

#define INTERRUPTS_LEN 262144
#define NAME_LEN       64
#define CAP_POSTED     59

/* What somebody would give to a guest: controllers of storage, networks, displays, accelerators. */
static bool is_wanted(uint64_t class_code)
{
	switch (class_code >> 16) {
	case 0x01:
	case 0x02:
	case 0x03:
	case 0x0b:
	case 0x12:
		return true;
	}
	return false;
}

static int count(void *ctx, const char *name)
{
	++*(unsigned *)ctx;
	return 0;
}

static unsigned count_in(const struct rwy_doctor *doctor, const char *dir)
{
	unsigned nr = 0;

	(void)rwy_sysfs_list(doctor->root, count, &nr, "%s", dir);
	return nr;
}

/* ---- the IOMMU itself ---- */

static bool examine_iommu(struct rwy_doctor *doctor)
{
	bool intel = strcmp(rwy_doctor_host_maker(doctor), "AMD") != 0;
	unsigned units = count_in(doctor, "/sys/class/iommu");
	unsigned groups = count_in(doctor, "/sys/kernel/iommu_groups");

	if (units && groups) {
		rwy_doctor_say(doctor, OK, "iommu", "%u units, %u groups", units, groups);
		return true;
	}
	rwy_doctor_say(doctor, FAIL, "iommu",
		       units ? "there are units but no groups: it is switched off"
			     : "none in use: no function of the host can be given to a guest");
	if (intel && !rwy_doctor_host_booted_with(doctor, "intel_iommu=on"))
		rwy_doctor_mend(doctor,
				"add intel_iommu=on iommu=pt to GRUB_CMDLINE_LINUX in "
				"/etc/default/grub; update-grub; reboot (with VT-d on in the "
				"firmware's setup)");
	else if (!intel && (rwy_doctor_host_booted_with(doctor, "amd_iommu=off") ||
			    rwy_doctor_host_booted_with(doctor, "iommu=off")))
		rwy_doctor_mend(doctor, "take amd_iommu=off and iommu=off out of "
					"GRUB_CMDLINE_LINUX in /etc/default/grub; update-grub; "
					"reboot");
	else
		rwy_doctor_mend(doctor, "switch %s on in the firmware's setup",
				intel ? "VT-d" : "the IOMMU (AMD-Vi)");
	return false;
}

/* The kernel names the interrupt chips behind a remapper IR-something. */
static void examine_remapping(struct rwy_doctor *doctor)
{
	char *text = malloc(INTERRUPTS_LEN);
	char unsafe[8] = "";
	int rc = text ? rwy_sysfs_read(doctor->root, text, INTERRUPTS_LEN, "/proc/interrupts") : -1;
	bool seen = text && rc != -1 && strstr(text, " IR-");

	free(text);
	if (seen) {
		rwy_doctor_say(doctor, OK, "intremap", "interrupts are remapped");
		return;
	}
	(void)!rwy_sysfs_read(doctor->root, unsafe, sizeof(unsafe),
			      "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	if (strchr("Yy1", unsafe[0]) && unsafe[0]) {
		rwy_doctor_say(doctor, WARN, "intremap",
			       "interrupts are not remapped, and that is allowed: a guest with a "
			       "function can send the host any interrupt");
		return;
	}
	rwy_doctor_say(doctor, FAIL, "intremap",
		       "interrupts are not remapped: VFIO refuses every function");
	rwy_doctor_mend(doctor,
			"take intremap=off and nointremap out of the kernel's command line and "
			"reboot, or, where guests are trusted: echo 'options vfio_iommu_type1 "
			"allow_unsafe_interrupts=1' >/etc/modprobe.d/vfio.conf");
}

static void examine_passthrough_mode(struct rwy_doctor *doctor)
{
	if (rwy_doctor_host_booted_with(doctor, "iommu=pt") ||
	    rwy_doctor_host_booted_with(doctor, "iommu.passthrough=1")) {
		rwy_doctor_say(doctor, OK, "iommu-pt", "the host's own DMA is not translated");
		return;
	}
	rwy_doctor_say(doctor, WARN, "iommu-pt",
		       "the host's own DMA is translated, which slows its devices");
	rwy_doctor_mend(doctor, "add iommu=pt to GRUB_CMDLINE_LINUX in /etc/default/grub; "
				"update-grub; reboot");
}

struct posters {
	const struct rwy_doctor *doctor;
	unsigned nr, able;
};

static int look_at_unit(void *ctx, const char *name)
{
	struct posters *posters = ctx;
	char cap[32];

	if (rwy_sysfs_read(posters->doctor->root, cap, sizeof(cap),
			   "/sys/class/iommu/%s/intel-iommu/cap", name) <= 0)
		return 0;
	posters->nr++;
	posters->able += strtoull(cap, NULL, 16) >> CAP_POSTED & 1;
	return 0;
}

/* VT-d's half of posted interrupts (VT-d 4.1 section 11.4.2); AMD's says nothing in /sys. */
static void examine_posters(struct rwy_doctor *doctor)
{
	struct posters posters = {.doctor = doctor};

	(void)rwy_sysfs_list(doctor->root, look_at_unit, &posters, "/sys/class/iommu");
	if (posters.nr == 0)
		return;
	if (posters.able == posters.nr)
		rwy_doctor_say(doctor, OK, "iommu-posts", "interrupts of devices can be posted");
	else
		rwy_doctor_say(doctor, WARN, "iommu-posts",
			       "%u of %u units cannot post interrupts: those of their devices "
			       "pass through the host's kernel",
			       posters.nr - posters.able, posters.nr);
}

static void examine_vfio(struct rwy_doctor *doctor)
{
	bool group = rwy_sysfs_exists(doctor->root, "/dev/vfio/vfio");
	bool cdev = rwy_sysfs_exists(doctor->root, "/dev/iommu");

	if (!rwy_sysfs_exists(doctor->root, "/sys/bus/pci/drivers/vfio-pci")) {
		rwy_doctor_say(doctor, FAIL, "vfio", "the driver vfio-pci is not loaded");
		rwy_doctor_mend(doctor, "modprobe vfio-pci");
	} else if (!group && !cdev) {
		rwy_doctor_say(doctor, FAIL, "vfio",
			       "there is neither /dev/vfio/vfio nor /dev/iommu");
		rwy_doctor_mend(doctor, "modprobe vfio_iommu_type1");
	} else {
		rwy_doctor_say(doctor, OK, "vfio", "vfio-pci is loaded, with %s%s%s",
			       group ? "containers" : "", group && cdev ? " and " : "",
			       cdev ? "iommufd" : "");
	}
}

/* ---- groups ---- */

struct group {
	struct rwy_doctor *doctor;
	const char *name;
	unsigned nr_members; /* bridges apart */
	unsigned nr_vfio;
	unsigned nr_wanted;
	char members[200]; /* "0000:01:00.0 (igb) ..." */
};

static void add_member(struct group *group, const char *bdf, const char *driver)
{
	size_t len = strlen(group->members);

	snprintf(group->members + len, sizeof(group->members) - len, "%s%s (%s)", len ? " " : "",
		 bdf, driver);
}

static int look_at_member(void *ctx, const char *bdf)
{
	struct group *group = ctx;
	const char *root = group->doctor->root;
	char driver[NAME_LEN] = "no driver";
	uint64_t class_code = 0;

	if (rwy_sysfs_read_uint(root, &class_code, "/sys/bus/pci/devices/%s/class", bdf))
		return 0; /* not PCI */
	if (class_code >> 8 == 0x0604)
		return 0;
	(void)!rwy_sysfs_read_link(root, driver, sizeof(driver), "/sys/bus/pci/devices/%s/driver",
				   bdf);
	group->nr_members++;
	group->nr_wanted += is_wanted(class_code);
	add_member(group, bdf, driver);
	group->nr_vfio += strstr(driver, "vfio") != NULL; /* variants have longer names */
	return 0;
}

/* One that somebody has begun to give away, or that cannot be given away in parts. */
static void judge_group(struct group *group)
{
	struct rwy_doctor *doctor = group->doctor;
	struct rwy_pci_group_user user;

	if (group->nr_vfio &&
	    rwy_pci_group_search(doctor->root, (unsigned)strtoul(group->name, NULL, 10), NULL,
				 &user) > 0) {
		rwy_doctor_say(doctor, FAIL, "group", "%s cannot be used: %s", group->name,
			       group->members);
		rwy_doctor_mend(doctor,
				"echo vfio-pci >/sys/bus/pci/devices/%s/driver_override; "
				"echo %s >/sys/bus/pci/drivers/%s/unbind; "
				"echo %s >/sys/bus/pci/drivers_probe",
				user.bdf, user.bdf, user.driver, user.bdf);
	} else if (group->nr_vfio) {
		rwy_doctor_say(doctor, OK, "group", "%s can be given to a guest: %s", group->name,
			       group->members);
	} else if (group->nr_members > 1 && group->nr_wanted) {
		rwy_doctor_say(doctor, WARN, "group", "%s goes to one guest or none: %s",
			       group->name, group->members);
		rwy_doctor_mend(doctor,
				"use a slot whose root port has ACS, or virtual functions (echo N "
				">/sys/bus/pci/devices/BDF/sriov_numvfs)");
	}
}

/* Of reserved_regions: "0xfee00000 0xfeefffff msi". Interrupt windows are where no guest has RAM;
 * relaxable ones are for the firmware's own use until a driver takes over. */
static void judge_region(struct group *group, uint64_t first, uint64_t last, const char *type)
{
	struct rwy_doctor *doctor = group->doctor;
	bool low = first < RWY_LAYOUT_HOLE;
	bool high = last >= RWY_LAYOUT_RAM_HIGH && first < RWY_LAYOUT_HT;

	if (strcmp(type, "direct-relaxable") == 0 || (!low && !high))
		return;
	if (low)
		rwy_doctor_say(doctor, FAIL, "reserved",
			       "group %s cannot be given to a guest, whose memory is at its "
			       "%s range 0x%llx-0x%llx: %s",
			       group->name, type, (unsigned long long)first,
			       (unsigned long long)last, group->members);
	else
		rwy_doctor_say(
			doctor, WARN, "reserved",
			"group %s: guests of at most %llu GiB, because of its %s range "
			"0x%llx-0x%llx: %s",
			group->name,
			(unsigned long long)((first - RWY_LAYOUT_RAM_HIGH + RWY_LAYOUT_HOLE) >> 30),
			type, (unsigned long long)first, (unsigned long long)last, group->members);
	if (low && strcmp(type, "direct") == 0)
		rwy_doctor_mend(doctor, "switch off what the firmware uses it for (USB legacy "
					"support, management controller), or take another");
}

/* False: at the end. Lines that are none are passed over. */
static bool next_region(const char **text, uint64_t *first, uint64_t *last, char type[24])
{
	unsigned long long a, b;
	int used = 0;

	while (**text) {
		int got = sscanf(*text, "%llx %llx %23s%n", &a, &b, type, &used);

		if (got == 3) {
			*text += used;
			*first = a;
			*last = b;
			if (b >= a)
				return true;
			continue;
		}
		*text += strcspn(*text, "\n");
		*text += strspn(*text, "\n");
	}
	return false;
}

static void examine_regions(struct group *group)
{
	char text[4096], type[24];
	const char *at = text;
	uint64_t first, last;

	if (rwy_sysfs_read(group->doctor->root, text, sizeof(text),
			   "/sys/kernel/iommu_groups/%s/reserved_regions", group->name) <= 0)
		return;
	while (next_region(&at, &first, &last, type))
		judge_region(group, first, last, type);
}

static int examine_group(void *ctx, const char *name)
{
	struct group group = {.doctor = ctx, .name = name};

	(void)rwy_sysfs_list(group.doctor->root, look_at_member, &group,
			     "/sys/kernel/iommu_groups/%s/devices", name);
	judge_group(&group);
	if (group.nr_wanted || group.nr_vfio)
		examine_regions(&group);
	return 0;
}

/* ---- functions that can have virtual ones ---- */

static int examine_function(void *ctx, const char *bdf)
{
	struct rwy_doctor *doctor = ctx;
	uint64_t total = 0, now = 0;
	char node[16] = "";

	if (rwy_sysfs_read_uint(doctor->root, &total, "/sys/bus/pci/devices/%s/sriov_totalvfs",
				bdf) ||
	    total == 0 ||
	    rwy_sysfs_read_uint(doctor->root, &now, "/sys/bus/pci/devices/%s/sriov_numvfs", bdf))
		return 0;
	(void)!rwy_sysfs_read(doctor->root, node, sizeof(node), "/sys/bus/pci/devices/%s/numa_node",
			      bdf);
	rwy_doctor_say(doctor, OK, "sriov", "%s has %llu of %llu virtual functions, on node %s",
		       bdf, (unsigned long long)now, (unsigned long long)total,
		       node[0] && node[0] != '-' ? node : "any");
	return 0;
}

void rwy_doctor_pci_examine(struct rwy_doctor *doctor)
{
	if (examine_iommu(doctor)) {
		examine_remapping(doctor);
		examine_posters(doctor);
		examine_passthrough_mode(doctor);
	}
	examine_vfio(doctor);
	(void)rwy_sysfs_list(doctor->root, examine_group, doctor, "/sys/kernel/iommu_groups");
	(void)rwy_sysfs_list(doctor->root, examine_function, doctor, "/sys/bus/pci/devices");
}
