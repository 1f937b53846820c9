/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest RAM: a sealed memfd, of ordinary or huge pages, mapped shared so that back-ends and
 * devices see the same bytes.
 */
#ifndef RWY_LIB_SHM_H
#define RWY_LIB_SHM_H

#include "lib/base.h"

struct rwy_shm {
	uint8_t *addr;
	uint64_t size;	    /* bytes, a multiple of page_size */
	uint64_t page_size; /* 4096, 2 MiB or 1 GiB */
	int fd;		    /* owned; F_SEAL_SHRINK and F_SEAL_GROW set */
};

struct rwy_shm_opts {
	uint64_t page_size; /* 0 or 4096: ordinary pages */
	int node;	    /* -1: wherever */
	bool prealloc;	    /* touch every page now; a huge page that is missing is an error now */
};

/* Returns 0 or negative errno, and then logs what is missing and the command that mends it. */
RWY_MUST_CHECK int rwy_shm_open(struct rwy_shm *shm, const char *name, uint64_t size,
				const struct rwy_shm_opts *opts);
void rwy_shm_close(struct rwy_shm *shm);

#endif
