/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One vhost-user message with its descriptors, over one non-blocking unix stream socket.
 *
 * Receiving is resumable: header, payload and fds may come in pieces, and nothing is handed up
 * before the message is whole. Descriptors of a message that is not handed up are closed, so none
 * can leak whatever the peer sends. Not thread-safe; one owner.
 */
#ifndef RWY_LIB_VU_CHAN_H
#define RWY_LIB_VU_CHAN_H

#include "lib/base.h"
#include "lib/vu_wire.h"

struct rwy_vu_msg {
	struct rwy_vu_hdr hdr;
	union rwy_vu_payload payload;
	int fds[RWY_VU_MAX_FDS]; /* owned by whoever holds the message; -1 beyond nr_fds */
	unsigned nr_fds;
};

struct rwy_vu_chan {
	int fd;	    /* owned; -1 is closed */
	size_t got; /* bytes of the message being received */
	struct rwy_vu_msg in;
};

/* Takes *fd and makes it non-blocking. */
RWY_MUST_CHECK int rwy_vu_chan_open(struct rwy_vu_chan *chan, int *fd);
/* One whose fd is -1 is closed, whatever else is in it. */
void rwy_vu_chan_close(struct rwy_vu_chan *chan);

/*
 * 1: *msg is whole and the caller owns its fds. 0: not yet (EAGAIN). -ENODATA: the peer closed
 * between messages. -EPROTO: wrong version, payload longer than any message, too many fds, end of
 * file inside a message. Other negative errno: the socket failed. After an error only close.
 */
RWY_MUST_CHECK int rwy_vu_chan_recv(struct rwy_vu_chan *chan, struct rwy_vu_msg *msg);

/*
 * Sends all of it. fds stay the caller's. The socket buffer of a unix socket holds many messages;
 * a peer that does not read for timeout_ms is -ETIMEDOUT.
 */
RWY_MUST_CHECK int rwy_vu_chan_send(struct rwy_vu_chan *chan, const struct rwy_vu_hdr *hdr,
				    const void *payload, const int *fds, unsigned nr_fds,
				    int timeout_ms);

/* All zero, without descriptors. */
void rwy_vu_chan_init_msg(struct rwy_vu_msg *msg);
void rwy_vu_chan_close_fds(struct rwy_vu_msg *msg);

#endif
