/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Configuration space of a passed-through function. The guest sees a copy of the hardware's with
 * only the capabilities that mean something to it; of those, some bytes stay the hardware's to
 * read, some to write. Whatever the hardware says is walked without trust.
 */
#include "vmm/pci_bytes.h"
#include "vmm/vfio_pci_priv.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#define RWY_STEM "vfio_config"

#define get16 rwy_pci_bytes_get16
#define get32 rwy_pci_bytes_get32
#define put16 rwy_pci_bytes_put16
#define put32 rwy_pci_bytes_put32

#define HEADER	  0x40
#define EXT_FIRST 0x100
#define BAR_MIN	  4096
#define PORTS_MIN 4
#define PORTS_MAX 256
#define MSIX_LEN  12
#define ALL_ONES  0xffffffffu

#define EXP_V1_LEN	 0x14
#define EXP_V2_LEN	 0x3c
#define EXP_FLAGS_KEEP	 0xfe0f /* all but the type */
#define EXP_RC_END	 (PCI_EXP_TYPE_RC_END << 4)
#define EXP_LINK	 0x0c /* link capabilities, control, status */
#define EXP_LINK2	 0x2c
#define EXT_ID(header)	 ((header)&0xffff)
#define EXT_NEXT(header) ((header) >> 20 & 0xffc)

/* The guest reads, and perhaps writes, the hardware's own bytes. */
static void pass(struct rwy_vfio_pci *t, unsigned off, unsigned len, bool write)
{
	memset(t->reads + off, 1, len);
	if (!write)
		return;
	memset(t->writes + off, 1, len);
	memset(t->pci.writable + off, 0xff, len);
}

/* ---- header and BARs ---- */

static void init_header(struct rwy_vfio_pci *t, const uint8_t *raw,
			const struct rwy_pci_dev_ops *ops)
{
	const struct rwy_pci_id id = {
		.vendor = get16(raw + PCI_VENDOR_ID),
		.device = get16(raw + PCI_DEVICE_ID),
		.sub_vendor = get16(raw + PCI_SUBSYSTEM_VENDOR_ID),
		.sub_device = get16(raw + PCI_SUBSYSTEM_ID),
		.class_code = get32(raw + PCI_CLASS_REVISION) >> 8,
		.revision = raw[PCI_REVISION_ID],
	};
	struct rwy_pci_dev *pci = &t->pci;

	rwy_pci_dev_init(pci, ops, t->name, &id);
	pci->config[PCI_MIN_GNT] = raw[PCI_MIN_GNT];
	pci->config[PCI_MAX_LAT] = raw[PCI_MAX_LAT];
	put16(pci->writable + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
						   PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
						   PCI_COMMAND_INTX_DISABLE);
	pci->writable[PCI_LATENCY_TIMER] = 0xff;
	pass(t, PCI_STATUS, 2, true);
	if (raw[PCI_INTERRUPT_PIN] && t->vfio.irqs[RWY_VFIO_INTX].nr) {
		pci->config[PCI_INTERRUPT_PIN] = 1;
		t->has_intx = true;
	}
}

/* No root port passes ports on. What can be done through them can be done through memory, mostly.
 */
static void init_ports(struct rwy_vfio_pci *t, unsigned i, uint64_t size)
{
	if (t->config.bridge || !RWY_IS_POW2(size) || size < PORTS_MIN || size > PORTS_MAX)
		rwy_info("%s: the guest does without the ports of BAR %u: %s", t->vfio.name, i,
			 t->config.bridge ? "it is behind a root port" : "so many cannot be");
	else
		rwy_pci_dev_add_bar_of(&t->pci, i, size, PCI_BASE_ADDRESS_SPACE_IO);
}

