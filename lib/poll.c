/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One round is: run the pollers; if they were idle long enough arm them and sleep; look at the
 * watched descriptors; fire what is due. Other threads talk to the reactor through a pipe, whose
 * writes of one `struct post` are atomic (pipe(7), PIPE_BUF), so no lock is needed.
 */
#include "lib/poll.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define EVENTS 64
/* How long adaptive mode spins: about what a sleep and a wake-up by the kernel cost together. */
#define SPIN_NS 50000

struct post {
	void (*fn)(void *arg);
	void *arg;
};

struct rwy_poll {
	enum rwy_poll_mode mode;
	int epoll_fd;
	int mail_in; /* our end of the pipe */
	int mail_out;
	struct rwy_watch mail;
	struct rwy_poller *pollers;
	struct rwy_poller *cursor; /* next to visit; a poller may be deleted under the walk */
	struct rwy_timer *timers;  /* soonest first */
	struct rwy_guard *guards;
	struct rwy_bell bell;
	uint64_t idle_since_ns; /* 0: the last round was busy */
	unsigned since_control;
	int stopping; /* atomic */
	struct epoll_event events[EVENTS];
	int nr_events;
	uint64_t since_tsc; /* of this stretch of rounds, busy or not */
	bool busy;
	struct rwy_poll_counts *counts;	   /* own_counts, or where they are published */
	struct rwy_poll_counts own_counts; /* as long as they are not */
};

int rwy_poll_parse_mode(const char *name, enum rwy_poll_mode *mode)
{
	static const char *const names[] = {"always", "adaptive", "never"};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]) == 0) {
			*mode = (enum rwy_poll_mode)i;
			return 0;
		}
	}
	return -EINVAL;
}

uint64_t rwy_poll_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void read_mail(void *ctx, uint32_t events)
{
	struct rwy_poll *poll = ctx;
	struct post posts[16];
	ssize_t n = read(poll->mail_in, posts, sizeof(posts));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(posts[0]); i++) {
		if (posts[i].fn)
			posts[i].fn(posts[i].arg);
	}
}

int rwy_poll_open(struct rwy_poll **out, enum rwy_poll_mode mode)
{
	struct rwy_poll *poll = calloc(1, sizeof(*poll));
	int pipe_fds[2];
	int rc;

	if (!poll)
		return -ENOMEM;
	poll->mode = mode;
	poll->counts = &poll->own_counts;
	poll->since_tsc = __rdtsc();
	poll->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (poll->epoll_fd < 0) {
		rc = -errno;
		goto free_poll;
	}
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		rc = -errno;
		goto close_epoll;
	}
	poll->mail_in = pipe_fds[0];
	poll->mail_out = pipe_fds[1];
	poll->mail = (struct rwy_watch){.fd = poll->mail_in,
					.events = EPOLLIN,
					.ready = read_mail,
					.ctx = poll};
	rc = rwy_poll_watch(poll, &poll->mail);
	if (rc < 0)
		goto close_pipe;
	rc = rwy_bell_open(&poll->bell);
	(void)rc; /* it has been said, and the reactor works without */
	*out = poll;
	return 0;

close_pipe:
	rwy_fd_close_all(pipe_fds, 2);
close_epoll:
	rwy_fd_close(&poll->epoll_fd);
free_poll:
	free(poll);
	return rc;
}

void rwy_poll_close(struct rwy_poll *poll)
{
	if (!poll)
		return;
	rwy_bell_close(&poll->bell);
	rwy_fd_close(&poll->mail_in);
	rwy_fd_close(&poll->mail_out);
	rwy_fd_close(&poll->epoll_fd);
	free(poll);
}

void rwy_poll_add(struct rwy_poll *poll, struct rwy_poller *poller)
{
	struct rwy_poller **at = &poll->pollers;

	while (*at)
		at = &(*at)->next;
	poller->next = NULL;
	*at = poller;
}

void rwy_poll_del(struct rwy_poll *poll, struct rwy_poller *poller)
{
	for (struct rwy_poller **at = &poll->pollers; *at; at = &(*at)->next) {
		if (*at != poller)
			continue;
		*at = poller->next;
		if (poll->cursor == poller)
			poll->cursor = poller->next;
		poller->next = NULL;
		return;
	}
}

const struct rwy_bell *rwy_poll_bell(const struct rwy_poll *poll)
{
	return &poll->bell;
}

void rwy_poll_guard(struct rwy_poll *poll, struct rwy_guard *guard)
{
	guard->next = poll->guards;
	poll->guards = guard;
}

