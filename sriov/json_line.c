/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/json_line.h"

#include "lib/base.h"

#include <stdlib.h>
#include <string.h>

struct cursor {
	const char *at;
	unsigned line;
};

static void skip_space(struct cursor *c)
{
	for (; *c->at && strchr(" \t\r\n,:", *c->at); c->at++)
		c->line += *c->at == '\n';
}

/* At its opening quote. */
static void skip_string(struct cursor *c)
{
	for (c->at++; *c->at && *c->at != '"'; c->at++)
		if (*c->at == '\\')
			c->at++;
	if (*c->at)
		c->at++;
}

static void skip_value(struct cursor *c)
{
	unsigned depth = 0;

	do {
		skip_space(c);
		if (*c->at == '"') {
			skip_string(c);
			continue;
		}
		if (*c->at == '{' || *c->at == '[')
			depth++;
		else if (*c->at == '}' || *c->at == ']')
			depth--;
		if (strchr("{}[]", *c->at))
			c->at += *c->at != '\0';
		else
			c->at += strcspn(c->at, " \t\r\n,:{}[]\"");
	} while (depth && *c->at);
}

/* From an array's start to its idx-th element. */
static bool enter_element(struct cursor *c, unsigned long idx)
{
	if (*c->at != '[')
		return false;
	c->at++;
	for (skip_space(c); idx > 0 && *c->at && *c->at != ']'; idx--, skip_space(c))
		skip_value(c);
	return *c->at && *c->at != ']';
}

/* From an object's start to the value of a key; *line is the key's. */
static bool enter_member(struct cursor *c, const char *key, size_t len, unsigned *line)
{
	if (*c->at != '{')
		return false;
	c->at++;
	for (skip_space(c); *c->at == '"'; skip_value(c), skip_space(c)) {
		const char *name = c->at + 1;

		*line = c->line;
		skip_string(c);
		skip_space(c);
		if (c->at - name >= (ptrdiff_t)len && strncmp(name, key, len) == 0 &&
		    name[len] == '"')
			return true;
	}
	return false;
}

unsigned rwy_json_line_find(const char *text, const char *path)
{
	struct cursor c = {text, 1};
	unsigned line;

	skip_space(&c);
	line = c.line;
	while (*path) {
		unsigned found = line;
		char *end;

		if (*path == '[') {
			if (!enter_element(&c, strtoul(path + 1, &end, 10)))
				break;
			found = c.line;
			path = end + 1;
		} else {
			size_t len;

			path += *path == '.';
			len = strcspn(path, ".[");
			if (!enter_member(&c, path, len, &found))
				break;
			path += len;
		}
		line = found;
	}
	return line;
}
