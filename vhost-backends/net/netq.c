/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-backends/net/netq.h"

#include "lib/iov.h"
#include "lib/poll.h"
#include "vhost-backends/net/net.h"

#include <string.h>

#define HDR_LEN RWY_NETQ_HDR_LEN
/* Up to here a frame is copied by a few moves of our own; beyond, libc's start-up pays off. */
#define COPY_SHORT 128
/*
 * Behind a burst of at least BUSY frames, the next one is given this many looks, 1 to 3 us, to
 * become whole. At less load, and before we sleep, nothing waits.
 */
#define BUSY	 8
#define PATIENCE 32
/*
 * A whole burst is given back behind the next one, or after this time. A polling driver reuses its
 * packet buffers best where some are always out: DPDK's with a split ring frees used ones only when
 * it has no descriptor left, and then, if all but its free threshold (32) are used, all of them at
 * once. That is more than its mempool keeps at hand, so that it goes on with buffers which have
 * long left its CPU's caches. What is held keeps no more than this share of the ring from the
 * driver.
 */
#define HOLD_NS	   50000
#define HOLD_SHARE 4
/* A stock below this is made up anew. */
#define STOCK_LOW (RWY_NETQ_STOCK / 4)

RWY_INLINE void prefetch_write(const void *at)
{
	__asm__ volatile("prefetchw %0" ::"m"(*(const char *)at));
}

/* ---- transmit: from the guest into the switch ---- */

/* Where the frame begins: mostly not in the line of the header, which the pop has asked for. */
RWY_INLINE const void *frame_start(const struct rwy_chain *chain)
{
	const struct iovec *iov = chain->iov;

	if (RWY_LIKELY(iov->iov_len > HDR_LEN || chain->nr_out < 2))
		return (const char *)iov->iov_base + HDR_LEN;
	return iov[1].iov_base;
}

/*
 * The driver is at work on this burst: to look at each slot as it comes would take its line away
 * from the driver's CPU each time, and split its bursts. Not for long, see PATIENCE.
 */
static bool unfinished(struct rwy_netq_tx *q)
{
	const unsigned whole = RWY_MIN(RWY_VQ_BURST, q->vq->size);

	if (q->patience == 0 || rwy_vq_has(q->vq, whole))
		return false;
	if (rwy_vq_has(q->vq, 1))
		q->patience--;
	return true;
}

static void pop_half(struct rwy_netq_tx *q, struct rwy_netq_half *half)
{
	half->nr = 0;
	if (unfinished(q))
		return;
	half->nr = rwy_vq_pop(q->vq, half->chains, RWY_VQ_BURST, half->iov, RWY_VQ_IOV_MAX);
	q->patience = half->nr >= BUSY ? PATIENCE : 0;
}

/* Moves the view past `skip` bytes and past empty pieces. There are more than skip bytes. */
static void advance(struct rwy_frame *frame, size_t skip)
{
	while (skip >= frame->iov->iov_len) {
		skip -= frame->iov->iov_len;
		frame->iov++;
		frame->nr_iov--;
	}
	frame->off = (uint32_t)skip;
}

/* Asks nothing of the receiver: all zero. Two loads, as the two stores it was made of. */
RWY_INLINE bool plain(const struct virtio_net_hdr *hdr)
{
	uint64_t most;

	memcpy(&most, hdr, sizeof(most));
	return (most | hdr->csum_offset) == 0;
}

RWY_INLINE bool parse(const struct rwy_chain *chain, uint8_t gives, struct rwy_frame *frame)
{
	const struct iovec *iov = chain->iov;

	/* Device-writable pieces have no meaning here, and one pop in the ring may let them by. */
	if (RWY_UNLIKELY(chain->nr_in != 0 || chain->out_len < HDR_LEN + RWY_PORT_ETH_LEN ||
			 chain->out_len > HDR_LEN + RWY_PORT_FRAME_MAX))
		return false;
	frame->iov = iov;
	frame->nr_iov = chain->nr_out;
	frame->len = chain->out_len - (uint32_t)HDR_LEN;
	if (RWY_LIKELY(iov->iov_len > HDR_LEN)) {
		memcpy(&frame->hdr, iov->iov_base, sizeof(frame->hdr));
		frame->off = HDR_LEN;
	} else {
		rwy_iov_read(iov, chain->nr_out, 0, &frame->hdr, sizeof(frame->hdr));
		advance(frame, HDR_LEN);
	}
	frame->needs = 0;
	if (RWY_LIKELY(plain(&frame->hdr)))
		return true;
	return rwy_net_check_hdr(&frame->hdr, frame->len, gives, &frame->needs);
}

