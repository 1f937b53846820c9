/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest memory map, and the one checked door into guest memory.
 *
 * Used by the VMM (which builds the map of its machine), by back-ends (which receive it over
 * vhost-user) and by tests. A map belongs to one thread: it is changed only between two polls of
 * the thread whose queues use it, so readers take no lock.
 *
 * A map never owns the memory behind `hva`; who added a region unmaps it after deleting it.
 */
#ifndef RWY_LIB_MEM_H
#define RWY_LIB_MEM_H

#include "lib/addr.h"
#include "lib/base.h"

#include <sys/uio.h>

/* As many as QEMU's and rust-vmm's back-ends take (GET_MAX_MEM_SLOTS); must never shrink. */
#define RWY_MEM_MAX	  509
#define RWY_MEM_LISTENERS 40

struct rwy_mem_region {
	rwy_gpa gpa;
	rwy_uva uva;	 /* 0 where there is no front-end (the VMM's own map) */
	uint64_t size;	 /* bytes, > 0 */
	uint8_t *hva;	 /* this process's mapping of the first byte */
	int fd;		 /* -1 is none; not owned */
	uint64_t fd_off; /* of the first byte of the region in fd */
};

/*
 * Told of each region in order of registration; deletions run the list backwards. If one add
 * fails, those already told get del and the region is not added. Listeners are called on the
 * map's thread.
 */
struct rwy_mem_listener {
	int (*add)(void *ctx, const struct rwy_mem_region *region);
	void (*del)(void *ctx, const struct rwy_mem_region *region);
	void *ctx;
};

struct rwy_mem {
	unsigned nr;
	unsigned nr_listeners;
	uint32_t gen; /* counts changes; a cached hint from another generation is worthless */
	struct rwy_mem_region regions[RWY_MEM_MAX]; /* sorted by gpa, never overlapping */
	struct rwy_mem_listener listeners[RWY_MEM_LISTENERS];
};

void rwy_mem_init(struct rwy_mem *mem);
/* Deletes every region (listeners are told); the backing memory stays. */
void rwy_mem_fini(struct rwy_mem *mem);

/*
 * -EINVAL: empty, or an address wraps. -EEXIST: overlaps in guest-physical or, where both have one,
 * front-end addresses. -ENOSPC: map full. Otherwise what the refusing listener returned.
 */
RWY_MUST_CHECK int rwy_mem_add(struct rwy_mem *mem, const struct rwy_mem_region *region);
/* Matches gpa, uva and size (vhost-user REM_MEM_REG). *out gets the region. -ENOENT if none. */
RWY_MUST_CHECK int rwy_mem_del(struct rwy_mem *mem, rwy_gpa gpa, rwy_uva uva, uint64_t size,
			       struct rwy_mem_region *out);

/* The listener hears of the regions already there at once. -ENOSPC when there are too many. */
RWY_MUST_CHECK int rwy_mem_listen(struct rwy_mem *mem, const struct rwy_mem_listener *listener);
/* Tells it del for each region, backwards, and forgets it. */
void rwy_mem_unlisten(struct rwy_mem *mem, const void *ctx);

/* The region that holds the byte, or NULL. Binary search. */
const struct rwy_mem_region *rwy_mem_find(const struct rwy_mem *mem, rwy_gpa gpa);
/* The same by this process's address, the way back from a pointer of ours. One after the other. */
const struct rwy_mem_region *rwy_mem_find_hva(const struct rwy_mem *mem, const void *hva);

/* The one door: a pointer only if all of [gpa, gpa + len) lies in one region, else NULL. */
void *rwy_mem_at(const struct rwy_mem *mem, rwy_gpa gpa, uint64_t len);
/* The same by front-end address: for ring addresses only. */
void *rwy_mem_at_uva(const struct rwy_mem *mem, rwy_uva uva, uint64_t len);

/*
 * A buffer that may cross from one region to a neighbour without a gap: the pieces go to iov.
 * Number of pieces (>= 1 even for len 0 at a valid address), -EFAULT if any byte is outside,
 * -E2BIG if nr_iov is too small.
 */
RWY_MUST_CHECK int rwy_mem_iov(const struct rwy_mem *mem, rwy_gpa gpa, uint64_t len,
			       struct iovec *iov, unsigned nr_iov);

/*
 * The fast form of the door for one queue: *hint is that queue's last region. Set it to NULL
 * whenever the map changed; rings do so when they are started, and maps change only while rings
 * are stopped or paused.
 */
RWY_INLINE void *rwy_mem_at_hint(const struct rwy_mem *mem, const struct rwy_mem_region **hint,
				 rwy_gpa gpa, uint64_t len)
{
	const struct rwy_mem_region *r = *hint;

	if (RWY_UNLIKELY(!r || gpa.v - r->gpa.v >= r->size)) {
		r = rwy_mem_find(mem, gpa);
		if (RWY_UNLIKELY(!r))
			return NULL;
		*hint = r;
	}
	uint64_t off = gpa.v - r->gpa.v;
	if (RWY_UNLIKELY(len > r->size - off))
		return NULL;
	return r->hva + off;
}

#endif
