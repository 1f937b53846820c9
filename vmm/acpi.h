/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ACPI tables (ACPI 6.5 section 5.2): RSDP, XSDT, FADT with FACS, MADT, MCFG, and the DSDT that
 * iasl compiled from dsdt.asl. A pure function of the number of CPUs and of where the 64-bit PCI
 * window is.
 */
#ifndef RWY_VMM_ACPI_H
#define RWY_VMM_ACPI_H

#include "vmm/pci_window.h"

/* APIC IDs are one byte in the MADT entries used here, and 255 means all. */
#define RWY_ACPI_CPUS_MAX 255

/*
 * Writes the tables for a guest that will see buf at guest-physical gpa (64-byte aligned); the RSDP
 * comes first. Bytes used, or -ENOSPC.
 */
RWY_MUST_CHECK int rwy_acpi_build(uint8_t *buf, size_t len, uint64_t gpa, unsigned nr_cpus,
				  const struct rwy_pci_window *high);

#endif
