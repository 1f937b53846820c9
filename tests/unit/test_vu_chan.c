/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include "lib/vu_chan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair {
	struct rwy_vu_chan chan;
	int peer;
};

static void pair_open(struct pair *p)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(rwy_vu_chan_open(&p->chan, &fds[0]), 0);
	assert_int_equal(fds[0], -1);
	p->peer = fds[1];
}

static void pair_close(struct pair *p)
{
	rwy_vu_chan_close(&p->chan);
	assert_int_equal(p->chan.fd, -1);
	rwy_fd_close(&p->peer);
}

/* Bytes with nr copies of one descriptor, as a peer that keeps to no rule would send them. */
static void raw_send(int peer, const void *bytes, size_t len, unsigned nr)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} room = {0};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	assert_true(nr <= 64);
	if (nr) {
		mh.msg_control = &room;
		mh.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nr * sizeof(int));
		for (unsigned i = 0; i < nr; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &peer, sizeof(int));
	}
	assert_int_equal(sendmsg(peer, &mh, MSG_NOSIGNAL), (ssize_t)len);
}

struct raw {
	struct rwy_vu_hdr hdr;
	uint8_t payload[16];
};

static const struct raw raw_u64 = {
	.hdr = {.request = 2, .flags = 1, .size = 8},
	.payload = {1, 2, 3, 4, 5, 6, 7, 8},
};

static void whole_message(void **state)
{
	(void)state;
	struct pair p;
	struct rwy_vu_msg msg;

	pair_open(&p);
	assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), 0);
	raw_send(p.peer, &raw_u64, 20, 2);
	assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), 1);
	assert_int_equal(msg.hdr.request, 2);
	assert_int_equal(msg.hdr.size, 8);
	assert_memory_equal(msg.payload.bytes, raw_u64.payload, 8);
	assert_int_equal(msg.nr_fds, 2);
	for (unsigned i = 0; i < RWY_VU_MAX_FDS; i++) {
		assert_int_equal(msg.fds[i] >= 0, i < 2);
		if (msg.fds[i] >= 0)
			assert_true(fcntl(msg.fds[i], F_GETFD) & FD_CLOEXEC);
	}
	rwy_vu_chan_close_fds(&msg);
	assert_int_equal(msg.nr_fds, 0);
	assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), 0);
	pair_close(&p);
}

static void byte_by_byte(void **state)
{
	(void)state;
	struct pair p;
	struct rwy_vu_msg msg;

	pair_open(&p);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 20; i++) {
			assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), 0);
			/* descriptors may come with any byte */
			raw_send(p.peer, (const char *)&raw_u64 + i, 1, i == round * 7);
		}
		assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), 1);
		assert_memory_equal(msg.payload.bytes, raw_u64.payload, 8);
		assert_int_equal(msg.nr_fds, 1);
		rwy_vu_chan_close_fds(&msg);
	}
	pair_close(&p);
}

static void back_to_back(void **state)
{
	(void)state;
	struct pair p;
	struct rwy_vu_msg msg;
	char both[40];

	pair_open(&p);
	memcpy(both, &raw_u64, 20);
	memcpy(both + 20, &raw_u64, 20);
	raw_send(p.peer, both, 40, 0);
	raw_send(p.peer, &raw_u64, 20, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), 1);
		assert_memory_equal(msg.payload.bytes, raw_u64.payload, 8);
		assert_int_equal(msg.nr_fds, i == 2 ? 3 : 0);
		rwy_vu_chan_close_fds(&msg);
	}
	assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), 0);
	pair_close(&p);
}

static void payload_ends_in_zeros(void **state)
{
	(void)state;
	struct pair p;
	struct rwy_vu_msg msg;
	const struct raw empty = {.hdr = {.request = 1, .flags = 1}};

	pair_open(&p);
	raw_send(p.peer, &raw_u64, 20, 0);
	raw_send(p.peer, &empty, 12, 0);
	assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), 1);
	assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), 1);
	assert_int_equal(msg.payload.u64, 0); /* nothing of the message before */
	pair_close(&p);
}

static void largest_message(void **state)
{
	(void)state;
	struct pair p;
	struct rwy_vu_msg msg;
	struct {
		struct rwy_vu_hdr hdr;
		uint8_t bytes[2056];
	} big = {.hdr = {.request = 44, .flags = 5, .size = 2056}};

	memset(big.bytes, 0xa5, sizeof(big.bytes));
	pair_open(&p);
	raw_send(p.peer, &big, sizeof(big), 8);
	assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), 1);
	assert_memory_equal(msg.payload.bytes, big.bytes, 2056);
	assert_int_equal(msg.nr_fds, 8);
	rwy_vu_chan_close_fds(&msg);
	pair_close(&p);
}

