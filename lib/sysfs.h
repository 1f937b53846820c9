/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small text files of the kernel, in /sys and /proc, below a root that tests replace by a tree of
 * their own. root is "" for this machine; paths begin with '/' and are given as printf does.
 * -ENOENT: there is no such thing; -ENAMETOOLONG: the path does not fit. Any thread.
 */
#ifndef RWY_LIB_SYSFS_H
#define RWY_LIB_SYSFS_H

#include "lib/base.h"

#define RWY_SYSFS_PATH 512 /* longest path, root included */

/* The text without the white space at its end, always terminated. Its length; -EFBIG: longer than
 * fits; or -errno. */
RWY_MUST_CHECK int rwy_sysfs_read(const char *root, char *buf, size_t len, const char *fmt, ...)
	RWY_PRINTF(4, 5);
/* A number alone in its file, decimal or 0x. -EINVAL: it is none, or negative. */
RWY_MUST_CHECK int rwy_sysfs_read_uint(const char *root, uint64_t *value, const char *fmt, ...)
	RWY_PRINTF(3, 4);
/* The last part of where a symbolic link points to: the name of a driver, a group, a device. */
RWY_MUST_CHECK int rwy_sysfs_read_link(const char *root, char *name, size_t len, const char *fmt,
				       ...) RWY_PRINTF(4, 5);
bool rwy_sysfs_exists(const char *root, const char *fmt, ...) RWY_PRINTF(2, 3);
/* Calls each(ctx, name) for what is in a directory, sorted by name; stops at its first result that
 * is not 0, and returns it. */
int rwy_sysfs_list(const char *root, int (*each)(void *ctx, const char *name), void *ctx,
		   const char *fmt, ...) RWY_PRINTF(4, 5);
/* The first name in a directory, for those with one thing in them. -ENOENT: there is none, and name
 * is empty. */
int rwy_sysfs_first(const char *root, char *name, size_t len, const char *fmt, ...)
	RWY_PRINTF(4, 5);

#endif
