/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Turnstiles: deadlocks, which are cycles of threads each of which waits for a
 * lock of the next.
 *
 * Why.  The priorities do not tell.  Propagation ends where nobody gets more
 * urgent, and the host knows of loans only; a cycle of equals just stands still.
 *
 * The idea.  Who goes on a queue looks whether the owner of the lock is on one
 * itself.  It hardly ever is, and that was all.  If it is, the thread follows the
 * owners, link by link: td waits for key, which belongs to an owner, which waits.
 * The walk ends at a thread that is on no queue, or at one where it has been
 * before.  No lock is held from one link to the next, so what it has found then is
 * a rumour.  It reads the links of the cycle once more; if nothing has changed,
 * down to how often each thread has gone on a queue (td_ts_nth), it is true.
 *
 * Nothing is reported that is not.  Let the cycle be T0 .. Tn-1, read in this
 * order, twice, and t be a moment between.  Each Ti was on its queue at both its
 * readings and did not leave it in between, for td_ts_nth is the same: at t all
 * wait, and none acquires or releases anything from its first reading to its
 * second.  At the second reading Ti's lock belonged to Ti+1, which has waited since
 * before t and goes on waiting until it is read itself: so it belonged to Ti+1
 * at t.  The last one's belonged to T0 at its first reading, which comes after T0's
 * own: so at t, too.
 *
 * Suspects.  A thread that has just failed to acquire, or just released, takes
 * back what it publishes before it can go on a queue.  So among several suspects
 * one that is on a queue, and publishes while it is, is the owner; and if there is
 * none, the owner runs.  They are looked at in one scan, by which none is passed
 * over however the others come and go.
 *
 * Nothing that is there is missed, by the last thread to come.  A thread is on its
 * queue, and the lock's waiters bit set, before it looks.  td_blocked_on is stored
 * and read in one order for all (seq_cst), and of the threads in question the
 * last in that order sees all others.  A lock that is held may have no waiters
 * bit while one that was woken for it is on its way: that one sets the bit, goes
 * on the queue, and then it is the last, and leads to the cycle without being
 * part of it.
 *
 * Not found: a cycle through a read lock, or through an sx, for they do not tell
 * who holds them; and one with more than CYCLE_MAX links on the way.
 *
 * Cost.  Once for each time that a thread blocks, under the chain lock: the owner of
 * the lock, which for gen2 is a scan of a line for each thread, and one load from
 * it.  Measured: callgrind, release build, one thread that blocks and is woken 300
 * times, nobody blocked besides: 36 instructions for mtx8, 38 for rwlock, and for
 * gen2 171 with 2 lines, 401 with 8 and 1505 with 32, so 46 a line.  A block and
 * the release that ends it are 1024 of gen2's with 2 lines, without the system calls.
 *
 * Differs: FreeBSD's propagate_priority() panics where the owner sleeps, or is the
 * thread itself, and otherwise stops at an owner that is urgent enough.
 */

#include "lock/turnstile_impl.h"

#include <inttypes.h>
#include <stdio.h>

#include "kern/kassert.h"

/* Links that are followed.  Assumed: nobody holds locks in longer chains. */
#define CYCLE_MAX 64

/* Of a longer cycle the panic, 512 characters, names as many as this. */
#define CYCLE_TOLD 6

/* What a link takes there: 36 of text, 18 of an address, 10 of a number. */
#define LINK_TEXT 64

/* l_td waits for l_key, which belongs to l_owner, which waits as well. */
struct link {
	struct thread *l_td;
	const void *l_key;
	struct thread *l_owner;
	uint32_t l_nth; /* td_ts_nth */
};

/* Is it on a queue?  Until this is known under the chain lock, a hint. */
static bool
waits(struct thread *td)
{
	/* Seq_cst: see above. */
	return (atomic_load_explicit(
		    &td->td_blocked_on, memory_order_seq_cst) != NULL);
}

/*
 * td waits for owner, which is exact: it cannot release before we drop the chain
 * lock.
 */
static void
check_present(
    const struct turnstile *ts, const struct thread *td, struct thread *owner)
{
	/* Relaxed: it was set before the thread could own anything. */
	if (!atomic_load_explicit(&owner->td_attached, memory_order_relaxed))
		panic("thread %" PRIu32 " waits for lock %#" PRIxPTR
		      " of thread %" PRIu32 ", which has left",
		    td->td_id, (uintptr_t)ts->ts_key, owner->td_id);
}

struct thread *
ts_blocked_owner(const struct turnstile *ts, struct thread *td)
{
	struct thread *owner;
	unsigned n;

	owner = ts->ts_owner_of(td, ts->ts_key, TS_BLOCKED, &n);
	if (owner == NULL)
		return (NULL);
	if (n == 1)
		check_present(ts, td, owner);
	return (waits(owner) ? owner : NULL);
}

/* False: td is on no queue, or the owner is not. */
static bool
read_link(struct thread *td, struct link *l)
{
	struct turnstile_chain *tc;
	struct turnstile *ts;

	l->l_td = td;
	l->l_owner = NULL;
	/* Seq_cst: see above.  Compared under the chain lock, below. */
	l->l_key =
	    atomic_load_explicit(&td->td_blocked_on, memory_order_seq_cst);
	if (l->l_key == NULL)
		return (false);
	tc = turnstile_chain_lock(curthread(), l->l_key);
	ts = *ts_find(tc, l->l_key);
	if (ts_queue_of(ts, td) != NTS_QUEUES) {
		l->l_nth = td->td_ts_nth;
		l->l_owner = ts_blocked_owner(ts, td);
	}
	turnstile_chain_unlock(tc);
	return (l->l_owner != NULL);
}

/* Has nothing happened to the n links of a cycle since they were read? */
static bool
unchanged(const struct link *l, unsigned n)
{
	struct link now;

	for (unsigned i = 0; i < n; i++) {
		if (!read_link(l[i].l_td, &now) || now.l_key != l[i].l_key ||
		    now.l_owner != l[i].l_owner || now.l_nth != l[i].l_nth)
			return (false);
	}
	return (true);
}

_Noreturn static void
tell(const struct link *l, unsigned n)
{
	char text[CYCLE_TOLD * LINK_TEXT + 1];
	size_t len = 0;

	for (unsigned i = 0; i < n && i < CYCLE_TOLD; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s waits for lock %#" PRIxPTR " of thread %" PRIu32,
		    i == 0 ? "" : ", which", (uintptr_t)l[i].l_key,
		    l[i].l_owner->td_id);
	panic("deadlock of %u threads: thread %" PRIu32 "%s%s", n,
	    l[0].l_td->td_id, text, n > CYCLE_TOLD ? ", and so on" : "");
}

void
ts_check_cycle(struct thread *self)
{
	struct link links[CYCLE_MAX];
	struct thread *td = self;
	unsigned first, n = 0;

	for (;;) {
		for (first = 0; first < n && links[first].l_td != td; first++)
			continue;
		if (first < n)
			break;
		if (n == CYCLE_MAX || !read_link(td, &links[n]))
			return;
		td = links[n++].l_owner;
	}
	if (unchanged(&links[first], n - first))
		tell(&links[first], n - first);
}