/* The driver gets what was held. */
static void settle(struct rwy_netq_tx *q)
{
	if (!q->held)
		return;
	rwy_vq_publish(q->vq);
	q->held = false;
	q->idle_ns = 0;
}

/* There is no next burst yet. */
static RWY_COLD void settle_late(struct rwy_netq_tx *q)
{
	const uint64_t now = rwy_poll_now_ns();

	if (q->idle_ns == 0)
		q->idle_ns = now;
	else if (now - q->idle_ns >= HOLD_NS)
		settle(q);
}

/* The descriptors of a chain are as many as its pieces, or fewer. */
static bool may_hold(const struct rwy_netq_tx *q, const struct rwy_netq_half *half, unsigned n)
{
	const struct rwy_chain *last = &half->chains[n - 1];

	return n == RWY_VQ_BURST &&
	       (last->iov + last->nr_out + last->nr_in - half->iov) * HOLD_SHARE <= q->vq->size;
}

static void give_back(struct rwy_netq_tx *q, const struct rwy_netq_half *half, unsigned n)
{
	settle(q);
	rwy_vq_push(q->vq, half->chains, n);
	q->held = may_hold(q, half, n);
	if (!q->held)
		rwy_vq_publish(q->vq);
}

unsigned rwy_netq_pull(struct rwy_netq_tx *q, struct rwy_burst *burst, uint8_t gives,
		       struct rwy_port_counts *counts)
{
	struct rwy_netq_half *half = &q->halves[q->now ^= 1];

	if (half->nr == 0)
		pop_half(q, half);
	if (half->nr == 0) {
		if (RWY_UNLIKELY(q->held))
			settle_late(q);
		return 0;
	}
	pop_half(q, &q->halves[q->now ^ 1]);
	burst->nr = 0;
	burst->needs = 0;
	for (unsigned i = 0; i < half->nr; i++) {
		struct rwy_frame *frame = &burst->frames[burst->nr];

		half->chains[i].written = 0;
		__builtin_prefetch(frame_start(&half->chains[i]));
		if (RWY_UNLIKELY(!parse(&half->chains[i], gives, frame)))
			continue;
		frame->slot = (uint16_t)i;
		burst->needs |= frame->needs;
		burst->nr++;
	}
	if (RWY_UNLIKELY(burst->nr < half->nr)) {
		rwy_stats_add(&counts->rx_bad, half->nr - burst->nr);
		rwy_stats_add(&q->vq->stats->errors, half->nr - burst->nr);
	}
	/* "Ring states": started but not enabled is drained, and nothing of it is passed on. */
	if (RWY_UNLIKELY(!q->enabled)) {
		rwy_stats_add(&counts->rx_disabled, burst->nr);
		burst->nr = 0;
	}
	if (RWY_UNLIKELY(burst->nr == 0)) {
		give_back(q, half, half->nr);
		half->nr = 0;
	}
	return burst->nr;
}

void rwy_netq_park_tx(struct rwy_netq_tx *q)
{
	/* newest first */
	for (unsigned i = 0; i < 2; i++) {
		struct rwy_netq_half *half = &q->halves[q->now ^ 1 ^ i];

		if (half->nr > 0)
			rwy_vq_unpop(q->vq, half->chains, half->nr);
		half->nr = 0;
	}
	settle(q);
	q->patience = 0;
}

