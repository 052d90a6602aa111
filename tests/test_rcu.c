/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "kern/rcu.h"
#include "panic_util.h"

#define NREADERS 4
#define NUPDATES 500

/*
 * Plain fields: a grace period that ends too early is a data race for
 * ThreadSanitizer, and without it most likely a torn pair.
 */
struct pair {
	uint64_t p_a;
	uint64_t p_b; /* ~p_a while published */
};

static struct pair pairs[2];
static struct pair *_Atomic published;
static atomic_bool finished;

static void *
read_pairs(void *arg)
{
	uint64_t *torn = arg;
	struct pair *p;

	rcu_thread_register();
	/* Relaxed: only ends the loop. */
	while (!atomic_load_explicit(&finished, memory_order_relaxed)) {
		rcu_enter();
		/* Acquire: pairs with the publication. */
		p = atomic_load_explicit(&published, memory_order_acquire);
		if (p->p_a != ~p->p_b)
			(*torn)++;
		rcu_exit();
	}
	rcu_thread_unregister();
	return (NULL);
}

static void
nobody_reads_after_a_grace_period(void **state)
{
	pthread_t td[NREADERS];
	uint64_t torn[NREADERS] = { 0 };
	struct pair *p;

	(void)state;
	pairs[0] = (struct pair){ .p_a = 0, .p_b = ~UINT64_C(0) };
	/* Relaxed: before the readers are created. */
	atomic_store_explicit(&published, &pairs[0], memory_order_relaxed);
	for (int i = 0; i < NREADERS; i++)
		assert_int_equal(
		    pthread_create(&td[i], NULL, read_pairs, &torn[i]), 0);
	for (uint64_t n = 1; n <= NUPDATES; n++) {
		p = &pairs[n % 2];
		p->p_a = n;
		p->p_b = ~n;
		/* Release: publishes the pair. */
		atomic_store_explicit(&published, p, memory_order_release);
		rcu_synchronize();
		/* The other one is ours again. */
		pairs[(n + 1) % 2].p_a = pairs[(n + 1) % 2].p_b = 0;
	}
	/* Relaxed: as in read_pairs(). */
	atomic_store_explicit(&finished, true, memory_order_relaxed);
	for (int i = 0; i < NREADERS; i++)
		assert_int_equal(pthread_join(td[i], NULL), 0);
	for (int i = 0; i < NREADERS; i++)
		assert_int_equal(torn[i], 0);
}

struct wait {
	atomic_int w_inside;
	atomic_int w_ended;
	int w_early; /* the grace period ended under the reader */
};

static void *
linger(void *arg)
{
	struct wait *w = arg;

	rcu_thread_register();
	rcu_enter();
	/* Release: we are inside before anybody is told. */
	atomic_store_explicit(&w->w_inside, 1, memory_order_release);
	for (int i = 0; i < 1000; i++) {
		(void)sched_yield();
		/* Relaxed: a grace period that ended is seen soon enough. */
		w->w_early |=
		    atomic_load_explicit(&w->w_ended, memory_order_relaxed);
	}
	rcu_exit();
	rcu_thread_unregister();
	return (NULL);
}

static void
synchronize_waits_for_a_reader(void **state)
{
	struct wait w = { 0 };
	pthread_t td;

	(void)state;
	assert_int_equal(pthread_create(&td, NULL, linger, &w), 0);
	/* Acquire: pairs with linger(). */
	while (!atomic_load_explicit(&w.w_inside, memory_order_acquire))
		(void)sched_yield();
	rcu_synchronize();
	/* Relaxed: as in linger(). */
	atomic_store_explicit(&w.w_ended, 1, memory_order_relaxed);
	assert_int_equal(pthread_join(td, NULL), 0);
	assert_int_equal(w.w_early, 0);
}

static void
registrations_and_readers_nest(void **state)
{
	(void)state;
	rcu_thread_register();
	rcu_thread_register();
	rcu_enter();
	rcu_enter();
	rcu_exit();
	rcu_exit();
	rcu_thread_unregister();
	/* Still registered: this must be a reader that others wait for. */
	rcu_enter();
	rcu_exit();
	rcu_synchronize();
	rcu_thread_unregister();
}

static void
misuse_panics(void **state)
{
	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	expect_assert_failure(rcu_enter());
	expect_assert_failure(rcu_thread_unregister());
	rcu_thread_register();
	rcu_enter();
	expect_assert_failure(rcu_synchronize());
	rcu_exit();
	rcu_thread_unregister();
}

static void
futex_returns_when_the_word_differs(void **state)
{
	_Atomic uint32_t word = 1;

	(void)state;
	futex_wait(&word, 0, UINT64_MAX);
	futex_wait(&word, 0, 1);
	futex_wake(&word, 1);
	assert_int_equal(word, 1);
}

static void
futex_wait_gives_up(void **state)
{
	_Atomic uint32_t word = 0;

	(void)state;
	futex_wait(&word, 0, 0);
	futex_wait(&word, 0, 1);
	futex_wait(&word, 0, 1000000);
	assert_int_equal(word, 0);
}

static void *
sleep_on_word(void *arg)
{
	_Atomic uint32_t *word = arg;

	/* Relaxed: nothing else is shared. */
	while (atomic_load_explicit(word, memory_order_relaxed) == 0)
		futex_wait(word, 0, UINT64_MAX);
	return (NULL);
}

static void
futex_wake_wakes_all_it_is_asked_to(void **state)
{
	_Atomic uint32_t word = 0;
	pthread_t td[NREADERS];

	(void)state;
	for (int i = 0; i < NREADERS; i++)
		assert_int_equal(
		    pthread_create(&td[i], NULL, sleep_on_word, &word), 0);
	for (int i = 0; i < 1000; i++)
		(void)sched_yield();
	/* Relaxed: as in sleep_on_word(). */
	atomic_store_explicit(&word, 1, memory_order_relaxed);
	futex_wake(&word, NREADERS);
	for (int i = 0; i < NREADERS; i++)
		assert_int_equal(pthread_join(td[i], NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_reads_after_a_grace_period),
		cmocka_unit_test(synchronize_waits_for_a_reader),
		cmocka_unit_test(registrations_and_readers_nest),
		cmocka_unit_test(misuse_panics),
		cmocka_unit_test(futex_returns_when_the_word_differs),
		cmocka_unit_test(futex_wait_gives_up),
		cmocka_unit_test(futex_wake_wakes_all_it_is_asked_to),
	};

	panic_handler = panic_as_assertion;
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
