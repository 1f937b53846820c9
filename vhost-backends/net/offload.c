/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-backends/net/offload.h"

#include "lib/iov.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 256
/* The smallest segment anybody's TCP has reason to use: what is left of a 68-byte MTU is less, but
 * the default MSS of RFC 9293 is 536 and Linux refuses below 48. */
#define SEGMENT_MIN 48

struct rwy_offload {
	uint8_t linear[RWY_PORT_FRAME_MAX];
	uint32_t len;
	bool tcp6;
	uint32_t l3_off;
	uint32_t l4_off;
	uint32_t payload_off; /* next payload to send; len when done */
	uint32_t headers_len;
	uint32_t segment_len; /* 0: the frame goes out whole */
	bool done;

	struct rwy_frame frames[RWY_VQ_BURST];
	const struct rwy_frame *list[RWY_VQ_BURST];
	struct iovec iov[RWY_VQ_BURST][2];
	uint8_t headers[RWY_VQ_BURST][HEADERS_MAX];
};

int rwy_offload_open(struct rwy_offload **out)
{
	struct rwy_offload *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	for (unsigned i = 0; i < RWY_VQ_BURST; i++) {
		o->frames[i].iov = o->iov[i];
		o->list[i] = &o->frames[i];
	}
	*out = o;
	return 0;
}

void rwy_offload_close(struct rwy_offload *offload)
{
	free(offload);
}

