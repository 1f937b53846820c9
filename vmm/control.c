/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/control.h"

#include "lib/log.h"
#include "vmm/control_block.h"
#include "vmm/control_names.h"
#include "vmm/control_pci.h"
#include "vmm/machine.h"
#include "vmm/qmp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "control"

#define GENERIC "GenericError"

struct rwy_control {
	struct rwy_machine *machine;
	struct rwy_qmp *qmp;
	struct rwy_control_names names;
	bool adding; /* device_add waits for its answer */
};

static struct rwy_machine *machine_of(void *ctx)
{
	return ((struct rwy_control *)ctx)->machine;
}

/* ---- state and life ---- */

static void query_status(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	const struct rwy_machine *machine = machine_of(ctx);
	bool waits = machine->phase == RWY_MACHINE_WAITING;
	const char *status = waits ? "prelaunch" : machine->paused ? "paused" : "running";

	rwy_qmp_return(qmp, json_pack("{sssb}", "status", status, "running",
				      !waits && !machine->paused));
}

static void stop(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	rwy_machine_pause(machine_of(ctx));
	rwy_qmp_return(qmp, NULL);
}

static void cont(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	rwy_machine_resume(machine_of(ctx));
	rwy_qmp_return(qmp, NULL);
}

static void system_powerdown(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	rwy_machine_power_button(machine_of(ctx));
	rwy_qmp_return(qmp, NULL);
}

static void system_reset(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	rwy_machine_reset(machine_of(ctx));
	rwy_qmp_return(qmp, NULL);
}

static void quit(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	rwy_qmp_return(qmp, NULL);
	rwy_machine_quit(machine_of(ctx));
}

static void query_cpus_fast(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	const struct rwy_vm *vm = &machine_of(ctx)->vm;
	json_t *list = json_array();

	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		json_array_append_new(list,
				      json_pack("{sisosisss{sisisi}}", "cpu-index", i, "qom-path",
						json_sprintf("/machine/unattached/device[%u]", i),
						"thread-id", vm->vcpus[i].tid, "target", "x86_64",
						"props", "socket-id", 0, "core-id", i, "thread-id",
						0));
	rwy_qmp_return(qmp, list);
}

static void query_kvm(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	rwy_qmp_return(qmp, json_pack("{sbsb}", "enabled", true, "present", true));
}

static void query_memory_size_summary(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	rwy_qmp_return(qmp,
		       json_pack("{sIsi}", "base-memory", (json_int_t)machine_of(ctx)->cfg->memory,
				 "plugged-memory", 0));
}

/* It has none, which is an answer, too. */
static void query_name(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	rwy_qmp_return(qmp, NULL);
}

static void query_devices(void *ctx, struct rwy_qmp *qmp,
			  json_t *(*list)(const struct rwy_pci *pci,
					  const struct rwy_hotplug *hotplug))
{
	struct rwy_machine *machine = machine_of(ctx);

	if (!machine->pci) {
		rwy_qmp_fail(qmp, GENERIC, "The machine is not put together yet");
		return;
	}
	pthread_mutex_lock(&machine->vm.lock);
	json_t *devices = list(machine->pci, machine->hotplug);
	pthread_mutex_unlock(&machine->vm.lock);
	rwy_qmp_return(qmp, devices);
}

static void query_pci(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	query_devices(ctx, qmp, rwy_control_pci_list);
}

static void query_block(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	query_devices(ctx, qmp, rwy_control_block_list);
}

/* ---- names of back-ends ---- */

static void name_command(void *ctx, struct rwy_qmp *qmp, const json_t *args,
			 int (*run)(struct rwy_control_names *names, const json_t *args,
				    struct rwy_opt_why *why))
{
	struct rwy_opt_why why;

	if (run(&((struct rwy_control *)ctx)->names, args, &why))
		rwy_qmp_fail(qmp, GENERIC, "%s", why.text);
	else
		rwy_qmp_return(qmp, NULL);
}

static void chardev_add(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	name_command(ctx, qmp, args, rwy_control_names_add_chardev);
}

static void netdev_add(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	name_command(ctx, qmp, args, rwy_control_names_add_netdev);
}

static void chardev_remove(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	name_command(ctx, qmp, args, rwy_control_names_del_chardev);
}

static void netdev_del(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	name_command(ctx, qmp, args, rwy_control_names_del_netdev);
}

/* ---- devices ---- */

static int add_device(struct rwy_control *control, json_t *args, struct rwy_opt_why *why)
{
	const char *driver = json_string_value(json_object_get(args, "driver"));
	const char *id = json_string_value(json_object_get(args, "id"));
	const json_t *bus = json_object_get(args, "bus");

	if (!driver)
		return rwy_opt_fail(why, "Parameter 'driver' is missing");
	if (!id)
		return rwy_opt_fail(why, "Parameter 'id' is missing");
	if (bus && !json_is_string(bus))
		return rwy_opt_fail(why, "Parameter 'bus' expects a string");
	if (!control->machine->hotplug)
		return rwy_opt_fail(why, "The machine has not started yet");
	int err = rwy_control_names_resolve(&control->names, args, why);
	return err ? err
		   : rwy_hotplug_add(control->machine->hotplug, driver, id, json_string_value(bus),
				     args, why);
}

