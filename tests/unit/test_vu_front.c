/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/proto/front_rig.h"

#include <errno.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void expect_log(const struct fake *be, const uint32_t *want, unsigned nr)
{
	for (unsigned i = 0; i < nr && i < be->nr_log; i++)
		assert_int_equal(be->log[i], want[i]);
	assert_int_equal(be->nr_log, nr);
}

static void full_order(void **state)
{
	static const uint32_t want[] = {
		RWY_VU_GET_FEATURES,
		RWY_VU_GET_PROTOCOL_FEATURES,
		RWY_VU_SET_PROTOCOL_FEATURES,
		RWY_VU_GET_QUEUE_NUM,
		RWY_VU_GET_MAX_MEM_SLOTS,
		RWY_VU_SET_OWNER,
		RWY_VU_SET_BACKEND_REQ_FD,
		RWY_VU_GET_CONFIG,
		RWY_VU_SET_FEATURES,
		RWY_VU_SET_STATUS,
		RWY_VU_GET_STATUS,
		RWY_VU_GET_INFLIGHT_FD,
		RWY_VU_SET_INFLIGHT_FD,
		RWY_VU_ADD_MEM_REG,
		RWY_VU_SET_VRING_NUM,
		RWY_VU_SET_VRING_BASE,
		RWY_VU_SET_VRING_ADDR,
		RWY_VU_SET_VRING_CALL,
		RWY_VU_SET_VRING_KICK,
		RWY_VU_SET_VRING_NUM,
		RWY_VU_SET_VRING_BASE,
		RWY_VU_SET_VRING_ADDR,
		RWY_VU_SET_VRING_CALL,
		RWY_VU_SET_VRING_KICK,
		RWY_VU_SET_VRING_ENABLE,
		RWY_VU_SET_VRING_ENABLE,
		RWY_VU_SET_STATUS,
	};
	struct rig rig;

	rig_open_fake(&rig);
	memcpy(rig.be.config, "sixteen bytes...", 16);
	rig_open_front(&rig);
	assert_int_equal(rig.ready, 0); /* nobody listens yet */
	rig_spin(&rig, 30);
	fake_listen(&rig.be);
	rig_bring_up(&rig);
	expect_log(&rig.be, want, RWY_ARRAY_SIZE(want));
	assert_memory_equal(rwy_vu_front_config_space(rig.front), "sixteen bytes...", 16);
	assert_int_equal(rwy_vu_front_features(rig.front), RWY_BIT64(VIRTIO_F_VERSION_1));
	assert_int_equal(rwy_vu_front_nr_queues(rig.front), RIG_RINGS);
	assert_true(rwy_vu_front_connected(rig.front));
	assert_int_equal(rig.be.acked,
			 RWY_BIT64(VIRTIO_F_VERSION_1) | RWY_BIT64(RWY_VU_F_PROTOCOL_FEATURES));
	assert_int_equal(rig.be.status, 15);
	assert_int_equal(rig.be.nr_regions, 1);
	assert_int_equal(rig.be.region_uva, (uintptr_t)rig.shm.addr);
	assert_int_equal(rig.be.addr[1].avail, (uintptr_t)rig.shm.addr + 0x14000);
	assert_int_equal(rig.be.num[1], 64);
	assert_int_equal(rig.be.enabled[0], 1);
	rig_close(&rig);
}

/* A back-end of the first days: no protocol features at all. */
static void bare_order(void **state)
{
	static const uint32_t want[] = {
		RWY_VU_GET_FEATURES,   RWY_VU_SET_OWNER,      RWY_VU_SET_FEATURES,
		RWY_VU_GET_FEATURES,   RWY_VU_SET_MEM_TABLE,  RWY_VU_GET_FEATURES,
		RWY_VU_SET_VRING_NUM,  RWY_VU_SET_VRING_BASE, RWY_VU_SET_VRING_ADDR,
		RWY_VU_SET_VRING_CALL, RWY_VU_SET_VRING_KICK, RWY_VU_GET_FEATURES,
	};
	struct rig rig;

	rig_open(&rig);
	rig.be.features = RWY_BIT64(VIRTIO_F_VERSION_1);
	assert_true(rig_until(&rig, &rig.ready, 1, 2000));
	assert_int_equal(rwy_vu_front_nr_queues(rig.front), 1);
	assert_null(rwy_vu_front_config_space(rig.front));
	assert_int_equal(rwy_vu_front_start(rig.front, 0, rig.rings, 3), -EINVAL);
	assert_int_equal(rwy_vu_front_start(rig.front, 1, rig.rings, 1), -EINVAL);
	assert_int_equal(rwy_vu_front_start(rig.front, 0, rig.rings, 1), 0);
	assert_int_equal(rwy_vu_front_start(rig.front, 0, rig.rings, 1), -EBUSY);
	assert_true(rig_until(&rig, &rig.started, 1, 2000));
	expect_log(&rig.be, want, RWY_ARRAY_SIZE(want));
	assert_int_equal(rig.be.nr_regions, 1);
	rig_close(&rig);
}

