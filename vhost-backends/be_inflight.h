/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In-flight tracking ("Inflight I/O tracking" of the vhost-user text): requests that were popped
 * and not yet completed are noted in memory that the front-end keeps, so that a back-end that was
 * killed and started again does each of them exactly once.
 *
 * A device that offers RWY_VU_PF_INFLIGHT_SHMFD handles its rings through these three instead of
 * rwy_vq_pop, push and publish. They are the same calls where the front-end shares no such memory.
 * After a restart, pop first gives the interrupted requests, oldest first. A device that pops what
 * it cannot start yet must keep it: there is no unpop.
 *
 * The requests are those of a ring that starts; what was completed without a publish before the
 * process was killed is done once more.
 */
#ifndef RWY_VHOST_BACKENDS_BE_INFLIGHT_H
#define RWY_VHOST_BACKENDS_BE_INFLIGHT_H

#include "vhost-backends/be.h"

/* As rwy_vq_pop. */
unsigned rwy_be_inflight_pop(struct rwy_be *be, unsigned q, struct rwy_chain *chains, unsigned n,
			     struct iovec *iov, unsigned nr_iov);
/* As rwy_vq_push and rwy_vq_publish. */
void rwy_be_inflight_push(struct rwy_be *be, unsigned q, const struct rwy_chain *chains,
			  unsigned n);
void rwy_be_inflight_publish(struct rwy_be *be, unsigned q);

#endif
