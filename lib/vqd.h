/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver side of a virtqueue, split and packed: what a guest's driver does. It makes tests,
 * benchmarks and examples independent of a guest. One thread; the device may be another process.
 *
 * The device is not trusted either: a used id that was never given, or twice, is -EPROTO.
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

struct rwy_vqd_slot {
	void *cookie; /* NULL: free */
	uint16_t nr_desc;
	uint16_t next; /* free list; packed ids, split heads */
};

struct rwy_vqd {
	struct vring_desc *desc;
	struct vring_packed_desc *pdesc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct vring_packed_desc_event *driver_event;
	struct vring_packed_desc_event *device_event;
	struct rwy_vqd_slot *slots; /* owned, size of them */
	uint16_t size;
	uint16_t nr_free;
	uint16_t free_head;
	uint16_t avail_idx;
	uint16_t avail_pub;
	uint16_t used_idx;
	uint16_t head_idx; /* packed: first unpublished slot and its flags */
	uint16_t head_flags;
	bool packed;
	bool event_idx;
	bool in_order;
	bool avail_wrap;
	bool used_wrap;
	bool head_wrap;
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
