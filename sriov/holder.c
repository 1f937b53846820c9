/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/holder.h"

#include "lib/sysfs.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VFIO "/dev/vfio/"

struct scan {
	const char *root;
	struct rwy_holder_list *list;
	int pid;	       /* whose files */
	char bdf[RWY_BDF_LEN]; /* of what */
};

static int add(struct scan *scan, const struct rwy_holder *holder)
{
	struct rwy_holder_list *list = scan->list;
	struct rwy_holder *grown;

	for (unsigned i = 0; i < list->nr; i++)
		if (list->holders[i].pid == holder->pid &&
		    strcmp(list->holders[i].bdf, holder->bdf) == 0 &&
		    strcmp(list->holders[i].file, holder->file) == 0)
			return 0;
	grown = reallocarray(list->holders, list->nr + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->holders = grown;
	list->holders[list->nr++] = *holder;
	return 0;
}

static int RWY_PRINTF(3, 4)
	read_target(const struct scan *scan, char target[RWY_SYSFS_PATH], const char *fmt, ...)
{
	char path[RWY_SYSFS_PATH];
	int at = snprintf(path, sizeof(path), "%s", scan->root);
	ssize_t len;
	va_list ap;

	va_start(ap, fmt);
	if (at < (int)sizeof(path))
		vsnprintf(path + at, sizeof(path) - (size_t)at, fmt, ap);
	va_end(ap);
	len = readlink(path, target, RWY_SYSFS_PATH - 1);
	target[RWY_MAX(len, 0)] = '\0';
	return len < 0 ? -errno : 0;
}

/* Where a device of a class is in the tree of devices, the last function on the way is its own. */
static bool find_function(struct scan *scan, const char *dir, const char *name)
{
	char target[RWY_SYSFS_PATH], *rest = target;

	scan->bdf[0] = '\0';
	if (read_target(scan, target, "/sys/%s/%s", dir, name))
		return false;
	for (const char *part; (part = strsep(&rest, "/"));) {
		char bdf[RWY_BDF_LEN];

		if (rwy_bdf_parse(part, bdf) == 0)
			memcpy(scan->bdf, bdf, sizeof(bdf));
	}
	return scan->bdf[0] != '\0';
}

/* ---- processes ---- */

static const struct {
	const char *file, *class;
} classes[] = {
	{"/dev/uio", "uio"},
	{"/dev/infiniband/uverbs", "infiniband_verbs"},
	{"/dev/vhost-vdpa-", "vhost-vdpa"},
	{"/dev/nvme", "nvme"},
	{"/dev/nvme", "block"},
	{"/dev/ng", "nvme-generic"},
};

static bool is_of_class(struct scan *scan, const char *file)
{
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(classes); i++) {
		char dir[32];

		snprintf(dir, sizeof(dir), "class/%s", classes[i].class);
		if (strncmp(file, classes[i].file, strlen(classes[i].file)) == 0 &&
		    find_function(scan, dir, strrchr(file, '/') + 1))
			return true;
	}
	return false;
}

/* The link's text is all there is to see: the file itself is busy. */
static int look_at_fd(void *ctx, const char *name)
{
	struct scan *scan = ctx;
	struct rwy_holder holder = {.pid = scan->pid};
	char target[RWY_SYSFS_PATH];

	if (read_target(scan, target, "/proc/%d/fd/%s", scan->pid, name))
		return 0;
	if (strncmp(target, VFIO, strlen(VFIO)) == 0) {
		const char *file = target + strlen(VFIO);

		if (strcmp(file, "vfio") == 0 || strlen(file) >= sizeof(holder.file))
			return 0;
		strcpy(holder.file, file);
	} else if (is_of_class(scan, target)) {
		memcpy(holder.bdf, scan->bdf, sizeof(holder.bdf));
	} else {
		return 0;
	}
	(void)!rwy_sysfs_read(scan->root, holder.name, sizeof(holder.name), "/proc/%d/comm",
			      scan->pid);
	return add(scan, &holder);
}

static int look_at_process(void *ctx, const char *name)
{
	struct scan *scan = ctx;
	char target[RWY_SYSFS_PATH];
	int rc;

	if (!isdigit((unsigned char)name[0]))
		return 0;
	/* Threads of the kernel have no files, and are many. */
	if (read_target(scan, target, "/proc/%s/exe", name) == -ENOENT)
		return 0;
	scan->pid = atoi(name);
	rc = rwy_sysfs_list(scan->root, look_at_fd, scan, "/proc/%s/fd", name);
	return rc == -ENOMEM ? rc : 0; /* gone, or not ours to see */
}

