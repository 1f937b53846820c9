/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/opt.h"
#include "lib/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define OPT_KEYS_MAX 64

int rwy_opt_fail(struct rwy_opt_why *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* A number at *text, which moves behind it. strtoull alone would take signs, blanks and octal. */
static bool scan(const char **text, uint64_t *value)
{
	const char *at = *text;
	bool hex = at[0] == '0' && (at[1] == 'x' || at[1] == 'X');
	const char *set = hex ? "0123456789abcdefABCDEF" : "0123456789";
	char *end;

	at += hex ? 2 : 0;
	if (strspn(at, set) == 0)
		return false;
	errno = 0;
	*value = strtoull(at, &end, hex ? 16 : 10);
	*text = end;
	return errno == 0;
}

int rwy_opt_uint(const char *text, uint64_t min, uint64_t max, uint64_t *value,
		 struct rwy_opt_why *why)
{
	const char *at = text;
	uint64_t v;

	if (!scan(&at, &v) || *at != '\0')
		return rwy_opt_fail(why, "'%s' is not a number", text);
	if (v < min || v > max)
		return rwy_opt_fail(why, "%s is out of range, it may be %llu to %llu", text,
				    (unsigned long long)min, (unsigned long long)max);
	*value = v;
	return 0;
}

int rwy_opt_size(const char *text, uint64_t min, uint64_t max, uint64_t *value,
		 struct rwy_opt_why *why)
{
	static const char suffixes[] = "KMGT";
	const char *at = text;
	const char *suffix;
	uint64_t v;

	if (!scan(&at, &v))
		return rwy_opt_fail(why, "'%s' is not a size", text);
	suffix = *at != '\0' ? strchr(suffixes, *at) : NULL;
	if (suffix) {
		if (RWY_MUL_OVERFLOW(v, RWY_BIT64(10 * (suffix - suffixes + 1)), &v))
			return rwy_opt_fail(why, "%s is too large", text);
		at++;
	}
	if (*at != '\0')
		return rwy_opt_fail(why, "'%s' is not a size, it may end in K, M, G or T", text);
	if (v < min || v > max)
		return rwy_opt_fail(why, "%s is out of range, it may be %llu to %llu bytes", text,
				    (unsigned long long)min, (unsigned long long)max);
	*value = v;
	return 0;
}

int rwy_opt_mac(const char *text, uint8_t mac[6], struct rwy_opt_why *why)
{
	static const char form[] = "xx:xx:xx:xx:xx:xx";
	bool good = strlen(text) == sizeof(form) - 1;

	for (unsigned i = 0; good && form[i]; i++)
		good = form[i] == ':' ? text[i] == ':' : isxdigit((unsigned char)text[i]) != 0;
	if (!good)
		return rwy_opt_fail(why, "'%s' is not an address like 52:54:00:12:34:56", text);
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)strtoul(text + 3 * i, NULL, 16);
	if (mac[0] & 1)
		return rwy_opt_fail(why, "%s is a multicast address", text);
	return 0;
}

char *rwy_opt_word(char **list)
{
	char *word = *list;
	char *comma = word ? strchr(word, ',') : NULL;

	if (comma)
		*comma = '\0';
	*list = comma ? comma + 1 : NULL;
	return word;
}

static int set_flag(const struct rwy_opt_key *key, const char *value, struct rwy_opt_why *why)
{
	if (!value || strcmp(value, "on") == 0)
		*key->flag = true;
	else if (strcmp(value, "off") == 0)
		*key->flag = false;
	else
		return rwy_opt_fail(why, "'%s' is neither on nor off", value);
	return 0;
}

static int set_key(const struct rwy_opt_key *key, const char *value, struct rwy_opt_why *why)
{
	struct rwy_opt_why inner = {0};
	int err = 0;

	if (key->kind != RWY_OPT_FLAG && (!value || *value == '\0'))
		return rwy_opt_fail(why, "%s needs a value", key->name);
	switch (key->kind) {
	case RWY_OPT_FLAG:
		err = set_flag(key, value, &inner);
		break;
	case RWY_OPT_UINT:
		err = rwy_opt_uint(value, key->min, key->max, key->num, &inner);
		break;
	case RWY_OPT_SIZE:
		err = rwy_opt_size(value, key->min, key->max, key->num, &inner);
		break;
	case RWY_OPT_STR:
	case RWY_OPT_REST:
		*key->str = value;
		break;
	}
	return err ? rwy_opt_fail(why, "%s: %.200s", key->name, inner.text) : 0;
}

static int refuse_key(const char *name, const struct rwy_opt_key *keys, unsigned nr,
		      struct rwy_opt_why *why)
{
	int at = snprintf(why->text, sizeof(why->text), "unknown key '%.40s', known are", name);

	for (unsigned i = 0; i < nr && at >= 0 && (size_t)at < sizeof(why->text); i++)
		at += snprintf(why->text + at, sizeof(why->text) - (size_t)at, "%s %s",
			       i ? "," : "", keys[i].name);
	return -EINVAL;
}