void rwy_netq_release(struct rwy_netq_tx *q, const struct rwy_burst *burst, unsigned n,
		      struct rwy_port_counts *counts)
{
	struct rwy_netq_half *half = &q->halves[q->now];
	unsigned done = n < burst->nr ? burst->frames[n].slot : half->nr;
	unsigned left = half->nr - done;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += burst->frames[i].len;
	rwy_stats_add(&counts->rx_packets, n);
	rwy_stats_add(&counts->rx_bytes, bytes);
	rwy_stats_add(&q->vq->stats->bytes, bytes);
	if (RWY_UNLIKELY(left > 0)) {
		struct rwy_netq_half *next = &q->halves[q->now ^ 1];

		if (next->nr > 0)
			rwy_vq_unpop(q->vq, next->chains, next->nr);
		next->nr = 0;
		rwy_vq_unpop(q->vq, half->chains + done, left);
	}
	half->nr = 0;
	if (done > 0)
		give_back(q, half, done);
}

bool rwy_netq_arm(struct rwy_netq_tx *q)
{
	settle(q);
	q->patience = 0;
	return rwy_vq_arm(q->vq) || q->halves[q->now ^ 1].nr > 0;
}

/* ---- receive: from the switch to the guest ---- */

static unsigned refill(struct rwy_netq_rx *q, unsigned want)
{
	struct iovec *iov = q->iov;
	unsigned n = RWY_MIN(want, (unsigned)RWY_ARRAY_SIZE(q->chains) - q->nr);

	if (q->nr > 0) {
		const struct rwy_chain *last = &q->chains[q->nr - 1];

		iov = last->iov + last->nr_out + last->nr_in;
	}
	if (n == 0 || iov > q->iov + RWY_VQ_IOV_MAX)
		return 0;
	n = rwy_vq_pop(q->vq, &q->chains[q->nr], n, iov, RWY_VQ_IOV_MAX);
	for (unsigned i = q->nr; i < q->nr + n; i++)
		prefetch_write((const char *)q->chains[i].iov->iov_base + HDR_LEN);
	q->nr += n;
	return n;
}

static void push_filled(struct rwy_netq_rx *q)
{
	if (q->next == q->pushed)
		return;
	rwy_vq_push(q->vq, &q->chains[q->pushed], q->next - q->pushed);
	q->pushed = q->next;
	q->dirty = true;
}

void rwy_netq_park_rx(struct rwy_netq_rx *q)
{
	push_filled(q);
	if (q->nr > q->next)
		rwy_vq_unpop(q->vq, &q->chains[q->next], q->nr - q->next);
	q->pushed = 0;
	q->next = 0;
	q->nr = 0;
}

enum placed { PLACED, NO_ROOM, TOO_BIG };

/* Buffers [next..next + *used) hold total bytes between them, as the driver's features allow. */
static enum placed gather(struct rwy_netq_rx *q, uint32_t total, unsigned *used)
{
	uint64_t have = 0;
	unsigned k = 0;

	while (have < total) {
		if (k == (q->mergeable ? RWY_NETQ_MERGE_MAX : 1))
			return TOO_BIG;
		if (q->next + k == q->nr) {
			uint64_t each = k ? have / k : total;

			if (!refill(q, (unsigned)((total - have) / each) + 1))
				return NO_ROOM;
		}
		const struct rwy_chain *chain = &q->chains[q->next + k];

		if (chain->nr_out != 0 || chain->in_len == 0) {
			rwy_vq_break(q->vq, RWY_VQ_DEVICE);
			return NO_ROOM;
		}
		have += chain->in_len;
		k++;
	}
	*used = k;
	return PLACED;
}

static __attribute__((noinline)) enum placed place_pieces(struct rwy_netq_rx *q,
							  const struct rwy_frame *frame)
{
	struct virtio_net_hdr_mrg_rxbuf hdr = {.hdr = frame->hdr};
	uint32_t total = (uint32_t)HDR_LEN + frame->len;
	unsigned used;
	enum placed placed = gather(q, total, &used);

	if (placed == NO_ROOM && q->next > 0) {
		/* Maybe not the ring was at its end but our arrays. */
		rwy_netq_park_rx(q);
		placed = gather(q, total, &used);
	}
	if (placed != PLACED)
		return placed;

	/* Without device-readable pieces the pieces of neighbouring chains lie side by side. */
	struct rwy_chain *chains = &q->chains[q->next];
	const struct iovec *iov = chains[0].iov;
	unsigned nr_iov = (unsigned)(chains[used - 1].iov + chains[used - 1].nr_in - iov);

	hdr.num_buffers = (uint16_t)used;
	rwy_iov_write(iov, nr_iov, 0, &hdr, HDR_LEN);
	rwy_iov_copy(iov, nr_iov, HDR_LEN, frame->iov, frame->nr_iov, frame->off, frame->len);
	for (unsigned k = 0; k < used; k++) {
		chains[k].written = RWY_MIN(total, chains[k].in_len);
		total -= chains[k].written;
	}
	q->next += used;
	return PLACED;
}

