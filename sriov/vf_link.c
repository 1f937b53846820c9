/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/vf_link.h"

#include "lib/log.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define RWY_STEM "vf_link"

#define REQUEST_LEN  512
#define ANSWER_MAX   (64u << 20) /* no kernel makes one like this */
#define ANSWERS_LATE 16		 /* to earlier requests, that were given up */

void rwy_vf_link_init(struct rwy_vf_link *link, const struct rwy_sriov_sys *sys)
{
	*link = (struct rwy_vf_link){.sys = sys};
}

void rwy_vf_link_fini(struct rwy_vf_link *link)
{
	free(link->buf);
	*link = (struct rwy_vf_link){0};
}

/* ---- one request, one answer ---- */

/* The next datagram, whatever its length. */
static ssize_t receive(struct rwy_vf_link *link)
{
	const struct rwy_sriov_sys *sys = link->sys;
	ssize_t len = sys->recv(sys, NULL, 0, MSG_PEEK | MSG_TRUNC);

	if (len < 0)
		return len;
	if (len > ANSWER_MAX)
		return -EMSGSIZE;
	if ((size_t)len > link->room) {
		void *grown = realloc(link->buf, (size_t)len);

		if (!grown)
			return -ENOMEM;
		link->buf = grown;
		link->room = (size_t)len;
	}
	return sys->recv(sys, link->buf, link->room, 0);
}

static struct nlmsghdr *begin(struct rwy_vf_link *link, char request[REQUEST_LEN], uint16_t type,
			      unsigned ifindex)
{
	struct nlmsghdr *head = mnl_nlmsg_put_header(request);
	struct ifinfomsg *info;

	head->nlmsg_type = type;
	head->nlmsg_flags = NLM_F_REQUEST | (type == RTM_GETLINK ? 0 : NLM_F_ACK);
	head->nlmsg_seq = ++link->seq;
	info = mnl_nlmsg_put_extra_header(head, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)ifindex;
	return head;
}

/* Sends it and takes what answers it. *len: of the message in link->buf. */
static int ask(struct rwy_vf_link *link, const struct nlmsghdr *request, size_t *len)
{
	ssize_t n = link->sys->send(link->sys, request, request->nlmsg_len);

	for (unsigned i = 0; n >= 0 && i < ANSWERS_LATE; i++) {
		const struct nlmsghdr *head;
		int error;

		n = receive(link);
		head = link->buf;
		if (n < 0)
			break;
		if (!mnl_nlmsg_ok(head, (int)n))
			return -EBADMSG;
		if (head->nlmsg_seq != link->seq)
			continue;
		*len = head->nlmsg_len;
		if (head->nlmsg_type != NLMSG_ERROR)
			return 0;
		if (head->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
			return -EBADMSG;
		error = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(head))->error;
		return error <= 0 ? error : -EBADMSG;
	}
	return n < 0 ? (int)n : -EBADMSG;
}

/* ---- what an answer says ---- */

/* Bytes with attributes; at moves. */
struct span {
	const char *at, *end;
};

/* The next attribute that lies in the span as a whole. NULL: there is none. */
static const struct nlattr *next(struct span *span)
{
	const struct nlattr *attr = (const struct nlattr *)span->at;
	size_t left = (size_t)(span->end - span->at);

	if (left < sizeof(*attr) || attr->nla_len < sizeof(*attr) || attr->nla_len > left)
		return NULL;
	span->at += RWY_MIN(left, (size_t)MNL_ALIGN(attr->nla_len));
	return attr;
}

static struct span inside(const struct nlattr *attr)
{
	const char *payload = mnl_attr_get_payload(attr);

	return (struct span){payload, payload + mnl_attr_get_payload_len(attr)};
}

/* Its payload, when there is as much of it. */
static const void *payload(const struct nlattr *attr, size_t len)
{
	return mnl_attr_get_payload_len(attr) >= len ? mnl_attr_get_payload(attr) : NULL;
}

/* All ifla_vf_* with a number of 32 bits begin alike; all ones: the driver does not have it. */
static void take_switch(const struct nlattr *attr, char *text)
{
	const struct ifla_vf_spoofchk *is = payload(attr, sizeof(*is));

	if (is)
		snprintf(text, RWY_ATTR_TEXT, "%s",
			 is->setting == UINT32_MAX ? RWY_ATTR_UNSUPPORTED
			 : is->setting		   ? "on"
						   : "off");
}

