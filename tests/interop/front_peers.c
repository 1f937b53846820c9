/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our front-end before other people's back-ends: DPDK's net_vhost, which sends each frame back, and
 * qemu-storage-daemon's vhost-user-blk export. Each is killed and started again under the driver's
 * feet. The program runs one case; see meson.build.
 */
#include "tests/interop/blk_guest.h"
#include "tests/net/net_peer.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TESTPMD "dpdk-testpmd"
#define STORAGE "qemu-storage-daemon"
#define FRAMES	2000
#define BOOT_MS 60000
#define MS	20000
#define SKIPPED 77
#define SECTORS 512

struct front_case {
	const char *name;
	const char *program;
	uint64_t features;
	bool chunks; /* net: frames in several buffers */
	unsigned lives;
};

#define V1     RWY_BIT64(VIRTIO_F_VERSION_1)
#define PACKED RWY_BIT64(VIRTIO_F_RING_PACKED)
#define MRG    RWY_BIT64(VIRTIO_NET_F_MRG_RXBUF)
#define INDIR  RWY_BIT64(VIRTIO_RING_F_INDIRECT_DESC)

static const struct front_case cases[] = {
	{"front-dpdk-split", TESTPMD, V1, true, 0},
	{"front-dpdk-split-mergeable", TESTPMD, V1 | MRG | INDIR, true, 0},
	{"front-dpdk-packed", TESTPMD, V1 | PACKED, true, 0},
	{"front-dpdk-packed-mergeable", TESTPMD, V1 | MRG | INDIR | PACKED, true, 0},
	{"front-dpdk-split-killed", TESTPMD, V1 | MRG, false, 3},
	{"front-dpdk-packed-killed", TESTPMD, V1 | MRG | PACKED, false, 3},
	{"front-qemu-storage-daemon", STORAGE, INDIR, false, 0},
	{"front-qemu-storage-daemon-killed", STORAGE, INDIR, false, 3},
};

static const struct front_case *current;
static char dir[] = "/tmp/ringway-front.XXXXXX";
static char socket_path[64], image[64];
static pid_t child;
static int child_in = -1; /* testpmd ends when it reads an end of file */

static void start(const char *const *argv)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fds[0], STDIN_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(fds[0]);
	child_in = fds[1];
}

static void start_testpmd(void)
{
	char vdev[128], prefix[64];
	const char *argv[] = {TESTPMD,
			      "--lcores=0@(0-1),1@(0-1)",
			      "--no-pci",
			      "--no-huge",
			      "-m128",
			      "--log-level=lib.eal:error",
			      prefix,
			      "--vdev",
			      vdev,
			      "--",
			      "--auto-start",
			      "--forward-mode=io",
			      "--port-topology=loop",
			      "--nb-cores=1",
			      "--total-num-mbufs=8192",
			      "--no-mlockall",
			      NULL};

	snprintf(vdev, sizeof(vdev), "net_vhost0,iface=%s,queues=1", socket_path);
	snprintf(prefix, sizeof(prefix), "--file-prefix=ringway%d", getpid());
	start(argv);
}

static void start_storage(void)
{
	char disk[128], export[192];
	const char *argv[] = {STORAGE, "--blockdev", disk, "--export", export, NULL};

	snprintf(disk, sizeof(disk), "driver=file,node-name=disk,filename=%s", image);
	snprintf(export, sizeof(export),
		 "type=vhost-user-blk,id=e,node-name=disk,addr.type=unix,addr.path=%s,"
		 "writable=on,num-queues=2",
		 socket_path);
	start(argv);
}

static void end(int sig)
{
	assert_int_equal(kill(child, sig), 0);
	rwy_fd_close(&child_in);
	assert_int_equal(waitpid(child, NULL, 0), child);
	child = 0;
	if (sig == SIGKILL) /* they do not replace what a dead one has left */
		(void)unlink(socket_path);
}

/* ---- network ---- */

static void fill(uint8_t *frame, uint32_t len, uint32_t number)
{
	for (uint32_t i = 0; i < len; i++)
		frame[i] = (uint8_t)(i * 7 + number);
	frame[0] &= 0xfe; /* not multicast */
	memcpy(frame + 14, &number, sizeof(number));
}

/* Frames with these numbers are sent one after the other and come back, whole and in order. */
static void pass(struct peer *peer, uint32_t from, uint32_t to)
{
	static uint8_t frame[2048], got[2048];
	const struct virtio_net_hdr_mrg_rxbuf none = {0};
	struct virtio_net_hdr_mrg_rxbuf hdr;

	for (uint32_t number = from; number < to; number++) {
		uint32_t len = 60 + number * 13 % 1454;
		enum peer_framing framing = PEER_ONE;
		int n;

		if (current->chunks)
			framing = number % (current->features & INDIR ? 4 : 3);
		fill(frame, len, number);
		assert_int_equal(peer_send(peer, 0, &none, frame, len, framing), 0);
		n = peer_wait(peer, 0, &hdr, got, sizeof(got), MS);
		if (n != (int)len)
			fail_msg("frame %u of %u bytes: %d came back", number, len, n);
		assert_memory_equal(got, frame, len);
	}
}

