/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

void rwy_fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void rwy_fd_close_all(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rwy_fd_close(&fds[i]);
}

int rwy_fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

int rwy_fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int rwy_fd_event(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int rwy_fd_signal(int fd)
{
	const uint64_t one = 1;
	ssize_t n;

	do {
		n = write(fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR);
	return n == sizeof(one) || errno == EAGAIN ? 0 : -errno;
}

int64_t rwy_fd_drain(int fd)
{
	uint64_t count;
	struct iovec iov = {&count, sizeof(count)};
	ssize_t n;

	/* whoever shares it may have made it blocking, and have emptied it since it was readable */
	do {
		n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EOPNOTSUPP) /* before Linux 5.8 */
		n = read(fd, &count, sizeof(count));
	if (n == sizeof(count))
		return (int64_t)(count & INT64_MAX);
	return n >= 0 || errno == EAGAIN ? 0 : -errno;
}

int rwy_fd_read_full(int fd, void *buf, size_t len, off_t off)
{
	char *at = buf;

	while (len > 0) {
		ssize_t n = pread(fd, at, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		at += n;
		off += n;
		len -= (size_t)n;
	}
	return 0;
}

int rwy_fd_write_full(int fd, const void *buf, size_t len, off_t off)
{
	const char *at = buf;

	while (len > 0) {
		ssize_t n = pwrite(fd, at, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		at += n;
		off += n;
		len -= (size_t)n;
	}
	return 0;
}

int rwy_fd_count(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	if (!dir)
		return -errno;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 3; /* ".", ".." and the directory itself */
}
