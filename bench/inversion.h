/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_INVERSION_H
#define BENCH_INVERSION_H

/*
 * Priority inversion: how long a thread of high priority waits for a lock that
 * one of low priority holds, while one of medium priority wants the CPU.
 *
 * All threads are on one CPU, in SCHED_FIFO:
 *
 *	low	takes the lock, wakes high, then medium, works, drops the lock
 *	high	wants the lock; its wait is what is measured
 *	medium	has nothing to do with the lock and works for much longer
 *
 * With priority inheritance low works at high's priority: high waits for what
 * low has to do.  Without, medium runs first: high waits for medium too.
 *
 * A chain of n locks.  Low holds the last one.  Before it wakes high, n - 1
 * threads, each above the one before, take a lock and then want the next one:
 * high -> lock 1, whose holder -> lock 2, ... whose holder is low.  The loan has
 * to reach low through all of them.
 *
 * A pv list lock is the last of a chain, since a thread holds at most one; the
 * ones above it are mutexes (struct mtx).  Where the lock is not ours it is all
 * locks of the chain.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pmapsim/pv_lock.h"

#define INVERSION_CHAIN_MAX 8

struct inversion_config {
	const struct pv_lock_ops *ic_ops; /* NULL: mutexes only */
	unsigned ic_chain;                /* locks, 1 to INVERSION_CHAIN_MAX */
	uint64_t ic_hold_ns;              /* what low does, on its CPU */
	uint64_t ic_hog_ns;               /* what medium does */
	int ic_hostcpu;
};

/*
 * Once.  Returns 0 and high's wait; or an errno value: ETIMEDOUT when high did
 * not get the lock within some seconds, ENOTSUP when a thread could not be
 * bound to the CPU, EPERM when SCHED_FIFO is not permitted.
 */
int inversion_run(const struct inversion_config *ic, uint64_t *wait_nsp);

/* Are the locks above the last one mutexes of ours? */
bool inversion_mixes(const struct pv_lock_ops *ops);

#endif /* BENCH_INVERSION_H */
