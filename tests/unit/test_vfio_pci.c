/* SPDX-License-Identifier: BSD-3-Clause */
/* A passed-through function at work: its registers, its interrupts, its end. */
#include "tests/unit/vfio_pci_rig.h"

/* ---- registers ---- */

static void sizing(void **state)
{
	struct rig rig;
	uint32_t was;

	rig_start(&rig, state);
	was = in(&rig, 0x10, 4);
	out(&rig, 0x10, 4, UINT32_MAX);
	out(&rig, 0x14, 4, UINT32_MAX);
	assert_int_equal(in(&rig, 0x10, 4), 0xffffc00c);
	assert_int_equal(in(&rig, 0x14, 4), UINT32_MAX);
	out(&rig, 0x10, 4, was);
	out(&rig, 0x14, 4, 0);
	assert_int_equal(in(&rig, 0x10, 4), was);
	rig_end(&rig);
}

/* A doorbell is memory to the guest; only the pages of the table and its pending bits exit. */
static void doorbells_never_exit(void **state)
{
	struct rig rig;
	uint32_t *at;

	rig_start(&rig, state);
	assert_int_equal(fake_memslot_count(), 0);
	out(&rig, 0x04, 2, MEMORY);
	assert_int_equal(fake_memslot_count(), 3);
	at = fake_memslot_at(bar_at(&rig, 0) + 0x3ffc);
	*at = 0xabcd;
	assert_int_equal(fake_vfio_peek32(rig.f, 0, 0x3ffc), 0xabcd);
	assert_null(fake_memslot_at(bar_at(&rig, 3)));
	assert_non_null(fake_memslot_at(bar_at(&rig, 3) + 0x1000));
	assert_null(fake_memslot_at(bar_at(&rig, 3) + 0x2000));
	assert_non_null(fake_memslot_at(bar_at(&rig, 3) + 0x3000));
	/* Others reach it, too. */
	assert_int_equal(rig.host.fake.nr_maps, 2 + 3);
	out(&rig, 0x04, 2, 0);
	assert_int_equal(fake_memslot_count(), 0);
	assert_int_equal(rig.host.fake.nr_maps, 2);
	rig_end(&rig);
}

static void let_map_table(struct rig *rig)
{
	const struct vfio_info_cap_header head = {.id = VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
						  .version = 1};

	memcpy(rig->f->chain[3], &head, sizeof(head));
	rig->f->chain_len[3] = sizeof(head);
}

/* Where the kernel lets the table's page be mapped, no page of the BAR exits: the guest's table is
 * elsewhere. */
static void table_moves(void **state)
{
	uint32_t *at;
	struct rig rig;

	rig_make(&rig, state);
	let_map_table(&rig);
	assert_int_equal(rig_plug(&rig), SLOT);
	assert_int_equal(in(&rig, MSIX + PCI_MSIX_TABLE, 4), 5);
	assert_int_equal(in(&rig, MSIX + PCI_MSIX_PBA, 4), 0x30 | 5);
	out(&rig, 0x04, 2, MEMORY);
	assert_int_equal(fake_memslot_count(), 2);
	at = fake_memslot_at(bar_at(&rig, 3) + 0xffc);
	assert_non_null(at);
	*at = 0xabcd;
	assert_int_equal(fake_vfio_peek32(rig.f, 3, 0xffc), 0xabcd);
	assert_null(fake_memslot_at(bar_at(&rig, 5)));
	/* It works there, and what is behind it is empty. */
	out(&rig, MSIX + 2, 2, 0x8000);
	mem_out(&rig, bar_at(&rig, 5) + 0x10, 8, 0xfee01000);
	mem_out(&rig, bar_at(&rig, 5) + 0x18, 8, 0x42);
	assert_int_equal(fake_irq_message(rig.guest.irq, rig.f->triggers[RWY_VFIO_MSIX][1])->data,
			 0x42);
	assert_int_equal(mem_in(&rig, bar_at(&rig, 5) + 0x30, 8), 0);
	assert_int_equal(mem_in(&rig, bar_at(&rig, 5) + 0x800, 4), UINT32_MAX);
	rig_end(&rig);
}

