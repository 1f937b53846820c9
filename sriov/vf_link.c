/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/vf_link.h"

#include "lib/log.h"
#include "sriov/pf_rule.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#define RWY_STEM "vf_link"

static struct nlmsghdr *begin(struct rwy_nl *nl, char request[RWY_NL_REQUEST], uint16_t type,
			      unsigned ifindex)
{
	struct nlmsghdr *head =
		rwy_nl_begin(nl, request, type, type == RTM_GETLINK ? 0 : NLM_F_ACK);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(head, sizeof(*info));

	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)ifindex;
	return head;
}

/* ---- what an answer says ---- */

/* All ifla_vf_* with a number of 32 bits begin alike; all ones: the driver does not have it. */
static void take_switch(const struct nlattr *attr, char *text)
{
	const struct ifla_vf_spoofchk *is = rwy_nl_payload(attr, sizeof(*is));

	if (is)
		snprintf(text, RWY_ATTR_TEXT, "%s",
			 is->setting == UINT32_MAX ? RWY_ATTR_UNSUPPORTED
			 : is->setting		   ? "on"
						   : "off");
}

static void take_vlan(const struct nlattr *attr, char *text)
{
	const struct ifla_vf_vlan *vlan = rwy_nl_payload(attr, sizeof(*vlan));

	if (vlan && !text[0]) /* the list says more */
		rwy_attr_put_vlan(text, (struct rwy_attr_vlan){(uint16_t)vlan->vlan,
							       (uint8_t)vlan->qos, ETH_P_8021Q});
}

static void take_vlan_list(const struct nlattr *attr, char *text)
{
	struct rwy_nl_span span = rwy_nl_inside(attr);
	const struct nlattr *first = rwy_nl_next(&span);
	const struct ifla_vf_vlan_info *vlan = first ? rwy_nl_payload(first, sizeof(*vlan)) : NULL;

	if (vlan)
		rwy_attr_put_vlan(text,
				  (struct rwy_attr_vlan){(uint16_t)vlan->vlan, (uint8_t)vlan->qos,
							 be16toh(vlan->vlan_proto)});
}

static void take_rate(const struct nlattr *attr, char *text)
{
	const struct ifla_vf_rate *rate = rwy_nl_payload(attr, sizeof(*rate));

	if (rate)
		rwy_attr_put_rate(text,
				  (struct rwy_attr_rate){rate->min_tx_rate, rate->max_tx_rate});
}

static void take_link_state(const struct nlattr *attr, char *text)
{
	static const char *const names[] = {"auto", "enable", "disable"};
	const struct ifla_vf_link_state *state = rwy_nl_payload(attr, sizeof(*state));

	if (state && state->link_state < RWY_ARRAY_SIZE(names))
		strcpy(text, names[state->link_state]);
}

static void take_guid(const struct nlattr *attr, char *text)
{
	struct ifla_vf_guid guid;

	if (!rwy_nl_payload(attr, sizeof(guid)))
		return;
	memcpy(&guid, rwy_nl_payload(attr, sizeof(guid)), sizeof(guid));
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
	struct rwy_nl_span span = rwy_nl_inside(attr);

	for (const struct nlattr *one; (one = rwy_nl_next(&span));) {
		unsigned type = mnl_attr_get_type(one);

		if (type >= RWY_ARRAY_SIZE(counters) || type == IFLA_VF_STATS_PAD ||
		    !rwy_nl_payload(one, sizeof(uint64_t)))
			continue;
		memcpy(&vf->counter[counters[type]], rwy_nl_payload(one, sizeof(uint64_t)),
		       sizeof(uint64_t));
		vf->counted |= 1u << counters[type];
	}
}

static void take_value(const struct nlattr *attr, struct rwy_vf *vf)
{
	const struct ifla_vf_mac *mac;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_VF_MAC:
		mac = rwy_nl_payload(attr, sizeof(*mac));
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
	struct rwy_nl_span span = rwy_nl_inside(info);

	for (const struct nlattr *attr; (attr = rwy_nl_next(&span));) {
		const struct ifla_vf_mac *mac = rwy_nl_payload(attr, sizeof(*mac));

		if (mnl_attr_get_type(attr) == IFLA_VF_MAC && mac && mac->vf < pf->nr_vfs)
			return &pf->vfs[mac->vf];
	}
	return NULL;
}

