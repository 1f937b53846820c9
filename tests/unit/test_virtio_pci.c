/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/pci_rig.h"
#include "vmm/virtio_pci.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>

#define QUEUES	 3
#define MOST	 256
#define FEATURES (RWY_BIT64(VIRTIO_F_VERSION_1) | RWY_BIT64(VIRTIO_F_RING_PACKED) | 0x25)

struct toy {
	struct rwy_vdev vdev;
	struct pci_rig rig;
	uint64_t features;
	uint8_t config[8];
	unsigned starts, stops, closes, changes;
	uint64_t started_with;
	bool slow;
	unsigned caps[6]; /* by configuration type */
	uint64_t bar;
	uint64_t regs[6]; /* guest addresses of the structures */
	unsigned stride;
};

static struct toy *of(struct rwy_vdev *vdev)
{
	return RWY_CONTAINER_OF(vdev, struct toy, vdev);
}

static uint64_t toy_features(struct rwy_vdev *vdev)
{
	return of(vdev)->features;
}

static void toy_config_read(struct rwy_vdev *vdev, uint32_t off, void *buf, uint32_t len)
{
	memcpy(buf, of(vdev)->config + off, len);
}

static void toy_config_write(struct rwy_vdev *vdev, uint32_t off, const void *buf, uint32_t len)
{
	memcpy(of(vdev)->config + off, buf, len);
}

static void toy_start(struct rwy_vdev *vdev, uint64_t features)
{
	of(vdev)->starts++;
	of(vdev)->started_with = features;
}

static void toy_stop(struct rwy_vdev *vdev)
{
	of(vdev)->stops++;
	if (!of(vdev)->slow)
		vdev->transport->stopped(vdev);
}

static void toy_close(struct rwy_vdev *vdev)
{
	of(vdev)->closes++;
}

static const struct rwy_vdev_ops toy_ops = {
	.features = toy_features,
	.config_read = toy_config_read,
	.config_write = toy_config_write,
	.start = toy_start,
	.stop = toy_stop,
	.close = toy_close,
};

static void find_structures(struct toy *toy)
{
	struct pci_rig *rig = &toy->rig;
	unsigned at;

	for (unsigned n = 0; (at = cfg_cap(rig, 1, 0x09, n)) != 0; n++) {
		unsigned type = cfg_in(rig, 1, at + 3, 1);

		assert_in_range(type, 1, 5);
		assert_int_equal(toy->caps[type], 0);
		toy->caps[type] = at;
		toy->regs[type] = toy->bar + cfg_in(rig, 1, at + 8, 4);
		if (type == VIRTIO_PCI_CAP_NOTIFY_CFG)
			toy->stride = cfg_in(rig, 1, at + 16, 4);
	}
}

static void toy_open(struct toy *toy)
{
	memset(toy, 0, sizeof(*toy));
	rig_open(&toy->rig);
	toy->features = FEATURES;
	memcpy(toy->config, "configur", 8);
	toy->vdev = (struct rwy_vdev){.ops = &toy_ops,
				      .name = "toy",
				      .device_id = 1,
				      .pci_class = 0x020000,
				      .config_len = 8,
				      .nr_queues = QUEUES};
	for (unsigned q = 0; q < QUEUES; q++)
		toy->vdev.queues[q].size_max = MOST;
	assert_int_equal(rwy_virtio_pci_open(toy->rig.pci, NULL, &toy->vdev), 1);
	cfg_out(&toy->rig, 1, 0x04, 2, 6);
	toy->bar = cfg_in(&toy->rig, 1, 0x10, 4);
	find_structures(toy);
}

static void toy_shut(struct toy *toy)
{
	rig_close(&toy->rig);
	assert_int_equal(toy->closes, 1);
}

static uint32_t in(struct toy *toy, unsigned off, unsigned len)
{
	return (uint32_t)rig_in(&toy->rig.mmio, toy->regs[VIRTIO_PCI_CAP_COMMON_CFG] + off, len);
}

static void out(struct toy *toy, unsigned off, unsigned len, uint32_t value)
{
	rig_out(&toy->rig.mmio, toy->regs[VIRTIO_PCI_CAP_COMMON_CFG] + off, len, value);
}

