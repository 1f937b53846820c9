/* SPDX-License-Identifier: BSD-3-Clause */
/* Adding and removing with a toy row, and a guest that answers as the test wants. */
#include "tests/unit/pci_rig.h"
#include "lib/log.h"
#include "vmm/hotplug.h"
#include "vmm/root_port.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>

struct bench {
	struct pci_rig rig;
	struct rwy_poll *poll;
	struct rwy_hotplug *hotplug;
	char news[512]; /* what came back, in order */
	/* of the next toy */
	bool later; /* it is not ready at once */
	bool bad_open;
	bool bad_plug;
	bool slow; /* to become quiet */
	struct toy *last;
	unsigned nr_open; /* toys that were not closed */
};

struct toy {
	struct rwy_pci_dev pci;
	struct rwy_hotplug_dev *dev;
	struct bench *bench;
	bool slow;
};

/* ---- the toy ---- */

static bool toy_reset(struct rwy_pci_dev *pci)
{
	return !RWY_CONTAINER_OF(pci, struct toy, pci)->slow;
}

static void toy_free(struct toy *toy)
{
	toy->bench->nr_open--;
	free(toy);
}

static void toy_close(struct rwy_pci_dev *pci)
{
	toy_free(RWY_CONTAINER_OF(pci, struct toy, pci));
}

static const struct rwy_pci_dev_ops toy_ops = {.reset = toy_reset, .close = toy_close};

static struct toy *toy_make(struct bench *b, const char *name)
{
	static const struct rwy_pci_id id = {.vendor = 0x1234, .device = 0x5678};
	struct toy *toy = calloc(1, sizeof(*toy));

	toy->bench = b;
	toy->slow = b->slow;
	rwy_pci_dev_init(&toy->pci, &toy_ops, name, &id);
	rwy_pci_dev_add_bar(&toy->pci, 0, 0x4000);
	b->last = toy;
	b->nr_open++;
	return toy;
}

static int row_open(struct rwy_hotplug_dev *dev, const json_t *args, struct rwy_opt_why *why)
{
	struct bench *b = rwy_hotplug_ctx(dev->hotplug);

	if (b->bad_open)
		return rwy_opt_fail(why, "not today");
	dev->device = toy_make(b, dev->id);
	b->last->dev = dev;
	if (!b->later)
		rwy_hotplug_ready(dev);
	return 0;
}

static int row_plug(struct rwy_hotplug_dev *dev, struct rwy_pci_dev *bridge)
{
	struct toy *toy = dev->device;

	if (toy->bench->bad_plug)
		return -ENOSPC;
	toy->pci.bridge = bridge;
	return rwy_pci_plug(bridge->pci, &toy->pci);
}

static void row_close(struct rwy_hotplug_dev *dev)
{
	toy_free(dev->device);
}

const struct rwy_hotplug_row *rwy_hotplug_rows_find(const char *driver)
{
	static const struct rwy_hotplug_row row = {"toy", row_open, row_plug, row_close};

	return strcmp(driver, "toy") == 0 ? &row : NULL;
}

/* ---- the bench ---- */

static void note(struct bench *b, const char *what, const char *id, const char *why)
{
	size_t len = strlen(b->news);

	snprintf(b->news + len, sizeof(b->news) - len, "%s %s%s%s;", what, id, why ? ": " : "",
		 why ? why : "");
}

static void on_added(void *ctx, const char *id, const char *why)
{
	note(ctx, "added", id, why);
}

static void on_deleted(void *ctx, const char *id)
{
	note(ctx, "deleted", id, NULL);
}

static void on_kept(void *ctx, const char *id)
{
	note(ctx, "kept", id, NULL);
}

static void quiet(enum rwy_log_level level, const char *line)
{
}

static void open_bench(struct bench *b, unsigned nr_ports, bool fewer)
{
	struct rwy_hotplug_config config = {
		.lock = &b->rig.lock,
		.nr_ports = nr_ports,
		.fewer = fewer,
		.added = on_added,
		.deleted = on_deleted,
		.kept = on_kept,
		.ctx = b,
	};

	memset(b, 0, sizeof(*b));
	rwy_log_set_sink(quiet);
	rig_open(&b->rig);
	assert_int_equal(rwy_poll_open(&b->poll, RWY_POLL_NEVER), 0);
	config.poll = b->poll;
	config.pci = b->rig.pci;
	assert_int_equal(rwy_hotplug_open(&b->hotplug, &config), 0);
}

static void close_bench(struct bench *b)
{
	rwy_hotplug_close(b->hotplug);
	rig_close(&b->rig);
	assert_int_equal(b->nr_open, 0);
	rwy_poll_close(b->poll);
}

