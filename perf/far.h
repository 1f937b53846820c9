/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The far end of a network path: a network namespace of its own that holds one interface, answers
 * pings and runs an iperf3 server. It is gone when its processes are, also when this one is killed.
 * Main thread; nobody else may be in the wrong namespace meanwhile.
 */
#ifndef RWY_PERF_FAR_H
#define RWY_PERF_FAR_H

#include "perf/answer.h"
#include "perf/args.h"
#include "perf/run.h"

#define RWY_FAR_IF  "rwy0"		/* what a tap in it is to be called */
#define RWY_FAR_MAC "52:54:00:52:57:01" /* what its interface gets, if it has no other */

/* Its server's command line. */
extern const char *const rwy_far_server[];

struct rwy_far {
	int fd;		 /* the namespace; -1: closed */
	int home_fd;	 /* the one that we are from */
	char ifname[32]; /* its interface */
	char mac[18];	 /* and the address of that */
	struct rwy_run_proc server;
	struct rwy_run_proc call; /* the last command in it */
	struct rwy_args frames;	  /* the last rate of frames; no words: there was none */
};

/* Packets of the interface: from the guest, and to the guest. */
struct rwy_far_counts {
	uint64_t from_guest;
	uint64_t to_guest;
};

/* Without an interface. -errno; -EPERM: only root may. */
RWY_MUST_CHECK int rwy_far_open(struct rwy_run *run, struct rwy_far *far, unsigned cpu);
/* All that is started in between is in the namespace. */
RWY_MUST_CHECK int rwy_far_enter(const struct rwy_far *far);
void rwy_far_leave(const struct rwy_far *far);
/* A tap for somebody who opens it later, many: once for each of its queues. */
RWY_MUST_CHECK int rwy_far_add_tap(struct rwy_run *run, struct rwy_far *far, unsigned cpu,
				   bool many);
/* Gives it the interface of the host's that is called so. It comes back when the namespace ends. */
RWY_MUST_CHECK int rwy_far_take(struct rwy_run *run, struct rwy_far *far, unsigned cpu,
				const char *ifname);
/*
 * Waits for the interface, gives it its address and starts the server. guest_mac: the guest is at
 * this one, no question asked; NULL: ask.
 */
RWY_MUST_CHECK int rwy_far_serve(struct rwy_run *run, struct rwy_far *far, unsigned cpu,
				 const char *guest_mac);
/*
 * Runs ringway-perf frames in it: what came back of those sent to that address. Its command stays
 * in far->frames. -EREMOTEIO: it failed, far->call says why.
 */
RWY_MUST_CHECK int rwy_far_frames(struct rwy_run *run, struct rwy_far *far, unsigned cpu,
				  const char *to, unsigned rate, unsigned seconds,
				  struct rwy_answer *answer);
RWY_MUST_CHECK int rwy_far_count(const struct rwy_far *far, struct rwy_far_counts *counts);
void rwy_far_close(struct rwy_run *run, struct rwy_far *far);

#endif
