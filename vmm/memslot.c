/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/memslot.h"

#include "lib/log.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#define RWY_STEM "memslot"

#define PAGE_BITS   12
#define NR_UNSAID   32 /* what KVM had before it could be asked */
#define PAGE_OF(at) ((uint32_t)((at) >> PAGE_BITS) + 1)

void rwy_memslot_init(struct rwy_memslot *slots, int vm_fd, int nr)
{
	memset(slots, 0, sizeof(*slots));
	slots->vm_fd = vm_fd;
	slots->nr = nr > 0 ? RWY_MIN((unsigned)nr, (unsigned)RWY_MEMSLOT_MAX) : NR_UNSAID;
}

static int set(const struct rwy_memslot *slots, unsigned slot, uint64_t gpa, void *hva,
	       uint64_t size)
{
	struct kvm_userspace_memory_region arg = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl(slots->vm_fd, KVM_SET_USER_MEMORY_REGION, &arg) < 0 ? -errno : 0;
}

static unsigned find(const struct rwy_memslot *slots, uint32_t page)
{
	unsigned slot = 0;

	while (slot < slots->nr && slots->pages[slot] != page)
		slot++;
	return slot;
}

int rwy_memslot_add(struct rwy_memslot *slots, uint64_t gpa, void *hva, uint64_t size)
{
	unsigned slot = find(slots, 0);
	int err = slot < slots->nr ? set(slots, slot, gpa, hva, size) : -ENOSPC;

	if (err)
		rwy_error("KVM does not take the memory at 0x%llx (%llu KiB): %s",
			  (unsigned long long)gpa, (unsigned long long)(size >> 10),
			  strerror(-err));
	else
		slots->pages[slot] = PAGE_OF(gpa);
	return err;
}

void rwy_memslot_del(struct rwy_memslot *slots, uint64_t gpa)
{
	unsigned slot = find(slots, PAGE_OF(gpa));

	if (slot == slots->nr)
		return;
	set(slots, slot, gpa, NULL, 0);
	slots->pages[slot] = 0;
}
