/* SPDX-License-Identifier: BSD-2-Clause */

#include "lock/witness.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "lock/lock_hooks.h"
#include "lock/mtx.h"
#include "lock/rwlock.h"
#include "lock_util.h"

#define NTHREADS    8
#define NLOCKS      70 /* more than there may be classes */
#define REPORTS_MAX 16

/* What was reported; the threads of a test report one at a time, or just count. */
static struct witness_report reports[REPORTS_MAX];
static _Atomic unsigned nreports;

static struct mtx locks[NLOCKS];
static char names[NLOCKS][8];

static void
capture(void *arg, const struct witness_report *wr)
{
	/* Relaxed: a place of its own; the main thread joins first. */
	unsigned i =
	    atomic_fetch_add_explicit(&nreports, 1, memory_order_relaxed);

	(void)arg;
	if (i < REPORTS_MAX)
		reports[i] = *wr;
}

static unsigned
count(void)
{
	/* Relaxed: the threads are joined. */
	return (atomic_load_explicit(&nreports, memory_order_relaxed));
}

static void
start(const struct witness_order *wo)
{
	memset(&lt, 0, sizeof(lt));
	assert_int_equal(kmem_create(1, &lt.lt_kmem), 0);
	assert_int_equal(
	    sim_create(lt.lt_kmem, &sim_real_ops, NTHREADS, &lt.lt_sim), 0);
	assert_int_equal(lock_env_create(lt.lt_sim, false), 0);
	assert_int_equal(witness_create(lt.lt_sim, wo), 0);
	witness_set_reporter(lt.lt_sim, capture, NULL);
	assert_int_equal(sim_thread_attach(lt.lt_sim, 0, 0, &lt.lt_td), 0);
	assert_int_equal(lock_thread_attach(lt.lt_td), 0);
	/* Relaxed: no other thread is there yet. */
	atomic_store_explicit(&nreports, 0, memory_order_relaxed);
	for (unsigned i = 0; i < NLOCKS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "lock%02u", i);
		mtx_init(&locks[i], names[i], 0);
	}
}

static void
finish(void)
{
	for (unsigned i = 0; i < NLOCKS; i++)
		mtx_destroy(&locks[i]);
	assert_int_equal(witness_reports(lt.lt_sim), count());
	lock_thread_detach(lt.lt_td);
	sim_thread_detach(lt.lt_td);
	lock_env_destroy(lt.lt_sim);
	sim_destroy(lt.lt_sim);
	assert_int_equal(kmem_destroy(lt.lt_kmem, stderr), 0);
}

static int
setup(void **state)
{
	(void)state;
	start(NULL);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	finish();
	return (0);
}

/* Each lock of a sequence ended by -1, inside the one before; at line 100 + i. */
static void
take_in_order(const int *seq)
{
	int i;

	for (i = 0; seq[i] >= 0; i++)
		mtx_lock_at(&locks[seq[i]], "take.c", 100 + seq[i]);
	while (i-- > 0)
		mtx_unlock(&locks[seq[i]]);
}

static void
take_seq(void *arg, unsigned i)
{
	int *const *seqs = arg;

	take_in_order(seqs[i]);
}

static void
assert_place(const struct witness_place *wp, const char *name, const char *file,
    int line)
{
	assert_string_equal(wp->wp_name, name);
	assert_string_equal(wp->wp_file, file);
	assert_int_equal(wp->wp_line, line);
}

static void
two_nested(unsigned a, unsigned b, int line)
{
	mtx_lock_at(&locks[a], "nest.c", line);
	mtx_lock_at(&locks[b], "nest.c", line + 1);
	mtx_unlock(&locks[b]);
	mtx_unlock(&locks[a]);
}

static void
nest_forwards(void *arg, unsigned i)
{
	(void)arg;
	(void)i;
	two_nested(1, 2, 10);
}

static void
nest_backwards(void *arg, unsigned i)
{
	(void)arg;
	(void)i;
	two_nested(2, 1, 20);
}

