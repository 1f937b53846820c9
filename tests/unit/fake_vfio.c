/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/fake_vfio.h"

#include "iommu/iommufd_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- notes ---- */

void fake_vfio_note(struct fake_vfio *fake, const char *note)
{
	assert_in_range(fake->nr_notes, 0, FAKE_VFIO_NOTES - 1);
	snprintf(fake->notes[fake->nr_notes++], sizeof(fake->notes[0]), "%s", note);
}

int fake_vfio_noted(const struct fake_vfio *fake, const char *note)
{
	for (unsigned i = 0; i < fake->nr_notes; i++)
		if (strcmp(fake->notes[i], note) == 0)
			return (int)i;
	return -1;
}

/* ---- files ---- */

int fake_vfio_file(const char *name, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	assert_true(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	return fd;
}

/* The same open file under whatever number. */
static bool same(int a, int b)
{
	struct stat sa, sb;

	return a >= 0 && b >= 0 && fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
	       sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

static int hand_out(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	assert_true(copy >= 0);
	return copy;
}

static struct fake_vfio_function *function_of(struct fake_vfio *fake, int fd)
{
	for (unsigned i = 0; i < fake->nr_functions; i++)
		if (same(fake->functions[i].fd, fd))
			return &fake->functions[i];
	return NULL;
}

static int fake_open(void *ctx, const char *path)
{
	struct fake_vfio *fake = ctx;
	unsigned group;
	char note[16];

	if (fake->open_error)
		return fake->open_error;
	if (strcmp(path, "/dev/vfio/vfio") == 0) {
		fake_vfio_note(fake, "container");
		return hand_out(fake->container_fd);
	}
	if (strcmp(path, "/dev/iommu") == 0)
		return fake->has_iommufd ? hand_out(fake->iommu_fd) : -ENOENT;
	if (sscanf(path, "/dev/vfio/devices/vfio%u", &group) == 1) {
		assert_in_range(group, 0, fake->nr_functions - 1);
		fake_vfio_note(fake, "device");
		return hand_out(fake->functions[group].fd);
	}
	if (sscanf(path, "/dev/vfio/%u", &group) != 1)
		return -ENOENT;
	for (unsigned i = 0; i < fake->nr_functions; i++) {
		if (fake->functions[i].group != group)
			continue;
		snprintf(note, sizeof(note), "group %u", group);
		fake_vfio_note(fake, note);
		return hand_out(fake->group_fds[i]);
	}
	return -ENOENT;
}

static int fake_read(void *ctx, int fd, void *buf, size_t len, uint64_t off)
{
	struct fake_vfio_function *f = function_of(ctx, fd);

	if (!f || f->silent)
		return -EIO;
	return rwy_fd_read_full(fd, buf, len, (off_t)off);
}

static int fake_write(void *ctx, int fd, const void *buf, size_t len, uint64_t off)
{
	struct fake_vfio_function *f = function_of(ctx, fd);

	if (!f || f->silent)
		return -EIO;
	return rwy_fd_write_full(fd, buf, len, (off_t)off);
}

/* ---- the container ---- */

static int add_map(struct fake_vfio *fake, uint64_t iova, uint64_t len, uint64_t vaddr)
{
	if (fake->fail_map && --fake->fail_map == 0)
		return fake->fail_with;
	assert_in_range(fake->nr_maps, 0, FAKE_VFIO_MAPS - 1);
	for (unsigned i = 0; i < fake->nr_maps; i++)
		assert_true(iova + len <= fake->maps[i].iova ||
			    fake->maps[i].iova + fake->maps[i].len <= iova);
	fake->maps[fake->nr_maps++] = (struct fake_vfio_map){iova, len, vaddr};
	if (fake->nr_maps > fake->most_maps)
		fake->most_maps = fake->nr_maps;
	fake_vfio_note(fake, "map");
	return 0;
}

/* Whole mappings only, as type1v2 and iommufd. The bytes that are mapped no more. */
static uint64_t del_maps(struct fake_vfio *fake, uint64_t iova, uint64_t len)
{
	uint64_t end = iova + len, done = 0;

	for (unsigned i = 0; i < fake->nr_maps;) {
		struct fake_vfio_map *m = &fake->maps[i];

		if (m->iova >= end || m->iova + m->len <= iova) {
			i++;
			continue;
		}
		assert_true(m->iova >= iova && m->iova + m->len <= end);
		done += m->len;
		*m = fake->maps[--fake->nr_maps];
	}
	fake_vfio_note(fake, "unmap");
	return done;
}

static int map_dma(struct fake_vfio *fake, const struct vfio_iommu_type1_dma_map *arg)
{
	assert_true(fake->iommu_on);
	return add_map(fake, arg->iova, arg->size, arg->vaddr);
}

static int unmap_dma(struct fake_vfio *fake, struct vfio_iommu_type1_dma_unmap *arg)
{
	arg->size = del_maps(fake, arg->iova, arg->size);
	return 0;
}

static int get_iommu_info(struct fake_vfio *fake, struct vfio_iommu_type1_info *arg)
{
	struct vfio_iommu_type1_info_dma_avail avail = {
		.header = {.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, .version = 1},
		.avail = fake->avail,
	};
	size_t head = RWY_ALIGN_UP(sizeof(*arg), (size_t)8), room = arg->argsz;

	arg->flags = VFIO_IOMMU_INFO_PGSIZES;
	arg->iova_pgsizes = 4096 | 2 << 20 | 1 << 30;
	if (!fake->avail)
		return 0;
	arg->argsz = (uint32_t)(head + sizeof(avail));
	if (room < arg->argsz)
		return 0;
	arg->flags |= VFIO_IOMMU_INFO_CAPS;
	arg->cap_offset = (uint32_t)head;
	memcpy((uint8_t *)arg + head, &avail, sizeof(avail));
	return 0;
}

static int container_ioctl(struct fake_vfio *fake, unsigned long request, void *arg)
{
	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return arg == (void *)VFIO_TYPE1v2_IOMMU && !fake->no_type1;
	case VFIO_SET_IOMMU:
		assert_false(fake->iommu_on);
		assert_int_not_equal(fake->groups_in, 0);
		fake->iommu_on = true;
		fake_vfio_note(fake, "iommu");
		return 0;
	case VFIO_IOMMU_GET_INFO:
		return get_iommu_info(fake, arg);
	case VFIO_IOMMU_MAP_DMA:
		return map_dma(fake, arg);
	case VFIO_IOMMU_UNMAP_DMA:
		return unmap_dma(fake, arg);
	}
	return -ENOTTY;
}

/* ---- iommufd ---- */

static int get_ranges(const struct fake_vfio *fake, struct rwy_iommufd_iova_ranges *arg)
{
	uint64_t *pairs = (uint64_t *)(uintptr_t)arg->ranges;
	unsigned room = arg->nr;

	arg->nr = 2;
	if (room < 2)
		return -EMSGSIZE;
	pairs[0] = 0;
	pairs[1] = 0xfedfffff;
	pairs[2] = 0xfef00000;
	pairs[3] = fake->range_last ? fake->range_last : UINT64_MAX;
	return 0;
}

static int iommu_ioctl(struct fake_vfio *fake, unsigned long request, void *arg)
{
	struct rwy_iommufd_ioas_map *map = arg;
	struct rwy_iommufd_ioas_unmap *unmap = arg;

	switch (request) {
	case RWY_IOMMUFD_IOAS_ALLOC:
		((struct rwy_iommufd_ioas_alloc *)arg)->id = 77;
		fake->spaces++;
		return 0;
	case RWY_IOMMUFD_DESTROY:
		assert_int_equal(((struct rwy_iommufd_destroy *)arg)->id, 77);
		fake->spaces--;
		return 0;
	case RWY_IOMMUFD_IOVA_RANGES:
		return get_ranges(fake, arg);
	case RWY_IOMMUFD_IOAS_MAP:
		assert_int_equal(map->ioas, 77);
		assert_int_equal(map->flags, 7);
		return add_map(fake, map->iova, map->length, map->user_va);
	case RWY_IOMMUFD_IOAS_UNMAP:
		assert_int_equal(unmap->ioas, 77);
		unmap->length = del_maps(fake, unmap->iova, unmap->length);
		return 0;
	}
	return -ENOTTY;
}

/* A token is the 16 bytes of a UUID that has each digit once and then again. */
static int check_bind(const struct fake_vfio *fake, const struct fake_vfio_function *f,
		      const struct rwy_iommufd_device_bind *arg)
{
	static const uint8_t digits[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
					 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

	assert_true(same(arg->iommufd, fake->iommu_fd));
	if (arg->argsz == RWY_IOMMUFD_BIND_LEN && arg->flags == 0)
		return f->token && !fake->old_iommufd ? -EACCES : 0;
	assert_int_equal(arg->flags, RWY_IOMMUFD_BIND_TOKEN);
	assert_int_equal(arg->argsz, sizeof(*arg));
	if (fake->old_iommufd)
		return -EINVAL;
	return memcmp((const void *)(uintptr_t)arg->token, digits, 16) == 0 ? 0 : -EACCES;
}

static int cdev_ioctl(struct fake_vfio *fake, struct fake_vfio_function *f, unsigned long request,
		      void *arg)
{
	int err;

	switch (request) {
	case RWY_IOMMUFD_DEVICE_BIND:
		err = check_bind(fake, f, arg);
		if (err)
			return err;
		fake_vfio_note(fake, "bind");
		f->bound = true;
		return 0;
	case RWY_IOMMUFD_DEVICE_ATTACH:
		assert_true(f->bound);
		assert_int_equal(((struct rwy_iommufd_device_attach *)arg)->ioas, 77);
		if (fake->attach_error)
			return fake->attach_error;
		fake_vfio_note(fake, "attach");
		f->attached = true;
		return 0;
	case RWY_IOMMUFD_DEVICE_DETACH:
		assert_true(f->attached);
		fake_vfio_note(fake, "detach");
		f->attached = f->bound = false;
		return 0;
	}
	return -ENOTTY;
}

/* "BDF" or "BDF vf_token=UUID" */
static bool knows_token(const struct fake_vfio_function *f, const char *name)
{
	char wanted[96];

	snprintf(wanted, sizeof(wanted), "%s%s%s", f->bdf, f->token ? " vf_token=" : "",
		 f->token ? f->token : "");
	return strcmp(name, wanted) == 0;
}

static int group_ioctl(struct fake_vfio *fake, unsigned i, unsigned long request, void *arg)
{
	struct vfio_group_status *status = arg;

	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		status->flags = fake->not_viable ? 0 : VFIO_GROUP_FLAGS_VIABLE;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
		assert_true(same(*(int *)arg, fake->container_fd));
		if (fake->group_error)
			return fake->group_error;
		fake->groups_in++;
		fake_vfio_note(fake, "join");
		return 0;
	case VFIO_GROUP_UNSET_CONTAINER:
		assert_int_not_equal(fake->groups_in, 0);
		fake_vfio_note(fake, "part");
		if (--fake->groups_in == 0)
			fake->iommu_on = false;
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		assert_true(fake->iommu_on);
		for (unsigned n = 0; n < fake->nr_functions; n++) {
			struct fake_vfio_function *f = &fake->functions[n];

			if (strncmp(f->bdf, arg, strlen(f->bdf)) ||
			    f->group != fake->functions[i].group)
				continue;
			if (!knows_token(f, arg))
				return -EACCES;
			fake_vfio_note(fake, "device");
			f->opened = true;
			return hand_out(f->fd);
		}
		return -ENODEV;
	}
	return -ENOTTY;
}

/* ---- functions ---- */

static int get_region(struct fake_vfio_function *f, struct vfio_region_info *arg)
{
	uint32_t room = arg->argsz, i = arg->index;

	if (i >= RWY_VFIO_REGIONS)
		return -EINVAL;
	arg->flags = f->region_flags[i];
	arg->size = f->sizes[i];
	arg->offset = (uint64_t)i * FAKE_VFIO_REGION;
	arg->cap_offset = 0;
	if (f->chain_len[i]) {
		arg->argsz = (uint32_t)sizeof(*arg) + f->chain_len[i];
		arg->flags |= VFIO_REGION_INFO_FLAG_CAPS;
		if (room >= arg->argsz) {
			arg->cap_offset = sizeof(*arg);
			memcpy(arg + 1, f->chain[i], RWY_MIN(f->chain_len[i], 256u));
		}
	}
	return 0;
}

static int set_trigger(struct fake_vfio_function *f, const struct vfio_irq_set *arg)
{
	bool many = arg->index == RWY_VFIO_MSI || arg->index == RWY_VFIO_MSIX;
	unsigned *live = &f->live[arg->index];
	int fds[FAKE_VFIO_VECTORS];

	if (arg->flags & VFIO_IRQ_SET_DATA_NONE && arg->count == 0) {
		*live = 0;
		for (unsigned v = 0; v < FAKE_VFIO_VECTORS; v++)
			f->triggers[arg->index][v] = -1;
		return 0;
	}
	assert_true(arg->flags & VFIO_IRQ_SET_DATA_EVENTFD);
	assert_int_equal(arg->argsz, sizeof(*arg) + arg->count * sizeof(int));
	if (arg->start + arg->count > f->irq_counts[arg->index])
		return -EINVAL;
	if (*live == 0 && many) {
		if (f->short_of && arg->start + arg->count > f->short_of)
			return (int)f->short_of;
		f->restarts++;
	} else if (f->fixed && many && arg->start + arg->count > *live) {
		return -EINVAL;
	}
	*live = RWY_MAX(*live, arg->start + arg->count);
	memcpy(fds, arg->data, arg->count * sizeof(int));
	memcpy(f->triggers[arg->index] + arg->start, fds, arg->count * sizeof(int));
	return 0;
}

static int set_irqs(struct fake_vfio_function *f, const struct vfio_irq_set *arg)
{
	f->set_calls++;
	if (arg->index >= RWY_VFIO_IRQS || f->irq_counts[arg->index] == 0)
		return -EINVAL;
	if (arg->flags & VFIO_IRQ_SET_ACTION_TRIGGER)
		return set_trigger(f, arg);
	if (arg->flags & VFIO_IRQ_SET_ACTION_UNMASK && arg->flags & VFIO_IRQ_SET_DATA_EVENTFD)
		memcpy(&f->resample_fd, arg->data, sizeof(int));
	return 0;
}

/* All functions are on one bus. */
static int get_bus(const struct fake_vfio *fake, struct vfio_pci_hot_reset_info *arg)
{
	for (unsigned i = 0; i <= fake->nr_functions; i++) {
		bool last = i == fake->nr_functions;
		const char *bdf = last ? fake->neighbour : fake->functions[i].bdf;
		unsigned segment, bus, slot, function;

		if (!bdf)
			continue;
		assert_int_equal(sscanf(bdf, "%x:%x:%x.%x", &segment, &bus, &slot, &function), 4);
		arg->devices[arg->count++] = (struct vfio_pci_dependent_device){
			.group_id = last ? 99 : fake->functions[i].group,
			.segment = (uint16_t)segment,
			.bus = (uint8_t)bus,
			.devfn = (uint8_t)(slot << 3 | function),
		};
	}
	assert_true(arg->argsz >= sizeof(*arg) + arg->count * sizeof(arg->devices[0]));
	return 0;
}

/* The kernel wants the group of each function there, and no other; none from iommufd's users. */
static int reset_bus(struct fake_vfio *fake, const struct vfio_pci_hot_reset *arg)
{
	for (unsigned i = 0; i < fake->nr_functions; i++) {
		bool proven = arg->count == 0 && fake->functions[i].attached;

		for (unsigned n = 0; n < arg->count; n++)
			for (unsigned g = 0; g < fake->nr_functions; g++)
				proven |= same(arg->group_fds[n], fake->group_fds[g]) &&
					  fake->functions[g].group == fake->functions[i].group;
		if (!proven || fake->neighbour)
			return -EPERM;
		fake->functions[i].resets++;
	}
	fake_vfio_note(fake, "bus reset");
	return 0;
}

static int device_ioctl(struct fake_vfio *fake, struct fake_vfio_function *f, unsigned long request,
			void *arg)
{
	struct vfio_device_info *info = arg;
	struct vfio_irq_info *irq = arg;

	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		info->flags = f->device_flags;
		info->num_regions = VFIO_PCI_NUM_REGIONS;
		info->num_irqs = VFIO_PCI_NUM_IRQS;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return get_region(f, arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		if (irq->index >= RWY_VFIO_IRQS || f->irq_counts[irq->index] == 0)
			return -EINVAL;
		irq->count = f->irq_counts[irq->index];
		irq->flags = VFIO_IRQ_INFO_EVENTFD | (f->fixed ? VFIO_IRQ_INFO_NORESIZE : 0);
		return 0;
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(f, arg);
	case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
		return get_bus(fake, arg);
	case VFIO_DEVICE_PCI_HOT_RESET:
		return reset_bus(fake, arg);
	case VFIO_DEVICE_RESET:
		f->resets++;
		for (unsigned i = RWY_VFIO_INTX; i <= RWY_VFIO_MSIX; i++)
			f->loud_reset |= f->live[i] > 0;
		fake_vfio_note(fake, "reset");
		return 0;
	}
	return cdev_ioctl(fake, f, request, arg);
}

static int fake_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
	struct fake_vfio *fake = ctx;
	struct fake_vfio_function *f = function_of(fake, fd);

	if (f)
		return device_ioctl(fake, f, request, arg);
	if (same(fd, fake->iommu_fd))
		return iommu_ioctl(fake, request, arg);
	if (same(fd, fake->container_fd))
		return container_ioctl(fake, request, arg);
	for (unsigned i = 0; i < fake->nr_functions; i++)
		if (same(fd, fake->group_fds[i]))
			return group_ioctl(fake, i, request, arg);
	return -EBADF;
}

