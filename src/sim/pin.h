/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_PIN_H
#define SIM_PIN_H

/*
 * Which host CPU the n-th thread of a run is pinned to, from hwloc's topology.
 *
 *	compact	  fill a core's hardware threads, then the next core of the
 *		  same package: neighbours share caches
 *	scatter	  one thread a package in turn, cores before SMT siblings
 *	core	  one thread a core; SMT siblings are never used
 *	smt-last  like compact over cores, siblings only when cores run out
 *	none	  not pinned
 */

#include <stddef.h>

enum pin_order {
	PIN_NONE,
	PIN_COMPACT,
	PIN_SCATTER,
	PIN_CORE,
	PIN_SMT_LAST
};

const char *pin_order_name(enum pin_order po);
/* Returns 0, or EINVAL for an unknown name. */
int pin_order_parse(const char *name, enum pin_order *pop);

/*
 * Fill hostcpus[0..max) with the operating system's CPU numbers in that order,
 * among the CPUs this process may use.  Returns how many there are (which may
 * be more than max); 0 when the topology cannot be read.  PIN_NONE: the count
 * is that of smt-last and every entry is -1.
 */
size_t pin_order_cpus(enum pin_order po, int *hostcpus, size_t max);

/*
 * The same for a machine that is described as hwloc describes synthetic ones,
 * as in "pack:2 core:4 pu:2", where allowed, a list as in "0-3,6", or NULL for
 * all, may be used.  Returns 0 for a malformed description or list.
 */
size_t pin_order_synthetic(enum pin_order po, const char *description,
    const char *allowed, int *hostcpus, size_t max);

/* CPUs this process may use. */
unsigned host_ncpus(void);

/* For records and reports; written into the caller's buffers, "" if unknown. */
struct host_info {
	char hi_cpu_model[96];
	char hi_kernel[96];
	char hi_governor[32];
	unsigned hi_packages;
	unsigned hi_cores;
	unsigned hi_cpus;
	unsigned hi_numa_nodes;
};
void host_info(struct host_info *hi);

#endif /* SIM_PIN_H */