static void
reversal_is_reported_with_its_four_places(void **state)
{
	const struct witness_report *wr = &reports[0];
	char text[1024];

	(void)state;
	lt_run(&lt, 1, nest_forwards, NULL);
	assert_int_equal(count(), 0);
	lt_run(&lt, 1, nest_backwards, NULL);
	assert_int_equal(count(), 1);
	assert_int_equal(wr->wr_kind, WITNESS_REVERSAL);
	assert_place(&wr->wr_held, "lock02", "nest.c", 20);
	assert_place(&wr->wr_wanted, "lock01", "nest.c", 21);
	assert_ptr_equal(wr->wr_held.wp_key, &locks[2]);
	assert_ptr_equal(wr->wr_wanted.wp_key, &locks[1]);
	assert_int_equal(wr->wr_nsteps, 1);
	assert_place(&wr->wr_steps[0].ws_outer, "lock01", "nest.c", 10);
	assert_place(&wr->wr_steps[0].ws_inner, "lock02", "nest.c", 11);

	assert_true(witness_format(wr, text, sizeof(text)) < (int)sizeof(text));
	assert_non_null(strstr(text, "lock order reversal"));
	assert_non_null(strstr(text, "lock02 (sleep mutex)"));
	assert_non_null(strstr(text, "nest.c:20\n"));
	assert_non_null(strstr(text, "nest.c:21\n"));
	assert_non_null(strstr(text, "nest.c:10\n"));
	assert_non_null(strstr(text, "nest.c:11\n"));
	/* Cut, counted and ended. */
	assert_int_equal(
	    witness_format(wr, text, 10), witness_format(wr, NULL, 0));
	assert_int_equal(strlen(text), 9);
}

static void
reversal_is_reported_once_and_not_learned(void **state)
{
	(void)state;
	two_nested(1, 2, 10);
	for (int i = 0; i < 3; i++)
		two_nested(2, 1, 20);
	assert_int_equal(count(), 1);
	/* The order that was there first still holds. */
	two_nested(1, 2, 30);
	assert_int_equal(count(), 1);
	/* Another pair is another report. */
	two_nested(2, 3, 40);
	two_nested(3, 1, 50);
	assert_int_equal(count(), 2);
}

static void
consistent_order_is_not_reported(void **state)
{
	static const int all[] = { 0, 1, 2, 3, 4, 5, -1 };
	static const int some[] = { 1, 4, 5, -1 };
	static const int other[] = { 0, 3, 6, 7, -1 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		take_in_order(all);
		take_in_order(some);
		take_in_order(other);
	}
	assert_int_equal(count(), 0);
}

static void
releases_may_come_in_any_order(void **state)
{
	(void)state;
	mtx_lock(&locks[0]);
	mtx_lock(&locks[1]);
	mtx_unlock(&locks[0]);
	mtx_lock(&locks[2]); /* only 1 before 2 */
	mtx_unlock(&locks[1]);
	mtx_lock(&locks[0]); /* 2 before 0 is new, and no cycle */
	mtx_unlock(&locks[0]);
	mtx_unlock(&locks[2]);
	assert_int_equal(count(), 1);
	assert_int_equal(reports[0].wr_kind, WITNESS_REVERSAL);
	assert_int_equal(reports[0].wr_nsteps, 2);
	assert_string_equal(reports[0].wr_steps[0].ws_inner.wp_name, "lock01");
}

static void
cycle_through_a_third_class_is_found(void **state)
{
	static const int ab[] = { 0, 1, -1 }, bc[] = { 1, 2, -1 };
	static const int ca[] = { 2, 0, -1 };
	static const int *const seqs[] = { ab, bc, ca };
	const struct witness_report *wr = &reports[0];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(count(), 0);
		lt_run(&lt, 1, take_seq, (void *)(uintptr_t)&seqs[i]);
	}
	assert_int_equal(count(), 1);
	assert_int_equal(wr->wr_kind, WITNESS_REVERSAL);
	assert_place(&wr->wr_held, "lock02", "take.c", 102);
	assert_place(&wr->wr_wanted, "lock00", "take.c", 100);
	assert_int_equal(wr->wr_nsteps, 2);
	assert_place(&wr->wr_steps[0].ws_outer, "lock00", "take.c", 100);
	assert_place(&wr->wr_steps[0].ws_inner, "lock01", "take.c", 101);
	assert_place(&wr->wr_steps[1].ws_outer, "lock01", "take.c", 101);
	assert_place(&wr->wr_steps[1].ws_inner, "lock02", "take.c", 102);
}