/*
 * Drivers leave the header of a buffer as they got it, so it mostly holds what we would write.
 * Looking first leaves the line shared between the two CPUs.
 */
RWY_INLINE void put_hdr(uint8_t *at, const struct virtio_net_hdr *hdr)
{
	/*
	 * In registers: a comparison of memory just written, piece by piece, would wait until all
	 * stores before it have left the core, those to the rings among them.
	 */
	const uint32_t last = hdr->csum_offset | 1u << 16; /* num_buffers is 1 */
	uint64_t first, there_first;
	uint32_t there_last;

	memcpy(&first, hdr, sizeof(first));
	memcpy(&there_first, at, sizeof(there_first));
	memcpy(&there_last, at + sizeof(first), sizeof(there_last));
	if (RWY_LIKELY(there_first == first && there_last == last))
		return;
	memcpy(at, &first, sizeof(first));
	memcpy(at + sizeof(first), &last, sizeof(last));
}

/* At least 14 bytes; the pieces of the short form overlap. */
RWY_INLINE void copy_frame(uint8_t *dst, const uint8_t *src, uint32_t len)
{
	if (RWY_UNLIKELY(len > COPY_SHORT || len < 16)) {
		memcpy(dst, src, len);
		return;
	}
	for (uint32_t i = 0; i < len - 16; i += 16)
		memcpy(dst + i, src + i, 16);
	memcpy(dst + len - 16, src + len - 16, 16);
}

RWY_INLINE enum placed place(struct rwy_netq_rx *q, const struct rwy_frame *frame)
{
	uint32_t total = (uint32_t)HDR_LEN + frame->len;

	if (RWY_UNLIKELY(q->next == q->nr) && !refill(q, RWY_NETQ_STOCK))
		return q->next > 0 ? place_pieces(q, frame) : NO_ROOM;

	struct rwy_chain *chain = &q->chains[q->next];

	if (RWY_UNLIKELY(chain->nr_in != 1 || chain->nr_out != 0 || chain->in_len < total ||
			 frame->nr_iov != 1))
		return place_pieces(q, frame);

	uint8_t *at = chain->iov->iov_base;

	put_hdr(at, &frame->hdr);
	copy_frame(at + HDR_LEN, (const uint8_t *)frame->iov->iov_base + frame->off, frame->len);
	chain->written = total;
	q->next++;
	return PLACED;
}

unsigned rwy_netq_deliver(struct rwy_netq_rx *q, const struct rwy_frame *const *frames, unsigned n,
			  struct rwy_port_counts *counts)
{
	uint64_t bytes = 0;
	unsigned i, sent = 0;

	for (i = 0; i < n; i++) {
		enum placed placed = place(q, frames[i]);

		if (RWY_LIKELY(placed == PLACED)) {
			bytes += frames[i]->len;
			sent++;
		} else if (placed == NO_ROOM) {
			break;
		} else {
			rwy_stats_add(&counts->tx_big, 1);
		}
	}
	push_filled(q);
	rwy_stats_add(&counts->tx_packets, sent);
	rwy_stats_add(&counts->tx_bytes, bytes);
	rwy_stats_add(&q->vq->stats->bytes, bytes);
	return i;
}

void rwy_netq_flush(struct rwy_netq_rx *q)
{
	if (!q->dirty)
		return;
	rwy_vq_publish(q->vq);
	q->dirty = false;
	if (q->nr - q->next >= STOCK_LOW)
		return;
	rwy_netq_park_rx(q);
	refill(q, RWY_NETQ_STOCK);
}
