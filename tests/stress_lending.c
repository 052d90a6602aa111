/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Locks of all kinds that know their owners, taken in an order, so that there is no
 * deadlock; and with a trylock now and then in the other order, so that owners run
 * in circles all the same, but never wait in one.  Threads hold up to three, and
 * lose their CPU with them: the chains of owners are long, and change while others
 * walk along them.  None may be told, and all must come to their end.
 *
 * Once with one priority for all, when nothing is lent, and once with several.
 */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lock/turnstile.h"
#include "lock_util.h"
#include "pmapsim/pv_lock.h"

#define NLOCKS   6
#define NTHREADS 12
#define NHELD    3
#define NITERS   30000 /* of all threads together */

static uint64_t seed;

struct chained {
	_Alignas(64) char c_word[PV_LOCK_WORD_MAX];
	const struct pv_lock_ops *c_ops;
	uint64_t c_n; /* under the lock */
};

static struct chained locks[NLOCKS];
static uint64_t taken[NTHREADS];

static void
take(unsigned k, unsigned i)
{
	locks[k].c_n++;
	taken[i]++;
}

static void
drop(unsigned k)
{
	locks[k].c_ops->plo_unlock(locks[k].c_word, true);
}

/* Up to three of them, upwards. */
static void
work_once(unsigned i, uint64_t *rng)
{
	uint64_t r = lt_random(rng);
	unsigned held[NHELD], n = 0;

	for (unsigned k = (unsigned)(r % NLOCKS); k < NLOCKS && n < NHELD;
	     k += 1 + (unsigned)((r >>= 4) % 2)) {
		locks[k].c_ops->plo_lock(locks[k].c_word);
		take(k, i);
		held[n++] = k;
	}
	r >>= 8;
	/* And one below them, if it is to be had. */
	if (held[0] > 0 && r % 2 == 0 &&
	    locks[held[0] - 1].c_ops->plo_trylock(locks[held[0] - 1].c_word)) {
		take(held[0] - 1, i);
		drop(held[0] - 1);
	}
	if (r % 8 == 0)
		(void)sched_yield(); /* lose the CPU while holding */
	while (n > 0)
		drop(held[--n]);
}

static void
work(void *arg, unsigned i)
{
	const unsigned *npris = arg;
	uint64_t rng = seed + i;

	for (unsigned n = 0; n < lt_scale(NITERS) / NTHREADS + 1; n++) {
		work_once(i, &rng);
		if (*npris > 1 && n % 64 == 0)
			thread_setpri(curthread(),
			    PRI_DEFAULT - (int)(lt_random(&rng) % *npris));
	}
}

static void
locks_in_order_make_no_deadlock(void **state)
{
	static const char *const kinds[] = { "gen2", "mtx8", "rwlock" };
	const unsigned *npris = *state;
	uint64_t n = 0, sum = 0;

	lt_setup(&lt, &sim_real_ops, 2, false);
	memset(locks, 0, sizeof(locks));
	memset(taken, 0, sizeof(taken));
	for (unsigned k = 0; k < NLOCKS; k++) {
		locks[k].c_ops = pv_lock_ops_lookup(kinds[k % 3]);
		if (locks[k].c_ops->plo_init != NULL)
			assert_int_equal(
			    locks[k].c_ops->plo_init(locks[k].c_word), 0);
	}
	lt_run_pri(&lt, NTHREADS, *npris, work, (void *)(uintptr_t)npris);
	for (unsigned k = 0; k < NLOCKS; k++)
		n += locks[k].c_n;
	for (unsigned i = 0; i < NTHREADS; i++)
		sum += taken[i];
	assert_int_equal(n, sum);
	lt_teardown(&lt);
}

int
main(void)
{
	static unsigned npris[] = { 1, 5 };
	const struct CMUnitTest tests[] = {
		{ .name = "locks_in_order_make_no_deadlock:equals",
		    .test_func = locks_in_order_make_no_deadlock,
		    .initial_state = &npris[0] },
		{ .name = "locks_in_order_make_no_deadlock:5 priorities",
		    .test_func = locks_in_order_make_no_deadlock,
		    .initial_state = &npris[1] },
	};

	seed = lt_seed();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
