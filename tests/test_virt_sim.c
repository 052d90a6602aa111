/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * struct sim_ops on the virtual machine: tokens, deadlines, loans, leaf locks, and
 * the priorities by which threads get their CPU.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lock/leaf_lock.h"
#include "sim/sim.h"
#include "sim/virtual/world.h"

#define NTHREADS 8u
#define NS(n)    (UINT64_C(1000) * (n))
#define US(n)    (UINT64_C(1000000) * (n))

/* What a thread does, and what it found. */
struct job {
	void (*j_fn)(struct job *j);
	unsigned j_cpu;
	int j_pri;
	uint64_t j_start_ns; /* after the others are there */
	struct thread *j_td;
	uint64_t j_ns;
	int j_error;
	bool j_ok;
	void *j_handle;
};

static struct preset pr;
static struct kmem *km;
static struct sim *sim;
static struct job jobs[NTHREADS];
static unsigned njobs;
static struct leaf_lock *leaf;
static uint64_t begin_ns;

static uint64_t
now(void)
{
	return (sim_clock_ns(sim) - begin_ns);
}

static void
job_main(void *arg)
{
	struct job *j = arg;

	j->j_error = sim_thread_attach(sim, j->j_cpu, 0, &j->j_td);
	if (j->j_error != 0)
		return;
	j->j_td->td_base_pri = j->j_td->td_pri = j->j_pri;
	while (sim_clock_ns(sim) < begin_ns + j->j_start_ns)
		(void)sim->sim_ops->so_block_until(
		    j->j_td, begin_ns + j->j_start_ns);
	j->j_fn(j);
	sim_thread_detach(j->j_td);
}

static int
setup(void **state)
{
	struct virt_config vc = {
		.vc_preset = &pr,
		.vc_ncpus = 4,
		.vc_sees_cpus = true,
	};
	struct preset_error pe;

	(void)state;
	if (preset_open("clx-2s-104", &pr, &pe) != 0 || virt_begin(&vc) != 0)
		return (1);
	if (kmem_create(1, &km) != 0 ||
	    sim_create(km, sim_native_ops, 4, &sim) != 0)
		return (1);
	leaf = kmem_alloc(km, sizeof(*leaf), 64, M_LOCK, KMEM_ANYDOMAIN);
	memset(jobs, 0, sizeof(jobs));
	njobs = 0;
	/* The threads are there by then. */
	begin_ns = sim_clock_ns(sim) + 100000;
	return (leaf == NULL);
}

static int
teardown(void **state)
{
	uint64_t left;

	(void)state;
	kmem_free(km, leaf, sizeof(*leaf), M_LOCK, KMEM_ANYDOMAIN);
	sim_destroy(sim);
	left = kmem_destroy(km, NULL);
	virt_end();
	return (left != 0);
}

static struct job *
add(void (*fn)(struct job *), unsigned cpu, int pri, uint64_t start_ns)
{
	struct job *j = &jobs[njobs++];

	j->j_fn = fn;
	j->j_cpu = cpu;
	j->j_pri = pri;
	j->j_start_ns = start_ns;
	return (j);
}

static void
run_jobs(void)
{
	for (unsigned i = 0; i < njobs; i++)
		assert_int_equal(sim->sim_ops->so_thread_create(sim, -1,
				     job_main, &jobs[i], &jobs[i].j_handle),
		    0);
	for (unsigned i = 0; i < njobs; i++)
		assert_int_equal(
		    sim->sim_ops->so_thread_join(sim, jobs[i].j_handle), 0);
}

static void
compute(uint64_t ns)
{
	sim_charge(sim, SIM_COMPUTE_NS, ns);
}

/*
 * The machine, to the layers above.
 */

static void
threads_run_on_their_cpus(struct job *j)
{
	j->j_ok = virt_world.vw_cpu->vc_id == j->j_cpu &&
	    curthread() == j->j_td && sim->sim_ops->so_tid() == j->j_td->td_tid;
	compute(5000);
	j->j_ok = j->j_ok && curthread() == j->j_td;
}

static void
a_thread_runs_on_its_cpu_and_is_current_there(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NTHREADS; i++)
		(void)add(threads_run_on_their_cpus, i % 4, PRI_DEFAULT, 0);
	run_jobs();
	for (unsigned i = 0; i < NTHREADS; i++)
		assert_true(jobs[i].j_ok);
	assert_null(curthread());
	assert_false(sim->sim_oversubscribed);
	assert_false(sim->sim_asym);
	assert_int_equal(sim->sim_spin_ns, pr.pr_pause_ps / 1000);
}

static void
sleeps_once(struct job *j)
{
	sim->sim_ops->so_block(j->j_td);
	j->j_ok = true;
}

static void
computes_long(struct job *j)
{
	compute(50000);
	j->j_ok = true;
}

