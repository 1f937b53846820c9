/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of PCI functions: domain:bus:device.function, as sysfs writes them. */
#ifndef RWY_LIB_BDF_H
#define RWY_LIB_BDF_H

#include "lib/base.h"

#define RWY_BDF_LEN 16 /* with its end */

/*
 * The full name of what a user calls 0000:01:10.0, 01:10.0, or by a path in sysfs that ends in
 * such a name or is a link to one (.../virtfn3). -EINVAL: it is none of these.
 */
RWY_MUST_CHECK int rwy_bdf_parse(const char *text, char bdf[RWY_BDF_LEN]);

/* The full name from its numbers: bus, device and function as config space has them (devfn). */
void rwy_bdf_format(char bdf[RWY_BDF_LEN], unsigned domain, unsigned bus, unsigned devfn);

#endif
