/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/control_block.h"

#include "vmm/virtio_pci.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#define SECTOR 512
#define DRIVER "virtio-blk-vhost-user" /* QEMU's name for it (qapi/block-core.json) */

static bool has(uint64_t features, unsigned feature)
{
	return features & RWY_BIT64(feature);
}

/* Who reads and writes it is another process: of all that QEMU can say of the disk this is what can
 * be known here, and all that its clients rely on. */
static json_t *inserted(struct rwy_vdev *vdev)
{
	uint64_t features = vdev->ops->features(vdev), sectors;
	json_t *file = json_string(vdev->backend), *info, *image;

	if (!file) /* none, or no UTF-8 */
		file = json_string("");
	vdev->ops->config_read(vdev, offsetof(struct virtio_blk_config, capacity), &sectors,
			       sizeof(sectors));
	image = json_pack("{sOsssI}", "filename", file, "format", "raw", "virtual-size",
			  (json_int_t)(sectors * SECTOR));
	info = json_pack("{sosssbsbsisssiso}", "file", file, "drv", DRIVER, "ro",
			 has(features, VIRTIO_BLK_F_RO), "encrypted", false, "backing_file_depth",
			 0, "detect_zeroes", "off", "write_threshold", 0, "image", image);
	json_object_set_new(info, "cache",
			    json_pack("{sbsbsb}", "writeback", has(features, VIRTIO_BLK_F_FLUSH),
				      "direct", false, "no-flush", false));
	json_object_update_new(info, json_pack("{sisisisisisi}", "bps", 0, "bps_rd", 0, "bps_wr", 0,
					       "iops", 0, "iops_rd", 0, "iops_wr", 0));
	return info;
}

static void add(json_t *list, const struct rwy_pci_dev *dev, const struct rwy_hotplug *hotplug)
{
	struct rwy_vdev *vdev = dev && !dev->leaving ? rwy_virtio_pci_vdev(dev) : NULL;
	const char *id;

	if (!vdev || vdev->device_id != VIRTIO_ID_BLOCK)
		return;
	id = rwy_hotplug_id_of(hotplug, dev);
	id = id ? id : dev->name;
	json_array_append_new(list,
			      json_pack("{sssosssbsbso}", "device", id, "qdev",
					json_sprintf("/machine/peripheral/%s/virtio-backend", id),
					"type", "unknown", "removable", false, "locked", false,
					"inserted", inserted(vdev)));
}

json_t *rwy_control_block_list(const struct rwy_pci *pci, const struct rwy_hotplug *hotplug)
{
	json_t *list = json_array();

	for (const struct rwy_pci_dev *dev = rwy_pci_first(pci); dev; dev = rwy_pci_next(dev)) {
		add(list, dev, hotplug);
		add(list, dev->child, hotplug);
	}
	return list;
}
