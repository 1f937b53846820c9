/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/pf_rule.h"

#include <errno.h>
#include <string.h>

/*
 * As drivers/net/ethernet and drivers/nvme of Linux 6.12 have it, each row from the functions that
 * it names. Where the mode of a switch may change with VFs and without, it changes after they are
 * made, as older kernels want it. The last row stands for all other drivers.
 */
static const struct rwy_pf_rule rules[] = {
	/* bnxt_sriov_configure: says yes and makes no VFs while the interface is down.
	 * bnxt_set_vf_vlan may take 802.1ad, but bnxt_get_vf_config never tells of it. Older
	 * ones went to switchdev only with VFs (bnxt_dl_eswitch_mode_set). It has no
	 * ndo_get_vf_stats. */
	{.driver = "bnxt_en", .up_first = true, .no_8021ad = true, .no_counters = true},
	/* i40e_ndo_set_vf_bw, i40e_ndo_set_vf_port_vlan, i40e_check_vf_init_timeout, and
	 * i40e_pci_sriov_configure while another such call is under way. */
	{.driver = "i40e", .not_yet = EAGAIN, .no_min_rate = true, .no_8021ad = true},
	/* ice_eswitch_mode_set, ice_check_vf_ready_for_cfg. Whether there is 802.1ad depends on the
	 * card's package (ice_is_supported_port_vlan_proto). */
	{.driver = "ice", .switch_first = true, .not_yet = EBUSY},
	/* igb_ndo_set_vf_bw, igb_ndo_set_vf_vlan; there is no ndo_get_vf_stats. */
	{.driver = "igb",
	 .rate_by_link = true,
	 .no_min_rate = true,
	 .no_8021ad = true,
	 .no_counters = true},
	/* ixgbe_ndo_set_vf_bw, which wants a link of 10 Gbit/s; ixgbe_ndo_set_vf_vlan */
	{.driver = "ixgbe", .rate_by_link = true, .no_min_rate = true, .no_8021ad = true},
	/* mlx5e_set_vf_vlan. mlx5_devlink_eswitch_mode_set: VFs may be there, and must not be in
	 * use; with older ones they had to be there. */
	{.driver = "mlx5_core", .no_8021ad = true},
	/* pci_sriov_configure_simple wants nothing. */
	{.driver = "nvme"},
	{.driver = ""},
};

const struct rwy_pf_rule *rwy_pf_rule_of(const char *driver)
{
	unsigned i = 0;

	while (rules[i].driver[0] && strcmp(rules[i].driver, driver) != 0)
		i++;
	return &rules[i];
}
