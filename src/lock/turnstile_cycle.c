/* SPDX-License-Identifier: BSD-2-Clause */

/* Turnstiles: cycles of owners.  Design: turnstile.c. */

#include "lock/turnstile_impl.h"

/* Links of a cycle of owners.  More are not looked for. */
#define CYCLE_MAX 1024

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
bool
ts_in_cycle(struct thread *self)
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
