/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/fake_memslot.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#define SLOTS 64

static struct {
	uint64_t gpa, size;
	uint8_t *hva;
} used[SLOTS];
static unsigned failing;

void rwy_memslot_init(struct rwy_memslot *slots, int vm_fd, int nr)
{
	memset(slots, 0, sizeof(*slots));
}

int rwy_memslot_add(struct rwy_memslot *slots, uint64_t gpa, void *hva, uint64_t size)
{
	unsigned at = SLOTS;

	assert_int_equal((gpa | size | (uintptr_t)hva) % 4096, 0);
	if (failing) {
		failing--;
		return -ENOSPC;
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		if (used[i].size == 0)
			at = i;
		else /* KVM refuses slots that overlap */
			assert_true(gpa + size <= used[i].gpa || used[i].gpa + used[i].size <= gpa);
	}
	assert_int_not_equal(at, SLOTS);
	used[at].gpa = gpa;
	used[at].size = size;
	used[at].hva = hva;
	return 0;
}

void rwy_memslot_del(struct rwy_memslot *slots, uint64_t gpa)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (used[i].size && used[i].gpa == gpa)
			used[i].size = 0;
}

unsigned fake_memslot_count(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		n += used[i].size != 0;
	return n;
}

void *fake_memslot_at(uint64_t gpa)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (used[i].size && gpa - used[i].gpa < used[i].size)
			return used[i].hva + (gpa - used[i].gpa);
	return NULL;
}

void fake_memslot_fail(unsigned n)
{
	failing = n;
}