static void stop_and_go(void **state)
{
	struct rig rig;

	rig_open(&rig);
	rig_bring_up(&rig);
	rig.be.base[0] = 17;
	rig.be.base[1] = 0x80018001;
	rwy_vu_front_stop(rig.front);
	assert_true(rig_until(&rig, &rig.stopped, 1, 2000));
	assert_int_equal(rwy_vu_front_rings(rig.front)[0].base, 17);
	assert_int_equal(rwy_vu_front_rings(rig.front)[1].base, 0x80018001);
	assert_int_equal(rig.be.status, 0);
	assert_int_equal(rig.lost, 0);

	/* The same link serves the next driver; memory that was added is not added again, and the
	 * in-flight area is a new one. */
	rig.rings[0].base = 17;
	assert_int_equal(rig_start(&rig), 0);
	assert_true(rig_until(&rig, &rig.started, 2, 2000));
	assert_int_equal(rig.be.nr_regions, 1);
	assert_int_equal(rig.be.base[0], 17);
	assert_int_equal(rig.be.inflight_made, 2);
	assert_int_equal(rig.be.accepted, 1);
	rig_close(&rig);
}

static void changes_while_running(void **state)
{
	const uint8_t byte = 0x5a;
	int other = rwy_fd_event();
	struct rig rig;

	rig_open(&rig);
	assert_int_equal(rwy_vu_front_set_config(rig.front, 3, &byte, 1), -ENOTCONN);
	rig_bring_up(&rig);
	assert_int_equal(rwy_vu_front_enable(rig.front, 1, false), 0);
	assert_int_equal(rwy_vu_front_enable(rig.front, 2, false), -EINVAL);
	assert_int_equal(rwy_vu_front_set_call(rig.front, 1, other), 0);
	assert_int_equal(rwy_vu_front_set_config(rig.front, 3, &byte, 1), 0);
	assert_int_equal(rwy_vu_front_set_config(rig.front, 16, &byte, 1), -EINVAL);
	rig_spin(&rig, 30);
	assert_int_equal(rig.be.enabled[1], 0);
	assert_int_equal(rig.be.config_written[3], byte);
	rwy_fd_signal(rig.be.call[1]);
	assert_int_equal(rwy_fd_drain(other), 1);
	assert_true(rwy_vu_front_connected(rig.front));
	rig_close(&rig);
	rwy_fd_close(&other);
}

/* kill -9 and a new process: rings go on where the used index stands, the in-flight area is handed
 * on, both sides are nudged. */
static void lost_and_found(void **state)
{
	struct vring_used *used;
	struct rig rig;

	rig_open(&rig);
	rig_bring_up(&rig);
	used = rwy_mem_at(&rig.mem, rig.rings[1].device, sizeof(*used));
	used->idx = 4242;
	rwy_fd_drain(rig.rings[1].kick_fd);
	fake_kill(&rig.be);
	assert_true(rig_until(&rig, &rig.lost, 1, 2000));
	assert_false(rwy_vu_front_connected(rig.front));
	assert_int_equal(rwy_vu_front_rings(rig.front)[1].base, 4242);
	rig_spin(&rig, 250);
	fake_listen(&rig.be);
	assert_true(rig_until(&rig, &rig.started, 2, 3000));
	assert_int_equal(rig.ready, 2);
	assert_int_equal(rig.lost, 1);
	assert_int_equal(rig.be.base[0], 0);
	assert_int_equal(rig.be.base[1], 4242);
	assert_int_equal(rig.be.inflight_made, 1);
	assert_int_equal(rig.be.inflight_given, 2);
	assert_int_equal(rwy_fd_drain(rig.rings[1].kick_fd), 1);
	assert_int_equal(rwy_fd_drain(rig.rings[1].call_fd), 1);
	assert_int_equal(rwy_vu_front_reconnects(rig.front), 1);
	rig_close(&rig);
}

