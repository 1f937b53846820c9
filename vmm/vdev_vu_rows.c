/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/vdev_vu_rows.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <string.h>

/* Newer than the header of the distribution (virtio 1.3 section 5.1.3). */
#define NET_F_GUEST_USO4 54
#define NET_F_GUEST_USO6 55
#define NET_F_HOST_USO	 56

#define NET_FEATURES                                                                              \
	(RWY_BIT64(VIRTIO_NET_F_CSUM) | RWY_BIT64(VIRTIO_NET_F_GUEST_CSUM) |                      \
	 RWY_BIT64(VIRTIO_NET_F_MTU) | RWY_BIT64(VIRTIO_NET_F_MAC) |                              \
	 RWY_BIT64(VIRTIO_NET_F_GUEST_TSO4) | RWY_BIT64(VIRTIO_NET_F_GUEST_TSO6) |                \
	 RWY_BIT64(VIRTIO_NET_F_GUEST_ECN) | RWY_BIT64(VIRTIO_NET_F_GUEST_UFO) |                  \
	 RWY_BIT64(VIRTIO_NET_F_HOST_TSO4) | RWY_BIT64(VIRTIO_NET_F_HOST_TSO6) |                  \
	 RWY_BIT64(VIRTIO_NET_F_HOST_ECN) | RWY_BIT64(VIRTIO_NET_F_HOST_UFO) |                    \
	 RWY_BIT64(VIRTIO_NET_F_MRG_RXBUF) | RWY_BIT64(VIRTIO_NET_F_STATUS) |                     \
	 RWY_BIT64(VIRTIO_NET_F_MQ) | RWY_BIT64(NET_F_GUEST_USO4) | RWY_BIT64(NET_F_GUEST_USO6) | \
	 RWY_BIT64(NET_F_HOST_USO))
#define NET_OWN                                                         \
	(RWY_BIT64(VIRTIO_NET_F_MAC) | RWY_BIT64(VIRTIO_NET_F_STATUS) | \
	 RWY_BIT64(VIRTIO_NET_F_CTRL_VQ) | RWY_BIT64(VIRTIO_NET_F_MQ))
#define BLK_FEATURES                                                             \
	(RWY_BIT64(VIRTIO_BLK_F_SIZE_MAX) | RWY_BIT64(VIRTIO_BLK_F_SEG_MAX) |    \
	 RWY_BIT64(VIRTIO_BLK_F_GEOMETRY) | RWY_BIT64(VIRTIO_BLK_F_RO) |         \
	 RWY_BIT64(VIRTIO_BLK_F_BLK_SIZE) | RWY_BIT64(VIRTIO_BLK_F_FLUSH) |      \
	 RWY_BIT64(VIRTIO_BLK_F_TOPOLOGY) | RWY_BIT64(VIRTIO_BLK_F_CONFIG_WCE) | \
	 RWY_BIT64(VIRTIO_BLK_F_MQ) | RWY_BIT64(VIRTIO_BLK_F_DISCARD) |          \
	 RWY_BIT64(VIRTIO_BLK_F_WRITE_ZEROES))

static uint64_t net_features(const struct rwy_vdev_vu_facts *facts, uint64_t features)
{
	features |= RWY_BIT64(VIRTIO_NET_F_MAC) | RWY_BIT64(VIRTIO_NET_F_STATUS);
	if (facts->queues > 1)
		features |= RWY_BIT64(VIRTIO_NET_F_MQ) | RWY_BIT64(VIRTIO_NET_F_CTRL_VQ);
	if (!facts->has_config)
		features &= ~RWY_BIT64(VIRTIO_NET_F_MTU);
	return features;
}

/* Config space holds the back-end's value of what this feature bit is about. */
static bool told(const struct rwy_vdev_vu_facts *facts, unsigned feature)
{
	return facts->has_config && (facts->features & RWY_BIT64(feature));
}

/* The link is down while the back-end is away, so that a bond can use another. */
static void net_config(const struct rwy_vdev_vu_facts *facts, void *config)
{
	struct virtio_net_config *c = config;

	if (facts->mac_given || !told(facts, VIRTIO_NET_F_MAC))
		memcpy(c->mac, facts->mac, sizeof(c->mac));
	if (!told(facts, VIRTIO_NET_F_STATUS))
		c->status = VIRTIO_NET_S_LINK_UP;
	if (!facts->connected)
		c->status &= (uint16_t)~VIRTIO_NET_S_LINK_UP;
	c->max_virtqueue_pairs = (uint16_t)facts->queues;
}

static void blk_config(const struct rwy_vdev_vu_facts *facts, void *config)
{
	struct virtio_blk_config *c = config;

	c->num_queues = (uint16_t)facts->queues;
}

static const struct rwy_vdev_vu_row rows[] = {
	{
		.type = "net",
		.device_id = VIRTIO_ID_NET,
		.pci_class = 0x020000,
		.queue_rings = 2,
		.own_rings = 1,
		.queue_size = 1024,
		.config_len = offsetof(struct virtio_net_config, speed),
		.features = NET_FEATURES,
		.mq_feature = RWY_BIT64(VIRTIO_NET_F_MQ),
		.own_features = NET_OWN,
		.shown_features = net_features,
		.shown_config = net_config,
	},
	{
		.type = "blk",
		.device_id = VIRTIO_ID_BLOCK,
		.pci_class = 0x010000,
		.queue_rings = 1,
		.queue_size = 256,
		.config_len = 60, /* up to write_zeroes_may_unmap and its padding */
		.config_needed = true,
		.config_writable = true,
		.features = BLK_FEATURES,
		.mq_feature = RWY_BIT64(VIRTIO_BLK_F_MQ),
		.shown_config = blk_config,
	},
};

const struct rwy_vdev_vu_row *rwy_vdev_vu_rows_find(const char *type)
{
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].type, type) == 0)
			return &rows[i];
	}
	return NULL;
}
