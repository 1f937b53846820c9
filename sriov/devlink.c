/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/devlink.h"

#include <errno.h>
#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUS   "pci"
#define TRIES 3 /* at a list that changes while it is told */

/* Since Linux 6.2, a struct nla_bitfield32; and since 6.10. */
#define FN_ATTR_CAPS	   4
#define FN_ATTR_MAX_IO_EQS 6

/* Rates are bytes a second on the wire. */
#define BYTES_OF_MBIT 125000u

/* ---- messages ---- */

static int take_family(void *ctx, const struct nlmsghdr *message, size_t len)
{
	const uint16_t *id =
		rwy_nl_payload(rwy_nl_find(rwy_nl_body(message, len, sizeof(struct genlmsghdr)),
					   CTRL_ATTR_FAMILY_ID),
			       sizeof(*id));

	if (!id)
		return -EBADMSG;
	*(int *)ctx = *id;
	return 0;
}

static struct nlmsghdr *begin_generic(struct rwy_nl *nl, char request[RWY_NL_REQUEST],
				      uint16_t family, uint8_t command, uint16_t flags)
{
	struct nlmsghdr *head = rwy_nl_begin(nl, request, family, flags);
	struct genlmsghdr *generic = mnl_nlmsg_put_extra_header(head, sizeof(*generic));

	generic->cmd = command;
	generic->version = 1;
	return head;
}

/* Asked for once. */
static int find_family(struct rwy_nl *nl)
{
	char request[RWY_NL_REQUEST];
	struct nlmsghdr *head;
	int err;

	if (nl->devlink)
		return RWY_MIN(nl->devlink, 0);
	head = begin_generic(nl, request, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	mnl_attr_put_strz(head, CTRL_ATTR_FAMILY_NAME, DEVLINK_GENL_NAME);
	err = rwy_nl_ask(nl, RWY_SRIOV_GENERIC, head, take_family, &nl->devlink);
	if (err)
		nl->devlink = err;
	return err;
}

/* About this function; the family must be known. */
static struct nlmsghdr *begin(struct rwy_nl *nl, char request[RWY_NL_REQUEST], uint8_t command,
			      uint16_t flags, const char *bdf)
{
	struct nlmsghdr *head = begin_generic(nl, request, (uint16_t)nl->devlink, command, flags);

	mnl_attr_put_strz(head, DEVLINK_ATTR_BUS_NAME, BUS);
	mnl_attr_put_strz(head, DEVLINK_ATTR_DEV_NAME, bdf);
	return head;
}

/* A number of just this length. */
static bool get(struct rwy_nl_span body, uint16_t type, void *number, size_t len)
{
	const struct nlattr *attr = rwy_nl_find(body, type);

	if (!attr || mnl_attr_get_payload_len(attr) != len)
		return false;
	memcpy(number, mnl_attr_get_payload(attr), len);
	return true;
}

static bool get_text(struct rwy_nl_span body, uint16_t type, char *text, size_t room)
{
	const struct nlattr *attr = rwy_nl_find(body, type);
	size_t len = attr ? mnl_attr_get_payload_len(attr) : 0;

	if (!len || len > room || memchr(mnl_attr_get_payload(attr), '\0', len) == NULL)
		return false;
	memcpy(text, mnl_attr_get_payload(attr), len);
	return true;
}

/* Older kernels tell of all devices, whichever is asked for. */
static bool is_of(struct rwy_nl_span body, const char *bdf)
{
	char bus[sizeof(BUS)], name[RWY_BDF_LEN];

	return get_text(body, DEVLINK_ATTR_BUS_NAME, bus, sizeof(bus)) && strcmp(bus, BUS) == 0 &&
	       get_text(body, DEVLINK_ATTR_DEV_NAME, name, sizeof(name)) && strcmp(name, bdf) == 0;
}

/* The number of the VF that this is the port of, -1: of none. */
static int vf_of(struct rwy_nl_span body, const char *bdf)
{
	uint16_t flavour, vf;
	uint8_t external = 0;

	if (!is_of(body, bdf) || !get(body, DEVLINK_ATTR_PORT_FLAVOUR, &flavour, sizeof(flavour)) ||
	    flavour != DEVLINK_PORT_FLAVOUR_PCI_VF ||
	    !get(body, DEVLINK_ATTR_PORT_PCI_VF_NUMBER, &vf, sizeof(vf)))
		return -1;
	/* That of another host, behind the same card. */
	(void)get(body, DEVLINK_ATTR_PORT_EXTERNAL, &external, sizeof(external));
	return external ? -1 : vf;
}

/* ---- reading ---- */

static const char *const modes[] = {
	[DEVLINK_ESWITCH_MODE_LEGACY] = "legacy",
	[DEVLINK_ESWITCH_MODE_SWITCHDEV] = "switchdev",
};

static int take_mode(void *ctx, const struct nlmsghdr *message, size_t len)
{
	struct rwy_nl_span body = rwy_nl_body(message, len, sizeof(struct genlmsghdr));
	uint16_t mode;

	if (!get(body, DEVLINK_ATTR_ESWITCH_MODE, &mode, sizeof(mode)) ||
	    mode >= RWY_ARRAY_SIZE(modes))
		return -EBADMSG;
	strcpy(ctx, modes[mode]);
	return 0;
}

/* "unsupported" where there is no switch, and -ENODEV where there is no devlink either; empty where
 * only root may ask. */
static int read_mode(struct rwy_nl *nl, const char *bdf, char text[RWY_ATTR_TEXT])
{
	char request[RWY_NL_REQUEST];
	int err = find_family(nl);

	strcpy(text, RWY_ATTR_UNSUPPORTED);
	if (!err)
		err = rwy_nl_ask(nl, RWY_SRIOV_GENERIC,
				 begin(nl, request, DEVLINK_CMD_ESWITCH_GET, 0, bdf), take_mode,
				 text);
	if (err == -EPERM)
		text[0] = '\0';
	if (err == -ENOENT)
		return -ENODEV;
	return err == -EOPNOTSUPP || err == -EPERM ? 0 : err;
}

/* By the number of the bit. */
static const enum rwy_attr caps[] = {RWY_ATTR_ROCE, RWY_ATTR_MIGRATABLE, RWY_ATTR_IPSEC_CRYPTO,
				     RWY_ATTR_IPSEC_PACKET};

static void take_caps(struct rwy_nl_span function, rwy_attr_values value)
{
	struct nla_bitfield32 bits;

	if (!get(function, FN_ATTR_CAPS, &bits, sizeof(bits)))
		return;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(caps); i++)
		if (bits.selector & 1u << i)
			strcpy(value[caps[i]], bits.value & 1u << i ? "on" : "off");
}

