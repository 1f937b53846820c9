/* SPDX-License-Identifier: BSD-3-Clause */
/* The devices of the command line: their back-ends, and their places on the PCI bus. */
#include "vmm/machine.h"

#include "lib/log.h"
#include "vmm/vdev_vu.h"
#include "vmm/virtio_pci.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define RWY_STEM "machine"

#define DEFAULT_PORTS 4

static const struct {
	const char *type; /* as vdev_vu calls it */
	const char *name; /* as the user does */
	const char *program;
} kinds[] = {
	[RWY_CFG_NET] = {"net", "net", "ringway-net"},
	[RWY_CFG_DISK] = {"blk", "disk", "ringway-blk"},
};

int rwy_machine_find_backends(const struct rwy_cfg *cfg)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < cfg->nr_devices; i++) {
		if (cfg->devices[i].socket)
			continue;
		int err = rwy_spawn_find(kinds[cfg->devices[i].kind].program, path, sizeof(path));
		if (err)
			return err;
	}
	return 0;
}

/* The same every time: a guest names its interface after it. */
static void derive_mac(const char *target, uint8_t mac[6])
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (const char *c = target; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	const uint8_t derived[6] = {
		0x52, 0x54, 0x00, (uint8_t)(hash >> 16), (uint8_t)(hash >> 8), (uint8_t)hash};
	memcpy(mac, derived, sizeof(derived));
}

static int open_device(struct rwy_machine *machine, const struct rwy_cfg_device *device,
		       unsigned index, void (*ready)(void *ctx))
{
	char name[16];
	uint8_t mac[6];
	struct rwy_vdev_vu_config config = {
		.type = kinds[device->kind].type,
		.name = name,
		.socket_path = device->socket,
		.backend = device->target,
		.queues = device->queues,
		.packed = device->packed,
		.mac = device->has_mac ? device->mac : NULL,
		.poll = machine->poll,
		.mem = &machine->vm.mem,
		.lock = &machine->vm.lock,
		.ready = ready,
		.ctx = machine,
	};
	int err = 0;

	snprintf(name, sizeof(name), "%s%u", kinds[device->kind].name, index);
	if (device->kind == RWY_CFG_NET && device->target && !device->has_mac) {
		derive_mac(device->target, mac);
		config.mac = mac;
	}
	if (device->target)
		err = rwy_spawn_start(machine->spawn, device, name, &config.socket_path);
	if (err)
		return err;
	err = rwy_vdev_vu_open(&machine->vdevs[machine->nr_vdevs], &config);
	if (err)
		rwy_error("%s: cannot be opened: %s", name, strerror(-err));
	else
		machine->nr_vdevs++;
	return err;
}

int rwy_machine_open_devices(struct rwy_machine *machine, void (*ready)(void *ctx))
{
	unsigned nr_of_kind[RWY_ARRAY_SIZE(kinds)] = {0};
	int err = rwy_spawn_open(&machine->spawn, machine->poll);

	for (unsigned i = 0; !err && i < machine->cfg->nr_devices; i++) {
		const struct rwy_cfg_device *device = &machine->cfg->devices[i];

		err = open_device(machine, device, nr_of_kind[device->kind]++, ready);
	}
	return err;
}

bool rwy_machine_devices_ready(const struct rwy_machine *machine)
{
	for (unsigned i = 0; i < machine->nr_vdevs; i++)
		if (!rwy_vdev_vu_ready(machine->vdevs[i]))
			return false;
	return true;
}

static void on_added(void *ctx, const char *id, const char *why)
{
	rwy_control_device_added(((struct rwy_machine *)ctx)->control, id, why);
}

static void on_deleted(void *ctx, const char *id)
{
	rwy_control_tell_device(((struct rwy_machine *)ctx)->control, "DEVICE_DELETED", id);
}

static void on_kept(void *ctx, const char *id)
{
	rwy_control_tell_device(((struct rwy_machine *)ctx)->control, "DEVICE_UNPLUG_GUEST_ERROR",
				id);
}

/* After the devices, so that those are where they are with any number of ports. */
static int open_ports(struct rwy_machine *machine)
{
	const struct rwy_cfg *cfg = machine->cfg;
	unsigned needed = cfg->qmp ? DEFAULT_PORTS : 0;
	struct rwy_hotplug_config config = {
		.poll = machine->poll,
		.pci = machine->pci,
		.lock = &machine->vm.lock,
		.fewer = !cfg->has_root_ports,
		.added = on_added,
		.deleted = on_deleted,
		.kept = on_kept,
		.ctx = machine,
	};
	int err;

	for (unsigned i = 0; i < cfg->nr_vfio; i++)
		needed += cfg->vfio[i].port;
	config.nr_ports = cfg->has_root_ports ? cfg->root_ports : needed;
	/* Nobody else adds devices, and each port costs a guest time to start. */
	if (!needed && !cfg->has_root_ports)
		return 0;
	err = rwy_hotplug_open(&machine->hotplug, &config);
	if (err)
		rwy_error("--root-ports: no place on the PCI bus for %u: %s", config.nr_ports,
			  strerror(-err));
	return err;
}

int rwy_machine_plug_devices(struct rwy_machine *machine)
{
	while (machine->nr_plugged < machine->nr_vdevs) {
		struct rwy_vdev *vdev = machine->vdevs[machine->nr_plugged];
		int slot = rwy_virtio_pci_open(machine->pci, NULL, vdev);

		if (slot < 0) {
			rwy_error("%s: no place on the PCI bus: %s", vdev->name, strerror(-slot));
			return slot;
		}
		rwy_debug("%s: PCI 00:%02x.0", vdev->name, slot);
		machine->nr_plugged++;
	}
	int err = rwy_machine_plug_vfio(machine, false);

	if (!err)
		err = open_ports(machine);
	return err ? err : rwy_machine_plug_vfio(machine, true);
}

void rwy_machine_close_devices(struct rwy_machine *machine)
{
	/* Those that are plugged in are the PCI root's. */
	while (machine->nr_vdevs > machine->nr_plugged) {
		struct rwy_vdev *vdev = machine->vdevs[--machine->nr_vdevs];

		vdev->ops->close(vdev);
	}
	rwy_hotplug_close(machine->hotplug);
	machine->hotplug = NULL;
	if (machine->pci)
		rwy_pci_close(machine->pci);
	machine->pci = NULL;
	rwy_machine_close_vfio(machine);
	rwy_spawn_close(machine->spawn);
	machine->spawn = NULL;
}
