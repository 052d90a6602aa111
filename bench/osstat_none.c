/* SPDX-License-Identifier: BSD-2-Clause */
#include "osstat.h"

bool
osstat_switches(uint64_t *voluntaryp, uint64_t *involuntaryp)
{
	(void)voluntaryp;
	(void)involuntaryp;
	return (false);
}

bool
osstat_steal(uint64_t *stealp, uint64_t *totalp)
{
	(void)stealp;
	(void)totalp;
	return (false);
}

void
osstat_want_huge(void *p, size_t size)
{
	(void)p;
	(void)size;
}

void
osstat_want_small(void *p, size_t size)
{
	(void)p;
	(void)size;
}
