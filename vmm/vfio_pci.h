/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A PCI function of the host as a device of the guest.
 *
 * Registers are the hardware's own: memory slots, so that no doorbell leaves the guest. What must
 * not be the hardware's is ours: BAR addresses, the interrupt registers with the MSI-X table, the
 * list of capabilities. Interrupts go from the hardware's eventfd to KVM's irqfd.
 *
 * When the function fails it is stopped; when the host asks for it back the guest is asked first,
 * where it can be. The host asks again every ten seconds or so: the second time it has it. The
 * guest then finds all ones where it was.
 */
#ifndef RWY_VMM_VFIO_PCI_H
#define RWY_VMM_VFIO_PCI_H

#include "iommu/space.h"
#include "lib/poll.h"
#include "vmm/memslot.h"
#include "vmm/pci.h"

#include <pthread.h>

struct rwy_vfio_pci_config {
	struct rwy_pci *pci;
	struct rwy_space *space;
	struct rwy_memslot *slots;
	struct rwy_poll *poll;
	pthread_mutex_t *lock;	    /* the bus lock */
	struct rwy_pci_dev *bridge; /* it goes behind this one; NULL: bus 0 */
	const char *name;	    /* "vfio0": log lines and --exit-stats; copied */
	/* The host asks for it back, on the main thread, bus lock not held. True: the guest has
	 * been asked to let go, so it need not be torn from it. May be NULL. */
	bool (*wanted_back)(void *ctx, const char *name);
	void *ctx;
};

/*
 * Attaches the function to the space and plugs it in. From then on the root owns it. Its slot, or
 * negative errno, logged; then nothing is left.
 */
RWY_MUST_CHECK int rwy_vfio_pci_open(const struct rwy_vfio_pci_config *config,
				     struct rwy_space_device *device);

#endif
