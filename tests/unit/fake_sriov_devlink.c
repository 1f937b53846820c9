/* SPDX-License-Identifier: BSD-3-Clause */
/* What the model's drivers make of devlink: the mode of the switch, its ports and their rates. */
#include "tests/unit/fake_sriov_kernel.h"

#include <libmnl/libmnl.h>
#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <sys/socket.h>

#define FAMILY	     0x1f
#define CAPS	     4 /* of a port's function, since Linux 6.2 */
#define MAX_IO_EQS   6
#define MBIT	     125000u
#define DATAGRAM_LEN 4096

/* Cards with a switch. */
struct fake_switch {
	const char *driver;
	bool with_vfs, without_vfs; /* goes to switchdev only so */
	bool ports, functions;	    /* shows ports, and can set up what is behind them */
	uint32_t first_port;
};

static const struct fake_switch switches[] = {
	{"mlx5_core", .ports = true, .functions = true, .first_port = 0x10001},
	{"ice", .without_vfs = true, .ports = true, .first_port = 2},
	{"bnxt_en", .with_vfs = true},
};

static const struct fake_switch *switch_of(const struct fake_sriov_pf *pf)
{
	for (unsigned i = 0; pf && i < RWY_ARRAY_SIZE(switches); i++)
		if (strcmp(switches[i].driver, pf->card->driver) == 0)
			return &switches[i];
	return NULL;
}

/* By their bits. */
static const enum rwy_attr caps[] = {RWY_ATTR_ROCE, RWY_ATTR_MIGRATABLE, RWY_ATTR_IPSEC_CRYPTO,
				     RWY_ATTR_IPSEC_PACKET};

/* Ports are in any order but that of their VFs' numbers. */
static unsigned vf_at(const struct fake_sriov_pf *pf, unsigned n)
{
	return n ^ (pf->nr_vfs % 2 ? 0 : 1);
}

void fake_sriov_devlink_renew(struct fake_sriov_pf *pf)
{
	const struct fake_switch *is = switch_of(pf);
	bool functions = is && is->functions && pf->switchdev;
	bool ports = is && is->ports && pf->switchdev;

	/* This one goes back by itself. */
	if (is && is->with_vfs && pf->nr_vfs == 0)
		pf->switchdev = false;
	for (unsigned i = 0; i < pf->nr_vfs; i++) {
		rwy_attr_values *value = &pf->vfs[i];

		strcpy((*value)[RWY_ATTR_HW_ADDR],
		       functions ? "00:00:00:00:00:00" : RWY_ATTR_UNSUPPORTED);
		strcpy((*value)[RWY_ATTR_ROCE], functions ? "on" : RWY_ATTR_UNSUPPORTED);
		strcpy((*value)[RWY_ATTR_MIGRATABLE], functions ? "off" : RWY_ATTR_UNSUPPORTED);
		strcpy((*value)[RWY_ATTR_IPSEC_CRYPTO], functions ? "off" : RWY_ATTR_UNSUPPORTED);
		strcpy((*value)[RWY_ATTR_IPSEC_PACKET], functions ? "off" : RWY_ATTR_UNSUPPORTED);
		strcpy((*value)[RWY_ATTR_MAX_IO_EQS], functions ? "24" : RWY_ATTR_UNSUPPORTED);
		strcpy((*value)[RWY_ATTR_STATE], RWY_ATTR_UNSUPPORTED);
		strcpy((*value)[RWY_ATTR_TX_SHARE], ports ? "0" : RWY_ATTR_UNSUPPORTED);
		strcpy((*value)[RWY_ATTR_TX_MAX], ports ? "0" : RWY_ATTR_UNSUPPORTED);
	}
}

/* ---- answers ---- */

static struct nlmsghdr *begin(struct fake_sriov_kernel *kernel, const struct nlmsghdr *request,
			      uint16_t type, uint16_t flags)
{
	struct nlmsghdr *head = mnl_nlmsg_put_header(kernel->tale + kernel->to_tell);

	head->nlmsg_type = type;
	head->nlmsg_flags = flags;
	head->nlmsg_seq = request->nlmsg_seq;
	return head;
}

static struct nlmsghdr *begin_generic(struct fake_sriov_kernel *kernel,
				      const struct nlmsghdr *request)
{
	struct nlmsghdr *head = begin(kernel, request, request->nlmsg_type,
				      request->nlmsg_flags & NLM_F_DUMP ? NLM_F_MULTI : 0);
	struct genlmsghdr *generic = mnl_nlmsg_put_extra_header(head, sizeof(*generic));

	*generic = *(const struct genlmsghdr *)mnl_nlmsg_get_payload(request);
	return head;
}

static void end(struct fake_sriov_kernel *kernel, const struct nlmsghdr *head)
{
	kernel->to_tell += MNL_ALIGN(head->nlmsg_len);
}

