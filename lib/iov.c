/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies between scattered guest memory and the rest of the world. All four movers walk the same
 * way: a cursor stands in one piece, and each step moves as much as both sides have there.
 */
#include "lib/iov.h"

#include <errno.h>
#include <string.h>

/* A position in an iovec array: everything before it has been passed. */
struct cursor {
	const struct iovec *at;
	const struct iovec *end;
	size_t off; /* within *at; at == end or off < at->iov_len, after settle() */
};

RWY_INLINE void settle(struct cursor *c)
{
	while (c->at < c->end && c->off >= c->at->iov_len) {
		c->off -= c->at->iov_len;
		c->at++;
	}
}

RWY_INLINE struct cursor start(const struct iovec *iov, unsigned nr, size_t off)
{
	struct cursor c = {.at = iov, .end = iov + nr, .off = off};

	settle(&c);
	return c;
}

/* Bytes in one piece from here on, at most len. 0 at the end. */
RWY_INLINE size_t room(const struct cursor *c, size_t len)
{
	return c->at == c->end ? 0 : RWY_MIN(len, c->at->iov_len - c->off);
}

RWY_INLINE uint8_t *here(const struct cursor *c)
{
	return (uint8_t *)c->at->iov_base + c->off;
}

RWY_INLINE void advance(struct cursor *c, size_t len)
{
	c->off += len;
	settle(c);
}

uint64_t rwy_iov_len(const struct iovec *iov, unsigned nr)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < nr; i++)
		sum += iov[i].iov_len;
	return sum;
}

size_t rwy_iov_read(const struct iovec *iov, unsigned nr, size_t off, void *buf, size_t len)
{
	struct cursor c = start(iov, nr, off);
	size_t done = 0, part;

	while ((part = room(&c, len - done)) > 0) {
		memcpy((uint8_t *)buf + done, here(&c), part);
		advance(&c, part);
		done += part;
	}
	return done;
}

size_t rwy_iov_write(const struct iovec *iov, unsigned nr, size_t off, const void *buf, size_t len)
{
	struct cursor c = start(iov, nr, off);
	size_t done = 0, part;

	while ((part = room(&c, len - done)) > 0) {
		memcpy(here(&c), (const uint8_t *)buf + done, part);
		advance(&c, part);
		done += part;
	}
	return done;
}

size_t rwy_iov_fill(const struct iovec *iov, unsigned nr, size_t off, uint8_t byte, size_t len)
{
	struct cursor c = start(iov, nr, off);
	size_t done = 0, part;

	while ((part = room(&c, len - done)) > 0) {
		memset(here(&c), byte, part);
		advance(&c, part);
		done += part;
	}
	return done;
}

size_t rwy_iov_copy(const struct iovec *dst, unsigned nr_dst, size_t dst_off,
		    const struct iovec *src, unsigned nr_src, size_t src_off, size_t len)
{
	struct cursor to = start(dst, nr_dst, dst_off);
	struct cursor from = start(src, nr_src, src_off);
	size_t done = 0, part;

	while ((part = room(&from, room(&to, len - done))) > 0) {
		/* A guest may make source and destination overlap; that must stay its problem. */
		memmove(here(&to), here(&from), part);
		advance(&to, part);
		advance(&from, part);
		done += part;
	}
	return done;
}

int rwy_iov_slice(const struct iovec *iov, unsigned nr, size_t off, size_t len, struct iovec *out,
		  unsigned nr_out)
{
	struct cursor c = start(iov, nr, off);
	unsigned pieces = 0;
	size_t part;

	while ((part = room(&c, len)) > 0) {
		if (pieces == nr_out)
			return -E2BIG;
		out[pieces++] = (struct iovec){.iov_base = here(&c), .iov_len = part};
		advance(&c, part);
		len -= part;
	}
	return (int)pieces;
}
