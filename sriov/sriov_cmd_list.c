/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands that only look: list and show. */
#include "sriov/sriov_cmd.h"

#include "lib/log.h"
#include "lib/opt.h"
#include "sriov/host.h"
#include "sriov/pf_print.h"

#include <errno.h>
#include <string.h>

#define RWY_STEM "sriov_cmd"

struct options {
	const char *root;
	bool json;
	char bdf[RWY_BDF_LEN];
};

static int set_json(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct options *)ctx)->json = true;
	return 0;
}

static int set_root(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct options *)ctx)->root = value;
	return 0;
}

static int set_bdf(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct options *options = ctx;

	if (options->bdf[0])
		return rwy_opt_fail(why, "one function at a time");
	if (rwy_bdf_parse(value, options->bdf))
		return rwy_opt_fail(why, "this is no function like 0000:01:00.0, and no path to "
					 "one in /sys");
	return 0;
}

static const struct rwy_opt opts[] = {
	{"json", NULL,
	 "JSON, with the keys that files for plan and apply use. null: there is none, or the\n"
	 "driver does not have it; a key that is not there: nothing is known.",
	 set_json},
	{"root", "DIR", "Look at a copy of another host's /sys and /proc in DIR.", set_root},
};

/* What drivers know is asked of this host only, never of a copy. */
static void ask_drivers(const struct rwy_sriov_sys *sys, const struct options *options,
			struct rwy_pf *pfs, unsigned nr)
{
	struct rwy_nl nl;

	if (options->root)
		return;
	rwy_nl_init(&nl, sys);
	for (unsigned i = 0; i < nr; i++) {
		int err = rwy_host_ask(&nl, &pfs[i], options->bdf[0]);

		if (err)
			rwy_warn("%s: not all that %s knows of its VFs can be read: %s", pfs[i].bdf,
				 pfs[i].netdev, strerror(-err));
	}
	rwy_nl_fini(&nl);
}

static const char *root_of(const struct rwy_sriov_sys *sys, const struct options *options)
{
	return options->root ? options->root : sys->root;
}

/* Who uses what, for as long as something is printed. */
struct view {
	struct rwy_holder_list holders;
	struct rwy_rdma_host rdma;
	struct rwy_pf_print print;
};

static void open_view(struct view *view, const char *root, FILE *out)
{
	int err = rwy_holder_list_init(&view->holders, root);

	if (err)
		rwy_warn("who uses a VF is not known: %s", strerror(-err));
	rwy_rdma_init(&view->rdma, root);
	view->print = (struct rwy_pf_print){root, &view->holders, &view->rdma, out};
}

static void close_view(struct view *view)
{
	rwy_rdma_fini(&view->rdma);
	rwy_holder_list_fini(&view->holders);
}

int rwy_sriov_cmd_list(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out, FILE *err)
{
	struct options options = {0};
	const struct rwy_opt_program program = {
		.name = "ringway-sriov list",
		.usage = "[--json] [--root DIR]",
		.summary =
			"All functions that can have VFs, and the VFs they have: driver, "
			"interface, representor,\nNUMA node, IOMMU group, and who uses it now: "
			"a process, a file system, a bridge, ...\nA ! behind a group: it cannot be "
			"given to a guest, the host uses another function of it.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = &options,
	};
	struct rwy_pf_list list;
	struct view view;
	int status;

	if (!rwy_opt_parse(&program, argc, argv, out, err, &status))
		return status;
	int rc = rwy_pf_list_init(&list, root_of(sys, &options));

	if (rc) {
		rwy_error("the PCI functions cannot be listed: %s", strerror(-rc));
		return RWY_SRIOV_CMD_FAILED;
	}
	ask_drivers(sys, &options, list.pfs, list.nr);
	open_view(&view, root_of(sys, &options), out);
	if (options.json)
		rwy_pf_print_json(&view.print, &list);
	else
		rwy_pf_print_table(&view.print, &list);
	close_view(&view);
	rwy_pf_list_fini(&list);
	return 0;
}

/* idx -1: the PF and all of its VFs. */
static int show(const struct rwy_sriov_sys *sys, const struct options *options, const char *bdf,
		int idx, FILE *out)
{
	struct view view;
	struct rwy_pf pf;
	int rc = rwy_pf_init(&pf, root_of(sys, options), bdf);

	if (!rc && idx >= (int)pf.nr_vfs) {
		rwy_pf_fini(&pf);
		rc = -ENODEV;
	}
	if (rc == -ENOTSUP)
		rwy_error("%s is no VF and can have none: ringway-sriov list says who can", bdf);
	else if (rc)
		rwy_error("%s: %s: lspci -D lists what there is", bdf, strerror(-rc));
	if (rc)
		return RWY_SRIOV_CMD_FAILED;
	ask_drivers(sys, options, &pf, 1);
	open_view(&view, root_of(sys, options), out);
	if (options->json)
		rwy_pf_print_facts_json(&view.print, &pf, idx);
	else
		rwy_pf_print_facts(&view.print, &pf, idx);
	close_view(&view);
	rwy_pf_fini(&pf);
	return 0;
}

int rwy_sriov_cmd_show(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out, FILE *err)
{
	struct options options = {0};
	const struct rwy_opt_program program = {
		.name = "ringway-sriov show",
		.usage = "BDF [--json] [--root DIR]",
		.summary = "All that is known of a PF and its VFs, or of one VF, with the counters "
			   "that its PF or\nits representor has for it, whoever has the VF.\nBDF "
			   "is like 0000:01:00.0, 01:00.0, or a path in /sys.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.operand = set_bdf,
		.ctx = &options,
	};
	char pf[RWY_BDF_LEN];
	unsigned idx;
	int status;

	if (!rwy_opt_parse(&program, argc, argv, out, err, &status))
		return status;
	if (!options.bdf[0])
		return rwy_opt_refuse(&program, err, "which function?");
	if (rwy_pf_of_vf(root_of(sys, &options), options.bdf, pf, &idx) == 0)
		return show(sys, &options, pf, (int)idx, out);
	return show(sys, &options, options.bdf, -1, out);
}
