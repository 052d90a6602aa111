/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Every lock that blocks, in both forms of release, under 2 to 32 threads on 1 to
 * 64 locks.  Threads have random priorities and change them; lock, try, and now
 * and then take an outer mutex first, so that loans go along chains of owners.
 * In the middle they leave the machine and come back, and their host threads end
 * and others take their places, so that slots of the registry, and turnstiles,
 * change hands.  Generations start just short of the wrap.
 *
 * In the end nothing is lost or torn, the generations have counted what was
 * modified, nobody sleeps, and nobody has what was lent to him.
 */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lock/lock_env.h"
#include "lock/mtx.h"
#include "lock/rwlock.h"
#include "lock/sx.h"
#include "lock_util.h"
#include "pmapsim/pv_lock.h"

#define NLOCKS_MAX 64
#define NOUTER     2
#define NLIVES     3
#define NITERS     16000 /* of all threads together */
/* Changes from the start of a generation to its wrap. */
#define NBUMPS 40

/* A lock of any kind; those of the library as pv list locks, too. */
static const struct pv_lock_ops *ops;

static void
mtx_k_lock(void *word)
{
	mtx_lock((struct mtx *)word);
}

static bool
mtx_k_trylock(void *word)
{
	return (mtx_trylock((struct mtx *)word));
}

static void
mtx_k_unlock(void *word, bool modified)
{
	(void)modified;
	mtx_unlock((struct mtx *)word);
}

static bool
mtx_k_owned(const void *word)
{
	return (mtx_owned((const struct mtx *)word));
}

static void
sx_k_lock(void *word)
{
	sx_xlock((struct sx *)word);
}

static bool
sx_k_trylock(void *word)
{
	return (sx_try_xlock((struct sx *)word));
}

static void
sx_k_unlock(void *word, bool modified)
{
	(void)modified;
	sx_xunlock((struct sx *)word);
}

static void
sx_k_rlock(void *word)
{
	sx_slock((struct sx *)word);
}

static bool
sx_k_tryrlock(void *word)
{
	return (sx_try_slock((struct sx *)word));
}

static void
sx_k_runlock(void *word)
{
	sx_sunlock((struct sx *)word);
}

static const struct pv_lock_ops kind_mtx = {
	.plo_name = "mtx",
	.plo_size = sizeof(struct mtx),
	.plo_flags = PLO_ZEROINIT,
	.plo_lock = mtx_k_lock,
	.plo_trylock = mtx_k_trylock,
	.plo_unlock = mtx_k_unlock,
	.plo_owned = mtx_k_owned,
};

static const struct pv_lock_ops kind_sx = {
	.plo_name = "sx",
	.plo_size = sizeof(struct sx),
	.plo_flags = PLO_ZEROINIT,
	.plo_lock = sx_k_lock,
	.plo_trylock = sx_k_trylock,
	.plo_unlock = sx_k_unlock,
	.plo_rlock = sx_k_rlock,
	.plo_tryrlock = sx_k_tryrlock,
	.plo_runlock = sx_k_runlock,
};

struct guarded {
	_Alignas(64) char g_word[PV_LOCK_WORD_MAX];
	uint64_t g_a; /* equal, under the lock */
	uint64_t g_b;
	uint64_t g_bumps;
};

struct stress;

struct worker {
	struct stress *w_st;
	void *w_handle;
	uint64_t w_rng;
	uint64_t w_holds;
	bool w_torn;
	int w_error;
};

struct stress {
	struct lt st_lt;
	struct guarded st_locks[NLOCKS_MAX];
	struct mtx st_outer[NOUTER];
	unsigned st_nlocks;
	unsigned st_iters; /* of one life */
	_Atomic unsigned st_gate;
	struct worker st_workers[LT_THREADS_MAX];
};

struct setting {
	unsigned se_threads;
	unsigned se_locks;
	unsigned se_cpus; /* of the machine; on one nobody spins */
};

