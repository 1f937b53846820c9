/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/acpi.h"

#include "vmm/dsdt.h"
#include "vmm/layout.h"
#include "vmm/pm.h"
#include "vmm/rtc.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

_Static_assert(RWY_LAYOUT_MMIO32_LAST == RWY_LAYOUT_MMIO32_END - 1, "the DSDT's window");
_Static_assert(RWY_LAYOUT_MMIO32_SIZE == RWY_LAYOUT_MMIO32_END - RWY_LAYOUT_MMIO32,
	       "the DSDT's window");
_Static_assert(RWY_LAYOUT_MMIO64 + RWY_LAYOUT_MMIO64_SIZE - 1 == RWY_LAYOUT_MMIO64_LAST,
	       "the DSDT's window");

#define PACKED __attribute__((packed))

struct rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} PACKED;

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} PACKED;

/* Generic address structure */
struct address {
	uint8_t space;
	uint8_t bits;
	uint8_t offset;
	uint8_t access;
	uint64_t address;
} PACKED;

struct fadt {
	struct header header;
	uint32_t facs, dsdt;
	uint8_t reserved1, profile;
	uint16_t sci;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios, pstate;
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_len, pm1_control_len, pm2_control_len, pm_timer_len;
	uint8_t gpe0_len, gpe1_len, gpe1_base, cst;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_arch;
	uint8_t reserved2;
	uint32_t flags;
	struct address reset;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control;
	struct address x_pm_timer, x_gpe0, x_gpe1, sleep_control, sleep_status;
	uint64_t hypervisor;
} PACKED;
_Static_assert(sizeof(struct fadt) == 276, "FADT revision 6");

struct facs {
	char signature[4];
	uint32_t length;
	uint32_t hardware, waking, global_lock, flags;
	uint64_t x_waking;
	uint8_t version;
	uint8_t reserved[31];
} PACKED;
_Static_assert(sizeof(struct facs) == 64, "FACS version 2");

struct madt_cpu {
	uint8_t type, length, uid, apic_id;
	uint32_t flags;
} PACKED;

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} PACKED;

struct madt_override {
	uint8_t type, length, bus, source;
	uint32_t gsi;
	uint16_t flags;
} PACKED;

struct madt_nmi {
	uint8_t type, length, uid;
	uint16_t flags;
	uint8_t lint;
} PACKED;

struct madt {
	struct header header;
	uint32_t lapic, flags;
	struct madt_ioapic ioapic;
	struct madt_override sci;
	struct madt_nmi nmi;
	struct madt_cpu cpus[]; /* counted by header.length */
} PACKED;

struct mcfg {
	struct header header;
	uint64_t reserved1;
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved2;
} PACKED;

struct xsdt {
	struct header header;
	uint64_t tables[3];
} PACKED;

/* A QWord address space descriptor (ACPI 6.5 section 6.4.3.5.1) */
struct qword {
	uint8_t tag;
	uint16_t length;
	uint8_t type, flags, type_flags;
	uint64_t granularity, first, last, translation, size;
} PACKED;
#define TAG_QWORD  0x8a
#define TAG_VENDOR 0x84 /* nobody looks at it */

#define FADT_WBINVD (1u << 0)
#define FADT_C1	    (1u << 2)
#define FADT_NO_SLEEP                                                              \
	(1u << 5) /* no fixed sleep button; the power button is fixed: bit 4 clear \
		   */
#define FADT_NO_RTC_WAKE (1u << 6)
#define FADT_TIMER_32	 (1u << 8)
#define FADT_RESET	 (1u << 10)

/* Bit 1 clear says that there is no keyboard controller to look for, which takes half a second. */
#define BOOT_NO_VGA (1u << 2)

#define NO_C_STATE 0xfff
#define SPACE_IO   1

#define MADT_PICS	 1
#define MADT_ENABLED	 1
#define FLAGS_LEVEL_HIGH 0xd

/* What is left of the buffer. */
struct builder {
	uint8_t *at;
	size_t left;
	uint64_t gpa;
};

