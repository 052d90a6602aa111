/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_BUILD_H
#define PMAPSIM_BUILD_H

/*
 * How the library was built.  A program that prints measurements says so next
 * to them: numbers from a library with invariants are not performance numbers.
 *
 * All strings have static storage.  Any thread may call these at any time.
 */

#include <stdbool.h>

/* True if the library was built with PMAPSIM_INVARIANTS, whatever the caller. */
bool pmapsim_invariants(void);

/* The library's version, "MAJOR.MINOR.PATCH". */
const char *pmapsim_version(void);

/*
 * The commit that was built: an abbreviated hash, with "-dirty" when files that
 * git knows were changed; "unknown" without git.
 */
const char *pmapsim_commit(void);

/* The compiler that built the library, and its version. */
const char *pmapsim_compiler(void);

/* Its flags that bear on speed: optimisation and sanitizers, not warnings. */
const char *pmapsim_cflags(void);

#endif /* PMAPSIM_BUILD_H */
