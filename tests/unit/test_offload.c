/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames are built here by other means than offload.c's, and judged byte by byte. */
#include "tests/unit/unit.h"

#include "vhost-backends/net/offload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#define MSS 1448

struct packet {
	uint8_t bytes[RWY_PORT_FRAME_MAX];
	uint32_t l3;
	uint32_t l4;
	uint32_t payload;
	uint32_t len;
	bool v6;
	struct iovec iov[3];
	struct rwy_frame frame;
};

/* RFC 1071 the slow way: big-endian words, carry after each. */
static uint16_t slow_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static uint16_t pseudo(const uint8_t *p, uint32_t l3, bool v6, uint32_t l4_len, uint8_t proto)
{
	uint16_t sum = v6 ? slow_sum(p + l3 + 8, 32, 0) : slow_sum(p + l3 + 12, 8, 0);
	const uint8_t rest[] = {0, proto, (uint8_t)(l4_len >> 8), (uint8_t)l4_len};

	return slow_sum(rest, 4, sum);
}

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

/* A TCP frame of `data` payload bytes as a driver with offloads sends it; in three pieces. */
static void build(struct packet *p, bool v6, unsigned tags, uint32_t data, uint8_t tcp_flags)
{
	uint32_t at = 12;

	memset(p, 0, sizeof(*p));
	p->v6 = v6;
	memcpy(p->bytes, "\x02\0\0\0\0\1\x02\0\0\0\0\2", 12);
	for (unsigned i = 0; i < tags; i++, at += 4)
		put32(p->bytes + at, 0x81000005u + i);
	put16(p->bytes + at, v6 ? 0x86dd : 0x0800);
	p->l3 = at + 2;
	p->l4 = p->l3 + (v6 ? 40 : 24); /* four bytes of IPv4 options */
	p->payload = p->l4 + 32;	/* twelve of TCP options */
	p->len = p->payload + data;
	uint8_t *ip = p->bytes + p->l3, *tcp = p->bytes + p->l4;

	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, p->len - p->l3 - 40);
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
		for (int i = 0; i < 32; i++)
			ip[8 + i] = (uint8_t)(i * 11 + 1);
	} else {
		memcpy(ip, "\x46\0\0\0\xff\xfe\x40\0\x40\6\0\0\xc0\xa8\0\1\xc0\xa8\xff\2\1\1\1\1",
		       24);
		put16(ip + 2, p->len - p->l3);
	}
	put16(tcp, 1234);
	put16(tcp + 2, 80);
	put32(tcp + 4, 0xfffffff0);
	put32(tcp + 8, 77);
	tcp[12] = 8 << 4;
	tcp[13] = tcp_flags;
	put16(tcp + 14, 500);
	memset(tcp + 20, 1, 12);
	for (uint32_t i = 0; i < data; i++)
		p->bytes[p->payload + i] = (uint8_t)(i * 7 + i / 251);
	put16(tcp + 16, pseudo(p->bytes, p->l3, v6, p->len - p->l4, IPPROTO_TCP));

	p->iov[0] = (struct iovec){p->bytes, 30};
	p->iov[1] = (struct iovec){p->bytes + 30, p->payload - 29};
	p->iov[2] = (struct iovec){p->bytes + p->payload + 1, p->len - p->payload - 1};
	p->frame = (struct rwy_frame){
		.iov = p->iov,
		.nr_iov = 3,
		.len = p->len,
		.needs = RWY_PORT_CSUM | (v6 ? RWY_PORT_TSO6 : RWY_PORT_TSO4),
		.hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.gso_type = v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
			.gso_size = MSS,
			.csum_start = (uint16_t)p->l4,
			.csum_offset = 16},
	};
}

static uint32_t flatten(const struct rwy_frame *f, uint8_t *out)
{
	uint32_t len = 0;

	for (unsigned i = 0; i < f->nr_iov; i++) {
		memcpy(out + len, f->iov[i].iov_base, f->iov[i].iov_len);
		len += (uint32_t)f->iov[i].iov_len;
	}
	assert_int_equal(len, f->len);
	return len;
}