static int init_bars(struct rwy_vfio_pci *t, const uint8_t *raw)
{
	for (unsigned i = 0; i < RWY_PCI_ROM; i++) {
		uint64_t size = t->vfio.regions[i].size;
		uint8_t flags = raw[PCI_BASE_ADDRESS_0 + 4 * i] & ~PCI_BASE_ADDRESS_MEM_MASK;
		bool wide =
			(flags & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;

		if (size && flags & PCI_BASE_ADDRESS_SPACE_IO)
			init_ports(t, i, size);
		if (size == 0 || flags & PCI_BASE_ADDRESS_SPACE_IO)
			continue;
		if (!RWY_IS_POW2(size) || (wide && i == RWY_PCI_ROM - 1)) {
			rwy_error("%s: BAR %u of 0x%llx bytes cannot be", t->vfio.name, i,
				  (unsigned long long)size);
			return -EPROTO;
		}
		rwy_pci_dev_add_bar_of(&t->pci, i, RWY_MAX(size, (uint64_t)BAR_MIN), flags);
		i += wide;
	}
	uint64_t rom = t->vfio.regions[RWY_VFIO_ROM].size;
	if (rom && RWY_IS_POW2(rom) && rom <= UINT32_MAX)
		rwy_pci_dev_add_bar_of(&t->pci, RWY_PCI_ROM, RWY_MAX(rom, (uint64_t)BAR_MIN), 0);
	return 0;
}

/* ---- capabilities ---- */

/* On the root bus there is no link: the function must not say that it is behind one. */
static void make_integrated(uint8_t *cap, unsigned len)
{
	put16(cap + PCI_EXP_FLAGS, (get16(cap + PCI_EXP_FLAGS) & EXP_FLAGS_KEEP) | EXP_RC_END);
	memset(cap + EXP_LINK, 0, 8);
	if (len > EXP_LINK2)
		memset(cap + EXP_LINK2, 0, 8);
}

static void adopt_express(struct rwy_vfio_pci *t, unsigned at, unsigned len)
{
	if (!t->config.bridge)
		make_integrated(t->pci.config + at, len);
	pass(t, at + PCI_EXP_DEVCTL, 4, true);
	if (len == EXP_V2_LEN)
		pass(t, at + PCI_EXP_DEVCTL2, 4, true);
}

static unsigned msi_len(uint16_t flags)
{
	unsigned len = flags & PCI_MSI_FLAGS_64BIT ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32;

	return flags & PCI_MSI_FLAGS_MASKBIT ? len + 8 : len - 2;
}

static void adopt_msi(struct rwy_vfio_pci *t, unsigned at, unsigned len)
{
	uint8_t *writable = t->pci.writable + at;
	uint16_t flags = get16(t->pci.config + at + PCI_MSI_FLAGS);
	bool wide = flags & PCI_MSI_FLAGS_64BIT;

	t->msi = at;
	put16(t->pci.config + at + PCI_MSI_FLAGS,
	      flags & ~(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE));
	put16(writable + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	memset(writable + PCI_MSI_ADDRESS_LO, 0xff, wide ? 8 : 4);
	put16(writable + (wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), 0xffff);
	if (flags & PCI_MSI_FLAGS_MASKBIT) {
		memset(t->pci.config + at + len - 8, 0, 8);
		memset(writable + len - 8, 0xff, 4);
	}
}

static bool in_bar(const struct rwy_vfio_pci *t, const struct rwy_vfio_pci_range *range)
{
	return range->bar < RWY_PCI_ROM &&
	       rwy_base_inside(range->off, range->len, t->vfio.regions[range->bar].size);
}

static void adopt_msix(struct rwy_vfio_pci *t, unsigned at, unsigned len)
{
	uint8_t *cap = t->pci.config + at;
	uint16_t flags = get16(cap + PCI_MSIX_FLAGS);
	unsigned nr = (flags & PCI_MSIX_FLAGS_QSIZE) + 1u;
	uint32_t table = get32(cap + PCI_MSIX_TABLE), pba = get32(cap + PCI_MSIX_PBA);

	t->table = (struct rwy_vfio_pci_range){table & PCI_MSIX_TABLE_BIR,
					       table & PCI_MSIX_TABLE_OFFSET,
					       (uint64_t)nr * PCI_MSIX_ENTRY_SIZE};
	t->pba = (struct rwy_vfio_pci_range){pba & PCI_MSIX_PBA_BIR, pba & PCI_MSIX_PBA_OFFSET,
					     (uint64_t)(nr + 63) / 64 * 8};
	t->msix_cap = at;
	put16(cap + PCI_MSIX_FLAGS, flags & PCI_MSIX_FLAGS_QSIZE);
	put16(t->pci.writable + at + PCI_MSIX_FLAGS,
	      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
}

static void adopt_pm(struct rwy_vfio_pci *t, unsigned at, unsigned len)
{
	t->pm = at;
	pass(t, at + PCI_PM_CTRL, 2, true);
}

static void adopt_as_is(struct rwy_vfio_pci *t, unsigned at, unsigned len)
{
	pass(t, at + PCI_CAP_LIST_NEXT + 1, len - 2, true);
}

static void adopt_to_read(struct rwy_vfio_pci *t, unsigned at, unsigned len)
{
	pass(t, at + PCI_CAP_LIST_NEXT + 1, len - 2, false);
}

/* What a guest gets to see, and how long it is. 0: not this one. */
static unsigned known(const uint8_t *raw, unsigned at, unsigned room,
		      void (**adopt)(struct rwy_vfio_pci *t, unsigned at, unsigned len))
{
	switch (raw[at]) {
	case PCI_CAP_ID_PM:
		*adopt = adopt_pm;
		return PCI_PM_SIZEOF;
	case PCI_CAP_ID_VPD:
		*adopt = adopt_as_is;
		return PCI_CAP_VPD_SIZEOF;
	case PCI_CAP_ID_AF:
		*adopt = adopt_as_is;
		return PCI_CAP_AF_SIZEOF;
	case PCI_CAP_ID_VNDR:
		*adopt = adopt_to_read;
		return room > 2 && raw[at + 2] > 2 ? raw[at + 2] : 3;
	case PCI_CAP_ID_MSI:
		*adopt = adopt_msi;
		return room > 3 ? msi_len(get16(raw + at + PCI_MSI_FLAGS)) : room + 1;
	case PCI_CAP_ID_MSIX:
		*adopt = adopt_msix;
		return MSIX_LEN;
	case PCI_CAP_ID_EXP:
		*adopt = adopt_express;
		return room > 3 && (raw[at + PCI_EXP_FLAGS] & PCI_EXP_FLAGS_VERS) < 2 ? EXP_V1_LEN
										      : EXP_V2_LEN;
	}
	return 0;
}

/* The chain may lead anywhere: each place is visited once, and no two capabilities overlap. */
static void init_caps(struct rwy_vfio_pci *t, const uint8_t *raw)
{
	void (*adopt)(struct rwy_vfio_pci *, unsigned, unsigned) = NULL;
	uint8_t taken[RWY_PCI_CONFIG] = {0};
	uint8_t *link = &t->pci.config[PCI_CAPABILITY_LIST];
	unsigned at = raw[PCI_CAPABILITY_LIST];

	if (!(get16(raw + PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return;
	for (; at; at = raw[at + PCI_CAP_LIST_NEXT]) {
		at &= ~3u;
		if (at < HEADER || taken[at] || get32(raw + at) == ALL_ONES) {
			rwy_warn("%s: its list of capabilities is damaged at 0x%02x, the rest is "
				 "ignored",
				 t->vfio.name, at);
			return;
		}
		unsigned len = known(raw, at, RWY_PCI_CONFIG - at, &adopt);
		taken[at] = 1;
		if (len == 0)
			continue;
		if (len > RWY_PCI_CONFIG - at || memchr(taken + at + 1, 1, len - 1)) {
			rwy_warn("%s: capability 0x%02x at 0x%02x does not fit, it is ignored",
				 t->vfio.name, raw[at], at);
			continue;
		}
		memset(taken + at, 1, len);
		memcpy(t->pci.config + at, raw + at, len);
		t->pci.config[at + PCI_CAP_LIST_NEXT] = 0;
		*link = (uint8_t)at;
		link = &t->pci.config[at + PCI_CAP_LIST_NEXT];
		t->pci.config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
		adopt(t, at, len);
	}
}

/* Extended ones: SR-IOV, ARI, resizable BARs, ATS and all that needs a bridge's help are not for a
 * guest; a serial number, error registers and the vendor's own are, to read. */
static unsigned known_ext(const uint8_t *raw, unsigned at)
{
	switch (EXT_ID(get32(raw + at))) {
	case PCI_EXT_CAP_ID_DSN:
		return PCI_EXT_CAP_DSN_SIZEOF;
	case PCI_EXT_CAP_ID_ERR:
		return 0x48;
	case PCI_EXT_CAP_ID_VNDR:
		return at + 8 <= RWY_PCI_CONFIG_MAX ? get32(raw + at + 4) >> 20 : 0;
	}
	return 0;
}

static void init_ext_caps(struct rwy_vfio_pci *t, const uint8_t *raw)
{
	uint8_t *config = t->pci.config;
	unsigned last = EXT_FIRST, at = EXT_FIRST, end = EXT_FIRST + 4;

	/* An empty list begins with an empty capability; one that begins with a hidden one, too. */
	t->pci.config_len = RWY_PCI_CONFIG_MAX;
	while (at >= EXT_FIRST && at + 4 <= RWY_PCI_CONFIG_MAX) {
		uint32_t header = get32(raw + at);
		unsigned len = header == ALL_ONES ? 0 : known_ext(raw, at);

		if (len >= 8 && rwy_base_inside(at, len, RWY_PCI_CONFIG_MAX) &&
		    (at == EXT_FIRST || at >= end)) {
			memcpy(config + at, raw + at, len);
			put32(config + at, header & 0xfffff);
			if (at != last)
				put32(config + last, get32(config + last) | at << 20);
			last = at;
			end = at + len;
			pass(t, at + 4, len - 4, false);
		}
		/* Forward only: that ends. */
		if (header == ALL_ONES || EXT_NEXT(header) <= at)
			return;
		at = EXT_NEXT(header);
	}
}

/* ---- life ---- */

static void check_msix(struct rwy_vfio_pci *t)
{
	if (!t->msix_cap)
		return;
	if (in_bar(t, &t->table) && in_bar(t, &t->pba) && t->vfio.irqs[RWY_VFIO_MSIX].nr)
		return;
	rwy_warn("%s: its MSI-X table lies in no BAR: the guest does without MSI-X", t->vfio.name);
	t->pci.config[t->msix_cap] = 0; /* a null capability */
	t->msix_cap = 0;
	t->table.len = t->pba.len = 0;
}

/* A register that is no BAR's, nor the upper half of one's; RWY_PCI_ROM: there is none. */
static unsigned find_free_bar(const struct rwy_vfio_pci *t)
{
	for (unsigned i = RWY_PCI_ROM; i-- > 0;)
		if (!t->pci.bars[i].size &&
		    (i == 0 || !t->pci.bars[i - 1].size || !rwy_pci_bar_is_wide(&t->pci, i - 1)))
			return i;
	return RWY_PCI_ROM;
}

static bool fills_pages(const struct rwy_vfio_pci_range *range)
{
	return range->off % BAR_MIN == 0 && range->len % BAR_MIN == 0;
}

/*
 * What shares a page with the table would exit with it, and that may be a doorbell. Where the
 * kernel lets us map the page nevertheless, the guest gets all of the BAR, and the table that it
 * uses, which is not the hardware's, gets a BAR of its own.
 */
static void move_msix(struct rwy_vfio_pci *t)
{
	uint8_t *cap = t->pci.config + t->msix_cap;
	uint64_t size = BAR_MIN;
	unsigned bar;

	if (!t->msix_cap || !t->vfio.regions[t->table.bar].msix_mappable ||
	    (fills_pages(&t->table) && fills_pages(&t->pba)))
		return;
	bar = find_free_bar(t);
	if (bar == RWY_PCI_ROM) {
		rwy_warn("%s: no BAR is left for its MSI-X table: doorbells that share a page with "
			 "it exit",
			 t->vfio.name);
		return;
	}
	while (size < t->table.len + t->pba.len)
		size *= 2;
	t->table.bar = t->pba.bar = bar;
	t->table.off = 0;
	t->pba.off = t->table.len;
	put32(cap + PCI_MSIX_TABLE, bar);
	put32(cap + PCI_MSIX_PBA, (uint32_t)t->pba.off | bar);
	rwy_pci_dev_add_bar_of(&t->pci, bar, size, 0);
}

int rwy_vfio_config_init(struct rwy_vfio_pci *t, const struct rwy_pci_dev_ops *ops)
{
	uint8_t raw[RWY_PCI_CONFIG_MAX];
	const struct rwy_vfio_region *region = &t->vfio.regions[RWY_VFIO_CONFIG];
	unsigned len = (unsigned)RWY_MIN(region->size, (uint64_t)sizeof(raw));
	int err;

	memset(raw, 0xff, sizeof(raw));
	if (len < RWY_PCI_CONFIG) {
		rwy_error("%s: %u bytes are no configuration space", t->vfio.name, len);
		return -EPROTO;
	}
	err = rwy_vfio_read(&t->vfio, RWY_VFIO_CONFIG, 0, raw, len);
	if (err || get16(raw + PCI_VENDOR_ID) == 0xffff) {
		rwy_error("%s does not answer: reset it, or its PF: echo 1 "
			  ">/sys/bus/pci/devices/%s/reset",
			  t->vfio.name, t->vfio.name);
		return -ENODEV;
	}
	if (raw[PCI_HEADER_TYPE] & 0x7f) {
		rwy_error("%s is a bridge: pass the functions behind it instead", t->vfio.name);
		return -EPROTO;
	}
	init_header(t, raw, ops);
	err = init_bars(t, raw);
	if (err)
		return err;
	init_caps(t, raw);
	check_msix(t);
	move_msix(t);
	if (len == RWY_PCI_CONFIG_MAX)
		init_ext_caps(t, raw);
	return 0;
}

/* Runs of bytes that are the hardware's. */
void rwy_vfio_config_read(struct rwy_vfio_pci *t, unsigned off, unsigned len)
{
	for (unsigned at = off; at < off + len;) {
		unsigned from = at;

		while (at < off + len && t->reads[at])
			at++;
		if (at > from)
			(void)rwy_vfio_read(&t->vfio, RWY_VFIO_CONFIG, from, t->pci.config + from,
					    at - from);
		else
			at++;
	}
}

void rwy_vfio_config_command(struct rwy_vfio_pci *t)
{
	(void)rwy_vfio_write(&t->vfio, RWY_VFIO_CONFIG, PCI_COMMAND, t->pci.config + PCI_COMMAND,
			     2);
}

void rwy_vfio_config_written(struct rwy_vfio_pci *t, unsigned off, unsigned len)
{
	if (off < PCI_STATUS && off + len > PCI_COMMAND)
		rwy_vfio_config_command(t);
	for (unsigned at = off; at < off + len;) {
		unsigned from = at;

		while (at < off + len && t->writes[at])
			at++;
		if (at > from)
			(void)rwy_vfio_write(&t->vfio, RWY_VFIO_CONFIG, from, t->pci.config + from,
					     at - from);
		else
			at++;
	}
}
