/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steps that bind drivers, or unbind them, of different VFs: each may take the kernel a second, and
 * none waits for another, so they are done side by side.
 */
#ifndef RWY_SRIOV_VF_BATCH_H
#define RWY_SRIOV_VF_BATCH_H

#include "sriov/vf_link.h"
#include "sriov/vf_plan.h"

/* How many steps from idx on may be done at once: 1, or more of them that bind, or that unbind. */
unsigned rwy_vf_batch_count(const struct rwy_vf_plan *plan, unsigned idx);
/* Does them, and sets each one's result; after the first failure none is begun. The error of one
 * that failed. Returns when all that were begun have ended. */
RWY_MUST_CHECK int rwy_vf_batch_run(struct rwy_nl *nl, struct rwy_vf_step *steps, unsigned nr);

#endif
