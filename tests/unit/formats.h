/* SPDX-License-Identifier: BSD-3-Clause */
/* A test of both ring formats, run once for each and named after it. */
#ifndef RWY_TESTS_UNIT_FORMATS_H
#define RWY_TESTS_UNIT_FORMATS_H

#define BOTH_FORMATS(test)                  \
	static void test##_split(void **s)  \
	{                                   \
		(void)s;                    \
		test(false);                \
	}                                   \
	static void test##_packed(void **s) \
	{                                   \
		(void)s;                    \
		test(true);                 \
	}
#define TEST_BOTH(test) cmocka_unit_test(test##_split), cmocka_unit_test(test##_packed)

#endif
