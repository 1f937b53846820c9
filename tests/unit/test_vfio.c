/* SPDX-License-Identifier: BSD-3-Clause */
/* A function's description, its regions and its interrupts, against a model of the kernel. */
#include "iommu/vfio_irq.h"
#include "tests/unit/fake_vfio.h"
#include "tests/unit/log_catch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

struct rig {
	struct fake_vfio fake;
	struct fake_vfio_function *f;
	struct rwy_vfio vfio;
};

static void rig_make(struct rig *rig)
{
	log_catch();
	fake_vfio_open(&rig->fake);
	rig->f = fake_vfio_add_nic(&rig->fake, "0000:01:10.0", 7);
}

static int rig_open(struct rig *rig)
{
	int fd = fcntl(rig->f->fd, F_DUPFD_CLOEXEC, 0);

	int err = rwy_vfio_open(&rig->vfio, &rig->fake.sys, rig->f->bdf, &fd);

	rwy_fd_close(&fd); /* still ours if that failed */
	return err;
}

static void rig_shut(struct rig *rig)
{
	rwy_vfio_close(&rig->vfio);
	fake_vfio_close(&rig->fake);
}

static void regions(void **state)
{
	struct rig rig;
	uint32_t value = 0x12345678, *at;
	void *mapped;

	rig_make(&rig);
	rig.f->sizes[5] = 0x1800; /* not whole pages: the rest is not mapped */
	rig.f->region_flags[5] = rig.f->region_flags[0];
	rig.f->sizes[4] = 0x400; /* has a page to itself, says the kernel */
	rig.f->region_flags[4] = rig.f->region_flags[0];
	rig.f->sizes[2] = 0x400; /* has not */
	rig.f->region_flags[2] = rig.f->region_flags[0] & ~VFIO_REGION_INFO_FLAG_MMAP;
	assert_int_equal(rig_open(&rig), 0);
	assert_int_equal(rig.vfio.regions[0].size, 0x4000);
	assert_int_equal(rig.vfio.regions[0].nr_areas, 1);
	assert_int_equal(rig.vfio.regions[0].areas[0].len, 0x4000);
	assert_int_equal(rig.vfio.regions[1].size, 0);
	assert_int_equal(rig.vfio.regions[5].areas[0].len, 0x1000);
	assert_int_equal(rig.vfio.regions[4].areas[0].len, 0x1000);
	assert_int_equal(rig.vfio.regions[2].nr_areas, 0);
	assert_int_equal(rwy_vfio_write(&rig.vfio, 4, 0x400, &value, 4), -ERANGE);
	assert_int_equal(rig.vfio.regions[RWY_VFIO_CONFIG].nr_areas, 0);
	assert_int_equal(rwy_vfio_write(&rig.vfio, 0, 0x3ffc, &value, 4), 0);
	assert_int_equal(fake_vfio_peek32(rig.f, 0, 0x3ffc), 0x12345678);
	assert_int_equal(rwy_vfio_write(&rig.vfio, 0, 0x3ffe, &value, 4), -ERANGE);
	assert_int_equal(rwy_vfio_read(&rig.vfio, 0, UINT64_MAX, &value, 4), -ERANGE);
	assert_int_equal(value, UINT32_MAX);
	assert_int_equal(rwy_vfio_map(&rig.vfio, 0, 0x2000, 0x2000, &mapped), 0);
	at = mapped;
	assert_int_equal(at[0x1ffc / 4], 0x12345678);
	munmap(mapped, 0x2000);
	assert_int_equal(rwy_vfio_reset(&rig.vfio), 0);
	assert_int_equal(rig.f->resets, 1);
	rig_shut(&rig);
}

static void not_pci(void **state)
{
	struct rig rig;

	rig_make(&rig);
	rig.f->device_flags = VFIO_DEVICE_FLAGS_PLATFORM;
	assert_int_equal(rig_open(&rig), -ENODEV);
	assert_true(log_said("no PCI function"));
	rig_shut(&rig);
}

static void no_reset(void **state)
{
	struct rig rig;

	rig_make(&rig);
	rig.f->device_flags = VFIO_DEVICE_FLAGS_PCI;
	assert_int_equal(rig_open(&rig), 0);
	assert_int_equal(rwy_vfio_reset(&rig.vfio), -EOPNOTSUPP);
	rig_shut(&rig);
}

/* ---- the chain behind a region's description ---- */

