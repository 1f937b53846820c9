/* SPDX-License-Identifier: BSD-3-Clause */
/* Hot-plug as a guest sees it: bridge, windows, slot registers, interrupts. */
#include "tests/unit/pci_rig.h"
#include "vmm/msix.h"
#include "vmm/root_port.h"

#include <errno.h>
#include <linux/pci_regs.h>

#define MESSAGE 0xfee01000

/* The one device there is. */
struct stick {
	struct rwy_pci_dev pci;
	bool slow;
	unsigned resets;
	unsigned lefts;
	bool mapped;
};

struct bench {
	struct pci_rig rig;
	struct rwy_root_port *port;
	unsigned slot;
	unsigned exp; /* the capability's offset */
	unsigned released, kept;
	struct stick stick;
};

static struct stick *of(struct rwy_pci_dev *dev)
{
	return RWY_CONTAINER_OF(dev, struct stick, pci);
}

static void stick_read(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, void *buf, unsigned len)
{
	memset(buf, 0x77, len);
}

static void stick_write(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, const void *buf,
			unsigned len)
{
}

static void stick_mapped(struct rwy_pci_dev *dev, unsigned bar, bool mapped)
{
	of(dev)->mapped = mapped;
}

static bool stick_reset(struct rwy_pci_dev *dev)
{
	of(dev)->resets++;
	return !of(dev)->slow;
}

static void stick_close(struct rwy_pci_dev *dev)
{
}

static const struct rwy_pci_dev_ops stick_ops = {
	.bar_read = stick_read,
	.bar_write = stick_write,
	.bar_mapped = stick_mapped,
	.reset = stick_reset,
	.close = stick_close,
};

static void on_released(void *ctx)
{
	((struct bench *)ctx)->released++;
}

static void on_kept(void *ctx)
{
	((struct bench *)ctx)->kept++;
}

static void on_left(void *ctx)
{
	((struct stick *)ctx)->lefts++;
}

static struct rwy_root_port *add_port(struct bench *b, unsigned number)
{
	const struct rwy_root_port_config config = {number, on_released, on_kept, b};
	struct rwy_root_port *port;

	assert_int_equal(rwy_root_port_open(&port, b->rig.pci, &config), 0);
	return port;
}

static void open_bench(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	rig_open(&b->rig);
	b->port = add_port(b, 1);
	b->slot = 1;
	b->exp = cfg_cap(&b->rig, b->slot, PCI_CAP_ID_EXP, 0);
	assert_int_not_equal(b->exp, 0);
}

static void plug(struct bench *b)
{
	static const struct rwy_pci_id id = {.vendor = 0x1234, .device = 0x5678};

	rwy_pci_dev_init(&b->stick.pci, &stick_ops, "stick", &id);
	rwy_pci_dev_add_bar(&b->stick.pci, 0, 0x4000);
	b->stick.pci.bridge = rwy_root_port_pci(b->port);
	assert_int_equal(rwy_pci_plug(b->rig.pci, &b->stick.pci), 0);
	rwy_root_port_arrived(b->port);
}

static uint16_t exp_in(struct bench *b, unsigned reg)
{
	return (uint16_t)cfg_in(&b->rig, b->slot, b->exp + reg, 2);
}

static void exp_out(struct bench *b, unsigned reg, uint16_t value)
{
	cfg_out(&b->rig, b->slot, b->exp + reg, 2, value);
}

static uint64_t behind(unsigned bus, unsigned devfn, unsigned reg)
{
	return RWY_LAYOUT_ECAM + ((uint64_t)bus << 20) + (devfn << 12) + reg;
}

