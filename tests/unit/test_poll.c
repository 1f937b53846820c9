/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"

#include "lib/poll.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <x86intrin.h>

#define SLOW_CYCLES 2000

/* A poller with `left` units of work, that notes how it was treated. */
struct fake {
	struct rwy_poll *poll;
	struct rwy_poller poller;
	struct rwy_poller *victim;
	unsigned left;
	unsigned polled;
	unsigned armed;
	unsigned disarmed;
	unsigned late; /* units that show up when armed */
};

static unsigned fake_poll(void *ctx, unsigned budget)
{
	struct fake *f = ctx;
	unsigned n = RWY_MIN(budget, f->left);

	f->polled++;
	f->left -= n;
	if (f->victim)
		rwy_poll_del(f->poll, f->victim);
	return n;
}

static bool fake_arm(void *ctx)
{
	struct fake *f = ctx;

	f->armed++;
	f->left += f->late;
	f->late = 0;
	return f->left > 0;
}

static void fake_disarm(void *ctx)
{
	((struct fake *)ctx)->disarmed++;
}

static void fake_add(struct fake *f, struct rwy_poll *poll)
{
	f->poll = poll;
	f->poller = (struct rwy_poller){.poll = fake_poll,
					.arm = fake_arm,
					.disarm = fake_disarm,
					.ctx = f};
	rwy_poll_add(poll, &f->poller);
}

static void modes_by_name(void **state)
{
	enum rwy_poll_mode mode;

	assert_int_equal(rwy_poll_parse_mode("always", &mode), 0);
	assert_int_equal(mode, RWY_POLL_ALWAYS);
	assert_int_equal(rwy_poll_parse_mode("never", &mode), 0);
	assert_int_equal(mode, RWY_POLL_NEVER);
	assert_int_equal(rwy_poll_parse_mode("", &mode), -EINVAL);
	assert_int_equal(rwy_poll_parse_mode("Always", &mode), -EINVAL);
}

static void never_sleeps_at_once_and_disarms(void **state)
{
	struct rwy_poll *poll;
	struct rwy_poll_counts counts;
	struct fake f = {.left = RWY_POLL_BUDGET + 3};

	assert_int_equal(rwy_poll_open(&poll, RWY_POLL_NEVER), 0);
	fake_add(&f, poll);
	assert_int_equal(rwy_poll_once(poll, 0), RWY_POLL_BUDGET);
	assert_int_equal(rwy_poll_once(poll, 0), 3);
	assert_int_equal(f.armed, 0);
	assert_int_equal(rwy_poll_once(poll, 0), 0);
	assert_int_equal(f.armed, 1);
	assert_int_equal(f.disarmed, 1);
	rwy_poll_get_counts(poll, &counts);
	assert_int_equal(counts.rounds, 3);
	assert_int_equal(counts.busy_rounds, 2);
	assert_int_equal(counts.work, RWY_POLL_BUDGET + 3);
	assert_int_equal(counts.sleeps, 1);
	rwy_poll_close(poll);
}

static void late_work_keeps_awake(void **state)
{
	struct rwy_poll *poll;
	struct rwy_poll_counts counts;
	struct fake f = {.late = 5};

	assert_int_equal(rwy_poll_open(&poll, RWY_POLL_NEVER), 0);
	fake_add(&f, poll);
	/* would hang if it slept */
	assert_int_equal(rwy_poll_once(poll, -1), 0);
	assert_int_equal(f.disarmed, 1);
	rwy_poll_get_counts(poll, &counts);
	assert_int_equal(counts.sleeps, 0);
	assert_int_equal(rwy_poll_once(poll, -1), 5);
	rwy_poll_close(poll);
}

