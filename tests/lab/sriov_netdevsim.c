/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ringway-sriov's commands on a device of the kernel's netdevsim, which has the netlink of a card
 * with VFs and a switch, and nothing else of one: sriov_netdevsim ROOT COMMAND ARGUMENT...
 *
 * ROOT is where a PCI function of files stands for it, from call to call. Interfaces and devlink
 * are those of the kernel, which is told the device's name wherever the function's is said.
 */
#include "tests/unit/fake_sriov.h"

#include "sriov/sriov_cmd.h"

#include <glob.h>
#include <libgen.h>
#include <libmnl/libmnl.h>
#include <linux/devlink.h>
#include <linux/genetlink.h>

#define PF	   "0000:01:00.0"
#define PF_PATH	   "/sys/bus/pci/devices/" PF "/"
#define DEVICE	   "netdevsim7"
#define BUS	   "netdevsim"
#define SIMULATED  "/sys/bus/" BUS "/devices/" DEVICE "/"
#define ANSWER_MAX (1u << 20)

static const struct fake_sriov_card card = {"netdevsim", "none",     0x1234, 1, 2, 1,
					    1,		 "0x020000", "sim",  1, -1};

struct world {
	struct rwy_sriov_sys real;
	bool peeked; /* the answer was looked at and is still to be received */
	size_t len;  /* of it, as the function's */
	char answer[ANSWER_MAX];
	char raw[ANSWER_MAX];
};

/* ---- sysfs ---- */

static void put_vfs(const char *root, unsigned nr)
{
	for (unsigned i = 0; i < 8; i++) {
		char bdf[RWY_BDF_LEN], path[FAKE_ROOT_PATH];

		fake_sriov_vf_bdf(&card, PF, i, bdf);
		snprintf(path, sizeof(path), "%s" PF_PATH "virtfn%u", root, i);
		(void)!unlink(path);
		snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s", root, bdf);
		nftw(path, fake_root_remove, 16, FTW_DEPTH | FTW_PHYS);
		snprintf(path, sizeof(path), "%s/sys/kernel/iommu_groups/%u", root,
			 fake_sriov_routing_id(bdf));
		nftw(path, fake_root_remove, 16, FTW_DEPTH | FTW_PHYS);
	}
	fake_sriov_add_vfs(root, &card, PF, nr, false);
}

static int write_file(const struct rwy_sriov_sys *sys, const char *path, const char *text)
{
	struct world *world = sys->ctx;
	int err = 0;

	if (strcmp(path, PF_PATH "sriov_numvfs") != 0) {
		fake_root_write(sys->root, path, text);
		return 0;
	}
	err = world->real.write(&world->real, SIMULATED "sriov_numvfs", text);
	if (!err)
		put_vfs(sys->root, (unsigned)atoi(text));
	return err;
}

/* ---- netlink ---- */

/* The same message, of the other name. */
static size_t rename_device(const struct nlmsghdr *head, void *room, const char *bus,
			    const char *name)
{
	struct nlmsghdr *copy = mnl_nlmsg_put_header(room);
	const struct nlattr *attr;

	*copy = *head;
	copy->nlmsg_len = NLMSG_HDRLEN;
	memcpy(mnl_nlmsg_put_extra_header(copy, sizeof(struct genlmsghdr)),
	       mnl_nlmsg_get_payload(head), sizeof(struct genlmsghdr));
	mnl_attr_for_each(attr, head, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == DEVLINK_ATTR_BUS_NAME)
			mnl_attr_put_strz(copy, DEVLINK_ATTR_BUS_NAME, bus);
		else if (mnl_attr_get_type(attr) == DEVLINK_ATTR_DEV_NAME)
			mnl_attr_put_strz(copy, DEVLINK_ATTR_DEV_NAME, name);
		else
			mnl_attr_put(copy, attr->nla_type, mnl_attr_get_payload_len(attr),
				     mnl_attr_get_payload(attr));
	}
	return MNL_ALIGN(copy->nlmsg_len);
}