/* testpmd's forwarding may begin after its port is up: frames it throws away until then. */
static void until_it_forwards(struct peer *peer)
{
	static uint8_t frame[60], got[2048];
	const struct virtio_net_hdr_mrg_rxbuf none = {0};
	struct virtio_net_hdr_mrg_rxbuf hdr;
	bool passes = false;

	for (unsigned i = 0; i < 100 && !passes; i++) {
		fill(frame, sizeof(frame), UINT32_MAX);
		assert_int_equal(peer_send(peer, 0, &none, frame, sizeof(frame), PEER_ONE), 0);
		passes = peer_wait(peer, 0, &hdr, got, sizeof(got), 200) > 0;
	}
	assert_true(passes);
	while (peer_wait(peer, 0, &hdr, got, sizeof(got), 300) > 0)
		;
}

static void net(void **state)
{
	const struct peer_config config = {
		.socket_path = socket_path,
		.features = current->features,
		.nr_pairs = 1,
		.rx_len = 2048,
		.foreign = true,
	};
	struct rwy_poll *poll;
	struct peer peer;

	assert_int_equal(rwy_poll_open(&poll, RWY_POLL_NEVER), 0);
	assert_int_equal(peer_open(&peer, poll, &config), 0);
	start_testpmd(); /* after its front-end */
	assert_int_equal(peer_wait_started(&peer, BOOT_MS), 0);
	assert_int_equal(peer.features, current->features);
	until_it_forwards(&peer);
	pass(&peer, 0, FRAMES);
	for (unsigned life = 1; life <= current->lives; life++) {
		unsigned started = peer.started;

		end(SIGKILL);
		start_testpmd();
		while (peer.started == started)
			assert_true(rwy_poll_once(poll, 100) >= 0);
		until_it_forwards(&peer);
		pass(&peer, life * FRAMES, (life + 1) * FRAMES);
	}
	assert_int_equal(peer_stop(&peer, MS), 0);
	assert_int_equal(peer_restart(&peer, MS), 0);
	until_it_forwards(&peer);
	pass(&peer, 0, 100);
	assert_int_equal(peer.error, 0);
	peer_close(&peer);
	rwy_poll_close(poll);
	end(SIGTERM);
}

/* ---- disks ---- */

static void fill_sector(uint8_t *data, uint64_t sector, uint32_t version)
{
	for (uint32_t i = 0; i < 512; i++)
		data[i] = (uint8_t)(i + sector * 3 + version * 101);
}

static void write_all(struct guest_queue *queue, uint32_t version)
{
	for (uint64_t sector = 0; sector < SECTORS; sector++) {
		struct guest_req *req;

		while (!(req = guest_take(queue)))
			guest_wait(queue, GUEST_DEPTH - 1);
		fill_sector(req->data, sector, version);
		guest_send(req, VIRTIO_BLK_T_OUT, sector, 512, 0);
		guest_kick(queue);
	}
	guest_wait(queue, 0);
}

static void read_all(struct guest_queue *queue, uint32_t version)
{
	uint8_t want[512];

	for (uint64_t sector = 0; sector < SECTORS; sector++) {
		struct guest_req *req = guest_take(queue);

		assert_non_null(req);
		memset(req->data, 0xee, 512);
		assert_int_equal(guest_ask(queue, req, VIRTIO_BLK_T_IN, sector, 0, 512),
				 VIRTIO_BLK_S_OK);
		fill_sector(want, sector, version);
		assert_memory_equal(req->data, want, 512);
	}
}

static void disk(void **state)
{
	static struct guest guest;
	int fd = open(image, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	assert_int_equal(ftruncate(fd, SECTORS * 512), 0);
	rwy_fd_close(&fd);
	start_storage();
	guest_open(&guest, socket_path, 2, current->features);
	assert_int_equal(guest_config(&guest)->capacity, SECTORS);
	write_all(&guest.queues[0], 1);
	read_all(&guest.queues[1], 1);
	for (unsigned life = 1; life <= current->lives; life++) {
		struct guest_queue *queue = &guest.queues[life % 2];

		/* Killed with requests under way: they are done by the next one. */
		for (uint64_t sector = 0; sector < GUEST_DEPTH; sector++) {
			struct guest_req *req = guest_take(queue);

			fill_sector(req->data, sector, life + 1);
			guest_send(req, VIRTIO_BLK_T_OUT, sector, 512, 0);
		}
		guest_kick(queue);
		end(SIGKILL);
		start_storage();
		guest_until(&guest, &guest.nr_started, life + 1);
		guest_wait(queue, 0);
		write_all(queue, life + 1);
		read_all(queue, life + 1);
	}
	guest_close(&guest);
	end(SIGTERM);
	(void)unlink(image);
}

static int before(void **state)
{
	assert_non_null(mkdtemp(dir));
	snprintf(socket_path, sizeof(socket_path), "%s/socket", dir);
	snprintf(image, sizeof(image), "%s/image", dir);
	return unit_fds_before(state);
}

static int after(void **state)
{
	if (child > 0)
		end(SIGINT);
	(void)unlink(socket_path);
	(void)unlink(image);
	(void)rmdir(dir);
	return unit_fds_after(state);
}

int main(int argc, char **argv)
{
	for (unsigned i = 0; argc == 2 && i < RWY_ARRAY_SIZE(cases); i++) {
		if (strcmp(cases[i].name, argv[1]) == 0)
			current = &cases[i];
	}
	if (!current)
		return 2;
	if (!unit_has_program(current->program)) {
		printf("SKIP %s: %s is not installed\n", current->name, current->program);
		return SKIPPED;
	}
	const struct CMUnitTest tests[] = {
		{current->name, strcmp(current->program, TESTPMD) == 0 ? net : disk, NULL, NULL,
		 NULL},
	};

	return cmocka_run_group_tests(tests, before, after);
}
