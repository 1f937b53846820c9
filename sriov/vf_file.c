/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/vf_file.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sriov/attr_json.h"
#include "sriov/json_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RWY_STEM "vf_file"

#define FILE_MAX  (4u << 20)
#define WHERE_LEN 64

struct parse {
	const char *path; /* of the file */
	char *text;
	size_t len;
	enum rwy_vf_file_kind kind;
	const struct rwy_pf_list *host;
	struct rwy_pf_list *want;
	char where[WHERE_LEN]; /* in the text, as rwy_json_line_find takes it */
};

/* key: of what is at p->where, NULL: all of it. */
static int RWY_PRINTF(3, 4) refuse(const struct parse *p, const char *key, const char *fmt, ...)
{
	char where[2 * WHERE_LEN], reason[256];
	va_list ap;

	snprintf(where, sizeof(where), "%s%s%.60s", p->where, key && p->where[0] ? "." : "",
		 key ? key : "");
	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	rwy_error("%s:%u: %s", p->path, rwy_json_line_find(p->text, where), reason);
	return -EINVAL;
}

/* ---- VFs ---- */

static int parse_range(const struct parse *p, const json_t *entry, unsigned *first, unsigned *last)
{
	const char *text = json_string_value(json_object_get(entry, "range"));
	int end = 0;

	if (!json_object_get(entry, "range"))
		return refuse(p, NULL, "range is missing: which VFs?");
	if (!text || text[strspn(text, "0123456789-")] ||
	    sscanf(text, "%4u%n-%4u%n", first, &end, last, &end) < 1 || text[end])
		return refuse(p, "range", "range must be a text like \"0-3\" or \"5\"");
	if (!strchr(text, '-'))
		*last = *first;
	if (*first > *last || *last >= RWY_VF_MAX)
		return refuse(p, "range", "the range %s is impossible", text);
	return 0;
}

static bool knows(const struct parse *p, const char *key)
{
	if (strcmp(key, "range") == 0)
		return true;
	if (p->kind == RWY_VF_FILE_WANTED && rwy_attr_find(key) == RWY_ATTR_OVERRIDE)
		return false;
	return rwy_attr_json_knows(key);
}

static int take_values(const struct parse *p, const json_t *entry, unsigned nth, struct rwy_vf *vf)
{
	struct rwy_opt_why why;
	const char *key;

	for (enum rwy_attr attr = RWY_ATTR_OF_PF; attr < RWY_ATTR_NR; attr++) {
		if (rwy_attr_json_take(entry, attr, nth, vf->value[attr], &key, &why))
			return refuse(p, key, "%s", why.text);
		if (p->kind == RWY_VF_FILE_WANTED && rwy_attr_is_unset(attr, vf->value[attr]))
			return refuse(p, key, "%s: all zeros are no address", key);
	}
	return 0;
}

static int parse_vf_entry(struct parse *p, const json_t *entry, struct rwy_pf *pf)
{
	unsigned first, last, line = rwy_json_line_find(p->text, p->where);
	const char *key;
	json_t *value;
	int err;

	if (!json_is_object(entry))
		return refuse(p, NULL, "VFs are described by an object: {\"range\": ...}");
	json_object_foreach((json_t *)entry, key, value)
	{
		if (!knows(p, key))
			return refuse(p, key, "unknown key '%.40s'", key);
	}
	err = parse_range(p, entry, &first, &last);
	for (unsigned i = first; !err && i <= last; i++) {
		if (pf->vfs[i].line)
			return refuse(p, "range", "VF %u is already in the range at line %u", i,
				      pf->vfs[i].line);
		pf->vfs[i].line = line;
		err = take_values(p, entry, i - first, &pf->vfs[i]);
	}
	if (!err)
		pf->nr_vfs = RWY_MAX(pf->nr_vfs, last + 1);
	return err;
}

