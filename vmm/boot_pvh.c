/* SPDX-License-Identifier: BSD-3-Clause */
/* PVH: an uncompressed ELF kernel, entered in 32-bit mode with a table of what there is. */
#include "vmm/boot.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define RWY_STEM "boot"

#define NOTE_ENTRY   18 /* XEN_ELFNOTE_PHYS32_ENTRY */
#define NOTE_OWNER   "Xen"
#define NOTES_MAX    65536
#define SEGMENTS_MAX 64
#define CMDLINE_MAX  2048 /* what Linux takes on x86 */

#define START_MAGIC 0x336ec578

/* struct hvm_start_info, version 1 */
struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memmap;
	uint32_t nr_memmap;
	uint32_t reserved;
};

struct start_module {
	uint64_t addr;
	uint64_t size;
	uint64_t cmdline;
	uint64_t reserved;
};

struct start_range {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

/* All of it at RWY_BOOT_PARAMS. */
struct start_page {
	struct start_info info;
	struct start_module module;
	struct start_range ranges[RWY_BOOT_RANGES];
};

bool rwy_boot_is_elf(const uint8_t *head, size_t len)
{
	return len >= sizeof(Elf64_Ehdr) && memcmp(head, ELFMAG, SELFMAG) == 0;
}

static int refuse(const struct rwy_boot *boot, const char *why)
{
	rwy_error("kernel %s: %s", boot->kernel, why);
	return -ENOEXEC;
}

/* The entry address in notes[0, len), or 0. */
static uint64_t find_entry(const uint8_t *notes, uint64_t len)
{
	while (len >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t name_len, desc_len;
		uint32_t entry;

		memcpy(&note, notes, sizeof(note));
		notes += sizeof(note);
		len -= sizeof(note);
		name_len = RWY_ALIGN_UP((uint64_t)note.n_namesz, 4);
		desc_len = RWY_ALIGN_UP((uint64_t)note.n_descsz, 4);
		if (name_len > len || desc_len > len - name_len)
			return 0;
		if (note.n_type == NOTE_ENTRY && note.n_namesz == sizeof(NOTE_OWNER) &&
		    memcmp(notes, NOTE_OWNER, sizeof(NOTE_OWNER)) == 0 &&
		    note.n_descsz >= sizeof(entry)) {
			memcpy(&entry, notes + name_len, sizeof(entry));
			return entry;
		}
		notes += name_len + desc_len;
		len -= name_len + desc_len;
	}
	return 0;
}

static int read_entry(const struct rwy_boot *boot, const Elf64_Phdr *ph, uint64_t *entry)
{
	uint8_t notes[NOTES_MAX];
	uint64_t len = RWY_MIN(ph->p_filesz, sizeof(notes));

	if (!rwy_base_inside(ph->p_offset, len, boot->kernel_size) ||
	    rwy_fd_read_full(boot->kernel_fd, notes, len, (off_t)ph->p_offset))
		return refuse(boot, "is cut short: its notes lie behind the end of the file");
	*entry = find_entry(notes, len);
	return 0;
}

/* One PT_LOAD: the bytes of the file, then zeroes. *end grows to its end. */
static int load_segment(const struct rwy_boot *boot, const struct rwy_mem *mem,
			const Elf64_Phdr *ph, uint64_t *end)
{
	uint8_t *at;

	if (ph->p_filesz > ph->p_memsz ||
	    !rwy_base_inside(ph->p_offset, ph->p_filesz, boot->kernel_size))
		return refuse(boot, "is cut short: a segment lies behind the end of the file");
	if (ph->p_paddr < RWY_BOOT_HIGH)
		return refuse(boot, "wants to be loaded below 1 MiB");
	if (!rwy_base_inside(ph->p_paddr, ph->p_memsz, rwy_boot_low_ram_end(mem))) {
		rwy_error("kernel %s: needs %llu KiB of memory from %llu KiB on: give the guest "
			  "more --memory",
			  boot->kernel, (unsigned long long)(ph->p_memsz >> 10),
			  (unsigned long long)(ph->p_paddr >> 10));
		return -ENOMEM;
	}
	at = rwy_mem_at(mem, (rwy_gpa){ph->p_paddr}, ph->p_memsz);
	if (!at || rwy_fd_read_full(boot->kernel_fd, at, ph->p_filesz, (off_t)ph->p_offset))
		return refuse(boot, "cannot be read");
	memset(at + ph->p_filesz, 0, ph->p_memsz - ph->p_filesz);
	*end = RWY_MAX(*end, ph->p_paddr + ph->p_memsz);
	return 0;
}

static int load_segments(const struct rwy_boot *boot, const struct rwy_mem *mem, uint64_t *entry,
			 uint64_t *end)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph[SEGMENTS_MAX];
	int err = 0;

