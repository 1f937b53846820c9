/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/frames.h"

#include "lib/fd.h"
#include "lib/poll.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define ETHERTYPE  0x88b5 /* IEEE 802: for local experiments */
#define MAGIC	   UINT32_C(0x52577931)
#define BURST	   32
#define BUFFER	   (16 << 20)		/* of the socket */
#define SLACK_NS   UINT64_C(50000)	/* less than this is not slept */
#define SILENCE_NS UINT64_C(1000000000) /* then nothing comes any more */
#define NS_IN_S	   1e9
#define FCS	   4

struct frame {
	uint8_t to[6];
	uint8_t from[6];
	uint16_t type;
	uint32_t magic;
	uint64_t run; /* begun at that time */
	uint64_t sent_ns;
} __attribute__((packed));

struct engine {
	const struct rwy_frames_config *config;
	struct rwy_frames *frames;
	int fd;
	uint64_t from_ns;
	uint64_t given_up; /* could not be sent when it was time to */
	struct frame head;
	uint8_t out[RWY_FRAMES_MAX]; /* one frame for all of a burst */
	struct iovec out_iov;
	struct mmsghdr out_msgs[BURST];
	uint8_t in[BURST][RWY_FRAMES_MAX];
	struct iovec in_iovs[BURST];
	struct mmsghdr in_msgs[BURST];
};

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int open_socket(struct engine *e)
{
	struct ifreq request = {0};
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE)};
	int err;

	address.sll_ifindex = (int)if_nametoindex(e->config->ifname);
	if (address.sll_ifindex == 0)
		return -ENODEV;
	e->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (e->fd < 0)
		return -errno;
	strncpy(request.ifr_name, e->config->ifname, IFNAMSIZ - 1);
	err = ioctl(e->fd, SIOCGIFHWADDR, &request) < 0 ? -errno : 0;
	memcpy(e->head.from, request.ifr_hwaddr.sa_data, sizeof(e->head.from));
	if (err == 0)
		err = set(e->fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
	if (err == 0)
		err = set(e->fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER);
	if (err == 0 && bind(e->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err = -errno;
	return err;
}

static void prepare(struct engine *e)
{
	memcpy(e->head.to, e->config->to, sizeof(e->head.to));
	e->head.type = htons(ETHERTYPE);
	e->head.magic = MAGIC;
	e->from_ns = e->head.run = rwy_poll_now_ns();
	e->out_iov = (struct iovec){.iov_base = e->out, .iov_len = e->config->size - FCS};
	for (unsigned i = 0; i < BURST; i++) {
		e->in_iovs[i] = (struct iovec){.iov_base = e->in[i], .iov_len = sizeof(e->in[i])};
		e->in_msgs[i].msg_hdr = (struct msghdr){.msg_iov = &e->in_iovs[i], .msg_iovlen = 1};
		e->out_msgs[i].msg_hdr = (struct msghdr){.msg_iov = &e->out_iov, .msg_iovlen = 1};
	}
}

uint64_t rwy_frames_due(const struct rwy_frames_config *config, uint64_t elapsed_ns,
			uint64_t given_up)
{
	uint64_t due = (uint64_t)((double)elapsed_ns * config->rate / NS_IN_S) + 1;

	return due > given_up ? due - given_up : 0;
}

/* One burst of what is due. Number that went; -errno. */
static int send_due(struct engine *e, uint64_t now)
{
	struct rwy_frames *frames = e->frames;
	uint64_t nr = BURST;

	if (e->config->rate > 0) {
		uint64_t due = rwy_frames_due(e->config, now - e->from_ns, e->given_up);

		nr = due > frames->sent ? due - frames->sent : 0;
	}
	if (nr == 0)
		return 0;
	e->head.sent_ns = now;
	memcpy(e->out, &e->head, sizeof(e->head));
	int n = sendmmsg(e->fd, e->out_msgs, (unsigned)RWY_MIN(nr, BURST), MSG_DONTWAIT);

	if (n < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
		return -errno;
	n = RWY_MAX(n, 0);
	frames->sent += (unsigned)n;
	/* A second burst would not be at the rate asked for: what is late by more is not sent. */
	if (e->config->rate > 0 && nr > 2 * BURST)
		e->given_up += nr - (unsigned)n - BURST;
	return n;
}

/* Whoever sends back is not trusted. */
static void take(struct engine *e, const uint8_t *data, unsigned len, uint64_t now)
{
	struct frame frame;

	if (len < sizeof(frame))
		return;
	memcpy(&frame, data, sizeof(frame));
	if (frame.magic != MAGIC || frame.run != e->head.run || frame.sent_ns < e->from_ns ||
	    frame.sent_ns > now || memcmp(frame.from, e->config->to, sizeof(frame.from)) ||
	    e->frames->back == e->frames->sent)
		return;
	e->frames->back++;
	rwy_stats_hist_add(&e->frames->latency, now - frame.sent_ns);
}

/* Number of frames that were there; -errno. */
static int receive(struct engine *e)
{
	int n = recvmmsg(e->fd, e->in_msgs, BURST, MSG_DONTWAIT, NULL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	uint64_t now = rwy_poll_now_ns();

	for (int i = 0; i < n; i++)
		take(e, e->in[i], e->in_msgs[i].msg_len, now);
	return n;
}

/* Until a frame comes, for that long at most. */
static void wait_for_frame(const struct engine *e, uint64_t ns)
{
	struct pollfd poll = {.fd = e->fd, .events = POLLIN};
	const struct timespec time = {.tv_sec = (time_t)(ns / UINT64_C(1000000000)),
				      .tv_nsec = (long)(ns % UINT64_C(1000000000))};

	if (ns >= SLACK_NS)
		ppoll(&poll, 1, &time, NULL);
}

/* Until the next frame is due, or the interface may have room again. */
static uint64_t idle_ns(const struct engine *e, uint64_t now)
{
	const struct rwy_frames_config *config = e->config;
	double next;

	if (config->rate == 0)
		return SLACK_NS;
	next = (double)(e->frames->sent + e->given_up) / config->rate * NS_IN_S;
	return (uint64_t)next > now - e->from_ns ? (uint64_t)next - (now - e->from_ns) : SLACK_NS;
}

static int send_all(struct engine *e)
{
	uint64_t length = (uint64_t)(e->config->seconds * NS_IN_S), now = e->from_ns;
	int in = 0, out = 0;

	while (in >= 0 && out >= 0 && now - e->from_ns < length) {
		out = send_due(e, now);
		if (out >= 0)
			in = receive(e);
		now = rwy_poll_now_ns();
		if (in == 0 && out == 0)
			wait_for_frame(e, RWY_MIN(idle_ns(e, now), e->from_ns + length - now));
	}
	e->frames->seconds = (double)(now - e->from_ns) / NS_IN_S;
	return RWY_MIN(in, out);
}

static int receive_rest(struct engine *e)
{
	uint64_t last = rwy_poll_now_ns();
	int n = 0;

	while (n >= 0 && e->frames->back < e->frames->sent) {
		uint64_t now = rwy_poll_now_ns();

		n = receive(e);
		if (n > 0)
			last = now;
		else if (now - last >= SILENCE_NS)
			break;
		else
			wait_for_frame(e, SILENCE_NS - (now - last));
	}
	return RWY_MIN(n, 0);
}

/* Those that came when the socket was full were not lost on their way. */
static void add_dropped(struct engine *e)
{
	struct tpacket_stats stats = {0};
	socklen_t len = sizeof(stats);

	if (getsockopt(e->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
		e->frames->back += RWY_MIN(stats.tp_drops, e->frames->sent - e->frames->back);
}

int rwy_frames_run(const struct rwy_frames_config *config, struct rwy_frames *frames)
{
	struct engine e = {.config = config, .frames = frames, .fd = -1};
	int err;

	memset(frames, 0, sizeof(*frames));
	err = open_socket(&e);
	prepare(&e);
	if (err == 0)
		err = send_all(&e);
	if (err >= 0)
		err = receive_rest(&e);
	if (err == 0)
		add_dropped(&e);
	rwy_fd_close(&e.fd);
	return RWY_MIN(err, 0);
}
