/* SPDX-License-Identifier: BSD-2-Clause */
#include "pmapsim/build.h"

#include "build_commit.h" /* generated */

/*
 * From numbers: __VERSION__ and __clang_version__ carry a distribution's names,
 * dates and blanks.
 */
#define STRING_(x) #x
#define STRING(x)  STRING_(x)
#ifdef __clang__
#define COMPILER                                                               \
	"clang " STRING(__clang_major__) "." STRING(                           \
	    __clang_minor__) "." STRING(__clang_patchlevel__)
#else
#define COMPILER                                                               \
	"gcc " STRING(__GNUC__) "." STRING(__GNUC_MINOR__) "." STRING(         \
	    __GNUC_PATCHLEVEL__)
#endif

bool
pmapsim_invariants(void)
{
#ifdef PMAPSIM_INVARIANTS
	return (true);
#else
	return (false);
#endif
}

const char *
pmapsim_version(void)
{
	return (PMAPSIM_VERSION);
}

const char *
pmapsim_commit(void)
{
	return (PMAPSIM_COMMIT);
}

const char *
pmapsim_compiler(void)
{
	return (COMPILER);
}

const char *
pmapsim_cflags(void)
{
	return (PMAPSIM_CFLAGS);
}
