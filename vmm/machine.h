/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole machine and its life: it is put together from a command line, started, reset when the
 * guest says so, and ended. Lives on the main thread's reactor.
 *
 * What a vCPU or a device notices on a vCPU's thread (power off, reset, a failure) becomes a
 * request bit and a wake-up of the reactor, which acts on it: vCPUs cannot be stopped from one of
 * them.
 */
#ifndef RWY_VMM_MACHINE_H
#define RWY_VMM_MACHINE_H

#include "iommu/space.h"
#include "lib/poll.h"
#include "vmm/boot.h"
#include "vmm/cfg.h"
#include "vmm/console.h"
#include "vmm/control.h"
#include "vmm/exit_stats.h"
#include "vmm/hotplug.h"
#include "vmm/kvm_vfio.h"
#include "vmm/pci.h"
#include "vmm/pm.h"
#include "vmm/rtc.h"
#include "vmm/spawn.h"
#include "vmm/uart.h"
#include "vmm/vdev.h"
#include "vmm/vm.h"

enum rwy_machine_phase {
	RWY_MACHINE_WAITING, /* for back-ends; no vCPU has run */
	RWY_MACHINE_RUNNING,
	RWY_MACHINE_RESETTING, /* vCPUs stopped, devices become quiet */
	RWY_MACHINE_ENDED,
};

struct rwy_machine {
	const struct rwy_cfg *cfg;
	struct rwy_poll *poll;
	struct rwy_vm vm;
	struct rwy_boot boot;
	struct rwy_boot_entry entry;
	struct rwy_uart uart;
	struct rwy_console console;
	struct rwy_rtc rtc;
	struct rwy_pm pm;
	struct rwy_pci_window high; /* where large BARs go */
	struct rwy_pci *pci;
	struct rwy_spawn *spawn;
	struct rwy_vdev *vdevs[RWY_CFG_DEVICES]; /* the first nr_plugged are the PCI root's */
	unsigned nr_vdevs;
	unsigned nr_plugged;
	struct rwy_hotplug *hotplug; /* NULL: no root ports, or not plugged in yet */
	struct rwy_control *control; /* NULL: no --qmp */
	struct rwy_kvm_vfio kvm_vfio;
	struct rwy_space *space; /* of functions of the host; NULL until there is one */
	struct rwy_exit_stats stats;
	int serial_fd;	 /* of --serial file= */
	int requests_fd; /* eventfd: look at requests */
	unsigned requests;
	struct rwy_watch requests_watch;
	struct rwy_timer patience; /* runs from the power button on */
	enum rwy_machine_phase phase;
	bool paused; /* vCPUs stand still until rwy_machine_resume */
	int status;  /* for main, once ENDED */
};

/* Opens and checks what the command line names, makes RAM, loads the kernel. cfg must outlive the
 * machine. -errno, logged; then there is nothing to close. */
RWY_MUST_CHECK int rwy_machine_open(struct rwy_machine *machine, const struct rwy_cfg *cfg,
				    struct rwy_poll *poll);
/* Creates the virtual machine; it runs as soon as its back-ends are there. When it ends the reactor
 * is stopped and machine->status says how. -errno, logged. */
RWY_MUST_CHECK int rwy_machine_start(struct rwy_machine *machine);
void rwy_machine_close(struct rwy_machine *machine);

/* Somebody asks it to end: the power button first, for good the second time. */
void rwy_machine_press(struct rwy_machine *machine);

/* What --qmp offers; also while the machine waits. */
void rwy_machine_pause(struct rwy_machine *machine);
void rwy_machine_resume(struct rwy_machine *machine);
void rwy_machine_power_button(struct rwy_machine *machine);
void rwy_machine_reset(struct rwy_machine *machine);
void rwy_machine_quit(struct rwy_machine *machine);

/* Writes --exit-stats now, if there is such an option. */
void rwy_machine_write_stats(struct rwy_machine *machine);

/* machine_devices.c, for machine.c */

/* The programs for devices that need one started. -ENOENT, logged. */
RWY_MUST_CHECK int rwy_machine_find_backends(const struct rwy_cfg *cfg);
/* Starts to connect to all back-ends; ready(machine) for each that answers. -errno, logged. */
RWY_MUST_CHECK int rwy_machine_open_devices(struct rwy_machine *machine, void (*ready)(void *ctx));
bool rwy_machine_devices_ready(const struct rwy_machine *machine);
/* In the order of the command line, so that their slots are always the same. -errno, logged. */
RWY_MUST_CHECK int rwy_machine_plug_devices(struct rwy_machine *machine);
void rwy_machine_close_devices(struct rwy_machine *machine);

/* machine_vfio.c */

/* Those of the command line that go on bus 0, or at a port. -errno, logged. */
RWY_MUST_CHECK int rwy_machine_plug_vfio(struct rwy_machine *machine, bool port);
/* One function more, behind bridge or on bus 0 (NULL), bus lock held or before vCPUs run. Its slot
 * or -errno, logged. */
RWY_MUST_CHECK int rwy_machine_add_vfio(struct rwy_machine *machine,
					const struct rwy_cfg_vfio *vfio, const char *name,
					struct rwy_pci_dev *bridge);
/* After the PCI root is closed. */
void rwy_machine_close_vfio(struct rwy_machine *machine);

#endif
