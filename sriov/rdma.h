/* SPDX-License-Identifier: BSD-3-Clause */
/* The RDMA device that belongs to a function, as libibverbs tells of it. */
#ifndef RWY_SRIOV_RDMA_H
#define RWY_SRIOV_RDMA_H

#include "lib/base.h"

#define RWY_RDMA_NAME  64
#define RWY_RDMA_PORTS 4 /* more than any card has; others are left out */

struct rwy_rdma_port {
	uint64_t guid;
	const char *layer; /* "InfiniBand", "Ethernet", ... */
	const char *state; /* "active", "down", ... */
};

struct rwy_rdma {
	char name[RWY_RDMA_NAME];
	bool opened; /* the rest is known */
	uint64_t node_guid;
	unsigned nr_ports;
	struct rwy_rdma_port ports[RWY_RDMA_PORTS];
};

/* What libibverbs knows, asked once. */
struct rwy_rdma_host {
	const char *root;
	struct ibv_device **devices; /* owned; NULL: none, or root is not this host's */
};

/* root must live as long. */
void rwy_rdma_init(struct rwy_rdma_host *host, const char *root);
void rwy_rdma_fini(struct rwy_rdma_host *host);
/*
 * 1: the function has one, by itself or, as soft-RoCE, through its interface; 0: it has none. What
 * only the device itself can say is known on this host (root is empty) and where it may be opened.
 */
RWY_MUST_CHECK int rwy_rdma_read(const struct rwy_rdma_host *host, const char *bdf,
				 struct rwy_rdma *rdma);

#endif
