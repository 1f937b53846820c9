/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-backends/be_inflight.h"
#include "vhost-backends/be_private.h"

#include <errno.h>

int rwy_be_inflight_start(struct rwy_be *be, unsigned q, struct rwy_vq_config *config)
{
	return 0;
}

void rwy_be_inflight_stop(struct rwy_be *be, unsigned q)
{
}

void rwy_be_inflight_fini(struct rwy_be *be)
{
}

unsigned rwy_be_inflight_pop(struct rwy_be *be, unsigned q, struct rwy_chain *chains, unsigned n,
			     struct iovec *iov, unsigned nr_iov)
{
	return rwy_vq_pop(&be->vqs[q], chains, n, iov, nr_iov);
}

void rwy_be_inflight_push(struct rwy_be *be, unsigned q, const struct rwy_chain *chains, unsigned n)
{
	rwy_vq_push(&be->vqs[q], chains, n);
}

void rwy_be_inflight_publish(struct rwy_be *be, unsigned q)
{
	rwy_vq_publish(&be->vqs[q]);
}
