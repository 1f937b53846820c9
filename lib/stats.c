/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/stats.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RWY_STEM "stats"

#define NAMES_LEN   256
#define HIST_VALUES (sizeof(struct rwy_stats_hist) / sizeof(uint64_t))
#define NR_VALUES   RWY_ALIGN_UP(HIST_VALUES, 8)

/*
 * As it lies in the file: entries follow a 64-byte header, each a multiple of 64 bytes, so that no
 * two writers share a cache line.
 */
struct rwy_stats_entry {
	uint32_t gen; /* odd while the entry is being set up or freed */
	uint16_t kind;
	uint16_t nr;
	char name[RWY_STATS_NAME_LEN];
	char names[NAMES_LEN]; /* of the counters, each ended by NUL */
	uint64_t values[NR_VALUES];
};

struct rwy_stats_area {
	uint64_t magic;
	uint32_t entry_size;
	uint32_t nr_entries;
	uint64_t pid;
	uint64_t reserved[5];
	struct rwy_stats_entry entries[RWY_STATS_ENTRIES];
};

static_assert(sizeof(struct rwy_stats_entry) % RWY_CACHE_LINE == 0, "entry size");
static_assert(offsetof(struct rwy_stats_entry, values) % RWY_CACHE_LINE == 0, "values");
static_assert(offsetof(struct rwy_stats_area, entries) == 64, "header");

static const char *const vq_names[] = {"chains",      "bytes", "pushes", "bursts", "kicks", "calls",
				       "calls_saved", "drops", "errors", "broken", "reason"};

static_assert(RWY_ARRAY_SIZE(vq_names) == sizeof(struct rwy_stats_vq) / sizeof(uint64_t),
	      "one name a counter");

static unsigned hist_bucket(uint64_t value)
{
	if (value < RWY_STATS_HIST_SUB)
		return (unsigned)value;
	unsigned msb = 63 - (unsigned)__builtin_clzll(value);
	unsigned sub = (unsigned)(value >> (msb - 3)) & (RWY_STATS_HIST_SUB - 1);
	unsigned idx = (msb - 2) * RWY_STATS_HIST_SUB + sub;

	return RWY_MIN(idx, RWY_STATS_HIST_BUCKETS - 1u);
}

uint64_t rwy_stats_hist_upper(unsigned bucket)
{
	unsigned power = bucket / RWY_STATS_HIST_SUB;
	uint64_t sub = bucket % RWY_STATS_HIST_SUB;

	return power == 0 ? sub : ((RWY_STATS_HIST_SUB + sub + 1) << (power - 1)) - 1;
}

void rwy_stats_hist_add(struct rwy_stats_hist *hist, uint64_t value)
{
	rwy_stats_add(&hist->buckets[hist_bucket(value)], 1);
	rwy_stats_add(&hist->count, 1);
	rwy_stats_add(&hist->sum, value);
	if (value > hist->max)
		RWY_WRITE_ONCE(&hist->max, value);
}

uint64_t rwy_stats_hist_quantile(const struct rwy_stats_hist *hist, double q)
{
	uint64_t total = 0, below = 0;

	/* hist->count may be a few ahead of or behind the buckets while they are written */
	for (unsigned i = 0; i < RWY_STATS_HIST_BUCKETS; i++)
		total += RWY_READ_ONCE(&hist->buckets[i]);
	for (unsigned i = 0; i < RWY_STATS_HIST_BUCKETS - 1; i++) {
		below += RWY_READ_ONCE(&hist->buckets[i]);
		if (below > 0 && (double)below >= q * (double)total)
			return rwy_stats_hist_upper(i);
	}
	return total > 0 ? RWY_READ_ONCE(&hist->max) : 0;
}

/* A new file under a name of our own, moved over path when it is complete. */
static int open_file(const char *path)
{
	char *tmp;
	struct stat st;
	int fd, err = 0;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		rwy_error("%s exists and is no regular file: name another place for metrics", path);
		return -EEXIST;
	}
	if (asprintf(&tmp, "%s.%d", path, (int)getpid()) < 0)
		return -ENOMEM;
	unlink(tmp);
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		err = -errno;
	if (!err)
		err = -posix_fallocate(fd, 0, sizeof(struct rwy_stats_area));
	if (!err && rename(tmp, path) < 0)
		err = -errno;
	if (err) {
		rwy_error("cannot write metrics to %s: %s", path, strerror(-err));
		unlink(tmp);
		rwy_fd_close(&fd);
	}
	free(tmp);
	return err ? err : fd;
}

