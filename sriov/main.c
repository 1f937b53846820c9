/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/opt.h"
#include "sriov/sriov_cmd.h"

#include <string.h>

static const struct {
	const char *name;
	int (*main)(int argc, char **argv, FILE *out, FILE *err);
} commands[] = {
	{"list", rwy_sriov_cmd_list},
	{"show", rwy_sriov_cmd_show},
};

int main(int argc, char **argv)
{
	const struct rwy_opt_program program = {
		.name = "ringway-sriov",
		.usage = "list|show [option...]",
		.summary = "The SR-IOV virtual functions of this host. Each command has its own "
			   "--help.\n"
			   "  list     functions that can have VFs, and their VFs\n"
			   "  show     all that is known of one function",
	};
	int status;

	for (unsigned i = 0; argc > 1 && i < RWY_ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].main(argc - 1, argv + 1, stdout, stderr);
	if (argc > 1 && argv[1][0] != '-')
		return rwy_opt_refuse(&program, stderr, "unknown command %s", argv[1]);
	if (!rwy_opt_parse(&program, argc, argv, stdout, stderr, &status))
		return status;
	return rwy_opt_refuse(&program, stderr, "a command is missing");
}
