/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file that says what is wanted, and the same form for what was found before anything was
 * changed. JSON; examples/sriov.json and sriov_switch.json show it:
 *
 *   {"pfs": [{"bdf": "0000:01:00.0", "numvfs": 4,
 *             "vfs": [{"range": "0-3", "driver": "vfio-pci", "mac": "52:54:00:00:10:00"}]}]}
 *
 * A PF is chosen by one of bdf, interface, driver, id (VENDOR:DEVICE), the last two choose all that
 * they fit. What is not said is left as it is.
 */
#ifndef RWY_SRIOV_VF_FILE_H
#define RWY_SRIOV_VF_FILE_H

#include "sriov/pf.h"

enum rwy_vf_file_kind {
	RWY_VF_FILE_WANTED, /* a user's */
	RWY_VF_FILE_FOUND,  /* our own record: it may also say what only we decide, and zero MACs */
};

/*
 * Reads the file; *want gets one PF for each of the host's that it speaks of. -EINVAL: the file is
 * wrong, -ENODEV: it chooses a PF that is not there; or -errno. Logged with file, line and reason.
 */
RWY_MUST_CHECK int rwy_vf_file_load(struct rwy_pf_list *want, const char *path,
				    enum rwy_vf_file_kind kind, const struct rwy_pf_list *host);
/* A text that loads as FOUND what this PF is now; the caller's to free. NULL: no memory. */
char *rwy_vf_file_format(const struct rwy_pf *pf);

#endif
