/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the two vhost-user harnesses share. The input is read as instructions, a byte each with its
 * arguments behind it. A message starts as a good one of its kind, to be spoiled by what follows:
 *
 *	spoil: bit 0 NEED_REPLY is toggled, 1 bytes of the payload, 2 size, 3 descriptors, 4 flags,
 *	       5 sent in two pieces
 *
 * so that an input of zeroes is a peer that behaves and deep states are near.
 */
#ifndef RWY_TESTS_FUZZ_VU_H
#define RWY_TESTS_FUZZ_VU_H

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/poll.h"
#include "lib/vu_chan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FUZZ_LOOK 256 /* runs between two looks for leaks */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_in {
	const uint8_t *at;
	const uint8_t *end;
};

enum fuzz_fd { FUZZ_RAM, FUZZ_SMALL, FUZZ_EVENT, FUZZ_PIPE, FUZZ_SOCKET, FUZZ_NULL, FUZZ_NR_FDS };

static inline uint8_t fuzz_byte(struct fuzz_in *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static inline void fuzz_require(bool is)
{
	if (!is)
		abort();
}

/* One of each kind a peer may send; they live as long as the process. */
static inline void fuzz_open_fds(int fds[FUZZ_NR_FDS], size_t ram_len)
{
	int pair[2];

	fds[FUZZ_RAM] = memfd_create("fuzz-ram", MFD_CLOEXEC);
	fds[FUZZ_SMALL] = memfd_create("fuzz-small", MFD_CLOEXEC);
	fds[FUZZ_EVENT] = rwy_fd_event();
	fds[FUZZ_NULL] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fuzz_require(ftruncate(fds[FUZZ_RAM], (off_t)ram_len) == 0);
	fuzz_require(ftruncate(fds[FUZZ_SMALL], 4097) == 0);
	fuzz_require(pipe2(pair, O_CLOEXEC | O_NONBLOCK) == 0);
	fds[FUZZ_PIPE] = pair[0];
	fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	fds[FUZZ_SOCKET] = pair[0];
}

/* Spoils a good message as the input says. The descriptors in it are not its own. */
static inline bool fuzz_spoil(struct fuzz_in *in, struct rwy_vu_msg *msg,
			      const int fds[FUZZ_NR_FDS])
{
	const uint8_t how = fuzz_byte(in);

	if (how & 1)
		msg->hdr.flags ^= RWY_VU_FLAG_NEED_REPLY;
	for (unsigned n = how & 2 ? 1 + fuzz_byte(in) % 8 : 0; n > 0; n--) {
		const uint8_t at = fuzz_byte(in);

		msg->payload.bytes[at] ^= fuzz_byte(in);
	}
	if (how & 4)
		msg->hdr.size += (uint32_t)(int8_t)fuzz_byte(in);
	if (how & 8) {
		msg->nr_fds = fuzz_byte(in) % (RWY_VU_MAX_FDS + 1);
		for (unsigned i = 0; i < msg->nr_fds; i++)
			msg->fds[i] = fds[fuzz_byte(in) % FUZZ_NR_FDS];
	}
	if (how & 16)
		msg->hdr.flags ^= fuzz_byte(in);
	return how & 32;
}

/* Sends part of a message; a peer that is gone or does not read loses it. */
static inline void fuzz_send(int sock, const struct rwy_vu_msg *msg, size_t from, size_t to)
{
	uint8_t bytes[sizeof(msg->hdr) + sizeof(msg->payload)];
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(RWY_VU_MAX_FDS * sizeof(int))];
	} control = {0};
	struct iovec iov = {bytes + from, to - from};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	memcpy(bytes, &msg->hdr, sizeof(msg->hdr));
	memcpy(bytes + sizeof(msg->hdr), &msg->payload, sizeof(msg->payload));
	if (msg->nr_fds && from == 0) {
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(msg->nr_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(msg->nr_fds * sizeof(int));
		memcpy(CMSG_DATA(c), msg->fds, msg->nr_fds * sizeof(int));
	}
	(void)!sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The message as it is now, in one piece or two with a turn of the reactor between them. */
static inline void fuzz_deliver(struct rwy_poll *poll, int sock, const struct rwy_vu_msg *msg,
				bool in_two)
{
	const size_t len = sizeof(msg->hdr) + RWY_MIN(msg->hdr.size, sizeof(msg->payload));
	const size_t cut = in_two ? len / 2 : len;

	fuzz_send(sock, msg, 0, cut);
	if (in_two) {
		fuzz_require(rwy_poll_once(poll, 0) >= 0);
		fuzz_send(sock, msg, cut, len);
	}
}

/* Pipes are left out: the sanitizer's symbolizer talks over them. */
static inline unsigned fuzz_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	char link[64];
	unsigned n = 0;

	fuzz_require(dir != NULL);
	while ((entry = readdir(dir))) {
		const ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link));

		n += len > 5 && (memcmp(link, "sock", 4) == 0 || memcmp(link, "anon", 4) == 0 ||
				 memcmp(link, "/mem", 4) == 0 || memcmp(link, "/dev", 4) == 0);
	}
	closedir(dir);
	return n;
}

static inline unsigned fuzz_count_maps(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned n = 0;

	fuzz_require(file != NULL);
	while (fgets(line, sizeof(line), file))
		n += strstr(line, "memfd:") != NULL;
	fclose(file);
	return n;
}

/* Between two runs nothing is open or mapped that was not before the first. */
static inline void fuzz_look_for_leaks(void)
{
	static unsigned runs, fds, maps;

	if (runs++ % FUZZ_LOOK)
		return;
	const unsigned fds_now = fuzz_count_fds(), maps_now = fuzz_count_maps();

	if (runs == 1) {
		fds = fds_now;
		maps = maps_now;
	}
	if (fds_now != fds || maps_now != maps) {
		fprintf(stderr, "descriptors %u, were %u; mappings %u, were %u\n", fds_now, fds,
			maps_now, maps);
		abort();
	}
}

#endif