static struct stress st;
static uint64_t seed;
static uint64_t wraps; /* as the locks counted them, of all runs */

/* Few enough that equals meet, and chains of three. */
static int
random_pri(struct worker *w)
{
	return (PRI_DEFAULT - 2 + (int)(lt_random(&w->w_rng) % 5));
}

static void
write_once(struct worker *w, struct guarded *g, uint64_t r)
{
	struct thread *td = curthread();
	bool modified = r % 3 != 0;

	td->td_pv_held = g->g_word;
	w->w_torn |= g->g_a != g->g_b;
	if (ops->plo_owned != NULL)
		w->w_torn |= !ops->plo_owned(g->g_word);
	g->g_a++;
	if (r % 127 == 0)
		(void)sched_yield(); /* lose the CPU while holding */
	else
		td->td_sim->sim_ops->so_spin(td->td_sim, (unsigned)(r % 16));
	g->g_b++;
	g->g_bumps += modified;
	w->w_holds++;
	td->td_pv_held = NULL;
	ops->plo_unlock(g->g_word, modified);
}

static void
read_once(struct worker *w, struct guarded *g)
{
	ops->plo_rlock(g->g_word);
	w->w_torn |= g->g_a != g->g_b;
	ops->plo_runlock(g->g_word);
}

static void
work_once(struct worker *w)
{
	uint64_t r = lt_random(&w->w_rng);
	struct guarded *g = &st.st_locks[r % st.st_nlocks];
	struct mtx *outer = NULL;

	r >>= 16;
	if (r % 8 == 0) {
		outer = &st.st_outer[r / 8 % NOUTER];
		mtx_lock(outer);
	}
	r >>= 8;
	if (ops->plo_rlock != NULL && r % 4 == 0)
		read_once(w, g);
	else if (r % 5 != 0) {
		ops->plo_lock(g->g_word);
		write_once(w, g, r >> 8);
	} else if (ops->plo_trylock(g->g_word))
		write_once(w, g, r >> 8);
	if (outer != NULL)
		mtx_unlock(outer);
	if (r % 64 == 0)
		thread_setpri(curthread(), random_pri(w));
}

static void
visit(struct worker *w, unsigned iters)
{
	struct sim *sim = st.st_lt.lt_sim;
	struct thread *td;

	w->w_error = sim_thread_attach(
	    sim, (unsigned)(lt_random(&w->w_rng) % sim->sim_ncpus), 0, &td);
	if (w->w_error != 0)
		return;
	td->td_pri = random_pri(w);
	w->w_error = lock_thread_attach(td);
	if (w->w_error == 0) {
		for (unsigned k = 0; k < iters; k++)
			work_once(w);
		lock_thread_detach(td);
	}
	sim_thread_detach(td);
}

/* One life: two visits, of random lengths. */
static void
live(void *arg)
{
	struct worker *w = arg;
	unsigned n = (unsigned)(lt_random(&w->w_rng) % (st.st_iters + 1));

	/* Relaxed: the gate must not order what the lock should. */
	atomic_fetch_sub_explicit(&st.st_gate, 1, memory_order_relaxed);
	/* Relaxed: as above.  Below zero, which is large, in later lives. */
	while (atomic_load_explicit(&st.st_gate, memory_order_relaxed) - 1 <
	    LT_THREADS_MAX)
		(void)sched_yield();
	visit(w, n);
	if (w->w_error == 0)
		visit(w, st.st_iters - n);
}

static void
begin_life(struct worker *w)
{
	struct sim *sim = st.st_lt.lt_sim;

	assert_int_equal(
	    sim->sim_ops->so_thread_create(sim, -1, live, w, &w->w_handle), 0);
}

static void
end_life(const struct worker *w)
{
	struct sim *sim = st.st_lt.lt_sim;

	assert_int_equal(sim->sim_ops->so_thread_join(sim, w->w_handle), 0);
	assert_int_equal(w->w_error, 0);
}

