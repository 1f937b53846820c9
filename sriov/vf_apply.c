/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/vf_apply.h"

#include "lib/log.h"
#include "sriov/host.h"
#include "sriov/vf_batch.h"
#include "sriov/vf_file.h"
#include "sriov/vf_step.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "vf_apply"

#define STEP_LEN	   96
#define ENOTSUPP_OF_KERNEL 524 /* include/linux/errno.h */

/* A run, or what is left of one. */
struct run {
	struct rwy_nl *nl;
	struct rwy_journal *journal;
	struct rwy_vf_plan *plan;
	struct rwy_pf_list made; /* PFs after their VFs were made */
};

/* The value of a step's attribute; NULL where the function is not there. */
static char *value_of(const struct rwy_pf_list *host, const struct rwy_vf_step *step)
{
	struct rwy_pf *pf = rwy_pf_list_find(host, step->pf);

	if (!pf)
		return NULL;
	if (step->vf == RWY_VF_PLAN_PF)
		return pf->value[step->attr];
	return (unsigned)step->vf < pf->nr_vfs ? pf->vfs[step->vf].value[step->attr] : NULL;
}

/* With what the kernel said, where it can say anything. */
static void complain(const struct run *run, const struct rwy_vf_step *step, const char *what)
{
	bool asked = rwy_attr_of_link(step->attr) || rwy_attr_of_devlink(step->attr);
	const char *why = asked ? run->nl->why : "";
	char name[STEP_LEN];

	rwy_vf_plan_name(step, name, sizeof(name));
	rwy_error("%s: %s to %s: %s%s%s", name, what, step->to, strerror(-step->err),
		  why[0] ? ": " : "", why);
}

/* ---- back ---- */

static bool is_online(const struct rwy_pf_list *host, const struct rwy_vf_step *step)
{
	struct rwy_vf_step online = *step;
	const char *value;

	online.attr = RWY_ATTR_ONLINE;
	value = value_of(host, &online);
	return value && strcmp(value, "on") == 0;
}

static int undo_step(struct run *run, struct rwy_pf_list *host, struct rwy_vf_step *step)
{
	struct rwy_vf_step back = rwy_vf_plan_back(step);
	char *value = value_of(host, step);

	if (!back.to[0] || strcmp(back.to, RWY_ATTR_UNSUPPORTED) == 0)
		return 0;
	if (value && strcmp(value, back.to) == 0 && !rwy_attr_is_deferred(step->attr))
		return 0;
	/* Not one that is as it was: it may be in use. */
	if (step->attr == RWY_ATTR_RESET && is_online(host, step))
		return 0;
	/* A driver that took it by itself goes with what we did. */
	if (value && step->attr == RWY_ATTR_DRIVER && step->to[0] && strcmp(value, step->to) != 0)
		return 0;
	back.err = rwy_vf_step_run(run->nl, &back);
	if (back.err) {
		complain(run, &back, "cannot be set back");
		return back.err;
	}
	if (rwy_attr_is_upheaval(step->attr))
		return rwy_host_renew(run->nl, host, step->pf);
	/* The next step back starts from here. */
	if (value)
		strcpy(value, back.to);
	return 0;
}

/* A record of what is there now says nothing. */
static void forget_found(struct run *run, const struct rwy_pf_list *host)
{
	for (unsigned i = 0; i < host->nr; i++) {
		const struct rwy_pf *now = &host->pfs[i];
		struct rwy_vf_plan plan = {0};
		struct rwy_pf_list found;
		char path[RWY_SYSFS_PATH];

		if (!rwy_journal_has_found(run->journal, now->bdf, path) ||
		    rwy_vf_file_load(&found, path, RWY_VF_FILE_FOUND, host))
			continue;
		if (found.nr == 1 && rwy_vf_plan_add(&plan, now, found.pfs) == 0 && plan.nr == 0)
			rwy_journal_del_found(run->journal, now->bdf);
		rwy_vf_plan_fini(&plan);
		rwy_pf_list_fini(&found);
	}
}

