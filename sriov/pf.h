/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A physical function that can have VFs, as sysfs shows it. What is wanted of one is a struct
 * rwy_pf as well, of which only bdf, the values and the VFs are filled in.
 */
#ifndef RWY_SRIOV_PF_H
#define RWY_SRIOV_PF_H

#include "sriov/vf.h"

struct rwy_pf {
	char bdf[RWY_BDF_LEN];
	unsigned vendor, device;
	char driver[RWY_ATTR_TEXT]; /* or "none" */
	char netdev[16];	    /* empty: none */
	unsigned ifindex;	    /* 0: none */
	bool carrier;		    /* its interface has a link */
	char mac[RWY_ATTR_TEXT];    /* of its interface, empty: none like a VF's */
	int node;		    /* NUMA, -1: not said */
	char cpus[128];		    /* near it, as 0-7,16-23 */
	int group;		    /* of the IOMMU, -1: none */
	unsigned total;		    /* VFs it can have */
	int msix_total;		    /* vectors its VFs share, -1: cannot be moved between them */
	struct {
		bool known;
		unsigned queues, interrupts;	   /* to be shared with its VFs */
		unsigned vf_queues, vf_interrupts; /* most that one VF can have */
	} nvme;
	bool uncounted; /* its driver counts nothing of its VFs */
	rwy_attr_values value;
	unsigned line; /* of the file that wants it */
	unsigned nr_vfs;
	struct rwy_vf *vfs; /* of nr_vfs, [i] is VF i; owned */
};

struct rwy_pf_list {
	unsigned nr;
	struct rwy_pf *pfs; /* owned, sorted by name */
};

/* Fills *pf; fini frees it. -ENODEV: no such function, -ENOTSUP: it cannot have VFs; *pf is then
 * empty. */
RWY_MUST_CHECK int rwy_pf_init(struct rwy_pf *pf, const char *root, const char *bdf);
void rwy_pf_fini(struct rwy_pf *pf);
/* Room for nr VFs that nothing is known of. 0 or -ENOMEM. */
RWY_MUST_CHECK int rwy_pf_reserve(struct rwy_pf *pf, unsigned nr);
/* The PF of a VF, and which one it is; -ENOENT: bdf is none. */
RWY_MUST_CHECK int rwy_pf_of_vf(const char *root, const char *bdf, char pf[RWY_BDF_LEN],
				unsigned *idx);

/* The interface of a PF. -ENODEV: it has none. */
RWY_MUST_CHECK int rwy_pf_find_link(const char *root, const char *bdf, char netdev[16],
				    unsigned *ifindex);

/* All of this host. */
RWY_MUST_CHECK int rwy_pf_list_init(struct rwy_pf_list *list, const char *root);
void rwy_pf_list_fini(struct rwy_pf_list *list);
/* Moves *pf into the list; 0 or -ENOMEM, and *pf is gone either way. */
RWY_MUST_CHECK int rwy_pf_list_add(struct rwy_pf_list *list, struct rwy_pf *pf);
/* NULL: it is not there. */
struct rwy_pf *rwy_pf_list_find(const struct rwy_pf_list *list, const char *bdf);

#endif