static int take_port(void *ctx, const struct nlmsghdr *message, size_t len)
{
	struct rwy_nl_span body = rwy_nl_body(message, len, sizeof(struct genlmsghdr));
	struct rwy_pf *pf = ctx;
	const struct nlattr *function = rwy_nl_find(body, DEVLINK_ATTR_PORT_FUNCTION);
	int idx = vf_of(body, pf->bdf);
	struct rwy_vf *vf;
	uint8_t mac[6], state;
	uint32_t eqs;

	if (idx < 0 || idx >= (int)pf->nr_vfs)
		return 0;
	vf = &pf->vfs[idx];
	vf->ported = get(body, DEVLINK_ATTR_PORT_INDEX, &vf->port, sizeof(vf->port));
	(void)get_text(body, DEVLINK_ATTR_PORT_NETDEV_NAME, vf->representor,
		       sizeof(vf->representor));
	if (!function)
		return 0;
	body = rwy_nl_inside(function);
	if (get(body, DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR, mac, sizeof(mac)))
		rwy_attr_put_mac(vf->value[RWY_ATTR_HW_ADDR], mac);
	if (get(body, DEVLINK_PORT_FN_ATTR_STATE, &state, sizeof(state)))
		strcpy(vf->value[RWY_ATTR_STATE],
		       state == DEVLINK_PORT_FN_STATE_ACTIVE ? "active" : "inactive");
	if (get(body, FN_ATTR_MAX_IO_EQS, &eqs, sizeof(eqs)))
		snprintf(vf->value[RWY_ATTR_MAX_IO_EQS], RWY_ATTR_TEXT, "%u", eqs);
	take_caps(body, vf->value);
	return 0;
}

