/* SPDX-License-Identifier: BSD-3-Clause */
/* ringway-net from outside: what a driver puts into its ring comes out of another driver's. */
#include "tests/net/switch_rig.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BASE	 RWY_BIT64(VIRTIO_F_VERSION_1)
#define MRG	 RWY_BIT64(VIRTIO_NET_F_MRG_RXBUF)
#define PACKED	 RWY_BIT64(VIRTIO_F_RING_PACKED)
#define INDIRECT RWY_BIT64(VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT	 RWY_BIT64(VIRTIO_RING_F_EVENT_IDX)
#define IN_ORDER RWY_BIT64(VIRTIO_F_IN_ORDER)
#define OFFLOADS                                                            \
	(RWY_BIT64(VIRTIO_NET_F_CSUM) | RWY_BIT64(VIRTIO_NET_F_HOST_TSO4) | \
	 RWY_BIT64(VIRTIO_NET_F_GUEST_CSUM) | RWY_BIT64(VIRTIO_NET_F_GUEST_TSO4))

static const uint64_t formats[] = {
	BASE,	       BASE | EVENT | INDIRECT,		 BASE | IN_ORDER | INDIRECT,
	BASE | PACKED, BASE | PACKED | EVENT | INDIRECT, BASE | PACKED | IN_ORDER | INDIRECT,
};

static struct peer_config driver(uint64_t features)
{
	return (struct peer_config){.features = features, .nr_pairs = 1, .rx_len = 2048};
}

/* Every ring format against every other, every framing, sizes to the end of the buffer. */
static void passes_every_format(void **state)
{
	static struct switch_rig rig;

	rig_start(&rig, 2, "", NULL);
	for (unsigned a = 0; a < RWY_ARRAY_SIZE(formats); a++) {
		for (unsigned b = 0; b < RWY_ARRAY_SIZE(formats); b++) {
			struct peer_config left = driver(formats[a]);
			struct peer_config right = driver(formats[b] | MRG);

			rig_plug(&rig, 0, &left);
			rig_plug(&rig, 1, &right);
			assert_int_equal(rig.peers[0].features, formats[a]);
			assert_int_equal(rig.peers[1].features, formats[b] | MRG);
			for (uint32_t i = 0; i < 240; i++) {
				uint32_t len = 14 + (i * 97) % (2048 - 12 - 14 + 1);

				rig_pass(&rig, i % 2, !(i % 2), 0, len, i / 2 % PEER_NR_FRAMINGS,
					 i);
			}
			for (unsigned p = 0; p < 2; p++) {
				assert_true(peer_sent_all(&rig.peers[p], 0));
				rig_unplug(&rig, p);
			}
		}
	}
	rig_stop(&rig);
}

/* Frames much longer than a buffer are spread over as many as it takes. */
static void merges_buffers(void **state)
{
	static struct switch_rig rig;

	rig_start(&rig, 2, "", NULL);
	for (unsigned f = 0; f < RWY_ARRAY_SIZE(formats); f++) {
		struct peer_config left = driver(formats[f] | MRG);
		struct peer_config right = driver(formats[f] | MRG);

		left.rx_len = 1526;
		right.rx_len = 4096;
		rig_plug(&rig, 0, &left);
		rig_plug(&rig, 1, &right);
		for (uint32_t i = 0; i < 200; i++)
			rig_pass(&rig, i % 2, !(i % 2), 0, 14 + (i * 7919) % 65521,
				 i / 2 % PEER_NR_FRAMINGS, i);
		rig_pass(&rig, 0, 1, 0, 65553, PEER_ONE, 1);
		rig_pass(&rig, 0, 1, 0, 4096 - 12, PEER_ONE, 1);
		rig_pass(&rig, 0, 1, 0, 4096 - 11, PEER_ONE, 1);
		rig_unplug(&rig, 0);
		rig_unplug(&rig, 1);
	}
	rig_stop(&rig);
}

