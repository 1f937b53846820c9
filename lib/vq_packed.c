/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packed virtqueue (virtio 1.2 section 2.8), device side.
 *
 * A slot belongs to the device while its AVAIL bit equals the lap's wrap counter and its USED bit
 * does not. Used descriptors are written as chains are pushed, except for the first one: until
 * publish stores that, the driver cannot get past its slot and so sees none of them.
 */
#include "lib/vq_impl.h"
#include "lib/vq_lost.h"

#include <assert.h>

#define F_AVAIL	 (1u << VRING_PACKED_DESC_F_AVAIL)
#define F_USED	 (1u << VRING_PACKED_DESC_F_USED)
#define F_OWNER	 (F_AVAIL | F_USED)
#define WRAP_BIT (1u << VRING_PACKED_EVENT_F_WRAP_CTR)

/* Both event structures are read and written whole. */
union event {
	struct vring_packed_desc_event parts;
	uint32_t word;
};

/* The AVAIL and USED bits of a slot made available, or used, in a lap. */
RWY_INLINE uint16_t avail_bits(bool wrap)
{
	return wrap ? F_AVAIL : F_USED;
}

RWY_INLINE uint16_t used_bits(bool wrap)
{
	return wrap ? F_OWNER : 0;
}

/* The second half of a used descriptor: len, id and flags. */
RWY_INLINE uint64_t used_word(bool wrap, uint16_t id, uint32_t len)
{
	const uint64_t flags = used_bits(wrap) | (len ? VRING_DESC_F_WRITE : 0u);

	static_assert(offsetof(struct vring_packed_desc, len) == 8 &&
			      offsetof(struct vring_packed_desc, id) == 12 &&
			      offsetof(struct vring_packed_desc, flags) == 14,
		      "written as one word");
	return len | (uint64_t)id << 32 | flags << 48;
}

RWY_INLINE uint64_t *used_half(struct rwy_vq *vq, uint16_t at)
{
	return (uint64_t *)&vq->pdesc[at] + 1;
}

RWY_INLINE void step(const struct rwy_vq *vq, uint16_t *idx, bool *wrap, unsigned slots)
{
	unsigned next = *idx + slots;

	if (RWY_UNLIKELY(next >= vq->size)) {
		next -= vq->size;
		*wrap = !*wrap;
	}
	*idx = (uint16_t)next;
}

/* Slots from one position to a later one, at most a lap. A valid base makes sure it is later. */
RWY_INLINE unsigned distance(const struct rwy_vq *vq, uint16_t from, bool from_wrap, uint16_t to,
			     bool to_wrap)
{
	return (unsigned)to + (from_wrap != to_wrap ? vq->size : 0u) - from;
}

/*
 * A used half of 0 under an avail wrap of 1 either comes from a front-end that knows the avail half
 * only, or tells that a whole lap is in flight. Then the first slot is still as the driver left it.
 */
static bool base_is_half(const struct rwy_vq *vq, uint32_t base)
{
	return base >> 16 == 0 && base & WRAP_BIT &&
	       (base != WRAP_BIT ||
		(RWY_READ_ONCE(&vq->pdesc[0].flags) & F_OWNER) != avail_bits(false));
}

/* What a device pushed before it died is complete but for the flags of the first slot: the first
 * publish shows it. */
static void take_over(struct rwy_vq *vq)
{
	const struct vring_packed_desc *head = &vq->pdesc[vq->used_pub];
	const unsigned pushed =
		rwy_vq_lost_pushed(vq->pdesc, vq->size, vq->used_pub, vq->used_pub_wrap);

	vq->head = used_word(vq->used_pub_wrap, head->id, head->len);
	step(vq, &vq->avail_idx, &vq->avail_wrap, pushed);
	vq->used_idx = vq->avail_idx;
	vq->used_wrap = vq->avail_wrap;
}