/* The PFs of the plan as they are now. */
static int read_planned(struct run *run, struct rwy_pf_list *host)
{
	int err = 0;

	*host = (struct rwy_pf_list){0};
	for (unsigned i = 0; !err && i < run->plan->nr; i++)
		if (!rwy_pf_list_find(host, run->plan->steps[i].pf))
			err = rwy_host_renew(run->nl, host, run->plan->steps[i].pf);
	if (err)
		rwy_pf_list_fini(host);
	return err;
}

/* The first nr steps, the last one first. As much as can be is undone; the first error. */
static int undo(struct run *run, unsigned nr)
{
	struct rwy_pf_list host;
	int err = read_planned(run, &host);

	if (err)
		return err;
	for (unsigned i = nr; i-- > 0;) {
		struct rwy_vf_step *step = &run->plan->steps[i];
		int stuck;

		if (step->result == RWY_VF_UNSUPPORTED)
			continue;
		stuck = undo_step(run, &host, step);
		if (step->result != RWY_VF_FAILED)
			step->result = stuck ? RWY_VF_STUCK : RWY_VF_UNDONE;
		if (!stuck && rwy_vf_plan_step_writes(step))
			stuck = rwy_journal_undone(run->journal, i);
		err = err ? err : stuck;
	}
	forget_found(run, &host);
	rwy_pf_list_fini(&host);
	return err;
}

/* ---- forth ---- */

static int record_found(struct run *run, const struct rwy_pf_list *host)
{
	const char *before = "";
	int err = 0;

	for (unsigned i = 0; !err && i < run->plan->nr; i++) {
		const char *bdf = run->plan->steps[i].pf;
		char path[RWY_SYSFS_PATH], *text;

		if (strcmp(before, bdf) == 0)
			continue;
		before = bdf;
		if (rwy_journal_has_found(run->journal, bdf, path))
			continue;
		text = rwy_vf_file_format(rwy_pf_list_find(host, bdf));
		err = text ? rwy_journal_put_found(run->journal, bdf, text) : -ENOMEM;
		free(text);
	}
	return err;
}

/* The kernel's way of saying that the driver does not have it; some drivers let out a number that
 * is the kernel's own (bnxt_set_vf_vlan). */
static bool is_unsupported(const struct rwy_vf_step *step, int err)
{
	return (err == -EOPNOTSUPP || err == -EPROTONOSUPPORT || err == -ENOTSUPP_OF_KERNEL) &&
	       (rwy_attr_of_link(step->attr) || rwy_attr_of_devlink(step->attr));
}

/* New VFs have values of their own, that no plan could know; they need not be written. */
static bool is_so(struct run *run, const struct rwy_vf_step *step)
{
	const char *value = step->from[0] ? NULL : value_of(&run->made, step);

	return value && strcmp(value, step->to) == 0;
}

static int do_step(struct run *run, unsigned idx)
{
	struct rwy_vf_step *step = &run->plan->steps[idx];
	int err;

	if (!step->to[0])
		return 0;
	if (strcmp(step->from, RWY_ATTR_UNSUPPORTED) == 0) {
		step->result = RWY_VF_UNSUPPORTED;
		return 0;
	}
	if (is_so(run, step)) {
		step->result = RWY_VF_APPLIED;
		return 0;
	}
	err = rwy_journal_step(run->journal, idx);
	if (err)
		return err;
	err = rwy_vf_step_run(run->nl, step);
	if (is_unsupported(step, err)) {
		step->result = RWY_VF_UNSUPPORTED;
		return 0;
	}
	step->result = err ? RWY_VF_FAILED : RWY_VF_APPLIED;
	step->err = err;
	if (err) {
		complain(run, step, "cannot be set");
	} else if (rwy_attr_is_upheaval(step->attr)) {
		err = rwy_host_renew(run->nl, &run->made, step->pf);
	}
	return err;
}