/* The Internet checksum's sum (RFC 1071) of 16-bit words as they lie in memory, not yet folded. */
static uint64_t sum_words(const uint8_t *data, size_t len, uint64_t sum)
{
	for (; len >= 4; data += 4, len -= 4) {
		uint32_t word;

		memcpy(&word, data, 4);
		sum += word;
	}
	if (len >= 2) {
		uint16_t word;

		memcpy(&word, data, 2);
		sum += word;
		data += 2;
		len -= 2;
	}
	if (len) {
		uint8_t last[2] = {data[0], 0};
		uint16_t word;

		memcpy(&word, last, 2);
		sum += word;
	}
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* A UDP checksum of 0 means none, and 0xffff is the same number; TCP does not mind. */
static void put_l4_sum(uint8_t *at, uint64_t sum)
{
	uint16_t folded = fold(sum);

	if (folded == 0)
		folded = 0xffff;
	memcpy(at, &folded, 2);
}

static void complete_sum(struct rwy_offload *o, const struct virtio_net_hdr *hdr)
{
	/* The field holds the sum of the pseudo header, so it takes part (section 5.1.6.2). */
	uint64_t sum = sum_words(o->linear + hdr->csum_start, o->len - hdr->csum_start, 0);

	put_l4_sum(o->linear + hdr->csum_start + hdr->csum_offset, sum);
}

/* Where the IP header is, VLAN tags skipped; its EtherType to *type. 0: the frame is too short. */
static uint32_t find_l3(const struct rwy_offload *o, uint16_t *type)
{
	uint32_t off = 2 * ETH_ALEN;

	for (unsigned tags = 0; tags <= 2; tags++, off += 4) {
		if (off + 2 > o->len)
			return 0;
		memcpy(type, o->linear + off, 2);
		*type = ntohs(*type);
		if (*type != ETH_P_8021Q && *type != ETH_P_8021AD)
			return off + 2;
	}
	return 0;
}

static bool check_ip4(const struct rwy_offload *o)
{
	struct iphdr ip;

	if (o->l3_off + sizeof(ip) > o->l4_off)
		return false;
	memcpy(&ip, o->linear + o->l3_off, sizeof(ip));
	return ip.version == 4 && ip.protocol == IPPROTO_TCP && ip.ihl >= 5 &&
	       o->l3_off + 4u * ip.ihl == o->l4_off &&
	       (ntohs(ip.frag_off) & (IP_MF | IP_OFFMASK)) == 0;
}

/* Extension headers may lie between: only where TCP starts matters, and the sender said that. */
static bool check_ip6(const struct rwy_offload *o)
{
	return o->l3_off + sizeof(struct ip6_hdr) <= o->l4_off && o->linear[o->l3_off] >> 4 == 6;
}

static int begin_segments(struct rwy_offload *o, const struct rwy_frame *frame)
{
	uint16_t type;
	struct tcphdr tcp;

	o->l3_off = find_l3(o, &type);
	o->l4_off = frame->hdr.csum_start;
	o->tcp6 = frame->needs & RWY_PORT_TSO6;
	if (!o->l3_off || type != (o->tcp6 ? ETH_P_IPV6 : ETH_P_IP))
		return -EINVAL;
	if (!(o->tcp6 ? check_ip6(o) : check_ip4(o)))
		return -EINVAL;
	if (frame->hdr.csum_offset != offsetof(struct tcphdr, check) ||
	    o->l4_off + sizeof(tcp) > o->len || frame->hdr.gso_size < SEGMENT_MIN)
		return -EINVAL;
	memcpy(&tcp, o->linear + o->l4_off, sizeof(tcp));
	o->headers_len = o->l4_off + 4u * tcp.doff;
	if (tcp.doff < 5 || o->headers_len > HEADERS_MAX || o->headers_len > o->len)
		return -EINVAL;
	o->payload_off = o->headers_len;
	o->segment_len = frame->hdr.gso_size;
	return 0;
}

int rwy_offload_begin(struct rwy_offload *o, const struct rwy_frame *frame)
{
	if (frame->len > sizeof(o->linear))
		return -EINVAL;
	o->len = (uint32_t)rwy_iov_read(frame->iov, frame->nr_iov, frame->off, o->linear,
					frame->len);
	o->done = false;
	o->segment_len = 0;
	if (frame->needs & (RWY_PORT_TSO4 | RWY_PORT_TSO6))
		return begin_segments(o, frame);
	complete_sum(o, &frame->hdr);
	return 0;
}

static uint64_t pseudo_sum(const struct rwy_offload *o, const uint8_t *headers, uint32_t tcp_len)
{
	const uint8_t *ip = headers + o->l3_off;
	uint64_t sum = htons((uint16_t)tcp_len) + (uint64_t)htons(IPPROTO_TCP);

	return o->tcp6 ? sum_words(ip + offsetof(struct ip6_hdr, ip6_src), 32, sum)
		       : sum_words(ip + offsetof(struct iphdr, saddr), 8, sum);
}

static void fix_ip(const struct rwy_offload *o, uint8_t *headers, uint32_t seg_len, uint32_t index)
{
	uint8_t *at = headers + o->l3_off;
	uint32_t l3_len = o->headers_len - o->l3_off + seg_len;

	if (o->tcp6) {
		uint16_t plen = htons((uint16_t)(l3_len - sizeof(struct ip6_hdr)));

		memcpy(at + offsetof(struct ip6_hdr, ip6_plen), &plen, 2);
		return;
	}
	struct iphdr ip;

	memcpy(&ip, at, sizeof(ip));
	ip.tot_len = htons((uint16_t)l3_len);
	ip.id = htons((uint16_t)(ntohs(ip.id) + index));
	ip.check = 0;
	memcpy(at, &ip, sizeof(ip));
	ip.check = fold(sum_words(at, 4u * ip.ihl, 0));
	memcpy(at, &ip, sizeof(ip));
}

/* FIN and PSH belong to the last segment, CWR (RFC 3168) to the first. */
static void fix_tcp(const struct rwy_offload *o, uint8_t *headers, uint32_t seg_len)
{
	uint32_t done = o->payload_off - o->headers_len;
	uint32_t tcp_len = o->headers_len - o->l4_off + seg_len;
	uint8_t *at = headers + o->l4_off;
	struct tcphdr tcp;

	memcpy(&tcp, at, sizeof(tcp));
	tcp.seq = htonl(ntohl(tcp.seq) + done);
	tcp.check = 0;
	if (o->payload_off + seg_len < o->len) {
		tcp.fin = 0;
		tcp.psh = 0;
	}
	memcpy(at, &tcp, sizeof(tcp));
	if (done > 0)
		at[13] &= 0x7f;
	uint64_t sum = pseudo_sum(o, headers, tcp_len);

	sum = sum_words(at, o->headers_len - o->l4_off, sum);
	sum = sum_words(o->linear + o->payload_off, seg_len, sum);
	put_l4_sum(at + offsetof(struct tcphdr, check), sum);
}

static void cut_segment(struct rwy_offload *o, unsigned slot)
{
	uint32_t seg_len = RWY_MIN(o->segment_len, o->len - o->payload_off);
	uint32_t index = (o->payload_off - o->headers_len) / o->segment_len;
	uint8_t *headers = o->headers[slot];

	memcpy(headers, o->linear, o->headers_len);
	fix_ip(o, headers, seg_len, index);
	fix_tcp(o, headers, seg_len);
	o->iov[slot][0] = (struct iovec){headers, o->headers_len};
	o->iov[slot][1] = (struct iovec){o->linear + o->payload_off, seg_len};
	o->frames[slot].nr_iov = 2;
	o->frames[slot].len = o->headers_len + seg_len;
	o->payload_off += seg_len;
	o->done = o->payload_off == o->len;
}

unsigned rwy_offload_next(struct rwy_offload *o, const struct rwy_frame *const **frames)
{
	unsigned n = 0;

	*frames = o->list;
	if (o->segment_len == 0 && !o->done) {
		o->iov[0][0] = (struct iovec){o->linear, o->len};
		o->frames[0].nr_iov = 1;
		o->frames[0].len = o->len;
		o->done = true;
		return 1;
	}
	for (; n < RWY_VQ_BURST && !o->done; n++)
		cut_segment(o, n);
	return n;
}