/* A burst keeps its order, and more than the ring holds comes through when the driver refills. */
static void keeps_order_in_bursts(void **state)
{
	static struct switch_rig rig;
	struct virtio_net_hdr_mrg_rxbuf hdr = {0};

	rig_start(&rig, 2, "", NULL);
	for (unsigned f = 0; f < RWY_ARRAY_SIZE(formats); f++) {
		struct peer_config config = driver(formats[f]);
		uint32_t sent = 0, got = 0;

		rig_plug(&rig, 0, &config);
		rig_plug(&rig, 1, &config);
		while (got < 3000) {
			for (int i = 0; i < 40 && sent < 3000; i++) {
				rig_fill(&rig, 60, 1, 2, sent);
				memcpy(rig.frame + 14, &sent, sizeof(sent));
				memset(&hdr, 0, sizeof(hdr));
				if (peer_send(&rig.peers[0], 0, &hdr, rig.frame, 60,
					      sent % PEER_NR_FRAMINGS) == -ENOSPC)
					break;
				sent++;
			}
			for (int i = 0; i < 40 && got < sent; i++) {
				uint32_t number;

				assert_int_equal(peer_wait(&rig.peers[1], 0, &hdr, rig.got,
							   sizeof(rig.got), RIG_MS),
						 60);
				memcpy(&number, rig.got + 14, sizeof(number));
				assert_int_equal(number, got++);
			}
		}
		rig_unplug(&rig, 0);
		rig_unplug(&rig, 1);
	}
	rig_stop(&rig);
}

static void learns_and_floods(void **state)
{
	static struct switch_rig rig;
	struct peer_config config = driver(BASE | PACKED);
	struct virtio_net_hdr_mrg_rxbuf hdr = {0};

	rig_start(&rig, 3, "", NULL);
	for (unsigned i = 0; i < 3; i++)
		rig_plug(&rig, i, &config);
	rig_fill(&rig, 60, 1, 255, 5);
	assert_int_equal(peer_send(&rig.peers[0], 0, &hdr, rig.frame, 60, PEER_ONE), 0);
	for (unsigned i = 1; i < 3; i++)
		assert_int_equal(peer_wait(&rig.peers[i], 0, &hdr, rig.got, 100, RIG_MS), 60);
	rig_pass(&rig, 1, 0, 0, 100, PEER_ONE, 1);
	rig_expect_silence(&rig, 2);
	rig_pass(&rig, 0, 1, 0, 100, PEER_ONE, 2);
	rig_expect_silence(&rig, 2);
	/* the driver behind port 1 goes: what was learnt there goes with it */
	rig_unplug(&rig, 1);
	rig_pass(&rig, 2, 0, 0, 100, PEER_ONE, 3);
	memset(&hdr, 0, sizeof(hdr));
	rig_fill(&rig, 60, 1, 2, 5);
	assert_int_equal(peer_send(&rig.peers[0], 0, &hdr, rig.frame, 60, PEER_ONE), 0);
	assert_int_equal(peer_wait(&rig.peers[2], 0, &hdr, rig.got, 100, RIG_MS), 60);
	rig_stop(&rig);
}

/* Every way of being wrong is counted, given back, and does no harm to what follows. */
static void survives_bad_frames(void **state)
{
	static struct switch_rig rig;
	struct peer_config config = driver(BASE | PACKED | INDIRECT | OFFLOADS);
	const struct {
		struct virtio_net_hdr hdr;
		uint32_t len;
	} bad[] = {
		{{0}, 0},
		{{0}, 13},
		{{0}, 65554},
		{{.flags = 1, .csum_start = 59}, 60},
		{{.flags = 1, .csum_start = 0xffff, .csum_offset = 0xffff}, 60},
		{{.flags = 1, .csum_start = 2}, 60},
		{{.flags = 1, .csum_start = 34, .gso_type = 1}, 60},
		{{.flags = 0, .csum_start = 34, .gso_type = 1, .gso_size = 100}, 60},
		{{.flags = 1, .csum_start = 34, .gso_type = 3, .gso_size = 100}, 60},
		{{.flags = 1, .csum_start = 34, .gso_type = 4, .gso_size = 100}, 60},
		{{.flags = 1, .csum_start = 34, .gso_type = 0x81, .gso_size = 100}, 60},
		{{.flags = 1, .csum_start = 34, .gso_type = 1, .gso_size = 9, .hdr_len = 61}, 60},
	};

	rig_start(&rig, 2, "", NULL);
	rig_plug(&rig, 0, &config);
	rig_plug(&rig, 1, &config);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		const struct virtio_net_hdr_mrg_rxbuf hdr = {.hdr = bad[i].hdr};

		for (unsigned framing = 0; framing < PEER_NR_FRAMINGS; framing++) {
			rig_fill(&rig, bad[i].len, 1, 2, i);
			assert_int_equal(peer_send(&rig.peers[0], 0, &hdr, rig.frame, bad[i].len,
						   framing),
					 0);
		}
		rig_pass(&rig, 0, 1, 0, 60, PEER_ONE, i);
	}
	assert_int_equal(rig_counter(&rig, "port0", "rx_bad"),
			 RWY_ARRAY_SIZE(bad) * PEER_NR_FRAMINGS);
	assert_true(peer_sent_all(&rig.peers[0], 0));
	rig_stop(&rig);
}