static void no_bar_for_the_table(void **state)
{
	struct rig rig;

	rig_make(&rig, state);
	let_map_table(&rig);
	rig.f->sizes[2] = rig.f->sizes[5] = 0x1000;
	assert_int_equal(rig_plug(&rig), SLOT);
	assert_true(log_said("no BAR is left for its MSI-X table"));
	assert_int_equal(in(&rig, MSIX + PCI_MSIX_TABLE, 4), 3);
	out(&rig, 0x04, 2, MEMORY);
	assert_null(fake_memslot_at(bar_at(&rig, 3)));
	rig_end(&rig);
}

/* Ports go through the device's file, each access. */
static void ports(void **state)
{
	struct rig rig;
	uint32_t at;

	rig_make(&rig, state);
	rig.f->sizes[2] = 0x20;
	rig.f->region_flags[2] = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, 0x18, PCI_BASE_ADDRESS_SPACE_IO);
	assert_int_equal(rig_plug(&rig), SLOT);
	at = in(&rig, 0x18, 4);
	assert_int_equal(at & 3, PCI_BASE_ADDRESS_SPACE_IO);
	at &= ~3u;
	out(&rig, 0x04, 2, PCI_COMMAND_IO);
	assert_int_equal(fake_vfio_peek32(rig.f, RWY_VFIO_CONFIG, 4) & 0xffff, PCI_COMMAND_IO);
	rig_out(&rig.guest.pio, at + 4, 4, 0x11223344);
	assert_int_equal(fake_vfio_peek32(rig.f, 2, 4), 0x11223344);
	assert_int_equal(rig_in(&rig.guest.pio, at + 5, 1), 0x33);
	out(&rig, 0x04, 2, 0);
	assert_int_equal(rig_in(&rig.guest.pio, at + 5, 1), 0xff);
	rig_end(&rig);
}

static void too_many_ports(void **state)
{
	struct rig rig;

	rig_make(&rig, state);
	rig.f->sizes[2] = 0x1000;
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, 0x18, PCI_BASE_ADDRESS_SPACE_IO);
	assert_int_equal(rig_plug(&rig), SLOT);
	assert_true(log_said("does without the ports of BAR 2"));
	assert_int_equal(in(&rig, 0x18, 4), 0);
	rig_end(&rig);
}

static void bar_moves(void **state)
{
	struct rig rig;

	rig_start(&rig, state);
	out(&rig, 0x04, 2, MEMORY);
	out(&rig, 0x10, 4, 0xd0000000);
	assert_non_null(fake_memslot_at(0xd0000000));
	assert_int_equal(fake_memslot_count(), 3);
	rig_end(&rig);
}

/* Nor over the IOAPIC, the interrupt window, another BAR, or to where nothing is. */
static void bar_over_ram(void **state)
{
	static const uint64_t places[] = {0,	      0x100000,	  0xafffc000,  0xfec00000,
					  0xfee00000, 0xffffc000, 0x100000000, 0xffffffffffffc000};
	struct rig rig;

	rig_start(&rig, state);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(places); i++) {
		out(&rig, 0x04, 2, 0);
		out(&rig, 0x10, 4, (uint32_t)places[i]);
		out(&rig, 0x14, 4, (uint32_t)(places[i] >> 32));
		out(&rig, 0x04, 2, MEMORY);
		assert_null(fake_memslot_at(places[i]));
		assert_int_equal(fake_memslot_count(), 2); /* BAR 3's */
	}
	out(&rig, 0x10, 4, (uint32_t)bar_at(&rig, 3));
	out(&rig, 0x14, 4, 0);
	assert_int_equal(fake_memslot_count(), 2);
	rig_end(&rig);
}

static void decode_storm(void **state)
{
	struct rig rig;

	rig_start(&rig, state);
	for (unsigned i = 0; i < 2000; i++) {
		rig.host.fake.nr_notes = 0;
		out(&rig, 0x04, 2, i % 2 ? 0 : MEMORY);
		if (i % 3 == 0)
			out(&rig, 0x10, 4, 0xc0000000 + i * 0x4000);
	}
	assert_int_equal(fake_memslot_count(), 0);
	assert_int_equal(rig.host.fake.nr_maps, 2);
	rig_end(&rig);
}

