/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include "vmm/acpi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GPA 0xe0000

static const struct rwy_pci_window high = {0x10000000000, 0x4000000000};

struct fixture {
	uint8_t buf[0x10000];
	int len;
};

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0xee, sizeof(f));
	f.len = rwy_acpi_build(f.buf, sizeof(f.buf), GPA, 64, &high);
	*state = &f;
	return f.len > 0 ? 0 : -1;
}

static uint8_t sum(const uint8_t *at, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s += *at++;
	return s;
}

static uint64_t get(const uint8_t *at, unsigned len)
{
	uint64_t v = 0;

	memcpy(&v, at, len);
	return v;
}

/* The table at a guest address, its checksum seen to. */
static const uint8_t *table(struct fixture *f, uint64_t gpa, const char *signature)
{
	const uint8_t *t = f->buf + (gpa - GPA);
	uint32_t len = (uint32_t)get(t + 4, 4);

	assert_true(gpa >= GPA && gpa + len <= GPA + (uint64_t)f->len);
	assert_memory_equal(t, signature, 4);
	assert_int_equal(sum(t, len), 0);
	return t;
}

static const uint8_t *listed(struct fixture *f, unsigned i, const char *signature)
{
	const uint8_t *xsdt = table(f, get(f->buf + 24, 8), "XSDT");

	assert_int_equal(get(xsdt + 4, 4), 36 + 3 * 8);
	return table(f, get(xsdt + 36 + 8 * i, 8), signature);
}

static void root(void **state)
{
	struct fixture *f = *state;

	assert_memory_equal(f->buf, "RSD PTR ", 8);
	assert_int_equal(sum(f->buf, 20), 0);
	assert_int_equal(sum(f->buf, 36), 0);
	assert_int_equal(f->buf[15], 2);
}

static void fixed_description(void **state)
{
	struct fixture *f = *state;
	const uint8_t *fadt = listed(f, 0, "FACP");

	table(f, get(fadt + 140, 8), "DSDT");
	assert_int_equal(get(fadt + 40, 4), get(fadt + 140, 8));
	assert_memory_equal(f->buf + get(fadt + 36, 4) - GPA, "FACS", 4);
	assert_int_equal(get(fadt + 36, 4) % 64, 0);
	assert_int_equal(get(fadt + 46, 2), 9);	     /* SCI */
	assert_int_equal(get(fadt + 56, 4), 0x600);  /* PM1a event */
	assert_int_equal(get(fadt + 64, 4), 0x604);  /* PM1a control */
	assert_int_equal(get(fadt + 76, 4), 0x608);  /* PM timer */
	assert_int_equal(get(fadt + 109, 2) & 2, 0); /* no keyboard controller */
	assert_int_equal(get(fadt + 112, 4) & (1 << 4 | 1 << 10 | 1 << 20), 1 << 10);
	assert_int_equal(get(fadt + 120, 8), 0xcf9);
	assert_int_equal(fadt[128], 6);
}

/* The 64-bit window of PCI0: first, last and size at these offsets of a QWord descriptor. */
static const uint8_t *window(struct fixture *f, uint8_t tag)
{
	const uint8_t *dsdt = table(f, get(listed(f, 0, "FACP") + 140, 8), "DSDT");
	const uint8_t *end = dsdt + get(dsdt + 4, 4) - 46, *found = NULL;

	for (const uint8_t *at = dsdt; at < end; at++)
		if (at[0] == tag && get(at + 1, 2) == 43 && at[3] == 0) {
			assert_null(found);
			found = at;
		}
	assert_non_null(found);
	return found;
}

static void pci_window(void **state)
{
	static const struct rwy_pci_window none;
	struct fixture *f = *state;
	const uint8_t *at = window(f, 0x8a);

	assert_int_equal(get(at + 14, 8), high.base);
	assert_int_equal(get(at + 22, 8), high.base + high.size - 1);
	assert_int_equal(get(at + 38, 8), high.size);
	f->len = rwy_acpi_build(f->buf, sizeof(f->buf), GPA, 64, &none);
	assert_true(f->len > 0);
	window(f, 0x84);
}

static void cpus(void **state)
{
	struct fixture *f = *state;
	const uint8_t *madt = listed(f, 1, "APIC");
	const uint8_t *end = madt + get(madt + 4, 4);
	unsigned nr_cpus = 0, nr_ioapics = 0;

	for (const uint8_t *e = madt + 44; e < end; e += e[1]) {
		assert_true(e[1] >= 6 && e + e[1] <= end);
		if (e[0] == 0) {
			assert_int_equal(e[3], nr_cpus);
			assert_int_equal(get(e + 4, 4), 1);
			nr_cpus++;
		}
		nr_ioapics += e[0] == 1;
	}
	assert_int_equal(nr_cpus, 64);
	assert_int_equal(nr_ioapics, 1);
}

static void pci(void **state)
{
	struct fixture *f = *state;
	const uint8_t *mcfg = listed(f, 2, "MCFG");

	assert_int_equal(get(mcfg + 44, 8), 0xb0000000);
	assert_int_equal(mcfg[54], 0);
	assert_int_equal(mcfg[55], 31);
}

static void no_room(void **state)
{
	struct fixture *f = *state;

	for (size_t len = 0; len < (size_t)f->len; len += 61)
		assert_int_equal(rwy_acpi_build(f->buf, len, GPA, 64, &high), -ENOSPC);
	assert_int_equal(rwy_acpi_build(f->buf, sizeof(f->buf), GPA, 256, &high), -ENOSPC);
}

/* iasl takes each table apart without complaint. */
static void disassembles(void **state)
{
	struct fixture *f = *state;
	const struct {
		unsigned i;
		const char *signature;
	} tables[] = {{0, "FACP"}, {1, "APIC"}, {2, "MCFG"}, {0, "DSDT"}};
	char dir[] = "/tmp/test_acpi.XXXXXX";
	char cmd[160];

	assert_non_null(mkdtemp(dir));
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(tables); i++) {
		const uint8_t *t = strcmp(tables[i].signature, "DSDT") == 0
					   ? table(f, get(listed(f, 0, "FACP") + 140, 8), "DSDT")
					   : listed(f, tables[i].i, tables[i].signature);
		snprintf(cmd, sizeof(cmd), "%s/t.aml", dir);
		FILE *out = fopen(cmd, "w");
		assert_non_null(out);
		assert_int_equal(fwrite(t, get(t + 4, 4), 1, out), 1);
		fclose(out);
		snprintf(cmd, sizeof(cmd),
			 "cd %s && iasl -d t.aml >log 2>&1 && test -s t.dsl && "
			 "! grep -iE 'error|invalid|warning|unknown' log t.dsl",
			 dir);
		assert_int_equal(system(cmd), 0);
	}
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(root, setup),
		cmocka_unit_test_setup(fixed_description, setup),
		cmocka_unit_test_setup(pci_window, setup),
		cmocka_unit_test_setup(cpus, setup),
		cmocka_unit_test_setup(pci, setup),
		cmocka_unit_test_setup(no_room, setup),
		cmocka_unit_test_setup(disassembles, setup),
	};

	return UNIT_RUN(tests);
}
