/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/space.h"

#include "iommu/dma.h"
#include "iommu/group.h"
#include "iommu/type1.h"
#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "space"

#define MEMBERS 64

struct member {
	const struct rwy_vfio *vfio; /* NULL: free */
	unsigned group;
};

struct group {
	int fd; /* owned */
	unsigned number;
	unsigned users; /* 0: free */
};

struct rwy_space {
	struct rwy_space_config config;
	struct rwy_type1 type1;
	struct rwy_dma dma;
	bool following; /* dma is in use */
	struct group groups[MEMBERS];
	struct member members[MEMBERS];
};

static const char *root_of(const struct rwy_space *space)
{
	return space->config.sys->root;
}

static int call(const struct rwy_space *space, int fd, unsigned long request, void *arg)
{
	return space->config.sys->ioctl(space->config.sys->ctx, fd, request, arg);
}

static int tell_kvm(const struct rwy_space *space, int fd, bool there)
{
	return space->config.tell_kvm ? space->config.tell_kvm(space->config.ctx, fd, there) : 0;
}

int rwy_space_open(struct rwy_space **out, const struct rwy_space_config *config)
{
	struct rwy_space *space = calloc(1, sizeof(*space));

	if (!space)
		return -ENOMEM;
	space->config = *config;
	space->type1.fd = -1;
	*out = space;
	return 0;
}

void rwy_space_close(struct rwy_space *space)
{
	if (!space)
		return;
	rwy_type1_close(&space->type1);
	free(space);
}

/* ---- guest memory ---- */

static int map_memory(struct rwy_space *space, unsigned group)
{
	struct rwy_dma_limits limits;
	int err = rwy_type1_limits(&space->type1, &limits);

	if (err)
		return err;
	rwy_dma_init(&space->dma, &rwy_type1_ops, &space->type1, &limits);
	err = rwy_type1_reserve(&space->type1, &space->dma);
	if (!err)
		err = rwy_group_reserve(root_of(space), group, &space->dma);
	if (!err)
		err = rwy_dma_follow(&space->dma, space->config.mem);
	if (err)
		rwy_dma_fini(&space->dma);
	space->following = !err;
	return err;
}

static void unmap_memory(struct rwy_space *space)
{
	if (space->following)
		rwy_dma_fini(&space->dma);
	space->following = false;
}

/* ---- groups ---- */

static struct group *find_group(struct rwy_space *space, unsigned number)
{
	struct group *free_one = NULL;

	for (unsigned i = 0; i < MEMBERS; i++) {
		if (space->groups[i].users && space->groups[i].number == number)
			return &space->groups[i];
		if (!space->groups[i].users && !free_one)
			free_one = &space->groups[i];
	}
	if (free_one)
		*free_one = (struct group){.fd = -1, .number = number};
	return free_one;
}

static int open_group(struct rwy_space *space, struct group *group, int *fd)
{
	char path[32];

	group->fd = rwy_fd_take(fd);
	if (group->fd >= 0)
		return 0;
	snprintf(path, sizeof(path), "/dev/vfio/%u", group->number);
	group->fd = space->config.sys->open(space->config.sys->ctx, path);
	if (group->fd >= 0)
		return 0;
	int err = group->fd;
	group->fd = -1;
	rwy_error("%s: %s: %s", path, strerror(-err),
		  err == -EBUSY	   ? "another program has this group; end it first"
		  : err == -EACCES ? "give this user the file, and memory to lock"
				   : "modprobe vfio-pci");
	return err;
}

static void release_group(struct rwy_space *space, struct group *group)
{
	if (--group->users)
		return;
	(void)tell_kvm(space, group->fd, false);
	if (space->type1.nr_groups == 1)
		unmap_memory(space);
	rwy_type1_part(&space->type1, group->fd);
	rwy_fd_close(&group->fd);
	if (space->type1.nr_groups == 0)
		rwy_type1_close(&space->type1);
}

