/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two kinds of queue of a virtio-net device (virtio 1.2 section 5.1.2), as a switch works them.
 *
 * Both run ahead of their work, because a line that another CPU wrote takes longer to come than a
 * burst takes to forward: a transmit queue has popped the next burst while this one is forwarded,
 * and a receive queue keeps a stock of buffers popped while the last burst was published. What was
 * popped and is not needed after all goes back to the ring when the queue is parked; it must be
 * before the ring stops. Behind its work a transmit queue keeps a whole burst back until the next
 * one is through, at most 50 us, and never while it is parked or we sleep.
 */
#ifndef RWY_VHOST_BACKENDS_NET_NETQ_H
#define RWY_VHOST_BACKENDS_NET_NETQ_H

#include "vhost-backends/net/port.h"

/* Before each frame. Rings without VERSION_1, where it may be shorter, are not served. */
#define RWY_NETQ_HDR_LEN sizeof(struct virtio_net_hdr_mrg_rxbuf)
/* Most buffers one frame may be spread over: 64 KiB in pieces of 1 KiB. */
#define RWY_NETQ_MERGE_MAX 64
#define RWY_NETQ_STOCK	   RWY_VQ_BURST

struct rwy_netq_half {
	unsigned nr;
	struct rwy_chain chains[RWY_VQ_BURST];
	struct iovec iov[RWY_VQ_IOV_MAX];
};

struct rwy_netq_tx {
	struct rwy_vq *vq; /* NULL: the ring is stopped */
	bool enabled;
	bool held;	   /* the last burst is pushed and not published */
	uint64_t idle_ns;  /* when it was first found that none follows it; 0: not yet */
	unsigned now;	   /* the half that is being forwarded; the other one is next */
	unsigned patience; /* looks that a burst which is not whole is still given */
	struct rwy_netq_half halves[2];
};

struct rwy_netq_rx {
	struct rwy_vq *vq; /* NULL: the ring is stopped */
	bool enabled;
	bool mergeable;
	bool dirty; /* something to publish */
	/* Buffers: [0..pushed) are the driver's again, [pushed..next) filled, [next..nr) free. */
	unsigned pushed;
	unsigned next;
	unsigned nr;
	struct rwy_chain chains[RWY_NETQ_STOCK + RWY_NETQ_MERGE_MAX];
	/* A pop must be able to take the longest chain there is, whatever lies before it. */
	struct iovec iov[2 * RWY_VQ_IOV_MAX];
};

/*
 * Frames of the next burst, checked: 0 when there are none. gives: what the driver negotiated.
 * What cannot be a frame, and all frames of a ring that is not enabled, are counted and given back.
 */
unsigned rwy_netq_pull(struct rwy_netq_tx *q, struct rwy_burst *burst, uint8_t gives,
		       struct rwy_port_counts *counts);
/* The first n of them are dealt with; the others come again. */
void rwy_netq_release(struct rwy_netq_tx *q, const struct rwy_burst *burst, unsigned n,
		      struct rwy_port_counts *counts);
/* True: there is work, do not sleep. */
bool rwy_netq_arm(struct rwy_netq_tx *q);
void rwy_netq_park_tx(struct rwy_netq_tx *q);

/* As rwy_port_ops.tx and flush. */
unsigned rwy_netq_deliver(struct rwy_netq_rx *q, const struct rwy_frame *const *frames, unsigned n,
			  struct rwy_port_counts *counts);
void rwy_netq_flush(struct rwy_netq_rx *q);
void rwy_netq_park_rx(struct rwy_netq_rx *q);

#endif
