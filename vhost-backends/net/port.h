/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a switch forwards (a frame, a burst of them) and what it forwards between (a port).
 *
 * A frame is never stored: it is a view of its source port's memory, valid from the source's rx to
 * its rx_done. The destination copies it once, into its own buffers, or hands the pieces to the
 * kernel. Everything here runs on the switch's reactor.
 */
#ifndef RWY_VHOST_BACKENDS_NET_PORT_H
#define RWY_VHOST_BACKENDS_NET_PORT_H

#include "lib/stats.h"
#include "lib/vq.h"

#include <linux/virtio_net.h>

/* The longest frame: a 64 KiB IP packet, Ethernet and one VLAN tag. */
#define RWY_PORT_FRAME_MAX (65535 + 14 + 4)
#define RWY_PORT_ETH_LEN   14

/* What a frame asks of its receiver (struct rwy_frame.needs) and a port can take or give. */
#define RWY_PORT_CSUM 0x1u /* checksum left partial */
#define RWY_PORT_TSO4 0x2u
#define RWY_PORT_TSO6 0x4u
#define RWY_PORT_ECN  0x8u /* TSO of a segment with CWR set */

struct rwy_frame {
	const struct iovec *iov; /* the frame begins off bytes into iov[0] */
	uint32_t off;
	uint32_t len; /* bytes of the frame, the virtio-net header not counted */
	uint16_t nr_iov;
	uint16_t slot; /* its place in the burst as the source counts */
	uint8_t needs; /* 0: hdr says nothing a receiver must know */
	uint8_t dst;   /* the switch's note */
	/* A checked private copy (virtio 1.2 section 5.1.6); fields without meaning are zero. */
	struct virtio_net_hdr hdr;
};

struct rwy_burst {
	unsigned nr;
	uint8_t needs; /* of all frames together */
	struct rwy_frame frames[RWY_VQ_BURST];
};

/* One port's counters, seen from the switch. Names in rwy_port_counter_names, in this order. */
struct rwy_port_counts {
	uint64_t rx_packets; /* into the switch */
	uint64_t rx_bytes;
	uint64_t rx_bad;      /* header or length that cannot be, or not negotiated */
	uint64_t rx_disabled; /* from a queue that is started but not enabled */
	uint64_t tx_packets;  /* out of the switch */
	uint64_t tx_bytes;
	uint64_t tx_full;    /* no room in the receiver's queue */
	uint64_t tx_big;     /* longer than the receiver's buffers */
	uint64_t tx_down;    /* no queue to deliver to */
	uint64_t tx_offload; /* an offload the receiver lacks and that could not be done for it */
	uint64_t tx_lowered; /* frames checksummed or segmented in software */
	uint64_t flooded;    /* frames from this port sent to every other one */
	uint64_t no_dst;     /* frames from this port that had nowhere to go */
};

extern const char *const rwy_port_counter_names[];
extern const unsigned rwy_port_nr_counters;

struct rwy_port;

struct rwy_port_ops {
	const char *kind; /* "guest", "tap": in log lines */
	/* Up to RWY_VQ_BURST frames of queue q into burst. Their number; what cannot be a frame is
	 * counted and given back at once. */
	unsigned (*rx)(struct rwy_port *port, unsigned q, struct rwy_burst *burst);
	/* The first n frames are dealt with; the others come again with the next rx. */
	void (*rx_done)(struct rwy_port *port, unsigned q, struct rwy_burst *burst, unsigned n);
	/*
	 * Delivers in order until there is no room. Frames dealt with, those counted as
	 * undeliverable among them. q: the source's queue, to keep a flow on one queue. Not visible
	 * to the receiver before flush.
	 */
	unsigned (*tx)(struct rwy_port *port, unsigned q, const struct rwy_frame *const *frames,
		       unsigned n);
	void (*flush)(struct rwy_port *port);
	/* As struct rwy_poller. */
	bool (*arm)(struct rwy_port *port);
	void (*disarm)(struct rwy_port *port);
	void (*close)(struct rwy_port *port);
};

struct rwy_fwd;

/* Embedded by a port kind. What a kind may change between two polls is marked (k). */
struct rwy_port {
	const struct rwy_port_ops *ops;
	struct rwy_fwd *fwd; /* NULL until added */
	struct rwy_port_counts *counts;
	unsigned idx;
	bool up;	    /* (k) frames can come and go */
	uint8_t takes;	    /* (k) RWY_PORT_CSUM and so on: what may be delivered to it */
	unsigned nr_queues; /* (k) rx is called for 0..nr_queues - 1 */

	/* The switch's notes: the addresses seen last, and since when a receiver has no room. */
	uint64_t last_src;
	uint64_t last_dst;
	uint32_t last_src_gen;
	uint32_t last_dst_gen;
	uint8_t last_port;
	bool stalled;
	uint64_t full_since_ns;
};

#endif