static void stop_without_backend(void **state)
{
	struct rig rig;

	rig_open(&rig);
	rig_bring_up(&rig);
	fake_kill(&rig.be);
	assert_true(rig_until(&rig, &rig.lost, 1, 2000));
	rwy_vu_front_stop(rig.front);
	assert_int_equal(rig.stopped, 1); /* at once */

	/* The next driver may come while there is still nobody. */
	assert_int_equal(rig_start(&rig), 0);
	rig_spin(&rig, 50);
	assert_int_equal(rig.started, 1);
	fake_listen(&rig.be);
	assert_true(rig_until(&rig, &rig.started, 2, 3000));
	rig_close(&rig);
}

static void stop_of_a_hung_backend(void **state)
{
	struct rig rig;
	uint64_t begin;

	rig_open_fake(&rig);
	rig.timeout_ms = 100;
	fake_listen(&rig.be);
	rig_open_front(&rig);
	rig_bring_up(&rig);
	rig.be.fault = FAKE_SILENT;
	rig.be.fault_at = rig.be.nr_msgs;
	rig.be.faults_left = 1;
	begin = rwy_poll_now_ns();
	rwy_vu_front_stop(rig.front);
	assert_true(rig_until(&rig, &rig.stopped, 1, 2000));
	assert_in_range(rwy_poll_now_ns() - begin, 90000000, 1500000000);
	assert_int_equal(rig.be.nr_faulty, 1);
	assert_true(rig_until(&rig, &rig.ready, 2, 2000));
	rig_close(&rig);
}

/* The driver resets the device while the rings are still being set up. */
static void stop_while_starting(void **state)
{
	for (unsigned at = 0; at < 15; at++) {
		struct rig rig;

		rig_open(&rig);
		assert_true(rig_until(&rig, &rig.ready, 1, 2000));
		assert_int_equal(rig_start(&rig), 0);
		while (rig.be.nr_msgs < 9 + at)
			assert_true(rwy_poll_once(rig.poll, 10) >= 0);
		rwy_vu_front_stop(rig.front);
		assert_true(rig_until(&rig, &rig.stopped, 1, 2000));
		assert_true(rwy_vu_front_connected(rig.front));
		assert_int_equal(rig_start(&rig), 0);
		assert_true(rig_until(&rig, &rig.started, 1, 2000));
		assert_int_equal(rig.lost, 0);
		rig_close(&rig);
	}
}

static void shrinking(void **state)
{
	struct rig rig;

	rig_open(&rig);
	rig.be.features |= RWY_BIT64(VIRTIO_F_RING_PACKED);
	rig_bring_up(&rig);
	assert_true(rig.be.acked & RWY_BIT64(VIRTIO_F_RING_PACKED));

	fake_kill(&rig.be);
	rig.be.features &= ~RWY_BIT64(VIRTIO_F_RING_PACKED);
	fake_listen(&rig.be);
	assert_true(rig_until(&rig, &rig.be.accepted, 3, 3000)); /* tried again and again */
	assert_int_equal(rig.ready, 1);
	rig.be.features |= RWY_BIT64(VIRTIO_F_RING_PACKED);
	rig.be.nr_queues = 1;
	assert_true(rig_until(&rig, &rig.be.accepted, 4, 3000));
	assert_int_equal(rig.ready, 1);
	rig.be.nr_queues = RIG_RINGS;
	rig.be.max_slots = 0;
	assert_true(rig_until(&rig, &rig.be.accepted, 5, 5000));
	assert_int_equal(rig.ready, 1);
	rig.be.max_slots = 1;
	assert_true(rig_until(&rig, &rig.started, 2, 5000));
	assert_int_equal(rig.lost, 1);

	/* While nothing runs, less is fine and is told. */
	rwy_vu_front_stop(rig.front);
	assert_true(rig_until(&rig, &rig.stopped, 1, 2000));
	rig.be.features &= ~RWY_BIT64(VIRTIO_F_RING_PACKED);
	fake_kill(&rig.be);
	fake_listen(&rig.be);
	assert_true(rig_until(&rig, &rig.ready, 3, 5000));
	assert_int_equal(rwy_vu_front_features(rig.front), RWY_BIT64(VIRTIO_F_VERSION_1));

	/* A driver that had looked before: it waits for a back-end that fits. */
	assert_int_equal(rwy_vu_front_start(rig.front, RIG_FEATURES, rig.rings, RIG_RINGS), 0);
	assert_false(rwy_vu_front_connected(rig.front));
	rig_spin(&rig, 300);
	assert_int_equal(rig.started, 2);
	rig.be.features |= RWY_BIT64(VIRTIO_F_RING_PACKED);
	assert_true(rig_until(&rig, &rig.started, 3, 5000));
	rig_close(&rig);
}

