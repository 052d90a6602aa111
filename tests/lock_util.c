/* SPDX-License-Identifier: BSD-2-Clause */

#include "lock_util.h"

#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "kern/sanitizer.h"
#include "lock/leaf_lock.h"
#include "lock/lock_profile.h"
#include "panic_util.h"

/* How long what must happen may take. */
#define PATIENCE_NS UINT64_C(20000000000)

struct lt lt;
static unsigned group_cpus; /* of lt_run_tests() */

void
lt_setup(struct lt *t, const struct sim_ops *ops, unsigned ncpus, bool profile)
{
	memset(t, 0, sizeof(*t));
	assert_int_equal(kmem_create(1, &t->lt_kmem), 0);
	assert_int_equal(sim_create(t->lt_kmem, ops, ncpus, &t->lt_sim), 0);
	assert_int_equal(lock_env_create(t->lt_sim, profile), 0);
	assert_int_equal(sim_thread_attach(t->lt_sim, 0, 0, &t->lt_td), 0);
	assert_int_equal(lock_thread_attach(t->lt_td), 0);
}

static void
print_violation(void *arg, const char *text)
{
	(void)arg;
	print_error("%s\n", text);
}

void
lt_teardown(struct lt *t)
{
	assert_int_equal(lock_env_check(t->lt_sim, print_violation, NULL), 0);
	assert_int_equal(lock_profile_held(t->lt_sim), 0);
	lock_thread_detach(t->lt_td);
	sim_thread_detach(t->lt_td);
	lock_env_destroy(t->lt_sim);
	sim_destroy(t->lt_sim);
	assert_int_equal(kmem_destroy(t->lt_kmem, stderr), 0);
}

static int
begin(void **state)
{
	(void)state;
	lt_setup(&lt, &sim_real_ops, group_cpus, false);
	return (0);
}

int
lt_end(void **state)
{
	(void)state;
	lt_teardown(&lt);
	return (0);
}

int
lt_run_tests(const struct CMUnitTest *tests, size_t n, unsigned ncpus)
{
	group_cpus = ncpus;
	return (_cmocka_run_group_tests("tests", tests, n, begin, lt_end) != 0);
}

/*
 * Wait until all are here.  Without the gate a short test runs its threads one
 * after the other, and each then sees what the one before wrote, in order, by
 * way of detach and attach; whatever lock is tested.
 */
static void
pass_gate(_Atomic unsigned *gate)
{
	if (gate == NULL)
		return;
	/* Relaxed: the gate must not order what the lock should. */
	atomic_fetch_sub_explicit(gate, 1, memory_order_relaxed);
	/* Relaxed: as above. */
	while (atomic_load_explicit(gate, memory_order_relaxed) > 0)
		(void)sched_yield();
}

static void
thread_main(void *arg)
{
	struct lt_thread *lth = arg;
	struct sim *sim = lth->lth_lt->lt_sim;
	struct thread *td;

	lth->lth_error =
	    sim_thread_attach(sim, lth->lth_i % sim->sim_ncpus, 0, &td);
	if (lth->lth_error != 0) {
		pass_gate(lth->lth_gate);
		return;
	}
	td->td_pri = lth->lth_pri;
	lth->lth_error = lock_thread_attach(td);
	pass_gate(lth->lth_gate);
	if (lth->lth_error == 0) {
		/* Release: the main thread looks into td. */
		atomic_store_explicit(&lth->lth_td, td, memory_order_release);
		lth->lth_fn(lth->lth_arg, lth->lth_i);
		/* Relaxed: nobody waits for this thread any more. */
		atomic_store_explicit(&lth->lth_td, NULL, memory_order_relaxed);
		lock_thread_detach(td);
	}
	sim_thread_detach(td);
}

static void
start(struct lt *t, struct lt_thread *lth, _Atomic unsigned *gate, int pri,
    void (*fn)(void *arg, unsigned i), void *arg, unsigned i)
{
	memset(lth, 0, sizeof(*lth));
	lth->lth_lt = t;
	lth->lth_gate = gate;
	lth->lth_fn = fn;
	lth->lth_arg = arg;
	lth->lth_i = i;
	lth->lth_pri = pri;
	assert_int_equal(t->lt_sim->sim_ops->so_thread_create(
			     t->lt_sim, -1, thread_main, lth, &lth->lth_handle),
	    0);
}

