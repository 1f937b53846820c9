/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/sysfs.h"

#include "lib/fd.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int put_path(char path[RWY_SYSFS_PATH], const char *root, const char *fmt, va_list ap)
	RWY_PRINTF(3, 0);
static int put_path(char path[RWY_SYSFS_PATH], const char *root, const char *fmt, va_list ap)
{
	int at = snprintf(path, RWY_SYSFS_PATH, "%s", root);
	int more;

	if (at < 0 || at >= RWY_SYSFS_PATH)
		return -ENAMETOOLONG;
	more = vsnprintf(path + at, (size_t)(RWY_SYSFS_PATH - at), fmt, ap);
	return more < 0 || at + more >= RWY_SYSFS_PATH ? -ENAMETOOLONG : 0;
}

static int read_text(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n = 0;
	int err = 0;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, buf + have, len - have);
		if (n > 0)
			have += (size_t)n;
	} while ((n > 0 && have < len) || (n < 0 && errno == EINTR));
	if (n < 0)
		err = -errno;
	else if (have == len)
		err = -EFBIG;
	rwy_fd_close(&fd);
	buf[RWY_MIN(have, len - 1)] = '\0';
	if (err)
		return err;
	while (have > 0 && isspace((unsigned char)buf[have - 1]))
		buf[--have] = '\0';
	return (int)have;
}

int rwy_sysfs_read(const char *root, char *buf, size_t len, const char *fmt, ...)
{
	char path[RWY_SYSFS_PATH];
	va_list ap;
	int err;

	buf[0] = '\0';
	va_start(ap, fmt);
	err = put_path(path, root, fmt, ap);
	va_end(ap);
	return err ? err : read_text(path, buf, len);
}

int rwy_sysfs_read_uint(const char *root, uint64_t *value, const char *fmt, ...)
{
	char path[RWY_SYSFS_PATH], text[32], *end;
	unsigned long long number;
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = put_path(path, root, fmt, ap);
	va_end(ap);
	if (!err)
		err = read_text(path, text, sizeof(text));
	if (err < 0)
		return err;
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
	if (errno || *end)
		return -EINVAL;
	*value = number;
	return 0;
}

int rwy_sysfs_read_link(const char *root, char *name, size_t len, const char *fmt, ...)
{
	char path[RWY_SYSFS_PATH], target[RWY_SYSFS_PATH];
	const char *last;
	ssize_t n;
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = put_path(path, root, fmt, ap);
	va_end(ap);
	if (err)
		return err;
	n = readlink(path, target, sizeof(target));
	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	target[n] = '\0';
	last = strrchr(target, '/');
	last = last ? last + 1 : target;
	if (strlen(last) >= len)
		return -ENAMETOOLONG;
	strcpy(name, last);
	return 0;
}

bool rwy_sysfs_exists(const char *root, const char *fmt, ...)
{
	char path[RWY_SYSFS_PATH];
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = put_path(path, root, fmt, ap);
	va_end(ap);
	return !err && access(path, F_OK) == 0;
}

static int no_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int RWY_PRINTF(4, 0) list(const char *root, int (*each)(void *ctx, const char *name),
				 void *ctx, const char *fmt, va_list ap)
{
	char path[RWY_SYSFS_PATH];
	struct dirent **entries;
	int nr, rc = put_path(path, root, fmt, ap);

	if (rc)
		return rc;
	nr = scandir(path, &entries, no_dots, versionsort);
	if (nr < 0)
		return -errno;
	for (int i = 0; i < nr; i++) {
		if (rc == 0)
			rc = each(ctx, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

int rwy_sysfs_list(const char *root, int (*each)(void *ctx, const char *name), void *ctx,
		   const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = list(root, each, ctx, fmt, ap);
	va_end(ap);
	return rc;
}

struct first {
	char *name;
	size_t len;
};

static int take_first(void *ctx, const char *name)
{
	const struct first *first = ctx;

	snprintf(first->name, first->len, "%s", name);
	return 1;
}

int rwy_sysfs_first(const char *root, char *name, size_t len, const char *fmt, ...)
{
	struct first first = {name, len};
	va_list ap;
	int rc;

	name[0] = '\0';
	va_start(ap, fmt);
	rc = list(root, take_first, &first, fmt, ap);
	va_end(ap);
	if (rc < 0)
		return rc;
	return rc ? 0 : -ENOENT;
}
