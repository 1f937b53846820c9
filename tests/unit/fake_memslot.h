/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm/memslot.h without KVM: what the guest would reach without an exit. */
#ifndef RWY_TESTS_FAKE_MEMSLOT_H
#define RWY_TESTS_FAKE_MEMSLOT_H

#include "vmm/memslot.h"

/* Slots of all tables of the program, as there is one guest. */
unsigned fake_memslot_count(void);
/* Our own address of what the guest sees there, NULL: it exits. */
void *fake_memslot_at(uint64_t gpa);
/* The next `n` additions fail. */
void fake_memslot_fail(unsigned n);

#endif
