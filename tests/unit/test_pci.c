/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/pci_rig.h"

#include <errno.h>

struct toy {
	struct rwy_pci_dev pci;
	uint64_t last_off;
	unsigned accesses;
	unsigned mapped[RWY_PCI_BARS];
	unsigned unmapped[RWY_PCI_BARS];
	unsigned config_written;
	bool slow_reset;
	bool closed;
};

static struct toy *of(struct rwy_pci_dev *dev)
{
	return RWY_CONTAINER_OF(dev, struct toy, pci);
}

static void toy_read(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, void *buf, unsigned len)
{
	of(dev)->accesses++;
	of(dev)->last_off = off;
	memset(buf, (int)(0x10 + bar), len);
}

static void toy_write(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, const void *buf,
		      unsigned len)
{
	of(dev)->accesses++;
	of(dev)->last_off = off;
}

static void toy_mapped(struct rwy_pci_dev *dev, unsigned bar, bool mapped)
{
	if (mapped)
		of(dev)->mapped[bar]++;
	else
		of(dev)->unmapped[bar]++;
}

static void toy_written(struct rwy_pci_dev *dev, unsigned off, unsigned len)
{
	of(dev)->config_written++;
}

static bool toy_reset(struct rwy_pci_dev *dev)
{
	return !of(dev)->slow_reset;
}

static void toy_close(struct rwy_pci_dev *dev)
{
	of(dev)->closed = true;
}

static const struct rwy_pci_dev_ops toy_ops = {
	.bar_read = toy_read,
	.bar_write = toy_write,
	.bar_mapped = toy_mapped,
	.config_written = toy_written,
	.reset = toy_reset,
	.close = toy_close,
};

static void toy_plug(struct pci_rig *rig, struct toy *toy)
{
	static const struct rwy_pci_id id = {.vendor = 0x1234,
					     .device = 0x5678,
					     .sub_vendor = 0x9abc,
					     .sub_device = 0xdef0,
					     .class_code = 0x020000,
					     .revision = 7};

	memset(toy, 0, sizeof(*toy));
	rwy_pci_dev_init(&toy->pci, &toy_ops, "toy", &id);
	rwy_pci_dev_add_bar(&toy->pci, 0, 0x4000);
	rwy_pci_dev_add_bar(&toy->pci, 2, 0x100000);
	assert_int_equal(rwy_pci_dev_add_cap(&toy->pci, 0x09, "\x05zz", 3), 0x40);
	assert_int_equal(rwy_pci_dev_add_cap(&toy->pci, 0x11, "abcdefgh", 8), 0x48);
	assert_int_equal(rwy_pci_plug(rig->pci, &toy->pci), 0);
}

static void identity(void **state)
{
	struct pci_rig rig;
	struct toy toy;

	rig_open(&rig);
	toy_plug(&rig, &toy);
	assert_int_equal(cfg_in(&rig, 0, 0, 4), 0x00081b36);
	assert_int_equal(cfg_in(&rig, 0, 0x0a, 2), 0x0600);
	assert_int_equal(cfg_in(&rig, 1, 0, 4), 0x56781234);
	assert_int_equal(cfg_in(&rig, 1, 0x08, 4), 0x02000007);
	assert_int_equal(cfg_in(&rig, 1, 0x2c, 4), 0xdef09abc);
	assert_int_equal(cfg_in(&rig, 1, 0x0e, 1), 0); /* one function, type 0 */
	assert_int_equal(cfg_in(&rig, 1, 0x3d, 1), 0); /* no INTx */
	assert_int_equal(cfg_cap(&rig, 1, 0x09, 0), 0x40);
	assert_int_equal(cfg_cap(&rig, 1, 0x11, 0), 0x48);
	assert_int_equal(cfg_cap(&rig, 1, 0x10, 0), 0);
	/* Nobody at home: other slots, functions, buses; and beyond the 256 bytes. */
	assert_int_equal(cfg_in(&rig, 2, 0, 4), UINT32_MAX);
	assert_int_equal(rig_in(&rig.mmio, rig_ecam(1, 0) + 0x1000, 4), UINT32_MAX);
	assert_int_equal(rig_in(&rig.mmio, rig_ecam(1, 0) + 0x100000, 4), UINT32_MAX);
	assert_int_equal(cfg_in(&rig, 1, 0x100, 4), UINT32_MAX);
	assert_int_equal(cfg_in(&rig, 1, 0xfe, 4), UINT32_MAX);
	rig_close(&rig);
	assert_true(toy.closed);
}

