/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device side of a virtqueue, split (virtio 1.2 section 2.7) and packed (section 2.8).
 *
 *	n = rwy_vq_pop(vq, chains, RWY_VQ_BURST, iov, RWY_ARRAY_SIZE(iov));
 *	...work; set chains[i].written...
 *	rwy_vq_push(vq, chains, n);
 *	rwy_vq_publish(vq);
 *
 * A queue belongs to exactly one thread. Everything the driver wrote is hostile: a descriptor is
 * copied to a local, only the copy is checked and used, and the first lie makes the queue `broken`:
 * it pops nothing more, is counted with a reason, and its err eventfd is written. Stopping and
 * starting it again (a device reset) heals it.
 *
 * Which format and features are in use is decided once, in rwy_vq_start; bursts then run through
 * `ops` with no branch on the format per chain.
 */
#ifndef RWY_LIB_VQ_H
#define RWY_LIB_VQ_H

#include "lib/bell.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/stats.h"

#include <linux/virtio_ring.h>

#define RWY_VQ_SIZE_MAX 32768
#define RWY_VQ_BURST	32
/* Most pieces one chain may have, by any framing. A longer chain breaks the queue. */
#define RWY_VQ_IOV_MAX 1024

/*
 * One buffer the driver made available. iov[0..nr_out) is for the device to read, the nr_in entries
 * after it for the device to write. Sums are exact: a chain of 4 GiB or more breaks the queue.
 */
struct rwy_chain {
	struct iovec
		*iov; /* inside the array given to rwy_vq_pop; valid until pushed or unpopped */
	uint32_t out_len;
	uint32_t in_len;
	uint32_t written; /* set by the device before push: bytes it wrote, at most in_len */
	uint16_t id;	  /* split: head descriptor index; packed: buffer id. Always < size */
	uint16_t nr_desc; /* ring slots taken (split: 1) */
	uint16_t nr_out;
	uint16_t nr_in;
	bool beyond; /* set by the device before push: it may have written past `written` too */
};

/* Why a queue is broken. Names by rwy_vq_reason_name. */
enum rwy_vq_reason {
	RWY_VQ_OK,
	RWY_VQ_AVAIL_JUMP, /* avail idx further ahead than the ring is long */
	RWY_VQ_HEAD_RANGE, /* head index or buffer id >= size */
	RWY_VQ_NEXT_RANGE, /* next >= size, or a chain that runs past what was made available */
	RWY_VQ_CHAIN_LONG, /* more descriptors than the ring has (a loop), or than RWY_VQ_IOV_MAX */
	RWY_VQ_CHAIN_HUGE, /* lengths sum to 4 GiB or more */
	RWY_VQ_ORDER,	   /* device-readable after device-writable (2.7.4.2) */
	RWY_VQ_INDIRECT_OFF,   /* indirect without VIRTIO_F_INDIRECT_DESC */
	RWY_VQ_INDIRECT_FLAGS, /* nested, or together with NEXT (2.7.5.3.1) */
	RWY_VQ_INDIRECT_LEN,   /* zero, not a multiple of 16, or longer than the limit */
	RWY_VQ_ADDRESS,	       /* a buffer or table outside guest memory */
	RWY_VQ_DUPLICATE,      /* an id that is still in flight */
	RWY_VQ_DEVICE,	       /* the device found the request impossible */
	RWY_VQ_MEMORY,	       /* memory of the device's was taken away */
	RWY_VQ_NR_REASONS
};

struct rwy_vq_config {
	const struct rwy_mem *mem; /* must outlive the run; changes only while stopped or paused */
	uint16_t size;		   /* 1..32768; a power of two when split */
	bool packed;
	bool event_idx;
	bool indirect;
	bool in_order;
	/*
	 * The device only ever reads this queue's buffers: walked chains are taken as readable
	 * whatever their flags say. DPDK's net_virtio leaves WRITE set on the header in each
	 * packed indirect table of its transmit queues (seen in 22.11).
	 */
	bool read_only;
	rwy_uva desc;	/* split: descriptor table; packed: descriptor ring. 16-byte aligned */
	rwy_uva driver; /* split: avail ring (2); packed: driver event suppression (4) */
	rwy_uva device; /* split: used ring (4); packed: device event suppression (4) */
	/*
	 * Where to go on, as vhost-user VRING_BASE carries it. Split: avail index; used follows the
	 * ring's own used index. Packed: bits 0-14 avail, 15 its wrap, 16-30 used, 31 its wrap;
	 * some front-ends know the avail half only, and 0 above an avail wrap of 1 is then the
	 * same.
	 */
	uint32_t base;
};

