/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bounded access to scattered guest memory. Nothing here trusts that a length inside the data
 * fits: each call moves at most what both sides have, and says how much that was.
 */
#ifndef RWY_LIB_IOV_H
#define RWY_LIB_IOV_H

#include "lib/base.h"

#include <sys/uio.h>

/* Sum of the lengths. iov entries come from rwy_vq_pop, whose sums are bounded by u32. */
uint64_t rwy_iov_len(const struct iovec *iov, unsigned nr);
/* iov[off, off + len) to buf, and back. Bytes moved. */
size_t rwy_iov_read(const struct iovec *iov, unsigned nr, size_t off, void *buf, size_t len);
size_t rwy_iov_write(const struct iovec *iov, unsigned nr, size_t off, const void *buf, size_t len);
size_t rwy_iov_fill(const struct iovec *iov, unsigned nr, size_t off, uint8_t byte, size_t len);
/* dst[dst_off..] = src[src_off..], len bytes at most. Bytes moved. The one payload copy. */
size_t rwy_iov_copy(const struct iovec *dst, unsigned nr_dst, size_t dst_off,
		    const struct iovec *src, unsigned nr_src, size_t src_off, size_t len);
/* The pieces of iov[off, off + len) without copying. Pieces, or -E2BIG. */
RWY_MUST_CHECK int rwy_iov_slice(const struct iovec *iov, unsigned nr, size_t off, size_t len,
				 struct iovec *out, unsigned nr_out);

#endif
