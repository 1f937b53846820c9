/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands that only look: list and show. */
#include "sriov/sriov_cmd.h"

#include "lib/log.h"
#include "lib/opt.h"
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

int rwy_sriov_cmd_list(int argc, char **argv, FILE *out, FILE *err)
{
	struct options options = {.root = ""};
	const struct rwy_opt_program program = {
		.name = "ringway-sriov list",
		.usage = "[--json] [--root DIR]",
		.summary = "All functions that can have VFs, and the VFs they have: driver, "
			   "interface, NUMA node,\nIOMMU group, and which process has a VF now.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = &options,
	};
	struct rwy_holder_list holders;
	struct rwy_pf_list list;
	int status;

	if (!rwy_opt_parse(&program, argc, argv, out, err, &status))
		return status;
	int rc = rwy_pf_list_init(&list, options.root);

	if (rc) {
		rwy_error("the PCI functions cannot be listed: %s", strerror(-rc));
		return RWY_SRIOV_CMD_FAILED;
	}
	rc = rwy_holder_list_init(&holders, options.root);
	if (rc)
		rwy_warn("who uses a VF is not known: %s", strerror(-rc));
	const struct rwy_pf_print print = {options.root, &holders, out};

	if (options.json)
		rwy_pf_print_json(&print, &list);
	else
		rwy_pf_print_table(&print, &list);
	rwy_holder_list_fini(&holders);
	rwy_pf_list_fini(&list);
	return 0;
}

static int show(const struct options *options, const char *pf_bdf, int idx, FILE *out)
{
	struct rwy_holder_list holders;
	struct rwy_pf pf;
	int rc = rwy_pf_init(&pf, options->root, pf_bdf);

	if (rc == -ENODEV)
		rwy_error("there is no PCI function %s here: lspci -D lists them", pf_bdf);
	else if (rc == -ENOTSUP)
		rwy_error("%s can have no VFs and is none: ringway-sriov list says who can",
			  pf_bdf);
	else if (rc || idx >= (int)pf.nr_vfs)
		rwy_error("%s: %s", pf_bdf, strerror(rc ? -rc : ENODEV));
	if (rc)
		return RWY_SRIOV_CMD_FAILED;
	rc = rwy_holder_list_init(&holders, options->root);
	if (rc)
		rwy_warn("who uses a VF is not known: %s", strerror(-rc));
	const struct rwy_pf_print print = {options->root, &holders, out};

	if (idx < (int)pf.nr_vfs && options->json)
		rwy_pf_print_facts_json(&print, &pf, idx);
	else if (idx < (int)pf.nr_vfs)
		rwy_pf_print_facts(&print, &pf, idx);
	rwy_holder_list_fini(&holders);
	rc = idx < (int)pf.nr_vfs ? 0 : RWY_SRIOV_CMD_FAILED;
	rwy_pf_fini(&pf);
	return rc;
}

int rwy_sriov_cmd_show(int argc, char **argv, FILE *out, FILE *err)
{
	struct options options = {.root = ""};
	const struct rwy_opt_program program = {
		.name = "ringway-sriov show",
		.usage = "BDF [--json] [--root DIR]",
		.summary = "All that is known of a PF and its VFs, or of one VF.\n"
			   "BDF is like 0000:01:00.0, 01:00.0, or a path in /sys.",
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
	if (rwy_pf_of_vf(options.root, options.bdf, pf, &idx) == 0)
		return show(&options, pf, (int)idx, out);
	return show(&options, options.bdf, -1, out);
}
