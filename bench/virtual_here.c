/* SPDX-License-Identifier: BSD-2-Clause */
/* pmapsim-virtual: it is what pmapsim becomes. */
#include "virtual.h"

const bool virtual_here = true;

int
virtual_exec(int argc, char *argv[])
{
	(void)argc;
	(void)argv;
	return (0);
}
