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
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, 0xff, 0, 0x100)
				IO (Decode16, 0xcf8, 0xcf8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0, 0xcf7, 0, 0xcf8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0xd00, 0xffff, 0, 0xf300)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite,
					0, RWY_LAYOUT_MMIO32, RWY_LAYOUT_MMIO32_LAST, 0,
					RWY_LAYOUT_MMIO32_SIZE)
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
