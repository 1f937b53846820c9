/* SPDX-License-Identifier: BSD-3-Clause */
/* The network card's VF of fake_vfio.h. */
#include "tests/unit/fake_vfio.h"

#include <string.h>

/* Power management at 0x40, MSI at 0x50, MSI-X at 0x70 (table in BAR 3 at 0, pending bits at
 * 0x2000), PCI Express at 0xa0; a serial number at 0x100, SR-IOV at 0x160, ARI at 0x140. */
static void fill_config(const struct fake_vfio_function *f)
{
	static const struct {
		uint16_t off;
		uint32_t value;
	} words[] = {
		{0x00, 0x10ca8086},  {0x04, 0x00100000},  {0x08, 0x02000001},  {0x10, 0x0000000c},
		{0x1c, 0x0000000c},  {0x2c, 0x00008086},  {0x34, 0x40},	       {0x40, 0x00035001},
		{0x50, 0x00847005},  {0x70, 0x0002a011},  {0x74, 0x00000003},  {0x78, 0x00002003},
		{0xa0, 0x00020010},  {0xa4, 0x10008cc2},  {0xac, 0x00036c11},  {0xb0, 0x10110040},
		{0x100, 0x14010003}, {0x104, 0x11223344}, {0x108, 0x55667788}, {0x140, 0x1601000e},
		{0x160, 0x00010010},
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(words); i++)
		fake_vfio_poke32(f, RWY_VFIO_CONFIG, words[i].off, words[i].value);
}

struct fake_vfio_function *fake_vfio_add_nic(struct fake_vfio *fake, const char *bdf,
					     unsigned group)
{
	struct fake_vfio_function *f = &fake->functions[fake->nr_functions];

	*f = (struct fake_vfio_function){
		.bdf = bdf,
		.group = group,
		.fd = fake_vfio_file("function", RWY_VFIO_REGIONS * FAKE_VFIO_REGION),
		.device_flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
		.sizes = {[0] = 0x4000, [3] = 0x4000, [RWY_VFIO_CONFIG] = 4096},
		.irq_counts = {[RWY_VFIO_MSI] = 1,
			       [RWY_VFIO_MSIX] = 3,
			       [RWY_VFIO_ERR] = 1,
			       [RWY_VFIO_REQ] = 1},
		.resample_fd = -1,
	};
	memset(f->triggers, 0xff, sizeof(f->triggers));
	for (unsigned i = 0; i < RWY_VFIO_REGIONS; i++)
		if (f->sizes[i])
			f->region_flags[i] = VFIO_REGION_INFO_FLAG_READ |
					     VFIO_REGION_INFO_FLAG_WRITE |
					     (i < 6 ? VFIO_REGION_INFO_FLAG_MMAP : 0);
	fake->group_fds[fake->nr_functions++] = fake_vfio_file("group", 1);
	fill_config(f);
	return f;
}
