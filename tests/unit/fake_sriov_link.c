/* SPDX-License-Identifier: BSD-3-Clause */
/* What the model's interfaces say of VFs, and what can be set on them. */
#include "tests/unit/fake_sriov_kernel.h"

#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

static uint32_t as_switch(const char *text)
{
	return strcmp(text, RWY_ATTR_UNSUPPORTED) == 0 ? UINT32_MAX : strcmp(text, "on") == 0;
}

static void put_switch(struct nlmsghdr *head, uint16_t type, unsigned vf, const char *text)
{
	const uint32_t pair[2] = {vf, as_switch(text)};

	mnl_attr_put(head, type, sizeof(pair), pair);
}

static void put_guid(struct nlmsghdr *head, uint16_t type, unsigned vf, const char *text)
{
	struct ifla_vf_guid wire = {.vf = vf};
	uint64_t guid;

	if (!text[0])
		return;
	assert_int_equal(rwy_attr_get_guid(text, &guid), 0);
	wire.guid = guid;
	mnl_attr_put(head, type, sizeof(wire), &wire);
}

static void put_vf(struct nlmsghdr *head, unsigned vf, rwy_attr_values values, bool counters)
{
	struct ifla_vf_mac mac = {.vf = vf};
	struct rwy_attr_vlan vlan;
	struct rwy_attr_rate rate;
	uint32_t state = 0;

	assert_int_equal(rwy_attr_get_mac(values[RWY_ATTR_MAC], mac.mac), 0);
	assert_int_equal(rwy_attr_get_vlan(values[RWY_ATTR_VLAN], &vlan), 0);
	assert_int_equal(rwy_attr_get_rate(values[RWY_ATTR_RATE], &rate), 0);
	if (strcmp(values[RWY_ATTR_LINK_STATE], "auto") != 0)
		state = strcmp(values[RWY_ATTR_LINK_STATE], "enable") == 0 ? 1 : 2;
	const struct ifla_vf_broadcast broadcast = {{0}};
	const struct ifla_vf_vlan plain = {vf, vlan.id, vlan.qos};
	const struct ifla_vf_vlan_info info = {vf, vlan.id, vlan.qos, htobe16(vlan.proto)};
	const struct ifla_vf_rate rates = {vf, rate.min, rate.max};
	const struct ifla_vf_tx_rate old_rate = {vf, rate.max};
	const struct ifla_vf_link_state link = {vf, state};
	struct nlattr *nest = mnl_attr_nest_start(head, IFLA_VF_INFO), *inner;

	mnl_attr_put(head, IFLA_VF_MAC, sizeof(mac), &mac);
	mnl_attr_put(head, IFLA_VF_BROADCAST, sizeof(broadcast), &broadcast);
	mnl_attr_put(head, IFLA_VF_VLAN, sizeof(plain), &plain);
	mnl_attr_put(head, IFLA_VF_RATE, sizeof(rates), &rates);
	mnl_attr_put(head, IFLA_VF_TX_RATE, sizeof(old_rate), &old_rate);
	put_switch(head, IFLA_VF_SPOOFCHK, vf, values[RWY_ATTR_SPOOFCHK]);
	mnl_attr_put(head, IFLA_VF_LINK_STATE, sizeof(link), &link);
	put_switch(head, IFLA_VF_RSS_QUERY_EN, vf, values[RWY_ATTR_RSS_QUERY]);
	put_switch(head, IFLA_VF_TRUST, vf, values[RWY_ATTR_TRUST]);
	put_guid(head, IFLA_VF_IB_NODE_GUID, vf, values[RWY_ATTR_NODE_GUID]);
	put_guid(head, IFLA_VF_IB_PORT_GUID, vf, values[RWY_ATTR_PORT_GUID]);
	inner = mnl_attr_nest_start(head, IFLA_VF_VLAN_LIST);
	mnl_attr_put(head, IFLA_VF_VLAN_INFO, sizeof(info), &info);
	mnl_attr_nest_end(head, inner);
	if (counters) {
		inner = mnl_attr_nest_start(head, IFLA_VF_STATS);
		for (uint16_t i = 0; i <= IFLA_VF_STATS_MAX; i++)
			if (i != IFLA_VF_STATS_PAD)
				mnl_attr_put_u64(head, i, 1000 * vf + i);
		mnl_attr_nest_end(head, inner);
	}
	mnl_attr_nest_end(head, nest);
}