/* Room for a table, zeroed; NULL when there is none. Tables start at multiples of 64. */
static void *take(struct builder *b, size_t len, uint64_t *gpa)
{
	size_t room = RWY_ALIGN_UP(len, 64);
	void *at = b->at;

	*gpa = b->gpa;
	if (room > b->left)
		return NULL;
	memset(at, 0, room);
	b->at += room;
	b->left -= room;
	b->gpa += room;
	return at;
}

static uint8_t checksum(const void *table, size_t len)
{
	const uint8_t *bytes = table;
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += bytes[i];
	return (uint8_t)-sum;
}

static void *begin(struct builder *b, const char *signature, uint8_t revision, size_t len,
		   uint64_t *gpa)
{
	struct header *h = take(b, len, gpa);

	if (!h)
		return NULL;
	*h = (struct header){
		.length = (uint32_t)len,
		.revision = revision,
		.oem_revision = 1,
		.creator_revision = 1,
	};
	memcpy(h->signature, signature, sizeof(h->signature));
	memcpy(h->oem_id, "RINGWY", sizeof(h->oem_id));
	memcpy(h->oem_table_id, "RINGWAY ", sizeof(h->oem_table_id));
	memcpy(h->creator_id, "RWY ", sizeof(h->creator_id));
	return h;
}

static void finish(struct header *h)
{
	h->checksum = checksum(h, h->length);
}

static struct address port(uint16_t at, uint8_t bytes)
{
	/* Access size: 1 is a byte, 2 a word, 3 a double word. */
	return (struct address){.space = SPACE_IO,
				.bits = (uint8_t)(bytes * 8),
				.access = bytes >= 4 ? 3 : bytes,
				.address = at};
}

static void fill_fadt(struct fadt *f, uint64_t facs, uint64_t dsdt_gpa)
{
	const uint16_t event = RWY_LAYOUT_PM_PORT + RWY_PM_EVENT;
	const uint16_t control = RWY_LAYOUT_PM_PORT + RWY_PM_CONTROL;
	const uint16_t timer = RWY_LAYOUT_PM_PORT + RWY_PM_TIMER;

	f->facs = (uint32_t)facs;
	f->dsdt = (uint32_t)dsdt_gpa;
	f->x_dsdt = dsdt_gpa;
	f->sci = RWY_LAYOUT_SCI_GSI;
	f->pm1a_event = event;
	f->pm1a_control = control;
	f->pm_timer = timer;
	f->pm1_event_len = 4;
	f->pm1_control_len = 2;
	f->pm_timer_len = 4;
	f->x_pm1a_event = port(event, 4);
	f->x_pm1a_event.access = 2;
	f->x_pm1a_control = port(control, 2);
	f->x_pm_timer = port(timer, 4);
	f->c2_latency = NO_C_STATE;
	f->c3_latency = NO_C_STATE;
	f->century = RWY_RTC_CENTURY;
	f->boot_arch = BOOT_NO_VGA;
	f->flags = FADT_WBINVD | FADT_C1 | FADT_NO_SLEEP | FADT_NO_RTC_WAKE | FADT_TIMER_32 |
		   FADT_RESET;
	f->reset = port(RWY_LAYOUT_RESET_PORT, 1);
	f->reset_value = RWY_PM_RESET_VALUE;
	f->minor = 5;
	memcpy(&f->hypervisor, "RINGWAY", 8);
}

static void fill_madt(struct madt *m, unsigned nr_cpus)
{
	m->lapic = RWY_LAYOUT_LAPIC;
	m->flags = MADT_PICS;
	m->ioapic = (struct madt_ioapic){.type = 1, .length = 12, .address = RWY_LAYOUT_IOAPIC};
	m->sci = (struct madt_override){.type = 2,
					.length = 10,
					.source = RWY_LAYOUT_SCI_GSI,
					.gsi = RWY_LAYOUT_SCI_GSI,
					.flags = FLAGS_LEVEL_HIGH};
	m->nmi = (struct madt_nmi){.type = 4, .length = 6, .uid = 0xff, .lint = 1};
	for (unsigned i = 0; i < nr_cpus; i++)
		m->cpus[i] = (struct madt_cpu){.type = 0,
					       .length = 8,
					       .uid = (uint8_t)i,
					       .apic_id = (uint8_t)i,
					       .flags = MADT_ENABLED};
}