/* While jobs[0] sleeps, and jobs[1] computes. */
static void
looks_who_runs(struct job *j)
{
	int (*runs)(const struct thread *td) = sim->sim_ops->so_runs;

	j->j_ok = runs(j->j_td) == 1 && runs(jobs[0].j_td) == 0 &&
	    runs(jobs[1].j_td) == 1;
	virt_world.vw_sees_cpus = false;
	j->j_ok = j->j_ok && runs(jobs[0].j_td) == -1;
	virt_world.vw_sees_cpus = true;
	sim->sim_ops->so_wake(jobs[0].j_td);
}

static void
who_has_a_cpu_is_seen(void **state)
{
	(void)state;
	(void)add(sleeps_once, 0, PRI_DEFAULT, 0);
	(void)add(computes_long, 1, PRI_DEFAULT, 0);
	(void)add(looks_who_runs, 2, PRI_DEFAULT, 10000);
	run_jobs();
	for (unsigned i = 0; i < 3; i++)
		assert_true(jobs[i].j_ok);
}

/*
 * Tokens.
 */

static void
wake_first(struct job *j)
{
	sim->sim_ops->so_wake(jobs[0].j_td);
	j->j_ns = now();
}

static void
block_once(struct job *j)
{
	sim->sim_ops->so_block(j->j_td);
	j->j_ns = now();
}

static void
block_late(struct job *j)
{
	compute(50000);
	j->j_ns = now();
	sim->sim_ops->so_block(j->j_td);
	j->j_ns = now() - j->j_ns;
	/* It was one token: the next one does not come. */
	j->j_ok =
	    !sim->sim_ops->so_block_until(j->j_td, begin_ns + now() + 20000);
}

static void
a_wakeup_ends_a_sleep(void **state)
{
	(void)state;
	(void)add(block_once, 0, PRI_DEFAULT, 0);
	(void)add(wake_first, 1, PRI_DEFAULT, 20000);
	run_jobs();
	assert_true(jobs[0].j_ns >= 20000 + pr.pr_wake_remote_ps / 1000);
	assert_true(jobs[0].j_ns < 20000 + pr.pr_wake_remote_ps / 500);
}

static void
a_token_that_was_set_before_is_not_lost(void **state)
{
	(void)state;
	(void)add(block_late, 0, PRI_DEFAULT, 0);
	(void)add(wake_first, 1, PRI_DEFAULT, 10000);
	(void)add(wake_first, 2, PRI_DEFAULT, 15000);
	run_jobs();
	assert_true(jobs[0].j_ns < 1000);
	assert_true(jobs[0].j_ok);
}

/*
 * Priorities.
 */

static void
compute_long(struct job *j)
{
	compute(500000);
	j->j_ns = now();
}

static void
compute_short(struct job *j)
{
	compute(10000);
	j->j_ns = now();
}

static uint64_t
time_of(const struct job *j, enum vstat_time what)
{
	const struct vfiber *fb = j->j_handle;

	return (fb->fb_stat.vf_ps[0][what]);
}

static void
an_urgent_thread_preempts_at_once(void **state)
{
	struct job *low, *high, *other;

	(void)state;
	low = add(compute_long, 1, PRI_DEFAULT, 0);
	high = add(compute_short, 1, 50, 100000);
	other = add(compute_short, 1, 200, 50000);
	run_jobs();
	/* In the middle of what the other computes, which takes it up again. */
	assert_true(high->j_ns >= 110000 && high->j_ns < 115000);
	assert_true(low->j_ns >= 510000 && low->j_ns < 520000);
	assert_true(time_of(low, VT_COMPUTE) >= US(500));
	assert_true(time_of(low, VT_COMPUTE) < US(510));
	assert_true(time_of(low, VT_READY) >= US(10));
	/* And one of less priority waits for both. */
	assert_true(other->j_ns >= low->j_ns + 10000);
}

static void
wake_own_cpu(struct job *j)
{
	sim->sim_ops->so_wake(jobs[0].j_td);
	compute(100000);
	j->j_ns = now();
}

static void
an_urgent_thread_preempts_its_waker(void **state)
{
	(void)state;
	(void)add(block_once, 1, 50, 0);
	(void)add(wake_own_cpu, 1, PRI_DEFAULT, 20000);
	run_jobs();
	assert_true(jobs[0].j_ns < 30000);
	assert_true(jobs[1].j_ns > 120000);
}

/* The classical inversion: low has the lock, high wants it, medium computes. */
static void
low_with_lock(struct job *j)
{
	leaf_lock(leaf, sim);
	compute(100000);
	leaf_unlock(leaf);
	compute(20000);
	j->j_ns = now();
}

static void
high_wants_lock(struct job *j)
{
	leaf_lock(leaf, sim);
	j->j_ns = now();
	leaf_unlock(leaf);
}

static void
a_leaf_locks_holder_gets_the_waiters_priority(void **state)
{
	struct job *low, *medium, *high;

	(void)state;
	low = add(low_with_lock, 1, 150, 0);
	medium = add(compute_long, 1, 120, 20000);
	high = add(high_wants_lock, 2, 50, 40000);
	run_jobs();
	/* 20 us by itself, the rest with what is lent; not 500 us later. */
	assert_true(high->j_ns > 100000 && high->j_ns < 160000);
	assert_true(medium->j_ns > 600000);
	assert_true(low->j_ns > medium->j_ns);
}