static void heard(struct bench *b, const char *news)
{
	for (unsigned i = 0; i < 5; i++)
		rwy_poll_once(b->poll, 1);
	assert_string_equal(b->news, news);
	b->news[0] = '\0';
}

static int add(struct bench *b, const char *id, const char *bus)
{
	struct rwy_opt_why why;

	return rwy_hotplug_add(b->hotplug, "toy", id, bus, NULL, &why);
}

/* The guest's power indicator of port n, which is in slot n. */
static void indicate(struct bench *b, unsigned port, uint16_t indicator)
{
	unsigned at = cfg_cap(&b->rig, port, PCI_CAP_ID_EXP, 0) + PCI_EXP_SLTCTL;
	uint32_t was = cfg_in(&b->rig, port, at, 2);

	cfg_out(&b->rig, port, at, 2, (was & ~(uint32_t)PCI_EXP_SLTCTL_PIC) | indicator);
}

#define ON    PCI_EXP_SLTCTL_PWR_IND_ON
#define BLINK PCI_EXP_SLTCTL_PWR_IND_BLINK
#define OFF   PCI_EXP_SLTCTL_PWR_IND_OFF

static bool present(struct bench *b, unsigned port)
{
	unsigned at = cfg_cap(&b->rig, port, PCI_CAP_ID_EXP, 0) + PCI_EXP_SLTSTA;

	return cfg_in(&b->rig, port, at, 2) & PCI_EXP_SLTSTA_PDS;
}

/* ---- tests ---- */

static void comes_and_goes(void **state)
{
	struct bench b;

	open_bench(&b, 2, false);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(add(&b, "a", "rp2"), 0);
		heard(&b, "added a;");
		assert_true(present(&b, 2));
		assert_false(present(&b, 1));
		assert_string_equal(rwy_hotplug_id_of(b.hotplug, &b.last->pci), "a");
		indicate(&b, 2, ON);
		assert_int_equal(rwy_hotplug_del(b.hotplug, "a"), 0);
		assert_int_equal(rwy_hotplug_del(b.hotplug, "a"), -EBUSY);
		heard(&b, "");
		indicate(&b, 2, BLINK);
		heard(&b, "");
		assert_true(present(&b, 2));
		indicate(&b, 2, OFF);
		heard(&b, "deleted a;");
		assert_false(present(&b, 2));
		assert_int_equal(b.nr_open, 0);
		assert_int_equal(rwy_hotplug_del(b.hotplug, "a"), -ENODEV);
	}
	close_bench(&b);
}

/* Nobody has asked for it, so nobody is told; it leaves as others do. */
static void there_from_the_start(void **state)
{
	struct bench b;

	open_bench(&b, 2, false);
	assert_int_equal(rwy_hotplug_put(b.hotplug, "toy", "a", toy_make(&b, "a")), 0);
	assert_true(present(&b, 1));
	assert_string_equal(rwy_hotplug_id_of(b.hotplug, &b.last->pci), "a");
	heard(&b, "");
	b.bad_plug = true;
	assert_int_equal(rwy_hotplug_put(b.hotplug, "toy", "b", toy_make(&b, "b")), -ENOSPC);
	toy_free(b.last);
	assert_int_equal(rwy_hotplug_put(b.hotplug, "toy", "a", NULL), -EINVAL);
	b.bad_plug = false;
	assert_int_equal(add(&b, "b", NULL), 0);
	heard(&b, "added b;");
	assert_true(present(&b, 2));
	assert_int_equal(rwy_hotplug_put(b.hotplug, "toy", "c", NULL), -EINVAL);
	indicate(&b, 1, ON);
	assert_int_equal(rwy_hotplug_del(b.hotplug, "a"), 0);
	indicate(&b, 1, OFF);
	heard(&b, "deleted a;");
	assert_int_equal(b.nr_open, 1);
	close_bench(&b);
}

static void is_kept(void **state)
{
	struct bench b;

	open_bench(&b, 1, false);
	assert_int_equal(add(&b, "a", NULL), 0);
	heard(&b, "added a;");
	indicate(&b, 1, ON);
	assert_int_equal(rwy_hotplug_del(b.hotplug, "a"), 0);
	indicate(&b, 1, BLINK);
	indicate(&b, 1, ON);
	heard(&b, "kept a;");
	/* Later the guest switches it off by itself: it may want it again. */
	indicate(&b, 1, OFF);
	heard(&b, "");
	assert_true(present(&b, 1));
	assert_int_equal(rwy_hotplug_del(b.hotplug, "a"), 0);
	heard(&b, "deleted a;");
	close_bench(&b);
}

