/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/host.h"

#include "lib/log.h"
#include "sriov/devlink.h"
#include "sriov/representor.h"
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
	if (!err && counters)
		rwy_representor_count(nl->sys->root, pf);
	return err;
}

static int ask_all(struct rwy_nl *nl, struct rwy_pf *pf)
{
	int err = rwy_host_ask(nl, pf, false);

	if (err)
		rwy_error("%s (%s): what it knows of its VFs cannot be read: %s", pf->bdf,
			  pf->driver, strerror(-err));
	return err;
}

int rwy_host_read(struct rwy_nl *nl, struct rwy_pf_list *list)
{
	int err = rwy_pf_list_init(list, nl->sys->root);

	if (err)
		rwy_error("the PCI functions cannot be listed: %s", strerror(-err));
	for (unsigned i = 0; !err && i < list->nr; i++)
		err = ask_all(nl, &list->pfs[i]);
	if (err)
		rwy_pf_list_fini(list);
	return err;
}

int rwy_host_renew(struct rwy_nl *nl, struct rwy_pf_list *list, const char *bdf)
{
	struct rwy_pf pf, *old = rwy_pf_list_find(list, bdf);
	int err = rwy_pf_init(&pf, nl->sys->root, bdf);

	if (err) {
		rwy_error("%s: %s", bdf, strerror(-err));
		return err;
	}
	err = ask_all(nl, &pf);
	if (err) {
		rwy_pf_fini(&pf);
		return err;
	}
	if (!old)
		return rwy_pf_list_add(list, &pf);
	rwy_pf_fini(old);
	*old = pf;
	return 0;
}
