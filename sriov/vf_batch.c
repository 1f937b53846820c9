/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/vf_batch.h"

#include "sriov/vf_step.h"

#include <pthread.h>
#include <string.h>

#define THREADS 8 /* the kernel's own limits are near */

struct batch {
	struct rwy_nl *nl;
	struct rwy_vf_step *steps;
	unsigned nr;
	unsigned next; /* not yet begun; all threads add to it */
	int err;       /* of any that failed */
};

static bool binds(const struct rwy_vf_step *step)
{
	return strcmp(step->to, RWY_ATTR_NONE) != 0;
}

unsigned rwy_vf_batch_count(const struct rwy_vf_plan *plan, unsigned idx)
{
	const struct rwy_vf_step *first = &plan->steps[idx];
	unsigned end = idx + 1;

	if (first->attr != RWY_ATTR_DRIVER || !first->to[0])
		return 1;
	while (end < plan->nr && plan->steps[end].attr == RWY_ATTR_DRIVER &&
	       plan->steps[end].to[0] && binds(&plan->steps[end]) == binds(first))
		end++;
	return end - idx;
}

static void *work(void *ctx)
{
	struct batch *batch = ctx;
	unsigned i;

	while (!__atomic_load_n(&batch->err, __ATOMIC_RELAXED) &&
	       (i = __atomic_fetch_add(&batch->next, 1, __ATOMIC_RELAXED)) < batch->nr) {
		struct rwy_vf_step *step = &batch->steps[i];

		step->err = rwy_vf_step_run(batch->nl, step);
		step->result = step->err ? RWY_VF_FAILED : RWY_VF_APPLIED;
		if (step->err)
			__atomic_store_n(&batch->err, step->err, __ATOMIC_RELAXED);
	}
	return NULL;
}

int rwy_vf_batch_run(struct rwy_nl *nl, struct rwy_vf_step *steps, unsigned nr)
{
	struct batch batch = {.nl = nl, .steps = steps, .nr = nr};
	pthread_t threads[THREADS];
	unsigned nr_threads = 0;

	/* This thread is one of them, and does it all where there can be no other. */
	while (nr_threads + 1 < RWY_MIN(nr, THREADS) &&
	       pthread_create(&threads[nr_threads], NULL, work, &batch) == 0)
		nr_threads++;
	work(&batch);
	while (nr_threads)
		pthread_join(threads[--nr_threads], NULL);
	return batch.err;
}
