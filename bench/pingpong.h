/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_PINGPONG_H
#define BENCH_PINGPONG_H

/*
 * How long a cache line takes from one CPU to another: two threads, on the first
 * two CPUs of the pinning order smt-last, hand a counter to and fro.
 *
 * Returns nanoseconds for one way, the lower decile of some batches, and in
 * hostcpu the CPUs; or 0 with fewer than two CPUs or when a thread cannot be
 * started.
 */
double pingpong_ns(int hostcpu[2]);

#endif /* BENCH_PINGPONG_H */