static unsigned status(struct toy *toy)
{
	return in(toy, VIRTIO_PCI_COMMON_STATUS, 1);
}

static void set_status(struct toy *toy, unsigned value)
{
	out(toy, VIRTIO_PCI_COMMON_STATUS, 1, value);
}

static void set_features(struct toy *toy, uint64_t features)
{
	for (unsigned i = 0; i < 2; i++) {
		out(toy, VIRTIO_PCI_COMMON_GFSELECT, 4, i);
		out(toy, VIRTIO_PCI_COMMON_GF, 4, (uint32_t)(features >> (32 * i)));
	}
}

static void set_queue(struct toy *toy, unsigned q, uint64_t at)
{
	out(toy, VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
	out(toy, VIRTIO_PCI_COMMON_Q_DESCLO, 4, (uint32_t)at);
	out(toy, VIRTIO_PCI_COMMON_Q_DESCHI, 4, (uint32_t)(at >> 32));
	out(toy, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, (uint32_t)at + 0x1000);
	out(toy, VIRTIO_PCI_COMMON_Q_USEDLO, 4, (uint32_t)at + 0x2000);
	out(toy, VIRTIO_PCI_COMMON_Q_MSIX, 2, q + 1);
	out(toy, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

/* As Linux does it. */
static void drive(struct toy *toy, uint64_t features)
{
	set_status(toy, 0);
	assert_int_equal(status(toy), 0);
	set_status(toy, 1);
	set_status(toy, 3);
	set_features(toy, features);
	set_status(toy, 11);
	assert_int_equal(status(toy), 11);
	out(toy, VIRTIO_PCI_COMMON_MSIX, 2, 0);
	for (unsigned q = 0; q < QUEUES; q++)
		set_queue(toy, q, 0x100000 + q * 0x10000);
	set_status(toy, 15);
}

static void structures(void **state)
{
	struct toy toy;
	uint64_t features = 0;

	toy_open(&toy);
	assert_int_equal(cfg_in(&toy.rig, 1, 0, 4), 0x10411af4);
	assert_int_equal(cfg_in(&toy.rig, 1, 0x08, 4), 0x02000001);
	for (unsigned type = 1; type <= 5; type++)
		assert_int_not_equal(toy.caps[type], 0);
	assert_int_not_equal(cfg_cap(&toy.rig, 1, 0x11, 0), 0);
	assert_true(toy.stride >= 2);
	for (unsigned i = 0; i < 3; i++) {
		out(&toy, VIRTIO_PCI_COMMON_DFSELECT, 4, i);
		if (i < 2)
			features |= (uint64_t)in(&toy, VIRTIO_PCI_COMMON_DF, 4) << (32 * i);
		else
			assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_DF, 4), 0);
	}
	assert_int_equal(features, FEATURES);
	assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_NUMQ, 2), QUEUES);
	assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
	out(&toy, VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_Q_SIZE, 2), MOST);
	assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_Q_NOFF, 2), 1);
	out(&toy, VIRTIO_PCI_COMMON_Q_SELECT, 2, QUEUES);
	assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
	out(&toy, VIRTIO_PCI_COMMON_Q_SELECT, 2, 0xffff);
	assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
	set_queue(&toy, 0xffff, 0x1000); /* nobody: nothing */
	toy_shut(&toy);
}

