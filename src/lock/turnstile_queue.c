/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Turnstiles: their chains, and the queues of threads in them.  Design and
 * invariants: turnstile.c.
 */

#include "lock/turnstile_impl.h"

#include "kern/kassert.h"
#include "lock/lock_env.h"

struct turnstile *
turnstile_alloc(struct sim *sim)
{
	return (kmem_alloc(sim->sim_kmem, sizeof(struct turnstile),
	    CACHE_LINE_SIZE, M_LOCK, KMEM_ANYDOMAIN));
}

void
turnstile_free(struct sim *sim, struct turnstile *ts)
{
	kmem_free(sim->sim_kmem, ts, sizeof(*ts), M_LOCK, KMEM_ANYDOMAIN);
}

/* Bits 5 to 18 of the address: see Differs above. */
static unsigned
tc_index(const void *key)
{
	uintptr_t a = (uintptr_t)key;

	return ((unsigned)((a >> 5) ^ (a >> 12)) % TC_TABLESIZE);
}

struct turnstile_chain *
turnstile_chain_lock(struct thread *td, const void *key)
{
	struct lock_env *le = td->td_sim->sim_locks;
	struct turnstile_chain *tc = &le->le_chains[tc_index(key)];

	leaf_lock(&tc->tc_lock, tc->tc_sim);
	return (tc);
}

void
turnstile_chain_unlock(struct turnstile_chain *tc)
{
	leaf_unlock(&tc->tc_lock);
}

struct turnstile **
ts_find(struct turnstile_chain *tc, const void *key)
{
	struct turnstile **tsp;

	for (tsp = &tc->tc_turnstiles; *tsp != NULL; tsp = &(*tsp)->ts_next) {
		if ((*tsp)->ts_key == key)
			break;
	}
	return (tsp);
}

void
ts_insert(struct ts_head *th, struct thread *td, bool again)
{
	struct thread *prev;

	/* From the end: equal priorities, the common case, cost one look. */
	for (prev = th->th_last; prev != NULL; prev = prev->td_ts_prev) {
		if (prev->td_ts_pri < td->td_ts_pri ||
		    (prev->td_ts_pri == td->td_ts_pri && !again))
			break;
	}
	td->td_ts_prev = prev;
	td->td_ts_next = prev == NULL ? th->th_first : prev->td_ts_next;
	if (td->td_ts_next != NULL)
		td->td_ts_next->td_ts_prev = td;
	else
		th->th_last = td;
	if (prev != NULL)
		prev->td_ts_next = td;
	else
		th->th_first = td;
}

void
ts_remove(struct ts_head *th, struct thread *td)
{
	if (td->td_ts_prev != NULL)
		td->td_ts_prev->td_ts_next = td->td_ts_next;
	else
		th->th_first = td->td_ts_next;
	if (td->td_ts_next != NULL)
		td->td_ts_next->td_ts_prev = td->td_ts_prev;
	else
		th->th_last = td->td_ts_prev;
	td->td_ts_next = NULL;
	td->td_ts_prev = NULL;
}

struct thread *
ts_first(const struct turnstile *ts)
{
	struct thread *x = ts->ts_blocked[TS_EXCLUSIVE_QUEUE].th_first;
	struct thread *s = ts->ts_blocked[TS_SHARED_QUEUE].th_first;

	if (x == NULL || (s != NULL && s->td_ts_pri < x->td_ts_pri))
		return (s);
	return (x);
}

unsigned
ts_queue_of(const struct turnstile *ts, const struct thread *td)
{
	const struct thread *t;
	unsigned q;

	for (q = 0; ts != NULL && q < NTS_QUEUES; q++) {
		for (t = ts->ts_blocked[q].th_first; t != NULL;
		     t = t->td_ts_next) {
			if (t == td)
				return (q);
		}
	}
	return (NTS_QUEUES);
}

void
ts_take(struct turnstile **tsp, struct ts_head *th, struct thread *td)
{
	struct turnstile *ts = *tsp, *own = ts->ts_free;

	ts_remove(th, td);
	if (own != NULL) {
		ts->ts_free = own->ts_next;
	} else {
		ts_disown(ts);
		KASSERT(ts->ts_nlenders == 0,
		    ("turnstile of %p: %u loans stay", ts->ts_key,
			ts->ts_nlenders));
		own = ts;
		*tsp = ts->ts_next;
	}
	own->ts_key = NULL;
	own->ts_next = NULL;
	td->td_turnstile = own;
	td->td_ts_blocked = NULL;
	if (th->th_first != NULL)
		td->td_ts_flags |= TD_TS_MORE;
}