static int open_memfd(void)
{
	int fd = memfd_create("ringway-stats", MFD_CLOEXEC);
	int err = 0;

	if (fd < 0)
		err = -errno;
	else if (ftruncate(fd, sizeof(struct rwy_stats_area)) < 0)
		err = -errno;
	if (err) {
		rwy_error("no memory for metrics: %s", strerror(-err));
		rwy_fd_close(&fd);
	}
	return err ? err : fd;
}

int rwy_stats_open(struct rwy_stats *stats, const char *path)
{
	int fd = path ? open_file(path) : open_memfd();
	struct rwy_stats_area *area;

	*stats = (struct rwy_stats){.fd = -1};
	if (fd < 0)
		return fd;
	area = mmap(NULL, sizeof(*area), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (area == MAP_FAILED) {
		int err = -errno;

		rwy_error("cannot map %zu bytes for metrics: %s", sizeof(*area), strerror(-err));
		rwy_fd_close(&fd);
		return err;
	}
	area->entry_size = sizeof(struct rwy_stats_entry);
	area->nr_entries = RWY_STATS_ENTRIES;
	area->pid = (uint64_t)getpid();
	RWY_STORE_RELEASE(&area->magic, RWY_STATS_MAGIC);
	stats->area = area;
	stats->fd = fd;
	return 0;
}

int rwy_stats_attach(struct rwy_stats *stats, const char *path)
{
	struct rwy_stats_area *area = MAP_FAILED;
	struct stat st;
	int err = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*stats = (struct rwy_stats){.fd = -1};
	if (fd < 0 || fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size != (off_t)sizeof(*area))
		err = -EINVAL;
	if (!err) {
		area = mmap(NULL, sizeof(*area), PROT_READ, MAP_SHARED, fd, 0);
		if (area == MAP_FAILED)
			err = -errno;
		else if (RWY_LOAD_ACQUIRE(&area->magic) != RWY_STATS_MAGIC ||
			 area->entry_size != sizeof(struct rwy_stats_entry) ||
			 area->nr_entries != RWY_STATS_ENTRIES)
			err = -EINVAL;
	}
	if (err) {
		rwy_error("%s: %s", path,
			  err == -EINVAL ? "not a metrics file of this version" : strerror(-err));
		if (area != MAP_FAILED)
			munmap(area, sizeof(*area));
		rwy_fd_close(&fd);
		return err;
	}
	stats->area = area;
	stats->fd = fd;
	return 0;
}

void rwy_stats_close(struct rwy_stats *stats)
{
	if (stats->area)
		munmap(stats->area, sizeof(*stats->area));
	stats->area = NULL;
	rwy_fd_close(&stats->fd);
}

/* Entries are taken and given back by any reactor, hence the compare-and-swap on gen. */
static struct rwy_stats_entry *entry_take(struct rwy_stats_area *area)
{
	for (unsigned i = 0; i < RWY_STATS_ENTRIES; i++) {
		struct rwy_stats_entry *e = &area->entries[i];
		uint32_t gen = RWY_READ_ONCE(&e->gen);

		if ((gen & 1) || RWY_READ_ONCE(&e->kind) != RWY_STATS_FREE ||
		    !__atomic_compare_exchange_n(&e->gen, &gen, gen + 1, false, __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED))
			continue;
		if (RWY_READ_ONCE(&e->kind) == RWY_STATS_FREE)
			return e;
		RWY_STORE_RELEASE(&e->gen, gen + 2);
	}
	return NULL;
}

static uint64_t *entry_add(struct rwy_stats *stats, const char *name, enum rwy_stats_kind kind,
			   const char *const *names, unsigned nr)
{
	struct rwy_stats_entry *e = entry_take(stats->area);
	size_t at = 0;

	if (!e) {
		rwy_warn("%s is not counted: all %d entries are taken", name, RWY_STATS_ENTRIES);
		return NULL;
	}
	snprintf(e->name, sizeof(e->name), "%s", name);
	memset(e->names, 0, sizeof(e->names));
	for (unsigned i = 0; names && i < nr; i++) {
		size_t len = strlen(names[i]) + 1;

		assert(len <= sizeof(e->names) - at);
		memcpy(e->names + at, names[i], len);
		at += len;
	}
	memset(e->values, 0, sizeof(e->values));
	RWY_WRITE_ONCE(&e->nr, (uint16_t)nr);
	RWY_WRITE_ONCE(&e->kind, (uint16_t)kind);
	RWY_STORE_RELEASE(&e->gen, e->gen + 1);
	return e->values;
}

uint64_t *rwy_stats_counters(struct rwy_stats *stats, const char *name,
			     const char *const *counter_names, unsigned nr)
{
	assert(nr <= NR_VALUES);
	return entry_add(stats, name, RWY_STATS_COUNTERS, counter_names, nr);
}

struct rwy_stats_vq *rwy_stats_vq_add(struct rwy_stats *stats, const char *name)
{
	return (struct rwy_stats_vq *)rwy_stats_counters(stats, name, vq_names,
							 RWY_ARRAY_SIZE(vq_names));
}

struct rwy_stats_hist *rwy_stats_hist_new(struct rwy_stats *stats, const char *name)
{
	return (struct rwy_stats_hist *)entry_add(stats, name, RWY_STATS_HIST, NULL, HIST_VALUES);
}

void rwy_stats_del(struct rwy_stats *stats, const void *block)
{
	if (!block)
		return;

	size_t off = (size_t)((const char *)block - (const char *)stats->area->entries);
	struct rwy_stats_entry *e = &stats->area->entries[off / sizeof(struct rwy_stats_entry)];

	assert(block == e->values && e->kind != RWY_STATS_FREE);
	RWY_WRITE_ONCE(&e->gen, e->gen + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	RWY_WRITE_ONCE(&e->kind, RWY_STATS_FREE);
	RWY_STORE_RELEASE(&e->gen, e->gen + 1);
}

/* False when the entry is free or changed while it was copied. */
static bool entry_copy(const struct rwy_stats_entry *from, struct rwy_stats_entry *to)
{
	uint32_t gen = RWY_LOAD_ACQUIRE(&from->gen);

	if (gen & 1)
		return false;
	to->kind = RWY_READ_ONCE(&from->kind);
	to->nr = RWY_READ_ONCE(&from->nr);
	if (to->kind == RWY_STATS_FREE || to->nr > NR_VALUES)
		return false;
	memcpy(to->name, from->name, sizeof(to->name));
	memcpy(to->names, from->names, sizeof(to->names));
	to->name[sizeof(to->name) - 1] = '\0';
	to->names[sizeof(to->names) - 1] = '\0';
	for (unsigned i = 0; i < to->nr; i++)
		to->values[i] = RWY_READ_ONCE(&from->values[i]);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return RWY_READ_ONCE(&from->gen) == gen;
}

static void json_add(json_t *obj, const char *name, uint64_t value)
{
	json_object_set_new(obj, name, json_integer((json_int_t)value));
}

static json_t *hist_json(const struct rwy_stats_hist *hist)
{
	json_t *obj = json_object();

	json_add(obj, "count", hist->count);
	json_add(obj, "sum", hist->sum);
	json_add(obj, "p50", rwy_stats_hist_quantile(hist, 0.5));
	json_add(obj, "p90", rwy_stats_hist_quantile(hist, 0.9));
	json_add(obj, "p99", rwy_stats_hist_quantile(hist, 0.99));
	json_add(obj, "p999", rwy_stats_hist_quantile(hist, 0.999));
	json_add(obj, "max", hist->max);
	return obj;
}

static json_t *counters_json(const struct rwy_stats_entry *e)
{
	json_t *obj = json_object();
	const char *name = e->names;

	for (unsigned i = 0; i < e->nr && name < e->names + sizeof(e->names); i++) {
		json_add(obj, name, e->values[i]);
		name += strlen(name) + 1;
	}
	return obj;
}

int rwy_stats_json(const struct rwy_stats *stats, char **json)
{
	json_t *root = json_object();

	if (!root)
		return -ENOMEM;
	for (unsigned i = 0; i < RWY_STATS_ENTRIES; i++) {
		struct rwy_stats_entry e;

		if (!entry_copy(&stats->area->entries[i], &e))
			continue;
		if (e.kind == RWY_STATS_COUNTERS)
			json_object_set_new(root, e.name, counters_json(&e));
		else if (e.kind == RWY_STATS_HIST && e.nr == HIST_VALUES)
			json_object_set_new(root, e.name,
					    hist_json((const struct rwy_stats_hist *)e.values));
	}
	*json = json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(root);
	return *json ? 0 : -ENOMEM;
}
