/* SPDX-License-Identifier: BSD-3-Clause */
/* What the drivers of PFs want done in which order, and what they refuse. */
#ifndef RWY_SRIOV_PF_RULE_H
#define RWY_SRIOV_PF_RULE_H

#include "lib/base.h"

struct rwy_pf_rule {
	const char *driver;
	bool up_first;	   /* makes VFs only while its interface is up */
	bool switch_first; /* changes the mode of its switch only while it has no VFs */
	bool rate_by_link; /* takes rates only while there is a link */
	int not_yet;	   /* the error that only asks for patience: a VF is still being reset */
	bool no_min_rate;
	bool no_8021ad;
	bool no_counters; /* of its VFs: the kernel tells zeros then */
};

/* Of this driver; one without any special wish for those that are not known. */
const struct rwy_pf_rule *rwy_pf_rule_of(const char *driver);

#endif
