/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest memory map: an array sorted by guest-physical address, searched by halving. Maps have
 * a handful of regions and change rarely; rings cache the last region they hit.
 */
#include "lib/mem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void rwy_mem_init(struct rwy_mem *mem)
{
	mem->nr = 0;
	mem->nr_listeners = 0;
	mem->gen = 0;
}

/* How many regions start at or below gpa. */
static unsigned upper_bound(const struct rwy_mem *mem, uint64_t gpa)
{
	unsigned low = 0, high = mem->nr;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (mem->regions[mid].gpa.v <= gpa)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int check_region(const struct rwy_mem *mem, const struct rwy_mem_region *new)
{
	uint64_t end;

	/* An end of exactly 2^64 is refused too, so that ends can be compared everywhere. */
	if (new->size == 0 || !new->hva || RWY_ADD_OVERFLOW(new->gpa.v, new->size, &end) ||
	    RWY_ADD_OVERFLOW(new->uva.v, new->size, &end) ||
	    RWY_ADD_OVERFLOW((uintptr_t) new->hva, new->size, &end))
		return -EINVAL;
	for (unsigned i = 0; i < mem->nr; i++) {
		const struct rwy_mem_region *r = &mem->regions[i];

		if (rwy_base_overlap(r->gpa.v, r->size, new->gpa.v, new->size))
			return -EEXIST;
		if (r->uva.v && new->uva.v &&
		    rwy_base_overlap(r->uva.v, r->size, new->uva.v, new->size))
			return -EEXIST;
	}
	return mem->nr < RWY_MEM_MAX ? 0 : -ENOSPC;
}

static void insert_at(struct rwy_mem *mem, unsigned at, const struct rwy_mem_region *region)
{
	struct rwy_mem_region *slot = &mem->regions[at];

	memmove(slot + 1, slot, (mem->nr - at) * sizeof(*slot));
	*slot = *region;
	mem->nr++;
	mem->gen++;
}

static void remove_at(struct rwy_mem *mem, unsigned at)
{
	struct rwy_mem_region *slot = &mem->regions[at];

	mem->nr--;
	memmove(slot, slot + 1, (mem->nr - at) * sizeof(*slot));
	mem->gen++;
}

/* The first nr listeners lose a region, the last of them first. */
static void tell_del(const struct rwy_mem *mem, unsigned nr, const struct rwy_mem_region *region)
{
	while (nr-- > 0) {
		const struct rwy_mem_listener *l = &mem->listeners[nr];

		l->del(l->ctx, region);
	}
}

int rwy_mem_add(struct rwy_mem *mem, const struct rwy_mem_region *region)
{
	const struct rwy_mem_region new = *region; /* the caller's may lie inside the map */
	int err = check_region(mem, &new);

	if (err)
		return err;
	unsigned at = upper_bound(mem, new.gpa.v);
	insert_at(mem, at, &new);
	for (unsigned i = 0; i < mem->nr_listeners; i++) {
		const struct rwy_mem_listener *l = &mem->listeners[i];

		err = l->add(l->ctx, &new);
		if (err) {
			tell_del(mem, i, &new);
			remove_at(mem, at);
			return err;
		}
	}
	return 0;
}

/* A copy is told and handed out: the slot in the map is overwritten by its neighbour. */
static void del_at(struct rwy_mem *mem, unsigned at, struct rwy_mem_region *out)
{
	const struct rwy_mem_region old = mem->regions[at];

	tell_del(mem, mem->nr_listeners, &old);
	remove_at(mem, at);
	if (out)
		*out = old;
}

int rwy_mem_del(struct rwy_mem *mem, rwy_gpa gpa, rwy_uva uva, uint64_t size,
		struct rwy_mem_region *out)
{
	unsigned at = upper_bound(mem, gpa.v);

	if (at == 0)
		return -ENOENT;
	const struct rwy_mem_region *r = &mem->regions[--at];
	if (r->gpa.v != gpa.v || r->uva.v != uva.v || r->size != size)
		return -ENOENT;
	del_at(mem, at, out);
	return 0;
}

void rwy_mem_fini(struct rwy_mem *mem)
{
	while (mem->nr > 0)
		del_at(mem, mem->nr - 1, NULL);
	mem->nr_listeners = 0;
}

int rwy_mem_listen(struct rwy_mem *mem, const struct rwy_mem_listener *listener)
{
	assert(listener->add && listener->del);
	if (mem->nr_listeners == RWY_MEM_LISTENERS)
		return -ENOSPC;
	for (unsigned i = 0; i < mem->nr; i++) {
		int err = listener->add(listener->ctx, &mem->regions[i]);

		if (err) {
			while (i-- > 0)
				listener->del(listener->ctx, &mem->regions[i]);
			return err;
		}
	}
	mem->listeners[mem->nr_listeners++] = *listener;
	return 0;
}

void rwy_mem_unlisten(struct rwy_mem *mem, const void *ctx)
{
	for (unsigned at = mem->nr_listeners; at-- > 0;) {
		struct rwy_mem_listener *l = &mem->listeners[at];

		if (l->ctx != ctx)
			continue;
		for (unsigned i = mem->nr; i-- > 0;)
			l->del(l->ctx, &mem->regions[i]);
		mem->nr_listeners--;
		memmove(l, l + 1, (mem->nr_listeners - at) * sizeof(*l));
	}
}

const struct rwy_mem_region *rwy_mem_find(const struct rwy_mem *mem, rwy_gpa gpa)
{
	unsigned at = upper_bound(mem, gpa.v);

	if (at == 0)
		return NULL;
	const struct rwy_mem_region *r = &mem->regions[at - 1];
	return gpa.v - r->gpa.v < r->size ? r : NULL;
}

const struct rwy_mem_region *rwy_mem_find_hva(const struct rwy_mem *mem, const void *hva)
{
	for (unsigned i = 0; i < mem->nr; i++)
		if ((uintptr_t)hva - (uintptr_t)mem->regions[i].hva < mem->regions[i].size)
			return &mem->regions[i];
	return NULL;
}

void *rwy_mem_at(const struct rwy_mem *mem, rwy_gpa gpa, uint64_t len)
{
	const struct rwy_mem_region *hint = NULL;

	return rwy_mem_at_hint(mem, &hint, gpa, len);
}

void *rwy_mem_at_uva(const struct rwy_mem *mem, rwy_uva uva, uint64_t len)
{
	for (unsigned i = 0; i < mem->nr; i++) {
		const struct rwy_mem_region *r = &mem->regions[i];
		uint64_t off = uva.v - r->uva.v;

		if (r->uva.v && off < r->size)
			return len <= r->size - off ? r->hva + off : NULL;
	}
	return NULL;
}

int rwy_mem_iov(const struct rwy_mem *mem, rwy_gpa gpa, uint64_t len, struct iovec *iov,
		unsigned nr_iov)
{
	const struct rwy_mem_region *r = rwy_mem_find(mem, gpa);
	unsigned nr = 0;

	for (;;) {
		if (!r)
			return -EFAULT;
		if (nr == nr_iov)
			return -E2BIG;
		uint64_t off = gpa.v - r->gpa.v;
		uint64_t part = RWY_MIN(len, r->size - off);

		iov[nr++] = (struct iovec){.iov_base = r->hva + off, .iov_len = part};
		len -= part;
		if (len == 0)
			return (int)nr;
		/* No region ends at 2^64, so this sum does not wrap. */
		gpa.v += part;
		r = r + 1 < mem->regions + mem->nr && r[1].gpa.v == gpa.v ? r + 1 : NULL;
	}
}
