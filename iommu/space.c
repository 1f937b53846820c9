/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/space.h"

#include "iommu/dma.h"
#include "iommu/group.h"
#include "iommu/iommufd.h"
#include "iommu/token.h"
#include "iommu/type1.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/sysfs.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "space"

#define MEMBERS 64
#define UNKNOWN 0x80000000u /* group numbers that sysfs would not give */

struct member {
	const struct rwy_vfio *vfio; /* NULL: free */
	unsigned group;		     /* unless the space is iommufd's */
};

struct group {
	int fd; /* owned */
	unsigned number;
	unsigned users; /* 0: free */
};

struct rwy_space {
	struct rwy_space_config config;
	/* One of the two, whichever the first function came by; the other has no file. */
	struct rwy_type1 type1;
	struct rwy_iommufd iommufd;
	unsigned nr_devices; /* of iommufd */
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
	space->type1.fd = space->iommufd.fd = -1;
	*out = space;
	return 0;
}

void rwy_space_close(struct rwy_space *space)
{
	if (!space)
		return;
	rwy_type1_close(&space->type1);
	rwy_iommufd_close(&space->iommufd);
	free(space);
}

/* ---- guest memory ---- */

static int init_dma(struct rwy_space *space)
{
	struct rwy_dma_limits limits;
	int err = 0;

	if (space->iommufd.fd >= 0)
		rwy_iommufd_limits(&space->iommufd, &limits);
	else
		err = rwy_type1_limits(&space->type1, &limits);
	if (err)
		return err;
	if (space->iommufd.fd >= 0)
		rwy_dma_init(&space->dma, &rwy_iommufd_ops, &space->iommufd, &limits);
	else
		rwy_dma_init(&space->dma, &rwy_type1_ops, &space->type1, &limits);
	return 0;
}

static int map_memory(struct rwy_space *space, unsigned group)
{
	int err = init_dma(space);

	if (err)
		return err;
	if (space->iommufd.fd >= 0)
		err = rwy_iommufd_reserve(&space->iommufd, &space->dma);
	else
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

static int get_device(struct rwy_space *space, const struct group *group,
		      const struct rwy_space_device *device)
{
	char name[RWY_BDF_LEN + sizeof(" vf_token=") + RWY_TOKEN_LEN];
	int fd;

	snprintf(name, sizeof(name), "%s%s%s", device->bdf, device->token ? " vf_token=" : "",
		 device->token ? device->token : "");
	fd = call(space, group->fd, VFIO_GROUP_GET_DEVICE_FD, name);
	if (fd < 0)
		rwy_error("%s: the group does not hand it out: %s%s", device->bdf, strerror(-fd),
			  fd == -ENODEV	  ? ": bind it to vfio-pci"
			  : fd == -EACCES ? RWY_TOKEN_MISSING
					  : "");
	return fd;
}

/* Without a view of sysfs, as in a jail, whoever handed in the files has looked. */
static int look_at(struct rwy_space *space, const struct rwy_space_device *device, unsigned *group)
{
	int err;

	*group = UNKNOWN + (unsigned)device->fd;
	if (device->fd >= 0 && !rwy_sysfs_exists(root_of(space), "/sys/bus/pci/devices"))
		return 0;
	err = rwy_group_find(root_of(space), device->bdf, group);
	return err ? err : rwy_group_check(root_of(space), device->bdf, *group);
}

static int attach_by_group(struct rwy_space *space, struct member *member, unsigned number,
			   struct rwy_space_device *device, struct rwy_vfio *vfio)
{
	struct group *group = find_group(space, number);
	int err = 0, fd;

	if (!group)
		return -ENOSPC;
	if (group->users)
		group->users++;
	else
		err = join_group(space, group, device);
	if (err)
		return err;
	fd = get_device(space, group, device);
	err = fd < 0 ? fd : rwy_vfio_open(vfio, space->config.sys, device->bdf, &fd);
	if (err) {
		if (fd >= 0)
			rwy_fd_close(&fd);
		release_group(space, group);
		return err;
	}
	*member = (struct member){vfio, number};
	return 0;
}

/* ---- functions with a file of their own ---- */

static void release_device(struct rwy_space *space, int fd)
{
	rwy_iommufd_detach(&space->iommufd, fd);
	(void)tell_kvm(space, fd, false);
	if (--space->nr_devices)
		return;
	unmap_memory(space);
}

static int join_device(struct rwy_space *space, int fd, unsigned group, const char *token)
{
	int err = tell_kvm(space, fd, true);

	if (err) {
		rwy_error("KVM does not take the function: %s", strerror(-err));
		return err;
	}
	err = rwy_iommufd_attach(&space->iommufd, fd, token);
	if (err) {
		(void)tell_kvm(space, fd, false);
		return err;
	}
	space->nr_devices++;
	if (!space->following)
		err = map_memory(space, group);
	else
		err = rwy_group_reserve(root_of(space), group, &space->dma);
	if (err)
		release_device(space, fd);
	return err;
}

static int attach_by_device(struct rwy_space *space, struct member *member, unsigned group, int *fd,
			    const struct rwy_space_device *device, struct rwy_vfio *vfio)
{
	int err = join_device(space, *fd, group, device->token);

	if (err)
		return err;
	err = rwy_vfio_open(vfio, space->config.sys, device->bdf, fd);
	if (err) {
		release_device(space, *fd);
		return err;
	}
	*member = (struct member){vfio, group};
	return 0;
}

/* ---- functions ---- */

static bool is_group(const struct rwy_space *space, int fd)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};

	return call(space, fd, VFIO_GROUP_GET_STATUS, &status) == 0;
}

