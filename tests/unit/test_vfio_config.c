/* SPDX-License-Identifier: BSD-3-Clause */
/* Configuration space of a passed-through function: what the guest sees of the hardware's, and what
 * hardware may say. */
#include "tests/unit/vfio_pci_rig.h"

/* ---- configuration space ---- */

static void identity(void **state)
{
	struct rig rig;

	rig_start(&rig, state);
	assert_int_equal(in(&rig, 0x00, 4), 0x10ca8086);
	assert_int_equal(in(&rig, 0x08, 4), 0x02000001);
	assert_int_equal(in(&rig, 0x3d, 1), 0); /* a VF has no INTx */
	assert_int_equal(rig.f->resets, 1);
	assert_true(fake_vfio_noted(&rig.host.fake, "reset") >
		    fake_vfio_noted(&rig.host.fake, "device"));
	rig_end(&rig);
	assert_int_equal(rig.host.fake.nr_maps, 0);
}

static void capabilities(void **state)
{
	struct rig rig;

	rig_start(&rig, state);
	assert_int_equal(cfg_cap(&rig.guest, SLOT, PCI_CAP_ID_PM, 0), PM);
	assert_int_equal(cfg_cap(&rig.guest, SLOT, PCI_CAP_ID_MSI, 0), MSI);
	assert_int_equal(cfg_cap(&rig.guest, SLOT, PCI_CAP_ID_MSIX, 0), MSIX);
	assert_int_equal(cfg_cap(&rig.guest, SLOT, PCI_CAP_ID_EXP, 0), EXP);
	/* On the root bus, an integrated endpoint without a link. */
	assert_int_equal(in(&rig, EXP + 2, 2) >> 4 & 0xf, PCI_EXP_TYPE_RC_END);
	assert_int_equal(in(&rig, EXP + PCI_EXP_LNKCAP, 4), 0);
	/* The serial number stays, ARI and SR-IOV do not. */
	assert_int_equal(in(&rig, 0x100, 4), 0x00010003);
	assert_int_equal(in(&rig, 0x104, 4), 0x11223344);
	assert_int_equal(in(&rig, 0x140, 4), 0);
	assert_int_equal(in(&rig, 0x160, 4), 0);
	rig_end(&rig);
}

static void hidden_capabilities_are_unlinked(void **state)
{
	struct rig rig;

	rig_make(&rig, state);
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, PM, 0x00035014); /* enhanced allocation */
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, 0x100, 0x14010010);
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, 0x140, 0x16010003);
	assert_int_equal(rig_plug(&rig), SLOT);
	assert_int_equal(in(&rig, 0x34, 1), MSI);
	assert_int_equal(in(&rig, 0x100, 4), 0x14000000); /* an empty one leads on */
	assert_int_equal(in(&rig, 0x140, 4), 0x00010003);
	rig_end(&rig);
}

/* Command goes to the hardware and to the copy; what is ours does not reach it. */
static void command(void **state)
{
	struct rig rig;

	rig_start(&rig, state);
	out(&rig, 0x04, 2, 0xffff);
	assert_int_equal(in(&rig, 0x04, 2), 0x0546);
	assert_int_equal(fake_vfio_peek32(rig.f, RWY_VFIO_CONFIG, 4) & 0xffff, 0x0546);
	out(&rig, 0x04, 1, 0);
	assert_int_equal(fake_vfio_peek32(rig.f, RWY_VFIO_CONFIG, 4) & 0xffff, 0x0500);
	out(&rig, PM + PCI_PM_CTRL, 2, 3);
	assert_int_equal(fake_vfio_peek32(rig.f, RWY_VFIO_CONFIG, PM + 4) & 0xffff, 3);
	out(&rig, EXP + PCI_EXP_DEVCTL, 2, 0x2810);
	assert_int_equal(fake_vfio_peek32(rig.f, RWY_VFIO_CONFIG, EXP + 8) & 0xffff, 0x2810);
	out(&rig, 0x10, 4, 0xd0000000);
	assert_int_equal(fake_vfio_peek32(rig.f, RWY_VFIO_CONFIG, 0x10), 0xc);
	out(&rig, MSIX + 2, 2, 0x8000);
	assert_int_equal(fake_vfio_peek32(rig.f, RWY_VFIO_CONFIG, MSIX), 0x0002a011);
	rig_end(&rig);
}

static void reads_come_from_the_hardware(void **state)
{
	struct rig rig;

	rig_start(&rig, state);
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, EXP + PCI_EXP_DEVCTL, 0x00042810);
	assert_int_equal(in(&rig, EXP + PCI_EXP_DEVCTL, 4), 0x00042810);
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, 0, 0x99999999);
	assert_int_equal(in(&rig, 0, 4), 0x10ca8086);
	rig_end(&rig);
}

/* ---- what the hardware may say ---- */

