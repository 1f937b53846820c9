/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/bell.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RWY_STEM "bell"

#define EVENTS 64 /* requests that have ended and are not fetched yet; nobody wants to know */

int rwy_bell_open(struct rwy_bell *bell)
{
	int err;

	*bell = (struct rwy_bell){.null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};
	if (bell->null_fd >= 0 && syscall(SYS_io_setup, EVENTS, &bell->aio) == 0)
		return 0;
	err = -errno;
	rwy_warn("asynchronous I/O: %s; a hostile peer can keep us waiting (is fs.aio-max-nr "
		 "reached?)",
		 strerror(-err));
	rwy_fd_close(&bell->null_fd);
	bell->aio = 0;
	return err;
}

void rwy_bell_close(struct rwy_bell *bell)
{
	if (bell->aio)
		syscall(SYS_io_destroy, bell->aio);
	bell->aio = 0;
	rwy_fd_close(&bell->null_fd);
}

static bool submit(const struct rwy_bell *bell, int fd)
{
	char nothing;
	struct iocb iocb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)bell->null_fd,
		.aio_buf = (uintptr_t)&nothing,
		.aio_nbytes = sizeof(nothing),
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct iocb *one = &iocb;

	/* it has ended when this returns */
	return syscall(SYS_io_submit, bell->aio, 1, &one) == 1;
}

static void fetch(const struct rwy_bell *bell)
{
	struct io_event events[EVENTS];
	struct timespec now = {0};

	syscall(SYS_io_getevents, bell->aio, 0, EVENTS, events, &now);
}

void rwy_bell_ring(const struct rwy_bell *bell, int fd)
{
	if (bell && bell->aio) {
		if (submit(bell, fd))
			return;
		if (errno == EAGAIN) {
			fetch(bell);
			if (submit(bell, fd))
				return;
		}
	}
	rwy_fd_signal(fd);
}
