/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A front-end that can be made to say anything, with a small guest behind it whose driver is
 * lib/vqd.c. The back-end is on the same reactor (unit tests) or in another process (poll NULL).
 */
#ifndef RWY_TESTS_PEER_H
#define RWY_TESTS_PEER_H

#include "lib/poll.h"
#include "lib/vqd.h"
#include "lib/vu_chan.h"

#define PEER_RINGS	8
#define PEER_MEM_SIZE	(UINT64_C(4) << 20)
#define PEER_GPA	UINT64_C(0x100000)   /* of the guest's one region */
#define PEER_UVA	UINT64_C(0x70000000) /* what the front-end claims its address is */
#define PEER_RING_AREA	0x10000		     /* bytes kept for a ring, from the region's start */
#define PEER_BUFS	(PEER_RINGS * PEER_RING_AREA)
#define PEER_TIMEOUT_MS 10000

struct peer_ring {
	struct rwy_vqd vqd;
	uint16_t size; /* 0: not opened */
	int kick;
	int call;
	int err;
};

struct peer {
	struct rwy_vu_chan chan;
	struct rwy_poll *poll; /* turned while waiting; NULL: the back-end is elsewhere */
	uint64_t features;     /* offered, then acknowledged */
	uint64_t pf;
	int mem_fd;
	uint8_t *mem;
	struct peer_ring rings[PEER_RINGS];
};

/* fd is taken; -1 leaves the guest without a connection. The guest has memory and no ring. */
void peer_open(struct peer *p, struct rwy_poll *poll, int fd);
/* A new connection for the same guest. */
void peer_attach(struct peer *p, int fd);
void peer_close(struct peer *p);

/* As they are, whatever they are. */
void peer_send(struct peer *p, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
	       const int *fds, unsigned nr_fds);
/* The first len bytes of header and payload, with as many copies of fd, up to twice RWY_VU_MAX_FDS.
 */
void peer_send_raw(struct peer *p, const struct rwy_vu_hdr *hdr, const void *payload, size_t len,
		   int fd, unsigned nr_fds);
/* 1 and a message, 0: the back-end closed the connection, -ETIMEDOUT. */
int peer_recv(struct peer *p, struct rwy_vu_msg *msg);
/* Lets a back-end on our reactor work off what it has; another process is given no time. */
void peer_turn(struct peer *p);
/* The same until done(ctx), for PEER_TIMEOUT_MS. */
bool peer_until(struct peer *p, bool (*done)(void *ctx), void *ctx);
/* True when the back-end closed the connection. */
bool peer_is_closed(struct peer *p);

/* A request that is acknowledged: the value of REPLY_ACK, or -1 when the connection is closed. */
int64_t peer_ack(struct peer *p, uint32_t request, const void *payload, uint32_t size,
		 const int *fds, unsigned nr_fds);
int64_t peer_ack_u64(struct peer *p, uint32_t request, uint64_t value, int fd);
int64_t peer_ack_state(struct peer *p, uint32_t request, uint32_t index, uint32_t num);
/* A request with an answer of its own. False when the connection is closed. */
bool peer_ask(struct peer *p, uint32_t request, const void *payload, uint32_t size,
	      struct rwy_vu_msg *reply);
uint64_t peer_ask_u64(struct peer *p, uint32_t request);

/* Features: what is offered and wanted, and REPLY_ACK. */
void peer_negotiate(struct peer *p, uint64_t want);
/* The guest's memory as one region of a table, with an offset into its file. */
struct rwy_vu_region peer_region(void);
int64_t peer_set_mem(struct peer *p);
/* Rings as the guest has them. Addresses are front-end addresses. */
void peer_ring_open(struct peer *p, unsigned q, uint16_t size);
void peer_ring_close(struct peer *p, unsigned q);
struct rwy_vu_vring_addr peer_ring_addr(const struct peer *p, unsigned q);
/* Every message a ring takes, enabled. 0 or the first refusal. */
int64_t peer_ring_start(struct peer *p, unsigned q, uint32_t base);
uint32_t peer_ring_fresh_base(const struct peer *p);
/* GET_VRING_BASE; UINT64_MAX when the connection is closed. */
uint64_t peer_ring_stop(struct peer *p, unsigned q);
/* Guest memory for buffers, off from the first byte not taken by rings. */
rwy_gpa peer_gpa(uint64_t off);
uint8_t *peer_at(struct peer *p, uint64_t off);
/* One chain out and one in; cookie as vqd's. Kicks when wanted. */
void peer_post(struct peer *p, unsigned q, uint64_t out_off, uint32_t out_len, uint64_t in_off,
	       uint32_t in_len, void *cookie);
void peer_kick(struct peer *p, unsigned q);
/* Waits for the next used chain: 1, or -ETIMEDOUT. */
int peer_used(struct peer *p, unsigned q, void **cookie, uint32_t *len);
/* Posts one chain and sees it come back within the time: the ring is served. */
bool peer_is_served(struct peer *p, unsigned q, uint32_t out_len, uint32_t in_len);

#endif
