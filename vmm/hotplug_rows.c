/* SPDX-License-Identifier: BSD-3-Clause */
/* The kinds of devices that can be added to a running machine: a row each. */
#include "vmm/hotplug.h"

#include "lib/bdf.h"
#include "lib/sysfs.h"
#include "vmm/machine.h"
#include "vmm/vdev_vu.h"
#include "vmm/virtio_pci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COMMON "driver id bus addr "

#define QUEUES_MAX 64

/* ---- arguments, typed or as text: both are in use ---- */

static bool is_among(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (; *names; names += strcspn(names, " ") + 1)
		if (strcspn(names, " ") == len && memcmp(names, name, len) == 0)
			return true;
	return false;
}

static int check_names(const json_t *args, const char *names, struct rwy_opt_why *why)
{
	const char *name;
	json_t *value;

	json_object_foreach(
		(json_t *)args, name,
		value) if (!is_among(names,
				     name)) return rwy_opt_fail(why,
								"Parameter '%.64s' is unexpected",
								name);
	return 0;
}

static int get_string(const json_t *args, const char *name, const char **text,
		      struct rwy_opt_why *why)
{
	const json_t *value = json_object_get(args, name);

	*text = json_string_value(value);
	return value && !*text ? rwy_opt_fail(why, "Parameter '%s' expects a string", name) : 0;
}

static int get_uint(const json_t *args, const char *name, uint64_t max, uint64_t *number,
		    struct rwy_opt_why *why)
{
	const json_t *value = json_object_get(args, name);

	if (!value)
		return 0;
	if (json_is_string(value))
		return rwy_opt_uint(json_string_value(value), 1, max, number, why);
	if (!json_is_integer(value) || json_integer_value(value) < 1 ||
	    (uint64_t)json_integer_value(value) > max)
		return rwy_opt_fail(why, "Parameter '%s' expects a number from 1 to %llu", name,
				    (unsigned long long)max);
	*number = (uint64_t)json_integer_value(value);
	return 0;
}

static int get_bool(const json_t *args, const char *name, bool *flag, struct rwy_opt_why *why)
{
	const json_t *value = json_object_get(args, name);
	const char *text = json_string_value(value);

	if (!value)
		return 0;
	if (!json_is_boolean(value) && (!text || (strcmp(text, "on") && strcmp(text, "off"))))
		return rwy_opt_fail(why, "Parameter '%s' expects true or false", name);
	*flag = text ? strcmp(text, "on") == 0 : json_is_true(value);
	return 0;
}

/* ---- devices over vhost-user ---- */

static void vu_ready(void *ctx)
{
	rwy_hotplug_ready(ctx);
}

static int check_socket(const char *path, struct rwy_opt_why *why)
{
	struct stat st;

	if (!path)
		return rwy_opt_fail(why, "Parameter 'socket' is missing");
	if (stat(path, &st) < 0)
		return rwy_opt_fail(why, "%.128s: %s", path, strerror(errno));
	return S_ISSOCK(st.st_mode) ? 0 : rwy_opt_fail(why, "%.128s is no socket", path);
}

static int vu_open(struct rwy_hotplug_dev *dev, const char *type, const json_t *args,
		   uint64_t queues, const uint8_t *mac, struct rwy_opt_why *why)
{
	struct rwy_machine *machine = rwy_hotplug_ctx(dev->hotplug);
	struct rwy_vdev_vu_config config = {
		.type = type,
		.name = dev->id,
		.queues = (unsigned)queues,
		.mac = mac,
		.poll = machine->poll,
		.mem = &machine->vm.mem,
		.lock = &machine->vm.lock,
		.ready = vu_ready,
		.ctx = dev,
	};
	struct rwy_vdev *vdev;
	int err = get_string(args, "socket", &config.socket_path, why);

	if (!err)
		err = get_bool(args, "packed", &config.packed, why);
	if (!err)
		err = check_socket(config.socket_path, why);
	if (err)
		return err;
	err = rwy_vdev_vu_open(&vdev, &config);
	if (err)
		return rwy_opt_fail(why, "%.128s: %s", config.socket_path, strerror(-err));
	dev->device = vdev;
	return 0;
}

