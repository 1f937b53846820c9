/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include "vmm/rtc.h"

#define NS INT64_C(1000000000)

/* 2026-11-22 23:59:58 UTC, a Sunday */
#define THEN INT64_C(1795391998)

static int64_t at_then(void)
{
	return THEN * NS;
}

static int64_t before_the_tick(void)
{
	return THEN * NS + NS - 100000;
}

static int64_t an_hour_later(void)
{
	return (THEN + 3600) * NS;
}

static int setup(void **state)
{
	static struct rwy_rtc rtc;

	rwy_rtc_init(&rtc);
	rtc.now_ns = at_then;
	*state = &rtc;
	return 0;
}

static uint8_t in(struct rwy_rtc *rtc, uint8_t index)
{
	uint8_t v;

	rwy_rtc_write(rtc, 0, &index, 1);
	rwy_rtc_read(rtc, 1, &v, 1);
	return v;
}

static void out(struct rwy_rtc *rtc, uint8_t index, uint8_t v)
{
	rwy_rtc_write(rtc, 0, &index, 1);
	rwy_rtc_write(rtc, 1, &v, 1);
}

static void tells_the_time(void **state)
{
	struct rwy_rtc *rtc = *state;

	assert_int_equal(in(rtc, 0), 0x58);
	assert_int_equal(in(rtc, 2), 0x59);
	assert_int_equal(in(rtc, 4), 0x23);
	assert_int_equal(in(rtc, 6), 1);
	assert_int_equal(in(rtc, 7), 0x22);
	assert_int_equal(in(rtc, 8), 0x11);
	assert_int_equal(in(rtc, 9), 0x26);
	assert_int_equal(in(rtc, 0x32), 0x20);
	assert_int_equal(in(rtc, 13), 0x80);
	out(rtc, 11, 0x04); /* binary, 12 hours */
	assert_int_equal(in(rtc, 0), 58);
	assert_int_equal(in(rtc, 4), 11 | 0x80);
	assert_int_equal(in(rtc, 9), 26);
}

static void warns_of_the_tick(void **state)
{
	struct rwy_rtc *rtc = *state;

	assert_int_equal(in(rtc, 10), 0x26);
	rtc->now_ns = before_the_tick;
	assert_int_equal(in(rtc, 10), 0xa6);
	out(rtc, 11, 0x82); /* stopped clocks do not tick */
	assert_int_equal(in(rtc, 10), 0x26);
}

static void can_be_set(void **state)
{
	struct rwy_rtc *rtc = *state;

	out(rtc, 11, 0x82);
	out(rtc, 0, 0x01);
	out(rtc, 2, 0x02);
	out(rtc, 4, 0x03);
	out(rtc, 7, 0x04);
	out(rtc, 8, 0x05);
	out(rtc, 9, 0x99);
	out(rtc, 0x32, 0x19);
	rtc->now_ns = an_hour_later;
	assert_int_equal(in(rtc, 4), 0x03); /* stands still while it is set */
	rtc->now_ns = at_then;
	out(rtc, 11, 0x02);
	rtc->now_ns = an_hour_later;
	assert_int_equal(in(rtc, 0), 0x01);
	assert_int_equal(in(rtc, 4), 0x04);
	assert_int_equal(in(rtc, 8), 0x05);
	assert_int_equal(in(rtc, 9), 0x99);
	assert_int_equal(in(rtc, 0x32), 0x19);
}

/* Any bytes at all; only the sanitizers and the loop's end can complain. */
static void survives_nonsense(void **state)
{
	struct rwy_rtc *rtc = *state;
	uint32_t seed = 1;

	for (unsigned i = 0; i < 100000; i++) {
		seed = seed * 1664525 + 1013904223;
		out(rtc, (uint8_t)(seed >> 8), (uint8_t)(seed >> 16));
		in(rtc, (uint8_t)(seed >> 24));
	}
	out(rtc, 13, 0);
	assert_int_equal(in(rtc, 13), 0x80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(tells_the_time, setup),
		cmocka_unit_test_setup(warns_of_the_tick, setup),
		cmocka_unit_test_setup(can_be_set, setup),
		cmocka_unit_test_setup(survives_nonsense, setup),
	};

	return UNIT_RUN(tests);
}
