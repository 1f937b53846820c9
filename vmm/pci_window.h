/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where BARs may be: memory below 4 GiB, memory above all RAM for large ones of 64 bits, ports. The
 * DSDT tells the guest of all three (_CRS of PCI0), and a bridge's registers of its part of the
 * first two; no bridge passes ports on.
 */
#ifndef RWY_VMM_PCI_WINDOW_H
#define RWY_VMM_PCI_WINDOW_H

#include "lib/base.h"

struct rwy_pci_dev;

struct rwy_pci_window {
	uint64_t base, size; /* 0: there is none */
};

enum rwy_pci_window_kind {
	RWY_PCI_WINDOW_LOW,
	RWY_PCI_WINDOW_HIGH,
	RWY_PCI_WINDOW_PORTS,
	RWY_PCI_WINDOWS,
};

struct rwy_pci_windows {
	struct rwy_pci_window of[RWY_PCI_WINDOWS];
	uint64_t next[RWY_PCI_WINDOWS]; /* first address that was not given away */
};

/* For a guest whose RAM ends there and whose CPUs have so many address bits. */
struct rwy_pci_window rwy_pci_window_high(uint64_t ram_end, unsigned address_bits);

void rwy_pci_window_init(struct rwy_pci_windows *w, const struct rwy_pci_window *high);
/* Writes addresses into the registers of all BARs and of a bridge's windows, as firmware would: the
 * guest may keep them, and they are the same at each reset. -ENOSPC; then nothing was given away.
 */
RWY_MUST_CHECK int rwy_pci_window_place(struct rwy_pci_windows *w, struct rwy_pci_dev *dev);
/* Would an access to this BAR get there, from the root and through dev's bridge? */
bool rwy_pci_window_reaches(const struct rwy_pci_windows *w, const struct rwy_pci_dev *dev,
			    unsigned bar, uint64_t addr);

#endif
