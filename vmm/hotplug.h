/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices that come and go while the guest runs, each behind a root port.
 *
 *	add:	a driver's row makes the device, which may take a while (its back-end must answer);
 *		when it is ready it is plugged in and the guest is told
 *	del:	the guest is asked, and when it has let go the device leaves: its queues are
 *		stopped, it is closed, `deleted`. A guest that reboots while it was asked finds the
 *		device gone; one that says no, or nothing for a minute, keeps it: `kept`.
 *
 * For the main thread, bus lock not held. What the guest does on a vCPU's thread comes here as a
 * flag and a wake-up of the reactor.
 */
#ifndef RWY_VMM_HOTPLUG_H
#define RWY_VMM_HOTPLUG_H

#include "lib/opt.h"
#include "lib/poll.h"
#include "vmm/pci.h"

#include <jansson.h>
#include <pthread.h>

#define RWY_HOTPLUG_PORTS 16
#define RWY_HOTPLUG_ID	  40 /* with its 0 byte */

struct rwy_hotplug; /* opaque: vmm/hotplug.c */

/* One that is there, or is being made. */
struct rwy_hotplug_dev {
	const struct rwy_hotplug_row *row;
	struct rwy_hotplug *hotplug;
	char id[RWY_HOTPLUG_ID];
	void *device; /* the row's own */
};

/* How a kind of device is made. */
struct rwy_hotplug_row {
	const char *driver; /* as device_add calls it */
	/* Begins to make it from the arguments of device_add. rwy_hotplug_ready follows, or is
	 * called from inside. -errno with *why: nothing is left. */
	int (*open)(struct rwy_hotplug_dev *dev, const json_t *args, struct rwy_opt_why *why);
	/* Plugs it in behind bridge. Bus lock held. 0 or more, or -errno. */
	int (*plug)(struct rwy_hotplug_dev *dev, struct rwy_pci_dev *bridge);
	/* It was not plugged in: gives up. */
	void (*close)(struct rwy_hotplug_dev *dev);
};

/* hotplug_rows.c; NULL: no such driver. */
const struct rwy_hotplug_row *rwy_hotplug_rows_find(const char *driver);

struct rwy_hotplug_config {
	struct rwy_poll *poll;
	struct rwy_pci *pci;
	pthread_mutex_t *lock; /* the bus lock */
	unsigned nr_ports;     /* wanted */
	bool fewer;	       /* will do, where bus 0 is full */
	/* Answers to rwy_hotplug_add, later: why is NULL when it is there. */
	void (*added)(void *ctx, const char *id, const char *why);
	void (*deleted)(void *ctx, const char *id);
	void (*kept)(void *ctx, const char *id);
	void *ctx; /* of these, and for rows: the machine */
};

/* Plugs in the ports, named rp1 and so on. Before vCPUs run. -ENOSPC: bus 0 has no room. */
RWY_MUST_CHECK int rwy_hotplug_open(struct rwy_hotplug **hotplug,
				    const struct rwy_hotplug_config *config);
/* Devices that are plugged in are the PCI root's, to be closed after. NULL is none. */
void rwy_hotplug_close(struct rwy_hotplug *hotplug);

/* bus: "rp1", or NULL for any port that is free. -errno with *why; 0: `added` follows, or has come
 * already. */
RWY_MUST_CHECK int rwy_hotplug_add(struct rwy_hotplug *hotplug, const char *driver, const char *id,
				   const char *bus, const json_t *args, struct rwy_opt_why *why);
/* One that is there from the start, at any port; device is what the driver's row would have made.
 * -errno, logged: the caller keeps it. */
RWY_MUST_CHECK int rwy_hotplug_put(struct rwy_hotplug *hotplug, const char *driver, const char *id,
				   void *device);
/* -ENODEV: there is none; -EBUSY: it has been asked for already. 0: `deleted` or `kept` follow. */
RWY_MUST_CHECK int rwy_hotplug_del(struct rwy_hotplug *hotplug, const char *id);
/* The guest is about to be reset, bus lock held: what it was asked for goes now. */
void rwy_hotplug_reset(struct rwy_hotplug *hotplug);
/* The device with that PCI function, NULL: none. For query-pci. Bus lock held. */
const char *rwy_hotplug_id_of(const struct rwy_hotplug *hotplug, const struct rwy_pci_dev *dev);

/* For rows. */
void *rwy_hotplug_ctx(const struct rwy_hotplug *hotplug);
void rwy_hotplug_ready(struct rwy_hotplug_dev *dev);

#endif
