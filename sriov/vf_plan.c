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
	bool remakes;  /* the VFs that are there go, and others come */
	bool switches; /* to another mode */
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

/* On the way back, an NVMe VF is reset before it is online with what it had. */
static void remember_reset(struct planning *p, int idx)
{
	if (is(p->now->vfs[idx].value[RWY_ATTR_ONLINE], "on"))
		push(p, idx, RWY_ATTR_RESET, RWY_ATTR_NOW, "");
}

/* What goes when the VF goes, or, of the switch only, when that changes: what was set last comes
 * first. */
static void remember(struct planning *p, int idx)
{
	const struct rwy_vf *vf = &p->now->vfs[idx];

	for (int attr = RWY_ATTR_NR - 1; attr >= (int)RWY_ATTR_OF_PF; attr--) {
		if (attr == RWY_ATTR_RESET && p->remakes)
			remember_reset(p, idx);
		if ((p->remakes || rwy_attr_of_link(attr) || rwy_attr_of_devlink(attr)) &&
		    !is(vf->value[attr], RWY_ATTR_UNSUPPORTED) &&
		    !is(vf->value[attr], RWY_ATTR_NONE))
			push(p, idx, attr, vf->value[attr], "");
	}
}

/*
 * Some cards have a switch only while they have VFs (mlx5_core of older kernels), and on some it
 * goes back to legacy mode with them (bnxt_en of older kernels): where VFs are made it is not known
 * before.
 */
static bool may_fall_back(const struct planning *p)
{
	return p->remakes && p->now->nr_vfs && is(p->now->value[RWY_ATTR_ESWITCH], "switchdev") &&
	       !rwy_pf_rule_of(p->now->driver)->switch_first;
}

static void change_switch(struct planning *p, unsigned count)
{
	const char *now = p->now->value[RWY_ATTR_ESWITCH], *mode = p->want->value[RWY_ATTR_ESWITCH];

	if (!mode[0] && count && may_fall_back(p))
		mode = now;
	if (may_fall_back(p) || (p->remakes && is(now, RWY_ATTR_UNSUPPORTED)))
		now = "";
	if (mode[0])
		push(p, RWY_VF_PLAN_PF, RWY_ATTR_ESWITCH, now, mode);
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
	char text[RWY_ATTR_TEXT];

	if (count && is(now->value[RWY_ATTR_AUTOPROBE], "on"))
		push(p, RWY_VF_PLAN_PF, RWY_ATTR_AUTOPROBE, "on", "off");
	for (unsigned i = 0; i < now->nr_vfs; i++)
		remember(p, (int)i);
	if (may_fall_back(p))
		push(p, RWY_VF_PLAN_PF, RWY_ATTR_ESWITCH, now->value[RWY_ATTR_ESWITCH], "");
	/* The kernel goes from one number to another only by none. */
	push(p, RWY_VF_PLAN_PF, RWY_ATTR_NUMVFS, now->value[RWY_ATTR_NUMVFS], "0");
	share(p);
	if (rwy_pf_rule_of(now->driver)->switch_first)
		change_switch(p, count);
	snprintf(text, sizeof(text), "%u", count);
	push(p, RWY_VF_PLAN_PF, RWY_ATTR_NUMVFS, "0", text);
}

static const char *last_driver(const struct rwy_vf *now, const struct rwy_vf *want)
{
	return want->value[RWY_ATTR_DRIVER][0] ? want->value[RWY_ATTR_DRIVER]
					       : now->value[RWY_ATTR_DRIVER];
}

/* A VF as it is, or as it will be made, and what is wanted of it. */
struct pair {
	int idx;
	const struct rwy_vf *now, *want;
};

static bool differs(const struct pair *vf, enum rwy_attr attr)
{
	const char *now = vf->now->value[attr], *want = vf->want->value[attr];

	return want[0] && !is(want, now) && !is(now, RWY_ATTR_UNSUPPORTED);
}

/* Gets other resources of an NVMe controller. */
static bool feeds(const struct pair *vf)
{
	return differs(vf, RWY_ATTR_QUEUES) || differs(vf, RWY_ATTR_INTERRUPTS);
}

