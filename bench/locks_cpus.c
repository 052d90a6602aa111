/* SPDX-License-Identifier: BSD-2-Clause */
#include "locks_cpus.h"

#include <errno.h>
#include <stdbool.h>

#include <hwloc.h>

/*
 * Add CPUs to taken, the k-th of each core, k from 0, until there are n.
 */
static unsigned
take(hwloc_topology_t topo, hwloc_const_cpuset_t allowed, unsigned n,
    hwloc_cpuset_t taken)
{
	int ncores = hwloc_get_nbobjs_by_type(topo, HWLOC_OBJ_CORE);
	unsigned have = 0;
	bool more = true;

	for (int k = 0; more && have < n; k++) {
		more = false;
		for (int c = 0; c < ncores && have < n; c++) {
			hwloc_obj_t core = hwloc_get_obj_by_type(
			    topo, HWLOC_OBJ_CORE, (unsigned)c);
			int cpu = -1;

			for (int i = 0; i <= k; i++) {
				cpu = hwloc_bitmap_next(core->cpuset, cpu);
				if (cpu < 0)
					break;
			}
			if (cpu < 0)
				continue;
			more = true;
			if (!hwloc_bitmap_isset(allowed, (unsigned)cpu))
				continue;
			(void)hwloc_bitmap_set(taken, (unsigned)cpu);
			have++;
		}
	}
	return (have);
}

static int
bind_process(hwloc_topology_t topo, unsigned n)
{
	hwloc_cpuset_t allowed = hwloc_bitmap_alloc();
	hwloc_cpuset_t taken = hwloc_bitmap_alloc();
	int error = 0;

	if (allowed == NULL || taken == NULL)
		error = ENOMEM;
	else if (hwloc_get_cpubind(topo, allowed, HWLOC_CPUBIND_PROCESS) != 0)
		error = errno;
	else if (take(topo, allowed, n, taken) < n)
		error = ENODEV;
	else if (hwloc_set_cpubind(topo, taken, HWLOC_CPUBIND_PROCESS) != 0)
		error = errno;
	hwloc_bitmap_free(allowed);
	hwloc_bitmap_free(taken);
	return (error);
}

int
locks_cpus_take(unsigned n)
{
	hwloc_topology_t topo;
	int error;

	if (hwloc_topology_init(&topo) != 0)
		return (ENOMEM);
	if (hwloc_topology_load(topo) != 0)
		error = errno != 0 ? errno : EIO;
	else
		error = bind_process(topo, n);
	hwloc_topology_destroy(topo);
	return (error);
}
