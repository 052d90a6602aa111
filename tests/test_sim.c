/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "kern/rcu.h"
#include "panic_util.h"
#include "sim/pin.h"
#include "sim/sim.h"

#define NCPUS    16
#define NTHREADS 8

static struct kmem *km;
static struct sim *sim;

static int
setup(void **state)
{
	(void)state;
	if (kmem_create(0, &km) != 0)
		return (-1);
	return (sim_create(km, &sim_real_ops, NCPUS, &sim));
}

static int
teardown(void **state)
{
	(void)state;
	sim_destroy(sim);
	return (kmem_destroy(km, stderr) == 0 ? 0 : -1);
}

static struct thread *
attach(unsigned cpu, int domain)
{
	struct thread *td = NULL;

	assert_int_equal(sim_thread_attach(sim, cpu, domain, &td), 0);
	assert_non_null(td);
	return (td);
}

static void
start(void **handles, int n, void (*fn)(void *), void *args, size_t argsize)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(
		    sim->sim_ops->so_thread_create(sim, -1, fn,
			(char *)args + (size_t)i * argsize, &handles[i]),
		    0);
}

static void
join(void **handles, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(
		    sim->sim_ops->so_thread_join(sim, handles[i]), 0);
}

static void
attached_thread_is_current(void **state)
{
	struct thread *td;

	(void)state;
	assert_null(curthread());
	td = attach(3, 1);
	assert_ptr_equal(curthread(), td);
	assert_ptr_equal(td->td_sim, sim);
	assert_int_equal(td->td_cpu, 3);
	assert_int_equal(td->td_domain, 1);
	assert_int_equal(td->td_pri, PRI_DEFAULT);
	assert_true(td->td_attached);
	assert_int_equal(sim_nthreads(sim), 1);
	sim_thread_detach(td);
	assert_null(curthread());
	assert_false(td->td_attached);
	assert_int_equal(sim_nthreads(sim), 0);
}

static void
slot_is_used_again(void **state)
{
	struct thread *again, *td;
	uint32_t id;

	(void)state;
	td = attach(0, 0);
	id = td->td_id;
	td->td_pri = PRI_MIN;
	sim->sim_ops->so_wake(td);
	sim_thread_detach(td);
	again = attach(1, 2);
	assert_ptr_equal(again, td);
	assert_int_equal(again->td_id, id);
	assert_int_equal(again->td_cpu, 1);
	assert_int_equal(again->td_domain, 2);
	assert_int_equal(again->td_pri, PRI_DEFAULT);
	/* The token was for the former thread. */
	assert_false(sim->sim_ops->so_block_until(again, 0));
	sim_thread_detach(again);
}

static void
slots_at_once_are_distinct(void **state)
{
	enum {
		N = 200
	};
	static struct thread *td[N];

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		td[i] = attach(i % NCPUS, 0);
		assert_int_equal(td[i]->td_id, i);
		assert_int_equal((uintptr_t)td[i] % CACHE_PAIR_SIZE, 0);
		for (unsigned j = 0; j < i; j++)
			assert_ptr_not_equal(td[i], td[j]);
	}
	assert_int_equal(sim_nthreads(sim), N);
	for (unsigned i = 0; i < N; i++) {
		sim_thread_switch(td[i]);
		sim_thread_detach(td[i]);
	}
	assert_int_equal(sim_nthreads(sim), 0);
}

static void
counters_outlive_their_thread(void **state)
{
	struct thread *td;

	(void)state;
	td = attach(0, 0);
	counter_add(&td->td_counters, CTR_PAGE_ALLOCS, 5);
	assert_int_equal(sim_counter(sim, CTR_PAGE_ALLOCS), 5);
	sim_thread_detach(td);
	assert_int_equal(sim_counter(sim, CTR_PAGE_ALLOCS), 5);
	assert_int_equal(sim_counter(sim, CTR_PAGE_FREES), 0);
	td = attach(0, 0);
	assert_int_equal(counter_read(&td->td_counters, CTR_PAGE_ALLOCS), 0);
	counter_add(&td->td_counters, CTR_PAGE_ALLOCS, 2);
	assert_int_equal(sim_counter(sim, CTR_PAGE_ALLOCS), 7);
	sim_thread_detach(td);
	assert_int_equal(sim_counter(sim, CTR_PAGE_ALLOCS), 7);
}

