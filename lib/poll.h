/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reactor: one thread, its pollers (data) and its watches (control), on one loop.
 *
 * Each round runs every poller with a budget. When all of them were idle for a while, every poller
 * is armed; if none found late work the thread sleeps in epoll on all watched fds, kicks among
 * them, and disarms on waking. In busy times watches are looked at every RWY_POLL_CONTROL_ROUNDS
 * rounds. So a control message is always handled between two polls of the same thread, and nothing
 * in here takes a lock.
 *
 * All functions are for the reactor's own thread, but rwy_poll_stop and rwy_poll_post.
 */
#ifndef RWY_LIB_POLL_H
#define RWY_LIB_POLL_H

#include "lib/bell.h"
#include "lib/stats.h"

#define RWY_POLL_BUDGET		32
#define RWY_POLL_CONTROL_ROUNDS 1024

enum rwy_poll_mode {
	RWY_POLL_ALWAYS,   /* never sleeps while a poller is registered */
	RWY_POLL_ADAPTIVE, /* sleeps after a spell of idle rounds (default) */
	RWY_POLL_NEVER,	   /* sleeps whenever a round found nothing */
};
RWY_MUST_CHECK int rwy_poll_parse_mode(const char *name, enum rwy_poll_mode *mode);

/* Embedded by its owner; must stay put while added. */
struct rwy_poller {
	/* Does up to budget units of work; returns how many, 0 is idle. */
	unsigned (*poll)(void *ctx, unsigned budget);
	/* Asks its peers for wake-ups, looks again. True: there is work, do not sleep. May be NULL.
	 */
	bool (*arm)(void *ctx);
	void (*disarm)(void *ctx); /* may be NULL */
	void *ctx;
	struct rwy_poller *next; /* the reactor's */
};

/* events: EPOLLIN and so on. The callback may delete its own or any other watch or poller. */
struct rwy_watch {
	int fd; /* not owned */
	uint32_t events;
	void (*ready)(void *ctx, uint32_t events);
	void *ctx;
};

/* A one-shot timer, embedded. */
struct rwy_timer {
	uint64_t at_ns; /* CLOCK_MONOTONIC */
	void (*fire)(void *ctx);
	void *ctx;
	struct rwy_timer *next;
	bool armed;
};

/*
 * Whoever maps memory that others can take away; embedded by its owner. lost: what was at that
 * address is gone and zeros are there, if it is the guard's own.
 */
struct rwy_guard {
	void (*lost)(void *ctx, const void *at);
	void *ctx;
	struct rwy_guard *next; /* the reactor's */
};

struct rwy_poll; /* opaque: lib/poll.c */

/* Heap and four descriptors; close frees neither pollers, watches nor timers: their owners do. */
RWY_MUST_CHECK int rwy_poll_open(struct rwy_poll **poll, enum rwy_poll_mode mode);
void rwy_poll_close(struct rwy_poll *poll);

void rwy_poll_add(struct rwy_poll *poll, struct rwy_poller *poller);
void rwy_poll_del(struct rwy_poll *poll, struct rwy_poller *poller);
RWY_MUST_CHECK int rwy_poll_watch(struct rwy_poll *poll, struct rwy_watch *watch);
void rwy_poll_unwatch(struct rwy_poll *poll, struct rwy_watch *watch);
/* Changes the events waited for. */
RWY_MUST_CHECK int rwy_poll_rewatch(struct rwy_poll *poll, struct rwy_watch *watch,
				    uint32_t events);
void rwy_poll_timer_set(struct rwy_poll *poll, struct rwy_timer *timer, uint64_t after_ns);
void rwy_poll_timer_cancel(struct rwy_poll *poll, struct rwy_timer *timer);
uint64_t rwy_poll_now_ns(void);
/* For eventfds that hostile processes have, too; on this reactor's thread. Never NULL. */
const struct rwy_bell *rwy_poll_bell(const struct rwy_poll *poll);
void rwy_poll_guard(struct rwy_poll *poll, struct rwy_guard *guard);
void rwy_poll_unguard(struct rwy_poll *poll, struct rwy_guard *guard);
/* Tells all guards. */
void rwy_poll_lost(struct rwy_poll *poll, const void *at);

/* Until stopped. 0, or negative errno when epoll itself fails. */
RWY_MUST_CHECK int rwy_poll_run(struct rwy_poll *poll);
/* One round; timeout_ms as epoll_wait's when nothing is to do. For tests. */
int rwy_poll_once(struct rwy_poll *poll, int timeout_ms);
/* From any thread or signal handler: run returns soon. */
void rwy_poll_stop(struct rwy_poll *poll);
/* From any thread: fn(arg) runs on the reactor's thread between two rounds. -EAGAIN when full. */
RWY_MUST_CHECK int rwy_poll_post(struct rwy_poll *poll, void (*fn)(void *arg), void *arg);

/* Their names in a stats area are the members', in this order. */
struct rwy_poll_counts {
	uint64_t rounds;
	uint64_t busy_rounds;
	uint64_t work;
	uint64_t sleeps;
	uint64_t slept_ns;
	/*
	 * Of the time stamp counter, in stretches of rounds that found work, each with the empty
	 * round that ended it. It goes on while the thread has lost its CPU to another one.
	 */
	uint64_t busy_cycles;
};
void rwy_poll_get_counts(const struct rwy_poll *poll, struct rwy_poll_counts *counts);
/* From now on they are also an entry of that area, which must stay until close. -ENOSPC. */
RWY_MUST_CHECK int rwy_poll_publish(struct rwy_poll *poll, struct rwy_stats *stats,
				    const char *name);

#endif
