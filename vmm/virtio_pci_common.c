/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/virtio_pci_priv.h"

#include "lib/fd.h"

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <string.h>

#define RWY_STEM "virtio_pci"

#define ISR_CONFIG 2

static struct rwy_virtio_pci *of_vdev(struct rwy_vdev *vdev)
{
	return vdev->transport_ctx;
}

/* ---- doorbells: a queue has one while it is enabled and BAR 0 is mapped ---- */

static uint64_t doorbell_at(const struct rwy_virtio_pci *t, unsigned q)
{
	return t->pci.bars[RWY_VIRTIO_PCI_BAR].addr + RWY_VIRTIO_PCI_NOTIFY +
	       q * RWY_VIRTIO_PCI_STRIDE;
}

void rwy_virtio_pci_common_follow(struct rwy_virtio_pci *t)
{
	bool mapped = t->pci.bars[RWY_VIRTIO_PCI_BAR].mapped;

	for (unsigned q = 0; q < t->vdev->nr_queues; q++) {
		int kick_fd = t->vdev->queues[q].kick_fd;
		bool want = mapped && t->vdev->queues[q].enabled;

		if (t->doorbells[q] == want)
			continue;
		if (!want)
			rwy_irq_doorbell_del(t->irq, doorbell_at(t, q), 0, kick_fd);
		/* One that fails is logged; that queue's kicks then take the slow way. */
		t->doorbells[q] =
			want && rwy_irq_doorbell_add(t->irq, doorbell_at(t, q), 0, kick_fd) == 0;
	}
}

/* ---- interrupts ---- */

/* The vector that is in effect now: a driver reads back whether it got what it asked for. */
static uint16_t set_vector(struct rwy_virtio_pci *t, uint16_t old, uint16_t new, int fd)
{
	if (old != RWY_MSIX_NONE)
		rwy_msix_part(t->msix, old, fd);
	if (new == RWY_MSIX_NONE || rwy_msix_join(t->msix, new, fd) < 0)
		return RWY_MSIX_NONE;
	return new;
}

static void tell_config(struct rwy_virtio_pci *t)
{
	t->isr |= ISR_CONFIG;
	if (t->status & VIRTIO_CONFIG_S_DRIVER_OK)
		(void)rwy_fd_signal(t->config_fd);
}

void rwy_virtio_pci_common_part(struct rwy_virtio_pci *t)
{
	t->config_vector = set_vector(t, t->config_vector, RWY_MSIX_NONE, t->config_fd);
	for (unsigned q = 0; q < t->vdev->nr_queues; q++)
		t->vectors[q] =
			set_vector(t, t->vectors[q], RWY_MSIX_NONE, t->vdev->queues[q].call_fd);
}

/* ---- reset (2.4, 4.1.4.3.2): complete when no queue touches memory any more ---- */

static void forget_driver(struct rwy_virtio_pci *t)
{
	rwy_virtio_pci_common_part(t);
	for (unsigned q = 0; q < t->vdev->nr_queues; q++) {
		struct rwy_vdev_queue *queue = &t->vdev->queues[q];

		queue->enabled = false;
		queue->size = queue->size_max;
		queue->desc.v = queue->driver.v = queue->device.v = 0;
		(void)rwy_fd_drain(queue->kick_fd);
		(void)rwy_fd_drain(queue->call_fd);
	}
	rwy_virtio_pci_common_follow(t);
	(void)rwy_fd_drain(t->config_fd);
	t->device_feature_select = 0;
	t->driver_feature_select = 0;
	t->driver_features = 0;
	t->queue_select = 0;
	t->status = 0;
	t->isr = 0;
}

/* True: done. False: transport_stopped finishes it. */
bool rwy_virtio_pci_common_reset(struct rwy_virtio_pci *t)
{
	if (!t->running) {
		forget_driver(t);
		return true;
	}
	if (!t->stopping) {
		t->stopping = true;
		t->vdev->ops->stop(t->vdev);
	}
	return !t->stopping;
}

static void transport_stopped(struct rwy_vdev *vdev)
{
	struct rwy_virtio_pci *t = of_vdev(vdev);

	t->running = false;
	t->stopping = false;
	forget_driver(t);
	if (t->pci.resetting) {
		rwy_msix_reset(t->msix);
		rwy_pci_reset_done(&t->pci);
	}
}

