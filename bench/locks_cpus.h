/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_LOCKS_CPUS_H
#define BENCH_LOCKS_CPUS_H

/*
 * Bind this process to n of the CPUs that it may use, one a core as long as there
 * are cores.  Before anything has asked for the host's topology: what is asked
 * later then sees n CPUs.  Returns 0 or an errno value: ENODEV when there are
 * fewer.
 */
int locks_cpus_take(unsigned n);

#endif /* BENCH_LOCKS_CPUS_H */
