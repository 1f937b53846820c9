/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/work.h"

#include "perf/search.h"
#include "perf/testpmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MARGIN_MS	 120000 /* around the seconds: an emulated guest is slow */
#define SEARCH_PRECISION 0.02
#define SETTLE_MS	 50 /* in which nothing comes any more */
#define BITS_A_BLOCK	 (4096 * 8)
#define BACKEND		 1 /* its place in the scope */

/* One run of work: what the guest says of it, and what was counted before and after. */
struct sample {
	struct rwy_answer answer;
	struct rwy_path_counts counts[2];
	struct rwy_cost_scope scope;
	struct rwy_cost cost[2];
};

static double value_of(const struct rwy_answer *answer, const char *name)
{
	const double *value = rwy_answer_get(answer, name);

	return value ? *value : 0;
}

static int look_before(struct rwy_path_up *up, struct sample *sample)
{
	int err = rwy_path_count(up, &sample->counts[0]);

	rwy_path_scope(up, &sample->scope);
	rwy_cost_look(&sample->scope, &sample->cost[0]);
	return err;
}

static int look_after(struct rwy_path_up *up, struct sample *sample)
{
	rwy_cost_look(&sample->scope, &sample->cost[1]);
	return rwy_path_count(up, &sample->counts[1]);
}

static int ask(struct rwy_path_up *up, const struct rwy_work_opts *opts, const char *command,
	       struct sample *sample)
{
	int err = look_before(up, sample);

	if (err == 0)
		err = rwy_path_do(up, command, opts->seconds * 1000 + MARGIN_MS);
	if (err == 0)
		err = look_after(up, sample);
	return err < 0 ? err : rwy_path_answer(up, &sample->answer);
}

/* ---- frames, when DPDK has the guest's network card ---- */

/* What came of frames that the guest has sent: that only the far end knows. */
static int add_arrived(struct rwy_path_up *up, uint64_t before, struct rwy_answer *answer)
{
	double tx = value_of(answer, "tx"), arrived = 0, loss;
	struct rwy_far_counts far, last = {0};
	int err = rwy_far_count(&up->far, &far);

	while (err == 0 && far.from_guest != last.from_guest) {
		last = far;
		err = rwy_run_sleep(up->env->run, SETTLE_MS);
		if (err == 0)
			err = rwy_far_count(&up->far, &far);
	}
	if (err < 0)
		return err;
	arrived = (double)(far.from_guest - before);
	loss = tx > arrived ? (tx - arrived) / tx : 0;
	err = rwy_answer_add(answer, "loss", loss);
	return err < 0 ? err : rwy_answer_add(answer, "pps", value_of(answer, "sent") * (1 - loss));
}

static int generate(struct rwy_path_up *up, const struct rwy_work_opts *opts, const char *command,
		    struct sample *sample)
{
	struct rwy_far_counts before;
	int err = rwy_far_count(&up->far, &before);

	if (err == 0)
		err = ask(up, opts, command, sample);
	return err < 0 ? err : add_arrived(up, before.from_guest, &sample->answer);
}

/* The far end sends, and the guest sends back what comes. */
static int reflect(struct rwy_path_up *up, const struct rwy_work_opts *opts, unsigned rate,
		   struct sample *sample)
{
	struct rwy_answer far;
	int err = rwy_path_ask(up, "reflect", MARGIN_MS, &far), far_err;

	if (err == 0)
		err = look_before(up, sample);
	if (err < 0)
		return err;
	far_err = rwy_far_frames(up->env->run, &up->far, up->env->cpu_far, up->guest_mac, rate,
				 opts->seconds, &far);
	err = look_after(up, sample);
	if (err == 0)
		err = rwy_path_ask(up, "reflected", MARGIN_MS, &sample->answer);
	if (err < 0)
		return err;
	up->says = far_err < 0 ? &up->far.call : &up->guest.proc;
	return far_err < 0 ? far_err : rwy_answer_join(&sample->answer, &far);
}

