/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Built against the installed library only: what is not in <pmapsim/...> does
 * not exist for it.
 */

#include <stdio.h>
#include <string.h>

#include <pmapsim/build.h>

int
main(void)
{
	if (strlen(pmapsim_version()) == 0)
		return (1);
	printf("pmapsim %s, built by %s%s\n", pmapsim_version(),
	    pmapsim_compiler(),
	    pmapsim_invariants() ? ", with invariants" : "");
	return (0);
}