/* Each thread is replaced when it ends, while the others go on. */
static void
run_lives(unsigned nthreads)
{
	/* Relaxed: the threads are not there yet. */
	atomic_store_explicit(&st.st_gate, nthreads, memory_order_relaxed);
	for (unsigned i = 0; i < nthreads; i++) {
		st.st_workers[i].w_st = &st;
		st.st_workers[i].w_rng = seed + i;
		begin_life(&st.st_workers[i]);
	}
	for (unsigned life = 1; life < NLIVES; life++) {
		for (unsigned i = 0; i < nthreads; i++) {
			end_life(&st.st_workers[i]);
			begin_life(&st.st_workers[i]);
		}
	}
	for (unsigned i = 0; i < nthreads; i++)
		end_life(&st.st_workers[i]);
}

static uint32_t
first_word(void)
{
	return (UINT32_C(0) - ((uint32_t)NBUMPS << ops->plo_gen_bits));
}

static void
locks_make(void)
{
	uint32_t first = first_word();

	for (unsigned i = 0; i < NOUTER; i++)
		mtx_init(&st.st_outer[i], "outer", LO_DUPOK);
	for (unsigned k = 0; k < st.st_nlocks; k++) {
		if (ops->plo_init != NULL)
			assert_int_equal(
			    ops->plo_init(st.st_locks[k].g_word), 0);
		if (ops->plo_gen_bits > 0)
			memcpy(st.st_locks[k].g_word, &first, sizeof(first));
	}
}

/* The lock is free and has counted; returns how often it wrapped. */
static uint64_t
lock_end(struct guarded *g)
{
	uint64_t gen = 0;
	uint32_t word;

	assert_int_equal(g->g_a, g->g_b);
	if (ops->plo_gen_bits > 0) {
		gen = (first_word() >> ops->plo_gen_bits) + g->g_bumps;
		memcpy(&word, g->g_word, sizeof(word));
		assert_int_equal(word,
		    first_word() + ((uint32_t)g->g_bumps << ops->plo_gen_bits));
	}
	assert_true(ops->plo_trylock(g->g_word));
	ops->plo_unlock(g->g_word, false);
	if (ops->plo_destroy != NULL)
		ops->plo_destroy(g->g_word);
	return (gen >> (32 - ops->plo_gen_bits));
}

/* No slot that was ever used holds, waits, owes or has what was lent to it. */
static void
slots_are_clean(struct lock_env *le)
{
	struct held_line *chunk, *hl;
	uint32_t i = 0, n;
	struct thread *td;

	/* Relaxed: all but the main thread are joined; and so below. */
	n = atomic_load_explicit(&le->le_held.hr_n, memory_order_relaxed);
	chunk = atomic_load_explicit(
	    &le->le_held.hr_chunk[0], memory_order_relaxed);
	assert_true(n <= HELD_FIRST);
	for (; i < n; i++) {
		hl = &chunk[i];
		td = hl->hl_td;
		if (td == NULL)
			continue;
		for (unsigned s = 0; s < HELD_SLOTS; s++)
			assert_null(atomic_load_explicit(
			    &hl->hl_word[s], memory_order_relaxed));
		assert_null(atomic_load_explicit(
		    &td->td_blocked_on, memory_order_relaxed));
		assert_int_equal(atomic_load_explicit(&td->td_loan.pw_owner,
				     memory_order_relaxed),
		    0);
		assert_null(td->td_lent_to);
		assert_null(td->td_returns);
		assert_null(td->td_contested);
		assert_int_equal(td->td_pri, td->td_base_pri);
	}
}