static void
long_cycle_is_cut_and_counted(void **state)
{
	char text[4096];

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		two_nested(i, i + 1, 10);
	two_nested(20, 0, 10);
	assert_int_equal(count(), 1);
	assert_int_equal(reports[0].wr_nsteps, 20);
	(void)witness_format(&reports[0], text, sizeof(text));
	assert_non_null(strstr(text, " and 12 more\n"));
}

static void
trylock_makes_no_order_but_is_held(void **state)
{
	(void)state;
	two_nested(1, 2, 10);
	mtx_lock(&locks[2]);
	assert_true(mtx_trylock(&locks[1])); /* 2, 1: cannot wait */
	mtx_unlock(&locks[1]);
	mtx_unlock(&locks[2]);
	assert_int_equal(count(), 0);

	mtx_lock(&locks[3]);
	assert_true(mtx_trylock(&locks[4]));
	mtx_lock(&locks[5]); /* 3 before 5, 4 before 5; not 3 before 4 */
	mtx_unlock(&locks[5]);
	mtx_unlock(&locks[4]);
	mtx_unlock(&locks[3]);
	two_nested(4, 3, 20);
	assert_int_equal(count(), 0);
	two_nested(5, 4, 30);
	assert_int_equal(count(), 1);
	two_nested(5, 3, 40);
	assert_int_equal(count(), 2);
}

static void
second_lock_of_a_class_needs_dupok(void **state)
{
	struct mtx a, b, c, d;

	(void)state;
	mtx_init(&a, "twin", 0);
	mtx_init(&b, "twin", 0);
	mtx_init(&c, "pair", LO_DUPOK);
	mtx_init(&d, "pair", LO_DUPOK);
	mtx_lock(&c);
	mtx_lock(&d);
	mtx_unlock(&d);
	mtx_unlock(&c);
	mtx_lock(&d);
	mtx_lock(&c);
	mtx_unlock(&c);
	mtx_unlock(&d);
	assert_int_equal(count(), 0);
	for (int i = 0; i < 2; i++) {
		mtx_lock_at(&a, "dup.c", 1);
		mtx_lock_at(&b, "dup.c", 2);
		mtx_unlock(&b);
		mtx_unlock(&a);
	}
	assert_int_equal(count(), 1);
	assert_int_equal(reports[0].wr_kind, WITNESS_DUPLICATE);
	assert_place(&reports[0].wr_held, "twin", "dup.c", 1);
	assert_place(&reports[0].wr_wanted, "twin", "dup.c", 2);
}

/* The same name at another address, as a constant of another file would be. */
static void
classes_are_told_by_their_text(void **state)
{
	static const char twin[] = "lock01";
	struct mtx m;

	(void)state;
	mtx_init(&m, twin, 0);
	two_nested(1, 2, 10);
	mtx_lock(&locks[2]);
	mtx_lock(&m);
	mtx_unlock(&m);
	mtx_unlock(&locks[2]);
	assert_int_equal(count(), 1);
	assert_int_equal(reports[0].wr_kind, WITNESS_REVERSAL);
}

static void
wanting_a_lock_that_is_held_is_reported(void **state)
{
	struct rwlock rw;

	(void)state;
	rw_init(&rw, "rw", 0);
	rw_rlock(&rw);
	assert_int_equal(witness_held(lt.lt_td, &rw), WITNESS_SHARED);
	/* Twice shared is the lock's business. */
	lock_hook_want(lt.lt_td, &rw.lock_object, &rw, 0, "self.c", 1);
	assert_int_equal(count(), 0);
	lock_hook_want(
	    lt.lt_td, &rw.lock_object, &rw, LOP_EXCLUSIVE, "self.c", 2);
	assert_int_equal(count(), 1);
	assert_int_equal(reports[0].wr_kind, WITNESS_SELF);
	assert_place(&reports[0].wr_wanted, "rw", "self.c", 2);
	rw_runlock(&rw);
	assert_int_equal(witness_held(lt.lt_td, &rw), WITNESS_NOT_HELD);
	rw_wlock(&rw);
	assert_int_equal(witness_held(lt.lt_td, &rw), WITNESS_EXCLUSIVE);
	rw_wunlock(&rw);
	rw_destroy(&rw);
}

