/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include "lib/opt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void numbers(void **state)
{
	(void)state;
	struct rwy_opt_why why;
	uint64_t v = 7;

	assert_int_equal(rwy_opt_uint("64", 1, 64, &v, &why), 0);
	assert_int_equal(v, 64);
	assert_int_equal(rwy_opt_uint("0x10", 0, 64, &v, &why), 0);
	assert_int_equal(v, 16);
	assert_int_equal(rwy_opt_uint("18446744073709551615", 0, UINT64_MAX, &v, &why), 0);
	const char *const bad[] = {
		"", " 1", "-1", "+1", "1 ", "1k", "0x", "x10", "65", "0", "18446744073709551616"};
	v = 7;
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		assert_int_equal(rwy_opt_uint(bad[i], 1, 64, &v, &why), -EINVAL);
		assert_true(strlen(why.text) > 0);
	}
	assert_int_equal(v, 7);
}

static void sizes(void **state)
{
	(void)state;
	struct rwy_opt_why why;
	uint64_t v = 7;

	assert_int_equal(rwy_opt_size("512M", 0, UINT64_MAX, &v, &why), 0);
	assert_int_equal(v, UINT64_C(512) << 20);
	assert_int_equal(rwy_opt_size("1T", 0, UINT64_MAX, &v, &why), 0);
	assert_int_equal(v, UINT64_C(1) << 40);
	assert_int_equal(rwy_opt_size("4096", 0, UINT64_MAX, &v, &why), 0);
	assert_int_equal(v, 4096);
	assert_int_equal(rwy_opt_size("16777216T", 0, UINT64_MAX, &v, &why), -EINVAL);
	assert_int_equal(rwy_opt_size("1KK", 0, UINT64_MAX, &v, &why), -EINVAL);
	assert_int_equal(rwy_opt_size("M", 0, UINT64_MAX, &v, &why), -EINVAL);
	assert_int_equal(rwy_opt_size("1E", 0, UINT64_MAX, &v, &why), -EINVAL);
	assert_int_equal(rwy_opt_size("2M", 0, 1 << 20, &v, &why), -EINVAL);
	assert_int_equal(v, 4096);
}

static void macs(void **state)
{
	(void)state;
	struct rwy_opt_why why;
	uint8_t mac[6];

	assert_int_equal(rwy_opt_mac("52:54:00:12:34:aB", mac, &why), 0);
	assert_memory_equal(mac, "\x52\x54\x00\x12\x34\xab", 6);
	assert_int_equal(rwy_opt_mac("53:54:00:12:34:56", mac, &why), -EINVAL);
	assert_int_equal(rwy_opt_mac("52:54:00:12:34", mac, &why), -EINVAL);
	assert_int_equal(rwy_opt_mac("52:54:00:12:34:5", mac, &why), -EINVAL);
	assert_int_equal(rwy_opt_mac("52-54-00-12-34-56", mac, &why), -EINVAL);
	assert_int_equal(rwy_opt_mac("52:54:00:12:34:5g", mac, &why), -EINVAL);
}

struct port {
	const char *socket;
	const char *dev;
	uint64_t queues;
	uint64_t size;
	bool ro;
};

static int parse_port(const char *text, struct port *port, struct rwy_opt_why *why)
{
	static char buf[256]; /* what was stored points into it */
	const struct rwy_opt_key keys[] = {
		{.name = "socket", .kind = RWY_OPT_STR, .str = &port->socket},
		{.name = "dev", .kind = RWY_OPT_REST, .str = &port->dev},
		{.name = "queues", .kind = RWY_OPT_UINT, .num = &port->queues, .min = 1, .max = 8},
		{.name = "size", .kind = RWY_OPT_SIZE, .num = &port->size, .max = UINT64_MAX},
		{.name = "readonly", .kind = RWY_OPT_FLAG, .flag = &port->ro},
	};

	*port = (struct port){.queues = 1};
	memset(buf, 0, sizeof(buf));
	memcpy(buf, text, strlen(text));
	return rwy_opt_list(buf, keys, RWY_ARRAY_SIZE(keys), why);
}

static void lists(void **state)
{
	(void)state;
	struct rwy_opt_why why;
	struct port port;

	assert_int_equal(parse_port("socket=/a=b,size=2G,readonly", &port, &why), 0);
	assert_string_equal(port.socket, "/a=b");
	assert_int_equal(port.size, UINT64_C(2) << 30);
	assert_int_equal(port.queues, 1);
	assert_true(port.ro);
	assert_int_equal(parse_port("readonly=off,queues=8", &port, &why), 0);
	assert_false(port.ro);
	assert_int_equal(port.queues, 8);
	assert_int_equal(parse_port("queues=2,dev=net_tap0,iface=t0,x", &port, &why), 0);
	assert_string_equal(port.dev, "net_tap0,iface=t0,x");
	assert_int_equal(rwy_opt_list(NULL, NULL, 0, &why), 0);
}

