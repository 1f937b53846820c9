/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/holder.h"

#include "lib/sysfs.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VFIO "/dev/vfio/"

struct scan {
	const char *root;
	const char *pid;
	struct rwy_holder_list *list;
};

static int add(struct scan *scan, const char *file)
{
	struct rwy_holder_list *list = scan->list;
	struct rwy_holder holder = {.pid = atoi(scan->pid)};
	struct rwy_holder *grown;

	if (snprintf(holder.file, sizeof(holder.file), "%s", file) >= (int)sizeof(holder.file))
		return 0;
	for (unsigned i = 0; i < list->nr; i++)
		if (list->holders[i].pid == holder.pid &&
		    strcmp(list->holders[i].file, holder.file) == 0)
			return 0;
	(void)!rwy_sysfs_read(scan->root, holder.name, sizeof(holder.name), "/proc/%s/comm",
			      scan->pid);
	grown = reallocarray(list->holders, list->nr + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->holders = grown;
	list->holders[list->nr++] = holder;
	return 0;
}

/* The link's text is all there is to see: the file itself is busy. */
static int look_at_fd(void *ctx, const char *name)
{
	struct scan *scan = ctx;
	char path[RWY_SYSFS_PATH], target[RWY_SYSFS_PATH];
	ssize_t len;

	if (snprintf(path, sizeof(path), "%s/proc/%s/fd/%s", scan->root, scan->pid, name) >=
	    (int)sizeof(path))
		return 0;
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return 0;
	target[len] = '\0';
	if (strncmp(target, VFIO, strlen(VFIO)) != 0 || strcmp(target, VFIO "vfio") == 0)
		return 0;
	return add(scan, target + strlen(VFIO));
}

static int look_at_process(void *ctx, const char *name)
{
	struct scan *scan = ctx;
	int rc;

	if (!isdigit((unsigned char)name[0]))
		return 0;
	scan->pid = name;
	rc = rwy_sysfs_list(scan->root, look_at_fd, scan, "/proc/%s/fd", name);
	return rc == -ENOMEM ? rc : 0; /* gone, or not ours to see */
}

int rwy_holder_list_init(struct rwy_holder_list *list, const char *root)
{
	struct scan scan = {root, NULL, list};
	int err;

	*list = (struct rwy_holder_list){0};
	err = rwy_sysfs_list(root, look_at_process, &scan, "/proc");
	if (err)
		rwy_holder_list_fini(list);
	return err;
}

void rwy_holder_list_fini(struct rwy_holder_list *list)
{
	free(list->holders);
	*list = (struct rwy_holder_list){0};
}

const struct rwy_holder *rwy_holder_of(const struct rwy_holder_list *list, const struct rwy_vf *vf)
{
	char group[24], device[32];

	snprintf(group, sizeof(group), "%d", vf->group);
	snprintf(device, sizeof(device), "devices/%s", vf->vfio);
	for (unsigned i = 0; i < list->nr; i++) {
		const char *file = list->holders[i].file;

		if ((vf->group >= 0 && strcmp(file, group) == 0) ||
		    (vf->vfio[0] && strcmp(file, device) == 0))
			return &list->holders[i];
	}
	return NULL;
}