static void transport_config_changed(struct rwy_vdev *vdev)
{
	struct rwy_virtio_pci *t = of_vdev(vdev);

	t->generation++;
	tell_config(t);
}

static void transport_needs_reset(struct rwy_vdev *vdev)
{
	struct rwy_virtio_pci *t = of_vdev(vdev);

	if (!t->running || t->stopping)
		return;
	t->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	tell_config(t);
}

const struct rwy_vdev_transport_ops rwy_virtio_pci_common_ops = {
	.stopped = transport_stopped,
	.config_changed = transport_config_changed,
	.needs_reset = transport_needs_reset,
};

/* ---- common configuration (4.1.4.3) ---- */

static bool features_fit(const struct rwy_virtio_pci *t)
{
	return !(t->driver_features & ~t->vdev->ops->features(t->vdev)) &&
	       (t->driver_features & RWY_BIT64(VIRTIO_F_VERSION_1));
}

/* A driver adds bits one after the other and takes none back but by a reset. */
static void write_status(struct rwy_virtio_pci *t, uint8_t value)
{
	uint8_t added = (uint8_t)(value & ~t->status);

	if (value == 0) {
		(void)rwy_virtio_pci_common_reset(t);
		return;
	}
	added &= VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
		 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FAILED;
	if ((added & VIRTIO_CONFIG_S_FEATURES_OK) && !features_fit(t)) {
		if (rwy_log_allow(&t->limit, 4))
			rwy_warn("%s: driver wants features 0x%llx, which are not offered",
				 t->pci.name, (unsigned long long)t->driver_features);
		added &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	}
	if (!((t->status | added) & VIRTIO_CONFIG_S_FEATURES_OK))
		added &= (uint8_t)~VIRTIO_CONFIG_S_DRIVER_OK;
	t->status |= added;
	if (added & VIRTIO_CONFIG_S_DRIVER_OK) {
		t->running = true;
		t->vdev->ops->start(t->vdev, t->driver_features);
	}
}

static bool is_packed(const struct rwy_virtio_pci *t)
{
	return t->driver_features & RWY_BIT64(VIRTIO_F_RING_PACKED);
}

static bool size_fits(const struct rwy_virtio_pci *t, const struct rwy_vdev_queue *queue,
		      uint16_t size)
{
	return size > 0 && size <= queue->size_max && (is_packed(t) || RWY_IS_POW2(size));
}

/* 2.7 and 2.8.10.1; that they are in memory is for the device to see. */
static bool areas_fit(const struct rwy_virtio_pci *t, const struct rwy_vdev_queue *queue)
{
	return queue->desc.v % 16 == 0 && queue->driver.v % (is_packed(t) ? 4 : 2) == 0 &&
	       queue->device.v % 4 == 0;
}

static void enable_queue(struct rwy_virtio_pci *t, unsigned q)
{
	struct rwy_vdev_queue *queue = &t->vdev->queues[q];

	if (queue->enabled || !(t->status & VIRTIO_CONFIG_S_FEATURES_OK) ||
	    (t->running && !t->vdev->ops->queue_changed))
		return;
	if (!size_fits(t, queue, queue->size) || !areas_fit(t, queue)) {
		if (rwy_log_allow(&t->limit, 4))
			rwy_warn("%s: queue %u of size %u at 0x%llx is no queue", t->pci.name, q,
				 queue->size, (unsigned long long)queue->desc.v);
		return;
	}
	queue->enabled = true;
	rwy_virtio_pci_common_follow(t);
	if (t->running)
		t->vdev->ops->queue_changed(t->vdev, q);
}

static void set_half(rwy_gpa *gpa, bool high, uint32_t value)
{
	gpa->v = high ? (gpa->v & UINT32_MAX) | (uint64_t)value << 32
		      : (gpa->v & ~(uint64_t)UINT32_MAX) | value;
}

