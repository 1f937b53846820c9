/* SPDX-License-Identifier: BSD-3-Clause */
/* The Linux boot protocol, version 2.12 and later, entered in 64-bit mode. */
#include "vmm/boot.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define RWY_STEM "boot"

#define HEADER_AT     0x1f1
#define BOOT_FLAG     0xaa55
#define HDRS	      0x53726448 /* "HdrS" */
#define SECTOR	      512
#define PROTOCOL_2_12 0x020c
#define ENTRY_64      0x200
#define LOADER_OTHER  0xff

#define TABLE_PRESENT_RW 0x3
#define TABLE_LARGE	 0x80
#define TABLE_ENTRIES	 512
#define NR_DIRECTORIES	 4 /* of 1 GiB each: all that a loader can have put things in */

bool rwy_boot_is_bzimage(const uint8_t *head, size_t len)
{
	struct setup_header hdr;

	if (len < HEADER_AT + sizeof(hdr))
		return false;
	memcpy(&hdr, head + HEADER_AT, sizeof(hdr));
	return hdr.boot_flag == BOOT_FLAG && hdr.header == HDRS;
}

static int refuse(const struct rwy_boot *boot, const char *why)
{
	rwy_error("kernel %s: %s", boot->kernel, why);
	return -ENOEXEC;
}

/* Where the kernel proper is: *off in the file, *len bytes, to be put at hdr->pref_address. */
static int check(const struct rwy_boot *boot, const struct rwy_mem *mem,
		 const struct setup_header *hdr, uint64_t *off, uint64_t *len)
{
	uint64_t sectors = hdr->setup_sects ? hdr->setup_sects : 4;
	uint64_t room = rwy_boot_low_ram_end(mem);

	if (hdr->version < PROTOCOL_2_12)
		return refuse(boot, "is too old: boot protocol 2.12 (Linux 3.8) is needed");
	if (!(hdr->xloadflags & XLF_KERNEL_64))
		return refuse(boot, "has no 64-bit entry: a 64-bit kernel is needed");
	*off = (sectors + 1) * SECTOR;
	if (boot->kernel_size <= *off + ENTRY_64)
		return refuse(boot, "is cut short: its header promises more than the file has");
	*len = boot->kernel_size - *off;
	if (*len / 16 < hdr->syssize)
		return refuse(boot, "is cut short: its header promises more than the file has");
	if (hdr->pref_address < RWY_BOOT_HIGH || hdr->init_size < *len)
		return refuse(boot, "has a senseless header");
	if (!rwy_base_inside(hdr->pref_address, hdr->init_size, room)) {
		rwy_error("kernel %s: needs %u KiB of memory from %llu KiB on: give the guest more "
			  "--memory",
			  boot->kernel, hdr->init_size >> 10,
			  (unsigned long long)(hdr->pref_address >> 10));
		return -ENOMEM;
	}
	return 0;
}

/* The flat segments that the protocol wants at selectors 0x10 and 0x18. */
static int put_gdt(const struct rwy_mem *mem)
{
	static const uint64_t gdt[RWY_BOOT_GDT_ENTRIES] = {
		[2] = UINT64_C(0x00af9b000000ffff),
		[3] = UINT64_C(0x00cf93000000ffff),
	};
	void *at = rwy_mem_at(mem, (rwy_gpa){RWY_BOOT_GDT}, sizeof(gdt));

	if (!at)
		return -ENOMEM;
	memcpy(at, gdt, sizeof(gdt));
	return 0;
}

/* An identity map of the first 4 GiB in 2 MiB pages. */
static int put_page_tables(const struct rwy_mem *mem)
{
	uint64_t gpa = RWY_BOOT_TABLES;
	uint64_t *top = rwy_mem_at(mem, (rwy_gpa){gpa}, (2 + NR_DIRECTORIES) * UINT64_C(4096));

	if (!top)
		return -ENOMEM;
	uint64_t *pointers = top + TABLE_ENTRIES;
	uint64_t *large = pointers + TABLE_ENTRIES;

	memset(top, 0, 2 * TABLE_ENTRIES * sizeof(*top));
	top[0] = (gpa + 4096) | TABLE_PRESENT_RW;
	for (uint64_t i = 0; i < NR_DIRECTORIES; i++)
		pointers[i] = (gpa + (2 + i) * 4096) | TABLE_PRESENT_RW;
	for (uint64_t i = 0; i < NR_DIRECTORIES * TABLE_ENTRIES; i++)
		large[i] = i << 21 | TABLE_PRESENT_RW | TABLE_LARGE;
	return 0;
}

static int put_params(const struct rwy_boot *boot, const struct rwy_mem *mem,
		      const struct setup_header *hdr, rwy_gpa initrd)
{
	struct boot_params params = {.hdr = *hdr, .acpi_rsdp_addr = RWY_BOOT_ACPI};
	struct rwy_boot_range ranges[RWY_BOOT_RANGES];
	void *at = rwy_mem_at(mem, (rwy_gpa){RWY_BOOT_PARAMS}, sizeof(params));

	if (!at)
		return -ENOMEM;
	params.hdr.type_of_loader = LOADER_OTHER;
	params.hdr.cmd_line_ptr = RWY_BOOT_CMDLINE;
	if (initrd.v) {
		params.hdr.ramdisk_image = (uint32_t)initrd.v;
		params.hdr.ramdisk_size = (uint32_t)boot->initrd_size;
	}
	params.e820_entries = (uint8_t)rwy_boot_map(mem, ranges);
	for (unsigned i = 0; i < params.e820_entries; i++)
		params.e820_table[i] = (struct boot_e820_entry){.addr = ranges[i].base,
								.size = ranges[i].size,
								.type = ranges[i].type};
	memcpy(at, &params, sizeof(params));
	return 0;
}

int rwy_boot_load_bzimage(const struct rwy_boot *boot, const struct rwy_mem *mem,
			  struct rwy_boot_entry *entry)
{
	struct setup_header hdr;
	uint64_t off, len;
	rwy_gpa initrd;
	int err;

	err = rwy_fd_read_full(boot->kernel_fd, &hdr, sizeof(hdr), HEADER_AT);
	if (err)
		return refuse(boot, "cannot be read");
	err = check(boot, mem, &hdr, &off, &len);
	if (err)
		return err;
	err = rwy_boot_read(mem, boot->kernel_fd, off, len, (rwy_gpa){hdr.pref_address});
	if (err)
		return refuse(boot, "cannot be read");
	err = rwy_boot_put_initrd(boot, mem, hdr.pref_address + hdr.init_size,
				  (uint64_t)hdr.initrd_addr_max + 1, &initrd);
	if (err)
		return err;
	err = rwy_boot_put_cmdline(boot, mem, hdr.cmdline_size);
	if (err)
		return err;
	err = put_params(boot, mem, &hdr, initrd);
	if (err)
		return err;
	err = put_gdt(mem);
	if (err)
		return err;
	err = put_page_tables(mem);
	if (err)
		return err;
	*entry = (struct rwy_boot_entry){
		.long_mode = true,
		.rip = hdr.pref_address + ENTRY_64,
		.params = RWY_BOOT_PARAMS,
		.cr3 = RWY_BOOT_TABLES,
	};
	return 0;
}
