/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ledger of one I/O address space: which I/O virtual addresses lead to which memory of ours.
 *
 * It knows, before the kernel is asked, what cannot be: overlaps, ranges that are not whole pages,
 * windows that the host's bus keeps for itself, more mappings than the kernel takes, more pinned
 * memory than this process may have. Large ranges are mapped in pieces cut at multiples of 1 GiB,
 * so that no huge page is ever divided; when a piece fails the pieces before it are taken back.
 *
 * It follows a memory map as its listener, at I/O address = guest-physical address. Who maps is a
 * table of two functions: type1.c, iommufd.c, or a test.
 *
 * Thread: the memory map's own.
 */
#ifndef RWY_IOMMU_DMA_H
#define RWY_IOMMU_DMA_H

#include "lib/addr.h"
#include "lib/base.h"
#include "lib/mem.h"

#define RWY_DMA_WINDOWS 64

struct rwy_dma_ops {
	/* Pins and maps for reading and writing. 0 or negative errno. */
	int (*map)(void *ctx, rwy_iova iova, void *hva, uint64_t len);
	/* All whole mappings in the range. */
	int (*unmap)(void *ctx, rwy_iova iova, uint64_t len);
};

struct rwy_dma_limits {
	uint64_t page_size; /* smallest the IOMMU has */
	uint64_t memlock;   /* bytes this process may pin, UINT64_MAX: any */
	unsigned mappings;  /* at one time */
};

struct rwy_dma_mapping {
	uint64_t first, len;
	bool pinned; /* counted against memlock */
};

struct rwy_dma_window {
	uint64_t first, last;
	const char *what; /* in words, static */
};

struct rwy_dma {
	const struct rwy_dma_ops *ops;
	void *ctx;
	struct rwy_dma_limits limits;
	struct rwy_dma_window windows[RWY_DMA_WINDOWS];
	unsigned nr_windows;
	struct rwy_dma_mapping *mappings; /* sorted */
	unsigned nr, room;
	uint64_t pinned; /* bytes */
	struct rwy_mem *mem;
};

/* What the two windows every x86 machine has are kept from, until rwy_dma_reserve adds more. */
void rwy_dma_init(struct rwy_dma *dma, const struct rwy_dma_ops *ops, void *ctx,
		  const struct rwy_dma_limits *limits);
/* Unfollows and unmaps everything. */
void rwy_dma_fini(struct rwy_dma *dma);

/* [first, last] is not for memory. -EEXIST: something is mapped there; -ENOSPC. Logged. */
RWY_MUST_CHECK int rwy_dma_reserve(struct rwy_dma *dma, uint64_t first, uint64_t last,
				   const char *what);

struct rwy_dma_range {
	uint64_t first, last;
};
/* All that the ranges, which are in order, leave out. -EPROTO: they are not. */
RWY_MUST_CHECK int rwy_dma_reserve_between(struct rwy_dma *dma, const struct rwy_dma_range *ranges,
					   unsigned nr);

/*
 * -EINVAL: not whole pages, or wraps; -EEXIST: overlaps; -ERANGE: in a reserved window; -ENOSPC:
 * too many mappings; -ENOMEM: more than may be pinned; or what the kernel says. All are logged with
 * what to do. On failure nothing of the range is mapped. pin: false for registers of a device,
 * which the kernel does not count.
 */
RWY_MUST_CHECK int rwy_dma_map(struct rwy_dma *dma, rwy_iova iova, void *hva, uint64_t len,
			       bool pin);
/* Every mapping in the range; one that it would cut is left and gives -EINVAL. */
int rwy_dma_unmap(struct rwy_dma *dma, rwy_iova iova, uint64_t len);

/* Maps what mem has and all that it will have, until unfollow or fini. Errors as rwy_dma_map. */
RWY_MUST_CHECK int rwy_dma_follow(struct rwy_dma *dma, struct rwy_mem *mem);
void rwy_dma_unfollow(struct rwy_dma *dma);

/* RLIMIT_MEMLOCK of this process, UINT64_MAX when it is free of it (CAP_IPC_LOCK). */
uint64_t rwy_dma_memlock(void);

#endif
