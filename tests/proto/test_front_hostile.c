/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A live front-end against back-ends that lie, hang and vanish, at each message of the
 * conversation; afterwards it must serve a good one, and nothing may have leaked.
 */
#include "tests/proto/front_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MESSAGES 30 /* a full start takes 27 */

struct scene {
	const char *name;
	uint64_t pf;
};

static const struct scene scenes[] = {
	{"everything offered", RWY_BIT64(RWY_VU_NR_PFS) - 1},
	{"no acknowledgements", RWY_BIT64(RWY_VU_PF_MQ) | RWY_BIT64(RWY_VU_PF_BACKEND_REQ)},
};

static bool all_started(struct rig *rigs)
{
	for (unsigned i = 0; i < MESSAGES; i++) {
		if (rigs[i].ready && !rigs[i].started)
			(void)!rig_start(&rigs[i]); /* -EBUSY when it was started before */
		if (!rigs[i].started)
			return false;
	}
	return true;
}

/* The same fault at every message, one front-end for each; all of them come up in the end. */
static void at_every_message(const struct scene *scene, enum fake_fault fault)
{
	struct rig *rigs = calloc(MESSAGES, sizeof(*rigs));
	struct rwy_poll *poll;
	uint64_t end;

	assert_non_null(rigs);
	assert_int_equal(rwy_poll_open(&poll, RWY_POLL_NEVER), 0);
	for (unsigned i = 0; i < MESSAGES; i++) {
		rig_open_on(&rigs[i], poll);
		rigs[i].be.pf = scene->pf;
		rigs[i].be.fault = fault;
		rigs[i].be.fault_at = i;
		rigs[i].be.faults_left = 1;
		rigs[i].timeout_ms = 100;
		fake_listen(&rigs[i].be);
		rig_open_front(&rigs[i]);
	}
	end = rwy_poll_now_ns() + UINT64_C(20000000000);
	while (!all_started(rigs) && rwy_poll_now_ns() < end)
		assert_true(rwy_poll_once(poll, 10) >= 0);
	for (unsigned i = 0; i < MESSAGES; i++) {
		if (!rigs[i].started)
			print_message("fault %d at message %u: not started\n", fault, i);
		assert_true(rigs[i].started >= 1);
		assert_true(rigs[i].be.faults_left == 0 || i >= 15);
		rig_close(&rigs[i]);
	}
	rwy_poll_close(poll);
	free(rigs);
}

static void faults_at_every_message(void **state)
{
	for (unsigned s = 0; s < RWY_ARRAY_SIZE(scenes); s++) {
		for (unsigned f = FAKE_GOOD; f < FAKE_NR_FAULTS; f++)
			at_every_message(&scenes[s], (enum fake_fault)f);
	}
}

/* A back-end that dies at each message of the stop: the driver's reset completes all the same. */
static void faults_while_stopping(void **state)
{
	for (unsigned f = FAKE_GOOD; f < FAKE_NR_FAULTS; f++) {
		for (unsigned at = 0; at < 3; at++) {
			struct rig rig;

			rig_open_fake(&rig);
			rig.timeout_ms = 150;
			fake_listen(&rig.be);
			rig_open_front(&rig);
			rig_bring_up(&rig);
			rig.be.fault = (enum fake_fault)f;
			rig.be.fault_at = rig.be.nr_msgs + at;
			rig.be.faults_left = 1;
			rwy_vu_front_stop(rig.front);
			assert_true(rig_until(&rig, &rig.stopped, 1, 3000));
			assert_int_equal(rig.be.faults_left, 0);
			rig_close(&rig);
		}
	}
}

static void flood_of_requests(void **state)
{
	unsigned long sent = 0;
	uint64_t value;
	struct rig rig;

	rig_open(&rig);
	rig_bring_up(&rig);
	for (unsigned round = 0; round < 1000; round++) {
		for (unsigned i = 0; i < 50; i++, sent++)
			fake_request(&rig.be, RWY_VU_BE_CONFIG_CHANGE, RWY_VU_FLAG_VERSION, NULL, 0,
				     0);
		assert_true(rwy_poll_once(rig.poll, 0) >= 0);
	}
	rwy_vu_front_stop(rig.front);
	assert_true(rig_until(&rig, &rig.stopped, 1, 2000));
	assert_int_equal(rig.lost, 0);
	assert_true(rig.config > 0 && rig.config <= sent);

	/* It reads none of our answers: the channel goes, the device stays. */
	assert_int_equal(rig_start(&rig), 0);
	assert_true(rig_until(&rig, &rig.started, 2, 2000));
	for (unsigned i = 0; i < 5000; i++) {
		fake_request(&rig.be, 99, RWY_VU_FLAG_VERSION | RWY_VU_FLAG_NEED_REPLY, NULL, 0, 0);
		if (i % 16 == 15)
			assert_true(rwy_poll_once(rig.poll, 0) >= 0);
	}
	rig_spin(&rig, 50);
	while (fake_take_answer(&rig.be, &value))
		assert_true(value != 0);
	assert_int_equal(rig.lost, 0);
	assert_true(rwy_vu_front_connected(rig.front));
	rig_close(&rig);
}

