/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/fake_disk.h"

#include "tests/unit/unit.h"
#include "vhost-backends/be_inflight.h"

#include <string.h>

struct fake_disk fake;

unsigned rwy_be_inflight_pop(struct rwy_be *be, unsigned q, struct rwy_chain *chains, unsigned n,
			     struct iovec *iov, unsigned nr_iov)
{
	unsigned popped = 0;

	for (; popped < n && fake.nr_pending > 0; popped++) {
		struct fake_chain *from = fake.pending[0];
		unsigned nr = from->nr_out + from->nr_in;
		uint64_t out_len = 0, in_len = 0;

		if (nr > nr_iov)
			break;
		for (unsigned i = 0; i < nr; i++)
			*(i < from->nr_out ? &out_len : &in_len) += from->iov[i].iov_len;
		memcpy(iov, from->iov, nr * sizeof(*iov));
		chains[popped] = (struct rwy_chain){.iov = iov,
						    .out_len = (uint32_t)out_len,
						    .in_len = (uint32_t)in_len,
						    .id = from->id,
						    .nr_desc = 1,
						    .nr_out = (uint16_t)from->nr_out,
						    .nr_in = (uint16_t)from->nr_in};
		iov += nr;
		nr_iov -= nr;
		fake.popped[from->id] = from;
		fake.nr_pending--;
		memmove(fake.pending, fake.pending + 1, fake.nr_pending * sizeof(fake.pending[0]));
	}
	return popped;
}

void rwy_be_inflight_push(struct rwy_be *be, unsigned q, const struct rwy_chain *chains, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct fake_chain *chain = fake.popped[chains[i].id];

		assert_non_null(chain);
		assert_false(chain->pushed);
		assert_true(chains[i].written <= chains[i].in_len);
		/* the pieces live until the push */
		assert_int_equal(chains[i].nr_out, chain->nr_out);
		assert_int_equal(chains[i].nr_in, chain->nr_in);
		assert_memory_equal(chains[i].iov, chain->iov,
				    (chain->nr_out + chain->nr_in) * sizeof(struct iovec));
		chain->pushed = true;
		chain->written = chains[i].written;
		fake.popped[chains[i].id] = NULL;
		fake.nr_pushed++;
	}
}

void rwy_be_inflight_publish(struct rwy_be *be, unsigned q)
{
	fake.nr_published = fake.nr_pushed;
}

void rwy_be_drained(struct rwy_be *be, unsigned q)
{
	fake.nr_drained++;
}

void fake_open(struct rwy_store **store, uint64_t features)
{
	const struct rwy_blk_config config = {.name = "disk0",
					      .store = store,
					      .nr_queues = 2,
					      .stats = &fake.stats};
	struct rwy_be_config be_config;

	memset(&fake, 0, sizeof(fake));
	assert_int_equal(rwy_poll_open(&fake.poll, RWY_POLL_NEVER), 0);
	assert_int_equal(rwy_stats_open(&fake.stats, NULL), 0);
	assert_int_equal(rwy_blk_open(&fake.blk, fake.poll, &config), 0);
	assert_null(*store);
	rwy_blk_describe(fake.blk, &be_config);
	fake.ops = be_config.ops;
	fake.offered = be_config.features;
	fake.be.ops = be_config.ops;
	fake.be.device = be_config.device;
	fake.be.poll = fake.poll;
	fake.be.nr_queues = be_config.nr_queues;
	rwy_blk_opened(fake.blk, &fake.be);
	fake.be.features = features;
	fake.ops->set_features(&fake.be);
	for (unsigned i = 0; i < fake.be.nr_queues; i++)
		rwy_vq_init(&fake.be.vqs[i]);
	fake.be.vqs[0].size = FAKE_QUEUE_SIZE;
	fake.be.vqs[0].stats = &fake.vq_stats;
	fake.be.enabled[0] = true;
	fake.ops->start(&fake.be, 0);
}

void fake_close(void)
{
	if (fake.nr_drained == 0)
		assert_true(fake.ops->stop(&fake.be, 0));
	fake.ops->lost(&fake.be);
	rwy_blk_close(fake.blk);
	rwy_stats_close(&fake.stats);
	rwy_poll_close(fake.poll);
}

void fake_add(struct fake_chain *chain)
{
	chain->pushed = false;
	fake.pending[fake.nr_pending++] = chain;
}

void fake_poll(void)
{
	fake.blk->poller.poll(fake.blk->poller.ctx, RWY_POLL_BUDGET);
}
