/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands that change the host: apply and release, and plan, which says what apply would do.
 */
#include "sriov/sriov_cmd.h"

#include "lib/log.h"
#include "lib/opt.h"
#include "sriov/host.h"
#include "sriov/vf_apply.h"
#include "sriov/vf_check.h"
#include "sriov/vf_file.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "sriov_cmd"

struct options {
	const char *run_dir;
	const char *operand; /* a file, or a BDF */
	bool json;
};

/* All that a command works with, between its begin and its end. */
struct work {
	struct rwy_nl nl;
	struct rwy_journal journal;
	struct rwy_pf_list host, want;
	struct rwy_holder_list holders;
	struct rwy_vf_plan plan;
	const char *path; /* of what is wanted */
};

static int set_run_dir(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct options *)ctx)->run_dir = value;
	return 0;
}

static int set_json(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct options *)ctx)->json = true;
	return 0;
}

static int set_operand(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct options *options = ctx;

	if (options->operand)
		return rwy_opt_fail(why, "one is enough");
	options->operand = value;
	return 0;
}

static const struct rwy_opt opts[] = {
	{"run-dir", "DIR",
	 "Where the journal and the records of what was found are kept\n"
	 "(" RWY_JOURNAL_DIR "); best on a file system that ends with the boot.",
	 set_run_dir},
	{"json", NULL, "An array with an object for each write: pf, vf, attr, from, to, result.",
	 set_json},
};

static const char about_results[] =
	"A line for each write: to do; applied; unsupported, by the driver; failed; undone, "
	"because\nanother failed; stuck, could not be undone.\n\n";

static const char about_files[] =
	"FILE is JSON: {\"pfs\": [PF, ...]}. A PF is chosen by one key of bdf, interface,\n"
	"driver and id (\"8086:10c9\"); the last two choose all that they fit. It has\n"
	"  numvfs   how many VFs\n"
	"  eswitch  legacy, or switchdev: each VF is then a port of a switch, which has an\n"
	"           interface (its representor)\n"
	"  vfs      an array of objects, each with\n"
	"    range                 of its VFs: \"0-3\", \"5\"\n"
	"    mac                   of the first, those of the others count on from there\n"
	"    vlan, qos, proto      ID (0: none), priority, 802.1q or 802.1ad\n"
	"    min_rate, max_rate    in Mbit/s, 0: no bound\n"
	"    spoofchk, trust, rss_query    true or false\n"
	"    link_state            auto, enable or disable\n"
	"    node_guid, port_guid  as mac\n"
	"    hw_addr               in switchdev mode, instead of mac\n"
	"    tx_share, tx_max      in switchdev mode, Mbit/s it is sure of, and its bound, 0: "
	"none\n"
	"    roce, migratable, ipsec_crypto, ipsec_packet    in switchdev mode, true or false\n"
	"    max_io_eqs            in switchdev mode, event queues\n"
	"    state                 in switchdev mode, active or inactive\n"
	"    msix                  interrupt vectors\n"
	"    queues, interrupts    of an NVMe VF, which is then brought online\n"
	"    driver                that shall have them: vfio-pci, none, ...\n"
	"What is not said stays as it is. Going from one number of VFs to another takes all of "
	"them\n"
	"away and makes new ones, as does another eswitch mode on cards of ice; on others it "
	"takes\n"
	"their drivers away meanwhile. A VF that is in use is in the way of that.\n\n"
	"Four VFs for guests and four for this host:\n"
	"  {\"pfs\": [{\"interface\": \"enp1s0f0\", \"numvfs\": 8, \"vfs\": [\n"
	"    {\"range\": \"0-3\", \"driver\": \"vfio-pci\", \"mac\": \"52:54:00:00:10:00\",\n"
	"     \"vlan\": 100, \"max_rate\": 1000},\n"
	"    {\"range\": \"4-7\", \"trust\": true}]}]}";

static int begin(struct work *work, const struct rwy_sriov_sys *sys)
{
	int err;

	memset(work, 0, sizeof(*work));
	work->journal = (struct rwy_journal){.dir_fd = -1, .fd = -1};
	rwy_nl_init(&work->nl, sys);
	err = rwy_holder_list_init(&work->holders, sys->root);
	if (err)
		rwy_error("who uses a VF is not known: %s", strerror(-err));
	return err;
}

