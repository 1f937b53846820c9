/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include "vmm/layout.h"
#include "vmm/pm.h"

#include <string.h>
#include <unistd.h>

#define STATUS	(RWY_LAYOUT_PM_PORT + RWY_PM_EVENT)
#define ENABLE	(STATUS + 2)
#define CONTROL (RWY_LAYOUT_PM_PORT + RWY_PM_CONTROL)
#define TIMER	(RWY_LAYOUT_PM_PORT + RWY_PM_TIMER)
#define BUTTON	0x0100
#define SLEEP	0x2000

struct fixture {
	pthread_mutex_t lock;
	struct rwy_bus bus;
	struct rwy_pm pm;
	bool sci;
	unsigned power_offs, resets;
};

static void on_sci(void *ctx, bool level)
{
	((struct fixture *)ctx)->sci = level;
}

static void on_power_off(void *ctx)
{
	((struct fixture *)ctx)->power_offs++;
}

static void on_reset(void *ctx)
{
	((struct fixture *)ctx)->resets++;
}

static int setup(void **state)
{
	static struct fixture f;
	const struct rwy_pm_ops ops = {on_sci, on_power_off, on_reset, &f};

	memset(&f, 0, sizeof(f));
	pthread_mutex_init(&f.lock, NULL);
	rwy_bus_init(&f.bus, "pio", &f.lock);
	*state = &f;
	return rwy_pm_init(&f.pm, &ops, &f.bus);
}

static uint32_t in(struct fixture *f, uint64_t port, unsigned len)
{
	uint32_t v = 0;

	rwy_bus_access(&f->bus, port, &v, len, false);
	return v;
}

static void out(struct fixture *f, uint64_t port, uint32_t v, unsigned len)
{
	rwy_bus_access(&f->bus, port, &v, len, true);
}

static void power_button(void **state)
{
	struct fixture *f = *state;

	rwy_pm_press(&f->pm);
	assert_false(f->sci); /* not enabled yet */
	out(f, ENABLE, BUTTON, 2);
	assert_true(f->sci);
	assert_int_equal(in(f, STATUS, 2), BUTTON);
	out(f, STATUS, 0x0001, 2); /* some other bit */
	assert_true(f->sci);
	out(f, STATUS, BUTTON, 2);
	assert_false(f->sci);
	assert_int_equal(in(f, STATUS, 4), BUTTON << 16);
	rwy_pm_press(&f->pm);
	assert_true(f->sci);
	rwy_pm_reset(&f->pm);
	assert_false(f->sci);
	assert_int_equal(in(f, STATUS, 4), 0);
}

static void bytes_are_enough(void **state)
{
	struct fixture *f = *state;

	out(f, ENABLE + 1, BUTTON >> 8, 1);
	assert_int_equal(in(f, ENABLE, 2), BUTTON);
	rwy_pm_press(&f->pm);
	out(f, STATUS, 0xff, 1); /* the low byte only */
	assert_true(f->sci);
	out(f, STATUS + 1, BUTTON >> 8, 1);
	assert_false(f->sci);
}

static void sleeping(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, CONTROL, 2), 1); /* ACPI mode from the start */
	out(f, CONTROL, RWY_PM_S5 << 10, 2);
	assert_int_equal(f->power_offs, 0); /* the type alone does nothing */
	out(f, CONTROL, SLEEP | 1 << 10, 2);
	assert_int_equal(f->power_offs, 0); /* no other state */
	out(f, CONTROL, SLEEP | RWY_PM_S5 << 10, 2);
	assert_int_equal(f->power_offs, 1);
	assert_int_equal(in(f, CONTROL, 2), RWY_PM_S5 << 10 | 1);
	out(f, ENABLE, BUTTON, 2); /* a neighbour does not sleep again */
	assert_int_equal(f->power_offs, 1);
}

static void resets(void **state)
{
	struct fixture *f = *state;

	rwy_pm_reset_port(&f->pm, 0x02);
	assert_int_equal(f->resets, 0);
	rwy_pm_reset_port(&f->pm, RWY_PM_RESET_VALUE);
	assert_int_equal(f->resets, 1);
	assert_int_equal(in(f, 0x64, 1), 0);
	out(f, 0x64, 0xd1, 1);
	out(f, 0x64, 0xff, 1); /* no line */
	assert_int_equal(f->resets, 1);
	out(f, 0x64, 0xfe, 1);
	assert_int_equal(f->resets, 2);
}

static void timer_runs(void **state)
{
	struct fixture *f = *state;
	uint32_t before = in(f, TIMER, 4);

	usleep(10000);
	uint32_t ticks = in(f, TIMER, 4) - before;
	assert_true(ticks >= 35795); /* 10 ms of 3.579545 MHz */
	assert_true(ticks < 3579545);
	out(f, TIMER, 0, 4); /* read-only */
	assert_true(in(f, TIMER, 4) - before >= ticks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(power_button, setup),
		cmocka_unit_test_setup(bytes_are_enough, setup),
		cmocka_unit_test_setup(sleeping, setup),
		cmocka_unit_test_setup(resets, setup),
		cmocka_unit_test_setup(timer_runs, setup),
	};

	return UNIT_RUN(tests);
}
