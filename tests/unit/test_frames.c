/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames out of a tap whose other side sends back some of them, and some that it was not sent. */
#include "tests/unit/unit.h"

#include "perf/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ETHERTYPE 0x88b5
#define HEADER	  14
#define SENT_AT	  26 /* of the time in a frame */

static const uint8_t guest[6] = {0x52, 0x54, 0, 0x52, 0x57, 2};

struct mirror {
	int fd;
	unsigned loses; /* one of so many; 0: none */
	bool lies;	/* sends more than it got, and what it never got */
	atomic_bool ends;
	unsigned got;
};

static void swap(uint8_t *frame)
{
	uint8_t to[6];

	memcpy(to, frame, 6);
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, to, 6);
}

static void put(const struct mirror *mirror, const uint8_t *frame, size_t len)
{
	while (write(mirror->fd, frame, len) < 0 && errno == EAGAIN)
		sched_yield();
}

/* Each is wrong in one thing: too short, from the future, from before, from somebody else. */
static void lie(const struct mirror *mirror, const uint8_t *frame, size_t len)
{
	uint8_t wrong[RWY_FRAMES_MAX];

	memcpy(wrong, frame, len);
	put(mirror, wrong, HEADER + 4);
	memset(wrong + SENT_AT, 0x7f, 8);
	put(mirror, wrong, len);
	memset(wrong + SENT_AT, 0, 8);
	put(mirror, wrong, len);
	memcpy(wrong, frame, len);
	wrong[11] ^= 1;
	put(mirror, wrong, len);
	memcpy(wrong, frame, len);
	memset(wrong + HEADER, 0, 4);
	put(mirror, wrong, len);
}

static void *run_mirror(void *arg)
{
	struct mirror *mirror = arg;
	uint8_t frame[2048];

	while (!mirror->ends) {
		ssize_t n = read(mirror->fd, frame, sizeof(frame));

		if (n < 0)
			sched_yield();
		if (n < HEADER || frame[12] != ETHERTYPE >> 8 || frame[13] != (ETHERTYPE & 0xff))
			continue;
		mirror->got++;
		swap(frame);
		if (!mirror->loses || mirror->got % mirror->loses)
			put(mirror, frame, (size_t)n);
		if (mirror->lies)
			lie(mirror, frame, (size_t)n);
	}
	return NULL;
}

/* A tap that is up, in a namespace of this process; -1: it cannot be had. */
static int open_tap(void)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd, sock, err = 0;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return -1;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	strcpy(request.ifr_name, "far");
	if (fd < 0 || sock < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		err = -1;
	request.ifr_flags = IFF_UP;
	if (err == 0)
		err = ioctl(sock, SIOCSIFFLAGS, &request);
	if (sock >= 0)
		close(sock);
	if (err < 0 && fd >= 0)
		close(fd);
	return err < 0 ? -1 : fd;
}

static void bounce(struct mirror *mirror, double rate, double seconds, struct rwy_frames *frames)
{
	struct rwy_frames_config config = {.ifname = "far",
					   .size = RWY_FRAMES_MIN,
					   .rate = rate,
					   .seconds = seconds};
	pthread_t thread;

	mirror->fd = open_tap();
	if (mirror->fd < 0) {
		print_message("SKIP frames: a tap in a network namespace cannot be had\n");
		skip();
	}
	memcpy(config.to, guest, sizeof(guest));
	assert_int_equal(pthread_create(&thread, NULL, run_mirror, mirror), 0);
	assert_int_equal(rwy_frames_run(&config, frames), 0);
	mirror->ends = true;
	pthread_join(thread, NULL);
	close(mirror->fd);
	assert_int_equal(mirror->got, frames->sent);
}

static void all_come_back(void **state)
{
	struct mirror mirror = {0};
	struct rwy_frames frames;

	bounce(&mirror, 0, 0.1, &frames);
	assert_true(frames.sent > 0);
	assert_int_equal(frames.back, frames.sent);
	assert_int_equal(frames.latency.count, frames.sent);
	assert_true(frames.latency.max > 0 && frames.seconds >= 0.1);
}

static void what_is_lost_is_missed(void **state)
{
	struct mirror mirror = {.loses = 4};
	struct rwy_frames frames;

	bounce(&mirror, 0, 0.1, &frames);
	assert_int_equal(frames.back, frames.sent - frames.sent / 4);
}

static void a_rate_is_kept(void **state)
{
	struct mirror mirror = {0};
	struct rwy_frames frames;

	bounce(&mirror, 1000, 0.3, &frames);
	assert_in_range(frames.sent, 1, 300);
	assert_int_equal(frames.back, frames.sent);
}

static void a_mirror_that_lies_gains_nothing(void **state)
{
	struct mirror mirror = {.loses = 2, .lies = true};
	struct rwy_frames frames;

	bounce(&mirror, 2000, 0.1, &frames);
	assert_int_equal(frames.back, frames.sent - frames.sent / 2);
}

static void no_such_interface(void **state)
{
	const struct rwy_frames_config config = {.ifname = "nowhere", .size = RWY_FRAMES_MIN};
	struct rwy_frames frames;

	assert_int_equal(rwy_frames_run(&config, &frames), -ENODEV);
}

static void what_is_due(void **state)
{
	const struct rwy_frames_config config = {.rate = 1000};

	assert_int_equal(rwy_frames_due(&config, 0, 0), 1);
	assert_int_equal(rwy_frames_due(&config, 999999, 0), 1);
	assert_int_equal(rwy_frames_due(&config, 1000000, 0), 2);
	assert_int_equal(rwy_frames_due(&config, 5000000000, 0), 5001);
	/* what was given up is not sent later */
	assert_int_equal(rwy_frames_due(&config, 5000000000, 5000), 1);
	assert_int_equal(rwy_frames_due(&config, 5000000000, 9000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_come_back),
		cmocka_unit_test(what_is_lost_is_missed),
		cmocka_unit_test(a_rate_is_kept),
		cmocka_unit_test(a_mirror_that_lies_gains_nothing),
		cmocka_unit_test(no_such_interface),
		cmocka_unit_test(what_is_due),
	};

	return UNIT_RUN(tests);
}
