/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Turnstiles: queues of threads that wait for locks, and the priorities that
 * they lend to those who hold them.
 *
 * Why.  A lock of 8 bytes or of 2 bits has no room for a queue.  Few of the many
 * locks of a machine are waited for at any moment, and a thread waits for one
 * at a time, so the queues belong to the threads: each thread owns one
 * turnstile, and lends it to the lock it blocks on.  As many turnstiles as
 * threads are always enough, and blocking allocates nothing.
 *
 *	chain = hash of the lock's address
 *	  |
 *	  v
 *	turnstile (key) --> turnstile (key) --> ...
 *	  | ts_blocked[exclusive]: td, td, ...	sorted by priority
 *	  | ts_blocked[shared]:    td, ...
 *	  | ts_free: turnstiles lent by all blocked threads but one
 *	  ` ts_owner: on whose td_contested list it is
 *
 * The first thread to block on a lock hangs its turnstile into the chain, later
 * ones leave theirs on ts_free.  A thread that is taken off takes one of ts_free
 * along, or, being the last, the turnstile itself.
 *
 * Invariants.
 *   1. A turnstile is in a chain if and only if threads are blocked on it, and
 *	it has one fewer spare turnstile on ts_free than blocked threads.
 *   2. td_turnstile is NULL if and only if the thread is on a queue.
 *   3. td_blocked_on is the key from before the thread is visible on a queue
 *	until it is made runnable.  A thread that sleeps goes on sleeping while
 *	it is set, so a token left over from an earlier wake-up does no harm.
 *	The other way round, the token is the thread's and not ours: whoever else
 *	is to be woken by it must not wait for a lock between the moment the
 *	wake-up may be sent and the so_block() that takes it.
 *   4. Whoever took a thread off a queue makes it runnable, after it has dropped
 *	the chain lock.  Nothing else reads or writes td_ts_next in between.
 *   5. td_pri is the most urgent of td_base_pri, td_host_pri and the ts_pri of
 *	each turnstile on td_contested; the three change under td_pri_lock.
 *   6. ts_owner, its place on the owner's list and ts_pri change only under the
 *	chain lock and the owner's td_pri_lock.
 *   7. td_lent_to is the borrower from before the thread sleeps lending until
 *	the borrower, under the chain lock, has decided to return the loan, or
 *	the lender to call it off.  A thread with td_lent_to set is taken off its
 *	queue by its borrower or by itself, and by nobody else.
 *
 * What a lock has to do, so that no wake-up is lost: LOCK/BLOCK: set its
 * "waiters" bit under the chain lock while the word is held, and not go on the
 * queue otherwise.  UNLOCK: look at that bit in the very operation that frees the
 * word, or free the word under the chain lock.  Then a release either precedes
 * the setting of the bit, and the thread finds the word free; or it sees the
 * bit, and has to wait for the chain lock until the thread is on the queue.
 *
 * Lending.  The owner of a lock should run with the priority of the most urgent
 * thread that waits for it.  Queues are sorted, so one loan does: that of the
 * first.  It lends when it goes on a queue as the first (ts_lend), and the loan
 * is passed along the chain of owners that are blocked themselves (propagate).
 * All of it goes back in turnstile_signal() and turnstile_broadcast(), in the
 * release, under the chain lock.
 *
 * A loan has two sides.  In the books it is 5 and 6: td_pri, by which queues are
 * sorted, everywhere; virtual mode knows no other.  On the host it is
 * so_block_lent(): the first waiter sleeps in a call that makes the host run the
 * owner in its place.  That costs the release a system call more than a plain
 * wake-up, and ends only by the borrower's hand, so it is done where it makes a
 * difference: where the waiter is more urgent than the owner is by itself.
 * Threads of one priority, the usual case, never lend, and until some thread has
 * another (sim_pri_mixed) nobody is even asked who the owner is.
 *
 * Why the first alone is enough (argued for any one lock).
 *   a. The first sleeps plainly, since the owner is as urgent by itself.  Then
 *	nobody behind it is more urgent than the owner either.
 *   b. A more urgent one comes: it is the first now, and lends too.  The loan of
 *	the former first stays, and is no more than a loan of less.
 *   c. The first is taken off and is on its way to the word.  It is runnable and
 *	as urgent as the rest, so nothing holds it up that would not hold up
 *	them.  If it acquires, turnstile_claim() makes the next one lend to it,
 *	should that be needed.  If it finds the word held by one that barged in,
 *	it goes back, as the first, and lends to that.
 *   d. The owner lets go and prefers another queue, or another first: it returns
 *	all loans made to it here; those who lent wake up, look around, and lend
 *	to the next owner or sleep plainly.
 *   e. The first sleeps plainly, and gets more urgent because somebody lends to
 *	it: propagate() sorts it anew, books the loan, and gives it a token, upon
 *	which it looks around and lends.  A chain is thus made real link by link,
 *	each by the thread itself, which runs with what was lent to it.  If there
 *	is nobody to lend to, since the word is free and the one woken for it is
 *	on its way, or held by one that barged in and is not told, it leaves the
 *	queue and tries the word: what it was lent must not lie idle.
 *
 * Suspects.  A lock of two bits tells its owner by a scan, which may bring up
 * others: a thread that has just failed to acquire, or just released, and is a
 * few instructions from saying so.  The owner is always among them, so a single
 * suspect is the owner.  With several, the waiter lends to one for SUSPECT_NS and
 * then looks again, at the next.  An innocent one gets the CPU for that long, and
 * leaves its few instructions; the set shrinks to the owner.  Such a waiter takes
 * itself off the queue when its time is up, and tries the word like one that was
 * woken.
 *
 * A lender and the thread that wakes.  Only the borrower can wake a lender.  A
 * release by another thread, which has acquired in between, may find it first on
 * the queue: turnstile_signal() then takes nobody off.  The borrower, if it was
 * the owner, has let go and comes to this chain lock, in its release; if it was a
 * suspect only, the lender comes by itself.  The lock keeps its waiters bit.
 *
 * A cycle of owners is a deadlock.  Where loans are real the host tells of a cycle
 * of loans (EDEADLK).  A loan to a suspect may have closed it, who blocks before
 * the loan has ended; so a thread that is told returns such loans made to itself,
 * and it is a panic only if every link is a loan to an owner.  The books end at a
 * thread that gets no more urgent.  A thread that leaves returns what is lent to it.
 *
 * Lock order.  Chain lock, then td_pri_lock; two of a kind are never held, and
 * neither is held over the system call that wakes a thread.  Both are leaf locks
 * that lend (leaf_lock.h): an urgent thread that wants a chain lock makes the
 * thread that lost its CPU with it run.  Plain wake-ups come before loans are
 * returned, while the priority for them is there; then the most urgent loan, and
 * a borrower that loses its CPU there has the rest to run on.
 *
 * Source: FreeBSD releng/12.1, sys/kern/subr_turnstile.c.
 * Differs: no ts_lock beside the chain lock, no pending queue in the turnstile
 * (the caller has it), priorities under a lock of the thread and not of the
 * system; the owner is asked for, not remembered, since a running thread may
 * barge past the queue; and a hash that tells neighbours of 32 bytes apart, since
 * our headers are that small.
 */

#include "lock/turnstile.h"

#include <errno.h>

#include "kern/kassert.h"
#include "lock/lock_env.h"

#define TD_TS_MORE   0x1u /* others stayed on the queue it was taken from */
#define TD_TS_HANDED 0x2u /* it owns the lock */

/* Assumed: enough for a suspect to clear itself, little to the owner. */
#define SUSPECT_NS 50000

/* Links of a cycle of owners.  More are not looked for. */
#define CYCLE_MAX 1024

/*
 * Who has waited this long is handed the lock.  Source: the order of what peers
 * use, 0.5 to 1 ms.  On one chain no more often than that: with many threads on
 * few CPUs all have waited for longer, and a lock that is always handed to one
 * who has to be given a CPU first stands still.
 */
#define FAIR_NS 500000

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
pri_mixed(const struct thread *td)
{
	/* Relaxed: who sets it is more urgent, or holds no lock yet. */
	return (atomic_load_explicit(
	    &td->td_sim->sim_pri_mixed, memory_order_relaxed));
}

static bool
host_mixed(const struct thread *td)
{
	/* Relaxed: as in pri_mixed(). */
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
	/* Relaxed: see pri_mixed(). */
	if (pri != PRI_DEFAULT && pri != PRI_NONE && !pri_mixed(td))
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

/* The priority with which td, curthread(), is about to block. */
static int
blocking_pri(struct thread *td, bool ask)
{
	int host = PRI_NONE, pri;

	if (ask) {
		host = td->td_sim->sim_ops->so_host_pri(td);
		note_pri(td, host);
		if (host != PRI_NONE && !host_mixed(td))
			/* Relaxed: see pri_mixed(). */
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

/* The link that points at the turnstile of key, or at the chain's end. */
static struct turnstile **
ts_find(struct turnstile_chain *tc, const void *key)
{
	struct turnstile **tsp;

	for (tsp = &tc->tc_turnstiles; *tsp != NULL; tsp = &(*tsp)->ts_next) {
		if ((*tsp)->ts_key == key)
			break;
	}
	return (tsp);
}

static void
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

static void
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

/* The most urgent thread of both queues. */
static struct thread *
ts_first(const struct turnstile *ts)
{
	struct thread *x = ts->ts_blocked[TS_EXCLUSIVE_QUEUE].th_first;
	struct thread *s = ts->ts_blocked[TS_SHARED_QUEUE].th_first;

	if (x == NULL || (s != NULL && s->td_ts_pri < x->td_ts_pri))
		return (s);
	return (x);
}

/* Nothing is lent through ts any more, in the books. */
static void
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

/*
 * Book what the first thread of ts lends to owner.  True if owner got more urgent
 * by that; *realp: is the first more urgent than owner is by itself, in the books
 * or to the host?
 */
static bool
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
 * td is on a queue of ts, and about to sleep.  Lends if it should: books the
 * loan, and sets td_lent_to where the host is to lend too.  *exactp: to the owner,
 * not to a suspect; *unheldp: there is no owner, or none that is told.  Returns a
 * thread that got more urgent, or NULL.
 */
static struct thread *
ts_lend(struct turnstile *ts, struct thread *td, bool *exactp, bool *unheldp)
{
	struct thread *owner;
	bool raised, real;
	unsigned n = 0;

	*exactp = true;
	*unheldp = false;
	if (!pri_mixed(td) || ts_first(ts) != td)
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

/* Which queue of ts is td on?  NTS_QUEUES: none. */
static unsigned
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

/*
 * td got more urgent.  If it is blocked it moves up on its queue, and lends to
 * the owner of that lock; and so on.  No lock is held from one link to the next:
 * each finds the state as it is then, and a thread that was woken meanwhile
 * runs, which is what the loan was for.
 */
static void
propagate(struct thread *td)
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
		/* Relaxed: compared under the chain lock, below. */
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
			owner = ts->ts_owner_of(td, key, ts->ts_nth, &n);
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

/* Take td off its queue; it gets a turnstile back. */
static void
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

/*
 * td was not taken off by anybody, and calls off what it lends, if it does.  It
 * leaves the queue, to try the word.
 */
static void
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

/*
 * Return what ts lent to curthread(): in the books now, the rest is noted.
 * timed_only: not the loans to it as the owner.
 */
static void
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

void
turnstile_leave(struct thread *td)
{
	(void)return_stray(td, false);
}

/*
 * Whom does td lend to, and exactly?  NULL: no, or no longer.  Follows loans only:
 * they are what the host has seen.
 */
static struct thread *
exact_borrower(struct thread *td)
{
	struct turnstile_chain *tc;
	struct thread *to = NULL;
	const void *key;

	/* Relaxed: compared under the chain lock, below. */
	key = atomic_load_explicit(&td->td_blocked_on, memory_order_relaxed);
	if (key == NULL)
		return (NULL);
	tc = turnstile_chain_lock(curthread(), key);
	if (ts_queue_of(*ts_find(tc, key), td) != NTS_QUEUES &&
	    td->td_lends_exact)
		to = td->td_lent_to;
	turnstile_chain_unlock(tc);
	return (to);
}

/*
 * Is there a cycle of owners that begins and ends with self, which is on a queue?
 * The links are read one after the other, so one may be gone when the next is
 * read.  But self stays.  So the last link, once read, stays; if the one before it
 * is read again, that one stays; and so on.  After as many rounds as there are
 * links all of them have been there at once.
 */
static bool
in_cycle(struct thread *self)
{
	unsigned links = 0, n;
	struct thread *td;

	for (unsigned round = 0; round == 0 || round < links; round++) {
		n = 0;
		td = self;
		do {
			td = exact_borrower(td);
			if (td == NULL || ++n > CYCLE_MAX)
				return (false);
		} while (td != self);
		if (round > 0 && n != links)
			return (false);
		links = n;
	}
	return (true);
}

static bool
is_blocked(struct thread *td)
{
	/* Acquire: pairs with the release in turnstile_unlock_wake(). */
	return (atomic_load_explicit(
		    &td->td_blocked_on, memory_order_acquire) != NULL);
}

/*
 * The host will not let td lend to the owner.  One of a cycle may be a suspect,
 * lent to by mistake: td itself, and it is set right at once; or another, and it
 * passes.  So does a chain that is too long for the host (Linux: 1024 links).
 */
static void
wait_unlent(struct thread *td, const void *key)
{
	if (return_stray(td, true))
		return;
	if (in_cycle(td))
		panic("deadlock: thread %u waits for lock %p, whose owner "
		      "waits for it",
		    (unsigned)td->td_id, key);
	/* A token taken here is none that td sleeps for: it lends. */
	(void)td->td_sim->sim_ops->so_block_until(
	    td, sim_clock_ns(td->td_sim) + SUSPECT_NS);
}

/*
 * Sleep with a loan.  True when it was given back.  False when td has left the
 * queue instead.
 */
static bool
sleep_lending(struct thread *td, const void *key, bool exact)
{
	const struct sim_ops *ops = td->td_sim->sim_ops;
	struct turnstile_chain *tc;
	int error;

	error = ops->so_block_lent(
	    td, exact ? UINT64_MAX : sim_clock_ns(td->td_sim) + SUSPECT_NS);
	while (error != 0) {
		if (error == EDEADLK && exact) {
			wait_unlent(td, key);
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

/* Sleep until td is off the queue and runnable.  Unlocks the chain. */
static void
ts_sleep(struct turnstile_chain *tc, struct turnstile *ts, struct thread *td,
    const void *key)
{
	const struct sim_ops *ops = td->td_sim->sim_ops;
	struct thread *raised;
	bool exact, lent, looks = false, unheld;

	for (;; looks = true) {
		raised = ts_lend(ts, td, &exact, &unheld);
		if (looks && unheld) {
			ts_leave(tc, td, key);
			return;
		}
		lent = td->td_lent_to != NULL;
		turnstile_chain_unlock(tc);
		if (raised != NULL)
			propagate(raised);
		if (!lent)
			ops->so_block(td);
		else if (!sleep_lending(td, key, exact))
			return;
		if (!is_blocked(td))
			return;

		/* A token: to look around, a stray one, or early. */
		tc = turnstile_chain_lock(td, key);
		ts = td->td_ts_blocked;
		if (ts == NULL)
			break;
	}
	turnstile_chain_unlock(tc);
	while (is_blocked(td))
		ops->so_block(td);
}

unsigned
turnstile_wait(struct turnstile_chain *tc, struct thread *td, const void *key,
    turnstile_owner_fn *owner, enum ts_queue queue, bool again)
{
	struct turnstile **tsp = ts_find(tc, key);
	struct turnstile *ts = *tsp, *own = td->td_turnstile;

	KASSERT(td == curthread(), ("thread %u blocks another", td->td_id));
	KASSERT(own != NULL,
	    ("thread %u has no turnstile to lend to %p", td->td_id, key));
	td->td_turnstile = NULL;
	if (ts == NULL) {
		KASSERT(own->ts_free == NULL && own->ts_owner == NULL,
		    ("spare turnstile has spares or an owner"));
		own->ts_key = key;
		own->ts_next = NULL;
		own->ts_owner_of = owner;
		own->ts_nlenders = 0;
		*tsp = ts = own;
	} else {
		own->ts_next = ts->ts_free;
		ts->ts_free = own;
	}
	if (!again)
		td->td_ts_since_ns = sim_clock_ns(td->td_sim);
	td->td_ts_pri = blocking_pri(td, !again);
	td->td_ts_flags = 0;
	ts_insert(&ts->ts_blocked[queue], td, again);
	td->td_ts_blocked = ts;
	/* Relaxed: the chain lock orders it for whoever takes us off. */
	atomic_store_explicit(&td->td_blocked_on, key, memory_order_relaxed);
	counter_add(&td->td_counters, CTR_LOCK_SLEEPS, 1);
	ts_sleep(tc, ts, td, key);
	return (((td->td_ts_flags & TD_TS_MORE) != 0 ? TSW_MORE : 0) |
	    ((td->td_ts_flags & TD_TS_HANDED) != 0 ? TSW_HANDED : 0));
}

void
turnstile_claim(struct thread *td, const void *key, turnstile_owner_fn *owner)
{
	const struct sim_ops *ops = td->td_sim->sim_ops;
	struct turnstile_chain *tc;
	struct thread *first = NULL;
	struct turnstile *ts;
	bool real = false;

	(void)owner;
	if (!pri_mixed(td))
		return;
	tc = turnstile_chain_lock(td, key);
	ts = *ts_find(tc, key);
	/* With a loan to another, who is on its way here, 7 lets it be. */
	if (ts != NULL && ts_first(ts)->td_lent_to == NULL) {
		(void)ts_book(ts, td, &real);
		first = ts_first(ts);
	}
	turnstile_chain_unlock(tc);
	if (real)
		ops->so_wake(first);
}

void
turnstile_disown(struct turnstile_chain *tc, const void *key)
{
	struct turnstile *ts = *ts_find(tc, key);

	if (ts != NULL)
		ts_return(ts, curthread(), false);
}

/* Take up to max threads off a queue. */
static struct thread *
ts_take_many(struct turnstile_chain *tc, const void *key, enum ts_queue queue,
    unsigned max)
{
	struct turnstile **tsp = ts_find(tc, key);
	struct turnstile *ts = *tsp;
	struct thread *first, *last, *td;
	struct ts_head *th;

	if (ts == NULL)
		return (NULL);
	ts_return(ts, curthread(), false);
	th = &ts->ts_blocked[queue];
	first = last = NULL;
	while (max-- > 0 && th->th_first != NULL &&
	    th->th_first->td_lent_to == NULL) {
		td = th->th_first;
		ts_take(tsp, th, td);
		if (last == NULL)
			first = td;
		else
			last->td_ts_next = td;
		last = td;
	}
	return (first);
}

struct thread *
turnstile_signal(
    struct turnstile_chain *tc, const void *key, enum ts_queue queue)
{
	return (ts_take_many(tc, key, queue, 1));
}

struct thread *
turnstile_broadcast(
    struct turnstile_chain *tc, const void *key, enum ts_queue queue)
{
	return (ts_take_many(tc, key, queue, UINT32_MAX));
}

bool
turnstile_handoff(struct turnstile_chain *tc, struct thread *td)
{
	/* Clipped at 0: see clock.c on readings of two threads. */
	uint64_t now = sim_clock_ns(td->td_sim);

	if (now < td->td_ts_since_ns || now - td->td_ts_since_ns < FAIR_NS ||
	    now < tc->tc_fair_ns)
		return (false);
	tc->tc_fair_ns = now + FAIR_NS;
	td->td_ts_flags |= TD_TS_HANDED;
	return (true);
}

bool
turnstile_empty(
    struct turnstile_chain *tc, const void *key, enum ts_queue queue)
{
	struct turnstile *ts = *ts_find(tc, key);

	return (ts == NULL || ts->ts_blocked[queue].th_first == NULL);
}

static bool
is_among(const struct thread *returns, const struct thread *td)
{
	while (returns != NULL && returns != td)
		returns = returns->td_loan_next;
	return (returns != NULL);
}

void
turnstile_unlock_wake(struct turnstile_chain *tc, struct thread *woken)
{
	const struct sim_ops *ops = tc->tc_sim->sim_ops;
	struct thread *next, *returns, *self = curthread(), *td;
	bool lent;

	returns = self->td_returns;
	self->td_returns = NULL;
	turnstile_chain_unlock(tc);
	for (td = woken; td != NULL; td = next) {
		counter_add(&self->td_counters, CTR_LOCK_WAKES, 1);
		/*
		 * Once td_blocked_on is NULL a left-over token is enough for
		 * the thread to go on, and even to leave: touch nothing of it
		 * but the token, which so_wake() may set for nobody.  One that
		 * lent does not go on before its loan is returned.
		 */
		next = td->td_ts_next;
		td->td_ts_next = NULL;
		lent = is_among(returns, td);
		/* Release: gives td_turnstile and the flags to the thread. */
		atomic_store_explicit(
		    &td->td_blocked_on, NULL, memory_order_release);
		if (!lent)
			ops->so_wake(td);
	}
	for (td = returns; td != NULL; td = next) {
		next = td->td_loan_next;
		ops->so_unlend(td);
	}
}
