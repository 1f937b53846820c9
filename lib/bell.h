/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ringing an eventfd that a hostile process has, too.
 *
 * Its flags are shared: the peer can take O_NONBLOCK off and keep the counter at its largest, and
 * write(2) then waits as long as the peer likes. Setting the flag again, or looking with poll(2)
 * first, only makes the moment short in which the peer must act; RWF_NOWAIT is not for the writing
 * of eventfds (Linux 6.18), and an eventfd cannot be opened a second time. But where the kernel
 * itself signals an eventfd it never waits and lets the counter stay where it is: at the end of an
 * asynchronous I/O request, for one. So a bell is a context of those (io_setup(2)), and ringing is
 * a read from /dev/null whose end is told to the eventfd (IOCB_FLAG_RESFD). It costs about twice a
 * write(2).
 */
#ifndef RWY_LIB_BELL_H
#define RWY_LIB_BELL_H

#include "lib/base.h"

struct rwy_bell {
	unsigned long aio; /* 0: none, and ringing is a write(2) */
	int null_fd;
};

/*
 * -errno, logged; then the bell can be rung, but may wait. It is not inherited over fork(2), after
 * which ringing in the child is a write(2), too.
 */
RWY_MUST_CHECK int rwy_bell_open(struct rwy_bell *bell);
void rwy_bell_close(struct rwy_bell *bell);
/* Adds one to the eventfd; a full one is as good. bell NULL: nobody else has it, write(2) will do.
 */
void rwy_bell_ring(const struct rwy_bell *bell, int fd);

#endif
