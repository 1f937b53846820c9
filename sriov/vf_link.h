/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a PF's interface knows of its VFs, by rtnetlink (RTM_GETLINK and RTM_SETLINK with
 * IFLA_VFINFO_LIST), one PF at a time. Answers may be of any length: a list of 256 VFs is longer
 * than the 64 KiB that the length of an attribute can say. One thread.
 */
#ifndef RWY_SRIOV_VF_LINK_H
#define RWY_SRIOV_VF_LINK_H

#include "sriov/pf.h"
#include "sriov/sriov_sys.h"

struct rwy_vf_link {
	const struct rwy_sriov_sys *sys;
	uint32_t seq;
	void *buf; /* the last answer; owned */
	size_t room;
};

void rwy_vf_link_init(struct rwy_vf_link *link, const struct rwy_sriov_sys *sys);
void rwy_vf_link_fini(struct rwy_vf_link *link);

/* The link's values of each VF, and with counters those, too. Nothing to do for a PF without an
 * interface. -EBADMSG: the answer does not tell of all VFs, the others' values are empty; or
 * -errno. */
RWY_MUST_CHECK int rwy_vf_link_read(struct rwy_vf_link *link, struct rwy_pf *pf, bool counters);
/* Sets one of the VF's values; the kernel's answer, or -EINVAL: the text is no such value. */
RWY_MUST_CHECK int rwy_vf_link_set(struct rwy_vf_link *link, unsigned ifindex, unsigned vf,
				   enum rwy_attr attr, const char *text);
RWY_MUST_CHECK int rwy_vf_link_set_up(struct rwy_vf_link *link, unsigned ifindex, bool up);

#endif