static void put_name(struct nlmsghdr *head, const struct fake_sriov_pf *pf)
{
	mnl_attr_put_strz(head, DEVLINK_ATTR_BUS_NAME, "pci");
	mnl_attr_put_strz(head, DEVLINK_ATTR_DEV_NAME, pf->bdf);
}

static void acknowledge(struct fake_sriov_kernel *kernel, const struct nlmsghdr *request, int err)
{
	struct nlmsghdr *head = begin(kernel, request, NLMSG_ERROR, NLM_F_CAPPED);
	struct nlmsgerr *error = mnl_nlmsg_put_extra_header(head, sizeof(*error));

	error->error = err;
	error->msg = *request;
	if (err) {
		head->nlmsg_flags |= NLM_F_ACK_TLVS;
		mnl_attr_put_strz(head, NLMSGERR_ATTR_MSG, "the card says\nno");
	}
	end(kernel, head);
}

static void tell_port(struct fake_sriov_kernel *kernel, const struct nlmsghdr *request,
		      const struct fake_sriov_pf *pf, unsigned vf)
{
	const struct fake_switch *is = switch_of(pf);
	const rwy_attr_values *value = &pf->vfs[vf];
	struct nlmsghdr *head = begin_generic(kernel, request);
	struct nla_bitfield32 bits = {0, (1u << RWY_ARRAY_SIZE(caps)) - 1};
	struct nlattr *function;
	uint8_t mac[6];
	char name[32];

	put_name(head, pf);
	snprintf(name, sizeof(name), "rep%u", vf);
	mnl_attr_put_u32(head, DEVLINK_ATTR_PORT_INDEX, is->first_port + vf);
	mnl_attr_put_strz(head, DEVLINK_ATTR_PORT_NETDEV_NAME, name);
	mnl_attr_put_u16(head, DEVLINK_ATTR_PORT_FLAVOUR, DEVLINK_PORT_FLAVOUR_PCI_VF);
	mnl_attr_put_u16(head, DEVLINK_ATTR_PORT_PCI_VF_NUMBER, (uint16_t)vf);
	mnl_attr_put_u8(head, DEVLINK_ATTR_PORT_EXTERNAL, 0);
	if (is->functions) {
		assert_int_equal(rwy_attr_get_mac((*value)[RWY_ATTR_HW_ADDR], mac), 0);
		for (unsigned i = 0; i < RWY_ARRAY_SIZE(caps); i++)
			bits.value |= (strcmp((*value)[caps[i]], "on") == 0) << i;
		function = mnl_attr_nest_start(head, DEVLINK_ATTR_PORT_FUNCTION);
		mnl_attr_put(head, DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR, sizeof(mac), mac);
		mnl_attr_put(head, CAPS, sizeof(bits), &bits);
		mnl_attr_put_u32(head, MAX_IO_EQS, (uint32_t)atoi((*value)[RWY_ATTR_MAX_IO_EQS]));
		mnl_attr_nest_end(head, function);
	}
	end(kernel, head);
}

/* That of the card itself, which has the number of a VF, too, and that of a VF of another host. */
static void tell_other_ports(struct fake_sriov_kernel *kernel, const struct nlmsghdr *request,
			     const struct fake_sriov_pf *pf)
{
	for (unsigned i = 0; i < 2; i++) {
		struct nlmsghdr *head = begin_generic(kernel, request);

		put_name(head, pf);
		mnl_attr_put_u32(head, DEVLINK_ATTR_PORT_INDEX, i);
		mnl_attr_put_u16(head, DEVLINK_ATTR_PORT_FLAVOUR,
				 i ? DEVLINK_PORT_FLAVOUR_PCI_VF : DEVLINK_PORT_FLAVOUR_PHYSICAL);
		mnl_attr_put_u16(head, DEVLINK_ATTR_PORT_PCI_VF_NUMBER, 0);
		mnl_attr_put_u8(head, DEVLINK_ATTR_PORT_EXTERNAL, 1);
		mnl_attr_put_strz(head, DEVLINK_ATTR_PORT_NETDEV_NAME, "other");
		end(kernel, head);
	}
}

static void tell_rate(struct fake_sriov_kernel *kernel, const struct nlmsghdr *request,
		      const struct fake_sriov_pf *pf, unsigned vf)
{
	const rwy_attr_values *value = &pf->vfs[vf];
	struct nlmsghdr *head = begin_generic(kernel, request);

	put_name(head, pf);
	mnl_attr_put_u16(head, DEVLINK_ATTR_RATE_TYPE, DEVLINK_RATE_TYPE_LEAF);
	mnl_attr_put_u32(head, DEVLINK_ATTR_PORT_INDEX, switch_of(pf)->first_port + vf);
	mnl_attr_put_u64(head, DEVLINK_ATTR_RATE_TX_SHARE,
			 strtoull((*value)[RWY_ATTR_TX_SHARE], NULL, 10) * MBIT);
	mnl_attr_put_u64(head, DEVLINK_ATTR_RATE_TX_MAX,
			 strtoull((*value)[RWY_ATTR_TX_MAX], NULL, 10) * MBIT);
	end(kernel, head);
}