/*
 * A chain that a process before this one popped and never pushed, as vhost-backends/be_inflight.c
 * has kept it. Split: the descriptors are where they were. Packed: their slots may have been used
 * for others since, so these are copies.
 */
struct rwy_vq_left {
	uint16_t id;
	uint16_t nr_desc; /* packed: how many */
	const struct vring_packed_desc *descs;
};

struct rwy_vq;

struct rwy_vq_ops {
	unsigned (*pop)(struct rwy_vq *vq, struct rwy_chain *chains, unsigned n, struct iovec *iov,
			unsigned nr_iov);
	unsigned (*repop)(struct rwy_vq *vq, const struct rwy_vq_left *left,
			  struct rwy_chain *chain, struct iovec *iov, unsigned nr_iov,
			  unsigned taken);
	bool (*has)(const struct rwy_vq *vq, unsigned n);
	void (*unpop)(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n);
	void (*push)(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n);
	void (*publish)(struct rwy_vq *vq);
	bool (*arm)(struct rwy_vq *vq);
	void (*disarm)(struct rwy_vq *vq);
	uint32_t (*base)(const struct rwy_vq *vq);
	/* What of the ring the device writes; a part of no length is none. */
	void (*parts)(const struct rwy_vq *vq, struct iovec parts[2]);
};

struct rwy_vq {
	/* First line: what does not change while the queue runs. */
	const struct rwy_vq_ops *ops; /* NULL while stopped */
	const struct rwy_mem *mem;
	const struct rwy_mem_region *hint; /* region of the last buffer; NULL: look */
	union {
		struct vring_desc *desc;
		struct vring_packed_desc *pdesc;
	};
	union {
		struct vring_avail *avail;
		struct vring_packed_desc_event *driver_event;
	};
	union {
		struct vring_used *used;
		struct vring_packed_desc_event *device_event;
	};
	uint8_t *inflight;	    /* by id: popped and not pushed; owned */
	struct rwy_stats_vq *stats; /* never NULL while started; shared memory or the caller's */

	/* Second line: where the device is. Ring positions are the device's. */
	uint16_t size;
	uint16_t avail_idx;  /* next to pop */
	uint16_t avail_seen; /* split: the driver's index when last loaded */
	uint16_t used_idx;   /* next to push */
	uint16_t used_pub;   /* what the driver was shown; packed: the slot publish shows first */
	uint16_t run_idx;    /* in-order: slot that gets the one used element of a run */
	uint16_t run_id;     /* in-order: newest chain of the run */
	uint32_t run_len;
	uint64_t head; /* packed: len, id and flags that publish stores into slot used_pub */
	uint32_t detached_base; /* after a remap that failed */
	bool run;		/* in-order: a run is open */
	bool avail_wrap;	/* packed */
	bool used_wrap;		/* packed */
	bool used_pub_wrap;	/* packed */
	bool run_wrap;		/* packed, in-order */
	bool event_idx;		/* negotiated */
	bool indirect;		/* negotiated */
	bool read_only;		/* of the configuration */
	bool signalled_valid;	/* the driver's event index was looked at by the last publish */
	uint8_t broken;		/* enum rwy_vq_reason */
	int kick_fd;		/* the three eventfds are owned by the device; -1 is none */
	int call_fd;
	int err_fd;
	const struct rwy_bell *bell; /* for call and err; NULL where no hostile process has them */
	struct rwy_log_limit log_limit;
};