static int parse_vfs(struct parse *p, const json_t *vfs, struct rwy_pf *pf)
{
	size_t base = strlen(p->where);
	int err = 0;

	if (vfs && !json_is_array(vfs))
		return refuse(p, "vfs", "vfs must be an array");
	for (size_t i = 0; !err && i < json_array_size(vfs); i++) {
		snprintf(p->where + base, sizeof(p->where) - base, ".vfs[%zu]", i);
		err = parse_vf_entry(p, json_array_get(vfs, i), pf);
	}
	p->where[base] = '\0';
	return err;
}

/* ---- PFs ---- */

static const char *const selectors[] = {"bdf", "interface", "driver", "id"};

static bool fits(const struct rwy_pf *pf, const char *selector, const char *text)
{
	char bdf[RWY_BDF_LEN], id[16];

	if (strcmp(selector, "bdf") == 0)
		return rwy_bdf_parse(text, bdf) == 0 && strcmp(bdf, pf->bdf) == 0;
	if (strcmp(selector, "interface") == 0)
		return strcmp(text, pf->netdev) == 0;
	if (strcmp(selector, "driver") == 0)
		return strcmp(text, pf->driver) == 0;
	snprintf(id, sizeof(id), "%04x:%04x", pf->vendor, pf->device);
	return strcasecmp(text, id) == 0;
}

/* The one way in which the entry chooses. */
static int find_selector(const struct parse *p, const json_t *entry, const char **selector)
{
	*selector = NULL;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(selectors); i++) {
		if (!json_object_get(entry, selectors[i]))
			continue;
		if (*selector)
			return refuse(p, selectors[i], "%s and %s: a PF is chosen in one way",
				      *selector, selectors[i]);
		*selector = selectors[i];
	}
	if (!*selector)
		return refuse(p, NULL, "which PF? Choose by bdf, interface, driver or id");
	if (!json_is_string(json_object_get(entry, *selector)))
		return refuse(p, *selector, "%s must be a text", *selector);
	return 0;
}

static int check_keys(const struct parse *p, const json_t *entry)
{
	const char *key;
	json_t *value;

	if (!json_is_object(entry))
		return refuse(p, NULL, "a PF is described by an object: {\"bdf\": ...}");
	json_object_foreach((json_t *)entry, key, value)
	{
		bool known = strcmp(key, "numvfs") == 0 || strcmp(key, "eswitch") == 0 ||
			     strcmp(key, "vfs") == 0;

		for (unsigned i = 0; i < RWY_ARRAY_SIZE(selectors); i++)
			known = known || strcmp(key, selectors[i]) == 0;
		if (p->kind == RWY_VF_FILE_FOUND)
			known = known || (rwy_attr_find(key) > RWY_ATTR_UP &&
					  rwy_attr_find(key) < RWY_ATTR_OF_PF);
		if (!known)
			return refuse(p, key, "unknown key '%.40s'", key);
	}
	return 0;
}

/* What the entry wants of this PF. */
static int parse_pf(struct parse *p, const json_t *entry, const struct rwy_pf *pf)
{
	const struct rwy_pf *before = rwy_pf_list_find(p->want, pf->bdf);
	struct rwy_pf want = {.line = rwy_json_line_find(p->text, p->where)};
	struct rwy_opt_why why;
	const char *key;
	int err = 0;

	if (before)
		return refuse(p, NULL, "%s is already chosen at line %u", pf->bdf, before->line);
	memcpy(want.bdf, pf->bdf, sizeof(want.bdf));
	for (enum rwy_attr attr = RWY_ATTR_UP + 1; attr < RWY_ATTR_OF_PF; attr++)
		if (rwy_attr_json_take(entry, attr, 0, want.value[attr], &key, &why))
			return refuse(p, key, "%s", why.text);
	err = rwy_pf_reserve(&want, RWY_VF_MAX);
	if (err)
		return err;
	want.nr_vfs = 0;
	err = parse_vfs(p, json_object_get(entry, "vfs"), &want);
	if (!err)
		return rwy_pf_list_add(p->want, &want);
	rwy_pf_fini(&want);
	return err;
}

