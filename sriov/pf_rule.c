/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/pf_rule.h"

#include <string.h>

/* From the ndo_set_vf_* and sriov_configure functions of Linux 6.1. The last stands for the rest.
 */
static const struct rwy_pf_rule rules[] = {
	{.driver = "bnxt_en", .up_first = true, .no_8021ad = true},
	{.driver = "i40e", .no_min_rate = true, .no_8021ad = true},
	{.driver = "ice"},
	{.driver = "igb", .rate_by_link = true, .no_min_rate = true, .no_8021ad = true},
	{.driver = "ixgbe", .rate_by_link = true, .no_min_rate = true, .no_8021ad = true},
	{.driver = "mlx5_core", .no_8021ad = true},
	{.driver = "nvme", .no_rate = true, .no_8021ad = true},
	{.driver = ""},
};

const struct rwy_pf_rule *rwy_pf_rule_of(const char *driver)
{
	unsigned i = 0;

	while (rules[i].driver[0] && strcmp(rules[i].driver, driver) != 0)
		i++;
	return &rules[i];
}
