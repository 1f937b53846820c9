/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtual function, by its number at its PF: sysfs names its function by the link virtfnN of the
 * PF, which is its identity; interface names are for people only.
 */
#ifndef RWY_SRIOV_VF_H
#define RWY_SRIOV_VF_H

#include "lib/bdf.h"
#include "sriov/attr.h"

#define RWY_VF_MAX 4096 /* more than any function has today */

/* Frames and bytes since the VF was made, as its PF counts them. */
enum rwy_vf_counter {
	RWY_VF_RX_PACKETS,
	RWY_VF_TX_PACKETS,
	RWY_VF_RX_BYTES,
	RWY_VF_TX_BYTES,
	RWY_VF_BROADCAST,
	RWY_VF_MULTICAST,
	RWY_VF_RX_DROPPED,
	RWY_VF_TX_DROPPED,
	RWY_VF_NR_COUNTERS,
};

struct rwy_vf {
	char bdf[RWY_BDF_LEN];
	char netdev[16];      /* empty: none, or away */
	bool away;	      /* its interface is in another network namespace */
	char representor[16]; /* empty: none */
	bool ported;	      /* the switch of its PF shows it as a port */
	uint32_t port;	      /* its index there */
	int group;	      /* of the IOMMU, -1: none */
	char vfio[16];	      /* its character device, as in /dev/vfio/devices; empty: none */
	rwy_attr_values value;
	unsigned counted; /* bit n: counter n is known */
	uint64_t counter[RWY_VF_NR_COUNTERS];
	unsigned line; /* of the file that wants it, 0: none does */
};

/* The function behind virtfnN. -ENOENT: there is no such VF. */
RWY_MUST_CHECK int rwy_vf_find(const char *root, const char *pf, unsigned idx,
			       char bdf[RWY_BDF_LEN]);
/* All that sysfs knows of a function, be it a VF or not. */
void rwy_vf_look(const char *root, const char *bdf, struct rwy_vf *vf);
/* The same of VF idx; the values of its link stay empty. -ENOENT as above. */
RWY_MUST_CHECK int rwy_vf_read(const char *root, const char *pf, unsigned idx, struct rwy_vf *vf);

#endif
