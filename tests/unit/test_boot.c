/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels, good and hostile, into a little RAM. */
#include "tests/unit/unit.h"
#include "vmm/boot.h"
#include "lib/log.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM	(UINT64_C(32) << 20)
#define LOAD	(UINT64_C(16) << 20)
#define SETUP	1024 /* one sector and the boot sector */
#define PAYLOAD 8192

struct fixture {
	struct rwy_mem mem;
	uint8_t *ram;
	uint8_t kernel[65536];
	size_t kernel_len;
	int kernel_fd, initrd_fd;
	struct rwy_boot boot;
	struct rwy_boot_entry entry;
};

static void quiet(enum rwy_log_level level, const char *line)
{
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct rwy_mem_region region = {.size = RAM, .fd = -1};

	f->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	region.hva = f->ram;
	rwy_mem_init(&f->mem);
	assert_int_equal(rwy_mem_add(&f->mem, &region), 0);
	f->kernel_fd = memfd_create("kernel", MFD_CLOEXEC);
	f->initrd_fd = memfd_create("initrd", MFD_CLOEXEC);
	rwy_log_set_sink(quiet);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	rwy_mem_fini(&f->mem);
	munmap(f->ram, RAM);
	rwy_fd_close(&f->kernel_fd);
	rwy_fd_close(&f->initrd_fd);
	free(f);
	return 0;
}

static struct setup_header *header(struct fixture *f)
{
	return (struct setup_header *)(f->kernel + 0x1f1);
}

static void make_bzimage(struct fixture *f)
{
	struct setup_header hdr = {
		.setup_sects = 1,
		.syssize = PAYLOAD / 16,
		.boot_flag = 0xaa55,
		.header = 0x53726448,
		.version = 0x020f,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64,
		.cmdline_size = 255,
		.pref_address = LOAD,
		.init_size = 1 << 20,
	};

	memset(f->kernel, 0xcc, sizeof(f->kernel));
	memcpy(header(f), &hdr, sizeof(hdr));
	memset(f->kernel + SETUP, 0x90, PAYLOAD);
	f->kernel_len = SETUP + PAYLOAD;
}

/* One segment at LOAD, behind the headers and a note with the entry. */
struct elf {
	Elf64_Ehdr eh;
	Elf64_Phdr load, note;
	struct {
		Elf64_Nhdr head;
		char owner[4];
		uint64_t entry;
	} notes[2];
	uint8_t text[4096];
};

static struct elf *elf(struct fixture *f)
{
	return (struct elf *)f->kernel;
}

static void make_elf(struct fixture *f)
{
	struct elf *e = elf(f);

	memset(e, 0, sizeof(*e));
	memcpy(e->eh.e_ident, ELFMAG, SELFMAG);
	e->eh.e_ident[EI_CLASS] = ELFCLASS64;
	e->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	e->eh.e_machine = EM_X86_64;
	e->eh.e_phoff = offsetof(struct elf, load);
	e->eh.e_phentsize = sizeof(Elf64_Phdr);
	e->eh.e_phnum = 2;
	e->load.p_type = PT_LOAD;
	e->load.p_offset = offsetof(struct elf, text);
	e->load.p_paddr = LOAD;
	e->load.p_filesz = sizeof(e->text);
	e->load.p_memsz = 3 * sizeof(e->text);
	e->note.p_type = PT_NOTE;
	e->note.p_offset = offsetof(struct elf, notes);
	e->note.p_filesz = sizeof(e->notes);
	for (unsigned i = 0; i < 2; i++) {
		e->notes[i].head = (Elf64_Nhdr){.n_namesz = 4, .n_descsz = 8, .n_type = i ? 18 : 6};
		memcpy(e->notes[i].owner, "Xen", 4);
		e->notes[i].entry = LOAD + 0x10;
	}
	memset(e->text, 0x90, sizeof(e->text));
	f->kernel_len = sizeof(*e);
}

