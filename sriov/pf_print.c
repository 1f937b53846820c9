/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/pf_print.h"

#include "lib/pci_group.h"
#include "sriov/attr_json.h"

#include <stdlib.h>
#include <string.h>

/* Whether a group can be given away, and if not, who is in the way. */
static bool viable(const struct rwy_pf_print *print, int group, const char *self,
		   struct rwy_pci_group_user *user)
{
	return rwy_pci_group_search(print->root, (unsigned)group, self, user) == 0;
}

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

/* ---- the table ---- */

#define COLUMNS "%-15s %-10s %-10s %-11s %4s %5s %-8s %s\n"

/* The part of a row that PFs and VFs have in common. */
struct row {
	const char *name, *bdf, *driver, *netdev, *representor;
	int node, group;
};

static void print_row(const struct rwy_pf_print *print, const struct row *row, const char *vfs,
		      const struct rwy_holder *holder)
{
	char node[12] = "-", group[16] = "-", user[RWY_HOLDER_TEXT] = "-";
	struct rwy_pci_group_user in_the_way;

	if (row->node >= 0)
		snprintf(node, sizeof(node), "%d", row->node);
	if (row->group >= 0)
		snprintf(group, sizeof(group), "%d%s", row->group,
			 viable(print, row->group, row->bdf, &in_the_way) ? "" : "!");
	if (holder)
		rwy_holder_put(user, holder, "");
	fprintf(print->out, COLUMNS, row->name, row->driver, or_dash(row->netdev),
		or_dash(row->representor), node, group, vfs, user);
}

static void print_vf_row(const struct rwy_pf_print *print, const struct rwy_pf *pf, unsigned idx)
{
	const struct rwy_vf *vf = &pf->vfs[idx];
	char name[32], number[16];
	const struct row row = {name,	    vf->bdf,	     vf->value[RWY_ATTR_DRIVER],
				vf->netdev, vf->representor, pf->node,
				vf->group};

	snprintf(name, sizeof(name), "  %s", vf->bdf);
	snprintf(number, sizeof(number), "VF %u", idx);
	print_row(print, &row, number, rwy_holder_of(print->holders, vf));
}

void rwy_pf_print_table(const struct rwy_pf_print *print, const struct rwy_pf_list *list)
{
	fprintf(print->out, COLUMNS, "FUNCTION", "DRIVER", "INTERFACE", "REPRESENTOR", "NODE",
		"GROUP", "VFS", "USED BY");
	for (unsigned i = 0; i < list->nr; i++) {
		const struct rwy_pf *pf = &list->pfs[i];
		const struct row row = {pf->bdf, pf->bdf,  pf->driver, pf->netdev,
					"",	 pf->node, pf->group};
		char vfs[24];

		snprintf(vfs, sizeof(vfs), "%u of %u", pf->nr_vfs, pf->total);
		print_row(print, &row, vfs, rwy_holder_of_pf(print->holders, pf->bdf));
		for (unsigned v = 0; v < pf->nr_vfs; v++)
			print_vf_row(print, pf, v);
	}
}

/* ---- the facts of one ---- */

static void RWY_PRINTF(3, 4)
	print_fact(const struct rwy_pf_print *print, const char *name, const char *fmt, ...)
{
	va_list ap;

	fprintf(print->out, "%-12s ", name);
	va_start(ap, fmt);
	vfprintf(print->out, fmt, ap);
	va_end(ap);
	fputc('\n', print->out);
}

static void print_group(const struct rwy_pf_print *print, int group, const char *self)
{
	struct rwy_pci_group_user user;

	if (group < 0)
		print_fact(print, "group", "none: it is behind no IOMMU");
	else if (viable(print, group, self, &user))
		print_fact(print, "group", "%d, viable", group);
	else
		print_fact(print, "group", "%d, not viable: the host uses %s (%s)", group, user.bdf,
			   user.driver);
}

static void print_rdma(const struct rwy_pf_print *print, const char *bdf)
{
	char guid[RWY_ATTR_TEXT];
	struct rwy_rdma rdma;

	if (!rwy_rdma_read(print->rdma, bdf, &rdma))
		return;
	rwy_attr_put_guid(guid, rdma.node_guid);
	print_fact(print, "rdma", "%s%s%s", rdma.name, rdma.opened ? ", node GUID " : "",
		   rdma.opened ? guid : "");
	for (unsigned i = 0; i < rdma.nr_ports; i++) {
		rwy_attr_put_guid(guid, rdma.ports[i].guid);
		print_fact(print, "rdma port", "%u: %s, %s, GUID %s", i + 1, rdma.ports[i].layer,
			   rdma.ports[i].state, guid);
	}
}

