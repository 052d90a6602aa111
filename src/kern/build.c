/* SPDX-License-Identifier: BSD-2-Clause */
#include "pmapsim/build.h"

#include "build_commit.h" /* generated */

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
#ifdef __clang__
	return ("clang " __clang_version__);
#else
	return ("gcc " __VERSION__);
#endif
}

const char *
pmapsim_cflags(void)
{
	return (PMAPSIM_CFLAGS);
}
