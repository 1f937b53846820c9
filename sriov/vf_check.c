/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/vf_check.h"

#include "lib/log.h"
#include "lib/sysfs.h"
#include "sriov/pf_rule.h"
#include "sriov/vf_nvme.h"
#include "sriov/vf_plan.h"

#include <errno.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "vf_check"

static int RWY_PRINTF(4, 5)
	refuse(const struct rwy_vf_check *check, unsigned line, int err, const char *fmt, ...)
{
	char reason[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	rwy_error("%s:%u: %s", check->path, line, reason);
	return err;
}

static bool differs(const struct rwy_vf *now, const struct rwy_vf *want, enum rwy_attr attr)
{
	return want->value[attr][0] && strcmp(want->value[attr], now->value[attr]) != 0;
}

/* ---- a PF ---- */

static int check_count(const struct rwy_vf_check *check, const struct rwy_pf *now,
		       const struct rwy_pf *want)
{
	unsigned count = rwy_vf_plan_count(now, want);

	if (strcmp(now->driver, RWY_ATTR_NONE) == 0 || strstr(now->driver, "vfio"))
		return refuse(check, want->line, -EBUSY,
			      "%s has the driver %s: VFs are made by a driver of the host",
			      now->bdf, now->driver);
	if (count > now->total)
		return refuse(check, want->line, -EINVAL,
			      "%s: numvfs is %u, it can have up to %u VFs", now->bdf, count,
			      now->total);
	if (want->nr_vfs > count)
		return refuse(check, want->vfs[want->nr_vfs - 1].line, -EINVAL,
			      "%s: VF %u is wanted, but the last is %d", now->bdf, want->nr_vfs - 1,
			      (int)count - 1);
	return 0;
}

/* All VFs are let go, at least by their drivers. */
static int check_holders(const struct rwy_vf_check *check, const struct rwy_pf *now,
			 const struct rwy_pf *want)
{
	bool switches = rwy_vf_plan_switches(now, want);
	char what[80];

	if (!switches && !rwy_vf_plan_remakes(now, want))
		return 0;
	if (switches)
		snprintf(what, sizeof(what), "the mode of its switch is for all VFs");
	else
		snprintf(what, sizeof(what), "going from %u to %u VFs takes all away", now->nr_vfs,
			 rwy_vf_plan_count(now, want));
	for (unsigned i = 0; i < now->nr_vfs; i++) {
		const struct rwy_holder *holder = rwy_holder_of(check->holders, &now->vfs[i]);
		char user[RWY_HOLDER_TEXT];

		if (!holder)
			continue;
		rwy_holder_put(user, holder, "process ");
		return refuse(check, want->line, -EBUSY, "%s: %s, and VF %u (%s) is held by %s",
			      now->bdf, what, i, now->vfs[i].bdf, user);
	}
	return 0;
}

/* Who works with the PF itself may lose its interface to another mode, and its disk to a reset. */
static int check_pf_holder(const struct rwy_vf_check *check, const struct rwy_pf *now,
			   const struct rwy_pf *want)
{
	const struct rwy_holder *holder = rwy_holder_of_pf(check->holders, now->bdf);
	bool switches = rwy_vf_plan_switches(now, want);
	char user[RWY_HOLDER_TEXT];

	if (!holder || (!switches && !rwy_vf_plan_resets(now, want)))
		return 0;
	rwy_holder_put(user, holder, "process ");
	return refuse(check, want->line, -EBUSY, "%s: %s, and it is held by %s", now->bdf,
		      switches ? "another mode of its switch may take its interface away"
			       : "what its VFs get takes a reset of it",
		      user);
}

/* ---- what the VFs of a PF share ---- */

/* Vectors, or what an NVMe controller has for its VFs. */
struct pool {
	enum rwy_attr given;
	enum rwy_attr kept;   /* that the PF has itself, RWY_ATTR_NR: nothing */
	bool there;	      /* the PF can share it */
	const char *missing;  /* why it cannot */
	unsigned least, most; /* of one VF, but none at all */
	unsigned total;
};

static unsigned number(const char *text)
{
	return (unsigned)strtoul(text, NULL, 10);
}

/* One VF's part; the sum grows by it, or by what it keeps. */
static int check_part(const struct rwy_vf_check *check, const struct rwy_pf *now,
		      const struct rwy_vf *has, const struct rwy_vf *vf, const struct pool *pool,
		      unsigned *sum)
{
	const char *text = vf ? vf->value[pool->given] : "";
	unsigned nr = number(text[0] ? text : has->value[pool->given]);

	*sum += nr;
	if (!vf || !differs(has, vf, pool->given))
		return 0;
	if (!pool->there)
		return refuse(check, vf->line, -EINVAL, "%s cannot share %s with its VFs: %s",
			      now->bdf, rwy_attr_name(pool->given), pool->missing);
	/* A VF with none is as it was made. */
	if (nr && (nr < pool->least || nr > pool->most))
		return refuse(check, vf->line, -EINVAL, "%s: %s is %u, a VF can have %u to %u",
			      now->bdf, rwy_attr_name(pool->given), nr, pool->least, pool->most);
	return 1;
}

static int check_pool(const struct rwy_vf_check *check, const struct rwy_pf *now,
		      const struct rwy_pf *want, const struct pool *pool)
{
	static const struct rwy_vf fresh;
	bool remakes = rwy_vf_plan_remakes(now, want);
	const char *name = rwy_attr_name(pool->given);
	const char *kept = pool->kept == RWY_ATTR_NR ? "" : now->value[pool->kept];
	unsigned sum = 0, line = 0;

	for (unsigned i = 0; i < rwy_vf_plan_count(now, want); i++) {
		const struct rwy_vf *vf = i < want->nr_vfs ? &want->vfs[i] : NULL;
		int rc = check_part(check, now, remakes ? &fresh : &now->vfs[i], vf, pool, &sum);

		if (rc < 0)
			return rc;
		if (rc)
			line = vf->line;
	}
	if (line && sum > pool->total)
		return refuse(check, line, -EINVAL, "%s: its VFs would have %u %s in all, of %u",
			      now->bdf, sum, name, pool->total);
	if (line && !remakes && sum + number(kept) > pool->total)
		return refuse(check, line, -EBUSY,
			      "%s keeps %s of %u %s for itself, and gives them up only while it "
			      "has no VFs: apply a file with numvfs 0 first",
			      now->bdf, kept, pool->total, name);
	return 0;
}

static int check_pools(const struct rwy_vf_check *check, const struct rwy_pf *now,
		       const struct rwy_pf *want)
{
	static const char no_nvme[] = "it is no NVMe controller with virtualization management";
	const struct pool pools[] = {
		{RWY_ATTR_MSIX, RWY_ATTR_NR, now->msix_total >= 0, "its driver gives each the same",
		 1, UINT_MAX, (unsigned)RWY_MAX(now->msix_total, 0)},
		{RWY_ATTR_QUEUES, RWY_ATTR_KEPT_QUEUES, now->nvme.known, no_nvme,
		 RWY_VF_NVME_QUEUES, now->nvme.vf_queues, now->nvme.queues},
		{RWY_ATTR_INTERRUPTS, RWY_ATTR_KEPT_INTERRUPTS, now->nvme.known, no_nvme,
		 RWY_VF_NVME_INTERRUPTS, now->nvme.vf_interrupts, now->nvme.interrupts},
	};
	int err = 0;

	for (unsigned i = 0; !err && i < RWY_ARRAY_SIZE(pools); i++)
		err = check_pool(check, now, want, &pools[i]);
	return err;
}

/* ---- a VF ---- */

static int check_link(const struct rwy_vf_check *check, const struct rwy_pf *pf,
		      const struct rwy_vf *now, const struct rwy_vf *want)
{
	const struct rwy_pf_rule *rule = rwy_pf_rule_of(pf->driver);
	struct rwy_attr_vlan vlan;
	struct rwy_attr_rate rate;

	for (enum rwy_attr attr = RWY_ATTR_OF_PF; attr < RWY_ATTR_NR; attr++)
		if (rwy_attr_of_link(attr) && want->value[attr][0] && !pf->ifindex)
			return refuse(check, want->line, -EINVAL,
				      "%s has no interface, so its VFs have no %s", pf->bdf,
				      rwy_attr_name(attr));
	if (differs(now, want, RWY_ATTR_VLAN) &&
	    rwy_attr_get_vlan(want->value[RWY_ATTR_VLAN], &vlan) == 0 &&
	    vlan.proto == ETH_P_8021AD && rule->no_8021ad)
		return refuse(check, want->line, -EINVAL, "%s: its driver %s has no 802.1ad",
			      pf->bdf, pf->driver);
	if (!differs(now, want, RWY_ATTR_RATE) ||
	    rwy_attr_get_rate(want->value[RWY_ATTR_RATE], &rate))
		return 0;
	if (rate.min && rule->no_min_rate)
		return refuse(check, want->line, -EINVAL, "%s: its driver %s has no min_rate",
			      pf->bdf, pf->driver);
	/* One that is up and has no link may be about to have one. */
	if (rule->rate_by_link && strcmp(pf->value[RWY_ATTR_UP], "on") != 0)
		return refuse(check, want->line, -EINVAL,
			      "%s: its driver %s takes rates only while %s is up and has a link",
			      pf->bdf, pf->driver, pf->netdev);
	return 0;
}

static int check_driver(const struct rwy_vf_check *check, const struct rwy_pf *pf, unsigned idx,
			const struct rwy_vf *now, const struct rwy_vf *want)
{
	const char *driver = want->value[RWY_ATTR_DRIVER];

	if (!driver[0] || strcmp(driver, RWY_ATTR_NONE) == 0)
		return 0;
	if (!rwy_sysfs_exists(check->root, "/sys/bus/pci/drivers/%s", driver))
		return refuse(check, want->line, -EINVAL, "there is no driver %s here: modprobe %s",
			      driver, driver);
	if (strstr(driver, "vfio") && now->bdf[0] && now->group < 0)
		return refuse(check, want->line, -EINVAL,
			      "%s: VF %u is behind no IOMMU, %s cannot have it", pf->bdf, idx,
			      driver);
	return 0;
}

static int check_vf(const struct rwy_vf_check *check, const struct rwy_pf *pf, unsigned idx,
		    const struct rwy_vf *now, const struct rwy_vf *want)
{
	const struct rwy_holder *holder = now->bdf[0] ? rwy_holder_of(check->holders, now) : NULL;
	char user[RWY_HOLDER_TEXT];
	int err;

	if (holder)
		rwy_holder_put(user, holder, "process ");
	for (enum rwy_attr attr = RWY_ATTR_OF_PF; holder && attr < RWY_ATTR_NR; attr++)
		if (differs(now, want, attr) && !rwy_attr_is_live(attr))
			return refuse(check, want->line, -EBUSY,
				      "%s: %s of VF %u (%s) cannot change while %s holds it",
				      pf->bdf, rwy_attr_name(attr), idx, now->bdf, user);
	err = check_link(check, pf, now, want);
	return err ? err : check_driver(check, pf, idx, now, want);
}

static int check_pf(const struct rwy_vf_check *check, const struct rwy_pf *now,
		    const struct rwy_pf *want)
{
	static const struct rwy_vf fresh = {.group = -1};
	bool remakes = rwy_vf_plan_remakes(now, want);
	int err = check_count(check, now, want);

	if (!err)
		err = check_holders(check, now, want);
	if (!err)
		err = check_pf_holder(check, now, want);
	if (!err)
		err = check_pools(check, now, want);
	for (unsigned i = 0; !err && i < want->nr_vfs; i++)
		if (want->vfs[i].line)
			err = check_vf(check, now, i, remakes ? &fresh : &now->vfs[i],
				       &want->vfs[i]);
	return err;
}

/* ---- addresses ---- */

/* An address, and who has it or will have it: a PF, or one of its VFs. */
struct owner {
	char address[RWY_ATTR_TEXT];
	enum rwy_attr attr;
	const char *pf;
	int vf;	       /* RWY_VF_PLAN_PF: the PF itself */
	unsigned line; /* that wants it so, 0: none */
};

struct owners {
	unsigned nr;
	struct owner *each;
};

static int compare_owners(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;
	int by_address = strcmp(x->address, y->address);

	return by_address ? by_address : (x->line > y->line) - (x->line < y->line);
}

/* What VF idx will have: what is wanted, else what it has, unless that goes. */
static void add_owner(struct owners *owners, const struct rwy_pf *now, const struct rwy_pf *want,
		      unsigned idx, enum rwy_attr attr)
{
	bool remakes = want && rwy_vf_plan_remakes(now, want);
	struct owner *owner = &owners->each[owners->nr];

	*owner = (struct owner){.attr = attr, .pf = now->bdf, .vf = (int)idx};
	if (want && idx < want->nr_vfs && want->vfs[idx].value[attr][0]) {
		strcpy(owner->address, want->vfs[idx].value[attr]);
		owner->line = want->vfs[idx].line;
	} else if (!remakes && idx < now->nr_vfs) {
		strcpy(owner->address, now->vfs[idx].value[attr]);
	}
	if (owner->address[0] && !rwy_attr_is_unset(attr, owner->address) &&
	    strcmp(owner->address, RWY_ATTR_UNSUPPORTED) != 0)
		owners->nr++;
}

static void add_owners(struct owners *owners, const struct rwy_pf *now, const struct rwy_pf *want)
{
	unsigned nr = RWY_MAX(now->nr_vfs, want ? want->nr_vfs : 0);

	if (now->mac[0]) {
		struct owner pf = {.attr = RWY_ATTR_MAC, .pf = now->bdf, .vf = RWY_VF_PLAN_PF};

		strcpy(pf.address, now->mac);
		owners->each[owners->nr++] = pf;
	}
	for (unsigned i = 0; i < nr; i++)
		for (enum rwy_attr attr = RWY_ATTR_OF_PF; attr < RWY_ATTR_NR; attr++)
			if (rwy_attr_is_address(attr))
				add_owner(owners, now, want, i, attr);
}

static int compare_pair(const struct rwy_vf_check *check, const struct owner *a,
			const struct owner *b)
{
	char other[32] = "";

	/* Where nobody wants either, it is not ours to judge. */
	if (!b->line || strcmp(a->address, b->address) != 0 ||
	    (a->vf == b->vf && strcmp(a->pf, b->pf) == 0))
		return 0;
	if (a->vf != RWY_VF_PLAN_PF)
		snprintf(other, sizeof(other), "VF %d of ", a->vf);
	return refuse(check, b->line, -EINVAL, "%s %s of VF %d of %s is that of %s%s, too",
		      rwy_attr_name(b->attr), b->address, b->vf, b->pf, other, a->pf);
}

/* Two VFs, of whichever PFs, with the same address: the network would not work. */
static int check_addresses(const struct rwy_vf_check *check)
{
	struct owners owners = {0};
	unsigned room = 1;
	int err = 0;

	for (unsigned i = 0; i < check->host->nr; i++)
		room += 1 + RWY_ATTR_NR * (check->host->pfs[i].total + check->host->pfs[i].nr_vfs);
	owners.each = calloc(room, sizeof(*owners.each));
	if (!owners.each)
		return -ENOMEM;
	for (unsigned i = 0; i < check->host->nr; i++) {
		const struct rwy_pf *now = &check->host->pfs[i];

		add_owners(&owners, now, rwy_pf_list_find(check->want, now->bdf));
	}
	qsort(owners.each, owners.nr, sizeof(*owners.each), compare_owners);
	for (unsigned i = 1; !err && i < owners.nr; i++)
		err = compare_pair(check, &owners.each[i - 1], &owners.each[i]);
	free(owners.each);
	return err;
}

int rwy_vf_check_all(const struct rwy_vf_check *check)
{
	int err = 0;

	for (unsigned i = 0; !err && i < check->want->nr; i++) {
		const struct rwy_pf *want = &check->want->pfs[i];

		err = check_pf(check, rwy_pf_list_find(check->host, want->bdf), want);
	}
	return err ? err : check_addresses(check);
}
