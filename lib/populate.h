/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for a whole range before somebody pins it. Clearing pages is most of the work and goes on
 * as many CPUs as the caller may run on; the kernel that pins uses one.
 */
#ifndef RWY_LIB_POPULATE_H
#define RWY_LIB_POPULATE_H

#include "lib/base.h"

/* Shared memory, whole pages. Blocks until all of it is there; what is not to be had is left, and
 * whoever needs it will hear. Small ranges are left altogether. */
void rwy_populate_range(void *addr, uint64_t len);

#endif
