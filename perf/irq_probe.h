/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ways that interrupts take to a guest, counted where the kernel sees them pass, so that it is
 * the same for every VMM: KVM's trace points and its function for VMMs that inject by a call. Two
 * looks and their difference. What happens in between pays for a counter, nothing else does.
 *
 * All guests of a host pass there, so it counts only while there is one.
 */
#ifndef RWY_PERF_IRQ_PROBE_H
#define RWY_PERF_IRQ_PROBE_H

#include "lib/base.h"

#include <sys/types.h>

#define RWY_IRQ_PROBE_WHY 160

enum rwy_irq_probe_what {
	RWY_IRQ_PROBE_MSI,    /* messages that became interrupts, of irqfds and of the VMM */
	RWY_IRQ_PROBE_CALL,   /* those that the VMM sent by a call to KVM */
	RWY_IRQ_PROBE_POSTED, /* interrupts that went into a guest without it being left */
	RWY_IRQ_PROBE_WHATS,
};

struct rwy_irq_probe {
	unsigned nr;
	struct {
		int fd;
		enum rwy_irq_probe_what what;
	} * counters; /* owned */
	char why[RWY_IRQ_PROBE_WHY];
};

/* Of the guest whose VMM is this process. -errno: they cannot be had, and probe->why says why. */
RWY_MUST_CHECK int rwy_irq_probe_open(struct rwy_irq_probe *probe, pid_t vmm);
/* May be closed already. */
void rwy_irq_probe_close(struct rwy_irq_probe *probe);
/* -errno: this was no look. */
RWY_MUST_CHECK int rwy_irq_probe_read(const struct rwy_irq_probe *probe,
				      uint64_t counts[RWY_IRQ_PROBE_WHATS]);

#endif
