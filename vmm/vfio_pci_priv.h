/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of a passed-through function, for its own files only: vfio_pci.c its life,
 * vfio_config.c configuration space, vfio_bar.c registers, vfio_vectors.c interrupts.
 */
#ifndef RWY_VMM_VFIO_PCI_PRIV_H
#define RWY_VMM_VFIO_PCI_PRIV_H

#include "iommu/vfio_irq.h"
#include "lib/log.h"
#include "vmm/msix.h"
#include "vmm/vfio_pci.h"

#define RWY_VFIO_PCI_PIECES (RWY_VFIO_AREAS + 2)

/* A run of pages of a BAR that the guest reaches by itself. */
struct rwy_vfio_piece {
	uint64_t off, len;
	void *at;   /* our mapping; NULL: none */
	bool shown; /* it has a memory slot */
};

struct rwy_vfio_pci_bar {
	unsigned nr_pieces;
	struct rwy_vfio_piece pieces[RWY_VFIO_PCI_PIECES];
};

/* A structure of MSI-X inside a BAR; len 0: none. */
struct rwy_vfio_pci_range {
	unsigned bar;
	uint64_t off, len;
};

enum rwy_vfio_pci_mode {
	RWY_VFIO_PCI_QUIET,
	RWY_VFIO_PCI_INTX,
	RWY_VFIO_PCI_MSI,
	RWY_VFIO_PCI_MSIX
};

/* MSI or MSI-X: the vectors as the guest sees them, and as the host gives them. */
struct rwy_vfio_pci_vectors {
	struct rwy_msix *msix; /* NULL: the function has none */
	struct rwy_vfio_irq irq;
	int *fds;	/* one a vector, -1 until it is needed; owned */
	unsigned cap;	/* offset of the capability */
	unsigned least; /* vectors that must be on while enabled */
};

struct rwy_vfio_pci {
	struct rwy_pci_dev pci;
	struct rwy_vfio_pci_config config;
	struct rwy_vfio vfio;
	char name[40];
	bool asked;  /* the guest, to let go */
	bool gone;   /* given back, or failed */
	bool asleep; /* the guest put it into a state in which its registers do not answer */

	/* Which bytes of configuration space are the hardware's: to read, to write. */
	uint8_t reads[RWY_PCI_CONFIG_MAX];
	uint8_t writes[RWY_PCI_CONFIG_MAX];
	unsigned pm, msi, msix_cap; /* capabilities, 0: none */

	struct rwy_vfio_pci_bar bars[RWY_PCI_BARS];
	struct rwy_vfio_pci_range table, pba;

	enum rwy_vfio_pci_mode mode;
	struct rwy_vfio_pci_vectors msi_vectors, msix_vectors;
	bool has_intx;
	int intx_fd, resample_fd;

	int err_fd, req_fd;
	struct rwy_watch err_watch, req_watch;
	struct rwy_log_limit limit; /* a guest must not fill the disk */
};

/* vfio_config.c. Fills t->pci from the hardware's configuration space, BARs and MSI-X ranges
 * included. -ENODEV: nobody answers; -EPROTO: it makes no sense. Logged. */
RWY_MUST_CHECK int rwy_vfio_config_init(struct rwy_vfio_pci *t, const struct rwy_pci_dev_ops *ops);
void rwy_vfio_config_read(struct rwy_vfio_pci *t, unsigned off, unsigned len);
void rwy_vfio_config_written(struct rwy_vfio_pci *t, unsigned off, unsigned len);
/* The hardware's command register gets what the guest's holds. */
void rwy_vfio_config_command(struct rwy_vfio_pci *t);

/* vfio_bar.c */
RWY_MUST_CHECK int rwy_vfio_bar_init(struct rwy_vfio_pci *t);
void rwy_vfio_bar_fini(struct rwy_vfio_pci *t);
void rwy_vfio_bar_mapped(struct rwy_vfio_pci *t, unsigned bar, bool mapped);
/* t->asleep has changed. */
void rwy_vfio_bar_follow(struct rwy_vfio_pci *t);
void rwy_vfio_bar_read(struct rwy_vfio_pci *t, unsigned bar, uint64_t off, void *buf, unsigned len);
void rwy_vfio_bar_write(struct rwy_vfio_pci *t, unsigned bar, uint64_t off, const void *buf,
			unsigned len);

/* vfio_vectors.c */
RWY_MUST_CHECK int rwy_vfio_vectors_init(struct rwy_vfio_pci *t);
void rwy_vfio_vectors_fini(struct rwy_vfio_pci *t);
/* The guest wrote configuration space: what is enabled may be different. */
void rwy_vfio_vectors_follow(struct rwy_vfio_pci *t, unsigned off, unsigned len);
/* Everything off, before the hardware is reset. */
void rwy_vfio_vectors_quiet(struct rwy_vfio_pci *t);
/* As after power-on: by INTx, until the guest says otherwise. */
void rwy_vfio_vectors_power_on(struct rwy_vfio_pci *t);

#endif
