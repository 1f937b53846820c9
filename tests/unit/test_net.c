/* SPDX-License-Identifier: BSD-3-Clause */
/* What a driver may say in front of a frame (virtio 1.2 section 5.1.6), and what it may not. */
#include "tests/unit/unit.h"

#include "lib/vu_wire.h"
#include "vhost-backends/net/net.h"

#include <linux/virtio_config.h>
#include <string.h>

#define ALL (RWY_PORT_CSUM | RWY_PORT_TSO4 | RWY_PORT_TSO6 | RWY_PORT_ECN)

static const struct virtio_net_hdr tso4 = {
	.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
	.hdr_len = 54,
	.gso_size = 1448,
	.csum_start = 34,
	.csum_offset = 16,
};

static bool check(struct virtio_net_hdr hdr, uint32_t len, uint8_t gives, uint8_t wanted)
{
	uint8_t needs;

	if (!rwy_net_check_hdr(&hdr, len, gives, &needs))
		return false;
	assert_int_equal(needs, wanted);
	return true;
}

static void plain_is_cleared(void **state)
{
	struct virtio_net_hdr hdr = {.hdr_len = 7, .gso_size = 9, .csum_start = 60000};
	const struct virtio_net_hdr zero = {0};
	uint8_t needs = ALL;

	assert_true(rwy_net_check_hdr(&hdr, 60, 0, &needs));
	assert_int_equal(needs, 0);
	assert_memory_equal(&hdr, &zero, sizeof(hdr));
	/* "checksum is valid" is for a device to say, not for a driver */
	hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	assert_true(rwy_net_check_hdr(&hdr, 60, ALL, &needs));
	assert_memory_equal(&hdr, &zero, sizeof(hdr));
}

/* CVE-2024-11614: a checksum that begins or is stored behind the frame's end. */
static void checksum_lies_inside(void **state)
{
	struct virtio_net_hdr hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				     .csum_start = 34,
				     .csum_offset = 16};

	assert_true(check(hdr, 52, ALL, RWY_PORT_CSUM));
	assert_false(check(hdr, 51, ALL, 0));
	assert_false(check(hdr, 52, ALL & ~RWY_PORT_CSUM, 0));
	hdr.csum_offset = 0xffff;
	assert_false(check(hdr, 65549, ALL, 0));
	hdr.csum_start = 0xffff;
	assert_false(check(hdr, 65549, ALL, 0));
	hdr.csum_offset = 0;
	hdr.csum_start = 13;
	assert_false(check(hdr, 100, ALL, 0));
}

/* Segments of nothing (DPDK 7023f3e532), headers longer than the frame, types that are none. */
static void segmentation_is_consistent(void **state)
{
	struct virtio_net_hdr hdr = tso4;

	assert_true(check(hdr, 3000, ALL, RWY_PORT_CSUM | RWY_PORT_TSO4));
	hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	assert_true(check(hdr, 3000, ALL, RWY_PORT_CSUM | RWY_PORT_TSO4 | RWY_PORT_ECN));
	assert_false(check(hdr, 3000, ALL & ~RWY_PORT_ECN, 0));
	hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	assert_true(check(hdr, 3000, ALL, RWY_PORT_CSUM | RWY_PORT_TSO6));
	assert_false(check(hdr, 3000, RWY_PORT_CSUM | RWY_PORT_TSO4, 0));

	hdr = tso4;
	hdr.gso_size = 0;
	assert_false(check(hdr, 3000, ALL, 0));
	hdr = tso4;
	hdr.hdr_len = 3001;
	assert_false(check(hdr, 3000, ALL, 0));
	hdr = tso4;
	hdr.flags = 0;
	assert_false(check(hdr, 3000, ALL, 0));
	for (int type = 0; type < 256; type++) {
		int bare = type & ~VIRTIO_NET_HDR_GSO_ECN;
		uint8_t needs;

		hdr = tso4;
		hdr.gso_type = (uint8_t)type;
		assert_int_equal(rwy_net_check_hdr(&hdr, 3000, ALL, &needs),
				 type == VIRTIO_NET_HDR_GSO_NONE ||
					 bare == VIRTIO_NET_HDR_GSO_TCPV4 ||
					 bare == VIRTIO_NET_HDR_GSO_TCPV6);
	}
}

static void features_to_offloads(void **state)
{
	uint64_t offered = rwy_net_features(true);

	assert_int_equal(rwy_net_takes(offered), ALL);
	assert_int_equal(rwy_net_gives(offered), ALL);
	assert_int_equal(rwy_net_takes(RWY_BIT64(VIRTIO_NET_F_GUEST_TSO6)), RWY_PORT_TSO6);
	assert_int_equal(rwy_net_gives(RWY_BIT64(VIRTIO_NET_F_GUEST_TSO6)), 0);
	assert_int_equal(rwy_net_features(true) & ~rwy_net_features(false),
			 RWY_BIT64(VIRTIO_NET_F_MAC));
	/* the control queue and UDP fragmentation are nobody's here */
	assert_false(offered & (RWY_BIT64(VIRTIO_NET_F_CTRL_VQ) | RWY_BIT64(VIRTIO_NET_F_HOST_UFO) |
				RWY_BIT64(VIRTIO_NET_F_GUEST_UFO)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_is_cleared),
		cmocka_unit_test(checksum_lies_inside),
		cmocka_unit_test(segmentation_is_consistent),
		cmocka_unit_test(features_to_offloads),
	};

	return UNIT_RUN(tests);
}