static void write_queue(struct rwy_virtio_pci *t, unsigned off, uint32_t value)
{
	unsigned q = t->queue_select;
	struct rwy_vdev_queue *queue = &t->vdev->queues[q];

	if (q >= t->vdev->nr_queues)
		return;
	if (off == VIRTIO_PCI_COMMON_Q_MSIX) {
		t->vectors[q] = set_vector(t, t->vectors[q], (uint16_t)value, queue->call_fd);
		return;
	}
	if (queue->enabled)
		return;
	switch (off) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		if (size_fits(t, queue, (uint16_t)value))
			queue->size = (uint16_t)value;
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		if (value == 1)
			enable_queue(t, q);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		set_half(&queue->desc, off == VIRTIO_PCI_COMMON_Q_DESCHI, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		set_half(&queue->driver, off == VIRTIO_PCI_COMMON_Q_AVAILHI, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		set_half(&queue->device, off == VIRTIO_PCI_COMMON_Q_USEDHI, value);
		break;
	}
}

static void write_driver_features(struct rwy_virtio_pci *t, uint32_t value)
{
	unsigned shift = t->driver_feature_select * 32;

	if (t->driver_feature_select > 1 || (t->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	t->driver_features &= ~((uint64_t)UINT32_MAX << shift);
	t->driver_features |= (uint64_t)value << shift;
}

/* Bytes of the field that begins at off, 0: no field that can be written. */
static unsigned field_len(unsigned off)
{
	switch (off) {
	case VIRTIO_PCI_COMMON_STATUS:
		return 1;
	case VIRTIO_PCI_COMMON_MSIX:
	case VIRTIO_PCI_COMMON_Q_SELECT:
	case VIRTIO_PCI_COMMON_Q_SIZE:
	case VIRTIO_PCI_COMMON_Q_MSIX:
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return 2;
	case VIRTIO_PCI_COMMON_DFSELECT:
	case VIRTIO_PCI_COMMON_GFSELECT:
	case VIRTIO_PCI_COMMON_GF:
		return 4;
	default:
		return off >= VIRTIO_PCI_COMMON_Q_DESCLO && off <= VIRTIO_PCI_COMMON_Q_USEDHI &&
				       off % 4 == 0
			       ? 4
			       : 0;
	}
}

/* A field is written whole or not at all (4.1.3.1); while a reset goes on, nothing is. */
void rwy_virtio_pci_common_write(struct rwy_virtio_pci *t, unsigned off, const void *buf,
				 unsigned len)
{
	uint32_t value = 0;

	if (len != field_len(off) || t->stopping)
		return;
	memcpy(&value, buf, len);
	switch (off) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		t->device_feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		t->driver_feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		write_driver_features(t, value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		t->config_vector = set_vector(t, t->config_vector, (uint16_t)value, t->config_fd);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		write_status(t, (uint8_t)value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		t->queue_select = (uint16_t)value;
		break;
	default:
		write_queue(t, off, value);
	}
}

static uint32_t feature_word(uint64_t features, uint32_t select)
{
	return select > 1 ? 0 : (uint32_t)(features >> (32 * select));
}

void rwy_virtio_pci_common_read(struct rwy_virtio_pci *t, unsigned off, void *buf, unsigned len)
{
	struct virtio_pci_common_cfg c = {
		.device_feature_select = t->device_feature_select,
		.device_feature =
			feature_word(t->vdev->ops->features(t->vdev), t->device_feature_select),
		.guest_feature_select = t->driver_feature_select,
		.guest_feature = feature_word(t->driver_features, t->driver_feature_select),
		.msix_config = t->config_vector,
		.num_queues = (uint16_t)t->vdev->nr_queues,
		.device_status = t->status,
		.config_generation = t->generation,
		.queue_select = t->queue_select,
	};

	if (t->queue_select < t->vdev->nr_queues) {
		const struct rwy_vdev_queue *queue = &t->vdev->queues[t->queue_select];

		c.queue_size = queue->size;
		c.queue_msix_vector = t->vectors[t->queue_select];
		c.queue_enable = queue->enabled;
		c.queue_notify_off = t->queue_select;
		c.queue_desc_lo = (uint32_t)queue->desc.v;
		c.queue_desc_hi = (uint32_t)(queue->desc.v >> 32);
		c.queue_avail_lo = (uint32_t)queue->driver.v;
		c.queue_avail_hi = (uint32_t)(queue->driver.v >> 32);
		c.queue_used_lo = (uint32_t)queue->device.v;
		c.queue_used_hi = (uint32_t)(queue->device.v >> 32);
	}
	if (rwy_base_inside(off, len, sizeof(c)))
		memcpy(buf, (const uint8_t *)&c + off, len);
}
