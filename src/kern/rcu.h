/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERN_RCU_H
#define KERN_RCU_H

/*
 * liburcu, wrapped: the only file that names it is rcu.c.
 *
 * Read-copy-update for lock-free readers, those of the thread registry, and
 * liburcu's portable futex, on which all blocking of real mode rests (futex(2) on
 * Linux, _umtx_op(2) on FreeBSD, a condition variable elsewhere).
 *
 * ThreadSanitizer does not see liburcu's barriers, so the wrapper tells it
 * about the order between a reader's end and the end of a grace period.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A thread registers before it reads and unregisters before it ends, as many
 * times.  An attached thread (sim/sim.h) is registered.
 */
void rcu_thread_register(void);
void rcu_thread_unregister(void);

void rcu_enter(void);
void rcu_exit(void);

/*
 * Wait until every reader that was inside when this began has left.  Not from
 * within a reader.
 */
void rcu_synchronize(void);

/*
 * Sleep while *word == expected, at most timeout_ns nanoseconds (UINT64_MAX: for
 * ever).  May return early for no reason: callers loop.
 */
void futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns);
/* Wake up to n sleepers on word. */
void futex_wake(_Atomic uint32_t *word, int n);

#endif /* KERN_RCU_H */
