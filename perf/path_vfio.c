/* SPDX-License-Identifier: BSD-3-Clause */
/* A function of the host in the guest: there is nothing in between. */
#include "perf/path.h"

#include "lib/sysfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct rwy_path_function *function_for(const struct rwy_path *path,
						    const struct rwy_path_env *env)
{
	for (unsigned i = 0; i < env->nr_functions; i++)
		if (env->functions[i].kind == path->kind &&
		    (env->functions[i].pf[0] != '\0') == path->vf)
			return &env->functions[i];
	return NULL;
}

static bool available(const struct rwy_path *path, const struct rwy_path_env *env, char *why,
		      size_t why_len)
{
	const struct rwy_path_function *function = function_for(path, env);
	char driver[64];

	if (!function)
		return rwy_path_refuse(why, why_len,
				       "no %s %s bound to vfio-pci was named; see --vfio",
				       path->kind == RWY_RESULT_NET ? "network" : "storage",
				       path->vf ? "VF" : "function");
	if (rwy_sysfs_read_link("", driver, sizeof(driver), "/sys/bus/pci/devices/%s/driver",
				function->bdf) < 0)
		strcpy(driver, "none");
	if (strcmp(driver, "vfio-pci"))
		return rwy_path_refuse(why, why_len,
				       "%s is not bound to vfio-pci; its driver is %s",
				       function->bdf, driver);
	if (path->kind == RWY_RESULT_NET && !function->far)
		return rwy_path_refuse(why, why_len,
				       "%s: the interface at its other end was not named; see "
				       "--vfio",
				       function->bdf);
	return true;
}

static void describe(const struct rwy_path *path, const struct rwy_path_env *env, char *text,
		     size_t text_len)
{
	const struct rwy_path_function *function = function_for(path, env);

	if (!function)
		snprintf(text, text_len, "%s", path->ops->backend);
	else if (path->vf)
		snprintf(text, text_len, "%s, a VF of %s", function->bdf, function->pf);
	else
		snprintf(text, text_len, "%s", function->bdf);
}

static int start_blk(struct rwy_path_up *up)
{
	up->config.attach = RWY_GUEST_VFIO;
	up->config.target = function_for(up->path, up->env)->bdf;
	return 0;
}

const struct rwy_path_ops rwy_path_blk_vfio = {
	.backend = "the function itself",
	.describe = describe,
	.no_cycles = "the function does the work",
	.no_kicks = "doorbells go to the function, and nobody counts them",
	.available = available,
	.start = start_blk,
};

static int start_net(struct rwy_path_up *up)
{
	const struct rwy_path_function *function = function_for(up->path, up->env);
	struct rwy_run *run = up->env->run;
	int err;

	up->config.attach = RWY_GUEST_VFIO;
	up->config.target = function->bdf;
	up->step = "giving its interface to the far end";
	up->says = &up->far.call;
	err = rwy_far_open(run, &up->far, up->env->cpu_far);
	return err < 0 ? err : rwy_far_take(run, &up->far, up->env->cpu_far, function->far);
}

const struct rwy_path_ops rwy_path_net_vfio = {
	.backend = "the function itself",
	.describe = describe,
	.no_cycles = "the function does the work",
	.no_kicks = "doorbells go to the function, and nobody counts them",
	.available = available,
	.start = start_net,
};
