/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * rwlock and sx: threads that read, write, try, upgrade, downgrade and recurse at
 * random, on two locks, where spinning is worth it and where it is not.
 */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lock/rwlock.h"
#include "lock/sx.h"
#include "lock_util.h"

#define NTHREADS 8
#define NLOCKS   2
#define NITERS   20000

/* What both kinds can do, under one set of names. */
struct kind {
	const char *k_name;
	void (*k_wlock)(void *lock);
	bool (*k_try_wlock)(void *lock);
	void (*k_wunlock)(void *lock);
	void (*k_rlock)(void *lock);
	bool (*k_try_rlock)(void *lock);
	void (*k_runlock)(void *lock);
	bool (*k_try_upgrade)(void *lock);
	void (*k_downgrade)(void *lock);
};

#define KIND_OPS(p, W, R)                                                      \
	static void p##_k_wlock(void *lock)                                    \
	{                                                                      \
		p##_##W##lock(lock);                                           \
	}                                                                      \
	static bool p##_k_try_wlock(void *lock)                                \
	{                                                                      \
		return (p##_try_##W##lock(lock));                              \
	}                                                                      \
	static void p##_k_wunlock(void *lock)                                  \
	{                                                                      \
		p##_##W##unlock(lock);                                         \
	}                                                                      \
	static void p##_k_rlock(void *lock)                                    \
	{                                                                      \
		p##_##R##lock(lock);                                           \
	}                                                                      \
	static bool p##_k_try_rlock(void *lock)                                \
	{                                                                      \
		return (p##_try_##R##lock(lock));                              \
	}                                                                      \
	static void p##_k_runlock(void *lock)                                  \
	{                                                                      \
		p##_##R##unlock(lock);                                         \
	}                                                                      \
	static bool p##_k_try_upgrade(void *lock)                              \
	{                                                                      \
		return (p##_try_upgrade(lock));                                \
	}                                                                      \
	static void p##_k_downgrade(void *lock)                                \
	{                                                                      \
		p##_downgrade(lock);                                           \
	}                                                                      \
	static const struct kind kind_##p = {                                  \
		.k_name = #p,                                                  \
		.k_wlock = p##_k_wlock,                                        \
		.k_try_wlock = p##_k_try_wlock,                                \
		.k_wunlock = p##_k_wunlock,                                    \
		.k_rlock = p##_k_rlock,                                        \
		.k_try_rlock = p##_k_try_rlock,                                \
		.k_runlock = p##_k_runlock,                                    \
		.k_try_upgrade = p##_k_try_upgrade,                            \
		.k_downgrade = p##_k_downgrade,                                \
	}

KIND_OPS(rw, w, r);
KIND_OPS(sx, x, s);

/* Equal under the lock. */
struct pair {
	uint64_t p_a;
	uint64_t p_b;
};

struct shared {
	const struct kind *s_kind;
	void *s_lock[NLOCKS];
	struct pair s_pair[NLOCKS];
	uint64_t s_seed;
	unsigned s_iters;
	_Atomic uint64_t s_writes;
	_Atomic uint64_t s_torn;
};

/* One thread's tally. */
struct tally {
	uint64_t t_rnd;
	uint64_t t_writes;
	uint64_t t_torn;
};

static bool
chance(struct tally *t, unsigned n)
{
	return (lt_random(&t->t_rnd) % n == 0);
}

static void
look(struct shared *s, unsigned n, struct tally *t)
{
	t->t_torn += s->s_pair[n].p_a != s->s_pair[n].p_b;
	if (chance(t, 64))
		(void)sched_yield();
	t->t_torn += s->s_pair[n].p_a != s->s_pair[n].p_b;
}

static void
change(struct shared *s, unsigned n, struct tally *t)
{
	t->t_torn += s->s_pair[n].p_a != s->s_pair[n].p_b;
	s->s_pair[n].p_a++;
	if (chance(t, 64))
		(void)sched_yield();
	s->s_pair[n].p_b++;
	t->t_writes++;
}

/* Lock n is held for writing, and released. */
static void
write_and_leave(struct shared *s, unsigned n, struct tally *t)
{
	const struct kind *k = s->s_kind;

	change(s, n, t);
	if (chance(t, 4)) {
		k->k_wlock(s->s_lock[n]); /* again */
		change(s, n, t);
		k->k_wunlock(s->s_lock[n]);
	}
	if (chance(t, 3)) {
		k->k_downgrade(s->s_lock[n]);
		look(s, n, t);
		k->k_runlock(s->s_lock[n]);
	} else {
		k->k_wunlock(s->s_lock[n]);
	}
}

/* The same, for reading. */
static void
read_and_leave(struct shared *s, unsigned n, struct tally *t)
{
	const struct kind *k = s->s_kind;

	look(s, n, t);
	if (chance(t, 4)) {
		k->k_rlock(s->s_lock[n]); /* again */
		look(s, n, t);
		k->k_runlock(s->s_lock[n]);
	}
	if (n + 1 < NLOCKS && chance(t, 4)) {
		k->k_rlock(s->s_lock[n + 1]);
		read_and_leave(s, n + 1, t);
	}
	if (chance(t, 3) && k->k_try_upgrade(s->s_lock[n]))
		write_and_leave(s, n, t);
	else
		k->k_runlock(s->s_lock[n]);
}

static void
do_everything(void *arg, unsigned i)
{
	struct shared *s = arg;
	const struct kind *k = s->s_kind;
	struct tally t = { .t_rnd = s->s_seed + i };
	unsigned n;

	for (unsigned m = 0; m < s->s_iters; m++) {
		n = (unsigned)(lt_random(&t.t_rnd) % NLOCKS);
		switch (lt_random(&t.t_rnd) % 8) {
		case 0:
		case 1:
			k->k_wlock(s->s_lock[n]);
			write_and_leave(s, n, &t);
			break;
		case 2:
			if (k->k_try_wlock(s->s_lock[n]))
				write_and_leave(s, n, &t);
			break;
		case 3:
			if (k->k_try_rlock(s->s_lock[n]))
				read_and_leave(s, n, &t);
			break;
		default:
			k->k_rlock(s->s_lock[n]);
			read_and_leave(s, n, &t);
			break;
		}
	}
	/* Relaxed: counts, read after the threads are joined. */
	atomic_fetch_add_explicit(
	    &s->s_writes, t.t_writes, memory_order_relaxed);
	/* Relaxed: as above. */
	atomic_fetch_add_explicit(&s->s_torn, t.t_torn, memory_order_relaxed);
}

struct setting {
	const struct kind *g_kind;
	unsigned g_ncpus; /* of the machine; as few as the host surely has */
	bool g_spin;
};

static struct rwlock rws[NLOCKS];
static struct sx sxs[NLOCKS];
static uint64_t seed;

static void
nothing_is_torn_lost_or_stuck(void **state)
{
	const struct setting *g = *state;
	static struct shared s;

	memset(&s, 0, sizeof(s));
	s.s_kind = g->g_kind;
	s.s_seed = seed;
	s.s_iters = lt_scale(NITERS);
	lt_setup(&lt, &sim_real_ops, g->g_ncpus, false);
	lt.lt_sim->sim_oversubscribed = !g->g_spin;
	for (unsigned n = 0; n < NLOCKS; n++) {
		rw_init(&rws[n], "stress", RW_RECURSE);
		sx_init(&sxs[n], "stress", SX_RECURSE);
		s.s_lock[n] =
		    g->g_kind == &kind_rw ? (void *)&rws[n] : (void *)&sxs[n];
	}
	lt_run_pri(&lt, NTHREADS, 3, do_everything, &s);
	/* Relaxed: the threads are joined. */
	assert_true(atomic_load_explicit(&s.s_torn, memory_order_relaxed) == 0);
	/* Relaxed: as above. */
	assert_true(s.s_pair[0].p_a + s.s_pair[1].p_a ==
	    atomic_load_explicit(&s.s_writes, memory_order_relaxed));
	for (unsigned n = 0; n < NLOCKS; n++) {
		assert_true(s.s_pair[n].p_a == s.s_pair[n].p_b);
		/* Which panic, in some builds, unless all bits are gone. */
		rw_destroy(&rws[n]);
		sx_destroy(&sxs[n]);
	}
	lt_teardown(&lt);
}

static struct setting settings[] = {
	{ &kind_rw, 2, true },
	{ &kind_rw, 2, false },
	{ &kind_sx, 2, true },
	{ &kind_sx, 2, false },
};

#define SETTING_TEST(what, i)                                                  \
	{                                                                      \
		.name = "nothing_is_torn_lost_or_stuck:" what,                 \
		.test_func = nothing_is_torn_lost_or_stuck,                    \
		.initial_state = &settings[i]                                  \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SETTING_TEST("rw, spinning", 0),
		SETTING_TEST("rw, blocking", 1),
		SETTING_TEST("sx, spinning", 2),
		SETTING_TEST("sx, blocking", 3),
	};

	seed = lt_seed();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
