/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver side of a virtqueue, split and packed: what a guest's driver does. It makes tests,
 * benchmarks and examples independent of a guest. One thread; the device may be another process.
 *
 * The device is not trusted either: a used id that was never given, or twice, or out of order, or
 * a length beyond what was writable, is -EPROTO.
 */
#ifndef RWY_LIB_VQD_H
#define RWY_LIB_VQD_H

#include "lib/addr.h"
#include "lib/base.h"

#include <linux/virtio_ring.h>

struct rwy_vqd_buf {
	rwy_gpa gpa;
	uint32_t len;
};

struct rwy_vqd_config {
	uint16_t size;
	bool packed;
	bool event_idx;
	bool indirect; /* may be used by rwy_vqd_add_indirect */
	bool in_order;
	void *desc; /* zeroed; areas as rwy_vq_layout says */
	void *driver;
	void *device;
};

/* By chain: the split ring's head descriptor, the packed ring's buffer id. */
struct rwy_vqd_slot {
	void *cookie; /* NULL: free */
	uint32_t in_len;
	uint16_t nr_desc; /* ring slots taken */
	uint16_t next;	  /* split: of this descriptor in its chain or the free list; packed: ids */
};

struct rwy_vqd {
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
	struct rwy_vqd_slot *slots; /* owned, size of them */
	uint16_t size;
	uint16_t nr_free;   /* descriptors */
	uint16_t free_head; /* in order: simply the next descriptor in ring order */
	uint16_t avail_idx; /* next to fill */
	uint16_t avail_pub; /* what the device was shown; packed: the slot publish shows first */
	uint16_t used_idx;  /* next to look at */
	uint16_t oldest;    /* in order: the chain the device has to use next */
	uint16_t run_id;    /* in order: last chain of the run the device told of */
	uint32_t run_len;
	uint16_t nr_chains;  /* published or not, and not yet got back */
	uint16_t head_flags; /* packed: what publish stores into slot avail_pub */
	bool run;	     /* in order: chains up to run_id are used */
	bool packed;
	bool event_idx;
	bool indirect;
	bool in_order;
	bool avail_wrap; /* packed */
	bool avail_pub_wrap;
	bool used_wrap;
};

RWY_MUST_CHECK int rwy_vqd_open(struct rwy_vqd *q, const struct rwy_vqd_config *config);
void rwy_vqd_close(struct rwy_vqd *q);

/*
 * Adds one chain: nr_out buffers the device reads, then nr_in it writes. cookie must not be NULL.
 * -ENOSPC: not enough free descriptors. Not visible before rwy_vqd_publish.
 */
RWY_MUST_CHECK int rwy_vqd_add(struct rwy_vqd *q, const struct rwy_vqd_buf *bufs, unsigned nr_out,
			       unsigned nr_in, void *cookie);
/* The same through one indirect descriptor; table is guest memory at table_gpa, one entry a buf. */
RWY_MUST_CHECK int rwy_vqd_add_indirect(struct rwy_vqd *q, const struct rwy_vqd_buf *bufs,
					unsigned nr_out, unsigned nr_in, struct vring_desc *table,
					rwy_gpa table_gpa, void *cookie);
/* Makes added chains visible. True: the device wants a kick. */
bool rwy_vqd_publish(struct rwy_vqd *q);
/* Next used chain: 1 with its cookie and length, 0 none, -EPROTO the device lied. */
RWY_MUST_CHECK int rwy_vqd_get(struct rwy_vqd *q, void **cookie, uint32_t *len);
/* Asks for calls, then looks again. True: something was used meanwhile. */
bool rwy_vqd_arm(struct rwy_vqd *q);
void rwy_vqd_disarm(struct rwy_vqd *q);

#endif