int rwy_vq_packed_begin(struct rwy_vq *vq, uint32_t base)
{
	if (base_is_half(vq, base))
		base |= base << 16;
	vq->avail_idx = base & (WRAP_BIT - 1);
	vq->avail_wrap = base & WRAP_BIT;
	vq->used_idx = base >> 16 & (WRAP_BIT - 1);
	vq->used_wrap = base >> 16 & WRAP_BIT;
	if (vq->avail_idx >= vq->size || vq->used_idx >= vq->size ||
	    distance(vq, vq->used_idx, vq->used_wrap, vq->avail_idx, vq->avail_wrap) > vq->size)
		return -EINVAL;
	vq->used_pub = vq->used_idx;
	vq->used_pub_wrap = vq->used_wrap;
	if (vq->avail_idx == vq->used_idx && vq->avail_wrap == vq->used_wrap)
		take_over(vq);
	return 0;
}

static uint32_t packed_base(const struct rwy_vq *vq)
{
	uint32_t avail = vq->avail_idx | (vq->avail_wrap ? WRAP_BIT : 0);
	uint32_t used = vq->used_idx | (vq->used_wrap ? WRAP_BIT : 0);

	return avail | used << 16;
}

static bool packed_has(const struct rwy_vq *vq, unsigned n)
{
	uint16_t at = vq->avail_idx;
	bool wrap = vq->avail_wrap;

	step(vq, &at, &wrap, n - 1);
	return (RWY_READ_ONCE(&vq->pdesc[at].flags) & F_OWNER) == avail_bits(wrap);
}

/* A packed table has no links: each entry is a buffer, only WRITE means anything (2.8.7). */
RWY_INLINE int packed_walk_table(struct rwy_vq_walk *w, const struct vring_packed_desc *head)
{
	struct rwy_vq_table table;
	union rwy_vq_desc desc;
	int why = rwy_vq_table_open(w, &table, head->addr, head->len, head->flags);

	for (unsigned i = 0; !why && i < table.nr; i++) {
		why = rwy_vq_table_fetch(w, &table, i, &desc);
		if (RWY_LIKELY(!why))
			why = rwy_vq_walk_add(w, desc.packed.addr, desc.packed.len,
					      desc.packed.flags);
	}
	return why;
}

/*
 * Follows a chain whose first descriptor is in *desc; leaves the last one there, whose id is the
 * chain's. `left` slots may be the driver's doing; the rest of the ring is in flight.
 */
RWY_INLINE int packed_walk(struct rwy_vq_walk *w, struct vring_packed_desc *desc, uint16_t at,
			   bool wrap, unsigned left, unsigned *nr_desc)
{
	for (*nr_desc = 1;; ++*nr_desc) {
		int why = desc->flags & VRING_DESC_F_INDIRECT
				  ? packed_walk_table(w, desc)
				  : rwy_vq_walk_add(w, desc->addr, desc->len, desc->flags);

		if (why || !(desc->flags & VRING_DESC_F_NEXT))
			return why;
		if (*nr_desc == w->vq->size)
			return RWY_VQ_CHAIN_LONG;
		step(w->vq, &at, &wrap, 1);
		/* Ordered by the acquire of the first descriptor's flags, stored last (2.8.21). */
		*desc = rwy_vq_desc_load(&w->vq->pdesc[at]).packed;
		if (*nr_desc == left || (desc->flags & F_OWNER) != avail_bits(wrap))
			return RWY_VQ_NEXT_RANGE;
		/* 2.8.20: a list is either direct or one indirect descriptor */
		if (desc->flags & VRING_DESC_F_INDIRECT)
			return RWY_VQ_INDIRECT_FLAGS;
	}
}

/* Slots of the ring that are not in flight: only those can hold something new. */
RWY_INLINE unsigned packed_left(const struct rwy_vq *vq)
{
	return vq->size - distance(vq, vq->used_idx, vq->used_wrap, vq->avail_idx, vq->avail_wrap);
}

/*
 * Takes chains of one buffer in the region of the last one, up to the end of the ring. What is
 * different ends the run: nothing of it has been used, so packed_pop_walks may fetch it anew.
 */
