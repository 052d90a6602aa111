/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

/* The folder of the running program; malloc()ed, NULL where nothing tells. */
char *program_dir(void);

/*
 * Become another of our programs, which lies beside this one or in the libexec
 * folder of its installation, with the same arguments; argv[0] is the command.
 * Returns EX_UNAVAILABLE, having said why.
 */
int program_become(const char *name, int argc, char *argv[]);

#endif /* BENCH_PROGRAM_H */
