/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The front-end's memory: "Memory region description". Everything is checked and mapped before
 * anything changes; then the rings are paused, the map is changed, and the rings go on.
 *
 * Descriptors are closed once mapped. The memory of most front-ends is not sealed against
 * shrinking, so it must be taken as it is; be_main.c keeps a SIGBUS from ending the process.
 */
#include "vhost-backends/be_fault.h"
#include "vhost-backends/be_private.h"

#include "lib/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define RWY_STEM "be_mem"

#define RING_ALIGN 16u /* the most any part of a ring needs (virtio 1.2, 2.7 and 2.8) */

static void unmap_all(struct rwy_be_maps *maps)
{
	while (maps->nr > 0)
		rwy_be_view_close(&maps->map[--maps->nr].view);
}

/* Maps the file's part that is the region; *region is then complete. */
static int map_region(const struct rwy_vu_region *from, int fd, struct rwy_be_map *map,
		      struct rwy_mem_region *region)
{
	int err;

	/* what is aligned for the front-end must be so for us: rings are read by the word */
	if ((from->mmap_offset ^ from->uva) & (RING_ALIGN - 1))
		return -EINVAL;
	*map = (struct rwy_be_map){.gpa = from->gpa, .mmap_offset = from->mmap_offset};
	err = rwy_be_view_open(&map->view, fd, from->mmap_offset, from->size);
	if (err)
		return err;
	/* a guest's memory has no place in our core dumps */
	madvise(map->view.map, map->view.map_len, MADV_DONTDUMP);
	*region = (struct rwy_mem_region){
		.gpa = {from->gpa},
		.uva = {from->uva},
		.size = from->size,
		.hva = map->view.at,
		.fd = -1,
		.fd_off = from->mmap_offset,
	};
	return 0;
}

static struct rwy_be_map *find_map(struct rwy_be_maps *maps, uint64_t gpa)
{
	for (unsigned i = 0; i < maps->nr; i++)
		if (maps->map[i].gpa == gpa)
			return &maps->map[i];
	return NULL;
}

static void forget_map(struct rwy_be_maps *maps, struct rwy_be_map *map)
{
	rwy_be_view_close(&map->view);
	*map = maps->map[--maps->nr];
}

/* Maps one region and adds it; all or nothing. */
static int add(struct rwy_mem *mem, struct rwy_be_maps *maps, const struct rwy_vu_region *from,
	       int fd)
{
	struct rwy_mem_region region;
	int err;

	if (maps->nr == RWY_MEM_MAX)
		return -ENOSPC;
	struct rwy_be_map *map = &maps->map[maps->nr];
	err = map_region(from, fd, map, &region);
	if (err)
		return err;
	err = rwy_mem_add(mem, &region);
	if (err) {
		rwy_be_view_close(&map->view);
		return err;
	}
	maps->nr++;
	return 0;
}

static void remap_rings(struct rwy_be *be)
{
	for (unsigned q = 0; q < be->nr_queues; q++)
		rwy_be_ring_remap(be, q);
}

/* The very regions that are there already, of the same files. */
static bool is_same(struct rwy_be *be, const struct rwy_vu_msg *msg)
{
	const struct rwy_vu_mem_table *table = &msg->payload.table;

	if (table->nregions != be->mem.nr || rwy_be_mem_is_lost(be))
		return false;
	for (unsigned i = 0; i < table->nregions; i++) {
		const struct rwy_vu_region *from = &table->regions[i];
		const struct rwy_mem_region *r = rwy_mem_find(&be->mem, (rwy_gpa){from->gpa});
		const struct rwy_be_map *map = find_map(&be->priv->maps, from->gpa);
		struct stat st;

		if (!r || !map || r->gpa.v != from->gpa || r->size != from->size ||
		    r->uva.v != from->uva || map->mmap_offset != from->mmap_offset ||
		    fstat(msg->fds[i], &st) < 0 || st.st_dev != map->view.dev ||
		    st.st_ino != map->view.ino)
			return false;
	}
	return true;
}

static void drop_next(struct rwy_be *be)
{
	struct rwy_be_private *priv = be->priv;

	if (priv->next_maps)
		unmap_all(priv->next_maps);
	free(priv->next_maps);
	free(priv->next_mem);
	priv->next_maps = NULL;
	priv->next_mem = NULL;
}

