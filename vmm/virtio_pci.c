/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/virtio_pci.h"

#include "lib/fd.h"
#include "vmm/virtio_pci_priv.h"

#include <assert.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>

#define VENDOR	    0x1af4
#define DEVICE_BASE 0x1040 /* plus the virtio device id (4.1.2.1) */
#define MSIX_BAR    1

static struct rwy_virtio_pci *of_pci(struct rwy_pci_dev *dev)
{
	return RWY_CONTAINER_OF(dev, struct rwy_virtio_pci, pci);
}

/* ---- the BARs ---- */

static void regs_read(struct rwy_virtio_pci *t, uint64_t off, void *buf, unsigned len)
{
	uint64_t in = off % 0x1000;

	memset(buf, 0, len);
	switch (off - in) {
	case RWY_VIRTIO_PCI_COMMON:
		rwy_virtio_pci_common_read(t, (unsigned)in, buf, len);
		break;
	case RWY_VIRTIO_PCI_ISR: /* reading clears it (4.1.4.5) */
		if (in == 0) {
			memcpy(buf, &t->isr, 1);
			t->isr = 0;
		}
		break;
	case RWY_VIRTIO_PCI_DEVICE:
		if (rwy_base_inside(in, len, t->vdev->config_len))
			t->vdev->ops->config_read(t->vdev, (uint32_t)in, buf, len);
		break;
	}
}

static void regs_write(struct rwy_virtio_pci *t, uint64_t off, const void *buf, unsigned len)
{
	uint64_t in = off % 0x1000;

	switch (off - in) {
	case RWY_VIRTIO_PCI_COMMON:
		rwy_virtio_pci_common_write(t, (unsigned)in, buf, len);
		break;
	case RWY_VIRTIO_PCI_DEVICE:
		if (rwy_base_inside(in, len, t->vdev->config_len))
			t->vdev->ops->config_write(t->vdev, (uint32_t)in, buf, len);
		break;
	case RWY_VIRTIO_PCI_NOTIFY: /* only where KVM has no doorbell */
		if (in / RWY_VIRTIO_PCI_STRIDE < t->vdev->nr_queues &&
		    t->vdev->queues[in / RWY_VIRTIO_PCI_STRIDE].enabled)
			rwy_bell_ring(t->vdev->bell,
				      t->vdev->queues[in / RWY_VIRTIO_PCI_STRIDE].kick_fd);
		break;
	}
}

static void bar_read(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, void *buf, unsigned len)
{
	if (bar == MSIX_BAR)
		rwy_msix_bar_read(of_pci(dev)->msix, off, buf, len);
	else
		regs_read(of_pci(dev), off, buf, len);
}

static void bar_write(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, const void *buf,
		      unsigned len)
{
	if (bar == MSIX_BAR)
		rwy_msix_bar_write(of_pci(dev)->msix, off, buf, len);
	else
		regs_write(of_pci(dev), off, buf, len);
}

static void bar_mapped(struct rwy_pci_dev *dev, unsigned bar, bool mapped)
{
	if (bar == RWY_VIRTIO_PCI_BAR)
		rwy_virtio_pci_common_follow(of_pci(dev));
}

/* ---- configuration space: the window of 4.1.4.9 ---- */

#define WINDOW_DATA (offsetof(struct virtio_pci_cfg_cap, pci_cfg_data))

/* What the driver pointed the window at. False: nothing that is there. */
static bool window_target(const struct rwy_virtio_pci *t, unsigned off, unsigned len,
			  struct virtio_pci_cap *cap)
{
	uint32_t size;

	memcpy(cap, t->pci.config + t->window, sizeof(*cap));
	if (off > t->window + WINDOW_DATA || off + len <= t->window + WINDOW_DATA ||
	    cap->bar > MSIX_BAR)
		return false;
	size = t->pci.bars[cap->bar].size;
	return (cap->length == 1 || cap->length == 2 || cap->length == 4) &&
	       cap->offset % cap->length == 0 && rwy_base_inside(cap->offset, cap->length, size);
}

static void config_read(struct rwy_pci_dev *dev, unsigned off, unsigned len)
{
	struct rwy_virtio_pci *t = of_pci(dev);
	struct virtio_pci_cap cap;

	if (window_target(t, off, len, &cap))
		bar_read(dev, cap.bar, cap.offset, dev->config + t->window + WINDOW_DATA,
			 cap.length);
}

static void config_written(struct rwy_pci_dev *dev, unsigned off, unsigned len)
{
	struct rwy_virtio_pci *t = of_pci(dev);
	struct virtio_pci_cap cap;

	rwy_msix_config_written(t->msix, off, len);
	if (window_target(t, off, len, &cap))
		bar_write(dev, cap.bar, cap.offset, dev->config + t->window + WINDOW_DATA,
			  cap.length);
}

static bool pci_reset(struct rwy_pci_dev *dev)
{
	struct rwy_virtio_pci *t = of_pci(dev);

	if (!rwy_virtio_pci_common_reset(t))
		return false;
	rwy_msix_reset(t->msix);
	return true;
}

/* ---- life ---- */

static void close_fds(struct rwy_virtio_pci *t)
{
	rwy_fd_close(&t->config_fd);
	for (unsigned q = 0; q < t->vdev->nr_queues; q++) {
		rwy_fd_close(&t->vdev->queues[q].kick_fd);
		rwy_fd_close(&t->vdev->queues[q].call_fd);
	}
}

