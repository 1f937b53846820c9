/* SPDX-License-Identifier: BSD-3-Clause */
/* ringway-blk as its users run it, against a model of its disks. */
#include "tests/interop/blk_guest.h"
#include "tests/unit/unit.h"
#include "lib/stats.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/virtio_config.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK	  (8u << 20)
#define SECTORS	  (DISK / 512)
#define SPLIT	  0
#define PACKED	  RWY_BIT64(VIRTIO_F_RING_PACKED)
#define EVENT_IDX RWY_BIT64(VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT  RWY_BIT64(VIRTIO_RING_F_INDIRECT_DESC)
#define DEVICE                                                                       \
	(RWY_BIT64(VIRTIO_BLK_F_FLUSH) | RWY_BIT64(VIRTIO_BLK_F_DISCARD) |           \
	 RWY_BIT64(VIRTIO_BLK_F_WRITE_ZEROES) | RWY_BIT64(VIRTIO_BLK_F_CONFIG_WCE) | \
	 RWY_BIT64(VIRTIO_BLK_F_MQ))

static struct {
	char dir[32];
	char disk_dir[32]; /* on a disk */
	char socket[64];
	char image[64];
	char metrics[64];
	char disk[192]; /* --disk's value */
} path;

static struct guest guest;
static pid_t served; /* what a test that fails leaves running */

static int make_places(void **state)
{
	/* in memory, as a disk that is told to flush all the time takes minutes */
	strcpy(path.dir, "/dev/shm/blk_serve.XXXXXX");
	strcpy(path.disk_dir, "/var/tmp/blk_serve.XXXXXX");
	assert_non_null(mkdtemp(path.dir));
	assert_non_null(mkdtemp(path.disk_dir));
	snprintf(path.socket, sizeof(path.socket), "%s/sock", path.dir);
	snprintf(path.metrics, sizeof(path.metrics), "%s/metrics", path.dir);
	return unit_fds_before(state);
}

static int end_served(void **state)
{
	if (served > 0 && kill(served, SIGKILL) == 0)
		waitpid(served, NULL, 0);
	served = 0;
	unlink(path.socket);
	return 0;
}

/* An empty image in this directory, which replaces any other. */
static void make_image(const char *dir)
{
	unlink(path.image);
	snprintf(path.image, sizeof(path.image), "%s/image", dir);
	int fd = open(path.image, O_CREAT | O_RDWR, 0600);

	assert_int_equal(ftruncate(fd, DISK), 0);
	close(fd);
}

static int remove_places(void **state)
{
	unlink(path.image);
	unlink(path.metrics);
	unlink(path.socket);
	assert_int_equal(rmdir(path.disk_dir), 0);
	assert_int_equal(rmdir(path.dir), 0);
	return unit_fds_after(state);
}

static pid_t serve(const char *store, unsigned nr_queues)
{
	const char *const args[] = {"--disk",	   path.disk, "--metrics", path.metrics,
				    "--log-level", "warn",    NULL};

	snprintf(path.disk, sizeof(path.disk), "socket=%s,%s,queues=%u", path.socket, store,
		 nr_queues);
	served = guest_spawn(args);
	return served;
}

static const char *file_store(void)
{
	static char store[80];

	snprintf(store, sizeof(store), "file=%s", path.image);
	return store;
}

/* What the disk must hold, and which request may still change which part of it. */
struct model {
	uint8_t *bytes;
	bool *taken; /* by sector */
};

static void model_open(struct model *model)
{
	model->bytes = calloc(1, DISK);
	model->taken = calloc(SECTORS, sizeof(bool));
}

static void model_close(struct model *model)
{
	free(model->bytes);
	free(model->taken);
}

static bool model_free(const struct model *model, uint64_t sector, uint64_t nr)
{
	for (uint64_t i = sector; i < sector + nr; i++) {
		if (model->taken[i])
			return false;
	}
	return true;
}

static uint64_t sectors_of(const struct guest_req *req)
{
	return req->tag;
}

static void check(struct model *model, struct guest_req *req)
{
	uint64_t sector = le64toh(req->hdr->sector), len = sectors_of(req) * 512;

	assert_int_equal(req->nr_done, 1);
	assert_int_equal(*req->status, VIRTIO_BLK_S_OK);
	if (le32toh(req->hdr->type) == VIRTIO_BLK_T_IN) {
		assert_int_equal(req->written, len + 1);
		assert_memory_equal(req->data, model->bytes + sector * 512, len);
	}
	if (le32toh(req->hdr->type) != VIRTIO_BLK_T_FLUSH)
		memset(model->taken + sector, 0, sectors_of(req));
	req->nr_done = 0;
}

static void check_done(struct model *model, struct guest_queue *queue)
{
	for (unsigned i = 0; i < GUEST_DEPTH; i++) {
		if (queue->reqs[i].nr_done)
			check(model, &queue->reqs[i]);
	}
}

