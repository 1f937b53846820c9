/* SPDX-License-Identifier: BSD-3-Clause */
/* A disk in memory: as fast as a copy, gone with the process. */
#include "vhost-backends/blk/store.h"

#include "lib/iov.h"
#include "lib/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RWY_STEM "store_mem"

#define PAGE	  4096u
#define HUGE_PAGE (2u << 20)

struct store_mem {
	struct rwy_store base;
	uint8_t *bytes;
	uint64_t len; /* of the mapping */
};

static struct store_mem *mem_of(struct rwy_store *store)
{
	return RWY_CONTAINER_OF(store, struct store_mem, base);
}

/* Gives whole pages back to the system; what is left of the range at its ends is zeroed. */
static void punch(struct store_mem *mem, uint64_t off, uint64_t len)
{
	uint64_t first = RWY_ALIGN_UP(off, (uint64_t)PAGE);
	uint64_t last = RWY_ALIGN_DOWN(off + len, (uint64_t)PAGE);

	if (first >= last || madvise(mem->bytes + first, last - first, MADV_DONTNEED) < 0) {
		memset(mem->bytes + off, 0, len);
		return;
	}
	memset(mem->bytes + off, 0, first - off);
	memset(mem->bytes + last, 0, off + len - last);
}

static int mem_start(struct rwy_store *store, struct rwy_store_req *req)
{
	struct store_mem *mem = mem_of(store);
	uint8_t *at = mem->bytes + req->off;
	size_t moved = req->len;

	switch (req->op) {
	case RWY_STORE_READ:
		moved = rwy_iov_write(req->iov, req->nr_iov, req->iov_off, at, req->len);
		break;
	case RWY_STORE_WRITE:
		moved = rwy_iov_read(req->iov, req->nr_iov, req->iov_off, at, req->len);
		break;
	case RWY_STORE_FLUSH:
		break;
	case RWY_STORE_DISCARD:
		punch(mem, req->off, req->len);
		break;
	case RWY_STORE_ZERO:
		if (req->unmap)
			punch(mem, req->off, req->len);
		else
			memset(at, 0, req->len);
		break;
	}
	return moved == req->len ? 0 : -EIO;
}

static void mem_close(struct rwy_store *store)
{
	struct store_mem *mem = mem_of(store);

	munmap(mem->bytes, mem->len);
	free(mem);
}

static const struct rwy_store_ops mem_ops = {.start = mem_start, .close = mem_close};

int rwy_store_mem_open(struct rwy_store **store, const char *name, uint64_t size, bool read_only)
{
	struct store_mem *mem = calloc(1, sizeof(*mem));

	if (!mem)
		return -ENOMEM;
	mem->len = RWY_ALIGN_UP(size, (uint64_t)HUGE_PAGE);
	mem->bytes = mmap(NULL, mem->len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem->bytes == MAP_FAILED) {
		int err = -errno;

		rwy_error("%s: cannot have %llu MiB of memory: %s", name,
			  (unsigned long long)(size >> 20), strerror(-err));
		free(mem);
		return err;
	}
	/* random blocks would miss the TLB each time; the kernel may say no */
	(void)madvise(mem->bytes, mem->len, MADV_HUGEPAGE);
	mem->base.ops = &mem_ops;
	mem->base.size = RWY_ALIGN_DOWN(size, RWY_STORE_SECTOR);
	mem->base.in_order = true;
	mem->base.read_only = read_only;
	snprintf(mem->base.id, sizeof(mem->base.id), "%s", name);
	*store = &mem->base;
	return 0;
}