/* The first user of a group makes it part of the space. */
static int join_group(struct rwy_space *space, struct group *group, struct rwy_space_device *device)
{
	int err = open_group(space, group, &device->fd);

	if (err)
		return err;
	if (space->type1.fd < 0)
		err = rwy_type1_open(&space->type1, space->config.sys, &device->iommu_fd);
	/* KVM keeps a reference, and must know before the IOMMU's coherence matters. */
	if (!err && space->following)
		err = rwy_group_reserve(root_of(space), group->number, &space->dma);
	if (!err)
		err = rwy_type1_join(&space->type1, group->fd);
	if (err)
		goto close_group;
	if (!space->following)
		err = map_memory(space, group->number);
	if (err)
		goto part;
	err = tell_kvm(space, group->fd, true);
	if (!err) {
		group->users = 1;
		return 0;
	}
	rwy_error("KVM does not take the group %u: %s", group->number, strerror(-err));
	if (space->type1.nr_groups == 1)
		unmap_memory(space);

part:
	rwy_type1_part(&space->type1, group->fd);
close_group:
	rwy_fd_close(&group->fd);
	if (space->type1.nr_groups == 0)
		rwy_type1_close(&space->type1);
	return err;
}

static int get_device(struct rwy_space *space, const struct group *group, const char *bdf)
{
	char name[RWY_BDF_LEN];
	int fd;

	snprintf(name, sizeof(name), "%s", bdf);
	fd = call(space, group->fd, VFIO_GROUP_GET_DEVICE_FD, name);
	if (fd < 0)
		rwy_error("%s: the group does not hand it out: %s%s", bdf, strerror(-fd),
			  fd == -ENODEV ? ": bind it to vfio-pci" : "");
	return fd;
}

/* ---- functions ---- */

static struct member *find_member(struct rwy_space *space, const struct rwy_vfio *vfio)
{
	for (unsigned i = 0; i < MEMBERS; i++)
		if (space->members[i].vfio == vfio)
			return &space->members[i];
	return NULL;
}

static int attach_by_group(struct rwy_space *space, struct member *member,
			   struct rwy_space_device *device, struct rwy_vfio *vfio)
{
	struct group *group;
	unsigned number;
	int err = rwy_group_find(root_of(space), device->bdf, &number);

	if (!err)
		err = rwy_group_check(root_of(space), device->bdf, number);
	if (err)
		return err;
	group = find_group(space, number);
	if (!group)
		return -ENOSPC;
	if (group->users)
		group->users++;
	else
		err = join_group(space, group, device);
	if (err)
		return err;
	int fd = get_device(space, group, device->bdf);
	err = fd < 0 ? fd : rwy_vfio_open(vfio, space->config.sys, device->bdf, &fd);
	if (err) {
		release_group(space, group);
		return err;
	}
	*member = (struct member){vfio, number};
	return 0;
}

int rwy_space_attach(struct rwy_space *space, struct rwy_space_device *device,
		     struct rwy_vfio *vfio)
{
	struct member *member = find_member(space, NULL);
	int err = member ? attach_by_group(space, member, device, vfio) : -ENOSPC;

	rwy_fd_close(&device->fd);
	rwy_fd_close(&device->iommu_fd);
	return err;
}

void rwy_space_detach(struct rwy_space *space, struct rwy_vfio *vfio)
{
	struct member *member = find_member(space, vfio);

	rwy_vfio_close(vfio);
	if (!member)
		return;
	release_group(space, find_group(space, member->group));
	member->vfio = NULL;
}

void rwy_space_share(struct rwy_space *space, uint64_t gpa, void *hva, uint64_t len)
{
	if (space->following)
		(void)!rwy_dma_map(&space->dma, (rwy_iova){gpa}, hva, len, false);
}

void rwy_space_unshare(struct rwy_space *space, uint64_t gpa, uint64_t len)
{
	if (space->following)
		rwy_dma_unmap(&space->dma, (rwy_iova){gpa}, len);
}