static void masks(void **state)
{
	struct pci_rig rig;
	struct toy toy;

	rig_open(&rig);
	toy_plug(&rig, &toy);
	for (unsigned reg = 0; reg < 0x100; reg += 4) {
		if (reg < 0x10 || reg >= 0x28)
			cfg_out(&rig, 1, reg, 4, 0xffffffff);
	}
	assert_int_equal(cfg_in(&rig, 1, 0, 4), 0x56781234);
	assert_int_equal(cfg_in(&rig, 1, 0x04, 4), 0x00100406); /* MEM, MASTER, INTx off; caps */
	assert_int_equal(cfg_in(&rig, 1, 0x08, 4), 0x02000007);
	assert_int_equal(cfg_in(&rig, 1, 0x0c, 4), 0x000000ff);
	assert_int_equal(cfg_in(&rig, 1, 0x3c, 4), 0x000000ff);
	assert_int_equal(cfg_in(&rig, 1, 0x40, 1), 0x09);
	assert_int_equal(cfg_in(&rig, 1, 0x4a, 4), 0x64636261);
	cfg_out(&rig, 1, 0xfe, 4, 0); /* runs over the end: nothing */
	cfg_out(&rig, 9, 0x04, 4, 0); /* nobody */
	rig_close(&rig);
}

static void sizing(void **state)
{
	struct pci_rig rig;
	struct toy toy;
	uint32_t was;

	rig_open(&rig);
	toy_plug(&rig, &toy);
	was = cfg_in(&rig, 1, 0x10, 4);
	assert_in_range(was, RWY_LAYOUT_MMIO32, RWY_LAYOUT_MMIO32_END - 0x4000);
	assert_int_equal(was % 0x4000, 0);
	assert_int_equal(cfg_in(&rig, 1, 0x18, 4) % 0x100000, 0);
	cfg_out(&rig, 1, 0x10, 4, 0xffffffff);
	assert_int_equal(cfg_in(&rig, 1, 0x10, 4), 0xffffc000);
	cfg_out(&rig, 1, 0x14, 4, 0xffffffff); /* there is no BAR 1 */
	assert_int_equal(cfg_in(&rig, 1, 0x14, 4), 0);
	cfg_out(&rig, 1, 0x18, 4, 0xffffffff);
	assert_int_equal(cfg_in(&rig, 1, 0x18, 4), 0xfff00000);
	cfg_out(&rig, 1, 0x30, 4, 0xffffffff); /* no ROM */
	assert_int_equal(cfg_in(&rig, 1, 0x30, 4), 0);
	cfg_out(&rig, 1, 0x10, 4, was);
	assert_int_equal(cfg_in(&rig, 1, 0x10, 4), was);
	rig_close(&rig);
}

