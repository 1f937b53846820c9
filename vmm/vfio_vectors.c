/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts of a passed-through function: one of INTx, MSI and MSI-X at a time, as the guest's
 * driver chooses. A vector's eventfd, its KVM route and its place in the host come into being when
 * the guest first lets it fire, and stay until the kind is switched off: drivers mask and unmask
 * all the time.
 */
#include "lib/fd.h"
#include "vmm/layout.h"
#include "vmm/vfio_pci_priv.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "vfio_vectors"

#define INTX_PINS 8
#define MSI_MAX	  32

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

/* ---- INTx ---- */

/* A bridge passes INTA of its only device on as its own. */
static unsigned intx_pin(const struct rwy_vfio_pci *t)
{
	unsigned slot = t->pci.bridge ? t->pci.bridge->slot : t->pci.slot;

	return RWY_LAYOUT_INTX_GSI + slot % INTX_PINS;
}

static void stop_intx(struct rwy_vfio_pci *t)
{
	if (t->intx_fd < 0)
		return;
	(void)rwy_vfio_irq_single(&t->vfio, RWY_VFIO_INTX, -1);
	rwy_irq_level_del(rwy_pci_irq(t->config.pci), intx_pin(t), t->intx_fd);
	rwy_fd_close(&t->intx_fd);
	rwy_fd_close(&t->resample_fd);
}

static int try_intx(struct rwy_vfio_pci *t)
{
	struct rwy_irq *irq = rwy_pci_irq(t->config.pci);
	int err;

	t->intx_fd = rwy_fd_event();
	t->resample_fd = rwy_fd_event();
	if (t->intx_fd < 0 || t->resample_fd < 0)
		return RWY_MIN(t->intx_fd, t->resample_fd);
	err = rwy_irq_level_add(irq, intx_pin(t), t->intx_fd, t->resample_fd);
	if (err)
		return err;
	err = rwy_vfio_irq_single(&t->vfio, RWY_VFIO_INTX, t->intx_fd);
	if (!err)
		err = rwy_vfio_irq_resample(&t->vfio, t->resample_fd);
	if (err)
		rwy_irq_level_del(irq, intx_pin(t), t->intx_fd);
	return err;
}

static void start_intx(struct rwy_vfio_pci *t)
{
	int err = t->has_intx && !t->gone ? try_intx(t) : -ENODEV;

	if (!err) {
		t->mode = RWY_VFIO_PCI_INTX;
		return;
	}
	rwy_fd_close(&t->intx_fd);
	rwy_fd_close(&t->resample_fd);
	if (t->has_intx && !t->gone && rwy_log_allow(&t->limit, 1))
		rwy_warn("%s: no INTx: %s: the guest must use MSI or MSI-X", t->vfio.name,
			 strerror(-err));
}

/* ---- vectors ---- */

/* What can fire now and could not before gets all it needs; the host hears of it in one go. */
static void changed(struct rwy_vfio_pci *t, struct rwy_vfio_pci_vectors *v,
		    enum rwy_vfio_pci_mode mode)
{
	unsigned nr = rwy_msix_nr(v->msix);

	if (t->mode != mode)
		return;
	for (unsigned i = 0; i < nr; i++) {
		if (v->fds[i] >= 0 || !rwy_msix_can_fire(v->msix, i))
			continue;
		v->fds[i] = rwy_fd_event();
		if (v->fds[i] < 0 || rwy_msix_join(v->msix, i, v->fds[i])) {
			if (rwy_log_allow(&t->limit, 1))
				rwy_error("%s: no eventfd for vector %u: raise ulimit -n",
					  t->vfio.name, i);
			rwy_fd_close(&v->fds[i]);
			continue;
		}
		rwy_vfio_irq_use(&v->irq, i, v->fds[i]);
	}
	/* What fails was logged there; the guest then misses that vector. */
	(void)!rwy_vfio_irq_update(&v->irq, v->least);
}

static void msi_changed(void *ctx)
{
	struct rwy_vfio_pci *t = ctx;

	changed(t, &t->msi_vectors, RWY_VFIO_PCI_MSI);
}

static void msix_changed(void *ctx)
{
	struct rwy_vfio_pci *t = ctx;

	changed(t, &t->msix_vectors, RWY_VFIO_PCI_MSIX);
}

static void stop_vectors(struct rwy_vfio_pci_vectors *v)
{
	if (!v->msix)
		return;
	rwy_vfio_irq_stop(&v->irq);
	for (unsigned i = 0; i < rwy_msix_nr(v->msix); i++) {
		if (v->fds[i] < 0)
			continue;
		rwy_msix_part(v->msix, i, v->fds[i]);
		rwy_fd_close(&v->fds[i]);
	}
}

static void leave_mode(struct rwy_vfio_pci *t)
{
	enum rwy_vfio_pci_mode was = t->mode;

	t->mode = RWY_VFIO_PCI_QUIET;
	if (was == RWY_VFIO_PCI_INTX) {
		stop_intx(t);
	} else if (was == RWY_VFIO_PCI_MSI) {
		stop_vectors(&t->msi_vectors);
		rwy_msix_enable(t->msi_vectors.msix, false, false);
	} else if (was == RWY_VFIO_PCI_MSIX) {
		stop_vectors(&t->msix_vectors);
		rwy_msix_enable(t->msix_vectors.msix, false, false);
	}
}

/* ---- MSI: registers instead of a table ---- */

