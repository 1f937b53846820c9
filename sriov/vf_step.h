/* SPDX-License-Identifier: BSD-3-Clause */
/* The one write of a step. */
#ifndef RWY_SRIOV_VF_STEP_H
#define RWY_SRIOV_VF_STEP_H

#include "sriov/vf_link.h"
#include "sriov/vf_plan.h"

/*
 * Sets the step's attribute to what it says; nothing where it says nothing. After VFs were made it
 * waits until all are there. What the kernel answers, or -ETIMEDOUT: VFs do not appear.
 */
RWY_MUST_CHECK int rwy_vf_step_run(struct rwy_nl *nl, const struct rwy_vf_step *step);

#endif
