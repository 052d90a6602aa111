/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Every pv list lock under 2 to 16 threads on few locks: random lock, random
 * length, now and then a try-lock or a yield, readers where there is a shared
 * mode.  Each lock guards two plain counters that must be equal; in the end they
 * must add up to what the threads say they did, and so must the generations.
 */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lock_util.h"
#include "pmapsim/pv_lock.h"

#define NLOCKS_MAX 4
#define NITERS     60000 /* of all threads together */

static const struct pv_lock_ops *ops; /* the backend under test */
static uint64_t seed;

struct guarded {
	_Alignas(64) char g_word[PV_LOCK_WORD_MAX];
	uint64_t g_a; /* equal, under the lock */
	uint64_t g_b;
	uint64_t g_bumps;
};

struct stress {
	struct guarded st_locks[NLOCKS_MAX];
	unsigned st_nlocks;
	unsigned st_iters;
	uint64_t st_holds[LT_THREADS_MAX];
	bool st_torn[LT_THREADS_MAX];
};

static void
write_once(struct stress *st, struct guarded *g, uint64_t r, unsigned i)
{
	bool modified = r % 3 != 0;

	curthread()->td_pv_held = g->g_word;
	st->st_torn[i] |= g->g_a != g->g_b;
	if (ops->plo_owned != NULL)
		st->st_torn[i] |= !ops->plo_owned(g->g_word);
	g->g_a++;
	if (r % 251 == 0)
		(void)sched_yield(); /* lose the CPU while holding */
	else
		curthread()->td_sim->sim_ops->so_spin(
		    curthread()->td_sim, (unsigned)(r % 16));
	g->g_b++;
	g->g_bumps += modified;
	st->st_holds[i]++;
	curthread()->td_pv_held = NULL;
	ops->plo_unlock(g->g_word, modified);
}

static void
hammer(void *arg, unsigned i)
{
	struct stress *st = arg;
	uint64_t r, rng = seed + i;
	struct guarded *g;

	for (unsigned k = 0; k < st->st_iters; k++) {
		r = lt_random(&rng);
		g = &st->st_locks[r % st->st_nlocks];
		r >>= 16;
		if (ops->plo_rlock != NULL && r % 4 == 0) {
			ops->plo_rlock(g->g_word);
			st->st_torn[i] |= g->g_a != g->g_b;
			ops->plo_runlock(g->g_word);
			continue;
		}
		if (r % 5 != 0)
			ops->plo_lock(g->g_word);
		else if (!ops->plo_trylock(g->g_word))
			continue;
		write_once(st, g, r >> 8, i);
	}
}

static void
run(unsigned nthreads, unsigned nlocks, unsigned ncpus, unsigned npris)
{
	static struct stress st;
	uint64_t holds = 0, sum = 0;
	struct guarded *g;
	uint32_t word;

	memset(&st, 0, sizeof(st));
	st.st_nlocks = nlocks;
	st.st_iters = lt_scale_lock(ops, NITERS) / nthreads;
	lt_setup(&lt, &sim_real_ops, ncpus, false);
	for (unsigned k = 0; k < nlocks; k++) {
		if (ops->plo_init != NULL)
			assert_int_equal(
			    ops->plo_init(st.st_locks[k].g_word), 0);
	}
	lt_run_pri(&lt, nthreads, npris, hammer, &st);

	for (unsigned i = 0; i < nthreads; i++) {
		assert_false(st.st_torn[i]);
		holds += st.st_holds[i];
	}
	for (unsigned k = 0; k < nlocks; k++) {
		g = &st.st_locks[k];
		assert_int_equal(g->g_a, g->g_b);
		sum += g->g_a;
		if (ops->plo_gen_bits > 0) {
			memcpy(&word, g->g_word, sizeof(word));
			assert_int_equal(
			    word, (uint32_t)g->g_bumps << ops->plo_gen_bits);
		}
		assert_true(ops->plo_trylock(g->g_word));
		ops->plo_unlock(g->g_word, false);
		if (ops->plo_destroy != NULL)
			ops->plo_destroy(g->g_word);
	}
	assert_int_equal(sum, holds);
	lt_teardown(&lt);
}

static void
nothing_is_lost_by_2_threads(void **state)
{
	(void)state;
	run(2, 1, 2, 1);
	run(2, 2, 2, 2);
}

static void
nothing_is_lost_by_5_threads(void **state)
{
	(void)state;
	run(5, 1, 2, 1);
	run(5, 3, 2, 3);
}

static void
nothing_is_lost_by_16_threads(void **state)
{
	(void)state;
	run(16, 1, 16, 1);
	run(16, NLOCKS_MAX, 16, 4);
}

/* Waiters do not spin at all: each contended lock blocks. */
static void
nothing_is_lost_on_one_cpu(void **state)
{
	(void)state;
	run(8, 1, 1, 1);
	run(8, 2, 1, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_by_2_threads),
		cmocka_unit_test(nothing_is_lost_by_5_threads),
		cmocka_unit_test(nothing_is_lost_by_16_threads),
		cmocka_unit_test(nothing_is_lost_on_one_cpu),
	};
	const struct pv_lock_ops *const *list = pv_lock_ops_list();
	int failed = 0;

	seed = lt_seed();
	for (size_t i = 0; list[i] != NULL; i++) {
		ops = list[i];
		if ((ops->plo_flags & PLO_NOLOCK) != 0)
			continue;
		failed += cmocka_run_group_tests_name(
		    ops->plo_name, tests, NULL, NULL);
	}
	return (failed == 0 ? 0 : 1);
}
