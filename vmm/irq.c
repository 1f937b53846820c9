/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/irq.h"

#include "lib/log.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define RWY_STEM "irq"

/* Pins 0-15 are wired to the two PICs as well, which costs a second entry in KVM's table each. */
#define PIC_PINS 16
#define NR_MSIS	 (RWY_IRQ_GSIS - RWY_IRQ_PINS - PIC_PINS)

struct msi_slot {
	bool used;
	bool routed;
	struct rwy_irq_msi msi;
};

struct rwy_irq {
	int vm_fd; /* not owned */
	bool dirty;
	unsigned hint; /* no free slot below */
	unsigned top;  /* no used slot from here on */
	struct msi_slot slots[NR_MSIS];
	struct kvm_irq_routing *table; /* room for RWY_IRQ_GSIS entries */
};

int rwy_irq_open(struct rwy_irq **irq, int vm_fd)
{
	struct rwy_irq *i = calloc(1, sizeof(*i));

	if (!i)
		return -ENOMEM;
	i->table =
		calloc(1, sizeof(*i->table) + RWY_IRQ_GSIS * sizeof(struct kvm_irq_routing_entry));
	if (!i->table) {
		free(i);
		return -ENOMEM;
	}
	i->vm_fd = vm_fd;
	*irq = i;
	return 0;
}

void rwy_irq_close(struct rwy_irq *irq)
{
	if (!irq)
		return;
	free(irq->table);
	free(irq);
}

int rwy_irq_gsi_alloc(struct rwy_irq *irq)
{
	for (unsigned i = irq->hint; i < NR_MSIS; i++) {
		if (irq->slots[i].used)
			continue;
		irq->slots[i] = (struct msi_slot){.used = true};
		irq->hint = i + 1;
		irq->top = RWY_MAX(irq->top, i + 1);
		return (int)(RWY_IRQ_PINS + i);
	}
	rwy_error("all %u interrupt routes are taken: give the guest fewer vectors", NR_MSIS);
	return -ENOSPC;
}

static struct msi_slot *slot_of(struct rwy_irq *irq, int gsi)
{
	return &irq->slots[gsi - RWY_IRQ_PINS];
}

void rwy_irq_gsi_free(struct rwy_irq *irq, int gsi)
{
	struct msi_slot *slot = slot_of(irq, gsi);

	irq->dirty |= slot->routed;
	*slot = (struct msi_slot){0};
	irq->hint = RWY_MIN(irq->hint, (unsigned)gsi - RWY_IRQ_PINS);
	while (irq->top > 0 && !irq->slots[irq->top - 1].used)
		irq->top--;
}

void rwy_irq_route_msi(struct rwy_irq *irq, int gsi, const struct rwy_irq_msi *msi)
{
	struct msi_slot *slot = slot_of(irq, gsi);

	if (slot->routed && slot->msi.addr == msi->addr && slot->msi.data == msi->data)
		return;
	slot->routed = true;
	slot->msi = *msi;
	irq->dirty = true;
}

static void put_pin(struct kvm_irq_routing *table, unsigned pin, unsigned chip, unsigned chip_pin)
{
	struct kvm_irq_routing_entry *e = &table->entries[table->nr++];

	memset(e, 0, sizeof(*e));
	e->gsi = pin;
	e->type = KVM_IRQ_ROUTING_IRQCHIP;
	e->u.irqchip.irqchip = chip;
	e->u.irqchip.pin = chip_pin;
}

