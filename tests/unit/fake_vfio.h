/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's VFIO with an IOMMU and PCI functions behind it, as iommu/vfio_sys.h sees them. All
 * descriptors are real (memory files), so a leak is found by counting; a function's file holds its
 * regions, so mapping it is mapping what the model sees. What a test wants to go wrong it says in
 * the fields below.
 */
#ifndef RWY_TESTS_FAKE_VFIO_H
#define RWY_TESTS_FAKE_VFIO_H

#include "iommu/vfio.h"
#include "tests/unit/unit.h"

#include <linux/vfio.h>

#define FAKE_VFIO_FUNCTIONS 2
#define FAKE_VFIO_VECTORS   64
#define FAKE_VFIO_MAPS	    32
#define FAKE_VFIO_REGION    0x100000 /* bytes of the file for each region */
#define FAKE_VFIO_NOTES	    256

struct fake_vfio_function {
	const char *bdf;
	unsigned group;
	int fd; /* its file, duplicated for whoever opens it */
	uint64_t sizes[RWY_VFIO_REGIONS];
	uint32_t region_flags[RWY_VFIO_REGIONS];
	/* Sent as region info: at most a chain of this many bytes, made by the test. */
	uint8_t chain[RWY_VFIO_REGIONS][256];
	uint32_t chain_len[RWY_VFIO_REGIONS];
	uint32_t irq_counts[RWY_VFIO_IRQS];
	bool fixed;	   /* vectors come all at once (NORESIZE) */
	bool silent;	   /* every access fails */
	bool no_reset;	   /* it says so itself */
	unsigned short_of; /* the host has so many vectors only; 0: enough */
	uint32_t device_flags;
	/* What the client did. */
	int triggers[RWY_VFIO_IRQS][FAKE_VFIO_VECTORS]; /* -1: none */
	unsigned live[RWY_VFIO_IRQS];			/* vectors that are on */
	int resample_fd;
	unsigned resets;
	bool loud_reset;   /* it was reset with interrupts on */
	unsigned restarts; /* MSI or MSI-X switched on */
	unsigned set_calls;
	bool opened;
	bool bound, attached; /* to iommufd */
	const char *token;    /* that a client must know; NULL: none */
};

struct fake_vfio_map {
	uint64_t iova, len, vaddr;
};

struct fake_vfio {
	struct rwy_vfio_sys sys;
	struct fake_vfio_function functions[FAKE_VFIO_FUNCTIONS];
	unsigned nr_functions;
	struct fake_vfio_map maps[FAKE_VFIO_MAPS];
	unsigned nr_maps, most_maps;
	unsigned fail_map;     /* the map call after so many fails; 0: none */
	int fail_with;	       /* -ENOMEM and so on */
	uint32_t avail;	       /* mappings, as the kernel says; 0: it does not */
	const char *neighbour; /* on the bus of all functions, and nobody's; NULL: none */
	bool old_iommufd;      /* knows no tokens */
	bool not_viable;
	bool no_type1;
	int open_error;	 /* of every open */
	int group_error; /* of SET_CONTAINER */
	int container_fd, group_fds[FAKE_VFIO_FUNCTIONS];
	/* iommufd: function i is /dev/vfio/devices/vfio<i> */
	bool has_iommufd;
	int iommu_fd;
	unsigned spaces; /* that are allocated */
	int attach_error;
	uint64_t range_last; /* all it translates is below, 0: everything */
	unsigned groups_in;  /* in the container */
	bool iommu_on;
	/* What happened, in order: "container", "group 7", "join", "iommu", "map", "unmap", "kvm+",
	 * "kvm-", "device", "reset", "bus reset", "part", "bind", "attach", "detach". */
	char notes[FAKE_VFIO_NOTES][16];
	unsigned nr_notes;
};

void fake_vfio_open(struct fake_vfio *fake);
/* Everything the client opened has been closed, and nothing is mapped. */
void fake_vfio_close(struct fake_vfio *fake);
/* A network card's VF: 16 KiB BAR 0, 16 KiB BAR 3 with 3 MSI-X vectors, no INTx; group 7. */
struct fake_vfio_function *fake_vfio_add_nic(struct fake_vfio *fake, const char *bdf,
					     unsigned group);
/* A file of zeros. */
int fake_vfio_file(const char *name, size_t size);
/* Bytes of a region, to read and change. */
void fake_vfio_peek(const struct fake_vfio_function *f, unsigned region, uint64_t off, void *buf,
		    size_t len);
void fake_vfio_poke(const struct fake_vfio_function *f, unsigned region, uint64_t off,
		    const void *buf, size_t len);
void fake_vfio_poke32(const struct fake_vfio_function *f, unsigned region, uint64_t off,
		      uint32_t value);
uint32_t fake_vfio_peek32(const struct fake_vfio_function *f, unsigned region, uint64_t off);
void fake_vfio_note(struct fake_vfio *fake, const char *note);
/* Index of the first such note, -1: none. */
int fake_vfio_noted(const struct fake_vfio *fake, const char *note);

#endif
