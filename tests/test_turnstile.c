/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Turnstiles alone, without a lock: threads go on queues in an order that the
 * main thread dictates, and leave a trail when they come off.
 */

#include <errno.h>
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

#define NTHREADS 6

struct queueing {
	const void *q_key[NTHREADS];
	enum ts_queue q_queue[NTHREADS];
	bool q_again[NTHREADS];
	bool q_more[NTHREADS];
	_Atomic unsigned q_places;   /* taken on the trail */
	_Atomic unsigned q_returned; /* how many are off */
	unsigned q_trail[NTHREADS];  /* in which order */
	struct lt_thread q_lth[NTHREADS];
};

static unsigned
returned(struct queueing *q)
{
	/* Acquire: pairs with the increment in queue_up(). */
	return (atomic_load_explicit(&q->q_returned, memory_order_acquire));
}

static struct thread *
no_owner(struct thread *td, const void *key, unsigned nth, unsigned *np)
{
	(void)td;
	(void)key;
	(void)nth;
	*np = 1;
	return (NULL);
}

static void
queue_up(void *arg, unsigned i)
{
	struct queueing *q = arg;
	struct thread *td = curthread();
	struct turnstile_chain *tc;
	unsigned n;

	tc = turnstile_chain_lock(td, q->q_key[i]);
	q->q_more[i] = turnstile_wait(
	    tc, td, q->q_key[i], no_owner, q->q_queue[i], q->q_again[i]);
	/* Relaxed: takes a place of its own, no more. */
	n = atomic_fetch_add_explicit(&q->q_places, 1, memory_order_relaxed);
	q->q_trail[n] = i;
	/* Release: publishes the trail to the main thread. */
	atomic_fetch_add_explicit(&q->q_returned, 1, memory_order_release);
}

/* Start thread i, and return when it is on its queue. */
static void
enqueue(struct queueing *q, unsigned i, int pri)
{
	lt_start(&lt, &q->q_lth[i], pri, queue_up, q, i);
	lt_await_blocked(&q->q_lth[i], q->q_key[i]);
}

static void
signal_one(struct queueing *q, const void *key, enum ts_queue queue)
{
	unsigned n = returned(q);
	struct turnstile_chain *tc;
	struct thread *td;

	tc = turnstile_chain_lock(lt.lt_td, key);
	td = turnstile_signal(tc, key, queue);
	turnstile_unlock_wake(tc, td);
	assert_non_null(td);
	while (returned(q) == n)
		(void)sched_yield();
}

static bool
is_empty(const void *key, enum ts_queue queue)
{
	struct turnstile_chain *tc = turnstile_chain_lock(lt.lt_td, key);
	bool empty = turnstile_empty(tc, key, queue);

	turnstile_chain_unlock(tc);
	return (empty);
}

static void
join_all(struct queueing *q, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		lt_join(&q->q_lth[i]);
}

static void
the_most_urgent_comes_first_then_the_oldest(void **state)
{
	static const int pris[NTHREADS] = { 128, 200, 128, 10, 128, 200 };
	static const unsigned expected[NTHREADS] = { 3, 0, 2, 4, 1, 5 };
	static struct queueing q;
	static int key;

	(void)state;
	memset(&q, 0, sizeof(q));
	for (unsigned i = 0; i < NTHREADS; i++) {
		q.q_key[i] = &key;
		enqueue(&q, i, pris[i]);
	}
	for (unsigned i = 0; i < NTHREADS; i++)
		signal_one(&q, &key, TS_EXCLUSIVE_QUEUE);
	join_all(&q, NTHREADS);
	assert_memory_equal(q.q_trail, expected, sizeof(expected));
	for (unsigned i = 0; i < NTHREADS; i++)
		assert_int_equal(q.q_more[expected[i]], i < NTHREADS - 1);
}

