/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any virtio device type over vhost-user. What the types differ in is a row of a table in
 * vdev_vu_rows.c; a new type needs a row and nothing else.
 *
 * The front-end (lib/vu_front.h) lives on the main thread's reactor; the guest's accesses come on
 * vCPU threads with the bus lock held. They meet in a struct under that lock: vCPUs leave wishes
 * there and wake the reactor, which never makes a vCPU wait.
 *
 *	main:	rwy_vdev_vu_open for each device; run the reactor, and at each `ready` see whether
 *		all are (rwy_vdev_vu_ready); then rwy_virtio_pci_open in order, and start vCPUs.
 *		Waiting has no end but SIGTERM; what is waited for is logged.
 */
#ifndef RWY_VMM_VDEV_VU_H
#define RWY_VMM_VDEV_VU_H

#include "lib/mem.h"
#include "lib/poll.h"
#include "vmm/vdev.h"

#include <pthread.h>

struct rwy_vdev_vu_config {
	const char *type;	 /* "net", "blk" */
	const char *name;	 /* "net0"; copied */
	const char *socket_path; /* NULL: use fd */
	int *fd;		 /* a connected socket, taken; then a lost back-end stays lost */
	const char *backend;	 /* what it is to be called, NULL: socket_path; copied */
	unsigned queues;	 /* net: pairs. 0: one. Fewer if the back-end has fewer */
	bool packed;		 /* offer the packed ring, where the back-end has it */
	bool no_mergeable;	 /* net: hide VIRTIO_NET_F_MRG_RXBUF */
	const uint8_t *mac;	 /* net: 6 bytes, NULL: the back-end's, or derived from name
				  * and socket */
	struct rwy_poll *poll;	 /* the main thread's */
	struct rwy_mem *mem;	 /* guest RAM, final; an fd in each region */
	pthread_mutex_t *lock;	 /* the bus lock */
	/* First time: on the main thread, without the lock. May be NULL. */
	void (*ready)(void *ctx);
	void *ctx;
};

/*
 * Starts to connect. -EINVAL: no such type, or an option the type has not; -ENOTSOCK: socket_path
 * is another kind of file. Closed by vdev->ops->close (main thread, lock not held), which
 * rwy_pci_close calls for a plugged device.
 */
RWY_MUST_CHECK int rwy_vdev_vu_open(struct rwy_vdev **vdev,
				    const struct rwy_vdev_vu_config *config);
bool rwy_vdev_vu_ready(const struct rwy_vdev *vdev);
/* How often the back-end came back, for --exit-stats. */
uint64_t rwy_vdev_vu_reconnects(const struct rwy_vdev *vdev);

#endif