/* ---- building ---- */

void fake_vfio_open(struct fake_vfio *fake)
{
	memset(fake, 0, sizeof(*fake));
	fake->sys = (struct rwy_vfio_sys){fake_open, fake_ioctl, fake_read, fake_write, fake, ""};
	fake->container_fd = fake_vfio_file("container", 1);
	fake->iommu_fd = fake_vfio_file("iommu", 1);
}

void fake_vfio_close(struct fake_vfio *fake)
{
	assert_int_equal(fake->nr_maps, 0);
	assert_int_equal(fake->groups_in, 0);
	assert_int_equal(fake->spaces, 0);
	rwy_fd_close(&fake->container_fd);
	rwy_fd_close(&fake->iommu_fd);
	for (unsigned i = 0; i < fake->nr_functions; i++) {
		assert_false(fake->functions[i].attached);
		rwy_fd_close(&fake->group_fds[i]);
		rwy_fd_close(&fake->functions[i].fd);
	}
}

void fake_vfio_peek(const struct fake_vfio_function *f, unsigned region, uint64_t off, void *buf,
		    size_t len)
{
	assert_int_equal(rwy_fd_read_full(f->fd, buf, len,
					  (off_t)(region * FAKE_VFIO_REGION + off)),
			 0);
}

void fake_vfio_poke(const struct fake_vfio_function *f, unsigned region, uint64_t off,
		    const void *buf, size_t len)
{
	assert_int_equal(rwy_fd_write_full(f->fd, buf, len,
					   (off_t)(region * FAKE_VFIO_REGION + off)),
			 0);
}

void fake_vfio_poke32(const struct fake_vfio_function *f, unsigned region, uint64_t off,
		      uint32_t value)
{
	fake_vfio_poke(f, region, off, &value, sizeof(value));
}

uint32_t fake_vfio_peek32(const struct fake_vfio_function *f, unsigned region, uint64_t off)
{
	uint32_t value;

	fake_vfio_peek(f, region, off, &value, sizeof(value));
	return value;
}
