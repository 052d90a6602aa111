/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

/*
 * What all commands of the program share.
 *
 * A command returns an exit status of sysexits.h, having said in one line on
 * standard error why when it is not 0.  1 is no error of use: a run was void,
 * or something that had to hold did not.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct opt; /* opt.h */

struct command {
	const char *c_name;
	const char *c_args;     /* synopsis after the name */
	const char *c_brief;    /* one line, for the list; NULL: not in it */
	const char *c_descr;    /* what help says before the options */
	const char *c_examples; /* and after them */
	const struct opt *c_opts;
	/* argv[0] is the command's name. */
	int (*c_run)(int argc, char *argv[]);
};

extern const struct command cmd_calibrate;
extern const struct command cmd_compare;
extern const struct command cmd_explore;
extern const struct command cmd_inversion;
extern const struct command cmd_list;
extern const struct command cmd_locks;
extern const struct command cmd_memmap;
extern const struct command cmd_micro;
extern const struct command cmd_probe;
extern const struct command cmd_script;
extern const struct command cmd_validate;

#define EX_VOID        1   /* a run was void, or a check failed */
#define EX_INTERRUPTED 130 /* as a shell says of a program that SIGINT ended */

#define nitems(x) (sizeof(x) / sizeof((x)[0]))

/* Set by SIGINT and SIGTERM once bench_catch_signals() was called. */
extern atomic_bool bench_stop;

/* The first signal sets bench_stop, the second ends the program as usual. */
void bench_catch_signals(void);
bool bench_stopped(void);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t bench_clock_ns(void);

/* As their namesakes; without memory the program ends with EX_OSERR. */
void *bench_calloc(size_t n, size_t size);
void *bench_reallocarray(void *p, size_t n, size_t size);
char *bench_strdup(const char *s);
char *
bench_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* strings[0..n) with a separator between them. */
char *bench_join(char *const *strings, size_t n, const char *separator);

/* The status for an errno value: EX_NOINPUT, EX_DATAERR, EX_OSERR ... */
int bench_exit_status(int error);

/* Resident size of this process in bytes, 0 where the system does not say. */
uint64_t bench_resident_bytes(void);

#endif /* BENCH_BENCH_H */
