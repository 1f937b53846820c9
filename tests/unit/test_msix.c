/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/pci_rig.h"
#include "vmm/msix.h"

#include <errno.h>

#define VECTORS 5
#define PBA	(VECTORS * 16)

struct toy {
	struct rwy_pci_dev pci;
	struct rwy_msix *msix;
	struct pci_rig rig;
	uint64_t bar;
	unsigned cap;
	int fd[3];
};

static struct toy *of(struct rwy_pci_dev *dev)
{
	return RWY_CONTAINER_OF(dev, struct toy, pci);
}

static void toy_read(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, void *buf, unsigned len)
{
	rwy_msix_bar_read(of(dev)->msix, off, buf, len);
}

static void toy_write(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, const void *buf,
		      unsigned len)
{
	rwy_msix_bar_write(of(dev)->msix, off, buf, len);
}

static void toy_written(struct rwy_pci_dev *dev, unsigned off, unsigned len)
{
	rwy_msix_config_written(of(dev)->msix, off, len);
}

static bool toy_reset(struct rwy_pci_dev *dev)
{
	rwy_msix_reset(of(dev)->msix);
	return true;
}

static void toy_close(struct rwy_pci_dev *dev)
{
	rwy_msix_close(of(dev)->msix);
}

static const struct rwy_pci_dev_ops toy_ops = {
	.bar_read = toy_read,
	.bar_write = toy_write,
	.config_written = toy_written,
	.reset = toy_reset,
	.close = toy_close,
};

static void toy_open(struct toy *toy)
{
	memset(toy, 0, sizeof(*toy));
	rig_open(&toy->rig);
	rwy_pci_dev_init(&toy->pci, &toy_ops, "toy", &(struct rwy_pci_id){.vendor = 1});
	assert_int_equal(rwy_msix_open(&toy->msix, toy->rig.irq, &toy->pci, 1, VECTORS), 0);
	assert_int_equal(rwy_pci_plug(toy->rig.pci, &toy->pci), 0);
	cfg_out(&toy->rig, 1, 0x04, 2, 2);
	toy->bar = cfg_in(&toy->rig, 1, 0x14, 4);
	toy->cap = cfg_cap(&toy->rig, 1, 0x11, 0);
	assert_int_not_equal(toy->cap, 0);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(toy->fd); i++)
		toy->fd[i] = rwy_fd_event();
}

static void toy_shut(struct toy *toy)
{
	rig_close(&toy->rig);
	rwy_fd_close_all(toy->fd, RWY_ARRAY_SIZE(toy->fd));
}

static void set_flags(struct toy *toy, bool enable, bool mask)
{
	cfg_out(&toy->rig, 1, toy->cap + 2, 2, (enable ? 0x8000 : 0) | (mask ? 0x4000 : 0));
}

static void set_message(struct toy *toy, unsigned vector, uint32_t addr, uint32_t data)
{
	rig_out(&toy->rig.mmio, toy->bar + vector * 16, 4, addr);
	rig_out(&toy->rig.mmio, toy->bar + vector * 16 + 4, 4, 0);
	rig_out(&toy->rig.mmio, toy->bar + vector * 16 + 8, 4, data);
}

static void set_mask(struct toy *toy, unsigned vector, bool masked)
{
	rig_out(&toy->rig.mmio, toy->bar + vector * 16 + 12, 4, masked);
}

static uint64_t pba(struct toy *toy)
{
	return rig_in(&toy->rig.mmio, toy->bar + PBA, 8);
}

static void expect_message(struct toy *toy, unsigned i, uint32_t addr, uint32_t data)
{
	const struct rwy_irq_msi *msi = fake_irq_message(toy->rig.irq, toy->fd[i]);

	assert_non_null(msi);
	assert_int_equal(msi->addr, addr);
	assert_int_equal(msi->data, data);
}

static void table(void **state)
{
	struct toy toy;

	toy_open(&toy);
	assert_int_equal(cfg_in(&toy.rig, 1, toy.cap + 2, 2), VECTORS - 1);
	assert_int_equal(cfg_in(&toy.rig, 1, toy.cap + 4, 4), 1);
	assert_int_equal(cfg_in(&toy.rig, 1, toy.cap + 8, 4), PBA | 1);
	for (unsigned v = 0; v < VECTORS; v++) /* all masked at power-on */
		assert_int_equal(rig_in(&toy.rig.mmio, toy.bar + v * 16 + 12, 4), 1);
	rig_out(&toy.rig.mmio, toy.bar + 16, 8, 0x1122334455667788);
	assert_int_equal(rig_in(&toy.rig.mmio, toy.bar + 16, 4), 0x55667788);
	assert_int_equal(rig_in(&toy.rig.mmio, toy.bar + 20, 4), 0x11223344);
	rig_out(&toy.rig.mmio, toy.bar + 16, 2, 0); /* neither bytes nor words */
	rig_out(&toy.rig.mmio, toy.bar + 18, 4, 0); /* nor across */
	assert_int_equal(rig_in(&toy.rig.mmio, toy.bar + 16, 8), 0x1122334455667788);
	rig_out(&toy.rig.mmio, toy.bar + 28, 4, 0xfffffffe);
	assert_int_equal(rig_in(&toy.rig.mmio, toy.bar + 28, 4), 0);
	rig_out(&toy.rig.mmio, toy.bar + PBA, 8, UINT64_MAX); /* read-only */
	rig_out(&toy.rig.mmio, toy.bar + PBA - 4, 8, UINT64_MAX);
	assert_int_equal(pba(&toy), 0);
	assert_int_equal(rig_in(&toy.rig.mmio, toy.bar + 4088, 8), 0);
	assert_int_equal(rwy_msix_join(toy.msix, VECTORS, toy.fd[0]), -EINVAL);
	toy_shut(&toy);
}

