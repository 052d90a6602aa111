/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's topology as a preset has it: sockets x clusters x cores x SMT, all
 * alike.  A cluster is what shares the last-level cache.  Where a host's sockets
 * or clusters differ, the numbers are those of the first, and say so.
 */
#include <hwloc.h>

#include "bench.h"
#include "calib.h"
#include "sim/host.h"

#define LINE_BYTES 64

/* The deepest cache that covers this CPU, NULL: none is known. */
static hwloc_obj_t
last_cache(hwloc_topology_t topo, int cpu)
{
	hwloc_obj_t o = hwloc_get_pu_obj_by_os_index(topo, (unsigned)cpu);
	hwloc_obj_t cache = NULL;

	for (; o != NULL; o = o->parent) {
		if (hwloc_obj_type_is_dcache(o->type))
			cache = o;
	}
	return (cache);
}

static hwloc_obj_t
ancestor(hwloc_topology_t topo, hwloc_obj_type_t type, int cpu)
{
	hwloc_obj_t o = hwloc_get_pu_obj_by_os_index(topo, (unsigned)cpu);

	return (
	    o != NULL ? hwloc_get_ancestor_obj_by_type(topo, type, o) : NULL);
}

enum calib_distance
calib_distance(int a, int b)
{
	hwloc_topology_t topo = host_topology();
	hwloc_obj_t x, y;

	x = ancestor(topo, HWLOC_OBJ_CORE, a);
	y = ancestor(topo, HWLOC_OBJ_CORE, b);
	if (x != NULL && x == y)
		return (CALIB_SMT);
	x = ancestor(topo, HWLOC_OBJ_PACKAGE, a);
	y = ancestor(topo, HWLOC_OBJ_PACKAGE, b);
	if (x != y)
		return (CALIB_REMOTE);
	x = last_cache(topo, a);
	y = last_cache(topo, b);
	/* Without a cache to tell them apart, a socket is one cluster. */
	return (x == NULL || x == y ? CALIB_CLUSTER : CALIB_SOCKET);
}

/* Objects of a type within another, at least 1. */
static uint64_t
count_within(hwloc_topology_t topo, hwloc_obj_t o, hwloc_obj_type_t type)
{
	int n = o != NULL
	    ? hwloc_get_nbobjs_inside_cpuset_by_type(topo, o->cpuset, type)
	    : 0;

	return (n < 1 ? 1 : (uint64_t)n);
}

static void
put_cache(struct calib *c, unsigned i, hwloc_obj_t o, const char *what)
{
	if (o == NULL || o->attr->cache.size < LINE_BYTES)
		calib_from_base(c, i, what);
	else
		calib_known(c, i, o->attr->cache.size / LINE_BYTES, "hwloc");
}

void
calib_topology(struct calib *c)
{
	hwloc_topology_t topo = host_topology();
	int cpu = c->c_cpus[0];
	hwloc_obj_t package = ancestor(topo, HWLOC_OBJ_PACKAGE, cpu);
	hwloc_obj_t core = ancestor(topo, HWLOC_OBJ_CORE, cpu);
	hwloc_obj_t llc = last_cache(topo, cpu);
	uint64_t sockets, clusters, cores, smt, cpus;
	const char *source = "hwloc";
	int packages, pus;

	packages = hwloc_get_nbobjs_by_type(topo, HWLOC_OBJ_PACKAGE);
	pus = hwloc_get_nbobjs_by_type(topo, HWLOC_OBJ_PU);
	sockets = packages < 1 ? 1 : (uint64_t)packages;
	if (package == NULL)
		package = hwloc_get_root_obj(topo);
	smt = count_within(topo, core, HWLOC_OBJ_PU);
	cores = count_within(topo, package, HWLOC_OBJ_PU) / smt;
	clusters = 1;
	if (llc != NULL && llc != core &&
	    hwloc_bitmap_isincluded(llc->cpuset, package->cpuset)) {
		uint64_t in_llc = count_within(topo, llc, HWLOC_OBJ_PU) / smt;

		if (in_llc > 0 && cores >= in_llc)
			clusters = cores / in_llc;
	}
	cores /= clusters;
	cpus = sockets * clusters * cores * smt;
	if (pus > 0 && cpus != (uint64_t)pus)
		source = "hwloc; sockets or clusters differ, as the first one";
	calib_known(c, PRESET_pr_sockets, sockets, source);
	calib_known(c, PRESET_pr_clusters, clusters, source);
	calib_known(c, PRESET_pr_cores, cores, source);
	calib_known(c, PRESET_pr_smt, smt, source);
	put_cache(c, PRESET_pr_l1_lines, ancestor(topo, HWLOC_OBJ_L1CACHE, cpu),
	    "no L1 is known");
	put_cache(c, PRESET_pr_l2_lines, ancestor(topo, HWLOC_OBJ_L2CACHE, cpu),
	    "no L2 is known");
	put_cache(c, PRESET_pr_llc_lines, llc, "no last-level cache is known");
}
