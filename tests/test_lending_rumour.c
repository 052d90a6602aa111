/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What only looks like a cycle of owners is not told: one that was there once, and
 * one whose links were not there at the same time.
 *
 * Here are two keys that are no locks, whose owners are whom the test says: of the
 * first key the second thread, and the other way round.
 */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lock/turnstile.h"
#include "lock_util.h"

static struct rumour {
	const char *r_key[2];
	struct lt_thread r_lth[2];
	struct thread *_Atomic r_td[2]; /* as they say themselves */
	_Atomic unsigned r_asked[2];    /* by thread 0, of each key */
	bool r_returns; /* thread 1 leaves its queue, and comes back */
} rumour;

static struct thread *
td_of(unsigned i)
{
	/* Acquire: pairs with wait_on_key(). */
	return (atomic_load_explicit(&rumour.r_td[i], memory_order_acquire));
}

static void
signal_key(const void *key)
{
	struct turnstile_chain *tc = turnstile_chain_lock(curthread(), key);
	struct thread *td = turnstile_signal(tc, key, TS_EXCLUSIVE_QUEUE);

	turnstile_unlock_wake(tc, td);
}

/*
 * Thread 0 asks, of its key, when it goes on the queue, when it walks, and when it
 * looks again; of the other, in the last two of these.
 */
static struct thread *
rumoured_owner(struct thread *td, const void *key, unsigned nth, unsigned *np)
{
	struct thread *other = td_of(1);
	unsigned asked, k = key == rumour.r_key[1];

	(void)td;
	(void)nth;
	*np = 1;
	if (curthread() != td_of(0))
		return (NULL);
	/* Relaxed: a count. */
	asked = atomic_fetch_add_explicit(
		    &rumour.r_asked[k], 1, memory_order_relaxed) +
	    1;
	if (k == 0 && asked == 3 && rumour.r_returns) {
		signal_key(rumour.r_key[1]);
		lt_await_blocked(&rumour.r_lth[1], rumour.r_key[1]);
	}
	if (k == 1 && asked == 2 && !rumour.r_returns)
		return (NULL);
	return (k == 0 ? other : curthread());
}

static void
wait_on_key(void *arg, unsigned i)
{
	struct thread *td = curthread();
	struct turnstile_chain *tc;

	(void)arg;
	/* Release: pairs with td_of(). */
	atomic_store_explicit(&rumour.r_td[i], td, memory_order_release);
	for (unsigned n = 0; n <= (i == 1 && rumour.r_returns ? 1u : 0u); n++) {
		tc = turnstile_chain_lock(td, rumour.r_key[i]);
		(void)turnstile_wait(tc, td, rumour.r_key[i], rumoured_owner,
		    TS_EXCLUSIVE_QUEUE, false);
	}
	/* Relaxed: for itself, which owns nothing when it leaves. */
	atomic_store_explicit(&rumour.r_td[i], NULL, memory_order_relaxed);
}

static void
spread_rumour(bool returns)
{
	static char keys[256];

	memset(&rumour, 0, sizeof(rumour));
	rumour.r_returns = returns;
	/* Of different chains: neighbours are. */
	rumour.r_key[0] = keys;
	rumour.r_key[1] = keys + 64;
	lt_setup(&lt, &sim_real_ops, 1, false);
	lt_start(&lt, &rumour.r_lth[1], PRI_DEFAULT, wait_on_key, NULL, 1);
	lt_await_blocked(&rumour.r_lth[1], rumour.r_key[1]);
	lt_start(&lt, &rumour.r_lth[0], PRI_DEFAULT, wait_on_key, NULL, 0);
	lt_await_blocked(&rumour.r_lth[0], rumour.r_key[0]);
	/* Relaxed: a count. */
	while (
	    atomic_load_explicit(&rumour.r_asked[1], memory_order_relaxed) < 2)
		(void)sched_yield();
	signal_key(rumour.r_key[0]);
	signal_key(rumour.r_key[1]);
	lt_join(&rumour.r_lth[0]);
	lt_join(&rumour.r_lth[1]);
	lt_teardown(&lt);
}

static void
what_was_so_once_is_no_cycle(void **state)
{
	(void)state;
	spread_rumour(false);
}

static void
who_came_back_was_gone_meanwhile(void **state)
{
	(void)state;
	spread_rumour(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_so_once_is_no_cycle),
		cmocka_unit_test(who_came_back_was_gone_meanwhile),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
