/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a machine is, as far as it bears on a measurement: names and values as text, in an order
 * that is good to read. Two hosts are compared fact by fact, by name. Of the kernel's command line
 * only the words that bear on speed are taken: the rest may be nobody's business.
 */
#ifndef RWY_PERF_FACTS_H
#define RWY_PERF_FACTS_H

#include "lib/base.h"

#define RWY_FACTS_MAX 48

struct rwy_fact {
	char name[32]; /* "CPU", "kernel": stable */
	char value[224];
};

struct rwy_facts {
	unsigned nr;
	struct rwy_fact facts[RWY_FACTS_MAX];
};

/* A value that does not fit is cut. -ENOSPC: RWY_FACTS_MAX are there; -EEXIST: the name is. */
int rwy_facts_add(struct rwy_facts *facts, const char *name, const char *fmt, ...) RWY_PRINTF(3, 4);
/* NULL: it is not among them. */
const char *rwy_facts_value(const struct rwy_facts *facts, const char *name);

/*
 * Adds what /sys, /proc and /dev below root say ("" for this machine); what is not known is left
 * out. Reads only, takes milliseconds.
 */
void rwy_facts_read(const char *root, struct rwy_facts *facts);

#endif