static void
all_waiters_of_a_leaf_lock_get_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NTHREADS; i++)
		(void)add(low_with_lock, i % 4, PRI_DEFAULT, 0);
	run_jobs();
	for (unsigned i = 0; i < NTHREADS; i++)
		assert_true(jobs[i].j_ns >= 100000);
	/* Relaxed: all threads have been joined. */
	assert_int_equal(
	    atomic_load_explicit(&leaf->ll_word.pw_owner, memory_order_relaxed),
	    0);
}

/*
 * Loans: 0 lends to 1, which lends to 2, which computes.
 */

static void
lend_to_next(struct job *j)
{
	const struct sim_ops *ops = sim->sim_ops;

	ops->so_lend(j->j_td, j[1].j_td);
	j->j_error = ops->so_block_lent(j->j_td, UINT64_MAX);
	j->j_ns = now();
	if (j > jobs)
		ops->so_unlend(j[-1].j_td);
}

static void
compute_and_unlend(struct job *j)
{
	compute(100000);
	j->j_ns = now();
	sim->sim_ops->so_unlend(j[-1].j_td);
}

static void
a_loan_goes_along_a_chain(void **state)
{
	struct job *high, *last, *medium;

	(void)state;
	high = add(lend_to_next, 0, 50, 60000);
	(void)add(lend_to_next, 2, 140, 40000);
	last = add(compute_and_unlend, 1, 150, 0);
	medium = add(compute_long, 1, 120, 20000);
	run_jobs();
	assert_int_equal(high->j_error, 0);
	/* 20 us before medium came, and on from 60 us, with what is lent. */
	assert_true(last->j_ns >= 140000 && last->j_ns < 155000);
	assert_true(high->j_ns >= last->j_ns && high->j_ns < 170000);
	assert_true(medium->j_ns > 600000);
}

static void
lend_for_a_while(struct job *j)
{
	const struct sim_ops *ops = sim->sim_ops;

	ops->so_lend(j->j_td, j[1].j_td);
	j->j_error = ops->so_block_lent(j->j_td, begin_ns + 50000);
	j->j_ns = now();
	ops->so_lend_cancel(j->j_td);
	/* Given back before: no sleep. */
	j->j_ok = ops->so_block_lent(j->j_td, UINT64_MAX) == 0;
}

static void
a_loan_ends_at_its_deadline(void **state)
{
	struct job *low, *medium;

	(void)state;
	(void)add(lend_for_a_while, 0, 50, 10000);
	low = add(compute_long, 1, 150, 0);
	medium = add(compute_long, 1, 120, 5000);
	run_jobs();
	assert_int_equal(jobs[0].j_error, ETIMEDOUT);
	assert_true(jobs[0].j_ns >= 50000 && jobs[0].j_ns < 60000);
	assert_true(jobs[0].j_ok);
	/* From then on low is what it was: medium goes first. */
	assert_true(medium->j_ns < low->j_ns - 300000);
}

static void
lend_to_one_that_has_gone(struct job *j)
{
	sim->sim_ops->so_lend(j->j_td, j[1].j_td);
	j->j_error = sim->sim_ops->so_block_lent(j->j_td, UINT64_MAX);
	sim->sim_ops->so_lend_cancel(j->j_td);
}

static void
a_loan_to_one_that_has_gone_is_refused(void **state)
{
	(void)state;
	(void)add(lend_to_one_that_has_gone, 0, 50, 90000);
	(void)add(compute_short, 1, PRI_DEFAULT, 0);
	run_jobs();
	assert_int_equal(jobs[0].j_error, ESRCH);
}

/* 0 lends to 1, then 1 lends to 0. */
static void
lend_round(struct job *j)
{
	struct job *to = j == jobs ? &jobs[1] : &jobs[0];

	sim->sim_ops->so_lend(j->j_td, to->j_td);
	j->j_error = sim->sim_ops->so_block_lent(j->j_td, UINT64_MAX);
	sim->sim_ops->so_unlend(to->j_td);
}

static void
a_loan_that_comes_round_is_refused(void **state)
{
	(void)state;
	(void)add(lend_round, 0, 50, 10000);
	(void)add(lend_round, 1, 60, 20000);
	run_jobs();
	assert_int_equal(jobs[0].j_error, 0);
	assert_int_equal(jobs[1].j_error, EDEADLK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_thread_runs_on_its_cpu_and_is_current_there),
		TEST(who_has_a_cpu_is_seen),
		TEST(a_wakeup_ends_a_sleep),
		TEST(a_token_that_was_set_before_is_not_lost),
		TEST(an_urgent_thread_preempts_at_once),
		TEST(an_urgent_thread_preempts_its_waker),
		TEST(a_leaf_locks_holder_gets_the_waiters_priority),
		TEST(all_waiters_of_a_leaf_lock_get_it),
		TEST(a_loan_goes_along_a_chain),
		TEST(a_loan_ends_at_its_deadline),
		TEST(a_loan_to_one_that_has_gone_is_refused),
		TEST(a_loan_that_comes_round_is_refused),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
