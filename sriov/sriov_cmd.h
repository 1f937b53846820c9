/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands of ringway-sriov. argv[0] is the command's name, and each has a --help of its own.
 * They return the exit status: 0, or one of these, or 2 for bad arguments.
 */
#ifndef RWY_SRIOV_SRIOV_CMD_H
#define RWY_SRIOV_SRIOV_CMD_H

#include "sriov/sriov_sys.h"

#include <stdio.h>

#define RWY_SRIOV_CMD_FAILED	  1 /* nothing was changed, or all was undone as the log says */
#define RWY_SRIOV_CMD_UNSUPPORTED 3 /* done but for what the driver does not have */

int rwy_sriov_cmd_list(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out,
		       FILE *err);
int rwy_sriov_cmd_show(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out,
		       FILE *err);
int rwy_sriov_cmd_plan(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out,
		       FILE *err);
int rwy_sriov_cmd_apply(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out,
			FILE *err);
int rwy_sriov_cmd_release(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out,
			  FILE *err);
int rwy_sriov_cmd_lend(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out,
		       FILE *err);
/* Returns only when COMMAND cannot be run. */
int rwy_sriov_cmd_borrow(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out,
			 FILE *err);

#endif
