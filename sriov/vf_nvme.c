/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/vf_nvme.h"

#include "lib/log.h"
#include "lib/sysfs.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "vf_nvme"

#define DEVICE "/sys/bus/pci/devices/%s"

#define IDENTIFY_LEN 4096
#define NAME_LEN     16

/* Opcodes of admin commands. */
#define IDENTIFY	0x06
#define VIRT_MANAGEMENT 0x1c

/* What Identify tells of (CNS). */
#define CNS_PRIMARY   0x14
#define CNS_SECONDARY 0x15

/* Resource types and actions of Virtualization Management. */
#define QUEUES	   0
#define INTERRUPTS 1
#define KEEP	   1 /* by the PF, from the next reset on */
#define GO_OFFLINE 7
#define ASSIGN	   8
#define GO_ONLINE  9

/* Primary Controller Capabilities (CNS 14h), of one resource. */
struct primary_resource {
	uint32_t total; /* flexible ones */
	uint32_t assigned;
	uint16_t kept;
	uint16_t own;
	uint16_t most; /* for one secondary controller */
	uint16_t grain;
	uint8_t reserved[16];
} __attribute__((packed));

struct primary {
	uint16_t cntlid;
	uint16_t port;
	uint8_t types; /* bit 0: queues, bit 1: interrupts */
	uint8_t reserved[27];
	struct primary_resource resource[2];
} __attribute__((packed));

/* Secondary Controller List (CNS 15h). */
struct secondary {
	uint16_t cntlid;
	uint16_t primary;
	uint8_t state; /* bit 0: online */
	uint8_t reserved1[3];
	uint16_t vf; /* from 1 */
	uint16_t nr[2];
	uint8_t reserved2[18];
} __attribute__((packed));

struct secondary_list {
	uint8_t nr;
	uint8_t reserved[31];
	struct secondary entries[127];
} __attribute__((packed));

_Static_assert(sizeof(struct primary_resource) == 32, "NVMe 2.0, figure 283");
_Static_assert(offsetof(struct primary, resource) == 32, "NVMe 2.0, figure 283");
_Static_assert(sizeof(struct secondary) == 32, "NVMe 2.0, figure 285");
_Static_assert(sizeof(struct secondary_list) == IDENTIFY_LEN, "NVMe 2.0, figure 284");

/* The controller that the driver made of the PF: nvmeN. */
static int find_controller(const struct rwy_sriov_sys *sys, const char *pf, char name[NAME_LEN])
{
	return rwy_sysfs_first(sys->root, name, NAME_LEN, DEVICE "/nvme", pf) ? -ENODEV : 0;
}

static int identify(const struct rwy_sriov_sys *sys, const char *controller, unsigned cns,
		    unsigned first, void *data)
{
	struct nvme_passthru_cmd command = {
		.opcode = IDENTIFY,
		.addr = (uintptr_t)data,
		.data_len = IDENTIFY_LEN,
		.cdw10 = first << 16 | cns,
	};
	int rc;

	memset(data, 0, IDENTIFY_LEN);
	rc = sys->nvme(sys, controller, &command);
	return rc > 0 ? -EREMOTEIO : rc;
}

/* ---- reading ---- */

static void put_number(char *text, unsigned number)
{
	snprintf(text, RWY_ATTR_TEXT, "%u", number);
}

static void take_primary(const struct primary *primary, struct rwy_pf *pf)
{
	const struct primary_resource *queues = &primary->resource[QUEUES];
	const struct primary_resource *interrupts = &primary->resource[INTERRUPTS];

	pf->nvme.known = true;
	pf->nvme.queues = le32toh(queues->total);
	pf->nvme.interrupts = le32toh(interrupts->total);
	pf->nvme.vf_queues = le16toh(queues->most);
	pf->nvme.vf_interrupts = le16toh(interrupts->most);
	put_number(pf->value[RWY_ATTR_KEPT_QUEUES], le16toh(queues->kept));
	put_number(pf->value[RWY_ATTR_KEPT_INTERRUPTS], le16toh(interrupts->kept));
}

