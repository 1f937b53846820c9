/* SPDX-License-Identifier: BSD-3-Clause */
/* What a back-end must make of each message, as the vhost-user text has it and not as our code. */
#ifndef RWY_TESTS_VERDICTS_H
#define RWY_TESTS_VERDICTS_H

#include "lib/vu_wire.h"

#include <stdbool.h>

/* How far the front-end has come when it says it. */
enum verdict_stage { FRESH, NEGOTIATED, RUNNING, NR_STAGES };

enum verdict {
	YES,	/* done, acknowledged by 0 where that was asked for */
	NO,	/* refused, by another value; nothing has changed */
	ANSWER, /* a reply of its own kind */
	EMPTY,	/* the same with no payload, which is its way to say no */
	SHUT,	/* the connection is closed */
};

enum verdict_fd { WITH_MEM, WITH_EVENT, WITH_PIPE };

struct verdict_case {
	const char *name;
	uint32_t request;
	uint32_t flags; /* that are not as they should be */
	const void *payload;
	uint32_t size;
	uint32_t claimed; /* instead of size */
	unsigned cut;	  /* bytes sent of it, then never more */
	unsigned nr_fds;
	enum verdict_fd fd;
	char only; /* 'n'et or 'b'lk */
	enum verdict verdict[NR_STAGES];
};

/* Sizes and descriptors a request may have. One more or one less of either ends the connection. */
struct verdict_shape {
	uint32_t request;
	uint16_t size_min;
	uint16_t size_max;
	uint8_t fds_min;
	uint8_t fds_max;
};

extern const struct verdict_case verdict_cases[];
extern const unsigned verdict_nr_cases;
extern const struct verdict_shape verdict_shapes[];
extern const unsigned verdict_nr_shapes;

#endif
