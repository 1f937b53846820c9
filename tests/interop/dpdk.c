/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's net_virtio_user on one port of ringway-net, our own driver on another. testpmd sends every
 * frame back with its addresses swapped (macswap); it must come back whole, in order, none missing.
 * The program runs one case; see meson.build.
 */
#include "tests/net/switch_rig.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TESTPMD	 "dpdk-testpmd"
#define FRAMES	 20000
#define WINDOW	 48
#define BOOT_MS	 30000
#define PROBE_NO UINT32_MAX
#define SKIPPED	 77

struct dpdk_case {
	const char *name;
	const char *flags; /* of net_virtio_user */
	bool jumbo;	   /* frames longer than testpmd's buffers */
	unsigned pairs;
	bool server;	/* testpmd listens, ringway-net connects */
	unsigned lives; /* times testpmd is killed and started again */
};

static const struct dpdk_case cases[] = {
	{"dpdk-split", "packed_vq=0,in_order=0,mrg_rxbuf=0", false, 1, false, 0},
	{"dpdk-split-mergeable", "packed_vq=0,in_order=0,mrg_rxbuf=1", true, 1, false, 0},
	{"dpdk-split-in-order", "packed_vq=0,in_order=1,mrg_rxbuf=0", false, 1, false, 0},
	{"dpdk-split-in-order-mergeable", "packed_vq=0,in_order=1,mrg_rxbuf=1", true, 1, false, 0},
	{"dpdk-split-vectorized", "packed_vq=0,in_order=1,mrg_rxbuf=0,vectorized=1", false, 1,
	 false, 0},
	{"dpdk-packed", "packed_vq=1,in_order=0,mrg_rxbuf=0", false, 1, false, 0},
	{"dpdk-packed-mergeable", "packed_vq=1,in_order=0,mrg_rxbuf=1", true, 1, false, 0},
	{"dpdk-packed-in-order", "packed_vq=1,in_order=1,mrg_rxbuf=0", false, 1, false, 0},
	{"dpdk-packed-in-order-mergeable", "packed_vq=1,in_order=1,mrg_rxbuf=1", true, 1, false, 0},
	{"dpdk-packed-vectorized", "packed_vq=1,in_order=1,mrg_rxbuf=0,vectorized=1", false, 1,
	 false, 0},
	{"dpdk-multiqueue", "packed_vq=1,mrg_rxbuf=1,queues=2", false, 2, false, 0},
	{"dpdk-as-server", "packed_vq=1,mrg_rxbuf=1,server=1", false, 1, true, 0},
	{"dpdk-killed", "packed_vq=0,mrg_rxbuf=1", false, 1, false, 3},
};

struct echo {
	struct switch_rig rig;
	const struct dpdk_case *c;
	pid_t testpmd;
	int stdin_fd; /* testpmd ends when it reads an end of file */
};