static void reset_while_asked(void **state)
{
	struct bench b;

	open_bench(&b, 2, false);
	assert_int_equal(add(&b, "a", NULL), 0);
	assert_int_equal(add(&b, "b", NULL), 0);
	heard(&b, "added a;added b;");
	indicate(&b, 1, ON);
	b.last = NULL;
	assert_int_equal(rwy_hotplug_del(b.hotplug, "a"), 0);
	pthread_mutex_lock(&b.rig.lock);
	rwy_hotplug_reset(b.hotplug);
	rwy_pci_reset(b.rig.pci, rig_quiet, &b.rig);
	pthread_mutex_unlock(&b.rig.lock);
	heard(&b, "deleted a;");
	assert_int_equal(b.rig.quiet, 1);
	assert_true(present(&b, 2)); /* nobody had asked for it */
	close_bench(&b);
}

static void slow_to_leave(void **state)
{
	struct bench b;

	open_bench(&b, 1, false);
	b.slow = true;
	assert_int_equal(add(&b, "a", NULL), 0);
	assert_int_equal(rwy_hotplug_del(b.hotplug, "a"), 0); /* unused, so it goes at once */
	heard(&b, "added a;");
	assert_false(present(&b, 1));
	assert_int_equal(add(&b, "b", NULL), -EINVAL);
	pthread_mutex_lock(&b.rig.lock);
	rwy_pci_reset_done(&b.last->pci);
	pthread_mutex_unlock(&b.rig.lock);
	assert_int_equal(b.nr_open, 1); /* not closed under the lock */
	heard(&b, "deleted a;");
	assert_int_equal(add(&b, "b", NULL), 0);
	heard(&b, "added b;");
	close_bench(&b);
}

static void failures(void **state)
{
	struct bench b;

	open_bench(&b, 1, false);
	b.bad_open = true;
	assert_int_equal(add(&b, "a", NULL), -EINVAL);
	heard(&b, "");
	b.bad_open = false;
	b.bad_plug = true;
	assert_int_equal(add(&b, "a", NULL), 0);
	heard(&b, "added a: it cannot be plugged in: No space left on device;");
	assert_int_equal(b.nr_open, 0);
	assert_false(present(&b, 1));
	b.bad_plug = false;
	b.later = true;
	assert_int_equal(add(&b, "a", NULL), 0);
	assert_int_equal(rwy_hotplug_del(b.hotplug, "a"), -ENODEV);
	assert_int_equal(add(&b, "a", NULL), -EINVAL);
	heard(&b, "");
	rwy_hotplug_ready(b.last->dev);
	rwy_hotplug_ready(b.last->dev); /* a back-end that came back */
	heard(&b, "added a;");
	assert_int_equal(add(&b, "b", NULL), -EINVAL);
	close_bench(&b);
}

/* The machine ends with one in each state. */
static void ends_in_the_middle(void **state)
{
	struct bench b;

	open_bench(&b, 5, false);
	assert_int_equal(add(&b, "plugged", NULL), 0);
	assert_int_equal(add(&b, "asked", NULL), 0);
	indicate(&b, 2, ON);
	assert_int_equal(rwy_hotplug_del(b.hotplug, "asked"), 0);
	assert_int_equal(add(&b, "left", NULL), 0);
	assert_int_equal(rwy_hotplug_del(b.hotplug, "left"), 0);
	b.slow = true;
	assert_int_equal(add(&b, "leaving", NULL), 0);
	assert_int_equal(rwy_hotplug_del(b.hotplug, "leaving"), 0);
	b.later = true;
	assert_int_equal(add(&b, "opening", NULL), 0);
	assert_int_equal(b.nr_open, 5);
	close_bench(&b);
}

/* 31 slots for 40 ports: as many as there are, or none, as was asked for. */
static void few_slots(void **state)
{
	struct bench b;
	struct rwy_hotplug *more;
	struct rwy_hotplug_config config;

	open_bench(&b, 16, false);
	config = (struct rwy_hotplug_config){.poll = b.poll,
					     .pci = b.rig.pci,
					     .lock = &b.rig.lock,
					     .nr_ports = 16};
	config.fewer = true;
	assert_int_equal(rwy_hotplug_open(&more, &config), 0);
	rwy_hotplug_close(more);
	config.fewer = false;
	assert_int_equal(rwy_hotplug_open(&more, &config), -ENOSPC);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_and_goes),
		cmocka_unit_test(there_from_the_start),
		cmocka_unit_test(is_kept),
		cmocka_unit_test(reset_while_asked),
		cmocka_unit_test(slow_to_leave),
		cmocka_unit_test(failures),
		cmocka_unit_test(ends_in_the_middle),
		cmocka_unit_test(few_slots),
	};

	return UNIT_RUN(tests);
}
