/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Puts a kernel, its initrd and command line into fresh or used guest RAM and says in which state
 * the first vCPU enters it. Two kinds of kernel: a bzImage by the 64-bit entry of the Linux boot
 * protocol (Documentation/arch/x86/boot.rst), and an ELF file with a PVH entry note (Xen
 * docs/misc/pvh.pandoc, x86/HVM direct boot ABI).
 *
 * The files stay open, so that a guest can reboot; their contents go straight into guest RAM, by
 * pread. Everything in them is checked against what RAM there is. For the main thread, while no
 * vCPU runs.
 */
#ifndef RWY_VMM_BOOT_H
#define RWY_VMM_BOOT_H

#include "lib/mem.h"

/* Below 1 MiB: what we tell the guest. Free for the guest to reuse once it has read it. */
#define RWY_BOOT_GDT	   0x1000
#define RWY_BOOT_TABLES	   0x2000 /* page tables, 6 pages */
#define RWY_BOOT_PARAMS	   0x8000 /* zero page, or PVH start info */
#define RWY_BOOT_CMDLINE   0x20000
#define RWY_BOOT_LOW_END   0x9f000 /* RAM ends here and goes on at RWY_BOOT_HIGH */
#define RWY_BOOT_ACPI	   0xe0000
#define RWY_BOOT_ACPI_SIZE 0x10000
#define RWY_BOOT_HIGH	   0x100000

#define RWY_BOOT_CMDLINE_MAX 0x10000
#define RWY_BOOT_GDT_ENTRIES 4 /* code at 0x10, data at 0x18 */

/* How the first vCPU starts. */
struct rwy_boot_entry {
	bool long_mode; /* 64-bit with paging and the zero page in RSI; else PVH: 32-bit, flat, no
			   paging, the start info in EBX */
	uint64_t rip;
	uint64_t params;
	uint64_t cr3;
};

/* A range of the map given to the guest; type as in e820 and PVH (1 RAM, 2 reserved, 3 ACPI). */
struct rwy_boot_range {
	uint64_t base;
	uint64_t size;
	uint32_t type;
};
#define RWY_BOOT_RANGES 16

struct rwy_boot {
	int kernel_fd; /* owned */
	int initrd_fd; /* owned, -1 is none */
	uint64_t kernel_size;
	uint64_t initrd_size;
	const char *kernel; /* names for messages; not owned */
	const char *initrd;
	const char *cmdline; /* not owned */
};

/* Opens the files. initrd and cmdline may be NULL. -errno, logged. */
RWY_MUST_CHECK int rwy_boot_open(struct rwy_boot *boot, const char *kernel, const char *initrd,
				 const char *cmdline);
void rwy_boot_close(struct rwy_boot *boot);

/* Loads everything but the ACPI tables, whose root is at RWY_BOOT_ACPI. -ENOEXEC: no kernel;
 * -ENOMEM: does not fit; other -errno: a file cannot be read. Logged in one line. */
RWY_MUST_CHECK int rwy_boot_load(const struct rwy_boot *boot, const struct rwy_mem *mem,
				 struct rwy_boot_entry *entry);

/* For the loaders (boot_bzimage.c, boot_pvh.c) and tests. */

/* The guest's memory map, ascending. Number of ranges. */
unsigned rwy_boot_map(const struct rwy_mem *mem, struct rwy_boot_range ranges[RWY_BOOT_RANGES]);
/* Reads [off, off + len) of a file to gpa. -ENOMEM when that is not all RAM above
 * RWY_BOOT_HIGH. */
RWY_MUST_CHECK int rwy_boot_read(const struct rwy_mem *mem, int fd, uint64_t off, uint64_t len,
				 rwy_gpa gpa);
/* The initrd as high as it goes below `limit` and above `floor`; *gpa 0 when there is none. */
RWY_MUST_CHECK int rwy_boot_put_initrd(const struct rwy_boot *boot, const struct rwy_mem *mem,
				       uint64_t floor, uint64_t limit, rwy_gpa *gpa);
/* max: longest the kernel takes, without the 0 byte. */
RWY_MUST_CHECK int rwy_boot_put_cmdline(const struct rwy_boot *boot, const struct rwy_mem *mem,
					uint64_t max);
/* End of the RAM that starts at RWY_BOOT_HIGH. */
uint64_t rwy_boot_low_ram_end(const struct rwy_mem *mem);

/* head: the first bytes of the file, len of them. */
bool rwy_boot_is_bzimage(const uint8_t *head, size_t len);
RWY_MUST_CHECK int rwy_boot_load_bzimage(const struct rwy_boot *boot, const struct rwy_mem *mem,
					 struct rwy_boot_entry *entry);
bool rwy_boot_is_elf(const uint8_t *head, size_t len);
RWY_MUST_CHECK int rwy_boot_load_pvh(const struct rwy_boot *boot, const struct rwy_mem *mem,
				     struct rwy_boot_entry *entry);

#endif