static void
who_comes_again_is_ahead_of_its_equals(void **state)
{
	static const int pris[4] = { 128, 128, 128, 50 };
	static const unsigned expected[4] = { 3, 2, 0, 1 };
	static struct queueing q;
	static int key;

	(void)state;
	memset(&q, 0, sizeof(q));
	q.q_again[2] = true;
	for (unsigned i = 0; i < 4; i++) {
		q.q_key[i] = &key;
		enqueue(&q, i, pris[i]);
	}
	for (unsigned i = 0; i < 4; i++)
		signal_one(&q, &key, TS_EXCLUSIVE_QUEUE);
	join_all(&q, 4);
	assert_memory_equal(q.q_trail, expected, sizeof(expected));
}

static void
queues_of_a_key_are_separate(void **state)
{
	static struct queueing q;
	static int key;

	(void)state;
	memset(&q, 0, sizeof(q));
	for (unsigned i = 0; i < 3; i++) {
		q.q_key[i] = &key;
		q.q_queue[i] = i == 1 ? TS_SHARED_QUEUE : TS_EXCLUSIVE_QUEUE;
		enqueue(&q, i, PRI_DEFAULT);
	}
	assert_false(is_empty(&key, TS_SHARED_QUEUE));
	signal_one(&q, &key, TS_SHARED_QUEUE);
	assert_int_equal(q.q_trail[0], 1);
	assert_false(q.q_more[1]);
	assert_true(is_empty(&key, TS_SHARED_QUEUE));
	assert_false(is_empty(&key, TS_EXCLUSIVE_QUEUE));
	signal_one(&q, &key, TS_EXCLUSIVE_QUEUE);
	signal_one(&q, &key, TS_EXCLUSIVE_QUEUE);
	join_all(&q, 3);
	assert_true(q.q_more[0]);
	assert_false(q.q_more[2]);
}

static void
broadcast_wakes_all_of_a_queue(void **state)
{
	static struct queueing q;
	static int key;
	struct turnstile_chain *tc;
	unsigned n = 0;
	struct thread *td, *woken;

	(void)state;
	memset(&q, 0, sizeof(q));
	for (unsigned i = 0; i < NTHREADS; i++) {
		q.q_key[i] = &key;
		q.q_queue[i] = i == 0 ? TS_EXCLUSIVE_QUEUE : TS_SHARED_QUEUE;
		enqueue(&q, i, PRI_DEFAULT);
	}
	tc = turnstile_chain_lock(lt.lt_td, &key);
	woken = turnstile_broadcast(tc, &key, TS_SHARED_QUEUE);
	for (td = woken; td != NULL; td = td->td_ts_next)
		n++;
	assert_true(turnstile_empty(tc, &key, TS_SHARED_QUEUE));
	assert_null(turnstile_broadcast(tc, &key, TS_SHARED_QUEUE));
	turnstile_unlock_wake(tc, woken);
	assert_int_equal(n, NTHREADS - 1);
	for (unsigned i = 1; i < NTHREADS; i++)
		lt_join(&q.q_lth[i]);
	assert_int_equal(returned(&q), NTHREADS - 1);
	signal_one(&q, &key, TS_EXCLUSIVE_QUEUE);
	lt_join(&q.q_lth[0]);
}

/* Keys 1 << 19 apart have the same chain, and differ. */
static void
locks_of_one_chain_do_not_mix(void **state)
{
	static struct queueing q;
	static const unsigned order[NTHREADS] = { 1, 0, 4, 3, 2, 5 };
	struct turnstile_chain *tc[3];

	(void)state;
	memset(&q, 0, sizeof(q));
	for (unsigned i = 0; i < NTHREADS; i++) {
		q.q_key[i] =
		    (const void *)((uintptr_t)&q + ((uintptr_t)(i % 3) << 19));
		enqueue(&q, i, PRI_DEFAULT);
	}
	for (unsigned i = 0; i < 3; i++) {
		tc[i] = turnstile_chain_lock(lt.lt_td, q.q_key[i]);
		turnstile_chain_unlock(tc[i]);
		assert_ptr_equal(tc[i], tc[0]);
	}
	/* The one in the middle, the first, the last of the chain. */
	for (unsigned i = 0; i < NTHREADS; i++)
		signal_one(&q, q.q_key[order[i]], TS_EXCLUSIVE_QUEUE);
	join_all(&q, NTHREADS);
	assert_memory_equal(q.q_trail, order, sizeof(order));
}

