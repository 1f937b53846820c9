/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection that is none: a block device's queue fed with chains made by hand and its answers
 * looked at, without rings and sockets. It defines the calls of be_inflight.h and rwy_be_drained.
 */
#ifndef RWY_TESTS_FAKE_DISK_H
#define RWY_TESTS_FAKE_DISK_H

#include "vhost-backends/blk/blk.h"

#define FAKE_QUEUE_SIZE 64
#define FAKE_IOV	64

/* One request, in memory of the test, cut into pieces as it likes. */
struct fake_chain {
	struct iovec iov[FAKE_IOV];
	unsigned nr_out;
	unsigned nr_in;
	uint16_t id;
	bool pushed;
	uint32_t written;
};

struct fake_disk {
	struct rwy_be be;
	struct rwy_poll *poll;
	struct rwy_stats stats;
	struct rwy_blk *blk;
	const struct rwy_be_ops *ops;
	uint64_t offered;
	struct fake_chain *pending[FAKE_QUEUE_SIZE];
	struct fake_chain *popped[FAKE_QUEUE_SIZE]; /* by id */
	unsigned nr_pending;
	unsigned nr_published; /* pushed and shown */
	unsigned nr_pushed;
	unsigned nr_drained;
	struct rwy_stats_vq vq_stats;
};

extern struct fake_disk fake;

/* Opens the device on store, which it takes, and starts queue 0 with these features. */
void fake_open(struct rwy_store **store, uint64_t features);
void fake_close(void);
/* Offers it to the device; nothing happens before fake_poll. */
void fake_add(struct fake_chain *chain);
void fake_poll(void);

#endif