static void
host_thread_may_be_in_two_sims(void **state)
{
	struct sim *other;
	struct thread *a, *b;

	(void)state;
	assert_int_equal(sim_create(km, &sim_real_ops, 1, &other), 0);
	a = attach(0, 0);
	assert_int_equal(sim_thread_attach(other, 0, 0, &b), 0);
	assert_ptr_equal(curthread(), b);
	sim_thread_switch(a);
	assert_ptr_equal(curthread(), a);
	assert_int_equal(sim_nthreads(sim), 1);
	sim_thread_detach(a);
	assert_null(curthread());
	sim_thread_switch(b);
	/* It is registered with RCU still. */
	rcu_enter();
	rcu_exit();
	sim_thread_detach(b);
	sim_destroy(other);
}

static void
failure_of_any_allocation_is_survived(void **state)
{
	struct sim *other = NULL;
	struct thread *td[5];
	int error;

	(void)state;
	for (uint64_t n = 1;; n++) {
		kmem_fail_nth(km, n);
		error = sim_create(km, &sim_real_ops, 1, &other);
		if (error == 0)
			break;
		assert_int_equal(error, ENOMEM);
		assert_null(other);
	}
	sim_destroy(other);

	for (size_t i = 0; i < 5; i++) {
		for (uint64_t n = 1;; n++) {
			kmem_fail_nth(km, n);
			error = sim_thread_attach(sim, 0, 0, &td[i]);
			if (!kmem_failed(km))
				break;
			assert_int_equal(error, ENOMEM);
			assert_int_equal(sim_nthreads(sim), i);
		}
		assert_int_equal(error, 0);
		assert_int_equal(td[i]->td_id, i);
	}
	kmem_fail_nth(km, 0);
	for (size_t i = 0; i < 5; i++) {
		sim_thread_switch(td[i]);
		sim_thread_detach(td[i]);
	}
}

static void
misuse_panics(void **state)
{
	struct thread *a, *b, *dummy;
	int lock;

	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	expect_assert_failure(sim_thread_attach(sim, NCPUS, 0, &dummy));
	a = attach(0, 0);
	b = attach(0, 0);
	expect_assert_failure(sim_destroy(sim));
	expect_assert_failure(sim_thread_detach(a));
	expect_assert_failure(sim->sim_ops->so_block(a));
	b->td_pv_held = &lock;
	expect_assert_failure(sim_thread_detach(b));
	b->td_pv_held = NULL;
	sim_thread_detach(b);
	sim_thread_switch(a);
	sim_thread_detach(a);
}

static void
count_thread(struct thread *td, void *arg)
{
	unsigned *ids = arg;

	ids[td->td_id]++;
}

static void
foreach_sees_those_attached(void **state)
{
	unsigned ids[3] = { 0 };
	struct thread *td[3];

	(void)state;
	/* From a thread that is not attached itself, too. */
	sim_thread_foreach(sim, count_thread, ids);
	for (unsigned i = 0; i < 3; i++)
		td[i] = attach(i, 0);
	sim_thread_switch(td[1]);
	sim_thread_detach(td[1]);
	sim_thread_foreach(sim, count_thread, ids);
	assert_int_equal(ids[0], 1);
	assert_int_equal(ids[1], 0);
	assert_int_equal(ids[2], 1);
	for (unsigned i = 0; i < 3; i += 2) {
		sim_thread_switch(td[i]);
		sim_thread_detach(td[i]);
	}
}

/*
 * Threads come and go, many times each and several attachments deep, so that
 * the table grows and slots are reused, until others have read enough of it.  A
 * thread's domain says which CPU it is on, which holds only if its fields stand
 * still while they are read.
 */
#define NVISITS_MIN 30
#define NSEEN_MIN   2000

struct visitor {
	unsigned vi_seed;
	unsigned vi_failed;
	uint64_t vi_attached;
};

