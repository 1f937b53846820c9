/* SPDX-License-Identifier: BSD-3-Clause */
/* Hosts and what is wanted of them, for tests that carry it out. */
#ifndef RWY_TESTS_VF_SCENES_H
#define RWY_TESTS_VF_SCENES_H

#include "tests/unit/sriov_rig.h"

#define PF "0000:01:00.0"

/* A host and what is wanted of it. */
struct scene {
	const char *driver;
	unsigned nr_vfs; /* before */
	bool configured; /* and those are set up */
	const char *want;
};

static const struct scene scenes[] = {
	{"igb", 0, false,
	 "{\"pfs\": [{\"bdf\": \"" PF "\", \"numvfs\": 2, \"vfs\": [{\"range\": \"0-1\","
	 " \"mac\": \"52:54:00:00:10:00\", \"vlan\": 100, \"qos\": 3, \"trust\": true,"
	 " \"max_rate\": 100, \"driver\": \"vfio-pci\"}]}]}"},
	{"i40e", 2, true,
	 "{\"pfs\": [{\"interface\": \"eno256\", \"numvfs\": 3, \"vfs\": [{\"range\": \"2\","
	 " \"mac\": \"52:54:00:00:10:09\", \"spoofchk\": false, \"driver\": \"vfio-pci\"}]}]}"},
	{"mlx5_core", 2, true,
	 "{\"pfs\": [{\"id\": \"15b3:101d\", \"vfs\": [{\"range\": \"1\", \"msix\": 20,"
	 " \"node_guid\": \"00:11:22:33:44:55:66:77\", \"link_state\": \"enable\"},"
	 " {\"range\": \"0\", \"driver\": \"none\", \"min_rate\": 5}]}]}"},
	{"bnxt_en", 0, false,
	 "{\"pfs\": [{\"driver\": \"bnxt_en\", \"numvfs\": 1, \"vfs\": [{\"range\": \"0\","
	 " \"link_state\": \"disable\"}]}]}"},
	{"nvme", 3, false, "{\"pfs\": [{\"bdf\": \"01:00.0\", \"numvfs\": 0}]}"},
	{"nvme", 0, false,
	 "{\"pfs\": [{\"bdf\": \"01:00.0\", \"numvfs\": 2, \"vfs\": [{\"range\": \"0-1\","
	 " \"queues\": 2, \"interrupts\": 1, \"driver\": \"vfio-pci\"}]}]}"},
	/* Vectors from one VF to another, that come after it. */
	{"mlx5_core", 3, true,
	 "{\"pfs\": [{\"bdf\": \"" PF "\", \"vfs\": [{\"range\": \"0-1\", \"msix\": 20},"
	 " {\"range\": \"2\", \"msix\": 4}]}]}"},
	/* Switches: before VFs are made, after, and with VFs that are there. */
	{"ice", 3, true,
	 "{\"pfs\": [{\"bdf\": \"" PF "\", \"eswitch\": \"switchdev\", \"vfs\": ["
	 "{\"range\": \"1\", \"tx_share\": 100, \"tx_max\": 500, \"driver\": \"vfio-pci\"}]}]}"},
	{"bnxt_en", 0, false,
	 "{\"pfs\": [{\"bdf\": \"" PF "\", \"eswitch\": \"switchdev\", \"numvfs\": 2}]}"},
	{"mlx5_core", 2, true,
	 "{\"pfs\": [{\"bdf\": \"" PF "\", \"eswitch\": \"switchdev\", \"vfs\": ["
	 "{\"range\": \"0-1\", \"hw_addr\": \"52:54:00:00:10:00\", \"roce\": false,"
	 " \"migratable\": true, \"ipsec_crypto\": true, \"max_io_eqs\": 9,"
	 " \"tx_max\": 1000}]}]}"},
	{"mlx5_core", 0, false,
	 "{\"pfs\": [{\"bdf\": \"" PF "\", \"eswitch\": \"switchdev\", \"numvfs\": 3, \"vfs\": ["
	 "{\"range\": \"0-2\", \"hw_addr\": \"52:54:00:00:10:00\", \"tx_share\": 10,"
	 " \"driver\": \"vfio-pci\"}]}]}"},
};

static inline void set_up(struct sriov_rig *rig, const struct scene *scene)
{
	struct fake_sriov_pf *pf;

	sriov_rig_open(rig);
	log_catch();
	pf = fake_sriov_kernel_add_pf(rig->kernel, scene->driver, PF, 8);
	fake_sriov_kernel_set_vfs(rig->kernel, pf, scene->nr_vfs);
	for (unsigned i = 0; scene->configured && i < scene->nr_vfs; i++) {
		snprintf(pf->vfs[i][RWY_ATTR_MAC], RWY_ATTR_TEXT, "52:54:00:00:00:%02x", i);
		strcpy(pf->vfs[i][RWY_ATTR_VLAN], "7,qos=1,proto=802.1q");
		strcpy(pf->vfs[i][RWY_ATTR_RATE], "0-500");
	}
}

static inline int apply(struct sriov_rig *rig, const struct scene *scene)
{
	return sriov_rig_want(rig, rwy_sriov_cmd_apply, scene->want);
}

#endif
