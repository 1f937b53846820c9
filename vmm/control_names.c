/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/control_names.h"

#include <string.h>

#define QUEUES_MAX 64

static const struct rwy_control_name *find(const struct rwy_control_names *names, const char *id,
					   bool netdev)
{
	for (unsigned i = 0; id && *id && i < RWY_CONTROL_NAMES; i++)
		if (names->names[i].netdev == netdev && strcmp(names->names[i].id, id) == 0)
			return &names->names[i];
	return NULL;
}

static int add(struct rwy_control_names *names, const struct rwy_control_name *name,
	       struct rwy_opt_why *why)
{
	if (find(names, name->id, name->netdev))
		return rwy_opt_fail(why, "Duplicate ID '%s'", name->id);
	for (unsigned i = 0; i < RWY_CONTROL_NAMES; i++) {
		if (names->names[i].id[0])
			continue;
		names->names[i] = *name;
		return 0;
	}
	return rwy_opt_fail(why, "%u names are the most", RWY_CONTROL_NAMES);
}

static int del(struct rwy_control_names *names, const json_t *args, bool netdev,
	       struct rwy_opt_why *why)
{
	const char *id = json_string_value(json_object_get(args, "id"));
	const struct rwy_control_name *name = find(names, id, netdev);

	if (!name)
		return rwy_opt_fail(why, "There is no '%.64s'", id ? id : "");
	names->names[name - names->names] = (struct rwy_control_name){0};
	return 0;
}

static int set_text(char *to, size_t len, const json_t *value, const char *what,
		    struct rwy_opt_why *why)
{
	const char *text = json_string_value(value);

	if (!text || !*text || strlen(text) >= len)
		return rwy_opt_fail(why, "Parameter '%s' expects a string of at most %zu bytes",
				    what, len - 1);
	strcpy(to, text);
	return 0;
}

static bool is_text(const json_t *value, const char *text)
{
	return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

int rwy_control_names_add_chardev(struct rwy_control_names *names, const json_t *args,
				  struct rwy_opt_why *why)
{
	const json_t *backend = json_object_get(args, "backend");
	const json_t *data = json_object_get(backend, "data");
	const json_t *addr = json_object_get(data, "addr");
	const json_t *server = json_object_get(data, "server");
	struct rwy_control_name name = {.netdev = false};
	int err = set_text(name.id, sizeof(name.id), json_object_get(args, "id"), "id", why);

	if (err)
		return err;
	if (!is_text(json_object_get(backend, "type"), "socket") ||
	    !is_text(json_object_get(addr, "type"), "unix"))
		return rwy_opt_fail(why, "Only 'socket' backends at a 'unix' address are there");
	/* QEMU's default is a server; nobody means it here, where the back-end listens. */
	if (!json_is_false(server))
		return rwy_opt_fail(why, "Parameter 'server' must be false");
	err = set_text(name.path, sizeof(name.path),
		       json_object_get(json_object_get(addr, "data"), "path"), "path", why);
	return err ? err : add(names, &name, why);
}

int rwy_control_names_add_netdev(struct rwy_control_names *names, const json_t *args,
				 struct rwy_opt_why *why)
{
	const char *chardev = json_string_value(json_object_get(args, "chardev"));
	const struct rwy_control_name *at = find(names, chardev, false);
	const json_t *queues = json_object_get(args, "queues");
	struct rwy_control_name name = {.netdev = true};
	int err = set_text(name.id, sizeof(name.id), json_object_get(args, "id"), "id", why);

	if (err)
		return err;
	if (!is_text(json_object_get(args, "type"), "vhost-user"))
		return rwy_opt_fail(why, "Only the type 'vhost-user' is there");
	if (!at)
		return rwy_opt_fail(why, "There is no chardev '%.64s'", chardev ? chardev : "");
	if (queues && (!json_is_integer(queues) || json_integer_value(queues) < 1 ||
		       json_integer_value(queues) > QUEUES_MAX))
		return rwy_opt_fail(why, "Parameter 'queues' expects a number from 1 to %d",
				    QUEUES_MAX);
	strcpy(name.path, at->path);
	name.queues = (unsigned)json_integer_value(queues);
	return add(names, &name, why);
}

int rwy_control_names_del_chardev(struct rwy_control_names *names, const json_t *args,
				  struct rwy_opt_why *why)
{
	return del(names, args, false, why);
}

int rwy_control_names_del_netdev(struct rwy_control_names *names, const json_t *args,
				 struct rwy_opt_why *why)
{
	return del(names, args, true, why);
}

static int resolve(const struct rwy_control_names *names, json_t *args, const char *kind,
		   bool netdev, struct rwy_opt_why *why)
{
	const json_t *value = json_object_get(args, kind);
	const char *id = json_string_value(value);
	const struct rwy_control_name *name = find(names, id, netdev);

	if (!value)
		return 0;
	if (!name)
		return rwy_opt_fail(why, "There is no %s '%.64s'", kind, id ? id : "");
	if (json_object_get(args, "socket"))
		return rwy_opt_fail(why, "Parameters '%s' and 'socket' exclude each other", kind);
	json_object_set_new(args, "socket", json_string(name->path));
	if (name->queues && !json_object_get(args, "queues"))
		json_object_set_new(args, "queues", json_integer(name->queues));
	json_object_del(args, kind);
	return 0;
}

int rwy_control_names_resolve(const struct rwy_control_names *names, json_t *args,
			      struct rwy_opt_why *why)
{
	int err = resolve(names, args, "chardev", false, why);

	return err ? err : resolve(names, args, "netdev", true, why);
}
