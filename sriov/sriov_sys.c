/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/sriov_sys.h"

#include "lib/fd.h"
#include "lib/sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The kernel answers at once or never. */
#define ANSWER_SECONDS 10

static int host_write(const struct rwy_sriov_sys *sys, const char *path, const char *text)
{
	char full[RWY_SYSFS_PATH];
	size_t len = strlen(text);
	int fd, err = 0;
	ssize_t n;

	if (snprintf(full, sizeof(full), "%s%s", sys->root, path) >= (int)sizeof(full))
		return -ENAMETOOLONG;
	fd = open(full, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)len)
		err = n < 0 ? -errno : -EIO;
	rwy_fd_close(&fd);
	return err;
}

static ssize_t host_send(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire,
			 const void *message, size_t len)
{
	ssize_t n = send(sys->netlink[wire], message, len, 0);

	return n < 0 ? -errno : n;
}

static ssize_t host_recv(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire, void *buf,
			 size_t len, int flags)
{
	ssize_t n;

	do
		n = recv(sys->netlink[wire], buf, len, flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int host_nvme(const struct rwy_sriov_sys *sys, const char *name,
		     struct nvme_passthru_cmd *command)
{
	char path[64];
	int fd, rc;

	snprintf(path, sizeof(path), "/dev/%.40s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = ioctl(fd, NVME_IOCTL_ADMIN_CMD, command);
	if (rc < 0)
		rc = -errno;
	rwy_fd_close(&fd);
	return rc;
}

static void host_wait(const struct rwy_sriov_sys *sys, unsigned ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&time, NULL);
}

/* That answers tell why, and do not repeat the question; kernels before 4.12 do not know these. */
static int open_wire(int protocol, int *fd)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const struct timeval patience = {.tv_sec = ANSWER_SECONDS};
	const int on = 1;

	*fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (*fd < 0 || connect(*fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0 ||
	    setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	(void)!setsockopt(*fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)!setsockopt(*fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	return 0;
}

int rwy_sriov_sys_open(struct rwy_sriov_sys *sys)
{
	int err;

	*sys = (struct rwy_sriov_sys){.write = host_write,
				      .send = host_send,
				      .recv = host_recv,
				      .nvme = host_nvme,
				      .wait = host_wait,
				      .root = "",
				      .netlink = {-1, -1}};
	err = open_wire(NETLINK_ROUTE, &sys->netlink[RWY_SRIOV_ROUTE]);
	if (!err)
		err = open_wire(NETLINK_GENERIC, &sys->netlink[RWY_SRIOV_GENERIC]);
	if (err)
		rwy_sriov_sys_close(sys);
	return err;
}

void rwy_sriov_sys_close(struct rwy_sriov_sys *sys)
{
	rwy_fd_close_all(sys->netlink, RWY_SRIOV_NR_WIRES);
}