/* What rwy_boot_load says to the kernel as it is now. */
static int load(struct fixture *f, uint64_t initrd, const char *cmdline)
{
	char kernel_path[32], initrd_path[32];
	int err;

	assert_int_equal(ftruncate(f->kernel_fd, (off_t)f->kernel_len), 0);
	assert_int_equal(rwy_fd_write_full(f->kernel_fd, f->kernel, f->kernel_len, 0), 0);
	assert_int_equal(ftruncate(f->initrd_fd, (off_t)initrd), 0);
	if (initrd && initrd < RAM)
		assert_int_equal(rwy_fd_write_full(f->initrd_fd, "tail", 4, (off_t)initrd - 4), 0);
	snprintf(kernel_path, sizeof(kernel_path), "/proc/self/fd/%d", f->kernel_fd);
	snprintf(initrd_path, sizeof(initrd_path), "/proc/self/fd/%d", f->initrd_fd);
	err = rwy_boot_open(&f->boot, kernel_path, initrd ? initrd_path : NULL, cmdline);
	assert_int_equal(err, 0);
	err = rwy_boot_load(&f->boot, &f->mem, &f->entry);
	rwy_boot_close(&f->boot);
	return err;
}

static void bzimage(void **state)
{
	struct fixture *f = *state;
	struct boot_params *params;

	make_bzimage(f);
	assert_int_equal(load(f, 5000, "quiet"), 0);
	assert_true(f->entry.long_mode);
	assert_int_equal(f->entry.rip, LOAD + 0x200);
	assert_memory_equal(f->ram + LOAD, f->kernel + SETUP, PAYLOAD);
	params = (void *)(f->ram + f->entry.params);
	assert_int_equal(params->hdr.type_of_loader, 0xff);
	assert_string_equal((char *)f->ram + params->hdr.cmd_line_ptr, "quiet");
	assert_int_equal(params->hdr.ramdisk_size, 5000);
	assert_int_equal(params->hdr.ramdisk_image, RAM - 8192);
	assert_memory_equal(f->ram + params->hdr.ramdisk_image + 4996, "tail", 4);
	assert_int_equal(params->acpi_rsdp_addr, RWY_BOOT_ACPI);
	assert_in_range(params->e820_entries, 5, RWY_BOOT_RANGES);
	uint64_t *top = (void *)(f->ram + f->entry.cr3);
	assert_int_equal(top[0], (f->entry.cr3 + 4096) | 3);
}

static void pvh(void **state)
{
	struct fixture *f = *state;
	uint32_t *info;
	uint64_t module[2];

	memset(f->ram + LOAD, 0xff, 0x4000); /* a used RAM: the bss must become zero */
	make_elf(f);
	assert_int_equal(load(f, 5000, NULL), 0);
	assert_false(f->entry.long_mode);
	assert_int_equal(f->entry.rip, LOAD + 0x10);
	assert_memory_equal(f->ram + LOAD, elf(f)->text, sizeof(elf(f)->text));
	assert_int_equal(f->ram[LOAD + 4096], 0);
	assert_int_equal(f->ram[LOAD + 3 * 4096 - 1], 0);
	assert_int_equal(f->ram[LOAD + 3 * 4096], 0xff);
	info = (void *)(f->ram + f->entry.params);
	assert_int_equal(info[0], 0x336ec578);
	assert_int_equal(info[1], 1);
	assert_int_equal(info[3], 1);
	memcpy(module, f->ram + info[4], sizeof(module));
	assert_int_equal(module[0], RAM - 8192);
	assert_int_equal(module[1], 5000);
	assert_int_equal(info[8], RWY_BOOT_ACPI);
}

