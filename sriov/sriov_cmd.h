/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands of ringway-sriov. Each has a --help of its own. */
#ifndef RWY_SRIOV_SRIOV_CMD_H
#define RWY_SRIOV_SRIOV_CMD_H

#include <stdio.h>

#define RWY_SRIOV_CMD_FAILED 1

/* argv[0] is the command's name. Each returns the exit status. */
int rwy_sriov_cmd_list(int argc, char **argv, FILE *out, FILE *err);
int rwy_sriov_cmd_show(int argc, char **argv, FILE *out, FILE *err);

#endif