static void
a_stray_token_ends_no_wait(void **state)
{
	static struct queueing q;
	static int key;

	(void)state;
	memset(&q, 0, sizeof(q));
	q.q_key[0] = &key;
	enqueue(&q, 0, PRI_DEFAULT);
	for (int i = 0; i < 100; i++) {
		/* Acquire: pairs with the release in thread_main(). */
		lt.lt_sim->sim_ops->so_wake(atomic_load_explicit(
		    &q.q_lth[0].lth_td, memory_order_acquire));
		(void)sched_yield();
		assert_int_equal(returned(&q), 0);
	}
	signal_one(&q, &key, TS_EXCLUSIVE_QUEUE);
	join_all(&q, 1);
}

static void
nobody_is_signalled_where_nobody_waits(void **state)
{
	struct turnstile_chain *tc;
	static int key;

	(void)state;
	tc = turnstile_chain_lock(lt.lt_td, &key);
	assert_null(turnstile_signal(tc, &key, TS_EXCLUSIVE_QUEUE));
	assert_null(turnstile_broadcast(tc, &key, TS_SHARED_QUEUE));
	turnstile_unlock_wake(tc, NULL);
}

static void
count_violation(void *arg, const char *text)
{
	unsigned *n = arg;

	assert_non_null(text);
	(*n)++;
}

/* The blocked thread has lent its turnstile, and the chain holds it. */
static void
env_check_tells_of_blocked_threads(void **state)
{
	static struct queueing q;
	static int key;
	unsigned told = 0;

	(void)state;
	memset(&q, 0, sizeof(q));
	q.q_key[0] = &key;
	assert_int_equal(lock_env_check(lt.lt_sim, count_violation, &told), 0);
	enqueue(&q, 0, PRI_DEFAULT);
	assert_int_equal(lock_env_check(lt.lt_sim, count_violation, &told), 2);
	assert_int_equal(told, 2);
	signal_one(&q, &key, TS_EXCLUSIVE_QUEUE);
	join_all(&q, 1);
}

static void
attach_fails_cleanly_without_memory(void **state)
{
	struct kmem *km;
	struct sim *sim;
	struct thread *td;
	uint64_t n;
	int error;

	(void)state;
	assert_int_equal(kmem_create(1, &km), 0);
	assert_int_equal(sim_create(km, &sim_real_ops, 1, &sim), 0);
	for (n = 1;; n++) {
		kmem_fail_nth(km, n);
		error = lock_env_create(sim, true);
		if (!kmem_failed(km))
			break;
		assert_int_equal(error, ENOMEM);
		assert_null(sim->sim_locks);
	}
	kmem_fail_nth(km, 0);
	assert_int_equal(error, 0);
	assert_true(n > 1);
	sim_thread_switch(NULL);
	assert_int_equal(sim_thread_attach(sim, 0, 0, &td), 0);
	for (n = 1;; n++) {
		kmem_fail_nth(km, n);
		error = lock_thread_attach(td);
		if (!kmem_failed(km))
			break;
		assert_int_equal(error, ENOMEM);
		assert_null(td->td_turnstile);
		assert_null(td->td_prof);
	}
	kmem_fail_nth(km, 0);
	assert_int_equal(error, 0);
	assert_true(n > 2);
	lock_thread_detach(td);
	sim_thread_detach(td);
	lock_env_destroy(sim);
	sim_destroy(sim);
	assert_int_equal(kmem_destroy(km, stderr), 0);
	sim_thread_switch(lt.lt_td);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_urgent_comes_first_then_the_oldest),
		cmocka_unit_test(who_comes_again_is_ahead_of_its_equals),
		cmocka_unit_test(queues_of_a_key_are_separate),
		cmocka_unit_test(broadcast_wakes_all_of_a_queue),
		cmocka_unit_test(locks_of_one_chain_do_not_mix),
		cmocka_unit_test(a_stray_token_ends_no_wait),
		cmocka_unit_test(nobody_is_signalled_where_nobody_waits),
		cmocka_unit_test(env_check_tells_of_blocked_threads),
		cmocka_unit_test(attach_fails_cleanly_without_memory),
	};

	return (lt_run_tests(tests, sizeof(tests) / sizeof(tests[0]), 2));
}
