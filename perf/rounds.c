/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/rounds.h"

#include "lib/poll.h"

#include <assert.h>
#include <errno.h>

#define NS_IN_S UINT64_C(1000000000)

unsigned rwy_rounds_item(unsigned nr, unsigned round, unsigned i)
{
	return (round + i) % nr;
}

double rwy_rounds_left(const struct rwy_rounds *rounds)
{
	if (rounds->done == 0)
		return -1;
	unsigned open = rounds->nr * rounds->rounds - rounds->done - rounds->dropped;

	return open * rounds->seconds / rounds->done;
}

static void say_begin(const struct rwy_rounds *rounds, unsigned item, unsigned round)
{
	double left = rwy_rounds_left(rounds);

	fprintf(rounds->progress, "[%u/%u] round %u of %u: %s", rounds->done + rounds->dropped + 1,
		rounds->nr * rounds->rounds, round + 1, rounds->rounds,
		rounds->name(rounds->ctx, item));
	if (left >= 90)
		fprintf(rounds->progress, "; %.0f min left", left / 60);
	else if (left >= 0)
		fprintf(rounds->progress, "; %.0f s left", left);
	fputc('\n', rounds->progress);
	fflush(rounds->progress);
}

static void measure(struct rwy_rounds *rounds, unsigned item, unsigned round)
{
	uint64_t from = rwy_poll_now_ns();

	if (rounds->failures[item] == RWY_ROUNDS_FAILURES) {
		rounds->dropped++;
		return;
	}
	say_begin(rounds, item, round);
	rounds->run->deadline_ns = from + rounds->deadline_s * NS_IN_S;
	int err = rounds->measure(rounds->ctx, item, round);

	rounds->run->deadline_ns = 0;
	if (rounds->run->interrupted)
		return;
	rounds->done++;
	rounds->seconds += (double)(rwy_poll_now_ns() - from) / (double)NS_IN_S;
	rounds->failures[item] = err < 0 ? rounds->failures[item] + 1 : 0;
	rounds->failed += err < 0;
}

int rwy_rounds_run(struct rwy_rounds *rounds)
{
	assert(rounds->nr <= RWY_ROUNDS_ITEMS);
	for (unsigned round = 0; round < rounds->rounds; round++)
		for (unsigned i = 0; i < rounds->nr && !rounds->run->interrupted; i++)
			measure(rounds, rwy_rounds_item(rounds->nr, round, i), round);
	if (rounds->run->interrupted)
		return -EINTR;
	return rounds->failed ? -EIO : 0;
}