/* ---- the kernel ---- */

static int add_other(struct scan *scan, const char *name)
{
	struct rwy_holder holder = {0};

	snprintf(holder.name, sizeof(holder.name), "%.31s", name);
	memcpy(holder.bdf, scan->bdf, sizeof(holder.bdf));
	return add(scan, &holder);
}

/* proc_pid_mountinfo(5): the third field is the device, the fifth where it is mounted. */
static int look_at_mounts(struct scan *scan)
{
	char path[RWY_SYSFS_PATH], *line = NULL;
	size_t room = 0;
	FILE *file;
	int err = 0;

	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", scan->root);
	file = fopen(path, "re");
	while (file && !err && getline(&line, &room, file) > 0) {
		char device[24], where[RWY_SYSFS_PATH];

		if (sscanf(line, "%*s %*s %23s %*s %511s", device, where) == 2 &&
		    strncmp(device, "0:", 2) != 0 && find_function(scan, "dev/block", device))
			err = add_other(scan, where);
	}
	free(line);
	if (file)
		fclose(file);
	return err;
}

/* dm-0, md0 */
static int look_at_block(void *ctx, const char *name)
{
	struct scan *scan = ctx;
	char holder[32];

	if (!find_function(scan, "class/block", name) ||
	    rwy_sysfs_first(scan->root, holder, sizeof(holder), "/sys/class/block/%s/holders",
			    name))
		return 0;
	return add_other(scan, holder);
}

static int look_at_upper(void *ctx, const char *name)
{
	static const char upper[] = "upper_";

	if (strncmp(name, upper, strlen(upper)) != 0)
		return 0;
	return add_other(ctx, name + strlen(upper));
}

static int look_at_link(void *ctx, const char *name)
{
	struct scan *scan = ctx;
	int rc;

	if (!find_function(scan, "class/net", name))
		return 0;
	rc = rwy_sysfs_list(scan->root, look_at_upper, scan, "/sys/class/net/%s", name);
	return rc == -ENOMEM ? rc : 0;
}

/* ---- the list ---- */

int rwy_holder_list_init(struct rwy_holder_list *list, const char *root)
{
	struct scan scan = {.root = root, .list = list};
	int err;

	*list = (struct rwy_holder_list){0};
	err = rwy_sysfs_list(root, look_at_process, &scan, "/proc");
	if (!err)
		err = look_at_mounts(&scan);
	/* Where there are none of these, there is no directory. */
	if (!err && rwy_sysfs_list(root, look_at_block, &scan, "/sys/class/block") == -ENOMEM)
		err = -ENOMEM;
	if (!err && rwy_sysfs_list(root, look_at_link, &scan, "/sys/class/net") == -ENOMEM)
		err = -ENOMEM;
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
	static const struct rwy_holder away = {.name = "another network namespace"};
	char group[24], device[32];

	snprintf(group, sizeof(group), "%d", vf->group);
	snprintf(device, sizeof(device), "devices/%s", vf->vfio);
	for (unsigned i = 0; i < list->nr; i++) {
		const struct rwy_holder *holder = &list->holders[i];

		if ((vf->group >= 0 && strcmp(holder->file, group) == 0) ||
		    (vf->vfio[0] && strcmp(holder->file, device) == 0) ||
		    (vf->bdf[0] && strcmp(holder->bdf, vf->bdf) == 0))
			return holder;
	}
	return vf->away ? &away : NULL;
}

const struct rwy_holder *rwy_holder_of_pf(const struct rwy_holder_list *list, const char *bdf)
{
	for (unsigned i = 0; i < list->nr; i++)
		if (strcmp(list->holders[i].bdf, bdf) == 0)
			return &list->holders[i];
	return NULL;
}

void rwy_holder_put(char text[RWY_HOLDER_TEXT], const struct rwy_holder *holder, const char *before)
{
	if (holder->pid)
		snprintf(text, RWY_HOLDER_TEXT, "%s (%s%d)", holder->name, before, holder->pid);
	else
		snprintf(text, RWY_HOLDER_TEXT, "%s", holder->name);
}