/* In D3 registers do not answer: whoever touches them must find nothing, not a fault. */
static void asleep(void **state)
{
	struct rig rig;

	rig_start(&rig, state);
	out(&rig, 0x04, 2, MEMORY);
	out(&rig, PM + PCI_PM_CTRL, 2, 3);
	assert_int_equal(fake_memslot_count(), 0);
	out(&rig, 0x10, 4, 0xd0000000);
	out(&rig, 0x04, 2, 0);
	out(&rig, 0x04, 2, MEMORY);
	assert_int_equal(fake_memslot_count(), 0);
	out(&rig, PM + PCI_PM_CTRL, 2, 0);
	assert_int_equal(fake_memslot_count(), 3);
	assert_non_null(fake_memslot_at(0xd0000000));
	out(&rig, PM + PCI_PM_CTRL, 1, 3);
	rwy_pci_reset(rig.guest.pci, rig_quiet, &rig.guest);
	out(&rig, 0x04, 2, MEMORY);
	assert_int_equal(fake_memslot_count(), 3);
	rig_end(&rig);
}

/* Asleep or not, decoded or not, here or there: in any order, it is where the guest has it or
 * nowhere.
 */
static void power_storm(void **state)
{
	struct rig rig;
	unsigned power = 0, command = 0;

	rig_start(&rig, state);
	for (unsigned i = 0; i < 3000; i++) {
		rig.host.fake.nr_notes = 0;
		if (i % 2)
			out(&rig, PM + PCI_PM_CTRL, 1 + i % 4 / 2, power = i * 7 % 5 % 4);
		if (i % 3 == 0)
			out(&rig, 0x04, 2, command = i * 5 % 7 < 4 ? MEMORY : 0);
		if (i % 5 == 0)
			out(&rig, 0x10, 4, 0xd0000000 + i % 4 * 0x100000);
		assert_int_equal(fake_memslot_count(), power || !command ? 0 : 3);
	}
	rig_end(&rig);
}

/* A BAR smaller than a page that has one to itself: the guest has the page. */
static void small_bar(void **state)
{
	struct rig rig;
	uint32_t *at;

	rig_make(&rig, state);
	rig.f->sizes[2] = 0x400;
	rig.f->region_flags[2] = rig.f->region_flags[0];
	assert_int_equal(rig_plug(&rig), SLOT);
	out(&rig, 0x04, 2, MEMORY);
	assert_int_equal(fake_memslot_count(), 4);
	at = fake_memslot_at(bar_at(&rig, 2) + 0x3fc);
	*at = 0xabcd;
	assert_int_equal(fake_vfio_peek32(rig.f, 2, 0x3fc), 0xabcd);
	rig_end(&rig);
}

/* No slot left: it exits, and works. */
static void no_slot(void **state)
{
	struct rig rig;

	rig_start(&rig, state);
	fake_memslot_fail(1);
	out(&rig, 0x04, 2, MEMORY);
	assert_int_equal(fake_memslot_count(), 2);
	mem_out(&rig, bar_at(&rig, 0) + 8, 4, 0x77);
	assert_int_equal(fake_vfio_peek32(rig.f, 0, 8), 0x77);
	assert_int_equal(mem_in(&rig, bar_at(&rig, 0) + 8, 4), 0x77);
	rig_end(&rig);
}

/* ---- interrupts ---- */

static void program(struct rig *rig, unsigned v, uint64_t addr, uint32_t data, bool masked)
{
	uint64_t at = bar_at(rig, 3) + 16 * v;

	mem_out(rig, at, 8, addr);
	mem_out(rig, at + 8, 4, data);
	mem_out(rig, at + 12, 4, masked);
}

static int trigger(const struct rig *rig, unsigned v)
{
	return rig->f->triggers[RWY_VFIO_MSIX][v];
}

static void msix_lazily(void **state)
{
	struct rig rig;
	int fd;

	rig_start(&rig, state);
	out(&rig, 0x04, 2, MEMORY);
	assert_int_equal(mem_in(&rig, bar_at(&rig, 3) + 12, 4), 1); /* all masked at first */
	out(&rig, MSIX + 2, 2, 0x8000);
	/* On with nothing unmasked: the function is in its new mode, nothing is wired. */
	assert_int_equal(rig.f->live[RWY_VFIO_MSIX], 1);
	assert_int_equal(rig.guest.irq->gsis, 0);
	program(&rig, 1, 0xfee01000, 0x41, false);
	fd = trigger(&rig, 1);
	assert_true(fd >= 0);
	assert_int_equal(trigger(&rig, 0), -1);
	assert_int_equal(fake_irq_message(rig.guest.irq, fd)->data, 0x41);
	assert_int_equal(rig.guest.irq->gsis, 1);
	/* The guest moves it to another vCPU: same eventfd, new route, not a word to the host. */
	unsigned calls = rig.f->set_calls;
	program(&rig, 1, 0xfee02000, 0x42, true);
	program(&rig, 1, 0xfee02000, 0x42, false);
	assert_int_equal(fake_irq_message(rig.guest.irq, fd)->data, 0x42);
	assert_int_equal(rig.f->set_calls, calls);
	out(&rig, MSIX + 2, 2, 0);
	assert_int_equal(rig.f->live[RWY_VFIO_MSIX], 0);
	assert_int_equal(rig.guest.irq->wired, 0);
	rig_end(&rig);
}