/* "Ring states": frames of a started but disabled ring are given back and go nowhere. */
static void drains_a_disabled_ring(void **state)
{
	static struct switch_rig rig;
	struct peer_config config = driver(BASE);
	const struct virtio_net_hdr_mrg_rxbuf hdr = {0};

	rig_start(&rig, 2, "", NULL);
	rig_plug(&rig, 0, &config);
	rig_plug(&rig, 1, &config);
	rig_pass(&rig, 0, 1, 0, 60, PEER_ONE, 1);
	assert_int_equal(rwy_vu_front_enable(rig.peers[0].front, 1, false), 0);
	for (int i = 0; i < 20; i++)
		assert_true(rwy_poll_once(rig.poll, 5) >= 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(peer_send(&rig.peers[0], 0, &hdr, rig.frame, 60,
					   i % PEER_NR_FRAMINGS),
				 0);
	rig_expect_silence(&rig, 1);
	assert_true(peer_sent_all(&rig.peers[0], 0));
	assert_int_equal(rig_counter(&rig, "port0", "rx_disabled"), 100);
	assert_int_equal(rwy_vu_front_enable(rig.peers[0].front, 1, true), 0);
	for (int i = 0; i < 20; i++)
		assert_true(rwy_poll_once(rig.poll, 5) >= 0);
	rig_pass(&rig, 0, 1, 0, 60, PEER_ONE, 2);
	rig_stop(&rig);
}

static void stops_and_goes_on(void **state)
{
	static struct switch_rig rig;

	rig_start(&rig, 2, "", NULL);
	for (unsigned f = 0; f < RWY_ARRAY_SIZE(formats); f++) {
		struct peer_config config = driver(formats[f] & ~IN_ORDER);

		rig_plug(&rig, 0, &config);
		rig_plug(&rig, 1, &config);
		for (uint32_t i = 0; i < 50; i++) {
			for (uint32_t k = 0; k < 11; k++)
				rig_pass(&rig, k % 2, !(k % 2), 0, 60 + k, PEER_TWO, k);
			assert_int_equal(peer_stop(&rig.peers[i % 2], RIG_MS), 0);
			assert_int_equal(peer_restart(&rig.peers[i % 2], RIG_MS), 0);
		}
		rig_unplug(&rig, 0);
		rig_unplug(&rig, 1);
	}
	rig_stop(&rig);
}

static void reconnects_without_leaking(void **state)
{
	static struct switch_rig rig;
	struct peer_config config = driver(BASE | PACKED | MRG);
	int fds = 0;

	rig_start(&rig, 2, "", NULL);
	for (unsigned i = 0; i < 200; i++) {
		config.features ^= PACKED;
		rig_plug(&rig, 0, &config);
		rig_plug(&rig, 1, &config);
		rig_pass(&rig, 0, 1, 0, 60, PEER_ONE, i);
		rig_pass(&rig, 1, 0, 0, 60, PEER_ONE, i);
		if (i == 0)
			fds = rig_fds(&rig);
		assert_int_equal(rig_fds(&rig), fds);
		rig_unplug(&rig, i % 2);
		rig_unplug(&rig, !(i % 2));
	}
	rig_stop(&rig);
}

/* The switch dies and comes back; drivers keep their rings and notice a pause at most. */
static void drivers_survive_its_death(void **state)
{
	static struct switch_rig rig;

	rig_start(&rig, 2, "", NULL);
	for (unsigned f = 0; f < RWY_ARRAY_SIZE(formats); f++) {
		struct peer_config config = driver(formats[f]);

		rig_plug(&rig, 0, &config);
		rig_plug(&rig, 1, &config);
		rig_pass(&rig, 0, 1, 0, 60, PEER_ONE, 1);
		for (unsigned i = 0; i < 2; i++)
			rig.peers[i].started = 0;
		rig_kill_and_restart(&rig, "", NULL);
		for (unsigned i = 0; i < 2; i++) {
			rig.peers[i].lost = 0;
			assert_int_equal(peer_wait_started(&rig.peers[i], RIG_MS), 0);
		}
		for (uint32_t i = 0; i < 300; i++)
			rig_pass(&rig, i % 2, !(i % 2), 0, 60 + i, PEER_TWO, i);
		rig_unplug(&rig, 0);
		rig_unplug(&rig, 1);
	}
	rig_stop(&rig);
}

/* A receiver that takes nothing costs its senders a moment, then frames; nobody else notices. */
static void drops_for_a_full_receiver(void **state)
{
	static struct switch_rig rig;
	struct virtio_net_hdr_mrg_rxbuf hdr = {0};
	const uint32_t sent = 3 * PEER_RING;

	rig_start(&rig, 3, "", NULL);
	for (unsigned f = 0; f < RWY_ARRAY_SIZE(formats); f++) {
		struct peer_config config = driver(formats[f]);

		for (unsigned i = 0; i < 3; i++)
			rig_plug(&rig, i, &config);
		rig_pass(&rig, 1, 0, 0, 60, PEER_ONE, 1);
		rig_unplug(&rig, 2);
		rig_plug(&rig, 2, &config); /* what was flooded to it is gone */
		uint64_t full = rig_counter(&rig, "port1", "tx_full");

		for (uint32_t i = 0; i < sent; i++) {
			rig_fill(&rig, 60, 1, 2, i);
			memcpy(rig.frame + 14, &i, sizeof(i));
			memset(&hdr, 0, sizeof(hdr));
			while (peer_send(&rig.peers[0], 0, &hdr, rig.frame, 60, PEER_ONE))
				assert_true(rwy_poll_once(rig.poll, 1) >= 0);
		}
		rig_pass(&rig, 2, 0, 0, 60, PEER_ONE, 2);
		while (!peer_sent_all(&rig.peers[0], 0))
			assert_true(rwy_poll_once(rig.poll, 1) >= 0);
		assert_int_equal(rig_counter(&rig, "port1", "tx_full") - full, sent - PEER_RING);
		for (uint32_t i = 0; i < PEER_RING; i++) {
			uint32_t number;

			assert_int_equal(peer_wait(&rig.peers[1], 0, &hdr, rig.got, 100, RIG_MS),
					 60);
			memcpy(&number, rig.got + 14, sizeof(number));
			assert_int_equal(number, i);
		}
		rig_expect_silence(&rig, 1);
		rig_pass(&rig, 0, 1, 0, 60, PEER_ONE, 3);
		for (unsigned i = 0; i < 3; i++)
			rig_unplug(&rig, i);
	}
	rig_stop(&rig);
}

/* One request on a connection made by hand, with its answer when it has one. */
static void ask(int fd, uint32_t request, void *payload, uint32_t size, uint32_t answer_size)
{
	struct {
		struct rwy_vu_hdr hdr;
		uint8_t payload[64];
	} msg = {.hdr = {request, RWY_VU_FLAG_VERSION, size}};
	ssize_t len = (ssize_t)(sizeof(msg.hdr) + size);

	memcpy(msg.payload, payload, size);
	assert_int_equal(send(fd, &msg, (size_t)len, 0), len);
	if (answer_size == 0)
		return;
	len = (ssize_t)(sizeof(msg.hdr) + answer_size);
	assert_int_equal(recv(fd, &msg, (size_t)len, MSG_WAITALL), len);
	assert_int_equal(msg.hdr.request, request);
	assert_int_equal(msg.hdr.size, answer_size);
	memcpy(payload, msg.payload, answer_size);
}

static int connect_by_hand(const struct switch_rig *rig, unsigned port, uint64_t *features)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t number;

	strcpy(at.sun_path, rig->paths[port]);
	while (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) /* not yet up */
		usleep(1000);
	ask(fd, RWY_VU_GET_FEATURES, features, 0, 8);
	ask(fd, RWY_VU_GET_PROTOCOL_FEATURES, &number, 0, 8);
	ask(fd, RWY_VU_SET_PROTOCOL_FEATURES, &number, 8, 0);
	ask(fd, RWY_VU_SET_OWNER, &number, 0, 0);
	return fd;
}

