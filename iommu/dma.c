/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/dma.h"

#include "lib/log.h"
#include "lib/populate.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RWY_STEM "dma"

#define PIECE	      (UINT64_C(1) << 30)
#define MSI_FIRST     0xfee00000
#define MSI_LAST      0xfeefffff
#define HT_FIRST      UINT64_C(0xfd00000000)
#define HT_LAST	      UINT64_C(0xffffffffff)
#define MIB_UP(bytes) ((unsigned long long)(((bytes) + 0xfffff) >> 20))

void rwy_dma_init(struct rwy_dma *dma, const struct rwy_dma_ops *ops, void *ctx,
		  const struct rwy_dma_limits *limits)
{
	*dma = (struct rwy_dma){.ops = ops, .ctx = ctx, .limits = *limits};
	dma->windows[dma->nr_windows++] =
		(struct rwy_dma_window){MSI_FIRST, MSI_LAST, "the interrupt window"};
	dma->windows[dma->nr_windows++] =
		(struct rwy_dma_window){HT_FIRST, HT_LAST, "AMD's HyperTransport range"};
}

/* Index of the first mapping that ends behind `at`. */
static unsigned find(const struct rwy_dma *dma, uint64_t at)
{
	unsigned low = 0, high = dma->nr;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (dma->mappings[mid].first + (dma->mappings[mid].len - 1) < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool mapped(const struct rwy_dma *dma, uint64_t first, uint64_t last)
{
	unsigned i = find(dma, first);

	return i < dma->nr && dma->mappings[i].first <= last;
}

int rwy_dma_reserve(struct rwy_dma *dma, uint64_t first, uint64_t last, const char *what)
{
	if (first > last)
		return -EINVAL;
	if (mapped(dma, first, last)) {
		rwy_error("0x%llx-0x%llx is kept for %s, and guest memory is mapped there: this "
			  "device cannot join",
			  (unsigned long long)first, (unsigned long long)last, what);
		return -EEXIST;
	}
	for (unsigned i = 0; i < dma->nr_windows; i++)
		if (dma->windows[i].first <= first && last <= dma->windows[i].last)
			return 0;
	if (dma->nr_windows == RWY_DMA_WINDOWS) {
		rwy_error("more than %u reserved windows", RWY_DMA_WINDOWS);
		return -ENOSPC;
	}
	dma->windows[dma->nr_windows++] = (struct rwy_dma_window){first, last, what};
	return 0;
}

int rwy_dma_reserve_between(struct rwy_dma *dma, const struct rwy_dma_range *ranges, unsigned nr)
{
	static const char what[] = "what this IOMMU cannot translate";
	uint64_t next = 0;
	int err = 0;

	for (unsigned i = 0; !err && i < nr; i++) {
		const struct rwy_dma_range r = ranges[i];

		if (r.first < next || r.last < r.first)
			return -EPROTO;
		if (r.first > next)
			err = rwy_dma_reserve(dma, next, r.first - 1, what);
		if (r.last == UINT64_MAX)
			return err;
		next = r.last + 1;
	}
	return err ? err : rwy_dma_reserve(dma, next, UINT64_MAX, what);
}

static int check_memlock(const struct rwy_dma *dma, uint64_t more)
{
	uint64_t needed = dma->pinned + more;

	if (needed <= dma->limits.memlock)
		return 0;
	rwy_error("a device needs all guest memory pinned: %llu MiB, and this process may pin %llu "
		  "MiB: raise the limit with ulimit -l %llu, or LimitMEMLOCK= of its service",
		  MIB_UP(needed), (unsigned long long)(dma->limits.memlock >> 20),
		  MIB_UP(needed) * 1024);
	return -ENOMEM;
}

static int check(const struct rwy_dma *dma, uint64_t first, uint64_t len, uint64_t hva, bool pin)
{
	uint64_t last = first + (len - 1);
	uint64_t pieces = (last / PIECE) - (first / PIECE) + 1;

	if (len == 0 || last < first || (first | len | hva) % dma->limits.page_size) {
		rwy_error("0x%llx, %llu bytes: no whole number of pages of %llu bytes",
			  (unsigned long long)first, (unsigned long long)len,
			  (unsigned long long)dma->limits.page_size);
		return -EINVAL;
	}
	if (mapped(dma, first, last))
		return -EEXIST;
	for (unsigned i = 0; i < dma->nr_windows; i++) {
		const struct rwy_dma_window *w = &dma->windows[i];

		if (first > w->last || last < w->first)
			continue;
		rwy_error("guest memory at 0x%llx-0x%llx reaches into %s at 0x%llx-0x%llx: give "
			  "the guest less memory",
			  (unsigned long long)first, (unsigned long long)last, w->what,
			  (unsigned long long)w->first, (unsigned long long)w->last);
		return -ERANGE;
	}
	if (dma->nr >= dma->limits.mappings || pieces > dma->limits.mappings - dma->nr) {
		rwy_error("more than %u mappings: raise dma_entry_limit of the module "
			  "vfio_iommu_type1",
			  dma->limits.mappings);
		return -ENOSPC;
	}
	return pin ? check_memlock(dma, len) : 0;
}

static int make_room(struct rwy_dma *dma, unsigned more)
{
	struct rwy_dma_mapping *grown;
	unsigned room = RWY_MAX(dma->room, 16u);

	while (room < dma->nr + more)
		room *= 2;
	if (room == dma->room)
		return 0;
	grown = realloc(dma->mappings, room * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	dma->mappings = grown;
	dma->room = room;
	return 0;
}

static void note(struct rwy_dma *dma, uint64_t first, uint64_t len, bool pin)
{
	unsigned at = find(dma, first);

	memmove(dma->mappings + at + 1, dma->mappings + at,
		(dma->nr - at) * sizeof(*dma->mappings));
	dma->mappings[at] = (struct rwy_dma_mapping){first, len, pin};
	dma->nr++;
	dma->pinned += pin ? len : 0;
}

static void explain(const struct rwy_dma *dma, uint64_t first, uint64_t len, bool pin, int err)
{
	if (!pin) {
		rwy_debug("registers at 0x%llx are not for other devices: %s",
			  (unsigned long long)first, strerror(-err));
		return;
	}
	rwy_error("the kernel does not map %llu MiB of guest memory at 0x%llx for the device: %s",
		  MIB_UP(len), (unsigned long long)first, strerror(-err));
	if (err == -ENOMEM)
		rwy_error("%llu MiB must be pinned: raise the limit with ulimit -l %llu, and see "
			  "that so much is free",
			  MIB_UP(dma->pinned + len), MIB_UP(dma->pinned + len) * 1024);
}

int rwy_dma_map(struct rwy_dma *dma, rwy_iova iova, void *hva, uint64_t len, bool pin)
{
	uint64_t done = 0;
	int err = check(dma, iova.v, len, (uintptr_t)hva, pin);

	if (!err)
		err = make_room(dma, (unsigned)(len / PIECE) + 2);
	if (err)
		return err;
	if (pin)
		rwy_populate_range(hva, len);
	while (done < len) {
		uint64_t first = iova.v + done;
		uint64_t piece = RWY_MIN(len - done, PIECE - first % PIECE);

		err = dma->ops->map(dma->ctx, (rwy_iova){first}, (uint8_t *)hva + done, piece);
		if (err) {
			explain(dma, first, piece, pin, err);
			break;
		}
		note(dma, first, piece, pin);
		done += piece;
	}
	if (err && done)
		rwy_dma_unmap(dma, iova, done);
	return err;
}

int rwy_dma_unmap(struct rwy_dma *dma, rwy_iova iova, uint64_t len)
{
	uint64_t last = iova.v + (len - 1);
	unsigned from = find(dma, iova.v), to = from;
	int err;

	if (len == 0 || last < iova.v)
		return -EINVAL;
	for (; to < dma->nr && dma->mappings[to].first <= last; to++) {
		const struct rwy_dma_mapping *m = &dma->mappings[to];

		if (m->first < iova.v || m->len - 1 > last - m->first)
			return -EINVAL;
	}
	if (to == from)
		return 0;
	err = dma->ops->unmap(dma->ctx, iova, len);
	if (err)
		rwy_error("0x%llx-0x%llx cannot be taken from the device again: %s",
			  (unsigned long long)iova.v, (unsigned long long)last, strerror(-err));
	for (unsigned i = from; i < to; i++)
		dma->pinned -= dma->mappings[i].pinned ? dma->mappings[i].len : 0;
	memmove(dma->mappings + from, dma->mappings + to, (dma->nr - to) * sizeof(*dma->mappings));
	dma->nr -= to - from;
	return err;
}

static int on_mem_add(void *ctx, const struct rwy_mem_region *region)
{
	return rwy_dma_map(ctx, (rwy_iova){region->gpa.v}, region->hva, region->size, true);
}

static void on_mem_del(void *ctx, const struct rwy_mem_region *region)
{
	rwy_dma_unmap(ctx, (rwy_iova){region->gpa.v}, region->size);
}

int rwy_dma_follow(struct rwy_dma *dma, struct rwy_mem *mem)
{
	const struct rwy_mem_listener listener = {on_mem_add, on_mem_del, dma};
	uint64_t all = 0;
	int err;

	for (unsigned i = 0; i < mem->nr; i++)
		all += mem->regions[i].size;
	/* All at once, so that the number said is the one that helps. */
	err = check_memlock(dma, all);
	if (!err)
		err = rwy_mem_listen(mem, &listener);
	if (!err)
		dma->mem = mem;
	return err;
}

void rwy_dma_unfollow(struct rwy_dma *dma)
{
	if (dma->mem)
		rwy_mem_unlisten(dma->mem, dma);
	dma->mem = NULL;
}

void rwy_dma_fini(struct rwy_dma *dma)
{
	rwy_dma_unfollow(dma);
	while (dma->nr) {
		const struct rwy_dma_mapping m = dma->mappings[dma->nr - 1];

		rwy_dma_unmap(dma, (rwy_iova){m.first}, m.len);
	}
	free(dma->mappings);
	dma->mappings = NULL;
	dma->room = 0;
}

uint64_t rwy_dma_memlock(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	struct rlimit limit;

	if (syscall(SYS_capget, &head, data) == 0 &&
	    data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK))
		return UINT64_MAX;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}
