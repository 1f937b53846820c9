/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/vu_chan.h"
#include "lib/fd.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Room for as many descriptors as a message may carry; the kernel closes what is above. */
union fd_room {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(RWY_VU_MAX_FDS * sizeof(int))];
};

void rwy_vu_chan_init_msg(struct rwy_vu_msg *msg)
{
	memset(msg, 0, sizeof(*msg));
	for (unsigned i = 0; i < RWY_VU_MAX_FDS; i++)
		msg->fds[i] = -1;
}

void rwy_vu_chan_close_fds(struct rwy_vu_msg *msg)
{
	rwy_fd_close_all(msg->fds, RWY_VU_MAX_FDS);
	msg->nr_fds = 0;
}

int rwy_vu_chan_open(struct rwy_vu_chan *chan, int *fd)
{
	int err = rwy_fd_set_nonblock(*fd, true);

	if (err)
		return err;
	chan->fd = rwy_fd_take(fd);
	chan->got = 0;
	rwy_vu_chan_init_msg(&chan->in);
	return 0;
}

void rwy_vu_chan_close(struct rwy_vu_chan *chan)
{
	if (chan->fd < 0)
		return;
	rwy_vu_chan_close_fds(&chan->in);
	rwy_fd_close(&chan->fd);
}

/* Keeps up to RWY_VU_MAX_FDS descriptors and closes the others. False when there were others. */
static bool collect_fds(struct rwy_vu_msg *in, struct msghdr *mh)
{
	bool fit = !(mh->msg_flags & MSG_CTRUNC);

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t nr = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < nr; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (in->nr_fds < RWY_VU_MAX_FDS) {
				in->fds[in->nr_fds++] = fd;
			} else {
				rwy_fd_close(&fd);
				fit = false;
			}
		}
	}
	return fit;
}

/* Up to len bytes to buf: how many, 0 for EAGAIN, or negative errno. */
static ssize_t recv_some(struct rwy_vu_chan *chan, void *buf, size_t len)
{
	union fd_room room;
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &room,
		.msg_controllen = sizeof(room),
	};
	ssize_t n;

	do {
		n = recvmsg(chan->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (!collect_fds(&chan->in, &mh))
		return -EPROTO;
	if (n == 0)
		return chan->got ? -EPROTO : -ENODATA;
	return n;
}

/* Only what no message of any kind can have; the rest is up to lib/vu_check.h. */
static bool header_sane(const struct rwy_vu_hdr *hdr)
{
	return (hdr->flags & RWY_VU_FLAG_VERSION_MASK) == RWY_VU_FLAG_VERSION &&
	       hdr->size <= sizeof(union rwy_vu_payload);
}

int rwy_vu_chan_recv(struct rwy_vu_chan *chan, struct rwy_vu_msg *msg)
{
	struct rwy_vu_msg *in = &chan->in;

	for (;;) {
		/* never read past the end of a message: the next one's fds come with its bytes */
		bool in_hdr = chan->got < sizeof(in->hdr);
		size_t at = in_hdr ? chan->got : chan->got - sizeof(in->hdr);
		size_t want = (in_hdr ? sizeof(in->hdr) : in->hdr.size) - at;
		char *buf = in_hdr ? (char *)&in->hdr : (char *)in->payload.bytes;

		if (!in_hdr && want == 0) {
			*msg = *in;
			rwy_vu_chan_init_msg(in);
			chan->got = 0;
			return 1;
		}
		ssize_t n = recv_some(chan, buf + at, want);
		if (n <= 0)
			return (int)n;
		chan->got += (size_t)n;
		if (chan->got == sizeof(in->hdr) && !header_sane(&in->hdr))
			return -EPROTO;
	}
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Until the peer has read something, or deadline_ms. */
static int wait_writable(int fd, int64_t deadline_ms)
{
	int64_t left = deadline_ms - now_ms();
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	int n = poll(&pfd, 1, left > 0 ? (int)left : 0);

	if (n < 0 && errno != EINTR)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

int rwy_vu_chan_send(struct rwy_vu_chan *chan, const struct rwy_vu_hdr *hdr, const void *payload,
		     const int *fds, unsigned nr_fds, int timeout_ms)
{
	const size_t total = sizeof(*hdr) + hdr->size;
	int64_t deadline_ms = now_ms() + timeout_ms;
	union fd_room room = {0};
	size_t sent = 0;

	if (nr_fds > RWY_VU_MAX_FDS)
		return -EINVAL;
	while (sent < total) {
		size_t in_hdr = sent < sizeof(*hdr) ? sizeof(*hdr) - sent : 0;
		size_t at = in_hdr ? 0 : sent - sizeof(*hdr);
		struct iovec iov[2] = {
			{.iov_base = (char *)hdr + sizeof(*hdr) - in_hdr, .iov_len = in_hdr},
			{.iov_base = hdr->size ? (char *)payload + at : NULL,
			 .iov_len = hdr->size - at},
		};
		struct msghdr mh = {.msg_iov = iov, .msg_iovlen = hdr->size ? 2 : 1};

		if (nr_fds > 0 && sent == 0) {
			mh.msg_control = &room;
			mh.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
			struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
			memcpy(CMSG_DATA(c), fds, nr_fds * sizeof(int));
		}
		ssize_t n = sendmsg(chan->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		int err = errno == EINTR    ? 0
			  : errno == EAGAIN ? wait_writable(chan->fd, deadline_ms)
					    : -errno;
		if (err)
			return err;
	}
	return 0;
}