static void always_never_arms(void **state)
{
	struct rwy_poll *poll;
	struct fake f = {0};

	assert_int_equal(rwy_poll_open(&poll, RWY_POLL_ALWAYS), 0);
	fake_add(&f, poll);
	for (int i = 0; i < 3000; i++)
		assert_int_equal(rwy_poll_once(poll, -1), 0);
	assert_int_equal(f.armed, 0);
	assert_int_equal(f.polled, 3000);
	rwy_poll_close(poll);
}

/* By work that takes its time: what it took is counted, and what passed in between is not. */
static unsigned slow_poll(void *ctx, unsigned budget)
{
	const uint64_t from = __rdtsc();

	while (((struct fake *)ctx)->left > 0 && __rdtsc() - from < SLOW_CYCLES)
		;
	return fake_poll(ctx, 1);
}

static void busy_time_is_counted_and_published(void **state)
{
	struct rwy_poll *poll;
	struct rwy_poll_counts counts;
	struct rwy_stats stats;
	struct fake f = {.left = 3};
	char *json;

	assert_int_equal(rwy_stats_open(&stats, NULL), 0);
	assert_int_equal(rwy_poll_open(&poll, RWY_POLL_ALWAYS), 0);
	fake_add(&f, poll);
	f.poller.poll = slow_poll;
	assert_int_equal(rwy_poll_once(poll, 0), 1);
	assert_int_equal(rwy_poll_publish(poll, &stats, "reactor0"), 0);
	assert_int_equal(rwy_poll_once(poll, 0), 1);
	assert_int_equal(rwy_poll_once(poll, 0), 1);
	rwy_poll_get_counts(poll, &counts);
	assert_int_equal(counts.busy_cycles, 0); /* it is not over yet */
	assert_int_equal(rwy_poll_once(poll, 0), 0);
	rwy_poll_get_counts(poll, &counts);
	assert_in_range(counts.busy_cycles, 3 * SLOW_CYCLES, UINT64_MAX);
	assert_int_equal(counts.busy_rounds, 3);
	/* an idle time, however long, adds nothing */
	const uint64_t busy = counts.busy_cycles;

	for (int i = 0; i < 3000; i++)
		assert_int_equal(rwy_poll_once(poll, 0), 0);
	rwy_poll_get_counts(poll, &counts);
	assert_int_equal(counts.busy_cycles, busy);
	/* nor does one that work follows */
	f.left = 1;
	assert_int_equal(rwy_poll_once(poll, 0), 1);
	/* and a stretch without end is counted while it lasts */
	f.left = 2 * RWY_POLL_CONTROL_ROUNDS;
	for (int i = 0; i < RWY_POLL_CONTROL_ROUNDS; i++)
		assert_int_equal(rwy_poll_once(poll, 0), 1);
	rwy_poll_get_counts(poll, &counts);
	assert_in_range(counts.busy_cycles, busy + SLOW_CYCLES, UINT64_MAX);
	assert_int_equal(rwy_stats_json(&stats, &json), 0);
	assert_non_null(strstr(json, "\"busy_cycles\""));
	free(json);
	rwy_poll_close(poll);
	rwy_stats_close(&stats);
}

static void adaptive_spins_then_sleeps(void **state)
{
	struct rwy_poll *poll;
	struct fake f = {0};

	assert_int_equal(rwy_poll_open(&poll, RWY_POLL_ADAPTIVE), 0);
	fake_add(&f, poll);
	while (f.armed == 0)
		assert_int_equal(rwy_poll_once(poll, 1), 0);
	assert_true(f.polled > 1);
	rwy_poll_close(poll);
}

static void poller_deleted_under_the_walk(void **state)
{
	struct rwy_poll *poll;
	struct fake a = {0}, b = {0}, c = {0};

	assert_int_equal(rwy_poll_open(&poll, RWY_POLL_ALWAYS), 0);
	fake_add(&a, poll);
	fake_add(&b, poll);
	fake_add(&c, poll);
	a.victim = &b.poller; /* the next one */
	assert_int_equal(rwy_poll_once(poll, 0), 0);
	assert_int_equal(b.polled, 0);
	assert_int_equal(c.polled, 1);
	a.victim = &a.poller; /* itself */
	assert_int_equal(rwy_poll_once(poll, 0), 0);
	assert_int_equal(rwy_poll_once(poll, 0), 0);
	assert_int_equal(a.polled, 2);
	assert_int_equal(c.polled, 3);
	rwy_poll_close(poll);
}

