/* SPDX-License-Identifier: BSD-3-Clause */
/* The answer to query-pci. */
#ifndef RWY_VMM_CONTROL_PCI_H
#define RWY_VMM_CONTROL_PCI_H

#include "vmm/hotplug.h"
#include "vmm/pci.h"

#include <jansson.h>

/* What is on all buses, as QEMU lays it out. Bus lock held. hotplug may be NULL. */
json_t *rwy_control_pci_list(const struct rwy_pci *pci, const struct rwy_hotplug *hotplug);

#endif
