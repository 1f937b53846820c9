/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A PCI Express root port whose slot is hot-pluggable by the specification's own means (PCI Express
 * Base 6.0 sections 6.7 and 7.5.3): presence and link state, attention button, power indicator, and
 * an interrupt by MSI-X. There is no power controller: a device works from when it arrives.
 *
 *	add:	plug the device with dev->bridge = rwy_root_port_pci(port), then _arrived; the guest
 *		sees the link come up and looks at once
 *	remove:	_ask presses the attention button; the guest has its say for five seconds, lets go
 *		of the device and turns the power indicator off: `released`. Then rwy_pci_unplug,
 *		and _departed when it has left.
 *
 * Everything is called with the bus lock held, or before vCPUs run; `released` and `kept` come
 * from a vCPU with the lock held and must not block.
 */
#ifndef RWY_VMM_ROOT_PORT_H
#define RWY_VMM_ROOT_PORT_H

#include "vmm/pci.h"

struct rwy_root_port; /* opaque: vmm/root_port.c */

struct rwy_root_port_config {
	unsigned number;	     /* of the slot, from 1 on; the port is named "rp" and this */
	void (*released)(void *ctx); /* the guest does not use what it was asked for any more */
	void (*kept)(void *ctx);     /* somebody in the guest said no */
	void *ctx;
};

/* Plugs it into the next slot of bus 0; rwy_pci_close closes it. -errno as rwy_pci_plug. */
RWY_MUST_CHECK int rwy_root_port_open(struct rwy_root_port **port, struct rwy_pci *pci,
				      const struct rwy_root_port_config *config);
struct rwy_pci_dev *rwy_root_port_pci(struct rwy_root_port *port);

void rwy_root_port_arrived(struct rwy_root_port *port);
void rwy_root_port_departed(struct rwy_root_port *port);
/* Asks the guest to let go of the device. True: asked, `released` or `kept` may follow. False: it
 * does not use the device, nobody need be asked. */
RWY_MUST_CHECK bool rwy_root_port_ask(struct rwy_root_port *port);
/* Nobody waits for the answer any more. */
void rwy_root_port_forget(struct rwy_root_port *port);

#endif