/* As older kernels do it: of all devices, whichever is asked for. */
static void dump(struct fake_sriov_kernel *kernel, const struct nlmsghdr *request,
		 void (*tell)(struct fake_sriov_kernel *kernel, const struct nlmsghdr *request,
			      const struct fake_sriov_pf *pf, unsigned vf))
{
	const int none = 0;
	struct nlmsghdr *head;

	for (unsigned i = 0; i < kernel->nr_pfs; i++) {
		const struct fake_sriov_pf *pf = &kernel->pfs[i];

		if (!switch_of(pf) || !switch_of(pf)->ports || !pf->switchdev)
			continue;
		if (tell == tell_port)
			tell_other_ports(kernel, request, pf);
		for (unsigned n = 0; n < RWY_ALIGN_UP(pf->nr_vfs, 2); n++)
			if (vf_at(pf, n) < pf->nr_vfs)
				tell(kernel, request, pf, vf_at(pf, n));
	}
	head = begin(kernel, request, NLMSG_DONE, NLM_F_MULTI);
	memcpy(mnl_nlmsg_put_extra_header(head, sizeof(none)), &none, sizeof(none));
	end(kernel, head);
}

/* ---- changes ---- */

static int set_mode(struct fake_sriov_kernel *kernel, struct fake_sriov_pf *pf, uint16_t mode)
{
	const struct fake_switch *is = switch_of(pf);
	bool on = mode == DEVLINK_ESWITCH_MODE_SWITCHDEV;

	if (is->with_vfs && on == pf->switchdev)
		return -EINVAL;
	if (is->with_vfs && on && !pf->nr_vfs)
		return -EPERM;
	if (is->without_vfs && pf->nr_vfs)
		return -EOPNOTSUPP;
	if (fake_sriov_kernel_is_bound(kernel, pf))
		return -EBUSY;
	pf->switchdev = on;
	fake_sriov_devlink_renew(pf);
	return 0;
}

