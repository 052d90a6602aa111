/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_OPT_H
#define BENCH_OPT_H

/*
 * Options of a command: one table says what is read, and is what --help prints.
 * Only long options, "--name VALUE" or "--name=VALUE"; "--" ends them.  Given
 * twice, the last one counts.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bench.h"

enum opt_type {
	OPT_FLAG,     /* bool, set to true */
	OPT_STRING,   /* const char *, points into argv */
	OPT_UNSIGNED, /* unsigned, o_min to o_max */
	OPT_U64,      /* uint64_t, o_min to o_max */
	OPT_SECONDS,  /* uint64_t nanoseconds, written as decimal seconds */
};

struct opt {
	const char *o_name; /* without dashes; NULL ends the table */
	const char *o_arg;  /* what help calls the value, NULL for a flag */
	enum opt_type o_type;
	size_t o_offset; /* of the value in the command's configuration */
	uint64_t o_min;
	uint64_t o_max;
	const char *o_help; /* lines separated by '\n' */
};

/*
 * Read argv[1..argc) into *conf.  Returns 0 and in *restp the index of the first
 * argument that is no option; or EX_USAGE, having said why.
 */
int opt_parse(
    const struct opt *opts, int argc, char *argv[], void *conf, int *restp);

/*
 * A number without sign, blanks or anything else.  Returns 0, or EINVAL when
 * text is no such number from min to max.
 */
int opt_number(const char *text, uint64_t min, uint64_t max, uint64_t *valuep);
/* Decimal seconds, 0.001 to 86400, into nanoseconds. */
int opt_seconds(const char *text, uint64_t *nsp);

/*
 * Split text at commas.  The result is one allocation, ended by NULL, that
 * free() gives back; *np says how many.  Returns 0, or EINVAL when an element
 * is empty.
 */
int opt_list(const char *text, char ***listp, size_t *np);

/* The help of a command. */
void opt_help(const struct command *c, FILE *out);

#endif /* BENCH_OPT_H */