static void driver_comes_and_goes(void **state)
{
	struct toy toy;

	toy_open(&toy);
	for (unsigned round = 1; round <= 3; round++) {
		drive(&toy, FEATURES);
		assert_int_equal(status(&toy), 15);
		assert_int_equal(toy.starts, round);
		assert_int_equal(toy.started_with, FEATURES);
		for (unsigned q = 0; q < QUEUES; q++) {
			const struct rwy_vdev_queue *queue = &toy.vdev.queues[q];
			uint64_t bell = toy.regs[VIRTIO_PCI_CAP_NOTIFY_CFG] + q * toy.stride;

			assert_true(queue->enabled);
			assert_int_equal(queue->size, MOST);
			assert_int_equal(queue->desc.v, 0x100000 + q * 0x10000);
			assert_int_equal(queue->driver.v, 0x101000 + q * 0x10000);
			assert_int_equal(queue->device.v, 0x102000 + q * 0x10000);
			assert_int_equal(fake_irq_bell(toy.rig.irq, bell), queue->kick_fd);
		}
		assert_int_equal(toy.rig.irq->bells_used, QUEUES);
		set_status(&toy, 0);
		assert_int_equal(status(&toy), 0);
		assert_int_equal(toy.stops, round);
		assert_int_equal(toy.rig.irq->bells_used, 0);
		assert_false(toy.vdev.queues[0].enabled);
		out(&toy, VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
		assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_Q_DESCLO, 4), 0);
		assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
	}
	toy_shut(&toy);
}

/* 4.1.4.3.2: the driver reads the status until it is 0, and that is when the back-end is done. */
static void slow_reset(void **state)
{
	struct toy toy;

	toy_open(&toy);
	toy.slow = true;
	drive(&toy, FEATURES);
	rwy_fd_signal(toy.vdev.queues[0].kick_fd);
	set_status(&toy, 0);
	assert_int_equal(status(&toy), 15);
	set_status(&toy, 0);
	set_status(&toy, 1); /* impatient: nothing is written now */
	out(&toy, VIRTIO_PCI_COMMON_Q_SELECT, 2, 2);
	assert_int_equal(status(&toy), 15);
	assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_Q_SELECT, 2), 2);
	assert_int_equal(toy.stops, 1);
	toy.vdev.transport->needs_reset(&toy.vdev); /* too late to matter */
	toy.vdev.transport->stopped(&toy.vdev);
	assert_int_equal(status(&toy), 0);
	assert_int_equal(rwy_fd_drain(toy.vdev.queues[0].kick_fd), 0);
	drive(&toy, FEATURES);
	assert_int_equal(toy.starts, 2);

	/* The machine's reset waits for it as well. */
	rwy_pci_reset(toy.rig.pci, rig_quiet, &toy.rig);
	assert_int_equal(toy.rig.quiet, 0);
	assert_int_equal(toy.rig.irq->bells_used, 0);
	toy.vdev.transport->stopped(&toy.vdev);
	assert_int_equal(toy.rig.quiet, 1);
	assert_int_equal(toy.rig.irq->gsis, 0);

	/* And where the driver's own reset is under way already. */
	cfg_out(&toy.rig, 1, 0x04, 2, 6);
	drive(&toy, FEATURES);
	set_status(&toy, 0);
	rwy_pci_reset(toy.rig.pci, rig_quiet, &toy.rig);
	assert_int_equal(toy.stops, 3);
	assert_int_equal(toy.rig.quiet, 1);
	toy.vdev.transport->stopped(&toy.vdev);
	assert_int_equal(toy.rig.quiet, 2);
	toy_shut(&toy);
}

static void features_are_checked(void **state)
{
	static const uint64_t bad[] = {
		0, 0x25, RWY_BIT64(VIRTIO_F_VERSION_1) | 0x2, FEATURES | RWY_BIT64(63), UINT64_MAX,
	};
	struct toy toy;

	toy_open(&toy);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		set_status(&toy, 0);
		set_status(&toy, 3);
		set_features(&toy, bad[i]);
		set_status(&toy, 11);
		assert_int_equal(status(&toy), 3);
		set_status(&toy, 15);
		assert_int_equal(status(&toy), 3);
	}
	assert_int_equal(toy.starts, 0);

	/* What was offered when the driver looked may be gone when it decides. */
	set_status(&toy, 0);
	set_status(&toy, 3);
	set_features(&toy, FEATURES);
	toy.features = RWY_BIT64(VIRTIO_F_VERSION_1);
	set_status(&toy, 11);
	assert_int_equal(status(&toy), 3);
	set_features(&toy, toy.features);
	set_status(&toy, 11);
	assert_int_equal(status(&toy), 11);
	/* Too late for features, and bits are not taken back. */
	set_features(&toy, 0);
	out(&toy, VIRTIO_PCI_COMMON_GFSELECT, 4, 7);
	out(&toy, VIRTIO_PCI_COMMON_GF, 4, 0xffffffff);
	set_status(&toy, 1);
	assert_int_equal(status(&toy), 11);
	set_status(&toy, 15);
	assert_int_equal(toy.started_with, RWY_BIT64(VIRTIO_F_VERSION_1));
	set_status(&toy, 15);
	set_status(&toy, 0xff);
	assert_int_equal(toy.starts, 1);
	assert_int_equal(status(&toy), 0x8f);
	toy_shut(&toy);
}