static void all_ones_config(void **state)
{
	uint8_t ones[4096];
	struct rig rig;

	rig_make(&rig, state);
	memset(ones, 0xff, sizeof(ones));
	fake_vfio_poke(rig.f, RWY_VFIO_CONFIG, 0, ones, sizeof(ones));
	rig_refused(&rig, -ENODEV, "does not answer");
}

static void device_answers_nothing(void **state)
{
	struct rig rig;

	rig_make(&rig, state);
	rig.f->silent = true;
	rig_refused(&rig, -ENODEV, "does not answer");
}

static void bridge(void **state)
{
	struct rig rig;

	rig_make(&rig, state);
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, 0x0c, 0x00010000);
	rig_refused(&rig, -EPROTO, "is a bridge");
}

static void capability_loop(void **state)
{
	struct rig rig;

	rig_make(&rig, state);
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, EXP, 0x00025010); /* back to MSI */
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, 0x160, 0x10010010);
	assert_int_equal(rig_plug(&rig), SLOT);
	assert_true(log_said("list of capabilities is damaged"));
	assert_int_equal(cfg_cap(&rig.guest, SLOT, PCI_CAP_ID_EXP, 0), EXP);
	assert_int_equal(in(&rig, EXP + 1, 1), 0);
	rig_end(&rig);
}

static void capabilities_that_overlap(void **state)
{
	struct rig rig;

	rig_make(&rig, state);
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, PM, 0x00034401); /* into itself */
	assert_int_equal(rig_plug(&rig), SLOT);
	assert_int_equal(cfg_cap(&rig.guest, SLOT, PCI_CAP_ID_PM, 0), PM);
	assert_int_equal(cfg_cap(&rig.guest, SLOT, PCI_CAP_ID_MSI, 0), 0);
	rig_end(&rig);
}

/* Whatever bytes it has: it is refused, or it runs; each capability list ends. */
static void corrupt_config(void **state)
{
	uint32_t seed = 12345;

	for (unsigned round = 0; round < 300; round++) {
		uint8_t bytes[4096];
		struct rig rig;

		rig_make(&rig, &(void *){*state});
		for (unsigned i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1103515245 + 12345;
			bytes[i] = (uint8_t)(seed >> 16);
		}
		bytes[PCI_HEADER_TYPE] = 0;
		bytes[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
		if (round % 2) /* likely ones, so that deep code sees nonsense, too */
			for (unsigned i = 0x40; i < 0x100; i += 16) {
				static const uint8_t ids[] = {1, 3, 5, 9, 0x10, 0x11, 0x13};

				bytes[i] = ids[bytes[i] % sizeof(ids)];
				bytes[i + 1] = 0x40 | (bytes[i + 1] & 0xbc);
			}
		fake_vfio_poke(rig.f, RWY_VFIO_CONFIG, 0, bytes, sizeof(bytes));
		if (rig_plug(&rig) == SLOT) {
			assert_int_equal(cfg_cap(&rig.guest, SLOT, 0xee, 0), 0);
			for (unsigned reg = 0; reg < 4096; reg += 4)
				out(&rig, reg, 4, in(&rig, reg, 4) ^ 0xffffffff);
			out(&rig, 0x04, 2, MEMORY);
		}
		rig_end(&rig);
		assert_int_equal(nftw(*state, fake_root_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
		assert_int_equal(mkdir(*state, 0755), 0);
	}
}

static void msix_table_outside_its_bar(void **state)
{
	struct rig rig;

	rig_make(&rig, state);
	fake_vfio_poke32(rig.f, RWY_VFIO_CONFIG, MSIX + 4, 0xfffffff3);
	assert_int_equal(rig_plug(&rig), SLOT);
	assert_true(log_said("MSI-X table lies in no BAR"));
	assert_int_equal(cfg_cap(&rig.guest, SLOT, PCI_CAP_ID_MSIX, 0), 0);
	rig_end(&rig);
}

static void bar_of_no_size(void **state)
{
	struct rig rig;

	rig_make(&rig, state);
	rig.f->sizes[0] = 0x3000;
	rig_refused(&rig, -EPROTO, "cannot be");
}

static void bar_too_large(void **state)
{
	struct rig rig;

	rig_make(&rig, state);
	rig.f->sizes[0] = UINT64_C(1) << 40;
	rig.f->region_flags[0] = VFIO_REGION_INFO_FLAG_READ;
	rig_refused(&rig, -ENOSPC, "do not fit on the PCI bus");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(identity),
		RIG_TEST(capabilities),
		RIG_TEST(hidden_capabilities_are_unlinked),
		RIG_TEST(command),
		RIG_TEST(reads_come_from_the_hardware),
		RIG_TEST(all_ones_config),
		RIG_TEST(device_answers_nothing),
		RIG_TEST(bridge),
		RIG_TEST(capability_loop),
		RIG_TEST(capabilities_that_overlap),
		RIG_TEST(corrupt_config),
		RIG_TEST(msix_table_outside_its_bar),
		RIG_TEST(bar_of_no_size),
		RIG_TEST(bar_too_large),
	};

	return UNIT_RUN(tests);
}
