/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole device as a guest sees it, its back-end scripted: PCI at one end, a socket at the other.
 */
#include "tests/proto/fake_be.h"
#include "tests/unit/pci_rig.h"
#include "lib/log.h"
#include "lib/shm.h"
#include "lib/vqd.h"
#include "vmm/vdev_vu.h"
#include "vmm/virtio_pci.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_pci.h>

#define RAM	0x400000
#define V1	RWY_BIT64(VIRTIO_F_VERSION_1)
#define PACKED	RWY_BIT64(VIRTIO_F_RING_PACKED)
#define MQ	RWY_BIT64(VIRTIO_NET_F_MQ)
#define CTRL	RWY_BIT64(VIRTIO_NET_F_CTRL_VQ)
#define MRG	RWY_BIT64(VIRTIO_NET_F_MRG_RXBUF)
#define NET_VMM (RWY_BIT64(VIRTIO_NET_F_MAC) | RWY_BIT64(VIRTIO_NET_F_STATUS))

struct bed {
	struct pci_rig rig;
	struct rwy_poll *poll;
	struct rwy_shm shm;
	struct rwy_mem mem;
	struct fake be;
	struct rwy_vdev *vdev;
	unsigned ready;
	uint64_t bar;
};

static void bed_ready(void *ctx)
{
	((struct bed *)ctx)->ready++;
}

static void bed_open(struct bed *bed)
{
	const struct rwy_shm_opts opts = {.node = -1};
	struct rwy_mem_region region = {0};

	memset(bed, 0, sizeof(*bed));
	rig_open(&bed->rig);
	assert_int_equal(rwy_poll_open(&bed->poll, RWY_POLL_NEVER), 0);
	assert_int_equal(rwy_shm_open(&bed->shm, "bed", RAM, &opts), 0);
	rwy_mem_init(&bed->mem);
	region = (struct rwy_mem_region){.size = RAM, .hva = bed->shm.addr, .fd = bed->shm.fd};
	assert_int_equal(rwy_mem_add(&bed->mem, &region), 0);
	fake_open(&bed->be, bed->poll);
	fake_listen(&bed->be);
}

static void bed_close(struct bed *bed)
{
	rig_close(&bed->rig);
	fake_close(&bed->be);
	rwy_mem_fini(&bed->mem);
	rwy_shm_close(&bed->shm);
	rwy_poll_close(bed->poll);
}

/* Until *what has this value; 0 within ms is what tests ask for. */
static void spin(struct bed *bed, unsigned ms)
{
	uint64_t end = rwy_poll_now_ns() + ms * UINT64_C(1000000);

	while (rwy_poll_now_ns() < end)
		assert_true(rwy_poll_once(bed->poll, 5) >= 0);
}

static unsigned reg_in(struct bed *bed, unsigned off, unsigned len)
{
	return (unsigned)rig_in(&bed->rig.mmio, bed->bar + off, len);
}

static void reg_out(struct bed *bed, unsigned off, unsigned len, uint32_t value)
{
	rig_out(&bed->rig.mmio, bed->bar + off, len, value);
}

static void wait_status(struct bed *bed, unsigned status)
{
	uint64_t end = rwy_poll_now_ns() + UINT64_C(8000000000);

	while (reg_in(bed, VIRTIO_PCI_COMMON_STATUS, 1) != status && rwy_poll_now_ns() < end)
		assert_true(rwy_poll_once(bed->poll, 5) >= 0);
	assert_int_equal(reg_in(bed, VIRTIO_PCI_COMMON_STATUS, 1), status);
}

static void wait_for(struct bed *bed, const void *what, uint64_t value, unsigned len)
{
	uint64_t end = rwy_poll_now_ns() + UINT64_C(8000000000);

	while (memcmp(what, &value, len) != 0 && rwy_poll_now_ns() < end)
		assert_true(rwy_poll_once(bed->poll, 5) >= 0);
	assert_memory_equal(what, &value, len);
}

static void plug(struct bed *bed, const struct rwy_vdev_vu_config *change)
{
	struct rwy_vdev_vu_config config = *change;

	config.name = "dev0";
	config.socket_path = bed->be.path;
	config.poll = bed->poll;
	config.mem = &bed->mem;
	config.lock = &bed->rig.lock;
	config.ready = bed_ready;
	config.ctx = bed;
	assert_int_equal(rwy_vdev_vu_open(&bed->vdev, &config), 0);
	assert_false(rwy_vdev_vu_ready(bed->vdev));
	wait_for(bed, &bed->ready, 1, sizeof(bed->ready));
	assert_true(rwy_vdev_vu_ready(bed->vdev));
	assert_int_equal(rwy_virtio_pci_open(bed->rig.pci, NULL, bed->vdev), 1);
	cfg_out(&bed->rig, 1, 0x04, 2, 6);
	bed->bar = cfg_in(&bed->rig, 1, 0x10, 4);
}

