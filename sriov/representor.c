/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/representor.h"

#include "lib/sysfs.h"

#include <stdio.h>
#include <string.h>

#define NET	 "/sys/class/net/%s"
#define NAME_LEN 32

struct search {
	const char *root;
	char switch_id[2 * NAME_LEN];
	unsigned port; /* the PF's, of those that the switch joins */
	struct rwy_pf *pf;
};

/* pf0vf3, or c1pf0vf3 where the switch is a controller's of its own. */
static bool parse_port(const char *name, unsigned *port, unsigned *vf)
{
	unsigned controller;
	int end = 0;

	if (sscanf(name, "pf%uvf%u%n", port, vf, &end) == 2 && !name[end])
		return true;
	return sscanf(name, "c%upf%uvf%u%n", &controller, port, vf, &end) == 3 && !name[end];
}

static int look_at(void *ctx, const char *netdev)
{
	struct search *search = ctx;
	char id[sizeof(search->switch_id)], name[NAME_LEN];
	unsigned port, vf;

	if (rwy_sysfs_read(search->root, name, sizeof(name), NET "/phys_port_name", netdev) <= 0 ||
	    !parse_port(name, &port, &vf) || port != search->port || vf >= search->pf->nr_vfs)
		return 0;
	if (rwy_sysfs_read(search->root, id, sizeof(id), NET "/phys_switch_id", netdev) <= 0 ||
	    strcmp(id, search->switch_id) != 0)
		return 0;
	snprintf(search->pf->vfs[vf].representor, sizeof(search->pf->vfs[vf].representor), "%s",
		 netdev);
	return 0;
}

void rwy_representor_read(const char *root, struct rwy_pf *pf)
{
	struct search search = {.root = root, .pf = pf};
	char name[NAME_LEN];

	if (!pf->netdev[0] || !pf->nr_vfs ||
	    rwy_sysfs_read(root, search.switch_id, sizeof(search.switch_id), NET "/phys_switch_id",
			   pf->netdev) <= 0)
		return;
	/* The PF's own interface is the uplink, p0, p1, ... */
	if (rwy_sysfs_read(root, name, sizeof(name), NET "/phys_port_name", pf->netdev) > 0 &&
	    sscanf(name, "p%u", &search.port) != 1)
		return;
	(void)rwy_sysfs_list(root, look_at, &search, "/sys/class/net");
}

void rwy_representor_count(const char *root, struct rwy_pf *pf)
{
	static const char *const files[RWY_VF_NR_COUNTERS] = {
		[RWY_VF_RX_PACKETS] = "tx_packets", [RWY_VF_TX_PACKETS] = "rx_packets",
		[RWY_VF_RX_BYTES] = "tx_bytes",	    [RWY_VF_TX_BYTES] = "rx_bytes",
		[RWY_VF_RX_DROPPED] = "tx_dropped", [RWY_VF_TX_DROPPED] = "rx_dropped",
	};

	for (unsigned i = 0; i < pf->nr_vfs; i++) {
		struct rwy_vf *vf = &pf->vfs[i];

		if (vf->counted || !vf->representor[0])
			continue;
		for (unsigned c = 0; c < RWY_VF_NR_COUNTERS; c++)
			if (files[c] &&
			    rwy_sysfs_read_uint(root, &vf->counter[c], NET "/statistics/%s",
						vf->representor, files[c]) == 0)
				vf->counted |= 1u << c;
	}
}
