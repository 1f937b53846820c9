/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a disk keeps its bytes in. One file a kind: store_file.c, store_mem.c.
 *
 * A store belongs to one reactor. It never looks at a ring and never at a request's meaning: it
 * moves bytes between guest pages and itself, without a copy in between, and says how that went.
 */
#ifndef RWY_VHOST_BACKENDS_BLK_STORE_H
#define RWY_VHOST_BACKENDS_BLK_STORE_H

#include "vhost-backends/blk/uring.h"

#include <sys/uio.h>

enum rwy_store_op {
	RWY_STORE_READ,
	RWY_STORE_WRITE,
	RWY_STORE_FLUSH,   /* what was written before survives a power failure */
	RWY_STORE_DISCARD, /* the range may hold anything afterwards */
	RWY_STORE_ZERO,	   /* the range reads as zeroes afterwards */
};

/* One piece of work. It and the memory iov points to stay put until it is done. */
struct rwy_store_req {
	enum rwy_store_op op;
	bool durable;	 /* write, zero: done only when it survives a power failure */
	bool unmap;	 /* zero: the range may lose its room in the store */
	uint64_t off;	 /* bytes; off + len <= store->size was checked */
	uint64_t len;	 /* bytes */
	size_t iov_off;	 /* where in iov the data starts; iov has len bytes from there */
	unsigned nr_iov; /* 0 for flush, discard and zero */
	const struct iovec *iov;
	/* Only if start returned -EINPROGRESS, and never from within start. err: 0 or -errno */
	void (*done)(struct rwy_store_req *req, int err);

	/* the store's own */
	struct rwy_store *store;
	struct rwy_uring_op uring;
	uint64_t moved;
	unsigned phase;
};

struct rwy_store {
	const struct rwy_store_ops *ops;
	uint64_t size;	/* bytes, a multiple of 512 */
	bool in_order;	/* start never returns -EINPROGRESS */
	bool read_only; /* the device lets no write, discard or zero through */
	char id[21];	/* what GET_ID answers */
};

struct rwy_store_ops {
	/* 0 done, -EINPROGRESS under way, or the negative errno it failed with. */
	int (*start)(struct rwy_store *store, struct rwy_store_req *req);
	/* Nothing is under way. */
	void (*close)(struct rwy_store *store);
};

#define RWY_STORE_SECTOR 512

/*
 * A regular file or a block device. size is rounded down to sectors. -errno, logged; -EBUSY when
 * somebody else still has it after wait_ms. Below 0 it does not matter who else has it.
 */
RWY_MUST_CHECK int rwy_store_file_open(struct rwy_store **store, struct rwy_uring *uring,
				       const char *path, bool read_only, int wait_ms);
/* Memory of this process, all zeroes. -errno, logged. */
RWY_MUST_CHECK int rwy_store_mem_open(struct rwy_store **store, const char *name, uint64_t size,
				      bool read_only);

RWY_INLINE int rwy_store_start(struct rwy_store *store, struct rwy_store_req *req)
{
	return store->ops->start(store, req);
}

RWY_INLINE void rwy_store_close(struct rwy_store *store)
{
	if (store)
		store->ops->close(store);
}

#endif