static const char *const given_chains[] = { "lock01", "lock02", "lock03", NULL,
	"lock02", "lock09", NULL, NULL };
static const struct witness_rule given_rules[] = {
	{ "lock09", WITNESS_LEAF_CLASS },
	{ "lock08", WITNESS_ALONE },
	{ NULL, 0 },
};
static const struct witness_order given = {
	.wo_chains = given_chains,
	.wo_rules = given_rules,
};

static int
setup_given(void **state)
{
	(void)state;
	start(&given);
	return (0);
}

static void
order_given_is_broken_the_first_time(void **state)
{
	char text[1024];

	(void)state;
	two_nested(1, 2, 10);
	assert_int_equal(count(), 0);
	two_nested(3, 1, 20);
	assert_int_equal(count(), 1);
	assert_int_equal(reports[0].wr_kind, WITNESS_REVERSAL);
	assert_int_equal(reports[0].wr_nsteps, 2);
	assert_place(&reports[0].wr_steps[0].ws_outer, "lock01", "nest.c", 10);
	assert_null(reports[0].wr_steps[1].ws_outer.wp_file);
	assert_string_equal(reports[0].wr_steps[1].ws_inner.wp_name, "lock03");
	(void)witness_format(&reports[0], text, sizeof(text));
	assert_non_null(strstr(text, "the order given"));
}

static void
nothing_goes_under_a_leaf(void **state)
{
	(void)state;
	two_nested(2, 9, 10);
	assert_int_equal(count(), 0);
	two_nested(9, 5, 20);
	assert_int_equal(count(), 1);
	assert_int_equal(reports[0].wr_kind, WITNESS_LEAF);
	assert_place(&reports[0].wr_held, "lock09", "nest.c", 20);
	mtx_lock(&locks[9]);
	assert_true(mtx_trylock(&locks[6])); /* not even this */
	mtx_unlock(&locks[6]);
	mtx_unlock(&locks[9]);
	assert_int_equal(count(), 2);
	assert_int_equal(reports[1].wr_kind, WITNESS_LEAF);
}

static void
class_held_alone_admits_no_second_by_trylock(void **state)
{
	struct mtx a, b;

	(void)state;
	mtx_init(&a, "lock08", LO_DUPOK);
	mtx_init(&b, "lock08", LO_DUPOK);
	mtx_lock(&a);
	assert_true(mtx_trylock(&b));
	mtx_unlock(&b);
	assert_int_equal(count(), 1);
	assert_int_equal(reports[0].wr_kind, WITNESS_DUPLICATE);
	mtx_unlock(&a);
}

struct edges {
	unsigned e_n;
	unsigned e_given;
	struct witness_edge e_last;
};

static void
gather(void *arg, const struct witness_edge *we)
{
	struct edges *e = arg;

	e->e_n++;
	e->e_given += we->we_given;
	e->e_last = *we;
}

static void
edges_seen_are_listed_and_compared_with_those_given(void **state)
{
	struct edges e = { 0 };

	(void)state;
	witness_foreach_edge(lt.lt_sim, gather, &e);
	assert_int_equal(e.e_n, 0); /* given is not seen */
	two_nested(1, 3, 10);       /* follows from two given */
	two_nested(1, 3, 20);
	witness_foreach_edge(lt.lt_sim, gather, &e);
	assert_int_equal(e.e_n, 1);
	assert_int_equal(e.e_given, 1);
	assert_place(&e.e_last.we_first.ws_outer, "lock01", "nest.c", 10);
	assert_place(&e.e_last.we_first.ws_inner, "lock03", "nest.c", 11);
	two_nested(4, 1, 30);
	memset(&e, 0, sizeof(e));
	witness_foreach_edge(lt.lt_sim, gather, &e);
	assert_int_equal(e.e_n, 2);
	assert_int_equal(e.e_given, 1);
}

