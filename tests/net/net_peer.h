/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's network driver without a guest: a vhost-user front-end, its memory and one or more
 * queue pairs. For tests that look at every byte, not for speed.
 */
#ifndef RWY_TESTS_NET_NET_PEER_H
#define RWY_TESTS_NET_NET_PEER_H

#include "lib/mem.h"
#include "lib/poll.h"
#include "lib/shm.h"
#include "lib/vqd.h"
#include "lib/vu_front.h"

#include <linux/virtio_net.h>

#define PEER_PAIRS     4
#define PEER_RING      256
#define PEER_FRAME_MAX (65536 + 64)

/* How a frame to send is laid into buffers. */
enum peer_framing {
	PEER_ONE,      /* header and frame in one */
	PEER_TWO,      /* header, frame */
	PEER_CRUMBS,   /* many, of 1 to 200 bytes */
	PEER_INDIRECT, /* crumbs behind one indirect descriptor */
	PEER_NR_FRAMINGS
};

struct peer_config {
	const char *socket_path;
	bool listen;	   /* ringway-net comes to us */
	uint64_t features; /* wanted; the ring format and everything else follows from them */
	unsigned nr_pairs;
	uint32_t rx_len; /* bytes of each receive buffer, header included */
	bool foreign;	 /* not ours: may leave num_buffers alone where there is but one */
};

struct peer_queue {
	struct rwy_vqd vqd;
	uint8_t *data; /* PEER_RING slots of slot_len */
	uint64_t data_gpa;
	uint32_t slot_len;
	struct vring_desc *tables; /* PEER_RING of PEER_CRUMBS_MAX */
	uint64_t tables_gpa;
	bool busy[PEER_RING];
	unsigned next;
};

struct peer {
	struct peer_config config;
	struct rwy_poll *poll; /* not owned */
	struct rwy_shm shm;
	struct rwy_mem mem;
	struct rwy_vu_front *front;
	struct rwy_vu_ring rings[2 * PEER_PAIRS];
	struct peer_queue queues[2 * PEER_PAIRS];
	uint64_t features; /* negotiated */
	uint64_t shm_used;
	uint32_t seed;
	unsigned ready, started, lost, stopped;
	int error; /* the first thing that went wrong in a callback */
};

/* Connects; peer stays put until closed. The others run poll until it happened or time is up. */
int peer_open(struct peer *peer, struct rwy_poll *poll, const struct peer_config *config);
void peer_close(struct peer *peer);
/* Until its rings run. -ETIMEDOUT. */
int peer_wait_started(struct peer *peer, unsigned ms);
/* Takes its rings down; the connection stays. */
int peer_stop(struct peer *peer, unsigned ms);
/* And up again where they were. */
int peer_restart(struct peer *peer, unsigned ms);

/*
 * Puts one frame into the transmit ring of a pair and shows it. -ENOSPC: ring full. hdr as the
 * driver writes it; hdr_len of it are sent, the right ones unless a test wants otherwise.
 */
int peer_send(struct peer *peer, unsigned pair, const struct virtio_net_hdr_mrg_rxbuf *hdr,
	      const void *frame, uint32_t len, enum peer_framing framing);
/* Bytes of a frame that came, 0: none, negative errno: the device did not keep the rules. */
int peer_recv(struct peer *peer, unsigned pair, struct virtio_net_hdr_mrg_rxbuf *hdr, void *frame,
	      uint32_t size);
/* The same, waiting for it. -ETIMEDOUT. */
int peer_wait(struct peer *peer, unsigned pair, struct virtio_net_hdr_mrg_rxbuf *hdr, void *frame,
	      uint32_t size, unsigned ms);
/* True when all sent frames were given back by the device. */
bool peer_sent_all(struct peer *peer, unsigned pair);

/* Pseudo-random, the same in each run. */
uint32_t peer_random(struct peer *peer);

#endif
