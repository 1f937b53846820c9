/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where everything is in guest-physical and port space. Constants only. The ASL of the DSDT
 * includes this file too, so it holds nothing but #define with plain numbers.
 */
#ifndef RWY_VMM_LAYOUT_H
#define RWY_VMM_LAYOUT_H

/* RAM fills from 0 up to the hole, then goes on at 4 GiB. */
#define RWY_LAYOUT_HOLE	    0xb0000000
#define RWY_LAYOUT_RAM_HIGH 0x100000000

/*
 * PCI Express configuration space of segment 0 (MCFG, PNP0C02 in the DSDT). No more buses than can
 * be behind the slots of the root bus: Linux asks every slot of each bus by two port accesses as it
 * boots, and 256 buses are 16000 exits.
 */
#define RWY_LAYOUT_ECAM	     0xb0000000
#define RWY_LAYOUT_ECAM_SIZE 0x2000000
#define RWY_LAYOUT_BUSES     0x20
#define RWY_LAYOUT_LAST_BUS  0x1f

/* 32-bit PCI memory window, up to the IOAPIC. */
#define RWY_LAYOUT_MMIO32      0xc0000000
#define RWY_LAYOUT_MMIO32_END  0xfec00000
#define RWY_LAYOUT_MMIO32_LAST 0xfebfffff /* for ASL, which does not count */
#define RWY_LAYOUT_MMIO32_SIZE 0x3ec00000

/* 64-bit PCI memory window, within what an IOMMU of 39 bits translates; beyond the terabyte where
 * RAM is in the way (pci_window.c). */
#define RWY_LAYOUT_MMIO64	 0x4000000000
#define RWY_LAYOUT_MMIO64_BEYOND 0x10000000000
#define RWY_LAYOUT_MMIO64_SIZE	 0x4000000000
#define RWY_LAYOUT_MMIO64_LAST	 0x7fffffffff

#define RWY_LAYOUT_IOAPIC 0xfec00000
#define RWY_LAYOUT_LAPIC  0xfee00000
/* KVM's own: identity map page and, after it, the three pages of the TSS. */
#define RWY_LAYOUT_KVM_IDENT 0xfffbc000
#define RWY_LAYOUT_KVM_TSS   0xfffbd000

/* No RAM and no BAR in AMD's HyperTransport range; devices cannot DMA there. */
#define RWY_LAYOUT_HT	  0xfd00000000
#define RWY_LAYOUT_HT_END 0x10000000000

/* Ports; the window is PCI's */
#define RWY_LAYOUT_PORTS      0x1000
#define RWY_LAYOUT_PORTS_LAST 0xffff
#define RWY_LAYOUT_PORTS_SIZE 0xf000
#define RWY_LAYOUT_RTC_PORT   0x70
#define RWY_LAYOUT_COM1_PORT  0x3f8
#define RWY_LAYOUT_PM_PORT    0x600 /* PM1 event block, PM1 control, PM timer */
#define RWY_LAYOUT_RESET_PORT 0xcf9

/* IOAPIC pins */
#define RWY_LAYOUT_COM1_GSI 4
#define RWY_LAYOUT_RTC_GSI  8
#define RWY_LAYOUT_SCI_GSI  9
#define RWY_LAYOUT_INTX_GSI 16 /* eight of them, INTA of slot n at n % 8 (_PRT in the DSDT) */

#endif
