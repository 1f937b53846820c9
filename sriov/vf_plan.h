/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must be done, in order, to get from what is to what is wanted. Nothing here touches the
 * host.
 *
 * A step sets one attribute of one function by one write, and is undone by the step back. Some
 * steps only remember: making other VFs takes away all that was set on those before, so a step to
 * the empty text stands for each such value, and going back along it sets the value again.
 */
#ifndef RWY_SRIOV_VF_PLAN_H
#define RWY_SRIOV_VF_PLAN_H

#include "sriov/pf.h"

#define RWY_VF_PLAN_PF -1 /* the step's vf: the PF itself */

/* What became of a step. */
enum rwy_vf_result {
	RWY_VF_WAITING, /* not begun */
	RWY_VF_APPLIED,
	RWY_VF_UNSUPPORTED, /* the driver does not have it */
	RWY_VF_FAILED,
	RWY_VF_UNDONE,
	RWY_VF_STUCK, /* could not be undone */
};

struct rwy_vf_step {
	char pf[RWY_BDF_LEN];
	int vf;
	enum rwy_attr attr;
	char from[RWY_ATTR_TEXT]; /* empty: as the kernel makes it */
	char to[RWY_ATTR_TEXT];	  /* empty: nothing is written */
	enum rwy_vf_result result;
	int err; /* of a step that failed or is stuck, negative errno */
};

struct rwy_vf_plan {
	unsigned nr, room;
	struct rwy_vf_step *steps; /* owned */
};

/* Appends what one PF needs; want says nothing by empty texts. 0 or -ENOMEM. */
RWY_MUST_CHECK int rwy_vf_plan_add(struct rwy_vf_plan *plan, const struct rwy_pf *now,
				   const struct rwy_pf *want);
RWY_MUST_CHECK int rwy_vf_plan_push(struct rwy_vf_plan *plan, const struct rwy_vf_step *step);
void rwy_vf_plan_fini(struct rwy_vf_plan *plan);
/* It has something to do: steps that write. */
bool rwy_vf_plan_writes(const struct rwy_vf_plan *plan);
/* This step writes, neither remembering nor asking for what the driver does not have. */
bool rwy_vf_plan_step_writes(const struct rwy_vf_step *step);
/* The step back. */
struct rwy_vf_step rwy_vf_plan_back(const struct rwy_vf_step *step);
/* "0000:01:00.0 VF 3 mac", for people. */
void rwy_vf_plan_name(const struct rwy_vf_step *step, char *text, size_t len);
/* VFs that the PF has when all is done. */
unsigned rwy_vf_plan_count(const struct rwy_pf *now, const struct rwy_pf *want);

/* On the way there, the mode of its switch changes. */
bool rwy_vf_plan_switches(const struct rwy_pf *now, const struct rwy_pf *want);
/* On the way there, the PF is reset. */
bool rwy_vf_plan_resets(const struct rwy_pf *now, const struct rwy_pf *want);
/* On the way there, the VFs that are there go, and others come. */
bool rwy_vf_plan_remakes(const struct rwy_pf *now, const struct rwy_pf *want);

#endif