static void send_zeroes(struct guest_req *req, uint64_t sector, uint64_t nr)
{
	const struct virtio_blk_discard_write_zeroes range = {.sector = htole64(sector),
							      .num_sectors = htole32((uint32_t)nr),
							      .flags = htole32(nr % 2)};

	memcpy(req->data, &range, sizeof(range));
	guest_send(req, VIRTIO_BLK_T_WRITE_ZEROES, sector, sizeof(range), 0);
}

/* One more request of any kind, where nobody else is at work. */
static void send_one(struct model *model, struct guest_queue *queue)
{
	unsigned *seed = &guest.seed;
	struct guest_req *req = guest_take(queue);
	uint64_t nr = 1 + (uint64_t)rand_r(seed) % (rand_r(seed) % 4 ? 8 : GUEST_DATA / 512);
	uint64_t sector = (uint64_t)rand_r(seed) % (SECTORS - nr);
	uint32_t len = (uint32_t)nr * 512;

	if (rand_r(seed) % 16 == 0) {
		req->tag = 0;
		guest_send(req, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
		return;
	}
	if (!model_free(model, sector, nr))
		return;
	memset(model->taken + sector, 1, nr);
	req->tag = nr;
	switch (rand_r(seed) % 8) {
	case 0:
		memset(model->bytes + sector * 512, 0, len);
		send_zeroes(req, sector, nr);
		break;
	case 1:
	case 2:
	case 3:
		for (uint32_t i = 0; i < len; i += 4)
			memcpy(req->data + i, &(int){rand_r(seed)}, 4);
		memcpy(model->bytes + sector * 512, req->data, len);
		guest_send(req, VIRTIO_BLK_T_OUT, sector, len, 0);
		break;
	default:
		guest_send(req, VIRTIO_BLK_T_IN, sector, 0, len);
	}
}

/* Random work on all queues at once, in bursts. */
static void work(struct model *model, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		struct guest_queue *queue = &guest.queues[round % guest.nr_queues];
		unsigned burst = 1 + (unsigned)rand_r(&guest.seed) % GUEST_DEPTH;

		while (burst-- > 0 && guest_take(queue))
			send_one(model, queue);
		guest_kick(queue);
		guest_wait(queue, (unsigned)rand_r(&guest.seed) % (GUEST_DEPTH / 2));
		for (unsigned q = 0; q < guest.nr_queues; q++)
			check_done(model, &guest.queues[q]);
	}
}

static void settle(struct model *model)
{
	for (unsigned q = 0; q < guest.nr_queues; q++) {
		guest_wait(&guest.queues[q], 0);
		check_done(model, &guest.queues[q]);
	}
}

static void random_work(const char *store, unsigned nr_queues, uint64_t ring, unsigned rounds)
{
	struct model model;
	pid_t pid = serve(store, nr_queues);

	model_open(&model);
	guest_open(&guest, path.socket, nr_queues, DEVICE | ring);
	assert_int_equal(le64toh(guest_config(&guest)->capacity), SECTORS);
	work(&model, rounds);
	settle(&model);
	assert_true(guest.nr_done > 3 * rounds);
	guest_close(&guest);
	assert_int_equal(guest_reap(pid, SIGTERM), 0);
	model_close(&model);
}

static void every_ring(const char *store, unsigned nr_queues)
{
	static const uint64_t rings[] = {SPLIT, SPLIT | EVENT_IDX | INDIRECT, PACKED,
					 PACKED | EVENT_IDX | INDIRECT};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(rings); i++) {
		make_image(path.dir);
		random_work(store, nr_queues, rings[i], 400);
	}
}

static void file_on_every_ring(void **state)
{
	make_image(path.dir);
	every_ring(file_store(), 1);
}

static void file_on_many_queues(void **state)
{
	make_image(path.dir);
	every_ring(file_store(), GUEST_QUEUES);
}

static void file_on_a_disk(void **state)
{
	make_image(path.disk_dir);
	random_work(file_store(), 2, SPLIT | EVENT_IDX | INDIRECT, 40);
	make_image(path.disk_dir);
	random_work(file_store(), 2, PACKED, 40);
}

static void memory_on_every_ring(void **state)
{
	every_ring("mem=8M", 1);
	random_work("mem=8M", 2, SPLIT | RWY_BIT64(VIRTIO_F_IN_ORDER), 400);
	random_work("mem=8M", 2, PACKED | RWY_BIT64(VIRTIO_F_IN_ORDER), 400);
}

static int fds_of(pid_t pid)
{
	char dir[32];
	int nr = 0;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)pid);
	DIR *d = opendir(dir);
	assert_non_null(d);
	while (readdir(d))
		nr++;
	closedir(d);
	return nr;
}