static void
nothing_is_lost_or_stays_lent(void **state)
{
	const struct setting *se = *state;
	uint64_t counted, expected = 0, holds = 0, sum = 0;
	struct lock_env *le;

	memset(&st, 0, sizeof(st));
	st.st_nlocks = se->se_locks;
	st.st_iters = lt_scale(NITERS) / (NLIVES * se->se_threads) + 1;
	lt_setup(&st.st_lt, &sim_real_ops, se->se_cpus, false);
	locks_make();
	run_lives(se->se_threads);

	le = st.st_lt.lt_sim->sim_locks;
	for (unsigned i = 0; i < se->se_threads; i++) {
		assert_false(st.st_workers[i].w_torn);
		holds += st.st_workers[i].w_holds;
	}
	for (unsigned k = 0; k < st.st_nlocks; k++) {
		sum += st.st_locks[k].g_a;
		expected += lock_end(&st.st_locks[k]);
	}
	assert_int_equal(sum, holds);
	for (unsigned i = 0; i < NOUTER; i++)
		mtx_destroy(&st.st_outer[i]);
	/* Relaxed: the threads are joined. */
	counted = atomic_load_explicit(&le->le_gen_wraps, memory_order_relaxed);
	assert_int_equal(counted, expected);
	wraps += counted;
	slots_are_clean(le);
	lt_teardown(&st.st_lt); /* calls lock_env_check() */
}

static void
wraps_were_crossed_and_counted(void **state)
{
	(void)state;
	assert_true(wraps > 0);
}

static struct setting settings[] = {
	{ 2, 1, 2 },
	{ 4, 2, 2 },
	{ 8, 1, 1 },
	{ 16, NLOCKS_MAX, 2 },
	{ 32, 3, 2 },
	{ 32, 1, 1 },
};

#define SETTING_TEST(what, i)                                                  \
	{                                                                      \
		.name = "nothing_is_lost_or_stays_lent:" what,                 \
		.test_func = nothing_is_lost_or_stays_lent,                    \
		.initial_state = &settings[i]                                  \
	}

static int
run_kind(const struct pv_lock_ops *kind, const char *form)
{
	const struct CMUnitTest tests[] = {
		SETTING_TEST("2 threads, 1 lock", 0),
		SETTING_TEST("4 threads, 2 locks", 1),
		SETTING_TEST("8 threads, 1 lock, blocking", 2),
		SETTING_TEST("16 threads, 64 locks", 3),
		SETTING_TEST("32 threads, 3 locks", 4),
		SETTING_TEST("32 threads, 1 lock, blocking", 5),
	};
	const struct CMUnitTest gen_tests[] = {
		cmocka_unit_test(wraps_were_crossed_and_counted),
	};
	char name[64];
	int failed;

	ops = kind;
	wraps = 0;
	snprintf(name, sizeof(name), "%s%s", kind->plo_name, form);
	failed = cmocka_run_group_tests_name(name, tests, NULL, NULL);
	if (kind->plo_gen_bits > 0)
		failed +=
		    cmocka_run_group_tests_name(name, gen_tests, NULL, NULL);
	return (failed);
}

/* FIFO locks that spin come to a crawl, and have tests of their own. */
static int
run_all(const char *form, const char *only)
{
	const struct pv_lock_ops *const *list = pv_lock_ops_list();
	int failed = 0;

	for (size_t i = 0; list[i] != NULL; i++) {
		if ((list[i]->plo_flags & (PLO_NOLOCK | PLO_SPIN)) == 0 &&
		    (only == NULL || strcmp(only, list[i]->plo_name) == 0))
			failed += run_kind(list[i], form);
	}
	return (failed);
}

int
main(void)
{
	int failed;

	seed = lt_seed();
	failed = run_all("", NULL);
	failed += run_kind(pv_lock_ops_lookup("gen1"), "");
	failed += run_kind(&kind_mtx, "");
	failed += run_kind(&kind_sx, "");
	/* Where there is another form to be had than this one. */
	if (sim_real_ops.so_asym_init()) {
		if (setenv("PMAPSIM_RELEASE", "portable", 1) != 0)
			return (1);
		failed += run_all(", portable release", "gen2");
		failed += run_all(", portable release", "mtx8");
		failed += run_kind(&kind_mtx, ", portable release");
	}
	return (failed == 0 ? 0 : 1);
}
