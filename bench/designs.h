/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_DESIGNS_H
#define BENCH_DESIGNS_H

/* The option --designs. */

#include <stddef.h>

/* The review's three, and its questions answered. */
#define DESIGNS_DEFAULT                                                        \
	"head,superpage,superpage+batch,sparse/mtx8+batch,sparse/gen2+batch"

/*
 * Split and check a list.  threads: what they are to be run with, at most.
 * Returns 0 and the list, which free() gives back; or EX_USAGE, having said why.
 */
int
designs_read(const char *text, unsigned threads, char ***designsp, size_t *np);

#endif /* BENCH_DESIGNS_H */
