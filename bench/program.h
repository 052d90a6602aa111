/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

/* The folder of the running program; malloc()ed, NULL where nothing tells. */
char *program_dir(void);

#endif /* BENCH_PROGRAM_H */