void fake_sriov_kernel_answer(struct fake_sriov_kernel *kernel, const struct fake_sriov_pf *pf,
			      uint32_t seq, bool counters)
{
	struct nlmsghdr *head = mnl_nlmsg_put_header(kernel->answer);
	struct ifinfomsg *info;
	struct nlattr *list;

	head->nlmsg_type = RTM_NEWLINK;
	head->nlmsg_seq = seq;
	info = mnl_nlmsg_put_extra_header(head, sizeof(*info));
	info->ifi_index = (int)pf->ifindex;
	mnl_attr_put_strz(head, IFLA_IFNAME, "whatever");
	mnl_attr_put_u32(head, IFLA_NUM_VF, pf->nr_vfs);
	list = mnl_attr_nest_start(head, IFLA_VFINFO_LIST);
	for (unsigned i = 0; i < pf->nr_vfs; i++)
		put_vf(head, i, (void *)pf->vfs[i], counters);
	mnl_attr_nest_end(head, list); /* wraps, as the kernel's does */
	mnl_attr_put_u32(head, IFLA_GROUP, 0);
	kernel->answer_len = head->nlmsg_len;
}

static int set_switch(char *text, uint32_t setting)
{
	if (strcmp(text, RWY_ATTR_UNSUPPORTED) == 0)
		return -EOPNOTSUPP;
	strcpy(text, setting ? "on" : "off");
	return 0;
}

static int set_value(struct fake_sriov_pf *pf, const struct nlattr *attr)
{
	const uint32_t *words = mnl_attr_get_payload(attr);
	static const char *const states[] = {"auto", "enable", "disable"};
	struct ifla_vf_guid guid;
	rwy_attr_values *vf;

	if (mnl_attr_get_type(attr) == IFLA_VF_VLAN_LIST) {
		const struct nlattr *inner = mnl_attr_get_payload(attr);
		const struct ifla_vf_vlan_info *info = mnl_attr_get_payload(inner);

		rwy_attr_put_vlan(pf->vfs[info->vf][RWY_ATTR_VLAN],
				  (struct rwy_attr_vlan){(uint16_t)info->vlan, (uint8_t)info->qos,
							 be16toh(info->vlan_proto)});
		return 0;
	}
	if (words[0] >= pf->nr_vfs)
		return -EINVAL;
	vf = &pf->vfs[words[0]];
	switch (mnl_attr_get_type(attr)) {
	case IFLA_VF_MAC:
		rwy_attr_put_mac((*vf)[RWY_ATTR_MAC], (const uint8_t *)&words[1]);
		return 0;
	case IFLA_VF_VLAN:
		rwy_attr_put_vlan((*vf)[RWY_ATTR_VLAN],
				  (struct rwy_attr_vlan){(uint16_t)words[1], (uint8_t)words[2],
							 ETH_P_8021Q});
		return 0;
	case IFLA_VF_RATE:
		rwy_attr_put_rate((*vf)[RWY_ATTR_RATE], (struct rwy_attr_rate){words[1], words[2]});
		return 0;
	case IFLA_VF_SPOOFCHK:
		return set_switch((*vf)[RWY_ATTR_SPOOFCHK], words[1]);
	case IFLA_VF_TRUST:
		return set_switch((*vf)[RWY_ATTR_TRUST], words[1]);
	case IFLA_VF_RSS_QUERY_EN:
		return set_switch((*vf)[RWY_ATTR_RSS_QUERY], words[1]);
	case IFLA_VF_LINK_STATE:
		strcpy((*vf)[RWY_ATTR_LINK_STATE], states[words[1]]);
		return 0;
	case IFLA_VF_IB_NODE_GUID:
	case IFLA_VF_IB_PORT_GUID:
		if (!(*vf)[RWY_ATTR_NODE_GUID][0])
			return -EOPNOTSUPP;
		memcpy(&guid, words, sizeof(guid));
		rwy_attr_put_guid(
			(*vf)[mnl_attr_get_type(attr) == IFLA_VF_IB_NODE_GUID ? RWY_ATTR_NODE_GUID
									      : RWY_ATTR_PORT_GUID],
			guid.guid);
		return 0;
	}
	return -EINVAL;
}

