/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/compare.h"

#include "lib/poll.h"

#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define VERSION_MS 20000
#define NS_IN_S	   1e9
#define NOT_YET	   "its turn never came"

/* ---- before ---- */

/* A hypervisor's name, as it is found at the place for it, in three registers. */
static bool is_emulated(void)
{
	unsigned eax, name[3];

	__cpuid(0x40000000, eax, name[0], name[1], name[2]);
	return !memcmp(name, "TCGTCGTCGTCG", sizeof(name));
}

/* "QEMU emulator version 10.0.2 (Debian ...)": the first line, as far as it is one of a name. */
static void version_of(struct rwy_compare *compare, const struct rwy_guest_vmm *vmm, char *text,
		       size_t text_len)
{
	struct rwy_run_proc *proc = &compare->up.back;
	char program[512];
	const char *const argv[] = {program, "--version", NULL};

	snprintf(text, text_len, "%s", vmm->name);
	if (rwy_guest_find(vmm, program, sizeof(program)) < 0 ||
	    rwy_run_call(&compare->run, proc, compare->env.cpu_back, argv, VERSION_MS) < 0)
		return;
	const char *line = rwy_run_output(proc, 0);

	snprintf(text, text_len, "%.*s", (int)strcspn(line, "(\r\n"), line);
	for (size_t len = strlen(text); len > 0 && text[len - 1] == ' '; len--)
		text[len - 1] = '\0';
}

static int note_gap(struct rwy_result_path *entry, enum rwy_result_metric metric, const char *why)
{
	return why && why[0] ? rwy_result_gap(entry, metric, why) : 0;
}

static int add_entries(struct rwy_compare *compare, unsigned p)
{
	const struct rwy_path *path = compare->paths[p];
	char why[512] = NOT_YET, vmm[64];

	version_of(compare, path->vmm, vmm, sizeof(vmm));
	if (rwy_path_available(path, &compare->env, why, sizeof(why)))
		compare->items[compare->nr_items++] = p;
	for (unsigned w = 0; w < compare->nr_works; w++) {
		const struct rwy_work *work = compare->works[w];
		const char *lack =
			work->dpdk && !strcmp(why, NOT_YET) ? compare->env.no_dpdk : NULL;

		if (work->kind != path->kind)
			continue;
		struct rwy_result_path *entry = rwy_result_add_path(&compare->result, path->kind,
								    path->name, work->workload);

		if (!entry)
			return -ENOSPC;
		snprintf(entry->vmm, sizeof(entry->vmm), "%s", vmm);
		if (path->ops->describe)
			path->ops->describe(path, &compare->env, entry->backend,
					    sizeof(entry->backend));
		else
			snprintf(entry->backend, sizeof(entry->backend), "%s", path->ops->backend);
		snprintf(entry->reason, sizeof(entry->reason), "%s", lack ? lack : why);
		entry->status = RWY_RESULT_MISSING;
		compare->entries[p][w] = lack ? NULL : entry;
		if (note_gap(entry, RWY_RESULT_CYCLES, path->ops->no_cycles) < 0 ||
		    note_gap(entry, RWY_RESULT_KICKS, path->ops->no_kicks) < 0)
			return -ENOSPC;
	}
	return 0;
}

static void say_missing(const struct rwy_compare *compare)
{
	for (unsigned w = 0; w < compare->nr_works; w++)
		if (compare->works[w]->dpdk && compare->env.no_dpdk)
			fprintf(compare->progress, "not here: %s: %s\n", compare->works[w]->key,
				compare->env.no_dpdk);
	for (unsigned p = 0; p < compare->nr_paths; p++)
		for (unsigned w = 0; w < compare->nr_works; w++) {
			const struct rwy_result_path *entry = compare->entries[p][w];

			if (entry && strcmp(entry->reason, NOT_YET)) {
				fprintf(compare->progress, "not here: %s: %s\n",
					compare->paths[p]->key, entry->reason);
				break;
			}
		}
}

/* ---- one run of one path ---- */

static void fail(struct rwy_compare *compare, unsigned p, unsigned w, const char *reason)
{
	struct rwy_result_path *entry = compare->entries[p][w];

	entry->status = RWY_RESULT_FAILED;
	snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
}

/* Of all its work that is not done yet: it cannot be any more. */
static void fail_from(struct rwy_compare *compare, unsigned p, unsigned w, const char *reason)
{
	for (; w < compare->nr_works; w++)
		if (compare->entries[p][w])
			fail(compare, p, w, reason);
	fprintf(compare->progress, "  %s failed: %s\n", compare->paths[p]->key, reason);
}

static void explain(const struct rwy_compare *compare, int err, char *text, size_t text_len)
{
	const struct rwy_path_up *up = &compare->up;

	if (up->why[0])
		snprintf(text, text_len, "%s: %s", up->step, up->why);
	else
		rwy_run_explain(&compare->run, up->says, err, up->step, text, text_len);
}

/* Whether the guest can go on with something else. */
static bool is_of_work(int err)
{
	return err == -EREMOTEIO || err == -ENODATA;
}

static int do_works(struct rwy_compare *compare, unsigned p)
{
	char text[2048];
	int err = 0, done = 0;

	for (unsigned w = 0; w < compare->nr_works; w++) {
		if (!compare->entries[p][w])
			continue;
		err = rwy_work_run(&compare->up, compare->works[w], &compare->work_opts,
				   &compare->staged[w]);
		if (err == 0) {
			done++;
			continue;
		}
		compare->staged[w].nr_values = 0;
		if (compare->run.interrupted)
			return err;
		explain(compare, err, text, sizeof(text));
		if (!is_of_work(err)) {
			fail_from(compare, p, w, text);
			return err;
		}
		fail(compare, p, w, text);
		fprintf(compare->progress, "  %s: %s\n", compare->paths[p]->key, text);
	}
	return done > 0 ? 0 : err;
}

