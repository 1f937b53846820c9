/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/vf_step.h"

#include "lib/log.h"
#include "lib/sysfs.h"
#include "sriov/devlink.h"
#include "sriov/pf_rule.h"
#include "sriov/vf_nvme.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "vf_step"

#define DEVICE	"/sys/bus/pci/devices/%s"
#define DRIVERS "/sys/bus/pci/drivers/%s"

/* Drivers that make VFs in their own time: a look every so often, a word now and then. */
#define LOOK_MS	    20
#define SAY_MS	    5000
#define DEADLINE_MS 60000
#define LINK_MS	    15000 /* after VFs were made, which resets some cards */
#define READY_MS    10000 /* of a VF, after it was made */

static int RWY_PRINTF(3, 4) put(struct rwy_nl *nl, const char *text, const char *fmt, ...)
{
	char path[RWY_SYSFS_PATH];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return nl->sys->write(nl->sys, path, text);
}

/* How many of the first nr are there, as links and as functions. */
static unsigned count(const char *root, const char *pf, unsigned from, unsigned nr)
{
	char bdf[RWY_BDF_LEN];

	while (from < nr && rwy_vf_find(root, pf, from, bdf) == 0 &&
	       rwy_sysfs_exists(root, DEVICE "/driver_override", bdf))
		from++;
	return from;
}

static int make_vfs(struct rwy_nl *nl, const struct rwy_vf_step *step)
{
	const struct rwy_sriov_sys *sys = nl->sys;
	unsigned nr = (unsigned)strtoul(step->to, NULL, 10), there = 0;
	int err = put(nl, step->to, DEVICE "/sriov_numvfs", step->pf);

	for (unsigned ms = 0; !err; ms += LOOK_MS) {
		there = count(sys->root, step->pf, there, nr);
		if (there == nr)
			break;
		if (ms >= DEADLINE_MS)
			err = -ETIMEDOUT;
		else if (ms && ms % SAY_MS == 0)
			rwy_info("%s: %u of %u VFs are there", step->pf, there, nr);
		sys->wait(sys, LOOK_MS);
	}
	return err;
}

/* From a driver to none or from none to a driver: bind and unbind are each other's way back. */
static int move(struct rwy_nl *nl, const struct rwy_vf_step *step, const char *bdf)
{
	if (strcmp(step->to, RWY_ATTR_NONE) == 0)
		return put(nl, bdf, DRIVERS "/unbind", step->from);
	return put(nl, bdf, DRIVERS "/bind", step->to);
}

static const struct rwy_pf_rule *rule_of(const struct rwy_sriov_sys *sys, const char *pf)
{
	char driver[RWY_ATTR_TEXT];

	if (rwy_sysfs_read_link(sys->root, driver, sizeof(driver), DEVICE "/driver", pf))
		strcpy(driver, RWY_ATTR_NONE);
	return rwy_pf_rule_of(driver);
}

/* Some drivers refuse rates with -EINVAL until there is a link; -ENETDOWN says what is the matter.
 */
static int wait_for_link(struct rwy_nl *nl, const char *pf)
{
	const struct rwy_sriov_sys *sys = nl->sys;
	uint64_t carrier;
	char netdev[16];

	if (nl->carrier || !rule_of(sys, pf)->rate_by_link)
		return 0;
	for (unsigned ms = 0; ms < LINK_MS; ms += LOOK_MS) {
		if (rwy_sysfs_first(sys->root, netdev, sizeof(netdev), DEVICE "/net", pf) == 0 &&
		    rwy_sysfs_read_uint(sys->root, &carrier, DEVICE "/net/%s/carrier", pf,
					netdev) == 0 &&
		    carrier) {
			nl->carrier = true;
			return 0;
		}
		sys->wait(sys, LOOK_MS);
	}
	return -ENETDOWN;
}

/* The PF's interface is looked for when it is another PF's turn, or its driver may have made
 * another. */
static int find_link(struct rwy_nl *nl, const char *pf)
{
	char name[16];
	int err;

	if (strcmp(nl->link_of, pf) == 0)
		return 0;
	nl->carrier = false;
	err = rwy_pf_find_link(nl->sys->root, pf, name, &nl->link);
	if (!err)
		snprintf(nl->link_of, sizeof(nl->link_of), "%s", pf);
	return err;
}

static int set_link(struct rwy_nl *nl, const struct rwy_vf_step *step)
{
	int err = find_link(nl, step->pf);

	if (!err && step->attr == RWY_ATTR_RATE)
		err = wait_for_link(nl, step->pf);
	if (err)
		return err;
	if (step->attr == RWY_ATTR_UP)
		return rwy_vf_link_set_up(nl, nl->link, strcmp(step->to, "on") == 0);
	return rwy_vf_link_set(nl, nl->link, (unsigned)step->vf, step->attr, step->to);
}

static int set_vf(struct rwy_nl *nl, const struct rwy_vf_step *step)
{
	char bdf[RWY_BDF_LEN];
	int err = rwy_vf_find(nl->sys->root, step->pf, (unsigned)step->vf, bdf);

	if (err)
		return err;
	if (step->attr == RWY_ATTR_DRIVER)
		return move(nl, step, bdf);
	if (step->attr == RWY_ATTR_RESET)
		return put(nl, "1", DEVICE "/reset", bdf);
	if (step->attr == RWY_ATTR_MSIX)
		return put(nl, step->to, DEVICE "/sriov_vf_msix_count", bdf);
	/* An empty line takes it away. */
	return put(nl, strcmp(step->to, RWY_ATTR_NONE) == 0 ? "\n" : step->to,
		   DEVICE "/driver_override", bdf);
}

static int run_once(struct rwy_nl *nl, const struct rwy_vf_step *step)
{
	switch (step->attr) {
	case RWY_ATTR_NUMVFS:
		return make_vfs(nl, step);
	case RWY_ATTR_AUTOPROBE:
		return put(nl, strcmp(step->to, "on") == 0 ? "1" : "0",
			   DEVICE "/sriov_drivers_autoprobe", step->pf);
	case RWY_ATTR_PF_RESET:
		return put(nl, "1", DEVICE "/reset", step->pf);
	case RWY_ATTR_DRIVER:
	case RWY_ATTR_MSIX:
	case RWY_ATTR_OVERRIDE:
	case RWY_ATTR_RESET:
		return set_vf(nl, step);
	default:
		if (rwy_attr_of_devlink(step->attr))
			return rwy_devlink_run(nl, step);
		return rwy_attr_of_nvme(step->attr) ? rwy_vf_nvme_run(nl->sys, step)
						    : set_link(nl, step);
	}
}

/* The PF's driver says so of a VF that was made just now, or while it makes some. */
static bool is_not_yet(const struct rwy_sriov_sys *sys, const struct rwy_vf_step *step, int err)
{
	return err && (rwy_attr_of_link(step->attr) || step->attr == RWY_ATTR_NUMVFS) &&
	       err == -rule_of(sys, step->pf)->not_yet;
}

int rwy_vf_step_run(struct rwy_nl *nl, const struct rwy_vf_step *step)
{
	int err = step->to[0] ? run_once(nl, step) : 0;

	if (rwy_attr_is_upheaval(step->attr) || step->attr == RWY_ATTR_UP)
		nl->link_of[0] = '\0';
	for (unsigned ms = 0; is_not_yet(nl->sys, step, err) && ms < READY_MS; ms += LOOK_MS) {
		nl->sys->wait(nl->sys, LOOK_MS);
		err = run_once(nl, step);
	}
	return err;
}
