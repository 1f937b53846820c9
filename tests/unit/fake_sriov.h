/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hosts with SR-IOV cards: a tree of files for sysfs (tests/unit/fake_root.h), and what the kernel
 * makes of writes to it.
 */
#ifndef RWY_TESTS_FAKE_SRIOV_H
#define RWY_TESTS_FAKE_SRIOV_H

#include "tests/unit/fake_root.h"

#include "sriov/pf.h"

#define FAKE_SRIOV_PFS 8

/* What differs from card to card. */
struct fake_sriov_card {
	const char *driver;    /* of the PF */
	const char *vf_driver; /* that takes the VFs when probed */
	unsigned vendor, device, vf_device;
	unsigned offset, stride; /* from a PF's routing ID to its VFs' */
	const char *class;
	const char *netdev; /* NULL: it is no network card */
	unsigned nr_vectors;
	int msix_total; /* -1: they cannot be moved */
};

extern const struct fake_sriov_card fake_sriov_cards[];
extern const unsigned fake_sriov_nr_cards;

/* The card that this driver drives; fails the test if there is none. */
const struct fake_sriov_card *fake_sriov_card(const char *driver);
/* A PF as it is after boot, without VFs. */
void fake_sriov_add_pf(const char *root, const struct fake_sriov_card *card, const char *bdf,
		       unsigned total);
/* The function of a VF. */
void fake_sriov_vf_bdf(const struct fake_sriov_card *card, const char *pf, unsigned idx,
		       char bdf[RWY_BDF_LEN]);
/* VFs 0 to nr - 1 appear, each with its driver where probed. */
void fake_sriov_add_vfs(const char *root, const struct fake_sriov_card *card, const char *pf,
			unsigned nr, bool probed);
unsigned fake_sriov_routing_id(const char *bdf);
/* Configuration space with an MSI-X table of so many. */
void fake_sriov_put_config(const char *root, const char *bdf, unsigned nr_vectors);
/* driver NULL: none. */
void fake_sriov_bind(const char *root, const char *bdf, const char *driver);
/* Process pid has this file open. */
void fake_sriov_hold(const char *root, int pid, const char *name, int fd, const char *file);

#endif
