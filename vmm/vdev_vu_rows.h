/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of vdev_vu.h: what device types over vhost-user differ in. */
#ifndef RWY_VMM_VDEV_VU_ROWS_H
#define RWY_VMM_VDEV_VU_ROWS_H

#include "lib/base.h"

#define RWY_VDEV_VU_CONFIG_MAX 256

/* One device, as far as features and config space depend on it. */
struct rwy_vdev_vu_facts {
	unsigned queues;   /* of the user's counting */
	uint64_t features; /* the back-end's, of those wanted */
	bool has_config;   /* it told its config space */
	bool connected;
	uint8_t mac[6];
	bool mac_given; /* by the user; else it is for want of the back-end's */
};

struct rwy_vdev_vu_row {
	const char *type;
	uint16_t device_id;
	uint32_t pci_class;
	unsigned queue_rings; /* rings to one queue of the user's and of GET_QUEUE_NUM */
	unsigned own_rings;   /* behind them, served by the VMM, where there are several queues */
	uint16_t queue_size;
	unsigned config_len;
	bool config_needed;    /* nothing works unless the back-end tells it */
	bool config_writable;  /* by the driver */
	uint64_t features;     /* a back-end's that may be shown to a guest; ring features apart */
	uint64_t mq_feature;   /* shown only where there are several queues */
	uint64_t own_features; /* the VMM serves them whether the back-end has them or not */
	/* Last words on what the guest is shown. May be NULL. */
	uint64_t (*shown_features)(const struct rwy_vdev_vu_facts *facts, uint64_t features);
	void (*shown_config)(const struct rwy_vdev_vu_facts *facts, void *config);
};

/* NULL: no such type. */
const struct rwy_vdev_vu_row *rwy_vdev_vu_rows_find(const char *type);

#endif