static void take_bytes(struct rwy_nl_span body, uint16_t type, char text[RWY_ATTR_TEXT])
{
	uint64_t bytes;

	if (get(body, type, &bytes, sizeof(bytes)))
		snprintf(text, RWY_ATTR_TEXT, "%llu", (unsigned long long)bytes / BYTES_OF_MBIT);
}

static int take_rate(void *ctx, const struct nlmsghdr *message, size_t len)
{
	struct rwy_nl_span body = rwy_nl_body(message, len, sizeof(struct genlmsghdr));
	struct rwy_pf *pf = ctx;
	uint16_t type;
	uint32_t port;

	if (!is_of(body, pf->bdf) || !get(body, DEVLINK_ATTR_RATE_TYPE, &type, sizeof(type)) ||
	    type != DEVLINK_RATE_TYPE_LEAF ||
	    !get(body, DEVLINK_ATTR_PORT_INDEX, &port, sizeof(port)))
		return 0;
	for (unsigned i = 0; i < pf->nr_vfs; i++) {
		struct rwy_vf *vf = &pf->vfs[i];

		if (!vf->ported || vf->port != port)
			continue;
		take_bytes(body, DEVLINK_ATTR_RATE_TX_SHARE, vf->value[RWY_ATTR_TX_SHARE]);
		take_bytes(body, DEVLINK_ATTR_RATE_TX_MAX, vf->value[RWY_ATTR_TX_MAX]);
	}
	return 0;
}

static int dump(struct rwy_nl *nl, uint8_t command, const char *bdf, rwy_nl_take *take, void *ctx)
{
	char request[RWY_NL_REQUEST];
	int err = -EINTR;

	for (unsigned i = 0; err == -EINTR && i < TRIES; i++)
		err = rwy_nl_ask(nl, RWY_SRIOV_GENERIC,
				 begin(nl, request, command, NLM_F_DUMP, bdf), take, ctx);
	return err;
}

int rwy_devlink_read(struct rwy_nl *nl, struct rwy_pf *pf)
{
	int err = read_mode(nl, pf->bdf, pf->value[RWY_ATTR_ESWITCH]);

	for (unsigned i = 0; i < pf->nr_vfs; i++)
		for (enum rwy_attr attr = RWY_ATTR_OF_PF; attr < RWY_ATTR_NR; attr++)
			if (rwy_attr_of_devlink(attr))
				strcpy(pf->vfs[i].value[attr], RWY_ATTR_UNSUPPORTED);
	if (err == -ENODEV || pf->nr_vfs == 0)
		return err == -ENODEV ? 0 : err;
	if (!err)
		err = dump(nl, DEVLINK_CMD_PORT_GET, pf->bdf, take_port, pf);
	if (!err)
		err = dump(nl, DEVLINK_CMD_RATE_GET, pf->bdf, take_rate, pf);
	/* Kernels before 5.14 have no rates. */
	return err == -EOPNOTSUPP ? 0 : err;
}

/* ---- setting ---- */

static int set_mode(struct rwy_nl *nl, const struct rwy_vf_step *step)
{
	char request[RWY_NL_REQUEST], now[RWY_ATTR_TEXT];
	struct nlmsghdr *head;
	uint16_t mode = strcmp(step->to, modes[DEVLINK_ESWITCH_MODE_SWITCHDEV]) == 0;
	int err = read_mode(nl, step->pf, now);

	if (err || strcmp(now, RWY_ATTR_UNSUPPORTED) == 0)
		return err == -ENODEV || !err ? -EOPNOTSUPP : err;
	/* Some drivers go back by themselves, and refuse what is already so. */
	if (strcmp(now, step->to) == 0)
		return 0;
	head = begin(nl, request, DEVLINK_CMD_ESWITCH_SET, NLM_F_ACK, step->pf);
	mnl_attr_put_u16(head, DEVLINK_ATTR_ESWITCH_MODE, mode);
	return rwy_nl_ask(nl, RWY_SRIOV_GENERIC, head, NULL, NULL);
}

struct search {
	const struct rwy_vf_step *step;
	bool found;
	uint32_t port;
};

