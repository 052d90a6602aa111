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

/* Options that several commands have, as entries of their tables. */
#define OPT_JSON(offset, what, tables)                                         \
	{                                                                      \
		"json", "FILE", OPT_STRING, offset, 0, 0,                      \
		    "also write every " what                                   \
		    " as a JSON line; \"-\": to standard\n"                    \
		    "output, and the " tables " to standard error"             \
	}
#define OPT_REPEATS(offset, min, usual)                                        \
	{                                                                      \
		"repeats", "R", OPT_UNSIGNED, offset, min, 1000,               \
		    "runs of each kind, " #min " to 1000 (default " usual ")"  \
	}
#define OPT_QUICK_SAMPLES(offset)                                              \
	{                                                                      \
		"quick", NULL, OPT_FLAG, offset, 0, 0,                         \
		    "a tenth of the samples: to try it, not to use"            \
	}

/*
 * Read argv[1..argc) into *conf.  Returns 0 and in *restp the index of the first
 * argument that is no option; or EX_USAGE, having said why.
 */
int opt_parse(
    const struct opt *opts, int argc, char *argv[], void *conf, int *restp);

/* The same for a command that has options only: EX_USAGE also for an argument. */
int opt_parse_only(const struct opt *opts, int argc, char *argv[], void *conf);

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