static void put_sparse(struct fake_vfio_function *f, unsigned region, uint32_t next, unsigned nr,
		       const struct vfio_region_sparse_mmap_area *areas)
{
	const struct vfio_region_info_cap_sparse_mmap cap = {
		.header = {VFIO_REGION_INFO_CAP_SPARSE_MMAP, 1, next},
		.nr_areas = nr,
	};
	size_t len = RWY_MIN(nr, 2u) * sizeof(*areas);

	memcpy(f->chain[region], &cap, sizeof(cap));
	memcpy(f->chain[region] + sizeof(cap), areas, len);
	f->chain_len[region] = (uint32_t)(sizeof(cap) + len);
}

static void sparse(void **state)
{
	const struct vfio_region_sparse_mmap_area areas[] = {{0, 0x1000}, {0x2000, 0x2000}};
	struct rig rig;

	rig_make(&rig);
	put_sparse(rig.f, 3, 0, 2, areas);
	assert_int_equal(rig_open(&rig), 0);
	assert_int_equal(rig.vfio.regions[3].nr_areas, 2);
	assert_int_equal(rig.vfio.regions[3].areas[1].off, 0x2000);
	rig_shut(&rig);
}

static void hostile_areas(void **state)
{
	static const struct {
		struct vfio_region_sparse_mmap_area areas[2];
		unsigned nr;
	} bad[] = {
		{{{0, 0x5000}}, 1},		      /* too long */
		{{{0x4000, 0x1000}}, 1},	      /* behind it */
		{{{0x800, 0x1000}}, 1},		      /* in the middle of a page */
		{{{UINT64_MAX - 0xfff, 0x1000}}, 1},  /* wraps */
		{{{0, 0x2000}, {0x1000, 0x1000}}, 2}, /* overlap */
		{{{0x1000, 0x1000}, {0, 0x1000}}, 2}, /* backwards */
		{{{0, 0x1000}}, 1000},		      /* more than there are */
		{{{0, 0x1000}}, UINT32_MAX},
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		struct rig rig;

		rig_make(&rig);
		put_sparse(rig.f, 3, 0, bad[i].nr, bad[i].areas);
		assert_int_equal(rig_open(&rig), -EPROTO);
		assert_true(log_said("region 3"));
		rig_shut(&rig);
	}
}

/* Chains that lead back, to nowhere, or to half a header end there; the region is mapped whole, as
 * if nothing had been said. */
static void capability_loops(void **state)
{
	static const uint32_t nexts[] = {sizeof(struct vfio_region_info), 8, 33, 0xfffffff8, 120};
	const struct vfio_region_sparse_mmap_area area = {0, 0x1000};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(nexts); i++) {
		struct vfio_info_cap_header head = {0x77, 1, nexts[i]};
		struct rig rig;

		rig_make(&rig);
		put_sparse(rig.f, 3, 0, 1, &area);
		memcpy(rig.f->chain[3], &head, sizeof(head));
		assert_int_equal(rig_open(&rig), 0);
		assert_int_equal(rig.vfio.regions[3].areas[0].len, 0x4000);
		rig_shut(&rig);
	}
}

static void endless_description(void **state)
{
	struct rig rig;

	rig_make(&rig);
	rig.f->chain_len[0] = 0x20000;
	assert_int_equal(rig_open(&rig), -E2BIG);
	rig_shut(&rig);
}

static void answers_nothing(void **state)
{
	struct rig rig;
	uint32_t value = 0;

	rig_make(&rig);
	assert_int_equal(rig_open(&rig), 0);
	rig.f->silent = true;
	assert_int_equal(rwy_vfio_read(&rig.vfio, 0, 0, &value, 4), -EIO);
	assert_int_equal(value, UINT32_MAX);
	rig_shut(&rig);
}

/* ---- interrupts ---- */

