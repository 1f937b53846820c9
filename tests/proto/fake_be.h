/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A scripted back-end for testing front-ends: it lives on the same reactor as the front-end under
 * test, writes down what it is asked, keeps what it is given, and misbehaves on command.
 */
#ifndef RWY_TESTS_FAKE_BE_H
#define RWY_TESTS_FAKE_BE_H

#include "tests/unit/unit.h"
#include "lib/poll.h"
#include "lib/vu_chan.h"

#define FAKE_RINGS 8
#define FAKE_LOG   256

enum fake_fault {
	FAKE_GOOD,
	FAKE_SILENT, /* takes the message and never answers */
	FAKE_CLOSE,  /* closes instead of answering */
	FAKE_ID,     /* answers another request */
	FAKE_SIZE,   /* a byte too short, the rest never comes */
	FAKE_BIG,    /* claims a payload longer than any message */
	FAKE_FLAGS,  /* the reply bit is missing */
	FAKE_TWICE,  /* answers twice */
	FAKE_FDS,    /* surplus descriptors */
	FAKE_REFUSE, /* a non-zero acknowledgement */
	FAKE_NR_FAULTS
};

struct fake {
	struct rwy_poll *poll;
	char path[64];
	int listen_fd;
	struct rwy_watch listen_watch;
	struct rwy_vu_chan chan;
	struct rwy_watch watch;
	int be_req; /* the channel to the front-end */

	/* What it is */
	uint64_t features;
	uint64_t pf;
	unsigned nr_queues;
	uint64_t max_slots;
	uint8_t config[64];
	/* When, counted in messages of one connection, it does what */
	enum fake_fault fault;
	unsigned fault_at;
	unsigned faults_left;

	/* What happened */
	unsigned nr_msgs;   /* over this connection */
	unsigned nr_faulty; /* faults done */
	unsigned accepted;  /* connections */
	uint32_t log[FAKE_LOG];
	unsigned nr_log;
	uint64_t acked;
	uint64_t status;
	unsigned nr_regions;
	uint64_t region_uva;
	struct rwy_vu_vring_addr addr[FAKE_RINGS];
	uint32_t num[FAKE_RINGS];
	uint32_t base[FAKE_RINGS];
	uint32_t enabled[FAKE_RINGS];
	int kick[FAKE_RINGS];
	int call[FAKE_RINGS];
	int err[FAKE_RINGS];
	int inflight_fd;
	unsigned inflight_made;
	unsigned inflight_given;
	uint8_t config_written[64];
	unsigned be_replies;
	uint64_t be_reply;
};

void fake_open(struct fake *fake, struct rwy_poll *poll);
void fake_close(struct fake *fake);
/* As kill -9: connection and listening socket go. */
void fake_kill(struct fake *fake);
void fake_listen(struct fake *fake);
/* Connects to a front-end that listens. */
void fake_connect(struct fake *fake, const char *path);
/* Sends a request of its own over the back-end channel. */
void fake_request(struct fake *fake, uint32_t request, uint32_t flags, const void *payload,
		  uint32_t size, unsigned nr_fds);
/* Takes one answer off that channel if there is one. */
bool fake_take_answer(struct fake *fake, uint64_t *value);
bool fake_saw(const struct fake *fake, uint32_t request);

#endif