void rwy_poll_unguard(struct rwy_poll *poll, struct rwy_guard *guard)
{
	for (struct rwy_guard **at = &poll->guards; *at; at = &(*at)->next) {
		if (*at == guard) {
			*at = guard->next;
			return;
		}
	}
}

void rwy_poll_lost(struct rwy_poll *poll, const void *at)
{
	for (const struct rwy_guard *guard = poll->guards; guard; guard = guard->next)
		guard->lost(guard->ctx, at);
}

static int control(struct rwy_poll *poll, int op, struct rwy_watch *watch)
{
	struct epoll_event event = {.events = watch->events, .data.ptr = watch};

	return epoll_ctl(poll->epoll_fd, op, watch->fd, &event) < 0 ? -errno : 0;
}

int rwy_poll_watch(struct rwy_poll *poll, struct rwy_watch *watch)
{
	return control(poll, EPOLL_CTL_ADD, watch);
}

int rwy_poll_rewatch(struct rwy_poll *poll, struct rwy_watch *watch, uint32_t events)
{
	watch->events = events;
	return control(poll, EPOLL_CTL_MOD, watch);
}

void rwy_poll_unwatch(struct rwy_poll *poll, struct rwy_watch *watch)
{
	(void)control(poll, EPOLL_CTL_DEL, watch);
	for (int i = 0; i < poll->nr_events; i++) {
		if (poll->events[i].data.ptr == watch)
			poll->events[i].data.ptr = NULL;
	}
}

void rwy_poll_timer_set(struct rwy_poll *poll, struct rwy_timer *timer, uint64_t after_ns)
{
	struct rwy_timer **at = &poll->timers;

	rwy_poll_timer_cancel(poll, timer);
	timer->at_ns = rwy_poll_now_ns() + after_ns;
	while (*at && (*at)->at_ns <= timer->at_ns)
		at = &(*at)->next;
	timer->next = *at;
	timer->armed = true;
	*at = timer;
}

void rwy_poll_timer_cancel(struct rwy_poll *poll, struct rwy_timer *timer)
{
	if (!timer->armed)
		return;
	for (struct rwy_timer **at = &poll->timers; *at; at = &(*at)->next) {
		if (*at == timer) {
			*at = timer->next;
			break;
		}
	}
	timer->next = NULL;
	timer->armed = false;
}

static void fire_due(struct rwy_poll *poll)
{
	if (!poll->timers)
		return;
	uint64_t now = rwy_poll_now_ns();

	while (poll->timers && poll->timers->at_ns <= now) {
		struct rwy_timer *timer = poll->timers;

		rwy_poll_timer_cancel(poll, timer);
		timer->fire(timer->ctx);
	}
}

/* Rounded up, so that we do not wake just before the timer and spin. */
static int timer_timeout(const struct rwy_poll *poll, int timeout_ms)
{
	if (!poll->timers)
		return timeout_ms;
	uint64_t now = rwy_poll_now_ns();
	uint64_t at = poll->timers->at_ns;
	uint64_t ms = at <= now ? 0 : (at - now + 999999) / 1000000;

	if (timeout_ms >= 0 && ms > (uint64_t)timeout_ms)
		return timeout_ms;
	return (int)RWY_MIN(ms, UINT64_C(1000000));
}

static unsigned run_pollers(struct rwy_poll *poll)
{
	unsigned work = 0;

	poll->cursor = poll->pollers;
	while (poll->cursor) {
		struct rwy_poller *poller = poll->cursor;

		poll->cursor = poller->next;
		work += poller->poll(poller->ctx, RWY_POLL_BUDGET);
	}
	return work;
}

static void disarm_pollers(struct rwy_poll *poll)
{
	poll->cursor = poll->pollers;
	while (poll->cursor) {
		struct rwy_poller *poller = poll->cursor;

		poll->cursor = poller->next;
		if (poller->disarm)
			poller->disarm(poller->ctx);
	}
}

/* True: some poller has work after all. All are armed either way; disarm_pollers undoes it. */
static bool arm_pollers(struct rwy_poll *poll)
{
	bool late = false;

	poll->cursor = poll->pollers;
	while (poll->cursor) {
		struct rwy_poller *poller = poll->cursor;

		poll->cursor = poller->next;
		if (poller->arm && poller->arm(poller->ctx))
			late = true;
	}
	return late;
}

static bool may_sleep(struct rwy_poll *poll)
{
	if (!poll->pollers || poll->mode == RWY_POLL_NEVER)
		return true;
	if (poll->mode == RWY_POLL_ALWAYS)
		return false;
	uint64_t now = rwy_poll_now_ns();

	if (poll->idle_since_ns == 0)
		poll->idle_since_ns = now;
	return now - poll->idle_since_ns >= SPIN_NS;
}

