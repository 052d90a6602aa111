/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_TURNSTILE_IMPL_H
#define LOCK_TURNSTILE_IMPL_H

/*
 * What the files of the turnstiles share; the design is at the top of
 * turnstile.c.  (l), (p): as in struct turnstile.
 */

#include "lock/turnstile.h"

/* td_ts_flags */
#define TD_TS_MORE   0x1u /* others stayed on the queue it was taken from */
#define TD_TS_HANDED 0x2u /* it owns the lock */

struct ts_head {
	struct thread *th_first;
	struct thread *th_last;
};

/*
 * Locking key.
 *	l - the chain lock of ts_key; of a spare one: its thread
 *	p - l, and td_pri_lock of ts_owner
 */
struct turnstile {
	const void *ts_key;        /* (l) */
	struct turnstile *ts_next; /* (l) in the chain or on a free list */
	struct turnstile *ts_free; /* (l) lent by the later blockers */
	struct ts_head ts_blocked[NTS_QUEUES]; /* (l) */
	turnstile_owner_fn *ts_owner_of;       /* (l) */
	struct thread *ts_owner;         /* (p) who owes ts_pri, or NULL */
	struct turnstile *ts_contested;  /* (p) next on td_contested */
	struct turnstile **ts_contprevp; /* (p) */
	int ts_pri;                      /* (p) what is lent, in the books */
	unsigned ts_nth;                 /* (l) the next suspect */
	unsigned ts_nlenders;            /* (l) td_lent_to is set in so many */
};

static inline bool
ts_pri_mixed(const struct thread *td)
{
	/* Relaxed: who sets it is more urgent, or holds no lock yet. */
	return (atomic_load_explicit(
	    &td->td_sim->sim_pri_mixed, memory_order_relaxed));
}

static inline bool
ts_is_blocked(struct thread *td)
{
	/* Acquire: pairs with the release in turnstile_unlock_wake(). */
	return (atomic_load_explicit(
		    &td->td_blocked_on, memory_order_acquire) != NULL);
}

/* turnstile_queue.c; all with the chain locked */

/* The link that points at the turnstile of key, or at the chain's end. */
struct turnstile **ts_find(struct turnstile_chain *tc, const void *key);
/* again: ahead of its equals. */
void ts_insert(struct ts_head *th, struct thread *td, bool again);
void ts_remove(struct ts_head *th, struct thread *td);
/* The most urgent thread of both queues. */
struct thread *ts_first(const struct turnstile *ts);
/* Which queue of ts, which may be NULL, is td on?  NTS_QUEUES: none. */
unsigned ts_queue_of(const struct turnstile *ts, const struct thread *td);
/* Take td off its queue; it gets a turnstile back. */
void ts_take(struct turnstile **tsp, struct ts_head *th, struct thread *td);

/* turnstile_pri.c */

/* The priority with which td, curthread(), is about to block. */
int ts_blocking_pri(struct thread *td, bool ask);
/* Nothing is lent through ts any more, in the books.  (l) */
void ts_disown(struct turnstile *ts);
/*
 * Book what the first thread of ts lends to owner.  True if owner got more urgent
 * by that; *realp: is the first more urgent than owner is by itself, in the books
 * or to the host?  (l)
 */
bool ts_book(struct turnstile *ts, struct thread *owner, bool *realp);
/* td got more urgent: pass that on.  No lock is held. */
void ts_propagate(struct thread *td);

/* turnstile_loan.c */

/*
 * td is on a queue of ts, and about to sleep.  Lends if it should: books the
 * loan, and sets td_lent_to where the host is to lend too.  *exactp: to the owner,
 * not to a suspect; *unheldp: there is no owner, or none that is told.  Returns a
 * thread that got more urgent, or NULL.  (l)
 */
struct thread *
ts_lend(struct turnstile *ts, struct thread *td, bool *exactp, bool *unheldp);
/*
 * td was not taken off by anybody, and calls off what it lends, if it does.  It
 * leaves the queue, to try the word.  Unlocks the chain.
 */
void ts_leave(struct turnstile_chain *tc, struct thread *td, const void *key);
/*
 * Return what ts lent to curthread(): in the books now, the rest is noted.
 * timed_only: not the loans to it as the owner.  (l)
 */
void ts_return(struct turnstile *ts, struct thread *self, bool timed_only);
/*
 * Sleep with a loan.  True when it was given back.  False when td has left the
 * queue instead.
 */
bool ts_sleep_lending(struct thread *td, const void *key, bool exact);

/* turnstile_cycle.c */

/*
 * td is on a queue of ts, or about to be.  The owner of the lock, if that waits
 * for another lock.  (l)
 */
struct thread *ts_blocked_owner(const struct turnstile *ts, struct thread *td);
/*
 * self, which is curthread(), is on a queue, and the owner of the lock on one,
 * too.  Panics if there is no end to that.  No lock is held.
 */
void ts_check_cycle(struct thread *self);

#endif /* LOCK_TURNSTILE_IMPL_H */