static void masked_is_pending(void **state)
{
	struct rig rig;
	uint64_t pba;

	rig_start(&rig, state);
	out(&rig, 0x04, 2, MEMORY);
	pba = bar_at(&rig, 3) + 0x2000;
	out(&rig, MSIX + 2, 2, 0x8000);
	program(&rig, 0, 0xfee00000, 0x30, false);
	assert_int_equal(mem_in(&rig, pba, 8), 0);
	program(&rig, 0, 0xfee00000, 0x30, true);
	assert_int_equal(rig.guest.irq->gsis, 1); /* its route stays */
	assert_null(fake_irq_message(rig.guest.irq, trigger(&rig, 0)));
	assert_int_equal(rwy_fd_signal(trigger(&rig, 0)), 0);
	assert_int_equal(mem_in(&rig, pba, 8), 1);
	mem_out(&rig, pba, 8, 0);
	assert_int_equal(mem_in(&rig, pba, 8), 1);
	program(&rig, 0, 0xfee00000, 0x30, false);
	assert_int_equal(mem_in(&rig, pba, 8), 0);
	rig_end(&rig);
}

static void mask_storm(void **state)
{
	struct rig rig;

	rig_start(&rig, state);
	out(&rig, 0x04, 2, MEMORY);
	for (unsigned i = 0; i < 3000; i++) {
		program(&rig, i % 3, 0xfee00000 + i % 7 * 0x1000, i % 200, i % 5 == 0);
		out(&rig, MSIX + 2, 2, i % 11 == 0 ? 0 : i % 13 == 0 ? 0xc000 : 0x8000);
	}
	assert_in_range(rig.guest.irq->gsis, 1, 3);
	assert_in_range(rig.guest.irq->wired, 0, 3);
	rig_end(&rig);
}

/* What is no interrupt message never reaches KVM, and does not stop the other vectors. */
static void absurd_msi_addresses(void **state)
{
	static const uint64_t places[] = {0,	      0x1000,	   0xfed00000,
					  0xfef00000, 0x1fee00000, UINT64_MAX};
	struct rig rig;

	rig_start(&rig, state);
	out(&rig, 0x04, 2, MEMORY);
	out(&rig, MSIX + 2, 2, 0x8000);
	program(&rig, 1, 0xfee00000, 0x31, false);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(places); i++) {
		program(&rig, 0, places[i], UINT32_MAX, false);
		assert_int_equal(rig.guest.irq->wired, 1);
		assert_int_equal(trigger(&rig, 0), -1);
	}
	program(&rig, 0, 0xfee00000, 0x32, false);
	assert_int_equal(fake_irq_message(rig.guest.irq, trigger(&rig, 0))->data, 0x32);
	program(&rig, 0, 0xdead0000, 0x32, false);
	assert_null(fake_irq_message(rig.guest.irq, trigger(&rig, 0)));
	rig_end(&rig);
}

static void msi(void **state)
{
	struct rig rig;
	int fd;

	rig_start(&rig, state);
	out(&rig, MSI + 4, 4, 0xfee03000);
	out(&rig, MSI + 8, 4, 0);
	out(&rig, MSI + 12, 2, 0x51);
	assert_int_equal(rig.f->live[RWY_VFIO_MSI], 0);
	out(&rig, MSI + 2, 2, 1);
	assert_int_equal(rig.f->live[RWY_VFIO_MSI], 1);
	fd = rig.f->triggers[RWY_VFIO_MSI][0];
	assert_int_equal(fake_irq_message(rig.guest.irq, fd)->addr, 0xfee03000);
	assert_int_equal(fake_irq_message(rig.guest.irq, fd)->data, 0x51);
	/* MSI-X while MSI is on takes over. */
	out(&rig, MSIX + 2, 2, 0x8000);
	assert_int_equal(rig.f->live[RWY_VFIO_MSI], 0);
	assert_int_equal(rig.f->live[RWY_VFIO_MSIX], 1);
	rig_end(&rig);
}

