/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VFs of NVMe controllers: queues and interrupts that the PF shares with them, and whether they are
 * online (NVM Express Base 2.0: Virtualization Enhancements, 8.22; Virtualization Management
 * command, 5.28; Identify CNS 14h and 15h, 5.17.2). A VF without resources, or offline, is of no
 * use to any driver.
 */
#ifndef RWY_SRIOV_VF_NVME_H
#define RWY_SRIOV_VF_NVME_H

#include "sriov/pf.h"
#include "sriov/sriov_sys.h"
#include "sriov/vf_plan.h"

/* Least that a VF can work with: the administrator's queue and one more, and one interrupt. */
#define RWY_VF_NVME_QUEUES     2
#define RWY_VF_NVME_INTERRUPTS 1

/* Fills in pf->nvme and the values of the PF and its VFs; nothing to do where the driver is another
 * one, or the controller has no such thing. 0 or -errno. */
RWY_MUST_CHECK int rwy_vf_nvme_read(const struct rwy_sriov_sys *sys, struct rwy_pf *pf);
/* Sets what the step says. What the PF keeps, and what the VF has, is so after its next reset.
 * -EREMOTEIO: the controller refused, which is logged with its status. */
RWY_MUST_CHECK int rwy_vf_nvme_run(const struct rwy_sriov_sys *sys, const struct rwy_vf_step *step);

#endif
