/* SPDX-License-Identifier: BSD-3-Clause */
/* A back-end program in a process of its own, with two places where front-ends may come. */
#ifndef RWY_TESTS_LIVE_H
#define RWY_TESTS_LIVE_H

#include "tests/proto/peer.h"
#include "tests/unit/unit.h"

#include <sys/types.h>

#define LIVE_PLACES 2

struct live {
	bool net; /* ringway-net; else ringway-blk */
	const char *program;
	char dir[32];
	char paths[LIVE_PLACES][48];
	char metrics[48];
	char file[48]; /* behind the last disk of blk2, else the first */
	pid_t pid;
};

struct footprint {
	unsigned fds;
	unsigned maps;
	long rss; /* pages */
};

/*
 * kind: "net", "blk", or "blk2" with its second place on a reactor of its own. 0 or -1, as cmocka's
 * fixtures have it.
 */
int live_start(struct live *live, const char *kind, const char *program);
/* By SIGTERM; it must exit with 0. */
int live_stop(struct live *live);

/* A connection to one of the places. */
int live_dial(const struct live *live, unsigned place);
/* A well-behaved front-end, its rings running. */
void live_join(const struct live *live, unsigned place, struct peer *p);
/* One chain on the ring that takes requests comes back. */
bool live_serves(const struct live *live, struct peer *p);
/* A well-behaved front-end comes, is served and leaves. */
void live_expect_service(const struct live *live, unsigned place);
/* The ring that takes requests. */
unsigned live_ring(const struct live *live);

/* A counter by its name, out of the metrics file. */
uint64_t live_counter(const struct live *live, const char *entry, const char *counter);
/* Once the last connection is worked off: three looks in a row see the same. */
struct footprint live_footprint(const struct live *live);
/* Nothing has grown since. */
void live_expect_footprint(const struct live *live, const struct footprint *before);

#endif
