/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A control socket that speaks QMP as QEMU's clients know it: greeting, qmp_capabilities,
 * commands with an `id` that is echoed, errors of a class, events with a timestamp. What the
 * commands do is their owner's business; qmp_capabilities, query-version and query-commands are
 * built in.
 *
 * One client at a time; the next one waits to be accepted. Commands are run in order, one at a
 * time, and may be answered later; until then no more input is read. A client that does not read is
 * not read from either, and dropped when events for it have piled up. Nothing here blocks.
 *
 * Lives on the main thread's reactor.
 */
#ifndef RWY_VMM_QMP_H
#define RWY_VMM_QMP_H

#include "lib/poll.h"

#include <jansson.h>

struct rwy_qmp; /* opaque: vmm/qmp.c */

struct rwy_qmp_command {
	const char *name;
	const char *params; /* names of arguments, a space after each; NULL: any */
	/* args: an object, the caller's. Now or later exactly one of rwy_qmp_return and
	 * rwy_qmp_fail is to be called. */
	void (*run)(void *ctx, struct rwy_qmp *qmp, const json_t *args);
};

struct rwy_qmp_config {
	struct rwy_poll *poll;
	const char *path; /* of the socket, made with mode 0600; a dead process's is replaced */
	const struct rwy_qmp_command *commands;
	unsigned nr_commands;
	void *ctx; /* of the commands */
};

/* -EADDRINUSE: somebody listens there; -ENAMETOOLONG; other -errno. Nothing is logged. */
RWY_MUST_CHECK int rwy_qmp_open(struct rwy_qmp **qmp, const struct rwy_qmp_config *config);
/* What was to be sent is tried once more; the socket's file goes. NULL is none. */
void rwy_qmp_close(struct rwy_qmp *qmp);

/* The answer to the command that was run last. value is taken; NULL: an empty object. */
void rwy_qmp_return(struct rwy_qmp *qmp, json_t *value);
/* error_class: "GenericError", "DeviceNotFound", ... */
void rwy_qmp_fail(struct rwy_qmp *qmp, const char *error_class, const char *fmt, ...)
	RWY_PRINTF(3, 4);
/* Tells a client that is there. data is taken; NULL: none. qmp may be NULL. */
void rwy_qmp_event(struct rwy_qmp *qmp, const char *name, json_t *data);

#endif
