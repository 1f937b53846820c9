/* SPDX-License-Identifier: BSD-3-Clause */
/* A file for a disk to be measured. */
#ifndef RWY_PERF_DISK_FILE_H
#define RWY_PERF_DISK_FILE_H

#include "lib/base.h"

/*
 * Every block is written and on its disk, so that nothing of it is left to be done. -EEXIST: there
 * is such a file, which is left alone; after any other error the file is gone.
 */
RWY_MUST_CHECK int rwy_disk_file_make(const char *path, unsigned mib);

#endif