struct reader {
	uint64_t re_wrong;
};

static atomic_bool visitors_gone;
static _Atomic uint64_t visitors_seen;

static void
come_and_go(void *arg)
{
	struct visitor *vi = arg;
	struct thread *td[12];
	unsigned cpu;

	/* Relaxed: only ends the loop. */
	for (unsigned round = 0; round < NVISITS_MIN ||
	     atomic_load_explicit(&visitors_seen, memory_order_relaxed) <
		 NSEEN_MIN;
	     round++) {
		for (unsigned i = 0; i < 12; i++) {
			cpu = (vi->vi_seed + round + i) % NCPUS;
			if (sim_thread_attach(
				sim, cpu, 1000 + (int)cpu, &td[i]) != 0) {
				vi->vi_failed++;
				return;
			}
			counter_add(&td[i]->td_counters, CTR_PV_LOCKS, 1);
			vi->vi_attached++;
		}
		for (unsigned i = 0; i < 12; i++) {
			sim_thread_switch(td[i]);
			sim_thread_detach(td[i]);
		}
	}
}

static void
check_visitor(struct thread *td, void *arg)
{
	struct reader *re = arg;

	/* Relaxed: as in come_and_go(). */
	atomic_fetch_add_explicit(&visitors_seen, 1, memory_order_relaxed);
	if (td->td_sim != sim || td->td_cpu >= NCPUS ||
	    td->td_domain != 1000 + (int)td->td_cpu)
		re->re_wrong++;
}

static void
watch(void *arg)
{
	struct reader *re = arg;

	/* Relaxed: only ends the loop. */
	while (!atomic_load_explicit(&visitors_gone, memory_order_relaxed))
		sim_thread_foreach(sim, check_visitor, re);
}

