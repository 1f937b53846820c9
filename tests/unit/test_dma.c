/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/dma.h"
#include "tests/unit/log_catch.h"
#include "tests/unit/unit.h"

#include <errno.h>

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)
#define HVA ((void *)(uintptr_t)0x7f0000000000)

/* An IOMMU that remembers what it was told. */
struct chip {
	struct {
		uint64_t iova, len, hva;
	} maps[64];
	unsigned nr, calls, unmaps;
	unsigned fail_at; /* this call of map, 1 is the first; 0: none */
	int fail_with;
};

static int chip_map(void *ctx, rwy_iova iova, void *hva, uint64_t len)
{
	struct chip *chip = ctx;

	if (++chip->calls == chip->fail_at)
		return chip->fail_with;
	assert_in_range(chip->nr, 0, 63);
	chip->maps[chip->nr].iova = iova.v;
	chip->maps[chip->nr].len = len;
	chip->maps[chip->nr++].hva = (uintptr_t)hva;
	return 0;
}

static int chip_unmap(void *ctx, rwy_iova iova, uint64_t len)
{
	struct chip *chip = ctx;

	chip->unmaps++;
	for (unsigned i = 0; i < chip->nr;) {
		if (chip->maps[i].iova >= iova.v && chip->maps[i].iova - iova.v < len)
			chip->maps[i] = chip->maps[--chip->nr];
		else
			i++;
	}
	return 0;
}

static const struct rwy_dma_ops ops = {chip_map, chip_unmap};

static void open_dma(struct rwy_dma *dma, struct chip *chip, uint64_t memlock, unsigned mappings)
{
	const struct rwy_dma_limits limits = {4096, memlock, mappings};

	memset(chip, 0, sizeof(*chip));
	log_catch();
	rwy_dma_init(dma, &ops, chip, &limits);
}

static int map(struct rwy_dma *dma, uint64_t at, uint64_t len)
{
	return rwy_dma_map(dma, (rwy_iova){at}, HVA, len, true);
}

static void overlap(void **state)
{
	struct rwy_dma dma;
	struct chip chip;

	open_dma(&dma, &chip, UINT64_MAX, 100);
	assert_int_equal(map(&dma, 0x10000, 0x10000), 0);
	assert_int_equal(map(&dma, 0x30000, 0x10000), 0);
	assert_int_equal(map(&dma, 0x10000, 0x1000), -EEXIST);
	assert_int_equal(map(&dma, 0xf000, 0x2000), -EEXIST);
	assert_int_equal(map(&dma, 0x1f000, 0x2000), -EEXIST);
	assert_int_equal(map(&dma, 0, 0x100000), -EEXIST);
	assert_int_equal(map(&dma, 0x20000, 0x10000), 0); /* just between */
	assert_int_equal(chip.nr, 3);
	assert_int_equal(dma.pinned, 0x30000);
	rwy_dma_fini(&dma);
	assert_int_equal(chip.nr, 0);
}

static void alignment(void **state)
{
	struct rwy_dma dma;
	struct chip chip;

	open_dma(&dma, &chip, UINT64_MAX, 100);
	assert_int_equal(map(&dma, 0x10001, 0x1000), -EINVAL);
	assert_int_equal(map(&dma, 0x10000, 0x1001), -EINVAL);
	assert_int_equal(map(&dma, 0x10000, 0), -EINVAL);
	assert_int_equal(map(&dma, UINT64_MAX - 0xfff, 0x2000), -EINVAL);
	assert_int_equal(rwy_dma_map(&dma, (rwy_iova){0}, (char *)HVA + 8, 0x1000, true), -EINVAL);
	assert_int_equal(chip.calls, 0);
	rwy_dma_fini(&dma);
}

static void reserved(void **state)
{
	struct rwy_dma dma;
	struct chip chip;

	open_dma(&dma, &chip, UINT64_MAX, 100);
	assert_int_equal(map(&dma, 0xfee00000, 0x1000), -ERANGE);
	assert_true(log_said("interrupt window"));
	assert_int_equal(map(&dma, 0xfed00000, 0x101000), -ERANGE);
	assert_int_equal(map(&dma, 0xfc00000000, 4 * GIB + 0x1000), -ERANGE);
	assert_true(log_said("HyperTransport"));
	assert_int_equal(map(&dma, 0xfc00000000, 4 * GIB), 0);
	assert_int_equal(rwy_dma_reserve(&dma, 0xfc00001000, 0xfc00001fff, "a test"), -EEXIST);
	assert_int_equal(rwy_dma_reserve(&dma, 0x1000, 0x1fff, "a test"), 0);
	assert_int_equal(map(&dma, 0, 0x2000), -ERANGE);
	assert_int_equal(map(&dma, 0, 0x1000), 0);
	assert_int_equal(map(&dma, 0x2000, 0x1000), 0);
	rwy_dma_fini(&dma);
}

/* No limit of the kernel's may be found by running into it, and the message has the number. */
static void memlock_too_small(void **state)
{
	struct rwy_dma dma;
	struct chip chip;

	open_dma(&dma, &chip, 64 * MIB, 100);
	assert_int_equal(map(&dma, 0, 64 * MIB), 0);
	assert_int_equal(map(&dma, 0x40000000, 0x1000), -ENOMEM);
	assert_true(log_said("65 MiB"));
	assert_true(log_said("ulimit -l 66560"));
	/* Registers are not pinned. */
	assert_int_equal(rwy_dma_map(&dma, (rwy_iova){0xc0000000}, HVA, 0x4000, false), 0);
	assert_int_equal(rwy_dma_unmap(&dma, (rwy_iova){0}, 64 * MIB), 0);
	assert_int_equal(dma.pinned, 0);
	assert_int_equal(map(&dma, 0x40000000, 0x1000), 0);
	rwy_dma_fini(&dma);
}

