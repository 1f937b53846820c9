/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether what is wanted can be had: all that can be known before the first write. */
#ifndef RWY_SRIOV_VF_CHECK_H
#define RWY_SRIOV_VF_CHECK_H

#include "sriov/holder.h"
#include "sriov/pf.h"

struct rwy_vf_check {
	const char *root;
	const char *path; /* of the file that wants it */
	const struct rwy_pf_list *host;
	const struct rwy_pf_list *want;
	const struct rwy_holder_list *holders;
};

/*
 * -EINVAL: a number, a rule of the driver, an address that is there already; -EBUSY: a process
 * holds what would change under it. Logged with file, line and reason.
 */
RWY_MUST_CHECK int rwy_vf_check_all(const struct rwy_vf_check *check);

#endif
