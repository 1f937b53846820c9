/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions lent to a process that may not open them itself. The files that VFIO needs go over a
 * unix socket of packets: one packet, "ringway-sriov loan 1", a line "BDF group" or "BDF cdev" for
 * each function, and for each two descriptors, of the group and a container or of the function's
 * own file and /dev/iommu. The borrower keeps the connection for as long as it has them, so that
 * its end, however it comes, is seen at the other side.
 */
#ifndef RWY_SRIOV_VF_LOAN_H
#define RWY_SRIOV_VF_LOAN_H

#include "lib/bdf.h"
#include "lib/base.h"

#define RWY_VF_LOAN_MAX 64 /* functions in a packet */

struct rwy_vf_loan {
	char bdf[RWY_BDF_LEN];
	bool cdev;
	int fd;	      /* owned */
	int iommu_fd; /* owned */
};

struct rwy_vf_loan_list {
	unsigned nr;
	struct rwy_vf_loan loans[RWY_VF_LOAN_MAX];
};

void rwy_vf_loan_close_all(struct rwy_vf_loan_list *list);
/*
 * Opens a function's files and appends it: its own where the kernel has such, else its group's.
 * -ENODEV: it is with another driver than VFIO's; -EBUSY: its group is not viable, or a process
 * holds it; -ENOSPC; or -errno. Logged. root: of /dev, /proc and /sys.
 */
RWY_MUST_CHECK int rwy_vf_loan_open(struct rwy_vf_loan_list *list, const char *root,
				    const char *bdf);
/* All of the list; it stays the caller's. 0 or -errno. */
RWY_MUST_CHECK int rwy_vf_loan_send(int socket, const struct rwy_vf_loan_list *list);
/* Fills the list. -EPROTO: this is no such packet, and nothing is left open; -ENODATA: the lender
 * ended the connection. */
RWY_MUST_CHECK int rwy_vf_loan_recv(int socket, struct rwy_vf_loan_list *list);

#endif
