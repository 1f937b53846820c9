/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions to the kernel by netlink, one at a time, and their answers, of any length: a list of
 * 256 VFs is longer than the 64 KiB that the length of an attribute can say. One thread.
 */
#ifndef RWY_SRIOV_NL_H
#define RWY_SRIOV_NL_H

#include "lib/bdf.h"
#include "sriov/sriov_sys.h"

#include <libmnl/libmnl.h>

#define RWY_NL_REQUEST 512 /* room for any request */
#define RWY_NL_WHY     128

struct rwy_nl {
	const struct rwy_sriov_sys *sys;
	uint32_t seq;
	void *buf; /* the last datagram; owned */
	size_t room;
	int devlink;		   /* the family's number; 0: not asked for yet; or -errno */
	uint32_t first_port;	   /* of VF 0, as the last VF's lets one guess */
	char link_of[RWY_BDF_LEN]; /* whose interface link is, empty: not looked for */
	unsigned link;		   /* its index */
	bool carrier;		   /* and it was seen to have a link */
	char why[RWY_NL_WHY];	   /* what the kernel said of the last error, or empty */
};

/* sys must live as long. */
void rwy_nl_init(struct rwy_nl *nl, const struct rwy_sriov_sys *sys);
void rwy_nl_fini(struct rwy_nl *nl);

/* The head of the next request; what it asks for follows by mnl_*_put. */
struct nlmsghdr *rwy_nl_begin(struct rwy_nl *nl, char request[RWY_NL_REQUEST], uint16_t type,
			      uint16_t flags);

/* One message of an answer, len bytes in all; other than 0 is an error. */
typedef int rwy_nl_take(void *ctx, const struct nlmsghdr *message, size_t len);

/*
 * Sends the request and takes all that answers it; take may be NULL where that is an
 * acknowledgement. 0, what the kernel answers, what take returned first, or -EBADMSG: this is no
 * answer.
 */
RWY_MUST_CHECK int rwy_nl_ask(struct rwy_nl *nl, enum rwy_sriov_wire wire,
			      const struct nlmsghdr *request, rwy_nl_take *take, void *ctx);

/* Bytes with attributes; at moves. */
struct rwy_nl_span {
	const char *at, *end;
};

/* The attributes behind a message's own header of that length; none where it is cut. */
struct rwy_nl_span rwy_nl_body(const struct nlmsghdr *message, size_t len, size_t header);
struct rwy_nl_span rwy_nl_inside(const struct nlattr *attr);
/* The next attribute that lies in the span as a whole. NULL: there is none. */
const struct nlattr *rwy_nl_next(struct rwy_nl_span *span);
/* The first of that type. NULL: there is none. */
const struct nlattr *rwy_nl_find(struct rwy_nl_span span, uint16_t type);
/* Its payload, when there is as much of it; NULL for no attribute. */
const void *rwy_nl_payload(const struct nlattr *attr, size_t len);

#endif
