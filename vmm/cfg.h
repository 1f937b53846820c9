/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line of ringway-vmm, parsed and checked against the host: what is named exists and is
 * of the right kind, sizes are possible. Nothing is opened that stays open.
 */
#ifndef RWY_VMM_CFG_H
#define RWY_VMM_CFG_H

#include "iommu/token.h"
#include "lib/base.h"
#include "lib/bdf.h"
#include "lib/numa.h"

#include <stdio.h>

#define RWY_CFG_DEVICES 30

enum rwy_cfg_kind { RWY_CFG_NET, RWY_CFG_DISK };

struct rwy_cfg_device {
	enum rwy_cfg_kind kind;
	const char *socket; /* of a back-end; or NULL, and we start one for */
	const char *target; /* this tap interface or file */
	bool has_mac;
	uint8_t mac[6];
	unsigned queues;
	bool packed;
};

/* A function of the host. */
struct rwy_cfg_vfio {
	char bdf[RWY_BDF_LEN];
	int fd;	      /* of its group or itself, handed in by whoever started us; -1: none */
	int iommu_fd; /* of the container or /dev/iommu; -1: none */
	char token[RWY_TOKEN_LEN]; /* empty: none */
	bool port;		   /* behind a root port, so that the guest can let go of it */
};

enum rwy_cfg_serial { RWY_CFG_SERIAL_STDIO, RWY_CFG_SERIAL_FILE, RWY_CFG_SERIAL_OFF };

/* Strings point into argv. */
struct rwy_cfg {
	const char *kernel;
	const char *initrd;  /* may be NULL */
	const char *cmdline; /* may be NULL */
	unsigned nr_cpus;
	uint16_t pins[RWY_NUMA_CPUS];
	unsigned nr_pins;
	uint64_t memory;
	uint64_t page_size;
	int node;
	struct rwy_cfg_device devices[RWY_CFG_DEVICES]; /* as on the command line */
	unsigned nr_devices;
	struct rwy_cfg_vfio vfio[RWY_CFG_DEVICES];
	unsigned nr_vfio;
	enum rwy_cfg_serial serial;
	const char *serial_path;
	const char *exit_stats; /* may be NULL */
	const char *qmp;	/* socket to make; may be NULL */
	unsigned root_ports;
	bool has_root_ports; /* they were given */
};

/* True: go on. False: all was said on out or err; leave main with *status. */
RWY_MUST_CHECK bool rwy_cfg_parse(struct rwy_cfg *cfg, int argc, char **argv, FILE *out, FILE *err,
				  int *status);

#endif
