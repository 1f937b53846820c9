/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that is shared and then taken away: most front-ends' memory can be shrunk under us, and a
 * touch of what is gone is a SIGBUS. The page is replaced by one of zeros, so that the instruction
 * can end, and the reactor's guards are told (lib/poll.h): the device whose memory it was is broken
 * and all others go on.
 */
#ifndef RWY_VHOST_BACKENDS_BE_FAULT_H
#define RWY_VHOST_BACKENDS_BE_FAULT_H

#include "lib/log.h"
#include "lib/poll.h"

struct rwy_be_fault {
	struct rwy_poll *poll;
	struct rwy_watch watch;
	struct rwy_log_limit log_limit;
};

/*
 * On the reactor's own thread, which takes its own faults: the handler, which is the process's,
 * tells the thread it runs on by SIGRTMIN, and that is blocked here. A thread without one of these
 * must not touch what is shared. -errno, logged.
 */
RWY_MUST_CHECK int rwy_be_fault_open(struct rwy_be_fault *fault, struct rwy_poll *poll);
/*
 * Tells the guards of what has happened and was not told yet; how often. To be done before memory
 * is unmapped, as its addresses may be somebody else's afterwards.
 */
unsigned rwy_be_fault_settle(struct rwy_poll *poll);
void rwy_be_fault_close(struct rwy_be_fault *fault);

#endif
