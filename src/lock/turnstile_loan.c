/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Turnstiles: loans that the host makes real.  Design and invariants: turnstile.c;
 * 7 is kept here.
 */

#include "lock/turnstile_impl.h"

#include <errno.h>

#include "kern/kassert.h"
#include "lock/lock_env.h"

/* Assumed: enough for a suspect to clear itself, little to the owner. */
#define SUSPECT_NS 50000

struct thread *
ts_lend(struct turnstile *ts, struct thread *td, bool *exactp, bool *unheldp)
{
	struct thread *owner;
	bool raised, real;
	unsigned n = 0;

	*exactp = true;
	*unheldp = false;
	if (!ts_pri_mixed(td) || ts_first(ts) != td)
		return (NULL);
	owner = ts->ts_owner_of(td, ts->ts_key, ts->ts_nth, &n);
	if (owner == NULL) {
		ts_disown(ts);
		*unheldp = n == 0;
		return (NULL);
	}
	if (owner == td)
		panic("thread %u waits for lock %p, which it holds",
		    (unsigned)td->td_id, ts->ts_key);
	*exactp = td->td_lends_exact = n == 1;
	ts->ts_nth++;
	raised = ts_book(ts, owner, &real);
	/* The suspect may be urgent enough, and the owner another. */
	if (real || !*exactp) {
		td->td_lent_to = owner;
		ts->ts_nlenders++;
		td->td_sim->sim_ops->so_lend(td, owner);
	}
	return (raised ? owner : NULL);
}

void
ts_leave(struct turnstile_chain *tc, struct thread *td, const void *key)
{
	struct turnstile **tsp = ts_find(tc, key);
	struct turnstile *ts = *tsp;

	if (td->td_lent_to != NULL) {
		ts->ts_nlenders--;
		td->td_lent_to = NULL;
		td->td_sim->sim_ops->so_lend_cancel(td);
	}
	if (ts_first(ts) == td)
		ts_disown(ts);
	ts_take(tsp, &ts->ts_blocked[ts_queue_of(ts, td)], td);
	/* Relaxed: only this thread waits for it. */
	atomic_store_explicit(&td->td_blocked_on, NULL, memory_order_relaxed);
	turnstile_chain_unlock(tc);
}

void
ts_return(struct turnstile *ts, struct thread *self, bool timed_only)
{
	struct thread *first = ts_first(ts), *td, **tdp;

	if (ts->ts_owner == self &&
	    (!timed_only ||
		(first->td_lent_to == self && !first->td_lends_exact)))
		ts_disown(ts);
	if (ts->ts_nlenders == 0)
		return;
	for (unsigned q = 0; q < NTS_QUEUES; q++) {
		for (td = ts->ts_blocked[q].th_first; td != NULL;
		     td = td->td_ts_next) {
			if (td->td_lent_to != self ||
			    (timed_only && td->td_lends_exact))
				continue;
			td->td_lent_to = NULL;
			ts->ts_nlenders--;
			/* The most urgent first. */
			for (tdp = &self->td_returns;
			     *tdp != NULL && (*tdp)->td_ts_pri <= td->td_ts_pri;
			     tdp = &(*tdp)->td_loan_next)
				continue;
			td->td_loan_next = *tdp;
			*tdp = td;
		}
	}
}

/*
 * Give back what was lent to curthread(), which is not on its way to those chains
 * by itself: all of it, or that which ends by its time.  True if there was any.
 * Who has scanned for suspects, and has not lent yet, has the chain lock.
 */
static bool
return_stray(struct thread *self, bool timed_only)
{
	struct lock_env *le = self->td_sim->sim_locks;
	struct turnstile_chain *tc;
	struct turnstile *ts;
	bool any = false;

	for (unsigned i = 0; i < TC_TABLESIZE; i++) {
		tc = &le->le_chains[i];
		leaf_lock(&tc->tc_lock, tc->tc_sim);
		for (ts = tc->tc_turnstiles; ts != NULL; ts = ts->ts_next)
			ts_return(ts, self, timed_only);
		any = any || self->td_returns != NULL;
		turnstile_unlock_wake(tc, NULL);
	}
	return (any);
}

/*
 * Does td, which leaves, own a lock that others wait for?  Of those with room for
 * an owner: the others are published, lock_thread_detach().
 */
static void
check_owns_nothing(struct thread *td)
{
	struct lock_env *le = td->td_sim->sim_locks;
	struct turnstile_chain *tc;
	struct turnstile *ts;
	unsigned n;

	for (unsigned i = 0; i < TC_TABLESIZE; i++) {
		tc = &le->le_chains[i];
		leaf_lock(&tc->tc_lock, tc->tc_sim);
		for (ts = tc->tc_turnstiles; ts != NULL; ts = ts->ts_next) {
			if (ts->ts_owner_of(ts_first(ts), ts->ts_key, 0, &n) ==
				td &&
			    n == 1)
				panic("thread %u leaves with lock %p",
				    (unsigned)td->td_id, ts->ts_key);
		}
		turnstile_chain_unlock(tc);
	}
}

void
turnstile_leave(struct thread *td)
{
	check_owns_nothing(td);
	(void)return_stray(td, false);
}

/*
 * The host will not let td lend to the owner.  One of a cycle may be a suspect,
 * lent to by mistake: td itself, and it is set right at once; or another, and it
 * passes.  So does a chain that is too long for the host (Linux: 1024 links).  A
 * cycle of owners was found before, but for one that a walk did not see.
 */
static void
wait_unlent(struct thread *td)
{
	if (return_stray(td, true))
		return;
	ts_check_cycle(td);
	/* A token taken here is none that td sleeps for: it lends. */
	(void)td->td_sim->sim_ops->so_block_until(
	    td, sim_clock_ns(td->td_sim) + SUSPECT_NS);
}

bool
ts_sleep_lending(struct thread *td, const void *key, bool exact)
{
	const struct sim_ops *ops = td->td_sim->sim_ops;
	struct turnstile_chain *tc;
	int error;

	error = ops->so_block_lent(
	    td, exact ? UINT64_MAX : sim_clock_ns(td->td_sim) + SUSPECT_NS);
	while (error != 0) {
		if (error == EDEADLK && exact) {
			wait_unlent(td);
			error = ops->so_block_lent(td, UINT64_MAX);
			continue;
		}
		tc = turnstile_chain_lock(td, key);
		if (td->td_lent_to != NULL) {
			ts_leave(tc, td, key);
			return (false);
		}
		/* The borrower has decided: it is about to return it. */
		turnstile_chain_unlock(tc);
		error = ops->so_block_lent(td, UINT64_MAX);
	}
	return (true);
}
