/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/shm.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/numa.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RWY_STEM "shm"

#define PAGE_4K UINT64_C(4096)
#define PAGE_2M (UINT64_C(2) << 20)
#define PAGE_1G (UINT64_C(1) << 30)

static int flags_of_page_size(uint64_t page_size)
{
	switch (page_size) {
	case PAGE_4K:
		return 0;
	case PAGE_2M:
		return MFD_HUGETLB | MFD_HUGE_2MB;
	case PAGE_1G:
		return (int)(MFD_HUGETLB | MFD_HUGE_1GB);
	default:
		return -EINVAL;
	}
}

/* What went wrong and the command that mends it. */
static void explain(const char *name, const struct rwy_shm *shm, int err)
{
	uint64_t pages = shm->page_size ? shm->size / shm->page_size : 0;

	if (err == -EINVAL)
		rwy_error("%s: %llu bytes in pages of %llu: pages are 4K, 2M or 1G and the size is "
			  "a whole number of them",
			  name, (unsigned long long)shm->size, (unsigned long long)shm->page_size);
	else if (shm->page_size > PAGE_4K)
		rwy_error("%s: cannot have %llu huge pages of %llu KiB (%s): echo %llu > "
			  "/sys/kernel/mm/hugepages/hugepages-%llukB/nr_hugepages",
			  name, (unsigned long long)pages,
			  (unsigned long long)(shm->page_size >> 10), strerror(-err),
			  (unsigned long long)pages, (unsigned long long)(shm->page_size >> 10));
	else
		rwy_error("%s: cannot have %llu MiB of memory: %s", name,
			  (unsigned long long)(shm->size >> 20), strerror(-err));
}

/* Page tables and pages now; before Linux 5.14 only the pages. */
static int populate(const struct rwy_shm *shm)
{
#ifdef MADV_POPULATE_WRITE
	if (madvise(shm->addr, shm->size, MADV_POPULATE_WRITE) == 0)
		return 0;
	if (errno != EINVAL)
		return errno == EFAULT ? -ENOMEM : -errno;
#endif
	return fallocate(shm->fd, 0, 0, (off_t)shm->size) < 0 ? -errno : 0;
}

static int open_fd(const char *name, const struct rwy_shm *shm, int flags)
{
	int err = 0;
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | (unsigned)flags);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)shm->size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		err = -errno;
	if (err)
		rwy_fd_close(&fd);
	return err ? err : fd;
}

int rwy_shm_open(struct rwy_shm *shm, const char *name, uint64_t size,
		 const struct rwy_shm_opts *opts)
{
	void *addr;
	int flags, err;

	*shm = (struct rwy_shm){.size = size,
				.page_size = opts->page_size ? opts->page_size : PAGE_4K,
				.fd = -1};
	err = flags = flags_of_page_size(shm->page_size);
	if (flags >= 0 && (size == 0 || size > INT64_MAX || size % shm->page_size != 0))
		err = -EINVAL;
	if (err < 0)
		goto fail;
	err = shm->fd = open_fd(name, shm, flags);
	if (err < 0)
		goto fail;
	addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, shm->fd, 0);
	if (addr == MAP_FAILED) {
		err = -errno;
		goto fail;
	}
	shm->addr = addr;
	err = opts->node >= 0 ? rwy_numa_bind(addr, size, (unsigned)opts->node) : 0;
	if (err < 0) {
		rwy_error("%s: cannot use NUMA node %d (%s): numactl --hardware lists the nodes",
			  name, opts->node, strerror(-err));
		goto close;
	}
	err = opts->prealloc ? populate(shm) : 0;
	if (err < 0)
		goto fail;
	return 0;

fail:
	explain(name, shm, err);
close:
	rwy_shm_close(shm);
	return err;
}

void rwy_shm_close(struct rwy_shm *shm)
{
	if (shm->addr)
		munmap(shm->addr, shm->size);
	shm->addr = NULL;
	shm->size = 0;
	rwy_fd_close(&shm->fd);
}