	if (rwy_fd_read_full(boot->kernel_fd, &eh, sizeof(eh), 0))
		return refuse(boot, "cannot be read");
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB ||
	    eh.e_machine != EM_X86_64 || eh.e_phentsize != sizeof(ph[0]) || eh.e_phnum == 0 ||
	    eh.e_phnum > SEGMENTS_MAX)
		return refuse(boot, "is no kernel: not an ELF program for x86-64");
	if (eh.e_phoff > INT64_MAX ||
	    rwy_fd_read_full(boot->kernel_fd, ph, eh.e_phnum * sizeof(ph[0]), (off_t)eh.e_phoff))
		return refuse(boot, "is cut short: its headers lie behind the end of the file");
	for (unsigned i = 0; !err && i < eh.e_phnum; i++)
		if (ph[i].p_type == PT_NOTE && *entry == 0)
			err = read_entry(boot, &ph[i], entry);
	if (!err && *entry == 0)
		return refuse(boot, "has no PVH entry: CONFIG_PVH is needed, or boot its bzImage");
	for (unsigned i = 0; !err && i < eh.e_phnum; i++)
		if (ph[i].p_type == PT_LOAD)
			err = load_segment(boot, mem, &ph[i], end);
	if (!err && (*entry < RWY_BOOT_HIGH || *entry >= *end))
		return refuse(boot, "has its PVH entry outside what it loads");
	return err;
}

static int put_start_page(const struct rwy_boot *boot, const struct rwy_mem *mem, rwy_gpa initrd)
{
	struct rwy_boot_range ranges[RWY_BOOT_RANGES];
	const uint64_t gpa = RWY_BOOT_PARAMS;
	struct start_page page = {
		.info =
			{
				.magic = START_MAGIC,
				.version = 1,
				.nr_modules = initrd.v != 0,
				.modlist = gpa + offsetof(struct start_page, module),
				.cmdline = RWY_BOOT_CMDLINE,
				.rsdp = RWY_BOOT_ACPI,
				.memmap = gpa + offsetof(struct start_page, ranges),
				.nr_memmap = rwy_boot_map(mem, ranges),
			},
		.module = {.addr = initrd.v, .size = boot->initrd_size},
	};
	void *at = rwy_mem_at(mem, (rwy_gpa){gpa}, sizeof(page));

	if (!at)
		return -ENOMEM;
	for (unsigned i = 0; i < page.info.nr_memmap; i++)
		page.ranges[i] = (struct start_range){.addr = ranges[i].base,
						      .size = ranges[i].size,
						      .type = ranges[i].type};
	memcpy(at, &page, sizeof(page));
	return 0;
}

int rwy_boot_load_pvh(const struct rwy_boot *boot, const struct rwy_mem *mem,
		      struct rwy_boot_entry *entry)
{
	uint64_t start = 0, end = 0;
	rwy_gpa initrd;
	int err;

	err = load_segments(boot, mem, &start, &end);
	if (err)
		return err;
	err = rwy_boot_put_initrd(boot, mem, RWY_ALIGN_UP(end, 4096), UINT32_MAX, &initrd);
	if (err)
		return err;
	err = rwy_boot_put_cmdline(boot, mem, CMDLINE_MAX - 1);
	if (err)
		return err;
	err = put_start_page(boot, mem, initrd);
	if (err)
		return err;
	*entry = (struct rwy_boot_entry){.rip = start, .params = RWY_BOOT_PARAMS};
	return 0;
}
