/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of the transport, for its own two files only: virtio_pci.c is the PCI function,
 * virtio_pci_common.c the state a driver steers through the common configuration structure.
 */
#ifndef RWY_VMM_VIRTIO_PCI_PRIV_H
#define RWY_VMM_VIRTIO_PCI_PRIV_H

#include "lib/log.h"
#include "vmm/msix.h"
#include "vmm/virtio_pci.h"

/* BAR 0, a page for each structure */
#define RWY_VIRTIO_PCI_BAR    0
#define RWY_VIRTIO_PCI_COMMON 0x0000
#define RWY_VIRTIO_PCI_ISR    0x1000
#define RWY_VIRTIO_PCI_DEVICE 0x2000
#define RWY_VIRTIO_PCI_NOTIFY 0x3000
#define RWY_VIRTIO_PCI_SIZE   0x4000
#define RWY_VIRTIO_PCI_STRIDE 4 /* from doorbell to doorbell */

struct rwy_virtio_pci {
	struct rwy_pci_dev pci;
	struct rwy_vdev *vdev;
	struct rwy_irq *irq;
	struct rwy_msix *msix;
	unsigned window; /* offset of the PCI configuration access capability */

	uint32_t device_feature_select;
	uint32_t driver_feature_select;
	uint64_t driver_features;
	uint16_t queue_select;
	uint16_t config_vector;
	uint8_t status;
	uint8_t generation;
	uint8_t isr;
	bool running;  /* DRIVER_OK was passed on; the device has not stopped since */
	bool stopping; /* status shows its old value until it has */
	int config_fd; /* written when configuration changes */
	uint16_t vectors[RWY_VDEV_QUEUES];
	bool doorbells[RWY_VDEV_QUEUES]; /* placed in KVM */
	struct rwy_log_limit limit;	 /* a guest must not fill the disk */
};

/* transport's three calls, for vdev->transport */
extern const struct rwy_vdev_transport_ops rwy_virtio_pci_common_ops;

/* Accesses to the common configuration structure, inside its page. */
void rwy_virtio_pci_common_read(struct rwy_virtio_pci *t, unsigned off, void *buf, unsigned len);
void rwy_virtio_pci_common_write(struct rwy_virtio_pci *t, unsigned off, const void *buf,
				 unsigned len);
/* True: done. False: vdev->transport->stopped will finish it. */
bool rwy_virtio_pci_common_reset(struct rwy_virtio_pci *t);
/* Sources leave their vectors. */
void rwy_virtio_pci_common_part(struct rwy_virtio_pci *t);
/* A queue has a doorbell in KVM while it is enabled and BAR 0 is mapped. */
void rwy_virtio_pci_common_follow(struct rwy_virtio_pci *t);

#endif