/* Memory decoding of the port, its one vector, and the events a driver wants to hear of. */
static void drive(struct bench *b)
{
	unsigned msix = cfg_cap(&b->rig, b->slot, PCI_CAP_ID_MSIX, 0);
	uint32_t bar = cfg_in(&b->rig, b->slot, PCI_BASE_ADDRESS_0, 4);

	cfg_out(&b->rig, b->slot, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	rig_out(&b->rig.mmio, bar, 4, MESSAGE);
	rig_out(&b->rig.mmio, bar + 8, 4, 0x4041);
	rig_out(&b->rig.mmio, bar + 12, 4, 0);
	cfg_out(&b->rig, b->slot, msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	exp_out(b, PCI_EXP_SLTCTL,
		PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_DLLSCE | PCI_EXP_SLTCTL_HPIE |
			PCI_EXP_SLTCTL_PWR_IND_OFF);
}

/* How many interrupts came since the last look, as KVM would take them. */
static int64_t interrupts(struct bench *b)
{
	for (unsigned n = 0; n < FAKE_IRQ_FDS; n++) {
		const struct rwy_irq_msi *msi;
		int fd = b->rig.irq->fds[n].fd;

		if (!fd)
			continue;
		msi = fake_irq_message(b->rig.irq, fd);
		assert_non_null(msi);
		assert_int_equal(msi->addr, MESSAGE);
		assert_int_equal(msi->data, 0x4041);
		int64_t count = rwy_fd_drain(fd);
		return count;
	}
	return -1;
}

static void identity(void **state)
{
	struct bench b;
	uint32_t cap;

	open_bench(&b);
	assert_int_equal(cfg_in(&b.rig, 1, PCI_HEADER_TYPE, 1), 1);
	assert_int_equal(cfg_in(&b.rig, 1, PCI_CLASS_DEVICE, 2), 0x0604);
	assert_int_equal(exp_in(&b, PCI_EXP_FLAGS), 0x0142);
	cap = cfg_in(&b.rig, 1, b.exp + PCI_EXP_SLTCAP, 4);
	assert_int_equal(cap & (PCI_EXP_SLTCAP_HPC | PCI_EXP_SLTCAP_ABP | PCI_EXP_SLTCAP_PCP),
			 PCI_EXP_SLTCAP_HPC | PCI_EXP_SLTCAP_ABP);
	assert_int_equal(cap >> 19, 1);
	assert_int_equal(exp_in(&b, PCI_EXP_SLTSTA), 0);
	assert_int_equal(exp_in(&b, PCI_EXP_LNKSTA) & PCI_EXP_LNKSTA_DLLLA, 0);
	assert_int_equal(cfg_in(&b.rig, 1, PCI_SECONDARY_BUS, 2), 0x0101);
	/* No window for ports; the prefetchable one of 64 bits and closed. */
	cfg_out(&b.rig, 1, PCI_IO_BASE, 2, 0xffff);
	assert_int_equal(cfg_in(&b.rig, 1, PCI_IO_BASE, 2), 0);
	assert_int_equal(cfg_in(&b.rig, 1, PCI_PREF_MEMORY_BASE, 4), 0x0001fff1);
	add_port(&b, 2);
	assert_int_equal(cfg_in(&b.rig, 2, PCI_SECONDARY_BUS, 2), 0x0202);
	assert_true(cfg_in(&b.rig, 2, PCI_MEMORY_BASE, 2) > cfg_in(&b.rig, 1, PCI_MEMORY_LIMIT, 2));
	rig_close(&b.rig);
}

/* What is large goes above 4 GiB behind a bridge, too, if it may be prefetched. */
static void large_bar(void **state)
{
	struct bench b = {0};
	uint64_t at;

	rig_open_with(&b.rig, &rig_high);
	b.port = add_port(&b, 1);
	b.slot = 1;
	b.exp = cfg_cap(&b.rig, b.slot, PCI_CAP_ID_EXP, 0);
	assert_int_equal(cfg_in(&b.rig, 1, PCI_PREF_MEMORY_BASE, 4), 0xfff10001);
	assert_int_equal(cfg_in(&b.rig, 1, PCI_PREF_BASE_UPPER32, 4), rig_high.base >> 32);
	assert_int_equal(cfg_in(&b.rig, 1, PCI_PREF_LIMIT_UPPER32, 4), (rig_high.base >> 32) + 1);
	rwy_pci_dev_init(&b.stick.pci, &stick_ops, "stick", &(struct rwy_pci_id){.vendor = 1});
	rwy_pci_dev_add_bar_of(&b.stick.pci, 0, UINT64_C(4) << 30, 0xc);
	b.stick.pci.bridge = rwy_root_port_pci(b.port);
	assert_int_equal(rwy_pci_plug(b.rig.pci, &b.stick.pci), 0);
	at = rig_in(&b.rig.mmio, behind(1, 0, 0x10), 8) & ~UINT64_C(0xf);
	assert_int_equal(at, rig_high.base);
	rig_out(&b.rig.mmio, behind(1, 0, PCI_COMMAND), 2, 2);
	assert_false(b.stick.mapped); /* the bridge does not forward it yet */
	cfg_out(&b.rig, 1, PCI_COMMAND, 2, 2);
	assert_true(b.stick.mapped);
	assert_int_equal(rig_in(&b.rig.mmio, at + 0x100000000 - 4, 4), 0x77777777);
	cfg_out(&b.rig, 1, PCI_PREF_BASE_UPPER32, 4, (uint32_t)(rig_high.base >> 32) + 1);
	assert_false(b.stick.mapped);
	rig_close(&b.rig);
}

static void buses(void **state)
{
	struct bench b;

	open_bench(&b);
	assert_int_equal(rig_in(&b.rig.mmio, behind(1, 0, 0), 4), UINT32_MAX);
	plug(&b);
	assert_int_equal(rig_in(&b.rig.mmio, behind(1, 0, 0), 4), 0x56781234);
	assert_int_equal(rig_in(&b.rig.mmio, behind(1, 8, 0), 4), UINT32_MAX);
	assert_int_equal(rig_in(&b.rig.mmio, behind(1, 1, 0), 4), UINT32_MAX);
	cfg_out(&b.rig, 1, PCI_SECONDARY_BUS, 1, RWY_LAYOUT_LAST_BUS);
	assert_int_equal(rig_in(&b.rig.mmio, behind(1, 0, 0), 4), UINT32_MAX);
	assert_int_equal(rig_in(&b.rig.mmio, behind(RWY_LAYOUT_LAST_BUS, 0, 0), 4), 0x56781234);
	cfg_out(&b.rig, 1, PCI_SECONDARY_BUS, 1, 0); /* never in front of bus 0 */
	assert_int_equal(rig_in(&b.rig.mmio, behind(0, 0, 0), 4), 0x00081b36);
	assert_int_equal(rwy_pci_plug(b.rig.pci, &b.stick.pci), -EBUSY);
	rig_close(&b.rig);
}

static void windows(void **state)
{
	struct bench b;
	uint32_t bar;

	open_bench(&b);
	plug(&b);
	bar = (uint32_t)rig_in(&b.rig.mmio, behind(1, 0, PCI_BASE_ADDRESS_0), 4);
	assert_int_equal(bar >> 16, cfg_in(&b.rig, 1, PCI_MEMORY_BASE, 2));
	rig_out(&b.rig.mmio, behind(1, 0, PCI_COMMAND), 2, PCI_COMMAND_MEMORY);
	assert_false(b.stick.mapped); /* the bridge forwards nothing yet */
	cfg_out(&b.rig, 1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_true(b.stick.mapped);
	assert_int_equal(rig_in(&b.rig.mmio, bar + 0x10, 1), 0x77);
	/* The bridge's window moves away, and the device follows. */
	cfg_out(&b.rig, 1, PCI_MEMORY_BASE, 4, 0xe010e000);
	assert_false(b.stick.mapped);
	rig_out(&b.rig.mmio, behind(1, 0, PCI_BASE_ADDRESS_0), 4, 0xe01fc000);
	assert_true(b.stick.mapped); /* its last place */
	rig_out(&b.rig.mmio, behind(1, 0, PCI_BASE_ADDRESS_0), 4, 0xe0200000);
	assert_false(b.stick.mapped);
	/* The prefetchable window does as well, unless it lies above 4 GiB. */
	cfg_out(&b.rig, 1, PCI_PREF_MEMORY_BASE, 4, 0xe020e020);
	assert_true(b.stick.mapped);
	cfg_out(&b.rig, 1, PCI_PREF_BASE_UPPER32, 4, 1);
	assert_false(b.stick.mapped);
	cfg_out(&b.rig, 1, PCI_PREF_LIMIT_UPPER32, 4, 1);
	assert_false(b.stick.mapped);
	cfg_out(&b.rig, 1, PCI_PREF_BASE_UPPER32, 4, 0);
	assert_true(b.stick.mapped);
	/* Closed again. */
	cfg_out(&b.rig, 1, PCI_COMMAND, 2, 0);
	assert_false(b.stick.mapped);
	rig_close(&b.rig);
}

static void arrival(void **state)
{
	struct bench b;

	open_bench(&b);
	drive(&b);
	assert_int_equal(interrupts(&b), 0);
	plug(&b);
	assert_int_equal(interrupts(&b), 1);
	assert_int_equal(exp_in(&b, PCI_EXP_SLTSTA),
			 PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC | PCI_EXP_SLTSTA_PDS);
	assert_true(exp_in(&b, PCI_EXP_LNKSTA) & PCI_EXP_LNKSTA_DLLLA);
	/* Ones clear, zeros and the presence bit do nothing; bytes count alone. */
	exp_out(&b, PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_PDS);
	assert_int_equal(exp_in(&b, PCI_EXP_SLTSTA), PCI_EXP_SLTSTA_DLLSC | PCI_EXP_SLTSTA_PDS);
	cfg_out(&b.rig, 1, b.exp + PCI_EXP_SLTSTA, 1, 0xff);
	assert_int_equal(exp_in(&b, PCI_EXP_SLTSTA), PCI_EXP_SLTSTA_DLLSC | PCI_EXP_SLTSTA_PDS);
	cfg_out(&b.rig, 1, b.exp + PCI_EXP_SLTSTA + 1, 1, 0x01);
	assert_int_equal(exp_in(&b, PCI_EXP_SLTSTA), PCI_EXP_SLTSTA_PDS);
	rig_close(&b.rig);
}

/* No interrupt while it is off; when it is switched on with an event there, one. */
static void enabling(void **state)
{
	struct bench b;
	uint16_t on = PCI_EXP_SLTCTL_DLLSCE | PCI_EXP_SLTCTL_HPIE;

	open_bench(&b);
	drive(&b);
	exp_out(&b, PCI_EXP_SLTCTL, PCI_EXP_SLTCTL_HPIE);
	plug(&b);
	assert_int_equal(interrupts(&b), 0);
	exp_out(&b, PCI_EXP_SLTCTL, on);
	assert_int_equal(interrupts(&b), 1);
	exp_out(&b, PCI_EXP_SLTCTL, on);
	assert_int_equal(interrupts(&b), 0);
	exp_out(&b, PCI_EXP_SLTCTL, on & ~PCI_EXP_SLTCTL_HPIE);
	exp_out(&b, PCI_EXP_SLTCTL, on);
	assert_int_equal(interrupts(&b), 1);
	exp_out(&b, PCI_EXP_SLTSTA, 0xffff);
	rwy_root_port_arrived(b.port);
	assert_int_equal(interrupts(&b), 1);
	rig_close(&b.rig);
}

static void indicate(struct bench *b, uint16_t indicator)
{
	exp_out(b, PCI_EXP_SLTCTL,
		(uint16_t)((exp_in(b, PCI_EXP_SLTCTL) & ~PCI_EXP_SLTCTL_PIC) | indicator));
}

static void removal(void **state)
{
	struct bench b;

	open_bench(&b);
	drive(&b);
	plug(&b);
	exp_out(&b, PCI_EXP_SLTSTA, 0xffff);
	(void)interrupts(&b);
	/* A guest that has not looked at it yet is not asked. */
	assert_false(rwy_root_port_ask(b.port));
	indicate(&b, PCI_EXP_SLTCTL_PWR_IND_ON);
	assert_true(rwy_root_port_ask(b.port));
	assert_int_equal(interrupts(&b), 1);
	assert_true(exp_in(&b, PCI_EXP_SLTSTA) & PCI_EXP_SLTSTA_ABP);
	exp_out(&b, PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_ABP);
	indicate(&b, PCI_EXP_SLTCTL_PWR_IND_BLINK);
	/* It changes its mind. */
	indicate(&b, PCI_EXP_SLTCTL_PWR_IND_ON);
	assert_int_equal(b.kept, 1);
	indicate(&b, PCI_EXP_SLTCTL_PWR_IND_OFF);
	assert_int_equal(b.released, 0); /* nobody had asked */
	indicate(&b, PCI_EXP_SLTCTL_PWR_IND_ON);
	assert_true(rwy_root_port_ask(b.port));
	indicate(&b, PCI_EXP_SLTCTL_PWR_IND_BLINK);
	indicate(&b, PCI_EXP_SLTCTL_PWR_IND_OFF);
	assert_int_equal(b.released, 1);
	exp_out(&b, PCI_EXP_SLTSTA, 0xffff);
	(void)interrupts(&b);

	rwy_pci_unplug(&b.stick.pci, on_left, &b.stick);
	assert_int_equal(b.stick.lefts, 1);
	rwy_root_port_departed(b.port);
	assert_int_equal(interrupts(&b), 1);
	assert_int_equal(exp_in(&b, PCI_EXP_SLTSTA), PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
	assert_int_equal(rig_in(&b.rig.mmio, behind(1, 0, 0), 4), UINT32_MAX);
	plug(&b); /* and another one */
	assert_int_equal(rig_in(&b.rig.mmio, behind(1, 0, 0), 4), 0x56781234);
	rig_close(&b.rig);
}

/* A device that masters the bus is in use even where the indicator says nothing. */
static void booted_with(void **state)
{
	struct bench b;

	open_bench(&b);
	plug(&b);
	rwy_pci_reset(b.rig.pci, rig_quiet, &b.rig);
	assert_int_equal(b.rig.quiet, 1);
	assert_int_equal(exp_in(&b, PCI_EXP_SLTSTA), PCI_EXP_SLTSTA_PDS);
	drive(&b);
	rig_out(&b.rig.mmio, behind(1, 0, PCI_COMMAND), 2, PCI_COMMAND_MASTER);
	assert_true(rwy_root_port_ask(b.port));
	exp_out(&b, PCI_EXP_SLTCTL, exp_in(&b, PCI_EXP_SLTCTL));
	assert_int_equal(b.released, 0); /* it was off all the time */
	indicate(&b, PCI_EXP_SLTCTL_PWR_IND_BLINK);
	indicate(&b, PCI_EXP_SLTCTL_PWR_IND_OFF);
	assert_int_equal(b.released, 1);
	/* After the next reset nobody remembers a question. */
	indicate(&b, PCI_EXP_SLTCTL_PWR_IND_ON);
	assert_true(rwy_root_port_ask(b.port));
	rwy_pci_reset(b.rig.pci, rig_quiet, &b.rig);
	drive(&b);
	indicate(&b, PCI_EXP_SLTCTL_PWR_IND_ON);
	indicate(&b, PCI_EXP_SLTCTL_PWR_IND_OFF);
	assert_int_equal(b.released, 1);
	assert_int_equal(b.kept, 0);
	rig_close(&b.rig);
}

/* Gone for the guest at once, for us when it is quiet; a reset meanwhile waits for it. */
static void slow_leave(void **state)
{
	struct bench b;

	open_bench(&b);
	drive(&b);
	plug(&b);
	rig_out(&b.rig.mmio, behind(1, 0, PCI_COMMAND), 2, PCI_COMMAND_MEMORY);
	assert_true(b.stick.mapped);
	b.stick.slow = true;
	rwy_pci_unplug(&b.stick.pci, on_left, &b.stick);
	assert_false(b.stick.mapped);
	assert_int_equal(b.stick.lefts, 0);
	assert_int_equal(rig_in(&b.rig.mmio, behind(1, 0, 0), 4), UINT32_MAX);
	rwy_pci_reset(b.rig.pci, rig_quiet, &b.rig);
	assert_int_equal(b.rig.quiet, 0);
	assert_int_equal(b.stick.resets, 1);
	rwy_pci_reset_done(&b.stick.pci);
	assert_int_equal(b.stick.lefts, 1);
	assert_int_equal(b.rig.quiet, 1);
	assert_null(rwy_root_port_pci(b.port)->child);

	/* The other way round: a reset is under way when it is taken away. */
	plug(&b);
	b.stick.slow = true;
	rwy_pci_reset(b.rig.pci, rig_quiet, &b.rig);
	rwy_pci_unplug(&b.stick.pci, on_left, &b.stick);
	assert_int_equal(b.rig.quiet, 1);
	rwy_pci_reset_done(&b.stick.pci);
	assert_int_equal(b.stick.lefts, 2);
	assert_int_equal(b.rig.quiet, 2);
	rig_close(&b.rig);
}

/* A guest that writes anything anywhere while devices come and go: what is decoded stays within
 * the host bridge's window, and all is undone at the end. */
static void storm(void **state)
{
	struct bench b;
	uint64_t random = 88172645463325252u;
	unsigned asked = 0;

	open_bench(&b);
	drive(&b);
	plug(&b);
	for (unsigned i = 0; i < 200000; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		unsigned len = 1u << (random >> 60 & 1) << (random >> 61 & 1);
		unsigned reg = (random >> 8 & 0xff) & ~(len - 1);

		if (i % 1000 == 0 && b.stick.pci.bridge->child) {
			rwy_pci_unplug(&b.stick.pci, on_left, &b.stick);
			rwy_root_port_departed(b.port);
		} else if (i % 1000 == 500) {
			plug(&b);
		} else if (random >> 56 & 1) {
			cfg_out(&b.rig, 1, reg, len, (uint32_t)(random >> 16));
		} else {
			rig_out(&b.rig.mmio,
				behind(cfg_in(&b.rig, 1, PCI_SECONDARY_BUS, 1), 0, reg), len,
				random >> 16);
		}
		if (b.stick.mapped)
			assert_in_range(b.stick.pci.bars[0].addr, RWY_LAYOUT_MMIO32,
					RWY_LAYOUT_MMIO32_END - 0x4000);
		if (i % 97 == 0 && b.stick.pci.bridge->child)
			asked += rwy_root_port_ask(b.port);
		if (!b.stick.pci.bridge->child)
			assert_false(b.stick.mapped);
	}
	assert_true(asked > 0);
	rig_close(&b.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity),   cmocka_unit_test(large_bar),
		cmocka_unit_test(buses),      cmocka_unit_test(windows),
		cmocka_unit_test(arrival),    cmocka_unit_test(enabling),
		cmocka_unit_test(removal),    cmocka_unit_test(booted_with),
		cmocka_unit_test(slow_leave), cmocka_unit_test(storm),
	};

	return UNIT_RUN(tests);
}
