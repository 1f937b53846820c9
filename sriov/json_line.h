/* SPDX-License-Identifier: BSD-3-Clause */
/* Where in a JSON text a value stands: jansson checks a text, but forgets the lines of it. */
#ifndef RWY_SRIOV_JSON_LINE_H
#define RWY_SRIOV_JSON_LINE_H

/*
 * The line, from 1, of the value that a path like "pfs[0].vfs[2].mac" names: of its key, where it
 * has one. Of the innermost value on the way that is there, where the last part is not. The text
 * must be valid JSON.
 */
unsigned rwy_json_line_find(const char *text, const char *path);

#endif