/* One run of it. The rate is for what is searched for; 0 is as fast as it goes. */
static int run(struct rwy_path_up *up, const struct rwy_work *work,
	       const struct rwy_work_opts *opts, unsigned rate, struct sample *sample)
{
	char command[64];

	if (!work->command)
		return reflect(up, opts, rate, sample);
	if (work->search)
		snprintf(command, sizeof(command), work->command, rate, opts->seconds);
	else
		snprintf(command, sizeof(command), work->command, opts->seconds);
	return work->dpdk ? generate(up, opts, command, sample) : ask(up, opts, command, sample);
}

/* ---- the search for the highest rate of packets ---- */

struct search {
	struct rwy_path_up *up;
	const struct rwy_work *work;
	const struct rwy_work_opts *opts;
	struct sample *last;
	struct sample best; /* of the highest rate that passed */
};

/* A rate of 0 is as fast as it goes. */
static int trial(void *ctx, double rate, double *loss)
{
	struct search *s = ctx;
	int err = run(s->up, s->work, s->opts, (unsigned)rate, s->last);

	if (err == 0 && !rwy_answer_get(&s->last->answer, "loss"))
		err = -EPROTO;
	if (err < 0)
		return err;
	*loss = value_of(&s->last->answer, "loss");
	if (*loss <= s->opts->loss)
		s->best = *s->last;
	return 0;
}

/* First as fast as it goes: nothing higher has to be tried. */
static int search(struct rwy_path_up *up, const struct rwy_work *work,
		  const struct rwy_work_opts *opts, struct sample *sample)
{
	struct search s = {.up = up, .work = work, .opts = opts, .last = sample};
	double rate, loss;
	int err = trial(&s, 0, &loss);

	if (err < 0 || loss <= opts->loss)
		return err;
	const struct rwy_search config = {
		.high = value_of(&sample->answer, "sent"),
		.loss = opts->loss,
		.precision = SEARCH_PRECISION,
		.trials = opts->trials,
		.trial = trial,
		.ctx = &s,
	};

	err = rwy_search_run(&config, &rate, &loss);
	if (err == 0 && rate == 0) {
		snprintf(up->why, sizeof(up->why),
			 "more than %g of the packets were lost at every rate tried", opts->loss);
		err = -ENODATA;
	}
	if (err == 0)
		*sample = s.best;
	return err;
}

/* ---- all that there is to do ---- */

/* clang-format off */
#define NET(key, workload, command, ...) {key, workload, RWY_RESULT_NET, command, __VA_ARGS__}
#define BLK(key, workload, command) {key, workload, RWY_RESULT_BLK, command, false, false}
#define FAR_DOES_IT NULL

const struct rwy_work rwy_works[] = {
	NET("tcp-out", "TCP, a stream per vCPU, out of the guest", "tcp %u", false, false),
	NET("tcp-in", "TCP, a stream per vCPU, into the guest", "tcp %u -R", false, false),
	NET("udp", "64 B packets out of the guest", "udp %u %u", true, false),
	NET("rtt", "pings, one at a time", "rtt %u 0.01", false, false),
	NET("dpdk-out", "64 B frames out of the guest, by DPDK", "out %u", false, true),
	NET("dpdk-echo", "64 B frames to the guest and back, by DPDK", FAR_DOES_IT, true, true),
	BLK("read", "4 KiB random reads, depth 32 per vCPU", "blk read 32 %u"),
	BLK("write", "4 KiB random writes, depth 32 per vCPU", "blk write 32 %u"),
	BLK("read-1", "4 KiB random reads, one at a time per vCPU", "blk read 1 %u"),
};
/* clang-format on */
const unsigned rwy_nr_works = RWY_ARRAY_SIZE(rwy_works);

const struct rwy_work *rwy_work_find(const char *key)
{
	for (unsigned i = 0; i < rwy_nr_works; i++)
		if (!strcmp(rwy_works[i].key, key))
			return &rwy_works[i];
	return NULL;
}

void rwy_work_look_for_dpdk(struct rwy_path_env *env)
{
	char program[512];

	/* of one that was named its agent will say */
	if (!env->initrd && !rwy_run_look_up(RWY_TESTPMD_PROGRAM, program, sizeof(program)))
		env->no_dpdk = RWY_TESTPMD_PROGRAM " is not installed (Debian: package dpdk-dev)";
}

/* ---- what it came to ---- */