static struct virtio_net_config config_of(int fd)
{
	struct {
		uint32_t offset;
		uint32_t size;
		uint32_t flags;
		struct virtio_net_config config;
	} __attribute__((packed)) msg = {.size = sizeof(msg.config)};

	ask(fd, RWY_VU_GET_CONFIG, &msg, sizeof(msg), sizeof(msg));
	return msg.config;
}

/* SEND_RARP announces a guest that has moved here; NET_SET_MTU says what was agreed on. */
static void takes_announcements_and_mtu(void **state)
{
	static struct switch_rig rig;
	struct peer_config config = driver(BASE | PACKED);
	struct virtio_net_hdr_mrg_rxbuf hdr;
	uint64_t number = 0;
	const uint8_t rarp[42] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 0x80, 0x35,
				  0,   1,   8,	 0,   6,   4,	0, 3, 2, 0, 0, 0, 0,	9,
				  0,   0,   0,	 0,   2,   0,	0, 0, 0, 9, 0, 0, 0,	0};

	rig_start(&rig, 2, "", NULL);
	rig_plug(&rig, 0, &config);
	int fd = connect_by_hand(&rig, 1, &number);

	assert_false(number & RWY_BIT64(VIRTIO_NET_F_MAC));
	assert_int_equal(config_of(fd).mtu, 1500);
	number = 9000;
	ask(fd, RWY_VU_NET_SET_MTU, &number, 8, 0);
	assert_int_equal(config_of(fd).mtu, 9000);
	number = 67; /* refused: less than IPv4 can live with */
	ask(fd, RWY_VU_NET_SET_MTU, &number, 8, 0);
	assert_int_equal(config_of(fd).mtu, 9000);
	number = 0;
	memcpy(&number, rarp + 6, 6);
	ask(fd, RWY_VU_SEND_RARP, &number, 8, 0);
	assert_int_equal(peer_wait(&rig.peers[0], 0, &hdr, rig.got, 100, RIG_MS), 60);
	assert_memory_equal(rig.got, rarp, sizeof(rarp));
	rwy_fd_close(&fd);
	rig_stop(&rig);
}