static void refused_requests(void **state)
{
	static const struct {
		uint32_t request, size;
		unsigned nr_fds;
	} refused[] = {
		{99, 0, 0},
		{99, 0, RWY_VU_MAX_FDS},
		{0, 0, 0},
		{RWY_VU_BE_IOTLB_MSG, sizeof(struct rwy_vu_iotlb), 0},
		{RWY_VU_BE_VRING_HOST_NOTIFIER, sizeof(struct rwy_vu_vring_area), 1},
		{RWY_VU_BE_VRING_CALL, sizeof(struct rwy_vu_vring_state), 0},
		{RWY_VU_BE_VRING_ERR, sizeof(struct rwy_vu_vring_state), 0},
		{RWY_VU_BE_SHARED_OBJECT_ADD, 16, 0},
		{RWY_VU_BE_SHARED_OBJECT_LOOKUP, 16, 0},
		{RWY_VU_BE_SHMEM_MAP, sizeof(struct rwy_vu_shmem_map), 1},
		{RWY_VU_BE_SHMEM_UNMAP, sizeof(struct rwy_vu_shmem_map), 0},
	};
	const union rwy_vu_payload payload = {0};
	struct rig rig;
	int fds;

	rig_open(&rig);
	rig_bring_up(&rig);
	fds = rwy_fd_count();
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(refused); i++) {
		uint64_t value = 0;

		fake_request(&rig.be, refused[i].request,
			     RWY_VU_FLAG_VERSION | RWY_VU_FLAG_NEED_REPLY, &payload,
			     refused[i].size, refused[i].nr_fds);
		rig_spin(&rig, 5);
		if (!fake_take_answer(&rig.be, &value))
			fail_msg("no answer to request %u, case %u", refused[i].request, i);
		assert_true(value != 0);
		assert_int_equal(rwy_fd_count(), fds);
	}
	/* After all that a good one is still heard. */
	fake_request(&rig.be, RWY_VU_BE_CONFIG_CHANGE, RWY_VU_FLAG_VERSION, NULL, 0, 0);
	assert_true(rig_until(&rig, &rig.config, 1, 1000));

	/* What is no message ends the channel and nothing else. */
	fake_request(&rig.be, RWY_VU_BE_CONFIG_CHANGE, RWY_VU_FLAG_VERSION, &payload, 2000, 8);
	rig_spin(&rig, 20);
	assert_int_equal(rwy_fd_count(), fds - 1);
	assert_true(rwy_vu_front_connected(rig.front));
	assert_int_equal(rig.lost, 0);
	rwy_vu_front_stop(rig.front);
	assert_true(rig_until(&rig, &rig.stopped, 1, 1000));
	rig_close(&rig);
}

static unsigned count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned n = 0;
	int c;

	assert_non_null(f);
	while ((c = fgetc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static unsigned long resident_kb(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*u %lu", &pages), 1);
	fclose(f);
	return pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
}

static const enum fake_fault quick_faults[] = {FAKE_CLOSE, FAKE_ID,  FAKE_BIG,	 FAKE_FLAGS,
					       FAKE_TWICE, FAKE_FDS, FAKE_REFUSE};

static void one_bad_round(struct rig *rig, const char *path)
{
	unsigned lost = rig->lost;
	unsigned ready = rig->ready;

	rig->be.fault = quick_faults[(unsigned)rand() % RWY_ARRAY_SIZE(quick_faults)];
	rig->be.fault_at = (unsigned)rand() % 26;
	rig->be.faults_left = 1;
	fake_connect(&rig->be, path);
	for (unsigned i = 0; i < 200 && rig->be.faults_left && rig->be.chan.fd >= 0; i++)
		assert_true(rwy_poll_once(rig->poll, 1) >= 0);
	for (unsigned i = 0; i < 3; i++)
		assert_true(rwy_poll_once(rig->poll, 0) >= 0);
	assert_true(rig->lost - lost <= 2 && rig->ready - ready <= 1);
}

static void ten_thousand_rounds(void **state)
{
	struct rwy_vu_front_config config;
	unsigned maps = 0;
	unsigned long rss = 0;
	char path[80];
	struct rig rig;
	int fds = 0;

	rig_open_fake(&rig);
	snprintf(path, sizeof(path), "%s.front", rig.be.path);
	config = rig_front_config(&rig);
	config.listen = true;
	config.socket_path = path;
	assert_int_equal(rwy_vu_front_open(&rig.front, rig.poll, &rig.mem, &config), 0);
	rig_spin(&rig, 10);
	fake_connect(&rig.be, path);
	rig_bring_up(&rig);
	srand(1);
	for (unsigned round = 1; round <= 10000; round++) {
		one_bad_round(&rig, path);
		if (round % 500)
			continue;
		unsigned started = rig.started;

		rig.be.faults_left = 0;
		fake_connect(&rig.be, path);
		assert_true(rig_until(&rig, &rig.started, started + 1, 3000));
		if (round == 500) {
			fds = rwy_fd_count();
			maps = count_maps();
			rss = resident_kb();
		}
	}
	assert_int_equal(rwy_fd_count(), fds);
	assert_in_range(count_maps(), 1, maps + 2);
	assert_in_range(resident_kb(), 1, rss + 1024);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_at_every_message), cmocka_unit_test(faults_while_stopping),
		cmocka_unit_test(flood_of_requests),	   cmocka_unit_test(refused_requests),
		cmocka_unit_test(ten_thousand_rounds),
	};

	return UNIT_RUN_QUIET(tests);
}