static void decoding(void **state)
{
	struct pci_rig rig;
	struct toy toy;
	uint32_t bar;

	rig_open(&rig);
	toy_plug(&rig, &toy);
	bar = cfg_in(&rig, 1, 0x10, 4);
	assert_int_equal(rig_in(&rig.mmio, bar, 4), UINT32_MAX); /* not decoded yet */
	cfg_out(&rig, 1, 0x04, 2, 0x2);
	assert_int_equal(rig_in(&rig.mmio, bar + 0x123, 1), 0x10);
	assert_int_equal(toy.last_off, 0x123);
	assert_int_equal(rig_in(&rig.mmio, cfg_in(&rig, 1, 0x18, 4) + 8, 2), 0x1212);
	assert_int_equal(toy.mapped[0], 1);

	/* Moved while it is decoded; byte by byte, so it is at strange places meanwhile. */
	for (unsigned i = 0; i < 4; i++)
		cfg_out(&rig, 1, 0x10 + i, 1, 0xd0000000u >> (8 * i) & 0xff);
	assert_int_equal(rig_in(&rig.mmio, bar, 4), UINT32_MAX);
	assert_int_equal(rig_in(&rig.mmio, 0xd0000010, 1), 0x10);
	assert_int_equal(toy.mapped[0], toy.unmapped[0] + 1);
	for (unsigned i = 0; i < rig.mmio.nr; i++) { /* and its accesses are still counted */
		if (rig.mmio.ranges[i].base == 0xd0000000)
			assert_int_equal(rig.mmio.ranges[i].reads, 2);
	}

	/* Outside of the bridge's window, among them on top of ECAM and the IOAPIC: not decoded. */
	for (unsigned i = 0; i < 5; i++) {
		static const uint32_t bad[] = {0, 0xb0000000, 0xbfffc000, 0xfec00000, 0xffffc000};

		cfg_out(&rig, 1, 0x10, 4, bad[i]);
		assert_false(toy.pci.bars[0].mapped);
		assert_int_equal(cfg_in(&rig, 1, 0x10, 4), bad[i]);
	}
	cfg_out(&rig, 1, 0x10, 4, 0xfebfc000); /* the last place */
	assert_int_equal(rig_in(&rig.mmio, 0xfebfffff, 1), 0x10);
	cfg_out(&rig, 1, 0x04, 2, 0);
	assert_int_equal(rig_in(&rig.mmio, 0xfebfffff, 1), 0xff);
	assert_int_equal(toy.mapped[0], toy.unmapped[0]);
	rig_close(&rig);
}

/* Two devices at one address: the second waits, and gets it when the first has left. */
static void overlap(void **state)
{
	struct pci_rig rig;
	struct toy a, b;
	uint32_t at_a;

	rig_open(&rig);
	toy_plug(&rig, &a);
	toy_plug(&rig, &b);
	at_a = cfg_in(&rig, 1, 0x10, 4);
	cfg_out(&rig, 1, 0x04, 2, 2);
	cfg_out(&rig, 2, 0x10, 4, at_a);
	cfg_out(&rig, 2, 0x04, 2, 2);
	assert_true(a.pci.bars[0].mapped);
	assert_false(b.pci.bars[0].mapped);
	assert_true(b.pci.bars[2].mapped);
	cfg_out(&rig, 1, 0x10, 4, 0xe0000000);
	assert_true(a.pci.bars[0].mapped);
	assert_true(b.pci.bars[0].mapped);
	rig_in(&rig.mmio, at_a, 1);
	assert_int_equal(b.accesses, 1);
	rig_close(&rig);
}

static void ports(void **state)
{
	struct pci_rig rig;
	struct toy toy;

	rig_open(&rig);
	toy_plug(&rig, &toy);
	rig_out(&rig.pio, 0xcf8, 4, 0x80000800);
	assert_int_equal(rig_in(&rig.pio, 0xcf8, 4), 0x80000800);
	assert_int_equal(rig_in(&rig.pio, 0xcfc, 4), 0x56781234);
	assert_int_equal(rig_in(&rig.pio, 0xcfe, 2), 0x5678);
	rig_out(&rig.pio, 0xcf8, 4, 0x80000804);
	rig_out(&rig.pio, 0xcfc, 2, 0x2);
	assert_true(toy.pci.bars[0].mapped);
	rig_out(&rig.pio, 0xcf8, 4, 0x00000800); /* enable bit clear */
	assert_int_equal(rig_in(&rig.pio, 0xcfc, 4), UINT32_MAX);
	rig_out(&rig.pio, 0xcf8, 4, 0x80010000); /* bus 1 */
	assert_int_equal(rig_in(&rig.pio, 0xcfc, 4), UINT32_MAX);
	/* Only a dword sets the address; a byte into the second one is the reset register. */
	rig_out(&rig.pio, 0xcfb, 1, 1);
	rig_out(&rig.pio, 0xcf8, 2, 0);
	assert_int_equal(rig_in(&rig.pio, 0xcf8, 4), 0x80010000);
	assert_int_equal(rig.resets, 0);
	rig_out(&rig.pio, 0xcf9, 1, 0x06);
	assert_int_equal(rig.resets, 1);
	assert_int_equal(rig.reset_value, 0x06);
	assert_int_equal(rig_in(&rig.pio, 0xcf8, 4), 0x80010000);
	rig_close(&rig);
}