static void config_is_needed(void **state)
{
	struct rwy_vu_front_config config;
	struct rig rig;

	rig_open_fake(&rig);
	rig.be.pf &= ~RWY_BIT64(RWY_VU_PF_CONFIG);
	fake_listen(&rig.be);
	config = rig_front_config(&rig);
	config.need_config = true;
	assert_int_equal(rwy_vu_front_open(&rig.front, rig.poll, &rig.mem, &config), 0);
	assert_true(rig_until(&rig, &rig.be.accepted, 2, 2000));
	assert_int_equal(rig.ready, 0);
	rig.be.pf |= RWY_BIT64(RWY_VU_PF_CONFIG);
	assert_true(rig_until(&rig, &rig.ready, 1, 2000));
	rig_close(&rig);
}

static void config_change(void **state)
{
	struct rig rig;
	uint64_t value;

	rig_open(&rig);
	rig_bring_up(&rig);
	rig.be.config[0] = 0x77;
	fake_request(&rig.be, RWY_VU_BE_CONFIG_CHANGE, RWY_VU_FLAG_VERSION | RWY_VU_FLAG_NEED_REPLY,
		     NULL, 0, 0);
	assert_true(rig_until(&rig, &rig.config, 1, 2000));
	assert_int_equal(rwy_vu_front_config_space(rig.front)[0], 0x77);
	assert_true(fake_take_answer(&rig.be, &value));
	assert_int_equal(value, 0);
	rig_close(&rig);
}

static void listening(void **state)
{
	struct rwy_vu_front_config config;
	char path[80];
	struct rig rig;

	rig_open_fake(&rig);
	snprintf(path, sizeof(path), "%s.front", rig.be.path);
	config = rig_front_config(&rig);
	config.listen = true;
	config.socket_path = path;
	assert_int_equal(rwy_vu_front_open(&rig.front, rig.poll, &rig.mem, &config), 0);
	rig_spin(&rig, 20);
	for (unsigned i = 1; i <= 2; i++) {
		fake_connect(&rig.be, path);
		assert_true(rig_until(&rig, &rig.ready, i, 2000));
		if (i == 1)
			assert_int_equal(rig_start(&rig), 0);
		assert_true(rig_until(&rig, &rig.started, i, 2000));
	}
	rig_close(&rig);
	assert_int_equal(access(path, F_OK), -1);
}

static void given_connection(void **state)
{
	struct rwy_vu_front_config config;
	struct rig rig;
	int fds[2];

	rig_open_fake(&rig);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	config = rig_front_config(&rig);
	config.socket_path = NULL;
	config.fd = &fds[0];
	config.reply_timeout_ms = 20;
	assert_int_equal(rwy_vu_front_open(&rig.front, rig.poll, &rig.mem, &config), 0);
	assert_int_equal(fds[0], -1);
	rig_spin(&rig, 100); /* nobody answers */
	assert_int_equal(rig.ready, 0);
	rwy_fd_close(&fds[1]);
	rig_close(&rig);
}

static void bad_paths(void **state)
{
	struct rwy_vu_front_config config;
	char path[] = "/tmp/front-file.XXXXXX";
	char longer[200];
	int file = mkstemp(path);
	struct rig rig;

	assert_true(file >= 0);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = 0;
	rig_open_fake(&rig);
	fake_listen(&rig.be);
	config = rig_front_config(&rig);
	config.listen = true; /* the fake listens there */
	assert_int_equal(rwy_vu_front_open(&rig.front, rig.poll, &rig.mem, &config), -EADDRINUSE);
	config.listen = false;
	config.socket_path = path;
	assert_int_equal(rwy_vu_front_open(&rig.front, rig.poll, &rig.mem, &config), -ENOTSOCK);
	config.socket_path = longer;
	assert_int_equal(rwy_vu_front_open(&rig.front, rig.poll, &rig.mem, &config), -ENAMETOOLONG);
	rig_close(&rig);
	rwy_fd_close(&file);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_order),
		cmocka_unit_test(bare_order),
		cmocka_unit_test(stop_and_go),
		cmocka_unit_test(changes_while_running),
		cmocka_unit_test(lost_and_found),
		cmocka_unit_test(stop_without_backend),
		cmocka_unit_test(stop_of_a_hung_backend),
		cmocka_unit_test(stop_while_starting),
		cmocka_unit_test(shrinking),
		cmocka_unit_test(config_is_needed),
		cmocka_unit_test(config_change),
		cmocka_unit_test(listening),
		cmocka_unit_test(given_connection),
		cmocka_unit_test(bad_paths),
	};

	return UNIT_RUN_QUIET(tests);
}