static void end(struct work *work)
{
	rwy_vf_plan_fini(&work->plan);
	rwy_pf_list_fini(&work->want);
	rwy_pf_list_fini(&work->host);
	rwy_holder_list_fini(&work->holders);
	rwy_journal_close(&work->journal);
	rwy_nl_fini(&work->nl);
}

/* From a file to a plan that can be carried out, as far as one can know. */
static int make_plan(struct work *work, const char *path, enum rwy_vf_file_kind kind)
{
	const struct rwy_vf_check check = {work->nl.sys->root, path, &work->host, &work->want,
					   &work->holders};
	int err = rwy_vf_file_load(&work->want, path, kind, &work->host);

	if (!err)
		err = rwy_vf_check_all(&check);
	for (unsigned i = 0; !err && i < work->want.nr; i++) {
		const struct rwy_pf *want = &work->want.pfs[i];

		err = rwy_vf_plan_add(&work->plan, rwy_pf_list_find(&work->host, want->bdf), want);
	}
	return err;
}

/* ---- what is said ---- */

static const char *const results[] = {
	[RWY_VF_WAITING] = "to do",	      [RWY_VF_APPLIED] = "applied",
	[RWY_VF_UNSUPPORTED] = "unsupported", [RWY_VF_FAILED] = "failed",
	[RWY_VF_UNDONE] = "undone",	      [RWY_VF_STUCK] = "stuck",
};

static enum rwy_vf_result result_of(const struct rwy_vf_step *step)
{
	return strcmp(step->from, RWY_ATTR_UNSUPPORTED) == 0 ? RWY_VF_UNSUPPORTED : step->result;
}

static void print_text(const struct rwy_vf_plan *plan, FILE *out)
{
	for (unsigned i = 0; i < plan->nr; i++) {
		const struct rwy_vf_step *step = &plan->steps[i];
		char name[96];

		if (!step->to[0])
			continue;
		rwy_vf_plan_name(step, name, sizeof(name));
		fprintf(out, "%-11s %s: %s%s%s\n", results[result_of(step)], name, step->from,
			step->from[0] ? " -> " : "", step->to);
	}
}

static void print_json(const struct rwy_vf_plan *plan, FILE *out)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < plan->nr; i++) {
		const struct rwy_vf_step *step = &plan->steps[i];
		json_t *object;

		if (!step->to[0])
			continue;
		object = json_pack("{ssssssssss}", "pf", step->pf, "attr",
				   rwy_attr_name(step->attr), "from", step->from, "to", step->to,
				   "result", results[result_of(step)]);
		json_object_set_new(object, "vf",
				    step->vf < 0 ? json_null() : json_integer(step->vf));
		json_array_append_new(array, object);
	}
	json_dumpf(array, out, JSON_INDENT(1));
	fputc('\n', out);
	json_decref(array);
}

static void print(const struct work *work, const struct options *options, FILE *out)
{
	if (options->json)
		print_json(&work->plan, out);
	else if (work->plan.nr == 0)
		fputs("nothing to do\n", out);
	else
		print_text(&work->plan, out);
}

static int status_of(const struct rwy_vf_plan *plan, int err)
{
	if (err)
		return RWY_SRIOV_CMD_FAILED;
	for (unsigned i = 0; i < plan->nr; i++)
		if (result_of(&plan->steps[i]) == RWY_VF_UNSUPPORTED)
			return RWY_SRIOV_CMD_UNSUPPORTED;
	return 0;
}

/* ---- the commands ---- */

static bool parse(struct options *options, const char *name, const char *usage, const char *summary,
		  int argc, char **argv, FILE *out, FILE *err, int *status)
{
	const struct rwy_opt_program program = {
		.name = name,
		.usage = usage,
		.summary = summary,
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.operand = set_operand,
		.ctx = options,
	};

	*options = (struct options){.run_dir = RWY_JOURNAL_DIR};
	if (!rwy_opt_parse(&program, argc, argv, out, err, status))
		return false;
	if (options->operand)
		return true;
	*status = rwy_opt_refuse(&program, err, "an operand is missing: %s", usage);
	return false;
}