static void lazy(void **state)
{
	struct toy toy;

	toy_open(&toy);
	for (unsigned v = 0; v < VECTORS; v++)
		set_message(&toy, v, 0xfee00000, 0x40 + v);
	set_flags(&toy, true, true);
	assert_int_equal(toy.rig.irq->gsis, 0);
	assert_int_equal(rwy_msix_join(toy.msix, 2, toy.fd[0]), 0);
	assert_int_equal(rwy_msix_join(toy.msix, 3, toy.fd[1]), 0);
	set_mask(&toy, 2, false);
	set_mask(&toy, 3, false);
	set_mask(&toy, 4, false); /* nobody there: costs nothing */
	assert_int_equal(toy.rig.irq->gsis, 0);
	set_flags(&toy, true, false); /* both at one commit */
	assert_int_equal(toy.rig.irq->gsis, 2);
	assert_int_equal(toy.rig.irq->commits, 1);
	expect_message(&toy, 0, 0xfee00000, 0x42);
	expect_message(&toy, 1, 0xfee00000, 0x43);
	assert_int_equal(rwy_msix_join(toy.msix, 4, toy.fd[2]), 0);
	expect_message(&toy, 2, 0xfee00000, 0x44);
	toy_shut(&toy);
}

static void masking(void **state)
{
	struct toy toy;

	toy_open(&toy);
	set_message(&toy, 1, 0xfee01000, 0x51);
	assert_int_equal(rwy_msix_join(toy.msix, 1, toy.fd[0]), 0);
	rwy_fd_signal(toy.fd[0]);
	assert_int_equal(pba(&toy), 1 << 1); /* before it is even enabled */
	set_flags(&toy, true, false);
	set_mask(&toy, 1, false);
	expect_message(&toy, 0, 0xfee01000, 0x51);
	assert_int_equal(pba(&toy), 0); /* KVM's now; it delivers what it finds */
	rwy_fd_drain(toy.fd[0]);

	set_mask(&toy, 1, true);
	assert_null(fake_irq_message(toy.rig.irq, toy.fd[0]));
	assert_int_equal(toy.rig.irq->gsis, 1); /* the route stays */
	assert_int_equal(pba(&toy), 0);
	rwy_fd_signal(toy.fd[0]);
	assert_int_equal(pba(&toy), 1 << 1);
	set_mask(&toy, 1, false);
	expect_message(&toy, 0, 0xfee01000, 0x51);
	assert_int_equal(toy.rig.irq->commits, 1);
	rwy_fd_drain(toy.fd[0]);

	set_flags(&toy, true, true);
	assert_null(fake_irq_message(toy.rig.irq, toy.fd[0]));
	set_flags(&toy, false, false);
	assert_null(fake_irq_message(toy.rig.irq, toy.fd[0]));
	set_flags(&toy, true, false);
	expect_message(&toy, 0, 0xfee01000, 0x51);
	toy_shut(&toy);
}

/* A guest that moves an interrupt to another CPU, masked or not. */
static void moving(void **state)
{
	struct toy toy;

	toy_open(&toy);
	set_message(&toy, 0, 0xfee00000, 0x30);
	assert_int_equal(rwy_msix_join(toy.msix, 0, toy.fd[0]), 0);
	set_flags(&toy, true, false);
	set_mask(&toy, 0, false);
	set_message(&toy, 0, 0xfee01000, 0x31);
	expect_message(&toy, 0, 0xfee01000, 0x31);
	set_mask(&toy, 0, true);
	set_message(&toy, 0, 0xfee02000, 0x32);
	set_mask(&toy, 0, false);
	expect_message(&toy, 0, 0xfee02000, 0x32);
	assert_int_equal(toy.rig.irq->gsis, 1);
	toy_shut(&toy);
}

