/* SPDX-License-Identifier: BSD-3-Clause */
/* A tree of files that stands for a machine's /sys, /proc and /dev; *state is its root. */
#ifndef RWY_TESTS_FAKE_ROOT_H
#define RWY_TESTS_FAKE_ROOT_H

#include "tests/unit/unit.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAKE_ROOT_PATH 512

static inline int fake_root_open(void **state)
{
	char *root = strdup("/dev/shm/ringway-root.XXXXXX");

	*state = root;
	return root && mkdtemp(root) ? 0 : -1;
}

static inline int fake_root_remove(const char *path, const struct stat *st, int type,
				   struct FTW *ftw)
{
	return remove(path);
}

static inline int fake_root_close(void **state)
{
	int rc = nftw(*state, fake_root_remove, 16, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return rc;
}

/* The whole path, with the directories on the way to it made. */
static inline void fake_root_path(char path[FAKE_ROOT_PATH], const char *root, const char *name)
{
	assert_in_range(snprintf(path, FAKE_ROOT_PATH, "%s%s", root, name), 1, FAKE_ROOT_PATH - 1);
	for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

static inline void fake_root_write(const char *root, const char *name, const char *text)
{
	char path[FAKE_ROOT_PATH];
	FILE *file;

	fake_root_path(path, root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline void fake_root_link(const char *root, const char *name, const char *target)
{
	char path[FAKE_ROOT_PATH];

	fake_root_path(path, root, name);
	assert_int_equal(symlink(target, path), 0);
}

#endif
