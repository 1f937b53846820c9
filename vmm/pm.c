/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/pm.h"

#include "vmm/layout.h"

#include <string.h>
#include <time.h>

#define STS_POWER_BUTTON 0x0100
#define STS_MASK	 0x8721 /* the bits that exist; written 1 to clear */
#define EN_MASK		 0x0721
#define CNT_SCI_EN	 0x0001
#define CNT_SLP_EN	 0x2000
#define CNT_SLP_TYP(cnt) ((cnt) >> 10 & 7)

#define TIMER_HZ 3579545u

#define RESET_NOW 0x04

#define KEYBOARD_PORT	0x64
#define KEYBOARD_PULSE	0xf0 /* the low four bits say which lines stay up */
#define KEYBOARD_RESETN 0x01

static uint32_t timer_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint32_t)((uint64_t)ts.tv_sec * TIMER_HZ +
			  (uint64_t)ts.tv_nsec * TIMER_HZ / 1000000000u);
}

static void update_sci(struct rwy_pm *pm)
{
	bool level = pm->status & pm->enable;

	if (level == pm->sci)
		return;
	pm->sci = level;
	pm->ops.sci(pm->ops.ctx, level);
}

static void put16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)v;
	at[1] = (uint8_t)(v >> 8);
}

static void read_block(void *ctx, uint64_t off, void *buf, unsigned len)
{
	const struct rwy_pm *pm = ctx;
	uint8_t image[RWY_PM_SIZE] = {0};
	uint32_t timer = timer_now();

	put16(image + RWY_PM_EVENT, pm->status);
	put16(image + RWY_PM_EVENT + 2, pm->enable);
	put16(image + RWY_PM_CONTROL, pm->control);
	put16(image + RWY_PM_TIMER, (uint16_t)timer);
	put16(image + RWY_PM_TIMER + 2, (uint16_t)(timer >> 16));
	memcpy(buf, image + off, len);
}

static void write_control(struct rwy_pm *pm, uint16_t v)
{
	/* There is no way out of ACPI mode, and SLP_EN reads as zero. */
	pm->control = (v & (uint16_t)~CNT_SLP_EN) | CNT_SCI_EN;
	if ((v & CNT_SLP_EN) && CNT_SLP_TYP(v) == RWY_PM_S5)
		pm->ops.power_off(pm->ops.ctx);
}

/* Bytes that the access does not cover keep their value; status bits not written stay set. */
static void write_block(void *ctx, uint64_t off, const void *buf, unsigned len)
{
	struct rwy_pm *pm = ctx;
	uint8_t image[RWY_PM_SIZE] = {0};
	bool control = off < RWY_PM_CONTROL + 2 && off + len > RWY_PM_CONTROL;

	put16(image + RWY_PM_EVENT + 2, pm->enable);
	put16(image + RWY_PM_CONTROL, pm->control);
	memcpy(image + off, buf, len);
	pm->status &= (uint16_t) ~((image[0] | image[1] << 8) & STS_MASK);
	pm->enable = (uint16_t)((image[2] | image[3] << 8) & EN_MASK);
	if (control)
		write_control(pm, (uint16_t)(image[4] | image[5] << 8));
	update_sci(pm);
}

void rwy_pm_reset_port(void *ctx, uint8_t value)
{
	struct rwy_pm *pm = ctx;

	if (value & RESET_NOW)
		pm->ops.reset(pm->ops.ctx);
}

/* An idle controller: both of its buffers are empty. */
static void read_keyboard(void *ctx, uint64_t off, void *buf, unsigned len)
{
	*(uint8_t *)buf = 0;
}

static void write_keyboard(void *ctx, uint64_t off, const void *buf, unsigned len)
{
	struct rwy_pm *pm = ctx;
	uint8_t command = *(const uint8_t *)buf;

	if ((command & 0xf0) == KEYBOARD_PULSE && !(command & KEYBOARD_RESETN))
		pm->ops.reset(pm->ops.ctx);
}

int rwy_pm_init(struct rwy_pm *pm, const struct rwy_pm_ops *ops, struct rwy_bus *pio)
{
	const struct rwy_bus_range ranges[] = {
		{RWY_LAYOUT_PM_PORT, RWY_PM_SIZE, read_block, write_block, pm, "pm", 0, 0},
		{KEYBOARD_PORT, 1, read_keyboard, write_keyboard, pm, "keyboard", 0, 0},
	};

	memset(pm, 0, sizeof(*pm));
	pm->ops = *ops;
	pm->control = CNT_SCI_EN;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(ranges); i++) {
		int err = rwy_bus_add(pio, &ranges[i]);

		if (err)
			return err;
	}
	return 0;
}

void rwy_pm_reset(struct rwy_pm *pm)
{
	pm->status = 0;
	pm->enable = 0;
	pm->control = CNT_SCI_EN;
	update_sci(pm);
}

void rwy_pm_press(struct rwy_pm *pm)
{
	pm->status |= STS_POWER_BUTTON;
	update_sci(pm);
}
