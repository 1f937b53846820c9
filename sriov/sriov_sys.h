/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All that this folder changes on a host goes through one table, so that tests can put a model of
 * the kernel behind it. What is only read is read below a root (lib/sysfs.h).
 */
#ifndef RWY_SRIOV_SRIOV_SYS_H
#define RWY_SRIOV_SRIOV_SYS_H

#include "lib/base.h"

#include <linux/nvme_ioctl.h>
#include <sys/types.h>

/* A family of netlink messages, each with a socket of its own. */
enum rwy_sriov_wire {
	RWY_SRIOV_ROUTE,   /* interfaces: rtnetlink */
	RWY_SRIOV_GENERIC, /* all else: devlink */
	RWY_SRIOV_NR_WIRES,
};

struct rwy_sriov_sys {
	/* One write of the text to a file of sysfs, path without the root. 0 or negative errno. */
	int (*write)(const struct rwy_sriov_sys *sys, const char *path, const char *text);
	/* As send and recv do it on a socket of datagrams; or negative errno. */
	ssize_t (*send)(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire,
			const void *message, size_t len);
	ssize_t (*recv)(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire, void *buf,
			size_t len, int flags);
	/* An admin command to /dev/NAME: 0, NVMe's status, or negative errno. */
	int (*nvme)(const struct rwy_sriov_sys *sys, const char *name,
		    struct nvme_passthru_cmd *command);
	void (*wait)(const struct rwy_sriov_sys *sys, unsigned ms);
	const char *root;
	int netlink[RWY_SRIOV_NR_WIRES]; /* the sockets, -1: none */
	void *ctx;
};

/* This machine; close ends it. 0 or -errno. */
RWY_MUST_CHECK int rwy_sriov_sys_open(struct rwy_sriov_sys *sys);
void rwy_sriov_sys_close(struct rwy_sriov_sys *sys);

#endif