int rwy_irq_commit(struct rwy_irq *irq)
{
	struct kvm_irq_routing *table = irq->table;

	if (!irq->dirty)
		return 0;
	table->nr = 0;
	for (unsigned pin = 0; pin < RWY_IRQ_PINS; pin++) {
		if (pin < PIC_PINS)
			put_pin(table, pin,
				pin < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, pin & 7);
		put_pin(table, pin, KVM_IRQCHIP_IOAPIC, pin);
	}
	for (unsigned i = 0; i < irq->top; i++) {
		const struct msi_slot *slot = &irq->slots[i];

		if (!slot->routed)
			continue;
		struct kvm_irq_routing_entry *e = &table->entries[table->nr++];
		memset(e, 0, sizeof(*e));
		e->gsi = RWY_IRQ_PINS + i;
		e->type = KVM_IRQ_ROUTING_MSI;
		e->u.msi.address_lo = (uint32_t)slot->msi.addr;
		e->u.msi.address_hi = (uint32_t)(slot->msi.addr >> 32);
		e->u.msi.data = slot->msi.data;
	}
	if (ioctl(irq->vm_fd, KVM_SET_GSI_ROUTING, table) < 0) {
		int err = -errno;

		rwy_error("cannot set %u interrupt routes: %s", table->nr, strerror(-err));
		return err;
	}
	irq->dirty = false;
	return 0;
}

static int irqfd(struct rwy_irq *irq, int gsi, int event_fd, int resample_fd, uint32_t flags)
{
	struct kvm_irqfd arg = {
		.fd = (uint32_t)event_fd,
		.gsi = (uint32_t)gsi,
		.flags = flags,
		.resamplefd = (uint32_t)resample_fd,
	};

	return ioctl(irq->vm_fd, KVM_IRQFD, &arg) < 0 ? -errno : 0;
}

int rwy_irq_fd_add(struct rwy_irq *irq, int gsi, int event_fd)
{
	int err = irqfd(irq, gsi, event_fd, 0, 0);

	if (err)
		rwy_error("cannot wire an eventfd to interrupt %d: %s", gsi, strerror(-err));
	return err;
}

void rwy_irq_fd_del(struct rwy_irq *irq, int gsi, int event_fd)
{
	irqfd(irq, gsi, event_fd, 0, KVM_IRQFD_FLAG_DEASSIGN);
}

int rwy_irq_level_add(struct rwy_irq *irq, unsigned pin, int event_fd, int resample_fd)
{
	int err = irqfd(irq, (int)pin, event_fd, resample_fd, KVM_IRQFD_FLAG_RESAMPLE);

	if (err)
		rwy_error("cannot wire an eventfd to interrupt pin %u: %s", pin, strerror(-err));
	return err;
}

void rwy_irq_level_del(struct rwy_irq *irq, unsigned pin, int event_fd)
{
	irqfd(irq, (int)pin, event_fd, 0, KVM_IRQFD_FLAG_DEASSIGN);
}

void rwy_irq_line(struct rwy_irq *irq, unsigned pin, bool level)
{
	struct kvm_irq_level arg = {.irq = pin, .level = level};

	/* Fails only for an irqchip that is not there. */
	if (ioctl(irq->vm_fd, KVM_IRQ_LINE, &arg) < 0)
		rwy_error("cannot drive interrupt pin %u: %s", pin, strerror(errno));
}

static int ioeventfd(struct rwy_irq *irq, uint64_t gpa, unsigned len, int event_fd, uint32_t flags)
{
	struct kvm_ioeventfd arg = {
		.addr = gpa,
		.len = len,
		.fd = event_fd,
		.flags = flags,
	};

	return ioctl(irq->vm_fd, KVM_IOEVENTFD, &arg) < 0 ? -errno : 0;
}

int rwy_irq_doorbell_add(struct rwy_irq *irq, uint64_t gpa, unsigned len, int event_fd)
{
	int err = ioeventfd(irq, gpa, len, event_fd, 0);

	if (err)
		rwy_error("cannot place a doorbell at 0x%llx: %s", (unsigned long long)gpa,
			  strerror(-err));
	return err;
}

void rwy_irq_doorbell_del(struct rwy_irq *irq, uint64_t gpa, unsigned len, int event_fd)
{
	ioeventfd(irq, gpa, len, event_fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}