/* Out of one pool for all VFs of a PF. */
static const enum rwy_attr shared[] = {RWY_ATTR_MSIX, RWY_ATTR_QUEUES, RWY_ATTR_INTERRUPTS};

/* What VF has of it, or will have when it is made: a driver gives its new VFs an even share of the
 * vectors at most, so that the pool is not empty (mlx5_get_default_msix_vec_count). */
static unsigned long has(const struct planning *p, const struct pair *vf, enum rwy_attr attr)
{
	const char *now = vf->now->value[attr];

	if (!now[0] && attr == RWY_ATTR_MSIX && p->now->msix_total > 0)
		return (unsigned long)p->now->msix_total / rwy_vf_plan_count(p->now, p->want);
	return strtoul(now, NULL, 10);
}

/* Leaves something in the pool, for others. */
static bool yields(const struct planning *p, const struct pair *vf, enum rwy_attr attr)
{
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(shared); i++)
		if (shared[i] == attr)
			return differs(vf, attr) &&
			       strtoul(vf->want->value[attr], NULL, 10) <= has(p, vf, attr);
	return false;
}

/* Has no driver meanwhile: none may count on what changes. */
static bool lets_go(const struct planning *p, const struct pair *vf)
{
	static const enum rwy_attr attrs[] = {RWY_ATTR_DRIVER,	     RWY_ATTR_MSIX,
					      RWY_ATTR_ONLINE,	     RWY_ATTR_ROCE,
					      RWY_ATTR_MIGRATABLE,   RWY_ATTR_IPSEC_CRYPTO,
					      RWY_ATTR_IPSEC_PACKET, RWY_ATTR_MAX_IO_EQS,
					      RWY_ATTR_QUEUES,	     RWY_ATTR_INTERRUPTS};
	bool goes = p->switches;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(attrs); i++)
		goes = goes || differs(vf, attrs[i]);
	return goes;
}

static void let_go(struct planning *p, const struct pair *vf)
{
	if (lets_go(p, vf))
		push(p, vf->idx, RWY_ATTR_DRIVER, vf->now->value[RWY_ATTR_DRIVER], RWY_ATTR_NONE);
}

/* What the switch says of its ports now is not what it will say in its other mode. */
static const char *before(const struct planning *p, const struct pair *vf, enum rwy_attr attr)
{
	return p->switches && rwy_attr_of_devlink(attr) ? "" : vf->now->value[attr];
}

/* Before any VF gets more of a pool, all that get less have given it back. */
static void give_back(struct planning *p, const struct pair *vf)
{
	if (feeds(vf) && is(vf->now->value[RWY_ATTR_ONLINE], "on")) {
		push(p, vf->idx, RWY_ATTR_ONLINE, "on", "off");
		remember_reset(p, vf->idx);
	}
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(shared); i++)
		if (yields(p, vf, shared[i]))
			push(p, vf->idx, shared[i], vf->now->value[shared[i]],
			     vf->want->value[shared[i]]);
}

static void configure(struct planning *p, const struct pair *vf)
{
	const char *online = vf->now->value[RWY_ATTR_ONLINE];
	const char *answers = vf->want->value[RWY_ATTR_ONLINE];

	if (feeds(vf) && is(online, "on"))
		online = "off";
	for (enum rwy_attr attr = RWY_ATTR_OF_PF; attr < RWY_ATTR_RESET; attr++) {
		const char *to = vf->want->value[attr];

		if (attr == RWY_ATTR_OVERRIDE && differs(vf, RWY_ATTR_DRIVER) && !to[0])
			to = last_driver(vf->now, vf->want);
		if (to[0] && !yields(p, vf, attr))
			push(p, vf->idx, attr, before(p, vf, attr), to);
	}
	/* The VF has what it was given after a reset, and who wants that wants to use it. */
	if (feeds(vf))
		push(p, vf->idx, RWY_ATTR_RESET, "", RWY_ATTR_NOW);
	if (feeds(vf) && !answers[0])
		answers = "on";
	if (answers[0])
		push(p, vf->idx, RWY_ATTR_ONLINE, online, answers);
}