static void reset(void **state)
{
	struct pci_rig rig;
	struct toy quick, slow;
	uint32_t bar;

	rig_open(&rig);
	toy_plug(&rig, &quick);
	toy_plug(&rig, &slow);
	bar = cfg_in(&rig, 1, 0x10, 4);
	cfg_out(&rig, 1, 0x10, 4, 0xd0000000);
	cfg_out(&rig, 1, 0x04, 2, 6);
	rwy_pci_reset(rig.pci, rig_quiet, &rig);
	assert_int_equal(rig.quiet, 1);
	assert_int_equal(cfg_in(&rig, 1, 0x10, 4), bar);
	assert_int_equal(cfg_in(&rig, 1, 0x04, 2), 0);
	assert_false(quick.pci.bars[0].mapped);

	slow.slow_reset = true;
	rwy_pci_reset(rig.pci, rig_quiet, &rig);
	assert_int_equal(rig.quiet, 1);
	rwy_pci_reset_done(&slow.pci);
	assert_int_equal(rig.quiet, 2);
	rwy_pci_reset_done(&slow.pci); /* of a reset by the driver: not ours */
	assert_int_equal(rig.quiet, 2);
	rig_close(&rig);
}

static void full(void **state)
{
	static struct toy toys[RWY_PCI_SLOTS];
	struct pci_rig rig;

	rig_open(&rig);
	for (unsigned i = 1; i < RWY_PCI_SLOTS; i++)
		toy_plug(&rig, &toys[i]);
	rwy_pci_dev_init(&toys[0].pci, &toy_ops, "one too many", &(struct rwy_pci_id){0});
	assert_int_equal(rwy_pci_plug(rig.pci, &toys[0].pci), -ENOSPC);
	rig_close(&rig);
}

/* A 64-bit BAR, an expansion ROM, and configuration space as PCI Express has it. */
static void express(void **state)
{
	struct pci_rig rig;
	struct toy toy;
	uint32_t rom, wide;

	rig_open(&rig);
	memset(&toy, 0, sizeof(toy));
	rwy_pci_dev_init(&toy.pci, &toy_ops, "toy", &(struct rwy_pci_id){.vendor = 1});
	rwy_pci_dev_add_bar_of(&toy.pci, 0, 0x10000, 0xc);
	rwy_pci_dev_add_bar_of(&toy.pci, RWY_PCI_ROM, 0x8000, 0);
	toy.pci.config_len = RWY_PCI_CONFIG_MAX;
	toy.pci.config[0x100] = 0x42;
	assert_int_equal(rwy_pci_plug(rig.pci, &toy.pci), 0);
	assert_int_equal(cfg_in(&rig, 1, 0x100, 4), 0x42);
	assert_int_equal(cfg_in(&rig, 1, 0xffe, 4), UINT32_MAX);
	wide = cfg_in(&rig, 1, 0x10, 4);
	assert_int_equal(wide & 0xf, 0xc);
	cfg_out(&rig, 1, 0x10, 4, UINT32_MAX);
	cfg_out(&rig, 1, 0x14, 4, UINT32_MAX);
	assert_int_equal(cfg_in(&rig, 1, 0x10, 4), 0xffff000c);
	assert_int_equal(cfg_in(&rig, 1, 0x14, 4), UINT32_MAX);
	/* Its upper half counts: at 4 GiB and that much there is no window. */
	cfg_out(&rig, 1, 0x10, 4, wide);
	cfg_out(&rig, 1, 0x14, 4, 1);
	cfg_out(&rig, 1, 0x04, 2, 2);
	assert_false(toy.pci.bars[0].mapped);
	cfg_out(&rig, 1, 0x14, 4, 0);
	assert_true(toy.pci.bars[0].mapped);
	assert_int_equal(toy.pci.bars[0].addr, wide & ~0xfu);
	/* The ROM has a bit of its own. */
	rom = cfg_in(&rig, 1, 0x30, 4);
	assert_false(toy.pci.bars[RWY_PCI_ROM].mapped);
	cfg_out(&rig, 1, 0x30, 4, rom | 1);
	assert_true(toy.pci.bars[RWY_PCI_ROM].mapped);
	assert_int_equal(rig_in(&rig.mmio, rom, 1), 0x10 + RWY_PCI_ROM);
	cfg_out(&rig, 1, 0x30, 4, 0xfffffffe);
	assert_int_equal(cfg_in(&rig, 1, 0x30, 4), 0xffff8000);
	assert_false(toy.pci.bars[RWY_PCI_ROM].mapped);
	rig_close(&rig);
}