static RWY_VQ_NOINLINE unsigned packed_pop_run(struct rwy_vq *vq, struct rwy_chain *chains,
					       unsigned n, struct iovec *iov)
{
	const struct rwy_vq_window window = rwy_vq_window(vq);
	const struct vring_packed_desc *const ring = &vq->pdesc[vq->avail_idx];
	uint8_t *const inflight = vq->inflight;
	const unsigned size = vq->size, want = avail_bits(vq->avail_wrap);
	unsigned i;

	n = RWY_MIN(n, size - vq->avail_idx);
	for (i = 0; i < n; i++) {
		/* Pairs with the driver's barrier before it stores the flags (2.8.21). */
		const uint16_t flags = RWY_LOAD_ACQUIRE(&ring[i].flags);

		if ((flags & (F_OWNER | RWY_VQ_F_MORE)) != want)
			break;
		const union rwy_vq_desc desc = rwy_vq_desc_load(&ring[i]);
		const uint64_t gpa = desc.packed.addr;
		const uint32_t len = desc.packed.len;
		const unsigned id = desc.packed.id;
		if (RWY_UNLIKELY(id >= size || inflight[id] ||
				 !rwy_vq_window_has(&window, gpa, len)))
			break;
		uint8_t *at = window.hva + (gpa - window.gpa);
		rwy_vq_prefetch(at);
		rwy_vq_chain_one(&chains[i], &iov[i], at, len, flags, (uint16_t)id);
		inflight[id] = 1;
	}
	step(vq, &vq->avail_idx, &vq->avail_wrap, i);
	return i;
}

/* Takes one chain of any kind, and then those that are not simple. 0: the burst ends here. */
static RWY_VQ_NOINLINE unsigned packed_pop_walks(struct rwy_vq *vq, unsigned left,
						 struct rwy_chain *chains, unsigned n,
						 struct iovec *iov, unsigned room, unsigned taken)
{
	struct rwy_vq_walk w = {.vq = vq, .window = rwy_vq_window(vq)};
	unsigned i, nr_desc;

	for (i = 0; i < n && left > 0; i++) {
		const struct vring_packed_desc *at = &vq->pdesc[vq->avail_idx];
		/* Pairs with the driver's barrier before it stores the flags (2.8.21). */
		const uint16_t flags = RWY_LOAD_ACQUIRE(&at->flags);

		if ((flags & F_OWNER) != avail_bits(vq->avail_wrap) ||
		    (i > 0 && !(flags & RWY_VQ_F_MORE)))
			break;
		struct vring_packed_desc desc = rwy_vq_desc_load(at).packed;
		desc.flags = flags;
		rwy_vq_walk_begin(&w, iov, room);
		int why = packed_walk(&w, &desc, vq->avail_idx, vq->avail_wrap, left, &nr_desc);
		if (RWY_UNLIKELY(!why && desc.id >= vq->size))
			why = RWY_VQ_HEAD_RANGE;
		if (RWY_UNLIKELY(!why && vq->inflight[desc.id]))
			why = RWY_VQ_DUPLICATE;
		if (RWY_LIKELY(!why))
			why = rwy_vq_walk_end(&w, &chains[i], desc.id, nr_desc);
		if (RWY_UNLIKELY(why)) {
			rwy_vq_refuse(vq, why, taken + i);
			break;
		}
		rwy_vq_prefetch(iov->iov_base);
		vq->inflight[desc.id] = 1;
		step(vq, &vq->avail_idx, &vq->avail_wrap, nr_desc);
		left -= nr_desc;
		iov += w.nr;
		room -= w.nr;
	}
	return i;
}

static unsigned packed_pop(struct rwy_vq *vq, struct rwy_chain *chains, unsigned n,
			   struct iovec *iov, unsigned nr_iov)
{
	const struct iovec *const end = iov + nr_iov;
	unsigned done = 0, more;

	n = RWY_MIN(n, packed_left(vq));
	while (done < n) {
		more = packed_pop_run(vq, chains + done, RWY_MIN(n - done, (unsigned)(end - iov)),
				      iov);
		done += more;
		iov += more;
		if (done == n)
			break;
		more = packed_pop_walks(vq, packed_left(vq), chains + done, n - done, iov,
					(unsigned)(end - iov), done);
		if (more == 0)
			break;
		done += more;
		iov = rwy_vq_chain_end(&chains[done - 1]);
	}
	rwy_vq_count_pop(vq, done);
	return done;
}