/* Steps that are done at once are begun at once, as far as the journal knows. */
static int do_batch(struct run *run, unsigned idx, unsigned nr)
{
	struct rwy_vf_step *steps = &run->plan->steps[idx];
	int err = rwy_journal_step(run->journal, idx + nr - 1);

	if (err)
		return err;
	err = rwy_vf_batch_run(run->nl, steps, nr);
	for (unsigned i = 0; err && i < nr; i++)
		if (steps[i].result == RWY_VF_FAILED)
			complain(run, &steps[i], "cannot be set");
	return err;
}

/* A later step set the same attribute to something else. */
static bool is_superseded(const struct rwy_vf_plan *plan, unsigned idx)
{
	const struct rwy_vf_step *step = &plan->steps[idx];

	for (unsigned i = idx + 1; i < plan->nr; i++)
		if (plan->steps[i].vf == step->vf && plan->steps[i].attr == step->attr &&
		    plan->steps[i].to[0] && strcmp(plan->steps[i].pf, step->pf) == 0)
			return true;
	return false;
}

static int verify_step(const struct rwy_pf_list *host, struct rwy_vf_step *step)
{
	const char *value = value_of(host, step);
	char name[STEP_LEN];

	if (rwy_attr_is_action(step->attr) || (value && strcmp(value, step->to) == 0))
		return 0;
	rwy_vf_plan_name(step, name, sizeof(name));
	if (value && !value[0]) {
		rwy_warn("%s was set to %s, but cannot be read back here", name, step->to);
		return 0;
	}
	rwy_error("%s was set to %s, but is %s", name, step->to, value ? value : "gone");
	step->result = RWY_VF_FAILED;
	step->err = -EIO;
	return -EIO;
}

/* The host must say what was written. */
static int verify(struct run *run)
{
	struct rwy_pf_list host;
	int err = read_planned(run, &host);

	if (err)
		return err;
	for (unsigned i = 0; i < run->plan->nr; i++) {
		struct rwy_vf_step *step = &run->plan->steps[i];

		if (step->result == RWY_VF_APPLIED && !is_superseded(run->plan, i) &&
		    verify_step(&host, step))
			err = -EIO;
	}
	if (!err)
		forget_found(run, &host);
	rwy_pf_list_fini(&host);
	return err;
}

int rwy_vf_apply_run(struct rwy_nl *nl, struct rwy_journal *journal, const struct rwy_pf_list *host,
		     struct rwy_vf_plan *plan)
{
	struct run run = {.nl = nl, .journal = journal, .plan = plan};
	unsigned i = 0, nr;
	int err = record_found(&run, host);

	if (!err)
		err = rwy_journal_begin(journal, plan);
	if (err)
		return err;
	for (; !err && i < plan->nr; i += nr) {
		nr = rwy_vf_batch_count(plan, i);
		err = nr > 1 ? do_batch(&run, i, nr) : do_step(&run, i);
	}
	if (!err)
		err = verify(&run);
	if (err && undo(&run, i))
		rwy_error("not all could be undone");
	rwy_pf_list_fini(&run.made);
	int ended = rwy_journal_end(journal);

	return err ? err : ended;
}

int rwy_vf_apply_recover(struct rwy_nl *nl, struct rwy_journal *journal)
{
	struct rwy_vf_plan plan;
	struct run run = {.nl = nl, .journal = journal, .plan = &plan};
	unsigned nr;
	int rc = rwy_journal_resume(journal, &plan, &nr), err;

	if (rc <= 0)
		return rc;
	rwy_warn("an earlier run ended in the middle, after %u of %u steps: undoing them", nr,
		 plan.nr);
	rc = undo(&run, nr);
	if (rc)
		rwy_error("not all could be undone");
	err = rwy_journal_end(journal);
	rwy_vf_plan_fini(&plan);
	return rc ? rc : err;
}
