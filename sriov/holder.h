/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who uses a function now. Processes do by files of it that they have open: those of VFIO, and what
 * drivers make of it for programs (uio, verbs, vDPA, NVMe). The kernel does for its users: by a
 * file system, another block device on top of it, or a bridge, a bond and the like that its
 * interface is part of. What only root may look at is not seen by others.
 */
#ifndef RWY_SRIOV_HOLDER_H
#define RWY_SRIOV_HOLDER_H

#include "sriov/vf.h"

struct rwy_holder {
	int pid;	       /* 0: it is no process */
	char name[32];	       /* of the program, or /mnt/disk, bond0 */
	char bdf[RWY_BDF_LEN]; /* of what; empty: the file says that */
	char file[24];	       /* below /dev/vfio: a group's number, or devices/vfioN */
};

struct rwy_holder_list {
	unsigned nr;
	struct rwy_holder *holders; /* owned */
};

/* Looks through all processes, mounts and interfaces once. root: of /proc and /sys. 0 or -errno. */
RWY_MUST_CHECK int rwy_holder_list_init(struct rwy_holder_list *list, const char *root);
void rwy_holder_list_fini(struct rwy_holder_list *list);
/* The first that uses the VF, NULL: nobody. */
const struct rwy_holder *rwy_holder_of(const struct rwy_holder_list *list, const struct rwy_vf *vf);
/* The same of a PF, by what is not VFIO's. */
const struct rwy_holder *rwy_holder_of_pf(const struct rwy_holder_list *list, const char *bdf);

#define RWY_HOLDER_TEXT 56
/* "ringway-vmm (77)", "bond0"; before stands between, as "process ". */
void rwy_holder_put(char text[RWY_HOLDER_TEXT], const struct rwy_holder *holder,
		    const char *before);

#endif
