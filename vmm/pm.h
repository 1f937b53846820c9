/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Power management as the FADT describes it (ACPI 6.5 section 4.8): PM1 event and control block
 * with the fixed power button, sleep state S5, the PM timer; the reset register at port 0xcf9; and
 * the one command of a keyboard controller that matters, "pulse the reset line".
 *
 * Every call is made with the bus lock held or before vCPUs run.
 */
#ifndef RWY_VMM_PM_H
#define RWY_VMM_PM_H

#include "vmm/bus.h"

/* Offsets in the block at RWY_LAYOUT_PM_PORT */
#define RWY_PM_EVENT   0 /* status and enable, 2 bytes each */
#define RWY_PM_CONTROL 4
#define RWY_PM_TIMER   8
#define RWY_PM_SIZE    12
/* SLP_TYP of \_S5 in the DSDT, and the value of the FADT's reset register. */
#define RWY_PM_S5	   5
#define RWY_PM_RESET_VALUE 0x06

struct rwy_pm_ops {
	void (*sci)(void *ctx, bool level);
	/* From a vCPU thread; they only ask, the machine does it later. */
	void (*power_off)(void *ctx);
	void (*reset)(void *ctx);
	void *ctx;
};

struct rwy_pm {
	struct rwy_pm_ops ops;
	uint16_t status, enable, control;
	bool sci;
};

/* Places itself on the port bus. */
RWY_MUST_CHECK int rwy_pm_init(struct rwy_pm *pm, const struct rwy_pm_ops *ops,
			       struct rwy_bus *pio);
void rwy_pm_reset(struct rwy_pm *pm);
/* A byte written to port 0xcf9, which lies inside PCI's address port: the PCI root passes it on. */
void rwy_pm_reset_port(void *pm, uint8_t value);
/* Somebody presses the power button. */
void rwy_pm_press(struct rwy_pm *pm);

#endif