static void front_ends_come_and_go(void **state)
{
	make_image(path.dir);
	pid_t pid = serve(file_store(), 2);
	int before = 0;

	for (unsigned round = 0; round < 50; round++) {
		guest_open(&guest, path.socket, 2, DEVICE | (round % 2 ? PACKED : SPLIT));
		struct guest_req *req = guest_take(&guest.queues[round % 2]);
		assert_int_equal(guest_ask(&guest.queues[round % 2], req, VIRTIO_BLK_T_IN, 0, 0,
					   4096),
				 VIRTIO_BLK_S_OK);
		/* leaves with a request under way */
		guest_send(req, VIRTIO_BLK_T_IN, 0, 0, 4096);
		guest_kick(&guest.queues[round % 2]);
		if (round == 10)
			before = fds_of(pid);
		if (round > 10)
			assert_int_equal(fds_of(pid), before);
		guest_close(&guest);
	}
	assert_int_equal(guest_reap(pid, SIGTERM), 0);
}

static void read_only_disk(void **state)
{
	make_image(path.dir);
	const char *const args[] = {"--socket-path", path.socket,      "--blk-file", path.image,
				    "--read-only",   "--num-queues=2", NULL};
	pid_t pid = served = guest_spawn(args);

	guest_open(&guest, path.socket, 2, RWY_BIT64(VIRTIO_BLK_F_RO));
	struct guest_req *req = guest_take(&guest.queues[0]);
	assert_int_equal(guest_ask(&guest.queues[0], req, VIRTIO_BLK_T_OUT, 0, 512, 0),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(guest_ask(&guest.queues[1], &guest.queues[1].reqs[0], VIRTIO_BLK_T_GET_ID,
				   0, 0, 20),
			 VIRTIO_BLK_S_OK);
	assert_string_equal((char *)guest.queues[1].reqs[0].data, "image");
	guest_close(&guest);
	assert_int_equal(guest_reap(pid, SIGTERM), 0);
}

/* A counter of another program's area, as ringway-perf metrics shows it. */
static int64_t counted(const char *entry, const char *counter)
{
	struct rwy_stats stats;
	char *text;

	assert_int_equal(rwy_stats_attach(&stats, path.metrics), 0);
	assert_int_equal(rwy_stats_json(&stats, &text), 0);
	rwy_stats_close(&stats);
	json_t *root = json_loads(text, 0, NULL);
	json_t *value = json_object_get(json_object_get(root, entry), counter);
	assert_true(json_is_integer(value));
	int64_t n = json_integer_value(value);
	json_decref(root);
	free(text);
	return n;
}

/* Three disks on two threads; each counts its own. */
static void many_disks(void **state)
{
	static struct guest guests[3];
	char disks[3][320], sockets[3][64];
	const char *const args[] = {"--disk", disks[0], "--disk",      disks[1],    "--disk",
				    disks[2], "--cpus", "0,0",	       "--metrics", path.metrics,
				    "--poll", "never",	"--log-level", "warn",	    NULL};

	make_image(path.dir);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(sockets[i], sizeof(sockets[i]), "%s/sock%u", path.dir, i);
		snprintf(disks[i], sizeof(disks[i]), "socket=%s,%s", sockets[i],
			 i == 1 ? file_store() : "mem=8M");
	}
	served = guest_spawn(args);
	for (unsigned i = 0; i < 3; i++)
		guest_open(&guests[i], sockets[i], 1, DEVICE);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned n = 0; n < 100 * (i + 1); n++)
			assert_int_equal(guest_ask(&guests[i].queues[0],
						   &guests[i].queues[0].reqs[0], VIRTIO_BLK_T_OUT,
						   n, 1024, 0),
					 VIRTIO_BLK_S_OK);
		assert_int_equal(guest_ask(&guests[i].queues[0], &guests[i].queues[0].reqs[0],
					   VIRTIO_BLK_T_IN, SECTORS, 0, 512),
				 VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(counted("disk0", "writes"), 100);
	assert_int_equal(counted("disk1", "written_bytes"), 200 * 1024);
	assert_int_equal(counted("disk2", "writes"), 300);
	assert_int_equal(counted("disk2", "refused"), 1);
	assert_int_equal(counted("disk2.q0", "chains"), 301);
	assert_int_equal(counted("disk1.latency_ns", "count"), 201);
	for (unsigned i = 0; i < 3; i++)
		guest_close(&guests[i]);
	assert_int_equal(guest_reap(served, SIGTERM), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(file_on_every_ring, end_served),
		cmocka_unit_test_teardown(file_on_many_queues, end_served),
		cmocka_unit_test_teardown(file_on_a_disk, end_served),
		cmocka_unit_test_teardown(memory_on_every_ring, end_served),
		cmocka_unit_test_teardown(front_ends_come_and_go, end_served),
		cmocka_unit_test_teardown(read_only_disk, end_served),
		cmocka_unit_test_teardown(many_disks, end_served),
	};

	return cmocka_run_group_tests(tests, make_places, remove_places);
}
