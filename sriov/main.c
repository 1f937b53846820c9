/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/log.h"
#include "lib/opt.h"
#include "sriov/sriov_cmd.h"

#include <string.h>

#define RWY_STEM "sriov"

static const struct {
	const char *name;
	int (*main)(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out, FILE *err);
} commands[] = {
	{"list", rwy_sriov_cmd_list},	    {"show", rwy_sriov_cmd_show},
	{"plan", rwy_sriov_cmd_plan},	    {"apply", rwy_sriov_cmd_apply},
	{"release", rwy_sriov_cmd_release}, {"lend", rwy_sriov_cmd_lend},
	{"borrow", rwy_sriov_cmd_borrow},
};

int main(int argc, char **argv)
{
	const struct rwy_opt_program program = {
		.name = "ringway-sriov",
		.usage = "list|show|plan|apply|release|lend|borrow [option...]",
		.summary =
			"The SR-IOV virtual functions of this host. Each command has its own "
			"--help.\n"
			"  list     functions that can have VFs, and their VFs\n"
			"  show     all that is known of one function\n"
			"  plan     each write that would make the VFs what a file says\n"
			"  apply    those writes, all or none\n"
			"  release  back to what was found before\n"
			"  lend     hands functions to processes that may not open them\n"
			"  borrow   runs a command with functions that are lent\n\n"
			"Exit status: 0 all is well; 1 it could not be done, and why is said in a "
			"line; 2 the\ncommand line is wrong; 3 all is done but what a driver does "
			"not have.\n\n"
			"Files:\n"
			"  /etc/ringway/sriov.json   what ringway-sriov.service applies at boot, "
			"before the network\n"
			"  /run/ringway-sriov        the journal of a run that is under way or was "
			"killed, and what\n"
			"                            was found on each PF before the first apply",
	};
	struct rwy_sriov_sys sys;
	int status;

	for (unsigned i = 0; argc > 1 && i < RWY_ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		int err = rwy_sriov_sys_open(&sys);

		if (err) {
			rwy_error("no netlink socket: %s", strerror(-err));
			return RWY_SRIOV_CMD_FAILED;
		}
		status = commands[i].main(&sys, argc - 1, argv + 1, stdout, stderr);
		rwy_sriov_sys_close(&sys);
		return status;
	}
	if (argc > 1 && argv[1][0] != '-')
		return rwy_opt_refuse(&program, stderr, "unknown command %s", argv[1]);
	if (!rwy_opt_parse(&program, argc, argv, stdout, stderr, &status))
		return status;
	return rwy_opt_refuse(&program, stderr, "a command is missing");
}