static void bad_lists(void **state)
{
	(void)state;
	static const struct {
		const char *list;
		const char *why;
	} rows[] = {
		{"soket=/a", "unknown key 'soket', known are socket, dev, queues, size, readonly"},
		{"sock=/a", "unknown key 'sock', known are socket, dev, queues, size, readonly"},
		{"", "unknown key '', known are socket, dev, queues, size, readonly"},
		{"readonly,", "unknown key '', known are socket, dev, queues, size, readonly"},
		{"socket", "socket needs a value"},
		{"socket=", "socket needs a value"},
		{"dev", "dev needs a value"},
		{"socket=/a,socket=/b", "socket is given twice"},
		{"readonly=maybe", "readonly: 'maybe' is neither on nor off"},
		{"queues=0", "queues: 0 is out of range, it may be 1 to 8"},
		{"queues=two", "queues: 'two' is not a number"},
		{"size=1X", "size: '1X' is not a size, it may end in K, M, G or T"},
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(rows); i++) {
		struct rwy_opt_why why;
		struct port port;

		assert_int_equal(parse_port(rows[i].list, &port, &why), -EINVAL);
		assert_string_equal(why.text, rows[i].why);
	}
}

static void words(void **state)
{
	(void)state;
	char text[] = "tap,name=t0";
	char *list = text;

	assert_string_equal(rwy_opt_word(&list), "tap");
	assert_string_equal(list, "name=t0");
	assert_string_equal(rwy_opt_word(&list), "name=t0");
	assert_null(list);
	assert_null(rwy_opt_word(&list));
}

static int set_port(void *ctx, char *value, struct rwy_opt_why *why)
{
	if (strcmp(value, "bad") == 0)
		return rwy_opt_fail(why, "is bad");
	++*(int *)ctx;
	return 0;
}

static int set_quiet(void *ctx, char *value, struct rwy_opt_why *why)
{
	(void)why;
	assert_null(value);
	*(int *)ctx += 100;
	return 0;
}

static int set_operand(void *ctx, char *value, struct rwy_opt_why *why)
{
	(void)why;
	assert_string_equal(value, "list");
	*(int *)ctx += 10000;
	return 0;
}

struct run {
	char *out;
	char *err;
	int sum;
	int status;
	bool go_on;
};

static void run(struct run *r, bool operands, const char *line)
{
	char *copy = strdup(line);
	char *argv[16];
	int argc = 0;
	size_t len;
	const struct rwy_opt opts[] = {
		{"port", "KIND", "one port\nof the switch", set_port},
		{"quiet", NULL, "say less", set_quiet},
	};
	const struct rwy_opt_program program = {
		.name = "prog",
		.usage = "--port KIND",
		.summary = "Switches.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.operand = operands ? set_operand : NULL,
		.ctx = &r->sum,
	};

	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	*r = (struct run){0};
	FILE *out = open_memstream(&r->out, &len);
	FILE *err = open_memstream(&r->err, &len);
	r->go_on = rwy_opt_parse(&program, argc, argv, out, err, &r->status);
	fclose(out);
	fclose(err);
	free(copy);
}

static void run_free(struct run *r)
{
	free(r->out);
	free(r->err);
}

static void program_goes_on(void **state)
{
	(void)state;
	struct run r;

	run(&r, true, "prog --port a --port=b --quiet list --log-level=info");
	assert_true(r.go_on);
	assert_int_equal(r.sum, 10102);
	assert_string_equal(r.out, "");
	assert_string_equal(r.err, "");
	run_free(&r);
}

static void program_informs(void **state)
{
	(void)state;
	struct run r;

	run(&r, false, "prog --port bad --help");
	assert_int_equal(r.status, 2); /* the first mistake counts */
	run_free(&r);
	run(&r, false, "prog --help");
	assert_false(r.go_on);
	assert_int_equal(r.status, 0);
	assert_non_null(strstr(r.out, "Usage: prog --port KIND\n\nSwitches.\n\n  --port KIND\n"
				      "        one port\n        of the switch\n  --quiet\n"));
	assert_non_null(strstr(r.out, "--log-level LEVEL"));
	run_free(&r);
	run(&r, false, "prog --version");
	assert_false(r.go_on);
	assert_int_equal(r.status, 0);
	assert_string_equal(r.out, "prog " RWY_VERSION "\n");
	run_free(&r);
}

static void program_refuses(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		const char *err;
	} rows[] = {
		{"prog --prt a", "prog: unknown argument '--prt' (prog --help says more)\n"},
		{"prog --", "prog: unknown argument '--' (prog --help says more)\n"},
		{"prog -p", "prog: unknown argument '-p' (prog --help says more)\n"},
		{"prog list", "prog: unknown argument 'list' (prog --help says more)\n"},
		{"prog --port", "prog: --port: needs a value: KIND (prog --help says more)\n"},
		{"prog --port=", "prog: --port: needs a value: KIND (prog --help says more)\n"},
		{"prog --port bad", "prog: --port: is bad (prog --help says more)\n"},
		{"prog --quiet=1", "prog: --quiet: takes no value (prog --help says more)\n"},
		{"prog --log-level loud",
		 "prog: --log-level: 'loud' is none of error, warn, info, debug "
		 "(prog --help says more)\n"},
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(rows); i++) {
		struct run r;

		run(&r, false, rows[i].line);
		assert_false(r.go_on);
		assert_int_equal(r.status, 2);
		assert_string_equal(r.err, rows[i].err);
		assert_string_equal(r.out, "");
		run_free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(sizes),
		cmocka_unit_test(macs),
		cmocka_unit_test(lists),
		cmocka_unit_test(bad_lists),
		cmocka_unit_test(words),
		cmocka_unit_test(program_goes_on),
		cmocka_unit_test(program_informs),
		cmocka_unit_test(program_refuses),
	};

	return UNIT_RUN(tests);
}