struct pair {
	struct rwy_poll *poll;
	struct rwy_watch watch;
	struct pair *other;
	unsigned ready;
};

static void unwatch_other(void *ctx, uint32_t events)
{
	struct pair *p = ctx;

	assert_int_equal(events, EPOLLIN);
	p->ready++;
	rwy_poll_unwatch(p->poll, &p->other->watch);
}

/* Both are ready in one epoll_wait; whichever runs first silences the other. */
static void watch_deleted_in_its_batch(void **state)
{
	struct rwy_poll *poll;
	struct pair p[2] = {{0}};

	assert_int_equal(rwy_poll_open(&poll, RWY_POLL_NEVER), 0);
	for (int i = 0; i < 2; i++) {
		p[i].poll = poll;
		p[i].other = &p[!i];
		p[i].watch = (struct rwy_watch){.fd = rwy_fd_event(),
						.events = EPOLLIN,
						.ready = unwatch_other,
						.ctx = &p[i]};
		assert_int_equal(rwy_poll_watch(poll, &p[i].watch), 0);
		assert_int_equal(rwy_fd_signal(p[i].watch.fd), 0);
	}
	assert_int_equal(rwy_poll_watch(poll, &p[0].watch), -EEXIST);
	assert_int_equal(rwy_poll_once(poll, 1000), 2);
	assert_int_equal(p[0].ready + p[1].ready, 1);
	for (int i = 0; i < 2; i++)
		rwy_fd_close(&p[i].watch.fd);
	rwy_poll_close(poll);
}

static void count_ready(void *ctx, uint32_t events)
{
	(*(unsigned *)ctx)++;
}

/* Control is looked at although every round is busy. */
static void busy_rounds_do_not_starve_control(void **state)
{
	struct rwy_poll *poll;
	unsigned ready = 0;
	struct fake f = {.left = 1u << 30};
	struct rwy_watch watch = {.fd = rwy_fd_event(),
				  .events = EPOLLIN,
				  .ready = count_ready,
				  .ctx = &ready};

	assert_int_equal(rwy_poll_open(&poll, RWY_POLL_ADAPTIVE), 0);
	fake_add(&f, poll);
	assert_int_equal(rwy_poll_watch(poll, &watch), 0);
	assert_int_equal(rwy_fd_signal(watch.fd), 0);
	for (int i = 0; i < RWY_POLL_CONTROL_ROUNDS; i++)
		assert_true(rwy_poll_once(poll, -1) >= RWY_POLL_BUDGET);
	assert_int_equal(ready, 1);
	assert_int_equal(rwy_poll_rewatch(poll, &watch, 0), 0);
	for (int i = 0; i < RWY_POLL_CONTROL_ROUNDS; i++)
		assert_true(rwy_poll_once(poll, -1) >= RWY_POLL_BUDGET);
	assert_int_equal(ready, 1);
	rwy_poll_unwatch(poll, &watch);
	rwy_fd_close(&watch.fd);
	rwy_poll_close(poll);
}

struct alarm {
	struct rwy_timer timer;
	struct rwy_poll *poll;
	unsigned fired;
	unsigned *order;
	unsigned seen_at;
};

static void ring(void *ctx)
{
	struct alarm *a = ctx;

	a->fired++;
	a->seen_at = (*a->order)++;
}

