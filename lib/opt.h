/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Command lines: `--name value`, `--name=value`, and values of the form `word,key=value,flag`.
 *
 * A program describes its options in a table; --help, --version and --log-level are added to every
 * one. Bad input is one line that names the option and what it may be, and exit status 2. Nothing
 * here exits or picks a stream: the caller passes both. For the main thread, before others start.
 */
#ifndef RWY_LIB_OPT_H
#define RWY_LIB_OPT_H

#include "lib/base.h"

#include <stdio.h>

#define RWY_OPT_EXIT_USAGE 2

/* Why an argument was refused, without the name of the option. */
struct rwy_opt_why {
	char text[256];
};

/* Writes the reason and returns -EINVAL, so that a parser can return it. */
int rwy_opt_fail(struct rwy_opt_why *why, const char *fmt, ...) RWY_PRINTF(2, 3);

/* Decimal or 0x hexadecimal, nothing after it, within [min, max]. 0 or -EINVAL with *why. */
RWY_MUST_CHECK int rwy_opt_uint(const char *text, uint64_t min, uint64_t max, uint64_t *value,
				struct rwy_opt_why *why);
/* The same with an optional K, M, G or T (powers of 1024); a product that wraps is refused. */
RWY_MUST_CHECK int rwy_opt_size(const char *text, uint64_t min, uint64_t max, uint64_t *value,
				struct rwy_opt_why *why);
/* A unicast address as 01:23:45:67:89:ab. */
RWY_MUST_CHECK int rwy_opt_mac(const char *text, uint8_t mac[6], struct rwy_opt_why *why);

enum rwy_opt_kind {
	RWY_OPT_FLAG, /* `key`, `key=on` or `key=off` */
	RWY_OPT_STR,  /* not empty; points into the list */
	RWY_OPT_UINT,
	RWY_OPT_SIZE,
	RWY_OPT_REST, /* a string that goes to the end of the list, commas and all */
};

/* One key of a list; what it is stored to follows from its kind. */
struct rwy_opt_key {
	const char *name;
	enum rwy_opt_kind kind;
	union {
		bool *flag;
		const char **str; /* RWY_OPT_STR and RWY_OPT_REST */
		uint64_t *num;	  /* RWY_OPT_UINT and RWY_OPT_SIZE */
	};
	uint64_t min; /* of a number */
	uint64_t max;
};

/* Cuts the first word off `word,rest`; *list is then the rest, or NULL when there is none. */
char *rwy_opt_word(char **list);

/*
 * Splits `key=value,key,...` in place and stores each value; a key that is not named keeps what it
 * had. NULL is an empty list. A key that is unknown, twice, or without its value is refused.
 */
RWY_MUST_CHECK int rwy_opt_list(char *list, const struct rwy_opt_key *keys, unsigned nr,
				struct rwy_opt_why *why);

/* One option of a program. It may be given any number of times; set decides what that means. */
struct rwy_opt {
	const char *name; /* "port": --port */
	const char *arg;  /* how --help calls its value; NULL: it takes none and value is NULL */
	const char *help; /* may have several lines */
	/* value may be changed and kept: it lives as long as argv. 0, or -EINVAL with *why. */
	int (*set)(void *ctx, char *value, struct rwy_opt_why *why);
};

struct rwy_opt_program {
	const char *name;    /* "ringway-net" */
	const char *usage;   /* "--port KIND,... [option...]" */
	const char *summary; /* one or two lines */
	const struct rwy_opt *opts;
	unsigned nr;
	/* A word that is no option; NULL: there are none. As rwy_opt.set. */
	int (*operand)(void *ctx, char *value, struct rwy_opt_why *why);
	void *ctx;
};

/*
 * Parses a command line. True: go on. False: all was said (help and version on out, the line on
 * err); leave main with *status.
 */
RWY_MUST_CHECK bool rwy_opt_parse(const struct rwy_opt_program *program, int argc, char **argv,
				  FILE *out, FILE *err, int *status);
/* The same line for what only the whole shows ("--port is missing"). Returns RWY_OPT_EXIT_USAGE. */
int rwy_opt_refuse(const struct rwy_opt_program *program, FILE *err, const char *fmt, ...)
	RWY_PRINTF(3, 4);

#endif