/* ---- windows ---- */

static uint64_t wide_at(struct pci_rig *rig, unsigned slot)
{
	return (cfg_in(rig, slot, 0x10, 4) & ~0xfu) | (uint64_t)cfg_in(rig, slot, 0x14, 4) << 32;
}

static void wide_put(struct pci_rig *rig, unsigned slot, uint64_t addr)
{
	cfg_out(rig, slot, 0x10, 4, (uint32_t)addr);
	cfg_out(rig, slot, 0x14, 4, (uint32_t)(addr >> 32));
}

/* A large BAR is above 4 GiB, where the guest may move it about. */
static void large_bar(void **state)
{
	struct pci_rig rig;
	struct toy toy;

	rig_open_with(&rig, &rig_high);
	memset(&toy, 0, sizeof(toy));
	rwy_pci_dev_init(&toy.pci, &toy_ops, "toy", &(struct rwy_pci_id){.vendor = 1});
	rwy_pci_dev_add_bar_of(&toy.pci, 0, UINT64_C(8) << 30, 0xc);
	rwy_pci_dev_add_bar_of(&toy.pci, 2, 0x10000, 0xc);
	assert_int_equal(rwy_pci_plug(rig.pci, &toy.pci), 0);
	assert_int_equal(wide_at(&rig, 1), rig_high.base);
	cfg_out(&rig, 1, 0x04, 2, 2);
	assert_true(toy.pci.bars[0].mapped);
	assert_int_equal(rig_in(&rig.mmio, rig_high.base + 0x1fffffff8, 8),
			 UINT64_C(0x1010101010101010));
	/* The small one need not be there. */
	assert_in_range(toy.pci.bars[2].addr, RWY_LAYOUT_MMIO32, RWY_LAYOUT_MMIO32_END - 1);
	wide_put(&rig, 1, rig_high.base + rig_high.size - (UINT64_C(8) << 30));
	assert_true(toy.pci.bars[0].mapped);
	wide_put(&rig, 1, rig_high.base + rig_high.size);
	assert_false(toy.pci.bars[0].mapped);
	wide_put(&rig, 1, rig_high.base - (UINT64_C(8) << 30));
	assert_false(toy.pci.bars[0].mapped);
	rig_close(&rig);
}