/* Ascending, no overlap, RAM only where RAM is. */
static void map(void **state)
{
	struct fixture *f = *state;
	struct rwy_boot_range ranges[RWY_BOOT_RANGES];
	struct rwy_mem_region high = {.gpa = {UINT64_C(1) << 32},
				      .size = 1 << 20,
				      .hva = f->ram,
				      .fd = -1};
	uint64_t ram = 0;

	assert_int_equal(rwy_mem_add(&f->mem, &high), 0);
	unsigned nr = rwy_boot_map(&f->mem, ranges);
	for (unsigned i = 0; i < nr; i++) {
		assert_true(ranges[i].size > 0);
		if (i > 0)
			assert_true(ranges[i - 1].base + ranges[i - 1].size <= ranges[i].base);
		if (ranges[i].type != 1)
			continue;
		ram += ranges[i].size;
		assert_non_null(rwy_mem_at(&f->mem, (rwy_gpa){ranges[i].base}, ranges[i].size));
	}
	assert_int_equal(ram, RAM + (1 << 20) - (0x100000 - RWY_BOOT_LOW_END));
}

static void no_kernel(void **state)
{
	struct fixture *f = *state;

	f->kernel_len = 0;
	assert_int_equal(load(f, 0, NULL), -ENOEXEC);
	memset(f->kernel, 'k', sizeof(f->kernel));
	f->kernel_len = sizeof(f->kernel);
	assert_int_equal(load(f, 0, NULL), -ENOEXEC);
	f->kernel_len = 10;
	assert_int_equal(load(f, 0, NULL), -ENOEXEC);
	assert_int_equal(rwy_boot_open(&f->boot, "/nowhere/kernel", NULL, NULL), -ENOENT);
	assert_int_equal(rwy_boot_open(&f->boot, "/", NULL, NULL), -EISDIR);
	assert_int_equal(rwy_boot_open(&f->boot, "/dev/null", NULL, NULL), -EINVAL);
	assert_int_equal(rwy_boot_open(&f->boot, "/proc/self/exe", "/nowhere/i", NULL), -ENOENT);
}

static void hostile_bzimage(void **state)
{
	struct fixture *f = *state;

#define REFUSED(field, value, why)                            \
	do {                                                  \
		make_bzimage(f);                              \
		header(f)->field = (value);                   \
		assert_int_equal(load(f, 4096, "c"), -(why)); \
	} while (0)
	REFUSED(version, 0x020b, ENOEXEC);
	REFUSED(xloadflags, 0, ENOEXEC);
	REFUSED(boot_flag, 0, ENOEXEC);
	REFUSED(header, 0, ENOEXEC);
	REFUSED(setup_sects, 255, ENOEXEC);
	REFUSED(setup_sects, 0, ENOEXEC); /* means 4 */
	REFUSED(syssize, 0xffffffff, ENOEXEC);
	REFUSED(syssize, PAYLOAD / 16 + 1, ENOEXEC);
	REFUSED(pref_address, 0, ENOEXEC);
	REFUSED(pref_address, RWY_BOOT_PARAMS, ENOEXEC);
	REFUSED(pref_address, UINT64_MAX, ENOMEM);
	REFUSED(pref_address, RAM, ENOMEM);
	REFUSED(pref_address, UINT64_MAX - (1 << 20) + 1, ENOMEM);
	REFUSED(init_size, 0, ENOEXEC);
	REFUSED(init_size, 0xffffffff, ENOMEM);
	REFUSED(initrd_addr_max, 0, ENOMEM);
	REFUSED(initrd_addr_max, LOAD, ENOMEM);
	REFUSED(cmdline_size, 0, E2BIG);
#undef REFUSED
	make_bzimage(f);
	f->kernel_len = SETUP + 0x200;
	assert_int_equal(load(f, 0, NULL), -ENOEXEC);
	make_bzimage(f);
	header(f)->initrd_addr_max = 0xffffffff;
	assert_int_equal(load(f, RAM - LOAD, NULL), -ENOMEM);
	assert_int_equal(load(f, UINT64_C(1) << 40, NULL), -ENOMEM);
	assert_int_equal(load(f, RAM - LOAD - (1 << 20), NULL), 0);
}