static void bind(struct planning *p, const struct pair *vf)
{
	if (lets_go(p, vf))
		push(p, vf->idx, RWY_ATTR_DRIVER, RWY_ATTR_NONE, last_driver(vf->now, vf->want));
}

static void for_each_vf(struct planning *p, unsigned count,
			void (*phase)(struct planning *p, const struct pair *vf))
{
	static const struct rwy_vf nothing,
		fresh = {.value = {[RWY_ATTR_DRIVER] = RWY_ATTR_NONE,
				   [RWY_ATTR_OVERRIDE] = RWY_ATTR_NONE}};

	for (unsigned i = 0; i < count; i++) {
		const struct pair vf = {(int)i, p->remakes ? &fresh : &p->now->vfs[i],
					i < p->want->nr_vfs ? &p->want->vfs[i] : &nothing};

		phase(p, &vf);
	}
}

unsigned rwy_vf_plan_count(const struct rwy_pf *now, const struct rwy_pf *want)
{
	const char *wanted = want->value[RWY_ATTR_NUMVFS];

	return wanted[0] ? (unsigned)strtoul(wanted, NULL, 10) : now->nr_vfs;
}

bool rwy_vf_plan_switches(const struct rwy_pf *now, const struct rwy_pf *want)
{
	const char *mode = want->value[RWY_ATTR_ESWITCH];

	return mode[0] && !is(mode, now->value[RWY_ATTR_ESWITCH]) &&
	       !is(now->value[RWY_ATTR_ESWITCH], RWY_ATTR_UNSUPPORTED);
}

bool rwy_vf_plan_remakes(const struct rwy_pf *now, const struct rwy_pf *want)
{
	return rwy_vf_plan_count(now, want) != now->nr_vfs ||
	       (now->nr_vfs && rwy_vf_plan_switches(now, want) &&
		rwy_pf_rule_of(now->driver)->switch_first);
}

int rwy_vf_plan_add(struct rwy_vf_plan *plan, const struct rwy_pf *now, const struct rwy_pf *want)
{
	struct planning p = {
		plan, now, want, rwy_vf_plan_remakes(now, want), rwy_vf_plan_switches(now, want),
		0};
	unsigned count = rwy_vf_plan_count(now, want);
	const char *autoprobe = want->value[RWY_ATTR_AUTOPROBE];

	if (count && (p.remakes || p.switches) && rwy_pf_rule_of(now->driver)->up_first &&
	    is(now->value[RWY_ATTR_UP], "off"))
		push(&p, RWY_VF_PLAN_PF, RWY_ATTR_UP, "off", "on");
	if (p.remakes)
		remake(&p, count);
	/* Drivers of all VFs together: they take their time, side by side (vf_batch.h). */
	for_each_vf(&p, count, let_go);
	for (unsigned i = 0; p.switches && !p.remakes && i < now->nr_vfs; i++)
		remember(&p, (int)i);
	if (!p.remakes || !rwy_pf_rule_of(now->driver)->switch_first)
		change_switch(&p, count);
	for_each_vf(&p, count, give_back);
	for_each_vf(&p, count, configure);
	for_each_vf(&p, count, bind);
	/* Only what was found says this. */
	if (autoprobe[0])
		push(&p, RWY_VF_PLAN_PF, RWY_ATTR_AUTOPROBE,
		     p.remakes && count ? "off" : now->value[RWY_ATTR_AUTOPROBE], autoprobe);
	return p.err;
}

bool rwy_vf_plan_resets(const struct rwy_pf *now, const struct rwy_pf *want)
{
	struct rwy_vf_plan plan = {0};
	bool resets = false;

	(void)!rwy_vf_plan_add(&plan, now, want);
	for (unsigned i = 0; i < plan.nr; i++)
		resets |= plan.steps[i].attr == RWY_ATTR_PF_RESET && plan.steps[i].to[0];
	rwy_vf_plan_fini(&plan);
	return resets;
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
