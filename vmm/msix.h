/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MSI-X (PCI 3.0 section 6.8.2) in a BAR of its own: table, pending bits, masks.
 *
 * An interrupt source is an eventfd, joined to a vector. While the vector can fire, KVM turns the
 * eventfd into an interrupt (irqfd); while it is masked nobody does, the eventfd keeps count, and
 * that count is the pending bit. Unmasking hands the eventfd back to KVM, which delivers at once
 * what is pending.
 *
 * A vector takes its GSI when it is first unmasked and keeps it, with its route, until reset:
 * drivers mask and unmask often, and a guest that never uses a vector costs nothing.
 */
#ifndef RWY_VMM_MSIX_H
#define RWY_VMM_MSIX_H

#include "vmm/pci.h"

#define RWY_MSIX_NONE 0xffff /* virtio's "no vector" */

struct rwy_msix; /* opaque: vmm/msix.c */

/* Adds BAR `bar` and the capability to a device that is not plugged in yet. */
RWY_MUST_CHECK int rwy_msix_open(struct rwy_msix **msix, struct rwy_irq *irq,
				 struct rwy_pci_dev *dev, unsigned bar, unsigned nr_vectors);
/*
 * For a device that has a table, or the registers of MSI, of its own: adds neither BAR nor
 * capability. Its owner writes entries with rwy_msix_bar_write, where the table comes first and
 * the pending bits follow, and says what its capability does. changed(ctx): what can fire may be
 * different now, before that is acted upon; it may join and part.
 */
RWY_MUST_CHECK int rwy_msix_open_bare(struct rwy_msix **msix, struct rwy_irq *irq,
				      unsigned nr_vectors, void (*changed)(void *ctx), void *ctx);
void rwy_msix_enable(struct rwy_msix *msix, bool enabled, bool masked);
bool rwy_msix_can_fire(const struct rwy_msix *msix, unsigned vector);
void rwy_msix_close(struct rwy_msix *msix);
/* All entries masked, all sources parted, GSIs given back. */
void rwy_msix_reset(struct rwy_msix *msix);

/* The device's BAR and config handlers pass these on. */
void rwy_msix_bar_read(struct rwy_msix *msix, uint64_t off, void *buf, unsigned len);
void rwy_msix_bar_write(struct rwy_msix *msix, uint64_t off, const void *buf, unsigned len);
void rwy_msix_config_written(struct rwy_msix *msix, unsigned off, unsigned len);

unsigned rwy_msix_nr(const struct rwy_msix *msix);
/* event_fd stays the caller's. -EINVAL: no such vector; -ENOSPC: too many sources. */
RWY_MUST_CHECK int rwy_msix_join(struct rwy_msix *msix, unsigned vector, int event_fd);
void rwy_msix_part(struct rwy_msix *msix, unsigned vector, int event_fd);

#endif