static void intx(void **state)
{
	struct rig rig;
	unsigned pin = RWY_LAYOUT_INTX_GSI + SLOT;

	rig_make(&rig, state);
	rig.f->irq_counts[RWY_VFIO_INTX] = 1;
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, 0x3c, 0x0000020a);
	assert_int_equal(rig_plug(&rig), SLOT);
	assert_int_equal(in(&rig, 0x3d, 1), 1);
	assert_int_equal(rig.f->triggers[RWY_VFIO_INTX][0], rig.guest.irq->pins[pin].fd);
	assert_int_equal(rig.f->resample_fd, rig.guest.irq->pins[pin].resample_fd);
	out(&rig, MSIX + 2, 2, 0x8000);
	assert_int_equal(rig.guest.irq->pins[pin].fd, 0);
	assert_int_equal(rig.f->live[RWY_VFIO_INTX], 0);
	out(&rig, MSIX + 2, 2, 0);
	assert_int_not_equal(rig.guest.irq->pins[pin].fd, 0);
	rig_end(&rig);
}

/* All three kinds on and off, with whatever in their registers: one at a time, and nothing stays.
 */
static void mode_storm(void **state)
{
	struct rig rig;

	rig_make(&rig, state);
	rig.f->irq_counts[RWY_VFIO_INTX] = 1;
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, 0x3c, 0x0000020a);
	assert_int_equal(rig_plug(&rig), SLOT);
	out(&rig, 0x04, 2, MEMORY);
	for (unsigned i = 0; i < 3000; i++) {
		program(&rig, i % 3, 0xfee00000 + i % 7 * 0x1000, i % 200, i % 5 == 0);
		out(&rig, MSI + 4, 4, i % 17 ? 0xfee03000 : i * 0x10001);
		out(&rig, MSI + 12, 2, i);
		if (i % 4 == 0)
			out(&rig, MSI + 2, 2, i * 7 % 0x80);
		if (i % 3 == 0)
			out(&rig, MSIX + 2, 2, i * 5 % 4 << 14);
		unsigned kinds = (rig.f->live[RWY_VFIO_INTX] > 0) +
				 (rig.f->live[RWY_VFIO_MSI] > 0) + (rig.f->live[RWY_VFIO_MSIX] > 0);
		assert_in_range(kinds, 0, 1);
	}
	out(&rig, MSI + 2, 2, 0);
	out(&rig, MSIX + 2, 2, 0x8000);
	out(&rig, MSIX + 2, 2, 0);
	assert_int_equal(rig.f->live[RWY_VFIO_INTX], 1);
	assert_int_equal(rig.f->live[RWY_VFIO_MSI] + rig.f->live[RWY_VFIO_MSIX], 0);
	assert_int_equal(rig.guest.irq->wired, 1); /* INTx */
	rwy_pci_reset(rig.guest.pci, rig_quiet, &rig.guest);
	assert_int_equal(rig.guest.irq->gsis, 0);
	assert_false(rig.f->loud_reset);
	rig_end(&rig);
}

/* ---- life ---- */

/* Deaf first, like new afterwards; the BARs are where they were at power-on. */
static void guest_reset(void **state)
{
	struct rig rig;
	uint64_t at;

	rig_start(&rig, state);
	at = bar_at(&rig, 0);
	out(&rig, 0x10, 4, 0xd0000000);
	out(&rig, 0x04, 2, MEMORY | 4);
	out(&rig, MSIX + 2, 2, 0x8000);
	program(&rig, 0, 0xfee00000, 0x30, false);
	rwy_pci_reset(rig.guest.pci, rig_quiet, &rig.guest);
	assert_int_equal(rig.guest.quiet, 1);
	assert_int_equal(rig.f->resets, 2);
	assert_int_equal(fake_vfio_peek32(rig.f, RWY_VFIO_CONFIG, 4) & 0xffff, 0);
	assert_int_equal(rig.f->live[RWY_VFIO_MSIX], 0);
	assert_int_equal(rig.guest.irq->gsis, 0);
	assert_int_equal(fake_memslot_count(), 0);
	assert_int_equal(bar_at(&rig, 0), at);
	assert_false(rig.f->loud_reset);
	rig_end(&rig);
}

