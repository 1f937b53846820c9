/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-backends/net/net.h"

#include "lib/vu_wire.h"

#include <linux/virtio_config.h>
#include <string.h>

const char *const rwy_port_counter_names[] = {
	"rx_packets", "rx_bytes", "rx_bad",	"rx_disabled", "tx_packets", "tx_bytes", "tx_full",
	"tx_big",     "tx_down",  "tx_offload", "tx_lowered",  "flooded",    "no_dst",
};
const unsigned rwy_port_nr_counters = RWY_ARRAY_SIZE(rwy_port_counter_names);
_Static_assert(RWY_ARRAY_SIZE(rwy_port_counter_names) ==
		       sizeof(struct rwy_port_counts) / sizeof(uint64_t),
	       "a name for each counter");

static const struct {
	uint8_t bit;
	uint8_t guest; /* the driver takes it */
	uint8_t host;  /* the driver gives it */
} offloads[] = {
	{RWY_PORT_CSUM, VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_CSUM},
	{RWY_PORT_TSO4, VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_HOST_TSO4},
	{RWY_PORT_TSO6, VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_HOST_TSO6},
	{RWY_PORT_ECN, VIRTIO_NET_F_GUEST_ECN, VIRTIO_NET_F_HOST_ECN},
};

uint64_t rwy_net_features(bool has_mac)
{
	uint64_t features = RWY_BIT64(VIRTIO_NET_F_MRG_RXBUF) | RWY_BIT64(VIRTIO_NET_F_MTU) |
			    RWY_BIT64(VIRTIO_NET_F_STATUS) | RWY_BIT64(VIRTIO_NET_F_MQ);

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(offloads); i++)
		features |= RWY_BIT64(offloads[i].guest) | RWY_BIT64(offloads[i].host);
	if (has_mac)
		features |= RWY_BIT64(VIRTIO_NET_F_MAC);
	return features;
}

uint64_t rwy_net_protocol_features(void)
{
	return RWY_BIT64(RWY_VU_PF_MTU) | RWY_BIT64(RWY_VU_PF_RARP) | RWY_BIT64(RWY_VU_PF_CONFIG);
}

uint8_t rwy_net_takes(uint64_t features)
{
	uint8_t takes = 0;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(offloads); i++) {
		if (features & RWY_BIT64(offloads[i].guest))
			takes |= offloads[i].bit;
	}
	return takes;
}

uint8_t rwy_net_gives(uint64_t features)
{
	uint8_t gives = 0;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(offloads); i++) {
		if (features & RWY_BIT64(offloads[i].host))
			gives |= offloads[i].bit;
	}
	return gives;
}

/* Section 5.1.6.2: a GSO frame has its type, a size, a header that fits, and a partial checksum. */
static bool check_gso(const struct virtio_net_hdr *hdr, uint32_t len, uint8_t *needs)
{
	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		*needs |= RWY_PORT_TSO4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		*needs |= RWY_PORT_TSO6;
		break;
	default:
		return false;
	}
	if (hdr->gso_type & VIRTIO_NET_HDR_GSO_ECN)
		*needs |= RWY_PORT_ECN;
	return hdr->gso_size != 0 && hdr->hdr_len <= len && *needs & RWY_PORT_CSUM;
}

bool rwy_net_check_hdr(struct virtio_net_hdr *hdr, uint32_t len, uint8_t gives, uint8_t *needs)
{
	*needs = 0;
	/* The only flag a driver may set (section 5.1.6.2.1). */
	hdr->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (RWY_LIKELY(!hdr->flags && hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE)) {
		memset(hdr, 0, sizeof(*hdr));
		return true;
	}
	if (hdr->flags) {
		*needs |= RWY_PORT_CSUM;
		if (hdr->csum_start < RWY_PORT_ETH_LEN ||
		    (uint32_t)hdr->csum_start + hdr->csum_offset + 2 > len)
			return false;
	} else {
		hdr->csum_start = 0;
		hdr->csum_offset = 0;
	}
	if (hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		hdr->gso_size = 0;
		hdr->hdr_len = 0;
	} else if (!check_gso(hdr, len, needs)) {
		return false;
	}
	return !(*needs & ~gives);
}