static void too_large_bar(void **state)
{
	struct pci_rig rig;
	struct toy toy, small;

	for (unsigned high = 0; high < 2; high++) {
		rig_open_with(&rig, high ? &rig_high : &rig_no_high);
		memset(&toy, 0, sizeof(toy));
		rwy_pci_dev_init(&toy.pci, &toy_ops, "toy", &(struct rwy_pci_id){.vendor = 1});
		rwy_pci_dev_add_bar_of(&toy.pci, 0, high ? rig_high.size * 2 : UINT64_C(2) << 30,
				       0xc);
		assert_int_equal(rwy_pci_plug(rig.pci, &toy.pci), -ENOSPC);
		/* Nothing of a window was lost. */
		toy_plug(&rig, &small);
		assert_int_equal(cfg_in(&rig, 1, 0x10, 4), RWY_LAYOUT_MMIO32);
		rig_close(&rig);
	}
}

static void bar_of_ports(void **state)
{
	struct pci_rig rig;
	struct toy toy;
	uint32_t at;

	rig_open(&rig);
	memset(&toy, 0, sizeof(toy));
	rwy_pci_dev_init(&toy.pci, &toy_ops, "toy", &(struct rwy_pci_id){.vendor = 1});
	rwy_pci_dev_add_bar_of(&toy.pci, 0, 0x1000, 0);
	rwy_pci_dev_add_bar_of(&toy.pci, 2, 0x20, PCI_BASE_ADDRESS_SPACE_IO);
	assert_int_equal(rwy_pci_plug(rig.pci, &toy.pci), 0);
	at = cfg_in(&rig, 1, 0x18, 4);
	assert_int_equal(at, RWY_LAYOUT_PORTS | PCI_BASE_ADDRESS_SPACE_IO);
	cfg_out(&rig, 1, 0x18, 4, UINT32_MAX);
	assert_int_equal(cfg_in(&rig, 1, 0x18, 4), 0xffffffe1);
	cfg_out(&rig, 1, 0x18, 4, at + 0x40);
	cfg_out(&rig, 1, 0x04, 2, PCI_COMMAND_MEMORY);
	assert_false(toy.pci.bars[2].mapped);
	cfg_out(&rig, 1, 0x04, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	assert_true(toy.pci.bars[0].mapped);
	assert_true(toy.pci.bars[2].mapped);
	assert_int_equal(rig_in(&rig.pio, RWY_LAYOUT_PORTS + 0x44, 4), 0x12121212);
	assert_int_equal(toy.last_off, 4);
	/* Not over ports that are the machine's, nor beyond the last one. */
	cfg_out(&rig, 1, 0x18, 4, 0xce0);
	assert_false(toy.pci.bars[2].mapped);
	cfg_out(&rig, 1, 0x18, 4, 0x10000);
	assert_false(toy.pci.bars[2].mapped);
	assert_true(toy.pci.bars[0].mapped);
	rig_close(&rig);
}

/* Behind all RAM and within what CPUs can address, or nowhere. */
static void high_window(void **state)
{
	const uint64_t tib = UINT64_C(1) << 40;

	assert_int_equal(rwy_pci_window_high(UINT64_C(1) << 33, 39).base, 0x4000000000);
	assert_int_equal(rwy_pci_window_high(UINT64_C(1) << 33, 52).base, 0x4000000000);
	assert_int_equal(rwy_pci_window_high(UINT64_C(1) << 33, 38).size, 0);
	assert_int_equal(rwy_pci_window_high(0x4000000001, 40).size, 0);
	assert_int_equal(rwy_pci_window_high(0x4000000001, 46).base, tib);
	assert_int_equal(rwy_pci_window_high(tib - 1, 41).base, tib);
	assert_int_equal(rwy_pci_window_high(tib + 1, 64).size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity),	 cmocka_unit_test(masks),
		cmocka_unit_test(sizing),	 cmocka_unit_test(decoding),
		cmocka_unit_test(overlap),	 cmocka_unit_test(ports),
		cmocka_unit_test(reset),	 cmocka_unit_test(full),
		cmocka_unit_test(express),	 cmocka_unit_test(large_bar),
		cmocka_unit_test(too_large_bar), cmocka_unit_test(bar_of_ports),
		cmocka_unit_test(high_window),
	};

	return UNIT_RUN(tests);
}
