/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/vfio_sys.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

static int host_open(void *ctx, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int host_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
	int rc;

	do {
		rc = ioctl(fd, request, arg);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : rc;
}

static int host_read(void *ctx, int fd, void *buf, size_t len, uint64_t off)
{
	return rwy_fd_read_full(fd, buf, len, (off_t)off);
}

static int host_write(void *ctx, int fd, const void *buf, size_t len, uint64_t off)
{
	return rwy_fd_write_full(fd, buf, len, (off_t)off);
}

const struct rwy_vfio_sys rwy_vfio_sys_host = {
	.open = host_open,
	.ioctl = host_ioctl,
	.read = host_read,
	.write = host_write,
	.root = "",
};
