/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_THREAD_H
#define BENCH_THREAD_H

/* Host threads, bound to a host CPU, for what is measured without a workload. */

#include <pthread.h>
#include <stdbool.h>

struct bench_thread {
	pthread_t bt_pthread;
	int bt_hostcpu; /* -1: anywhere */
	void (*bt_fn)(void *arg);
	void *bt_arg;
};

/*
 * Start fn(arg) on a CPU as the operating system numbers it, -1 for any; where
 * the host does not let us bind, it runs unbound.  Returns 0 or an errno value.
 * *bt stays where it is until bench_thread_join() has returned.
 */
int bench_thread_start(
    struct bench_thread *bt, int hostcpu, void (*fn)(void *arg), void *arg);
void bench_thread_join(struct bench_thread *bt);

#endif /* BENCH_THREAD_H */
