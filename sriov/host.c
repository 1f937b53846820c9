/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/host.h"

#include "lib/log.h"
#include "sriov/devlink.h"
#include "sriov/vf_link.h"
#include "sriov/vf_nvme.h"

#include <string.h>

#define RWY_STEM "host"

int rwy_host_ask(struct rwy_nl *nl, struct rwy_pf *pf, bool counters)
{
	int err = rwy_vf_link_read(nl, pf, counters);

	if (!err)
		err = rwy_vf_nvme_read(nl->sys, pf);
	if (!err)
		err = rwy_devlink_read(nl, pf);
	return err;
}

int rwy_host_read(struct rwy_nl *nl, struct rwy_pf_list *list)
{
	int err = rwy_pf_list_init(list, nl->sys->root);

	if (err)
		rwy_error("the PCI functions cannot be listed: %s", strerror(-err));
	for (unsigned i = 0; !err && i < list->nr; i++) {
		struct rwy_pf *pf = &list->pfs[i];

		err = rwy_host_ask(nl, pf, false);
		if (err)
			rwy_error("%s (%s): what it knows of its VFs cannot be read: %s", pf->bdf,
				  pf->driver, strerror(-err));
	}
	if (err)
		rwy_pf_list_fini(list);
	return err;
}
