/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/boot.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "vmm/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RWY_STEM "boot"

enum { TYPE_RAM = 1, TYPE_RESERVED = 2, TYPE_ACPI = 3 };

#define PAGE UINT64_C(4096)

static int open_file(const char *what, const char *path, int *fd, uint64_t *size)
{
	struct stat st;
	int err = 0;

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0 || fstat(*fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (err) {
		rwy_error("%s %s: %s", what, path,
			  err == -EINVAL ? "is no regular file" : strerror(-err));
		rwy_fd_close(fd);
		return err;
	}
	*size = (uint64_t)st.st_size;
	return 0;
}

int rwy_boot_open(struct rwy_boot *boot, const char *kernel, const char *initrd,
		  const char *cmdline)
{
	int err;

	*boot = (struct rwy_boot){
		.kernel_fd = -1,
		.initrd_fd = -1,
		.kernel = kernel,
		.initrd = initrd,
		.cmdline = cmdline ? cmdline : "",
	};
	err = open_file("kernel", kernel, &boot->kernel_fd, &boot->kernel_size);
	if (!err && initrd)
		err = open_file("initrd", initrd, &boot->initrd_fd, &boot->initrd_size);
	if (err)
		rwy_boot_close(boot);
	return err;
}

void rwy_boot_close(struct rwy_boot *boot)
{
	rwy_fd_close(&boot->kernel_fd);
	rwy_fd_close(&boot->initrd_fd);
}

uint64_t rwy_boot_low_ram_end(const struct rwy_mem *mem)
{
	const struct rwy_mem_region *low = rwy_mem_find(mem, (rwy_gpa){0});

	return low ? low->size : 0;
}

static void put(struct rwy_boot_range *ranges, unsigned *nr, uint64_t base, uint64_t end,
		uint32_t type)
{
	if (base < end)
		ranges[(*nr)++] = (struct rwy_boot_range){base, end - base, type};
}

unsigned rwy_boot_map(const struct rwy_mem *mem, struct rwy_boot_range ranges[RWY_BOOT_RANGES])
{
	const struct rwy_mem_region *high = rwy_mem_find(mem, (rwy_gpa){RWY_LAYOUT_RAM_HIGH});
	unsigned nr = 0;

	put(ranges, &nr, 0, RWY_BOOT_LOW_END, TYPE_RAM);
	put(ranges, &nr, RWY_BOOT_LOW_END, RWY_BOOT_ACPI, TYPE_RESERVED);
	put(ranges, &nr, RWY_BOOT_ACPI, RWY_BOOT_ACPI + RWY_BOOT_ACPI_SIZE, TYPE_ACPI);
	put(ranges, &nr, RWY_BOOT_ACPI + RWY_BOOT_ACPI_SIZE, RWY_BOOT_HIGH, TYPE_RESERVED);
	put(ranges, &nr, RWY_BOOT_HIGH, rwy_boot_low_ram_end(mem), TYPE_RAM);
	put(ranges, &nr, RWY_LAYOUT_ECAM, RWY_LAYOUT_ECAM + (uint64_t)RWY_LAYOUT_ECAM_SIZE,
	    TYPE_RESERVED);
	put(ranges, &nr, RWY_LAYOUT_KVM_IDENT, RWY_LAYOUT_KVM_TSS + 3 * PAGE, TYPE_RESERVED);
	if (high)
		put(ranges, &nr, high->gpa.v, high->gpa.v + high->size, TYPE_RAM);
	put(ranges, &nr, RWY_LAYOUT_HT, RWY_LAYOUT_HT_END, TYPE_RESERVED);
	return nr;
}

int rwy_boot_read(const struct rwy_mem *mem, int fd, uint64_t off, uint64_t len, rwy_gpa gpa)
{
	void *at = gpa.v >= RWY_BOOT_HIGH ? rwy_mem_at(mem, gpa, len) : NULL;

	if (!at)
		return -ENOMEM;
	return rwy_fd_read_full(fd, at, len, (off_t)off);
}

int rwy_boot_put_initrd(const struct rwy_boot *boot, const struct rwy_mem *mem, uint64_t floor,
			uint64_t limit, rwy_gpa *gpa)
{
	uint64_t end = RWY_ALIGN_DOWN(RWY_MIN(limit, rwy_boot_low_ram_end(mem)), PAGE);
	int err;

	gpa->v = 0;
	if (boot->initrd_fd < 0 || boot->initrd_size == 0)
		return 0;
	if (floor >= end || boot->initrd_size > end - floor ||
	    RWY_ALIGN_DOWN(end - boot->initrd_size, PAGE) < floor) {
		rwy_error("initrd %s: its %llu KiB do not fit in the %llu KiB behind the kernel: "
			  "give the guest more --memory",
			  boot->initrd, (unsigned long long)(boot->initrd_size >> 10),
			  floor < end ? (unsigned long long)((end - floor) >> 10) : 0ULL);
		return -ENOMEM;
	}
	gpa->v = RWY_ALIGN_DOWN(end - boot->initrd_size, PAGE);
	err = rwy_boot_read(mem, boot->initrd_fd, 0, boot->initrd_size, *gpa);
	if (err)
		rwy_error("initrd %s: cannot be read: %s", boot->initrd,
			  err == -ENODATA ? "it became shorter" : strerror(-err));
	return err;
}

int rwy_boot_put_cmdline(const struct rwy_boot *boot, const struct rwy_mem *mem, uint64_t max)
{
	size_t len = strlen(boot->cmdline);
	uint64_t most = RWY_MIN(max, RWY_BOOT_CMDLINE_MAX - 1);
	void *at = rwy_mem_at(mem, (rwy_gpa){RWY_BOOT_CMDLINE}, RWY_BOOT_CMDLINE_MAX);

	if (len > most) {
		rwy_error("--cmdline: %zu bytes are longer than the %llu this kernel takes", len,
			  (unsigned long long)most);
		return -E2BIG;
	}
	if (!at)
		return -ENOMEM;
	memcpy(at, boot->cmdline, len + 1);
	return 0;
}

int rwy_boot_load(const struct rwy_boot *boot, const struct rwy_mem *mem,
		  struct rwy_boot_entry *entry)
{
	uint8_t head[1024] = {0};
	size_t len = RWY_MIN(boot->kernel_size, sizeof(head));
	int err = rwy_fd_read_full(boot->kernel_fd, head, len, 0);

	if (err) {
		rwy_error("kernel %s: cannot be read: %s", boot->kernel,
			  err == -ENODATA ? "it became shorter" : strerror(-err));
		return err;
	}
	if (rwy_boot_is_bzimage(head, len))
		return rwy_boot_load_bzimage(boot, mem, entry);
	if (rwy_boot_is_elf(head, len))
		return rwy_boot_load_pvh(boot, mem, entry);
	rwy_error("kernel %s: is no kernel: neither a bzImage nor an ELF file", boot->kernel);
	return -ENOEXEC;
}