static void judge_segment(const struct packet *p, const uint8_t *s, uint32_t len, uint32_t done,
			  uint32_t index)
{
	uint32_t data = len - p->payload;
	bool first = done == 0, last = done + data == p->len - p->payload;
	const uint8_t *ip = s + p->l3, *tcp = s + p->l4, flags = p->bytes[p->l4 + 13];

	assert_int_equal(data, last ? p->len - p->payload - done : MSS);
	assert_memory_equal(s, p->bytes, p->l3);
	assert_memory_equal(s + p->payload, p->bytes + p->payload + done, data);
	if (p->v6) {
		assert_int_equal(get16(ip + 4), len - p->l3 - 40);
	} else {
		assert_int_equal(get16(ip + 2), len - p->l3);
		assert_int_equal(get16(ip + 4), (0xfffe + index) & 0xffff);
		assert_int_equal(slow_sum(ip, 24, 0), 0xffff);
	}
	assert_int_equal(get32(tcp + 4), 0xfffffff0 + done);
	assert_int_equal(get32(tcp + 8), 77);
	assert_int_equal(tcp[13] & 0x09, last ? flags & 0x09 : 0);
	assert_int_equal(tcp[13] & 0x80, first ? flags & 0x80 : 0);
	assert_int_equal(tcp[13] & 0x76, flags & 0x76);
	assert_memory_equal(tcp + 20, p->bytes + p->l4 + 20, 12);
	assert_int_equal(slow_sum(tcp, len - p->l4,
				  pseudo(s, p->l3, p->v6, len - p->l4, IPPROTO_TCP)),
			 0xffff);
}

static void judge_all(struct rwy_offload *o, const struct packet *p)
{
	const struct rwy_frame *const *list;
	uint32_t done = 0, index = 0;
	unsigned n;

	assert_int_equal(rwy_offload_begin(o, &p->frame), 0);
	while ((n = rwy_offload_next(o, &list)) > 0) {
		for (unsigned i = 0; i < n; i++, index++) {
			uint8_t s[2048];
			uint32_t len = flatten(list[i], s);

			assert_int_equal(list[i]->needs, 0);
			assert_int_equal(list[i]->hdr.flags, 0);
			assert_int_equal(list[i]->hdr.gso_type, 0);
			judge_segment(p, s, len, done, index);
			done += len - p->payload;
		}
	}
	assert_int_equal(done, p->len - p->payload);
}

static void cuts_tcp(void **state)
{
	static struct packet p;
	struct rwy_offload *o;

	assert_int_equal(rwy_offload_open(&o), 0);
	for (unsigned tags = 0; tags <= 2; tags++) {
		for (int v6 = 0; v6 <= 1; v6++) {
			build(&p, v6, tags, 64000, 0x99); /* CWR ACK PSH FIN: 45 segments */
			judge_all(o, &p);
			build(&p, v6, tags, 3 * MSS, 0x10);
			judge_all(o, &p);
			build(&p, v6, tags, MSS + 1, 0x18);
			judge_all(o, &p);
			build(&p, v6, tags, 1, 0x19);
			judge_all(o, &p);
		}
	}
	rwy_offload_close(o);
}

static void refuse(struct rwy_offload *o, const struct packet *p)
{
	assert_int_equal(rwy_offload_begin(o, &p->frame), -EINVAL);
}

