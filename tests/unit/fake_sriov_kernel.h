/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel makes of writes to sysfs and of rtnetlink, on a host of tests/unit/fake_sriov.h.
 * Each change can be made to fail, to be forgotten, or to be the last thing the process does: the
 * model is in memory that children share.
 */
#ifndef RWY_TESTS_FAKE_SRIOV_KERNEL_H
#define RWY_TESTS_FAKE_SRIOV_KERNEL_H

#include "tests/unit/fake_sriov.h"

#include "lib/sysfs.h"
#include "sriov/sriov_sys.h"

#define FAKE_SRIOV_VFS	  256
#define FAKE_SRIOV_DIED	  42 /* exit status of a process that ended in a change */
#define FAKE_SRIOV_NEVER  UINT32_MAX
#define FAKE_SRIOV_ANSWER (1u << 20)

struct fake_sriov_pf {
	const struct fake_sriov_card *card;
	char bdf[RWY_BDF_LEN];
	unsigned ifindex, total, nr_vfs;
	rwy_attr_values vfs[FAKE_SRIOV_VFS]; /* those of the link and of devlink only */
	bool switchdev;			     /* the mode of its switch */
	unsigned nr_vectors[FAKE_SRIOV_VFS];
	/* NVMe: queues and interrupts */
	unsigned flexible[2], kept[2], kept_next[2];
	struct {
		unsigned nr[2];
		bool online, stale; /* stale: was given something since its last reset */
	} nvme[FAKE_SRIOV_VFS];
};

struct fake_sriov_kernel {
	struct rwy_sriov_sys sys;
	unsigned nr_pfs;
	struct fake_sriov_pf pfs[FAKE_SRIOV_PFS];
	unsigned nr_changes; /* so far; all below are counted from 1 */
	unsigned fail_at;
	int fail_err;
	unsigned forget_at; /* says that it was done */
	unsigned die_at;
	bool die_after; /* the change was made */
	unsigned late;	/* VFs appear after this many waits */
	unsigned nr_waits;
	struct fake_sriov_pf *pending;
	unsigned nr_pending;
	struct fake_sriov_pf *down; /* has no link for so many waits */
	unsigned nr_down;
	bool link_never;
	unsigned not_ready; /* refuses so many settings of VFs, which are still being reset */
	bool counters;	    /* were asked for */
	bool too_long;	    /* with counters, the answer has no room */
	size_t answer_len;  /* of rtnetlink */
	char answer[FAKE_SRIOV_ANSWER];
	bool old;		  /* has no switches without VFs */
	int family_err, mode_err; /* that devlink is not there, that only root may ask for it */
	size_t told, to_tell;	  /* of generic netlink */
	char tale[FAKE_SRIOV_ANSWER];
};

/* A kernel without PFs; close frees it and its root. */
struct fake_sriov_kernel *fake_sriov_kernel_open(void);
void fake_sriov_kernel_close(struct fake_sriov_kernel *kernel);
struct fake_sriov_pf *fake_sriov_kernel_add_pf(struct fake_sriov_kernel *kernel, const char *driver,
					       const char *bdf, unsigned total);
/* As a write to sriov_numvfs does it, but for counting and failing. */
void fake_sriov_kernel_set_vfs(struct fake_sriov_kernel *kernel, struct fake_sriov_pf *pf,
			       unsigned nr);
/* A request by netlink, and its answer. */
ssize_t fake_sriov_link_send(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire,
			     const void *message, size_t len);
ssize_t fake_sriov_link_recv(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire, void *buf,
			     size_t len, int flags);
/* The same of devlink. */
void fake_sriov_devlink_send(struct fake_sriov_kernel *kernel, const void *message);
ssize_t fake_sriov_devlink_recv(struct fake_sriov_kernel *kernel, void *buf, size_t len, int flags);
/* VFs came or went, or the mode of the switch is another. */
void fake_sriov_devlink_renew(struct fake_sriov_pf *pf);
/* Some VF has a driver. */
bool fake_sriov_kernel_is_bound(struct fake_sriov_kernel *kernel, const struct fake_sriov_pf *pf);
/* The card is reset when VFs come and go, and has no link for a while. */
bool fake_sriov_kernel_resets(const struct fake_sriov_pf *pf);
/* An admin command. */
int fake_sriov_nvme(const struct rwy_sriov_sys *sys, const char *name,
		    struct nvme_passthru_cmd *command);
/* For the models: whether this change is made (1), or forgotten (0), or an error; and its end. */
int fake_sriov_kernel_begin(struct fake_sriov_kernel *kernel);
void fake_sriov_kernel_end(struct fake_sriov_kernel *kernel);
/* The answer to RTM_GETLINK, in kernel->answer. */
void fake_sriov_kernel_answer(struct fake_sriov_kernel *kernel, const struct fake_sriov_pf *pf,
			      uint32_t seq, bool counters);

#endif
