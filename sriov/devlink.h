/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What devlink knows of a PF and its VFs: the mode of its switch, and where that shows each VF as a
 * port, the port's function, rates and interface (Documentation/networking/devlink of Linux:
 * devlink-port.rst, devlink-params.rst). One thread.
 */
#ifndef RWY_SRIOV_DEVLINK_H
#define RWY_SRIOV_DEVLINK_H

#include "sriov/nl.h"
#include "sriov/pf.h"
#include "sriov/vf_plan.h"

/* The values of devlink, and VFs' representors. What the driver does not have is unsupported, as is
 * all where it knows nothing of devlink. 0 or -errno. */
RWY_MUST_CHECK int rwy_devlink_read(struct rwy_nl *nl, struct rwy_pf *pf);
/* Sets what the step says; the kernel's answer. -EOPNOTSUPP: the switch has no port for the VF, or
 * there is no switch. */
RWY_MUST_CHECK int rwy_devlink_run(struct rwy_nl *nl, const struct rwy_vf_step *step);

#endif
