/*
 * How the library was built.  A program that prints measurements says so next
 * to them: numbers from a library with invariants are not performance numbers.
 */
#ifndef PMAPSIM_BUILD_H
#define PMAPSIM_BUILD_H

#include <stdbool.h>

/* True if the library was built with PMAPSIM_INVARIANTS, whatever the caller. */
bool pmapsim_invariants(void);

/* The library's version, "MAJOR.MINOR.PATCH".  Static storage. */
const char *pmapsim_version(void);

/* The compiler that built the library, and its version.  Static storage. */
const char *pmapsim_compiler(void);

#endif /* PMAPSIM_BUILD_H */