static void vectors_one_by_one(void **state)
{
	struct rwy_vfio_irq irq;
	struct rig rig;

	rig_make(&rig);
	rig.f->irq_counts[RWY_VFIO_MSIX] = 32;
	assert_int_equal(rig_open(&rig), 0);
	assert_int_equal(rwy_vfio_irq_init(&irq, &rig.vfio, RWY_VFIO_MSIX), 0);
	assert_int_equal(rwy_vfio_irq_update(&irq, 0), 0);
	assert_int_equal(rig.f->set_calls, 0);
	/* On, with nothing unmasked: one vector, so that the function changes its mode. */
	assert_int_equal(rwy_vfio_irq_update(&irq, 1), 0);
	assert_int_equal(rig.f->live[RWY_VFIO_MSIX], 1);
	for (int v = 0; v < 20; v++) {
		rwy_vfio_irq_use(&irq, (unsigned)v, 100 + v);
		assert_int_equal(rwy_vfio_irq_update(&irq, 1), 0);
	}
	assert_int_equal(rig.f->restarts, 1);
	assert_int_equal(rig.f->set_calls, 21);
	assert_int_equal(rig.f->triggers[RWY_VFIO_MSIX][19], 119);
	assert_int_equal(rwy_vfio_irq_update(&irq, 1), 0); /* nothing new: not a word */
	assert_int_equal(rig.f->set_calls, 21);
	rwy_vfio_irq_stop(&irq);
	assert_int_equal(rig.f->live[RWY_VFIO_MSIX], 0);
	rwy_vfio_irq_fini(&irq);
	rig_shut(&rig);
}

/* Where none can be added, all go off and on again: not once a vector. */
static void vectors_doubled(void **state)
{
	struct rwy_vfio_irq irq;
	struct rig rig;

	rig_make(&rig);
	rig.f->irq_counts[RWY_VFIO_MSIX] = 60;
	rig.f->fixed = true;
	assert_int_equal(rig_open(&rig), 0);
	assert_int_equal(rwy_vfio_irq_init(&irq, &rig.vfio, RWY_VFIO_MSIX), 0);
	for (int v = 0; v < 60; v++) {
		rwy_vfio_irq_use(&irq, (unsigned)v, 100 + v);
		assert_int_equal(rwy_vfio_irq_update(&irq, 1), 0);
	}
	assert_in_range(rig.f->restarts, 1, 7);
	for (int v = 0; v < 60; v++)
		assert_int_equal(rig.f->triggers[RWY_VFIO_MSIX][v], 100 + v);
	rwy_vfio_irq_fini(&irq);
	rig_shut(&rig);
}

/* The host has fewer than twice as many, but enough. */
static void host_is_short(void **state)
{
	struct rwy_vfio_irq irq;
	struct rig rig;

	rig_make(&rig);
	rig.f->irq_counts[RWY_VFIO_MSIX] = 32;
	rig.f->fixed = true;
	rig.f->short_of = 6;
	assert_int_equal(rig_open(&rig), 0);
	assert_int_equal(rwy_vfio_irq_init(&irq, &rig.vfio, RWY_VFIO_MSIX), 0);
	for (int v = 0; v < 6; v++) {
		rwy_vfio_irq_use(&irq, (unsigned)v, 100 + v);
		assert_int_equal(rwy_vfio_irq_update(&irq, 1), 0);
	}
	assert_int_equal(rig.f->live[RWY_VFIO_MSIX], 6);
	rwy_vfio_irq_use(&irq, 6, 106);
	assert_int_equal(rwy_vfio_irq_update(&irq, 1), -ENOSPC);
	assert_true(log_said("does not give 7 interrupt vectors"));
	rwy_vfio_irq_fini(&irq);
	rig_shut(&rig);
}

static void single(void **state)
{
	struct rig rig;

	rig_make(&rig);
	assert_int_equal(rig_open(&rig), 0);
	assert_int_equal(rwy_vfio_irq_single(&rig.vfio, RWY_VFIO_INTX, 9), -EOPNOTSUPP);
	assert_int_equal(rwy_vfio_irq_single(&rig.vfio, RWY_VFIO_REQ, 9), 0);
	assert_int_equal(rig.f->triggers[RWY_VFIO_REQ][0], 9);
	assert_int_equal(rwy_vfio_irq_single(&rig.vfio, RWY_VFIO_REQ, -1), 0);
	assert_int_equal(rig.f->triggers[RWY_VFIO_REQ][0], -1);
	rig_shut(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regions),
		cmocka_unit_test(not_pci),
		cmocka_unit_test(no_reset),
		cmocka_unit_test(sparse),
		cmocka_unit_test(hostile_areas),
		cmocka_unit_test(capability_loops),
		cmocka_unit_test(endless_description),
		cmocka_unit_test(answers_nothing),
		cmocka_unit_test(vectors_one_by_one),
		cmocka_unit_test(vectors_doubled),
		cmocka_unit_test(host_is_short),
		cmocka_unit_test(single),
	};

	return UNIT_RUN(tests);
}