static unsigned packed_repop(struct rwy_vq *vq, const struct rwy_vq_left *left,
			     struct rwy_chain *chain, struct iovec *iov, unsigned nr_iov,
			     unsigned taken)
{
	struct rwy_vq_walk w = {.vq = vq, .window = rwy_vq_window(vq)};
	int why = rwy_vq_left_check(vq, left);

	rwy_vq_walk_begin(&w, iov, nr_iov);
	for (unsigned i = 0; !why && i < left->nr_desc; i++) {
		const struct vring_packed_desc *desc = &left->descs[i];

		if (!(desc->flags & VRING_DESC_F_INDIRECT))
			why = rwy_vq_walk_add(&w, desc->addr, desc->len, desc->flags);
		else if (left->nr_desc == 1)
			why = packed_walk_table(&w, desc);
		else
			why = RWY_VQ_INDIRECT_FLAGS;
	}
	return rwy_vq_left_end(&w, why, left, chain, taken);
}

static void packed_unpop(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n)
{
	unsigned slots = 0;

	for (unsigned i = 0; i < n; i++) {
		vq->inflight[chains[i].id] = 0;
		slots += chains[i].nr_desc;
	}
	vq->avail_wrap ^= slots > vq->avail_idx;
	vq->avail_idx = (uint16_t)(vq->avail_idx - slots + (slots > vq->avail_idx ? vq->size : 0u));
	rwy_vq_count_unpop(vq, n);
}

/* Whether the next used descriptor is the first since the last publish. */
RWY_INLINE bool packed_nothing_pushed(const struct rwy_vq *vq)
{
	return vq->used_idx == vq->used_pub && vq->used_wrap == vq->used_pub_wrap;
}

/*
 * The first used descriptor is kept back, which hides all after it. Before there are any of those,
 * all of it but its flags is written, so that whoever takes over after our death can show them.
 */
RWY_INLINE void packed_put_head(struct rwy_vq *vq)
{
	struct vring_packed_desc *slot = &vq->pdesc[vq->used_pub];

	slot->len = (uint32_t)vq->head;
	slot->id = (uint16_t)(vq->head >> 32);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* head: the one chain is the first since the last publish. */
RWY_INLINE void packed_push_some(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n,
				 const bool head)
{
	uint8_t *const inflight = vq->inflight;
	uint16_t idx = vq->used_idx;
	bool wrap = vq->used_wrap;

	for (unsigned i = 0; i < n; i++) {
		assert(chains[i].written <= chains[i].in_len);
		const uint64_t word = used_word(wrap, chains[i].id, chains[i].written);

		if (head)
			vq->head = word;
		else
			*used_half(vq, idx) = word;
		inflight[chains[i].id] = 0;
		step(vq, &idx, &wrap, chains[i].nr_desc);
	}
	vq->used_idx = idx;
	vq->used_wrap = wrap;
	rwy_stats_add(&vq->stats->pushes, n);
}

static void packed_push(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n)
{
	const unsigned head = n > 0 && packed_nothing_pushed(vq);

	if (head)
		packed_push_some(vq, chains, 1, true);
	if (n == head)
		return;
	packed_put_head(vq);
	packed_push_some(vq, chains + head, n - head, false);
}

/* 2.8.8: one used descriptor, in the first slot of the run, tells of all chains up to run_id. */
RWY_INLINE void packed_close_run(struct rwy_vq *vq)
{
	const uint64_t word = used_word(vq->run_wrap, vq->run_id, vq->run_len);

	vq->run = false;
	if (vq->run_idx == vq->used_pub && vq->run_wrap == vq->used_pub_wrap) {
		vq->head = word;
		return;
	}
	packed_put_head(vq);
	*used_half(vq, vq->run_idx) = word;
}

/* Only chains the device could not write to are left out: the length of each other one matters. */
static void packed_push_in_order(struct rwy_vq *vq, const struct rwy_chain *chains, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert(chains[i].written <= chains[i].in_len);
		if (!vq->run) {
			vq->run = true;
			vq->run_idx = vq->used_idx;
			vq->run_wrap = vq->used_wrap;
		}
		vq->run_id = chains[i].id;
		vq->run_len = chains[i].written;
		vq->inflight[chains[i].id] = 0;
		step(vq, &vq->used_idx, &vq->used_wrap, chains[i].nr_desc);
		if (chains[i].in_len)
			packed_close_run(vq);
	}
	rwy_stats_add(&vq->stats->pushes, n);
}

