/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The three address spaces of a virtual machine that this code handles besides its own pointers.
 * Each is a one-field struct, so mixing two of them does not compile and costs nothing.
 */
#ifndef RWY_LIB_ADDR_H
#define RWY_LIB_ADDR_H

#include <stdint.h>

/* Guest-physical: what a descriptor holds when there is no virtual IOMMU. */
typedef struct {
	uint64_t v;
} rwy_gpa;

/* Front-end virtual: what SET_VRING_ADDR holds ("user address" in the vhost-user text). */
typedef struct {
	uint64_t v;
} rwy_uva;

/* I/O virtual: what a device's DMA carries and an IOMMU translates. */
typedef struct {
	uint64_t v;
} rwy_iova;

#endif