static void take_vlan(const struct nlattr *attr, char *text)
{
	const struct ifla_vf_vlan *vlan = payload(attr, sizeof(*vlan));

	if (vlan && !text[0]) /* the list says more */
		rwy_attr_put_vlan(text, (struct rwy_attr_vlan){(uint16_t)vlan->vlan,
							       (uint8_t)vlan->qos, ETH_P_8021Q});
}

static void take_vlan_list(const struct nlattr *attr, char *text)
{
	struct span span = inside(attr);
	const struct nlattr *first = next(&span);
	const struct ifla_vf_vlan_info *vlan = first ? payload(first, sizeof(*vlan)) : NULL;

	if (vlan)
		rwy_attr_put_vlan(text,
				  (struct rwy_attr_vlan){(uint16_t)vlan->vlan, (uint8_t)vlan->qos,
							 be16toh(vlan->vlan_proto)});
}

static void take_rate(const struct nlattr *attr, char *text)
{
	const struct ifla_vf_rate *rate = payload(attr, sizeof(*rate));

	if (rate)
		rwy_attr_put_rate(text,
				  (struct rwy_attr_rate){rate->min_tx_rate, rate->max_tx_rate});
}

static void take_link_state(const struct nlattr *attr, char *text)
{
	static const char *const names[] = {"auto", "enable", "disable"};
	const struct ifla_vf_link_state *state = payload(attr, sizeof(*state));

	if (state && state->link_state < RWY_ARRAY_SIZE(names))
		strcpy(text, names[state->link_state]);
}

static void take_guid(const struct nlattr *attr, char *text)
{
	struct ifla_vf_guid guid;

	if (!payload(attr, sizeof(guid)))
		return;
	memcpy(&guid, payload(attr, sizeof(guid)), sizeof(guid));
	rwy_attr_put_guid(text, guid.guid);
}

static void take_counters(const struct nlattr *attr, struct rwy_vf *vf)
{
	static const int counters[] = {
		[IFLA_VF_STATS_RX_PACKETS] = RWY_VF_RX_PACKETS,
		[IFLA_VF_STATS_TX_PACKETS] = RWY_VF_TX_PACKETS,
		[IFLA_VF_STATS_RX_BYTES] = RWY_VF_RX_BYTES,
		[IFLA_VF_STATS_TX_BYTES] = RWY_VF_TX_BYTES,
		[IFLA_VF_STATS_BROADCAST] = RWY_VF_BROADCAST,
		[IFLA_VF_STATS_MULTICAST] = RWY_VF_MULTICAST,
		[IFLA_VF_STATS_RX_DROPPED] = RWY_VF_RX_DROPPED,
		[IFLA_VF_STATS_TX_DROPPED] = RWY_VF_TX_DROPPED,
	};
	struct span span = inside(attr);

	vf->counted = true;
	for (const struct nlattr *one; (one = next(&span));) {
		unsigned type = mnl_attr_get_type(one);

		if (type < RWY_ARRAY_SIZE(counters) && type != IFLA_VF_STATS_PAD &&
		    payload(one, sizeof(uint64_t)))
			memcpy(&vf->counter[counters[type]], payload(one, sizeof(uint64_t)),
			       sizeof(uint64_t));
	}
}

static void take_value(const struct nlattr *attr, struct rwy_vf *vf)
{
	const struct ifla_vf_mac *mac;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_VF_MAC:
		mac = payload(attr, sizeof(*mac));
		if (mac)
			rwy_attr_put_mac(vf->value[RWY_ATTR_MAC], mac->mac);
		break;
	case IFLA_VF_VLAN:
		take_vlan(attr, vf->value[RWY_ATTR_VLAN]);
		break;
	case IFLA_VF_VLAN_LIST:
		take_vlan_list(attr, vf->value[RWY_ATTR_VLAN]);
		break;
	case IFLA_VF_RATE:
		take_rate(attr, vf->value[RWY_ATTR_RATE]);
		break;
	case IFLA_VF_SPOOFCHK:
		take_switch(attr, vf->value[RWY_ATTR_SPOOFCHK]);
		break;
	case IFLA_VF_TRUST:
		take_switch(attr, vf->value[RWY_ATTR_TRUST]);
		break;
	case IFLA_VF_RSS_QUERY_EN:
		take_switch(attr, vf->value[RWY_ATTR_RSS_QUERY]);
		break;
	case IFLA_VF_LINK_STATE:
		take_link_state(attr, vf->value[RWY_ATTR_LINK_STATE]);
		break;
	case IFLA_VF_IB_NODE_GUID:
		take_guid(attr, vf->value[RWY_ATTR_NODE_GUID]);
		break;
	case IFLA_VF_IB_PORT_GUID:
		take_guid(attr, vf->value[RWY_ATTR_PORT_GUID]);
		break;
	case IFLA_VF_STATS:
		take_counters(attr, vf);
		break;
	}
}