static bool is_devlink(const struct nlmsghdr *head)
{
	return head->nlmsg_type >= NLMSG_MIN_TYPE && head->nlmsg_type != GENL_ID_CTRL;
}

static ssize_t send_message(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire,
			    const void *message, size_t len)
{
	struct world *world = sys->ctx;
	char request[1024];

	if (wire == RWY_SRIOV_ROUTE || !is_devlink(message))
		return world->real.send(&world->real, wire, message, len);
	len = rename_device(message, request, BUS, DEVICE);
	return world->real.send(&world->real, wire, request, len);
}

/* Takes a datagram from the kernel, and makes the answer of it. */
static ssize_t take_answer(struct world *world, enum rwy_sriov_wire wire)
{
	const struct nlmsghdr *head = (const struct nlmsghdr *)world->raw;
	ssize_t n = world->real.recv(&world->real, wire, world->raw, sizeof(world->raw), 0);
	int left;

	if (n < 0)
		return n;
	world->len = 0;
	for (left = (int)n; mnl_nlmsg_ok(head, left); head = mnl_nlmsg_next(head, &left)) {
		void *at = world->answer + world->len;

		if (is_devlink(head)) {
			world->len += rename_device(head, at, "pci", PF);
		} else {
			memcpy(at, head, head->nlmsg_len);
			world->len += MNL_ALIGN(head->nlmsg_len);
		}
	}
	return (ssize_t)world->len;
}

static ssize_t recv_message(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire, void *buf,
			    size_t len, int flags)
{
	struct world *world = sys->ctx;
	ssize_t n;

	if (wire == RWY_SRIOV_ROUTE)
		return world->real.recv(&world->real, wire, buf, len, flags);
	n = world->peeked ? (ssize_t)world->len : take_answer(world, wire);
	world->peeked = n >= 0 && flags & MSG_PEEK;
	if (n < 0 || !buf)
		return n;
	memcpy(buf, world->answer, RWY_MIN(len, world->len));
	return (ssize_t)RWY_MIN(len, world->len);
}

/* ---- the function ---- */

/* The interface is the device's. */
static void make_function(const char *root)
{
	char ifindex[32] = "", name[64];
	glob_t found;
	FILE *file;

	assert_int_equal(glob(SIMULATED "net/*/ifindex", 0, NULL, &found), 0);
	file = fopen(found.gl_pathv[0], "r");
	assert_non_null(file);
	assert_non_null(fgets(ifindex, sizeof(ifindex), file));
	fclose(file);
	fake_sriov_add_pf(root, &card, PF, 4);
	snprintf(name, sizeof(name), PF_PATH "net/sim%u/ifindex", fake_sriov_routing_id(PF));
	fake_root_write(root, name, ifindex);
	globfree(&found);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*main)(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out,
			    FILE *err);
	} commands[] = {
		{"show", rwy_sriov_cmd_show},
		{"plan", rwy_sriov_cmd_plan},
		{"apply", rwy_sriov_cmd_apply},
		{"release", rwy_sriov_cmd_release},
	};
	static struct world world;
	struct rwy_sriov_sys sys;
	char path[FAKE_ROOT_PATH];

	if (argc < 3 || rwy_sriov_sys_open(&world.real))
		return 125;
	sys = world.real;
	sys.ctx = &world;
	sys.root = argv[1];
	sys.write = write_file;
	sys.send = send_message;
	sys.recv = recv_message;
	snprintf(path, sizeof(path), "%s" PF_PATH, sys.root);
	if (access(path, F_OK) < 0)
		make_function(sys.root);
	fake_root_write(sys.root, "/proc/uptime", "1 1\n");
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, argv[2]) == 0)
			return commands[i].main(&sys, argc - 2, argv + 2, stdout, stderr);
	return 125;
}