static void shared(void **state)
{
	struct toy toy;

	toy_open(&toy);
	set_message(&toy, 0, 0xfee00000, 0x30);
	set_flags(&toy, true, false);
	set_mask(&toy, 0, false);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rwy_msix_join(toy.msix, 0, toy.fd[i]), 0);
	assert_int_equal(toy.rig.irq->gsis, 1);
	assert_int_equal(toy.rig.irq->wired, 3);
	rwy_msix_part(toy.msix, 0, toy.fd[1]);
	rwy_msix_part(toy.msix, 0, toy.fd[1]); /* twice is nothing */
	assert_int_equal(toy.rig.irq->wired, 2);
	assert_null(fake_irq_message(toy.rig.irq, toy.fd[1]));
	expect_message(&toy, 2, 0xfee00000, 0x30);
	for (unsigned i = 0; i < VECTORS - 2; i++)
		assert_int_equal(rwy_msix_join(toy.msix, 4, toy.fd[1]), 0);
	assert_int_equal(rwy_msix_join(toy.msix, 4, toy.fd[1]), -ENOSPC);
	toy_shut(&toy);
}

static void no_route_left(void **state)
{
	struct toy toy;

	toy_open(&toy);
	toy.rig.irq->gsi_limit = 1;
	set_flags(&toy, true, false);
	for (unsigned v = 0; v < 2; v++) {
		set_message(&toy, v, 0xfee00000, 0x30 + v);
		set_mask(&toy, v, false);
		assert_int_equal(rwy_msix_join(toy.msix, v, toy.fd[v]), 0);
	}
	expect_message(&toy, 0, 0xfee00000, 0x30);
	assert_null(fake_irq_message(toy.rig.irq, toy.fd[1]));
	toy.rig.irq->gsi_limit = 0;
	set_mask(&toy, 1, false); /* tries again */
	expect_message(&toy, 1, 0xfee00000, 0x31);
	toy_shut(&toy);
}

static void reset(void **state)
{
	struct toy toy;

	toy_open(&toy);
	set_message(&toy, 0, 0xfee00000, 0x30);
	set_flags(&toy, true, false);
	set_mask(&toy, 0, false);
	assert_int_equal(rwy_msix_join(toy.msix, 0, toy.fd[0]), 0);
	rwy_pci_reset(toy.rig.pci, rig_quiet, &toy.rig);
	assert_int_equal(toy.rig.irq->gsis, 0);
	assert_int_equal(toy.rig.irq->wired, 0);
	cfg_out(&toy.rig, 1, 0x04, 2, 2);
	assert_int_equal(rig_in(&toy.rig.mmio, toy.bar, 4), 0);
	assert_int_equal(rig_in(&toy.rig.mmio, toy.bar + 12, 4), 1);
	assert_int_equal(cfg_in(&toy.rig, 1, toy.cap + 2, 2), VECTORS - 1);
	toy_shut(&toy);
}

struct owner {
	struct rwy_msix *msix;
	unsigned asked;
	int fds[VECTORS]; /* 0: none */
};

/* As a real device does: it gets an eventfd for a vector when that is first needed. */
static void owner_changed(void *ctx)
{
	struct owner *owner = ctx;

	owner->asked++;
	for (unsigned i = 0; i < VECTORS; i++) {
		if (owner->fds[i] || !rwy_msix_can_fire(owner->msix, i))
			continue;
		owner->fds[i] = rwy_fd_event();
		assert_int_equal(rwy_msix_join(owner->msix, i, owner->fds[i]), 0);
	}
}

static void bare(void **state)
{
	struct owner owner = {0};
	struct rwy_irq *irq;
	const uint32_t entry[4] = {0xfee01000, 0, 0x41, 0};

	assert_int_equal(rwy_irq_open(&irq, -1), 0);
	assert_int_equal(rwy_msix_open_bare(&owner.msix, irq, VECTORS, owner_changed, &owner), 0);
	rwy_msix_bar_write(owner.msix, 3 * 16, &entry[0], 8);
	rwy_msix_bar_write(owner.msix, 3 * 16 + 8, &entry[2], 8);
	assert_int_equal(owner.fds[3], 0);
	rwy_msix_enable(owner.msix, true, true);
	assert_int_equal(owner.fds[3], 0);
	rwy_msix_enable(owner.msix, true, false);
	assert_int_not_equal(owner.fds[3], 0);
	assert_int_equal(fake_irq_message(irq, owner.fds[3])->data, 0x41);
	assert_int_equal(irq->gsis, 1);
	rwy_msix_enable(owner.msix, false, false);
	assert_null(fake_irq_message(irq, owner.fds[3]));
	assert_int_equal(owner.asked, 5);
	rwy_msix_close(owner.msix);
	rwy_irq_close(irq);
	rwy_fd_close(&owner.fds[3]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),  cmocka_unit_test(lazy),   cmocka_unit_test(masking),
		cmocka_unit_test(moving), cmocka_unit_test(shared), cmocka_unit_test(no_route_left),
		cmocka_unit_test(reset),  cmocka_unit_test(bare),
	};

	return UNIT_RUN(tests);
}
