/* SPDX-License-Identifier: BSD-2-Clause */
/* pmapsim: it becomes pmapsim-virtual. */
#include <sysexits.h>

#include "bench.h"
#include "compare.h"
#include "program.h"
#include "virtual.h"

const bool virtual_here = false;

int
virtual_exec(int argc, char *argv[])
{
	return (program_become("pmapsim-virtual", argc, argv));
}

/* virtual_exec() has not returned 0. */
int
compare_virtual_configure(struct compare *co)
{
	(void)co;
	return (EX_SOFTWARE);
}

int
compare_virtual(struct compare *co)
{
	(void)co;
	return (EX_SOFTWARE);
}