static void timers_in_order_and_cancelled(void **state)
{
	struct rwy_poll *poll;
	unsigned order = 0;
	struct alarm a[3];

	assert_int_equal(rwy_poll_open(&poll, RWY_POLL_NEVER), 0);
	for (int i = 0; i < 3; i++) {
		a[i] = (struct alarm){.poll = poll, .order = &order};
		a[i].timer.fire = ring;
		a[i].timer.ctx = &a[i];
	}
	rwy_poll_timer_set(poll, &a[0].timer, 20000000);
	rwy_poll_timer_set(poll, &a[1].timer, 5000000);
	rwy_poll_timer_set(poll, &a[2].timer, 1000000);
	rwy_poll_timer_cancel(poll, &a[2].timer);
	rwy_poll_timer_cancel(poll, &a[2].timer);
	assert_true(a[0].timer.armed);
	uint64_t start = rwy_poll_now_ns();

	while (a[0].fired == 0)
		assert_true(rwy_poll_once(poll, -1) >= 0);
	assert_true(rwy_poll_now_ns() - start >= 15000000);
	assert_int_equal(a[1].seen_at, 0);
	assert_int_equal(a[0].seen_at, 1);
	assert_int_equal(a[2].fired, 0);
	assert_false(a[0].timer.armed);
	/* set again while armed: moved, not doubled */
	rwy_poll_timer_set(poll, &a[1].timer, 1000000);
	rwy_poll_timer_set(poll, &a[1].timer, 0);
	assert_int_equal(rwy_poll_once(poll, 10), 0);
	assert_int_equal(rwy_poll_once(poll, 2), 0);
	assert_int_equal(a[1].fired, 2);
	rwy_poll_close(poll);
}

static void post_back(void *arg)
{
	struct rwy_poll **poll = arg;

	rwy_poll_stop(*poll);
	*poll = NULL;
}

static void *run_thread(void *arg)
{
	return (void *)(intptr_t)rwy_poll_run(arg);
}

static void posts_reach_a_sleeping_reactor(void **state)
{
	struct rwy_poll *poll, *seen;
	pthread_t thread;
	void *rc;

	assert_int_equal(rwy_poll_open(&poll, RWY_POLL_ADAPTIVE), 0);
	seen = poll;
	assert_int_equal(pthread_create(&thread, NULL, run_thread, poll), 0);
	assert_int_equal(rwy_poll_post(poll, post_back, &seen), 0);
	assert_int_equal(pthread_join(thread, &rc), 0);
	assert_null(rc);
	assert_null(seen);
	/* stopped before it runs: returns at once, and only once */
	rwy_poll_stop(poll);
	assert_int_equal(rwy_poll_run(poll), 0);
	rwy_poll_close(poll);
}

static void nothing(void *arg)
{
	(*(unsigned *)arg)++;
}

static void full_mailbox_refuses(void **state)
{
	struct rwy_poll *poll;
	unsigned posted = 0, ran = 0;

	assert_int_equal(rwy_poll_open(&poll, RWY_POLL_NEVER), 0);
	while (rwy_poll_post(poll, nothing, &ran) == 0)
		posted++;
	assert_int_equal(rwy_poll_post(poll, nothing, &ran), -EAGAIN);
	assert_true(posted >= 256);
	while (rwy_poll_once(poll, 0) > 0)
		;
	assert_int_equal(ran, posted);
	rwy_poll_close(poll);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modes_by_name),
		cmocka_unit_test(never_sleeps_at_once_and_disarms),
		cmocka_unit_test(late_work_keeps_awake),
		cmocka_unit_test(always_never_arms),
		cmocka_unit_test(busy_time_is_counted_and_published),
		cmocka_unit_test(adaptive_spins_then_sleeps),
		cmocka_unit_test(poller_deleted_under_the_walk),
		cmocka_unit_test(watch_deleted_in_its_batch),
		cmocka_unit_test(busy_rounds_do_not_starve_control),
		cmocka_unit_test(timers_in_order_and_cancelled),
		cmocka_unit_test(posts_reach_a_sleeping_reactor),
		cmocka_unit_test(full_mailbox_refuses),
	};

	return UNIT_RUN(tests);
}