/* All secondary controllers, a page of the list at a time. each returns other than 0 to stop. */
static int for_each_secondary(const struct rwy_sriov_sys *sys, const char *controller,
			      int (*each)(void *ctx, const struct secondary *entry), void *ctx)
{
	struct secondary_list *list = malloc(sizeof(*list));
	unsigned first = 0, nr;
	int rc = list ? 0 : -ENOMEM;

	do {
		if (!rc)
			rc = identify(sys, controller, CNS_SECONDARY, first, list);
		nr = rc ? 0 : RWY_MIN(list->nr, RWY_ARRAY_SIZE(list->entries));
		for (unsigned i = 0; !rc && i < nr; i++)
			rc = each(ctx, &list->entries[i]);
		if (nr) {
			unsigned last = le16toh(list->entries[nr - 1].cntlid);

			/* A list that does not go up would never end. */
			nr = last >= first ? nr : 0;
			first = last + 1;
		}
	} while (!rc && nr == RWY_ARRAY_SIZE(list->entries) && first <= UINT16_MAX);
	free(list);
	return rc;
}

static int take_secondary(void *ctx, const struct secondary *entry)
{
	struct rwy_pf *pf = ctx;
	unsigned vf = le16toh(entry->vf);
	rwy_attr_values *value;

	if (vf == 0 || vf > pf->nr_vfs)
		return 0;
	value = &pf->vfs[vf - 1].value;
	put_number((*value)[RWY_ATTR_QUEUES], le16toh(entry->nr[QUEUES]));
	put_number((*value)[RWY_ATTR_INTERRUPTS], le16toh(entry->nr[INTERRUPTS]));
	strcpy((*value)[RWY_ATTR_ONLINE], entry->state & 1 ? "on" : "off");
	return 0;
}

int rwy_vf_nvme_read(const struct rwy_sriov_sys *sys, struct rwy_pf *pf)
{
	char controller[NAME_LEN];
	struct primary *primary;
	int err;

	if (strcmp(pf->driver, "nvme") != 0 || find_controller(sys, pf->bdf, controller))
		return 0;
	primary = malloc(IDENTIFY_LEN);
	if (!primary)
		return -ENOMEM;
	err = identify(sys, controller, CNS_PRIMARY, 0, primary);
	if (!err && primary->types) {
		take_primary(primary, pf);
		err = for_each_secondary(sys, controller, take_secondary, pf);
	}
	free(primary);
	/* A controller that does not know what it is asked for. */
	return err == -EREMOTEIO ? 0 : err;
}

/* ---- setting ---- */

struct search {
	unsigned vf, cntlid;
};

static int find_secondary(void *ctx, const struct secondary *entry)
{
	struct search *search = ctx;

	search->cntlid = le16toh(entry->cntlid);
	return le16toh(entry->vf) == search->vf + 1;
}

static int manage(const struct rwy_sriov_sys *sys, const char *controller, unsigned cntlid,
		  unsigned resource, unsigned action, unsigned number)
{
	struct nvme_passthru_cmd command = {
		.opcode = VIRT_MANAGEMENT,
		.cdw10 = cntlid << 16 | resource << 8 | action,
		.cdw11 = number,
	};
	int rc = sys->nvme(sys, controller, &command);

	if (rc <= 0)
		return rc;
	rwy_error("%s refuses with status 0x%x: virtualization management, controller %u, "
		  "resource %u, action %u, number %u",
		  controller, rc, cntlid, resource, action, number);
	return -EREMOTEIO;
}

static int set_kept(const struct rwy_sriov_sys *sys, const char *controller,
		    const struct rwy_vf_step *step)
{
	struct primary *primary = malloc(IDENTIFY_LEN);
	unsigned resource = step->attr == RWY_ATTR_KEPT_QUEUES ? QUEUES : INTERRUPTS;
	int err = primary ? identify(sys, controller, CNS_PRIMARY, 0, primary) : -ENOMEM;

	if (!err)
		err = manage(sys, controller, le16toh(primary->cntlid), resource, KEEP,
			     (unsigned)strtoul(step->to, NULL, 10));
	free(primary);
	return err;
}

int rwy_vf_nvme_run(const struct rwy_sriov_sys *sys, const struct rwy_vf_step *step)
{
	struct search search = {.vf = (unsigned)step->vf};
	char controller[NAME_LEN];
	int err = find_controller(sys, step->pf, controller);

	if (err)
		return err;
	if (step->vf == RWY_VF_PLAN_PF)
		return set_kept(sys, controller, step);
	err = for_each_secondary(sys, controller, find_secondary, &search);
	if (err <= 0)
		return err ? err : -ENODEV;
	if (step->attr == RWY_ATTR_ONLINE)
		return manage(sys, controller, search.cntlid, 0,
			      strcmp(step->to, "on") == 0 ? GO_ONLINE : GO_OFFLINE, 0);
	return manage(sys, controller, search.cntlid,
		      step->attr == RWY_ATTR_QUEUES ? QUEUES : INTERRUPTS, ASSIGN,
		      (unsigned)strtoul(step->to, NULL, 10));
}
