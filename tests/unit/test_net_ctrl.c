/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include "lib/log.h"
#include "lib/shm.h"
#include "lib/vqd.h"
#include "vmm/net_ctrl.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <string.h>

#define GPA  0x10000
#define SIZE 0x10000
#define MOST 4

struct bed {
	struct rwy_poll *poll;
	struct rwy_shm shm;
	struct rwy_mem mem;
	struct rwy_net_ctrl *ctrl;
	struct rwy_vdev_queue queue;
	struct rwy_vqd q;
	uint8_t *page;
	int err_fd;
	unsigned pairs;
};

static bool set_pairs(void *ctx, unsigned pairs)
{
	struct bed *bed = ctx;

	if (pairs < 1 || pairs > MOST)
		return false;
	bed->pairs = pairs;
	return true;
}

static void bed_open(struct bed *bed, uint64_t features)
{
	const struct rwy_shm_opts opts = {.node = -1};
	struct rwy_net_ctrl_config config = {.name = "bed", .set_pairs = set_pairs, .ctx = bed};
	struct rwy_vqd_config vqd = {.size = 16,
				     .packed = features & RWY_BIT64(VIRTIO_F_RING_PACKED),
				     .indirect = true};
	struct rwy_mem_region region;

	memset(bed, 0, sizeof(*bed));
	assert_int_equal(rwy_poll_open(&bed->poll, RWY_POLL_NEVER), 0);
	assert_int_equal(rwy_shm_open(&bed->shm, "bed", SIZE, &opts), 0);
	region = (struct rwy_mem_region){.gpa = {GPA},
					 .size = SIZE,
					 .hva = bed->shm.addr,
					 .fd = bed->shm.fd};
	rwy_mem_init(&bed->mem);
	assert_int_equal(rwy_mem_add(&bed->mem, &region), 0);
	config.poll = bed->poll;
	config.mem = &bed->mem;
	assert_int_equal(rwy_net_ctrl_open(&bed->ctrl, &config), 0);
	vqd.desc = bed->shm.addr;
	vqd.driver = bed->shm.addr + 0x1000;
	vqd.device = bed->shm.addr + 0x2000;
	assert_int_equal(rwy_vqd_open(&bed->q, &vqd), 0);
	bed->queue = (struct rwy_vdev_queue){.size = 16,
					     .enabled = true,
					     .desc = {GPA},
					     .driver = {GPA + 0x1000},
					     .device = {GPA + 0x2000},
					     .kick_fd = rwy_fd_event(),
					     .call_fd = rwy_fd_event()};
	bed->err_fd = rwy_fd_event();
	bed->page = bed->shm.addr + 0x4000;
	assert_int_equal(rwy_net_ctrl_start(bed->ctrl, &bed->queue, features, bed->err_fd), 0);
}

static void bed_close(struct bed *bed)
{
	rwy_fd_close(&bed->queue.kick_fd); /* before it is stopped, as the transport may do */
	rwy_net_ctrl_close(bed->ctrl);
	rwy_vqd_close(&bed->q);
	rwy_fd_close(&bed->queue.call_fd);
	rwy_fd_close(&bed->err_fd);
	rwy_mem_fini(&bed->mem);
	rwy_shm_close(&bed->shm);
	rwy_poll_close(bed->poll);
}

static void spin(struct bed *bed)
{
	rwy_fd_signal(bed->queue.kick_fd);
	for (unsigned i = 0; i < 5; i++)
		assert_true(rwy_poll_once(bed->poll, 1) >= 0);
}

/* Sends bytes 0..len of the page cut into pieces, and has the answer in byte 0x100. */
static int ask(struct bed *bed, unsigned len, unsigned piece, unsigned ack_len, uint32_t *written)
{
	struct rwy_vqd_buf bufs[12];
	unsigned n = 0;
	void *cookie;

	for (unsigned at = 0; at < len; at += piece, n++)
		bufs[n] = (struct rwy_vqd_buf){{GPA + 0x4000 + at}, RWY_MIN(piece, len - at)};
	bufs[n] = (struct rwy_vqd_buf){{GPA + 0x4100}, ack_len};
	bed->page[0x100] = 0xee;
	assert_int_equal(rwy_vqd_add(&bed->q, bufs, n, ack_len > 0, bed), 0);
	(void)rwy_vqd_publish(&bed->q);
	spin(bed);
	assert_int_equal(rwy_vqd_get(&bed->q, &cookie, written), 1);
	return bed->page[0x100];
}

