/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What choosing a lock at run time costs: the other side of the comparison.
 *
 * The pmap layer calls a pv list lock through a pointer to a table.  Here the
 * lock is given to the compiler together with its only caller, which then calls
 * it directly or, unless DIRECT_NOINLINE, has it inlined.  The sources are those
 * of the library, and so are all other objects of the program: a pmapsim in which
 * these two stand in front of the library's own.  bench/direct runs them in turn.
 *
 * Such a program knows this one lock: a design with another is refused.  The
 * build defines DIRECT_LOCK, the backend's name, and DIRECT_SOURCE, its file.
 */

#include "lock/pv_backends.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)

#define PV_LOCK_OPS(pvt) (&PASTE(pv_lock_, DIRECT_LOCK))

#ifdef DIRECT_NOINLINE
#define CALLED __attribute__((noinline))
static CALLED void PASTE(DIRECT_LOCK, _lock)(void *word);
static CALLED void PASTE(DIRECT_LOCK, _unlock)(void *word, bool modified);
#endif

/* In this order: the caller must see what it calls. */
#include DIRECT_SOURCE
#include "pmap/pv_table.c"
