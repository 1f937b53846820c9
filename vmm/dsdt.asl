/* SPDX-License-Identifier: BSD-3-Clause */
/* What the guest cannot probe. Goes through the C preprocessor, then iasl, into acpi.c. */
#include "vmm/layout.h"

DefinitionBlock ("dsdt.aml", "DSDT", 2, "RINGWY", "RINGWAY", 1)
{
	/* Shutdown is SLP_TYP 5 (RWY_PM_S5) in the PM1 control register. */
	Name (\_S5, Package () { 5, 5, 0, 0 })

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_SEG, 0)
			Name (_BBN, 0)
			Name (_UID, 0)

			/*
			 * The guest may have native hot-plug (bit 0) and the PCI Express
			 * capability (bit 4) to itself, and nothing else: there is no PME and no
			 * AER here (PCI Firmware Specification 3.3 section 4.5.1).
			 */
			Method (_OSC, 4)
			{
				CreateDWordField (Arg3, 0, STAT)
				If (Arg0 != ToUUID ("33db4d5b-1ff7-401c-9657-7441c03dd766"))
				{
					STAT |= 0x04
					Return (Arg3)
				}
				CreateDWordField (Arg3, 8, CTRL)
				Local0 = CTRL & 0x11
				If (Arg1 != 1)
				{
					STAT |= 0x08
				}
				If (Local0 != CTRL)
				{
					STAT |= 0x10
				}
				CTRL = Local0
				Return (Arg3)
			}

			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, RWY_LAYOUT_LAST_BUS, 0, RWY_LAYOUT_BUSES)
				IO (Decode16, 0xcf8, 0xcf8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0, 0xcf7, 0, 0xcf8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, RWY_LAYOUT_PORTS, RWY_LAYOUT_PORTS_LAST, 0,
					RWY_LAYOUT_PORTS_SIZE)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite,
					0, RWY_LAYOUT_MMIO32, RWY_LAYOUT_MMIO32_LAST, 0,
					RWY_LAYOUT_MMIO32_SIZE)
				/* acpi.c moves this one to where the guest has room, or drops it. */
				QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					Cacheable, ReadWrite,
					0, RWY_LAYOUT_MMIO64, RWY_LAYOUT_MMIO64_LAST, 0,
					RWY_LAYOUT_MMIO64_SIZE)
			})

			/* INTA of a slot: pin RWY_LAYOUT_INTX_GSI + slot % 8. Nobody has other pins. */
			Name (_PRT, Package ()
			{
				Package () { 0x0001FFFF, 0, 0, 17 },
				Package () { 0x0002FFFF, 0, 0, 18 },
				Package () { 0x0003FFFF, 0, 0, 19 },
				Package () { 0x0004FFFF, 0, 0, 20 },
				Package () { 0x0005FFFF, 0, 0, 21 },
				Package () { 0x0006FFFF, 0, 0, 22 },
				Package () { 0x0007FFFF, 0, 0, 23 },
				Package () { 0x0008FFFF, 0, 0, 16 },
				Package () { 0x0009FFFF, 0, 0, 17 },
				Package () { 0x000AFFFF, 0, 0, 18 },
				Package () { 0x000BFFFF, 0, 0, 19 },
				Package () { 0x000CFFFF, 0, 0, 20 },
				Package () { 0x000DFFFF, 0, 0, 21 },
				Package () { 0x000EFFFF, 0, 0, 22 },
				Package () { 0x000FFFFF, 0, 0, 23 },
				Package () { 0x0010FFFF, 0, 0, 16 },
				Package () { 0x0011FFFF, 0, 0, 17 },
				Package () { 0x0012FFFF, 0, 0, 18 },
				Package () { 0x0013FFFF, 0, 0, 19 },
				Package () { 0x0014FFFF, 0, 0, 20 },
				Package () { 0x0015FFFF, 0, 0, 21 },
				Package () { 0x0016FFFF, 0, 0, 22 },
				Package () { 0x0017FFFF, 0, 0, 23 },
				Package () { 0x0018FFFF, 0, 0, 16 },
				Package () { 0x0019FFFF, 0, 0, 17 },
				Package () { 0x001AFFFF, 0, 0, 18 },
				Package () { 0x001BFFFF, 0, 0, 19 },
				Package () { 0x001CFFFF, 0, 0, 20 },
				Package () { 0x001DFFFF, 0, 0, 21 },
				Package () { 0x001EFFFF, 0, 0, 22 },
				Package () { 0x001FFFFF, 0, 0, 23 }
			})
		}

		/* Linux uses ECAM only where the platform says that it is taken. */
		Device (MBRD)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, RWY_LAYOUT_ECAM, RWY_LAYOUT_ECAM_SIZE)
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_STA, 0x0f)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, RWY_LAYOUT_COM1_PORT, RWY_LAYOUT_COM1_PORT, 1, 8)
				IRQNoFlags () { RWY_LAYOUT_COM1_GSI }
			})
		}

		/* Without an interrupt: it tells the time and wakes nobody. */
		Device (RTC)
		{
			Name (_HID, EisaId ("PNP0B00"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, RWY_LAYOUT_RTC_PORT, RWY_LAYOUT_RTC_PORT, 1, 2)
			})
		}
	}
}
