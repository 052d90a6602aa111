/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmapsim: contention on FreeBSD's pv list locks, by design and by machine.
 */

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "pmapsim/build.h"

int
main(int argc, char *argv[])
{
	printf("pmapsim %s (%s; %s; %s)\n", pmapsim_version(), pmapsim_commit(),
	    pmapsim_compiler(), pmapsim_cflags());
	return (argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : EX_USAGE);
}