static void shows_its_config(void **state)
{
	static struct switch_rig rig;
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x77};
	uint64_t features = 0;

	rig_start(&rig, 1, ",queues=4,mac=02:00:00:00:00:77", NULL);
	int fd = connect_by_hand(&rig, 0, &features);
	struct virtio_net_config config = config_of(fd);

	assert_true(features & RWY_BIT64(VIRTIO_NET_F_MAC));
	assert_memory_equal(config.mac, mac, sizeof(mac));
	assert_int_equal(config.max_virtqueue_pairs, 4);
	assert_int_equal(config.status, VIRTIO_NET_S_LINK_UP);
	rwy_fd_close(&fd);
	rig_stop(&rig);
}

static void connects_as_a_client(void **state)
{
	static struct switch_rig rig;
	struct peer_config config = driver(BASE | PACKED);

	rig_start(&rig, 2, ",mode=client", NULL);
	for (unsigned i = 0; i < 3; i++) {
		rig_plug(&rig, 0, &config);
		rig_plug(&rig, 1, &config);
		for (uint32_t k = 0; k < 20; k++)
			rig_pass(&rig, k % 2, !(k % 2), 0, 60 + k, PEER_TWO, k);
		rig_unplug(&rig, 0);
		rig_unplug(&rig, 1);
	}
	rig_stop(&rig);
}

static void uses_every_queue_pair(void **state)
{
	static struct switch_rig rig;
	struct peer_config config = driver(BASE | PACKED | RWY_BIT64(VIRTIO_NET_F_MQ));

	config.nr_pairs = PEER_PAIRS;
	rig_start(&rig, 2, ",queues=4", NULL);
	rig_plug(&rig, 0, &config);
	rig_plug(&rig, 1, &config);
	/* a flow that comes in by pair q leaves by pair q */
	for (uint32_t i = 0; i < 400; i++)
		rig_pass(&rig, i % 2, !(i % 2), i / 2 % PEER_PAIRS, 60 + i, PEER_ONE, i);
	rig_stop(&rig);
}

