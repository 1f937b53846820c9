/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio over PCI, modern only (virtio 1.2 section 4.1): turns a vdev into a PCI device.
 *
 * BAR 0 holds the common, ISR and device configuration and the doorbells, one to a queue, each an
 * ioeventfd; BAR 1 is MSI-X, a vector for each queue and one for configuration changes. There is no
 * INTx. Once the driver is there, neither a kick nor an interrupt comes through this code.
 */
#ifndef RWY_VMM_VIRTIO_PCI_H
#define RWY_VMM_VIRTIO_PCI_H

#include "vmm/pci.h"
#include "vmm/vdev.h"

/*
 * Plugs vdev, whose features and number of queues must be final (rwy_vdev_vu_ready), into the next
 * slot, or behind bridge where that is not NULL. From then on the root owns it: rwy_pci_close
 * closes it and calls vdev->ops->close. On failure vdev stays the caller's. The slot, or negative
 * errno.
 */
RWY_MUST_CHECK int rwy_virtio_pci_open(struct rwy_pci *pci, struct rwy_pci_dev *bridge,
				       struct rwy_vdev *vdev);
/* What was plugged in there; NULL: no virtio device. */
struct rwy_vdev *rwy_virtio_pci_vdev(const struct rwy_pci_dev *dev);

#endif
