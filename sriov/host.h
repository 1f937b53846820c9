/* SPDX-License-Identifier: BSD-3-Clause */
/* All there is to know of a host's PFs and VFs, from wherever it must be asked. */
#ifndef RWY_SRIOV_HOST_H
#define RWY_SRIOV_HOST_H

#include "sriov/nl.h"
#include "sriov/pf.h"

/* Fills the list; without an error, every value is known that can be. Logged. */
RWY_MUST_CHECK int rwy_host_read(struct rwy_nl *nl, struct rwy_pf_list *list);
/* The same of one PF, anew; it joins the list where it was not in it. Logged. */
RWY_MUST_CHECK int rwy_host_renew(struct rwy_nl *nl, struct rwy_pf_list *list, const char *bdf);
/* To what sysfs says of a PF, adds what its drivers know; counters only where wanted. 0 or -errno.
 */
RWY_MUST_CHECK int rwy_host_ask(struct rwy_nl *nl, struct rwy_pf *pf, bool counters);

#endif