/* What was measured is good: it goes into the result. */
static int commit(struct rwy_compare *compare, unsigned p, unsigned number)
{
	double memory;
	int err = rwy_path_memory(&compare->up, &memory);

	for (unsigned w = 0; err == 0 && w < compare->nr_works; w++) {
		struct rwy_result_path *entry = compare->entries[p][w];
		struct rwy_result_round *round;

		if (!entry || compare->staged[w].nr_values == 0)
			continue;
		round = rwy_result_add_round(entry, number);
		if (!round)
			return -ENOMEM;
		*round = compare->staged[w];
		round->number = number;
		err = rwy_result_set(round, RWY_RESULT_SETUP, NULL, compare->up.setup_s);
		if (err == 0)
			err = rwy_result_set(round, RWY_RESULT_MEMORY, NULL, memory);
		if (err == 0)
			err = note_gap(entry, RWY_RESULT_IRQS_BY, compare->up.irqs.why);
		entry->status = RWY_RESULT_MEASURED;
		entry->reason[0] = '\0';
	}
	return err;
}

static void note_commands(struct rwy_compare *compare, unsigned p)
{
	for (unsigned w = 0; w < compare->nr_works; w++) {
		struct rwy_result_path *entry = compare->entries[p][w];

		if (entry)
			rwy_path_commands(&compare->up, entry->commands, sizeof(entry->commands));
	}
}

static void say_measured(const struct rwy_compare *compare, unsigned p)
{
	static const enum rwy_result_metric heads[] = {RWY_RESULT_IOPS, RWY_RESULT_PPS,
						       RWY_RESULT_BPS, RWY_RESULT_LAT_P50};

	for (unsigned w = 0; w < compare->nr_works; w++) {
		const struct rwy_result_round *round = &compare->staged[w];
		const double *value = NULL;

		if (!compare->entries[p][w] || round->nr_values == 0)
			continue;
		for (unsigned i = 0; !value && i < RWY_ARRAY_SIZE(heads); i++) {
			value = rwy_result_get(round, heads[i], NULL);
			if (value)
				fprintf(compare->progress, "  %-8s %.4g %s\n",
					compare->works[w]->key, *value,
					rwy_result_metrics[heads[i]].unit);
		}
	}
}

static int measure(void *ctx, unsigned item, unsigned number)
{
	struct rwy_compare *compare = ctx;
	unsigned p = compare->items[item];
	char text[2048];
	int err = rwy_path_start(&compare->up, compare->paths[p], &compare->env);

	memset(compare->staged, 0, sizeof(compare->staged));
	note_commands(compare, p);
	if (err < 0) {
		explain(compare, err, text, sizeof(text));
		goto stop;
	}
	text[0] = '\0';
	err = do_works(compare, p);
	note_commands(compare, p); /* with those of the far end */
	if (err == 0) {
		err = rwy_path_check(&compare->up);
		if (err == 0)
			err = commit(compare, p, number);
		if (err < 0)
			explain(compare, err, text, sizeof(text));
	}
	if (err == 0)
		say_measured(compare, p);
stop:
	if (err < 0 && text[0] && !compare->run.interrupted)
		fail_from(compare, p, 0, text);
	rwy_path_stop(&compare->up);
	compare->result.seconds = difftime(time(NULL), compare->result.started);
	int save_err = rwy_result_save(&compare->result, compare->file);

	return err < 0 ? err : save_err;
}

static const char *name(void *ctx, unsigned item)
{
	const struct rwy_compare *compare = ctx;

	return compare->paths[compare->items[item]]->key;
}

static void note_guest(struct rwy_compare *compare)
{
	const struct rwy_path_env *env = &compare->env;

	(void)rwy_facts_add(&compare->result.facts, "guest",
			    "%u vCPU%s, %u MiB, %u queue%s of a virtio device", env->nr_vcpus,
			    env->nr_vcpus == 1 ? "" : "s", env->memory_mib, env->nr_queues,
			    env->nr_queues == 1 ? "" : "s");
}

int rwy_compare_run(struct rwy_compare *compare)
{
	struct rwy_rounds rounds = {
		.rounds = compare->rounds,
		.deadline_s = compare->deadline_s,
		.run = &compare->run,
		.progress = compare->progress,
		.name = name,
		.measure = measure,
		.ctx = compare,
	};
	uint64_t from = rwy_poll_now_ns();
	int err = rwy_result_init(&compare->result, compare->rounds), save_err;

	if (err < 0)
		return err;
	compare->result.emulated = is_emulated();
	rwy_facts_read("", &compare->result.facts);
	note_guest(compare);
	strcpy(compare->result.placement, compare->placement);
	snprintf(compare->result.ended, sizeof(compare->result.ended), "it was still under way");
	for (unsigned p = 0; err == 0 && p < compare->nr_paths; p++)
		err = add_entries(compare, p);
	if (err < 0)
		return err;
	say_missing(compare);
	rounds.nr = compare->nr_items;
	err = rwy_rounds_run(&rounds);
	compare->result.ended[0] = '\0';
	if (err == -EINTR)
		snprintf(compare->result.ended, sizeof(compare->result.ended),
			 "interrupted after %u of %u runs", rounds.done,
			 rounds.nr * rounds.rounds - rounds.dropped);
	compare->result.seconds = (double)(rwy_poll_now_ns() - from) / NS_IN_S;
	save_err = rwy_result_save(&compare->result, compare->file);
	return save_err < 0 ? save_err : err;
}
