/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtio-net device (virtio 1.2 section 5.1) without its rings: the features it offers, its
 * configuration space, and the judgement of a header that came with a frame.
 */
#ifndef RWY_VHOST_BACKENDS_NET_NET_H
#define RWY_VHOST_BACKENDS_NET_NET_H

#include "vhost-backends/net/port.h"

#define RWY_NET_PAIRS_MAX 32 /* two rings each; RWY_BE_QUEUES */
#define RWY_NET_MTU_MIN	  68 /* virtio 1.2 section 5.1.4.1 */
#define RWY_NET_MTU	  1500

/* The rings of pair p. Receive is what the device writes. */
#define RWY_NET_RX_RING(p) (2 * (p))
#define RWY_NET_TX_RING(p) (2 * (p) + 1)

/* Features of the device itself; those of the rings are be.c's to offer. */
uint64_t rwy_net_features(bool has_mac);
/* Protocol features net adds to what every back-end has. */
uint64_t rwy_net_protocol_features(void);

/* RWY_PORT_CSUM and so on that a driver with these features can be given, and may give. */
uint8_t rwy_net_takes(uint64_t features);
uint8_t rwy_net_gives(uint64_t features);

/*
 * Holds the local copy of a header against its frame of len bytes. gives: what the sender
 * negotiated. True: fields that mean nothing are now zero and *needs says what a receiver must be
 * able to do. False: it cannot be; drop the frame.
 */
bool rwy_net_check_hdr(struct virtio_net_hdr *hdr, uint32_t len, uint8_t gives, uint8_t *needs);

#endif
