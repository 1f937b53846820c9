/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carrying out a plan as one transaction: all of it, or nothing. Steps that the driver does not
 * have are neither; they are told apart in the results. What was done is read back, and a value
 * that is not there undoes the rest, too.
 */
#ifndef RWY_SRIOV_VF_APPLY_H
#define RWY_SRIOV_VF_APPLY_H

#include "sriov/journal.h"
#include "sriov/vf_link.h"
#include "sriov/vf_plan.h"

/*
 * Does all steps of a plan that starts at *host, the host as it is, and sets each one's result.
 * Records first what was found on PFs that have no such record. 0: all is applied or unsupported;
 * or the errno of what failed, and all was undone but for steps that are stuck. Logged.
 */
RWY_MUST_CHECK int rwy_vf_apply_run(struct rwy_nl *nl, struct rwy_journal *journal,
				    const struct rwy_pf_list *host, struct rwy_vf_plan *plan);
/* Undoes what a killed run left, if there is any. 0 or -errno; logged. */
RWY_MUST_CHECK int rwy_vf_apply_recover(struct rwy_nl *nl, struct rwy_journal *journal);

#endif
