/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include "vmm/cpuid.h"

#include <string.h>

static void put(struct rwy_cpuid *c, uint32_t leaf, uint32_t index, uint32_t a, uint32_t b,
		uint32_t cx, uint32_t d)
{
	c->entries[c->nent++] = (struct kvm_cpuid_entry2){
		.function = leaf, .index = index, .eax = a, .ebx = b, .ecx = cx, .edx = d};
}

static int setup(void **state)
{
	static struct rwy_cpuid c;

	memset(&c, 0, sizeof(c));
	put(&c, 0, 0, 0xd, 0, 0, 0);
	put(&c, 1, 0, 0x806f8, 0x07100800, 1u << 5, 0);
	put(&c, 4, 0, 0xfc01c121, 0, 0, 0);
	put(&c, 4, 3, 0xfc1fc163, 0, 0, 0);
	put(&c, 4, 4, 0, 0, 0, 0);
	put(&c, 7, 0, 0, 0, 1u << 16 | 1, 0);
	put(&c, 0xb, 0, 1, 2, 0x100, 5);
	put(&c, 0xb, 1, 5, 32, 0x201, 5);
	put(&c, 0x1f, 0, 1, 2, 0x100, 5);
	put(&c, 0x40000001, 0, 0x1000, 0, 0, 0);
	put(&c, 0x80000001, 0, 0, 0, 1u << 2, 0);
	put(&c, 0x80000008, 0, 0x3028, 0, 0x701f, 0);
	put(&c, 0x8000001d, 3, 0x3c163, 0, 0, 0);
	put(&c, 0x8000001e, 0, 5, 0x105, 0x100, 0);
	*state = &c;
	return 0;
}

static void one_socket(void **state)
{
	struct rwy_cpuid *c = *state;

	rwy_cpuid_fit(c, 2, 3, true);
	assert_int_equal(rwy_cpuid_find(c, 1, 0)->ebx, 0x02040800);
	assert_int_equal(rwy_cpuid_find(c, 1, 0)->edx, 1u << 28);
	assert_int_equal(rwy_cpuid_find(c, 0xb, 0)->ebx, 1);
	assert_int_equal(rwy_cpuid_find(c, 0xb, 0)->edx, 2);
	assert_int_equal(rwy_cpuid_find(c, 0xb, 1)->eax, 2);
	assert_int_equal(rwy_cpuid_find(c, 0xb, 1)->ebx, 3);
	assert_int_equal(rwy_cpuid_find(c, 0xb, 2)->ebx, 0);
	assert_null(rwy_cpuid_find(c, 0x1f, 0));
	assert_int_equal(rwy_cpuid_find(c, 0x80000008, 0)->ecx, 0x2002);
	assert_int_equal(rwy_cpuid_find(c, 0x8000001e, 0)->ebx, 2);
	/* First level: one CPU in the cache; third: all four that two bits can number. */
	assert_int_equal(rwy_cpuid_find(c, 4, 0)->eax, 3u << 26 | 0x121);
	assert_int_equal(rwy_cpuid_find(c, 4, 3)->eax, 3u << 26 | 3u << 14 | 0x163);
	assert_int_equal(rwy_cpuid_find(c, 4, 4)->eax, 0);
	assert_int_equal(rwy_cpuid_find(c, 0x8000001d, 3)->eax, 3u << 14 | 0x163);
	assert_int_equal(rwy_cpuid_find(c, 0x40000001, 0)->eax, 0x1000);
}

static void features(void **state)
{
	struct rwy_cpuid *c = *state;

	rwy_cpuid_fit(c, 0, 1, true);
	/* hypervisor, TSC deadline, x2APIC; no VMX */
	assert_int_equal(rwy_cpuid_find(c, 1, 0)->ecx, 1u << 31 | 1u << 24 | 1u << 21);
	assert_int_equal(rwy_cpuid_find(c, 1, 0)->edx, 0);
	assert_int_equal(rwy_cpuid_find(c, 7, 0)->ecx, 1);
	assert_int_equal(rwy_cpuid_find(c, 0x80000001, 0)->ecx, 0);
	rwy_cpuid_fit(c, 0, 1, false);
	assert_int_equal(rwy_cpuid_find(c, 1, 0)->ecx, 1u << 31 | 1u << 21);
}

static void sixty_four(void **state)
{
	struct rwy_cpuid *c = *state;

	rwy_cpuid_fit(c, 63, 64, true);
	assert_int_equal(rwy_cpuid_find(c, 1, 0)->ebx, 0x3f400800);
	assert_int_equal(rwy_cpuid_find(c, 0xb, 1)->eax, 6);
	assert_int_equal(rwy_cpuid_find(c, 0xb, 1)->edx, 63);
	assert_int_equal(rwy_cpuid_find(c, 4, 3)->eax >> 26, 63);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_socket, setup),
		cmocka_unit_test_setup(features, setup),
		cmocka_unit_test_setup(sixty_four, setup),
	};

	return UNIT_RUN(tests);
}
