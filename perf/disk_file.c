/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/disk_file.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (1 << 20)

int rwy_disk_file_make(const char *path, unsigned mib)
{
	char *buf = malloc(CHUNK);
	int fd, err = 0;

	if (!buf)
		return -ENOMEM;
	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		err = -errno;
		goto free_buf;
	}
	memset(buf, 0x5a, CHUNK);
	for (unsigned i = 0; err == 0 && i < mib; i++)
		err = rwy_fd_write_full(fd, buf, CHUNK, (off_t)i * CHUNK);
	if (err == 0 && fsync(fd) < 0)
		err = -errno;
	if (err < 0)
		unlink(path);
	rwy_fd_close(&fd);
free_buf:
	free(buf);
	return err;
}