/* The host asks, and has it back before anybody else does anything; the guest reads all ones. */
static void host_wants_it_back(void **state)
{
	struct rig rig;

	rig_start(&rig, state);
	out(&rig, 0x04, 2, MEMORY);
	out(&rig, MSIX + 2, 2, 0x8000);
	program(&rig, 0, 0xfee00000, 0x30, false);
	uint64_t at = bar_at(&rig, 0);
	assert_int_equal(rwy_fd_signal(rig.f->triggers[RWY_VFIO_REQ][0]), 0);
	assert_true(rwy_poll_once(rig.poll, 1000) >= 0);
	assert_true(log_said("the host asks for it back"));
	assert_int_equal(rig.host.fake.groups_in, 0);
	assert_int_equal(rig.host.fake.nr_maps, 0);
	assert_int_equal(fake_memslot_count(), 0);
	assert_int_equal(in(&rig, 0, 4), UINT32_MAX);
	assert_int_equal(mem_in(&rig, at, 4), UINT32_MAX);
	mem_out(&rig, at, 4, 1);
	out(&rig, 0x04, 2, 0);
	rwy_pci_reset(rig.guest.pci, rig_quiet, &rig.guest);
	assert_int_equal(rig.guest.quiet, 1);
	assert_int_equal(in(&rig, 0, 4), UINT32_MAX);
	rig_end(&rig);
}

/* Where the guest can be asked it is; the second time the host has it. */
static void guest_is_asked_first(void **state)
{
	struct rig rig;

	rig_start(&rig, state);
	rig.lets_go = true;
	assert_int_equal(rwy_fd_signal(rig.f->triggers[RWY_VFIO_REQ][0]), 0);
	assert_true(rwy_poll_once(rig.poll, 1000) >= 0);
	assert_int_equal(rig.asked, 1);
	assert_true(log_said("the guest shall let go of vfio0"));
	assert_int_equal(in(&rig, 0, 4), 0x10ca8086);
	assert_true(rwy_poll_once(rig.poll, 0) >= 0);
	assert_int_equal(in(&rig, 0, 4), 0x10ca8086);
	assert_int_equal(rwy_fd_signal(rig.f->triggers[RWY_VFIO_REQ][0]), 0);
	assert_true(rwy_poll_once(rig.poll, 1000) >= 0);
	assert_int_equal(rig.asked, 1);
	assert_int_equal(in(&rig, 0, 4), UINT32_MAX);
	assert_int_equal(rig.host.fake.groups_in, 0);
	rig_end(&rig);
}

static void hardware_fails(void **state)
{
	struct rig rig;

	rig_start(&rig, state);
	assert_int_equal(rwy_fd_signal(rig.f->triggers[RWY_VFIO_ERR][0]), 0);
	assert_true(rwy_poll_once(rig.poll, 1000) >= 0);
	assert_true(log_said("fatal error"));
	assert_int_equal(in(&rig, 0, 4), UINT32_MAX);
	rig_end(&rig);
}

static void no_reset(void **state)
{
	struct rig rig;

	rig_make(&rig, state);
	rig.f->device_flags = VFIO_DEVICE_FLAGS_PCI;
	rig.host.fake.neighbour = "0000:01:00.1";
	assert_int_equal(rig_plug(&rig), SLOT);
	assert_true(log_said("cannot be reset"));
	assert_true(log_said("0000:01:00.1 would be reset with it"));
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(sizing),
		RIG_TEST(doorbells_never_exit),
		RIG_TEST(table_moves),
		RIG_TEST(no_bar_for_the_table),
		RIG_TEST(ports),
		RIG_TEST(too_many_ports),
		RIG_TEST(bar_moves),
		RIG_TEST(bar_over_ram),
		RIG_TEST(decode_storm),
		RIG_TEST(asleep),
		RIG_TEST(power_storm),
		RIG_TEST(small_bar),
		RIG_TEST(no_slot),
		RIG_TEST(msix_lazily),
		RIG_TEST(masked_is_pending),
		RIG_TEST(mask_storm),
		RIG_TEST(absurd_msi_addresses),
		RIG_TEST(msi),
		RIG_TEST(intx),
		RIG_TEST(mode_storm),
		RIG_TEST(guest_reset),
		RIG_TEST(host_wants_it_back),
		RIG_TEST(guest_is_asked_first),
		RIG_TEST(hardware_fails),
		RIG_TEST(no_reset),
	};

	return UNIT_RUN(tests);
}