static int look_at(void *ctx, const struct nlmsghdr *message, size_t len)
{
	struct rwy_nl_span body = rwy_nl_body(message, len, sizeof(struct genlmsghdr));
	struct search *search = ctx;

	if (vf_of(body, search->step->pf) == search->step->vf)
		search->found =
			get(body, DEVLINK_ATTR_PORT_INDEX, &search->port, sizeof(search->port));
	return 0;
}

/* Ports mostly count on with VFs: the next one is asked for first, and all only if it is another.
 */
static int find_port(struct rwy_nl *nl, struct search *search)
{
	uint32_t guess = nl->first_port + (uint32_t)search->step->vf;
	char request[RWY_NL_REQUEST];
	struct nlmsghdr *head;
	int err = find_family(nl);

	if (err)
		return err;
	head = begin(nl, request, DEVLINK_CMD_PORT_GET, 0, search->step->pf);
	mnl_attr_put_u32(head, DEVLINK_ATTR_PORT_INDEX, guess);
	err = rwy_nl_ask(nl, RWY_SRIOV_GENERIC, head, look_at, search);
	if (err || !search->found)
		err = dump(nl, DEVLINK_CMD_PORT_GET, search->step->pf, look_at, search);
	if (search->found)
		nl->first_port = search->port - (uint32_t)search->step->vf;
	return err || search->found ? err : -EOPNOTSUPP;
}

static int put_cap(struct nlmsghdr *head, const struct rwy_vf_step *step)
{
	struct nla_bitfield32 bits = {0, 1};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(caps) && caps[i] != step->attr; i++)
		bits.selector <<= 1;
	if (bits.selector >> RWY_ARRAY_SIZE(caps))
		return -EINVAL;
	bits.value = strcmp(step->to, "on") == 0 ? bits.selector : 0;
	mnl_attr_put(head, FN_ATTR_CAPS, sizeof(bits), &bits);
	return 0;
}

static int put_function(struct nlmsghdr *head, const struct rwy_vf_step *step)
{
	struct nlattr *function = mnl_attr_nest_start(head, DEVLINK_ATTR_PORT_FUNCTION);
	uint8_t mac[6];
	int err = 0;

	switch (step->attr) {
	case RWY_ATTR_HW_ADDR:
		err = rwy_attr_get_mac(step->to, mac);
		mnl_attr_put(head, DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR, sizeof(mac), mac);
		break;
	case RWY_ATTR_STATE:
		mnl_attr_put_u8(head, DEVLINK_PORT_FN_ATTR_STATE,
				strcmp(step->to, "active") == 0 ? DEVLINK_PORT_FN_STATE_ACTIVE
								: DEVLINK_PORT_FN_STATE_INACTIVE);
		break;
	case RWY_ATTR_MAX_IO_EQS:
		mnl_attr_put_u32(head, FN_ATTR_MAX_IO_EQS, (uint32_t)strtoul(step->to, NULL, 10));
		break;
	default:
		err = put_cap(head, step);
	}
	mnl_attr_nest_end(head, function);
	return err;
}

int rwy_devlink_run(struct rwy_nl *nl, const struct rwy_vf_step *step)
{
	bool rates = step->attr == RWY_ATTR_TX_SHARE || step->attr == RWY_ATTR_TX_MAX;
	struct search search = {.step = step};
	char request[RWY_NL_REQUEST];
	struct nlmsghdr *head;
	int err;

	if (step->attr == RWY_ATTR_ESWITCH)
		return set_mode(nl, step);
	err = find_port(nl, &search);
	if (err)
		return err == -ENODEV || err == -ENOENT ? -EOPNOTSUPP : err;
	head = begin(nl, request, rates ? DEVLINK_CMD_RATE_SET : DEVLINK_CMD_PORT_SET, NLM_F_ACK,
		     step->pf);
	mnl_attr_put_u32(head, DEVLINK_ATTR_PORT_INDEX, search.port);
	if (rates)
		mnl_attr_put_u64(head,
				 step->attr == RWY_ATTR_TX_SHARE ? DEVLINK_ATTR_RATE_TX_SHARE
								 : DEVLINK_ATTR_RATE_TX_MAX,
				 strtoull(step->to, NULL, 10) * BYTES_OF_MBIT);
	else
		err = put_function(head, step);
	return err ? err : rwy_nl_ask(nl, RWY_SRIOV_GENERIC, head, NULL, NULL);
}