static int refuse_rates(const struct nlmsghdr *head)
{
	const struct nlattr *list, *vf, *attr;

	mnl_attr_for_each(list, head, sizeof(struct ifinfomsg)) mnl_attr_for_each_nested(vf, list)
		mnl_attr_for_each_nested(attr, vf) if (mnl_attr_get_type(attr) ==
						       IFLA_VF_RATE) return -EINVAL;
	return 0;
}

static int set_link(struct fake_sriov_kernel *kernel, struct fake_sriov_pf *pf,
		    const struct nlmsghdr *head)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(head);
	const struct nlattr *list, *vf, *attr;
	char name[128];
	int rc;

	if (kernel->not_ready) {
		kernel->not_ready--;
		return strcmp(pf->card->driver, "ice") == 0 ? -EBUSY : -EAGAIN;
	}
	rc = fake_sriov_kernel_begin(kernel);
	if (rc <= 0)
		return rc;
	if (info->ifi_change & IFF_UP) {
		snprintf(name, sizeof(name), "/sys/bus/pci/devices/%s/net/%s%u/flags", pf->bdf,
			 pf->card->netdev, pf->ifindex);
		fake_root_write(kernel->sys.root, name,
				info->ifi_flags & IFF_UP ? "0x1003\n" : "0x1002\n");
	}
	rc = 0;
	if (fake_sriov_kernel_resets(pf) && kernel->down == pf)
		rc = refuse_rates(head);
	mnl_attr_for_each(list, head, sizeof(*info)) mnl_attr_for_each_nested(vf, list)
		mnl_attr_for_each_nested(attr, vf) rc = rc ? rc : set_value(pf, attr);
	fake_sriov_kernel_end(kernel);
	return rc;
}

static void acknowledge(struct fake_sriov_kernel *kernel, const struct nlmsghdr *request, int err)
{
	struct nlmsghdr *head = mnl_nlmsg_put_header(kernel->answer);
	struct nlmsgerr *error;

	head->nlmsg_type = NLMSG_ERROR;
	head->nlmsg_seq = request->nlmsg_seq;
	error = mnl_nlmsg_put_extra_header(head, sizeof(*error));
	error->error = err;
	error->msg = *request;
	kernel->answer_len = head->nlmsg_len;
}

static void answer(struct fake_sriov_kernel *kernel, const struct nlmsghdr *head)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(head);
	const struct nlattr *attr;
	struct fake_sriov_pf *pf = NULL;

	for (unsigned i = 0; i < kernel->nr_pfs; i++)
		if (kernel->pfs[i].ifindex == (unsigned)info->ifi_index)
			pf = &kernel->pfs[i];
	if (!pf) {
		acknowledge(kernel, head, -ENODEV);
	} else if (head->nlmsg_type != RTM_GETLINK) {
		acknowledge(kernel, head, set_link(kernel, pf, head));
	} else {
		kernel->counters = true;
		mnl_attr_for_each(attr, head,
				  sizeof(*info)) if (mnl_attr_get_type(attr) == IFLA_EXT_MASK &&
						     mnl_attr_get_u32(attr) &
							     RTEXT_FILTER_SKIP_STATS)
			kernel->counters = false;
		if (kernel->counters && kernel->too_long)
			acknowledge(kernel, head, -EMSGSIZE);
		else
			fake_sriov_kernel_answer(kernel, pf, head->nlmsg_seq, kernel->counters);
	}
}

ssize_t fake_sriov_link_send(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire,
			     const void *message, size_t len)
{
	assert_true(mnl_nlmsg_ok(message, (int)len));
	if (wire == RWY_SRIOV_GENERIC)
		fake_sriov_devlink_send(sys->ctx, message);
	else
		answer(sys->ctx, message);
	return (ssize_t)len;
}

ssize_t fake_sriov_link_recv(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire, void *buf,
			     size_t len, int flags)
{
	struct fake_sriov_kernel *kernel = sys->ctx;
	size_t part = RWY_MIN(len, kernel->answer_len);

	if (wire == RWY_SRIOV_GENERIC)
		return fake_sriov_devlink_recv(kernel, buf, len, flags);
	if (!kernel->answer_len)
		return -EAGAIN;
	if (part)
		memcpy(buf, kernel->answer, part);
	if (flags & MSG_TRUNC)
		part = kernel->answer_len;
	if (!(flags & MSG_PEEK))
		kernel->answer_len = 0;
	return (ssize_t)part;
}
