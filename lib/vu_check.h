/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of every vhost-user request: what it may look like and when it may come. A message is
 * held against its row before any state changes; handlers may then trust sizes, fd counts, ring
 * indices and feature dependencies, and check only what the row cannot know.
 */
#ifndef RWY_LIB_VU_CHECK_H
#define RWY_LIB_VU_CHECK_H

#include "lib/vu_chan.h"

/* What the receiving state machine knows when a message comes. */
struct rwy_vu_state {
	uint64_t features;   /* acknowledged virtio features, 0 before SET_FEATURES */
	uint64_t offered;    /* what GET_FEATURES answers */
	uint64_t pf;	     /* acknowledged protocol features */
	uint64_t pf_offered; /* what GET_PROTOCOL_FEATURES answers */
	unsigned nr_queues;  /* rings the device has */
	bool owned;	     /* SET_OWNER seen */
	bool features_set;
};

struct rwy_vu_row {
	const char *name; /* NULL: no such request */
	uint16_t size_min;
	uint16_t size_max;
	uint8_t fds_min;
	uint8_t fds_max;
	int8_t pf;	/* protocol feature it needs, -1 none */
	bool indexed;	/* payload starts with a ring index */
	bool has_reply; /* answers by itself: REPLY_ACK does not apply */
	/* its own reply; where there is none, a reply is REPLY_ACK's u64 */
	uint16_t reply_min;
	uint16_t reply_max;
	uint8_t reply_fds_max;
	/* The rest: field against field, field against state. 0 or negative errno. May be NULL. */
	int (*valid)(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg);
};

/* Rows of the two directions; NULL when the number is unknown. */
const struct rwy_vu_row *rwy_vu_check_row(uint32_t request);
const struct rwy_vu_row *rwy_vu_check_be_row(uint32_t request);

/*
 * 0: fine. -ENOTSUP: unknown request, or one whose protocol feature was not negotiated: refuse it
 * and go on. -EPROTO: flags, size or number of fds are wrong: the stream cannot be trusted any
 * more. -EINVAL, -EBUSY and so on: well-formed but not acceptable now: refuse it and go on. *why
 * gets a static text.
 */
RWY_MUST_CHECK int rwy_vu_check(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg,
				const char **why);
RWY_MUST_CHECK int rwy_vu_check_be(const struct rwy_vu_state *state, const struct rwy_vu_msg *msg,
				   const char **why);
/* A reply to `request` as a front-end gets it: flags exactly 5, number and size as the row says. */
RWY_MUST_CHECK int rwy_vu_check_reply(uint32_t request, const struct rwy_vu_msg *msg,
				      const char **why);

/* Protocol features of which one needs another: clears bits whose base is missing. */
uint64_t rwy_vu_check_pf(uint64_t pf);

#endif
