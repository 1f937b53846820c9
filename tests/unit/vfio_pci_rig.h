/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A passed-through function between a model of the kernel and a guest that does what it likes. All
 * without hardware, KVM or an IOMMU.
 */
#ifndef RWY_TESTS_VFIO_PCI_RIG_H
#define RWY_TESTS_VFIO_PCI_RIG_H

#include "tests/unit/fake_memslot.h"
#include "tests/unit/pci_rig.h"
#include "tests/unit/vfio_rig.h"
#include "vmm/vfio_pci.h"

#include <linux/pci_regs.h>

#define NIC    RIG_NIC
#define SLOT   1
#define MSIX   0x70
#define MSI    0x50
#define PM     0x40
#define EXP    0xa0
#define MEMORY 2

struct rig {
	struct vfio_rig host;
	struct pci_rig guest;
	struct rwy_memslot slots;
	struct rwy_poll *poll;
	struct fake_vfio_function *f;
	const char *root;
	unsigned asked; /* the guest was, to let go */
	bool lets_go;
};

static inline bool rig_wanted_back(void *ctx, const char *name)
{
	struct rig *rig = ctx;

	assert_string_equal(name, "vfio0");
	rig->asked++;
	return rig->lets_go;
}

/* The host with its card, and a guest that has none yet. */
static inline void rig_make(struct rig *rig, void **state)
{
	memset(rig, 0, sizeof(*rig));
	rig->root = *state;
	vfio_rig_open(&rig->host, rig->root);
	rig->f = vfio_rig_add(&rig->host, rig->root, NIC, 7);
	rig_open(&rig->guest);
	rwy_memslot_init(&rig->slots, -1, 0);
	assert_int_equal(rwy_poll_open(&rig->poll, RWY_POLL_NEVER), 0);
}

static inline int rig_plug(struct rig *rig)
{
	struct rwy_space_device device = {.bdf = NIC, .fd = -1, .iommu_fd = -1};
	const struct rwy_vfio_pci_config config = {
		.pci = rig->guest.pci,
		.space = rig->host.space,
		.slots = &rig->slots,
		.poll = rig->poll,
		.lock = &rig->guest.lock,
		.name = "vfio0",
		.wanted_back = rig_wanted_back,
		.ctx = rig,
	};

	return rwy_vfio_pci_open(&config, &device);
}

static inline void rig_start(struct rig *rig, void **state)
{
	rig_make(rig, state);
	assert_int_equal(rig_plug(rig), SLOT);
}

static inline void rig_end(struct rig *rig)
{
	rig_close(&rig->guest);
	assert_int_equal(fake_memslot_count(), 0);
	rwy_poll_close(rig->poll);
	vfio_rig_close(&rig->host);
}

static inline void rig_refused(struct rig *rig, int err, const char *said)
{
	assert_int_equal(rig_plug(rig), err);
	assert_true(log_said(said));
	rig_end(rig);
}

static inline uint32_t in(struct rig *rig, unsigned reg, unsigned len)
{
	return cfg_in(&rig->guest, SLOT, reg, len);
}

static inline void out(struct rig *rig, unsigned reg, unsigned len, uint32_t value)
{
	cfg_out(&rig->guest, SLOT, reg, len, value);
}

static inline uint64_t bar_at(struct rig *rig, unsigned bar)
{
	return in(rig, 0x10 + 4 * bar, 4) & ~0xfu;
}

static inline uint64_t mem_in(struct rig *rig, uint64_t gpa, unsigned len)
{
	return rig_in(&rig->guest.mmio, gpa, len);
}

static inline void mem_out(struct rig *rig, uint64_t gpa, unsigned len, uint64_t value)
{
	rig_out(&rig->guest.mmio, gpa, len, value);
}

#endif