/* What the driver does not have is one line at the end. */
static void print_values(const struct rwy_pf_print *print, const rwy_attr_values values,
			 enum rwy_attr from, enum rwy_attr end)
{
	const char *before = RWY_ATTR_UNSUPPORTED " ";

	for (enum rwy_attr attr = from; attr < end; attr++)
		if (values[attr][0] && strcmp(values[attr], RWY_ATTR_UNSUPPORTED) != 0)
			print_fact(print, rwy_attr_name(attr), "%s", values[attr]);
	for (enum rwy_attr attr = from; attr < end; attr++) {
		if (strcmp(values[attr], RWY_ATTR_UNSUPPORTED) != 0)
			continue;
		fprintf(print->out, "%s %s", before, rwy_attr_name(attr));
		before = ",";
	}
	if (before[0] == ',')
		fputc('\n', print->out);
}

static const char *const counters[RWY_VF_NR_COUNTERS] = {
	[RWY_VF_RX_PACKETS] = "rx_packets", [RWY_VF_TX_PACKETS] = "tx_packets",
	[RWY_VF_RX_BYTES] = "rx_bytes",	    [RWY_VF_TX_BYTES] = "tx_bytes",
	[RWY_VF_BROADCAST] = "broadcast",   [RWY_VF_MULTICAST] = "multicast",
	[RWY_VF_RX_DROPPED] = "rx_dropped", [RWY_VF_TX_DROPPED] = "tx_dropped",
};

static void print_vf_facts(const struct rwy_pf_print *print, const struct rwy_pf *pf, unsigned idx)
{
	const struct rwy_vf *vf = &pf->vfs[idx];
	const struct rwy_holder *holder = rwy_holder_of(print->holders, vf);
	char user[RWY_HOLDER_TEXT] = "nobody";

	print_fact(print, "vf", "%u of %s", idx, pf->bdf);
	print_fact(print, "function", "%s", vf->bdf);
	print_fact(print, "interface", "%s", or_dash(vf->netdev));
	if (vf->representor[0])
		print_fact(print, "representor", "%s", vf->representor);
	print_group(print, vf->group, vf->bdf);
	print_rdma(print, vf->bdf);
	print_values(print, vf->value, RWY_ATTR_OF_PF, RWY_ATTR_NR);
	for (unsigned i = 0; i < RWY_VF_NR_COUNTERS; i++)
		if (vf->counted & 1u << i)
			print_fact(print, counters[i], "%llu", (unsigned long long)vf->counter[i]);
	if (pf->uncounted && !vf->counted)
		print_fact(print, "counters", RWY_ATTR_UNSUPPORTED);
	if (holder)
		rwy_holder_put(user, holder, "");
	print_fact(print, "used by", "%s", user);
}

void rwy_pf_print_facts(const struct rwy_pf_print *print, const struct rwy_pf *pf, int idx)
{
	const struct rwy_holder *holder = rwy_holder_of_pf(print->holders, pf->bdf);
	char user[RWY_HOLDER_TEXT] = "nobody";

	if (idx >= 0) {
		print_vf_facts(print, pf, (unsigned)idx);
		return;
	}
	print_fact(print, "function", "%s", pf->bdf);
	print_fact(print, "id", "%04x:%04x", pf->vendor, pf->device);
	print_fact(print, "driver", "%s", pf->driver);
	print_fact(print, "interface", "%s", or_dash(pf->netdev));
	if (pf->ifindex)
		print_fact(print, "ifindex", "%u, %s", pf->ifindex,
			   pf->carrier ? "has a link" : "has no link");
	print_fact(print, "node", "%d", pf->node);
	print_fact(print, "cpus", "%s", or_dash(pf->cpus));
	print_group(print, pf->group, pf->bdf);
	print_rdma(print, pf->bdf);
	print_fact(print, "totalvfs", "%u", pf->total);
	if (pf->msix_total >= 0)
		print_fact(print, "msix_total", "%d", pf->msix_total);
	print_values(print, pf->value, 0, RWY_ATTR_OF_PF);
	if (holder)
		rwy_holder_put(user, holder, "");
	print_fact(print, "used by", "%s", user);
	for (unsigned i = 0; i < pf->nr_vfs; i++) {
		fputc('\n', print->out);
		print_vf_facts(print, pf, i);
	}
}

/* ---- the same as JSON ---- */

/* Null where there is none. */
static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static json_t *number_or_null(int number)
{
	return number >= 0 ? json_integer(number) : json_null();
}

static void put_group(json_t *object, const struct rwy_pf_print *print, int group, const char *self)
{
	struct rwy_pci_group_user user;

	json_object_set_new(object, "group", number_or_null(group));
	if (group < 0)
		return;
	if (viable(print, group, self, &user))
		json_object_set_new(object, "viable", json_true());
	else
		json_object_set_new(object, "viable", json_false());
}

