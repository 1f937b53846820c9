/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions of the host that the guest has: their address space, and their places on the bus. */
#include "vmm/machine.h"

#include "lib/log.h"
#include "vmm/vfio_pci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define RWY_STEM "machine"

/* A descriptor for each vector that is in use: some functions have 2048. */
static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		rwy_debug("still %llu open files at most: %s", (unsigned long long)limit.rlim_cur,
			  strerror(errno));
}

static int open_space(struct rwy_machine *machine)
{
	const struct rwy_space_config config = {
		.sys = &rwy_vfio_sys_host,
		.mem = &machine->vm.mem,
		.tell_kvm = rwy_kvm_vfio_tell,
		.ctx = &machine->kvm_vfio,
	};

	if (machine->space)
		return 0;
	allow_files();
	rwy_kvm_vfio_init(&machine->kvm_vfio, machine->vm.fd);
	return rwy_space_open(&machine->space, &config);
}

/* Those that were added while the guest runs can leave in the same way. */
static bool on_wanted_back(void *ctx, const char *name)
{
	struct rwy_machine *machine = ctx;

	return machine->hotplug && rwy_hotplug_del(machine->hotplug, name) == 0;
}

int rwy_machine_add_vfio(struct rwy_machine *machine, const struct rwy_cfg_vfio *vfio,
			 const char *name, struct rwy_pci_dev *bridge)
{
	struct rwy_space_device device = {vfio->bdf, vfio->fd, vfio->iommu_fd,
					  vfio->token[0] ? vfio->token : NULL};
	int err = open_space(machine);
	struct rwy_vfio_pci_config config = {
		.pci = machine->pci,
		.space = machine->space,
		.slots = &machine->vm.slots,
		.poll = machine->poll,
		.lock = &machine->vm.lock,
		.bridge = bridge,
		.name = name,
		.wanted_back = on_wanted_back,
		.ctx = machine,
	};

	return err ? err : rwy_vfio_pci_open(&config, &device);
}

static int plug_on_root(struct rwy_machine *machine, const struct rwy_cfg_vfio *vfio,
			const char *name)
{
	int slot = rwy_machine_add_vfio(machine, vfio, name, NULL);

	if (slot < 0)
		return slot;
	rwy_debug("%s: %s is PCI 00:%02x.0", name, vfio->bdf, slot);
	return 0;
}

/* As device_add would have done it, with descriptors where they were handed in. */
static int plug_at_port(struct rwy_machine *machine, const struct rwy_cfg_vfio *vfio,
			const char *name)
{
	struct rwy_cfg_vfio *copy = malloc(sizeof(*copy));
	int err;

	if (!copy)
		return -ENOMEM;
	*copy = *vfio;
	err = rwy_hotplug_put(machine->hotplug, "vfio-pci", name, copy);
	if (err)
		free(copy);
	return err;
}

int rwy_machine_plug_vfio(struct rwy_machine *machine, bool port)
{
	int err = 0;

	for (unsigned i = 0; !err && i < machine->cfg->nr_vfio; i++) {
		const struct rwy_cfg_vfio *vfio = &machine->cfg->vfio[i];
		char name[16];

		snprintf(name, sizeof(name), "vfio%u", i);
		if (vfio->port == port)
			err = port ? plug_at_port(machine, vfio, name)
				   : plug_on_root(machine, vfio, name);
	}
	return err;
}

void rwy_machine_close_vfio(struct rwy_machine *machine)
{
	if (!machine->space)
		return;
	rwy_space_close(machine->space);
	machine->space = NULL;
	rwy_kvm_vfio_fini(&machine->kvm_vfio);
}