/* CVE-2026-50626: a queue larger than the device's largest. */
static void queue_sizes(void **state)
{
	static const struct {
		uint64_t features;
		uint16_t size;
		bool good;
	} sizes[] = {
		{RWY_BIT64(VIRTIO_F_VERSION_1), 0, false},
		{RWY_BIT64(VIRTIO_F_VERSION_1), MOST + 1, false},
		{RWY_BIT64(VIRTIO_F_VERSION_1), 2 * MOST, false},
		{RWY_BIT64(VIRTIO_F_VERSION_1), 65535, false},
		{RWY_BIT64(VIRTIO_F_VERSION_1), 32768, false},
		{RWY_BIT64(VIRTIO_F_VERSION_1), 100, false},
		{RWY_BIT64(VIRTIO_F_VERSION_1), 1, true},
		{RWY_BIT64(VIRTIO_F_VERSION_1), 128, true},
		{FEATURES, 0, false},
		{FEATURES, MOST + 1, false},
		{FEATURES, 65535, false},
		{FEATURES, 100, true},
	};
	struct toy toy;

	toy_open(&toy);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(sizes); i++) {
		set_status(&toy, 0);
		set_status(&toy, 3);
		set_features(&toy, sizes[i].features);
		set_status(&toy, 11);
		out(&toy, VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
		out(&toy, VIRTIO_PCI_COMMON_Q_SIZE, 2, sizes[i].size);
		assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_Q_SIZE, 2),
				 sizes[i].good ? sizes[i].size : MOST);
		set_queue(&toy, 0, 0x100000);
		assert_true(toy.vdev.queues[0].enabled);
		out(&toy, VIRTIO_PCI_COMMON_Q_SIZE, 2, 64); /* too late */
		out(&toy, VIRTIO_PCI_COMMON_Q_DESCLO, 4, 0);
		assert_int_equal(toy.vdev.queues[0].size, sizes[i].good ? sizes[i].size : MOST);
		assert_int_equal(toy.vdev.queues[0].desc.v, 0x100000);
	}
	/* Chosen before the ring format was: 100 entries and then a split ring. */
	set_status(&toy, 0);
	set_status(&toy, 3);
	set_features(&toy, FEATURES);
	out(&toy, VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	out(&toy, VIRTIO_PCI_COMMON_Q_SIZE, 2, 100);
	set_features(&toy, RWY_BIT64(VIRTIO_F_VERSION_1));
	set_status(&toy, 11);
	set_queue(&toy, 0, 0x100000);
	assert_false(toy.vdev.queues[0].enabled);
	toy_shut(&toy);
}

