/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Turnstiles: priorities, own and lent, as the books have them.  Design and
 * invariants: turnstile.c; 5 and 6 are kept here.
 */

#include "lock/turnstile_impl.h"

static void
pri_lock(struct thread *td)
{
	leaf_lock(&td->td_pri_lock, td->td_sim);
}

static void
pri_unlock(struct thread *td)
{
	leaf_unlock(&td->td_pri_lock);
}

static bool
host_mixed(const struct thread *td)
{
	/* Relaxed: as in ts_pri_mixed(). */
	return (atomic_load_explicit(
	    &td->td_sim->sim_host_mixed, memory_order_relaxed));
}

/* What a thread is by itself.  (p) */
static int
own_pri(const struct thread *td)
{
	return (td->td_base_pri < td->td_host_pri ? td->td_base_pri
						  : td->td_host_pri);
}

/* Invariant 5.  True if the thread got more urgent.  (p) */
static bool
pri_update(struct thread *td)
{
	int pri = own_pri(td), was = td->td_pri;

	for (const struct turnstile *ts = td->td_contested; ts != NULL;
	     ts = ts->ts_contested) {
		if (ts->ts_pri < pri)
			pri = ts->ts_pri;
	}
	td->td_pri = pri;
	return (pri < was);
}

static void
note_pri(struct thread *td, int pri)
{
	/* Relaxed: see ts_pri_mixed(). */
	if (pri != PRI_DEFAULT && pri != PRI_NONE && !ts_pri_mixed(td))
		atomic_store_explicit(
		    &td->td_sim->sim_pri_mixed, true, memory_order_relaxed);
}

void
thread_setpri(struct thread *td, int pri)
{
	note_pri(td, pri);
	pri_lock(td);
	td->td_base_pri = pri;
	(void)pri_update(td);
	pri_unlock(td);
}

int
ts_blocking_pri(struct thread *td, bool ask)
{
	int host = PRI_NONE, pri;

	if (ask) {
		host = td->td_sim->sim_ops->so_host_pri(td);
		note_pri(td, host);
		if (host != PRI_NONE && !host_mixed(td))
			/* Relaxed: see ts_pri_mixed(). */
			atomic_store_explicit(&td->td_sim->sim_host_mixed, true,
			    memory_order_relaxed);
	}
	pri_lock(td);
	if (ask)
		td->td_host_pri = host;
	(void)pri_update(td);
	pri = td->td_pri;
	pri_unlock(td);
	return (pri);
}

void
ts_disown(struct turnstile *ts)
{
	struct thread *owner = ts->ts_owner;

	if (owner == NULL)
		return;
	pri_lock(owner);
	*ts->ts_contprevp = ts->ts_contested;
	if (ts->ts_contested != NULL)
		ts->ts_contested->ts_contprevp = ts->ts_contprevp;
	ts->ts_owner = NULL;
	(void)pri_update(owner);
	pri_unlock(owner);
}

bool
ts_book(struct turnstile *ts, struct thread *owner, bool *realp)
{
	int host = PRI_MIN;
	bool raised;

	/*
	 * What the owner is to the host may have changed since it blocked last,
	 * and its own priority in the books is nothing to the host.
	 */
	if (ts_first(ts)->td_ts_pri < PRI_HOST_END && host_mixed(owner))
		host = owner->td_sim->sim_ops->so_host_pri(owner);

	if (ts->ts_owner != owner)
		ts_disown(ts);
	pri_lock(owner);
	ts->ts_pri = ts_first(ts)->td_ts_pri;
	if (ts->ts_owner == NULL) {
		ts->ts_owner = owner;
		ts->ts_contested = owner->td_contested;
		ts->ts_contprevp = &owner->td_contested;
		if (ts->ts_contested != NULL)
			ts->ts_contested->ts_contprevp = &ts->ts_contested;
		owner->td_contested = ts;
	}
	raised = pri_update(owner);
	*realp = ts->ts_pri < own_pri(owner) || ts->ts_pri < host;
	pri_unlock(owner);
	return (raised);
}

/*
 * Who has the lock that td waits for, as the first?  One that lends to the owner
 * knows, as long as the loan stands; other suspects come and go.  The chain is
 * locked.
 */
static struct thread *
owner_of_first(struct turnstile *ts, struct thread *td, unsigned *np)
{
	if (td->td_lent_to == NULL || !td->td_lends_exact)
		return (ts->ts_owner_of(td, ts->ts_key, ts->ts_nth, np));
	*np = 1;
	return (td->td_lent_to);
}

/*
 * td got more urgent.  If it is blocked it moves up on its queue, and lends to
 * the owner of that lock; and so on.  No lock is held from one link to the next:
 * each finds the state as it is then, and a thread that was woken meanwhile
 * runs, which is what the loan was for.
 */
void
ts_propagate(struct thread *td)
{
	const struct sim_ops *ops = td->td_sim->sim_ops;
	struct turnstile_chain *tc;
	struct thread *owner;
	struct turnstile *ts;
	const void *key;
	unsigned n, q;
	bool kick, raised, real;
	int pri;

	for (;;) {
		/*
		 * Relaxed: compared under the chain lock, below.  If it is to
		 * block, and has not said so, it has yet to read its priority,
		 * which got more urgent under td_pri_lock.
		 */
		key = atomic_load_explicit(
		    &td->td_blocked_on, memory_order_relaxed);
		if (key == NULL)
			return;
		tc = turnstile_chain_lock(curthread(), key);
		ts = *ts_find(tc, key);
		q = ts_queue_of(ts, td);
		if (q == NTS_QUEUES) {
			turnstile_chain_unlock(tc);
			return;
		}
		pri_lock(td);
		pri = td->td_pri;
		pri_unlock(td);
		if (pri < td->td_ts_pri) {
			ts_remove(&ts->ts_blocked[q], td);
			td->td_ts_pri = pri;
			ts_insert(&ts->ts_blocked[q], td, false);
		}
		owner = NULL;
		raised = real = false;
		n = 0;
		if (ts_first(ts) == td)
			owner = owner_of_first(ts, td, &n);
		if (owner != NULL)
			raised = ts_book(ts, owner, &real);
		/*
		 * One that lends already: the host passes it on by itself.
		 * With no owner, or several suspects, it has to look.
		 */
		kick = ts_first(ts) == td && td->td_lent_to == NULL &&
		    (real || n != 1);
		turnstile_chain_unlock(tc);
		if (kick)
			ops->so_wake(td);
		if (!raised)
			return;
		td = owner;
	}
}