static void
sleeping_with_a_mutex_is_reported(void **state)
{
	static const struct lock_object sx = {
		.lo_name = "an sx",
		.lo_flags = LC_SX,
	};
	static const struct lock_object spin = {
		.lo_name = "a spin lock",
		.lo_flags = LC_SPIN,
	};
	struct thread *td = lt.lt_td;

	(void)state;
	/* sx, then mutex, then spin lock is the way in. */
	lock_hook_acquired(td, &sx, &sx, 0, LOP_EXCLUSIVE, "s.c", 1);
	witness_sleep("an event");
	mtx_lock(&locks[0]);
	lock_hook_want(td, &spin, &spin, LOP_EXCLUSIVE, "s.c", 2);
	assert_int_equal(count(), 0);
	witness_sleep_at(td, "an event", "s.c", 3);
	witness_sleep_at(td, "an event", "s.c", 3);
	assert_int_equal(count(), 1);
	assert_int_equal(reports[0].wr_kind, WITNESS_SLEEP);
	assert_string_equal(reports[0].wr_held.wp_name, "lock00");
	assert_place(&reports[0].wr_wanted, "an event", "s.c", 3);
	mtx_unlock(&locks[0]);
	lock_hook_release(td, &sx);

	mtx_lock(&locks[1]);
	lock_hook_want(td, &sx, &sx, 0, "s.c", 4);
	mtx_unlock(&locks[1]);
	assert_int_equal(count(), 2);
	assert_int_equal(reports[1].wr_kind, WITNESS_SLEEP);
	lock_hook_acquired(td, &spin, &spin, 0, LOP_EXCLUSIVE, "s.c", 5);
	lock_hook_want(
	    td, &locks[2].lock_object, &locks[2], LOP_EXCLUSIVE, "s.c", 6);
	lock_hook_release(td, &spin);
	assert_int_equal(count(), 3);
	assert_int_equal(reports[2].wr_kind, WITNESS_SLEEP);
}

static void
conversion_changes_how_it_is_held(void **state)
{
	static const struct lock_object lo = {
		.lo_name = "rw",
		.lo_flags = LC_RW,
	};

	(void)state;
	lock_hook_acquired(lt.lt_td, &lo, &lo, 0, 0, "c.c", 1);
	lock_hook_converted(lt.lt_td, &lo, LOP_EXCLUSIVE);
	assert_int_equal(witness_held(lt.lt_td, &lo), WITNESS_EXCLUSIVE);
	lock_hook_converted(lt.lt_td, &lo, 0);
	assert_int_equal(witness_held(lt.lt_td, &lo), WITNESS_SHARED);
	lock_hook_release(lt.lt_td, &lo);
}

static void
too_many_classes_are_told_once_and_the_rest_is_judged(void **state)
{
	(void)state;
	for (unsigned i = 0; i + 1 < NLOCKS; i++)
		two_nested(i, i + 1, 10);
	assert_int_equal(count(), 1);
	assert_int_equal(reports[0].wr_kind, WITNESS_LIMIT);
	assert_string_equal(reports[0].wr_wanted.wp_name, "lock64");
	two_nested(66, 65, 20); /* unnoticed */
	assert_int_equal(count(), 1);
	two_nested(63, 0, 30);
	assert_int_equal(count(), 2);
	assert_int_equal(reports[1].wr_kind, WITNESS_REVERSAL);
	assert_int_equal(reports[1].wr_nsteps, 63);
}