/* As many as there should be. The list's own length is no help: it may have wrapped. */
static unsigned take_list(struct rwy_nl_span span, unsigned nr, struct rwy_pf *pf)
{
	const struct nlattr *info;
	unsigned taken = 0;

	while (taken < nr && (info = rwy_nl_next(&span)) &&
	       mnl_attr_get_type(info) == IFLA_VF_INFO) {
		struct rwy_vf *vf = find_vf(info, pf);
		struct rwy_nl_span values = rwy_nl_inside(info);

		taken++;
		for (const struct nlattr *attr; vf && (attr = rwy_nl_next(&values));)
			take_value(attr, vf);
	}
	return taken;
}

static int take_answer(void *ctx, const struct nlmsghdr *head, size_t len)
{
	struct rwy_nl_span span = rwy_nl_body(head, len, sizeof(struct ifinfomsg));
	struct rwy_pf *pf = ctx;
	unsigned nr = 0, taken = 0;
	bool listed = false;

	if (head->nlmsg_type != RTM_NEWLINK || len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
		return -EBADMSG;
	while (!listed && span.end - span.at >= (ptrdiff_t)sizeof(struct nlattr)) {
		const struct nlattr *attr = (const struct nlattr *)span.at;

		listed = mnl_attr_get_type(attr) == IFLA_VFINFO_LIST;
		if (listed) {
			span.at += sizeof(*attr);
			taken = take_list(span, nr, pf);
		} else if (!rwy_nl_next(&span)) {
			return -EBADMSG;
		} else if (mnl_attr_get_type(attr) == IFLA_NUM_VF &&
			   rwy_nl_payload(attr, sizeof(nr))) {
			nr = mnl_attr_get_u32(attr);
		}
	}
	/* A driver that can set nothing has no list. */
	if (nr >= pf->nr_vfs && (listed ? taken == nr : span.at == span.end))
		return 0;
	rwy_warn("%s: the kernel told of %u VFs of %u", pf->netdev, taken, pf->nr_vfs);
	return -EBADMSG;
}

static int ask(struct rwy_nl *nl, struct rwy_pf *pf, bool counters)
{
	char request[RWY_NL_REQUEST];
	struct nlmsghdr *head = begin(nl, request, RTM_GETLINK, pf->ifindex);

	mnl_attr_put_u32(head, IFLA_EXT_MASK,
			 RTEXT_FILTER_VF | (counters ? 0 : RTEXT_FILTER_SKIP_STATS));
	return rwy_nl_ask(nl, RWY_SRIOV_ROUTE, head, take_answer, pf);
}

int rwy_vf_link_read(struct rwy_nl *nl, struct rwy_pf *pf, bool counters)
{
	int err;

	if (!pf->ifindex || !pf->nr_vfs)
		return 0;
	pf->uncounted = counters && rwy_pf_rule_of(pf->driver)->no_counters;
	counters = counters && !pf->uncounted;
	err = ask(nl, pf, counters);
	/* Counters are most of it, and not worth that nothing is known. */
	if (err != -EMSGSIZE || !counters)
		return err;
	rwy_warn("%s: the counters of %u VFs are too long for the kernel", pf->netdev, pf->nr_vfs);
	return ask(nl, pf, false);
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

int rwy_vf_link_set(struct rwy_nl *nl, unsigned ifindex, unsigned vf, enum rwy_attr attr,
		    const char *text)
{
	char request[RWY_NL_REQUEST];
	struct nlmsghdr *head = begin(nl, request, RTM_SETLINK, ifindex);
	struct nlattr *list = mnl_attr_nest_start(head, IFLA_VFINFO_LIST);
	struct nlattr *info = mnl_attr_nest_start(head, IFLA_VF_INFO);
	int err = put_value(head, vf, attr, text);

	mnl_attr_nest_end(head, info);
	mnl_attr_nest_end(head, list);
	return err ? err : rwy_nl_ask(nl, RWY_SRIOV_ROUTE, head, NULL, NULL);
}

int rwy_vf_link_set_up(struct rwy_nl *nl, unsigned ifindex, bool up)
{
	char request[RWY_NL_REQUEST];
	struct nlmsghdr *head = begin(nl, request, RTM_NEWLINK, ifindex);
	struct ifinfomsg *info = mnl_nlmsg_get_payload(head);

	info->ifi_change = IFF_UP;
	info->ifi_flags = up ? IFF_UP : 0;
	return rwy_nl_ask(nl, RWY_SRIOV_ROUTE, head, NULL, NULL);
}