static void device_add(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	struct rwy_control *control = ctx;
	struct rwy_opt_why why;
	json_t *copy = json_copy((json_t *)args);

	control->adding = true; /* its answer may come from inside */
	if (add_device(control, copy, &why)) {
		control->adding = false;
		rwy_qmp_fail(qmp, GENERIC, "%s", why.text);
	}
	json_decref(copy);
}

void rwy_control_device_added(struct rwy_control *control, const char *id, const char *why)
{
	if (!control || !control->adding)
		return;
	control->adding = false;
	if (why)
		rwy_qmp_fail(control->qmp, GENERIC, "Device '%s' is not there: %s", id, why);
	else
		rwy_qmp_return(control->qmp, NULL);
}

static bool is_cold(const struct rwy_machine *machine, const char *id)
{
	for (const struct rwy_pci_dev *dev = machine->pci ? rwy_pci_first(machine->pci) : NULL; dev;
	     dev = rwy_pci_next(dev))
		if (strcmp(dev->name, id) == 0)
			return true;
	return false;
}

/* By its id, or by the path that our own events give. */
static void device_del(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	static const char prefix[] = "/machine/peripheral/";
	struct rwy_machine *machine = machine_of(ctx);
	const char *id = json_string_value(json_object_get(args, "id"));
	int err;

	if (!id) {
		rwy_qmp_fail(qmp, GENERIC, "Parameter 'id' is missing");
		return;
	}
	if (strncmp(id, prefix, strlen(prefix)) == 0)
		id += strlen(prefix);
	err = machine->hotplug ? rwy_hotplug_del(machine->hotplug, id) : -ENODEV;
	if (err == -ENODEV && is_cold(machine, id))
		rwy_qmp_fail(qmp, GENERIC, "Bus 'pcie.0' does not support hotplugging");
	else if (err == -ENODEV)
		rwy_qmp_fail(qmp, "DeviceNotFound", "Device '%s' not found", id);
	else if (err)
		rwy_qmp_fail(qmp, GENERIC, "Device %s is already in the process of unplug", id);
	else
		rwy_qmp_return(qmp, NULL);
}

static const struct rwy_qmp_command commands[] = {
	{"query-status", "", query_status},
	{"query-name", "", query_name},
	{"query-kvm", "", query_kvm},
	{"query-memory-size-summary", "", query_memory_size_summary},
	{"query-pci", "", query_pci},
	{"query-block", "", query_block},
	{"query-cpus-fast", "", query_cpus_fast},
	{"stop", "", stop},
	{"cont", "", cont},
	{"system_powerdown", "", system_powerdown},
	{"system_reset", "", system_reset},
	{"quit", "", quit},
	{"chardev-add", "id backend ", chardev_add},
	{"chardev-remove", "id ", chardev_remove},
	{"netdev_add", "type id chardev queues vhostforce ", netdev_add},
	{"netdev_del", "id ", netdev_del},
	{"device_add", NULL, device_add},
	{"device_del", "id ", device_del},
};

/* ---- events ---- */

void rwy_control_tell(struct rwy_control *control, const char *event)
{
	if (control)
		rwy_qmp_event(control->qmp, event, NULL);
}

void rwy_control_tell_cause(struct rwy_control *control, const char *event, bool guest,
			    const char *reason)
{
	if (control)
		rwy_qmp_event(control->qmp, event,
			      json_pack("{sbss}", "guest", guest, "reason", reason));
}

void rwy_control_tell_device(struct rwy_control *control, const char *event, const char *id)
{
	if (control)
		rwy_qmp_event(control->qmp, event,
			      json_pack("{ssso}", "device", id, "path",
					json_sprintf("/machine/peripheral/%s", id)));
}

/* ---- life ---- */

int rwy_control_open(struct rwy_control **out, struct rwy_machine *machine, const char *path)
{
	struct rwy_control *control = calloc(1, sizeof(*control));
	const struct rwy_qmp_config config = {
		.poll = machine->poll,
		.path = path,
		.commands = commands,
		.nr_commands = RWY_ARRAY_SIZE(commands),
		.ctx = control,
	};
	int err;

	if (!control)
		return -ENOMEM;
	control->machine = machine;
	err = rwy_qmp_open(&control->qmp, &config);
	if (err) {
		rwy_error("--qmp: %s: %s", path, strerror(-err));
		free(control);
		return err;
	}
	*out = control;
	return 0;
}

void rwy_control_close(struct rwy_control *control)
{
	if (!control)
		return;
	rwy_qmp_close(control->qmp);
	free(control);
}