static void pci_close(struct rwy_pci_dev *dev)
{
	struct rwy_virtio_pci *t = of_pci(dev);
	struct rwy_vdev *vdev = t->vdev;

	rwy_virtio_pci_common_part(t);
	rwy_msix_close(t->msix);
	vdev->transport = NULL;
	vdev->transport_ctx = NULL;
	close_fds(t);
	free(t);
	vdev->ops->close(vdev);
}

static const struct rwy_pci_dev_ops pci_ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.bar_mapped = bar_mapped,
	.config_read = config_read,
	.config_written = config_written,
	.reset = pci_reset,
	.close = pci_close,
};

/* A capability of 4.1.4 that says where a structure is; extra: what follows the common part. */
static unsigned add_cap(struct rwy_virtio_pci *t, uint8_t type, uint32_t off, uint32_t len,
			unsigned extra)
{
	struct {
		struct virtio_pci_cap cap;
		uint32_t extra;
	} c = {
		.cap = {.cap_len = (uint8_t)(sizeof(c.cap) + extra),
			.cfg_type = type,
			.bar = RWY_VIRTIO_PCI_BAR,
			.offset = off,
			.length = len},
		.extra = type == VIRTIO_PCI_CAP_NOTIFY_CFG ? RWY_VIRTIO_PCI_STRIDE : 0,
	};

	return rwy_pci_dev_add_cap(&t->pci, PCI_CAP_ID_VNDR, (const uint8_t *)&c + 2,
				   (unsigned)sizeof(c.cap) - 2 + extra);
}

static void describe(struct rwy_virtio_pci *t)
{
	const struct rwy_vdev *vdev = t->vdev;
	const struct rwy_pci_id id = {
		.vendor = VENDOR,
		.device = (uint16_t)(DEVICE_BASE + vdev->device_id),
		.sub_vendor = VENDOR,
		.sub_device = (uint16_t)(DEVICE_BASE + vdev->device_id),
		.class_code = vdev->pci_class,
		.revision = 1,
	};

	rwy_pci_dev_init(&t->pci, &pci_ops, vdev->name, &id);
	rwy_pci_dev_add_bar(&t->pci, RWY_VIRTIO_PCI_BAR, RWY_VIRTIO_PCI_SIZE);
	add_cap(t, VIRTIO_PCI_CAP_COMMON_CFG, RWY_VIRTIO_PCI_COMMON,
		sizeof(struct virtio_pci_common_cfg), 0);
	add_cap(t, VIRTIO_PCI_CAP_NOTIFY_CFG, RWY_VIRTIO_PCI_NOTIFY,
		vdev->nr_queues * RWY_VIRTIO_PCI_STRIDE, sizeof(uint32_t));
	add_cap(t, VIRTIO_PCI_CAP_ISR_CFG, RWY_VIRTIO_PCI_ISR, 1, 0);
	if (vdev->config_len)
		add_cap(t, VIRTIO_PCI_CAP_DEVICE_CFG, RWY_VIRTIO_PCI_DEVICE, vdev->config_len, 0);
	t->window = add_cap(t, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, sizeof(uint32_t));
	t->pci.writable[t->window + offsetof(struct virtio_pci_cap, bar)] = 0xff;
	memset(t->pci.writable + t->window + offsetof(struct virtio_pci_cap, offset), 0xff,
	       2 * sizeof(uint32_t) + sizeof(uint32_t));
}

static int open_fds(struct rwy_virtio_pci *t)
{
	t->config_fd = -1;
	for (unsigned q = 0; q < t->vdev->nr_queues; q++)
		t->vdev->queues[q].kick_fd = t->vdev->queues[q].call_fd = -1;
	t->config_fd = rwy_fd_event();
	if (t->config_fd < 0)
		return t->config_fd;
	for (unsigned q = 0; q < t->vdev->nr_queues; q++) {
		struct rwy_vdev_queue *queue = &t->vdev->queues[q];

		queue->kick_fd = rwy_fd_event();
		queue->call_fd = rwy_fd_event();
		if (queue->kick_fd < 0 || queue->call_fd < 0)
			return RWY_MIN(queue->kick_fd, queue->call_fd);
		t->vectors[q] = RWY_MSIX_NONE;
	}
	t->config_vector = RWY_MSIX_NONE;
	return 0;
}

int rwy_virtio_pci_open(struct rwy_pci *pci, struct rwy_pci_dev *bridge, struct rwy_vdev *vdev)
{
	struct rwy_virtio_pci *t = calloc(1, sizeof(*t));
	int rc;

	assert(vdev->nr_queues <= RWY_VDEV_QUEUES);
	if (!t)
		return -ENOMEM;
	t->vdev = vdev;
	t->irq = rwy_pci_irq(pci);
	rc = open_fds(t);
	if (rc < 0)
		goto close_fds;
	describe(t);
	rc = rwy_msix_open(&t->msix, t->irq, &t->pci, MSIX_BAR, vdev->nr_queues + 1);
	if (rc < 0)
		goto close_fds;
	(void)rwy_virtio_pci_common_reset(t);
	t->pci.bridge = bridge;
	rc = rwy_pci_plug(pci, &t->pci);
	if (rc < 0)
		goto close_msix;
	vdev->transport = &rwy_virtio_pci_common_ops;
	vdev->transport_ctx = t;
	return (int)t->pci.slot;

close_msix:
	rwy_msix_close(t->msix);
close_fds:
	close_fds(t);
	free(t);
	return rc;
}

struct rwy_vdev *rwy_virtio_pci_vdev(const struct rwy_pci_dev *dev)
{
	if (dev->ops != &pci_ops)
		return NULL;
	return RWY_CONTAINER_OF(dev, const struct rwy_virtio_pci, pci)->vdev;
}
