/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The smallest device on vhost-backends/be.c: what it reads from a chain it writes into the same
 * chain. It can be told to keep what it popped, and writes down what be.c asks of it.
 */
#ifndef RWY_TESTS_ECHO_H
#define RWY_TESTS_ECHO_H

#include "vhost-backends/be.h"

#define ECHO_RINGS  4
#define ECHO_CONFIG 24
#define ECHO_HELD   64

struct echo {
	struct rwy_poll *poll;
	struct rwy_poller poller; /* always added */
	struct rwy_be *be;	  /* NULL: no connection */
	bool hold;		  /* keep requests until echo_release */
	bool mem_refuses;	  /* the memory listener says no */

	/* What happened */
	bool running[ECHO_RINGS];
	bool stopping[ECHO_RINGS];
	unsigned nr_starts;
	unsigned nr_stops;
	unsigned nr_enables;
	unsigned nr_resets;
	unsigned nr_lost;
	unsigned nr_features;
	unsigned nr_echoed;
	unsigned nr_regions;
	uint64_t rarp;
	uint64_t mtu;
	uint8_t config[ECHO_CONFIG];

	struct echo_held {
		unsigned q;
		struct rwy_chain chain;
		struct iovec iov[8];
	} held[ECHO_HELD];
	unsigned nr_held;
};

extern const struct rwy_be_ops echo_ops;

void echo_open(struct echo *e, struct rwy_poll *poll);
void echo_close(struct echo *e);
/* Everything the device can offer. */
struct rwy_be_config echo_config(struct echo *e);
/* Serves a connection; *fd is taken. */
void echo_attach(struct echo *e, const struct rwy_be_config *config, int *fd);
/* Completes the n oldest requests kept, newest first. */
void echo_release(struct echo *e, unsigned n);

#endif
