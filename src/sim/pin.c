/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pinning orders.
 *
 * Every CPU that may be used gets three ranks: its package, its core within the
 * package, and itself within the core, each counted over usable CPUs only and
 * in hwloc's logical order, in which neighbours share caches.  An order is then
 * a sort by those ranks:
 *
 *	compact		package, core, sibling
 *	scatter		sibling, core, package
 *	core		package, core		siblings other than 0 left out
 *	smt-last	sibling, package, core
 */
#include "sim/pin.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kern/kassert.h"
#include "sim/host.h"

enum pin_rank {
	RANK_PACKAGE,
	RANK_CORE,
	RANK_SIBLING,
	NRANKS
};

struct pin_cpu {
	unsigned pc_rank[NRANKS];
	int pc_hostcpu;
};

static const char *const pin_order_names[] = {
	[PIN_NONE] = "none",
	[PIN_COMPACT] = "compact",
	[PIN_SCATTER] = "scatter",
	[PIN_CORE] = "core",
	[PIN_SMT_LAST] = "smt-last",
};

#define NPIN_ORDERS (sizeof(pin_order_names) / sizeof(pin_order_names[0]))

const char *
pin_order_name(enum pin_order po)
{
	KASSERT((unsigned)po < NPIN_ORDERS, ("pin order %u", (unsigned)po));
	return (pin_order_names[po]);
}

int
pin_order_parse(const char *name, enum pin_order *pop)
{
	for (size_t i = 0; i < NPIN_ORDERS; i++) {
		if (strcmp(name, pin_order_names[i]) == 0) {
			*pop = (enum pin_order)i;
			return (0);
		}
	}
	return (EINVAL);
}

static int
compare_by(const struct pin_cpu *a, const struct pin_cpu *b,
    const enum pin_rank order[NRANKS])
{
	unsigned ra, rb;

	for (int i = 0; i < NRANKS; i++) {
		ra = a->pc_rank[order[i]];
		rb = b->pc_rank[order[i]];
		if (ra != rb)
			return (ra < rb ? -1 : 1);
	}
	return (0);
}

static int
compare_compact(const void *a, const void *b)
{
	static const enum pin_rank order[NRANKS] = { RANK_PACKAGE, RANK_CORE,
		RANK_SIBLING };

	return (compare_by(a, b, order));
}

static int
compare_scatter(const void *a, const void *b)
{
	static const enum pin_rank order[NRANKS] = { RANK_SIBLING, RANK_CORE,
		RANK_PACKAGE };

	return (compare_by(a, b, order));
}

static int
compare_smt_last(const void *a, const void *b)
{
	static const enum pin_rank order[NRANKS] = { RANK_SIBLING, RANK_PACKAGE,
		RANK_CORE };

	return (compare_by(a, b, order));
}

/* Fill cpus[], which has room for every PU of topo, and rank them. */
static size_t
rank_cpus(
    hwloc_topology_t topo, hwloc_const_cpuset_t allowed, struct pin_cpu *cpus)
{
	hwloc_obj_t core, last_core = NULL, last_package = NULL, package, pu;
	unsigned rank[NRANKS] = { 0 };
	size_t n = 0;

	for (pu = hwloc_get_next_obj_by_type(topo, HWLOC_OBJ_PU, NULL);
	     pu != NULL;
	     pu = hwloc_get_next_obj_by_type(topo, HWLOC_OBJ_PU, pu)) {
		if (!hwloc_bitmap_isset(allowed, pu->os_index))
			continue;
		/* What has no package is in the machine, or is a core. */
		package =
		    hwloc_get_ancestor_obj_by_type(topo, HWLOC_OBJ_PACKAGE, pu);
		if (package == NULL)
			package = hwloc_get_root_obj(topo);
		core = hwloc_get_ancestor_obj_by_type(topo, HWLOC_OBJ_CORE, pu);
		if (core == NULL)
			core = pu;

		if (n == 0) {
			/* All ranks are 0. */
		} else if (package != last_package) {
			rank[RANK_PACKAGE]++;
			rank[RANK_CORE] = rank[RANK_SIBLING] = 0;
		} else if (core != last_core) {
			rank[RANK_CORE]++;
			rank[RANK_SIBLING] = 0;
		} else
			rank[RANK_SIBLING]++;
		last_package = package;
		last_core = core;

		memcpy(cpus[n].pc_rank, rank, sizeof(rank));
		cpus[n].pc_hostcpu = (int)pu->os_index;
		n++;
	}
	return (n);
}

static size_t
order_cpus(enum pin_order po, struct pin_cpu *cpus, size_t n)
{
	size_t kept = 0;

	switch (po) {
	case PIN_NONE:
		for (size_t i = 0; i < n; i++)
			cpus[i].pc_hostcpu = -1;
		break;
	case PIN_COMPACT:
		qsort(cpus, n, sizeof(cpus[0]), compare_compact);
		break;
	case PIN_SCATTER:
		qsort(cpus, n, sizeof(cpus[0]), compare_scatter);
		break;
	case PIN_CORE:
		for (size_t i = 0; i < n; i++) {
			if (cpus[i].pc_rank[RANK_SIBLING] == 0)
				cpus[kept++] = cpus[i];
		}
		n = kept;
		qsort(cpus, n, sizeof(cpus[0]), compare_compact);
		break;
	case PIN_SMT_LAST:
		qsort(cpus, n, sizeof(cpus[0]), compare_smt_last);
		break;
	}
	return (n);
}

static size_t
pin_topology(enum pin_order po, hwloc_topology_t topo,
    hwloc_const_cpuset_t allowed, int *hostcpus, size_t max)
{
	struct pin_cpu *cpus;
	size_t n;
	int npus = hwloc_get_nbobjs_by_type(topo, HWLOC_OBJ_PU);

	if (npus <= 0)
		return (0);
	cpus = calloc((size_t)npus, sizeof(cpus[0]));
	if (cpus == NULL)
		return (0);
	n = order_cpus(po, cpus, rank_cpus(topo, allowed, cpus));
	for (size_t i = 0; i < n && i < max; i++)
		hostcpus[i] = cpus[i].pc_hostcpu;
	free(cpus);
	return (n);
}

size_t
pin_order_cpus(enum pin_order po, int *hostcpus, size_t max)
{
	hwloc_topology_t topo = host_topology();

	if (topo == NULL)
		return (0);
	return (pin_topology(po, topo, host_cpuset(), hostcpus, max));
}

size_t
pin_order_synthetic(enum pin_order po, const char *description,
    const char *allowed, int *hostcpus, size_t max)
{
	hwloc_topology_t topo;
	hwloc_cpuset_t set = NULL;
	size_t n = 0;

	if (hwloc_topology_init(&topo) != 0)
		return (0);
	if (hwloc_topology_set_synthetic(topo, description) != 0 ||
	    hwloc_topology_load(topo) != 0)
		goto out;
	set = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(topo));
	if (set == NULL)
		goto out;
	if (allowed != NULL && hwloc_bitmap_list_sscanf(set, allowed) != 0)
		goto out;
	n = pin_topology(po, topo, set, hostcpus, max);
out:
	hwloc_bitmap_free(set);
	hwloc_topology_destroy(topo);
	return (n);
}