/* iommufd where the kernel has it and nothing speaks against it. 1: it is open, and *fd the
 * function's file; 0: by group. */
static int choose(struct rwy_space *space, struct rwy_space_device *device, int *fd)
{
	int err;

	if (space->type1.fd >= 0 || (device->fd >= 0 && is_group(space, device->fd)))
		return 0;
	*fd = rwy_fd_take(&device->fd);
	if (*fd < 0)
		*fd = rwy_iommufd_device(space->config.sys, device->bdf);
	if (*fd < 0)
		return *fd == -ENOENT && space->iommufd.fd < 0 ? 0 : *fd;
	if (space->iommufd.fd >= 0)
		return 1;
	err = rwy_iommufd_open(&space->iommufd, space->config.sys, &device->iommu_fd);
	if (!err)
		return 1;
	rwy_fd_close(fd);
	return err == -ENOENT ? 0 : err;
}

static int attach(struct rwy_space *space, struct member *member, struct rwy_space_device *device,
		  struct rwy_vfio *vfio)
{
	unsigned group;
	int fd = -1, err = look_at(space, device, &group);

	if (err)
		return err;
	err = choose(space, device, &fd);
	if (err < 0)
		return err;
	if (err == 0)
		return attach_by_group(space, member, group, device, vfio);
	err = attach_by_device(space, member, group, &fd, device, vfio);
	rwy_fd_close(&fd);
	if (space->nr_devices == 0)
		rwy_iommufd_close(&space->iommufd);
	return err;
}

static struct member *find_member(struct rwy_space *space, const struct rwy_vfio *vfio)
{
	for (unsigned i = 0; i < MEMBERS; i++)
		if (space->members[i].vfio == vfio)
			return &space->members[i];
	return NULL;
}

int rwy_space_attach(struct rwy_space *space, struct rwy_space_device *device,
		     struct rwy_vfio *vfio)
{
	struct member *member = find_member(space, NULL);
	int err = member ? attach(space, member, device, vfio) : -ENOSPC;

	rwy_fd_close(&device->fd);
	rwy_fd_close(&device->iommu_fd);
	return err;
}

void rwy_space_detach(struct rwy_space *space, struct rwy_vfio *vfio)
{
	struct member *member = find_member(space, vfio);
	bool by_device = space->iommufd.fd >= 0;

	if (by_device && member)
		release_device(space, vfio->fd);
	rwy_vfio_close(vfio);
	if (!member)
		return;
	member->vfio = NULL;
	if (!by_device)
		release_group(space, find_group(space, member->group));
	else if (space->nr_devices == 0)
		rwy_iommufd_close(&space->iommufd);
}

/* ---- reset ---- */

/* Another one of ours may be reset with it while nobody drives it, which takes mastering the bus.
 */
static int allow_reset(void *ctx, const char *bdf, int *group_fd)
{
	struct rwy_space *space = ctx;
	const struct member *m = NULL;
	uint16_t command;

	for (unsigned i = 0; i < MEMBERS && !m; i++)
		if (space->members[i].vfio && strcmp(space->members[i].vfio->name, bdf) == 0)
			m = &space->members[i];
	if (!m)
		return -EXDEV;
	if (rwy_vfio_read(m->vfio, RWY_VFIO_CONFIG, PCI_COMMAND, &command, sizeof(command)) ||
	    command & PCI_COMMAND_MASTER)
		return -EBUSY;
	if (space->iommufd.fd < 0)
		*group_fd = find_group(space, m->group)->fd;
	return 0;
}

int rwy_space_reset(struct rwy_space *space, const struct rwy_vfio *vfio, char *why)
{
	const struct rwy_hot_reset_ops ops = {allow_reset, space};
	int err = rwy_vfio_reset(vfio);

	if (err == -EOPNOTSUPP)
		return rwy_hot_reset(vfio, &ops, why);
	if (err)
		snprintf(why, RWY_HOT_RESET_WHY, "%s", strerror(-err));
	return err;
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
