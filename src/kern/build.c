#include "pmapsim/build.h"

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
pmapsim_compiler(void)
{
#ifdef __clang__
	return ("clang " __clang_version__);
#else
	return ("gcc " __VERSION__);
#endif
}