static uint32_t sum16(const uint8_t *p, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* TCP over IPv4 with a partial checksum, `data` bytes behind 54 of headers. */
static void fill_tcp(struct switch_rig *rig, uint32_t data)
{
	uint8_t *p = rig->frame;
	uint32_t tcp_len = 20 + data, sum;

	rig_fill(rig, 54 + data, 1, 2, data);
	memcpy(p + 12, "\x08\x00\x45\0\0\0\0\7\x40\0\x40\6\0\0\x0a\0\0\1\x0a\0\0\2", 22);
	p[16] = (uint8_t)((tcp_len + 20) >> 8);
	p[17] = (uint8_t)(tcp_len + 20);
	p[46] = 5 << 4;
	p[47] = 0x10;
	sum = sum16(p + 26, 8, 6 + tcp_len);
	p[50] = (uint8_t)(sum >> 8);
	p[51] = (uint8_t)sum;
}

static bool tcp_is_right(const uint8_t *p, uint32_t len)
{
	return sum16(p + 34, len - 34, sum16(p + 26, 8, 6 + len - 34)) == 0xffff;
}

/* What both sides can do passes untouched; what the receiver lacks is done for it. */
static void offloads_follow_the_receiver(void **state)
{
	static struct switch_rig rig;
	struct peer_config left = driver(BASE | PACKED | OFFLOADS);
	struct peer_config able = driver(BASE | MRG | OFFLOADS);
	struct peer_config poor = driver(BASE);
	const struct virtio_net_hdr_mrg_rxbuf tso = {.hdr = {.flags = 1,
							     .gso_type = 1,
							     .hdr_len = 54,
							     .gso_size = 1000,
							     .csum_start = 34,
							     .csum_offset = 16}};
	const struct virtio_net_hdr_mrg_rxbuf csum = {
		.hdr = {.flags = 1, .csum_start = 34, .csum_offset = 16}};
	struct virtio_net_hdr_mrg_rxbuf hdr;

	rig_start(&rig, 2, "", NULL);
	rig_plug(&rig, 0, &left);
	rig_plug(&rig, 1, &able);
	fill_tcp(&rig, 10000);
	assert_int_equal(peer_send(&rig.peers[0], 0, &tso, rig.frame, 10054, PEER_CRUMBS), 0);
	assert_int_equal(peer_wait(&rig.peers[1], 0, &hdr, rig.got, sizeof(rig.got), RIG_MS),
			 10054);
	assert_memory_equal(rig.got, rig.frame, 10054);
	assert_memory_equal(&hdr.hdr, &tso.hdr, sizeof(hdr.hdr));
	fill_tcp(&rig, 777);
	assert_int_equal(peer_send(&rig.peers[0], 0, &csum, rig.frame, 831, PEER_ONE), 0);
	assert_int_equal(peer_wait(&rig.peers[1], 0, &hdr, rig.got, sizeof(rig.got), RIG_MS), 831);
	assert_memory_equal(rig.got, rig.frame, 831);
	assert_memory_equal(&hdr.hdr, &csum.hdr, sizeof(hdr.hdr));
	rig_unplug(&rig, 1);

	rig_plug(&rig, 1, &poor);
	fill_tcp(&rig, 777);
	assert_int_equal(peer_send(&rig.peers[0], 0, &csum, rig.frame, 831, PEER_CRUMBS), 0);
	assert_int_equal(peer_wait(&rig.peers[1], 0, &hdr, rig.got, sizeof(rig.got), RIG_MS), 831);
	assert_int_equal(hdr.hdr.flags, 0);
	assert_true(tcp_is_right(rig.got, 831));
	fill_tcp(&rig, 10000);
	assert_int_equal(peer_send(&rig.peers[0], 0, &tso, rig.frame, 10054, PEER_CRUMBS), 0);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(peer_wait(&rig.peers[1], 0, &hdr, rig.got, sizeof(rig.got),
					   RIG_MS),
				 1054);
		assert_int_equal(hdr.hdr.flags, 0);
		assert_int_equal(hdr.hdr.gso_type, 0);
		assert_true(tcp_is_right(rig.got, 1054));
		assert_memory_equal(rig.got + 54, rig.frame + 54 + 1000 * i, 1000);
	}
	rig_expect_silence(&rig, 1);
	assert_int_equal(rig_counter(&rig, "port1", "tx_lowered"), 2);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_every_format),
		cmocka_unit_test(merges_buffers),
		cmocka_unit_test(keeps_order_in_bursts),
		cmocka_unit_test(learns_and_floods),
		cmocka_unit_test(survives_bad_frames),
		cmocka_unit_test(drains_a_disabled_ring),
		cmocka_unit_test(stops_and_goes_on),
		cmocka_unit_test(reconnects_without_leaking),
		cmocka_unit_test(drivers_survive_its_death),
		cmocka_unit_test(drops_for_a_full_receiver),
		cmocka_unit_test(takes_announcements_and_mtu),
		cmocka_unit_test(shows_its_config),
		cmocka_unit_test(connects_as_a_client),
		cmocka_unit_test(uses_every_queue_pair),
		cmocka_unit_test(offloads_follow_the_receiver),
	};

	return UNIT_RUN(tests);
}
