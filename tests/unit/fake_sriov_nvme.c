/* SPDX-License-Identifier: BSD-3-Clause */
/* An NVMe controller with virtualization management, from its specification's figures. */
#include "tests/unit/fake_sriov_kernel.h"

#include <endian.h>

#define INVALID_STATE	 0x120
#define INVALID_NUMBER	 0x122
#define INVALID_RESOURCE 0x123

static void put16(uint8_t *page, unsigned at, unsigned value)
{
	page[at] = (uint8_t)value;
	page[at + 1] = (uint8_t)(value >> 8);
}

static unsigned given(const struct fake_sriov_pf *pf, unsigned resource)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < pf->nr_vfs; i++)
		sum += pf->nvme[i].nr[resource];
	return sum;
}

static int identify(struct fake_sriov_pf *pf, unsigned cns, unsigned first, uint8_t *page)
{
	unsigned nr = 0;

	if (cns == 0x14) {
		page[4] = 3;
		for (unsigned r = 0; r < 2; r++) {
			put16(page, 32 + 32 * r, pf->flexible[r]);
			put16(page, 36 + 32 * r, given(pf, r));
			put16(page, 40 + 32 * r, pf->kept[r]);
			put16(page, 44 + 32 * r, pf->flexible[r]);
			put16(page, 46 + 32 * r, 1);
		}
		return 0;
	}
	if (cns != 0x15)
		return 0x2;
	/* VF i is controller i + 1. */
	for (unsigned i = first ? first - 1 : 0; i < pf->total && nr < 127; i++, nr++) {
		uint8_t *entry = page + 32 + 32 * nr;

		put16(entry, 0, i + 1);
		entry[4] = pf->nvme[i].online;
		put16(entry, 8, i + 1);
		put16(entry, 10, pf->nvme[i].nr[0]);
		put16(entry, 12, pf->nvme[i].nr[1]);
	}
	page[0] = (uint8_t)nr;
	return 0;
}

static int manage(struct fake_sriov_pf *pf, unsigned cntlid, unsigned r, unsigned action,
		  unsigned nr)
{
	unsigned vf = cntlid - 1;

	if (action == 1) {
		if (cntlid != 0 || nr + given(pf, r) > pf->flexible[r])
			return INVALID_NUMBER;
		pf->kept_next[r] = nr;
		return 0;
	}
	if (cntlid == 0 || vf >= pf->nr_vfs)
		return INVALID_STATE;
	switch (action) {
	case 7:
		pf->nvme[vf].online = false;
		return 0;
	case 8:
		if (pf->nvme[vf].online)
			return INVALID_STATE;
		if (given(pf, r) - pf->nvme[vf].nr[r] + nr + pf->kept[r] > pf->flexible[r])
			return INVALID_NUMBER;
		pf->nvme[vf].nr[r] = nr;
		pf->nvme[vf].stale = true;
		return 0;
	case 9:
		if (pf->nvme[vf].nr[0] < 2 || pf->nvme[vf].nr[1] < 1 || pf->nvme[vf].stale)
			return INVALID_RESOURCE;
		pf->nvme[vf].online = true;
		return 0;
	}
	return INVALID_NUMBER;
}

int fake_sriov_nvme(const struct rwy_sriov_sys *sys, const char *name,
		    struct nvme_passthru_cmd *command)
{
	struct fake_sriov_kernel *kernel = sys->ctx;
	struct fake_sriov_pf *pf;
	unsigned idx;
	int rc;

	assert_int_equal(sscanf(name, "nvme%u", &idx), 1);
	assert_in_range(idx, 0, kernel->nr_pfs - 1);
	pf = &kernel->pfs[idx];
	if (command->opcode == 0x06) {
		assert_int_equal(command->data_len, 4096);
		return identify(pf, command->cdw10 & 0xff, command->cdw10 >> 16,
				(uint8_t *)(uintptr_t)command->addr);
	}
	assert_int_equal(command->opcode, 0x1c);
	rc = fake_sriov_kernel_begin(kernel);
	if (rc <= 0)
		return rc;
	rc = manage(pf, command->cdw10 >> 16, command->cdw10 >> 8 & 0xff, command->cdw10 & 0xf,
		    command->cdw11);
	fake_sriov_kernel_end(kernel);
	return rc;
}