static void mapping_limit(void **state)
{
	struct rwy_dma dma;
	struct chip chip;

	open_dma(&dma, &chip, UINT64_MAX, 3);
	assert_int_equal(map(&dma, 0, 2 * GIB), 0);
	assert_int_equal(map(&dma, 4 * GIB, 2 * GIB), -ENOSPC);
	assert_true(log_said("dma_entry_limit"));
	assert_int_equal(map(&dma, 4 * GIB, GIB), 0);
	assert_int_equal(map(&dma, 6 * GIB, 0x1000), -ENOSPC);
	rwy_dma_fini(&dma);
}

/* Cut where no huge page is, whatever the range begins with. */
static void pieces(void **state)
{
	struct rwy_dma dma;
	struct chip chip;

	open_dma(&dma, &chip, UINT64_MAX, 100);
	assert_int_equal(map(&dma, 4 * GIB + 2 * MIB, 2 * GIB), 0);
	assert_int_equal(chip.nr, 3);
	assert_int_equal(chip.maps[0].len, GIB - 2 * MIB);
	assert_int_equal(chip.maps[1].iova, 5 * GIB);
	assert_int_equal(chip.maps[1].hva, (uintptr_t)HVA + GIB - 2 * MIB);
	assert_int_equal(chip.maps[2].len, 2 * MIB);
	/* Never a part of a mapping, always all of a range in one call. */
	assert_int_equal(rwy_dma_unmap(&dma, (rwy_iova){5 * GIB}, 4 * MIB), -EINVAL);
	assert_int_equal(rwy_dma_unmap(&dma, (rwy_iova){4 * GIB + 2 * MIB}, 2 * GIB), 0);
	assert_int_equal(chip.unmaps, 1);
	assert_int_equal(chip.nr, 0);
	rwy_dma_fini(&dma);
}

static void failure_is_undone(void **state)
{
	struct rwy_dma dma;
	struct chip chip;

	open_dma(&dma, &chip, UINT64_MAX, 100);
	assert_int_equal(map(&dma, 0, GIB), 0);
	chip.fail_at = 4;
	chip.fail_with = -ENOMEM;
	assert_int_equal(map(&dma, 4 * GIB, 4 * GIB), -ENOMEM);
	assert_true(log_said("ulimit -l"));
	assert_int_equal(chip.nr, 1);
	assert_int_equal(dma.nr, 1);
	assert_int_equal(dma.pinned, GIB);
	assert_int_equal(map(&dma, 4 * GIB, 4 * GIB), 0);
	rwy_dma_fini(&dma);
	assert_int_equal(chip.nr, 0);
}

static void follows_the_map(void **state)
{
	static struct rwy_mem mem;
	struct rwy_mem_region region = {.size = 16 * MIB, .hva = HVA, .fd = -1}, out;
	struct rwy_dma dma;
	struct chip chip;

	open_dma(&dma, &chip, 48 * MIB, 100);
	rwy_mem_init(&mem);
	assert_int_equal(rwy_mem_add(&mem, &region), 0);
	region.gpa.v = 4 * GIB;
	assert_int_equal(rwy_mem_add(&mem, &region), 0);
	assert_int_equal(rwy_dma_follow(&dma, &mem), 0);
	assert_int_equal(chip.nr, 2);
	/* More, while it runs. */
	region.gpa.v = 5 * GIB;
	assert_int_equal(rwy_mem_add(&mem, &region), 0);
	assert_int_equal(chip.nr, 3);
	region.gpa.v = 6 * GIB;
	assert_int_equal(rwy_mem_add(&mem, &region), -ENOMEM);
	assert_int_equal(mem.nr, 3);
	assert_int_equal(rwy_mem_del(&mem, (rwy_gpa){4 * GIB}, (rwy_uva){0}, 16 * MIB, &out), 0);
	assert_int_equal(chip.nr, 2);
	rwy_dma_unfollow(&dma);
	assert_int_equal(chip.nr, 0);
	assert_int_equal(dma.pinned, 0);
	rwy_dma_fini(&dma);
	rwy_mem_fini(&mem);
}

/* All or nothing, and the number that is said is that of the whole guest. */
static void follow_fails_whole(void **state)
{
	static struct rwy_mem mem;
	struct rwy_mem_region region = {.size = 40 * MIB, .hva = HVA, .fd = -1};
	struct rwy_dma dma;
	struct chip chip;

	open_dma(&dma, &chip, 64 * MIB, 100);
	rwy_mem_init(&mem);
	assert_int_equal(rwy_mem_add(&mem, &region), 0);
	region.gpa.v = 4 * GIB;
	assert_int_equal(rwy_mem_add(&mem, &region), 0);
	assert_int_equal(rwy_dma_follow(&dma, &mem), -ENOMEM);
	assert_true(log_said("80 MiB"));
	assert_int_equal(chip.calls, 0);
	dma.limits.memlock = UINT64_MAX;
	chip.fail_at = 2;
	chip.fail_with = -EFAULT;
	assert_int_equal(rwy_dma_follow(&dma, &mem), -EFAULT);
	assert_int_equal(chip.nr, 0);
	assert_int_equal(mem.nr_listeners, 0);
	rwy_dma_fini(&dma);
	rwy_mem_fini(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlap),
		cmocka_unit_test(alignment),
		cmocka_unit_test(reserved),
		cmocka_unit_test(memlock_too_small),
		cmocka_unit_test(mapping_limit),
		cmocka_unit_test(pieces),
		cmocka_unit_test(failure_is_undone),
		cmocka_unit_test(follows_the_map),
		cmocka_unit_test(follow_fails_whole),
	};

	return UNIT_RUN(tests);
}
