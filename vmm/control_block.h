/* SPDX-License-Identifier: BSD-3-Clause */
/* The answer to query-block. */
#ifndef RWY_VMM_CONTROL_BLOCK_H
#define RWY_VMM_CONTROL_BLOCK_H

#include "vmm/hotplug.h"
#include "vmm/pci.h"

#include <jansson.h>

/* All disks on all buses, as QEMU lays it out. Bus lock held. hotplug may be NULL. */
json_t *rwy_control_block_list(const struct rwy_pci *pci, const struct rwy_hotplug *hotplug);

#endif
