/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_OSSTAT_H
#define BENCH_OSSTAT_H

/*
 * What only the host's kernel knows, or does when asked.  osstat_linux.c has it;
 * osstat_none.c, for other systems, answers that it is not known, and asks nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Context switches of the calling thread so far.  False: not known. */
bool osstat_switches(uint64_t *voluntaryp, uint64_t *involuntaryp);

/*
 * Time of all CPUs so far, in some unit, and how much of it the hypervisor gave
 * to others.  False: not known.
 */
bool osstat_steal(uint64_t *stealp, uint64_t *totalp);

/* Large pages for memory that is touched at random, please. */
void osstat_want_huge(void *p, size_t size);
/* None, where the time of each page counts; others give a write a small one. */
void osstat_want_small(void *p, size_t size);

#endif /* BENCH_OSSTAT_H */
