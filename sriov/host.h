/* SPDX-License-Identifier: BSD-3-Clause */
/* All there is to know of a host's PFs and VFs, from wherever it must be asked. */
#ifndef RWY_SRIOV_HOST_H
#define RWY_SRIOV_HOST_H

#include "sriov/vf_link.h"

/* Fills the list; without an error, every value is known that can be. Logged. */
RWY_MUST_CHECK int rwy_host_read(struct rwy_vf_link *link, struct rwy_pf_list *list);

#endif
