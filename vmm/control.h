/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the control socket (--qmp) can do with the machine, as QEMU's clients know it: its state and
 * life, its PCI devices, adding and removing them. The wire is qmp.h's.
 *
 *	device_add	driver=vhost-user-blk-pci|virtio-net-pci, id, [bus=rpN], socket=PATH, and
 *			num-queues, packed or queues, packed, mac. Answered when the guest has been
 *			told; where its back-end does not answer within 10 seconds, with an error.
 *			Instead of socket: chardev or netdev, as added by chardev-add
 *			(backend.type socket, data.addr.type unix) and netdev_add (vhost-user).
 *			Or driver=vfio-pci, id, [bus=rpN], host=BDF or sysfsdev=PATH.
 *	stop, cont	The vCPUs stand still; back-ends finish what they have been asked for.
 *	device_del	id. The guest is asked; DEVICE_DELETED or DEVICE_UNPLUG_GUEST_ERROR follow.
 *
 * For the main thread, bus lock not held. All take NULL for a machine without a control socket.
 */
#ifndef RWY_VMM_CONTROL_H
#define RWY_VMM_CONTROL_H

#include "lib/base.h"

struct rwy_control; /* opaque: vmm/control.c */
struct rwy_machine;

/* -errno, logged. */
RWY_MUST_CHECK int rwy_control_open(struct rwy_control **control, struct rwy_machine *machine,
				    const char *path);
void rwy_control_close(struct rwy_control *control);

/* STOP, RESUME, POWERDOWN */
void rwy_control_tell(struct rwy_control *control, const char *event);
/* RESET, SHUTDOWN: the guest did it, or somebody outside for this reason */
void rwy_control_tell_cause(struct rwy_control *control, const char *event, bool guest,
			    const char *reason);
/* DEVICE_DELETED, DEVICE_UNPLUG_GUEST_ERROR */
void rwy_control_tell_device(struct rwy_control *control, const char *event, const char *id);
/* The answer to device_add; why: NULL when it is there. */
void rwy_control_device_added(struct rwy_control *control, const char *id, const char *why);

#endif
