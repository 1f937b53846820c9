/* SPDX-License-Identifier: BSD-3-Clause */
/* What `list` and `show` say: tables for people, JSON for programs. */
#ifndef RWY_SRIOV_PF_PRINT_H
#define RWY_SRIOV_PF_PRINT_H

#include "sriov/holder.h"
#include "sriov/pf.h"
#include "sriov/rdma.h"

#include <stdio.h>

struct rwy_pf_print {
	const char *root;
	const struct rwy_holder_list *holders;
	const struct rwy_rdma_host *rdma;
	FILE *out;
};

/* A line for each PF and each VF. */
void rwy_pf_print_table(const struct rwy_pf_print *print, const struct rwy_pf_list *list);
/* An array of objects, one a PF. */
void rwy_pf_print_json(const struct rwy_pf_print *print, const struct rwy_pf_list *list);
/* All that is known of one PF, or with idx of one of its VFs (-1: of the PF and all of them). */
void rwy_pf_print_facts(const struct rwy_pf_print *print, const struct rwy_pf *pf, int idx);
void rwy_pf_print_facts_json(const struct rwy_pf_print *print, const struct rwy_pf *pf, int idx);

#endif