static void bad_headers(void **state)
{
	(void)state;
	static const struct rwy_vu_hdr bad[] = {
		{.request = 1, .flags = 0},
		{.request = 1, .flags = 2},
		{.request = 1, .flags = 3},
		{.request = 1, .flags = 1, .size = 2057},
		{.request = 1, .flags = 1, .size = UINT32_MAX},
		{.request = 1, .flags = 1, .size = 0x80000000u},
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		struct pair p;
		struct rwy_vu_msg msg;

		pair_open(&p);
		raw_send(p.peer, &bad[i], sizeof(bad[i]), 1);
		assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), -EPROTO);
		pair_close(&p); /* the group ends with a count of descriptors */
	}
}

static void too_many_fds(void **state)
{
	(void)state;
	static const unsigned nrs[] = {9, 10, 33, 64};
	struct rwy_vu_msg msg;
	struct pair p;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(nrs); i++) {
		int before = rwy_fd_count();

		pair_open(&p);
		raw_send(p.peer, &raw_u64, 20, nrs[i]);
		assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), -EPROTO);
		pair_close(&p);
		assert_int_equal(rwy_fd_count(), before);
	}
	/* no piece has too many, all together do */
	int before = rwy_fd_count();
	pair_open(&p);
	raw_send(p.peer, &raw_u64, 6, 5);
	assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), 0);
	raw_send(p.peer, (const char *)&raw_u64 + 6, 14, 5);
	assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), -EPROTO);
	pair_close(&p);
	assert_int_equal(rwy_fd_count(), before);
}

static void end_of_file(void **state)
{
	(void)state;
	struct pair p;
	struct rwy_vu_msg msg;

	pair_open(&p);
	rwy_fd_close(&p.peer);
	assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), -ENODATA);
	pair_close(&p);
	for (unsigned len = 1; len < 20; len++) {
		int before = rwy_fd_count();

		pair_open(&p);
		raw_send(p.peer, &raw_u64, len, 1);
		shutdown(p.peer, SHUT_WR);
		assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), -EPROTO);
		pair_close(&p);
		assert_int_equal(rwy_fd_count(), before);
	}
}

static void send_and_receive(void **state)
{
	(void)state;
	struct pair p;
	struct rwy_vu_chan other;
	struct rwy_vu_msg msg;
	const uint64_t value = 0x1122334455667788;

	pair_open(&p);
	assert_int_equal(rwy_vu_chan_open(&other, &p.peer), 0);
	const struct rwy_vu_hdr empty = {.request = 1, .flags = 1};
	assert_int_equal(rwy_vu_chan_send(&other, &empty, NULL, NULL, 0, 100), 0);
	const struct rwy_vu_hdr full = {.request = 12, .flags = 1, .size = 8};
	const int fds[2] = {other.fd, other.fd};
	assert_int_equal(rwy_vu_chan_send(&other, &full, &value, fds, 2, 100), 0);
	assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), 1);
	assert_int_equal(msg.hdr.request, 1);
	assert_int_equal(rwy_vu_chan_recv(&p.chan, &msg), 1);
	assert_int_equal(msg.hdr.request, 12);
	assert_true(msg.payload.u64 == value);
	assert_int_equal(msg.nr_fds, 2);
	rwy_vu_chan_close_fds(&msg);
	rwy_vu_chan_close(&other);
	assert_int_equal(rwy_vu_chan_send(&p.chan, &full, &value, NULL, 0, 100), -EPIPE);
	pair_close(&p);
}

static void send_to_a_deaf_peer(void **state)
{
	(void)state;
	struct pair p;
	const struct rwy_vu_hdr hdr = {.request = 44, .flags = 5, .size = 2056};
	static const uint8_t payload[2056];
	int err = 0;

	pair_open(&p);
	for (unsigned i = 0; i < 10000 && err == 0; i++)
		err = rwy_vu_chan_send(&p.chan, &hdr, payload, NULL, 0, 20);
	assert_int_equal(err, -ETIMEDOUT);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_message),    cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(back_to_back),	    cmocka_unit_test(payload_ends_in_zeros),
		cmocka_unit_test(largest_message),  cmocka_unit_test(bad_headers),
		cmocka_unit_test(too_many_fds),	    cmocka_unit_test(end_of_file),
		cmocka_unit_test(send_and_receive), cmocka_unit_test(send_to_a_deaf_peer),
	};

	return UNIT_RUN(tests);
}