static void hostile_elf(void **state)
{
	struct fixture *f = *state;

#define REFUSED(field, value, why)                            \
	do {                                                  \
		make_elf(f);                                  \
		elf(f)->field = (value);                      \
		assert_int_equal(load(f, 4096, "c"), -(why)); \
	} while (0)
	REFUSED(eh.e_ident[EI_CLASS], ELFCLASS32, ENOEXEC);
	REFUSED(eh.e_machine, EM_AARCH64, ENOEXEC);
	REFUSED(eh.e_phentsize, 0, ENOEXEC);
	REFUSED(eh.e_phnum, 0, ENOEXEC);
	REFUSED(eh.e_phnum, 0xffff, ENOEXEC);
	REFUSED(eh.e_phoff, UINT64_MAX, ENOEXEC);
	REFUSED(eh.e_phoff, sizeof(struct elf), ENOEXEC);
	REFUSED(load.p_offset, UINT64_MAX, ENOEXEC);
	REFUSED(load.p_offset, sizeof(struct elf), ENOEXEC);
	REFUSED(load.p_filesz, UINT64_MAX, ENOEXEC);
	REFUSED(load.p_filesz, 3 * 4096 + 1, ENOEXEC);
	REFUSED(load.p_memsz, UINT64_MAX, ENOMEM);
	REFUSED(load.p_memsz, RAM, ENOMEM);
	REFUSED(load.p_paddr, 0, ENOEXEC);
	REFUSED(load.p_paddr, RAM - 4096, ENOMEM);
	REFUSED(load.p_paddr, UINT64_MAX - 4095, ENOMEM);
	REFUSED(note.p_type, PT_NULL, ENOEXEC);
	REFUSED(note.p_offset, UINT64_MAX - 7, ENOEXEC);
	REFUSED(note.p_filesz, UINT64_MAX, ENOEXEC);
	REFUSED(notes[0].head.n_namesz, 0xffffffff, ENOEXEC);
	REFUSED(notes[0].head.n_descsz, 0xfffffffd, ENOEXEC);
	REFUSED(notes[1].head.n_descsz, 2, ENOEXEC);
	REFUSED(notes[1].head.n_type, 17, ENOEXEC);
	REFUSED(notes[1].owner[0], 'x', ENOEXEC);
	REFUSED(notes[1].entry, 0, ENOEXEC);
	REFUSED(notes[1].entry, 0x1000, ENOEXEC);
	REFUSED(notes[1].entry, LOAD + 3 * 4096, ENOEXEC);
#undef REFUSED
	make_elf(f);
	f->kernel_len = sizeof(Elf64_Ehdr);
	assert_int_equal(load(f, 0, NULL), -ENOEXEC);
}

/* Each byte of the headers, changed: refused or loaded, but nothing outside RAM is touched. */
static void changed_bytes(void **state)
{
	struct fixture *f = *state;
	static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	unsigned loaded = 0;

	for (size_t at = 0; at < offsetof(struct elf, text); at++) {
		for (unsigned v = 0; v < RWY_ARRAY_SIZE(values); v++) {
			make_elf(f);
			f->kernel[at] = values[v];
			loaded += load(f, 0, NULL) == 0;
		}
	}
	for (size_t at = 0x1f1; at < 0x1f1 + sizeof(struct setup_header); at++) {
		for (unsigned v = 0; v < RWY_ARRAY_SIZE(values); v++) {
			make_bzimage(f);
			f->kernel[at] = values[v];
			loaded += load(f, 0, NULL) == 0;
		}
	}
	assert_true(loaded > 0);
}

static void long_cmdline(void **state)
{
	struct fixture *f = *state;
	char cmdline[257];

	memset(cmdline, 'c', sizeof(cmdline));
	cmdline[256] = '\0';
	make_bzimage(f);
	assert_int_equal(load(f, 0, cmdline), -E2BIG);
	cmdline[255] = '\0';
	assert_int_equal(load(f, 0, cmdline), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bzimage, setup, teardown),
		cmocka_unit_test_setup_teardown(pvh, setup, teardown),
		cmocka_unit_test_setup_teardown(map, setup, teardown),
		cmocka_unit_test_setup_teardown(no_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_bzimage, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_elf, setup, teardown),
		cmocka_unit_test_setup_teardown(changed_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(long_cmdline, setup, teardown),
	};

	return UNIT_RUN(tests);
}
