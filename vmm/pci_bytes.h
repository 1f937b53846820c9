/* SPDX-License-Identifier: BSD-3-Clause */
/* Registers of configuration space, which is little-endian and aligned to nothing. */
#ifndef RWY_VMM_PCI_BYTES_H
#define RWY_VMM_PCI_BYTES_H

#include "lib/base.h"

RWY_INLINE uint16_t rwy_pci_bytes_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

RWY_INLINE uint32_t rwy_pci_bytes_get32(const uint8_t *p)
{
	return rwy_pci_bytes_get16(p) | (uint32_t)rwy_pci_bytes_get16(p + 2) << 16;
}

RWY_INLINE void rwy_pci_bytes_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

RWY_INLINE void rwy_pci_bytes_put32(uint8_t *p, uint32_t v)
{
	rwy_pci_bytes_put16(p, (uint16_t)v);
	rwy_pci_bytes_put16(p + 2, (uint16_t)(v >> 16));
}

#endif