/* The VF's number is in all that is said of it, and first the address. */
static struct rwy_vf *find_vf(const struct nlattr *info, struct rwy_pf *pf)
{
	struct span span = inside(info);

	for (const struct nlattr *attr; (attr = next(&span));) {
		const struct ifla_vf_mac *mac = payload(attr, sizeof(*mac));

		if (mnl_attr_get_type(attr) == IFLA_VF_MAC && mac && mac->vf < pf->nr_vfs)
			return &pf->vfs[mac->vf];
	}
	return NULL;
}

/* As many as there should be. The list's own length is no help: it may have wrapped. */
static unsigned take_list(struct span span, unsigned nr, struct rwy_pf *pf)
{
	const struct nlattr *info;
	unsigned taken = 0;

	while (taken < nr && (info = next(&span)) && mnl_attr_get_type(info) == IFLA_VF_INFO) {
		struct rwy_vf *vf = find_vf(info, pf);
		struct span values = inside(info);

		taken++;
		for (const struct nlattr *attr; vf && (attr = next(&values));)
			take_value(attr, vf);
	}
	return taken;
}

static int take_answer(const struct nlmsghdr *head, size_t len, struct rwy_pf *pf)
{
	struct span span = {(const char *)head + NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			    (const char *)head + len};
	unsigned nr = 0, taken = 0;
	bool listed = false;

	if (head->nlmsg_type != RTM_NEWLINK || span.at > span.end)
		return -EBADMSG;
	while (!listed && span.end - span.at >= (ptrdiff_t)sizeof(struct nlattr)) {
		const struct nlattr *attr = (const struct nlattr *)span.at;

		listed = mnl_attr_get_type(attr) == IFLA_VFINFO_LIST;
		if (listed) {
			span.at += sizeof(*attr);
			taken = take_list(span, nr, pf);
		} else if (!next(&span)) {
			return -EBADMSG;
		} else if (mnl_attr_get_type(attr) == IFLA_NUM_VF && payload(attr, sizeof(nr))) {
			nr = mnl_attr_get_u32(attr);
		}
	}
	/* A driver that can set nothing has no list. */
	if (nr >= pf->nr_vfs && (listed ? taken == nr : span.at == span.end))
		return 0;
	rwy_warn("%s: the kernel told of %u VFs of %u", pf->netdev, taken, pf->nr_vfs);
	return -EBADMSG;
}

int rwy_vf_link_read(struct rwy_vf_link *link, struct rwy_pf *pf, bool counters)
{
	char request[REQUEST_LEN];
	struct nlmsghdr *head;
	size_t len;
	int err;

	if (!pf->ifindex || !pf->nr_vfs)
		return 0;
	head = begin(link, request, RTM_GETLINK, pf->ifindex);
	mnl_attr_put_u32(head, IFLA_EXT_MASK,
			 RTEXT_FILTER_VF | (counters ? 0 : RTEXT_FILTER_SKIP_STATS));
	err = ask(link, head, &len);
	return err ? err : take_answer(link->buf, len, pf);
}

/* ---- setting ---- */

static void put_switch(struct nlmsghdr *head, uint16_t type, unsigned vf, const char *text)
{
	const struct ifla_vf_spoofchk is = {vf, strcmp(text, "on") == 0};

	mnl_attr_put(head, type, sizeof(is), &is);
}

static int put_mac(struct nlmsghdr *head, unsigned vf, const char *text)
{
	struct ifla_vf_mac mac = {.vf = vf};
	int err = rwy_attr_get_mac(text, mac.mac);

	mnl_attr_put(head, IFLA_VF_MAC, sizeof(mac), &mac);
	return err;
}