void
lt_start(struct lt *t, struct lt_thread *lth, int pri,
    void (*fn)(void *arg, unsigned i), void *arg, unsigned i)
{
	start(t, lth, NULL, pri, fn, arg, i);
}

void
lt_join(struct lt_thread *lth)
{
	struct sim *sim = lth->lth_lt->lt_sim;

	assert_int_equal(sim->sim_ops->so_thread_join(sim, lth->lth_handle), 0);
	assert_int_equal(lth->lth_error, 0);
}

void
lt_run(struct lt *t, unsigned n, void (*fn)(void *arg, unsigned i), void *arg)
{
	lt_run_pri(t, n, 1, fn, arg);
}

void
lt_run_pri(struct lt *t, unsigned n, unsigned npris,
    void (*fn)(void *arg, unsigned i), void *arg)
{
	static struct lt_thread lth[LT_THREADS_MAX];
	_Atomic unsigned gate = n;

	assert_true(n <= LT_THREADS_MAX);
	for (unsigned i = 0; i < n; i++)
		start(t, &lth[i], &gate, PRI_DEFAULT + (int)(i % npris), fn,
		    arg, i);
	for (unsigned i = 0; i < n; i++)
		lt_join(&lth[i]);
}

struct thread *
lt_td(const struct lt_thread *lth)
{
	/* Acquire: pairs with the release at the thread's start. */
	return (atomic_load_explicit(&lth->lth_td, memory_order_acquire));
}

int
lt_pri(struct thread *td)
{
	int pri;

	leaf_lock(&td->td_pri_lock, td->td_sim);
	pri = td->td_pri;
	leaf_unlock(&td->td_pri_lock);
	return (pri);
}

int
lt_await_pri(struct thread *td, int expected)
{
	/* Of the host: the sim's clock may stand. */
	uint64_t end = sim_real_ops.so_clock_ns(td->td_sim) + PATIENCE_NS;
	int pri;

	/* What was seen is the answer: it may pass. */
	while ((pri = lt_pri(td)) != expected &&
	    sim_real_ops.so_clock_ns(td->td_sim) < end)
		(void)sched_yield();
	return (pri);
}

void
lt_await_blocked(struct lt_thread *lth, const void *key)
{
	struct thread *td;

	for (;;) {
		/* Acquire: pairs with the release in thread_main(). */
		td = atomic_load_explicit(&lth->lth_td, memory_order_acquire);
		/* Relaxed: only the value counts. */
		if (td != NULL &&
		    atomic_load_explicit(
			&td->td_blocked_on, memory_order_relaxed) == key)
			return;
		(void)sched_yield();
	}
}

void
lt_mock_panics(bool on)
{
	static panic_handler_fn *saved;

	if (on) {
		saved = panic_handler;
		panic_handler = panic_as_assertion;
	} else {
		panic_handler = saved;
	}
}

uint64_t
lt_seed(void)
{
	const char *s = getenv("PMAPSIM_SEED");
	uint64_t seed = s != NULL ? strtoull(s, NULL, 0) : 20120;

	print_message("PMAPSIM_SEED=%" PRIu64 "\n", seed);
	return (seed);
}

uint64_t
lt_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31));
}

#ifdef PMAPSIM_VIRTUAL
#define LT_COST 16
#elif SANITIZER_THREAD
#define LT_COST 8
#elif SANITIZER_ADDRESS
#define LT_COST 2
#else
#define LT_COST 1
#endif

unsigned
lt_scale(unsigned n)
{
	return (n / LT_COST > 0 ? n / LT_COST : 1);
}

#define FIFO_SPIN      (PLO_FAIR | PLO_SPIN)
#define FIFO_SPIN_COST 400

unsigned
lt_scale_lock(const struct pv_lock_ops *ops, unsigned n)
{
	n = lt_scale(n);
	if ((ops->plo_flags & FIFO_SPIN) == FIFO_SPIN)
		n /= FIFO_SPIN_COST;
	return (n > 0 ? n : 1);
}