static void put_rdma(json_t *object, const struct rwy_pf_print *print, const char *bdf)
{
	json_t *device, *ports = json_array();
	char guid[RWY_ATTR_TEXT];
	struct rwy_rdma rdma;

	if (!rwy_rdma_read(print->rdma, bdf, &rdma)) {
		json_decref(ports);
		return;
	}
	device = json_pack("{ss}", "name", rdma.name);
	if (rdma.opened) {
		rwy_attr_put_guid(guid, rdma.node_guid);
		json_object_set_new(device, "node_guid", json_string(guid));
	}
	for (unsigned i = 0; i < rdma.nr_ports; i++) {
		rwy_attr_put_guid(guid, rdma.ports[i].guid);
		json_array_append_new(ports,
				      json_pack("{ssssss}", "port_guid", guid, "layer",
						rdma.ports[i].layer, "state", rdma.ports[i].state));
	}
	json_object_set_new(device, "ports", ports);
	json_object_set_new(object, "rdma", device);
}

static void put_values(json_t *object, const rwy_attr_values values, enum rwy_attr from,
		       enum rwy_attr end)
{
	for (enum rwy_attr attr = from; attr < end; attr++)
		rwy_attr_json_put(object, attr, values[attr]);
}

static void put_user(json_t *object, const struct rwy_holder *holder)
{
	json_t *user = json_null();

	if (holder)
		user = json_pack("{soss}", "pid",
				 holder->pid ? json_integer(holder->pid) : json_null(), "name",
				 holder->name);
	json_object_set_new(object, "used_by", user);
}

static json_t *vf_object(const struct rwy_pf_print *print, const struct rwy_pf *pf, unsigned idx)
{
	const struct rwy_vf *vf = &pf->vfs[idx];
	const struct rwy_holder *holder = rwy_holder_of(print->holders, vf);
	json_t *object = json_pack("{sssiss}", "pf", pf->bdf, "vf", (int)idx, "bdf", vf->bdf);

	json_object_set_new(object, "interface", text_or_null(vf->netdev));
	json_object_set_new(object, "representor", text_or_null(vf->representor));
	put_group(object, print, vf->group, vf->bdf);
	put_rdma(object, print, vf->bdf);
	put_values(object, vf->value, RWY_ATTR_OF_PF, RWY_ATTR_NR);
	for (unsigned i = 0; i < RWY_VF_NR_COUNTERS; i++)
		if (vf->counted & 1u << i)
			json_object_set_new(object, counters[i],
					    json_integer((json_int_t)vf->counter[i]));
		else if (pf->uncounted)
			json_object_set_new(object, counters[i], json_null());
	put_user(object, holder);
	return object;
}

static json_t *pf_object(const struct rwy_pf_print *print, const struct rwy_pf *pf)
{
	json_t *object = json_pack("{ss}", "bdf", pf->bdf), *vfs = json_array();
	char id[16];

	snprintf(id, sizeof(id), "%04x:%04x", pf->vendor, pf->device);
	json_object_set_new(object, "id", json_string(id));
	json_object_set_new(object, "driver", json_string(pf->driver));
	json_object_set_new(object, "interface", text_or_null(pf->netdev));
	json_object_set_new(object, "ifindex",
			    pf->ifindex ? json_integer(pf->ifindex) : json_null());
	json_object_set_new(object, "carrier", json_boolean(pf->carrier));
	json_object_set_new(object, "node", number_or_null(pf->node));
	json_object_set_new(object, "cpus", text_or_null(pf->cpus));
	put_group(object, print, pf->group, pf->bdf);
	put_rdma(object, print, pf->bdf);
	json_object_set_new(object, "totalvfs", json_integer(pf->total));
	json_object_set_new(object, "msix_total", number_or_null(pf->msix_total));
	put_values(object, pf->value, 0, RWY_ATTR_OF_PF);
	put_user(object, rwy_holder_of_pf(print->holders, pf->bdf));
	for (unsigned i = 0; i < pf->nr_vfs; i++)
		json_array_append_new(vfs, vf_object(print, pf, i));
	json_object_set_new(object, "vfs", vfs);
	return object;
}

static void dump(const struct rwy_pf_print *print, json_t *value)
{
	json_dumpf(value, print->out, JSON_INDENT(1));
	fputc('\n', print->out);
	json_decref(value);
}

void rwy_pf_print_json(const struct rwy_pf_print *print, const struct rwy_pf_list *list)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < list->nr; i++)
		json_array_append_new(array, pf_object(print, &list->pfs[i]));
	dump(print, array);
}

void rwy_pf_print_facts_json(const struct rwy_pf_print *print, const struct rwy_pf *pf, int idx)
{
	dump(print, idx < 0 ? pf_object(print, pf) : vf_object(print, pf, (unsigned)idx));
}