int rwy_opt_list(char *list, const struct rwy_opt_key *keys, unsigned nr, struct rwy_opt_why *why)
{
	uint64_t seen = 0;
	unsigned i;

	if (nr > OPT_KEYS_MAX)
		return rwy_opt_fail(why, "too many keys");
	while (list) {
		size_t len = strcspn(list, "=,");

		for (i = 0; i < nr; i++)
			if (strlen(keys[i].name) == len && strncmp(list, keys[i].name, len) == 0)
				break;
		/* only now is it known whether the next comma ends the value */
		char *item = list;
		if (i < nr && keys[i].kind == RWY_OPT_REST)
			list = NULL;
		else
			rwy_opt_word(&list);
		char *value = strchr(item, '=');
		if (value)
			*value++ = '\0';
		if (i == nr)
			return refuse_key(item, keys, nr, why);
		if (seen & RWY_BIT64(i))
			return rwy_opt_fail(why, "%s is given twice", keys[i].name);
		seen |= RWY_BIT64(i);
		int err = set_key(&keys[i], value, why);
		if (err)
			return err;
	}
	return 0;
}

/* To the caller's stream, never one of our own choice. */
static void RWY_PRINTF(2, 3) say(FILE *to, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(to, fmt, ap);
	va_end(ap);
}

int rwy_opt_refuse(const struct rwy_opt_program *program, FILE *err, const char *fmt, ...)
{
	va_list ap;

	say(err, "%s: ", program->name);
	va_start(ap, fmt);
	vfprintf(err, fmt, ap);
	va_end(ap);
	say(err, " (%s --help says more)\n", program->name);
	return RWY_OPT_EXIT_USAGE;
}

static int set_log_level(void *ctx, char *value, struct rwy_opt_why *why)
{
	enum rwy_log_level level;

	(void)ctx;
	if (rwy_log_parse_level(value, &level))
		return rwy_opt_fail(why, "'%s' is none of error, warn, info, debug", value);
	rwy_log_set_level(level);
	return 0;
}

static const struct rwy_opt common[] = {
	{"log-level", "LEVEL", "error, warn, info (the default) or debug", set_log_level},
	{"help", NULL, "print this and exit", NULL},
	{"version", NULL, "print the version and exit", NULL},
};

static void print_opt(const struct rwy_opt *opt, FILE *out)
{
	const char *line = opt->help;

	say(out, "  --%s%s%s\n", opt->name, opt->arg ? " " : "", opt->arg ? opt->arg : "");
	while (*line) {
		size_t len = strcspn(line, "\n");

		say(out, "        %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

static void print_help(const struct rwy_opt_program *program, FILE *out)
{
	say(out, "Usage: %s %s\n\n%s\n\n", program->name, program->usage, program->summary);
	for (unsigned i = 0; i < program->nr; i++)
		print_opt(&program->opts[i], out);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(common); i++)
		print_opt(&common[i], out);
}

static const struct rwy_opt *find(const struct rwy_opt *opts, unsigned nr, const char *name,
				  size_t len)
{
	for (unsigned i = 0; i < nr; i++)
		if (strlen(opts[i].name) == len && strncmp(opts[i].name, name, len) == 0)
			return &opts[i];
	return NULL;
}

/* One option with its value, which may be the next argument; *i moves over it. */
static int take(const struct rwy_opt_program *program, const struct rwy_opt *opt, char **argv,
		int argc, int *i, struct rwy_opt_why *why)
{
	char *value = strchr(argv[*i], '=');

	if (value)
		value++;
	if (!opt->arg)
		return value ? rwy_opt_fail(why, "takes no value")
			     : opt->set(program->ctx, NULL, why);
	if (!value && *i + 1 < argc)
		value = argv[++*i];
	if (!value || *value == '\0')
		return rwy_opt_fail(why, "needs a value: %s", opt->arg);
	return opt->set(program->ctx, value, why);
}

bool rwy_opt_parse(const struct rwy_opt_program *program, int argc, char **argv, FILE *out,
		   FILE *err, int *status)
{
	struct rwy_opt_why why = {0};

	*status = 0;
	for (int i = 1; i < argc; i++) {
		bool dashed = strncmp(argv[i], "--", 2) == 0;
		const char *name = argv[i] + 2;
		size_t len = dashed ? strcspn(name, "=") : 0;

		if (!dashed && argv[i][0] != '-' && program->operand) {
			if (program->operand(program->ctx, argv[i], &why) == 0)
				continue;
			*status = rwy_opt_refuse(program, err, "%s: %s", argv[i], why.text);
			return false;
		}
		if (dashed && strcmp(name, "help") == 0) {
			print_help(program, out);
			return false;
		}
		if (dashed && strcmp(name, "version") == 0) {
			say(out, "%s %s\n", program->name, RWY_VERSION);
			return false;
		}
		const struct rwy_opt *opt = find(program->opts, program->nr, name, len);
		if (!opt)
			opt = find(common, 1, name, len);
		if (!dashed || len == 0 || !opt) {
			*status = rwy_opt_refuse(program, err, "unknown argument '%s'", argv[i]);
			return false;
		}
		if (take(program, opt, argv, argc, &i, &why)) {
			*status = rwy_opt_refuse(program, err, "--%s: %s", opt->name, why.text);
			return false;
		}
	}
	return true;
}
