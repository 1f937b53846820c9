/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/vf_plan.h"

#include "sriov/pf_rule.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one PF: the first error stops all that follows. */
struct planning {
	struct rwy_vf_plan *plan;
	const struct rwy_pf *now, *want;
	int err;
};

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

int rwy_vf_plan_push(struct rwy_vf_plan *plan, const struct rwy_vf_step *step)
{
	if (plan->nr == plan->room) {
		unsigned room = plan->room ? 2 * plan->room : 64;
		struct rwy_vf_step *grown = reallocarray(plan->steps, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		plan->steps = grown;
		plan->room = room;
	}
	plan->steps[plan->nr++] = *step;
	return 0;
}

static void push(struct planning *p, int vf, enum rwy_attr attr, const char *from, const char *to)
{
	struct rwy_vf_step step = {.vf = vf, .attr = attr};

	memcpy(step.pf, p->now->bdf, sizeof(step.pf));
	snprintf(step.from, sizeof(step.from), "%s", from);
	snprintf(step.to, sizeof(step.to), "%s", to);
	if (!p->err && !is(from, to))
		p->err = rwy_vf_plan_push(p->plan, &step);
}

/* All that goes when the VF goes, the last that was set first. */
static void remember(struct planning *p, int idx)
{
	const struct rwy_vf *vf = &p->now->vfs[idx];

	for (int attr = RWY_ATTR_NR - 1; attr >= (int)RWY_ATTR_OF_PF; attr--)
		if (!is(vf->value[attr], RWY_ATTR_UNSUPPORTED) &&
		    !is(vf->value[attr], RWY_ATTR_NONE))
			push(p, idx, attr, vf->value[attr], "");
}

/* A resource of which an NVMe controller keeps little enough for its VFs to have theirs. */
static bool keep_less(struct planning *p, enum rwy_attr kept, enum rwy_attr given, unsigned total)
{
	const char *now = p->now->value[kept], *to = p->want->value[kept];
	unsigned sum = 0, is_kept = (unsigned)strtoul(now, NULL, 10);
	char text[RWY_ATTR_TEXT];

	for (unsigned i = 0; i < p->want->nr_vfs; i++)
		sum += (unsigned)strtoul(p->want->vfs[i].value[given], NULL, 10);
	snprintf(text, sizeof(text), "%u", RWY_MIN(is_kept, total > sum ? total - sum : 0));
	to = to[0] ? to : sum ? text : now;
	if (now[0])
		push(p, RWY_VF_PLAN_PF, kept, now, to);
	return now[0] && !is(now, to);
}

/* What is kept changes by a reset after it, on the way there and on the way back. */
static void share(struct planning *p)
{
	unsigned before = p->plan->nr;
	bool changes;

	push(p, RWY_VF_PLAN_PF, RWY_ATTR_PF_RESET, RWY_ATTR_NOW, "");
	changes = keep_less(p, RWY_ATTR_KEPT_QUEUES, RWY_ATTR_QUEUES, p->now->nvme.queues);
	changes |= keep_less(p, RWY_ATTR_KEPT_INTERRUPTS, RWY_ATTR_INTERRUPTS,
			     p->now->nvme.interrupts);
	if (changes)
		push(p, RWY_VF_PLAN_PF, RWY_ATTR_PF_RESET, "", RWY_ATTR_NOW);
	else
		p->plan->nr = before;
}

static void remake(struct planning *p, unsigned count)
{
	const struct rwy_pf *now = p->now;

	if (count && rwy_pf_rule_of(now->driver)->up_first && is(now->value[RWY_ATTR_UP], "off"))
		push(p, RWY_VF_PLAN_PF, RWY_ATTR_UP, "off", "on");
	if (count && is(now->value[RWY_ATTR_AUTOPROBE], "on"))
		push(p, RWY_VF_PLAN_PF, RWY_ATTR_AUTOPROBE, "on", "off");
	for (unsigned i = 0; i < now->nr_vfs; i++)
		remember(p, (int)i);
	/* The kernel goes from one number to another only by none. */
	push(p, RWY_VF_PLAN_PF, RWY_ATTR_NUMVFS, now->value[RWY_ATTR_NUMVFS], "0");
	share(p);
	push(p, RWY_VF_PLAN_PF, RWY_ATTR_NUMVFS, "0", p->want->value[RWY_ATTR_NUMVFS]);
}

static bool differs(const struct rwy_vf *now, const struct rwy_vf *want, enum rwy_attr attr)
{
	return want->value[attr][0] && !is(want->value[attr], now->value[attr]);
}

/* What becomes of a VF, beyond values that are set. */
struct change {
	bool moves;   /* to another driver */
	bool feeds;   /* gets other resources of an NVMe controller */
	bool lets_go; /* has no driver meanwhile: none may count on what changes */
};

static struct change change_of(const struct rwy_vf *now, const struct rwy_vf *want)
{
	struct change change = {
		.moves = differs(now, want, RWY_ATTR_DRIVER),
		.feeds = differs(now, want, RWY_ATTR_QUEUES) ||
			 differs(now, want, RWY_ATTR_INTERRUPTS),
	};

	change.lets_go = change.moves || change.feeds || differs(now, want, RWY_ATTR_MSIX) ||
			 differs(now, want, RWY_ATTR_ONLINE);
	return change;
}

static const char *last_driver(const struct rwy_vf *now, const struct rwy_vf *want)
{
	return want->value[RWY_ATTR_DRIVER][0] ? want->value[RWY_ATTR_DRIVER]
					       : now->value[RWY_ATTR_DRIVER];
}

static void let_go(struct planning *p, int idx, const struct rwy_vf *now)
{
	if (change_of(now, &p->want->vfs[idx]).lets_go)
		push(p, idx, RWY_ATTR_DRIVER, now->value[RWY_ATTR_DRIVER], RWY_ATTR_NONE);
}

static void configure(struct planning *p, int idx, const struct rwy_vf *now)
{
	const struct rwy_vf *want = &p->want->vfs[idx];
	const char *online = now->value[RWY_ATTR_ONLINE], *answers = want->value[RWY_ATTR_ONLINE];
	struct change change = change_of(now, want);

	if (change.feeds && is(online, "on")) {
		push(p, idx, RWY_ATTR_ONLINE, online, "off");
		online = "off";
	}
	for (enum rwy_attr attr = RWY_ATTR_OF_PF; attr < RWY_ATTR_RESET; attr++) {
		const char *to = want->value[attr];

		if (attr == RWY_ATTR_OVERRIDE && change.moves && !to[0])
			to = last_driver(now, want);
		if (to[0])
			push(p, idx, attr, now->value[attr], to);
	}
	/* The VF has what it was given after a reset, and who wants that wants to use it. */
	if (change.feeds)
		push(p, idx, RWY_ATTR_RESET, "", RWY_ATTR_NOW);
	if (change.feeds && !answers[0])
		answers = "on";
	if (answers[0])
		push(p, idx, RWY_ATTR_ONLINE, online, answers);
}

static void bind(struct planning *p, int idx, const struct rwy_vf *now)
{
	const struct rwy_vf *want = &p->want->vfs[idx];

	if (change_of(now, want).lets_go)
		push(p, idx, RWY_ATTR_DRIVER, RWY_ATTR_NONE, last_driver(now, want));
}

unsigned rwy_vf_plan_count(const struct rwy_pf *now, const struct rwy_pf *want)
{
	const char *wanted = want->value[RWY_ATTR_NUMVFS];

	return wanted[0] ? (unsigned)strtoul(wanted, NULL, 10) : now->nr_vfs;
}

int rwy_vf_plan_add(struct rwy_vf_plan *plan, const struct rwy_pf *now, const struct rwy_pf *want)
{
	static const struct rwy_vf fresh = {
		.value = {[RWY_ATTR_DRIVER] = RWY_ATTR_NONE, [RWY_ATTR_OVERRIDE] = RWY_ATTR_NONE}};
	static void (*const phases[])(struct planning * p, int idx,
				      const struct rwy_vf *now) = {let_go, configure, bind};
	struct planning p = {plan, now, want, 0};
	unsigned count = rwy_vf_plan_count(now, want);
	bool remakes = count != now->nr_vfs;
	const char *autoprobe = want->value[RWY_ATTR_AUTOPROBE];

	if (remakes)
		remake(&p, count);
	/* Drivers of all VFs together: they take their time, side by side (vf_batch.h). */
	for (unsigned phase = 0; phase < RWY_ARRAY_SIZE(phases); phase++)
		for (unsigned i = 0; i < RWY_MIN(count, want->nr_vfs); i++)
			phases[phase](&p, (int)i, remakes ? &fresh : &now->vfs[i]);
	/* Only what was found says this. */
	if (autoprobe[0])
		push(&p, RWY_VF_PLAN_PF, RWY_ATTR_AUTOPROBE,
		     remakes && count ? "off" : now->value[RWY_ATTR_AUTOPROBE], autoprobe);
	return p.err;
}

void rwy_vf_plan_fini(struct rwy_vf_plan *plan)
{
	free(plan->steps);
	*plan = (struct rwy_vf_plan){0};
}

bool rwy_vf_plan_step_writes(const struct rwy_vf_step *step)
{
	return step->to[0] && !is(step->from, RWY_ATTR_UNSUPPORTED);
}

bool rwy_vf_plan_writes(const struct rwy_vf_plan *plan)
{
	for (unsigned i = 0; i < plan->nr; i++)
		if (rwy_vf_plan_step_writes(&plan->steps[i]))
			return true;
	return false;
}

struct rwy_vf_step rwy_vf_plan_back(const struct rwy_vf_step *step)
{
	struct rwy_vf_step back = *step;

	back.result = RWY_VF_WAITING;
	back.err = 0;
	memcpy(back.from, step->to, sizeof(back.from));
	memcpy(back.to, step->from, sizeof(back.to));
	return back;
}

void rwy_vf_plan_name(const struct rwy_vf_step *step, char *text, size_t len)
{
	if (step->vf == RWY_VF_PLAN_PF)
		snprintf(text, len, "%s %s", step->pf, rwy_attr_name(step->attr));
	else
		snprintf(text, len, "%s VF %d %s", step->pf, step->vf, rwy_attr_name(step->attr));
}