/* Stopped, no fds, no stats. */
void rwy_vq_init(struct rwy_vq *vq);

/*
 * Resolves and checks the three ring areas to their full extent. vq->stats must be set before.
 * The driver is asked for kicks until the first disarm. -EINVAL: size, alignment, overlapping areas
 * or an impossible base; -EFAULT: an area is not inside one region of memory. Logged.
 */
RWY_MUST_CHECK int rwy_vq_start(struct rwy_vq *vq, const struct rwy_vq_config *config);
/* Publishes what was pushed and returns the base to go on from. Also from a broken queue. */
uint32_t rwy_vq_stop(struct rwy_vq *vq);
/*
 * The map changed under a started, paused queue with nothing in flight: ring areas are resolved
 * again. As start; after a failure the queue is broken and touches no memory until it is stopped.
 */
RWY_MUST_CHECK int rwy_vq_remap(struct rwy_vq *vq, const struct rwy_vq_config *config);

RWY_INLINE bool rwy_vq_started(const struct rwy_vq *vq)
{
	return vq->ops != NULL;
}

/*
 * Up to n chains; their pieces are laid into iov one after the other. Ends early when iov has no
 * room for the next chain, which then stays in the ring, unless it is the first: then the chain is
 * longer than the caller can ever take, and the queue breaks. 0: empty or broken.
 * Each first piece is prefetched.
 */
RWY_INLINE unsigned rwy_vq_pop(struct rwy_vq *vq, struct rwy_chain *chains, unsigned n,
			       struct iovec *iov, unsigned nr_iov)
{
	return RWY_UNLIKELY(vq->broken) ? 0 : vq->ops->pop(vq, chains, n, iov, nr_iov);
}

/*
 * A hint whether the driver has got as far as the n-th descriptor (packed) or chain (split) from
 * here, n <= size; never in a broken queue. Looks at that place alone, so a driver at work on those
 * before it is left alone.
 */
RWY_INLINE bool rwy_vq_has(const struct rwy_vq *vq, unsigned n)
{
	return !vq->broken && vq->ops->has(vq, n);
}

/*
 * Pops a chain that was left over; the ring's base is behind it already. It is as hostile as any
 * other. Pieces taken, or 0: broken, or no room for it after `taken` others in the same iov.
 */
RWY_INLINE unsigned rwy_vq_repop(struct rwy_vq *vq, const struct rwy_vq_left *left,
				 struct rwy_chain *chain, struct iovec *iov, unsigned nr_iov,
				 unsigned taken)
{
	return RWY_UNLIKELY(vq->broken) ? 0 : vq->ops->repop(vq, left, chain, iov, nr_iov, taken);
}

/* Gives back the n chains popped last, in the order popped; none of them may have been pushed. */
RWY_INLINE void rwy_vq_unpop(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n)
{
	vq->ops->unpop(vq, chains, n);
}

/* Hands n chains back to the driver, each with `written`; not visible before publish. */
RWY_INLINE void rwy_vq_push(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n)
{
	vq->ops->push(vq, chains, n);
}

/* One release store for all pushed chains, one look at the driver's wishes, at most one call. */
RWY_INLINE void rwy_vq_publish(struct rwy_vq *vq)
{
	vq->ops->publish(vq);
}

/* Asks for kicks, then looks again. True: work slipped in meanwhile, do not sleep. */
RWY_INLINE bool rwy_vq_arm(struct rwy_vq *vq)
{
	return vq->ops->arm(vq);
}

/* No kicks please, we poll. */
RWY_INLINE void rwy_vq_disarm(struct rwy_vq *vq)
{
	vq->ops->disarm(vq);
}

/* Marks the queue broken, counts the reason, logs it (rate-limited), writes err_fd. Once. */
RWY_COLD void rwy_vq_break(struct rwy_vq *vq, enum rwy_vq_reason reason);
const char *rwy_vq_reason_name(enum rwy_vq_reason reason);

/* Bytes each area of a ring takes: desc, driver, device. */
void rwy_vq_layout(uint16_t size, bool packed, uint64_t len[3]);

#endif
