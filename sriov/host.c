/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/host.h"

#include "lib/log.h"
#include "sriov/vf_nvme.h"

#include <string.h>

#define RWY_STEM "host"

int rwy_host_read(struct rwy_vf_link *link, struct rwy_pf_list *list)
{
	int err = rwy_pf_list_init(list, link->sys->root);

	if (err)
		rwy_error("the PCI functions cannot be listed: %s", strerror(-err));
	for (unsigned i = 0; !err && i < list->nr; i++) {
		struct rwy_pf *pf = &list->pfs[i];

		err = rwy_vf_link_read(link, pf, false);
		if (!err)
			err = rwy_vf_nvme_read(link->sys, pf);
		if (err)
			rwy_error("%s (%s): what it knows of its VFs cannot be read: %s", pf->bdf,
				  pf->driver, strerror(-err));
	}
	if (err)
		rwy_pf_list_fini(list);
	return err;
}