/* What the guest says, under the names that it has for it. */
static int put_answer(struct rwy_path_up *up, const struct rwy_answer *answer,
		      struct rwy_result_round *round)
{
	static const struct {
		const char *name;
		enum rwy_result_metric metric;
		bool moves; /* more than nothing shows that something was done */
	} said[] = {
		{"bps", RWY_RESULT_BPS, true},	      {"pps", RWY_RESULT_PPS, true},
		{"loss", RWY_RESULT_LOSS, false},     {"iops", RWY_RESULT_IOPS, true},
		{"p50", RWY_RESULT_LAT_P50, true},    {"p99", RWY_RESULT_LAT_P99, false},
		{"p999", RWY_RESULT_LAT_P999, false}, {"max", RWY_RESULT_LAT_MAX, false},
		{"cpu", RWY_RESULT_CPU_GUEST, false},
	};
	const double *iops = rwy_answer_get(answer, "iops");
	bool moved = false;
	int err = 0;

	for (unsigned i = 0; err == 0 && i < RWY_ARRAY_SIZE(said); i++) {
		const double *value = rwy_answer_get(answer, said[i].name);

		if (value)
			err = rwy_result_set(round, said[i].metric, NULL, *value);
		moved |= value && said[i].moves && *value > 0;
	}
	if (err == 0 && !moved) {
		snprintf(up->why, sizeof(up->why), "it stood still: nothing was measured");
		return -ENODATA;
	}
	if (err == 0 && iops)
		err = rwy_result_set(round, RWY_RESULT_BPS, NULL, *iops * BITS_A_BLOCK);
	round->latency = answer->latency;
	rwy_result_derive(round, up->path->kind); /* quantiles, where it was counted but not said */
	return err;
}

/*
 * Of a back-end that sleeps, all; of one that polls, the part of its time in which it found work,
 * as polls that find nothing cost the same. It says for how long that was, but not for how long it
 * had the CPU then: its part of CPU time is taken to be the same as that of time.
 */
static double backend_cycles(const struct rwy_path_up *up, const struct sample *sample)
{
	const struct rwy_path_counts *a = &sample->counts[0], *b = &sample->counts[1];
	double all = rwy_cost_cycles(&sample->cost[0], &sample->cost[1], BACKEND);
	double busy = (double)(b->busy_cycles - a->busy_cycles);
	double time = (double)(sample->cost[1].at_tsc - sample->cost[0].at_tsc);

	bool polls = !up->path->poll || strcmp(up->path->poll, "never");

	return polls ? all * RWY_MIN(busy / time, 1.0) : all;
}

/* Kicks and the back-end's cycles. */
static int put_backend(struct rwy_path_up *up, const struct sample *sample, double ops,
		       struct rwy_result_round *round)
{
	const struct rwy_path_counts *a = &sample->counts[0], *b = &sample->counts[1];
	int err = 0;

	if (b->has_kicks)
		err = rwy_result_set(round, RWY_RESULT_KICKS, NULL,
				     (double)(b->kicks - a->kicks) / ops);
	if (err == 0 && b->has_busy)
		err = rwy_result_set(round, RWY_RESULT_CYCLES, NULL,
				     backend_cycles(up, sample) / ops);
	return err;
}

/* Of all its metrics; nothing is said of what was not measured. */
static int put(struct rwy_path_up *up, const struct sample *sample, struct rwy_result_round *round)
{
	double ops = value_of(&sample->answer, "ops");
	int err = put_answer(up, &sample->answer, round);

	if (err == 0)
		err = rwy_cost_put(&sample->scope, &sample->cost[0], &sample->cost[1], ops, round);
	if (err < 0 || ops == 0)
		return err;
	err = rwy_result_set(round, RWY_RESULT_IRQS, NULL, value_of(&sample->answer, "irqs") / ops);
	return err < 0 ? err : put_backend(up, sample, ops, round);
}

int rwy_work_run(struct rwy_path_up *up, const struct rwy_work *work,
		 const struct rwy_work_opts *opts, struct rwy_result_round *round)
{
	struct sample sample;
	int err;

	up->says = &up->guest.proc;
	err = rwy_path_use(up, work->dpdk);
	up->step = err < 0 ? up->step : work->workload;
	if (err == 0)
		err = work->search ? search(up, work, opts, &sample)
				   : run(up, work, opts, 0, &sample);
	return err < 0 ? err : put(up, &sample, round);
}
