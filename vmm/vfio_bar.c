/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Registers of a passed-through function. All pages that may be mapped get memory slots while the
 * BAR is decoded, but those of the MSI-X table and its pending bits, which are ours, unless they
 * have been moved to a BAR of their own. What has no slot - those pages, ports, BARs smaller than a
 * page, what the kernel does not let us map - is read and written through the device's file.
 */
#include "vmm/vfio_pci_priv.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>

#define RWY_STEM "vfio_bar"

#define PAGE UINT64_C(4096)

static int add_piece(struct rwy_vfio_pci_bar *bar, uint64_t off, uint64_t end)
{
	if (off >= end)
		return 0;
	if (bar->nr_pieces == RWY_VFIO_PCI_PIECES)
		return -E2BIG;
	bar->pieces[bar->nr_pieces++] = (struct rwy_vfio_piece){.off = off, .len = end - off};
	return 0;
}

/* [off, end) without the pages of the ranges, which are in any order. */
static int add_without(struct rwy_vfio_pci_bar *bar, uint64_t off, uint64_t end, unsigned index,
		       const struct rwy_vfio_pci_range *ranges, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		uint64_t from = RWY_ALIGN_DOWN(ranges[i].off, PAGE);
		uint64_t to = RWY_ALIGN_UP(ranges[i].off + ranges[i].len, PAGE);

		if (ranges[i].len == 0 || ranges[i].bar != index || to <= off || end <= from)
			continue;
		int err = add_without(bar, off, RWY_MAX(from, off), index, ranges + i + 1,
				      nr - i - 1);
		if (err)
			return err;
		return add_without(bar, RWY_MIN(to, end), end, index, ranges + i + 1, nr - i - 1);
	}
	return add_piece(bar, off, end);
}

static int init_bar(struct rwy_vfio_pci *t, unsigned index)
{
	const struct rwy_vfio_pci_range ranges[] = {t->table, t->pba};
	const struct rwy_vfio_region *region = &t->vfio.regions[index];
	struct rwy_vfio_pci_bar *bar = &t->bars[index];
	int err = 0;

	for (unsigned i = 0; !err && i < region->nr_areas; i++)
		err = add_without(bar, region->areas[i].off,
				  region->areas[i].off + region->areas[i].len, index, ranges,
				  RWY_ARRAY_SIZE(ranges));
	for (unsigned i = 0; !err && i < bar->nr_pieces; i++) {
		struct rwy_vfio_piece *p = &bar->pieces[i];

		err = rwy_vfio_map(&t->vfio, index, p->off, p->len, &p->at);
	}
	if (err)
		rwy_error("%s: BAR %u cannot be mapped: %s", t->vfio.name, index, strerror(-err));
	return err;
}

int rwy_vfio_bar_init(struct rwy_vfio_pci *t)
{
	for (unsigned i = 0; i < RWY_PCI_ROM; i++) {
		int err = t->pci.bars[i].size ? init_bar(t, i) : 0;

		if (err)
			return err;
	}
	return 0;
}

static void hide(struct rwy_vfio_pci *t, unsigned bar, struct rwy_vfio_piece *p)
{
	uint64_t gpa = t->pci.bars[bar].addr + p->off;

	if (!p->shown)
		return;
	rwy_space_unshare(t->config.space, gpa, p->len);
	rwy_memslot_del(t->config.slots, gpa);
	p->shown = false;
}

static void show(struct rwy_vfio_pci *t, unsigned bar, struct rwy_vfio_piece *p)
{
	uint64_t gpa = t->pci.bars[bar].addr + p->off;

	/* Without a slot each access exits, and still works. */
	if (!p->at || p->shown || t->asleep || rwy_memslot_add(t->config.slots, gpa, p->at, p->len))
		return;
	p->shown = true;
	rwy_space_share(t->config.space, gpa, p->at, p->len);
}

void rwy_vfio_bar_mapped(struct rwy_vfio_pci *t, unsigned index, bool mapped)
{
	struct rwy_vfio_pci_bar *bar = &t->bars[index];

	/* The hardware must decode before somebody can get there: a page that does not answer is
	 * a fault in KVM. */
	if (mapped)
		rwy_vfio_config_command(t);
	for (unsigned i = 0; i < bar->nr_pieces; i++) {
		if (mapped)
			show(t, index, &bar->pieces[i]);
		else
			hide(t, index, &bar->pieces[i]);
	}
}

void rwy_vfio_bar_follow(struct rwy_vfio_pci *t)
{
	for (unsigned i = 0; i < RWY_PCI_ROM; i++) {
		for (unsigned n = 0; n < t->bars[i].nr_pieces; n++) {
			if (t->asleep)
				hide(t, i, &t->bars[i].pieces[n]);
			else if (t->pci.bars[i].mapped)
				show(t, i, &t->bars[i].pieces[n]);
		}
	}
}

void rwy_vfio_bar_fini(struct rwy_vfio_pci *t)
{
	for (unsigned i = 0; i < RWY_PCI_ROM; i++) {
		struct rwy_vfio_pci_bar *bar = &t->bars[i];

		for (unsigned n = 0; n < bar->nr_pieces; n++) {
			struct rwy_vfio_piece *p = &bar->pieces[n];

			hide(t, i, p);
			if (p->at)
				munmap(p->at, p->len);
			p->at = NULL;
		}
		bar->nr_pieces = 0;
	}
}

/* ---- accesses that exit ---- */

static bool inside(const struct rwy_vfio_pci_range *range, unsigned bar, uint64_t off, unsigned len)
{
	return range->len && range->bar == bar && off >= range->off &&
	       rwy_base_inside(off - range->off, len, range->len);
}

/* Where the vectors' own layout has it: the table, and the pending bits behind it. */
static bool is_ours(const struct rwy_vfio_pci *t, unsigned bar, uint64_t off, unsigned len,
		    uint64_t *at)
{
	if (!t->msix_vectors.msix)
		return false;
	if (inside(&t->table, bar, off, len))
		*at = off - t->table.off;
	else if (inside(&t->pba, bar, off, len))
		*at = rwy_msix_nr(t->msix_vectors.msix) * PCI_MSIX_ENTRY_SIZE + off - t->pba.off;
	else
		return false;
	return true;
}

void rwy_vfio_bar_read(struct rwy_vfio_pci *t, unsigned bar, uint64_t off, void *buf, unsigned len)
{
	uint64_t at;

	if (is_ours(t, bar, off, len, &at))
		rwy_msix_bar_read(t->msix_vectors.msix, at, buf, len);
	else
		(void)rwy_vfio_read(&t->vfio, bar, off, buf, len);
}

void rwy_vfio_bar_write(struct rwy_vfio_pci *t, unsigned bar, uint64_t off, const void *buf,
			unsigned len)
{
	uint64_t at;

	if (is_ours(t, bar, off, len, &at))
		rwy_msix_bar_write(t->msix_vectors.msix, at, buf, len);
	else if (bar != RWY_PCI_ROM)
		(void)rwy_vfio_write(&t->vfio, bar, off, buf, len);
}