int rwy_sriov_cmd_plan(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out, FILE *err)
{
	struct options options;
	char summary[4096];
	struct work work;
	int status, rc;

	snprintf(summary, sizeof(summary),
		 "Each write that apply would do, in order; nothing is written. Exit status 0: it "
		 "can be\ndone; 3: all but what is unsupported; 1: it is refused.\n\n%s%s",
		 about_results, about_files);
	if (!parse(&options, "ringway-sriov plan", "FILE [option...]", summary, argc, argv, out,
		   err, &status))
		return status;
	if (rwy_journal_is_left(options.run_dir))
		rwy_warn("a run is under way or was killed: apply undoes what it did first, and "
			 "then needs another plan than this one");
	rc = begin(&work, sys);
	if (!rc)
		rc = rwy_host_read(&work.nl, &work.host);
	if (!rc)
		rc = make_plan(&work, options.operand, RWY_VF_FILE_WANTED);
	if (!rc)
		print(&work, &options, out);
	status = status_of(&work.plan, rc);
	end(&work);
	return status;
}

/* Between its first and its last write a run is not to be disturbed; it is soon over. */
static int run_plan(struct work *work)
{
	sigset_t set, before;
	int err;

	if (!rwy_vf_plan_writes(&work->plan))
		return 0;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &before);
	err = rwy_vf_apply_run(&work->nl, &work->journal, &work->host, &work->plan);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return err;
}

/* With the lock, and all that a killed run left undone. */
static int begin_changing(struct work *work, const struct rwy_sriov_sys *sys,
			  const struct options *options)
{
	int err = begin(work, sys);

	if (!err)
		err = rwy_journal_open(&work->journal, options->run_dir);
	if (!err)
		err = rwy_vf_apply_recover(&work->nl, &work->journal);
	if (!err)
		err = rwy_host_read(&work->nl, &work->host);
	return err;
}

static int change(struct work *work, const struct options *options, const char *path,
		  enum rwy_vf_file_kind kind, FILE *out)
{
	int err = make_plan(work, path, kind);

	if (err)
		return err;
	err = run_plan(work);
	print(work, options, out);
	return err;
}

int rwy_sriov_cmd_apply(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out,
			FILE *err)
{
	struct options options;
	char summary[4096];
	struct work work;
	int status, rc;

	snprintf(
		summary, sizeof(summary),
		"Makes the VFs of this host what FILE says. What cannot be had is refused before "
		"the\nfirst write. All is read back; if anything fails, all is undone. A run that "
		"was killed\nis undone by the next one. Exit status 0: all is as FILE says; 3: all "
		"but what is\nunsupported; 1: nothing was changed.\n\n%s%s",
		about_results, about_files);
	if (!parse(&options, "ringway-sriov apply", "FILE [option...]", summary, argc, argv, out,
		   err, &status))
		return status;
	rc = begin_changing(&work, sys, &options);
	if (!rc)
		rc = change(&work, &options, options.operand, RWY_VF_FILE_WANTED, out);
	status = status_of(&work.plan, rc);
	end(&work);
	return status;
}

int rwy_sriov_cmd_release(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out,
			  FILE *err)
{
	char bdf[RWY_BDF_LEN], path[RWY_SYSFS_PATH];
	struct options options;
	struct work work;
	int status, rc;

	if (!parse(&options, "ringway-sriov release", "BDF [option...]",
		   "Sets a PF and its VFs back to what was found before the first apply, as apply "
		   "does it: all\nor nothing. An interface that had to be up for VFs to be made "
		   "stays "
		   "up. Exit status as\napply's.",
		   argc, argv, out, err, &status))
		return status;
	if (rwy_bdf_parse(options.operand, bdf)) {
		rwy_error("'%s' is no function like 0000:01:00.0", options.operand);
		return RWY_SRIOV_CMD_FAILED;
	}
	rc = begin_changing(&work, sys, &options);
	if (!rc && !rwy_journal_has_found(&work.journal, bdf, path)) {
		rwy_error("%s: nothing was applied to it: there is no record in %s", bdf,
			  options.run_dir);
		rc = -ENOENT;
	}
	if (!rc)
		rc = change(&work, &options, path, RWY_VF_FILE_FOUND, out);
	status = status_of(&work.plan, rc);
	end(&work);
	return status;
}