static void start_testpmd(struct echo *e)
{
	char vdev[256], prefix[64], pairs[2][16];
	int fds[2];
	const char *argv[] = {
		TESTPMD,
		"--lcores=0@(0-1),1@(0-1)",
		"--no-pci",
		"--no-huge",
		"--single-file-segments",
		"-m256",
		"--log-level=lib.eal:error",
		prefix,
		"--vdev",
		vdev,
		"--",
		"--auto-start",
		"--forward-mode=macswap",
		"--nb-cores=1",
		"--total-num-mbufs=8192",
		"--no-mlockall",
		pairs[0],
		pairs[1],
		e->c->jumbo ? "--enable-scatter" : NULL,
		"--max-pkt-len=9018",
		e->c->jumbo ? "--tx-offloads=0x8000" : NULL, /* frames of several buffers */
		NULL,
	};

	snprintf(vdev, sizeof(vdev), "net_virtio_user0,path=%s,queue_size=256,%s", e->rig.paths[0],
		 e->c->flags);
	snprintf(prefix, sizeof(prefix), "--file-prefix=ringway%d", getpid());
	snprintf(pairs[0], sizeof(pairs[0]), "--rxq=%u", e->c->pairs);
	snprintf(pairs[1], sizeof(pairs[1]), "--txq=%u", e->c->pairs);
	assert_int_equal(pipe(fds), 0);
	e->testpmd = fork();
	assert_true(e->testpmd >= 0);
	if (e->testpmd == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fds[0], STDIN_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(fds[0]);
	e->stdin_fd = fds[1];
}

static void end_testpmd(struct echo *e, int sig)
{
	assert_int_equal(kill(e->testpmd, sig), 0);
	rwy_fd_close(&e->stdin_fd);
	assert_int_equal(waitpid(e->testpmd, NULL, 0), e->testpmd);
}

static uint32_t len_of(const struct echo *e, uint32_t number)
{
	uint32_t most = e->c->jumbo && number % 4 == 0 ? 9000 : 1514;

	return 60 + (number * 2654435761u >> 8) % (most - 60 + 1);
}

static void fill(struct echo *e, uint32_t number)
{
	rig_fill(&e->rig, len_of(e, number), 1, 2, number);
	memcpy(e->rig.frame + 14, &number, sizeof(number));
}

static int send_number(struct echo *e, uint32_t number)
{
	const struct virtio_net_hdr_mrg_rxbuf hdr = {0};

	fill(e, number);
	return peer_send(&e->rig.peers[1], 0, &hdr, e->rig.frame, len_of(e, number),
			 number % PEER_NR_FRAMINGS);
}

/* Number of the frame that came back, byte for byte what was sent; a negative errno when none did.
 */
static int64_t receive_number(struct echo *e, unsigned ms)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	uint8_t addresses[12];
	uint32_t number;
	int len = peer_wait(&e->rig.peers[1], 0, &hdr, e->rig.got, sizeof(e->rig.got), ms);

	if (len == -ETIMEDOUT)
		return len;
	assert_true(len >= 18);
	memcpy(&number, e->rig.got + 14, sizeof(number));
	assert_int_equal(len, len_of(e, number));
	fill(e, number);
	memcpy(addresses, e->rig.frame + 6, 6);
	memcpy(addresses + 6, e->rig.frame, 6);
	assert_memory_equal(e->rig.got, addresses, 12);
	assert_memory_equal(e->rig.got + 12, e->rig.frame + 12, (size_t)len - 12);
	return number;
}

/* testpmd needs seconds to come up: ask until it answers, then take in what is still on its way. */
static void wait_for_echo(struct echo *e)
{
	uint64_t end = rwy_poll_now_ns() + BOOT_MS * UINT64_C(1000000);

	do {
		assert_true(rwy_poll_now_ns() < end);
		assert_int_equal(waitpid(e->testpmd, NULL, WNOHANG), 0);
		assert_int_equal(send_number(e, PROBE_NO), 0);
	} while (receive_number(e, 100) < 0);
	while (receive_number(e, 200) >= 0)
		;
}

static void echo_frames(struct echo *e)
{
	uint32_t sent = 0, got = 0;

	while (got < FRAMES) {
		while (sent < FRAMES && sent - got < WINDOW)
			assert_int_equal(send_number(e, sent++), 0);
		assert_int_equal(receive_number(e, RIG_MS), got++);
	}
	assert_true(peer_sent_all(&e->rig.peers[1], 0));
}

static const struct dpdk_case *chosen;

static void run_case(void **state)
{
	static struct echo e;
	char more[64];
	const struct peer_config config = {
		.features = RWY_BIT64(VIRTIO_F_VERSION_1) | RWY_BIT64(VIRTIO_F_RING_PACKED) |
			    RWY_BIT64(VIRTIO_NET_F_MRG_RXBUF) |
			    RWY_BIT64(VIRTIO_RING_F_INDIRECT_DESC),
		.nr_pairs = 1,
		.rx_len = 2048,
	};

	e.c = chosen;
	snprintf(more, sizeof(more), ",queues=%u%s", e.c->pairs, e.c->server ? ",mode=client" : "");
	rig_start(&e.rig, 2, more, NULL);
	rig_plug(&e.rig, 1, &config);
	for (unsigned life = 0; life <= e.c->lives; life++) {
		start_testpmd(&e);
		wait_for_echo(&e);
		echo_frames(&e);
		end_testpmd(&e, life < e.c->lives ? SIGKILL : SIGTERM);
	}
	rig_stop(&e.rig);
}

int main(int argc, char **argv)
{
	for (unsigned i = 0; argc == 2 && i < RWY_ARRAY_SIZE(cases); i++) {
		if (strcmp(argv[1], cases[i].name) != 0)
			continue;
		if (!unit_has_program(TESTPMD)) {
			printf("SKIP %s: %s is missing (package dpdk)\n", argv[1], TESTPMD);
			return SKIPPED;
		}
		chosen = &cases[i];
		const struct CMUnitTest tests[] = {{.name = chosen->name, .test_func = run_case}};

		return UNIT_RUN(tests);
	}
	fprintf(stderr, "usage: dpdk CASE\n");
	return 2;
}
