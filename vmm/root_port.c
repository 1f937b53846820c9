/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/root_port.h"

#include "lib/fd.h"
#include "vmm/msix.h"
#include "vmm/pci_bytes.h"

#include <assert.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MSIX_BAR 0

#define EXPRESS_LEN (PCI_EXP_SLTSTA2 + 2)

/* Of no consequence to what is behind it; a guest prints them. */
#define LINK_SPEED PCI_EXP_LNKCAP_SLS_8_0GB
#define LINK_WIDTH (16 << 4)

/* Events in the slot status register: the guest clears them by writing ones. */
#define EVENTS                                                                                 \
	(PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PFD | PCI_EXP_SLTSTA_MRLSC | PCI_EXP_SLTSTA_PDC | \
	 PCI_EXP_SLTSTA_CC | PCI_EXP_SLTSTA_DLLSC)

struct rwy_root_port {
	struct rwy_pci_dev pci;
	struct rwy_root_port_config config;
	char name[16];
	struct rwy_msix *msix;
	int event_fd;	    /* joined to vector 0 */
	unsigned express;   /* the capability's offset */
	uint16_t events;    /* not cleared yet */
	bool raised;	    /* the interrupt's condition held when last looked at */
	uint16_t indicator; /* power indicator, as the guest last set it */
	bool asked;
};

static struct rwy_root_port *of(struct rwy_pci_dev *dev)
{
	return RWY_CONTAINER_OF(dev, struct rwy_root_port, pci);
}

static uint8_t *reg(struct rwy_root_port *port, unsigned off)
{
	return port->pci.config + port->express + off;
}

static uint16_t control(struct rwy_root_port *port)
{
	return rwy_pci_bytes_get16(reg(port, PCI_EXP_SLTCTL));
}

/* The interrupt is an edge: one each time its condition becomes true (6.7.3.4). */
static void signal_events(struct rwy_root_port *port)
{
	uint16_t ctl = control(port);
	/* These five enable bits are where their event bits are; the sixth is not. */
	uint16_t enabled =
		ctl & (PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PFDE | PCI_EXP_SLTCTL_MRLSCE |
		       PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_CCIE);
	bool raised;

	if (ctl & PCI_EXP_SLTCTL_DLLSCE)
		enabled |= PCI_EXP_SLTSTA_DLLSC;
	raised = (ctl & PCI_EXP_SLTCTL_HPIE) && (port->events & enabled);
	if (raised && !port->raised)
		(void)rwy_fd_signal(port->event_fd);
	port->raised = raised;
}

/* Makes the registers say what is true. */
static void show(struct rwy_root_port *port)
{
	const struct rwy_pci_dev *child = port->pci.child;
	bool present = child && !child->leaving;
	uint16_t link = LINK_SPEED | LINK_WIDTH;

	if (present)
		link |= PCI_EXP_LNKSTA_DLLLA;
	rwy_pci_bytes_put16(reg(port, PCI_EXP_LNKSTA), link);
	rwy_pci_bytes_put16(reg(port, PCI_EXP_SLTSTA),
			    port->events | (present ? PCI_EXP_SLTSTA_PDS : 0));
	signal_events(port);
}

/* ---- what the guest does ---- */

static bool covers(unsigned off, unsigned len, unsigned at)
{
	return at >= off && at < off + len;
}

/* Asked, a guest lets it blink, then turns it off when it is done, or on if it will not. */
static void follow_indicator(struct rwy_root_port *port)
{
	uint16_t was = port->indicator;

	port->indicator = control(port) & PCI_EXP_SLTCTL_PIC;
	if (!port->asked || port->indicator == was)
		return;
	if (port->indicator == PCI_EXP_SLTCTL_PWR_IND_OFF) {
		port->asked = false;
		port->config.released(port->config.ctx);
	} else if (port->indicator == PCI_EXP_SLTCTL_PWR_IND_ON) {
		port->asked = false;
		port->config.kept(port->config.ctx);
	}
}

static void config_written(struct rwy_pci_dev *dev, unsigned off, unsigned len)
{
	struct rwy_root_port *port = of(dev);
	unsigned status = port->express + PCI_EXP_SLTSTA;
	uint16_t cleared = 0;

	rwy_msix_config_written(port->msix, off, len);
	if (covers(off, len, status))
		cleared |= dev->config[status];
	if (covers(off, len, status + 1))
		cleared |= (uint16_t)(dev->config[status + 1] << 8);
	port->events &= (uint16_t)~cleared;
	show(port);
	follow_indicator(port);
}

static void bar_read(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, void *buf, unsigned len)
{
	rwy_msix_bar_read(of(dev)->msix, off, buf, len);
}

static void bar_write(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, const void *buf,
		      unsigned len)
{
	rwy_msix_bar_write(of(dev)->msix, off, buf, len);
}

static bool reset(struct rwy_pci_dev *dev)
{
	struct rwy_root_port *port = of(dev);
	int rc;

	rwy_msix_reset(port->msix);
	(void)rwy_fd_drain(port->event_fd);
	rc = rwy_msix_join(port->msix, 0, port->event_fd);
	assert(rc == 0);
	port->indicator = control(port) & PCI_EXP_SLTCTL_PIC;
	port->events = 0;
	port->raised = false;
	port->asked = false;
	show(port);
	return true;
}