static void queues_are_checked(void **state)
{
	struct toy toy;

	toy_open(&toy);
	set_queue(&toy, 0, 0x100000); /* before FEATURES_OK */
	assert_false(toy.vdev.queues[0].enabled);
	assert_int_equal(toy.rig.irq->bells_used, 0);
	set_status(&toy, 3);
	set_features(&toy, RWY_BIT64(VIRTIO_F_VERSION_1));
	set_status(&toy, 11);
	set_queue(&toy, 0, 0x100008); /* descriptors misaligned */
	assert_false(toy.vdev.queues[0].enabled);
	set_queue(&toy, 0, 0x100000);
	assert_true(toy.vdev.queues[0].enabled);
	out(&toy, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 0); /* not a driver's to do */
	assert_true(toy.vdev.queues[0].enabled);
	out(&toy, VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	out(&toy, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 2);
	assert_false(toy.vdev.queues[1].enabled);
	/* Vectors that are not there read back as none. */
	out(&toy, VIRTIO_PCI_COMMON_Q_MSIX, 2, QUEUES + 1);
	assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
	out(&toy, VIRTIO_PCI_COMMON_MSIX, 2, 0xfffe);
	assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
	out(&toy, VIRTIO_PCI_COMMON_Q_MSIX, 2, QUEUES);
	assert_int_equal(in(&toy, VIRTIO_PCI_COMMON_Q_MSIX, 2), QUEUES);
	set_status(&toy, 15);
	set_queue(&toy, 1, 0x200000); /* after DRIVER_OK, which this device cannot do */
	assert_false(toy.vdev.queues[1].enabled);
	toy_shut(&toy);
}

/* Any bytes anywhere: nothing falls over, and a reset heals. */
static void noise(void **state)
{
	struct toy toy;

	toy_open(&toy);
	srand(3);
	for (unsigned i = 0; i < 200000; i++) {
		static const unsigned lens[] = {1, 2, 4, 8};
		unsigned len = lens[rand() % 4];
		uint64_t value = (uint64_t)rand() << 33 ^ (uint64_t)rand();
		uint64_t addr = toy.bar + (unsigned)rand() % 0x4000;

		if (rand() % 2)
			addr = toy.bar + (unsigned)rand() % 64;
		if (rand() % 16 == 0)
			value = rand() % 16;
		if (rand() % 3)
			rig_out(&toy.rig.mmio, addr, len, value);
		else
			(void)rig_in(&toy.rig.mmio, addr, len);
		if (rand() % 64 == 0)
			cfg_out(&toy.rig, 1,
				toy.caps[VIRTIO_PCI_CAP_PCI_CFG] + (unsigned)rand() % 20,
				len > 4 ? 4 : len, (uint32_t)value);
	}
	drive(&toy, FEATURES);
	assert_int_equal(status(&toy), 15);
	toy_shut(&toy);
}

static void interrupts(void **state)
{
	uint64_t msix;
	struct toy toy;

	toy_open(&toy);
	msix = cfg_in(&toy.rig, 1, 0x14, 4);
	cfg_out(&toy.rig, 1, cfg_cap(&toy.rig, 1, 0x11, 0) + 2, 2, 0x8000);
	for (unsigned v = 0; v <= QUEUES; v++) {
		rig_out(&toy.rig.mmio, msix + v * 16, 8, 0xfee00000);
		rig_out(&toy.rig.mmio, msix + v * 16 + 8, 8, 0x60 + v);
	}
	drive(&toy, FEATURES);
	for (unsigned q = 0; q < QUEUES; q++) {
		const struct rwy_irq_msi *msi =
			fake_irq_message(toy.rig.irq, toy.vdev.queues[q].call_fd);

		assert_non_null(msi);
		assert_int_equal(msi->data, 0x61 + q);
	}
	assert_int_equal(toy.rig.irq->wired, QUEUES + 1);
	set_status(&toy, 0);
	assert_int_equal(toy.rig.irq->wired, 0);
	toy_shut(&toy);
}

static void config_space(void **state)
{
	uint64_t isr, at;
	struct toy toy;
	unsigned gen;

	toy_open(&toy);
	isr = toy.regs[VIRTIO_PCI_CAP_ISR_CFG];
	at = toy.regs[VIRTIO_PCI_CAP_DEVICE_CFG];
	assert_int_equal(rig_in(&toy.rig.mmio, at, 4), 0x666e6f63);
	assert_int_equal(rig_in(&toy.rig.mmio, at + 7, 1), 'r');
	assert_int_equal(rig_in(&toy.rig.mmio, at + 6, 4), 0); /* runs over the end */
	rig_out(&toy.rig.mmio, at + 6, 4, UINT32_MAX);
	rig_out(&toy.rig.mmio, at + 2, 2, 0x4141);
	assert_memory_equal(toy.config, "coAAigur", 8);

	drive(&toy, FEATURES);
	gen = in(&toy, VIRTIO_PCI_COMMON_CFGGENERATION, 1);
	assert_int_equal(rig_in(&toy.rig.mmio, isr, 1), 0);
	toy.vdev.transport->config_changed(&toy.vdev);
	assert_int_not_equal(in(&toy, VIRTIO_PCI_COMMON_CFGGENERATION, 1), gen);
	assert_int_equal(rig_in(&toy.rig.mmio, isr, 1), 2);
	assert_int_equal(rig_in(&toy.rig.mmio, isr, 1), 0); /* reading clears */
	toy.vdev.transport->needs_reset(&toy.vdev);
	assert_int_equal(status(&toy), 0x4f);
	assert_int_equal(rig_in(&toy.rig.mmio, isr, 1), 2);
	set_status(&toy, 0);
	assert_int_equal(status(&toy), 0);
	toy_shut(&toy);
}

/* 4.1.4.9: the same registers through configuration space, for firmware without MMIO. */
static void window(void **state)
{
	struct pci_rig *rig;
	struct toy toy;
	unsigned cap;

	toy_open(&toy);
	rig = &toy.rig;
	cap = toy.caps[VIRTIO_PCI_CAP_PCI_CFG];
	cfg_out(rig, 1, cap + 4, 1, 0);
	cfg_out(rig, 1, cap + 8, 4, 0x0000 + VIRTIO_PCI_COMMON_STATUS);
	cfg_out(rig, 1, cap + 12, 4, 1);
	cfg_out(rig, 1, cap + 16, 1, 3);
	assert_int_equal(status(&toy), 3);
	assert_int_equal(cfg_in(rig, 1, cap + 16, 1), 3);
	cfg_out(rig, 1, cap + 8, 4, 0x2000);
	cfg_out(rig, 1, cap + 12, 4, 4);
	assert_int_equal(cfg_in(rig, 1, cap + 16, 4), 0x666e6f63);
	/* Windows onto nothing. */
	cfg_out(rig, 1, cap + 4, 1, 5);
	cfg_out(rig, 1, cap + 16, 4, 0);
	cfg_out(rig, 1, cap + 4, 1, 0);
	cfg_out(rig, 1, cap + 8, 4, 0x3ffe);
	cfg_out(rig, 1, cap + 16, 4, 0);
	cfg_out(rig, 1, cap + 8, 4, 0xfffffffc);
	cfg_out(rig, 1, cap + 16, 4, 0);
	cfg_out(rig, 1, cap + 8, 4, 0);
	cfg_out(rig, 1, cap + 12, 4, 0);
	cfg_out(rig, 1, cap + 16, 4, 0);
	assert_int_equal(status(&toy), 3);
	toy_shut(&toy);
}

static void doorbells_follow_the_bar(void **state)
{
	struct toy toy;

	toy_open(&toy);
	drive(&toy, FEATURES);
	cfg_out(&toy.rig, 1, 0x04, 2, 4);
	assert_int_equal(toy.rig.irq->bells_used, 0);
	cfg_out(&toy.rig, 1, 0x10, 4, 0xd0000000);
	cfg_out(&toy.rig, 1, 0x04, 2, 6);
	assert_int_equal(toy.rig.irq->bells_used, QUEUES);
	assert_int_equal(fake_irq_bell(toy.rig.irq, 0xd0003000 + toy.stride),
			 toy.vdev.queues[1].kick_fd);
	/* A kick that comes here after all is passed on. */
	rig_out(&toy.rig.mmio, 0xd0003000 + 2 * toy.stride, 2, 2);
	assert_int_equal(rwy_fd_drain(toy.vdev.queues[2].kick_fd), 1);
	rig_out(&toy.rig.mmio, 0xd0003000 + QUEUES * toy.stride, 2, 2);
	toy_shut(&toy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structures),
		cmocka_unit_test(driver_comes_and_goes),
		cmocka_unit_test(slow_reset),
		cmocka_unit_test(features_are_checked),
		cmocka_unit_test(queue_sizes),
		cmocka_unit_test(queues_are_checked),
		cmocka_unit_test(noise),
		cmocka_unit_test(interrupts),
		cmocka_unit_test(config_space),
		cmocka_unit_test(window),
		cmocka_unit_test(doorbells_follow_the_bar),
	};

	return UNIT_RUN(tests);
}
