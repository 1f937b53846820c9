/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The secret that the users of a PF and of its VFs share, where vfio-pci has the PF, too: a UUID.
 * Whoever has the PF gives it first; the kernel then lets only those have a VF who know it.
 */
#ifndef RWY_IOMMU_TOKEN_H
#define RWY_IOMMU_TOKEN_H

#include "lib/base.h"

#define RWY_TOKEN_LEN 37 /* of the text, with its end */
/* What helps against -EACCES, to go behind the error. */
#define RWY_TOKEN_MISSING ": whoever has its PF has a token for it: give the same with token=UUID"

/* Text like 01234567-89ab-cdef-0123-456789abcdef to the 16 bytes in that order. -EINVAL. */
RWY_MUST_CHECK int rwy_token_parse(const char *text, uint8_t token[16]);

#endif