static void program_msi(struct rwy_vfio_pci *t)
{
	struct rwy_vfio_pci_vectors *v = &t->msi_vectors;
	const uint8_t *cap = t->pci.config + t->msi;
	uint16_t flags = get16(cap + PCI_MSI_FLAGS);
	bool wide = flags & PCI_MSI_FLAGS_64BIT;
	unsigned nr = RWY_MIN(1u << ((flags & PCI_MSI_FLAGS_QSIZE) >> 4), rwy_msix_nr(v->msix));
	uint32_t data = get16(cap + (wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32));
	uint32_t masks = 0;

	if (flags & PCI_MSI_FLAGS_MASKBIT)
		masks = get32(cap + (wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32));
	v->least = nr;
	for (unsigned i = 0; i < rwy_msix_nr(v->msix); i++) {
		const uint32_t entry[4] = {
			get32(cap + PCI_MSI_ADDRESS_LO),
			wide ? get32(cap + PCI_MSI_ADDRESS_HI) : 0,
			(data & ~(nr - 1)) | i,
			i >= nr || masks >> i & 1,
		};
		rwy_msix_bar_write(v->msix, i * PCI_MSIX_ENTRY_SIZE, entry, sizeof(entry));
	}
}

static void follow_msi(struct rwy_vfio_pci *t)
{
	bool on = get16(t->pci.config + t->msi + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE;

	program_msi(t);
	if (on && t->mode != RWY_VFIO_PCI_MSI) {
		leave_mode(t);
		t->mode = RWY_VFIO_PCI_MSI;
		rwy_msix_enable(t->msi_vectors.msix, true, false);
	} else if (!on && t->mode == RWY_VFIO_PCI_MSI) {
		leave_mode(t);
		start_intx(t);
	}
}

static void follow_msix(struct rwy_vfio_pci *t)
{
	uint16_t flags = get16(t->pci.config + t->msix_cap + PCI_MSIX_FLAGS);
	bool on = flags & PCI_MSIX_FLAGS_ENABLE;

	if (on) {
		if (t->mode != RWY_VFIO_PCI_MSIX)
			leave_mode(t);
		t->mode = RWY_VFIO_PCI_MSIX;
		rwy_msix_enable(t->msix_vectors.msix, true, flags & PCI_MSIX_FLAGS_MASKALL);
	} else if (t->mode == RWY_VFIO_PCI_MSIX) {
		leave_mode(t);
		start_intx(t);
	}
}

static bool touches(unsigned off, unsigned len, unsigned cap, unsigned cap_len)
{
	return cap && off < cap + cap_len && cap < off + len;
}

void rwy_vfio_vectors_follow(struct rwy_vfio_pci *t, unsigned off, unsigned len)
{
	if (t->msi_vectors.msix && touches(off, len, t->msi, PCI_MSI_MASK_64 + 4))
		follow_msi(t);
	if (t->msix_vectors.msix && touches(off, len, t->msix_cap, PCI_MSIX_TABLE))
		follow_msix(t);
}

/* ---- life ---- */

static int init_vectors(struct rwy_vfio_pci *t, struct rwy_vfio_pci_vectors *v, unsigned index,
			unsigned nr, void (*on_change)(void *ctx))
{
	int err = rwy_vfio_irq_init(&v->irq, &t->vfio, index);

	if (err)
		return err;
	v->least = 1;
	v->fds = malloc(nr * sizeof(*v->fds));
	if (!v->fds)
		return -ENOMEM;
	for (unsigned i = 0; i < nr; i++)
		v->fds[i] = -1;
	return rwy_msix_open_bare(&v->msix, rwy_pci_irq(t->config.pci), nr, on_change, t);
}

int rwy_vfio_vectors_init(struct rwy_vfio_pci *t)
{
	unsigned nr_msi = RWY_MIN(t->vfio.irqs[RWY_VFIO_MSI].nr, (unsigned)MSI_MAX);
	unsigned nr_msix = (unsigned)(t->table.len / PCI_MSIX_ENTRY_SIZE);
	int err = 0;

	t->intx_fd = t->resample_fd = -1;
	if (t->msi && nr_msi)
		err = init_vectors(t, &t->msi_vectors, RWY_VFIO_MSI, nr_msi, msi_changed);
	/* The kernel's number and the table's are the same register. */
	if (!err && t->msix_cap && nr_msix <= t->vfio.irqs[RWY_VFIO_MSIX].nr)
		err = init_vectors(t, &t->msix_vectors, RWY_VFIO_MSIX, nr_msix, msix_changed);
	return err;
}

void rwy_vfio_vectors_quiet(struct rwy_vfio_pci *t)
{
	leave_mode(t);
	if (t->msi_vectors.msix)
		rwy_msix_reset(t->msi_vectors.msix);
	if (t->msix_vectors.msix)
		rwy_msix_reset(t->msix_vectors.msix);
}

void rwy_vfio_vectors_power_on(struct rwy_vfio_pci *t)
{
	start_intx(t);
}

void rwy_vfio_vectors_fini(struct rwy_vfio_pci *t)
{
	leave_mode(t);
	rwy_msix_close(t->msi_vectors.msix);
	rwy_msix_close(t->msix_vectors.msix);
	rwy_vfio_irq_fini(&t->msi_vectors.irq);
	rwy_vfio_irq_fini(&t->msix_vectors.irq);
	free(t->msi_vectors.fds);
	free(t->msix_vectors.fds);
	t->msi_vectors = t->msix_vectors = (struct rwy_vfio_pci_vectors){0};
}
