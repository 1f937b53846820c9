/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * File descriptors and eventfds. -1 is "none". A function that takes over a descriptor gets
 * `int *fd` and sets it to -1, so that two owners cannot both close it.
 */
#ifndef RWY_LIB_FD_H
#define RWY_LIB_FD_H

#include "lib/base.h"

#include <sys/types.h>

/* Closes unless it is -1, sets it to -1, keeps errno. */
void rwy_fd_close(int *fd);
void rwy_fd_close_all(int *fds, unsigned n);
/* The fd in *fd, leaving -1 behind. */
int rwy_fd_take(int *fd);
RWY_MUST_CHECK int rwy_fd_set_nonblock(int fd, bool on);
/* Non-blocking, close-on-exec eventfd, or negative errno. */
RWY_MUST_CHECK int rwy_fd_event(void);
/* Adds one to an eventfd of our own; lib/bell.h is for others. A full counter (EAGAIN) still wakes
 * the peer, so it counts as success. */
int rwy_fd_signal(int fd);
/* Empties an eventfd; never waits, whatever its flags. The counter, 0 when it was empty, or
 * negative errno. */
int64_t rwy_fd_drain(int fd);
/* Whole transfers in spite of short counts and EINTR; 0 or negative errno (-ENODATA: end of file).
 */
RWY_MUST_CHECK int rwy_fd_read_full(int fd, void *buf, size_t len, off_t off);
RWY_MUST_CHECK int rwy_fd_write_full(int fd, const void *buf, size_t len, off_t off);
/* Open descriptors of this process, for leak checks. */
int rwy_fd_count(void);

#endif
