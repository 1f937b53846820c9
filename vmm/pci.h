/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PCI root: bus 0 with its host bridge and up to 31 devices of one function each. One of them
 * may be a bridge (root_port.h) and have a device behind it, which may come and go while the guest
 * runs; which number that bus has is what the guest wrote, and a BAR there is decoded only where
 * the bridge forwards it.
 *
 * Configuration space answers through ECAM (layout.h) and through ports 0xcf8/0xcfc. A device
 * owns its 256 or 4096 bytes and, byte by byte, which bits the guest may write. BARs are placed
 * in the windows of pci_window.h when the device is plugged, so that a guest may keep them; a guest
 * that moves them, or switches decoding off, is followed. One outside its window is not decoded.
 *
 * Port 0xcf9, the reset register, lies inside the address port, so the root owns it too and hands
 * its writes on.
 *
 * Everything here is called with the bus lock held, or before vCPUs run.
 *
 *	main:	rwy_pci_open; rwy_virtio_pci_open for each device; start vCPUs
 *		guest reset: stop vCPUs, lock, rwy_pci_reset, unlock, run the reactor until
 *		`done`, then load and start again
 *		rwy_pci_close
 */
#ifndef RWY_VMM_PCI_H
#define RWY_VMM_PCI_H

#include "lib/base.h"
#include "vmm/bus.h"
#include "vmm/irq.h"
#include "vmm/pci_window.h"

#include <linux/pci_regs.h>

#define RWY_PCI_SLOTS	   32
#define RWY_PCI_BARS	   7 /* with the expansion ROM, which is the last */
#define RWY_PCI_ROM	   6
#define RWY_PCI_CONFIG	   256
#define RWY_PCI_CONFIG_MAX 4096 /* PCI Express */

struct rwy_pci; /* opaque: vmm/pci.c */
struct rwy_pci_dev;

struct rwy_pci_dev_ops {
	/* An access inside a mapped BAR; len is 1, 2, 4 or 8. Reads fill all of buf. */
	void (*bar_read)(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, void *buf,
			 unsigned len);
	void (*bar_write)(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, const void *buf,
			  unsigned len);
	/* bars[bar].mapped has changed: doorbells follow. Called with false before each move. May
	 * be NULL. */
	void (*bar_mapped)(struct rwy_pci_dev *dev, unsigned bar, bool mapped);
	/* The guest is about to read config[off, off + len). May be NULL. */
	void (*config_read)(struct rwy_pci_dev *dev, unsigned off, unsigned len);
	/* It has written it: config holds what the masks let through. May be NULL. */
	void (*config_written)(struct rwy_pci_dev *dev, unsigned off, unsigned len);
	/* Back to power-on. True: quiet now. False: rwy_pci_reset_done(dev) follows. */
	bool (*reset)(struct rwy_pci_dev *dev);
	void (*close)(struct rwy_pci_dev *dev);
};

struct rwy_pci_bar {
	struct rwy_pci_dev *dev;
	uint64_t addr; /* guest-physical or port, while mapped */
	uint64_t size; /* power of two, at least 4096, of ports 4; 0: no such BAR */
	bool mapped;
	uint64_t reads; /* as bus.h counts them, over all places the BAR has been at */
	uint64_t writes;
};

/* Embedded by the device. */
struct rwy_pci_dev {
	const struct rwy_pci_dev_ops *ops;
	const char *name; /* "net0": bus statistics and log lines */
	struct rwy_pci *pci;
	unsigned slot;
	unsigned cap_end;    /* where the next capability goes */
	unsigned config_len; /* RWY_PCI_CONFIG unless the device has more; beyond, all ones */
	uint8_t config[RWY_PCI_CONFIG_MAX];
	uint8_t writable[RWY_PCI_CONFIG_MAX]; /* bits the guest may set and clear */
	uint8_t power_on[RWY_PCI_CONFIG_MAX]; /* config as plugged in */
	struct rwy_pci_bar bars[RWY_PCI_BARS];
	struct rwy_pci_dev *bridge; /* what it is behind, set before plugging; NULL: bus 0 */
	struct rwy_pci_dev *child;  /* of a bridge: what is behind it */
	bool resetting;
	bool awaited; /* by rwy_pci_reset */
	bool leaving; /* unplugged, not quiet yet: the guest sees it no more */
	void (*left)(void *ctx);
	void *left_ctx;
};

