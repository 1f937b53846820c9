/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the programs have in common: vhost-user sockets (server, client, inherited fd; any number of
 * reconnections) and the back-end program conventions (QEMU docs/interop/vhost-user, "Backend
 * program conventions").
 */
#ifndef RWY_VHOST_BACKENDS_BE_MAIN_H
#define RWY_VHOST_BACKENDS_BE_MAIN_H

#include "vhost-backends/be.h"

/*
 * One place a device is served at. One connection at a time: while it lasts, further front-ends
 * wait in the listen queue. A client retries for ever with back-off (0.1 s to 2 s).
 */
struct rwy_be_socket; /* opaque */

struct rwy_be_socket_config {
	const char *path; /* must outlive the socket; NULL: use fd */
	int *fd;	  /* --fd: a listening socket if it accepts, else a connected one; taken */
	bool client;	  /* connect to path instead of listening on it */
	struct rwy_be_config be;
	/* A connection came: be is open. ops->lost says when it is gone. May be NULL. */
	void (*opened)(void *ctx, struct rwy_be *be);
	void *ctx;
};

/*
 * An inherited connection cannot come back: when it ends, the reactor is stopped.
 *
 * A stale socket file that nobody listens on is replaced. -EADDRINUSE when somebody does, -ENOTSOCK
 * when path is another kind of file; both logged with the fix.
 */
RWY_MUST_CHECK int rwy_be_socket_open(struct rwy_be_socket **sock, struct rwy_poll *poll,
				      const struct rwy_be_socket_config *config);
/*
 * Ends the connection, removes the socket file. Turns the reactor until the device has nothing
 * under way, so it is for the reactor's thread and not for a callback. NULL is nothing.
 */
void rwy_be_socket_close(struct rwy_be_socket *sock);

/* {"type": "net"|"block", "features": [...]}: the answer to --print-capabilities, on stdout. */
void rwy_be_main_print_capabilities(const char *type, const char *const *features, unsigned nr);

/*
 * Runs the reactor until SIGTERM or SIGINT. Exit status for main. Other threads must have both
 * blocked, and SIGBUS not; those that serve have a be_fault.h of their own.
 */
int rwy_be_main_run(struct rwy_poll *poll);

#endif