static void
too_many_held_locks_are_told_once(void **state)
{
	struct mtx same[40];

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		mtx_init(&same[i], "same", LO_DUPOK);
		mtx_lock_at(&same[i], "held.c", (int)i);
	}
	assert_int_equal(count(), 1);
	assert_int_equal(reports[0].wr_kind, WITNESS_LIMIT);
	assert_place(&reports[0].wr_wanted, "same", "held.c", 32);
	assert_int_equal(witness_held(lt.lt_td, &same[31]), WITNESS_EXCLUSIVE);
	assert_int_equal(witness_held(lt.lt_td, &same[33]), WITNESS_UNKNOWN);
	for (unsigned i = 0; i < 40; i++)
		mtx_unlock(&same[i]);
	assert_int_equal(count(), 1);
}

/* Its place is forgotten then, not the edge. */
static void
too_many_edges_are_told_once_and_still_judged(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 30; i++)
		mtx_lock(&locks[i]);
	for (unsigned k = 30; k < 50; k++) {
		mtx_lock(&locks[k]);
		mtx_unlock(&locks[k]);
	}
	for (unsigned i = 0; i < 30; i++)
		mtx_unlock(&locks[i]);
	assert_int_equal(count(), 1);
	assert_int_equal(reports[0].wr_kind, WITNESS_LIMIT);
	two_nested(49, 0, 10);
	assert_int_equal(count(), 2);
	assert_int_equal(reports[1].wr_kind, WITNESS_REVERSAL);
	assert_int_equal(reports[1].wr_nsteps, 1);
}

struct walk {
	uint64_t w_seed;
	unsigned w_rounds;
	bool w_odd_one; /* thread 0 also takes two the wrong way round */
};

/* A random subset of 12 locks, in order. */
static void
random_walk(void *arg, unsigned i)
{
	const struct walk *w = arg;
	uint64_t rnd = w->w_seed + i, set;

	for (unsigned k = 0; k < w->w_rounds; k++) {
		set = lt_random(&rnd) & lt_random(&rnd) & 0xfff;
		for (unsigned n = 0; n < 12; n++) {
			if ((set >> n & 1) != 0)
				mtx_lock(&locks[n]);
		}
		for (unsigned n = 0; n < 12; n++) {
			if ((set >> n & 1) != 0)
				mtx_unlock(&locks[n]);
		}
	}
	if (w->w_odd_one && i == 0) {
		mtx_lock(&locks[7]);
		if (mtx_trylock(&locks[3]))
			mtx_unlock(&locks[3]);
		lock_hook_want(curthread(), &locks[3].lock_object, &locks[3],
		    LOP_EXCLUSIVE, "odd.c", 1);
		mtx_unlock(&locks[7]);
	}
}

static void
threads_learn_one_graph_together(void **state)
{
	struct walk w = { .w_seed = lt_seed(), .w_rounds = lt_scale(2000) };
	struct edges e = { 0 };

	(void)state;
	lt_run(&lt, NTHREADS, random_walk, &w);
	assert_int_equal(count(), 0);
	witness_foreach_edge(lt.lt_sim, gather, &e);
	assert_int_equal(e.e_n, 12 * 11 / 2); /* all pairs, each once */
	w.w_odd_one = true;
	lt_run(&lt, NTHREADS, random_walk, &w);
	assert_int_equal(count(), 1);
	assert_int_equal(reports[0].wr_kind, WITNESS_REVERSAL);
	assert_string_equal(reports[0].wr_held.wp_name, "lock07");
	assert_string_equal(reports[0].wr_wanted.wp_name, "lock03");
}

static void
reporter_may_panic(void **state)
{

	(void)state;
	two_nested(1, 2, 10);
	witness_set_reporter(lt.lt_sim, witness_panic, NULL);
	lt_mock_panics(true);
	mtx_lock(&locks[2]);
	expect_assert_failure(mtx_lock(&locks[1]));
	mtx_unlock(&locks[2]);
	lt_mock_panics(false);
	witness_set_reporter(lt.lt_sim, capture, NULL);
	/* Relaxed: no other thread is there.  It went to another reporter. */
	atomic_store_explicit(&nreports, 1, memory_order_relaxed);
}

static void
count_violation(void *arg, const char *text)
{
	unsigned *n = arg;

	assert_non_null(strstr(text, "1 reports"));
	(*n)++;
}

