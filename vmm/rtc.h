/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The CMOS clock (Motorola MC146818A data sheet) at ports 0x70 and 0x71: UTC of the host plus what
 * the guest set, and battery-backed bytes that last as long as the process. No alarm, no interrupt:
 * the DSDT gives it none. Every call is made with the bus lock held.
 */
#ifndef RWY_VMM_RTC_H
#define RWY_VMM_RTC_H

#include "lib/base.h"

#define RWY_RTC_PORTS	2
#define RWY_RTC_BYTES	128
#define RWY_RTC_CENTURY 0x32 /* FADT.CENTURY names it */

struct rwy_rtc {
	uint8_t index;
	uint8_t bytes[RWY_RTC_BYTES];
	int64_t offset_s; /* guest time minus host time */
	/* CLOCK_REALTIME in ns; tests bring their own */
	int64_t (*now_ns)(void);
};

void rwy_rtc_init(struct rwy_rtc *rtc);
void rwy_rtc_read(void *rtc, uint64_t off, void *buf, unsigned len);
void rwy_rtc_write(void *rtc, uint64_t off, const void *buf, unsigned len);

#endif
