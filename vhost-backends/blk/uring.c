/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-backends/blk/uring.h"

#include "lib/log.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define RWY_STEM "uring"

#define SQ_ENTRIES 512
#define CQ_ENTRIES 4096
#define REAP	   64
#define IOVS	   (4 * RWY_URING_IOV_MAX)

struct rwy_uring {
	struct io_uring ring;
	struct rwy_poll *poll;
	struct rwy_poller poller;
	struct rwy_watch watch; /* wakes the reactor when a completion comes */
	struct rwy_uring_op *waiting;
	struct rwy_uring_op **waiting_end;
	unsigned nr_inflight;
	unsigned nr_iov; /* the kernel has copied those of operations it has taken */
	struct rwy_log_limit limit;
	struct iovec iov[IOVS];
};

static bool prepare(struct rwy_uring *uring, struct rwy_uring_op *op)
{
	struct io_uring_sqe *sqe;

	if (IOVS - uring->nr_iov < RWY_URING_IOV_MAX)
		return false;
	sqe = io_uring_get_sqe(&uring->ring);
	if (!sqe)
		return false;
	uring->nr_iov += op->prep(op, sqe, &uring->iov[uring->nr_iov]);
	io_uring_sqe_set_data(sqe, op);
	uring->nr_inflight++;
	return true;
}

void rwy_uring_start(struct rwy_uring *uring, struct rwy_uring_op *op)
{
	if (!uring->waiting && prepare(uring, op))
		return;
	op->next = NULL;
	*uring->waiting_end = op;
	uring->waiting_end = &op->next;
}

static void start_waiting(struct rwy_uring *uring)
{
	while (uring->waiting && prepare(uring, uring->waiting)) {
		uring->waiting = uring->waiting->next;
		if (!uring->waiting)
			uring->waiting_end = &uring->waiting;
	}
}

/* What the kernel does not take now (no memory, completions to be reaped first) it is shown again
 * next round. */
static void submit(struct rwy_uring *uring)
{
	int n = io_uring_submit(&uring->ring);

	if (n < 0 && n != -EAGAIN && n != -EBUSY && n != -EINTR && rwy_log_allow(&uring->limit, 1))
		rwy_error("io_uring_enter: %s", strerror(-n));
	if (io_uring_sq_ready(&uring->ring) == 0)
		uring->nr_iov = 0;
}

static unsigned reap(struct rwy_uring *uring)
{
	struct io_uring_cqe *cqes[REAP];
	unsigned n = io_uring_peek_batch_cqe(&uring->ring, cqes, REAP);

	for (unsigned i = 0; i < n; i++) {
		struct rwy_uring_op *op = io_uring_cqe_get_data(cqes[i]);

		uring->nr_inflight--;
		op->done(op, cqes[i]->res);
	}
	io_uring_cq_advance(&uring->ring, n);
	return n;
}

static unsigned poll_ring(void *ctx, unsigned budget)
{
	struct rwy_uring *uring = ctx;
	unsigned n;

	if (uring->nr_inflight == 0 && !uring->waiting)
		return 0;
	start_waiting(uring);
	n = io_uring_sq_ready(&uring->ring);
	if (n > 0)
		submit(uring);
	n += reap(uring);
	/*
	 * What can block is done by workers of the kernel that keep to our CPUs. On the last of
	 * them a reactor that spins for their completions would hold them up by its time slice.
	 */
	if (n == 0)
		sched_yield();
	return n;
}

static bool arm_ring(void *ctx)
{
	struct rwy_uring *uring = ctx;

	return uring->waiting || io_uring_sq_ready(&uring->ring) > 0 ||
	       io_uring_cq_ready(&uring->ring) > 0;
}

/* The poller does the work in the round that follows. */
static void ring_ready(void *ctx, uint32_t events)
{
}

static int setup(struct io_uring *ring)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG,
		.cq_entries = CQ_ENTRIES,
	};
	int err = io_uring_queue_init_params(SQ_ENTRIES, ring, &params);

	if (err == -EINVAL) { /* Linux before 5.19 */
		params = (struct io_uring_params){.flags = IORING_SETUP_CQSIZE,
						  .cq_entries = CQ_ENTRIES};
		err = io_uring_queue_init_params(SQ_ENTRIES, ring, &params);
	}
	if (err < 0)
		return err;
	if (!(params.features & IORING_FEAT_SUBMIT_STABLE)) {
		io_uring_queue_exit(ring);
		return -ENOSYS;
	}
	return 0;
}

static const char *remedy(int err)
{
	switch (err) {
	case -ENOMEM:
		return "raise the limit on locked memory (ulimit -l)";
	case -EPERM:
		return "sysctl kernel.io_uring_disabled=0, or allow io_uring in the container's "
		       "seccomp profile";
	case -ENOSYS:
		return "file stores need Linux 5.6 or newer with CONFIG_IO_URING";
	default:
		return "file stores need it";
	}
}

int rwy_uring_open(struct rwy_uring **out, struct rwy_poll *poll)
{
	struct rwy_uring *uring = calloc(1, sizeof(*uring));
	int err;

	if (!uring)
		return -ENOMEM;
	err = setup(&uring->ring);
	if (err < 0) {
		rwy_error("io_uring_setup: %s: %s", strerror(-err), remedy(err));
		goto free_uring;
	}
	uring->poll = poll;
	uring->waiting_end = &uring->waiting;
	uring->poller = (struct rwy_poller){.poll = poll_ring, .arm = arm_ring, .ctx = uring};
	uring->watch = (struct rwy_watch){.fd = uring->ring.ring_fd,
					  .events = EPOLLIN,
					  .ready = ring_ready,
					  .ctx = uring};
	err = rwy_poll_watch(poll, &uring->watch);
	if (err < 0) {
		rwy_error("cannot watch the ring: %s", strerror(-err));
		goto exit_ring;
	}
	rwy_poll_add(poll, &uring->poller);
	*out = uring;
	return 0;

exit_ring:
	io_uring_queue_exit(&uring->ring);
free_uring:
	free(uring);
	return err;
}

void rwy_uring_close(struct rwy_uring *uring)
{
	if (!uring)
		return;
	assert(uring->nr_inflight == 0 && !uring->waiting);
	rwy_poll_del(uring->poll, &uring->poller);
	rwy_poll_unwatch(uring->poll, &uring->watch);
	io_uring_queue_exit(&uring->ring);
	free(uring);
}
