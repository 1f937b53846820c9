/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/rtc.h"

#include <string.h>
#include <time.h>

enum {
	SECONDS = 0,
	MINUTES = 2,
	HOURS = 4,
	WEEKDAY = 6,
	DAY = 7,
	MONTH = 8,
	YEAR = 9,
	REG_A = 10,
	REG_B = 11,
	REG_C = 12,
	REG_D = 13
};

#define A_UIP	  0x80
#define A_DIVIDER 0x26 /* 32768 Hz, the usual rate */
#define B_SET	  0x80
#define B_BINARY  0x04
#define B_24H	  0x02
#define D_VALID	  0x80
#define HOUR_PM	  0x80

#define NS_PER_S 1000000000
/* The chip warns this long before it advances the clock. */
#define UPDATE_NS 244000

static int64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

void rwy_rtc_init(struct rwy_rtc *rtc)
{
	memset(rtc, 0, sizeof(*rtc));
	rtc->now_ns = realtime_ns;
	rtc->bytes[REG_A] = A_DIVIDER;
	rtc->bytes[REG_B] = B_24H;
	rtc->bytes[REG_D] = D_VALID;
}

static uint8_t encode(const struct rwy_rtc *rtc, int v)
{
	if (rtc->bytes[REG_B] & B_BINARY)
		return (uint8_t)v;
	return (uint8_t)(v / 10 % 10 << 4 | v % 10);
}

static int decode(const struct rwy_rtc *rtc, uint8_t v)
{
	if (rtc->bytes[REG_B] & B_BINARY)
		return v;
	return (v >> 4) * 10 + (v & 15);
}

static void load_time(struct rwy_rtc *rtc)
{
	time_t now = (time_t)(rtc->now_ns() / NS_PER_S + rtc->offset_s);
	struct tm tm;

	if (!gmtime_r(&now, &tm))
		return;
	rtc->bytes[SECONDS] = encode(rtc, tm.tm_sec);
	rtc->bytes[MINUTES] = encode(rtc, tm.tm_min);
	if (rtc->bytes[REG_B] & B_24H) {
		rtc->bytes[HOURS] = encode(rtc, tm.tm_hour);
	} else {
		rtc->bytes[HOURS] = encode(rtc, tm.tm_hour % 12 ? tm.tm_hour % 12 : 12);
		if (tm.tm_hour >= 12)
			rtc->bytes[HOURS] |= HOUR_PM;
	}
	rtc->bytes[WEEKDAY] = encode(rtc, tm.tm_wday + 1);
	rtc->bytes[DAY] = encode(rtc, tm.tm_mday);
	rtc->bytes[MONTH] = encode(rtc, tm.tm_mon + 1);
	rtc->bytes[YEAR] = encode(rtc, tm.tm_year % 100);
	rtc->bytes[RWY_RTC_CENTURY] = encode(rtc, (tm.tm_year / 100) + 19);
}

static void store_time(struct rwy_rtc *rtc)
{
	const uint8_t *b = rtc->bytes;
	struct tm tm = {
		.tm_sec = decode(rtc, b[SECONDS]),
		.tm_min = decode(rtc, b[MINUTES]),
		.tm_mday = decode(rtc, b[DAY]),
		.tm_mon = decode(rtc, b[MONTH]) - 1,
		.tm_year = decode(rtc, b[YEAR]) + (decode(rtc, b[RWY_RTC_CENTURY]) - 19) * 100,
	};

	if (b[REG_B] & B_24H)
		tm.tm_hour = decode(rtc, b[HOURS]);
	else
		tm.tm_hour = decode(rtc, b[HOURS] & (uint8_t)~HOUR_PM) % 12 +
			     (b[HOURS] & HOUR_PM ? 12 : 0);
	rtc->offset_s = timegm(&tm) - rtc->now_ns() / NS_PER_S;
}

static bool is_time(uint8_t index)
{
	return index == SECONDS || index == MINUTES || index == HOURS ||
	       (index >= WEEKDAY && index <= YEAR) || index == RWY_RTC_CENTURY;
}

static bool running(const struct rwy_rtc *rtc)
{
	return !(rtc->bytes[REG_B] & B_SET);
}

void rwy_rtc_read(void *ctx, uint64_t off, void *buf, unsigned len)
{
	struct rwy_rtc *rtc = ctx;
	uint8_t v;

	memset(buf, 0xff, len);
	if (off == 0 || len != 1)
		return;
	if (is_time(rtc->index) && running(rtc))
		load_time(rtc);
	v = rtc->bytes[rtc->index];
	if (rtc->index == REG_A && running(rtc) && rtc->now_ns() % NS_PER_S >= NS_PER_S - UPDATE_NS)
		v |= A_UIP;
	*(uint8_t *)buf = v;
}

static void write_b(struct rwy_rtc *rtc, uint8_t v)
{
	bool was_running = running(rtc);

	if (was_running)
		load_time(rtc);
	/* The mode bits say how the time was written, so they take effect first. */
	rtc->bytes[REG_B] = v;
	if (!was_running && running(rtc))
		store_time(rtc);
}

void rwy_rtc_write(void *ctx, uint64_t off, const void *buf, unsigned len)
{
	struct rwy_rtc *rtc = ctx;
	uint8_t v = *(const uint8_t *)buf;

	if (len != 1)
		return;
	if (off == 0) {
		rtc->index = v % RWY_RTC_BYTES; /* bit 7 masks NMIs */
		return;
	}
	if (rtc->index == REG_B) {
		write_b(rtc, v);
	} else if (rtc->index == REG_A) {
		rtc->bytes[REG_A] = v & (uint8_t)~A_UIP;
	} else if (is_time(rtc->index) && running(rtc)) {
		load_time(rtc);
		rtc->bytes[rtc->index] = v;
		store_time(rtc);
	} else if (rtc->index != REG_C && rtc->index != REG_D) {
		rtc->bytes[rtc->index] = v;
	}
}