static int wait_events(struct rwy_poll *poll, int timeout_ms)
{
	int n = epoll_wait(poll->epoll_fd, poll->events, EVENTS, timeout_ms);

	if (n < 0 && errno != EINTR)
		return -errno;
	poll->nr_events = n < 0 ? 0 : n;
	return poll->nr_events;
}

static int sleep_armed(struct rwy_poll *poll, int timeout_ms)
{
	bool late = arm_pollers(poll);
	uint64_t start = rwy_poll_now_ns();
	int n = wait_events(poll, late ? 0 : timer_timeout(poll, timeout_ms));

	disarm_pollers(poll);
	poll->idle_since_ns = 0;
	if (!late) {
		rwy_stats_add(&poll->counts->sleeps, 1);
		rwy_stats_add(&poll->counts->slept_ns, rwy_poll_now_ns() - start);
	}
	return n;
}

static void dispatch(struct rwy_poll *poll)
{
	for (int i = 0; i < poll->nr_events; i++) {
		struct rwy_watch *watch = poll->events[i].data.ptr;

		if (watch)
			watch->ready(watch->ctx, poll->events[i].events);
	}
	poll->nr_events = 0;
}

/* The clock is read after rounds that found nothing, and before control: busy ones pay nothing. */
static void end_stretch(struct rwy_poll *poll)
{
	uint64_t now = __rdtsc();

	if (poll->busy)
		rwy_stats_add(&poll->counts->busy_cycles, now - poll->since_tsc);
	poll->busy = false;
	poll->since_tsc = now;
}

static void count_round(struct rwy_poll *poll, unsigned work)
{
	rwy_stats_add(&poll->counts->rounds, 1);
	if (work == 0) {
		end_stretch(poll);
		return;
	}
	rwy_stats_add(&poll->counts->busy_rounds, 1);
	rwy_stats_add(&poll->counts->work, work);
	poll->idle_since_ns = 0;
	poll->busy = true;
}

int rwy_poll_once(struct rwy_poll *poll, int timeout_ms)
{
	unsigned work = run_pollers(poll);
	int n;

	count_round(poll, work);
	poll->since_control++;
	if (work == 0 && may_sleep(poll)) {
		n = sleep_armed(poll, timeout_ms);
	} else if (poll->since_control < RWY_POLL_CONTROL_ROUNDS) {
		return (int)work;
	} else {
		end_stretch(poll);
		n = wait_events(poll, 0);
	}
	poll->since_control = 0;
	if (n < 0)
		return n;
	dispatch(poll);
	fire_due(poll);
	poll->since_tsc = __rdtsc();
	return (int)work + n;
}

int rwy_poll_run(struct rwy_poll *poll)
{
	int rc = 0;

	while (rc >= 0 && !RWY_READ_ONCE(&poll->stopping))
		rc = rwy_poll_once(poll, -1);
	RWY_WRITE_ONCE(&poll->stopping, 0);
	return rc < 0 ? rc : 0;
}

void rwy_poll_stop(struct rwy_poll *poll)
{
	RWY_WRITE_ONCE(&poll->stopping, 1);
	/* Only to wake; a full pipe wakes as well. */
	int ignored = rwy_poll_post(poll, NULL, NULL);
	(void)ignored;
}

int rwy_poll_post(struct rwy_poll *poll, void (*fn)(void *arg), void *arg)
{
	const struct post post = {.fn = fn, .arg = arg};
	int saved = errno; /* a signal handler may be calling */
	ssize_t n;

	do {
		n = write(poll->mail_out, &post, sizeof(post));
	} while (n < 0 && errno == EINTR);
	int rc = n == sizeof(post) ? 0 : -errno;

	errno = saved;
	return rc;
}

void rwy_poll_get_counts(const struct rwy_poll *poll, struct rwy_poll_counts *counts)
{
	*counts = *poll->counts;
}

int rwy_poll_publish(struct rwy_poll *poll, struct rwy_stats *stats, const char *name)
{
	static const char *const names[] = {"rounds", "busy_rounds", "work",
					    "sleeps", "slept_ns",    "busy_cycles"};
	uint64_t *block = rwy_stats_counters(stats, name, names, RWY_ARRAY_SIZE(names));

	_Static_assert(sizeof(*poll->counts) == sizeof(names) / sizeof(names[0]) * sizeof(*block),
		       "a name for each counter");
	if (!block)
		return -ENOSPC;
	struct rwy_poll_counts *counts = (struct rwy_poll_counts *)block;

	*counts = *poll->counts;
	poll->counts = counts;
	return 0;
}