/* Kernels before 4.9 know no list. */
static int put_vlan(struct nlmsghdr *head, unsigned vf, const char *text)
{
	struct rwy_attr_vlan vlan;
	int err = rwy_attr_get_vlan(text, &vlan);
	struct nlattr *list;

	if (vlan.proto == ETH_P_8021Q) {
		const struct ifla_vf_vlan plain = {vf, vlan.id, vlan.qos};

		mnl_attr_put(head, IFLA_VF_VLAN, sizeof(plain), &plain);
		return err;
	}
	const struct ifla_vf_vlan_info info = {vf, vlan.id, vlan.qos, htobe16(vlan.proto)};

	list = mnl_attr_nest_start(head, IFLA_VF_VLAN_LIST);
	mnl_attr_put(head, IFLA_VF_VLAN_INFO, sizeof(info), &info);
	mnl_attr_nest_end(head, list);
	return err;
}

static int put_rate(struct nlmsghdr *head, unsigned vf, const char *text)
{
	struct rwy_attr_rate rate;
	int err = rwy_attr_get_rate(text, &rate);
	const struct ifla_vf_rate wire = {vf, rate.min, rate.max};

	if (!err)
		mnl_attr_put(head, IFLA_VF_RATE, sizeof(wire), &wire);
	return err;
}

static void put_link_state(struct nlmsghdr *head, unsigned vf, const char *text)
{
	const struct ifla_vf_link_state state = {vf, strcmp(text, "enable") == 0    ? 1
						     : strcmp(text, "disable") == 0 ? 2
										    : 0};

	mnl_attr_put(head, IFLA_VF_LINK_STATE, sizeof(state), &state);
}

static int put_guid(struct nlmsghdr *head, uint16_t type, unsigned vf, const char *text)
{
	struct ifla_vf_guid wire = {.vf = vf};
	uint64_t guid;
	int err = rwy_attr_get_guid(text, &guid);

	wire.guid = guid;
	mnl_attr_put(head, type, sizeof(wire), &wire);
	return err;
}

static int put_value(struct nlmsghdr *head, unsigned vf, enum rwy_attr attr, const char *text)
{
	switch (attr) {
	case RWY_ATTR_MAC:
		return put_mac(head, vf, text);
	case RWY_ATTR_VLAN:
		return put_vlan(head, vf, text);
	case RWY_ATTR_RATE:
		return put_rate(head, vf, text);
	case RWY_ATTR_SPOOFCHK:
		put_switch(head, IFLA_VF_SPOOFCHK, vf, text);
		return 0;
	case RWY_ATTR_TRUST:
		put_switch(head, IFLA_VF_TRUST, vf, text);
		return 0;
	case RWY_ATTR_RSS_QUERY:
		put_switch(head, IFLA_VF_RSS_QUERY_EN, vf, text);
		return 0;
	case RWY_ATTR_LINK_STATE:
		put_link_state(head, vf, text);
		return 0;
	case RWY_ATTR_NODE_GUID:
		return put_guid(head, IFLA_VF_IB_NODE_GUID, vf, text);
	case RWY_ATTR_PORT_GUID:
		return put_guid(head, IFLA_VF_IB_PORT_GUID, vf, text);
	default:
		return -EINVAL;
	}
}

int rwy_vf_link_set(struct rwy_vf_link *link, unsigned ifindex, unsigned vf, enum rwy_attr attr,
		    const char *text)
{
	char request[REQUEST_LEN];
	struct nlmsghdr *head = begin(link, request, RTM_SETLINK, ifindex);
	struct nlattr *list = mnl_attr_nest_start(head, IFLA_VFINFO_LIST);
	struct nlattr *info = mnl_attr_nest_start(head, IFLA_VF_INFO);
	size_t len;
	int err = put_value(head, vf, attr, text);

	mnl_attr_nest_end(head, info);
	mnl_attr_nest_end(head, list);
	return err ? err : ask(link, head, &len);
}

int rwy_vf_link_set_up(struct rwy_vf_link *link, unsigned ifindex, bool up)
{
	char request[REQUEST_LEN];
	struct nlmsghdr *head = begin(link, request, RTM_NEWLINK, ifindex);
	struct ifinfomsg *info = mnl_nlmsg_get_payload(head);
	size_t len;

	info->ifi_change = IFF_UP;
	info->ifi_flags = up ? IFF_UP : 0;
	return ask(link, head, &len);
}