static void
check_of_the_environment_tells_of_reports(void **state)
{
	unsigned n = 0;

	(void)state;
	two_nested(1, 2, 10);
	assert_int_equal(lock_env_check(lt.lt_sim, count_violation, &n), 0);
	two_nested(2, 1, 10);
	assert_int_equal(lock_env_check(lt.lt_sim, count_violation, &n), 1);
	assert_int_equal(n, 1);
}

static void
without_a_witness_nobody_is_told(void **state)
{
	struct lt off;

	(void)state;
	lt_setup(&off, &sim_real_ops, 1, false);
	assert_int_equal(off.lt_td->td_lock_hooks, 0);
	assert_int_equal(witness_reports(off.lt_sim), 0);
	assert_int_equal(witness_held(off.lt_td, &off), WITNESS_UNKNOWN);
	witness_sleep("an event");
	lt_teardown(&off);
}

static void
running_out_of_memory_leaves_nothing_behind(void **state)
{
	struct sim *sim;
	struct kmem *km;
	struct thread *td;
	int error = ENOMEM;

	(void)state;
	assert_int_equal(kmem_create(1, &km), 0);
	assert_int_equal(sim_create(km, &sim_real_ops, 1, &sim), 0);
	assert_int_equal(lock_env_create(sim, true), 0);
	kmem_fail_nth(km, 1);
	assert_int_equal(witness_create(sim, NULL), ENOMEM);
	kmem_fail_nth(km, 0);
	assert_int_equal(witness_create(sim, NULL), 0);
	assert_int_equal(sim_thread_attach(sim, 0, 0, &td), 0);
	for (unsigned n = 1; error != 0; n++) {
		assert_true(n < 20);
		kmem_fail_nth(km, n);
		error = lock_thread_attach(td);
		kmem_fail_nth(km, 0);
		if (error == 0)
			break;
		assert_int_equal(error, ENOMEM);
		assert_int_equal(td->td_lock_hooks, 0);
		assert_null(td->td_turnstile);
	}
	assert_int_equal(
	    td->td_lock_hooks, LOCK_HOOK_PROFILE | LOCK_HOOK_WITNESS);
	lock_thread_detach(td);
	sim_thread_detach(td);
	lock_env_destroy(sim);
	sim_destroy(sim);
	assert_int_equal(kmem_destroy(km, stderr), 0);
}

#define WITNESS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define GIVEN_TEST(f)   cmocka_unit_test_setup_teardown(f, setup_given, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITNESS_TEST(reversal_is_reported_with_its_four_places),
		WITNESS_TEST(reversal_is_reported_once_and_not_learned),
		WITNESS_TEST(consistent_order_is_not_reported),
		WITNESS_TEST(releases_may_come_in_any_order),
		WITNESS_TEST(cycle_through_a_third_class_is_found),
		WITNESS_TEST(long_cycle_is_cut_and_counted),
		WITNESS_TEST(trylock_makes_no_order_but_is_held),
		WITNESS_TEST(second_lock_of_a_class_needs_dupok),
		WITNESS_TEST(classes_are_told_by_their_text),
		WITNESS_TEST(wanting_a_lock_that_is_held_is_reported),
		GIVEN_TEST(order_given_is_broken_the_first_time),
		GIVEN_TEST(nothing_goes_under_a_leaf),
		GIVEN_TEST(class_held_alone_admits_no_second_by_trylock),
		GIVEN_TEST(edges_seen_are_listed_and_compared_with_those_given),
		WITNESS_TEST(sleeping_with_a_mutex_is_reported),
		WITNESS_TEST(conversion_changes_how_it_is_held),
		WITNESS_TEST(
		    too_many_classes_are_told_once_and_the_rest_is_judged),
		WITNESS_TEST(too_many_held_locks_are_told_once),
		WITNESS_TEST(too_many_edges_are_told_once_and_still_judged),
		WITNESS_TEST(threads_learn_one_graph_together),
		WITNESS_TEST(reporter_may_panic),
		WITNESS_TEST(check_of_the_environment_tells_of_reports),
		cmocka_unit_test(without_a_witness_nobody_is_told),
		cmocka_unit_test(running_out_of_memory_leaves_nothing_behind),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
