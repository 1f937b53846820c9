/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-backends/be_view.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int rwy_be_view_open(struct rwy_be_view *view, int fd, uint64_t off, uint64_t len)
{
	struct stat st;
	uint64_t end;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < 0 || len == 0 || RWY_ADD_OVERFLOW(off, len, &end))
		return -EINVAL;
	/* a byte beyond the end would be a SIGBUS */
	if (end > (uint64_t)st.st_size)
		return -ENXIO;
	/* the file's own page size is a huge page's on hugetlbfs */
	const uint64_t page = RWY_MAX((uint64_t)st.st_blksize, (uint64_t)sysconf(_SC_PAGESIZE));
	if (!RWY_IS_POW2(page))
		return -EINVAL;
	const uint64_t start = RWY_ALIGN_DOWN(off, page);
	const uint64_t map_len = RWY_ALIGN_UP(end, page) - start;
	void *map = mmap(NULL, map_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
			 (off_t)start);
	if (map == MAP_FAILED)
		return -errno;
	*view = (struct rwy_be_view){
		.map = map,
		.map_len = map_len,
		.at = (uint8_t *)map + (off - start),
		.dev = st.st_dev,
		.ino = st.st_ino,
	};
	return 0;
}

void rwy_be_view_close(struct rwy_be_view *view)
{
	if (view->map)
		munmap(view->map, view->map_len);
	*view = (struct rwy_be_view){.map = NULL};
}

bool rwy_be_view_lose(struct rwy_be_view *view, const void *at)
{
	if ((uintptr_t)at - (uintptr_t)view->map >= view->map_len)
		return false;
	view->lost = true;
	return true;
}
