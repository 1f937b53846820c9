/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interfaces of the host that stand for VFs at the other side of a card's switch, while that is in
 * switchdev mode: they tell so by phys_switch_id, and by a phys_port_name like pf0vf3.
 */
#ifndef RWY_SRIOV_REPRESENTOR_H
#define RWY_SRIOV_REPRESENTOR_H

#include "sriov/pf.h"

/* Fills in the names for a PF whose interface and VFs are known. */
void rwy_representor_read(const char *root, struct rwy_pf *pf);
/* And the counters of VFs that have one and are not counted otherwise: what it sends, the VF
 * receives. */
void rwy_representor_count(const char *root, struct rwy_pf *pf);

#endif