/* 2.8.10: would the driver like to hear of the `slots` slots from used_pub on? */
static bool packed_wants_call(struct rwy_vq *vq, unsigned slots)
{
	const union event event = {.word = RWY_READ_ONCE((uint32_t *)vq->driver_event)};
	const bool valid = vq->signalled_valid;

	vq->signalled_valid = true;
	if (event.parts.flags != VRING_PACKED_EVENT_FLAG_DESC || !vq->event_idx)
		return event.parts.flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	const uint16_t at = event.parts.off_wrap & (WRAP_BIT - 1);
	const bool wrap = event.parts.off_wrap & WRAP_BIT;
	/* An event behind used_pub wraps to a huge distance. */
	return !valid || distance(vq, vq->used_pub, vq->used_pub_wrap, at, wrap) < slots;
}

static void packed_publish(struct rwy_vq *vq)
{
	unsigned slots = distance(vq, vq->used_pub, vq->used_pub_wrap, vq->used_idx, vq->used_wrap);
	bool wanted;

	if (slots == 0)
		return;
	/* Pairs with the driver's acquire of the flags: the whole burst is there before them. */
	packed_put_head(vq);
	RWY_STORE_RELEASE(&vq->pdesc[vq->used_pub].flags, (uint16_t)(vq->head >> 48));
	if (vq->call_fd < 0) {
		vq->signalled_valid = false;
	} else {
		/* Pairs with the driver's barrier between asking for calls and looking again. */
		RWY_MB();
		wanted = packed_wants_call(vq, slots);
		rwy_vq_call(vq, wanted);
	}
	vq->used_pub = vq->used_idx;
	vq->used_pub_wrap = vq->used_wrap;
}

static void packed_publish_in_order(struct rwy_vq *vq)
{
	if (vq->run)
		packed_close_run(vq);
	packed_publish(vq);
}

static bool packed_arm(struct rwy_vq *vq)
{
	union event event = {.parts.flags = VRING_PACKED_EVENT_FLAG_ENABLE};

	if (vq->event_idx) {
		event.parts.off_wrap = (uint16_t)(vq->avail_idx | (vq->avail_wrap ? WRAP_BIT : 0));
		event.parts.flags = VRING_PACKED_EVENT_FLAG_DESC;
	}
	RWY_WRITE_ONCE((uint32_t *)vq->device_event, event.word);
	/* Pairs with the driver's barrier between storing flags and reading our wish. */
	RWY_MB();
	uint16_t flags = RWY_READ_ONCE(&vq->pdesc[vq->avail_idx].flags);
	return (flags & F_OWNER) == avail_bits(vq->avail_wrap) && packed_left(vq) > 0 &&
	       !vq->broken;
}

static void packed_disarm(struct rwy_vq *vq)
{
	const union event event = {.parts.flags = VRING_PACKED_EVENT_FLAG_DISABLE};

	RWY_WRITE_ONCE((uint32_t *)vq->device_event, event.word);
}

static void packed_parts(const struct rwy_vq *vq, struct iovec parts[2])
{
	uint64_t len[3];

	rwy_vq_layout(vq->size, true, len);
	parts[0] = (struct iovec){vq->pdesc, len[0]};
	parts[1] = (struct iovec){vq->device_event, len[2]};
}

const struct rwy_vq_ops rwy_vq_packed_ops = {
	.pop = packed_pop,
	.repop = packed_repop,
	.has = packed_has,
	.unpop = packed_unpop,
	.push = packed_push,
	.publish = packed_publish,
	.arm = packed_arm,
	.disarm = packed_disarm,
	.base = packed_base,
	.parts = packed_parts,
};

const struct rwy_vq_ops rwy_vq_packed_in_order_ops = {
	.pop = packed_pop,
	.repop = packed_repop,
	.has = packed_has,
	.unpop = packed_unpop,
	.push = packed_push_in_order,
	.publish = packed_publish_in_order,
	.arm = packed_arm,
	.disarm = packed_disarm,
	.base = packed_base,
	.parts = packed_parts,
};
