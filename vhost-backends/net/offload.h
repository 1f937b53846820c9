/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Does in software what a receiver cannot take: completes a checksum, or cuts a TCP segment that is
 * larger than the wire into ones that are not. The frame is first copied to private memory, so what
 * is checked is what is used.
 *
 *	if (rwy_offload_begin(o, frame) == 0)
 *		while ((n = rwy_offload_next(o, &frames)) > 0)
 *			...frames[0..n) need nothing of a receiver; valid until the next call...
 */
#ifndef RWY_VHOST_BACKENDS_NET_OFFLOAD_H
#define RWY_VHOST_BACKENDS_NET_OFFLOAD_H

#include "vhost-backends/net/port.h"

struct rwy_offload; /* opaque: offload.c */

RWY_MUST_CHECK int rwy_offload_open(struct rwy_offload **offload);
void rwy_offload_close(struct rwy_offload *offload);

/*
 * -EINVAL: not what its header says (no TCP where the checksum starts, a fragment, ...), or
 * segments so small that one frame would become thousands.
 */
RWY_MUST_CHECK int rwy_offload_begin(struct rwy_offload *offload, const struct rwy_frame *frame);
unsigned rwy_offload_next(struct rwy_offload *offload, const struct rwy_frame *const **frames);

#endif