static int parse_entry(struct parse *p, const json_t *entry)
{
	const char *selector, *text;
	unsigned chosen = 0;
	int err = check_keys(p, entry);

	if (!err)
		err = find_selector(p, entry, &selector);
	if (err)
		return err;
	text = json_string_value(json_object_get(entry, selector));
	for (unsigned i = 0; !err && i < p->host->nr; i++) {
		if (!fits(&p->host->pfs[i], selector, text))
			continue;
		chosen++;
		err = parse_pf(p, entry, &p->host->pfs[i]);
	}
	if (err || chosen)
		return err;
	(void)refuse(p, selector, "no PF here has the %s %s: ringway-sriov list shows them",
		     selector, text);
	return -ENODEV;
}

static int parse_root(struct parse *p, const json_t *root)
{
	const json_t *pfs = json_object_get(root, "pfs");
	const char *key;
	json_t *value;
	int err = 0;

	json_object_foreach((json_t *)root, key, value)
	{
		if (strcmp(key, "pfs") != 0)
			return refuse(p, key, "unknown key '%.40s'", key);
	}
	if (!json_is_array(pfs))
		return refuse(p, "pfs", "the file must be an object with an array: {\"pfs\": []}");
	for (size_t i = 0; !err && i < json_array_size(pfs); i++) {
		snprintf(p->where, sizeof(p->where), "pfs[%zu]", i);
		err = parse_entry(p, json_array_get(pfs, i));
	}
	return err;
}

/* ---- the file ---- */

static int read_text(struct parse *p)
{
	int fd = open(p->path, O_RDONLY | O_CLOEXEC), err = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		err = -EFBIG;
	if (!err) {
		p->len = (size_t)st.st_size;
		p->text = calloc(1, p->len + 1);
		err = p->text ? rwy_fd_read_full(fd, p->text, p->len, 0) : -ENOMEM;
	}
	rwy_fd_close(&fd);
	if (err)
		rwy_error("%s: %s", p->path, strerror(-err));
	return err;
}

int rwy_vf_file_load(struct rwy_pf_list *want, const char *path, enum rwy_vf_file_kind kind,
		     const struct rwy_pf_list *host)
{
	struct parse p = {.path = path, .kind = kind, .host = host, .want = want};
	json_error_t error;
	json_t *root;
	int err;

	*want = (struct rwy_pf_list){0};
	err = read_text(&p);
	if (err)
		goto free_text;
	root = json_loadb(p.text, p.len, JSON_REJECT_DUPLICATES, &error);
	if (root) {
		err = parse_root(&p, root);
	} else {
		rwy_error("%s:%d: %s", path, error.line, error.text);
		err = -EINVAL;
	}
	json_decref(root);
	if (err)
		rwy_pf_list_fini(want);
free_text:
	free(p.text);
	return err;
}

static json_t *format_vf(const struct rwy_pf *pf, unsigned idx)
{
	json_t *vf = json_object();
	char range[16];

	snprintf(range, sizeof(range), "%u", idx);
	json_object_set_new(vf, "range", json_string(range));
	for (enum rwy_attr attr = RWY_ATTR_OF_PF; attr < RWY_ATTR_NR; attr++) {
		const char *value = pf->vfs[idx].value[attr];
		/* Only what can be set is worth a word. */
		bool fixed = attr == RWY_ATTR_MSIX && pf->msix_total < 0;

		if (!fixed && strcmp(value, RWY_ATTR_UNSUPPORTED) != 0)
			rwy_attr_json_put(vf, attr, value);
	}
	return vf;
}

char *rwy_vf_file_format(const struct rwy_pf *pf)
{
	json_t *vfs = json_array(), *entry = json_pack("{ss}", "bdf", pf->bdf), *root;
	char *text;

	/* An interface that came up since is in use by somebody, and stays so. */
	for (enum rwy_attr attr = RWY_ATTR_UP + 1; attr < RWY_ATTR_OF_PF; attr++)
		if (strcmp(pf->value[attr], RWY_ATTR_UNSUPPORTED) != 0)
			rwy_attr_json_put(entry, attr, pf->value[attr]);
	for (unsigned i = 0; i < pf->nr_vfs; i++)
		json_array_append_new(vfs, format_vf(pf, i));
	json_object_set_new(entry, "vfs", vfs);
	root = json_pack("{s[o]}", "pfs", entry);
	text = json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	return text;
}