static int set_function(struct fake_sriov_pf *pf, unsigned vf, const struct nlattr *function)
{
	rwy_attr_values *value = &pf->vfs[vf];
	const struct nla_bitfield32 *bits;
	const struct nlattr *attr;

	if (!switch_of(pf)->functions)
		return -EOPNOTSUPP;
	mnl_attr_for_each_nested(attr, function)
	{
		switch (mnl_attr_get_type(attr)) {
		case DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR:
			rwy_attr_put_mac((*value)[RWY_ATTR_HW_ADDR], mnl_attr_get_payload(attr));
			break;
		case CAPS:
			bits = mnl_attr_get_payload(attr);
			for (unsigned i = 0; i < RWY_ARRAY_SIZE(caps); i++)
				if (bits->selector & 1u << i)
					strcpy((*value)[caps[i]],
					       bits->value & 1u << i ? "on" : "off");
			break;
		case MAX_IO_EQS:
			snprintf((*value)[RWY_ATTR_MAX_IO_EQS], RWY_ATTR_TEXT, "%u",
				 mnl_attr_get_u32(attr));
			break;
		default:
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

static int set_rate(struct fake_sriov_pf *pf, unsigned vf, const struct nlattr *rate,
		    enum rwy_attr attr)
{
	uint64_t bytes = mnl_attr_get_u64(rate);

	if (bytes % MBIT)
		return -EINVAL;
	snprintf(pf->vfs[vf][attr], RWY_ATTR_TEXT, "%llu", (unsigned long long)bytes / MBIT);
	return 0;
}

/* What a request speaks of. */
struct request {
	struct fake_sriov_pf *pf;
	unsigned vf;
	const struct nlattr *attr[DEVLINK_ATTR_MAX + 1];
};

static void parse(struct fake_sriov_kernel *kernel, const struct nlmsghdr *head,
		  struct request *request)
{
	const struct nlattr *attr;

	memset(request, 0, sizeof(*request));
	mnl_attr_for_each(attr, head, sizeof(struct genlmsghdr))
		request->attr[mnl_attr_get_type(attr)] = attr;
	for (unsigned i = 0; request->attr[DEVLINK_ATTR_DEV_NAME] && i < kernel->nr_pfs; i++)
		if (strcmp(kernel->pfs[i].bdf,
			   mnl_attr_get_str(request->attr[DEVLINK_ATTR_DEV_NAME])) == 0 &&
		    switch_of(&kernel->pfs[i]))
			request->pf = &kernel->pfs[i];
	if (request->pf && request->attr[DEVLINK_ATTR_PORT_INDEX])
		request->vf = mnl_attr_get_u32(request->attr[DEVLINK_ATTR_PORT_INDEX]) -
			      switch_of(request->pf)->first_port;
}

static int change(struct fake_sriov_kernel *kernel, const struct request *request)
{
	const struct nlattr *const *attr = request->attr;
	int rc = fake_sriov_kernel_begin(kernel);

	if (rc <= 0)
		return rc;
	if (attr[DEVLINK_ATTR_ESWITCH_MODE])
		rc = set_mode(kernel, request->pf,
			      mnl_attr_get_u16(attr[DEVLINK_ATTR_ESWITCH_MODE]));
	else if (!request->pf->switchdev || request->vf >= request->pf->nr_vfs)
		rc = -ENODEV;
	else if (attr[DEVLINK_ATTR_PORT_FUNCTION])
		rc = set_function(request->pf, request->vf, attr[DEVLINK_ATTR_PORT_FUNCTION]);
	else if (attr[DEVLINK_ATTR_RATE_TX_SHARE])
		rc = set_rate(request->pf, request->vf, attr[DEVLINK_ATTR_RATE_TX_SHARE],
			      RWY_ATTR_TX_SHARE);
	else
		rc = set_rate(request->pf, request->vf, attr[DEVLINK_ATTR_RATE_TX_MAX],
			      RWY_ATTR_TX_MAX);
	fake_sriov_kernel_end(kernel);
	return rc;
}

/* ---- the wire ---- */

static void answer_devlink(struct fake_sriov_kernel *kernel, const struct nlmsghdr *head)
{
	const struct genlmsghdr *generic = mnl_nlmsg_get_payload(head);
	struct request request;
	struct nlmsghdr *answer;

	parse(kernel, head, &request);
	if (head->nlmsg_flags & NLM_F_DUMP) {
		dump(kernel, head, generic->cmd == DEVLINK_CMD_PORT_GET ? tell_port : tell_rate);
	} else if (!request.pf) {
		acknowledge(kernel, head, -ENODEV);
	} else if (generic->cmd == DEVLINK_CMD_ESWITCH_GET && kernel->old && !request.pf->nr_vfs) {
		acknowledge(kernel, head, -EOPNOTSUPP);
	} else if (generic->cmd == DEVLINK_CMD_ESWITCH_GET && kernel->mode_err) {
		acknowledge(kernel, head, -kernel->mode_err);
	} else if (generic->cmd == DEVLINK_CMD_ESWITCH_GET) {
		answer = begin_generic(kernel, head);
		put_name(answer, request.pf);
		mnl_attr_put_u16(answer, DEVLINK_ATTR_ESWITCH_MODE, request.pf->switchdev);
		end(kernel, answer);
	} else if (generic->cmd != DEVLINK_CMD_PORT_GET) {
		acknowledge(kernel, head, change(kernel, &request));
	} else if (request.pf->switchdev && switch_of(request.pf)->ports &&
		   request.vf < request.pf->nr_vfs) {
		tell_port(kernel, head, request.pf, request.vf);
	} else {
		acknowledge(kernel, head, -ENODEV);
	}
}

void fake_sriov_devlink_send(struct fake_sriov_kernel *kernel, const void *message)
{
	const struct nlmsghdr *head = message;
	struct nlmsghdr *answer;

	kernel->told = kernel->to_tell = 0;
	if (head->nlmsg_type == FAMILY) {
		answer_devlink(kernel, head);
		return;
	}
	if (head->nlmsg_type != GENL_ID_CTRL || kernel->family_err) {
		acknowledge(kernel, head, kernel->family_err ? -kernel->family_err : -ENOENT);
		return;
	}
	answer = begin_generic(kernel, head);
	mnl_attr_put_u16(answer, CTRL_ATTR_FAMILY_ID, FAMILY);
	end(kernel, answer);
}

/* As many whole messages as a page has room for. */
ssize_t fake_sriov_devlink_recv(struct fake_sriov_kernel *kernel, void *buf, size_t len, int flags)
{
	size_t whole = 0, left = kernel->to_tell - kernel->told;

	while (whole < left) {
		const struct nlmsghdr *head = (void *)(kernel->tale + kernel->told + whole);

		if (whole && whole + head->nlmsg_len > DATAGRAM_LEN)
			break;
		whole += MNL_ALIGN(head->nlmsg_len);
	}
	if (!whole)
		return -EAGAIN;
	memcpy(buf ? buf : kernel->tale + kernel->told, kernel->tale + kernel->told,
	       buf ? RWY_MIN(len, whole) : 0);
	if (!(flags & MSG_PEEK))
		kernel->told += whole;
	return (ssize_t)(flags & MSG_TRUNC ? whole : RWY_MIN(len, whole));
}
