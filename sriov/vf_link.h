/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a PF's interface knows of its VFs, by rtnetlink (RTM_GETLINK and RTM_SETLINK with
 * IFLA_VFINFO_LIST), one PF at a time.
 */
#ifndef RWY_SRIOV_VF_LINK_H
#define RWY_SRIOV_VF_LINK_H

#include "sriov/nl.h"
#include "sriov/pf.h"

/* The link's values of each VF, and with counters those, too. Nothing to do for a PF without an
 * interface. -EBADMSG: the answer does not tell of all VFs, the others' values are empty; or
 * -errno. */
RWY_MUST_CHECK int rwy_vf_link_read(struct rwy_nl *nl, struct rwy_pf *pf, bool counters);
/* Sets one of the VF's values; the kernel's answer, or -EINVAL: the text is no such value. */
RWY_MUST_CHECK int rwy_vf_link_set(struct rwy_nl *nl, unsigned ifindex, unsigned vf,
				   enum rwy_attr attr, const char *text);
RWY_MUST_CHECK int rwy_vf_link_set_up(struct rwy_nl *nl, unsigned ifindex, bool up);

#endif
