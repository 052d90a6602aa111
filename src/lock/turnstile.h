/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_TURNSTILE_H
#define LOCK_TURNSTILE_H

/*
 * Turnstiles: where threads block that wait for a lock.  See turnstile.c.
 *
 * A lock needs one bit, "threads may wait here", and the address of its word as
 * the key.  To block:
 *
 *	tc = turnstile_chain_lock(td, key);
 *	if (the word is free, or its bit cannot be set while it is held)
 *		turnstile_chain_unlock(tc), and try again;
 *	turnstile_wait(tc, td, key, owner, queue, again);
 *
 * and, when the lock is had after that, turnstile_claim(td, key, owner) if others
 * stayed behind.
 *
 * To release a word whose bit is set:
 *
 *	tc = turnstile_chain_lock(td, key);
 *	free the word, or have done so before;
 *	woken = turnstile_signal(tc, key, queue);
 *	turnstile_unlock_wake(tc, woken);
 */

#include <limits.h>
#include <stdbool.h>

#include "lock/leaf_lock.h"
#include "sim/sim.h"

/* Source: FreeBSD releng/12.1, sys/kern/subr_turnstile.c, TC_TABLESIZE. */
#define TC_TABLESIZE 128

enum ts_queue {
	TS_EXCLUSIVE_QUEUE,
	TS_SHARED_QUEUE,
	NTS_QUEUES
};

/*
 * Locking key.
 *	c - constant
 *	l - tc_lock
 */
struct turnstile_chain {
	_Alignas(CACHE_PAIR_SIZE) struct leaf_lock tc_lock;
	struct turnstile *tc_turnstiles; /* (l) those in use */
	struct sim *tc_sim;              /* (c) */
	uint64_t tc_fair_ns;             /* (l) no hand-over before that */
};

/*
 * Who holds the lock of word key?  Asked with the chain locked.  NULL, and *np is
 * 0, unless the word says that it is held and that threads wait: the owner would
 * not come by this chain lock when it lets go, and what is lent to it would stay.
 * A lock that knows its owner sets *np to 1 and returns it, or NULL where nobody
 * can be lent a priority, such as readers.  A lock that can only tell suspects, of
 * which the owner is one, sets *np to their number and returns number nth of them,
 * modulo *np; or, for TS_BLOCKED, of several one that is on a queue itself, if there
 * is one, else NULL.
 */
#define TS_BLOCKED UINT_MAX
typedef struct thread *turnstile_owner_fn(
    struct thread *td, const void *key, unsigned nth, unsigned *np);

/* The chain of a key, locked.  td is curthread(). */
struct turnstile_chain *
turnstile_chain_lock(struct thread *td, const void *key);
void turnstile_chain_unlock(struct turnstile_chain *tc);

/* What turnstile_wait() returns. */
#define TSW_MORE   0x1u /* threads stayed behind on that queue */
#define TSW_HANDED 0x2u /* who woke it gave it the lock: turnstile_handoff() */

/*
 * Block td, which is curthread(), on key until it is woken, or until it had
 * better look at the word again; unlocks the chain.  The queue is sorted by
 * priority, first come first out among equals.  again: the thread was woken
 * before, for the same acquisition, and came too late; it goes ahead of its
 * equals, for it came before them.  Meanwhile the most urgent thread lends its
 * priority to the owner.  Returns TSW_*.
 */
unsigned
turnstile_wait(struct turnstile_chain *tc, struct thread *td, const void *key,
    turnstile_owner_fn *owner, enum ts_queue queue, bool again);

/*
 * td, which is curthread(), was woken, has acquired the lock, and others stayed
 * behind: from now on they lend their priority to td.
 */
void
turnstile_claim(struct thread *td, const void *key, turnstile_owner_fn *owner);

/*
 * For curthread(), which lets the lock go.  Gives back what was lent to it for
 * the sake of key, and takes the first thread of a queue, or all, off it.  Nobody
 * runs before turnstile_unlock_wake().  NULL when there is none; or when the
 * first lends to another thread, which has let the lock go too and is on its way
 * here: then the queue is not empty, and that thread will take it off.
 */
struct thread *turnstile_signal(
    struct turnstile_chain *tc, const void *key, enum ts_queue queue);
struct thread *turnstile_broadcast(
    struct turnstile_chain *tc, const void *key, enum ts_queue queue);

/*
 * td is what turnstile_signal() returned.  Has it waited so long that it should
 * get the lock rather than try to, and no other on this chain just before?  If
 * true, it will return with TSW_HANDED, and the caller must make it the owner
 * before it unlocks the chain.
 */
bool turnstile_handoff(struct turnstile_chain *tc, struct thread *td);

/*
 * For curthread(), which keeps the lock, or has let go of it before, but not as
 * somebody to whom a priority is lent: gives back what was.  Then
 * turnstile_unlock_wake(), as above.
 */
void turnstile_disown(struct turnstile_chain *tc, const void *key);

/* Does nobody wait on that queue of key? */
bool turnstile_empty(
    struct turnstile_chain *tc, const void *key, enum ts_queue queue);

/* Unlock the chain, then make the threads taken off the queue runnable. */
void turnstile_unlock_wake(struct turnstile_chain *tc, struct thread *woken);

/* td, which is curthread(), leaves: give back what suspicion has lent to it. */
void turnstile_leave(struct thread *td);

/*
 * Set the priority of a thread, PRI_*; what others lend it comes on top.  Called
 * for a thread that is not blocked; one that waits for its locks takes notice
 * when it next looks.
 */
void thread_setpri(struct thread *td, int pri);

/* A spare turnstile for a thread.  NULL: no memory. */
struct turnstile *turnstile_alloc(struct sim *sim);
void turnstile_free(struct sim *sim, struct turnstile *ts);

#endif /* LOCK_TURNSTILE_H */
