/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of attributes as JSON: the one spelling of files, of --json and of what is recorded. */
#ifndef RWY_SRIOV_ATTR_JSON_H
#define RWY_SRIOV_ATTR_JSON_H

#include "lib/opt.h"
#include "sriov/attr.h"

#include <jansson.h>

/* An object of a file has this key for a VF. */
bool rwy_attr_json_knows(const char *key);
/* Adds the value, null where it is unsupported; nothing is added where it is not known. */
void rwy_attr_json_put(json_t *object, enum rwy_attr attr, const char *text);
/*
 * The value that the object has for the nth VF that it speaks of, from 0: MACs and GUIDs count
 * upwards. text is empty where the object does not say. -EINVAL: *key has a wrong value, *why says
 * what is wrong.
 */
RWY_MUST_CHECK int rwy_attr_json_take(const json_t *object, enum rwy_attr attr, unsigned nth,
				      char text[RWY_ATTR_TEXT], const char **key,
				      struct rwy_opt_why *why);

#endif