RWY_INLINE unsigned rwy_pci_bar_register(unsigned bar)
{
	return bar == RWY_PCI_ROM ? PCI_ROM_ADDRESS : PCI_BASE_ADDRESS_0 + 4 * bar;
}

RWY_INLINE bool rwy_pci_bar_is_ports(const struct rwy_pci_dev *dev, unsigned bar)
{
	return bar != RWY_PCI_ROM && dev->bars[bar].size &&
	       dev->config[rwy_pci_bar_register(bar)] & PCI_BASE_ADDRESS_SPACE_IO;
}

/* It takes two registers. */
RWY_INLINE bool rwy_pci_bar_is_wide(const struct rwy_pci_dev *dev, unsigned bar)
{
	return bar != RWY_PCI_ROM && !rwy_pci_bar_is_ports(dev, bar) &&
	       (dev->config[rwy_pci_bar_register(bar)] & PCI_BASE_ADDRESS_MEM_TYPE_MASK) ==
		       PCI_BASE_ADDRESS_MEM_TYPE_64;
}

RWY_INLINE bool rwy_pci_is_bridge(const struct rwy_pci_dev *dev)
{
	return dev->config[PCI_HEADER_TYPE] == PCI_HEADER_TYPE_BRIDGE;
}

struct rwy_pci_id {
	uint16_t vendor;
	uint16_t device;
	uint16_t sub_vendor;
	uint16_t sub_device;
	uint32_t class_code; /* 24 bits */
	uint8_t revision;
};

struct rwy_pci_config {
	struct rwy_bus *mmio;
	struct rwy_bus *pio;
	struct rwy_irq *irq;
	struct rwy_pci_window high; /* as the DSDT has it */
	/* The guest wrote this byte to port 0xcf9. May be NULL. */
	void (*reset_port)(void *ctx, uint8_t value);
	void *ctx;
};

/* Registers ECAM and the ports; the host bridge is there at once. */
RWY_MUST_CHECK int rwy_pci_open(struct rwy_pci **pci, const struct rwy_pci_config *config);
/* Closes all devices, the last one first. */
void rwy_pci_close(struct rwy_pci *pci);
/*
 * Power-on state for every device. done(ctx) is called on the thread that makes the last device
 * quiet - at the latest when its back-end's deadline has passed -, at once if all are quiet now.
 */
void rwy_pci_reset(struct rwy_pci *pci, void (*done)(void *ctx), void *ctx);
struct rwy_irq *rwy_pci_irq(const struct rwy_pci *pci);

/* pci_dev.c. A device describes itself in this order: init, add BARs and capabilities, plug. */
void rwy_pci_dev_init(struct rwy_pci_dev *dev, const struct rwy_pci_dev_ops *ops, const char *name,
		      const struct rwy_pci_id *id);
void rwy_pci_dev_add_bar(struct rwy_pci_dev *dev, unsigned bar, uint32_t size);
/* The same for any size; type: the PCI_BASE_ADDRESS_MEM_* bits or PCI_BASE_ADDRESS_SPACE_IO. A
 * 64-bit BAR takes two registers. RWY_PCI_ROM: decoded while its own enable bit is set, too. */
void rwy_pci_dev_add_bar_of(struct rwy_pci_dev *dev, unsigned bar, uint64_t size, unsigned type);
/* body: what follows the two bytes of id and next. Offset of the capability. */
unsigned rwy_pci_dev_add_cap(struct rwy_pci_dev *dev, uint8_t id, const void *body, unsigned len);
/* After init: a bridge, with bus numbers and memory windows. It has BARs 0 and 1 only. */
void rwy_pci_dev_make_bridge(struct rwy_pci_dev *dev);
/* Gives it a slot and its BARs their places. -ENOSPC: no slot, or the window is full; -EBUSY: there
 * is a device behind that bridge. */
RWY_MUST_CHECK int rwy_pci_plug(struct rwy_pci *pci, struct rwy_pci_dev *dev);
void rwy_pci_reset_done(struct rwy_pci_dev *dev);
/* Takes a device away from behind its bridge. left(ctx) when it is quiet, perhaps at once; then it
 * is the caller's, to call dev->ops->close without the lock. */
void rwy_pci_unplug(struct rwy_pci_dev *dev, void (*left)(void *ctx), void *ctx);

/* The devices on bus 0, ascending; NULL: no more. */
struct rwy_pci_dev *rwy_pci_first(const struct rwy_pci *pci);
struct rwy_pci_dev *rwy_pci_next(const struct rwy_pci_dev *dev);

#endif
