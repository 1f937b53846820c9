/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Processes that hold a function through VFIO: those with the group's or the function's own file
 * open. What only root may look at is not seen by others.
 */
#ifndef RWY_SRIOV_HOLDER_H
#define RWY_SRIOV_HOLDER_H

#include "sriov/vf.h"

struct rwy_holder {
	int pid;
	char name[16]; /* of the program */
	char file[24]; /* below /dev/vfio: a group's number, or devices/vfioN */
};

struct rwy_holder_list {
	unsigned nr;
	struct rwy_holder *holders; /* owned */
};

/* Looks through all processes once. root: of /proc. 0 or -errno. */
RWY_MUST_CHECK int rwy_holder_list_init(struct rwy_holder_list *list, const char *root);
void rwy_holder_list_fini(struct rwy_holder_list *list);
/* The first that holds the VF, NULL: nobody. */
const struct rwy_holder *rwy_holder_of(const struct rwy_holder_list *list, const struct rwy_vf *vf);

#endif
