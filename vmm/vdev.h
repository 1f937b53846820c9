/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio device as the transport (virtio_pci.c) sees it: features, config space, queues that are
 * started and stopped. Where the queues are served - over vhost-user (vdev_vu.c), or one day in
 * this process - is the device's business.
 *
 * Every call is made with the bus lock held; a device must not block in it.
 */
#ifndef RWY_VMM_VDEV_H
#define RWY_VMM_VDEV_H

#include "lib/addr.h"
#include "lib/bell.h"
#include "lib/base.h"

#define RWY_VDEV_QUEUES 129

struct rwy_vdev;

/* A queue as the driver configured it (virtio 1.2 section 4.1.4.3). */
struct rwy_vdev_queue {
	uint16_t size_max;
	uint16_t size;
	bool enabled;
	rwy_gpa desc;
	rwy_gpa driver;
	rwy_gpa device;
	int kick_fd; /* the transport's: an ioeventfd writes it */
	int call_fd; /* the transport's: an irqfd, or polled by it while masked */
};

struct rwy_vdev_ops {
	/* Offered to the driver. */
	uint64_t (*features)(struct rwy_vdev *dev);
	/* off + len <= config_len was checked */
	void (*config_read)(struct rwy_vdev *dev, uint32_t off, void *buf, uint32_t len);
	void (*config_write)(struct rwy_vdev *dev, uint32_t off, const void *buf, uint32_t len);
	/* DRIVER_OK with these features: run all enabled queues. */
	void (*start)(struct rwy_vdev *dev, uint64_t features);
	/* Status 0. Must call dev->transport->stopped when no queue touches memory any more; the
	 * driver polls device_status until then (4.1.4.3.2). */
	void (*stop)(struct rwy_vdev *dev);
	/* The driver set queue_enable after DRIVER_OK, or queue_reset. May be NULL. */
	void (*queue_changed)(struct rwy_vdev *dev, unsigned q);
	void (*close)(struct rwy_vdev *dev);
};

/* What a device may ask of its transport. From the main thread, with the bus lock taken by it. */
struct rwy_vdev_transport_ops {
	void (*stopped)(struct rwy_vdev *dev);
	void (*config_changed)(struct rwy_vdev *dev);
	void (*needs_reset)(struct rwy_vdev *dev);
};

struct rwy_vdev {
	const struct rwy_vdev_ops *ops;
	const struct rwy_vdev_transport_ops *transport; /* set when plugged in */
	void *transport_ctx;				/* the transport's own */
	const char *name;				/* "net0": log lines and --exit-stats */
	const char *backend; /* the socket or file behind it, for people; may be NULL */
	uint16_t device_id;  /* virtio 1.2 section 5 */
	uint32_t pci_class;  /* 24 bits */
	uint32_t config_len;
	const struct rwy_bell *bell; /* rings kick_fds that a back-end has, too; may be NULL */
	unsigned nr_queues;
	struct rwy_vdev_queue queues[RWY_VDEV_QUEUES];
};

#endif