static int blk_open(struct rwy_hotplug_dev *dev, const json_t *args, struct rwy_opt_why *why)
{
	uint64_t queues = 1;
	int err = check_names(args, COMMON "socket packed num-queues ", why);

	if (!err)
		err = get_uint(args, "num-queues", QUEUES_MAX, &queues, why);
	return err ? err : vu_open(dev, "blk", args, queues, NULL, why);
}

/* Of what management software adds to a network card, mq and vectors follow from the queues here.
 */
static int net_open(struct rwy_hotplug_dev *dev, const json_t *args, struct rwy_opt_why *why)
{
	uint64_t queues = 1, vectors = 1;
	bool mq = false;
	const char *text;
	uint8_t mac[6];
	int err = check_names(args, COMMON "socket packed queues mac mq vectors ", why);

	if (!err)
		err = get_uint(args, "queues", QUEUES_MAX, &queues, why);
	if (!err)
		err = get_uint(args, "vectors", UINT16_MAX, &vectors, why);
	if (!err)
		err = get_bool(args, "mq", &mq, why);
	if (!err)
		err = get_string(args, "mac", &text, why);
	if (!err && text)
		err = rwy_opt_mac(text, mac, why);
	return err ? err : vu_open(dev, "net", args, queues, text ? mac : NULL, why);
}

static int vu_plug(struct rwy_hotplug_dev *dev, struct rwy_pci_dev *bridge)
{
	return rwy_virtio_pci_open(bridge->pci, bridge, dev->device);
}

static void vu_close(struct rwy_hotplug_dev *dev)
{
	struct rwy_vdev *vdev = dev->device;

	vdev->ops->close(vdev);
}

/* ---- functions of the host ---- */

static int vfio_open(struct rwy_hotplug_dev *dev, const json_t *args, struct rwy_opt_why *why)
{
	struct rwy_cfg_vfio vfio = {.fd = -1, .iommu_fd = -1};
	const char *host, *path, *token = NULL;
	uint8_t bytes[16];
	int err = check_names(args, COMMON "host sysfsdev vf-token ", why);

	if (!err)
		err = get_string(args, "host", &host, why);
	if (!err)
		err = get_string(args, "sysfsdev", &path, why);
	if (!err)
		err = get_string(args, "vf-token", &token, why);
	if (err)
		return err;
	if (!host == !path)
		return rwy_opt_fail(why, "Parameter 'host' is missing");
	if (rwy_bdf_parse(host ? host : path, vfio.bdf))
		return rwy_opt_fail(why, "'%.128s' is no PCI function like 0000:01:10.0",
				    host ? host : path);
	if (!rwy_sysfs_exists("", "/sys/bus/pci/devices/%s", vfio.bdf))
		return rwy_opt_fail(why, "There is no PCI function %s", vfio.bdf);
	if (token && rwy_token_parse(token, bytes))
		return rwy_opt_fail(why, "Parameter 'vf-token' expects a UUID");
	snprintf(vfio.token, sizeof(vfio.token), "%s", token ? token : "");
	dev->device = malloc(sizeof(vfio));
	if (!dev->device)
		return rwy_opt_fail(why, "%s", strerror(ENOMEM));
	memcpy(dev->device, &vfio, sizeof(vfio));
	rwy_hotplug_ready(dev);
	return 0;
}

/* From then on its slot is all that is needed. */
static int vfio_plug(struct rwy_hotplug_dev *dev, struct rwy_pci_dev *bridge)
{
	int rc = rwy_machine_add_vfio(rwy_hotplug_ctx(dev->hotplug), dev->device, dev->id, bridge);

	if (rc >= 0) {
		free(dev->device);
		dev->device = NULL;
	}
	return rc;
}

static void vfio_close(struct rwy_hotplug_dev *dev)
{
	free(dev->device);
	dev->device = NULL;
}

/* ---- the table ---- */

static const struct rwy_hotplug_row rows[] = {
	{"vhost-user-blk-pci", blk_open, vu_plug, vu_close},
	{"virtio-net-pci", net_open, vu_plug, vu_close},
	{"vfio-pci", vfio_open, vfio_plug, vfio_close},
};

const struct rwy_hotplug_row *rwy_hotplug_rows_find(const char *driver)
{
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].driver, driver) == 0)
			return &rows[i];
	return NULL;
}