static void set_command(struct bed *bed, uint8_t class, uint8_t cmd, uint16_t pairs)
{
	bed->page[0] = class;
	bed->page[1] = cmd;
	bed->page[2] = (uint8_t)pairs;
	bed->page[3] = (uint8_t)(pairs >> 8);
}

static void commands(uint64_t features)
{
	struct bed bed;
	uint32_t written;

	bed_open(&bed, features);
	for (unsigned piece = 1; piece <= 4; piece++) { /* any framing (2.7.4) */
		set_command(&bed, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET,
			    1 + piece % 4);
		assert_int_equal(ask(&bed, 4, piece, 1, &written), VIRTIO_NET_OK);
		assert_int_equal(written, 1);
		assert_int_equal(bed.pairs, 1 + piece % 4);
		assert_true(rwy_fd_drain(bed.queue.call_fd) > 0);
	}
	for (unsigned pairs = 0; pairs <= 0xffff; pairs += pairs == 0 ? MOST + 1 : 0x3ffd) {
		set_command(&bed, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET,
			    (uint16_t)pairs);
		assert_int_equal(ask(&bed, 4, 4, 1, &written), VIRTIO_NET_ERR);
	}
	for (unsigned class = 0; class < 8; class ++) {
		set_command(&bed, (uint8_t) class, 1, 2);
		assert_int_equal(ask(&bed, 4, 4, 1, &written), VIRTIO_NET_ERR);
	}
	set_command(&bed, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 3);
	for (unsigned len = 1; len < 4; len++) /* cut short */
		assert_int_equal(ask(&bed, len, 4, 1, &written), VIRTIO_NET_ERR);
	assert_int_equal(bed.pairs, 1);
	assert_int_equal(ask(&bed, 8, 3, 9, &written), VIRTIO_NET_OK); /* more room than needed */
	assert_int_equal(written, 1);
	assert_int_equal(bed.pairs, 3);
	assert_int_equal(ask(&bed, 4, 4, 0, &written), 0xee); /* nowhere to answer */
	assert_int_equal(written, 0);
	assert_int_equal(rwy_fd_drain(bed.err_fd), 0);
	bed_close(&bed);
}

static void split(void **state)
{
	commands(RWY_BIT64(VIRTIO_F_VERSION_1));
}

static void packed(void **state)
{
	commands(RWY_BIT64(VIRTIO_F_VERSION_1) | RWY_BIT64(VIRTIO_F_RING_PACKED));
}

static void broken(void **state)
{
	struct vring_avail *avail;
	struct bed bed;
	uint32_t written;

	bed_open(&bed, RWY_BIT64(VIRTIO_F_VERSION_1));
	avail = (struct vring_avail *)(bed.shm.addr + 0x1000);
	avail->idx = 1000;
	spin(&bed);
	assert_int_equal(rwy_fd_drain(bed.err_fd), 1);
	spin(&bed);

	/* A reset heals. */
	rwy_net_ctrl_stop(bed.ctrl);
	rwy_net_ctrl_stop(bed.ctrl);
	memset(bed.shm.addr, 0, 0x4000);
	assert_int_equal(rwy_net_ctrl_start(bed.ctrl, &bed.queue, RWY_BIT64(VIRTIO_F_VERSION_1),
					    bed.err_fd),
			 0);
	set_command(&bed, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 2);
	assert_int_equal(ask(&bed, 4, 4, 1, &written), VIRTIO_NET_OK);

	/* Rings that are none. */
	rwy_net_ctrl_stop(bed.ctrl);
	bed.queue.device.v = GPA + SIZE - 8;
	assert_true(rwy_net_ctrl_start(bed.ctrl, &bed.queue, 0, -1) < 0);
	bed.queue.device.v = 0;
	assert_true(rwy_net_ctrl_start(bed.ctrl, &bed.queue, 0, -1) < 0);
	bed_close(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split),
		cmocka_unit_test(packed),
		cmocka_unit_test(broken),
	};

	return UNIT_RUN_QUIET(tests);
}
