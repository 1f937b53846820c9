/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The back-ends that nobody started: for `--net tap=` a ringway-net, for `--disk file=` a
 * ringway-blk, each on a socket in a directory that only this user can enter.
 *
 * The listening socket is ours and inherited by the child, so that it is there before the child is
 * and survives it: a child that dies is started again, with back-off, and the device goes on. When
 * this process ends, however, so do they. For the main thread.
 */
#ifndef RWY_VMM_SPAWN_H
#define RWY_VMM_SPAWN_H

#include "lib/poll.h"
#include "vmm/cfg.h"

struct rwy_spawn; /* opaque: vmm/spawn.c */

RWY_MUST_CHECK int rwy_spawn_open(struct rwy_spawn **spawn, struct rwy_poll *poll);
/* SIGTERM for all children, SIGKILL for those that stay, sockets and directory removed. */
void rwy_spawn_close(struct rwy_spawn *spawn);

/* Starts the back-end of a device that has a target. *socket_path lives as long as spawn. name:
 * "net0", for the socket and for log lines; copied. -errno, logged. */
RWY_MUST_CHECK int rwy_spawn_start(struct rwy_spawn *spawn, const struct rwy_cfg_device *device,
				   const char *name, const char **socket_path);
/* Children running now, and how often one was started again. */
unsigned rwy_spawn_nr_running(const struct rwy_spawn *spawn);
uint64_t rwy_spawn_restarts(const struct rwy_spawn *spawn);

/* The program: next to our own executable, else in PATH. -ENOENT, logged. */
RWY_MUST_CHECK int rwy_spawn_find(const char *program, char *path, size_t len);

#endif