static void refuses_what_it_is_not(void **state)
{
	static struct packet p;
	struct rwy_offload *o;

	assert_int_equal(rwy_offload_open(&o), 0);
	build(&p, false, 0, 5000, 0x10);
	p.frame.hdr.gso_size = 1; /* one frame would become 5000 */
	refuse(o, &p);
	build(&p, false, 0, 5000, 0x10);
	p.bytes[p.l4 + 12] = 4 << 4; /* TCP header of 16 bytes */
	refuse(o, &p);
	build(&p, false, 0, 100, 0x10);
	p.bytes[p.l4 + 12] = 0xf0;
	p.frame.len = p.l4 + 59; /* of 60 with 59 there */
	refuse(o, &p);
	build(&p, false, 0, 5000, 0x10);
	p.frame.hdr.csum_start--; /* not where TCP is */
	refuse(o, &p);
	build(&p, false, 0, 5000, 0x10);
	p.frame.hdr.csum_start = (uint16_t)(p.len - 18);
	refuse(o, &p);
	build(&p, false, 0, 5000, 0x10);
	p.frame.hdr.csum_offset = 6; /* UDP's */
	refuse(o, &p);
	build(&p, false, 0, 5000, 0x10);
	p.bytes[p.l3 + 9] = IPPROTO_UDP;
	refuse(o, &p);
	build(&p, false, 0, 5000, 0x10);
	p.bytes[p.l3 + 6] = 0x20; /* a fragment */
	refuse(o, &p);
	build(&p, false, 0, 5000, 0x10);
	p.bytes[p.l3] = 0x66;
	refuse(o, &p);
	build(&p, true, 0, 5000, 0x10);
	p.frame.needs = RWY_PORT_CSUM | RWY_PORT_TSO4; /* says IPv4, is IPv6 */
	refuse(o, &p);
	build(&p, true, 0, 5000, 0x10);
	p.frame.hdr.csum_start = (uint16_t)(p.l3 + 39);
	refuse(o, &p);
	build(&p, false, 3, 5000, 0x10); /* more tags than anybody has */
	refuse(o, &p);
	rwy_offload_close(o);
}

/* Any protocol: only the header says where the checksum is. */
static void completes_a_checksum(void **state)
{
	static struct packet p;
	const struct rwy_frame *const *list;
	struct rwy_offload *o;
	uint8_t s[4096];

	assert_int_equal(rwy_offload_open(&o), 0);
	for (uint32_t data = 1; data < 600; data++) {
		build(&p, data % 2, 0, data, 0x10);
		p.frame.needs = RWY_PORT_CSUM;
		p.frame.hdr.gso_type = VIRTIO_NET_HDR_GSO_NONE;
		assert_int_equal(rwy_offload_begin(o, &p.frame), 0);
		assert_int_equal(rwy_offload_next(o, &list), 1);
		assert_int_equal(flatten(list[0], s), p.len);
		assert_int_equal(list[0]->needs, 0);
		assert_int_equal(slow_sum(s + p.l4, p.len - p.l4,
					  pseudo(s, p.l3, p.v6, p.len - p.l4, IPPROTO_TCP)),
				 0xffff);
		memcpy(s + p.l4 + 16, p.bytes + p.l4 + 16, 2);
		assert_memory_equal(s, p.bytes, p.len);
		assert_int_equal(rwy_offload_next(o, &list), 0);
	}
	rwy_offload_close(o);
}

/* A sum that comes out as 0 must be sent as 0xffff: 0 would mean "no checksum" to UDP. */
static void zero_is_sent_as_ones(void **state)
{
	uint8_t bytes[60] = {0};
	struct iovec iov = {bytes, sizeof(bytes)};
	struct rwy_frame frame = {.iov = &iov,
				  .nr_iov = 1,
				  .len = sizeof(bytes),
				  .needs = RWY_PORT_CSUM,
				  .hdr = {.flags = 1, .csum_start = 34, .csum_offset = 6}};
	const struct rwy_frame *const *list;
	struct rwy_offload *o;
	uint8_t s[64];

	bytes[36] = 0xff;
	bytes[37] = 0xff;
	assert_int_equal(rwy_offload_open(&o), 0);
	assert_int_equal(rwy_offload_begin(o, &frame), 0);
	assert_int_equal(rwy_offload_next(o, &list), 1);
	flatten(list[0], s);
	assert_int_equal(get16(s + 40), 0xffff);
	rwy_offload_close(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_tcp),
		cmocka_unit_test(refuses_what_it_is_not),
		cmocka_unit_test(completes_a_checksum),
		cmocka_unit_test(zero_is_sent_as_ones),
	};

	return UNIT_RUN(tests);
}