static void fill_rsdp(struct rsdp *r, uint64_t xsdt)
{
	memcpy(r->signature, "RSD PTR ", sizeof(r->signature));
	memcpy(r->oem_id, "RINGWY", sizeof(r->oem_id));
	r->revision = 2;
	r->length = sizeof(*r);
	r->xsdt = xsdt;
	r->checksum = checksum(r, 20);
	r->extended_checksum = checksum(r, sizeof(*r));
}

/* The only one in the table whose addresses are those. */
static void move_window(struct header *table, const struct rwy_pci_window *high)
{
	uint8_t *at = (uint8_t *)table, *end = at + table->length - sizeof(struct qword);
	struct qword q = {0};

	for (; at <= end; at++) {
		memcpy(&q, at, sizeof(q));
		if (q.tag == TAG_QWORD && q.length == sizeof(q) - 3 &&
		    q.first == RWY_LAYOUT_MMIO64 && q.last == RWY_LAYOUT_MMIO64_LAST)
			break;
	}
	assert(at <= end);
	q.first = high->base;
	q.size = high->size;
	q.last = high->base + high->size - 1;
	if (!high->size)
		q.tag = TAG_VENDOR;
	memcpy(at, &q, sizeof(q));
	table->checksum = 0;
	finish(table);
}

int rwy_acpi_build(uint8_t *buf, size_t len, uint64_t gpa, unsigned nr_cpus,
		   const struct rwy_pci_window *high)
{
	struct builder b = {.at = buf, .left = len, .gpa = gpa};
	uint64_t rsdp_gpa, xsdt_gpa, facs_gpa, dsdt_gpa, fadt_gpa, madt_gpa, mcfg_gpa;
	struct rsdp *rsdp = take(&b, sizeof(*rsdp), &rsdp_gpa);
	struct xsdt *xsdt = begin(&b, "XSDT", 1, sizeof(*xsdt), &xsdt_gpa);
	struct facs *facs = take(&b, sizeof(*facs), &facs_gpa);
	struct fadt *fadt = begin(&b, "FACP", 6, sizeof(*fadt), &fadt_gpa);
	struct madt *madt =
		begin(&b, "APIC", 5, sizeof(*madt) + nr_cpus * sizeof(madt->cpus[0]), &madt_gpa);
	struct mcfg *mcfg = begin(&b, "MCFG", 1, sizeof(*mcfg), &mcfg_gpa);
	void *dsdt_at = take(&b, sizeof(dsdt), &dsdt_gpa);

	if (!rsdp || !xsdt || !facs || !fadt || !madt || !mcfg || !dsdt_at ||
	    nr_cpus > RWY_ACPI_CPUS_MAX)
		return -ENOSPC;
	memcpy(dsdt_at, dsdt, sizeof(dsdt));
	move_window(dsdt_at, high);
	memcpy(facs->signature, "FACS", sizeof(facs->signature));
	facs->length = sizeof(*facs);
	facs->version = 2;
	fill_fadt(fadt, facs_gpa, dsdt_gpa);
	finish(&fadt->header);
	fill_madt(madt, nr_cpus);
	finish(&madt->header);
	mcfg->base = RWY_LAYOUT_ECAM;
	mcfg->last_bus = RWY_LAYOUT_LAST_BUS;
	finish(&mcfg->header);
	xsdt->tables[0] = fadt_gpa;
	xsdt->tables[1] = madt_gpa;
	xsdt->tables[2] = mcfg_gpa;
	finish(&xsdt->header);
	fill_rsdp(rsdp, xsdt_gpa);
	return (int)(len - b.left);
}
