/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/rdma.h"

#include "lib/sysfs.h"

#include <endian.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <string.h>

#define DEVICE "/sys/bus/pci/devices/%s"

struct search {
	const char *root;
	const char *netdev;
	char *name;
};

/* A device that is made on an interface names it as its parent. */
static int look_at_parent(void *ctx, const char *name)
{
	struct search *search = ctx;
	char parent[32];

	if (rwy_sysfs_read(search->root, parent, sizeof(parent), "/sys/class/infiniband/%s/parent",
			   name) <= 0 ||
	    strcmp(parent, search->netdev) != 0)
		return 0;
	snprintf(search->name, RWY_RDMA_NAME, "%s", name);
	return 1;
}

static int look_at_netdev(void *ctx, const char *netdev)
{
	struct search *search = ctx;

	search->netdev = netdev;
	return rwy_sysfs_list(search->root, look_at_parent, search, "/sys/class/infiniband") == 1;
}

static bool find(const char *root, const char *bdf, char *name)
{
	struct search search = {root, NULL, name};

	return rwy_sysfs_first(root, name, RWY_RDMA_NAME, DEVICE "/infiniband", bdf) == 0 ||
	       rwy_sysfs_list(root, look_at_netdev, &search, DEVICE "/net", bdf) == 1;
}

static const char *layer_name(uint8_t layer)
{
	switch (layer) {
	case IBV_LINK_LAYER_INFINIBAND:
		return "InfiniBand";
	case IBV_LINK_LAYER_ETHERNET:
		return "Ethernet";
	}
	return "unspecified";
}

static const char *state_name(enum ibv_port_state state)
{
	switch (state) {
	case IBV_PORT_DOWN:
		return "down";
	case IBV_PORT_INIT:
		return "initializing";
	case IBV_PORT_ARMED:
		return "armed";
	case IBV_PORT_ACTIVE:
		return "active";
	case IBV_PORT_ACTIVE_DEFER:
		return "active, deferred";
	default:
		return "unknown";
	}
}

/* A port's GUID is the lower half of its first GID (InfiniBand 1.4, 4.1.1). */
static void read_ports(struct rwy_rdma *rdma, struct ibv_context *context, unsigned nr)
{
	for (unsigned i = 0; i < RWY_MIN(nr, RWY_RDMA_PORTS); i++) {
		struct rwy_rdma_port *port = &rdma->ports[i];
		struct ibv_port_attr attr;
		union ibv_gid gid;

		if (ibv_query_port(context, (uint8_t)(i + 1), &attr) ||
		    ibv_query_gid(context, (uint8_t)(i + 1), 0, &gid))
			return;
		port->layer = layer_name(attr.link_layer);
		port->state = state_name(attr.state);
		port->guid = be64toh(gid.global.interface_id);
		rdma->nr_ports = i + 1;
	}
}

static void read_device(struct rwy_rdma *rdma, struct ibv_device *device)
{
	struct ibv_context *context = ibv_open_device(device);
	struct ibv_device_attr attr;

	if (!context)
		return;
	if (ibv_query_device(context, &attr) == 0) {
		rdma->opened = true;
		rdma->node_guid = be64toh(attr.node_guid);
		read_ports(rdma, context, attr.phys_port_cnt);
	}
	ibv_close_device(context);
}

void rwy_rdma_init(struct rwy_rdma_host *host, const char *root)
{
	*host = (struct rwy_rdma_host){root, root[0] ? NULL : ibv_get_device_list(NULL)};
}

void rwy_rdma_fini(struct rwy_rdma_host *host)
{
	if (host->devices)
		ibv_free_device_list(host->devices);
	host->devices = NULL;
}

int rwy_rdma_read(const struct rwy_rdma_host *host, const char *bdf, struct rwy_rdma *rdma)
{
	memset(rdma, 0, sizeof(*rdma));
	if (!find(host->root, bdf, rdma->name))
		return 0;
	for (unsigned i = 0; host->devices && host->devices[i]; i++)
		if (strcmp(ibv_get_device_name(host->devices[i]), rdma->name) == 0)
			read_device(rdma, host->devices[i]);
	return 1;
}