static void
registry_is_read_while_it_changes(void **state)
{
	struct visitor vi[NTHREADS] = { 0 };
	struct reader re[3] = { 0 };
	void *readers[3], *visitors[NTHREADS];
	uint64_t attached = 0;

	(void)state;
	/* Relaxed: before the threads are created. */
	atomic_store_explicit(&visitors_seen, 0, memory_order_relaxed);
	/* Relaxed: as above. */
	atomic_store_explicit(&visitors_gone, false, memory_order_relaxed);
	for (unsigned i = 0; i < NTHREADS; i++)
		vi[i].vi_seed = i;
	start(readers, 3, watch, re, sizeof(re[0]));
	start(visitors, NTHREADS, come_and_go, vi, sizeof(vi[0]));
	join(visitors, NTHREADS);
	/* Relaxed: as in watch(). */
	atomic_store_explicit(&visitors_gone, true, memory_order_relaxed);
	join(readers, 3);
	for (int i = 0; i < NTHREADS; i++) {
		assert_int_equal(vi[i].vi_failed, 0);
		attached += vi[i].vi_attached;
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(re[i].re_wrong, 0);
	assert_int_equal(sim_nthreads(sim), 0);
	assert_int_equal(sim_counter(sim, CTR_PV_LOCKS), attached);
}

static void
token_set_before_is_found(void **state)
{
	struct thread *td;

	(void)state;
	td = attach(0, 0);
	sim->sim_ops->so_wake(td);
	sim->sim_ops->so_block(td);
	sim->sim_ops->so_wake(td);
	/* Even where the deadline has passed. */
	assert_true(sim->sim_ops->so_block_until(td, 0));
	sim_thread_detach(td);
}

static void
tokens_do_not_add_up(void **state)
{
	struct thread *td;

	(void)state;
	td = attach(0, 0);
	sim->sim_ops->so_wake(td);
	sim->sim_ops->so_wake(td);
	sim->sim_ops->so_block(td);
	assert_false(sim->sim_ops->so_block_until(td, 0));
	sim_thread_detach(td);
}

static void
block_until_gives_up_at_the_deadline(void **state)
{
	struct thread *td;
	uint64_t deadline;

	(void)state;
	td = attach(0, 0);
	assert_false(sim->sim_ops->so_block_until(td, 0));
	assert_false(sim->sim_ops->so_block_until(td, sim_clock_ns(sim)));
	deadline = sim_clock_ns(sim) + 1000000;
	assert_false(sim->sim_ops->so_block_until(td, deadline));
	assert_true(sim_clock_ns(sim) >= deadline);
	/* No trace is left: the next token works. */
	sim->sim_ops->so_wake(td);
	assert_true(sim->sim_ops->so_block_until(td, 0));
	sim_thread_detach(td);
}

#define NPINGS 100000

/* The ball is plain data: ThreadSanitizer sees if a token does not carry it. */
struct player {
	struct thread *_Atomic *pl_other;
	struct thread *_Atomic *pl_self;
	uint64_t *pl_ball;
	uint64_t pl_turn; /* 0 or 1: plays while *pl_ball % 2 is that */
	int pl_strokes;
	bool pl_timed;
	bool pl_failed;
};

static void
play(void *arg)
{
	struct player *pl = arg;
	struct thread *other, *td;

	if (sim_thread_attach(sim, 0, 0, &td) != 0) {
		pl->pl_failed = true;
		return;
	}
	/* Release: pairs with the load below, in the other player. */
	atomic_store_explicit(pl->pl_self, td, memory_order_release);
	/* Acquire: pairs with the store above. */
	while ((other = atomic_load_explicit(
		    pl->pl_other, memory_order_acquire)) == NULL)
		sim->sim_ops->so_yield(sim);

	for (int i = 0; i < pl->pl_strokes; i++) {
		/* The first stroke needs no token. */
		if (i > 0 || pl->pl_turn == 1) {
			if (!pl->pl_timed)
				sim->sim_ops->so_block(td);
			else {
				while (!sim->sim_ops->so_block_until(
				    td, sim_clock_ns(sim) + (uint64_t)i % 4096))
					sim->sim_ops->so_spin(sim, 1);
			}
		}
		if ((*pl->pl_ball)++ % 2 != pl->pl_turn)
			pl->pl_failed = true;
		sim->sim_ops->so_wake(other);
	}
	/* The last token goes to a thread that has left, or never takes it. */
	sim_thread_detach(td);
}

static void
play_ping_pong(int strokes, bool timed)
{
	struct thread *_Atomic players[2] = { NULL, NULL };
	struct player pl[2];
	uint64_t ball = 0;
	void *handles[2];

	for (unsigned i = 0; i < 2; i++)
		pl[i] = (struct player){
			.pl_self = &players[i],
			.pl_other = &players[1 - i],
			.pl_ball = &ball,
			.pl_turn = i,
			.pl_strokes = strokes,
			.pl_timed = timed && i == 1,
		};
	start(handles, 2, play, pl, sizeof(pl[0]));
	join(handles, 2);
	assert_false(pl[0].pl_failed);
	assert_false(pl[1].pl_failed);
	assert_int_equal(ball, 2 * strokes);
}

static void
no_token_is_lost(void **state)
{
	(void)state;
	play_ping_pong(NPINGS, false);
}

static void
no_token_is_lost_at_a_deadline(void **state)
{
	(void)state;
	play_ping_pong(NPINGS / 5, true);
}

#define NWAKES 20000

/* Several wakers, one sleeper, one plain slot for each waker. */
struct waker {
	struct thread *wk_sleeper;
	uint64_t wk_plain;           /* written before wk_published */
	_Atomic uint64_t wk_started; /* wakes begun */
};

static void
wake_many(void *arg)
{
	struct waker *wk = arg;

	for (uint64_t i = 0; i < NWAKES; i++) {
		/* Relaxed: so_wake() is the release. */
		atomic_fetch_add_explicit(
		    &wk->wk_started, 1, memory_order_relaxed);
		if (i == NWAKES - 1)
			wk->wk_plain = NWAKES;
		sim->sim_ops->so_wake(wk->wk_sleeper);
	}
}

static void
sleeper_sees_all_who_woke_it(void **state)
{
	struct waker wk[NTHREADS] = { 0 };
	void *handles[NTHREADS];
	struct thread *td;
	uint64_t sum = 0;

	(void)state;
	td = attach(0, 0);
	for (int i = 0; i < NTHREADS; i++)
		wk[i].wk_sleeper = td;
	start(handles, NTHREADS, wake_many, wk, sizeof(wk[0]));
	/* A lost token, and we sleep for ever after the last. */
	while (sum < NTHREADS * NWAKES) {
		sim->sim_ops->so_block(td);
		sum = 0;
		for (int i = 0; i < NTHREADS; i++) {
			/* Relaxed: so_block() is the acquire. */
			sum += atomic_load_explicit(
			    &wk[i].wk_started, memory_order_relaxed);
		}
	}
	join(handles, NTHREADS);
	for (int i = 0; i < NTHREADS; i++)
		assert_int_equal(wk[i].wk_plain, NWAKES);
	sim_thread_detach(td);
}

struct bound {
	int bo_ran;
	struct thread *bo_current;
};

static void
note_that_we_ran(void *arg)
{
	struct bound *bo = arg;

	bo->bo_current = curthread();
	bo->bo_ran++;
}

static void
created_thread_runs_unattached(void **state)
{
	struct bound bo = { .bo_current = (struct thread *)&bo };
	void *handle = NULL;
	int hostcpu;

	(void)state;
	assert_true(pin_order_cpus(PIN_COMPACT, &hostcpu, 1) >= 1);
	assert_int_equal(sim->sim_ops->so_thread_create(
			     sim, hostcpu, note_that_we_ran, &bo, &handle),
	    0);
	join(&handle, 1);
	assert_int_equal(bo.bo_ran, 1);
	assert_null(bo.bo_current);
	assert_int_equal(sim->sim_unbound, 0);
}

static void
thread_that_cannot_be_bound_runs_and_is_counted(void **state)
{
	struct bound bo = { 0 };
	void *handle = NULL;

	(void)state;
	/* No host has this CPU. */
	assert_int_equal(sim->sim_ops->so_thread_create(
			     sim, 1000000, note_that_we_ran, &bo, &handle),
	    0);
	join(&handle, 1);
	assert_int_equal(bo.bo_ran, 1);
	assert_int_equal(sim->sim_unbound, 1);
}

static void
thread_creation_may_fail(void **state)
{
	struct bound bo = { 0 };
	void *handle = NULL;

	(void)state;
	kmem_fail_nth(km, 1);
	assert_int_equal(sim->sim_ops->so_thread_create(
			     sim, -1, note_that_we_ran, &bo, &handle),
	    ENOMEM);
	assert_null(handle);
	assert_int_equal(bo.bo_ran, 0);
}

static void
more_cpus_than_the_host_has_is_noted(void **state)
{
	struct sim *other;

	(void)state;
	assert_int_equal(sim_create(km, &sim_real_ops, 1, &other), 0);
	assert_false(other->sim_oversubscribed);
	sim_destroy(other);
	if (host_ncpus() >= 1024)
		skip();
	assert_int_equal(
	    sim_create(km, &sim_real_ops, host_ncpus() + 1, &other), 0);
	assert_true(other->sim_oversubscribed);
	sim_destroy(other);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attached_thread_is_current),
		TEST(slot_is_used_again),
		TEST(slots_at_once_are_distinct),
		TEST(counters_outlive_their_thread),
		TEST(host_thread_may_be_in_two_sims),
		TEST(failure_of_any_allocation_is_survived),
		TEST(misuse_panics),
		TEST(foreach_sees_those_attached),
		TEST(registry_is_read_while_it_changes),
		TEST(token_set_before_is_found),
		TEST(tokens_do_not_add_up),
		TEST(block_until_gives_up_at_the_deadline),
		TEST(no_token_is_lost),
		TEST(no_token_is_lost_at_a_deadline),
		TEST(sleeper_sees_all_who_woke_it),
		TEST(created_thread_runs_unattached),
		TEST(thread_that_cannot_be_bound_runs_and_is_counted),
		TEST(thread_creation_may_fail),
		TEST(more_cpus_than_the_host_has_is_noted),
	};

	panic_handler = panic_as_assertion;
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
