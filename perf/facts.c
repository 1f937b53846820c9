/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/facts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int rwy_facts_add(struct rwy_facts *facts, const char *name, const char *fmt, ...)
{
	struct rwy_fact *fact;
	va_list args;

	if (rwy_facts_value(facts, name))
		return -EEXIST;
	if (facts->nr == RWY_FACTS_MAX)
		return -ENOSPC;
	fact = &facts->facts[facts->nr++];
	snprintf(fact->name, sizeof(fact->name), "%s", name);
	va_start(args, fmt);
	vsnprintf(fact->value, sizeof(fact->value), fmt, args);
	va_end(args);
	return 0;
}

const char *rwy_facts_value(const struct rwy_facts *facts, const char *name)
{
	for (unsigned i = 0; i < facts->nr; i++)
		if (!strcmp(facts->facts[i].name, name))
			return facts->facts[i].value;
	return NULL;
}