/* The new table, mapped, beside the one in use. */
static int prepare(struct rwy_be *be, const struct rwy_vu_msg *msg)
{
	struct rwy_be_private *priv = be->priv;
	int err = 0;

	priv->next_maps = calloc(1, sizeof(*priv->next_maps));
	priv->next_mem = calloc(1, sizeof(*priv->next_mem));
	if (!priv->next_maps || !priv->next_mem)
		err = -ENOMEM;
	else
		rwy_mem_init(priv->next_mem);
	for (unsigned i = 0; !err && i < msg->payload.table.nregions; i++) {
		const struct rwy_vu_region *from = &msg->payload.table.regions[i];

		err = rwy_be_log_reaches(be, from->gpa, from->size)
			      ? add(priv->next_mem, priv->next_maps, from, msg->fds[i])
			      : -EFBIG;
	}
	if (err)
		drop_next(be);
	return err;
}

static void clear(struct rwy_be *be)
{
	(void)rwy_be_fault_settle(be->poll);
	while (be->mem.nr > 0) {
		const struct rwy_mem_region r = be->mem.regions[be->mem.nr - 1];
		int err = rwy_mem_del(&be->mem, r.gpa, r.uva, r.size, NULL);

		(void)err; /* it was there */
	}
	unmap_all(&be->priv->maps);
}

static int commit(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	struct rwy_be_private *priv = be->priv;
	int err = 0;

	clear(be);
	/* only a listener can refuse now, and then the region is missing */
	for (unsigned i = 0; i < priv->next_mem->nr; i++) {
		int added = rwy_mem_add(&be->mem, &priv->next_mem->regions[i]);

		err = err ? err : added;
	}
	priv->maps = *priv->next_maps;
	priv->next_maps->nr = 0;
	drop_next(be);
	remap_rings(be);
	return err;
}

int rwy_be_mem_set_table(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	if (is_same(be, msg))
		return 0;
	int err = prepare(be, msg);
	return err ? err : rwy_be_quiesce(be, 0, be->nr_queues, commit);
}

/* What is mapped stays where it is, so requests under way are not disturbed. */
int rwy_be_mem_add_reg(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	const struct rwy_vu_region *from = &msg->payload.mem_reg.region;
	int err;

	if (!rwy_be_log_reaches(be, from->gpa, from->size))
		return -EFBIG;
	err = add(&be->mem, &be->priv->maps, from, msg->fds[0]);
	if (!err)
		remap_rings(be);
	return err;
}

static int remove_region(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	const struct rwy_vu_region *r = &msg->payload.mem_reg.region;
	int err = rwy_mem_del(&be->mem, (rwy_gpa){r->gpa}, (rwy_uva){r->uva}, r->size, NULL);

	(void)rwy_be_fault_settle(be->poll);
	if (!err)
		forget_map(&be->priv->maps, find_map(&be->priv->maps, r->gpa));
	remap_rings(be);
	return err;
}

int rwy_be_mem_rem_reg(struct rwy_be *be, struct rwy_vu_msg *msg)
{
	const struct rwy_vu_region *from = &msg->payload.mem_reg.region;
	const struct rwy_mem_region *r = rwy_mem_find(&be->mem, (rwy_gpa){from->gpa});

	if (!r || r->gpa.v != from->gpa || r->uva.v != from->uva || r->size != from->size)
		return -ENOENT;
	return rwy_be_quiesce(be, 0, be->nr_queues, remove_region);
}

bool rwy_be_mem_lose(struct rwy_be *be, const void *at)
{
	struct rwy_be_maps *maps = &be->priv->maps;

	for (unsigned i = 0; i < maps->nr; i++)
		if (rwy_be_view_lose(&maps->map[i].view, at))
			return true;
	return false;
}

bool rwy_be_mem_is_lost(const struct rwy_be *be)
{
	const struct rwy_be_maps *maps = &be->priv->maps;

	for (unsigned i = 0; i < maps->nr; i++)
		if (maps->map[i].view.lost)
			return true;
	return false;
}

void rwy_be_mem_fini(struct rwy_be *be)
{
	(void)rwy_be_fault_settle(be->poll);
	drop_next(be);
	rwy_mem_fini(&be->mem);
	unmap_all(&be->priv->maps);
}
