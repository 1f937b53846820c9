/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm/irq.h without KVM: it notes what is wired where, and "delivers" like KVM would. */
#ifndef RWY_TESTS_FAKE_IRQ_H
#define RWY_TESTS_FAKE_IRQ_H

#include "vmm/irq.h"

#define FAKE_IRQ_GSIS  64
#define FAKE_IRQ_FDS   64
#define FAKE_IRQ_BELLS 64

struct rwy_irq {
	bool used[FAKE_IRQ_GSIS];
	struct rwy_irq_msi routes[FAKE_IRQ_GSIS];
	struct rwy_irq_msi committed[FAKE_IRQ_GSIS];
	struct {
		int fd; /* 0: none */
		int gsi;
	} fds[FAKE_IRQ_FDS];
	struct {
		uint64_t gpa; /* 0: none */
		int fd;
	} bells[FAKE_IRQ_BELLS];
	struct {
		int fd, resample_fd;
	} pins[RWY_IRQ_PINS]; /* 0: none */
	unsigned commits;
	unsigned gsis;	     /* in use */
	unsigned wired;	     /* eventfds */
	unsigned bells_used; /* doorbells */
	unsigned gsi_limit;  /* 0: all of them */
};

/* What KVM would inject for events that came on fd: its message, or NULL if it is not wired. */
const struct rwy_irq_msi *fake_irq_message(const struct rwy_irq *irq, int fd);
/* The eventfd a guest write to gpa signals, -1: none. */
int fake_irq_bell(const struct rwy_irq *irq, uint64_t gpa);

#endif
