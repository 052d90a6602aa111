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
 * A cycle of owners is a deadlock, and a panic: turnstile_cycle.c.  Where loans are
 * real the host tells of a cycle of loans, too (EDEADLK).  That need not be one of
 * owners: a loan to a suspect may have closed it, who blocks before the loan has
 * ended.  So a thread that is told returns such loans made to itself, and lends
 * anew.  A thread that leaves returns what is lent to it; and it must own nothing.
 *
 * Lock order.  Chain lock, then td_pri_lock; two of a kind are never held, and
 * neither is held over the system call that wakes a thread.  Both are leaf locks
 * that lend (leaf_lock.h): an urgent thread that wants a chain lock makes the
 * thread that lost its CPU with it run.  Plain wake-ups come before loans are
 * returned, while the priority for them is there; then the most urgent loan, and
 * a borrower that loses its CPU there has the rest to run on.
 *
 * Files.  This one blocks and wakes; turnstile_queue.c has the chains and queues,
 * turnstile_pri.c the books, turnstile_loan.c the host's side of a loan, and
 * turnstile_cycle.c looks for deadlocks.
 *
 * Source: FreeBSD releng/12.1, sys/kern/subr_turnstile.c.
 * Differs: no ts_lock beside the chain lock, no pending queue in the turnstile
 * (the caller has it), priorities under a lock of the thread and not of the
 * system; the owner is asked for, not remembered, since a running thread may
 * barge past the queue; and a hash that tells neighbours of 32 bytes apart, since
 * our headers are that small.
 */

#include "lock/turnstile_impl.h"

#include "kern/kassert.h"

/*
 * Who has waited this long is handed the lock.  Source: the order of what peers
 * use, 0.5 to 1 ms.  On one chain no more often than that: with many threads on
 * few CPUs all have waited for longer, and a lock that is always handed to one
 * who has to be given a CPU first stands still.
 */
#define FAIR_NS 500000

/* Sleep until td is off the queue and runnable.  Unlocks the chain. */
static void
ts_sleep(struct turnstile_chain *tc, struct turnstile *ts, struct thread *td,
    const void *key)
{
	const struct sim_ops *ops = td->td_sim->sim_ops;
	struct thread *raised;
	bool exact, lent, looks = false, unheld, stuck;

	stuck = ts_blocked_owner(ts, td) != NULL;
	for (;; looks = true) {
		raised = ts_lend(ts, td, &exact, &unheld);
		if (looks && unheld) {
			ts_leave(tc, td, key);
			return;
		}
		lent = td->td_lent_to != NULL;
		turnstile_chain_unlock(tc);
		if (raised != NULL)
			ts_propagate(raised);
		/* Later on it is for the owner to look, before it sleeps. */
		if (stuck)
			ts_check_cycle(td);
		stuck = false;
		if (!lent)
			ops->so_block(td);
		else if (!ts_sleep_lending(td, key, exact))
			return;
		if (!ts_is_blocked(td))
			return;

		/* A token: to look around, a stray one, or early. */
		tc = turnstile_chain_lock(td, key);
		ts = td->td_ts_blocked;
		if (ts == NULL)
			break;
	}
	turnstile_chain_unlock(tc);
	while (ts_is_blocked(td))
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
	/*
	 * Before our priority is read: who makes us more urgent after that finds
	 * us here, and waits for the chain lock to move us up.
	 * Seq_cst: see turnstile_cycle.c; whoever takes us off has the chain.
	 */
	atomic_store_explicit(&td->td_blocked_on, key, memory_order_seq_cst);
	td->td_ts_pri = ts_blocking_pri(td, !again);
	td->td_ts_flags = 0;
	ts_insert(&ts->ts_blocked[queue], td, again);
	td->td_ts_blocked = ts;
	td->td_ts_nth++;
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
	if (!ts_pri_mixed(td))
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
