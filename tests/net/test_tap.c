/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A driver of ours and the host's own network stack, joined by ringway-net and a tap interface in a
 * network namespace of the test's own. Needs root, like the interface.
 */
#include "tests/net/switch_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_config.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAP	  "rwytest0"
#define ETHERTYPE 0x88b5 /* for local experiments */
#define OFFLOADS                                                            \
	(RWY_BIT64(VIRTIO_NET_F_CSUM) | RWY_BIT64(VIRTIO_NET_F_HOST_TSO4) | \
	 RWY_BIT64(VIRTIO_NET_F_GUEST_CSUM) | RWY_BIT64(VIRTIO_NET_F_GUEST_TSO4))

static const char *const tap_port[] = {"--port", "tap,name=" TAP, NULL};

static void rig_up(struct switch_rig *rig, uint64_t features)
{
	const struct peer_config config = {
		.features = RWY_BIT64(VIRTIO_F_VERSION_1) | RWY_BIT64(VIRTIO_F_RING_PACKED) |
			    RWY_BIT64(VIRTIO_NET_F_MRG_RXBUF) | features,
		.nr_pairs = 1,
		.rx_len = 2048,
	};

	rig_start(rig, 1, "", tap_port);
	rig_plug(rig, 0, &config); /* now the interface is there as well */
}

static void set_up_interface(void)
{
	assert_int_equal(system("ip link set " TAP " up address 02:00:00:00:00:02 mtu 9000 && "
				"ip addr add 10.99.0.2/24 dev " TAP " && "
				"ip neigh add 10.99.0.1 lladdr 02:00:00:00:00:01 dev " TAP),
			 0);
}

static int open_packet_socket(void)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETHERTYPE),
				 .sll_ifindex = (int)if_nametoindex(TAP)};
	struct timeval patience = {.tv_sec = RIG_MS / 1000};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETHERTYPE));

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	return fd;
}

/* The next frame of ours; the stack talks to itself on the side. */
static int next_frame(struct switch_rig *rig, struct virtio_net_hdr_mrg_rxbuf *hdr, uint16_t type)
{
	for (;;) {
		int n = peer_wait(&rig->peers[0], 0, hdr, rig->got, sizeof(rig->got), RIG_MS);

		if (n < 14 || (rig->got[12] << 8 | rig->got[13]) == type)
			return n;
	}
}

static void passes_frames_both_ways(void **state)
{
	static struct switch_rig rig;
	struct virtio_net_hdr_mrg_rxbuf hdr = {0};

	rig_up(&rig, 0);
	set_up_interface();
	int fd = open_packet_socket();

	for (uint32_t i = 0; i < 2000; i++) {
		uint32_t len = 60 + (i * 7919) % 8900;

		rig_fill(&rig, len, 1, 2, i);
		memset(&hdr, 0, sizeof(hdr));
		assert_int_equal(peer_send(&rig.peers[0], 0, &hdr, rig.frame, len,
					   i % PEER_NR_FRAMINGS),
				 0);
		assert_int_equal(recv(fd, rig.got, sizeof(rig.got), 0), len);
		assert_memory_equal(rig.got, rig.frame, len);
		rig_fill(&rig, len, 2, 1, i);
		assert_int_equal(send(fd, rig.frame, len, 0), len);
		assert_int_equal(next_frame(&rig, &hdr, ETHERTYPE), len);
		assert_memory_equal(rig.got, rig.frame, len);
		assert_int_equal(hdr.hdr.flags, 0);
	}
	rwy_fd_close(&fd);
	rig_stop(&rig);
	assert_int_equal(if_nametoindex(TAP), 0);
}

/* What the stack leaves to hardware reaches a driver that negotiated it, and not one that did not.
 */
static void offloads_come_from_the_stack(void **state)
{
	static struct switch_rig rig;
	struct virtio_net_hdr_mrg_rxbuf hdr;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7)};
	char data[1000];

	inet_pton(AF_INET, "10.99.0.1", &to.sin_addr);
	memset(data, 0x5a, sizeof(data));
	for (int able = 0; able <= 1; able++) {
		rig_up(&rig, able ? OFFLOADS : 0);
		set_up_interface();
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		assert_true(fd >= 0);
		assert_int_equal(sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&to,
					sizeof(to)),
				 sizeof(data));
		int n = next_frame(&rig, &hdr, 0x0800);

		assert_int_equal(n, 14 + 20 + 8 + sizeof(data));
		if (able) {
			assert_int_equal(hdr.hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
			assert_int_equal(hdr.hdr.csum_start, 34);
			assert_int_equal(hdr.hdr.csum_offset, 6);
		} else {
			uint32_t sum = 17 + (uint32_t)n - 34;

			assert_int_equal(hdr.hdr.flags, 0);
			for (int i = 26; i < n; i += 2)
				sum += (uint32_t)rig.got[i] << 8 | rig.got[i + 1];
			while (sum >> 16)
				sum = (sum & 0xffff) + (sum >> 16);
			assert_int_equal(sum, 0xffff);
		}
		rwy_fd_close(&fd);
		rig_stop(&rig);
	}
}

/* The interface disappears under it: one port less, the others live. */
static void survives_losing_the_interface(void **state)
{
	static struct switch_rig rig;
	struct virtio_net_hdr_mrg_rxbuf hdr = {0};

	rig_up(&rig, 0);
	set_up_interface();
	assert_int_equal(system("ip link del " TAP), 0);
	rig_fill(&rig, 60, 1, 2, 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(peer_send(&rig.peers[0], 0, &hdr, rig.frame, 60, PEER_ONE), 0);
		assert_int_equal(rwy_poll_once(rig.poll, 1), 0);
	}
	while (!peer_sent_all(&rig.peers[0], 0))
		assert_true(rwy_poll_once(rig.poll, 1) >= 0);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_frames_both_ways),
		cmocka_unit_test(offloads_come_from_the_stack),
		cmocka_unit_test(survives_losing_the_interface),
	};

	if (unshare(CLONE_NEWNET) < 0) {
		printf("1..0 # SKIP tap: a network namespace needs root: %s\n", strerror(errno));
		return 0;
	}
	return UNIT_RUN(tests);
}