static uint64_t offered(struct bed *bed)
{
	uint64_t features = 0;

	for (unsigned i = 0; i < 2; i++) {
		reg_out(bed, VIRTIO_PCI_COMMON_DFSELECT, 4, i);
		features |= (uint64_t)reg_in(bed, VIRTIO_PCI_COMMON_DF, 4) << (32 * i);
	}
	return features;
}

static uint64_t ring_at(unsigned q)
{
	return 0x100000 + q * 0x10000;
}

static void set_queue(struct bed *bed, unsigned q, uint64_t at)
{
	reg_out(bed, VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
	reg_out(bed, VIRTIO_PCI_COMMON_Q_SIZE, 2, 64);
	reg_out(bed, VIRTIO_PCI_COMMON_Q_DESCLO, 4, (uint32_t)at);
	reg_out(bed, VIRTIO_PCI_COMMON_Q_DESCHI, 4, (uint32_t)(at >> 32));
	reg_out(bed, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, (uint32_t)at + 0x4000);
	reg_out(bed, VIRTIO_PCI_COMMON_Q_AVAILHI, 4, (uint32_t)(at >> 32));
	reg_out(bed, VIRTIO_PCI_COMMON_Q_USEDLO, 4, (uint32_t)at + 0x8000);
	reg_out(bed, VIRTIO_PCI_COMMON_Q_USEDHI, 4, (uint32_t)(at >> 32));
	reg_out(bed, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

static void drive(struct bed *bed, uint64_t features, unsigned nr)
{
	reg_out(bed, VIRTIO_PCI_COMMON_STATUS, 1, 3);
	for (unsigned i = 0; i < 2; i++) {
		reg_out(bed, VIRTIO_PCI_COMMON_GFSELECT, 4, i);
		reg_out(bed, VIRTIO_PCI_COMMON_GF, 4, (uint32_t)(features >> (32 * i)));
	}
	reg_out(bed, VIRTIO_PCI_COMMON_STATUS, 1, 11);
	assert_int_equal(reg_in(bed, VIRTIO_PCI_COMMON_STATUS, 1), 11);
	for (unsigned q = 0; q < nr; q++)
		set_queue(bed, q, ring_at(q));
	reg_out(bed, VIRTIO_PCI_COMMON_STATUS, 1, 15);
}

static void net(void **state)
{
	const uint8_t mac[6] = {2, 1, 2, 3, 4, 5};
	struct bed bed;

	bed_open(&bed);
	bed.be.features |= MRG | MQ | CTRL | PACKED | RWY_BIT64(VIRTIO_NET_F_MAC) |
			   RWY_BIT64(VIRTIO_NET_F_GUEST_ANNOUNCE) | RWY_BIT64(VIRTIO_NET_F_MTU);
	memset(bed.be.config, 0xff, sizeof(bed.be.config));
	bed.be.config[10] = 0xdc; /* an MTU of 1500 */
	bed.be.config[11] = 0x05;
	plug(&bed, &(struct rwy_vdev_vu_config){.type = "net", .mac = mac});
	assert_int_equal(cfg_in(&bed.rig, 1, 2, 2), 0x1041);
	assert_int_equal(reg_in(&bed, VIRTIO_PCI_COMMON_NUMQ, 2), 2);
	/* One pair: nothing to control. Not packed: not asked for. */
	assert_int_equal(offered(&bed), V1 | MRG | NET_VMM | RWY_BIT64(VIRTIO_NET_F_MTU));
	for (unsigned i = 0; i < 6; i++) /* the user's, whatever the back-end says */
		assert_int_equal(reg_in(&bed, 0x2000 + i, 1), mac[i]);
	assert_int_equal(reg_in(&bed, 0x2006, 2), VIRTIO_NET_S_LINK_UP);
	assert_int_equal(reg_in(&bed, 0x200a, 2), 1500);

	drive(&bed, V1 | MRG | NET_VMM, 2);
	wait_for(&bed, &bed.be.status, 15, 8);
	assert_int_equal(bed.be.acked, V1 | MRG | RWY_BIT64(VIRTIO_NET_F_MAC) |
					       RWY_BIT64(RWY_VU_F_PROTOCOL_FEATURES));
	assert_int_equal(bed.be.num[1], 64);
	assert_int_equal(bed.be.base[1], 0);
	assert_int_equal(bed.be.addr[1].desc, (uintptr_t)bed.shm.addr + ring_at(1));
	assert_int_equal(bed.be.enabled[0], 1);
	assert_int_equal(bed.be.enabled[1], 1);
	/* A kick of the guest's arrives there. */
	rwy_fd_drain(bed.be.kick[1]);
	rwy_fd_signal(fake_irq_bell(bed.rig.irq, bed.bar + 0x3004));
	assert_int_equal(rwy_fd_drain(bed.be.kick[1]), 1);

	reg_out(&bed, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	assert_int_equal(reg_in(&bed, VIRTIO_PCI_COMMON_STATUS, 1), 15); /* not yet */
	wait_status(&bed, 0);
	assert_int_equal(bed.be.status, 0);
	bed_close(&bed);
}

static void net_goes_and_comes(void **state)
{
	unsigned gen;
	struct bed bed;

	bed_open(&bed);
	bed.be.features |= PACKED;
	bed.be.pf &= ~RWY_BIT64(RWY_VU_PF_CONFIG);
	plug(&bed, &(struct rwy_vdev_vu_config){.type = "net", .packed = true});
	assert_int_equal(offered(&bed), V1 | PACKED | NET_VMM);
	assert_int_equal(reg_in(&bed, 0x2000, 1) & 3, 2); /* local, not multicast */
	drive(&bed, V1 | PACKED | NET_VMM, 2);
	wait_for(&bed, &bed.be.status, 15, 8);
	assert_int_equal(bed.be.base[0], 0x80008000);

	gen = reg_in(&bed, VIRTIO_PCI_COMMON_CFGGENERATION, 1);
	fake_kill(&bed.be);
	bed.be.status = 0;
	spin(&bed, 50);
	assert_int_equal(reg_in(&bed, 0x2006, 2), 0); /* link down, the guest was told */
	assert_int_not_equal(reg_in(&bed, VIRTIO_PCI_COMMON_CFGGENERATION, 1), gen);
	assert_int_equal(reg_in(&bed, 0x1000, 1), 2);
	assert_int_equal(reg_in(&bed, VIRTIO_PCI_COMMON_STATUS, 1), 15);
	fake_listen(&bed.be);
	wait_for(&bed, &bed.be.status, 15, 8);
	assert_int_equal(reg_in(&bed, 0x2006, 2), VIRTIO_NET_S_LINK_UP);
	assert_int_equal(rwy_vdev_vu_reconnects(bed.vdev), 1);

	/* A reset while it is away completes at once. */
	fake_kill(&bed.be);
	spin(&bed, 50);
	reg_out(&bed, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	wait_status(&bed, 0);
	drive(&bed, V1 | NET_VMM, 2);
	bed.be.status = 0;
	fake_listen(&bed.be);
	wait_for(&bed, &bed.be.status, 15, 8);
	assert_int_equal(bed.be.base[0], 0);

	/* So does the machine's, which waits for what runs. */
	pthread_mutex_lock(&bed.rig.lock);
	rwy_pci_reset(bed.rig.pci, rig_quiet, &bed.rig);
	pthread_mutex_unlock(&bed.rig.lock);
	assert_int_equal(bed.rig.quiet, 0);
	wait_for(&bed, &bed.rig.quiet, 1, 4);
	assert_int_equal(bed.be.status, 0);
	bed_close(&bed);
}

/* One command over the control queue; its answer, or -1. */
static int command(struct bed *bed, struct rwy_vqd *q, uint8_t class, uint8_t cmd, uint16_t pairs)
{
	uint8_t *page = bed->shm.addr + 0x200000;
	const struct rwy_vqd_buf bufs[] = {{{0x200000}, 2}, {{0x200100}, 2}, {{0x200200}, 1}};
	uint64_t end = rwy_poll_now_ns() + UINT64_C(3000000000);
	void *cookie;
	uint32_t len;
	int n = 0;

	page[0] = class;
	page[1] = cmd;
	memcpy(page + 0x100, &pairs, 2);
	page[0x200] = 0xff;
	assert_int_equal(rwy_vqd_add(q, bufs, 2, 1, page), 0);
	(void)rwy_vqd_publish(q);
	rwy_fd_signal(fake_irq_bell(bed->rig.irq, bed->bar + 0x3000 + 4 * 4));
	while ((n = rwy_vqd_get(q, &cookie, &len)) == 0 && rwy_poll_now_ns() < end)
		assert_true(rwy_poll_once(bed->poll, 5) >= 0);
	if (n == 0)
		return -1;
	assert_int_equal(n, 1);
	assert_int_equal(len, 1);
	return page[0x200];
}

static void multi_queue(bool packed)
{
	const uint64_t features = V1 | NET_VMM | MQ | CTRL | (packed ? PACKED : 0);
	const uint64_t ctrl_at = ring_at(4);
	struct rwy_vqd_config vqd = {.size = 64, .packed = packed};
	struct rwy_vqd q;
	struct bed bed;

	bed_open(&bed);
	bed.be.nr_queues = 2;
	bed.be.features |= PACKED | MQ | RWY_BIT64(VIRTIO_NET_F_MAC);
	memcpy(bed.be.config, "\002addre", 6);
	plug(&bed, &(struct rwy_vdev_vu_config){.type = "net", .queues = 4, .packed = true});
	assert_int_equal(reg_in(&bed, VIRTIO_PCI_COMMON_NUMQ, 2), 5);
	assert_int_equal(reg_in(&bed, 0x2008, 2), 2); /* pairs: what the back-end has */
	assert_int_equal(offered(&bed), features | PACKED);
	assert_int_equal(reg_in(&bed, 0x2000, 4), 0x64646102); /* the back-end's address */
	vqd.desc = bed.shm.addr + ctrl_at;
	vqd.driver = bed.shm.addr + ctrl_at + 0x4000;
	vqd.device = bed.shm.addr + ctrl_at + 0x8000;
	assert_int_equal(rwy_vqd_open(&q, &vqd), 0);
	drive(&bed, features, 5);
	wait_for(&bed, &bed.be.status, 15, 8);
	assert_true(bed.be.acked & MQ);
	assert_false(bed.be.acked & CTRL);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(bed.be.enabled[i], i < 2);

	assert_int_equal(command(&bed, &q, VIRTIO_NET_CTRL_MQ, 0, 2), VIRTIO_NET_OK);
	spin(&bed, 20);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(bed.be.enabled[i], 1);
	assert_int_equal(command(&bed, &q, VIRTIO_NET_CTRL_MQ, 0, 0), VIRTIO_NET_ERR);
	assert_int_equal(command(&bed, &q, VIRTIO_NET_CTRL_MQ, 0, 3), VIRTIO_NET_ERR);
	assert_int_equal(command(&bed, &q, VIRTIO_NET_CTRL_MQ, 1, 1), VIRTIO_NET_ERR);
	assert_int_equal(command(&bed, &q, VIRTIO_NET_CTRL_MAC, 0, 1), VIRTIO_NET_ERR);
	assert_int_equal(command(&bed, &q, VIRTIO_NET_CTRL_MQ, 0, 1), VIRTIO_NET_OK);
	spin(&bed, 20);
	assert_int_equal(bed.be.enabled[2], 0);

	/* The same after a reset. */
	reg_out(&bed, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	wait_status(&bed, 0);
	rwy_vqd_close(&q);
	memset(bed.shm.addr + ctrl_at, 0, 0x10000);
	assert_int_equal(rwy_vqd_open(&q, &vqd), 0);
	drive(&bed, features, 5);
	wait_for(&bed, &bed.be.status, 15, 8);
	assert_int_equal(command(&bed, &q, VIRTIO_NET_CTRL_MQ, 0, 2), VIRTIO_NET_OK);
	rwy_vqd_close(&q);
	bed_close(&bed);
}

static void multi_queue_split(void **state)
{
	multi_queue(false);
}

static void multi_queue_packed(void **state)
{
	multi_queue(true);
}

/* A driver that does not want several: its control queue is the third. */
static void single_of_many(void **state)
{
	struct bed bed;

	bed_open(&bed);
	plug(&bed, &(struct rwy_vdev_vu_config){.type = "net", .queues = 2});
	drive(&bed, V1, 2);
	wait_for(&bed, &bed.be.status, 15, 8);
	assert_int_equal(bed.be.enabled[0], 1);
	assert_int_equal(bed.be.enabled[1], 1);
	assert_int_equal(bed.be.num[2], 0);
	bed_close(&bed);
}

static void blk(void **state)
{
	struct virtio_blk_config *config;
	struct bed bed;

	bed_open(&bed);
	bed.be.features |= RWY_BIT64(VIRTIO_BLK_F_MQ) | RWY_BIT64(VIRTIO_BLK_F_FLUSH) |
			   RWY_BIT64(VIRTIO_BLK_F_CONFIG_WCE);
	config = (void *)bed.be.config;
	config->capacity = 0x12345678;
	config->num_queues = 8;
	plug(&bed, &(struct rwy_vdev_vu_config){.type = "blk", .queues = 3});
	assert_int_equal(cfg_in(&bed.rig, 1, 2, 2), 0x1042);
	assert_int_equal(reg_in(&bed, VIRTIO_PCI_COMMON_NUMQ, 2), 3);
	assert_int_equal(reg_in(&bed, 0x2000, 4), 0x12345678);
	assert_int_equal(reg_in(&bed, 0x2022, 2), 3);
	assert_true(offered(&bed) & RWY_BIT64(VIRTIO_BLK_F_MQ));
	drive(&bed, V1 | RWY_BIT64(VIRTIO_BLK_F_MQ) | RWY_BIT64(VIRTIO_BLK_F_CONFIG_WCE), 3);
	wait_for(&bed, &bed.be.status, 15, 8);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(bed.be.enabled[i], 1);

	reg_out(&bed, 0x2020, 1, 1); /* write-back cache on */
	wait_for(&bed, &bed.be.config_written[0x20], 1, 1);
	assert_int_equal(reg_in(&bed, 0x2020, 1), 1);
	config->capacity = 0x1000; /* the disk is resized */
	fake_request(&bed.be, RWY_VU_BE_CONFIG_CHANGE, RWY_VU_FLAG_VERSION, NULL, 0, 0);
	spin(&bed, 50);
	assert_int_equal(reg_in(&bed, 0x2000, 4), 0x1000);
	assert_int_equal(reg_in(&bed, 0x1000, 1), 2);
	bed_close(&bed);
}

static void bad_rings(void **state)
{
	static const uint64_t bad[] = {RAM, RAM - 0x10, 0xfffffffffffff000, 0xfee00000};
	struct bed bed;

	bed_open(&bed);
	plug(&bed, &(struct rwy_vdev_vu_config){.type = "net"});
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		reg_out(&bed, VIRTIO_PCI_COMMON_STATUS, 1, 3);
		reg_out(&bed, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
		reg_out(&bed, VIRTIO_PCI_COMMON_GF, 4, 1);
		reg_out(&bed, VIRTIO_PCI_COMMON_STATUS, 1, 11);
		set_queue(&bed, 0, bad[i]);
		reg_out(&bed, VIRTIO_PCI_COMMON_STATUS, 1, 15);
		wait_status(&bed, 15 | VIRTIO_CONFIG_S_NEEDS_RESET);
		reg_out(&bed, VIRTIO_PCI_COMMON_STATUS, 1, 0);
		wait_status(&bed, 0);
	}
	assert_false(fake_saw(&bed.be, RWY_VU_SET_FEATURES));
	drive(&bed, V1, 2);
	wait_for(&bed, &bed.be.status, 15, 8);
	/* A ring that breaks later. */
	assert_true(bed.be.err[1] >= 0);
	rwy_fd_signal(bed.be.err[1]);
	wait_status(&bed, 15 | VIRTIO_CONFIG_S_NEEDS_RESET);
	reg_out(&bed, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	wait_status(&bed, 0);
	bed_close(&bed);
}

static void bad_options(void **state)
{
	struct rwy_vdev_vu_config config = {.type = "tape", .name = "x"};
	struct rwy_vdev *vdev;
	struct bed bed;

	bed_open(&bed);
	config.poll = bed.poll;
	config.mem = &bed.mem;
	config.lock = &bed.rig.lock;
	config.socket_path = bed.be.path;
	assert_int_equal(rwy_vdev_vu_open(&vdev, &config), -EINVAL);
	config.type = "net";
	config.queues = 65;
	assert_int_equal(rwy_vdev_vu_open(&vdev, &config), -EINVAL);
	config.queues = UINT32_MAX / 2 + 2;
	assert_int_equal(rwy_vdev_vu_open(&vdev, &config), -EINVAL);
	config.queues = 1;
	config.socket_path = "/etc/hostname";
	assert_int_equal(rwy_vdev_vu_open(&vdev, &config), -ENOTSOCK);
	bed_close(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(net),
		cmocka_unit_test(net_goes_and_comes),
		cmocka_unit_test(multi_queue_split),
		cmocka_unit_test(multi_queue_packed),
		cmocka_unit_test(single_of_many),
		cmocka_unit_test(blk),
		cmocka_unit_test(bad_rings),
		cmocka_unit_test(bad_options),
	};

	return UNIT_RUN_QUIET(tests);
}
