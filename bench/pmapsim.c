/*
 * pmapsim: contention on FreeBSD's pv list locks, by design and by machine.
 */

#include <stdio.h>
#include <sysexits.h>

#include "pmapsim/build.h"

int
main(void)
{
	printf("pmapsim %s (%s)\n", pmapsim_version(), pmapsim_compiler());
	return (EX_USAGE);
}
