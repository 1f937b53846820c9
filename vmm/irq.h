/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * GSIs, routes, irqfds and ioeventfds of one VM: everything that lets a doorbell or an interrupt
 * pass between guest and back-end without a visit to user space.
 *
 * GSIs 0-23 are the IOAPIC's pins, with KVM's default routes. MSI routes take GSIs from 24 on, one
 * at a time, when a vector is first used. KVM_SET_GSI_ROUTING replaces the whole table, so changes
 * are collected and committed once. Called with the bus lock held or before vCPUs run.
 */
#ifndef RWY_VMM_IRQ_H
#define RWY_VMM_IRQ_H

#include "lib/base.h"

#define RWY_IRQ_PINS 24
#define RWY_IRQ_GSIS 4096

struct rwy_irq; /* opaque */

struct rwy_irq_msi {
	uint64_t addr;
	uint32_t data;
};

RWY_MUST_CHECK int rwy_irq_open(struct rwy_irq **irq, int vm_fd);
void rwy_irq_close(struct rwy_irq *irq);

/* A free GSI for an MSI, or -ENOSPC. */
RWY_MUST_CHECK int rwy_irq_gsi_alloc(struct rwy_irq *irq);
void rwy_irq_gsi_free(struct rwy_irq *irq, int gsi);
/* Sets the route; visible to KVM after commit. devid: requester id, for remapping. */
void rwy_irq_route_msi(struct rwy_irq *irq, int gsi, const struct rwy_irq_msi *msi);
RWY_MUST_CHECK int rwy_irq_commit(struct rwy_irq *irq);

/* eventfd -> GSI, in the kernel. The route must have been committed. */
RWY_MUST_CHECK int rwy_irq_fd_add(struct rwy_irq *irq, int gsi, int event_fd);
void rwy_irq_fd_del(struct rwy_irq *irq, int gsi, int event_fd);
/* The same for a level-triggered pin: resample_fd is signalled when the guest has ended an
 * interrupt. One device alone may use it for a pin and resample_fd. */
RWY_MUST_CHECK int rwy_irq_level_add(struct rwy_irq *irq, unsigned pin, int event_fd,
				     int resample_fd);
void rwy_irq_level_del(struct rwy_irq *irq, unsigned pin, int event_fd);
/* Level of an IOAPIC pin (UART, SCI). */
void rwy_irq_line(struct rwy_irq *irq, unsigned pin, bool level);

/* Guest writes of `len` bytes (0: any) at gpa signal event_fd; no exit to user space. */
RWY_MUST_CHECK int rwy_irq_doorbell_add(struct rwy_irq *irq, uint64_t gpa, unsigned len,
					int event_fd);
void rwy_irq_doorbell_del(struct rwy_irq *irq, uint64_t gpa, unsigned len, int event_fd);

#endif
