/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/nl.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_MAX   (64u << 20) /* no kernel makes one like this */
#define ACK_MAX	     8192
#define ANSWERS_LATE 16 /* to earlier requests, that were given up */

void rwy_nl_init(struct rwy_nl *nl, const struct rwy_sriov_sys *sys)
{
	*nl = (struct rwy_nl){.sys = sys};
}

void rwy_nl_fini(struct rwy_nl *nl)
{
	free(nl->buf);
	*nl = (struct rwy_nl){0};
}

/* ---- attributes ---- */

struct rwy_nl_span rwy_nl_body(const struct nlmsghdr *message, size_t len, size_t header)
{
	const char *start = (const char *)message, *end = start + len;
	size_t before = NLMSG_LENGTH(MNL_ALIGN(header));

	return (struct rwy_nl_span){len < before ? end : start + before, end};
}

struct rwy_nl_span rwy_nl_inside(const struct nlattr *attr)
{
	const char *payload = mnl_attr_get_payload(attr);

	return (struct rwy_nl_span){payload, payload + mnl_attr_get_payload_len(attr)};
}

const struct nlattr *rwy_nl_next(struct rwy_nl_span *span)
{
	const struct nlattr *attr = (const struct nlattr *)span->at;
	size_t left = (size_t)(span->end - span->at);

	if (left < sizeof(*attr) || attr->nla_len < sizeof(*attr) || attr->nla_len > left)
		return NULL;
	span->at += RWY_MIN(left, (size_t)MNL_ALIGN(attr->nla_len));
	return attr;
}

const struct nlattr *rwy_nl_find(struct rwy_nl_span span, uint16_t type)
{
	const struct nlattr *attr;

	while ((attr = rwy_nl_next(&span)) && mnl_attr_get_type(attr) != type)
		;
	return attr;
}

const void *rwy_nl_payload(const struct nlattr *attr, size_t len)
{
	return attr && mnl_attr_get_payload_len(attr) >= len ? mnl_attr_get_payload(attr) : NULL;
}

/* ---- one request and its answer ---- */

struct nlmsghdr *rwy_nl_begin(struct rwy_nl *nl, char request[RWY_NL_REQUEST], uint16_t type,
			      uint16_t flags)
{
	struct nlmsghdr *head = mnl_nlmsg_put_header(request);

	head->nlmsg_type = type;
	head->nlmsg_flags = NLM_F_REQUEST | flags;
	head->nlmsg_seq = ++nl->seq;
	return head;
}

static int make_room(struct rwy_nl *nl, size_t len)
{
	void *grown;

	if (len <= nl->room)
		return 0;
	grown = realloc(nl->buf, len);
	if (!grown)
		return -ENOMEM;
	nl->buf = grown;
	nl->room = len;
	return 0;
}

/* The next datagram, whatever its length; an acknowledgement has no more than words with it, so
 * that nobody needs to look first. */
static ssize_t receive(struct rwy_nl *nl, enum rwy_sriov_wire wire, bool acknowledgement)
{
	const struct rwy_sriov_sys *sys = nl->sys;
	ssize_t len = ACK_MAX;
	int err;

	if (!acknowledgement)
		len = sys->recv(sys, wire, NULL, 0, MSG_PEEK | MSG_TRUNC);
	if (len < 0)
		return len;
	if (len > ANSWER_MAX)
		return -EMSGSIZE;
	err = make_room(nl, (size_t)len);
	return err ? err : sys->recv(sys, wire, nl->buf, nl->room, 0);
}

/* The kernel's own words are behind a copy of the request, or of its header only. */
static void take_why(struct rwy_nl *nl, const struct nlmsghdr *head)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(head);
	size_t before = sizeof(*error);
	const struct nlattr *attr;

	if (!(head->nlmsg_flags & NLM_F_CAPPED))
		before += RWY_MAX(error->msg.nlmsg_len, sizeof(error->msg)) - sizeof(error->msg);
	attr = rwy_nl_find(rwy_nl_body(head, head->nlmsg_len, before), NLMSGERR_ATTR_MSG);
	if (!attr || !(head->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	snprintf(nl->why, sizeof(nl->why), "%.*s", (int)mnl_attr_get_payload_len(attr),
		 (const char *)mnl_attr_get_payload(attr));
	for (char *at = nl->why; *at; at++)
		if (!isprint((unsigned char)*at))
			*at = ' ';
}

static int take_error(struct rwy_nl *nl, const struct nlmsghdr *head)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(head);

	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(*error)) || error->error > 0)
		return -EBADMSG;
	if (error->error)
		take_why(nl, head);
	return error->error;
}

/* How far a question is answered. */
struct asking {
	rwy_nl_take *take;
	void *ctx;
	bool ended;
	int err; /* the first */
};

static void take_message(struct rwy_nl *nl, const struct nlmsghdr *head, struct asking *asking)
{
	int err = 0;

	asking->ended = !(head->nlmsg_flags & NLM_F_MULTI);
	if (head->nlmsg_type == NLMSG_ERROR) {
		asking->ended = true;
		err = take_error(nl, head);
	} else if (head->nlmsg_type == NLMSG_DONE) {
		asking->ended = true;
		if (head->nlmsg_len >= NLMSG_LENGTH(sizeof(err)))
			memcpy(&err, mnl_nlmsg_get_payload(head), sizeof(err));
		err = RWY_MIN(err, 0);
	} else {
		err = asking->take ? asking->take(asking->ctx, head, head->nlmsg_len) : -EBADMSG;
	}
	if (head->nlmsg_flags & NLM_F_DUMP_INTR && !err)
		err = -EINTR; /* it changed while it was being told */
	asking->err = asking->err ? asking->err : err;
}

/* mnl_nlmsg_ok takes a length of more than INT_MAX for less than none. */
static bool is_whole(const struct nlmsghdr *head, int left)
{
	return left >= (int)sizeof(*head) && head->nlmsg_len >= sizeof(*head) &&
	       head->nlmsg_len <= (uint32_t)left;
}

/* Also where it is longer than what is asked for now. */
static bool is_late(const struct rwy_nl *nl, const struct nlmsghdr *head, ssize_t len)
{
	return len >= (ssize_t)sizeof(*head) && head->nlmsg_seq != nl->seq;
}

int rwy_nl_ask(struct rwy_nl *nl, enum rwy_sriov_wire wire, const struct nlmsghdr *request,
	       rwy_nl_take *take, void *ctx)
{
	struct asking asking = {.take = take, .ctx = ctx};
	ssize_t n = nl->sys->send(nl->sys, wire, request, request->nlmsg_len);
	unsigned nr_late = 0;

	nl->why[0] = '\0';
	while (n >= 0 && !asking.ended && nr_late < ANSWERS_LATE) {
		const struct nlmsghdr *head;
		bool late = true;
		int left;

		n = receive(nl, wire, !take);
		if (n < 0)
			break;
		left = (int)n;
		head = nl->buf;
		if (!is_whole(head, left) && !is_late(nl, head, n))
			return -EBADMSG;
		for (; !asking.ended && is_whole(head, left); head = mnl_nlmsg_next(head, &left))
			if (head->nlmsg_seq == nl->seq) {
				late = false;
				take_message(nl, head, &asking);
			}
		nr_late += late;
	}
	if (n < 0)
		return (int)n;
	return asking.ended ? asking.err : -EBADMSG;
}