/* ---- what we do ---- */

void rwy_root_port_arrived(struct rwy_root_port *port)
{
	port->events |= PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC;
	show(port);
}

void rwy_root_port_departed(struct rwy_root_port *port)
{
	port->asked = false;
	rwy_root_port_arrived(port);
}

/* A driver lets a device master the bus before anything else, and takes that back at the end. */
static bool in_use(struct rwy_root_port *port)
{
	uint16_t command = rwy_pci_bytes_get16(port->pci.child->config + PCI_COMMAND);

	return (command & PCI_COMMAND_MASTER) ||
	       (control(port) & PCI_EXP_SLTCTL_PIC) != PCI_EXP_SLTCTL_PWR_IND_OFF;
}

bool rwy_root_port_ask(struct rwy_root_port *port)
{
	if (!in_use(port))
		return false;
	port->asked = true;
	port->events |= PCI_EXP_SLTSTA_ABP;
	show(port);
	return true;
}

void rwy_root_port_forget(struct rwy_root_port *port)
{
	port->asked = false;
}

/* ---- life ---- */

static void close_port(struct rwy_pci_dev *dev)
{
	struct rwy_root_port *port = of(dev);

	rwy_msix_close(port->msix);
	rwy_fd_close(&port->event_fd);
	free(port);
}

static const struct rwy_pci_dev_ops port_ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.config_written = config_written,
	.reset = reset,
	.close = close_port,
};

/* The PCI Express capability (7.5.3). Commands complete at once, and say so by no event. */
static void add_express(struct rwy_root_port *port)
{
	uint8_t cap[EXPRESS_LEN] = {0};
	uint8_t *writable;

	rwy_pci_bytes_put16(cap + PCI_EXP_FLAGS,
			    2 | PCI_EXP_TYPE_ROOT_PORT << 4 | PCI_EXP_FLAGS_SLOT);
	rwy_pci_bytes_put32(cap + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER);
	rwy_pci_bytes_put32(cap + PCI_EXP_LNKCAP, LINK_SPEED | LINK_WIDTH | PCI_EXP_LNKCAP_DLLLARC |
							  port->config.number << 24);
	rwy_pci_bytes_put32(cap + PCI_EXP_SLTCAP, PCI_EXP_SLTCAP_ABP | PCI_EXP_SLTCAP_PIP |
							  PCI_EXP_SLTCAP_HPS | PCI_EXP_SLTCAP_HPC |
							  PCI_EXP_SLTCAP_NCCS |
							  port->config.number << 19);
	rwy_pci_bytes_put16(cap + PCI_EXP_SLTCTL,
			    PCI_EXP_SLTCTL_ATTN_IND_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF);
	rwy_pci_bytes_put32(cap + PCI_EXP_LNKCAP2, PCI_EXP_LNKCAP2_SLS_2_5GB |
							   PCI_EXP_LNKCAP2_SLS_5_0GB |
							   PCI_EXP_LNKCAP2_SLS_8_0GB);
	port->express = rwy_pci_dev_add_cap(&port->pci, PCI_CAP_ID_EXP, cap + 2, sizeof(cap) - 2);
	writable = port->pci.writable + port->express;
	rwy_pci_bytes_put16(writable + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE |
							       PCI_EXP_DEVCTL_FERE |
							       PCI_EXP_DEVCTL_URRE);
	rwy_pci_bytes_put16(writable + PCI_EXP_SLTCTL,
			    PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PFDE | PCI_EXP_SLTCTL_MRLSCE |
				    PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_CCIE |
				    PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_AIC | PCI_EXP_SLTCTL_PIC |
				    PCI_EXP_SLTCTL_DLLSCE);
	rwy_pci_bytes_put16(writable + PCI_EXP_SLTSTA, EVENTS);
}

static int plug(struct rwy_root_port *port, struct rwy_pci *pci)
{
	/* What QEMU calls its generic root port; drivers go by the class. */
	static const struct rwy_pci_id id = {.vendor = 0x1b36,
					     .device = 0x000c,
					     .class_code = 0x060400};
	int rc;

	rwy_pci_dev_init(&port->pci, &port_ops, port->name, &id);
	rwy_pci_dev_make_bridge(&port->pci);
	add_express(port);
	rc = rwy_msix_open(&port->msix, rwy_pci_irq(pci), &port->pci, MSIX_BAR, 1);
	if (rc < 0)
		return rc;
	(void)reset(&port->pci);
	return rwy_pci_plug(pci, &port->pci);
}

int rwy_root_port_open(struct rwy_root_port **out, struct rwy_pci *pci,
		       const struct rwy_root_port_config *config)
{
	struct rwy_root_port *port = calloc(1, sizeof(*port));
	int rc;

	if (!port)
		return -ENOMEM;
	port->config = *config;
	snprintf(port->name, sizeof(port->name), "rp%u", config->number);
	port->event_fd = rwy_fd_event();
	rc = port->event_fd < 0 ? port->event_fd : plug(port, pci);
	if (rc < 0) {
		close_port(&port->pci);
		return rc;
	}
	*out = port;
	return 0;
}

struct rwy_pci_dev *rwy_root_port_pci(struct rwy_root_port *port)
{
	return &port->pci;
}
