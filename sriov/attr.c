/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/attr.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

struct row {
	const char *name;
	bool link, devlink, nvme, live, action, deferred, upheaval, address;
};

static const struct row rows[RWY_ATTR_NR] = {
	[RWY_ATTR_UP] = {.name = "up", .live = true},
	[RWY_ATTR_AUTOPROBE] = {.name = "autoprobe", .live = true},
	[RWY_ATTR_NUMVFS] = {.name = "numvfs", .upheaval = true},
	[RWY_ATTR_ESWITCH] = {.name = "eswitch", .devlink = true, .upheaval = true},
	[RWY_ATTR_KEPT_QUEUES] = {.name = "kept_queues", .nvme = true, .deferred = true},
	[RWY_ATTR_KEPT_INTERRUPTS] = {.name = "kept_interrupts", .nvme = true, .deferred = true},
	[RWY_ATTR_PF_RESET] = {.name = "pf_reset", .action = true},
	[RWY_ATTR_OVERRIDE] = {.name = "override"},
	[RWY_ATTR_MSIX] = {.name = "msix"},
	[RWY_ATTR_MAC] = {.name = "mac", .link = true, .address = true},
	[RWY_ATTR_VLAN] = {.name = "vlan", .link = true, .live = true},
	[RWY_ATTR_RATE] = {.name = "rate", .link = true, .live = true},
	[RWY_ATTR_SPOOFCHK] = {.name = "spoofchk", .link = true, .live = true},
	[RWY_ATTR_TRUST] = {.name = "trust", .link = true, .live = true},
	[RWY_ATTR_RSS_QUERY] = {.name = "rss_query", .link = true, .live = true},
	[RWY_ATTR_LINK_STATE] = {.name = "link_state", .link = true, .live = true},
	[RWY_ATTR_NODE_GUID] = {.name = "node_guid", .link = true, .address = true},
	[RWY_ATTR_PORT_GUID] = {.name = "port_guid", .link = true, .address = true},
	[RWY_ATTR_HW_ADDR] = {.name = "hw_addr", .devlink = true, .address = true},
	[RWY_ATTR_ROCE] = {.name = "roce", .devlink = true},
	[RWY_ATTR_MIGRATABLE] = {.name = "migratable", .devlink = true},
	[RWY_ATTR_IPSEC_CRYPTO] = {.name = "ipsec_crypto", .devlink = true},
	[RWY_ATTR_IPSEC_PACKET] = {.name = "ipsec_packet", .devlink = true},
	[RWY_ATTR_MAX_IO_EQS] = {.name = "max_io_eqs", .devlink = true},
	[RWY_ATTR_TX_SHARE] = {.name = "tx_share", .devlink = true, .live = true},
	[RWY_ATTR_TX_MAX] = {.name = "tx_max", .devlink = true, .live = true},
	[RWY_ATTR_STATE] = {.name = "state", .devlink = true},
	[RWY_ATTR_QUEUES] = {.name = "queues", .nvme = true},
	[RWY_ATTR_INTERRUPTS] = {.name = "interrupts", .nvme = true},
	[RWY_ATTR_RESET] = {.name = "reset", .action = true},
	[RWY_ATTR_ONLINE] = {.name = "online", .nvme = true},
	[RWY_ATTR_DRIVER] = {.name = "driver"},
};

const char *rwy_attr_name(enum rwy_attr attr)
{
	return rows[attr].name;
}

enum rwy_attr rwy_attr_find(const char *name)
{
	unsigned attr = 0;

	while (attr < RWY_ATTR_NR && strcmp(rows[attr].name, name) != 0)
		attr++;
	return attr;
}

bool rwy_attr_of_link(enum rwy_attr attr)
{
	return rows[attr].link;
}

bool rwy_attr_of_devlink(enum rwy_attr attr)
{
	return rows[attr].devlink;
}

bool rwy_attr_of_nvme(enum rwy_attr attr)
{
	return rows[attr].nvme;
}

bool rwy_attr_is_action(enum rwy_attr attr)
{
	return rows[attr].action;
}

bool rwy_attr_is_upheaval(enum rwy_attr attr)
{
	return rows[attr].upheaval;
}

bool rwy_attr_is_deferred(enum rwy_attr attr)
{
	return rows[attr].deferred;
}

bool rwy_attr_is_live(enum rwy_attr attr)
{
	return rows[attr].live;
}

bool rwy_attr_is_address(enum rwy_attr attr)
{
	return rows[attr].address;
}

bool rwy_attr_is_unset(enum rwy_attr attr, const char *text)
{
	return rows[attr].address && text[0] && text[strspn(text, "0:")] == '\0';
}

void rwy_attr_put_vlan(char text[RWY_ATTR_TEXT], struct rwy_attr_vlan vlan)
{
	if (vlan.id == 0 && vlan.qos == 0)
		snprintf(text, RWY_ATTR_TEXT, "off");
	else
		snprintf(text, RWY_ATTR_TEXT, "%u,qos=%u,proto=802.1%s", vlan.id, vlan.qos,
			 vlan.proto == ETH_P_8021AD ? "ad" : "q");
}

int rwy_attr_get_vlan(const char *text, struct rwy_attr_vlan *vlan)
{
	unsigned id, qos;
	char proto[3];

	*vlan = (struct rwy_attr_vlan){.proto = ETH_P_8021Q};
	if (strcmp(text, "off") == 0)
		return 0;
	if (sscanf(text, "%u,qos=%u,proto=802.1%2s", &id, &qos, proto) != 3 || id > 4094 || qos > 7)
		return -EINVAL;
	vlan->id = (uint16_t)id;
	vlan->qos = (uint8_t)qos;
	if (strcmp(proto, "ad") == 0)
		vlan->proto = ETH_P_8021AD;
	return 0;
}

void rwy_attr_put_rate(char text[RWY_ATTR_TEXT], struct rwy_attr_rate rate)
{
	snprintf(text, RWY_ATTR_TEXT, "%u-%u", rate.min, rate.max);
}

int rwy_attr_get_rate(const char *text, struct rwy_attr_rate *rate)
{
	return sscanf(text, "%u-%u", &rate->min, &rate->max) == 2 ? 0 : -EINVAL;
}

void rwy_attr_put_mac(char text[RWY_ATTR_TEXT], const uint8_t mac[6])
{
	snprintf(text, RWY_ATTR_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
}

int rwy_attr_get_mac(const char *text, uint8_t mac[6])
{
	unsigned n[6];

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &n[0], &n[1], &n[2], &n[3], &n[4], &n[5]) != 6)
		return -EINVAL;
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)n[i];
	return 0;
}

void rwy_attr_put_guid(char text[RWY_ATTR_TEXT], uint64_t guid)
{
	for (unsigned i = 0; i < 8; i++)
		snprintf(text + 3 * i, 4, "%02x%s", (unsigned)(guid >> (56 - 8 * i)) & 0xff,
			 i < 7 ? ":" : "");
}

int rwy_attr_get_guid(const char *text, uint64_t *guid)
{
	*guid = 0;
	for (unsigned i = 0; i < 8; i++) {
		unsigned byte;

		if (sscanf(text + 3 * i, "%2x", &byte) != 1 || text[3 * i + 2] != (i < 7 ? ':' : 0))
			return -EINVAL;
		*guid = *guid << 8 | byte;
	}
	return 0;
}
