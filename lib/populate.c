/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/populate.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#define SMALL	    (UINT64_C(64) << 20) /* not worth a thread */
#define ALIGN	    (UINT64_C(2) << 20)
#define THREADS_MAX 16

struct part {
	uint8_t *addr;
	uint64_t len;
	pthread_t thread;
	bool started;
};

static void *populate(void *ctx)
{
#ifdef MADV_POPULATE_WRITE
	const struct part *part = ctx;

	/* Before Linux 5.14 there is no such advice, and no harm. */
	(void)!madvise(part->addr, part->len, MADV_POPULATE_WRITE);
#endif
	return NULL;
}

static unsigned nr_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

void rwy_populate_range(void *addr, uint64_t len)
{
	unsigned nr = (unsigned)RWY_MIN(RWY_MIN(nr_cpus(), THREADS_MAX), len / SMALL);
	struct part parts[THREADS_MAX] = {0};
	uint64_t each = nr ? RWY_ALIGN_UP(len / nr, ALIGN) : 0, off = 0;

	/* The kernel that pins does as well alone. */
	if (nr < 2)
		return;
	for (unsigned i = 0; i < nr && off < len; i++) {
		struct part *part = &parts[i];

		part->addr = (uint8_t *)addr + off;
		part->len = RWY_MIN(each, len - off);
		part->started = pthread_create(&part->thread, NULL, populate, part) == 0;
		off += part->len;
	}
	for (unsigned i = 0; i < nr; i++)
		if (parts[i].started)
			pthread_join(parts[i].thread, NULL);
}
