/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that is none: memory, a vhost-user front-end and the driver side of the rings, for tests
 * that hold a block back-end, a process of its own, against a model.
 */
#ifndef RWY_TESTS_BLK_GUEST_H
#define RWY_TESTS_BLK_GUEST_H

#include "lib/poll.h"
#include "lib/shm.h"
#include "lib/vqd.h"
#include "lib/vu_front.h"

#include <linux/virtio_blk.h>
#include <sys/types.h>

#define GUEST_QUEUES 4
#define GUEST_SIZE   128 /* of a ring */
#define GUEST_DEPTH  32	 /* requests under way in one queue */
#define GUEST_DATA   (64u << 10)
#define GUEST_BUFS   25

struct guest_queue;

/* One request and the guest memory it has for itself. */
struct guest_req {
	struct guest_queue *queue;
	struct virtio_blk_outhdr *hdr;
	uint8_t *data;
	uint8_t *status;
	struct vring_desc *table;
	uint64_t gpa; /* of hdr; the others follow */
	uint32_t written;
	unsigned nr_done; /* times it came back; never more than once */
	bool busy;
	uint64_t tag; /* the test's */
};

struct guest_queue {
	struct guest *guest;
	struct rwy_vqd vqd;
	struct guest_req reqs[GUEST_DEPTH];
	unsigned idx;
	unsigned nr_busy;
};

struct guest {
	struct rwy_poll *poll;
	struct rwy_shm shm;
	struct rwy_mem mem;
	struct rwy_vu_front *front;
	struct rwy_vu_ring rings[GUEST_QUEUES];
	struct guest_queue queues[GUEST_QUEUES];
	struct rwy_watch call_watch[GUEST_QUEUES];
	unsigned nr_queues;
	uint64_t features;
	bool indirect; /* use tables, by turns */
	unsigned seed;
	unsigned nr_ready;
	unsigned nr_started;
	unsigned nr_lost;
	unsigned nr_stopped;
	uint64_t nr_done;
};

/* Connects and waits until the rings run. The features wanted besides VERSION_1. */
void guest_open(struct guest *guest, const char *socket, unsigned nr_queues, uint64_t features);
void guest_close(struct guest *guest);
/* Runs the guest until *what reaches value; fails the test after 10 s. */
void guest_until(struct guest *guest, const unsigned *what, unsigned value);
const struct virtio_blk_config *guest_config(const struct guest *guest);

/* A request that is not under way, or NULL. */
struct guest_req *guest_take(struct guest_queue *queue);
/*
 * Sends it, cut into buffers at random places: header and out bytes of data to the device, in
 * bytes of data and the status from it. Visible at the next guest_kick.
 */
void guest_send(struct guest_req *req, uint32_t type, uint64_t sector, uint32_t out, uint32_t in);
void guest_kick(struct guest_queue *queue);
/* Takes answers until at most nr_busy requests of the queue are under way; sleeps between. */
void guest_wait(struct guest_queue *queue, unsigned nr_busy);
/* One request from start to answer; its status. Its data is in queue->reqs[0] to begin with. */
uint8_t guest_ask(struct guest_queue *queue, struct guest_req *req, uint32_t type, uint64_t sector,
		  uint32_t out, uint32_t in);

/* ringway-blk with these arguments, ending with NULL; RWY_BLK in the environment is its path. */
pid_t guest_spawn(const char *const *args);
/* Waits for its end; exit status, or 128 + signal. */
int guest_reap(pid_t pid, int sig);

#endif
