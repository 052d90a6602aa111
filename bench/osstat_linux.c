/* SPDX-License-Identifier: BSD-2-Clause */
#include "osstat.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <inttypes.h>
#include <stdio.h>

bool
osstat_switches(uint64_t *voluntaryp, uint64_t *involuntaryp)
{
	struct rusage ru;

	if (getrusage(RUSAGE_THREAD, &ru) != 0)
		return (false);
	*voluntaryp = (uint64_t)ru.ru_nvcsw;
	*involuntaryp = (uint64_t)ru.ru_nivcsw;
	return (true);
}

bool
osstat_steal(uint64_t *stealp, uint64_t *totalp)
{
	/* user nice system idle iowait irq softirq steal */
	uint64_t v[8];
	FILE *f = fopen("/proc/stat", "re");
	int n;

	if (f == NULL)
		return (false);
	n = fscanf(f,
	    "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
	    " %" SCNu64 " %" SCNu64 " %" SCNu64,
	    &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);
	(void)fclose(f);
	if (n != 8)
		return (false);
	*totalp = 0;
	for (int i = 0; i < 8; i++)
		*totalp += v[i];
	*stealp = v[7];
	return (true);
}

void
osstat_want_huge(void *p, size_t size)
{
	(void)madvise(p, size, MADV_HUGEPAGE);
}

void
osstat_want_small(void *p, size_t size)
{
	(void)madvise(p, size, MADV_NOHUGEPAGE);
}
