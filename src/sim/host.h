/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_HOST_H
#define SIM_HOST_H

/*
 * The host's topology, read once per process and constant after that.
 */

#include <stdbool.h>

#include <hwloc.h>

/* NULL when it cannot be read.  Any thread. */
hwloc_topology_t host_topology(void);

/* The CPUs that this process may use, of host_topology(); NULL like that. */
hwloc_const_cpuset_t host_cpuset(void);

/*
 * Bind the calling thread to the CPU that the operating system numbers
 * hostcpu.  Returns false when the system does not let us.
 */
bool host_bind_thread(int hostcpu);

#endif /* SIM_HOST_H */
